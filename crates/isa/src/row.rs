//! What a row of an instruction table is, and the macros that read one.

use crate::{Ext, ExtSet, decode::Decoded};
use hartwright_ir::{Fmt, Order, Reader};

/// One instruction.
pub struct Insn {
    /// As the assembler spells it.
    pub mnemonic: &'static str,
    /// `(mask, value)`: `raw` is this instruction when `raw & mask == value`.
    pub pattern: (u32, u32),
    /// Operands in the order of assembly: name, and name of the base register if it is `name(base)`.
    pub syntax: &'static [(&'static str, &'static str)],
    /// Where its immediate lies.
    pub format: Format,
    /// The extensions that bring it: any one of them.
    pub needs: &'static [Ext],
    /// The extensions it needs besides: all of them.
    pub also: &'static [Ext],
    /// The register widths that have it.
    pub widths: Widths,
}

impl Insn {
    /// Whether a CPU with these extensions and registers of `xlen` bits has it.
    pub fn is_in(&self, extensions: ExtSet, xlen: u32) -> bool {
        self.widths.has(xlen)
            && self.needs.iter().any(|ext| extensions.has(*ext))
            && self.also.iter().all(|ext| extensions.has(*ext))
    }

    /// Whether each of its patterns is one of `other` too, but not the other way round: a hint lies within the
    /// instruction that it is to a CPU that does not know it.
    pub fn lies_within(&self, other: &Insn) -> bool {
        let ((mask, value), (wider, common)) = (self.pattern, other.pattern);
        mask != wider && mask & wider == wider && value & wider == common
    }
}

/// The meaning of one row, as a type.
pub trait Meaning<R: Reader> {
    /// Tells `reader` what the instruction means.
    fn meaning(d: &Decoded, reader: R) -> Result<(), R::Stop>;
}

/// What a reader keeps of a meaning, to use it later: a function around it.
pub trait Handlers<R: Reader> {
    /// The function.
    type Handler: Copy;
    /// The function for one meaning.
    fn handler<M: Meaning<R>>() -> Self::Handler;
}

/// Which register widths have an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Widths {
    Any,
    Rv32,
    /// 64 and 128 bits.
    Rv64,
    /// 64 bits, and not 128.
    Only64,
    /// 32 and 64 bits.
    UpTo64,
    Rv128,
}

impl Widths {
    /// Whether registers of `xlen` bits have it.
    pub fn has(self, xlen: u32) -> bool {
        match self {
            Widths::Any => true,
            Widths::Rv32 => xlen == 32,
            Widths::Rv64 => xlen >= 64,
            Widths::Only64 => xlen == 64,
            Widths::UpTo64 => xlen <= 64,
            Widths::Rv128 => xlen == 128,
        }
    }
}

/// Which row of which table; see [`Decoder`](crate::Decoder).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowId {
    pub(crate) table: u8,
    pub(crate) row: u8,
}

/// A 16-bit instruction, which is a 32-bit one with other bits (unprivileged spec, C).
pub struct Compressed {
    /// As the assembler spells it.
    pub mnemonic: &'static str,
    /// `(mask, value)` of 16 bits.
    pub pattern: (u32, u32),
    /// The mnemonic of what it means.
    pub base: &'static str,
    /// The operands of what it means, out of its own bits; `None` where the encoding is reserved.
    pub operands: fn(u32) -> Option<Operands>,
    /// The extensions it needs, besides those of what it means: all of them.
    pub needs: &'static [Ext],
    /// The register widths that have it.
    pub widths: Widths,
}

/// The operands of an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub struct Operands {
    pub rd: u8,
    pub rs1: u8,
    pub rs2: u8,
    pub imm: i32,
}

/// The instruction formats of the manual, which differ in where the immediate lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the letters are the specification's")]
pub enum Format {
    R,
    /// Three source registers.
    R4,
    I,
    /// A shift amount.
    H,
    S,
    B,
    U,
    J,
    /// A CSR number, and an immediate or register.
    Z,
    /// Nothing.
    N,
}

impl Format {
    /// The immediate, sign-extended where the format says so.
    pub(crate) fn imm(self, raw: u32) -> i32 {
        let bits = |hi: u32, lo: u32| (raw << (31 - hi) >> (31 - hi + lo)) as i32;
        let sign = raw as i32 >> 31;
        match self {
            Format::R | Format::R4 | Format::N => 0,
            Format::I => raw as i32 >> 20,
            Format::H => bits(26, 20),
            Format::S => sign << 11 | bits(30, 25) << 5 | bits(11, 7),
            Format::B => sign << 12 | bits(7, 7) << 11 | bits(30, 25) << 5 | bits(11, 8) << 1,
            Format::U => (raw & 0xffff_f000) as i32,
            Format::J => sign << 20 | bits(19, 12) << 12 | bits(20, 20) << 11 | bits(30, 21) << 1,
            Format::Z => bits(31, 20),
        }
    }
}

/// Where a result goes.
#[derive(Clone, Copy)]
pub(crate) struct Rd<R>(pub(crate) u8, pub(crate) R);
impl<R: Reader> Rd<R> {
    #[inline(always)]
    pub(crate) fn set(self, v: R::Value) {
        self.1.set_x(self.0, v);
    }
    /// Whether it is `x0`.
    #[inline(always)]
    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// A register that is read and written, or the even first one of two; that of `x0` is zero and stays so.
#[derive(Clone, Copy)]
pub(crate) struct Pair<R>(pub(crate) u8, pub(crate) R);
impl<R: Reader> Pair<R> {
    #[inline(always)]
    pub(crate) fn first(self) -> R::Value {
        self.1.x(self.0)
    }
    #[inline(always)]
    pub(crate) fn both(self) -> [R::Value; 2] {
        [self.first(), self.1.x(if self.0 == 0 { 0 } else { self.0 | 1 })]
    }
    #[inline(always)]
    pub(crate) fn set(self, [low, high]: [R::Value; 2]) {
        if self.0 != 0 {
            self.1.set_x(self.0, low);
            self.1.set_x(self.0 | 1, high);
        }
    }
}

/// Where a floating-point result goes.
#[derive(Clone, Copy)]
pub(crate) struct Fd<R>(pub(crate) u8, pub(crate) R);
impl<R: Reader> Fd<R> {
    #[inline(always)]
    pub(crate) fn set(self, v: R::Float) {
        self.1.set_f(self.0, v);
    }
}

/// Where a branch goes.
#[derive(Clone, Copy)]
pub(crate) struct Target<R>(pub(crate) u64, pub(crate) R);
impl<R: Reader> Target<R> {
    #[inline(always)]
    pub(crate) fn to(&self) -> R::Value {
        self.1.constant(self.0 as i64)
    }
    #[inline(always)]
    pub(crate) fn when(self, cond: R::Value) -> Result<(), R::Stop> {
        self.1.jump_if(cond, self.0)
    }
    #[inline(always)]
    pub(crate) fn always(self) -> Result<(), R::Stop> {
        self.1.jump(self.to())
    }
}

impl Decoded {
    #[inline(always)]
    pub(crate) fn order(&self) -> Order {
        Order { aq: self.raw >> 26 & 1 != 0, rl: self.raw >> 25 & 1 != 0 }
    }
    #[inline(always)]
    pub(crate) fn rm(&self) -> u8 {
        (self.raw >> 12 & 7) as u8
    }
}

/// The format named by the letter of a mnemonic's suffix.
pub(crate) const H: Fmt = Fmt::H;
/// See [`H`].
pub(crate) const S: Fmt = Fmt::S;
/// See [`H`].
pub(crate) const D: Fmt = Fmt::D;

/// Reads a bit pattern at compile time; a row that has not `bits` bits does not build.
pub(crate) const fn pattern(s: &str, bits: usize) -> (u32, u32) {
    let (s, mut i, mut n, mut mask, mut value) = (s.as_bytes(), 0, 0, 0u32, 0u32);
    while i < s.len() {
        if s[i] != b' ' {
            n += 1;
            mask = mask << 1 | (s[i] != b'.') as u32;
            value = value << 1 | (s[i] == b'1') as u32;
        }
        i += 1;
    }
    assert!(n == bits, "a pattern has as many bits as its instruction");
    (mask, value)
}

macro_rules! operand {
    ($d:ident $r:ident rd) => {
        crate::row::Rd($d.rd, $r)
    };
    ($d:ident $r:ident rs1) => {
        $r.x($d.rs1)
    };
    ($d:ident $r:ident rs2) => {
        $r.x($d.rs2)
    };
    ($d:ident $r:ident fd) => {
        crate::row::Fd($d.rd, $r)
    };
    ($d:ident $r:ident fs1) => {
        $r.f($d.rs1)
    };
    ($d:ident $r:ident fs2) => {
        $r.f($d.rs2)
    };
    ($d:ident $r:ident fs3) => {
        $r.f($d.rs3)
    };
    ($d:ident $r:ident rm) => {
        $d.rm()
    };
    ($d:ident $r:ident imm) => {
        $r.constant($d.imm.into())
    };
    ($d:ident $r:ident hi) => {
        $r.constant($d.imm.into())
    };
    ($d:ident $r:ident shamt) => {
        $r.constant($d.imm.into())
    };
    ($d:ident $r:ident uimm) => {
        $r.constant($d.rs1.into())
    };
    ($d:ident $r:ident old) => {
        crate::row::Pair($d.rd, $r)
    };
    ($d:ident $r:ident new) => {
        crate::row::Pair($d.rs2, $r)
    };
    ($d:ident $r:ident bs) => {
        ($d.raw >> 30) as u8
    };
    ($d:ident $r:ident rnum) => {
        ($d.raw >> 20 & 15) as u8
    };
    ($d:ident $r:ident fli) => {
        $d.rs1
    };
    ($d:ident $r:ident zero) => {
        $r.constant(0)
    };
    ($d:ident $r:ident one) => {
        $r.constant(1)
    };
    ($d:ident $r:ident pred) => {
        ()
    };
    ($d:ident $r:ident succ) => {
        ()
    };
    ($d:ident $r:ident csr) => {
        $d.imm as u16
    };
    ($d:ident $r:ident src) => {
        ($d.rs1 != 0)
    };
    ($d:ident $r:ident addr) => {
        ($d.rs1 != 0).then(|| $r.x($d.rs1))
    };
    ($d:ident $r:ident asid) => {
        ($d.rs2 != 0).then(|| $r.x($d.rs2))
    };
    ($d:ident $r:ident target) => {
        crate::row::Target($d.pc.wrapping_add_signed($d.imm.into()), $r)
    };
    ($d:ident $r:ident pc) => {
        $r.constant($d.pc as i64)
    };
    ($d:ident $r:ident link) => {
        $r.constant($d.next() as i64)
    };
    ($d:ident $r:ident order) => {
        $d.order()
    };
    ($d:ident $r:ident store_load) => {
        ($d.raw >> 24 & 1 != 0 && $d.raw >> 21 & 1 != 0)
    };
}
pub(crate) use operand;

/// There is no such row or table.
#[cold]
pub(crate) fn no_such(more: u8) -> ! {
    unreachable!("a number of a row or a table is {more} past the last")
}

/// A table of instructions: `mod NAME: EXTENSION|... & EXTENSION..., WIDTHS; |reader| rows`: any of the first
/// extensions brings it, if all of the others are there. A row is mnemonic, format, bits,
/// operands as assembly lists them, others that the meaning uses (`with`), and the meaning.
macro_rules! instructions {
    ($table:ident: $($ext:ident)|+ $(& $also_ext:ident)*, $widths:ident; |$m:ident|
     $($name:literal $format:ident $bits:literal ($($op:ident $(($base:ident))?),*) $(with $($also:ident),+)? => $meaning:expr;)*) => {
        #[allow(unused_imports, reason = "not every table uses every name")]
        pub(crate) mod $table {
            use super::*;
            use crate::{row::{Format, Handlers, Insn, Meaning, Widths, operand, pattern, H, S, D}, decode::Decoded, Ext};
            use hartwright_ir::{Aes, Amo, Bin::*, Cbo, Crypto::*, CsrOp, Fp, FpTest, Int, Mem::*, Reader, Sha, System, Un, Value};

            const NEEDS: &[Ext] = &[$(Ext::$ext),+];
            const ALSO: &[Ext] = &[$(Ext::$also_ext),*];

            pub(crate) const TABLE: &[Insn] = &[$(Insn {
                mnemonic: $name,
                pattern: pattern($bits, 32),
                syntax: &[$((stringify!($op), concat!($(stringify!($base))?))),*],
                format: Format::$format,
                needs: NEEDS,
                also: ALSO,
                widths: Widths::$widths,
            }),*];

            pub(crate) fn handler<R: Reader, H: Handlers<R>>(row: u8) -> H::Handler {
                let mut before = row;
                $({
                    struct Row;
                    impl<R: Reader> Meaning<R> for Row {
                        #[allow(unused_variables, reason = "some operands are there for the assembly alone")]
                        #[inline(always)]
                        fn meaning(d: &Decoded, $m: R) -> Result<(), R::Stop> {
                            $(let $op = operand!(d $m $op); $(let $base = operand!(d $m $base);)?)*
                            $($(let $also = operand!(d $m $also);)+)?
                            let () = $meaning;
                            Ok(())
                        }
                    }
                    if before == 0 {
                        return H::handler::<Row>();
                    }
                    before = before.wrapping_sub(1);
                })*
                crate::row::no_such(before)
            }
        }
    };
}
pub(crate) use instructions;
