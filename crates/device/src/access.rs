//! What a guest's access does to a device with a register table: which registers it meets, and which of their lanes.

use crate::{
    Access, BusError, Device, Otherwise, Register, Table, log,
    regs::mask,
    trace::{self, Way},
};

/// The bits of a register `width` bytes wide.
pub(crate) fn ones(width: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(width.clamp(1, 8)))
}

/// The access is legal, or what becomes of it.
fn legal<D: ?Sized + Device>(
    device: &D,
    table: &Table,
    offset: u64,
    size: u8,
    what: &'static str,
) -> Result<bool, BusError> {
    if table.widths.contains(&size) && (table.unaligned || offset.is_multiple_of(size.into())) {
        return Ok(true);
    }
    log::guest_error(device.class().name, offset, what, format_args!(", {size} bytes wide"));
    match table.otherwise {
        Otherwise::Fault => Err(BusError::Refused),
        Otherwise::Ignore => Ok(false),
    }
}

/// What part of an access falls on one register.
struct Part {
    row: usize,
    index: usize,
    /// How many bytes of it.
    lanes: u8,
    /// Its lowest bit there.
    shift: u32,
}

impl Part {
    /// The present register at `offset` that a read (or a write) of at most `most` bytes reaches.
    fn find<D: ?Sized + Device>(device: &D, table: &Table, offset: u64, most: u8, way: Way) -> Option<Part> {
        table.rows.iter().enumerate().find_map(|(row, register)| {
            let (index, lane) = register.lane(offset)?;
            let reach = if way == Way::Write { register.writable } else { register.readable };
            if reach == 0 || !device.present(row) {
                return None;
            }
            let lanes = (register.width - lane).min(most);
            let first = if table.big { register.width - lane - lanes } else { lane };
            Some(Part { row, index, lanes, shift: 8 * u32::from(first) })
        })
    }

    /// The bits of the register that it reaches.
    fn bits(&self) -> u64 {
        ones(self.lanes) << self.shift
    }

    /// Turns bytes between the guest's order, the least significant first, and the table's.
    fn order(&self, table: &Table, value: u64) -> u64 {
        if table.big { value.swap_bytes() >> (64 - 8 * u32::from(self.lanes)) } else { value }
    }
}

/// A guest's read of a device by its table. See [`Device::read`].
///
/// # Errors
/// The table forbids the width or alignment.
#[inline]
pub fn read<D: ?Sized + Device>(device: &mut D, offset: u64, size: u8) -> Result<u64, BusError> {
    // Asked once, and before there is anything that the answer would have to be kept clear of.
    if trace::is_on() { traced_read(device, offset, size) } else { reading::<D, false>(device, offset, size) }
}

#[cold]
#[inline(never)]
fn traced_read<D: ?Sized + Device>(device: &mut D, offset: u64, size: u8) -> Result<u64, BusError> {
    reading::<D, true>(device, offset, size)
}

#[inline(always)]
fn reading<D: ?Sized + Device, const TRACED: bool>(
    device: &mut D,
    offset: u64,
    size: u8,
) -> Result<u64, BusError> {
    let table = device.table();
    if !legal(device, table, offset, size, "illegal read")? {
        return Ok(0);
    }
    let (mut value, mut done, mut missed) = (0, 0, None);
    while done < size {
        let at = offset.wrapping_add(done.into());
        let Some(part) = Part::find(device, table, at, size - done, Way::Read) else {
            missed = missed.or(Some(at));
            // No register is wider than its alignment: the next could begin 1 byte on.
            done += 1;
            continue;
        };
        let whole = device.load(part.row, part.index);
        if TRACED {
            trace::register(device, part.row, part.index, Way::Read, whole, part.bits());
        }
        let gone = whole & table.rows[part.row].read_clears & part.bits();
        if gone != 0 {
            device.clear(part.row, part.index, gone);
        }
        value |= part.order(table, whole >> part.shift & ones(part.lanes)) << (8 * done);
        done += part.lanes;
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
#[inline]
pub fn write<D: ?Sized + Device>(device: &mut D, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
    match trace::is_on() {
        true => traced_write(device, offset, size, value),
        false => writing::<D, false>(device, offset, size, value),
    }
}

#[cold]
#[inline(never)]
fn traced_write<D: ?Sized + Device>(
    device: &mut D,
    offset: u64,
    size: u8,
    value: u64,
) -> Result<(), BusError> {
    writing::<D, true>(device, offset, size, value)
}

#[inline(always)]
fn writing<D: ?Sized + Device, const TRACED: bool>(
    device: &mut D,
    offset: u64,
    size: u8,
    value: u64,
) -> Result<(), BusError> {
    let table = device.table();
    if !legal(device, table, offset, size, "illegal write")? {
        return Ok(());
    }
    let (mut done, mut missed) = (0, None);
    while done < size {
        let at = offset.wrapping_add(done.into());
        let Some(part) = Part::find(device, table, at, size - done, Way::Write) else {
            missed = missed.or(Some(at));
            done += 1;
            continue;
        };
        let register = &table.rows[part.row];
        let given = part.order(table, value >> (8 * done) & ones(part.lanes)) << part.shift;
        if TRACED {
            trace::register(device, part.row, part.index, Way::Write, given, part.bits());
        }
        let whole = if part.lanes == register.width { given } else { merged(device, &part, register, given) };
        device.store(part.row, part.index, whole);
        done += part.lanes;
    }
    if let Some(at) = missed {
        let what = "write to no register, or a read-only one";
        log::guest_error(device.class().name, at, what, format_args!(" of {value:#x}"));
    }
    Ok(())
}

/// A write to some lanes as one to the whole register.
fn merged<D: ?Sized + Device>(device: &mut D, part: &Part, register: &Register, given: u64) -> u64 {
    // Lanes that are not written must not clear or set anything either.
    let old = device.stored(part.row, part.index)
        & !mask(register.fields, Access::W1C)
        & !mask(register.fields, Access::W1S);
    old & !part.bits() | given
}
