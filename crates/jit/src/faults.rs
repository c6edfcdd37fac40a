//! Accesses within the guest's [`Window`](hartwright_mem::Window) that hit no memory: the host faults, and the code goes
//! on where it looks for what is there. Code that did so once does not try again.
//!
//! What is used by the signal's handler is plain data of the thread that runs the code, which waits meanwhile.

use crate::{parts::Parts, region::Region};
use std::{cell::Cell, ptr, sync::OnceLock};

/// An instruction that may fault. Offsets of the region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// The instruction.
    pub(crate) at: u32,
    /// Where the way to it begins: at least the bytes of a jump are from here to its end, and nobody jumps between.
    pub(crate) start: u32,
    /// Where the code goes on.
    pub(crate) entry: u32,
    /// Where it goes from `start` from then on.
    pub(crate) instead: u32,
}

/// What runs on a thread.
struct Current {
    base: u64,
    size: u64,
    /// Where the code is written.
    code: *mut u8,
    parts: *const Parts,
}

thread_local! {
    static CURRENT: Cell<*const Current> = const { Cell::new(ptr::null()) };
    /// What the segment register says.
    static SEGMENT: Cell<u64> = const { Cell::new(0) };
}

/// Runs code of `region` for which the segment register `gs` is to begin at `segment`, if that is said, and whose
/// instructions that may fault are those of `parts`.
pub(crate) fn with_window<T>(
    region: &mut Region,
    segment: Option<u64>,
    parts: &Parts,
    run: impl FnOnce() -> T,
) -> T {
    if let Some(segment) = segment
        && SEGMENT.replace(segment) != segment
    {
        host::set_segment(segment);
    }
    let current =
        Current { base: region.address(0), size: region.code_size() as u64, code: region.writable(), parts };
    CURRENT.set(&raw const current);
    let result = run();
    CURRENT.set(ptr::null());
    result
}

/// Has faults handled; `false` if this host cannot.
pub(crate) fn are_handled() -> bool {
    static HANDLED: OnceLock<bool> = OnceLock::new();
    *HANDLED.get_or_init(host::install)
}

/// Where the code of this thread goes on after a fault at `at`, the host's address; `None` if it is not such a fault.
fn go_on(at: u64) -> Option<u64> {
    let current = CURRENT.get();
    if current.is_null() {
        return None;
    }
    // SAFETY: `with_window` put it there, and has not returned: the fault is within.
    let Current { base, size, code, parts } = unsafe { &*current };
    // SAFETY: as above; nobody changes them meanwhile.
    let parts = unsafe { &**parts };
    let offset = at.checked_sub(*base).filter(|offset| offset < size)? as u32;
    let Fault { start, entry, instead, .. } = parts.fault(offset)?;
    let mut jump = [0xe9; 5];
    jump[1..].copy_from_slice(&crate::x64::distance(start as usize + 1, instead as usize).to_le_bytes());
    // SAFETY: these are bytes of the region's code, which this thread alone runs and writes.
    unsafe { ptr::copy_nonoverlapping(jump.as_ptr(), code.add(start as usize), jump.len()) }
    Some(base + u64::from(entry))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod host {
    use super::go_on;
    use std::{mem, ptr, sync::OnceLock};

    /// Who was asked before.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    /// Has `gs` begin at this address, for this thread.
    pub(super) fn set_segment(base: u64) {
        const ARCH_SET_GS: libc::c_int = 0x1001;
        // SAFETY: nothing else uses that register: the ABI keeps `fs` alone for itself.
        let failed = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) };
        assert!(failed == 0, "Linux refuses no address of the user's half");
    }

    pub(super) fn install() -> bool {
        // SAFETY: the handler is a function of the type that these flags ask for, and what it does may be done at any
        // moment; both structures are valid.
        unsafe {
            let mut before: libc::sigaction = mem::zeroed();
            if libc::sigaction(libc::SIGSEGV, ptr::null(), &raw mut before) != 0 {
                return false;
            }
            let _ = BEFORE.set(before);
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) == 0
        }
    }

    extern "C" fn handle(signal: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: with `SA_SIGINFO` the third argument is this.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        let pc = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
        if let Some(next) = go_on(*pc as u64) {
            *pc = next as i64;
        } else if let Some(before) = BEFORE.get() {
            // It comes again, and whoever was asked before is asked.
            // SAFETY: the structure is what the host said it was.
            unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod host {
    pub(super) fn set_segment(_: u64) {}

    pub(super) fn install() -> bool {
        false
    }
}
