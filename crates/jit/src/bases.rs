//! What is known of the registers that addresses are made of, on the way through a block: which of them need no
//! comparison with the [`Window`](hartwright_mem::Window)'s end, because what they were made of was compared.

use hartwright_ir::{Arg, Bin, Mem, Op, Un};

/// A constant that is added at once is nearer than this; a block adds 64 at most.
const STEP: i64 = 0x800;
/// An index is less than this.
const INDEX: u64 = 1 << 20;
/// So many indices may be added to a register that was compared, lest the window's margin be left.
const HOPS: u8 = 4;

/// By a comparison with this number the register is in the window, but for so many indices.
#[derive(Clone, Copy)]
pub(crate) struct Within {
    pub(crate) number: u8,
    hops: u8,
}

/// What is known of each register.
pub(crate) struct Bases {
    within: [Option<Within>; 32],
    /// It differs from that register, as that is now, by an index at most.
    near: [Option<u8>; 32],
    /// It has no larger value.
    most: [u64; 32],
}

impl Default for Bases {
    fn default() -> Bases {
        Bases { within: [None; 32], near: [None; 32], most: [u64::MAX; 32] }
    }
}

impl Bases {
    /// The comparison by which register `x` is known to be in the window, or so near that its margin reaches there.
    pub(crate) fn within(&self, x: u8) -> Option<u8> {
        let known = |x: u8| self.within[x as usize];
        known(x).or_else(|| self.near[x as usize].and_then(known)).map(|within| within.number)
    }

    /// The register that is best compared for accesses by `x`.
    pub(crate) fn root(&self, x: u8) -> u8 {
        self.near[x as usize].unwrap_or(x)
    }

    /// Register `x` was compared.
    pub(crate) fn compared(&mut self, x: u8, number: u8) {
        self.within[x as usize] = Some(Within { number, hops: 0 });
    }

    /// Register `x` gets the value of `v`, one of `ops`.
    pub(crate) fn set(&mut self, ops: &[Op], x: u8, v: Arg) {
        let most = self.most(ops, v);
        let mut within = None;
        let mut near = None;
        if let Some(y) = stays_near(ops, v) {
            within = self.within[y as usize];
            near = Some(self.root(y));
        } else if let Some(y) = self.indexed(ops, v) {
            within = self.within[y as usize].filter(|within| within.hops < HOPS);
            within = within.map(|within| Within { hops: within.hops + 1, ..within });
            near = (self.root(y) == y).then_some(y);
        }
        let steps = stays_near(ops, v) == Some(x);
        if !steps {
            self.near.iter_mut().filter(|near| **near == Some(x)).for_each(|near| *near = None);
        }
        let x = x as usize;
        (self.most[x], self.within[x]) = (most, within);
        self.near[x] = near.filter(|y| usize::from(*y) != x);
    }

    /// The register to which `v` adds an index.
    fn indexed(&self, ops: &[Op], v: Arg) -> Option<u8> {
        let Arg::V(v) = v else { return None };
        match ops[v as usize] {
            Op::Bin(Bin::Add, Arg::X(y), index) | Op::Bin(Bin::Add, index, Arg::X(y))
                if self.most(ops, index) < INDEX =>
            {
                Some(y)
            }
            _ => None,
        }
    }

    /// A bound of a value: `u64::MAX` if none is known.
    fn most(&self, ops: &[Op], v: Arg) -> u64 {
        let op = match v {
            Arg::C(c) => return c,
            Arg::X(x) => return self.most[x as usize],
            Arg::F(_) => return u64::MAX,
            Arg::V(v) => ops[v as usize],
        };
        let most = |v| self.most(ops, v);
        match op {
            Op::Copy(a) => most(a),
            Op::Load(Mem::U8, ..) => 0xff,
            Op::Load(Mem::U16, ..) => 0xffff,
            Op::Bin(Bin::And, a, b) => most(a).min(most(b)),
            Op::Bin(Bin::Add, a, b) => most(a).saturating_add(most(b)),
            Op::Bin(Bin::Shl, a, Arg::C(n)) => most(a).saturating_mul(1 << (n & 63)),
            Op::Bin(Bin::Shr, a, Arg::C(n)) => most(a) >> (n & 63),
            Op::Un(Un::Zext(bits @ (8 | 16 | 32)), a) => most(a).min((1 << bits) - 1),
            // Where the sum has no sign.
            Op::Bin32(Bin::Add, a, b) => match most(a).saturating_add(most(b)) {
                sum if sum >> 31 == 0 => sum,
                _ => u64::MAX,
            },
            _ => u64::MAX,
        }
    }
}

/// The register that `v` differs from by a small constant.
pub(crate) fn stays_near(ops: &[Op], v: Arg) -> Option<u8> {
    match v {
        Arg::X(y) => Some(y),
        Arg::V(v) if let Op::Bin(Bin::Add, Arg::X(y), Arg::C(c)) = ops[v as usize] => {
            (-STEP..STEP).contains(&(c as i64)).then_some(y)
        }
        _ => None,
    }
}
