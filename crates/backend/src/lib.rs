//! Host ends of serial ports, monitors and debuggers, and the grammar in which users ask for them.
//!
//! A [`ChardevSpec`](spec::ChardevSpec) says what is wanted; [`Backends`] opens it and moves bytes between it and a
//! [`CharPort`](hartwright_device::CharPort), in both directions only as many as the other side has room for.
#![forbid(unsafe_code)]

mod channel;
mod front;
mod hub;
mod open;
pub mod opts;
pub mod spec;
pub mod tty;

pub use front::Role;
pub use hub::{Backends, ChardevInfo, Notice, Settings};
pub use open::reason;
