//! Signals from the host, received by a thread instead of interrupting one.

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
};

use hartwright_backend::tty;
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// A signal that asks us to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSignal {
    /// Its number.
    pub number: u32,
    /// Who sent it; 0 is the kernel (a key of the terminal, say).
    pub pid: u32,
    /// The sender's name, if it is still there.
    pub comm: Option<String>,
}

/// As QEMU says it, without the program's name.
impl fmt::Display for HostSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostSignal { number, pid, comm } = self;
        write!(f, "terminating on signal {number}")?;
        if *pid != 0 {
            write!(f, " from pid {pid} ({})", comm.as_deref().unwrap_or("<unknown process>"))?;
        }
        Ok(())
    }
}

type Handler = Box<dyn Fn(HostSignal) + Send>;

/// What the thread does with a signal that asks us to end.
static HANDLER: Mutex<Option<Handler>> = Mutex::new(None);

/// From now on, signals that ask us to end go to `handler`, on a thread of its own.
pub(crate) fn on_terminate(handler: impl Fn(HostSignal) + Send + 'static) {
    *HANDLER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(handler));
}

/// Starts the thread. To be called before any other thread is, since each inherits what it does not hear.
pub(crate) fn watch() -> io::Result<()> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // nohup and background shells say by ignoring a signal that it is not for us.
        if !is_ignored(signal) {
            set.add(signal);
        }
    }
    set.add(Signal::SIGTSTP);
    set.add(Signal::SIGCONT);
    set.thread_block()?;
    let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || listen(&signals))?;
    Ok(())
}

fn listen(signals: &SignalFd) {
    loop {
        let info = match signals.read_signal() {
            Ok(Some(info)) => info,
            Ok(None) | Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return,
        };
        match Signal::try_from(info.ssi_signo.cast_signed()) {
            Ok(Signal::SIGTSTP) => {
                tty::restore();
                // Stops all of us until SIGCONT. It cannot fail: we may always signal ourselves.
                let _ = nix::sys::signal::raise(Signal::SIGSTOP);
            }
            Ok(Signal::SIGCONT) => tty::resume(),
            _ => {
                let comm = std::fs::read_to_string(format!("/proc/{}/comm", info.ssi_pid)).ok();
                let comm = comm.filter(|_| info.ssi_pid != 0).map(|comm| comm.trim_end().to_owned());
                let signal = HostSignal { number: info.ssi_signo, pid: info.ssi_pid, comm };
                if let Some(handler) = &*HANDLER.lock().unwrap_or_else(PoisonError::into_inner) {
                    handler(signal);
                }
            }
        }
    }
}

fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal as u32 - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_says_who_sent_it() {
        let from = |pid, comm: Option<&str>| HostSignal { number: 15, pid, comm: comm.map(Into::into) };
        assert_eq!(from(7, Some("bash")).to_string(), "terminating on signal 15 from pid 7 (bash)");
        assert_eq!(from(7, None).to_string(), "terminating on signal 15 from pid 7 (<unknown process>)");
        assert_eq!(from(0, None).to_string(), "terminating on signal 15");
    }
}
