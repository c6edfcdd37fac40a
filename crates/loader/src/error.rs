//! Why a file cannot be loaded, as the part of a sentence that follows the file's name.

use crate::Class;
use std::fmt;

/// Why a file cannot be loaded. The text has no file name: who asked for the file puts it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The host says why it cannot be read.
    Host(String),
    /// There is no byte in it.
    Empty,
    /// It is larger than what it has to fit in.
    TooLarge {
        /// Bytes it may have.
        limit: u64,
        /// Whether that is its size unpacked.
        unpacked: bool,
    },
    /// It looks compressed but does not unpack.
    Unpack {
        /// The format's name.
        format: &'static str,
        /// The unpacker's words.
        why: String,
    },
    /// An ELF that ends before its own tables or segments do.
    Truncated {
        /// What lies beyond the end.
        what: String,
        /// Bytes in the file.
        len: u64,
    },
    /// An ELF for something else.
    Foreign {
        /// What it is for: `x86-64`, `32-bit RISC-V`, ...
        is: String,
        /// What it should be for.
        wanted: Class,
    },
    /// An ELF that is malformed in another way, or has nothing to load.
    Elf(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Host(why) => f.write_str(why),
            Error::Empty => f.write_str("the file is empty"),
            Error::TooLarge { limit, unpacked } => {
                let what = if *unpacked { "unpacks to" } else { "has" };
                write!(f, "the file {what} more than the {} that it has to fit in", size(*limit))
            }
            Error::Unpack { format, why } => {
                write!(f, "looks {format}-compressed but does not unpack: {why}")
            }
            Error::Truncated { what, len } => {
                write!(f, "the ELF is truncated: {what} beyond its end at {len} bytes")
            }
            Error::Foreign { is, wanted } => {
                let bits = if *wanted == Class::Bits32 { 32 } else { 64 };
                write!(f, "is an ELF for {is}; this machine is RISC-V {bits}")
            }
            Error::Elf(why) => write!(f, "not a usable ELF: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// `n` bytes as people write them: `128 MiB`, `3 KiB`, `17 bytes`.
pub(crate) fn size(n: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if n >> shift > 0 && n.trailing_zeros() >= shift {
            return format!("{} {unit}", n >> shift);
        }
    }
    format!("{n} bytes")
}
