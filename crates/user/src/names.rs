//! What signals and errors are called, in QEMU's words, which are the GNU C library's.

use std::ffi::CStr;

/// What a signal is called in a sentence: `Segmentation fault`.
pub(crate) fn signal_text(signal: i32) -> String {
    // SAFETY: it gives a string that lives until the next call of this thread.
    let text = unsafe { CStr::from_ptr(libc::strsignal(signal)) };
    text.to_string_lossy().into_owned()
}

/// What an error is called: `No such file or directory`.
pub(crate) fn error_text(errno: i32) -> String {
    let mut text = [0; 128];
    // SAFETY: the buffer is as long as is said, and lives here.
    unsafe { libc::strerror_r(errno, text.as_mut_ptr(), text.len()) };
    // SAFETY: it was filled with a string, or is still zero.
    unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned()
}

/// The names of signals 1 to 31.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// A signal's name: `SIGSEGV`; of those without one, the number.
pub(crate) fn signal(signal: i32) -> String {
    let known = usize::try_from(signal - 1).ok().and_then(|at| SIGNALS.get(at));
    known.map_or_else(|| signal.to_string(), |name| (*name).to_owned())
}
