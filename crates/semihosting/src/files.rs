//! Files: the host's, the debugger's, and the two that the specification makes up (`:tt`, `:semihosting-features`).

use crate::{
    call::{Answer, Call, End, Wait},
    console::write_all,
    debugger::{STAT, flags},
    handle::Handle,
    memory::{MOST, PIECE},
};
use rustix::{
    fs::{FileType, Mode, OFlags, SeekFrom},
    io::Errno,
};

/// `:semihosting-features`: "SHFB", then `SH_EXT_EXIT_EXTENDED` and `SH_EXT_STDOUT_STDERR` (chapter 4).
const FEATURES: &[u8] = b"SHFB\x03";

/// Who may read and write a new file.
const NEW: u32 = 0o644;

/// How `fopen` opens by each number (section "SYS_OPEN"): r, r+, w, w+, a, a+, each also with b.
fn open_flags(mode: u64) -> Option<OFlags> {
    let new = OFlags::CREATE | OFlags::TRUNC;
    let end = OFlags::CREATE | OFlags::APPEND;
    let flags = [
        OFlags::RDONLY,
        OFlags::RDWR,
        OFlags::WRONLY | new,
        OFlags::RDWR | new,
        OFlags::WRONLY | end,
        OFlags::RDWR | end,
    ];
    flags.get(usize::try_from(mode / 2).ok()?).copied()
}

/// `SYS_OPEN`.
pub(crate) fn open(call: &mut Call<'_>) -> Answer {
    let [name, mode, length] = call.block()?;
    let path = call.string(name)?;
    let how = open_flags(mode).ok_or(Errno::INVAL)?;
    let handle = match &*path {
        b":tt" if call.debugger_serves() => Handle::Debugger(mode / 4),
        b":tt" => match mode / 4 {
            0 => Handle::Input,
            1 => Handle::Output,
            _ => Handle::Errors,
        },
        b":semihosting-features" if mode > 1 => return Err(Errno::ACCESS.into()),
        b":semihosting-features" => Handle::Features(0),
        _ => {
            call.ends(name, length)?;
            if call.debugger_serves() {
                let (size, how) = (path.len() + 1, flags(how));
                let packet = format!("Fopen,{name:x}/{size:x},{how:x},{NEW:x}");
                Handle::Debugger(call.ask_debugger(packet, None)?.value as u64)
            } else {
                let how = how | OFlags::CLOEXEC | OFlags::NOCTTY;
                Handle::File(rustix::fs::open(&*path, how, Mode::from_raw_mode(NEW))?)
            }
        }
    };
    Ok(call.files.add(handle)?)
}

/// `SYS_CLOSE`.
pub(crate) fn close(call: &mut Call<'_>) -> Answer {
    let [number] = call.block()?;
    if let Handle::Debugger(file) = *call.files.get(number)? {
        call.ask_debugger(format!("Fclose,{file:x}"), None)?;
    }
    // What a standard stream is to the host outlives the handle.
    drop(call.files.remove(number)?);
    Ok(0)
}

/// `SYS_WRITE`: how many bytes were not written.
pub(crate) fn write(call: &mut Call<'_>) -> Answer {
    let [number, buffer, length] = call.block()?;
    moved(call, length, |call| put(call, number, buffer, length.min(MOST)))
}

/// `SYS_READ`: how many bytes were not read.
pub(crate) fn read(call: &mut Call<'_>) -> Answer {
    let [number, buffer, length] = call.block()?;
    moved(call, length, |call| get(call, number, buffer, length.min(MOST)))
}

/// What is left of `length` when `transfer` has moved some; after an error it has moved nothing.
fn moved(call: &mut Call<'_>, length: u64, transfer: impl FnOnce(&mut Call<'_>) -> Answer) -> Answer {
    match transfer(call) {
        Ok(count) => Ok(length.wrapping_sub(count)),
        Err(End::Error(error)) => {
            call.fail(error);
            Ok(length)
        }
        Err(wait) => Err(wait),
    }
}

fn put(call: &mut Call<'_>, number: u64, buffer: u64, length: u64) -> Answer {
    if let Handle::Debugger(file) = *call.files.get(number)? {
        return call.ask_debugger(format!("Fwrite,{file:x},{buffer:x},{length:x}"), None).map(Into::into);
    }
    if matches!(call.files.get(number)?, Handle::Features(_)) {
        return Err(Errno::BADF.into());
    }
    call.all(buffer, length, true)?;
    let mut bytes = vec![0; PIECE.min(length as usize)];
    let mut done = 0;
    while done < length {
        let part = &mut bytes[..(PIECE as u64).min(length - done) as usize];
        call.read(buffer.wrapping_add(done), part)?;
        let to = call.files.get(number)?.descriptor().ok_or(Errno::BADF)?;
        match write_all(to, part) {
            Ok(()) => done += part.len() as u64,
            Err(error) if done == 0 => return Err(error.into()),
            // The guest is told how much is missing, and meets the error when it tries again.
            Err(_) => break,
        }
    }
    Ok(done)
}

fn get(call: &mut Call<'_>, number: u64, buffer: u64, length: u64) -> Answer {
    if let Handle::Debugger(file) = *call.files.get(number)? {
        return call.ask_debugger(format!("Fread,{file:x},{buffer:x},{length:x}"), None).map(Into::into);
    }
    let mut bytes = vec![0; PIECE.min(length as usize)];
    let mut done = 0;
    while done < length {
        let most = (PIECE as u64).min(length - done);
        // Before anything is read: what is read and cannot be handed over is lost.
        call.all(buffer.wrapping_add(done), most, false)?;
        let (got, more) = some(call, number, &mut bytes[..most as usize])?;
        call.write(buffer.wrapping_add(done), &bytes[..got])?;
        done += got as u64;
        if !more || (got as u64) < most {
            break;
        }
    }
    Ok(done)
}

/// Reads once; how many bytes that were, and whether to try for more: a pipe or terminal would wait for them.
fn some(call: &mut Call<'_>, number: u64, bytes: &mut [u8]) -> Answer<(usize, bool)> {
    let (input, bell) = (call.host.input.clone(), call.host.bells());
    match call.files.get(number)? {
        Handle::Features(at) => {
            let rest = &FEATURES[*at..];
            let count = rest.len().min(bytes.len());
            bytes[..count].copy_from_slice(&rest[..count]);
            *at += count;
            Ok((count, false))
        }
        Handle::Input => {
            let got = input.read(bytes.len(), &bell).ok_or(End::Wait(Wait::Input))??;
            bytes[..got.len()].copy_from_slice(&got);
            Ok((got.len(), false))
        }
        handle => {
            let from = handle.descriptor().ok_or(Errno::BADF)?;
            let regular = FileType::from_raw_mode(rustix::fs::fstat(from)?.st_mode).is_file();
            loop {
                match rustix::io::read(from, &mut *bytes) {
                    Err(Errno::INTR) => {}
                    got => return Ok((got?, regular)),
                }
            }
        }
    }
}

/// `SYS_ISTTY`: whether it is a terminal; only a bad handle is an error.
pub(crate) fn is_tty(call: &mut Call<'_>) -> Answer {
    let [number] = call.block()?;
    match call.files.get(number)? {
        Handle::Debugger(file) => {
            let packet = format!("Fisatty,{file:x}");
            call.ask_debugger(packet, None).map(|reply| u64::from(reply.value != 0))
        }
        handle => Ok(handle.descriptor().is_some_and(rustix::termios::isatty).into()),
    }
}

/// `SYS_SEEK`: to a place from the beginning.
pub(crate) fn seek(call: &mut Call<'_>) -> Answer {
    let [number, to] = call.block()?;
    match call.files.get(number)? {
        Handle::Features(at) if to <= FEATURES.len() as u64 => *at = to as usize,
        Handle::Features(_) => return Err(Errno::INVAL.into()),
        Handle::Debugger(file) => {
            const FROM_THE_BEGINNING: u32 = 0;
            let packet = format!("Flseek,{file:x},{to:x},{FROM_THE_BEGINNING:x}");
            call.ask_debugger(packet, None)?;
        }
        handle => {
            let file = handle.descriptor().ok_or(Errno::BADF)?;
            rustix::fs::seek(file, SeekFrom::Start(to))?;
        }
    }
    Ok(0)
}

/// `SYS_FLEN`: how long it is.
pub(crate) fn length(call: &mut Call<'_>) -> Answer {
    let [number] = call.block()?;
    match call.files.get(number)? {
        Handle::Features(_) => Ok(FEATURES.len() as u64),
        Handle::Debugger(file) => {
            // Where the parameter block is: the structure is taken on its way there.
            let (file, at) = (*file, call.parameter);
            let place = at..at.wrapping_add(STAT as u64);
            let reply = call.ask_debugger(format!("Ffstat,{file:x},{at:x}"), Some(place))?;
            reply.size().ok_or(Errno::IO.into())
        }
        handle => {
            let file = handle.descriptor().ok_or(Errno::BADF)?;
            Ok(rustix::fs::fstat(file)?.st_size as u64)
        }
    }
}

/// `SYS_REMOVE`: a file, or an empty folder, as C's `remove`.
pub(crate) fn remove(call: &mut Call<'_>) -> Answer {
    let [name, length] = call.block()?;
    let path = call.counted(name, length)?;
    if call.debugger_serves() {
        let size = path.len() + 1;
        call.ask_debugger(format!("Funlink,{name:x}/{size:x}"), None)?;
        return Ok(0);
    }
    match rustix::fs::unlink(&*path) {
        Err(Errno::ISDIR) => rustix::fs::rmdir(&*path)?,
        removed => removed?,
    }
    Ok(0)
}

/// `SYS_RENAME`.
pub(crate) fn rename(call: &mut Call<'_>) -> Answer {
    let [from, from_length, to, to_length] = call.block()?;
    let (old, new) = (call.counted(from, from_length)?, call.counted(to, to_length)?);
    if call.debugger_serves() {
        let (old, new) = (old.len() + 1, new.len() + 1);
        call.ask_debugger(format!("Frename,{from:x}/{old:x},{to:x}/{new:x}"), None)?;
        return Ok(0);
    }
    rustix::fs::rename(&*old, &*new)?;
    Ok(0)
}
