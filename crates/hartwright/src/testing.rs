//! A device on a bench, and a machine whose console a test reads: both without the program around them.
//!
//! What goes wrong here fails a test, so most of it panics with what there was instead.

mod bench;
mod machine;

pub use bench::Bench;
pub use machine::Machine;
