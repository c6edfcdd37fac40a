//! Whole machines, driven through their console as a person would.
//!
//! ```no_run
//! use hartwright_tests::{Launch, guest};
//! let mut machine = Launch::machine().memory("512M").kernel(guest("linux", "vmlinux")).start();
//! machine.expect("Linux version");
//! ```
//!
//! The program under test is `$HARTWRIGHT_BIN`, else `hartwright` beside the test's own build. With
//! `HARTWRIGHT_PEER=qemu` (or `qemu-11`) the same tests drive QEMU's `virt` instead, which tells a
//! wrong test from a wrong machine. `HARTWRIGHT_PATIENCE=N` multiplies every time limit.
#![forbid(unsafe_code)]

mod console;
mod launch;
pub mod litmus;
mod machine;
mod scratch;

pub use console::Transcript;
pub use launch::{Launch, Outcome};
pub use machine::{Machine, Wiring};
pub use scratch::Scratch;

use std::{path::PathBuf, time::Duration};
use xtask::cache::Cache;

/// The file of a fetched guest; a test without it fails with the command that fetches it.
#[track_caller]
pub fn guest(name: &str, file: &str) -> PathBuf {
    match Cache::of_user().and_then(|cache| cache.file(name, file)) {
        Ok(path) => path,
        Err(error) => panic!("{error:#}"),
    }
}

/// Where the console of Linux, of our own firmware and of the emulator's monitor wait for a line.
pub const SHELL: &str = "/ # ";
/// See [`SHELL`].
pub const FIRMWARE: &str = "hartwright> ";
/// See [`SHELL`].
pub const MONITOR: &str = "(qemu) ";

/// Whether QEMU stands in for hartwright in this run.
pub fn peer() -> Option<String> {
    std::env::var("HARTWRIGHT_PEER").ok().filter(|peer| !peer.is_empty())
}

/// `seconds`, times `$HARTWRIGHT_PATIENCE`.
pub fn seconds(seconds: u64) -> Duration {
    let patience = std::env::var("HARTWRIGHT_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds * patience.unwrap_or(1))
}
