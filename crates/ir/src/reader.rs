//! Who reads a meaning, and the values it reads it with.

use crate::{Amo, Bin, Cbo, Crypto, CsrOp, Fmt, Fp, FpTest, Int, Mem, Order, System, Un};
use std::ops;

/// Whoever reads an instruction's meaning: a hart being run, or a block being built.
///
/// What can fail gives `Err`, and a meaning passes it on at once (`?`): the first fault of an instruction
/// suppresses all that would follow it. Meanings therefore do what can fail before what cannot.
pub trait Reader: Copy {
    /// What the integer registers hold.
    type Value: Value;
    /// What the floating-point registers hold: 64 bits, narrower values NaN-boxed.
    type Float: Copy;
    /// Why the instruction after this one is not the next: a jump, a trap, a stop.
    type Stop;

    /// Integer register `r`; `x0` is zero.
    fn x(self, r: u8) -> Self::Value;
    /// Writes integer register `r`; writes to `x0` are lost.
    fn set_x(self, r: u8, v: Self::Value);
    /// Floating-point register `r`.
    fn f(self, r: u8) -> Self::Float;
    /// Writes floating-point register `r`.
    fn set_f(self, r: u8, v: Self::Float);
    /// A known value, sign-extended.
    fn constant(self, v: i64) -> Self::Value;
    /// `to`, if instructions may begin there: where those of 16 bits are not known, it must be a multiple of 4.
    fn landing(self, to: Self::Value) -> Result<Self::Value, Self::Stop>;
    /// Goes to `to`, a [`landing`](Self::landing), whose lowest bit is ignored.
    fn jump(self, to: Self::Value) -> Result<(), Self::Stop>;
    /// Goes to `to` if `cond` is not zero.
    fn jump_if(self, cond: Self::Value, to: u64) -> Result<(), Self::Stop>;

    /// Reads memory.
    fn load(self, m: Mem, addr: Self::Value) -> Result<Self::Value, Self::Stop>;
    /// Writes memory.
    fn store(self, m: Mem, addr: Self::Value, v: Self::Value) -> Result<(), Self::Stop>;
    /// Reads a floating-point value from memory, boxed.
    fn load_float(self, fmt: Fmt, addr: Self::Value) -> Result<Self::Float, Self::Stop>;
    /// Writes the low bits of a floating-point register to memory.
    fn store_float(self, fmt: Fmt, addr: Self::Value, v: Self::Float) -> Result<(), Self::Stop>;
    /// Changes memory in one step; gives what was there.
    fn amo(
        self,
        f: Amo,
        m: Mem,
        order: Order,
        addr: Self::Value,
        v: Self::Value,
    ) -> Result<Self::Value, Self::Stop>;
    /// Writes `new` to memory if `old` is there, in one step; gives what was there.
    fn compare_and_swap(
        self,
        m: Mem,
        order: Order,
        addr: Self::Value,
        old: Self::Value,
        new: Self::Value,
    ) -> Result<Self::Value, Self::Stop>;
    /// The same with twice as many bytes as a register has; the low half is first.
    fn compare_and_swap_pair(
        self,
        order: Order,
        addr: Self::Value,
        old: [Self::Value; 2],
        new: [Self::Value; 2],
    ) -> Result<[Self::Value; 2], Self::Stop>;
    /// Reads memory and reserves it.
    fn load_reserved(self, m: Mem, order: Order, addr: Self::Value) -> Result<Self::Value, Self::Stop>;
    /// Writes memory if the reservation holds; gives 0 if it did, else 1.
    fn store_conditional(
        self,
        m: Mem,
        order: Order,
        addr: Self::Value,
        v: Self::Value,
    ) -> Result<Self::Value, Self::Stop>;
    /// A cache-block operation on the block that holds `addr`.
    fn cbo(self, op: Cbo, addr: Self::Value) -> Result<(), Self::Stop>;

    /// Computes, with rounding mode `rm` as in the instruction (7: that of `frm`).
    fn fp(self, op: Fp, fmt: Fmt, rm: u8, args: [Self::Float; 3]) -> Result<Self::Float, Self::Stop>;
    /// Compares or classifies.
    fn fp_test(self, op: FpTest, fmt: Fmt, a: Self::Float, b: Self::Float) -> Self::Value;
    /// Converts to an integer.
    fn fp_to_int(self, to: Int, fmt: Fmt, rm: u8, a: Self::Float) -> Result<Self::Value, Self::Stop>;
    /// Converts an integer.
    fn int_to_fp(self, from: Int, fmt: Fmt, rm: u8, a: Self::Value) -> Result<Self::Float, Self::Stop>;
    /// Converts between formats.
    fn fp_to_fp(self, from: Fmt, to: Fmt, rm: u8, a: Self::Float) -> Result<Self::Float, Self::Stop>;
    /// The register's low bits, sign-extended.
    fn float_bits(self, fmt: Fmt, a: Self::Float) -> Self::Value;
    /// The low bits as a register's contents, boxed.
    fn bits_float(self, fmt: Fmt, a: Self::Value) -> Self::Float;

    /// A known floating-point value, boxed.
    fn float_constant(self, fmt: Fmt, bits: u64) -> Self::Float;
    /// Bits 63 to 32 of a floating-point register, sign-extended.
    fn float_high(self, a: Self::Float) -> Self::Value;
    /// A floating-point register's contents, of the low 32 bits of two registers.
    fn float_pair(self, low: Self::Value, high: Self::Value) -> Self::Float;

    /// Reads and changes a CSR; gives what it held. `read` and `write` say whether the instruction does either,
    /// as the unprivileged spec (Zicsr) tells from its register numbers.
    fn csr(
        self,
        csr: u16,
        op: CsrOp,
        v: Self::Value,
        read: bool,
        write: bool,
    ) -> Result<Self::Value, Self::Stop>;
    /// What an encoding means that the specification reserves.
    fn reserved<T>(self) -> Result<T, Self::Stop>;
    /// Does what concerns the hart as a whole.
    fn system(self, op: System) -> Result<(), Self::Stop>;
    /// Forgets translations (`sfence.vma`, `sinval.vma`): of one address, of one address space, or all.
    fn fence_vma(self, addr: Option<Self::Value>, asid: Option<Self::Value>) -> Result<(), Self::Stop>;
}

/// The vocabulary of meanings.
pub trait Value:
    Copy
    + ops::Add<Output = Self>
    + ops::Sub<Output = Self>
    + ops::BitAnd<Output = Self>
    + ops::BitOr<Output = Self>
    + ops::BitXor<Output = Self>
    + ops::Shl<Output = Self>
    + ops::Shr<Output = Self>
    + ops::Not<Output = Self>
{
    /// Any effect-free operation.
    fn bin(self, f: Bin, rhs: Self) -> Self;
    /// The operation on the low 32 bits, the result sign-extended: the `w` instructions.
    fn bin32(self, f: Bin, rhs: Self) -> Self;
    /// The operation on the low 64 bits, the result sign-extended: the `d` instructions of 128 bits.
    fn bin64(self, f: Bin, rhs: Self) -> Self;
    /// Any effect-free operation.
    fn un(self, f: Un) -> Self;
    /// The operation on the low 32 bits, the result sign-extended.
    fn un32(self, f: Un) -> Self;
    /// A step of a cipher or a hash.
    fn crypto(self, f: Crypto, rhs: Self) -> Self;
    /// `a` if this is not zero, else `b`.
    fn select(self, a: Self, b: Self) -> Self;

    /// The low `bits`, sign-extended.
    #[inline(always)]
    fn sext(self, bits: u32) -> Self {
        self.un(Un::Sext(bits))
    }
    /// The low `bits`, zero-extended.
    #[inline(always)]
    fn zext(self, bits: u32) -> Self {
        self.un(Un::Zext(bits))
    }
}
