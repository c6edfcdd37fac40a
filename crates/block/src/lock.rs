//! Locks on an image that QEMU and qemu-img hold and heed too: single bytes of the file, as OFD locks.
//!
//! QEMU has five permissions. Who uses one holds a read lock on byte 100 + N; who does not let others use it holds
//! one on byte 200 + N; whether somebody does is asked by testing for a write lock (observed: `strace -e fcntl
//! qemu-img check`). An OFD lock belongs to the open file, so it goes with the last duplicate of the descriptor, on
//! every way out.

use hartwright_backend::opts::Refusal;
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};
use std::{fs::File, os::fd::AsFd, thread, time::Duration};

/// By number, the permissions that the locks speak of.
const PERMISSIONS: [&str; 4] = ["consistent read", "write", "write unchanged", "resize"];
const READ: u8 = 1 << 0;
const WRITE: u8 = 1 << 1;
const RESIZE: u8 = 1 << 3;
const USED: i64 = 100;
const UNSHARED: i64 = 200;
/// Who has just closed an image may have a child that has not yet: between fork and exec it holds what its parent
/// held.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// What somebody does with an image, and what others may not do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    used: u8,
    unshared: u8,
}

impl Rights {
    /// For a raw disk.
    pub fn raw(read_only: bool) -> Self {
        Rights { used: if read_only { READ } else { READ | WRITE }, unshared: WRITE }
    }

    /// For a format that grows its file, and for anything that others build on: its size stays as well.
    pub fn format(read_only: bool) -> Self {
        Rights { used: if read_only { READ } else { READ | WRITE | RESIZE }, unshared: WRITE | RESIZE }
    }

    /// For a look at the metadata, such as `img info` takes.
    pub fn look() -> Self {
        Rights { used: 0, unshared: WRITE | RESIZE }
    }
}

/// Locks `file`, which messages call `name`, until the last duplicate of it is closed.
///
/// A file system without such locks is used without, as QEMU's `locking=auto` does.
///
/// # Errors
/// Somebody uses it in a way that does not go together with `rights`, in QEMU's words.
pub fn lock(file: &File, name: &str, rights: Rights) -> Result<(), Refusal> {
    let mut tries = 0;
    loop {
        match try_lock(file, name, rights) {
            Err(_) if tries < TRIES => thread::sleep(PAUSE),
            done => return done,
        }
        tries += 1;
    }
}

fn try_lock(file: &File, name: &str, rights: Rights) -> Result<(), Refusal> {
    let bits = |set: u8| (0..PERMISSIONS.len()).filter(move |bit| set >> bit & 1 != 0);
    let refuse = |shared: &str, bit: usize| {
        Refusal::new(format!("Failed to get {shared}\"{}\" lock", PERMISSIONS[bit]))
            .hint(format!("Is another process using the image [{name}]?"))
    };
    // First one's own, then a look at the others': of two that begin at once, at least one sees the other.
    for (base, set) in [(USED, rights.used), (UNSHARED, rights.unshared)] {
        for bit in bits(set) {
            match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&range(libc::F_RDLCK, base, bit))) {
                Ok(_) => {}
                Err(Errno::EACCES | Errno::EAGAIN) => return Err(refuse("", bit)),
                Err(_) => return Ok(()),
            }
        }
    }
    for (base, set, shared) in [(UNSHARED, rights.used, ""), (USED, rights.unshared, "shared ")] {
        for bit in bits(set) {
            let mut asked = range(libc::F_WRLCK, base, bit);
            let told = fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut asked));
            if told.is_ok() && i32::from(asked.l_type) != libc::F_UNLCK {
                return Err(refuse(shared, bit));
            }
        }
    }
    Ok(())
}

/// One byte, from the beginning of the file.
fn range(kind: i32, base: i64, bit: usize) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: base + bit as i64,
        l_len: 1,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    /// What `second` says while `first` is held.
    fn says(first: Rights, second: Rights) -> Option<String> {
        let folder = Folder::new();
        let path = folder.file("a", b"");
        let open = || File::options().read(true).write(true).open(&path).unwrap();
        let (one, two) = (open(), open());
        lock(&one, "a", first).unwrap();
        lock(&two, "a", second).err().map(|refusal| refusal.to_string())
    }

    #[test]
    fn two_writers_and_a_writer_with_a_reader_do_not_go_together() {
        let hint = "\nIs another process using the image [a]?";
        let write = format!("Failed to get \"write\" lock{hint}");
        let shared = format!("Failed to get shared \"write\" lock{hint}");
        assert_eq!(says(Rights::raw(false), Rights::raw(false)), Some(write.clone()));
        assert_eq!(says(Rights::raw(true), Rights::format(false)), Some(write));
        assert_eq!(says(Rights::format(false), Rights::raw(true)), Some(shared.clone()));
        assert_eq!(says(Rights::raw(false), Rights::look()), Some(shared));
        assert_eq!(says(Rights::raw(true), Rights::format(true)), None);
    }

    #[test]
    fn a_lock_goes_with_the_last_duplicate() {
        let folder = Folder::new();
        let path = folder.file("a", b"");
        let open = || File::options().read(true).write(true).open(&path).unwrap();
        let one = open();
        lock(&one, "a", Rights::raw(false)).unwrap();
        let duplicate = one.try_clone().unwrap();
        drop(one);
        assert!(lock(&open(), "a", Rights::raw(false)).is_err());
        drop(duplicate);
        assert!(lock(&open(), "a", Rights::raw(false)).is_ok());
    }
}
