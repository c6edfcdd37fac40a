//! What a row of a register table may not say: what would be without effect, or mean two things.
//!
//! [`registers!`](crate::registers) asks when the device is compiled. A field that is cleared by reading, of a register
//! that nobody is told was read, does not compile:
//!
//! ```compile_fail,E0080
//! # use hartwright_device::{Device, registers};
//! registers! { Lamp size 0x10, widths [4] else fault:
//!     0x0 status: u32 { BURNT[0] RC } get status;
//! }
//! struct Lamp { state: State }
//! struct State { regs: Regs }
//! impl Lamp { fn status(&self) -> u32 { 1 } }
//! ```
//!
//! and with `clear`, it does:
//!
//! ```
//! # use hartwright_device::{Device, registers};
//! registers! { Lamp size 0x10, widths [4] else fault:
//!     0x0 status: u32 { BURNT[0] RC } get status clear replace;
//! }
//! # struct Lamp { state: State }
//! # struct State { regs: Regs }
//! # impl Lamp { fn status(&self) -> u32 { 1 } fn replace(&self, _: u32) {} }
//! ```

use crate::{Field, Register};

/// A hook that a row names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the table")]
pub enum Hook {
    Read,
    Write,
    Get,
    Set,
    Clear,
    Then,
}

/// What is wrong with a row, or with two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentences are in `why`")]
pub enum Mistake {
    NoFields,
    FieldBeyond,
    FieldsShareBits,
    NameBeyond,
    ResetInNoField,
    ResetOfNothing,
    TwoReads,
    TwoWrites,
    NeverRead,
    NeverWritten,
    ReadsZero,
    WritesLost,
    NobodyClears,
    NothingToClear,
    NothingChanges,
    Hidden,
}

impl Mistake {
    /// The same in a sentence.
    pub const fn why(self) -> &'static str {
        match self {
            Mistake::NoFields => "it has no fields, and so no bits that anybody reaches",
            Mistake::FieldBeyond => "a field has bits beyond its width",
            Mistake::FieldsShareBits => "two of its fields have a bit in common",
            Mistake::NameBeyond => "a field's value has a name and does not fit into the field",
            Mistake::ResetInNoField => "its reset value has bits that are in no field, and nobody sees them",
            Mistake::ResetOfNothing => {
                "`get` and `set` are all there is of it: a reset value changes nothing"
            }
            Mistake::TwoReads => "`read` and `get` would both give what is read",
            Mistake::TwoWrites => "`write` and `set` would both be told what is written",
            Mistake::NeverRead => "none of its fields can be read, so `read` and `get` are never asked",
            Mistake::NeverWritten => "none of its fields can be written, so `write` and `set` are never told",
            Mistake::ReadsZero => "fields of it can be read, and without `get` they are zero: they are WO",
            Mistake::WritesLost => "fields of it can be written, and without `set` that is lost: they are RO",
            Mistake::NobodyClears => "reading clears bits (RC) of what `get` gives, and no `clear` is told",
            Mistake::NothingToClear => "`clear` is for RC fields of what `get` gives, and it has none",
            Mistake::NothingChanges => "neither writes nor reads change it, so `then` is never called",
            Mistake::Hidden => "a register before it has the same bytes and no `if`: it is never reached",
        }
    }
}

const fn has(hooks: &[Hook], hook: Hook) -> bool {
    let mut i = 0;
    while i < hooks.len() {
        if hooks[i] as u8 == hook as u8 {
            return true;
        }
        i += 1;
    }
    false
}

/// What is wrong with a row that has these hooks.
pub const fn mistake(row: &Register, hooks: &[Hook]) -> Option<Mistake> {
    let (get, set) = (has(hooks, Hook::Get), has(hooks, Hook::Set));
    let (read, write) = (has(hooks, Hook::Read), has(hooks, Hook::Write));
    let live = get || set;
    if let Some(mistake) = fields(row) {
        return Some(mistake);
    }
    let clears = row.read_clears != 0;
    let rules = [
        (live && row.reset != 0, Mistake::ResetOfNothing),
        (read && live, Mistake::TwoReads),
        (write && set, Mistake::TwoWrites),
        ((read || get) && row.readable == 0, Mistake::NeverRead),
        ((write || set) && row.writable == 0, Mistake::NeverWritten),
        (set && !get && row.readable != 0, Mistake::ReadsZero),
        (get && !set && !write && row.writable != 0, Mistake::WritesLost),
        (get && clears && !has(hooks, Hook::Clear), Mistake::NobodyClears),
        (has(hooks, Hook::Clear) && !(get && clears), Mistake::NothingToClear),
        (has(hooks, Hook::Then) && row.writable == 0 && !clears, Mistake::NothingChanges),
    ];
    let mut i = 0;
    while i < rules.len() {
        if rules[i].0 {
            return Some(rules[i].1);
        }
        i += 1;
    }
    None
}

/// What is wrong with a row's fields.
const fn fields(row: &Register) -> Option<Mistake> {
    let whole = u64::MAX >> (64 - 8 * row.width as u32);
    let (mut i, mut all) = (0, 0);
    while i < row.fields.len() {
        let field: Field = row.fields[i].1;
        if field.mask() & !whole != 0 {
            return Some(Mistake::FieldBeyond);
        }
        if field.mask() & all != 0 {
            return Some(Mistake::FieldsShareBits);
        }
        all |= field.mask();
        let mut j = 0;
        while j < field.names().len() {
            if field.names()[j].1 > field.mask() >> field.lo() {
                return Some(Mistake::NameBeyond);
            }
            j += 1;
        }
        i += 1;
    }
    if all == 0 {
        return Some(Mistake::NoFields);
    }
    if row.reset & !all != 0 {
        return Some(Mistake::ResetInNoField);
    }
    None
}

/// The first row that others hide; `guarded` says which rows have an `if`. Arrays are not looked at.
pub const fn hidden(rows: &[Register], guarded: &[bool]) -> Option<usize> {
    let mut later = 0;
    while later < rows.len() {
        let mut before = 0;
        while before < later {
            let (a, b) = (&rows[before], &rows[later]);
            let single = a.count == 1 && b.count == 1;
            let meet = a.offset < b.offset + b.width as u64 && b.offset < a.offset + a.width as u64;
            // A register that is only read may share its place with one that is only written.
            let reads = b.readable != 0 && a.readable == 0;
            let writes = b.writable != 0 && a.writable == 0;
            if single && meet && !guarded[before] && !reads && !writes {
                return Some(later);
            }
            before += 1;
        }
        later += 1;
    }
    None
}

/// The row called `name`.
pub const fn find<'t>(rows: &'t [Register], name: &str) -> &'t Register {
    let mut i = 0;
    while i < rows.len() {
        if same(rows[i].name.as_bytes(), name.as_bytes()) {
            return &rows[i];
        }
        i += 1;
    }
    panic!("every row is in its table")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// Refuses to compile a row with a mistake.
pub const fn row(row: &Register, hooks: &[Hook]) {
    if let Some(mistake) = mistake(row, hooks) {
        panic!("{}", mistake.why());
    }
}

/// Refuses to compile rows of which one hides another.
pub const fn rows(rows: &[Register], guarded: &[bool]) {
    if let Some(at) = hidden(rows, guarded) {
        panic!("{}", rows[at].name);
    }
}
