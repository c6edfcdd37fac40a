//! Signals: the host's kernel keeps them, and the guest gets them between two blocks or calls.
//!
//! A guest thread is a host thread, and its signal mask is the host thread's. So pending signals, queues, who of
//! several threads gets one, `signalfd`, `sigtimedwait` and the masks of `ppoll` are all the host's, and a signal that
//! is ignored, stops the process or ends it without a core is never seen here. One that the guest handles is taken by
//! [`taken`] on the thread that the host chose: it notes the signal in the thread's slot, rings the hart, and leaves
//! *all* signals blocked, so that a slot never has to hold two. When the thread has entered the guest's handler, or
//! died of the signal, it sets the mask the guest should have, and with it opens the slot.

use crate::{
    host,
    stop::{Seat, lock},
    thread::Thread,
};
use std::{
    cell::{Cell, UnsafeCell},
    sync::{Arc, Mutex, atomic::Ordering},
};

/// Signals are numbered from 1 to this.
pub(crate) const LAST: usize = 64;
/// A mask of all signals.
pub(crate) const ALL: u64 = u64::MAX;
/// Bytes of a `siginfo`, the same on the host and for the guest.
pub(crate) const INFO: usize = 128;

/// `SIG_DFL`.
pub(crate) const DEFAULT: u64 = 0;
/// `SIG_IGN`.
pub(crate) const IGNORE: u64 = 1;

/// What a process does about a signal: Linux's `struct sigaction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Action {
    /// The handler's address, or [`DEFAULT`] or [`IGNORE`].
    pub(crate) handler: u64,
    /// `SA_` flags.
    pub(crate) flags: u64,
    /// What is blocked besides while the handler runs.
    pub(crate) mask: u64,
}

impl Action {
    /// Whether it has flag `flag`.
    pub(crate) fn has(&self, flag: i32) -> bool {
        self.flags & flag as u64 != 0
    }

    /// Whether it calls a handler.
    pub(crate) fn calls(&self) -> bool {
        self.handler > IGNORE
    }
}

/// What a process does about each signal.
pub(crate) struct Actions(Mutex<[Action; LAST + 1]>);

impl Actions {
    /// Those that a process begins with: what whoever started it ignores is ignored.
    pub(crate) fn inherited() -> Self {
        let mut actions = [Action::default(); LAST + 1];
        for (signal, action) in actions.iter_mut().enumerate().skip(1) {
            if host_ignores(signal as i32) {
                action.handler = IGNORE;
            }
            if signal == libc::SIGPIPE as usize {
                // Rust's runtime ignores it, which is nobody's wish here.
                action.handler = DEFAULT;
            }
        }
        let all = Actions(Mutex::new(actions));
        for signal in 1..=LAST as i32 {
            all.tell_host(signal, all.get(signal));
        }
        all
    }

    /// What is done about `signal`, 1 to [`LAST`].
    pub(crate) fn get(&self, signal: i32) -> Action {
        lock(&self.0)[signal as usize]
    }

    /// Sets what is done about `signal`; the host's kernel does what it can of it.
    pub(crate) fn set(&self, signal: i32, action: Action) {
        lock(&self.0)[signal as usize] = action;
        self.tell_host(signal, action);
    }

    /// What a fork holds.
    pub(crate) fn hold(&self) -> impl Drop + use<'_> {
        lock(&self.0)
    }

    fn tell_host(&self, signal: i32, action: Action) {
        /// `SA_RESTORER`, which x86-64 wants.
        const RESTORER: u64 = 0x0400_0000;
        if [libc::SIGKILL, libc::SIGSTOP].contains(&signal) {
            return;
        }
        let keep = (libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT) as u64;
        // What the guest's own instructions raise never comes from the host, but others may send the same signals;
        // and SIGBUS may be a file that has become shorter.
        let ours = action.calls()
            || action.handler == DEFAULT && dumps_core(signal)
            || [libc::SIGSEGV, libc::SIGBUS].contains(&signal);
        let handler = if ours { taken as *const () as u64 } else { action.handler };
        let flags = action.flags & keep | libc::SA_SIGINFO as u64 | RESTORER;
        let host = [handler, flags, host::sigreturn(), ALL];
        // SAFETY: the structure is the kernel's for x86-64; `taken` keeps to what a handler may do.
        let set = unsafe { host::call(libc::SYS_rt_sigaction, &[signal as u64, host.as_ptr() as u64, 0, 8]) };
        debug_assert!(set.is_ok(), "the host knows signal {signal}");
    }
}

/// Whether whoever started us has `signal` ignored.
fn host_ignores(signal: i32) -> bool {
    let mut old = [0u64; 4];
    // SAFETY: the structure is the kernel's for x86-64, and lives here.
    let asked =
        unsafe { host::call(libc::SYS_rt_sigaction, &[signal as u64, 0, old.as_mut_ptr() as u64, 8]) };
    asked.is_ok() && old[0] == IGNORE
}

/// Whether the default is to end with a core dump.
pub(crate) fn dumps_core(signal: i32) -> bool {
    [
        libc::SIGQUIT,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGSYS,
    ]
    .contains(&signal)
}

/// Whether the default is to do nothing, or to stop or go on, which the host's kernel does.
pub(crate) fn is_harmless(signal: i32) -> bool {
    [
        libc::SIGCHLD,
        libc::SIGURG,
        libc::SIGWINCH,
        libc::SIGCONT,
        libc::SIGSTOP,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ]
    .contains(&signal)
}

/// The bit of `signal` in a mask.
pub(crate) fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The calling thread's seat, and what came with the signal noted there.
struct Slot {
    seat: Cell<*const Seat>,
    info: UnsafeCell<[u8; INFO]>,
    /// The host's address of the reservation, for telling the guest's faults from our own.
    memory: Cell<(u64, u64)>,
}

thread_local! {
    static SLOT: Slot = const {
        Slot {
            seat: Cell::new(std::ptr::null()),
            info: UnsafeCell::new([0; INFO]),
            memory: Cell::new((0, 0)),
        }
    };
}

/// Has the calling thread's signals noted in `seat`, which must outlive the thread's guest; and SIGBUS within the
/// host's addresses from `base` on taken for the guest's.
pub(crate) fn sit(seat: &Arc<Seat>, base: u64, size: u64) {
    SLOT.with(|slot| {
        slot.seat.set(Arc::as_ptr(seat));
        slot.memory.set((base, base + size));
    });
}

/// The calling thread has no guest any more.
pub(crate) fn rise() {
    SLOT.with(|slot| slot.seat.set(std::ptr::null()));
}

/// Takes a signal that the host delivers; see the module's description.
extern "C" fn taken(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    SLOT.with(|slot| {
        // SAFETY: the kernel gives a context of this type.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        // SAFETY: the kernel gives a `siginfo`.
        let (code, addr) = unsafe { ((*info).si_code, (*info).si_addr() as u64) };
        let (first, end) = slot.memory.get();
        let raised = code > 0 && [libc::SIGSEGV, libc::SIGBUS].contains(&signal);
        let lost = raised && signal == libc::SIGBUS && (first..end).contains(&addr);
        if raised && !lost || slot.seat.get().is_null() {
            // Our own mistake: back to where it happened, to die of it.
            // SAFETY: it sets a default.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
            return;
        }
        if lost {
            // The file under a mapping has become shorter. The access ends in a page of zeros, and the guest has
            // its SIGBUS at the block's end.
            let page = addr & !(hartwright_mem::PAGE - 1);
            let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: it replaces a page of the guest's that is lost.
            unsafe {
                libc::mmap(page as *mut _, hartwright_mem::PAGE as usize, prot, flags, -1, 0);
            }
        }
        // SAFETY: who sat down keeps the seat, and reads `info` only while all signals are blocked.
        unsafe {
            *slot.info.get() = *info.cast::<[u8; INFO]>();
            if lost {
                let addr = (addr - first).to_le_bytes();
                (&mut *slot.info.get())[16..24].copy_from_slice(&addr);
            }
            let seat = &*slot.seat.get();
            seat.pending.store(signal as u32, Ordering::Relaxed);
            seat.port.look();
            libc::sigfillset(&raw mut context.uc_sigmask);
            // The kernel reads 8 bytes of it, all signals; the library leaves out two that it uses itself.
            (&raw mut context.uc_sigmask).cast::<u64>().write(ALL);
        }
        let pc = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
        *pc = host::resumes_at(*pc as u64) as i64;
    });
}

/// The signal in the calling thread's slot, if there is one, and what came with it. All signals are blocked then,
/// until the thread sets its mask.
pub(crate) fn take(seat: &Seat) -> Option<(i32, [u8; INFO])> {
    let signal = seat.pending.load(Ordering::Relaxed) as i32;
    if signal == 0 {
        return None;
    }
    // SAFETY: all signals are blocked, so nobody writes to it.
    let info = SLOT.with(|slot| unsafe { *slot.info.get() });
    seat.pending.store(0, Ordering::Relaxed);
    Some((signal, info))
}

/// A `siginfo` of a fault: `si_signo`, `si_code` and `si_addr`.
pub(crate) fn fault_info(signal: i32, code: i32, addr: u64) -> [u8; INFO] {
    let mut info = [0; INFO];
    info[0..4].copy_from_slice(&signal.to_le_bytes());
    info[8..12].copy_from_slice(&code.to_le_bytes());
    info[16..24].copy_from_slice(&addr.to_le_bytes());
    info
}

/// Dies of `signal` as the host's kernel has processes die, after saying so.
pub(crate) fn die(thread: &Thread, signal: i32) -> ! {
    let name = crate::names::signal_text(signal);
    let dumped = if dumps_core(signal) { " - core dumped" } else { "" };
    let who = thread.process.who;
    thread.process.say(&format!("{who}: uncaught target signal {signal} ({name}){dumped}\n"));
    // SAFETY: a default, sent to ourselves. Our own memory is no core that anybody wants.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        libc::signal(signal, libc::SIG_DFL);
        host::set_mask(ALL & !bit(signal));
        libc::kill(libc::getpid(), signal);
        // A second thread may have taken it; until the process ends there is nothing to do.
        libc::pause();
        libc::_exit(128 + signal);
    }
}
