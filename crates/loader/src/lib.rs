//! Files that go into a machine's memory: ELF, Linux `Image`, raw, compressed or not; and firmware found by name.
//!
//! Nothing here knows a machine: a file becomes an [`Image`] (segments, entry, symbols), and [`Layout`] checks
//! that all images together fit the memory they are meant for. Every file is untrusted; none makes this crate panic.

#![forbid(unsafe_code)]

mod content;
mod elf;
mod error;
mod file;
mod firmware;
mod image;
mod layout;
mod symbols;

pub use content::Content;
pub use error::Error;
pub use file::{read, read_unpacked, unpack};
pub use firmware::{Bios, Firmware, NotFound, data_file, find_firmware, guests_cache};
pub use image::{Class, Format, Image, Segment};
pub use layout::{Layout, Part, Place, Role};
pub use symbols::{Symbol, Symbols};
