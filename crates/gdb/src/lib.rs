//! The debugger's remote protocol: gdb looks at a machine and drives it, a thread a hart.
//!
//! [`start`] serves a debugger at a [`CharPort`](hartwright_device::CharPort), one after the other. `packet` cuts
//! the bytes into packets and answers QEMU's own; the `gdbstub` crate knows the protocol; `target` is what it
//! acts on; `arch` and `describe` are the registers as gdb numbers and names them.

#![forbid(unsafe_code)]

mod arch;
mod describe;
mod fileio;
mod packet;
mod points;
mod server;
mod target;

pub use server::{Server, start};

#[cfg(test)]
mod real;
#[cfg(test)]
mod tests;
