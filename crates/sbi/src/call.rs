//! One call: its arguments, how it may end, and the tables by which it is found (chapter 3).

use crate::{Sbi, extensions::EXTENSIONS};
use hartwright_exec::Inspect;

/// Functions that belong together, and that a kernel probes for.
pub struct Extension {
    /// Its number, in `a7`.
    pub id: u64,
    /// What the specification calls it.
    pub name: &'static str,
    /// What it can do.
    pub functions: &'static [Function],
}

/// One function of an extension.
pub struct Function {
    /// Its number, in `a6`; legacy extensions, which have one function each, ignore it.
    pub id: u64,
    /// What the specification calls it.
    pub name: &'static str,
    pub(crate) run: fn(&mut Call<'_>) -> Answer,
}

/// What a function gives: a value for `a1`, or another end.
pub(crate) type Answer = Result<u64, End>;

/// How a call ends that gives no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With an error in `a0`.
    Error(Error),
    /// Not at all: the hart goes on elsewhere, or nowhere.
    Away,
    /// It is made again, since what it needs is not there yet.
    Again,
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Error(error)
    }
}

/// The errors of the specification, by their number in `a0` (chapter 3, table 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    Failed = -1,
    NotSupported = -2,
    InvalidParam = -3,
    InvalidAddress = -5,
    AlreadyAvailable = -6,
    AlreadyStarted = -7,
    AlreadyStopped = -8,
    NoSharedMemory = -9,
}

/// A call, being answered on its hart's thread.
pub(crate) struct Call<'a> {
    pub(crate) sbi: &'a Sbi,
    pub(crate) hart: &'a mut dyn Inspect,
    /// The hart's number.
    pub(crate) number: usize,
}

const A0: u8 = 10;
const A1: u8 = 11;
const A6: u8 = 16;
const A7: u8 = 17;
/// Legacy extensions have numbers below this one, and are called otherwise (chapter 5).
const LEGACY: u64 = 0x10;
/// `ecall` has no 16-bit form.
const ECALL_LEN: u64 = 4;

impl Call<'_> {
    /// Argument `n`, 0 to 5.
    pub(crate) fn argument(&self, n: u8) -> u64 {
        self.hart.x(A0 + n) as u64
    }

    /// Answers the call, and leaves the hart behind it; or before it, if it shall be made again.
    pub(crate) fn answer(&mut self) {
        let (extension, function) = (self.hart.x(A7) as u64, self.hart.x(A6) as u64);
        let legacy = extension < LEGACY;
        let known = EXTENSIONS.iter().find(|row| row.id == extension);
        let row = known.and_then(|row| row.functions.iter().find(|row| legacy || row.id == function));
        let answer = match row {
            Some(row) => (row.run)(self),
            None => Err(Error::NotSupported.into()),
        };
        let (error, value) = match answer {
            Ok(value) => (0, value),
            Err(End::Error(error)) => (error as i64 as u64, 0),
            Err(End::Away) => return,
            Err(End::Again) => return std::thread::yield_now(),
        };
        if legacy {
            // Their result, or error, is in `a0`, and no other register changes.
            self.hart.set_x(A0, if error == 0 { value } else { error }.into());
        } else {
            self.hart.set_x(A0, error.into());
            self.hart.set_x(A1, value.into());
        }
        let pc = self.hart.pc();
        self.hart.set_pc(pc.wrapping_add(ECALL_LEN));
    }

    /// The harts that a mask of bits from number `base` on names (chapter 3, "Hart list parameter").
    pub(crate) fn targets(&self, mask: u64, base: u64) -> Result<Vec<usize>, Error> {
        let harts = self.sbi.places().len() as u64;
        if base == u64::MAX {
            return Ok((0..harts as usize).collect());
        }
        let named = (0..u64::BITS.into()).filter(|bit| mask >> bit & 1 != 0);
        let number = |bit| base.checked_add(bit).filter(|number| *number < harts);
        named.map(|bit| number(bit).map(|number| number as usize).ok_or(Error::InvalidParam)).collect()
    }
}
