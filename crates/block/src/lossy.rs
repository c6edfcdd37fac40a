//! A test aid: a file that forgets, when the process is killed, every write that was not flushed.
//!
//! The host's page cache survives the death of a process, so killing the emulator alone tests no flush. With
//! `driver=lossy` in place of `driver=file` (`file.driver=lossy`) the image is worked on in memory, and a flush writes
//! to the file what differs. A kill in the middle of a flush leaves a part of it, as a loss of power would.

use rustix::fs::{FallocateFlags, MemfdFlags, SeekFrom, fallocate, memfd_create, seek};
use std::{fs::File, io, os::unix::fs::FileExt};

/// What is compared at once.
const BLOCK: u64 = 64 << 10;

/// The file behind an image that is in memory.
#[derive(Debug)]
pub(crate) struct Lossy {
    memory: File,
    file: File,
}

impl Lossy {
    /// The contents of `file` in memory.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let memory = File::from(memfd_create("hartwright-lossy", MemfdFlags::CLOEXEC)?);
        let length = file.metadata()?.len();
        memory.set_len(length)?;
        copy_differences(&file, &memory, length)?;
        Ok(Lossy { memory, file })
    }

    /// The file to work on.
    pub(crate) fn memory(&self) -> io::Result<File> {
        self.memory.try_clone()
    }

    /// Writes what differs to the file, and waits until it is there.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        let length = self.memory.metadata()?.len();
        if self.file.metadata()?.len() != length {
            self.file.set_len(length)?;
        }
        copy_differences(&self.memory, &self.file, length)?;
        self.file.sync_data()
    }
}

/// Makes `to`, of the same `length`, the same as `from`.
fn copy_differences(from: &File, to: &File, length: u64) -> io::Result<()> {
    let (mut a, mut b) = (vec![0; BLOCK as usize], vec![0; BLOCK as usize]);
    let mut at = 0;
    while let Some(next) = [next_data(from, at)?, next_data(to, at)?].into_iter().flatten().min() {
        at = next / BLOCK * BLOCK;
        if at >= length {
            break;
        }
        let n = (length - at).min(BLOCK) as usize;
        from.read_exact_at(&mut a[..n], at)?;
        to.read_exact_at(&mut b[..n], at)?;
        if a[..n] != b[..n] {
            if a[..n].iter().all(|byte| *byte == 0) {
                fallocate(to, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, n as u64)
                    .or_else(|_| to.write_all_at(&a[..n], at).map_err(|_| rustix::io::Errno::IO))?;
            } else {
                to.write_all_at(&a[..n], at)?;
            }
        }
        at += BLOCK;
    }
    Ok(())
}

/// Where from `at` on the next data of `file` is that is no hole.
fn next_data(file: &File, at: u64) -> io::Result<Option<u64>> {
    match seek(file, SeekFrom::Data(at)) {
        Ok(next) => Ok(Some(next)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
