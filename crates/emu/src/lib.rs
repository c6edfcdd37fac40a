//! The face of hartwright: its command line, from QEMU's grammar to a plain [`Config`], and what surrounds a machine.
//!
//! One row of [`FLAGS`] is one option: its names, argument, help, parser and tests. From the rows come `-help`,
//! the man page and the shells' completions. [`parse`] reads the words into [`Asked`]; [`resolve`] makes of them a
//! [`Config`], or text to print. [`Host`] is what a machine runs in: host ends, signals, files.
#![forbid(unsafe_code)]

mod asked;
mod assemble;
mod build;
mod catalogue;
mod chores;
mod config;
mod disks;
mod entropy;
mod failure;
mod flags;
mod help;
mod host;
mod memory;
mod new;
mod not_yet;
mod numa;
mod program;
mod rtc;
mod run;
mod semihosting;
mod signals;
mod smp;
mod watching;

pub use asked::{Asked, parse};
pub use assemble::{Assembled, assemble};
pub use build::Built;
pub use config::{
    Accel, Config, Counted, Cpu, DeviceOption, Log, LogItem, Messages, MonitorPlan, Outcome, PlannedChardev,
    Semihosted, Threads, resolve,
};
pub use disks::{Disks, PlannedDisk};
pub use entropy::PlannedSource;
pub use failure::Failure;
pub use flags::{FLAGS, Flag, Group, all_flags};
pub use help::{Format, generate, help};
pub use host::{Host, HostEvent};
pub use memory::{MemoryBackend, Store};
pub use numa::NumaOption;
pub use program::{Face, Program};
pub use rtc::{DayClock, Rtc};
pub use run::{main_with, run};
pub use semihosting::{SemihostingOption, SemihostingTarget};
pub use signals::HostSignal;
pub use smp::Topology;
