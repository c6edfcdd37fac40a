//! The program as the host sees it: its command line, its memory, its errors, its end; and the host's shell.

use crate::{
    call::{Answer, Call, End, Wait},
    host::Target,
};
use rustix::io::Errno;
use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    process::Command,
};

/// Why a program ends as it should (section "SYS_EXIT").
const ADP_STOPPED_APPLICATION_EXIT: u64 = 0x20026;

/// `SYS_ISERROR`: whether a status is one.
pub(crate) fn is_error(call: &mut Call<'_>) -> Answer {
    let [status] = call.block()?;
    let sign = 8 * call.width() - 1;
    Ok(status >> sign)
}

/// `SYS_ERRNO`: the host's number for what went wrong last.
pub(crate) fn errno(call: &mut Call<'_>) -> Answer {
    Ok(*call.errno)
}

/// `SYS_TMPNAM`: the name of a temporary file, alike for alike numbers.
pub(crate) fn temporary_name(call: &mut Call<'_>) -> Answer {
    let [buffer, number, length] = call.block()?;
    let name = format!("hartwright-{:x}{:02x}", std::process::id(), number & 0xff);
    let path = std::env::temp_dir().join(name);
    let mut bytes = path.as_os_str().as_bytes().to_vec();
    bytes.push(0);
    if bytes.len() as u64 > length {
        return Err(Errno::RANGE.into());
    }
    call.write(buffer, &bytes)?;
    Ok(0)
}

/// `SYS_SYSTEM`: the host's shell runs a command; its status as the host's `wait` has it.
pub(crate) fn system(call: &mut Call<'_>) -> Answer {
    let [text, length] = call.block()?;
    if call.debugger_serves() {
        call.ends(text, length)?;
        let length = call.string(text)?.len() + 1;
        return call
            .ask_debugger(format!("Fsystem,{text:x}/{length:x}"), None)
            .map(|reply| reply.value as u64);
    }
    let command = call.counted(text, length)?;
    let status = Command::new("/bin/sh").arg("-c").arg(OsStr::from_bytes(&command)).status();
    match status {
        Ok(status) => Ok(status.into_raw() as u64),
        Err(error) => Err(error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error).into()),
    }
}

/// `SYS_GET_CMDLINE`: the command line, and its length in place of the buffer's.
pub(crate) fn command_line(call: &mut Call<'_>) -> Answer {
    let [buffer, room] = call.block()?;
    let mut line = call.host.command_line.clone();
    line.push(0);
    if line.len() as u64 > room {
        return Err(Errno::TOOBIG.into());
    }
    call.write(buffer, &line)?;
    call.set_field(call.parameter, 1, line.len() as u64 - 1)?;
    Ok(0)
}

/// `SYS_HEAPINFO`: where a heap and a stack may be.
pub(crate) fn heap(call: &mut Call<'_>) -> Answer {
    let [block] = call.block()?;
    let heap = call.host.heap.clone();
    for (n, value) in (0..).zip([heap.start, heap.end, heap.end, heap.start]) {
        call.set_field(block, n, value)?;
    }
    Ok(0)
}

/// `SYS_EXIT`: with a code too at 64 bits, where the parameter is a block.
pub(crate) fn exit(call: &mut Call<'_>) -> Answer {
    if call.width() == 8 {
        return exit_extended(call);
    }
    end(call, u64::from(call.parameter != ADP_STOPPED_APPLICATION_EXIT))
}

/// `SYS_EXIT_EXTENDED`: the reason, and the code if that is a good one.
pub(crate) fn exit_extended(call: &mut Call<'_>) -> Answer {
    let [reason, code] = call.block()?;
    end(call, if reason == ADP_STOPPED_APPLICATION_EXIT { code } else { 1 })
}

/// The machine ends, and the hart goes no further.
fn end(call: &mut Call<'_>, code: u64) -> Answer {
    // A host keeps eight bits of it.
    call.host.power.exit(code as u8);
    Err(End::Wait(Wait::Ended))
}

impl Call<'_> {
    /// Whether the debugger's host is the one that is called.
    pub(crate) fn debugger_serves(&self) -> bool {
        match self.host.target {
            Target::Native => false,
            Target::Debugger => true,
            Target::Auto => self.host.debugger.attached(),
        }
    }
}
