//! What every device must do, asked of a device by its register table.

use crate::{Access, Device, Otherwise, regs};

/// Checks any realized device against its own table: rows fit and do not collide, read-only fields stay, reserved
/// bits read as zero, plain registers follow the write rule, reset restores, odd accesses do what the table says,
/// and no access at all panics.
///
/// # Errors
/// A sentence that names the register and what was wrong.
pub fn conforms(device: &mut dyn Device) -> Result<(), String> {
    if device.properties().iter().any(|(p, _)| p.doc.is_empty()) || device.class().doc.is_empty() {
        return Err("the type or a property has no documentation".into());
    }
    rows_fit(device)?;
    device.reset();
    resets(device)?;
    plain_registers(device)?;
    odd_accesses(device)?;
    noise(device);
    device.reset();
    resets(device)
}

fn rows_fit(device: &dyn Device) -> Result<(), String> {
    let rows = device.table().rows;
    for row in rows {
        let end = row.offset + row.stride * (row.count as u64 - 1) + u64::from(row.width);
        if end > device.table().size {
            return Err(format!("{} ends at {end:#x}, beyond the device", row.name));
        }
        if row.count > 1 && row.stride < row.width.into() {
            return Err(format!("{}: its elements overlap", row.name));
        }
        let mut seen = 0;
        for (name, field) in row.fields {
            if field.mask() & seen != 0 {
                return Err(format!("{}.{name} overlaps another field", row.name));
            }
            seen |= field.mask();
        }
        if row.width < 8 && seen >> (8 * row.width) != 0 {
            return Err(format!("{} has a field beyond its {} bytes", row.name, row.width));
        }
        if row.reset & !seen != 0 {
            return Err(format!("{} resets bits that are in no field", row.name));
        }
    }
    Ok(())
}

/// After a reset, plain registers hold their reset values.
fn resets(device: &mut dyn Device) -> Result<(), String> {
    for (row, register) in device.table().rows.iter().enumerate().filter(|(_, r)| r.plain) {
        for index in samples(register.count) {
            let got = device.stored(row, index);
            if got != register.reset {
                return Err(format!(
                    "{}[{index}] is {got:#x} after a reset, not {:#x}",
                    register.name, register.reset
                ));
            }
        }
    }
    Ok(())
}

fn plain_registers(device: &mut dyn Device) -> Result<(), String> {
    let rows = device.table().rows;
    for (row, register) in rows.iter().enumerate().filter(|(_, r)| r.plain) {
        let (ro, all) =
            (regs::mask(register.fields, Access::RO), u64::MAX >> (64 - 8 * u32::from(register.width)));
        for (index, value) in samples(register.count)
            .into_iter()
            .flat_map(|i| [0, all, 0x5555_5555_5555_5555 & all].map(|v| (i, v)))
        {
            if !device.present(row) {
                continue;
            }
            let old = device.stored(row, index);
            device.store(row, index, value);
            let new = device.stored(row, index);
            // A `then` may change read-only bits, which are the device's own to change.
            if (new ^ regs::written(register.fields, old, value)) & !ro != 0 {
                return Err(format!("{}[{index}]: {value:#x} over {old:#x} gave {new:#x}", register.name));
            }
            if device.present(row) && device.load(row, index) & !regs::readable(register.fields) != 0 {
                return Err(format!("{}[{index}]: a reserved or write-only bit reads as one", register.name));
            }
        }
        device.reset();
    }
    Ok(())
}

fn odd_accesses(device: &mut dyn Device) -> Result<(), String> {
    let table = device.table();
    for size in [1, 2, 4, 8u8] {
        let legal = table.widths.contains(&size);
        for offset in [0, u64::from(size) / 2 | 1] {
            let aligned = offset % u64::from(size) == 0;
            let faults = table.otherwise == Otherwise::Fault && !(legal && aligned);
            let (read, write) = (regs::read(device, offset, size), regs::write(device, offset, size, 0));
            if read.is_err() != faults || write.is_err() != faults {
                return Err(format!("{size} bytes at {offset:#x}: read {read:?}, write {write:?}"));
            }
        }
    }
    device.reset();
    Ok(())
}

/// Random accesses and inputs: the device may do what it likes, but must return.
fn noise(device: &mut dyn Device) {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let rows = device.table().rows;
    for _ in 0..20_000 {
        let register = &rows[next() as usize % rows.len()];
        let element = register.stride * (next() % register.count as u64);
        let (offset, size) = (register.offset + element + next() % 4 * (next() % 3), 1 << (next() % 4));
        // Faults are answers too.
        let _ = match next() % 8 {
            0..3 => device.read(offset, size).map(drop),
            3..6 => device.write(offset, size, next() >> (next() % 64)),
            6 => device.read(next() % device.size().max(1), size).map(drop),
            _ => {
                let pins = device.inputs().max(1);
                device.input(next() as u32 % pins, next() % 2 == 1);
                Ok(())
            }
        };
    }
}

/// The first, the last, and one between.
fn samples(count: usize) -> Vec<usize> {
    let mut samples = vec![0, count / 2, count.saturating_sub(1)];
    samples.dedup();
    samples
}
