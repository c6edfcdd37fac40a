//! One hart being run: what it is asked to do between two blocks, and the loop over its blocks.

use crate::{
    block::Cache,
    core::{Core, Ended},
    environment::Environment,
    harts::{Event, Reason, Request},
    inspect::{AtRest, Inspect, Waits},
    semihost::Semihost,
    trace::{Trace, Tracing},
    translate::{Engine, QUANTUM},
};
use hartwright_ir::Width;
use std::{
    mem,
    sync::{Arc, mpsc::Receiver},
    thread,
    time::Duration,
};

/// The longest a waiting hart sleeps without looking up; whoever has news rings.
pub(crate) const NAP: Duration = Duration::from_secs(1);

/// What a hart has from its machine while it is run.
pub(crate) struct Around {
    /// Its place in the list of harts.
    pub(crate) number: usize,
    pub(crate) listener: Arc<dyn Fn(Event) + Send + Sync>,
    pub(crate) trace: Trace,
    pub(crate) environment: Option<Arc<dyn Environment>>,
    pub(crate) semihost: Option<Arc<dyn Semihost>>,
    pub(crate) engine: Engine,
    /// No other hart runs while this one does.
    pub(crate) alone: bool,
}

/// A hart that is run, or rests, on the thread that owns it.
pub(crate) struct Runner<'r, 'c, W> {
    pub(crate) core: &'c Core<W>,
    pub(crate) cache: Cache<'c, W>,
    pub(crate) around: &'r Around,
    pub(crate) running: bool,
    waits: Waits,
    /// It found that it spins: whoever runs it lets others on.
    pub(crate) spins: bool,
}

/// How the blocks of a hart that may run now are to be run.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Stopping at breakpoints.
    breaks: bool,
    /// Stopping at watched addresses.
    watches: bool,
    /// As [`Core::run_carefully`] does.
    pub(crate) careful: bool,
    /// As code of the host, where there is some; what is careful is so all the same.
    pub(crate) translated: bool,
}

impl<'r, 'c, W: Width> Runner<'r, 'c, W> {
    /// A runner of a core, which rests where its reset puts it.
    pub(crate) fn new(core: &'c Core<W>, around: &'r Around) -> Self {
        around.trace.observe(&core.hart);
        let cache = Cache::new(&core.hart, around.engine, around.alone);
        let mut runner = Runner { core, cache, around, running: false, waits: Waits::Nothing, spins: false };
        runner.at_rest().begin();
        runner
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

    /// Does what it is asked to, on a thread of its own, until it is to go.
    pub(crate) fn live(mut self, requests: &Receiver<(usize, Request)>) {
        loop {
            if !self.running {
                self.rest();
                let Ok((_, request)) = requests.recv() else { return };
                if !self.answer(request) {
                    return;
                }
                continue;
            }
            self.core.hart.port().heed();
            while let Ok((_, request)) = requests.try_recv() {
                if !self.answer(request) {
                    return;
                }
            }
            if self.running {
                self.run();
            }
        }
    }

    /// Tells the environment that no instruction follows for now.
    pub(crate) fn rest(&mut self) {
        self.environment(|environment, hart| environment.rest(hart));
    }

    /// Does what is asked; `false` if that is to go.
    pub(crate) fn answer(&mut self, request: Request) -> bool {
        match request {
            Request::Look(look) => {
                look(&mut self.at_rest());
            }
            Request::Resume | Request::ResumeAll => {
                self.running = true;
            }
            Request::Pause(done) => {
                self.running = false;
                // Before who paused goes on: after a reset nobody may be told of a fence from before it.
                self.rest();
                // Whoever paused may have stopped listening.
                let _ = done.send(());
            }
            Request::Halt => self.running = false,
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
                self.rest();
                // As above.
                let _ = done.send(());
            }
            Request::Quit => return false,
        }
        true
    }

    /// Runs until somebody rings, or the hart stops by itself.
    fn run(&mut self) {
        let port = self.core.hart.port().clone();
        let Some(manner) = self.ready() else { return port.sleep(NAP) };
        loop {
            if self.breaks_here(manner) {
                return self.stop(Reason::Breakpoint);
            }
            let ended = if manner.translated {
                self.core.run_translated(&mut self.cache, &self.around.trace, QUANTUM, |_| ())
            } else if manner.careful {
                self.core.run_carefully(&mut self.cache, &self.around.trace)
            } else {
                self.core.run_block(&mut self.cache, &self.around.trace)
            };
            if !self.goes_on(ended, manner) {
                if mem::take(&mut self.spins) {
                    thread::yield_now();
                }
                return;
            }
        }
    }

    /// Takes note of what changed since the hart's last block, interrupts among it. `None`: it may not go on before
    /// its bell rings again.
    pub(crate) fn ready(&mut self) -> Option<Manner> {
        let (core, trace) = (self.core, &self.around.trace);
        let hart = &core.hart;
        if self.environment(|environment, hart| environment.heed(hart)) == Some(false) {
            return None;
        }
        if self.waits != Waits::Nothing {
            if !self.wakes() {
                self.rest();
                return None;
            }
            self.waits = Waits::Nothing;
        }
        core.interrupt(trace);
        let (watches, overflows) = (hart.watches(), hart.overflows_in().is_some());
        let translated = self.cache.translates() && !overflows && !trace.has(Tracing::EACH);
        // Where blocks are code, the others go by `Core::run_watched`.
        self.cache.single(watches && !translated);
        let breaks = !self.cache.breakpoints.is_empty();
        self.cache.follow_triggers(hart);
        let careful = breaks || hart.breaks() || overflows;
        Some(Manner { breaks, watches, careful, translated })
    }

    /// Whether a breakpoint is at the program counter.
    #[inline(always)]
    pub(crate) fn breaks_here(&self, manner: Manner) -> bool {
        manner.breaks && self.cache.breakpoints.contains(&self.core.hart.pc())
    }

    /// Whether another block may follow one that ended so, before a look at what changed.
    #[inline(always)]
    pub(crate) fn goes_on(&mut self, ended: Ended, manner: Manner) -> bool {
        if matches!(ended, Ended::Waiting | Ended::Called | Ended::Hosted) {
            self.pause(ended);
            return false;
        }
        if ended == Ended::Differs {
            self.stop(Reason::Differs);
            return false;
        }
        if ended == Ended::Spinning {
            self.spins = true;
            return false;
        }
        let hart = &self.core.hart;
        if hart.port().rung() {
            if manner.watches
                && let Some(addr) = hart.take_watch_hit()
            {
                self.stop(Reason::Watch(addr));
            }
            return false;
        }
        true
    }

    /// Runs one block as [`run`](Self::run) does; `false` if the hart is to rest.
    fn block(&mut self) -> bool {
        let (core, trace) = (self.core, &self.around.trace);
        let hart = &core.hart;
        hart.port().heed();
        if self.environment(|environment, hart| environment.heed(hart)) == Some(false) || !self.wakes() {
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
    fn wakes(&self) -> bool {
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
        if self.waits == Waits::Host && !self.wakes() {
            return;
        }
        let ended = self.core.run_one(&mut self.cache, &self.around.trace);
        self.core.note_overflow();
        self.pause(ended);
    }

    pub(crate) fn stop(&mut self, reason: Reason) {
        self.running = false;
        (self.around.listener)(Event::Stopped { hart: self.around.number, reason });
    }
}
