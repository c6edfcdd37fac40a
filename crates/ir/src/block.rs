//! A block of meanings as a list of operations: what a translator reads.

use crate::{Amo, Bin, Fmt, Fp, FpTest, Int, Mem, Un, Width};
use std::fmt;

/// An operand of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A known value.
    C(u64),
    /// An integer register, as it stands before the operation.
    X(u8),
    /// A floating-point register, as it stands before the operation.
    F(u8),
    /// The result of the operation with this number, of the same instruction.
    V(u32),
}

/// One operation. That at index `i` of a block makes value `V(i)`, if it makes one.
///
/// Loads, stores, jumps and `Step` may leave the block; no other operation does. Within an instruction, no operation
/// reads a register that an earlier one of it wrote ([`Block::verify`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// Was of no use to anybody.
    Nop,
    /// The instruction at this address begins; it has so many bytes.
    Insn(u64, u8),
    /// See [`Bin`].
    Bin(Bin, Arg, Arg),
    /// The same on the low 32 bits, the result sign-extended.
    Bin32(Bin, Arg, Arg),
    /// The same on the low 32 bits; nobody asks what the result has above.
    Low32(Bin, Arg, Arg),
    /// See [`Un`].
    Un(Un, Arg),
    /// The same on the low 32 bits, the result sign-extended.
    Un32(Un, Arg),
    /// The second if the first is not zero, else the third.
    Select(Arg, Arg, Arg),
    /// A register's contents, kept although the register may be written.
    Copy(Arg),
    /// Reads memory at the sum.
    Load(Mem, Arg, i32),
    /// Writes memory at the sum.
    Store(Mem, Arg, i32, Arg),
    /// Replaces a word of 4 or 8 bytes at the address by what becomes of it and the operand; gives the old one.
    Amo(Amo, Mem, Arg, Arg),
    /// Reads a word of 4 or 8 bytes at the address and reserves it.
    LoadReserved(Mem, Arg),
    /// Writes a word of 4 or 8 bytes at the address if it is reserved; gives 0 if it was, else 1.
    StoreConditional(Mem, Arg, Arg),
    /// Reads a floating-point value at the sum, boxed.
    LoadFloat(Fmt, Arg, i32),
    /// Writes the low bits of a floating-point value at the sum.
    StoreFloat(Fmt, Arg, i32, Arg),
    /// Writes an integer register, never `x0`.
    SetX(u8, Arg),
    /// Writes an integer register, which nobody reads before it is written again: what is written, and what the
    /// operation before this one computes for it, need only be there where the block is left meanwhile. What that
    /// reads stays as it is until then.
    Later(u8, Arg),
    /// Writes a floating-point register.
    SetF(u8, Arg),
    /// Computes in the rounding mode of `frm`.
    Fp(Fp, Fmt, [Arg; 3]),
    /// Compares.
    FpTest(FpTest, Fmt, Arg, Arg),
    /// Converts to an integer; towards zero, or as `frm` says.
    FpToInt(Int, Fmt, bool, Arg),
    /// Converts an integer in the rounding mode of `frm`.
    IntToFp(Int, Fmt, Arg),
    /// Converts between formats in the rounding mode of `frm`.
    FpToFp(Fmt, Fmt, Arg),
    /// The low bits of a floating-point register, sign-extended.
    FloatBits(Fmt, Arg),
    /// The low bits as a floating-point register has them, boxed.
    BitsFloat(Fmt, Arg),
    /// Orders earlier stores before later loads.
    Fence,
    /// Goes to an address if the value is not zero.
    JumpIf(Arg, u64),
    /// Goes to the address in the value, whose lowest bit does not count.
    Jump(Arg),
    /// Goes to an address.
    Goto(u64),
    /// The interpreter does the block's instruction of this number in place: any register may change, and the block
    /// may be left.
    Call(u32),
    /// The interpreter does the instruction at this address, and all that follows from it.
    Step(u64),
}

impl Op {
    /// What it reads; `C(0)` stands where it reads less.
    #[inline]
    pub fn args(&self) -> [Arg; 3] {
        let (mut op, mut args, mut n) = (*self, [Arg::C(0); 3], 0);
        op.each_arg(|arg| {
            args[n] = *arg;
            n += 1;
        });
        args
    }

    /// The same with other operands.
    #[inline]
    pub(crate) fn map_args(mut self, to: impl Fn(Arg) -> Arg) -> Op {
        self.each_arg(|arg| *arg = to(*arg));
        self
    }

    #[inline(always)]
    fn each_arg(&mut self, mut each: impl FnMut(&mut Arg)) {
        match self {
            Op::Nop | Op::Insn(..) | Op::Fence | Op::Goto(_) | Op::Call(_) | Op::Step(_) => {}
            Op::Un(_, a)
            | Op::Un32(_, a)
            | Op::Copy(a)
            | Op::Load(_, a, _)
            | Op::LoadFloat(_, a, _)
            | Op::LoadReserved(_, a)
            | Op::SetX(_, a)
            | Op::Later(_, a)
            | Op::SetF(_, a)
            | Op::FpToInt(_, _, _, a)
            | Op::IntToFp(_, _, a)
            | Op::FpToFp(_, _, a)
            | Op::FloatBits(_, a)
            | Op::BitsFloat(_, a)
            | Op::JumpIf(a, _)
            | Op::Jump(a) => each(a),
            Op::Bin(_, a, b)
            | Op::Bin32(_, a, b)
            | Op::Low32(_, a, b)
            | Op::Store(_, a, _, b)
            | Op::Amo(_, _, a, b)
            | Op::StoreConditional(_, a, b)
            | Op::StoreFloat(_, a, _, b)
            | Op::FpTest(_, _, a, b) => [a, b].into_iter().for_each(each),
            Op::Select(a, b, c) | Op::Fp(_, _, [a, b, c]) => [a, b, c].into_iter().for_each(each),
        }
    }

    /// Whether it can neither leave the block nor be seen from outside but by its result.
    pub(crate) fn is_pure(&self) -> bool {
        matches!(
            self,
            Op::Bin(..)
                | Op::Bin32(..)
                | Op::Low32(..)
                | Op::Un(..)
                | Op::Un32(..)
                | Op::Select(..)
                | Op::Copy(_)
        )
    }

    /// Whether a translator has to have it. Of any other it may leave the instruction to the interpreter.
    pub fn is_simple(&self) -> bool {
        match self {
            Op::Bin(Bin::Ror, _, Arg::C(_)) | Op::Bin32(Bin::Ror, _, Arg::C(_)) => true,
            Op::Bin(f, ..) | Op::Bin32(f, ..) => {
                use Bin::*;
                f.is_plain() || matches!(f, Eq | Ne | Lt | Ge | Ltu | Geu)
            }
            Op::Un(f, _) => matches!(f, Un::Not | Un::Rev8 | Un::Sext(8 | 16 | 32) | Un::Zext(8 | 16 | 32)),
            Op::Nop
            | Op::Insn(..)
            | Op::Low32(..)
            | Op::Select(..)
            | Op::Copy(_)
            | Op::SetX(..)
            | Op::Later(..)
            | Op::SetF(..)
            | Op::Fence => true,
            _ => false,
        }
    }

    /// Whether the hart may be looked at from outside here, so that all registers must be as the guest has them.
    pub(crate) fn shows_state(&self) -> bool {
        !self.is_simple()
    }
}

/// A straight run of instructions: entered at the top, left anywhere.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// In order.
    pub ops: Vec<Op>,
}

impl Block {
    /// What is wrong with it, if anything: a value used before it is made or in another instruction, a register read
    /// after it was written in the same instruction, an access after a write.
    pub fn verify(&self) -> Result<(), String> {
        let (mut first, mut written) = (0, [0u32; 2]);
        for (i, op) in self.ops.iter().enumerate() {
            if let Op::Insn(..) = op {
                (first, written) = (i, [0; 2]);
            }
            for arg in op.args() {
                let wrong = match arg {
                    Arg::C(_) => false,
                    Arg::X(x) => written[0] >> x & 1 != 0,
                    Arg::F(f) => written[1] >> f & 1 != 0,
                    Arg::V(v) => v as usize >= i || (v as usize) < first,
                };
                if wrong {
                    return Err(format!("operation {i}, `{op}`, reads {arg} at a wrong place"));
                }
            }
            let accesses = matches!(
                op,
                Op::Load(..)
                    | Op::Store(..)
                    | Op::Amo(..)
                    | Op::LoadReserved(..)
                    | Op::StoreConditional(..)
                    | Op::LoadFloat(..)
                    | Op::StoreFloat(..)
            );
            if accesses && written != [0; 2] {
                return Err(format!("operation {i}, `{op}`, may fail after a register was written"));
            }
            match op {
                Op::SetX(0, _) | Op::Later(0, _) => return Err(format!("operation {i} writes x0")),
                Op::SetX(x, _) | Op::Later(x, _) => written[0] |= 1 << x,
                Op::SetF(f, _) => written[1] |= 1 << f,
                _ => {}
            }
        }
        Ok(())
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arg::C(c) => write!(f, "{c:#x}"),
            Arg::X(x) => write!(f, "x{x}"),
            Arg::F(r) => write!(f, "f{r}"),
            Arg::V(v) => write!(f, "%{v}"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &dyn fmt::Debug| format!("{name:?}").to_lowercase();
        match self {
            Op::Nop => f.write_str("nop"),
            Op::Insn(pc, _) => write!(f, "{pc:#x}:"),
            Op::Bin(op, a, b) => write!(f, "{} {a}, {b}", name(op)),
            Op::Bin32(op, a, b) => write!(f, "{}.w {a}, {b}", name(op)),
            Op::Low32(op, a, b) => write!(f, "{}.low {a}, {b}", name(op)),
            Op::Un(op, a) => write!(f, "{} {a}", name(op)),
            Op::Un32(op, a) => write!(f, "{}.w {a}", name(op)),
            Op::Select(c, a, b) => write!(f, "select {c}, {a}, {b}"),
            Op::Copy(a) => write!(f, "copy {a}"),
            Op::Load(m, a, offset) => write!(f, "load.{} {offset}({a})", name(m)),
            Op::Store(m, a, offset, v) => write!(f, "store.{} {v}, {offset}({a})", name(m)),
            Op::Amo(op, m, a, v) => write!(f, "amo{}.{} {v}, ({a})", name(op), name(m)),
            Op::LoadReserved(m, a) => write!(f, "reserved.{} ({a})", name(m)),
            Op::StoreConditional(m, a, v) => write!(f, "conditional.{} {v}, ({a})", name(m)),
            Op::LoadFloat(fmt, a, offset) => write!(f, "load.{} {offset}({a})", name(fmt)),
            Op::StoreFloat(fmt, a, offset, v) => write!(f, "store.{} {v}, {offset}({a})", name(fmt)),
            Op::SetX(x, a) => write!(f, "x{x} = {a}"),
            Op::Later(x, a) => write!(f, "x{x} = {a} later"),
            Op::SetF(r, a) => write!(f, "f{r} = {a}"),
            Op::Fp(op, fmt, [a, b, c]) => write!(f, "f{}.{} {a}, {b}, {c}", name(op), name(fmt)),
            Op::FpTest(op, fmt, a, b) => write!(f, "f{}.{} {a}, {b}", name(op), name(fmt)),
            Op::FpToInt(int, fmt, zero, a) => {
                write!(f, "{}.{}{} {a}", name(int), name(fmt), if *zero { ".rtz" } else { "" })
            }
            Op::IntToFp(int, fmt, a) => write!(f, "{}.{} {a}", name(fmt), name(int)),
            Op::FpToFp(from, to, a) => write!(f, "{}.{} {a}", name(to), name(from)),
            Op::FloatBits(fmt, a) => write!(f, "bits.{} {a}", name(fmt)),
            Op::BitsFloat(fmt, a) => write!(f, "float.{} {a}", name(fmt)),
            Op::Fence => f.write_str("fence"),
            Op::JumpIf(c, to) => write!(f, "jump {to:#x} if {c}"),
            Op::Jump(to) => write!(f, "jump {to}"),
            Op::Goto(to) => write!(f, "jump {to:#x}"),
            Op::Call(number) => write!(f, "call {number}"),
            Op::Step(pc) => write!(f, "step {pc:#x}"),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, op) in self.ops.iter().enumerate() {
            match op {
                Op::Nop => {}
                Op::Insn(..) => writeln!(f, "{op}")?,
                Op::SetX(..)
                | Op::Later(..)
                | Op::SetF(..)
                | Op::Store(..)
                | Op::StoreFloat(..)
                | Op::Fence
                | Op::JumpIf(..)
                | Op::Jump(_)
                | Op::Goto(_)
                | Op::Call(_)
                | Op::Step(_) => writeln!(f, "    {op}")?,
                _ => writeln!(f, "    %{i} = {op}")?,
            }
        }
        Ok(())
    }
}

/// What `f` does to 32 bits, the result sign-extended.
pub(crate) fn bin32(f: Bin, a: u64, b: u64) -> u64 {
    i64::from(u32::bin(f, a as u32, b as u32) as i32) as u64
}
