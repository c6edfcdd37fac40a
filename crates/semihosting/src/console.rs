//! The console: the port of `chardev=`, or else the host's standard error output and standard input, as in QEMU.

use crate::{
    call::{Answer, Call, End, Wait},
    memory::MOST,
};
use hartwright_mem::PAGE;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    stdio::stderr,
};
use std::os::fd::BorrowedFd;

/// What QEMU leaves in `a0` of calls that return nothing: "corrupted", says the specification.
const NOTHING: u64 = 0xdead_beef;

/// `SYS_WRITEC`: writes the byte at the parameter.
pub(crate) fn write_byte(call: &mut Call<'_>) -> Answer {
    print(call, Some(1))
}

/// `SYS_WRITE0`: writes the string at the parameter.
pub(crate) fn write_string(call: &mut Call<'_>) -> Answer {
    print(call, None)
}

/// `SYS_READC`: the next byte.
pub(crate) fn read_byte(call: &mut Call<'_>) -> Answer {
    if call.debugger_serves() {
        // Where nothing is: the byte is taken on its way.
        let place = call.parameter..call.parameter.wrapping_add(1);
        let reply = call.ask_debugger(format!("Fread,0,{:x},1", place.start), Some(place))?;
        return reply.captured.first().map(|byte| u64::from(*byte)).ok_or(Errno::IO.into());
    }
    if let Some(port) = &call.host.console {
        return port.read().map(u64::from).ok_or(End::Wait(Wait::Console));
    }
    let bytes = call.host.input.read(1, &call.host.bells()).ok_or(End::Wait(Wait::Input))??;
    // At the end there is none, and QEMU has no word for that.
    bytes.first().map(|byte| u64::from(*byte)).ok_or(Errno::IO.into())
}

/// Writes a byte, or as many as there are before a NUL.
fn print(call: &mut Call<'_>, count: Option<u64>) -> Answer {
    match written(call, count) {
        Err(End::Error(error)) => call.fail(error),
        Err(wait) => return Err(wait),
        Ok(()) => {}
    }
    Ok(NOTHING)
}

fn written(call: &mut Call<'_>, count: Option<u64>) -> Answer<()> {
    let (all, ended) = match count {
        Some(count) => (count, true),
        None => length(call)?,
    };
    call.all(call.parameter, all, true)?;
    if !ended {
        return Err(Errno::NAMETOOLONG.into());
    }
    if call.debugger_serves() {
        const ERRORS: u32 = 2;
        let packet = format!("Fwrite,{ERRORS:x},{:x},{all:x}", call.parameter);
        return call.ask_debugger(packet, None).map(drop);
    }
    while call.turn.done < all {
        let here = call.parameter.wrapping_add(call.turn.done);
        let mut bytes = [0; PAGE as usize];
        let part = &mut bytes[..(PAGE - here % PAGE).min(all - call.turn.done) as usize];
        call.read(here, part)?;
        match &call.host.console {
            None => write_all(stderr(), part)?,
            Some(port) => {
                if let Some(refused) = part.iter().position(|byte| !port.write(*byte)) {
                    call.turn.done += refused as u64;
                    return Err(End::Wait(Wait::Output));
                }
            }
        }
        call.turn.done += part.len() as u64;
    }
    Ok(())
}

/// How many bytes are before the NUL, and whether there is one before [`MOST`].
fn length(call: &Call<'_>) -> Answer<(u64, bool)> {
    let mut length = 0;
    while length < MOST {
        let here = call.parameter.wrapping_add(length);
        let mut bytes = [0; PAGE as usize];
        let part = &mut bytes[..(PAGE - here % PAGE) as usize];
        call.read(here, part)?;
        match part.iter().position(|byte| *byte == 0) {
            Some(end) => return Ok((length + end as u64, true)),
            None => length += part.len() as u64,
        }
    }
    Ok((length, false))
}

/// Writes everything, waiting for the host where others have told it not to.
pub(crate) fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&to, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
