//! From a specification to a machine: choose, read, check, build, describe to the guest, boot.
//!
//! [`choose`] makes a [`MachineSpec`] of a name or file and the options; [`MachineSpec::check`] finds what makes no
//! sense; [`device_tree`] tells the guest; [`Frame::new`] and [`Frame::wire`] make address space, devices and
//! wires; [`plan`] reads firmware, kernel and so on, and [`Plan::load`] puts them into memory.

#![forbid(unsafe_code)]

mod boards;
mod boot;
mod build;
mod cards;
mod check;
mod check_lines;
mod files;
mod items;
mod loader_device;
mod numa;
mod parameters;
mod plug;
mod read;
mod reset;
mod schema;
mod shape;
mod source;
mod spec;
mod table;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use boards::{
    BOARDS, Board, Chosen, Filled, Options, Specified, boards, choose, inspect, inspect_with, is_file,
    parameters,
};
pub use boot::{BootOptions, NotLoaded, Plan, plan};
pub use build::{Frame, Machine, Outside};
pub use check::Checked;
pub use files::Open;
#[doc(hidden)]
pub use hartwright_objects as objects;
#[doc(hidden)]
pub use linkme;
pub use loader_device::{LOADER_PROPERTIES, LoaderDevice};
pub use numa::{Numa, NumaNode};
pub use parameters::Parameter;
pub use reset::Reset;
pub use schema::schema;
pub use source::{At, Place, Problem, Source};
pub use spec::{Boot, Card, Cpu, Device, End, MachineSpec, Memory, Rows, Said};
pub use tree::{CpuTree, device_tree};
