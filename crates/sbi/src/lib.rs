//! The supervisor binary interface, answered by the emulator: what firmware does for a kernel, without firmware
//! (RISC-V Supervisor Binary Interface specification 2.0; sections below are its chapters).
//!
//! [`Sbi`] is an `exec` [`Environment`](hartwright_exec::Environment). Each extension is a file, each of its functions
//! a row. Harts are known by their number, which is their `mhartid`.

#![forbid(unsafe_code)]

mod begin;
mod call;
mod environment;
mod extensions;
mod place;

pub use call::{Extension, Function};
pub use environment::Sbi;
pub use extensions::EXTENSIONS;
