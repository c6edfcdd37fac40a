//! The devices that boards are made of, one file each.
//!
//! A program that only names types of devices as text must still name this crate, or the linker drops it:
//! `use hartwright_devices as _;`.

#![forbid(unsafe_code)]

#[cfg(test)]
mod bench;
mod clint;
mod ns16550a;
mod plic;
mod sifive_test;

pub use clint::Clint;
pub use ns16550a::Ns16550a;
pub use plic::Plic;
pub use sifive_test::SifiveTest;
