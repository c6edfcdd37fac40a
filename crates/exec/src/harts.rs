//! All harts of a machine, each on a host thread of its own, or all in turn on one.
//!
//! A hart's thread owns the hart. Others send it requests and ring its bell; it answers between two blocks.

use crate::{
    core::{Core, Hosted},
    environment::Environment,
    inspect::{Breakpoints, Inspect},
    runner::{Around, Runner},
    semihost::Semihost,
    trace::Trace,
    translate::Engine,
    turns::{self, Pace},
};
use hartwright_hart::{Config, Hart, Port};
use hartwright_ir::Width;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
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
    /// The translator and the interpreter differ (`check=on`).
    Differs,
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
    /// How they share the host.
    pub pace: Pace,
    /// How their instructions are run.
    pub engine: Engine,
}

/// The harts of a machine. They are paused at first.
pub struct Harts {
    links: Vec<Link>,
    threads: Vec<JoinHandle<()>>,
    /// One thread has them all.
    in_turn: bool,
}

struct Link {
    number: usize,
    port: Arc<Port>,
    requests: Mutex<Sender<(usize, Request)>>,
    thread_id: u32,
}

pub(crate) type Look = Box<dyn FnOnce(&mut dyn Inspect) + Send>;

/// What a hart's thread is asked to do.
pub(crate) enum Request {
    Look(Look),
    Resume,
    /// For all harts of a thread at once, lest one be ahead.
    ResumeAll,
    Pause(Sender<()>),
    Halt,
    /// Does one instruction, then pauses.
    Step,
    /// Runs at most so many blocks, then pauses.
    Some(u64, Sender<()>),
    Quit,
}

impl Harts {
    /// Makes the harts, reset and paused, on threads of their own. An error says why the host gave no thread, or that
    /// harts of several widths cannot take turns.
    pub fn new(setup: Setup) -> Result<Self, String> {
        let Setup { harts: configs, listener, trace, environment, semihost, pace, engine } = setup;
        let in_turn = !matches!(pace, Pace::Together);
        let alone = in_turn || configs.len() == 1;
        let around = |number| Around {
            number,
            listener: listener.clone(),
            trace: trace.clone(),
            environment: environment.clone(),
            semihost: semihost.clone(),
            engine,
            alone,
        };
        let all: Vec<(Around, Config)> =
            configs.into_iter().enumerate().map(|(number, config)| (around(number), config)).collect();
        let groups: Vec<_> = if in_turn { vec![all] } else { all.into_iter().map(|one| vec![one]).collect() };
        let mut harts = Harts { links: vec![], threads: vec![], in_turn };
        for group in groups.into_iter().filter(|group| !group.is_empty()) {
            harts.spawn(group, pace.clone())?;
        }
        let ports: Vec<_> = harts.links.iter().map(|link| link.port.clone()).collect();
        if let Some(environment) = &environment {
            environment.connect(&ports);
        }
        if let Some(semihost) = &semihost {
            semihost.connect(&ports);
        }
        Ok(harts)
    }

    /// Gives some harts a thread.
    fn spawn(&mut self, group: Vec<(Around, Config)>, pace: Pace) -> Result<(), String> {
        let (first, count, xlen) = (self.links.len(), group.len(), group[0].1.model.xlen);
        if group.iter().any(|(_, config)| config.model.xlen != xlen) {
            return Err("harts of several widths cannot take turns on one thread".into());
        }
        let (tell, told) = mpsc::channel();
        let (requests, requested) = mpsc::channel();
        let run = move || match xlen {
            32 => start::<u32>(group, pace, &requested, &tell),
            64 => start::<u64>(group, pace, &requested, &tell),
            _ => start::<u128>(group, pace, &requested, &tell),
        };
        let thread = thread::Builder::new().name(format!("hart {first}")).spawn(run);
        self.threads.push(thread.map_err(|e| format!("the host gives hart {first} no thread: {e}"))?);
        for number in first..first + count {
            let (port, thread_id) = told.recv().map_err(|_| format!("hart {number} did not start"))?;
            self.links.push(Link { number, port, requests: Mutex::new(requests.clone()), thread_id });
        }
        Ok(())
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
        let threads = if self.in_turn { 1 } else { self.links.len() };
        self.links.iter().take(threads).for_each(|link| link.send(Request::ResumeAll));
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

    /// Stops all harts, each before its next block, and does not wait for it: for a guest that ended its machine, of
    /// which nothing more is to run. The hart that asked stops first, at the same instruction in every run.
    pub fn halter(&self) -> impl Fn() + Send + Sync + use<> {
        let links: Vec<_> = self.links.iter().map(Link::also).collect();
        move || links.iter().for_each(|link| link.send(Request::Halt))
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
        for thread in self.threads.drain(..) {
            // A hart that panicked said so already.
            let _ = thread.join();
        }
    }
}

impl Link {
    /// Another link to the same hart.
    fn also(&self) -> Link {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Link { port: self.port.clone(), requests: Mutex::new(requests), ..*self }
    }

    fn send(&self, request: Request) {
        // A hart whose thread is gone hears nothing more.
        let _ = self.requests.lock().unwrap_or_else(PoisonError::into_inner).send((self.number, request));
        self.port.ring();
    }
}

/// The life of a thread of harts.
fn start<W: Width>(
    group: Vec<(Around, Config)>,
    pace: Pace,
    requests: &Receiver<(usize, Request)>,
    started: &Sender<(Arc<Port>, u32)>,
) {
    let thread_id = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    let (arounds, configs): (Vec<Around>, Vec<Config>) = group.into_iter().unzip();
    let answered = arounds.iter().any(|around| around.environment.is_some());
    let semihost = arounds.iter().find_map(|around| around.semihost.as_ref());
    let hosted = match semihost {
        None => Hosted::Nobody,
        Some(semihost) if semihost.userspace() => Hosted::All,
        Some(_) => Hosted::Privileged,
    };
    let core = |config| Core::<W>::new(Hart::new(config)).answered(answered).hosted(hosted);
    let cores: Vec<Core<W>> = configs.into_iter().map(core).collect();
    let mut runners: Vec<_> =
        cores.iter().zip(&arounds).map(|(core, around)| Runner::new(core, around)).collect();
    for core in &cores {
        // Nobody waits for it if the machine is gone already.
        let _ = started.send((core.hart.port().clone(), thread_id));
    }
    match pace {
        Pace::Together => runners.drain(..).for_each(|runner| runner.live(requests)),
        Pace::InTurn => turns::live(runners, None, requests),
        Pace::Counted(icount) => turns::live(runners, Some(icount), requests),
    }
}
