//! Where guest registers and values are: in homes, in temporaries, or in memory.

use crate::{
    emit::{Emitter, Loc},
    leave::Dirty,
    x64::{RAX, RBP, RDX, Rm},
};
use hartwright_hart::layout;
use hartwright_ir::{Arg, Op};

/// No register.
pub(crate) const NONE: u8 = 0xff;
/// Host registers of guest registers: sp, s0, s1, a0 to a6.
pub(crate) const HOME: [u8; 32] = {
    let pairs = [(16, 10), (2, 11), (8, 12), (9, 13), (10, 7), (11, 6), (12, 8), (13, 9), (14, 15), (15, 3)];
    let (mut home, mut i) = ([NONE; 32], 0);
    while i < pairs.len() {
        home[pairs[i].0] = pairs[i].1;
        i += 1;
    }
    home
};
/// Host registers of guest floating-point registers: fa0 to fa7, ft0 to ft3, fs0.
pub(crate) const FLOAT_HOME: [u8; 32] = {
    let (mut home, mut i) = ([NONE; 32], 0);
    while i < 8 {
        home[10 + i] = 3 + i as u8;
        i += 1;
    }
    i = 0;
    while i < 4 {
        home[i] = 11 + i as u8;
        i += 1;
    }
    home[8] = 15;
    home
};

pub(crate) const fn x_at(x: u8) -> Rm {
    Rm::Mem(RBP, 8 * x as i32 - 128)
}
/// What lies at an offset of the hart.
pub(crate) const fn hart_at(offset: usize) -> Rm {
    Rm::Mem(RBP, offset as i32 - layout::X as i32 - 128)
}
pub(crate) const fn f_at(f: u8) -> Rm {
    hart_at(layout::F + 8 * f as usize)
}

impl Emitter {
    /// What is only in temporaries.
    pub(crate) fn dirty(&self) -> Dirty {
        self.cache.map(|(x, dirty)| if dirty { x } else { NONE })
    }

    /// Writes to memory what was only in temporaries.
    pub(crate) fn write_dirty(&mut self, dirty: Dirty) {
        for (t, x) in (0..).zip(dirty) {
            if x != NONE {
                self.asm.store(x_at(x), t);
            }
        }
    }

    /// Writes to memory what is only in temporaries, so that the state can be seen.
    pub(crate) fn flush(&mut self) {
        for t in 0..3 {
            if let (x, true) = self.cache[t as usize] {
                self.asm.store(x_at(x), t);
                self.cache[t as usize].1 = false;
            }
        }
    }

    /// The temporaries no longer hold guest register `x`.
    fn forget(&mut self, x: u8) {
        for cache in self.cache.iter_mut().filter(|cache| cache.0 == x) {
            *cache = (NONE, false);
        }
    }

    /// Frees the temporaries of `which`, as a set of bits; `false` if one holds a value.
    pub(crate) fn take(&mut self, which: u8) -> bool {
        if self.busy & which != 0 {
            return false;
        }
        for t in (0..3).filter(|t| which >> t & 1 != 0) {
            if let (x, true) = self.cache[t as usize] {
                self.asm.store(x_at(x), t);
            }
            self.cache[t as usize] = (NONE, false);
        }
        self.busy |= which;
        true
    }

    pub(crate) fn temp(&mut self) -> u8 {
        self.turn = (self.turn + 1) % 3;
        let rank = |t: u8| {
            let (x, dirty) = self.cache[t as usize];
            (self.busy >> t & 1, x != NONE, dirty, (t + self.turn) % 3)
        };
        let t = (0..3).min_by_key(|t| rank(*t)).unwrap_or(RAX);
        assert!(self.busy >> t & 1 == 0, "an operation needs three temporaries at most");
        let free = self.take(1 << t);
        debug_assert!(free, "it was not in use");
        t
    }

    /// The temporary that holds guest register `a`, now in use.
    fn cached(&mut self, a: Arg) -> Option<u8> {
        let Arg::X(x) = a else { return None };
        let t = self.cache.iter().position(|cache| cache.0 == x)? as u8;
        self.busy |= 1 << t;
        Some(t)
    }

    pub(crate) fn dest(&mut self, home: u8) -> u8 {
        if home == NONE { self.temp() } else { home }
    }

    pub(crate) fn loc_of(&self, a: Arg) -> Loc {
        match a {
            Arg::V(v) => self.loc[v as usize],
            Arg::X(x) if self.home[x as usize] != NONE => Loc::Gpr(self.home[x as usize]),
            Arg::F(f) if FLOAT_HOME[f as usize] != NONE => Loc::Xmm(FLOAT_HOME[f as usize]),
            _ => Loc::Nowhere,
        }
    }

    /// The operand where it is, if an instruction can use it there.
    pub(crate) fn rm(&mut self, a: Arg) -> Rm {
        if let Some(t) = self.cached(a) {
            return Rm::Reg(t);
        }
        match (self.loc_of(a), a) {
            (Loc::Gpr(r), _) => Rm::Reg(r),
            (Loc::Nowhere, Arg::X(x)) => x_at(x),
            (Loc::Nowhere, Arg::F(f)) => f_at(f),
            _ => Rm::Reg(self.reg(a)),
        }
    }

    pub(crate) fn reg(&mut self, a: Arg) -> u8 {
        if let Loc::Gpr(r) = self.loc_of(a) {
            return r;
        }
        if let Some(t) = self.cached(a) {
            return t;
        }
        let t = self.temp();
        self.move_to(t, a);
        if let Arg::X(x) = a {
            self.cache[t as usize] = (x, false);
        }
        t
    }

    pub(crate) fn move_to(&mut self, d: u8, a: Arg) {
        if let Some(t) = self.cached(a) {
            return self.asm.mov(d, Rm::Reg(t));
        }
        match (self.loc_of(a), a) {
            (Loc::Gpr(r), _) => self.asm.mov(d, Rm::Reg(r)),
            (Loc::Xmm(x), _) => self.gpr_of_xmm(d, x),
            (Loc::Nowhere, Arg::C(c)) => self.asm.imm(d, c),
            (Loc::Nowhere, Arg::X(x)) => self.asm.mov(d, x_at(x)),
            (Loc::Nowhere, Arg::F(f)) => self.asm.mov(d, f_at(f)),
            (Loc::Nowhere, Arg::V(_)) => unreachable!("a value that is used is somewhere"),
        }
    }

    pub(crate) fn set_x(&mut self, x: u8, v: Arg) -> bool {
        match (self.home[x as usize], v) {
            (NONE, Arg::C(c)) if c as i32 as u64 == c => {
                self.forget(x);
                self.asm.op_imm32(true, 0xc7, 0, x_at(x), c as i32);
            }
            (NONE, v) => {
                let r = self.reg(v);
                self.forget(x);
                if r > RDX {
                    self.asm.store(x_at(x), r);
                    return true;
                }
                // A temporary that changes hands was somebody else's.
                if let (old, true) = self.cache[r as usize] {
                    self.asm.store(x_at(old), r);
                }
                self.cache[r as usize] = (x, true);
            }
            (home, v) => self.move_to(home, v),
        }
        true
    }

    /// Register `x` is to have the value of `op` where the block is left before `x` is written again.
    pub(crate) fn later(&mut self, x: u8, op: Op) {
        self.no_later(x);
        // A block has 64 instructions at most.
        self.waiting |= 1 << self.laters.len();
        self.laters.push((x, op));
    }

    /// Register `x` is written.
    pub(crate) fn no_later(&mut self, x: u8) {
        for (i, (y, _)) in self.laters.iter().enumerate() {
            if *y == x {
                self.waiting &= !(1 << i);
            }
        }
    }

    /// Computes what was put off, as the block is left; no temporary is in use any more.
    pub(crate) fn write_waiting(&mut self, waiting: u64) {
        for i in (0..self.laters.len()).filter(|i| waiting >> i & 1 != 0) {
            let (x, op) = self.laters[i];
            (self.busy, self.cache) = (0, [(NONE, false); 3]);
            let home = self.home[x as usize];
            let value = match op {
                Op::Bin(f, a, b) => self.bin(0, true, f, a, b, home),
                Op::Bin32(f, a, b) => self.bin(0, false, f, a, b, home),
                Op::Un(f, a) => self.un(true, f, a, home),
                op => unreachable!("{op} is not put off"),
            };
            match (value, home) {
                (Some(Loc::Gpr(r)), NONE) => self.asm.store(x_at(x), r),
                (Some(Loc::Gpr(r)), home) => self.asm.mov(home, Rm::Reg(r)),
                _ => unreachable!("{op} is always translated"),
            }
        }
    }
}
