//! What every device must do, asked of a device by its register table.

use crate::{Access, Device, Otherwise, regs};

/// Checks any realized device against its own table: rows fit and do not collide, read-only fields stay, reserved
/// bits read as zero, plain registers follow the write rule, reset restores, odd accesses do what the table says, no
/// access at all panics, and a state that was saved comes back.
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
    comes_back(device)?;
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
        let (ro, all) = (
            regs::mask(register.fields, Access::RO) | register.read_clears,
            u64::MAX >> (64 - 8 * u32::from(register.width)),
        );
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
            if device.present(row) && device.load(row, index) & !register.readable != 0 {
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
            let faults = table.otherwise == Otherwise::Fault && !(legal && (aligned || table.unaligned));
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
        seed as u8
    };
    let bytes: Vec<u8> = (0..200_000).map(|_| next()).collect();
    any_access(device, &bytes);
}

/// Does to `device` what `bytes` say, whatever they are: reads, writes, input pins, saving and restoring, resets.
///
/// An access is mostly to a register, beside it, or across its end, now and then anywhere. It must not panic, whatever
/// the bytes; a fuzzer can ask for no more, and no less.
pub fn any_access(device: &mut dyn Device, bytes: &[u8]) {
    let rows = device.table().rows;
    let mut bytes = bytes.iter().copied();
    let mut saved = None;
    while let Some(what) = bytes.next() {
        let mut number =
            |size: usize| bytes.by_ref().take(size).fold(0, |number, byte| number << 8 | u64::from(byte));
        let size = 1 << (what >> 6);
        let place = number(1) as usize;
        let offset = match rows.get(place % (rows.len() + 1)) {
            Some(row) => {
                let element = number(if row.count > 256 { 4 } else { 1 }) % row.count as u64;
                let beside = if what & 0x20 != 0 { number(1) % 8 } else { 0 };
                row.offset + row.stride * element + beside
            }
            None if what & 0x20 != 0 => number(8),
            None => number(4) % device.size().max(1),
        };
        // Faults are answers too.
        match what & 0x1f {
            0..12 => {
                let _ = device.read(offset, size);
            }
            12..26 => {
                let value = number(size.into());
                let _ = device.write(offset, size, value);
            }
            26..30 => {
                let pin = number(1) as u32 % device.inputs().max(1);
                device.input(pin, what & 0x40 != 0);
            }
            30 => match (&saved, device.state()) {
                (None, Some(state)) => saved = state.save().ok(),
                (Some(text), Some(state)) => {
                    drop(state.restore(text));
                    device.restored();
                }
                (_, None) => {}
            },
            _ => device.reset(),
        }
    }
}

/// What is saved after `noise`, and restored after a reset, reads as it did.
fn comes_back(device: &mut dyn Device) -> Result<(), String> {
    let Some(state) = device.state() else { return Ok(()) };
    let saved = state.save()?;
    let before = reads(device);
    device.reset();
    let Some(state) = device.state() else { return Err("it has a state now and then".into()) };
    if state.restore("").is_ok() {
        return Err("it takes an empty text for a state".into());
    }
    state.restore(&saved)?;
    if state.save()? != saved {
        return Err("what is restored is not what was saved".into());
    }
    device.restored();
    let after = reads(device);
    match before.into_iter().zip(after).find(|(before, after)| before != after) {
        None => Ok(()),
        Some(((name, index, before), (.., after))) => {
            Err(format!("{name}[{index}] was {before:#x} when saved, and is {after:#x} when restored"))
        }
    }
}

/// What the guest reads in all registers that are there, of long arrays in some; reading may change the device.
fn reads(device: &mut dyn Device) -> Vec<(&'static str, usize, u64)> {
    let mut all = vec![];
    for (row, register) in device.table().rows.iter().enumerate() {
        for index in (0..register.count.min(64)).chain(samples(register.count)) {
            if register.readable != 0 && device.present(row) {
                all.push((register.name, index, device.load(row, index)));
            }
        }
    }
    all
}

/// The first, the last, and one between.
fn samples(count: usize) -> Vec<usize> {
    let mut samples = vec![0, count / 2, count.saturating_sub(1)];
    samples.dedup();
    samples
}
