//! RISC-V instructions: one file an extension, one row an instruction.
//!
//! From each row come the decoder, the disassembler, the tests' list, and a meaning for every
//! [`Reader`](hartwright_ir::Reader). This crate knows no hart, no memory and no host.

#![forbid(unsafe_code)]

pub mod cpu;
pub mod csr;
mod decode;
pub mod events;
mod extension;
mod extensions;
mod features;
mod names;
mod properties;
mod pseudo;
mod row;

pub use decode::{Decoded, Decoder, compressed_rows, handler, rows};
pub use extension::{Ext, ExtSet};
pub use names::{FLOAT_NAMES, INT_NAMES};
pub use properties::Property;
pub use row::{Compressed, Format, Handlers, Insn, Meaning, RowId, Widths};
