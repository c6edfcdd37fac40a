//! A disk with one bootable partition, an ext4 file system of what is in a folder: made without mounting anything.

use crate::debian::succeed;
use anyhow::{Context, Result};
use std::{fs::File, os::unix::fs::FileExt, path::Path, process::Command};

/// The Debian package, and its program, that a disk is made with.
pub const TOOL: (&str, &str) = ("e2fsprogs", "/usr/sbin/mkfs.ext4");

/// Where the partition begins.
pub const OFFSET: u64 = 1 << 20;

/// Makes at `to` a raw image, with holes for what is free, whose partition has `mebibytes` and holds the files of
/// `folder` with their owners and modes.
pub fn make(folder: &Path, to: &Path, mebibytes: u32) -> Result<()> {
    let disk = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    disk.set_len(OFFSET + (u64::from(mebibytes) << 20))?;
    let mut mkfs = Command::new(TOOL.1);
    mkfs.args(["-q", "-E", &format!("offset={OFFSET}"), "-d"]).arg(folder).arg(to);
    succeed(mkfs.arg(format!("{mebibytes}M")))?;
    let (entry, mark) = boot_record(mebibytes);
    disk.write_all_at(&entry, 0x1be)?;
    disk.write_all_at(&mark, 0x1fe)?;
    Ok(())
}

/// The first entry of a master boot record's table, and the mark behind the table. U-Boot looks for its boot file in
/// partitions only, first in those that are marked as active.
fn boot_record(mebibytes: u32) -> ([u8; 16], [u8; 2]) {
    const ACTIVE: u8 = 0x80;
    const LINUX: u8 = 0x83;
    // Cylinder, head and sector say that the sectors' numbers count.
    let mut entry = [ACTIVE, 0xff, 0xff, 0xff, LINUX, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
    entry[8..12].copy_from_slice(&((OFFSET / 512) as u32).to_le_bytes());
    entry[12..].copy_from_slice(&(mebibytes << 11).to_le_bytes());
    (entry, [0x55, 0xaa])
}
