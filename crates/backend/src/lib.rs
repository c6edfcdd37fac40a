//! Host ends of serial ports, monitors and debuggers, and the grammar in which users ask for them.
//!
//! A [`ChardevSpec`](spec::ChardevSpec) says what is wanted; [`Backends`] opens it and moves bytes between it and a
//! [`CharPort`](hartwright_device::CharPort), in both directions only as many as the other side has room for.
//! Each kind of host end is a file of `drivers`.
#![forbid(unsafe_code)]

mod backends;
mod channel;
mod chardev;
mod drivers;
mod front;
mod mux;
pub mod opts;
mod place;
pub mod spec;
pub mod tty;
mod worker;

pub use backends::{Backends, ChardevInfo, Ends, Notice, Settings, Told};
pub use front::Role;

/// An operating system's error in its own words, without a number.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
