//! The host's kernel: calls that a signal interrupts without a race, and plain ones.

use crate::errno::{Answer, answer};
use std::{arch::global_asm, sync::atomic::AtomicU32};

// A signal that comes just before a call blocks would be seen only when the call returns, perhaps never. So the word
// that the signal's handler sets is tested right before the call, and the handler, if it finds the thread between the
// test's beginning and the call itself (`begin` to `end`), sends it to `interrupted`. A call that has begun is
// interrupted by the kernel.
global_asm!(
    ".global hartwright_call",
    ".global hartwright_call_begin",
    ".global hartwright_call_end",
    ".global hartwright_call_interrupted",
    ".global hartwright_sigreturn",
    "hartwright_call:",
    "push r12",
    "mov r12, rdi",
    "mov rax, rsi",
    "mov rcx, rdx",
    "mov rdi, [rcx]",
    "mov rsi, [rcx + 8]",
    "mov rdx, [rcx + 16]",
    "mov r10, [rcx + 24]",
    "mov r8, [rcx + 32]",
    "mov r9, [rcx + 40]",
    "hartwright_call_begin:",
    "cmp dword ptr [r12], 0",
    "jne hartwright_call_interrupted",
    "syscall",
    "hartwright_call_end:",
    "pop r12",
    "ret",
    "hartwright_call_interrupted:",
    "mov rax, -512",
    "pop r12",
    "ret",
    "hartwright_sigreturn:",
    "mov eax, 15",
    "syscall",
);

unsafe extern "C" {
    fn hartwright_call(pending: *const u32, number: i64, args: *const u64) -> i64;
    fn hartwright_call_begin();
    fn hartwright_call_end();
    fn hartwright_call_interrupted();
    fn hartwright_sigreturn();
}

/// Where an interrupted thread goes on that was at `pc` when a signal came.
pub(crate) fn resumes_at(pc: u64) -> u64 {
    let [begin, end, interrupted] =
        [hartwright_call_begin, hartwright_call_end, hartwright_call_interrupted].map(|f| f as usize as u64);
    if (begin..end).contains(&pc) { interrupted } else { pc }
}

/// What a signal's handler returns to.
pub(crate) fn sigreturn() -> u64 {
    hartwright_sigreturn as *const () as u64
}

/// Makes a call of the host unless `pending` is set before it begins; a signal that comes later ends it with EINTR.
///
/// # Safety
/// The call must be one that the guest may make with these arguments: it touches no memory but the guest's, or what
/// pointers of ours lead to and the call's contract allows.
pub(crate) unsafe fn interruptible(pending: &AtomicU32, number: i64, args: [u64; 6]) -> Answer {
    // SAFETY: `pending` and `args` live until it returns; the call itself is the caller's promise.
    answer(unsafe { hartwright_call(pending.as_ptr(), number, args.as_ptr()) })
}

/// Makes a call of the host that does not wait.
///
/// # Safety
/// As [`interruptible`].
pub(crate) unsafe fn call(number: i64, args: &[u64]) -> Answer {
    /// Nobody sets it.
    static NEVER: AtomicU32 = AtomicU32::new(0);
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    // SAFETY: the caller's promise.
    unsafe { interruptible(&NEVER, number, all) }
}

/// Replaces the calling thread's signal mask; gives the old one. Bit 0 is signal 1.
pub(crate) fn set_mask(mask: u64) -> u64 {
    let mut old = 0u64;
    let args = [libc::SIG_SETMASK as u64, &raw const mask as u64, &raw mut old as u64, 8];
    // SAFETY: both masks are 8 bytes and live here.
    let result = unsafe { call(libc::SYS_rt_sigprocmask, &args) };
    debug_assert!(result.is_ok(), "the host knows how to set a mask");
    old
}

/// Writes all of `bytes` to descriptor `fd`, as far as it takes them.
pub(crate) fn write(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes are readable and live.
        match unsafe { call(libc::SYS_write, &[fd as u64, bytes.as_ptr() as u64, bytes.len() as u64]) } {
            Ok(n) if n > 0 => bytes = &bytes[n as usize..],
            Err(crate::errno::Failure::Errno(libc::EINTR)) => {}
            _ => return,
        }
    }
}
