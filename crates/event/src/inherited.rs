//! Descriptors that a parent process left open for us, each to be had once.

use std::{
    collections::BTreeSet,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd},
    sync::{Mutex, PoisonError},
};

static INHERITED: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// The descriptors above 2 that were open when the process began.
///
/// Only these may be adopted by number (`fd=N`): any other number is one of our own descriptors, or closed.
#[derive(Debug)]
pub struct Inherited;

impl Inherited {
    /// Notes what is open now. To be called first thing in `main`, before anything else opens descriptors.
    pub fn note() {
        let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
        let numbers: Vec<RawFd> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        // The directory itself was open while it was read; now that it is closed, it has no entry.
        let open = |fd: &RawFd| std::fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok();
        lock().extend(numbers.into_iter().filter(|fd| *fd > 2).filter(open));
    }

    /// Gives `fd` away under its number, as a parent process would.
    pub fn leave(fd: OwnedFd) -> RawFd {
        let number = fd.into_raw_fd();
        lock().insert(number);
        number
    }

    /// Takes descriptor `number`, if it was inherited and nobody took it before.
    pub fn take(number: RawFd) -> Option<OwnedFd> {
        lock().remove(&number).then(|| {
            // SAFETY: the set holds numbers that were open before this program opened anything, or that
            // `leave` was given; nothing else in the process owns them, and `remove` gives each out once.
            unsafe { OwnedFd::from_raw_fd(number) }
        })
    }
}

fn lock() -> std::sync::MutexGuard<'static, BTreeSet<RawFd>> {
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_had_once_and_only_if_inherited() {
        let (_reader, writer) = std::io::pipe().unwrap();
        assert!(Inherited::take(0).is_none());
        let number = Inherited::leave(writer.into());
        assert!(Inherited::take(number).is_some());
        assert!(Inherited::take(number).is_none());
    }
}
