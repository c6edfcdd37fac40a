//! Runs harts: meanings as handlers, a cache of decoded blocks, and a host thread for each hart or for all.
//!
//! [`Harts`] is what the machine, the monitor and the debugger hold: it starts, stops and steps hart threads and
//! lets one look into a hart through [`Inspect`]. [`Pace`] says whether harts run together or in turn. Inside a thread a [`Core`] is a hart being run, and
//! `block::Cache` has what it runs. A [`Task`] runs a hart on the caller's own thread, and hands its exceptions to the
//! caller: user mode, where the emulator is the kernel.

#![forbid(unsafe_code)]

mod block;
mod check;
mod core;
mod environment;
mod handlers;
mod harts;
mod inspect;
mod runner;
mod semihost;
mod task;
mod trace;
mod translate;
mod turns;

pub use core::{Core, Hosted, Stop};
pub use environment::Environment;
pub use harts::{Event, Harts, Reason, Setup};
pub use hartwright_jit::Code;
pub use inspect::{Breakpoints, Inspect};
pub use semihost::Semihost;
pub use task::{Exit, Task};
pub use trace::{Trace, Tracing};
pub use translate::Engine;
pub use turns::{Icount, Pace, Shift};
