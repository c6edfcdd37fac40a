//! The terminal that we were started from: raw while a machine uses it, and always given back as it was.
//!
//! Every way out of the program must pass [`restore`]: the normal end, an error's exit, the panic hook, the
//! signal thread. It may be called from anywhere, any number of times.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios,
};

static TERMINAL: Mutex<Option<Terminal>> = Mutex::new(None);

struct Terminal {
    fd: OwnedFd,
    before: Termios,
    raw: Termios,
    /// Is it raw now?
    changed: bool,
}

/// Makes the terminal on standard input raw; does nothing when that is no terminal.
///
/// With `signal`, Ctrl-C, Ctrl-\ and Ctrl-Z keep their meaning for us; without, they are bytes for the guest.
pub fn raw(signal: bool) -> io::Result<()> {
    let stdin = io::stdin();
    if !rustix::termios::isatty(&stdin) {
        return Ok(());
    }
    let fd = rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?;
    let mut slot = lock();
    let before = match &*slot {
        Some(terminal) => terminal.before.clone(),
        None => rustix::termios::tcgetattr(&fd)?,
    };
    let mut raw = before.clone();
    make_raw(&mut raw);
    // Messages of ours end their lines with a line feed alone.
    raw.output_modes = before.output_modes | OutputModes::OPOST;
    if signal {
        raw.local_modes |= before.local_modes & LocalModes::ISIG;
    }
    *slot = Some(Terminal { fd, before, raw, changed: false });
    drop(slot);
    resume();
    Ok(())
}

/// Makes of a terminal's modes those in which every byte passes as it is, both ways.
pub(crate) fn make_raw(modes: &mut Termios) {
    modes.input_modes -= InputModes::IGNBRK
        | InputModes::BRKINT
        | InputModes::PARMRK
        | InputModes::ISTRIP
        | InputModes::INLCR
        | InputModes::IGNCR
        | InputModes::ICRNL
        | InputModes::IXON;
    modes.output_modes -= OutputModes::OPOST;
    modes.local_modes -=
        LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
    modes.control_modes -= ControlModes::CSIZE | ControlModes::PARENB;
    modes.control_modes |= ControlModes::CS8;
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
}

/// Gives the terminal back as it was found.
pub fn restore() {
    if let Some(terminal) = &mut *lock()
        && std::mem::take(&mut terminal.changed)
        && in_foreground(&terminal.fd)
    {
        // Failing means that the terminal has gone: there is nothing left to restore.
        let _ = rustix::termios::tcsetattr(&terminal.fd, OptionalActions::Now, &terminal.before);
    }
}

/// Makes the terminal raw again after [`restore`], as when the process continues after a stop.
///
/// A background process must not touch the terminal; it comes here again when it is continued in front.
pub fn resume() {
    if let Some(terminal) = &mut *lock()
        && in_foreground(&terminal.fd)
    {
        let set = rustix::termios::tcsetattr(&terminal.fd, OptionalActions::Now, &terminal.raw);
        terminal.changed = set.is_ok();
    }
}

/// Would changing the terminal stop us (SIGTTOU)?
fn in_foreground(fd: &OwnedFd) -> bool {
    match rustix::termios::tcgetpgrp(fd) {
        Ok(front) => front == rustix::process::getpgrp(),
        // Not our controlling terminal: no job control, nothing to stop us.
        Err(_) => true,
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Terminal>> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}
