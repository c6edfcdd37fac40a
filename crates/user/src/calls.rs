//! System calls: one row a call, one file a family; numbers are those of Linux's generic 64-bit table.
//!
//! A row says the number, the name, what kinds its arguments have, and what does it. Where the host's call of the
//! same name means the same and its structures lie in memory the same way on x86-64 and riscv64, the host does it,
//! with pointers made the host's. The others are functions of the family's file.

mod events;
mod files;
mod ids;
mod info;
mod ioctl;
mod ipc;
mod links;
mod memory;
mod processes;
mod refused;
mod signals;
mod sockets;
mod stat;
mod time;
mod vectors;

use crate::{
    errno::{Answer, Failure, refuse},
    host,
    thread::Thread,
};
use std::sync::OnceLock;

/// What an argument is: how it is shown, and whether it is an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A signed number of 32 bits, such as a descriptor.
    Int,
    /// A length or offset.
    Long,
    /// Flags.
    Hex,
    /// A mode.
    Octal,
    /// A directory's descriptor, or `AT_FDCWD`.
    At,
    /// A signal.
    Signal,
    /// An address of something in memory.
    Ptr,
    /// An address of a string.
    Str,
    /// An address that no call reads or writes at.
    Addr,
}

/// What does a call.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// The host's call of that number. One that a handler with `SA_RESTART` interrupted begins again.
    Host(i64),
    /// The same, but a handler ends it with EINTR in any case.
    HostOnce(i64),
    /// A function.
    Here(fn(&Thread<'_>, Args) -> Answer),
    /// The same, but a handler ends it with EINTR in any case.
    HereOnce(fn(&Thread<'_>, Args) -> Answer),
    /// Nothing: it is refused with that error.
    Refused(i32),
}

/// The six registers in which arguments are.
pub(crate) type Args = [u64; 6];

/// One call.
pub(crate) struct Row {
    /// What the guest asks for.
    pub(crate) number: u16,
    /// As Linux calls it.
    pub(crate) name: &'static str,
    /// Its arguments.
    pub(crate) args: &'static [Kind],
    /// What does it.
    pub(crate) does: Does,
}

macro_rules! rows {
    ($($number:literal $name:ident($($kind:ident),*) $does:ident($what:expr);)*) => {
        pub(super) const ROWS: &[$crate::calls::Row] = &[$($crate::calls::Row {
            number: $number,
            name: stringify!($name),
            args: &[$($crate::calls::Kind::$kind),*],
            does: $crate::calls::Does::$does($what),
        }),*];
    };
}
use rows;

/// The families.
const FAMILIES: [&[Row]; 12] = [
    files::ROWS,
    links::ROWS,
    events::ROWS,
    ids::ROWS,
    info::ROWS,
    ipc::ROWS,
    memory::ROWS,
    processes::ROWS,
    refused::ROWS,
    signals::ROWS,
    sockets::ROWS,
    time::ROWS,
];

/// Every call by its number.
fn by_number(number: u64) -> Option<&'static Row> {
    const NUMBERS: usize = 512;
    static INDEX: OnceLock<[Option<&'static Row>; NUMBERS]> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let mut index = [None; NUMBERS];
        for row in FAMILIES.into_iter().flatten() {
            index[usize::from(row.number)] = Some(row);
        }
        index
    });
    usize::try_from(number).ok().and_then(|number| *index.get(number)?)
}

/// Does the call that the thread's registers ask for. The program counter is at its `ecall`.
pub(crate) fn call(thread: &Thread<'_>) -> Result<(), Failure> {
    let hart = thread.hart();
    let number = hart.x(17);
    let args: Args = std::array::from_fn(|i| hart.x(10 + i as u8));
    let row = by_number(number);
    let shown = thread.process.log.strace.then(|| crate::strace::before(thread, row, number, args));
    let (does, restarts) = match row.map(|row| row.does) {
        Some(Does::Host(there)) => (host_call(thread, row, there, args), true),
        Some(Does::HostOnce(there)) => (host_call(thread, row, there, args), false),
        Some(Does::Here(does)) => (does(thread, args), true),
        Some(Does::HereOnce(does)) => (does(thread, args), false),
        Some(Does::Refused(errno)) => {
            thread.process.log.refused(number, row.map(|row| row.name));
            (refuse(errno), false)
        }
        None => {
            thread.process.log.refused(number, None);
            (refuse(libc::ENOSYS), false)
        }
    };
    if let Some(shown) = shown {
        crate::strace::after(thread, &shown, row, does);
    }
    /// Bytes of an `ecall`. A call that begins again finds it, and its arguments, as they were.
    const ECALL: u64 = 4;
    match does {
        Ok(value) => hart.set_x(10, value),
        Err(Failure::Errno(libc::EINTR)) if restarts && thread.would_restart() => return Ok(()),
        Err(Failure::Errno(errno)) => hart.set_x(10, i64::from(-errno) as u64),
        Err(Failure::NotBegun | Failure::Gone) => return Ok(()),
        Err(Failure::Exit) => return Err(Failure::Exit),
    }
    hart.set_pc(hart.pc().wrapping_add(ECALL));
    Ok(())
}

/// Has the host do a call with its arguments as they are, but for pointers.
fn host_call(thread: &Thread<'_>, row: Option<&Row>, there: i64, mut args: Args) -> Answer {
    let kinds = row.map_or(&[][..], |row| row.args);
    for (arg, kind) in args.iter_mut().zip(kinds) {
        if matches!(kind, Kind::Ptr | Kind::Str) {
            *arg = thread.process.memory.host(*arg);
        }
    }
    thread.host(there, args)
}

impl Thread<'_> {
    /// Makes a call of the host, with addresses of the host's; a signal ends it.
    pub(crate) fn host(&self, number: i64, args: Args) -> Answer {
        // SAFETY: rows and their functions pass guest memory, or memory of their own that is large enough.
        unsafe { host::interruptible(&self.seat.pending, number, args) }
    }

    /// The host's address of a guest's.
    pub(crate) fn at(&self, addr: u64) -> u64 {
        self.process.memory.host(addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_call_has_one_row() {
        let mut numbers = HashSet::new();
        for row in FAMILIES.into_iter().flatten() {
            assert!(numbers.insert(row.number), "{} has a second row", row.number);
            assert!(row.args.len() <= 6 && row.number < 512, "{}", row.name);
        }
    }
}
