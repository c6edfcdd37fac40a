//! What connects devices, harts and time: lines and the clock; and what is chance to them.
//!
//! A device drives a [`Line`] and does not know where it ends; whoever is at the end implements [`Sink`].
//! Time is asked of a [`Clock`], never of the host, so a stopped machine's time stands still.

#![forbid(unsafe_code)]

mod clock;
mod entropy;
mod line;
mod mtime;

pub use clock::{Alarm, Clock};
pub use entropy::Entropy;
pub use line::{Line, Sink};
pub use mtime::{Comparator, Mtime};
