//! Register maps as tables. A field's access says what a write may do, so most registers need no code.
//!
//! ```text
//! registers! { Uart size 0x40, widths [1, 4] else ignore:
//!     /// Characters in and out.
//!     0x00 data: u8 { DATA[7:0] }                       get receive set transmit;
//!     0x04 ie: u32 { RX[0], TX[1] } = 0x1               then sync;
//!     0x08 level[4; 4]: u32 { LEVEL[2:0] }              write level_set;
//!     0x18 line: u8 {
//!         /// Bits of a character.
//!         WORD[1:0] { 5bits = 0, 6bits = 1, 7bits = 2, 8bits = 3 },
//!         OVERRUN[4] RC,
//!     };
//!     0x19 dll: u8 if dlab { DIVISOR[7:0] };
//! }
//! ```
//! The device has a field `state` with a field `regs` of the type that the macro writes. A row: offset, name,
//! `[count; stride]` for an array, width (`u8` to `u64`), `if` a method that says whether the row is there at
//! present (banks), fields, reset value, hooks. A field: name, bits, [`Access`], names of its values. Rows and fields
//! may have doc comments; the traces and the device reference show them.
//!
//! **Hooks.** `read f`: `f()` gives the value read. `write f`: `f(value)` after the write rule was applied to the
//! stored register. `then f`: `f()` after a write, and after a read that cleared something. `get f`/`set f` instead:
//! nothing is stored, the methods are the register; `clear f` beside them: `f(bits)` after a read of RC bits that were
//! set, which `get` itself then need not clear. With W1C or W1S, `set` gets what the register becomes. Hooks of an array take the index first.
//! What in a row would be without effect does not compile ([`soundness`](crate::soundness)).
//!
//! **Widths.** `widths` lists what an access may be wide; it must be aligned to its width unless the table says
//! `unaligned` (`else fault, unaligned:`). What is neither faults, or is ignored and counted, as `else` says. A hart
//! never asks for a misaligned access as one: it sends its bytes.
//!
//! **Lanes.** An access narrower than a register reaches its lanes; a wider one reaches its neighbours as well, in
//! order of address. A narrow write merges with what is stored (with what `get` says, where nothing is), clears and
//! sets nothing in other lanes by W1C and W1S, and a narrow read clears RC bits in its own lanes only. Offsets count
//! from the least significant byte, or, if the table says `big` (`else fault, big:`), from the most significant one.

use crate::Saved;

/// What has a register table. Written by [`registers!`](crate::registers), never by hand.
pub trait Registers {
    /// The table: for dispatch, the monitor, the documentation and the test every device gets for free.
    fn table(&self) -> &'static Table;
    /// Whether row `row` is there at present.
    fn present(&self, row: usize) -> bool;
    /// Reads a register as the guest does.
    fn load(&mut self, row: usize, index: usize) -> u64;
    /// What is stored, without the effects of reading.
    fn stored(&mut self, row: usize, index: usize) -> u64;
    /// Writes a whole register as the guest does.
    fn store(&mut self, row: usize, index: usize, value: u64);
    /// Clears bits of what is stored, because they were read.
    fn clear(&mut self, row: usize, index: usize, bits: u64);
    /// All that is stored, to be saved and restored; `None` if nothing is.
    fn saved(&mut self) -> Option<&mut dyn Saved>;
}

/// A device's registers.
#[derive(Debug)]
pub struct Table {
    /// Bytes of address space, unless the device's properties say otherwise.
    pub size: u64,
    /// Legal widths of an access, in bytes.
    pub widths: &'static [u8],
    /// Whether an access need not be aligned to its width.
    pub unaligned: bool,
    /// Whether a register's first byte is its most significant one.
    pub big: bool,
    /// What any other access does.
    pub otherwise: Otherwise,
    /// The rows.
    pub rows: &'static [Register],
}

/// What an access of an illegal width or alignment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The guest gets an access fault.
    Fault,
    /// Reads give 0, writes are dropped; it is counted as a guest error.
    Ignore,
}

/// One row of a table: a register, or an array of them.
#[derive(Debug)]
pub struct Register {
    /// The datasheet's name, in lower case.
    pub name: &'static str,
    /// Bytes from the device's base.
    pub offset: u64,
    /// Bytes: 1, 2, 4 or 8.
    pub width: u8,
    /// How many there are.
    pub count: usize,
    /// Bytes from one to the next.
    pub stride: u64,
    /// The value after a reset.
    pub reset: u64,
    /// Whether it is stored, not only methods: then its fields alone tell what reads and writes do.
    pub plain: bool,
    /// Whether it has a value of its own, with or without hooks; else its methods are all there is.
    pub stored: bool,
    /// Its fields; bits in none are reserved: they read as zero and ignore writes.
    pub fields: &'static [(&'static str, Field)],
    /// The bits that a read shows.
    pub readable: u64,
    /// The bits that a write reaches.
    pub writable: u64,
    /// The bits that a read clears.
    pub read_clears: u64,
    /// What it is for: its doc comment, or empty.
    pub doc: &'static str,
}

impl Register {
    /// The index of the element that has the byte at `offset`, and that byte's lane in it.
    pub(crate) fn lane(&self, offset: u64) -> Option<(usize, u8)> {
        let from = offset.checked_sub(self.offset)?;
        // An array's elements do not overlap, so a stride of 0 is a single register's.
        let index = from.checked_div(self.stride).unwrap_or(0);
        let lane = from - index * self.stride;
        (index < self.count as u64 && lane < self.width.into()).then_some((index as usize, lane as u8))
    }
}

/// What the guest may do to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and write.
    RW,
    /// Writes change nothing.
    RO,
    /// Reads as zero.
    WO,
    /// Writing one clears.
    W1C,
    /// Writing one sets.
    W1S,
    /// Reading clears; writes change nothing.
    RC,
}

/// An unsigned register width.
pub trait Word: Copy {
    /// Zero-extended.
    fn widen(self) -> u64;
    /// The low bits.
    fn narrow(v: u64) -> Self;
}

macro_rules! words {
    ($($ty:ty)*) => {$(
        impl Word for $ty {
            fn widen(self) -> u64 {
                self.into()
            }
            fn narrow(v: u64) -> Self {
                v as $ty
            }
        }
    )*};
}
words! { u8 u16 u32 u64 }

/// Some neighbouring bits of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    lo: u32,
    mask: u64,
    access: Access,
    names: &'static [(&'static str, u64)],
    doc: &'static str,
}

impl Field {
    /// Bits `hi` down to `lo`.
    pub const fn new(hi: u32, lo: u32, access: Access) -> Self {
        Field { lo, mask: (u64::MAX >> (63 - (hi - lo))) << lo, access, names: &[], doc: "" }
    }
    /// The same with a doc comment and names of values.
    #[must_use]
    pub const fn told(self, doc: &'static str, names: &'static [(&'static str, u64)]) -> Self {
        Field { doc, names, ..self }
    }
    /// This field of `reg`.
    pub fn get<T: Word>(self, reg: T) -> T {
        T::narrow((reg.widen() & self.mask) >> self.lo)
    }
    /// Whether any bit of this field of `reg` is set.
    pub fn is_set<T: Word>(self, reg: T) -> bool {
        reg.widen() & self.mask != 0
    }
    /// `v`, placed where this field lies.
    pub fn at<T: Word>(self, v: T) -> T {
        T::narrow(v.widen() << self.lo & self.mask)
    }
    /// All ones here if `on`, else zero.
    pub fn when<T: Word>(self, on: bool) -> T {
        T::narrow(if on { self.mask } else { 0 })
    }
    /// `reg` with this field replaced by `v`.
    pub fn with<T: Word>(self, reg: T, v: T) -> T {
        T::narrow(reg.widen() & !self.mask | v.widen() << self.lo & self.mask)
    }
    /// Its bits.
    pub const fn mask(self) -> u64 {
        self.mask
    }
    /// Its lowest bit's number.
    pub const fn lo(self) -> u32 {
        self.lo
    }
    /// Its highest bit's number.
    pub const fn hi(self) -> u32 {
        63 - self.mask.leading_zeros()
    }
    /// What the guest may do to it.
    pub const fn access(self) -> Access {
        self.access
    }
    /// The values that have names.
    pub const fn names(self) -> &'static [(&'static str, u64)] {
        self.names
    }
    /// What it is for: its doc comment, or empty.
    pub const fn doc(self) -> &'static str {
        self.doc
    }
}

/// The bits of `fields` whose access is `access`.
pub const fn mask(fields: &[(&str, Field)], access: Access) -> u64 {
    let (mut i, mut m) = (0, 0);
    while i < fields.len() {
        if fields[i].1.access as u8 == access as u8 {
            m |= fields[i].1.mask;
        }
        i += 1;
    }
    m
}

/// What a register holds after the guest wrote `new` over `old`.
pub const fn written(fields: &[(&str, Field)], old: u64, new: u64) -> u64 {
    let kept = mask(fields, Access::RW) | mask(fields, Access::WO);
    ((old & !kept) | (new & kept) | (new & mask(fields, Access::W1S))) & !(new & mask(fields, Access::W1C))
}

/// Whether ones that are written mean something else than ones in `fields`.
pub const fn by_ones(fields: &[(&str, Field)]) -> bool {
    mask(fields, Access::W1C) | mask(fields, Access::W1S) != 0
}

/// The bits of `fields` that a read shows.
pub const fn readable(fields: &[(&str, Field)]) -> u64 {
    use Access::{RC, RO, RW, W1C, W1S};
    mask(fields, RW) | mask(fields, RO) | mask(fields, W1C) | mask(fields, W1S) | mask(fields, RC)
}

/// The bits of `fields` that a write reaches.
pub const fn writable(fields: &[(&str, Field)]) -> u64 {
    use Access::{RW, W1C, W1S, WO};
    mask(fields, RW) | mask(fields, WO) | mask(fields, W1C) | mask(fields, W1S)
}

pub use crate::access::{read, write};
