//! A guest thread on its host thread: runs guest code, answers its traps, delivers its signals.

use crate::{
    calls,
    errno::Failure,
    frame::{self, AltStack},
    host,
    process::Process,
    signals::{self, DEFAULT, IGNORE, INFO, bit},
    spawn,
    stop::{Heeded, Seat},
};
use hartwright_exec::{Core, Exit, Task};
use hartwright_hart::{Cause, Config, Hart, Trap};
use hartwright_isa::csr;
use hartwright_wire::{Clock, Entropy, Mtime};
use std::{
    cell::{Cell, RefCell},
    sync::{Arc, atomic::Ordering},
};

/// What a thread begins with.
#[derive(Clone, Default)]
pub(crate) struct Registers {
    /// Integer registers.
    pub(crate) x: [u64; 32],
    /// Floating-point registers.
    pub(crate) f: [u64; 32],
    /// `fcsr`.
    pub(crate) fcsr: u64,
    /// Program counter.
    pub(crate) pc: u64,
}

impl Registers {
    /// Those of `hart`.
    pub(crate) fn of(hart: &Hart<u64>) -> Self {
        Registers {
            x: std::array::from_fn(|r| hart.x(r as u8)),
            f: std::array::from_fn(|r| hart.f(r as u8)),
            fcsr: hart.read_csr(csr::FCSR).unwrap_or(0),
            pc: hart.pc(),
        }
    }

    /// Gives them to `hart`.
    pub(crate) fn give(&self, hart: &Hart<u64>) {
        (0..).zip(self.x).for_each(|(r, v)| hart.set_x(r, v));
        (0..).zip(self.f).for_each(|(r, v)| hart.set_f(r, v));
        hart.write_csr(csr::FCSR, self.fcsr);
        hart.set_pc(self.pc);
    }
}

/// A guest thread, seen from its own host thread.
pub(crate) struct Thread<'c> {
    /// The process it is part of.
    pub(crate) process: Arc<Process>,
    /// What others see of it.
    pub(crate) seat: Arc<Seat>,
    /// Its blocked signals: bit 0 is signal 1. The host thread's mask, but for moments.
    pub(crate) mask: Cell<u64>,
    /// Its alternative stack for signals.
    pub(crate) alt: Cell<AltStack>,
    /// Where a zero is written when it ends, if anywhere.
    pub(crate) clear_tid: Cell<u64>,
    /// What `exit` was given.
    pub(crate) status: Cell<i32>,
    /// What holds the parent up, in the child of a `vfork`.
    pub(crate) vfork: RefCell<Option<spawn::Pipe>>,
    core: &'c Core<u64>,
    heeded: Cell<Heeded>,
    code_taken: Cell<u64>,
}

/// Ticks of `time` in a second.
const HZ: u64 = 10_000_000;

/// Runs a guest thread on the calling thread until it ends; gives its exit status. `ready` is called when signals
/// have a seat.
pub(crate) fn run(
    process: Arc<Process>,
    registers: Registers,
    mask: u64,
    clear_tid: u64,
    ready: impl FnOnce(),
) -> i32 {
    let core = Core::new(Hart::new(Config {
        model: process.model.clone(),
        id: 0,
        reset_pc: registers.pc,
        space: process.memory.space().clone(),
        mtime: Mtime::new(Clock::without_alarms(process.born), HZ),
        // Nobody polls it: Linux lets no program do so.
        entropy: Entropy::default(),
    }));
    core.hart.protect(process.memory.clone());
    registers.give(&core.hart);
    let seat = Seat::new(core.hart.port().clone());
    let thread = Thread {
        process,
        seat,
        mask: Cell::new(mask),
        alt: Cell::new(AltStack::NONE),
        clear_tid: Cell::new(clear_tid),
        status: Cell::new(0),
        vfork: RefCell::new(None),
        core: &core,
        heeded: Cell::default(),
        code_taken: Cell::new(0),
    };
    thread.live(ready);
    thread.status.get()
}

impl<'c> Thread<'c> {
    /// Its hart.
    pub(crate) fn hart(&self) -> &'c Hart<u64> {
        &self.core.hart
    }

    /// Blocks the signals of `mask` and no others.
    pub(crate) fn set_mask(&self, mask: u64) {
        self.mask.set(mask);
        // A signal in the slot keeps all blocked until it is delivered.
        if self.seat.pending.load(Ordering::Relaxed) == 0 {
            host::set_mask(mask);
        }
    }

    /// Lets signals come again, as the mask says.
    pub(crate) fn open(&self) {
        self.set_mask(self.mask.get());
    }

    fn live(&self, ready: impl FnOnce()) {
        let process = &self.process;
        let mut task = Task::new(self.core, process.trace.clone());
        task.single(process.options.single);
        process.threads.add(self.seat.clone());
        signals::sit(&self.seat, process.memory.host(1) - 1, crate::memory::SIZE);
        ready();
        self.open();
        loop {
            while let Some((signal, info)) = signals::take(&self.seat) {
                self.deliver(signal, &info);
                self.open();
            }
            let now = process.threads.enter(&self.seat);
            self.heed(now, &mut task);
            let exit = task.run();
            process.threads.leave(&self.seat);
            match exit {
                Exit::Rung => self.seat.port.heed(),
                Exit::Trap(Trap { cause: Cause::EcallFromU, .. }) => {
                    if calls::call(self) == Err(Failure::Exit) {
                        break;
                    }
                }
                Exit::Trap(trap) => {
                    let (signal, code, addr) = self.signal_of(trap);
                    self.fault(signal, code, addr);
                }
            }
        }
        spawn::end(self);
    }

    /// Forgets what other threads have taken away.
    fn heed(&self, now: Heeded, task: &mut Task<'c, u64>) {
        let before = self.heeded.replace(now);
        if before.fences != now.fences {
            task.fence();
        }
        if before.taken != now.taken {
            let code_taken = self.process.memory.code_taken();
            if self.code_taken.replace(code_taken) == code_taken {
                self.hart().flush_data();
            } else {
                self.hart().flush();
            }
        }
    }

    /// Which signal Linux makes of an exception: its number, `si_code` and `si_addr`.
    fn signal_of(&self, trap: Trap) -> (i32, i32, u64) {
        const ILL_ILLOPC: i32 = 1;
        const SEGV_MAPERR: i32 = 1;
        const SEGV_ACCERR: i32 = 2;
        let pc = self.hart().pc();
        match trap.cause {
            Cause::InstructionPageFault | Cause::LoadPageFault | Cause::StorePageFault => {
                let mapped = self.process.memory.maps().at(trap.tval).is_some();
                (libc::SIGSEGV, if mapped { SEGV_ACCERR } else { SEGV_MAPERR }, trap.tval)
            }
            Cause::InstructionAccessFault | Cause::LoadAccessFault | Cause::StoreAccessFault => {
                (libc::SIGBUS, libc::BUS_ADRERR, trap.tval)
            }
            Cause::InstructionAddressMisaligned
            | Cause::LoadAddressMisaligned
            | Cause::StoreAddressMisaligned => (libc::SIGBUS, libc::BUS_ADRALN, trap.tval),
            Cause::Breakpoint => (libc::SIGTRAP, libc::TRAP_BRKPT, pc),
            _ => (libc::SIGILL, ILL_ILLOPC, pc),
        }
    }

    /// Has the thread take a signal that its own instruction caused, which can be neither blocked nor ignored.
    pub(crate) fn fault(&self, signal: i32, code: i32, addr: u64) {
        let process = &self.process;
        let info = signals::fault_info(signal, code, addr);
        if process.log.strace {
            crate::strace::signal(process, signal, &info);
        }
        let action = process.actions.get(signal);
        if !action.calls() || self.mask.get() & bit(signal) != 0 {
            signals::die(self, signal);
        }
        self.enter_handler(signal, &info);
        self.open();
    }

    /// Does what the process does about a signal that the host delivered.
    fn deliver(&self, signal: i32, info: &[u8; INFO]) {
        if self.process.log.strace {
            crate::strace::signal(&self.process, signal, info);
        }
        match self.process.actions.get(signal).handler {
            IGNORE => {}
            DEFAULT if signals::is_harmless(signal) => {}
            DEFAULT => signals::die(self, signal),
            _ => self.enter_handler(signal, info),
        }
    }

    fn enter_handler(&self, signal: i32, info: &[u8; INFO]) {
        let action = self.process.actions.get(signal);
        if action.has(libc::SA_RESETHAND) {
            self.process.actions.set(signal, signals::Action { handler: DEFAULT, ..action });
        }
        if frame::enter(self, signal, action, info).is_err() {
            // There is no stack for it: Linux forces SIGSEGV, which would have none either unless it is elsewhere.
            const SI_KERNEL: i32 = 0x80;
            if signal == libc::SIGSEGV {
                signals::die(self, signal);
            }
            self.fault(libc::SIGSEGV, SI_KERNEL, 0);
        }
    }

    /// Whether the signal in the slot lets an interrupted call begin again: its handler says so, or it has none.
    pub(crate) fn would_restart(&self) -> bool {
        let signal = self.seat.pending.load(Ordering::Relaxed) as i32;
        if signal == 0 {
            return false;
        }
        let action = self.process.actions.get(signal);
        !action.calls() || action.has(libc::SA_RESTART)
    }
}
