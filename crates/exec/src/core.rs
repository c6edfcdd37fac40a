//! A hart being run, one block after the other.

use crate::{
    block::{Cache, LONGEST, Step},
    handlers::Now,
    semihost::calls_host,
    trace::{Trace, Tracing},
};
use hartwright_hart::{Cause, Hart, Privilege, Trap};
use hartwright_ir::Width;
use hartwright_isa::Decoded;
use std::cell::Cell;

/// Why the instruction after this one is not the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It set the program counter.
    Jump,
    /// It raised an exception, which waits to be taken.
    Trap,
    /// It is a breakpoint: it raises an exception with its own address.
    Break,
    /// It did something that others should see before anything else happens: it was the block's last.
    Next,
    /// It waits for an interrupt (`wfi`).
    Wait,
    /// It spins until another hart, or a device, has done something (`pause`).
    Spin,
    /// It wrote over the instructions that follow, or asked for them to be fetched anew.
    Refetch,
}

/// A hart, and the exception that its present instruction raised.
pub struct Core<W> {
    /// The hart.
    pub hart: Hart<W>,
    raised: Cell<Trap>,
    /// Whether calls from S-mode are for an [`Environment`](crate::Environment), and are no traps.
    answered: bool,
    /// Who may call the host: nobody, or all, or all but U-mode.
    hosted: Hosted,
    /// Instructions that code and the interpreter both did, and alike (`check=on`).
    pub(crate) compared: Cell<u64>,
}

/// Whose calls are for a [`Semihost`](crate::Semihost), and are no breakpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hosted {
    /// Nobody's.
    #[default]
    Nobody,
    /// Those of M- and S-mode.
    Privileged,
    /// Everybody's.
    All,
}

/// How a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The next one may follow.
    Running,
    /// The same, in the handler of an exception.
    Trapped,
    /// What was fetched before may be old (`fence.i`).
    Refetch,
    /// The hart waits for an interrupt.
    Waiting,
    /// The next one may follow, but others should come first.
    Spinning,
    /// S-mode calls its environment; the program counter is at the `ecall`.
    Called,
    /// A program calls the host; the program counter is at the `ebreak`.
    Hosted,
    /// Code and the interpreter differ; the program counter is where both began.
    Differs,
}

impl<W: Width> Core<W> {
    /// A core to run `hart`.
    pub fn new(hart: Hart<W>) -> Self {
        Core {
            hart,
            raised: Cell::new(Trap::new(Cause::IllegalInstruction, 0)),
            answered: false,
            hosted: Hosted::Nobody,
            compared: Cell::new(0),
        }
    }

    /// Has calls to the host answered from outside, or be breakpoints as all others.
    pub fn hosted(self, hosted: Hosted) -> Self {
        Core { hosted, ..self }
    }

    /// Has calls from S-mode answered from outside, or be traps as all others.
    pub(crate) fn answered(self, answered: bool) -> Self {
        Core { answered, ..self }
    }

    /// Keeps an exception for when the block is left.
    #[cold]
    pub(crate) fn raise(&self, trap: Trap) -> Stop {
        self.raised.set(trap);
        Stop::Trap
    }

    /// Runs the block at the program counter, or takes the exception that fetching it raises.
    // Called from three places, it would not be inlined into the two loops that matter, at a fifth of the speed.
    #[inline(always)]
    pub(crate) fn run_block<'c>(&'c self, cache: &mut Cache<'c, W>, trace: &Trace) -> Ended {
        let ended = match cache.find(self) {
            Ok(block) => self.run_steps(&block.steps, block.next, trace),
            Err(trap) => self.trap(trap, trace),
        };
        self.refetched(cache, ended)
    }

    /// Runs as [`run_block`](Self::run_block) does; `before` first hears how many instructions the block has.
    pub(crate) fn run_counted<'c>(
        &'c self,
        cache: &mut Cache<'c, W>,
        trace: &Trace,
        before: impl FnOnce(u64),
    ) -> Ended {
        let ended = match cache.find(self) {
            Ok(block) => {
                before(block.steps.len() as u64);
                self.run_steps(&block.steps, block.next, trace)
            }
            Err(trap) => self.trap(trap, trace),
        };
        self.refetched(cache, ended)
    }

    /// Runs the block at the program counter, unless a trigger breaks before it, instruction by instruction until
    /// somebody has to hear of one, as of an access to a watched address. Before each, `before` hears that it is one.
    #[cold]
    pub(crate) fn run_watched<'c>(
        &'c self,
        cache: &mut Cache<'c, W>,
        trace: &Trace,
        before: impl Fn(u64),
    ) -> Ended {
        let hart = &self.hart;
        if let Some(trap) = hart.break_here() {
            before(1);
            return self.trap(trap, trace);
        }
        let block = match cache.find(self) {
            Ok(block) => block,
            Err(trap) => return self.trap(trap, trace),
        };
        let mut ended = Ended::Running;
        for step in &block.steps {
            before(1);
            ended = self.run_steps(std::slice::from_ref(step), step.decoded.next(), trace);
            if ended != Ended::Running || hart.port().rung() || hart.pc() != step.decoded.next() {
                break;
            }
        }
        self.refetched(cache, ended)
    }

    /// Runs the one instruction at the program counter, or takes the exception that it or fetching it raises.
    pub(crate) fn run_one<'c>(&'c self, cache: &mut Cache<'c, W>, trace: &Trace) -> Ended {
        if let Some(trap) = self.hart.break_here() {
            return self.trap(trap, trace);
        }
        let ended = match cache.one(self) {
            Ok(block) => self.run_steps(&block.steps, block.next, trace),
            Err(trap) => self.trap(trap, trace),
        };
        self.refetched(cache, ended)
    }

    /// Runs the block at the program counter, but no more than `most` of its instructions, at least 1.
    pub(crate) fn run_some<'c>(&'c self, cache: &mut Cache<'c, W>, most: usize, trace: &Trace) -> Ended {
        let ended = match cache.find(self) {
            Ok(block) => {
                let some = &block.steps[..most.min(block.steps.len())];
                self.run_steps(some, some.last().map_or(block.next, |step| step.decoded.next()), trace)
            }
            Err(trap) => self.trap(trap, trace),
        };
        self.refetched(cache, ended)
    }

    /// Has instructions fetched anew if a block ended with asking for that.
    #[inline(always)]
    pub(crate) fn refetched(&self, cache: &mut Cache<'_, W>, ended: Ended) -> Ended {
        if ended == Ended::Refetch {
            cache.refetch(&self.hart);
        }
        ended
    }

    /// Runs the block at the program counter, unless a trigger breaks before it; or only its first instruction, lest
    /// a counter overflow within it.
    #[cold]
    #[inline(never)]
    pub(crate) fn run_carefully<'c>(&'c self, cache: &mut Cache<'c, W>, trace: &Trace) -> Ended {
        if let Some(trap) = self.hart.break_here() {
            return self.trap(trap, trace);
        }
        let near = self.hart.overflows_in().is_some_and(|left| left <= LONGEST as u64);
        let ended = if near { self.run_one(cache, trace) } else { self.run_block(cache, trace) };
        self.note_overflow();
        ended
    }

    /// Tells the hart of counters that overflowed with the last instruction.
    pub(crate) fn note_overflow(&self) {
        if self.hart.overflows_in() == Some(0) {
            self.hart.overflow();
        }
    }

    /// Runs steps until one stops; `next` is the address after the last.
    #[inline(always)]
    fn run_steps<'c>(&'c self, steps: &[Step<'c, W>], next: u64, trace: &Trace) -> Ended {
        let hart = &self.hart;
        if trace.is_on() {
            trace.block(hart, steps.iter().map(|step| &step.decoded));
        }
        // Counted at once; who leaves early takes back the rest. So a block's last instruction, which alone may
        // read the counter, finds it exact.
        hart.retire(steps.len() as u64);
        let Some((first, rest)) = steps.split_first() else { return Ended::Running };
        let stop = (first.run)(first, rest, Now(self));
        if stop.is_none() {
            hart.set_pc(next);
        }
        self.ended_by(stop, trace)
    }

    /// What follows when a step stopped so, or none did.
    #[inline(always)]
    pub(crate) fn ended_by(&self, stop: Option<Stop>, trace: &Trace) -> Ended {
        match stop {
            None | Some(Stop::Jump | Stop::Next) => Ended::Running,
            Some(Stop::Trap | Stop::Break) => self.raised(trace),
            Some(Stop::Wait) => Ended::Waiting,
            Some(Stop::Spin) => Ended::Spinning,
            Some(Stop::Refetch) => Ended::Refetch,
        }
    }

    /// Settles program counter and instruction count when instruction `d` stops a block of which `rest` follow.
    #[inline]
    pub(crate) fn leave(&self, stop: Stop, d: &Decoded, rest: u64) -> Stop {
        let hart = &self.hart;
        match stop {
            Stop::Jump => hart.retire(rest.wrapping_neg()),
            Stop::Next | Stop::Wait | Stop::Spin | Stop::Refetch => {
                hart.retire(rest.wrapping_neg());
                hart.set_pc(d.next());
            }
            Stop::Break => {
                self.raised.set(Trap::new(Cause::Breakpoint, d.pc));
                return self.leave(Stop::Trap, d, rest);
            }
            Stop::Trap => {
                hart.retire((rest + 1).wrapping_neg());
                hart.set_pc(d.pc);
                self.raised.set(self.described(d));
            }
        }
        stop
    }

    /// The exception that `d` raised, with what only the instruction itself tells.
    #[cold]
    fn described(&self, d: &Decoded) -> Trap {
        let trap = self.raised.get();
        match trap.cause {
            Cause::IllegalInstruction => Trap::new(trap.cause, d.raw.into()),
            _ => trap,
        }
    }

    /// Takes the exception that the instruction at the program counter raised, unless it is a call to the host.
    #[cold]
    fn raised(&self, trace: &Trace) -> Ended {
        let trap = self.raised.get();
        let hosted = match self.hosted {
            Hosted::Nobody => false,
            Hosted::Privileged => self.hart.privilege() != Privilege::User,
            Hosted::All => true,
        };
        if hosted && trap.cause == Cause::Breakpoint && calls_host(&self.hart) {
            return Ended::Hosted;
        }
        self.trap(trap, trace)
    }

    #[cold]
    pub(crate) fn trap(&self, trap: Trap, trace: &Trace) -> Ended {
        if trace.has(Tracing::INT) {
            trace.interrupt(&self.hart, trap.cause as u64, false, trap.tval);
        }
        if self.answered && trap.cause == Cause::EcallFromS {
            return Ended::Called;
        }
        self.hart.take_trap(trap);
        Ended::Trapped
    }

    /// Takes the most urgent interrupt, if one is due.
    pub(crate) fn interrupt(&self, trace: &Trace) {
        let pc = self.hart.pc();
        if let Some(code) = self.hart.take_interrupt()
            && trace.has(Tracing::INT)
        {
            trace.interrupt_at(&self.hart, pc, code, true, 0);
        }
    }
}
