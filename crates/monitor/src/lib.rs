//! Run control, and the human's monitor on top of it.
//!
//! [`Control`] stops, starts and shows a machine; whoever drives one (the monitor here, the debugger, the main
//! loop) holds it. [`Session`] runs lines of the monitor's language against it; [`start`] gives a person at a
//! [`CharPort`](hartwright_device::CharPort) a session with an editor for lines.
//!
//! The monitor knows no device by type: it reads the object tree, the memory map and the harts.

#![forbid(unsafe_code)]

mod args;
mod balloon;
mod chardev;
mod commands;
mod console;
mod control;
mod edit;
mod expr;
mod info;
mod mailbox;
mod memory;
mod physical;
mod session;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;

pub use args::{Arg, Args, Format};
pub use commands::COMMANDS;
pub use console::start;
pub use control::{Control, Go, News, Outside, Parts, RunState, Stops};
pub use edit::Editor;
pub use info::INFO;
pub use mailbox::Mailbox;
pub use physical::{read_physical, write_physical};
pub use session::{Command, Failed, Session};
