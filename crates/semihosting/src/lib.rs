//! Semihosting: a bare program's calls to the host's files, console, time and exit, one row a call.
//!
//! The calls are those of *Semihosting for AArch32 and AArch64* (2023Q3; "section" below is of its chapter 5), made as
//! *RISC-V Semihosting 1.0* has it: `exec` recognises the three instructions, [`Semihosting`] answers. Fields are as
//! wide as the hart's registers, 64 bits at most. Where the specification is silent, the answers are QEMU 11's.
//!
//! No call waits within itself for a key, for room in a port, or for the debugger: it is left undone, and made again
//! when what it waits for is there.

#![forbid(unsafe_code)]

mod call;
mod clock;
mod console;
mod debugger;
mod files;
mod handle;
mod host;
mod input;
mod memory;
mod system;

pub use call::{OPERATIONS, Operation};
pub use debugger::{Debugger, Reply, Request};
pub use host::{Semihosting, Setup, Target};
