//! DBCN: a console for debugging, which is the machine's first serial port (chapter 12).

use crate::call::{Answer, Call, End, Error, Extension, Function};
use hartwright_device::CharPort;
use hartwright_mem::{AddressSpace, PAGE, Place};

#[rustfmt::skip]
pub(super) const DBCN: Extension = Extension {
    id: 0x4442_434e,
    name: "DBCN",
    functions: &[
        Function { id: 0, name: "sbi_debug_console_write",      run: write },
        Function { id: 1, name: "sbi_debug_console_read",       run: read },
        Function { id: 2, name: "sbi_debug_console_write_byte", run: write_byte },
    ],
};

/// The most bytes moved at once: a call may move fewer than it was asked to, and says how many.
const MOST: u64 = PAGE;

/// The physical addresses of the buffer that is argument 0 bytes at arguments 1 and 2, which must be RAM.
fn buffer(call: &Call<'_>) -> Result<(u64, u64), Error> {
    let (len, low, high) = (call.argument(0), call.argument(1), call.argument(2));
    let Some(more) = len.checked_sub(1) else { return Ok((low, 0)) };
    let last = low.checked_add(more).ok_or(Error::InvalidParam)?;
    if high != 0 || !is_ram(call.hart.space(), low, last) {
        return Err(Error::InvalidParam);
    }
    Ok((low, len))
}

fn is_ram(space: &AddressSpace, first: u64, last: u64) -> bool {
    let region =
        |addr| space.regions().position(|region| addr >= region.base && addr - region.base < region.size);
    let same = region(first).is_some() && region(first) == region(last);
    same && matches!(space.place(first), Place::Ram(_))
}

fn write(call: &mut Call<'_>) -> Answer {
    let (at, len) = buffer(call)?;
    let mut bytes = vec![0; len.min(MOST) as usize];
    call.hart.space().read_bytes(at, &mut bytes).map_err(|_| Error::InvalidParam)?;
    let console = &call.sbi.console;
    Ok(bytes.into_iter().take_while(|byte| console.write(*byte)).count() as u64)
}

fn read(call: &mut Call<'_>) -> Answer {
    let (at, len) = buffer(call)?;
    let bytes: Vec<u8> =
        std::iter::from_fn(|| call.sbi.console.read()).take(len.min(MOST) as usize).collect();
    call.hart.space().write_bytes(at, &bytes).map_err(|_| Error::InvalidParam)?;
    Ok(bytes.len() as u64)
}

fn write_byte(call: &mut Call<'_>) -> Answer {
    put(&call.sbi.console, call.argument(0) as u8)
}

/// Writes a byte, if need be later: the call is made until there is room.
pub(super) fn put(console: &CharPort, byte: u8) -> Answer {
    if console.write(byte) { Ok(0) } else { Err(End::Again) }
}
