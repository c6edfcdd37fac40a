//! What a program has open, by its number.

use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Handles that may be open at once.
const MOST: usize = 1024;

/// Something open.
#[derive(Debug)]
pub(crate) enum Handle {
    /// A file of the host's.
    File(OwnedFd),
    /// The host's standard input.
    Input,
    /// The host's standard output.
    Output,
    /// The host's standard error output.
    Errors,
    /// `:semihosting-features`, and how much of it has been passed.
    Features(usize),
    /// A file of the debugger's host, by its number there.
    Debugger(u64),
}

impl Handle {
    /// The host's descriptor behind it.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Handle::File(file) => Some(file.as_fd()),
            Handle::Input => Some(rustix::stdio::stdin()),
            Handle::Output => Some(rustix::stdio::stdout()),
            Handle::Errors => Some(rustix::stdio::stderr()),
            Handle::Features(_) | Handle::Debugger(_) => None,
        }
    }
}

/// All that is open. The numbers begin at 1: a good handle is not zero.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<Option<Handle>>);

impl Files {
    /// Gives a number to something open, the lowest that is free.
    pub(crate) fn add(&mut self, handle: Handle) -> Result<u64, Errno> {
        let at = match self.0.iter().position(Option::is_none) {
            Some(at) => at,
            None if self.0.len() >= MOST => return Err(Errno::MFILE),
            None => {
                self.0.push(None);
                self.0.len() - 1
            }
        };
        self.0[at] = Some(handle);
        Ok(at as u64 + 1)
    }

    /// What has that number.
    pub(crate) fn get(&mut self, number: u64) -> Result<&mut Handle, Errno> {
        self.slot(number)?.as_mut().ok_or(Errno::BADF)
    }

    /// Forgets what has that number.
    pub(crate) fn remove(&mut self, number: u64) -> Result<Handle, Errno> {
        self.slot(number)?.take().ok_or(Errno::BADF)
    }

    fn slot(&mut self, number: u64) -> Result<&mut Option<Handle>, Errno> {
        let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.0.get_mut(at)).ok_or(Errno::BADF)
    }
}
