//! What nobody needs: writes that nobody sees, and what was computed for them alone; upper halves that nobody reads; and
//! writes that are seen only where a block is left early.

use crate::{Arg, Bin, Block, Op, Un};

/// A set of registers, by bits.
type Registers = u32;

/// Of the last use of a value: somebody reads its upper half.
const HIGH: u32 = 1 << 31;

/// What comes after an operation, as far as it matters for what it has to leave.
struct After {
    /// Written before anybody reads or sees them.
    dead: Registers,
    /// Written before anybody reads them, though not before the block may be left by who goes on here otherwise.
    hidden: Registers,
    /// Their upper halves are read or seen before they are written.
    high: Registers,
    /// The operation that writes each next.
    writes: [u32; 32],
}

impl Block {
    /// Drops what is of no use to anybody. Says of each operation which one is the last to use its value.
    pub fn sweep(&mut self, last_use: &mut Vec<u32>) {
        last_use.clear();
        last_use.resize(self.ops.len(), 0);
        let mut after = After { dead: 0, hidden: 0, high: !0, writes: [u32::MAX; 32] };
        for i in (0..self.ops.len()).rev() {
            let high = last_use[i] & HIGH != 0;
            last_use[i] &= !HIGH;
            match self.ops[i] {
                Op::SetX(x, v) => {
                    self.ops[i] = after.write(i, x, v, &self.ops, last_use);
                    continue;
                }
                op if op.is_pure() && last_use[i] == 0 => {
                    self.ops[i] = Op::Nop;
                    continue;
                }
                Op::Bin32(f, a, b) if f.is_plain() && !high => self.ops[i] = Op::Low32(f, a, b),
                op if op.shows_state() => after.show(op),
                _ => {}
            }
            for (arg, reads) in self.ops[i].args().into_iter().zip(reads_high(self.ops[i], high)) {
                after.read(i, arg, reads, last_use);
            }
        }
    }
}

impl After {
    /// What becomes of operation `i`, which writes `x`.
    fn write(&mut self, i: usize, x: u8, v: Arg, ops: &[Op], last_use: &mut [u32]) -> Op {
        if self.dead >> x & 1 != 0 {
            return Op::Nop;
        }
        let later = self.hidden >> x & 1 != 0 && self.can_wait(i, x, v, ops, last_use);
        let high = self.high >> x & 1 != 0;
        self.dead |= 1 << x;
        self.hidden |= 1 << x;
        self.high &= !(1 << x);
        self.writes[x as usize] = i as u32;
        self.read(i, v, high || later, last_use);
        if later { Op::Later(x, v) } else { Op::SetX(x, v) }
    }

    /// Whether what operation `i` writes to `x` can be computed as well when somebody wants to see it.
    fn can_wait(&self, i: usize, x: u8, v: Arg, ops: &[Op], last_use: &[u32]) -> bool {
        let Arg::V(v) = v else { return false };
        let op = ops[v as usize];
        let simple = match op {
            Op::Bin(f, _, b) | Op::Bin32(f, _, b) => f.is_plain() || f == Bin::Ror && matches!(b, Arg::C(_)),
            Op::Un(f, _) => matches!(f, Un::Not | Un::Zext(8 | 16 | 32) | Un::Sext(8 | 16 | 32)),
            _ => false,
        };
        let stays = |arg: &Arg| match *arg {
            Arg::C(_) => true,
            Arg::X(y) => self.writes[y as usize] >= self.writes[x as usize],
            Arg::F(_) | Arg::V(_) => false,
        };
        simple && v as usize + 1 == i && last_use[v as usize] == 0 && op.args().iter().all(stays)
    }

    /// An operation by which the block may be left, or in which registers may be seen.
    fn show(&mut self, op: Op) {
        (self.dead, self.high) = (0, !0);
        if matches!(op, Op::JumpIf(..) | Op::Jump(_) | Op::Goto(_) | Op::Call(_) | Op::Step(_)) {
            self.hidden = 0;
        }
    }

    /// Operation `i` reads `arg`, and its upper half if that is `high`.
    fn read(&mut self, i: usize, arg: Arg, high: bool, last_use: &mut [u32]) {
        match arg {
            Arg::X(x) => {
                self.dead &= !(1 << x);
                self.hidden &= !(1 << x);
                self.high |= u32::from(high) << x;
            }
            Arg::V(v) => {
                let known = &mut last_use[v as usize];
                *known = (*known & !HIGH).max(i as u32) | *known & HIGH | if high { HIGH } else { 0 };
            }
            Arg::C(_) | Arg::F(_) => {}
        }
    }
}

/// Of which operands an operation reads the upper half; `high`: somebody reads that of its result.
fn reads_high(op: Op, high: bool) -> [bool; 3] {
    match op {
        Op::Bin32(..) | Op::Low32(..) | Op::Un32(..) => [false; 3],
        Op::Un(Un::Zext(bits) | Un::Sext(bits), _) => [bits > 32; 3],
        Op::Bin(Bin::And, _, Arg::C(mask)) if mask >> 32 == 0 => [false; 3],
        // The lower half of the result is made of lower halves.
        Op::Bin(Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor | Bin::Mul, ..) => [high; 3],
        _ => [true; 3],
    }
}
