//! One call: its operation, its parameter block, how it may end, and the table by which it is found.

use crate::{
    clock, console,
    debugger::{Reply, Request},
    files,
    handle::Files,
    host::Semihosting,
    system,
};
use hartwright_device::log;
use hartwright_exec::Inspect;
use rustix::io::Errno;
use std::ops::Range;

/// An operation.
pub struct Operation {
    /// Its number, in `a0`.
    pub number: u64,
    /// What the specification calls it.
    pub name: &'static str,
    run: fn(&mut Call<'_>) -> Answer,
}

const fn row(number: u64, name: &'static str, run: fn(&mut Call<'_>) -> Answer) -> Operation {
    Operation { number, name, run }
}

/// All operations (chapter 5).
#[rustfmt::skip]
pub const OPERATIONS: &[Operation] = &[
    row(0x01, "SYS_OPEN",          files::open),
    row(0x02, "SYS_CLOSE",         files::close),
    row(0x03, "SYS_WRITEC",        console::write_byte),
    row(0x04, "SYS_WRITE0",        console::write_string),
    row(0x05, "SYS_WRITE",         files::write),
    row(0x06, "SYS_READ",          files::read),
    row(0x07, "SYS_READC",         console::read_byte),
    row(0x08, "SYS_ISERROR",       system::is_error),
    row(0x09, "SYS_ISTTY",         files::is_tty),
    row(0x0a, "SYS_SEEK",          files::seek),
    row(0x0c, "SYS_FLEN",          files::length),
    row(0x0d, "SYS_TMPNAM",        system::temporary_name),
    row(0x0e, "SYS_REMOVE",        files::remove),
    row(0x0f, "SYS_RENAME",        files::rename),
    row(0x10, "SYS_CLOCK",         clock::centiseconds),
    row(0x11, "SYS_TIME",          clock::time),
    row(0x12, "SYS_SYSTEM",        system::system),
    row(0x13, "SYS_ERRNO",         system::errno),
    row(0x15, "SYS_GET_CMDLINE",   system::command_line),
    row(0x16, "SYS_HEAPINFO",      system::heap),
    row(0x18, "SYS_EXIT",          system::exit),
    row(0x20, "SYS_EXIT_EXTENDED", system::exit_extended),
    row(0x30, "SYS_ELAPSED",       clock::elapsed),
    row(0x31, "SYS_TICKFREQ",      clock::frequency),
];

/// What an operation returns, or how it ends otherwise.
pub(crate) type Answer<T = u64> = Result<T, End>;

/// How a call ends that does not return a value of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It returns -1, and `SYS_ERRNO` tells why.
    Error(Errno),
    /// It is made again when this is there.
    Wait(Wait),
}

impl From<Errno> for End {
    fn from(error: Errno) -> End {
        End::Error(error)
    }
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Bytes from the console's port.
    Console,
    /// Bytes from the host's standard input.
    Input,
    /// Room in the console's port.
    Output,
    /// The debugger's answer.
    Debugger,
    /// Nothing: the program has ended.
    Ended,
}

/// How far a hart's call is that had to wait.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Which call it is: where it was made, its operation and its parameter.
    key: (u64, u64, u64),
    /// What it waits for.
    pub(crate) wait: Option<Wait>,
    /// So many bytes are out already.
    pub(crate) done: u64,
}

/// A call, being answered on its hart's thread.
pub(crate) struct Call<'a> {
    pub(crate) host: &'a Semihosting,
    pub(crate) hart: &'a mut dyn Inspect,
    /// The hart's number.
    pub(crate) number: usize,
    pub(crate) files: &'a mut Files,
    /// The error of the last call that had one.
    pub(crate) errno: &'a mut u64,
    pub(crate) turn: &'a mut Turn,
    /// The parameter: mostly the address of a block of fields.
    pub(crate) parameter: u64,
}

const A0: u8 = 10;
const A1: u8 = 11;
/// The `ebreak` of a call has no 16-bit form.
const EBREAK_LEN: u64 = 4;

impl Call<'_> {
    /// Answers the call and leaves the hart behind it; `false` if it must wait.
    pub(crate) fn answer(&mut self) -> bool {
        let number = self.word(self.hart.x(A0));
        self.parameter = self.word(self.hart.x(A1));
        let key = (self.hart.pc(), number, self.parameter);
        if self.turn.key != key || self.turn.wait.is_none() {
            *self.turn = Turn { key, ..Turn::default() };
            self.host.debugger.forget(self.number);
        }
        let answer = match OPERATIONS.iter().find(|row| row.number == number) {
            Some(row) => (row.run)(self),
            None => {
                let detail = format_args!("operation {number:#x}");
                log::unimp("semihosting", number, "there is no such operation", detail);
                Err(Errno::NOSYS.into())
            }
        };
        let value = match answer {
            Ok(value) => value,
            Err(End::Error(error)) => {
                self.fail(error);
                u64::MAX
            }
            Err(End::Wait(wait)) => {
                self.turn.wait = Some(wait);
                return false;
            }
        };
        *self.turn = Turn::default();
        // Registers of 32 bits keep the low half.
        self.hart.set_x(A0, i128::from(value as i64) as u128);
        let pc = self.hart.pc();
        self.hart.set_pc(pc.wrapping_add(EBREAK_LEN));
        true
    }

    /// Notes an error for `SYS_ERRNO`.
    pub(crate) fn fail(&mut self, error: Errno) {
        *self.errno = error.raw_os_error() as u64;
    }

    /// Bytes of a field.
    pub(crate) fn width(&self) -> u64 {
        if self.hart.xlen() == 32 { 4 } else { 8 }
    }

    /// A value as a field holds it, zero-extended.
    pub(crate) fn word(&self, value: u128) -> u64 {
        if self.width() == 4 { u64::from(value as u32) } else { value as u64 }
    }

    /// Sends a request to the debugger, or takes what it answered to it.
    ///
    /// `capture` are addresses that stand for no memory: what the debugger writes there comes with the answer.
    pub(crate) fn ask_debugger(&mut self, packet: String, capture: Option<Range<u64>>) -> Answer<Reply> {
        match self.host.debugger.answer_of(self.number) {
            Some(reply) if reply.value == -1 => Err(reply.error().into()),
            Some(reply) => Ok(reply),
            None if self.host.debugger.attached() => {
                self.host.debugger.ask(Request { hart: self.number, packet, capture });
                Err(End::Wait(Wait::Debugger))
            }
            None => Err(Errno::IO.into()),
        }
    }
}
