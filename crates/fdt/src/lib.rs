//! Device trees: built, written as a blob, read from an untrusted blob, printed as source.
//!
//! A thin layer over the `dtoolkit` crate: its model and its writer, with typed property helpers ([`Build`],
//! [`Read`]) so that a generator reads like the device-tree source it produces. Two things are ours:
//! a blob may be longer than its header says (QEMU pads, files are padded), and a nesting limit, because
//! `dtoolkit` turns a blob into a model by recursion and a hostile file could exhaust the stack.

#![forbid(unsafe_code)]

mod build;
mod parse;

pub use build::{Build, Read};
pub use dtoolkit::model::{DeviceTree as Tree, DeviceTreeNode as Node};
pub use parse::{Error, parse};
