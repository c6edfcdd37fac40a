//! The devices that boards are made of, one file each.
//!
//! A program that only names types of devices as text must still name this crate, or the linker drops it:
//! `use hartwright_devices as _;`.

#![forbid(unsafe_code)]

mod aclint;
#[cfg(test)]
mod bench;
mod clint;
mod fw_cfg;
mod goldfish_rtc;
mod ns16550a;
mod pflash_cfi01;
mod platform_bus;
mod plic;
mod sifive_test;

pub use aclint::{mtimer::AclintMtimer, swi::AclintSwi};
pub use clint::Clint;
pub use fw_cfg::FwCfg;
pub use goldfish_rtc::GoldfishRtc;
pub use ns16550a::Ns16550a;
pub use pflash_cfi01::PflashCfi01;
pub use platform_bus::PlatformBus;
pub use plic::Plic;
pub use sifive_test::SifiveTest;
