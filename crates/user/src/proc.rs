//! The files of `/proc/self` that would tell of the emulator, as the guest should see them.

use crate::{errno::Answer, host, maps, thread::Thread};
use libc::{SYS_memfd_create, SYS_openat};
use std::{
    ffi::{CStr, CString},
    fmt::Write,
};

/// The path to use for `path`: the one under the prefix (`-L`) if there is such a file, as QEMU does for programs and
/// libraries that are not installed.
pub(crate) fn under_prefix(thread: &Thread<'_>, path: CString) -> CString {
    let Some(prefix) = &thread.process.prefix else { return path };
    if !path.as_bytes().starts_with(b"/") {
        return path;
    }
    let Ok(whole) = CString::new([prefix.as_bytes(), path.as_bytes()].concat()) else { return path };
    // SAFETY: the path lives here.
    let there = unsafe { libc::access(whole.as_ptr(), libc::F_OK) } == 0;
    if there { whole } else { path }
}

/// The name after `/proc/self/` or `/proc/PID/`, if `path` is of this process.
fn own(path: &CStr) -> Option<&str> {
    let rest = path.to_str().ok()?.strip_prefix("/proc/")?;
    let (whose, name) = rest.split_once('/')?;
    let ours = whose == "self" || whose == "thread-self" || whose.parse() == Ok(std::process::id());
    ours.then_some(name)
}

/// Opens such a file; `None` if `path` is another.
pub(crate) fn open(thread: &Thread<'_>, path: &CStr, flags: u64) -> Option<Answer> {
    let process = &thread.process;
    let text = match own(path)? {
        "exe" => {
            let args = [libc::AT_FDCWD as u64, process.exe.as_ptr() as u64, flags, 0, 0, 0];
            return Some(thread.host(SYS_openat, args));
        }
        "maps" => maps_text(thread).into_bytes(),
        "cmdline" => process.cmdline.clone(),
        "auxv" => process.auxv.clone(),
        _ => return None,
    };
    Some(file_of(thread, &text, flags))
}

/// A descriptor of a file in memory that holds `text`.
fn file_of(thread: &Thread<'_>, text: &[u8], flags: u64) -> Answer {
    let cloexec = if flags as i32 & libc::O_CLOEXEC != 0 { libc::MFD_CLOEXEC } else { 0 };
    let fd = thread.host(SYS_memfd_create, [c"proc".as_ptr() as u64, cloexec.into(), 0, 0, 0, 0])?;
    host::write(fd as i32, text);
    thread.host(libc::SYS_lseek, [fd, 0, libc::SEEK_SET as u64, 0, 0, 0])?;
    Ok(fd)
}

fn maps_text(thread: &Thread<'_>) -> String {
    let mut text = String::new();
    for (start, map) in thread.process.memory.maps().iter() {
        let may = |bit: u8, letter: char| if map.prot & bit != 0 { letter } else { '-' };
        let (r, w, x) = (may(maps::READ, 'r'), may(maps::WRITE, 'w'), may(maps::EXEC, 'x'));
        let s = if map.shared { 's' } else { 'p' };
        let offset = map.file.as_ref().map_or(0, |file| file.offset);
        let place = format!("{start:08x}-{:08x} {r}{w}{x}{s} {offset:08x} 00:00 0", map.end);
        let _ = match &map.name {
            Some(name) => writeln!(text, "{place:<72} {name}"),
            None => writeln!(text, "{place}"),
        };
    }
    text
}

/// What such a link leads to; `None` if `path` is another.
pub(crate) fn link<'t>(thread: &'t Thread<'_>, path: &CStr) -> Option<&'t [u8]> {
    (own(path)? == "exe").then(|| thread.process.exe.as_bytes())
}

/// The path to look at instead of `path` when links are followed.
pub(crate) fn stat_instead(thread: &Thread<'_>, path: &CStr, flags: u64) -> Option<CString> {
    let follows = flags as i32 & libc::AT_SYMLINK_NOFOLLOW == 0;
    (follows && own(path)? == "exe").then(|| thread.process.exe.clone())
}
