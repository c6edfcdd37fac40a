//! All harts of a machine, each on a host thread of its own.
//!
//! A hart's thread owns the hart. Others send it requests and ring its bell; it answers between two blocks.

use crate::{
    block::Cache,
    core::{Core, Ended, Hosted},
    environment::Environment,
    inspect::{AtRest, Breakpoints, Inspect, Waits},
    semihost::Semihost,
    trace::Trace,
};
use hartwright_hart::{Config, Hart, Port};
use hartwright_ir::Width;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What a hart tells its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Hart number `hart` stopped by itself.
    Stopped {
        /// Which hart: its place in the list.
        hart: usize,
        /// Why.
        reason: Reason,
    },
}

/// Why a hart stopped by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A breakpoint is at its program counter.
    Breakpoint,
    /// A watched address was touched: the one that was asked for.
    Watch(u64),
    /// It did the one instruction it was to do.
    Step,
}

/// What the harts of a machine have in common.
pub struct Setup {
    /// One for each hart.
    pub harts: Vec<Config>,
    /// Hears when a hart stops by itself. Called on the hart's thread; must not wait for a hart.
    pub listener: Arc<dyn Fn(Event) + Send + Sync>,
    /// Where `-d` text goes.
    pub trace: Trace,
    /// What answers S-mode's calls, if that is not firmware.
    pub environment: Option<Arc<dyn Environment>>,
    /// What answers programs' calls to the host, if they may make any.
    pub semihost: Option<Arc<dyn Semihost>>,
}

/// The harts of a machine. They are paused at first.
pub struct Harts {
    links: Vec<Link>,
}

struct Link {
    port: Arc<Port>,
    requests: Mutex<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    thread_id: u32,
}

type Look = Box<dyn FnOnce(&mut dyn Inspect) + Send>;

enum Request {
    Look(Look),
    Resume,
    Pause(Sender<()>),
    /// Does one instruction, then pauses.
    Step,
    /// Runs at most so many blocks, then pauses.
    Some(u64, Sender<()>),
    Quit,
}

impl Harts {
    /// Makes the harts, reset and paused, each on a thread of its own. An error says why the host gave no thread.
    pub fn new(setup: Setup) -> Result<Self, String> {
        let links = setup.harts.into_iter().enumerate().map(|(number, config)| {
            let (tell, told) = mpsc::channel();
            let (requests, requested) = mpsc::channel();
            let around = Around {
                number,
                listener: setup.listener.clone(),
                trace: setup.trace.clone(),
                environment: setup.environment.clone(),
                semihost: setup.semihost.clone(),
            };
            let run = move || match config.model.xlen {
                32 => Thread::<u32>::start(config, &around, &requested, &tell),
                64 => Thread::<u64>::start(config, &around, &requested, &tell),
                _ => Thread::<u128>::start(config, &around, &requested, &tell),
            };
            let thread = thread::Builder::new().name(format!("hart {number}")).spawn(run);
            let thread = thread.map_err(|e| format!("the host gives hart {number} no thread: {e}"))?;
            let (port, thread_id) = told.recv().map_err(|_| format!("hart {number} did not start"))?;
            Ok(Link { port, requests: Mutex::new(requests), thread: Some(thread), thread_id })
        });
        let links = links.collect::<Result<Vec<Link>, String>>()?;
        let ports: Vec<_> = links.iter().map(|link| link.port.clone()).collect();
        if let Some(environment) = &setup.environment {
            environment.connect(&ports);
        }
        if let Some(semihost) = &setup.semihost {
            semihost.connect(&ports);
        }
        Ok(Harts { links })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// The interrupt pins of hart number `hart`: a `wire::Sink` numbered as the bits of `mip`.
    pub fn port(&self, hart: usize) -> Arc<Port> {
        self.links[hart].port.clone()
    }

    /// The host's number of the thread that runs hart number `hart`.
    pub fn thread_id(&self, hart: usize) -> u32 {
        self.links[hart].thread_id
    }

    /// Lets all harts run. One that stands at a breakpoint stops there: whoever set it knows how to get past.
    pub fn resume(&self) {
        self.links.iter().for_each(|link| link.send(Request::Resume));
    }

    /// Lets one hart run.
    pub fn resume_one(&self, hart: usize) {
        self.links[hart].send(Request::Resume);
    }

    /// Stops all harts between two instructions, and returns when they stand.
    pub fn pause(&self) {
        let (done, all_done) = mpsc::channel();
        self.links.iter().for_each(|link| link.send(Request::Pause(done.clone())));
        drop(done);
        // Ends with an error when every hart has answered, or is gone.
        while all_done.recv().is_ok() {}
    }

    /// Has a paused hart do one instruction, breakpoint or not; the listener hears when it did. Interrupts wait.
    pub fn step(&self, hart: usize) {
        self.links[hart].send(Request::Step);
    }

    /// Has a paused hart run at most `blocks` blocks and pause again, and returns when it did. It does fewer if it
    /// waits, stops by itself, or its environment has it rest: a run of any program that comes to an end.
    pub fn run_some(&self, hart: usize, blocks: u64) {
        let (done, all_done) = mpsc::channel();
        self.links[hart].send(Request::Some(blocks, done));
        // An error says that the hart is gone, which is an end too.
        let _ = all_done.recv();
    }

    /// Looks into a hart between two instructions. `None` if its thread is gone.
    pub fn with<R: Send + 'static>(
        &self,
        hart: usize,
        look: impl FnOnce(&mut dyn Inspect) -> R + Send + 'static,
    ) -> Option<R> {
        let (tell, told) = mpsc::channel();
        let look: Look = Box::new(move |hart| drop(tell.send(look(hart))));
        self.links.get(hart)?.send(Request::Look(look));
        told.recv().ok()
    }

    /// Replaces the breakpoints of all harts.
    pub fn set_breakpoints(&self, breakpoints: &Breakpoints) {
        for hart in 0..self.len() {
            let breakpoints = breakpoints.clone();
            self.with(hart, move |hart| hart.set_breakpoints(&breakpoints));
        }
    }

    /// Puts all harts where power-on puts them.
    pub fn reset(&self) {
        for hart in 0..self.len() {
            self.with(hart, |hart| hart.reset());
        }
    }
}

impl Drop for Harts {
    fn drop(&mut self) {
        self.links.iter().for_each(|link| link.send(Request::Quit));
        for link in &mut self.links {
            if let Some(thread) = link.thread.take() {
                // A hart that panicked said so already.
                let _ = thread.join();
            }
        }
    }
}

impl Link {
    fn send(&self, request: Request) {
        // A hart whose thread is gone hears nothing more.
        let _ = self.requests.lock().unwrap_or_else(PoisonError::into_inner).send(request);
        self.port.ring();
    }
}

/// The longest a waiting hart sleeps without looking up; whoever has news rings.
const NAP: Duration = Duration::from_secs(1);

/// What a hart's thread has from its machine.
struct Around {
    number: usize,
    listener: Arc<dyn Fn(Event) + Send + Sync>,
    trace: Trace,
    environment: Option<Arc<dyn Environment>>,
    semihost: Option<Arc<dyn Semihost>>,
}

/// One hart's thread.
struct Thread<'t, 'c, W> {
    core: &'c Core<W>,
    cache: Cache<'c, W>,
    around: &'t Around,
    requests: &'t Receiver<Request>,
    running: bool,
    waits: Waits,
}

impl<'c, W: Width> Thread<'_, 'c, W> {
    fn start(
        config: Config,
        around: &Around,
        requests: &Receiver<Request>,
        started: &Sender<(Arc<Port>, u32)>,
    ) {
        let hosted = match &around.semihost {
            None => Hosted::Nobody,
            Some(semihost) if semihost.userspace() => Hosted::All,
            Some(_) => Hosted::Privileged,
        };
        let core = Core::<W>::new(Hart::new(config)).answered(around.environment.is_some()).hosted(hosted);
        around.trace.observe(&core.hart);
        let thread_id = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let cache = Cache::new(&core.hart);
        let mut thread =
            Thread { core: &core, cache, around, requests, running: false, waits: Waits::Nothing };
        thread.at_rest().begin();
        // Nobody waits for it if the machine is gone already.
        let _ = started.send((core.hart.port().clone(), thread_id));
        thread.live();
    }

    /// The hart as it stands.
    fn at_rest(&mut self) -> AtRest<'_, 'c, W> {
        let Around { number, environment, semihost, .. } = self.around;
        let (environment, semihost) = (environment.as_deref(), semihost.as_deref());
        let (core, cache, waits) = (self.core, &mut self.cache, &mut self.waits);
        AtRest { core, cache, waits, environment, semihost, number: *number }
    }

    /// Has the environment do something with the hart, if there is one.
    #[inline]
    fn environment<R>(&mut self, f: impl FnOnce(&dyn Environment, &mut dyn Inspect) -> R) -> Option<R> {
        let environment = self.around.environment.as_deref()?;
        Some(f(environment, &mut self.at_rest()))
    }

    fn live(mut self) {
        loop {
            if !self.running {
                self.environment(|environment, hart| environment.rest(hart));
                let Ok(request) = self.requests.recv() else { return };
                if !self.answer(request) {
                    return;
                }
                continue;
            }
            self.core.hart.port().heed();
            while let Ok(request) = self.requests.try_recv() {
                if !self.answer(request) {
                    return;
                }
            }
            if self.running {
                self.run();
            }
        }
    }

    /// Does what is asked; `false` if that is to go.
    fn answer(&mut self, request: Request) -> bool {
        match request {
            Request::Look(look) => {
                look(&mut self.at_rest());
            }
            Request::Resume => {
                self.running = true;
            }
            Request::Pause(done) => {
                self.running = false;
                // Before who paused goes on: after a reset nobody may be told of a fence from before it.
                self.environment(|environment, hart| environment.rest(hart));
                // Whoever paused may have stopped listening.
                let _ = done.send(());
            }
            Request::Step => {
                self.running = false;
                self.one();
                let hit = self.core.hart.take_watch_hit();
                self.stop(hit.map_or(Reason::Step, Reason::Watch));
            }
            Request::Some(blocks, done) => {
                self.running = true;
                (0..blocks).take_while(|_| self.running && self.block()).count();
                self.running = false;
                self.environment(|environment, hart| environment.rest(hart));
                // As above.
                let _ = done.send(());
            }
            Request::Quit => return false,
        }
        true
    }

    /// Runs until somebody rings, or the hart stops by itself.
    fn run(&mut self) {
        let (core, trace) = (self.core, &self.around.trace);
        let hart = &core.hart;
        let port = hart.port().clone();
        if self.environment(|environment, hart| environment.heed(hart)) == Some(false) {
            port.sleep(NAP);
            return;
        }
        if self.waits != Waits::Nothing {
            if !self.goes_on() {
                self.environment(|environment, hart| environment.rest(hart));
                port.sleep(NAP);
                return;
            }
            self.waits = Waits::Nothing;
        }
        core.interrupt(trace);
        let watches = hart.watches();
        self.cache.single(watches);
        let breaks = !self.cache.breakpoints.is_empty();
        self.cache.follow_triggers(hart);
        let careful = breaks || hart.breaks() || hart.overflows_in().is_some();
        loop {
            if breaks && self.cache.breakpoints.contains(&hart.pc()) {
                return self.stop(Reason::Breakpoint);
            }
            let ended = if careful {
                core.run_carefully(&mut self.cache, trace)
            } else {
                core.run_block(&mut self.cache, trace)
            };
            if matches!(ended, Ended::Waiting | Ended::Called | Ended::Hosted) {
                return self.pause(ended);
            }
            if port.rung() {
                if watches && let Some(addr) = hart.take_watch_hit() {
                    return self.stop(Reason::Watch(addr));
                }
                return;
            }
        }
    }

    /// Runs one block as [`run`](Self::run) does; `false` if the hart is to rest.
    fn block(&mut self) -> bool {
        let (core, trace) = (self.core, &self.around.trace);
        let hart = &core.hart;
        hart.port().heed();
        if self.environment(|environment, hart| environment.heed(hart)) == Some(false) || !self.goes_on() {
            return false;
        }
        self.waits = Waits::Nothing;
        core.interrupt(trace);
        self.cache.single(hart.watches());
        self.cache.follow_triggers(hart);
        if self.cache.breakpoints.contains(&hart.pc()) {
            self.stop(Reason::Breakpoint);
            return false;
        }
        let ended = core.run_carefully(&mut self.cache, trace);
        if matches!(ended, Ended::Waiting | Ended::Called | Ended::Hosted) {
            self.pause(ended);
        } else if let Some(addr) = hart.take_watch_hit() {
            self.stop(Reason::Watch(addr));
        }
        true
    }

    /// Whether what the hart waits for is there.
    fn goes_on(&self) -> bool {
        match self.waits {
            Waits::Nothing => true,
            Waits::Interrupt => self.core.hart.wakes(),
            Waits::Host => {
                let semihost = self.around.semihost.as_deref();
                semihost.is_none_or(|semihost| semihost.ready(self.around.number))
            }
        }
    }

    /// Does what the instruction that ended so asks for.
    fn pause(&mut self, ended: Ended) {
        self.waits = if ended == Ended::Waiting { Waits::Interrupt } else { Waits::Nothing };
        if ended == Ended::Called {
            self.environment(|environment, hart| environment.call(hart));
        }
        if ended == Ended::Hosted
            && let Some(semihost) = self.around.semihost.as_deref()
            && !semihost.call(self.around.number, &mut self.at_rest())
        {
            self.waits = Waits::Host;
        }
    }

    /// Does one instruction, breakpoint or not. Interrupts wait, as QEMU's debugger lets them, so that a step
    /// arrives where it was to go; and a hart that waits for one does not wait for it now.
    fn one(&mut self) {
        if self.environment(|environment, hart| environment.heed(hart)) == Some(false) {
            return;
        }
        if self.waits == Waits::Host && !self.goes_on() {
            return;
        }
        let ended = self.core.run_one(&mut self.cache, &self.around.trace);
        self.core.note_overflow();
        self.pause(ended);
    }

    fn stop(&mut self, reason: Reason) {
        self.running = false;
        (self.around.listener)(Event::Stopped { hart: self.around.number, reason });
    }
}
