//! `stat`, whose structure x86-64 lays out by itself.

use super::Args;
use crate::{
    errno::{Answer, Failure},
    proc,
    thread::Thread,
};
use libc::{SYS_fstat, SYS_newfstatat, SYS_statx, stat};
use std::ffi::CString;

pub(super) fn newfstatat(thread: &Thread<'_>, [at, path, to, flags, ..]: Args) -> Answer {
    let path = path_of(thread, path, flags)?;
    let mut stat = zeros();
    thread.host(SYS_newfstatat, [at, address(&path), &raw mut stat as u64, flags, 0, 0])?;
    put(thread, to, &stat)
}

pub(super) fn statx(thread: &Thread<'_>, [at, path, flags, mask, to, _]: Args) -> Answer {
    let path = path_of(thread, path, flags)?;
    thread.host(SYS_statx, [at, address(&path), flags, mask, thread.at(to), 0])
}

/// The path to look at; an empty one may be null.
fn path_of(thread: &Thread<'_>, path: u64, flags: u64) -> Result<Option<CString>, Failure> {
    if path == 0 {
        return Ok(None);
    }
    let path = thread.process.memory.read_path(path)?;
    let instead = proc::stat_instead(thread, &path, flags);
    Ok(Some(instead.unwrap_or_else(|| proc::under_prefix(thread, path))))
}

fn address(path: &Option<CString>) -> u64 {
    path.as_ref().map_or(0, |path| path.as_ptr() as u64)
}

pub(super) fn fstat(thread: &Thread<'_>, [fd, to, ..]: Args) -> Answer {
    let mut stat = zeros();
    thread.host(SYS_fstat, [fd, &raw mut stat as u64, 0, 0, 0, 0])?;
    put(thread, to, &stat)
}

fn zeros() -> stat {
    // SAFETY: all zeros are a `stat`.
    unsafe { std::mem::zeroed() }
}

/// Writes it as the generic 64-bit `struct stat`: 128 bytes.
fn put(thread: &Thread<'_>, to: u64, s: &stat) -> Result<u64, Failure> {
    let mut bytes = [0u8; 128];
    let mut long = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    long(0, s.st_dev);
    long(8, s.st_ino);
    long(16, u64::from(s.st_mode) | s.st_nlink << 32);
    long(24, u64::from(s.st_uid) | u64::from(s.st_gid) << 32);
    long(32, s.st_rdev);
    long(48, s.st_size as u64);
    long(56, s.st_blksize as u64 & 0xffff_ffff);
    long(64, s.st_blocks as u64);
    long(72, s.st_atime as u64);
    long(80, s.st_atime_nsec as u64);
    long(88, s.st_mtime as u64);
    long(96, s.st_mtime_nsec as u64);
    long(104, s.st_ctime as u64);
    long(112, s.st_ctime_nsec as u64);
    thread.process.memory.write(to, &bytes).map(|()| 0)
}
