//! What a system call answers: a number, or why not.

/// What a call came to.
pub(crate) type Answer = Result<u64, Failure>;

/// Why a call gave no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Linux's error number.
    Errno(i32),
    /// A signal came before it began, so it begins again when the signal's handler is done.
    NotBegun,
    /// The registers are as they shall be: there is nothing to answer.
    Gone,
    /// The thread, or the whole process, ends.
    Exit,
}

impl From<i32> for Failure {
    fn from(errno: i32) -> Self {
        Failure::Errno(errno)
    }
}

/// Linux's error number as a failure.
pub(crate) fn refuse<T>(errno: i32) -> Result<T, Failure> {
    Err(Failure::Errno(errno))
}

/// What a raw call of the host returned, as an answer.
pub(crate) fn answer(raw: i64) -> Answer {
    /// The largest error number there is.
    const LAST: i64 = 4095;
    /// What [`crate::host::interruptible`] says of a call that it did not begin.
    const RESTART: i64 = 512;
    match raw {
        _ if !(-LAST..0).contains(&raw) => Ok(raw as u64),
        _ if -raw == RESTART => Err(Failure::NotBegun),
        _ => refuse(-raw as i32),
    }
}
