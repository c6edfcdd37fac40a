//! What several instructions do together, as fewer operations: rotations, extensions and scaled additions that a hart
//! without Zbb and Zba makes of shifts.
//!
//! One pass, in order. A register is known by the operation that made what it holds, as long as what that read can still
//! be read. If it read the register that it wrote, it can be done later, with the old contents, as long as nobody has
//! seen the new ones.

use crate::{Arg, Bin, Block, Mem, Op, Un};

/// What made a register's contents.
#[derive(Clone, Copy)]
struct Def {
    op: Op,
    /// What `op` reads, as [`Fuser::writes`] had it then.
    reads: [u32; 2],
    /// Where the register is written.
    set: usize,
    /// Nobody has read the contents.
    unread: bool,
    /// How often registers had been shown when they were made.
    shown: u32,
    before: Before,
}

/// What was known of a register before it was written.
#[derive(Clone, Copy)]
struct Before {
    def: Option<usize>,
    bits: Bits,
    /// Of what made it then, whether nobody had seen that but who writes the register now.
    unseen: bool,
}

/// What is known of a register's contents.
#[derive(Clone, Copy, Default)]
struct Bits {
    /// So many low bits are all that are not zero; or unknown, as 64.
    unsigned: u32,
    /// It is the sign extension of its low 32 bits.
    signed_word: bool,
}

/// What stands for the value of the operation before.
const BEFORE: Arg = Arg::V(0);

const UNKNOWN: Bits = Bits { unsigned: 64, signed_word: false };

/// What becomes of an operation.
enum Becomes {
    Is(Op),
    /// Each after the first reads the value of the one before, where it has [`BEFORE`].
    Both(Op, Op),
    All(Op, Op, Op),
    /// Nothing: its value is there already.
    Known(Arg),
}

/// Has blocks' operations do what several did, one block after the other.
pub struct Fuser {
    out: Vec<Op>,
    /// What stands for the values of the operations read so far.
    values: Vec<Arg>,
    /// All that registers are known by, and by register which of them.
    made: Vec<Def>,
    defs: [Option<usize>; 32],
    bits: [Bits; 32],
    /// Whether nobody had seen what the register that comes next had, before its new contents were made.
    unseen: bool,
    /// How often all registers were shown.
    shown: u32,
    /// By register, a number for each time that it was written.
    writes: [u32; 32],
    last: u32,
}

impl Default for Fuser {
    fn default() -> Self {
        Fuser {
            out: vec![],
            values: vec![],
            made: vec![],
            defs: [None; 32],
            bits: [UNKNOWN; 32],
            unseen: false,
            shown: 0,
            writes: [0; 32],
            last: 0,
        }
    }
}

impl Fuser {
    /// Has the operations of `block` do what several did.
    pub fn fuse(&mut self, block: &mut Block) {
        self.out.clear();
        self.values.clear();
        self.made.clear();
        (self.defs, self.bits, self.unseen) = ([None; 32], [UNKNOWN; 32], false);
        (self.shown, self.last, self.writes) = (0, 0, [0; 32]);
        for (i, op) in block.ops.iter().enumerate() {
            let to = match block.ops.get(i + 1) {
                Some(Op::SetX(x, Arg::V(v))) if *v as usize == i => Some(*x),
                _ => None,
            };
            self.add(*op, to);
        }
        std::mem::swap(&mut block.ops, &mut self.out);
    }

    /// Adds an operation whose value goes `to` a register next, if it does.
    fn add(&mut self, op: Op, to: Option<u8>) {
        let values = &self.values;
        let op = op.map_args(|arg| if let Arg::V(v) = arg { values[v as usize] } else { arg });
        let value = match (op, to) {
            (Op::SetX(x, v), _) => {
                self.set(x, v);
                Arg::C(0)
            }
            (op, Some(x)) => {
                let becomes = self.becomes(op, x);
                self.unseen = self.is_unseen(x);
                match becomes {
                    Becomes::Is(op) => self.push(op),
                    Becomes::Both(first, second) => self.push_all(&[first, second]),
                    Becomes::All(first, second, third) => self.push_all(&[first, second, third]),
                    Becomes::Known(arg) => arg,
                }
            }
            (op, None) => self.push(op),
        };
        self.values.push(value);
    }

    fn push_all(&mut self, ops: &[Op]) -> Arg {
        let after = |before, op: &Op| self.push(op.map_args(|arg| if arg == BEFORE { before } else { arg }));
        ops.iter().fold(Arg::C(0), after)
    }

    fn push(&mut self, op: Op) -> Arg {
        for arg in op.args() {
            if let Arg::X(x) = arg
                && let Some(def) = self.defs[x as usize]
            {
                self.made[def].unread = false;
            }
        }
        if op.shows_state() {
            self.shown += 1;
        }
        if let Op::Call(_) = op {
            (self.defs, self.bits) = ([None; 32], [UNKNOWN; 32]);
            self.last += 1;
            self.writes = [self.last; 32];
        }
        self.out.push(op);
        Arg::V(self.out.len() as u32 - 1)
    }

    fn set(&mut self, x: u8, v: Arg) {
        if v == Arg::X(x) {
            self.unseen = false;
            return;
        }
        let made = if let Arg::V(v) = v { Some(self.out[v as usize]) } else { None };
        let bits = match (v, made) {
            (Arg::C(c), _) => Bits { unsigned: 64 - c.leading_zeros(), signed_word: c as i32 as u64 == c },
            (Arg::X(y), _) => self.bits[y as usize],
            (_, Some(op)) => bits(op),
            _ => UNKNOWN,
        };
        let def = made.filter(|op| {
            let plain = |arg: &Arg| matches!(arg, Arg::X(_) | Arg::C(_));
            matches!(op, Op::Bin(..) | Op::Bin32(..) | Op::Un(..)) && op.args().iter().all(plain)
        });
        let reads = def.map(|op| self.reads(op, None));
        let before = Before {
            def: self.defs[x as usize],
            bits: self.bits[x as usize],
            unseen: std::mem::take(&mut self.unseen),
        };
        self.push(Op::SetX(x, v));
        self.last += 1;
        self.writes[x as usize] = self.last;
        self.bits[x as usize] = bits;
        let set = self.out.len() - 1;
        self.defs[x as usize] = def.zip(reads).map(|(op, reads)| {
            self.made.push(Def { op, reads, set, unread: true, shown: self.shown, before });
            self.made.len() - 1
        });
    }

    /// What made the contents of `x`.
    fn def(&self, x: u8) -> Option<&Def> {
        self.defs[x as usize].map(|def| &self.made[def])
    }

    /// Whether nobody has seen what `x` holds.
    fn is_unseen(&self, x: u8) -> bool {
        self.def(x).is_some_and(|def| def.unread && def.shown == self.shown)
    }

    /// What an operation's first two operands are, once a write is taken back.
    fn reads(&self, op: Op, back: Option<&Undo>) -> [u32; 2] {
        let [a, b, _] = op.args();
        [a, b].map(|arg| match (arg, back) {
            (Arg::X(x), Some(back)) if back.x == x => back.writes,
            (Arg::X(x), _) => self.writes[x as usize],
            _ => 0,
        })
    }

    /// What an operation becomes whose value goes to `x`.
    fn becomes(&mut self, op: Op, x: u8) -> Becomes {
        use Bin::*;
        let fused = match op {
            Op::Bin(Shr | Sar, Arg::X(r), Arg::C(n)) => self.made(r, x).and_then(|(undo, def)| match def {
                Op::Bin(Shl, s, Arg::C(left)) => Some((undo, extension(op, s, left, n)?)),
                _ => None,
            }),
            Op::Un(Un::Zext(32), s @ Arg::X(_)) => Some((None, Becomes::Is(Op::Un(Un::Zext(32), s)))),
            Op::Bin(Add | Or | Xor, Arg::X(a), Arg::X(b))
            | Op::Bin32(Add | Or | Xor, Arg::X(a), Arg::X(b)) => {
                let rotated = self.rotation(op, a, b, x);
                rotated.or_else(|| self.scaled(op, a, b, x)).or_else(|| self.scaled(op, b, a, x))
            }
            Op::Bin32(Add, r @ Arg::X(y), Arg::C(0)) if self.bits[y as usize].signed_word => {
                return Becomes::Known(r);
            }
            Op::Bin(And, r @ Arg::X(y), Arg::C(mask)) => {
                let unsigned = self.bits[y as usize].unsigned;
                let kept = if unsigned < 64 { (1 << unsigned) - 1 } else { u64::MAX };
                if mask & kept == kept {
                    return Becomes::Known(r);
                }
                None
            }
            _ => None,
        };
        let Some((undo, becomes)) = fused else { return Becomes::Is(op) };
        self.undo(undo);
        // A word that is then extended otherwise may be made at once.
        let (extended, then) = match becomes {
            Becomes::Is(op) => (op, None),
            Becomes::Both(op, then) => (op, Some(then)),
            becomes => return becomes,
        };
        if let Op::Un(Un::Zext(32), s @ Arg::X(r)) = extended {
            if self.bits[r as usize].unsigned <= 32 {
                return match then {
                    Some(then) => Becomes::Is(then.map_args(|arg| if arg == BEFORE { s } else { arg })),
                    None => Becomes::Known(s),
                };
            }
            if let Some((undo, word @ Op::Bin32(Add | Sub | And | Or | Xor | Shl | Shr | Sar | Mul, ..))) =
                self.made(r, x)
            {
                self.undo(undo);
                let extended = Op::Un(Un::Zext(32), BEFORE);
                return match then {
                    Some(then) => Becomes::All(word, extended, then),
                    None => Becomes::Both(word, extended),
                };
            }
        }
        match then {
            Some(then) => Becomes::Both(extended, then),
            None => Becomes::Is(extended),
        }
    }

    /// Takes back that a register was written.
    fn undo(&mut self, write: Option<Undo>) {
        let Some(Undo { x, def, writes }) = write else { return };
        let Def { set, before: Before { def, bits, unseen }, .. } = self.made[def];
        self.out[set] = Op::Nop;
        self.writes[x as usize] = writes;
        (self.defs[x as usize], self.bits[x as usize]) = (def, bits);
        if let Some(def) = def {
            self.made[def].unread = unseen;
        }
    }

    /// The operation that made what `r` holds, to be done now for `x`, and what is to be taken back before.
    fn made(&self, r: u8, x: u8) -> Option<(Option<Undo>, Op)> {
        let def = self.def(r)?;
        if self.reads(def.op, None) == def.reads {
            return Some((None, def.op));
        }
        // It read what it wrote.
        let undo = self.old(r).filter(|_| r == x && self.is_unseen(r))?;
        let still = self.reads(def.op, Some(&undo)) == def.reads;
        still.then_some((Some(undo), def.op))
    }

    /// How `r` is as it was before the operation that made it, if that read it.
    fn old(&self, r: u8) -> Option<Undo> {
        let def = self.defs[r as usize]?;
        let Def { op, reads, .. } = self.made[def];
        let read = (0..2).find(|i| op.args()[*i] == Arg::X(r))?;
        Some(Undo { x: r, def, writes: reads[read] })
    }

    /// `a` and `b` as the two halves of a rotation, together in `x`.
    fn rotation(&self, op: Op, a: u8, b: u8, x: u8) -> Option<(Option<Undo>, Becomes)> {
        let (left, right) = (self.def(a)?, self.def(b)?);
        let undo = [a, b].into_iter().find(|r| *r == x && self.is_unseen(x)).and_then(|r| self.old(r));
        let still = |def: &Def| self.reads(def.op, undo.as_ref()) == def.reads;
        if !still(left) || !still(right) {
            return None;
        }
        let shift = |op: Op| match op {
            Op::Bin(f @ (Bin::Shl | Bin::Shr), s @ Arg::X(_), Arg::C(n)) => Some((64, f, s, n)),
            Op::Bin32(f @ (Bin::Shl | Bin::Shr), s @ Arg::X(_), Arg::C(n)) => Some((32, f, s, n)),
            _ => None,
        };
        let (one, other) = (shift(left.op)?, shift(right.op)?);
        let (((bits, Bin::Shl, s, left), (width, Bin::Shr, t, right))
        | ((width, Bin::Shr, t, right), (bits, Bin::Shl, s, left))) = (one, other)
        else {
            return None;
        };
        let halves = (bits, s) == (width, t) && left > 0 && right > 0 && left + right == bits;
        let op = match (bits, op) {
            (64, Op::Bin(..)) if halves => Op::Bin(Bin::Ror, s, Arg::C(right)),
            // Words have their sign in the upper half, and so has their sum.
            (32, _) if halves => Op::Bin32(Bin::Ror, s, Arg::C(right)),
            _ => return None,
        };
        Some((undo, Becomes::Is(op)))
    }

    /// The sum of `b` and of `a`, if that is something shifted by so little that hosts add it as it is.
    fn scaled(&self, op: Op, a: u8, b: u8, x: u8) -> Option<(Option<Undo>, Becomes)> {
        if !matches!(op, Op::Bin(Bin::Add, ..)) || a == b {
            return None;
        }
        match self.made(a, x)? {
            (undo, shift @ Op::Bin(Bin::Shl, Arg::X(_), Arg::C(1..=3))) => {
                Some((undo, Becomes::Both(shift, Op::Bin(Bin::Add, BEFORE, Arg::X(b)))))
            }
            _ => None,
        }
    }
}

/// A write that is taken back: what was written, and how its register is before.
struct Undo {
    x: u8,
    def: usize,
    writes: u32,
}

/// `s`, shifted to the left and then to the right.
fn extension(op: Op, s: Arg, left: u64, right: u64) -> Option<Becomes> {
    let bits = 64u64.checked_sub(left).filter(|bits| matches!(bits, 8 | 16 | 32))? as u32;
    let Op::Bin(f, ..) = op else { return None };
    let extended = Op::Un(if f == Bin::Sar { Un::Sext(bits) } else { Un::Zext(bits) }, s);
    match left.checked_sub(right)? {
        0 => Some(Becomes::Is(extended)),
        back => Some(Becomes::Both(extended, Op::Bin(Bin::Shl, BEFORE, Arg::C(back)))),
    }
}

/// What is known of the result of an operation.
fn bits(op: Op) -> Bits {
    let unsigned = |bits| Bits { unsigned: bits, signed_word: bits < 32 };
    match op {
        Op::Bin32(..)
        | Op::Un32(..)
        | Op::Load(Mem::I8 | Mem::I16 | Mem::I32, ..)
        | Op::Un(Un::Sext(8 | 16 | 32), _) => Bits { signed_word: true, ..UNKNOWN },
        Op::Load(Mem::U8, ..) => unsigned(8),
        Op::Load(Mem::U16, ..) => unsigned(16),
        Op::Load(Mem::U32, ..) => unsigned(32),
        Op::Un(Un::Zext(bits), _) => unsigned(bits),
        Op::Bin(Bin::And, _, Arg::C(mask)) => unsigned(64 - mask.leading_zeros()),
        Op::Bin(Bin::Eq | Bin::Ne | Bin::Lt | Bin::Ge | Bin::Ltu | Bin::Geu, ..) => unsigned(1),
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Width;

    /// The value of an operation without effect.
    fn value(op: Op, [a, b, _]: [u64; 3]) -> u64 {
        match op {
            Op::Bin(f, ..) => u64::bin(f, a, b),
            Op::Bin32(f, ..) => crate::block::bin32(f, a, b),
            // What is above may be anything.
            Op::Low32(f, ..) => u64::from(crate::block::bin32(f, a, b) as u32) | 0xdead_beef << 32,
            Op::Un(f, _) => u64::un(f, a),
            op => unreachable!("{op}"),
        }
    }

    /// What anybody can see of a block: the registers, where it shows them and at its end.
    fn seen(block: &Block, mut x: [u64; 8]) -> Vec<[u64; 8]> {
        let (mut values, mut seen) = (vec![0u64; block.ops.len()], vec![]);
        let mut later: [Option<Op>; 8] = [None; 8];
        let args = |op: &Op, x: &[u64; 8], values: &[u64]| {
            op.args().map(|arg| match arg {
                Arg::C(c) => c,
                Arg::X(r) => x[r as usize],
                Arg::V(v) => values[v as usize],
                Arg::F(_) => unreachable!("there are none"),
            })
        };
        let shown = |x: &[u64; 8], later: &[Option<Op>; 8]| {
            let now = |r: usize| later[r].map_or(x[r], |op| value(op, args(&op, x, &[])));
            std::array::from_fn(now)
        };
        for (i, op) in block.ops.iter().enumerate() {
            let read = args(op, &x, &values);
            match *op {
                // Memory holds what is a function of its address alone.
                Op::Load(m, _, offset) => {
                    seen.push(shown(&x, &later));
                    let at = read[0].wrapping_add(offset as u64);
                    values[i] = m.extend(at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - 8 * m.size()));
                }
                Op::SetX(r, _) => (x[r as usize], later[r as usize]) = (read[0], None),
                Op::Later(r, _) => later[r as usize] = Some(block.ops[i - 1]),
                Op::Insn(..) | Op::Nop => {}
                op => values[i] = value(op, read),
            }
        }
        seen.push(shown(&x, &later));
        seen
    }

    /// A generator of numbers (Marsaglia's xorshift).
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 20) % n
        }

        fn of<T: Copy>(&mut self, list: &[T]) -> T {
            list[self.below(list.len() as u64) as usize]
        }
    }

    /// A block of what compilers make, on few registers.
    fn block(random: &mut Random) -> Block {
        use Bin::*;
        let mut ops = vec![];
        let mut amount = 32;
        for n in 0..2 + random.below(10) {
            ops.push(Op::Insn(4 * n, 4));
            let registers = if random.below(2) == 0 { 2 } else { 4 };
            let [a, b] = [0; 2].map(|_| Arg::X(1 + random.below(registers) as u8));
            // Amounts that add up to something are frequent.
            amount = match random.below(4) {
                0 => random.of(&[1, 2, 3, 8, 16, 30, 32, 48, 56]),
                1 => 64 - amount,
                2 => (32 - amount % 32) % 32,
                _ => amount,
            };
            let shift = Arg::C(amount);
            let short = Arg::C(amount % 32);
            ops.push(match random.below(16) {
                0..=2 => Op::Bin(Shl, a, shift),
                3..=5 => Op::Bin(random.of(&[Shr, Sar]), a, shift),
                6 => Op::Bin32(Shl, a, short),
                7 => Op::Bin32(Shr, a, short),
                8..=10 => Op::Bin(random.of(&[Add, Or, Xor]), a, b),
                11 => Op::Bin32(random.of(&[Add, Or, Sub, Mul]), a, b),
                12 => Op::Bin32(Add, a, Arg::C(random.of(&[0, 0, 1]))),
                13 => Op::Bin(And, a, Arg::C(random.of(&[0xff, 0xffff, 0xffff_ffff]))),
                14 => Op::Un(Un::Zext(32), a),
                _ => Op::Load(random.of(&[Mem::U8, Mem::U16, Mem::U32, Mem::I32, Mem::U64]), a, 0),
            });
            let value = Arg::V(ops.len() as u32 - 1);
            ops.push(Op::SetX(1 + random.below(registers) as u8, value));
        }
        Block { ops }
    }

    #[test]
    fn what_is_seen_of_a_fused_block_is_what_was_seen_before() {
        let mut random = Random(0x1234_5678_9abc_def1);
        let (mut fused, mut swept) = (0, [0; 2]);
        for _ in 0..200_000 {
            let before = block(&mut random);
            let x = std::array::from_fn(|_| {
                let bits = random.below(65);
                if bits == 0 { 0 } else { random.0 >> (64 - bits) }
            });
            let mut after = before.clone();
            Fuser::default().fuse(&mut after);
            assert_eq!(after.verify(), Ok(()), "{before}\n{after}");
            fused += u32::from(after.ops != before.ops);
            let expected = seen(&before, x);
            assert_eq!(seen(&after, x), expected, "{before}\n{after}");
            after.sweep(&mut vec![]);
            assert_eq!(after.verify(), Ok(()), "swept\n{before}\n{after}");
            assert_eq!(seen(&after, x), expected, "swept\n{before}\n{after}");
            swept[0] += after.ops.iter().filter(|op| matches!(op, Op::Later(..))).count();
            swept[1] += after.ops.iter().filter(|op| matches!(op, Op::Low32(..))).count();
        }
        assert!(fused > 20_000 && swept[0] > 10_000 && swept[1] > 10_000, "{fused}, {swept:?} of them");
    }

    /// The operations that instructions become that write `x1` and `x2`.
    fn fused(ops: &[(Op, u8)]) -> String {
        let mut block = Block::default();
        for (n, (op, x)) in (0..).zip(ops) {
            block.ops.extend([Op::Insn(4 * n, 4), *op, Op::SetX(*x, Arg::V(3 * n as u32 + 1))]);
        }
        Fuser::default().fuse(&mut block);
        block.sweep(&mut vec![]);
        let plain = |op: &&Op| !matches!(op, Op::Nop | Op::Insn(..));
        block.ops.iter().filter(plain).map(|op| format!("{op}; ")).collect()
    }

    #[test]
    fn what_compilers_write_becomes_few_operations() {
        use Bin::*;
        let (x, c) = (Arg::X, Arg::C);
        // A 32-bit sum as an index.
        let index = [
            (Op::Bin32(Add, x(5), x(6)), 1),
            (Op::Bin(Shl, x(1), c(32)), 1),
            (Op::Bin(Shr, x(1), c(30)), 1),
            (Op::Bin(Add, x(1), x(7)), 1),
        ];
        assert_eq!(
            fused(&index),
            "add.low x5, x6; zext(32) %7; shl %8, 0x2; x1 = %9; add x1, x7; x1 = %12; "
        );
        let rotate = [
            (Op::Bin(Shl, x(5), c(50)), 1),
            (Op::Bin(Shr, x(5), c(14)), 2),
            (Op::Bin(Or, x(1), x(2)), 1),
            (Op::Bin(Add, x(5), c(1)), 2),
        ];
        assert_eq!(fused(&rotate), "ror x5, 0xe; x1 = %7; add x5, 0x1; x2 = %10; ");
        let word = [(Op::Bin32(Add, x(5), c(1)), 1), (Op::Bin32(Add, x(1), c(0)), 1)];
        assert_eq!(fused(&word), "add.w x5, 0x1; x1 = %1; ");
    }
}
