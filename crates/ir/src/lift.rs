//! Meanings as a [`Block`]: a [`Reader`] that writes down what it reads, and folds what is known already.

use crate::{
    Amo, Arg, Bin, Block, Cbo, CsrOp, Fmt, Fp, FpTest, Int, Mem, Op, Order, Reader, System, Un, Value, Width,
    block::bin32,
};
use std::{cell::RefCell, ops};

/// The rounding mode of an instruction that means that of `frm` (unprivileged spec, F).
const DYNAMIC: u8 = 7;
/// Rounding towards zero.
const TOWARDS_ZERO: u8 = 1;

/// Whether no result depends on the rounding mode `rm`, which is none of the reserved ones.
fn is_idle(exact: bool, rm: u8) -> bool {
    exact && !matches!(rm, 5 | 6)
}

/// A block being written.
///
/// An instruction that has no operations here, or whose rounding mode is not that of `frm`, becomes a
/// [`Call`](Op::Call) or a [`Step`](Op::Step).
pub struct Builder {
    /// Whether instructions may begin at any even address.
    compressed: bool,
    /// Whether nobody else does atomic accesses while this hart runs.
    alone: bool,
    state: RefCell<State>,
}

struct State {
    block: Block,
    /// Registers whose value is known here.
    known: [Option<u64>; 32],
    /// Where the operations of the present instruction begin, and what was known before of the registers it writes.
    begin: usize,
    before: Vec<(u8, Option<u64>)>,
    refused: bool,
    /// Where the instruction goes in any case.
    goes_to: Option<u64>,
}

/// How an instruction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The next one in memory follows, unless a branch was taken.
    Next,
    /// What follows is at this address.
    Goes(u64),
    /// The block ends: with a jump to where only the hart knows, or with a step.
    Left,
}

/// Operations that most blocks have fewer of.
const TYPICAL: usize = 128;

impl Builder {
    /// A block without instructions. `compressed`: whether they may begin at any even address; `alone`: whether no
    /// other hart runs while this one does, so that what is atomic needs no care.
    pub fn new(compressed: bool, alone: bool) -> Self {
        let mut known = [None; 32];
        known[0] = Some(0);
        let state = State {
            block: Block { ops: Vec::with_capacity(TYPICAL) },
            known,
            begin: 0,
            before: vec![],
            refused: false,
            goes_to: None,
        };
        Builder { compressed, alone, state: RefCell::new(state) }
    }

    /// Adds the instruction of `len` bytes at `pc`, whose meaning `read` tells; says how it ends. If that has no
    /// operations here, it is [called](Op::Call) by its number, `or_call`, or ends the block.
    pub fn insn<S>(
        &self,
        pc: u64,
        len: u8,
        or_call: Option<u32>,
        read: impl FnOnce(&Self) -> Result<(), S>,
    ) -> End {
        {
            let state = &mut *self.state.borrow_mut();
            state.begin = state.block.ops.len();
            state.before.clear();
            state.block.ops.push(Op::Insn(pc, len));
        }
        // An error says that the meaning went no further, which the operations say as well.
        let _ = read(self);
        let state = &mut *self.state.borrow_mut();
        if std::mem::take(&mut state.refused) {
            state.block.ops.truncate(state.begin);
            state.goes_to = None;
            if let Some(number) = or_call {
                state.block.ops.extend([Op::Insn(pc, len), Op::Call(number)]);
                state.known = [None; 32];
                state.known[0] = Some(0);
                return End::Next;
            }
            while let Some((x, known)) = state.before.pop() {
                state.known[x as usize] = known;
            }
            state.block.ops.push(Op::Step(pc));
            return End::Left;
        }
        match (state.goes_to.take(), state.block.ops.last()) {
            (Some(to), _) => End::Goes(to),
            (None, Some(Op::Jump(_))) => End::Left,
            _ => End::Next,
        }
    }

    /// Ends the block: the interpreter does what is at `pc`.
    pub fn step(&self, pc: u64) -> End {
        self.push(Op::Step(pc));
        End::Left
    }

    /// Whether there is nothing but a step.
    pub fn is_step(&self) -> bool {
        matches!(self.state.borrow().block.ops[..], [Op::Step(_)])
    }

    /// Ends the block with a jump to `pc`.
    pub fn goto(&self, pc: u64) {
        self.push(Op::Goto(pc));
    }

    /// The block.
    pub fn finish(self) -> Block {
        self.state.into_inner().block
    }

    fn push(&self, op: Op) -> Arg {
        let ops = &mut self.state.borrow_mut().block.ops;
        ops.push(op);
        Arg::V(ops.len() as u32 - 1)
    }

    fn value(&self, arg: Arg) -> Val<'_> {
        Val { builder: self, arg }
    }

    fn make(&self, op: Op) -> Val<'_> {
        self.value(self.push(op))
    }

    /// The present instruction is for the interpreter.
    fn refuse<T>(&self) -> Result<T, ()> {
        self.state.borrow_mut().refused = true;
        Err(())
    }

    /// The same, where a value is wanted.
    fn refused(&self) -> Val<'_> {
        self.state.borrow_mut().refused = true;
        self.value(Arg::C(0))
    }

    /// An address as base and offset: an addition that was just written down is taken back.
    fn address(&self, arg: Arg) -> (Arg, i32) {
        let ops = &mut self.state.borrow_mut().block.ops;
        if let (Arg::V(v), Some(&Op::Bin(Bin::Add, base, Arg::C(offset)))) = (arg, ops.last())
            && v as usize + 1 == ops.len()
            && (-0x800..0x800).contains(&(offset as i64))
        {
            ops.pop();
            return (base, offset as i32);
        }
        (arg, 0)
    }
}

impl<'b> Reader for &'b Builder {
    type Value = Val<'b>;
    type Float = Val<'b>;
    type Stop = ();

    fn x(self, r: u8) -> Val<'b> {
        let known = self.state.borrow().known[r as usize & 31];
        self.value(known.map_or(Arg::X(r), Arg::C))
    }
    fn set_x(self, r: u8, v: Val<'b>) {
        if r == 0 || v.arg == Arg::X(r) {
            return;
        }
        let state = &mut *self.state.borrow_mut();
        let known = if let Arg::C(c) = v.arg { Some(c) } else { None };
        let before = std::mem::replace(&mut state.known[r as usize & 31], known);
        state.before.push((r & 31, before));
        state.block.ops.push(Op::SetX(r, v.arg));
    }
    fn f(self, r: u8) -> Val<'b> {
        self.value(Arg::F(r))
    }
    fn set_f(self, r: u8, v: Val<'b>) {
        self.push(Op::SetF(r, v.arg));
    }
    fn constant(self, v: i64) -> Val<'b> {
        self.value(Arg::C(v as u64))
    }

    fn landing(self, to: Val<'b>) -> Result<Val<'b>, ()> {
        match to.arg {
            Arg::C(to) if to & 2 != 0 && !self.compressed => self.refuse(),
            Arg::C(_) => Ok(to),
            _ if !self.compressed => self.refuse(),
            // The link register may be written before the jump.
            Arg::X(_) => Ok(self.make(Op::Copy(to.arg))),
            Arg::F(_) | Arg::V(_) => Ok(to),
        }
    }
    fn jump(self, to: Val<'b>) -> Result<(), ()> {
        match to.arg {
            Arg::C(to) => self.state.borrow_mut().goes_to = Some(to & !1),
            to => drop(self.push(Op::Jump(to))),
        }
        Err(())
    }
    fn jump_if(self, cond: Val<'b>, to: u64) -> Result<(), ()> {
        if to & 2 != 0 && !self.compressed {
            return self.refuse();
        }
        match cond.arg {
            Arg::C(0) => Ok(()),
            Arg::C(_) => {
                self.state.borrow_mut().goes_to = Some(to);
                Err(())
            }
            cond => {
                self.push(Op::JumpIf(cond, to));
                Ok(())
            }
        }
    }

    fn load(self, m: Mem, addr: Val<'b>) -> Result<Val<'b>, ()> {
        if m == Mem::I128 {
            return self.refuse();
        }
        let (base, offset) = self.address(addr.arg);
        Ok(self.make(Op::Load(m, base, offset)))
    }
    fn store(self, m: Mem, addr: Val<'b>, v: Val<'b>) -> Result<(), ()> {
        if m == Mem::I128 {
            return self.refuse();
        }
        let (base, offset) = self.address(addr.arg);
        self.push(Op::Store(m, base, offset, v.arg));
        Ok(())
    }
    fn load_float(self, fmt: Fmt, addr: Val<'b>) -> Result<Val<'b>, ()> {
        if fmt == Fmt::H {
            return self.refuse();
        }
        let (base, offset) = self.address(addr.arg);
        Ok(self.make(Op::LoadFloat(fmt, base, offset)))
    }
    fn store_float(self, fmt: Fmt, addr: Val<'b>, v: Val<'b>) -> Result<(), ()> {
        if fmt == Fmt::H {
            return self.refuse();
        }
        let (base, offset) = self.address(addr.arg);
        self.push(Op::StoreFloat(fmt, base, offset, v.arg));
        Ok(())
    }

    fn amo(self, f: Amo, m: Mem, _: Order, addr: Val<'b>, v: Val<'b>) -> Result<Val<'b>, ()> {
        if !self.alone || m.size() < 4 {
            return self.refuse();
        }
        Ok(self.make(Op::Amo(f, m, addr.arg, v.arg)))
    }
    fn compare_and_swap(self, _: Mem, _: Order, _: Val<'b>, _: Val<'b>, _: Val<'b>) -> Result<Val<'b>, ()> {
        self.refuse()
    }
    fn compare_and_swap_pair(
        self,
        _: Order,
        _: Val<'b>,
        _: [Val<'b>; 2],
        _: [Val<'b>; 2],
    ) -> Result<[Val<'b>; 2], ()> {
        self.refuse()
    }
    fn load_reserved(self, m: Mem, _: Order, addr: Val<'b>) -> Result<Val<'b>, ()> {
        if !self.alone {
            return self.refuse();
        }
        Ok(self.make(Op::LoadReserved(m, addr.arg)))
    }
    fn store_conditional(self, m: Mem, _: Order, addr: Val<'b>, v: Val<'b>) -> Result<Val<'b>, ()> {
        if !self.alone {
            return self.refuse();
        }
        Ok(self.make(Op::StoreConditional(m, addr.arg, v.arg)))
    }
    fn cbo(self, _: Cbo, _: Val<'b>) -> Result<(), ()> {
        self.refuse()
    }

    fn fp(self, op: Fp, fmt: Fmt, rm: u8, args: [Val<'b>; 3]) -> Result<Val<'b>, ()> {
        let rounds = match op {
            Fp::Sgnj | Fp::Sgnjn | Fp::Sgnjx | Fp::Min | Fp::Max => false,
            Fp::Minm | Fp::Maxm | Fp::Round | Fp::RoundNx => return self.refuse(),
            _ => true,
        };
        if fmt == Fmt::H || rounds && rm != DYNAMIC {
            return self.refuse();
        }
        Ok(self.make(Op::Fp(op, fmt, args.map(|v| v.arg))))
    }
    fn fp_test(self, op: FpTest, fmt: Fmt, a: Val<'b>, b: Val<'b>) -> Val<'b> {
        if fmt == Fmt::H || matches!(op, FpTest::Class | FpTest::Modular) {
            return self.refused();
        }
        self.make(Op::FpTest(op, fmt, a.arg, b.arg))
    }
    fn fp_to_int(self, to: Int, fmt: Fmt, rm: u8, a: Val<'b>) -> Result<Val<'b>, ()> {
        // The host says of an unsigned number that is too large that it is not exact, too.
        if fmt == Fmt::H || !matches!(rm, DYNAMIC | TOWARDS_ZERO) || matches!(to, Int::Wu | Int::Lu) {
            return self.refuse();
        }
        Ok(self.make(Op::FpToInt(to, fmt, rm == TOWARDS_ZERO, a.arg)))
    }
    fn int_to_fp(self, from: Int, fmt: Fmt, rm: u8, a: Val<'b>) -> Result<Val<'b>, ()> {
        let exact = fmt == Fmt::D && matches!(from, Int::W | Int::Wu);
        if fmt == Fmt::H || from == Int::Lu || !is_idle(exact, rm) && rm != DYNAMIC {
            return self.refuse();
        }
        Ok(self.make(Op::IntToFp(from, fmt, a.arg)))
    }
    fn fp_to_fp(self, from: Fmt, to: Fmt, rm: u8, a: Val<'b>) -> Result<Val<'b>, ()> {
        let exact = (from, to) == (Fmt::S, Fmt::D);
        if from == Fmt::H || to == Fmt::H || !is_idle(exact, rm) && rm != DYNAMIC {
            return self.refuse();
        }
        Ok(self.make(Op::FpToFp(from, to, a.arg)))
    }
    fn float_bits(self, fmt: Fmt, a: Val<'b>) -> Val<'b> {
        self.make(Op::FloatBits(fmt, a.arg))
    }
    fn bits_float(self, fmt: Fmt, a: Val<'b>) -> Val<'b> {
        self.make(Op::BitsFloat(fmt, a.arg))
    }
    fn float_constant(self, fmt: Fmt, bits: u64) -> Val<'b> {
        self.value(Arg::C(fmt.boxed(bits)))
    }
    fn float_high(self, _: Val<'b>) -> Val<'b> {
        self.refused()
    }
    fn float_pair(self, _: Val<'b>, _: Val<'b>) -> Val<'b> {
        self.refused()
    }

    fn csr(self, _: u16, _: CsrOp, _: Val<'b>, _: bool, _: bool) -> Result<Val<'b>, ()> {
        self.refuse()
    }
    fn reserved<T>(self) -> Result<T, ()> {
        self.refuse()
    }
    fn system(self, op: System) -> Result<(), ()> {
        match op {
            System::Fence { store_load: true } => {
                self.push(Op::Fence);
                Ok(())
            }
            // The hosts that code is made for keep all other orders.
            System::Fence { store_load: false } => Ok(()),
            _ => self.refuse(),
        }
    }
    fn fence_vma(self, _: Option<Val<'b>>, _: Option<Val<'b>>) -> Result<(), ()> {
        self.refuse()
    }
}

/// A value inside a block: `a + b` writes down an addition, unless the sum is known.
#[derive(Clone, Copy)]
pub struct Val<'b> {
    builder: &'b Builder,
    arg: Arg,
}

impl Value for Val<'_> {
    fn bin(self, f: Bin, rhs: Self) -> Self {
        use Arg::C;
        use Bin::*;
        self.builder.value(match (f, self.arg, rhs.arg) {
            (f, C(a), C(b)) => C(u64::bin(f, a, b)),
            (Add | Sub | Or | Xor | Shl | Shr | Sar | Rol | Ror, a, C(0))
            | (Add | Or | Xor, C(0), a)
            | (And, a, C(u64::MAX))
            | (And, C(u64::MAX), a) => a,
            (And, _, C(0)) | (And, C(0), _) => C(0),
            (Add | And | Or | Xor | Mul, c @ C(_), a) => self.builder.push(Op::Bin(f, a, c)),
            (Sub, a, C(c)) => self.builder.push(Op::Bin(Add, a, C(c.wrapping_neg()))),
            (f, a, b) => self.builder.push(Op::Bin(f, a, b)),
        })
    }
    fn bin32(self, f: Bin, rhs: Self) -> Self {
        use Arg::C;
        use Bin::*;
        self.builder.value(match (f, self.arg, rhs.arg) {
            (f, C(a), C(b)) => C(bin32(f, a, b)),
            (Add, c @ C(_), a) => self.builder.push(Op::Bin32(f, a, c)),
            (Sub, a, C(c)) => self.builder.push(Op::Bin32(Add, a, C((c as u32).wrapping_neg().into()))),
            (f, a, b) => self.builder.push(Op::Bin32(f, a, b)),
        })
    }
    fn bin64(self, f: Bin, rhs: Self) -> Self {
        self.bin(f, rhs)
    }
    fn un(self, f: Un) -> Self {
        match self.arg {
            Arg::C(c) => self.builder.value(Arg::C(u64::un(f, c))),
            a => self.builder.make(Op::Un(f, a)),
        }
    }
    fn un32(self, f: Un) -> Self {
        match self.arg {
            Arg::C(c) => self.builder.value(Arg::C(i64::from(u32::un(f, c as u32) as i32) as u64)),
            a => self.builder.make(Op::Un32(f, a)),
        }
    }
    fn crypto(self, _: crate::Crypto, _: Self) -> Self {
        self.builder.refused()
    }
    fn select(self, a: Self, b: Self) -> Self {
        match self.arg {
            Arg::C(0) => b,
            Arg::C(_) => a,
            cond => self.builder.make(Op::Select(cond, a.arg, b.arg)),
        }
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Bin:ident),*) => { $(
        impl ops::$Trait for Val<'_> {
            type Output = Self;
            fn $method(self, rhs: Self) -> Self { self.bin(Bin::$Bin, rhs) }
        }
    )* };
}
operators!(Add add Add, Sub sub Sub, BitAnd bitand And, BitOr bitor Or, BitXor bitxor Xor, Shl shl Shl, Shr shr Shr);

impl ops::Not for Val<'_> {
    type Output = Self;
    fn not(self) -> Self {
        self.un(Un::Not)
    }
}
