//! Disks: image files, raw and qcow2, as the far side of a device's [`BlockPort`](hartwright_device::BlockPort).
//!
//! [`spec`] reads `-drive` and `-blockdev`, [`chain`] opens what they name, with its backing files and under QEMU's
//! locks, [`Image`] is what is open, [`Disk`] the thread that serves a device with it, and [`img`] is
//! `hartwright img`. What is in a qcow2 image's tables is looked at by [`check()`] before the library that reads and
//! writes them sees it.

#![forbid(unsafe_code)]

pub mod chain;
mod check;
mod disk;
mod fuzz;
mod header;
mod image;
pub mod img;
mod lock;
mod lossy;
mod ordered;
pub mod spec;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use chain::{Format, Node, open, open_overlay};
pub use check::{Report, check};
pub use disk::{Disk, catches_panics};
pub use fuzz::any_image;
pub use header::Header;
pub use image::{Image, Manner, SECTOR};
pub use lock::{Rights, lock};

use std::{
    fs::File,
    io::{self, Seek, SeekFrom},
    os::unix::fs::FileTypeExt,
};

/// What the host says is wrong, without Rust's `(os error N)`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The bytes of a file or of a block device.
fn length(mut file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if metadata.file_type().is_block_device() { file.seek(SeekFrom::End(0)) } else { Ok(metadata.len()) }
}
