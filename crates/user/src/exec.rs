//! `execve`: a program for riscv64 is run by the emulator again, any other by the host.

use crate::{
    errno::{Answer, Failure, answer, refuse},
    thread::Thread,
};
use std::{
    ffi::{CString, OsStr},
    fs::File,
    io::Read,
    os::unix::ffi::OsStrExt,
};

/// What the beginning of a file says it is.
enum Program {
    /// An ELF for us.
    Guest,
    /// A script, with its interpreter and what is given to it.
    Script(CString, Option<CString>),
    /// Whatever the host makes of it.
    Host,
}

fn program(path: &CString) -> Program {
    /// As much as Linux looks at.
    const LOOKED_AT: u64 = 256;
    let mut start = vec![];
    let opened = File::open(OsStr::from_bytes(path.as_bytes()));
    if opened.and_then(|file| file.take(LOOKED_AT).read_to_end(&mut start)).is_err() {
        return Program::Host;
    }
    if crate::load::is_ours(&start) {
        return Program::Guest;
    }
    let line = start.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let Some(line) = line else { return Program::Host };
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (interpreter, rest) = (CString::new(&line[..end]), line[end..].trim_ascii());
    let Ok(interpreter) = interpreter else { return Program::Host };
    Program::Script(interpreter, CString::new(rest).ok().filter(|rest| !rest.is_empty()))
}

/// Replaces the process by the program at `path`.
pub(crate) fn execute(thread: &Thread<'_>, path: CString, args: u64, env: u64) -> Answer {
    let (args, env) = (strings(thread, args)?, strings(thread, env)?);
    let own = crate::proc::link(thread, &path).is_some();
    let path = if own { thread.process.exe.clone() } else { crate::proc::under_prefix(thread, path) };
    match program(&path) {
        Program::Guest => ourselves(thread, &path, args, &env),
        Program::Script(interpreter, option) if matches!(program(&interpreter), Program::Guest) => {
            // The file must be executable; the host would have said so.
            // SAFETY: the path lives here.
            if unsafe { libc::access(path.as_ptr(), libc::X_OK) } != 0 {
                return refuse(libc::EACCES);
            }
            let mut all = vec![interpreter.clone()];
            all.extend(option);
            all.push(path);
            all.extend(args.into_iter().skip(1));
            ourselves(thread, &interpreter, all, &env)
        }
        _ => replace(&path, &args, &env),
    }
}

/// Has the emulator run `path` with the options it has itself.
fn ourselves(thread: &Thread<'_>, path: &CString, args: Vec<CString>, env: &[CString]) -> Answer {
    // SAFETY: the path lives here.
    if unsafe { libc::access(path.as_ptr(), libc::X_OK) } != 0 {
        return refuse(libc::EACCES);
    }
    let mut all = thread.process.options.inherited.clone();
    if let Some(first) = args.first() {
        all.extend([c"-0".to_owned(), first.clone()]);
    }
    // A path that looks like an option is no option.
    let mut whole = if path.as_bytes().starts_with(b"-") { b"./".to_vec() } else { vec![] };
    whole.extend(path.as_bytes());
    all.push(CString::new(whole).map_err(|_| Failure::Errno(libc::EINVAL))?);
    all.extend(args.into_iter().skip(1));
    replace(c"/proc/self/exe", &all, env)
}

fn replace(path: &std::ffi::CStr, args: &[CString], env: &[CString]) -> Answer {
    let list = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (args, env) = (list(args), list(env));
    // SAFETY: the path and both lists of strings live here.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    answer(-i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOEXEC)))
}

/// The strings that a list of addresses leads to.
fn strings(thread: &Thread<'_>, list: u64) -> Result<Vec<CString>, Failure> {
    /// The longest string Linux takes.
    const LONGEST: usize = 128 << 10;
    let memory = &thread.process.memory;
    let mut strings = vec![];
    if list == 0 {
        return Ok(strings);
    }
    loop {
        let at = memory.read_u64(list.wrapping_add(8 * strings.len() as u64))?;
        if at == 0 {
            return Ok(strings);
        }
        let string = memory.read_string(at, LONGEST).map_err(|failure| match failure {
            Failure::Errno(libc::ENAMETOOLONG) => Failure::Errno(libc::E2BIG),
            other => other,
        })?;
        strings.push(CString::new(string).map_err(|_| Failure::Errno(libc::EINVAL))?);
    }
}
