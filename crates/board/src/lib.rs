//! The built-in machines, one file each, and the firmware they start when they are given none.
//!
//! A program that names no item of this crate must still name the crate, or the linker drops the machines:
//! `use hartwright_board as _;`.

#![forbid(unsafe_code)]

mod param;
mod virt;

// The machines name types of devices as text.
use hartwright_devices as _;
use hartwright_virtio as _;

/// Our own firmware (`guest/`) for harts of `xlen` bits: a monitor on the first serial port. No compiler makes one of
/// 128, and what one makes for 64 means something else there.
pub fn monitor(xlen: u32) -> Option<&'static [u8]> {
    match xlen {
        32 => Some(include_bytes!("../../../guest/monitor32.bin")),
        64 => Some(include_bytes!("../../../guest/monitor.bin")),
        _ => None,
    }
}
