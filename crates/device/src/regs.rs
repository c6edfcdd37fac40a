//! Register maps as tables. A field's access says what a write may do, so most registers need no code.
//!
//! ```text
//! registers! { Uart size 0x20, widths [1, 4] else ignore:
//!     0x00 data: u8 { DATA[7:0] }                       get receive set transmit;
//!     0x04 ie: u32 { RX[0], TX[1] } = 0x1               then sync;
//!     0x08 level[4; 4]: u32 { LEVEL[2:0] }              write level_set;
//!     0x18 dll: u8 if dlab { DIVISOR[7:0] };
//! }
//! ```
//! The device has a field `state` with a field `regs` of the type that the macro writes. A row: offset, name, `[count; stride]` for an array, width, `if` a method that says whether the row is there at
//! present (banks), fields, reset value, hooks. `read f`: `f()` gives the value read. `write f`: `f(value)` after
//! the write rule was applied to the stored register. `then f`: `f()` after a write. `get f`/`set f` instead:
//! nothing is stored, the methods are the register. Hooks of an array take the index first.
//!
//! An access narrower than a register reaches its lanes; a wider one reaches its neighbours as well, in order.
//! Narrow writes merge with what is stored (with what `get` says, where nothing is).

use crate::{BusError, Device, log};

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
}

/// A device's registers.
#[derive(Debug)]
pub struct Table {
    /// Bytes of address space, unless the device's properties say otherwise.
    pub size: u64,
    /// Legal widths of an access, in bytes; it must also be aligned to its width.
    pub widths: &'static [u8],
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
    /// Its fields; bits in none are reserved: they read as zero and ignore writes.
    pub fields: &'static [(&'static str, Field)],
}

impl Register {
    /// The index of the element that has the byte at `offset`, and that byte's lane in it.
    fn lane(&self, offset: u64) -> Option<(usize, u8)> {
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
}

impl Field {
    /// Bits `hi` down to `lo`.
    pub const fn new(hi: u32, lo: u32, access: Access) -> Self {
        Field { lo, mask: (u64::MAX >> (63 - (hi - lo))) << lo, access }
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
    /// What the guest may do to it.
    pub const fn access(self) -> Access {
        self.access
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

/// The bits of `fields` that a read shows.
pub const fn readable(fields: &[(&str, Field)]) -> u64 {
    use Access::{RO, RW, W1C, W1S};
    mask(fields, RW) | mask(fields, RO) | mask(fields, W1C) | mask(fields, W1S)
}

/// The bits of `fields` that a write reaches.
pub const fn writable(fields: &[(&str, Field)]) -> u64 {
    use Access::{RW, W1C, W1S, WO};
    mask(fields, RW) | mask(fields, WO) | mask(fields, W1C) | mask(fields, W1S)
}

/// The bits of a register `width` bytes wide.
fn ones(width: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(width.clamp(1, 8)))
}

/// The access is legal, or what becomes of it.
fn legal<D: ?Sized + Device>(
    device: &D,
    offset: u64,
    size: u8,
    what: &'static str,
) -> Result<bool, BusError> {
    let table = device.table();
    if table.widths.contains(&size) && offset.is_multiple_of(size.into()) {
        return Ok(true);
    }
    log::guest_error(device.class().name, offset, what, format_args!(", {size} bytes wide"));
    match table.otherwise {
        Otherwise::Fault => Err(BusError::Refused),
        Otherwise::Ignore => Ok(false),
    }
}

/// The present register at `offset` that a read (or a write) reaches: row, index, lane.
fn find<D: ?Sized + Device>(device: &D, offset: u64, write: bool) -> Option<(usize, usize, u8)> {
    device.table().rows.iter().enumerate().find_map(|(row, register)| {
        let (index, lane) = register.lane(offset)?;
        let reach = if write { writable(register.fields) } else { readable(register.fields) };
        (reach != 0 && device.present(row)).then_some((row, index, lane))
    })
}

/// A guest's read of a device by its table. See [`Device::read`].
///
/// # Errors
/// The table forbids the width or alignment.
pub fn read<D: ?Sized + Device>(device: &mut D, offset: u64, size: u8) -> Result<u64, BusError> {
    if !legal(device, offset, size, "illegal read")? {
        return Ok(0);
    }
    let (mut value, mut done, mut missed) = (0, 0, None);
    while done < size {
        let at = offset + u64::from(done);
        let Some((row, index, lane)) = find(device, at, false) else {
            missed = missed.or(Some(at));
            // No register is wider than its alignment: the next could begin 1 byte on.
            done += 1;
            continue;
        };
        let lanes = (device.table().rows[row].width - lane).min(size - done);
        let part = device.load(row, index) >> (8 * lane) & ones(lanes);
        value |= part << (8 * done);
        done += lanes;
    }
    if let Some(at) = missed {
        log::guest_error(device.class().name, at, "read of no register", format_args!(", {size} bytes wide"));
    }
    Ok(value)
}

/// A guest's write to a device by its table. See [`Device::write`].
///
/// # Errors
/// The table forbids the width or alignment.
pub fn write<D: ?Sized + Device>(device: &mut D, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
    if !legal(device, offset, size, "illegal write")? {
        return Ok(());
    }
    let (mut done, mut missed) = (0, None);
    while done < size {
        let at = offset + u64::from(done);
        let Some((row, index, lane)) = find(device, at, true) else {
            missed = missed.or(Some(at));
            done += 1;
            continue;
        };
        let width = device.table().rows[row].width;
        let lanes = (width - lane).min(size - done);
        let part = (value >> (8 * done) & ones(lanes)) << (8 * lane);
        let whole = if lanes == width {
            part
        } else {
            let (fields, mask) = (device.table().rows[row].fields, ones(lanes) << (8 * lane));
            // Lanes that are not written must not clear or set anything either.
            let old = device.stored(row, index)
                & !self::mask(fields, Access::W1C)
                & !self::mask(fields, Access::W1S);
            old & !mask | part
        };
        device.store(row, index, whole);
        done += lanes;
    }
    if let Some(at) = missed {
        let what = "write to no register, or a read-only one";
        log::guest_error(device.class().name, at, what, format_args!(" of {value:#x}"));
    }
    Ok(())
}

/// Declares a device's registers; see [`regs`](crate::regs).
///
/// It writes `Regs` (the stored registers, serde, its default is reset), a module of field constants for each row,
/// and `impl Registers`.
#[macro_export]
macro_rules! registers {
    ($device:ident size $size:expr, widths [$($widths:literal),*] else $otherwise:ident:
    $(
        $offset:literal $reg:ident $([$count:expr; $stride:expr])? : $ty:ident
        $(if $guard:ident)?
        { $($field:ident [$($bits:tt)+] $($access:ident)?),* $(,)? }
        $(= $reset:literal)?
        $(read $read:ident)? $(write $write:ident)? $(get $get:ident)? $(set $set:ident)? $(then $then:ident)?;
    )*) => {
        // Serde takes a path as text, where a macro's own crate has no name.
        #[allow(unused_imports)]
        use $crate::serde as __hartwright_serde;

        /// The registers' values; their fields are in the modules of the same names.
        #[derive(Clone, Debug, PartialEq, Eq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "__hartwright_serde")]
        #[allow(missing_docs, unreachable_pub)]
        pub struct Regs {
            $(pub $reg: $crate::register_cell!(type $ty [$($count)?] [$($get)? $($set)?])),*
        }

        impl Default for Regs {
            fn default() -> Self {
                Regs {
                    $($reg: $crate::register_cell!(reset (0 $(+ $reset)?) [$($count)?] [$($get)? $($set)?])),*
                }
            }
        }

        $(
            #[allow(missing_docs, unreachable_pub, dead_code)]
            pub mod $reg {
                use $crate::{register_field, Field};
                $(pub const $field: Field = register_field!([$($bits)+] $($access)?);)*
                pub const FIELDS: &[(&str, Field)] = &[$((stringify!($field), $field)),*];
            }
        )*

        $(const _: () = assert!(
            1 $(- 1 + $count)? == 1 || 0 $(+ $stride)? >= size_of::<$ty>(),
            concat!("the elements of ", stringify!($reg), " overlap"),
        );)*

        impl $crate::Registers for $device {
            fn table(&self) -> &'static $crate::Table {
                static TABLE: $crate::Table = $crate::Table {
                    size: $size,
                    widths: &[$($widths),*],
                    otherwise: $crate::register_cell!(otherwise $otherwise),
                    rows: &[$($crate::Register {
                        name: stringify!($reg),
                        offset: $offset,
                        width: size_of::<$ty>() as u8,
                        count: 1 $(- 1 + $count)?,
                        stride: 0 $(+ $stride)?,
                        reset: 0 $(+ $reset as u64)?,
                        plain: $crate::register_cell!(plain [$($read)? $($write)? $($get)? $($set)?]),
                        fields: $reg::FIELDS,
                    }),*],
                };
                &TABLE
            }

            fn present(&self, row: usize) -> bool {
                #[allow(non_camel_case_types, clippy::enum_variant_names)]
                enum Row { $($reg),* }
                $($(if row == Row::$reg as usize { return self.$guard(); })?)*
                let _ = (row, $(Row::$reg),*);
                true
            }

            fn load(&mut self, row: usize, index: usize) -> u64 {
                #[allow(non_camel_case_types, clippy::enum_variant_names)]
                enum Row { $($reg),* }
                $(if row == Row::$reg as usize {
                    let value = $crate::register_cell!(
                        load self index [$reg] [$($count)?] [$($read)?] [$($get)?] [$($get)? $($set)?]
                    );
                    return value & $crate::regs::readable($reg::FIELDS);
                })*
                let _ = (row, index);
                0
            }

            fn stored(&mut self, row: usize, index: usize) -> u64 {
                #[allow(non_camel_case_types, clippy::enum_variant_names)]
                enum Row { $($reg),* }
                $(if row == Row::$reg as usize {
                    return $crate::register_cell!(
                        load self index [$reg] [$($count)?] [] [$($get)?] [$($get)? $($set)?]
                    );
                })*
                let _ = (row, index);
                0
            }

            fn store(&mut self, row: usize, index: usize, value: u64) {
                #[allow(non_camel_case_types, clippy::enum_variant_names)]
                enum Row { $($reg),* }
                $(if row == Row::$reg as usize {
                    $crate::register_cell!(
                        store self index value $ty $reg [$reg] [$($count)?] [$($get)? $($set)?]
                    );
                    $crate::register_cell!(call self [$($write)?] index (value as $ty) [$($count)?]);
                    $crate::register_cell!(call self [$($set)?] index (value as $ty) [$($count)?]);
                    $crate::register_cell!(call self [$($then)?] index () [$($count)?]);
                    return;
                })*
                let _ = (row, index, value);
            }
        }
    };
}

/// One register's storage and access, by whether it is an array and whether it is stored.
#[doc(hidden)]
#[macro_export]
macro_rules! register_cell {
    (otherwise fault) => { $crate::Otherwise::Fault };
    (otherwise ignore) => { $crate::Otherwise::Ignore };

    (plain []) => { true };
    (plain [$($hook:ident)+]) => { false };

    (type $ty:ident [] []) => { $ty };
    (type $ty:ident [$count:expr] []) => { Vec<$ty> };
    (type $ty:ident [$($count:expr)?] [$($live:ident)+]) => { () };

    (reset $reset:tt [] []) => { $reset };
    (reset $reset:tt [$count:expr] []) => { vec![$reset; $count] };
    (reset $reset:tt [$($count:expr)?] [$($live:ident)+]) => { () };

    (load $self:ident $index:ident $at:tt [] [$read:ident] [] []) => { u64::from($self.$read()) };
    (load $self:ident $index:ident $at:tt [$count:expr] [$read:ident] [] []) => { u64::from($self.$read($index)) };
    (load $self:ident $index:ident $at:tt [] [] [$get:ident] $live:tt) => { u64::from($self.$get()) };
    (load $self:ident $index:ident $at:tt [$count:expr] [] [$get:ident] $live:tt) => { u64::from($self.$get($index)) };
    (load $self:ident $index:ident $at:tt [$($count:expr)?] [] [] [$set:ident]) => { 0u64 };
    (load $self:ident $index:ident [$at:ident] [] [] [] []) => { u64::from($self.state.regs.$at) };
    (load $self:ident $index:ident [$at:ident] [$count:expr] [] [] []) => {
        $self.state.regs.$at.get($index).map_or(0, |value| u64::from(*value))
    };

    (store $self:ident $index:ident $value:ident $ty:ident $reg:ident [$at:ident] [] []) => {
        $self.state.regs.$at = $crate::regs::written($reg::FIELDS, $self.state.regs.$at as u64, $value) as $ty
    };
    (store $self:ident $index:ident $value:ident $ty:ident $reg:ident [$at:ident] [$count:expr] []) => {
        if let Some(cell) = $self.state.regs.$at.get_mut($index) {
            *cell = $crate::regs::written($reg::FIELDS, *cell as u64, $value) as $ty;
        }
    };
    (store $self:ident $index:ident $value:ident $ty:ident $reg:ident $at:tt [$($count:expr)?] [$($live:ident)+]) => {};

    (call $self:ident [] $index:ident $value:tt $array:tt) => {};
    (call $self:ident [$hook:ident] $index:ident () []) => { $self.$hook() };
    (call $self:ident [$hook:ident] $index:ident () [$count:expr]) => { $self.$hook($index) };
    (call $self:ident [$hook:ident] $index:ident $value:tt []) => { $self.$hook($value) };
    (call $self:ident [$hook:ident] $index:ident $value:tt [$count:expr]) => { $self.$hook($index, $value) };
}

/// One field: `[7:0]` or `[31]`, and its access if it is not plain.
#[doc(hidden)]
#[macro_export]
macro_rules! register_field {
    ([$bit:literal]) => {
        Field::new($bit, $bit, $crate::Access::RW)
    };
    ([$bit:literal] $access:ident) => {
        Field::new($bit, $bit, $crate::Access::$access)
    };
    ([$hi:literal : $lo:literal]) => {
        Field::new($hi, $lo, $crate::Access::RW)
    };
    ([$hi:literal : $lo:literal] $access:ident) => {
        Field::new($hi, $lo, $crate::Access::$access)
    };
}
