//! Integer operations.

use crate::{
    emit::{Emitter, Loc, condition},
    leave::Cold,
    registers::NONE,
    x64::{Alu, Cc, Map, Pp, RAX, RCX, RDX, Rm},
};
use hartwright_ir::{Arg, Bin, Un};

/// A constant that instructions can have in them.
fn small(a: Arg) -> Option<i32> {
    match a {
        Arg::C(c) if c as i32 as u64 == c => Some(c as i32),
        _ => None,
    }
}

impl Emitter {
    /// Compares, and says under which condition `f` holds.
    pub(crate) fn compare(&mut self, w: bool, f: Bin, a: Arg, b: Arg) -> Cc {
        match small(b) {
            Some(0) if let Loc::Gpr(r) = self.loc_of(a) => self.asm.op(w, 0x85, r, Rm::Reg(r)),
            Some(c) if !matches!(a, Arg::C(_)) => {
                let a = self.rm(a);
                self.asm.alu_imm(w, Alu::Cmp, a, c);
            }
            _ => {
                let a = self.reg(a);
                let b = self.rm(b);
                self.asm.alu(w, Alu::Cmp, a, b);
            }
        }
        condition(f).unwrap_or(Cc::E)
    }

    /// `a f b` on 64 bits, or on 32 with the result sign-extended, into `home` if that is a register.
    pub(crate) fn bin(&mut self, i: usize, w: bool, f: Bin, a: Arg, b: Arg, home: u8) -> Option<Loc> {
        use Bin::*;
        if condition(f).is_some() {
            let cc = self.compare(w, f, a, b);
            let t = self.temp();
            self.asm.setcc(cc, t);
            let d = if home == NONE { t } else { home };
            self.asm.op0f_byte(false, 0xb6, d, Rm::Reg(t));
            return Some(Loc::Gpr(d));
        }
        match f {
            Div | Divu | Rem | Remu => return self.divide(w, f, a, b, home),
            Mulh | Mulhu | Mulhsu => return self.multiply_high(w, f, a, b, home),
            Min | Max | Minu | Maxu => return self.choose(w, f, a, b),
            Rol => return self.rotate(w, f, a, b),
            Ror if !matches!(b, Arg::C(_)) => return self.rotate(w, f, a, b),
            Clmul | Clmulh | Clmulr | Pack | Xperm4 | Xperm8 => return None,
            _ => {}
        }
        let d = match (a, self.loc_of(a)) {
            // A value that ends here leaves its temporary to the result.
            (Arg::V(v), Loc::Gpr(t))
                if home == NONE && t <= RDX && self.last[v as usize] == i as u32 && a != b =>
            {
                t
            }
            _ => self.dest(home),
        };
        match (f, small(b)) {
            (Add, Some(0)) if !w => {
                let a = self.rm(a);
                self.asm.op(!self.unsigned, if self.unsigned { 0x8b } else { 0x63 }, d, a);
                return Some(Loc::Gpr(d));
            }
            (Add, Some(c))
                if let Loc::Gpr(r) = self.loc_of(a)
                    && r != d =>
            {
                self.asm.lea(w, d, Rm::Mem(r, c));
            }
            (And, Some(0xff)) => {
                let a = self.rm(a);
                self.asm.op0f_byte(false, 0xb6, d, a);
            }
            (Add | And | Or | Xor, Some(c)) => {
                self.move_to(d, a);
                let op = match f {
                    Add => Alu::Add,
                    Or => Alu::Or,
                    And => Alu::And,
                    _ => Alu::Xor,
                };
                self.asm.alu_imm(w, op, Rm::Reg(d), c);
            }
            (Ror, Some(c)) => {
                let a = self.rm(a);
                let amount = c as u8 & if w { 63 } else { 31 };
                // rorx
                self.asm.vex_imm8(Map::M0f3a, Pp::F2, w, 0xf0, d, 0, a, amount);
            }
            (Shl | Shr | Sar, Some(c)) => {
                self.move_to(d, a);
                let op = match f {
                    Shl => 4,
                    Shr => 5,
                    _ => 7,
                };
                self.asm.op_imm8(w, 0xc1, op, Rm::Reg(d), c as u8 & if w { 63 } else { 31 });
            }
            (Shl | Shr | Sar, None) => {
                let b = self.reg(b);
                let a = self.rm(a);
                let prefix = match f {
                    Shl => Pp::P66,
                    Shr => Pp::F2,
                    _ => Pp::F3,
                };
                // shlx, shrx, sarx
                self.asm.vex(Map::M0f38, prefix, w, 0xf7, d, b, a);
            }
            (Mul, Some(c)) => {
                let a = self.rm(a);
                self.asm.op_imm32(w, 0x69, d, a, c);
            }
            _ => {
                let rb = self.rm(b);
                let ra = self.loc_of(a);
                if f == Add
                    && let (Loc::Gpr(x), Rm::Reg(y)) = (ra, rb)
                    && x != d
                    && y != d
                {
                    self.asm.lea(w, d, Rm::Sum(x, y, 0));
                } else if rb == Rm::Reg(d) && ra != Loc::Gpr(d) {
                    let ra = self.rm(a);
                    if f == Sub {
                        // neg
                        self.asm.op(w, 0xf7, 3, Rm::Reg(d));
                        self.asm.alu(w, Alu::Add, d, ra);
                    } else {
                        self.two(w, f, d, ra);
                    }
                } else {
                    self.move_to(d, a);
                    self.two(w, f, d, rb);
                }
            }
        }
        if !w && !self.unsigned {
            self.asm.op(true, 0x63, d, Rm::Reg(d));
        }
        Some(Loc::Gpr(d))
    }

    /// `d = d f rm`.
    fn two(&mut self, w: bool, f: Bin, d: u8, rm: Rm) {
        let op = match f {
            Bin::Mul => return self.asm.op0f(w, 0xaf, d, rm),
            Bin::Add => Alu::Add,
            Bin::Or => Alu::Or,
            Bin::And => Alu::And,
            Bin::Sub => Alu::Sub,
            Bin::Xor => Alu::Xor,
            f => unreachable!("{f:?} is written elsewhere"),
        };
        self.asm.alu(w, op, d, rm);
    }

    /// A result that lies in a temporary, into `home` if there is one; 32 bits are sign-extended.
    pub(crate) fn settle(&mut self, w: bool, t: u8, home: u8) -> Option<Loc> {
        let d = if home == NONE { t } else { home };
        if w {
            self.asm.mov(d, Rm::Reg(t));
        } else {
            self.asm.op(true, 0x63, d, Rm::Reg(t));
        }
        Some(Loc::Gpr(d))
    }

    fn choose(&mut self, w: bool, f: Bin, a: Arg, b: Arg) -> Option<Loc> {
        let t = self.temp();
        self.move_to(t, a);
        let b = if let Arg::C(_) = b { Rm::Reg(self.reg(b)) } else { self.rm(b) };
        self.asm.alu(w, Alu::Cmp, t, b);
        let cc = match f {
            Bin::Min => Cc::G,
            Bin::Max => Cc::L,
            Bin::Minu => Cc::A,
            _ => Cc::B,
        };
        self.asm.cmov(w, cc, t, b);
        self.settle(w, t, NONE)
    }

    fn rotate(&mut self, w: bool, f: Bin, a: Arg, b: Arg) -> Option<Loc> {
        if !self.take(1 << RCX) {
            return None;
        }
        self.move_to(RCX, b);
        let t = self.temp();
        self.move_to(t, a);
        self.asm.op(w, 0xd3, u8::from(f == Bin::Ror), Rm::Reg(t));
        self.settle(w, t, NONE)
    }

    fn divide(&mut self, w: bool, f: Bin, a: Arg, b: Arg, home: u8) -> Option<Loc> {
        if !self.take(7) {
            return None;
        }
        self.move_to(RCX, b);
        self.move_to(RAX, a);
        let (signed, remainder) = (matches!(f, Bin::Div | Bin::Rem), matches!(f, Bin::Rem | Bin::Remu));
        let from = if signed {
            // Divisors 0 and -1 have results of their own.
            self.asm.lea(w, RDX, Rm::Mem(RCX, 1));
            self.asm.alu_imm(w, Alu::Cmp, Rm::Reg(RDX), 1);
            self.asm.jcc(Cc::Be)
        } else {
            self.asm.op(w, 0x85, RCX, Rm::Reg(RCX));
            self.asm.jcc(Cc::E)
        };
        if signed {
            // cqo, cdq
            if w {
                self.asm.byte(0x48);
            }
            self.asm.byte(0x99);
            self.asm.op(w, 0xf7, 7, Rm::Reg(RCX));
        } else {
            self.asm.imm(RDX, 0);
            self.asm.op(w, 0xf7, 6, Rm::Reg(RCX));
        }
        self.cold.push(Cold::Divide { from, back: self.asm.at(), w, remainder });
        self.settle(w, if remainder { RDX } else { RAX }, home)
    }

    /// The divisor in `rcx` is 0, or -1.
    pub(crate) fn divide_oddly(&mut self, w: bool, remainder: bool) {
        self.asm.op(w, 0x85, RCX, Rm::Reg(RCX));
        let minus_one = self.asm.jcc(Cc::Ne);
        if remainder {
            self.asm.mov(RDX, Rm::Reg(RAX));
        } else {
            self.asm.imm(RAX, u64::MAX);
        }
        let done = self.asm.jmp();
        self.asm.patch(minus_one, self.asm.at());
        if remainder {
            self.asm.imm(RDX, 0);
        } else {
            // neg
            self.asm.op(w, 0xf7, 3, Rm::Reg(RAX));
        }
        self.asm.patch(done, self.asm.at());
    }

    fn multiply_high(&mut self, w: bool, f: Bin, a: Arg, b: Arg, home: u8) -> Option<Loc> {
        if !w {
            return None;
        }
        if f == Bin::Mulhu {
            if !self.take(1 << RDX) {
                return None;
            }
            self.move_to(RDX, a);
            let b = if let Arg::C(_) = b { Rm::Reg(self.reg(b)) } else { self.rm(b) };
            let d = if home == NONE { RDX } else { home };
            // mulx
            self.asm.vex(Map::M0f38, Pp::F2, true, 0xf6, d, d, b);
            return Some(Loc::Gpr(d));
        }
        if !self.take(7) {
            return None;
        }
        self.move_to(RCX, b);
        self.move_to(RAX, a);
        if f == Bin::Mulhsu {
            // The first was taken for itself plus 2^64 if it is negative.
            self.asm.mov(RDX, Rm::Reg(RAX));
            self.asm.op_imm8(true, 0xc1, 7, Rm::Reg(RDX), 63);
            self.asm.alu(true, Alu::And, RDX, Rm::Reg(RCX));
            self.asm.push(RDX);
        }
        self.asm.op(true, 0xf7, if f == Bin::Mulh { 5 } else { 4 }, Rm::Reg(RCX));
        if f == Bin::Mulhsu {
            self.asm.pop(RCX);
            self.asm.alu(true, Alu::Sub, RDX, Rm::Reg(RCX));
        }
        self.settle(true, RDX, home)
    }

    pub(crate) fn un(&mut self, w: bool, f: Un, a: Arg, home: u8) -> Option<Loc> {
        match f {
            Un::Not | Un::Rev8 => {
                let d = self.dest(home);
                self.move_to(d, a);
                if f == Un::Not {
                    self.asm.op(w, 0xf7, 2, Rm::Reg(d));
                } else {
                    self.asm.bswap(w, d);
                }
                if !w {
                    self.asm.op(true, 0x63, d, Rm::Reg(d));
                }
                Some(Loc::Gpr(d))
            }
            Un::Clz | Un::Ctz | Un::Cpop => {
                let a = self.rm(a);
                let d = self.dest(home);
                let op = match f {
                    Un::Clz => 0xbd,
                    Un::Ctz => 0xbc,
                    _ => 0xb8,
                };
                self.asm.op_f3(w, op, d, a);
                Some(Loc::Gpr(d))
            }
            Un::Sext(bits @ (8 | 16 | 32)) | Un::Zext(bits @ (8 | 16 | 32)) if w => {
                let a = if let Arg::C(_) = a { Rm::Reg(self.reg(a)) } else { self.rm(a) };
                let d = self.dest(home);
                match (f, bits) {
                    (Un::Sext(_), 8) => self.asm.op0f_byte(true, 0xbe, d, a),
                    (Un::Sext(_), 16) => self.asm.op0f(true, 0xbf, d, a),
                    (Un::Sext(_), _) => self.asm.op(true, 0x63, d, a),
                    (_, 8) => self.asm.op0f_byte(false, 0xb6, d, a),
                    (_, 16) => self.asm.op0f(false, 0xb7, d, a),
                    (_, _) => self.asm.op(false, 0x8b, d, a),
                }
                Some(Loc::Gpr(d))
            }
            _ => None,
        }
    }

    pub(crate) fn select(&mut self, c: Arg, a: Arg, b: Arg) -> Option<Loc> {
        let t = self.temp();
        self.move_to(t, b);
        let a = if let Arg::C(_) = a { Rm::Reg(self.reg(a)) } else { self.rm(a) };
        let c = self.rm(c);
        self.asm.alu_imm(true, Alu::Cmp, c, 0);
        self.asm.cmov(true, Cc::Ne, t, a);
        Some(Loc::Gpr(t))
    }
}
