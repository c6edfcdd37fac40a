//! `-strace`: each call on a line, as QEMU writes it.

use crate::{
    calls::{Args, Kind, Row},
    errno::{Answer, Failure},
    names,
    process::Process,
    signals::INFO,
    thread::Thread,
};

/// The beginning of a call's line: who, what, with what. It is written with the result, so that lines of several
/// threads stay whole.
pub(crate) fn before(thread: &Thread<'_>, row: Option<&Row>, number: u64, args: Args) -> String {
    let pid = std::process::id();
    let Some(row) = row else { return format!("{pid} Unknown syscall {number}") };
    let shown: Vec<String> =
        row.args.iter().zip(args).map(|(kind, arg)| argument(thread, *kind, arg)).collect();
    let line = format!("{pid} {}({})", row.name, shown.join(","));
    if matches!(row.name, "exit" | "exit_group" | "execve" | "execveat") {
        // They do not come back, unless they fail, and then there is a second line.
        thread.process.log.write(&format!("{line}\n"));
    }
    line
}

fn argument(thread: &Thread<'_>, kind: Kind, arg: u64) -> String {
    match kind {
        Kind::Int => (arg as i32).to_string(),
        Kind::Long => (arg as i64).to_string(),
        Kind::Hex => format!("{arg:#x}"),
        Kind::Octal => format!("{:#o}", arg as u32),
        Kind::At if arg as i32 == libc::AT_FDCWD => "AT_FDCWD".into(),
        Kind::At => (arg as i32).to_string(),
        Kind::Signal => names::signal(arg as i32),
        Kind::Ptr | Kind::Addr | Kind::Str if arg == 0 => "NULL".into(),
        Kind::Ptr | Kind::Addr => format!("{arg:#018x}"),
        Kind::Str => match thread.process.memory.read_string(arg, libc::PATH_MAX as usize) {
            Ok(text) => format!("\"{}\"", text.escape_ascii()),
            Err(_) => format!("{arg:#018x}"),
        },
    }
}

/// The rest of a call's line: what it came to.
pub(crate) fn after(thread: &Thread<'_>, before: &str, row: Option<&Row>, answer: Answer) {
    let addresses = matches!(row.map(|row| row.name), Some("brk" | "mmap" | "mremap" | "shmat"));
    let result = match answer {
        Ok(value) if addresses => format!("{value:#018x}"),
        Ok(value) => (value as i64).to_string(),
        Err(Failure::Errno(errno)) => format!("-1 errno={errno} ({})", names::error_text(errno)),
        Err(Failure::NotBegun) => "? ERESTARTSYS (to be restarted)".into(),
        Err(Failure::Gone) => "? (to be taken up again)".into(),
        Err(Failure::Exit) => return,
    };
    thread.process.log.write(&format!("{before} = {result}\n"));
}

/// A signal that is taken.
pub(crate) fn signal(process: &Process, signal: i32, info: &[u8; INFO]) {
    let int = |at: usize| i32::from_le_bytes(std::array::from_fn(|i| info[at + i]));
    let name = names::signal(signal);
    let code = int(8);
    let rest = match code {
        libc::SI_USER | libc::SI_TKILL | libc::SI_QUEUE => {
            let code = match code {
                libc::SI_USER => "SI_USER",
                libc::SI_TKILL => "SI_TKILL",
                _ => "SI_QUEUE",
            };
            format!("si_code={code}, si_pid={}, si_uid={}", int(16), int(20))
        }
        _ if [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP].contains(&signal) => {
            let addr = u64::from_le_bytes(std::array::from_fn(|i| info[16 + i]));
            format!("si_code={code}, si_addr={addr:#018x}")
        }
        _ => format!("si_code={code}"),
    };
    process.log.write(&format!("--- {name} {{si_signo={name}, {rest}}} ---\n"));
}
