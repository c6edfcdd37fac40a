//! The operations that meanings are made of.

use crate::Width;

/// Two operands, one result, no effect. Shift and rotate amounts are taken modulo the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions, or of the host's operators")]
pub enum Bin {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Sar,
    Rol,
    Ror,
    Eq,
    Ne,
    Lt,
    Ge,
    Ltu,
    Geu,
    Min,
    Max,
    Minu,
    Maxu,
    Mul,
    Mulh,
    Mulhu,
    Mulhsu,
    /// Signed division with RISC-V's results for zero and overflow (unprivileged spec, M).
    Div,
    Divu,
    Rem,
    Remu,
    /// Carry-less product, low half (unprivileged spec, Zbc).
    Clmul,
    /// Carry-less product, high half.
    Clmulh,
    /// Carry-less product, reversed.
    Clmulr,
    /// The low halves of both, the second one's above (unprivileged spec, Zbkb).
    Pack,
    /// For each four bits of the second, those of the first that they number, or none (Zbkx).
    Xperm4,
    /// The same with bytes.
    Xperm8,
}

impl Bin {
    /// Whether every host has it as one instruction, on 64 bits and on 32.
    pub const fn is_plain(self) -> bool {
        use Bin::*;
        matches!(self, Add | Sub | And | Or | Xor | Shl | Shr | Sar | Mul)
    }
}

/// One operand, one result, no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum Un {
    Not,
    Clz,
    Ctz,
    Cpop,
    /// Reverses the bytes.
    Rev8,
    /// Makes each byte that is not zero all ones.
    OrcB,
    /// Reverses the bits of each byte.
    Brev8,
    /// Makes bits of the low half the even ones, of the high half the odd ones.
    Zip,
    /// The inverse of `Zip`.
    Unzip,
    /// Sign-extends the low so many bits.
    Sext(u32),
    /// Zero-extends the low so many bits.
    Zext(u32),
}

/// The width and signedness of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "letters and bits say it")]
pub enum Mem {
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
}

impl Mem {
    /// Bytes.
    pub const fn size(self) -> u8 {
        match self {
            Mem::I8 | Mem::U8 => 1,
            Mem::I16 | Mem::U16 => 2,
            Mem::I32 | Mem::U32 => 4,
            Mem::I64 | Mem::U64 => 8,
            Mem::I128 => 16,
        }
    }

    /// What a register of width `W` holds after `raw` (zero-extended) was loaded; of 16 bytes, `raw` is the low half.
    #[inline(always)]
    pub fn extend<W: Width>(self, raw: u64) -> W {
        match self {
            Mem::I8 => W::from_i64((raw as i8).into()),
            Mem::I16 => W::from_i64((raw as i16).into()),
            Mem::I32 => W::from_i64((raw as i32).into()),
            Mem::I64 => W::from_i64(raw as i64),
            Mem::U8 | Mem::U16 | Mem::U32 | Mem::U64 | Mem::I128 => W::from_u64(raw),
        }
    }
}

/// What an atomic memory operation leaves in memory (unprivileged spec, A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum Amo {
    Swap,
    Add,
    Xor,
    And,
    Or,
    Min,
    Max,
    Minu,
    Maxu,
}

impl Amo {
    /// The new contents, of the old ones and the register.
    #[inline(always)]
    pub fn eval<W: Width>(self, old: W, register: W) -> W {
        let f = match self {
            Amo::Swap => return register,
            Amo::Add => Bin::Add,
            Amo::Xor => Bin::Xor,
            Amo::And => Bin::And,
            Amo::Or => Bin::Or,
            Amo::Min => Bin::Min,
            Amo::Max => Bin::Max,
            Amo::Minu => Bin::Minu,
            Amo::Maxu => Bin::Maxu,
        };
        W::bin(f, old, register)
    }
}

/// The `aq` and `rl` bits of an atomic operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Nothing later is seen before it.
    pub aq: bool,
    /// Nothing earlier is seen after it.
    pub rl: bool,
}

/// A floating-point format (the `fmt` field of the unprivileged spec, F).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fmt {
    /// binary16.
    H,
    /// binary32.
    S,
    /// binary64.
    D,
}

impl Fmt {
    /// Bits.
    pub const fn bits(self) -> u32 {
        match self {
            Fmt::H => 16,
            Fmt::S => 32,
            Fmt::D => 64,
        }
    }

    /// The low bits of `raw` as a 64-bit register holds them: with ones above (unprivileged spec, D).
    #[inline(always)]
    pub const fn boxed(self, raw: u64) -> u64 {
        match self {
            Fmt::H => !0 << 16 | raw & 0xffff,
            Fmt::S => !0 << 32 | raw & 0xffff_ffff,
            Fmt::D => raw,
        }
    }

    /// The low bits of a 64-bit register, sign-extended.
    #[inline(always)]
    pub const fn extend(self, register: u64) -> i64 {
        match self {
            Fmt::H => register as i16 as i64,
            Fmt::S => register as i32 as i64,
            Fmt::D => register as i64,
        }
    }
}

/// A floating-point operation with a floating-point result. Operands it has not are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum Fp {
    Add,
    Sub,
    Mul,
    Div,
    Sqrt,
    Madd,
    Msub,
    Nmsub,
    Nmadd,
    Min,
    Max,
    /// The smaller, or the canonical NaN if there is a NaN (unprivileged spec, Zfa).
    Minm,
    Maxm,
    /// To an integer of the same format (Zfa).
    Round,
    /// The same, raising the inexact flag.
    RoundNx,
    Sgnj,
    Sgnjn,
    Sgnjx,
}

/// A floating-point operation with an integer result and no rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum FpTest {
    Eq,
    Lt,
    Le,
    /// As `Lt`, and quiet NaNs raise nothing (Zfa).
    Ltq,
    Leq,
    Class,
    /// The low 32 bits of a double-precision value's integer, however large it is, sign-extended (Zfa).
    Modular,
}

/// An integer that floating point is converted to or from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum Int {
    W,
    Wu,
    L,
    Lu,
}

/// How an instruction changes a CSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrOp {
    /// Writes it.
    Write,
    /// Sets the bits that are one.
    Set,
    /// Clears the bits that are one.
    Clear,
}

/// A cache-block operation (unprivileged spec, CMO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum Cbo {
    Inval,
    Clean,
    Flush,
    Zero,
}

/// An instruction that concerns the hart as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the instructions")]
pub enum System {
    Ecall,
    Ebreak,
    Mret,
    Sret,
    Wfi,
    /// Zawrs; a short stall.
    WrsNto,
    /// Zawrs; a stall with a time-out.
    WrsSto,
    /// Zihintpause.
    Pause,
    /// Orders memory; whether an earlier store must be seen before a later load.
    Fence {
        /// The predecessor set has W and the successor set has R.
        store_load: bool,
    },
    FenceI,
    /// Svinval: the fences around `sinval.vma`.
    SfenceWInval,
    SfenceInvalIr,
}
