//! Floating point as the host does it, with its flags kept: they are the guest's while code runs.
//!
//! SSE and RISC-V agree on results and flags, tininess after rounding included, but for NaNs, which are made
//! canonical, and for what is left to the interpreter: conversions that do not fit, a fused operation with a NaN for
//! its result, and operands that are no boxed singles.

use crate::{
    data::of,
    emit::{Emitter, Loc},
    leave::Cold,
    registers::{FLOAT_HOME, NONE, f_at, hart_at},
    x64::{Alu, Cc, Map, Pp, Rm},
};
use hartwright_hart::layout;
use hartwright_ir::{Arg, Fmt, Fp, FpTest, Int};

/// The prefix of scalar arithmetic.
fn scalar(fmt: Fmt) -> Pp {
    if fmt == Fmt::D { Pp::F2 } else { Pp::F3 }
}
/// The prefix of comparisons.
fn packed(fmt: Fmt) -> Pp {
    if fmt == Fmt::D { Pp::P66 } else { Pp::None }
}

const MOVAPS: u8 = 0x28;
const AND: u8 = 0x54;
const ANDN: u8 = 0x55;
const OR: u8 = 0x56;
const XOR: u8 = 0x57;
const UCOMIS: u8 = 0x2e;
const COMIS: u8 = 0x2f;

impl Emitter {
    fn bits(&mut self, op: u8, d: u8, a: u8, b: Rm) {
        self.asm.vex(Map::M0f, Pp::None, false, op, d, a, b);
    }

    /// All 64 bits of a register or of memory.
    fn move_xmm(&mut self, d: u8, rm: Rm) {
        match rm {
            Rm::Reg(x) if x == d => {}
            Rm::Reg(_) => self.bits(MOVAPS, d, 0, rm),
            _ => self.asm.vex(Map::M0f, Pp::F2, false, 0x10, d, 0, rm),
        }
    }

    pub(crate) fn gpr_of_xmm(&mut self, d: u8, x: u8) {
        self.asm.vex(Map::M0f, Pp::P66, true, 0x7e, x, 0, Rm::Reg(d));
    }

    /// The register that holds `a`: its own, or else `t`.
    pub(crate) fn xmm(&mut self, a: Arg, t: u8) -> u8 {
        match self.xmm_rm(a, t) {
            Rm::Reg(x) => x,
            m => {
                self.move_xmm(t, m);
                t
            }
        }
    }

    /// `a` where it is, if an instruction can use it there, or else in `t`.
    fn xmm_rm(&mut self, a: Arg, t: u8) -> Rm {
        match (self.loc_of(a), a) {
            (Loc::Xmm(x), _) => Rm::Reg(x),
            (_, Arg::F(f)) => f_at(f),
            _ => {
                let r = self.reg(a);
                self.asm.vex(Map::M0f, Pp::P66, true, 0x6e, t, 0, Rm::Reg(r));
                Rm::Reg(t)
            }
        }
    }

    /// Leaves an instruction to the interpreter whose operand is no boxed single.
    fn unbox(&mut self, fmt: Fmt, args: &[Arg]) {
        if fmt == Fmt::D {
            return;
        }
        for arg in args {
            let Arg::F(f) = *arg else { continue };
            if self.boxed >> f & 1 != 0 {
                continue;
            }
            match f_at(f) {
                Rm::Mem(base, disp) if FLOAT_HOME[f as usize] == NONE => {
                    self.asm.alu_imm(false, Alu::Cmp, Rm::Mem(base, disp + 4), -1);
                }
                _ => {
                    let t = self.temp();
                    let x = FLOAT_HOME[f as usize];
                    // pextrd
                    self.asm.vex_imm8(Map::M0f3a, Pp::P66, false, 0x16, x, 0, Rm::Reg(t), 1);
                    self.asm.alu_imm(false, Alu::Cmp, Rm::Reg(t), -1);
                    self.busy &= !(1 << t);
                }
            }
            let from = self.asm.jcc(Cc::Ne);
            self.step_from(from);
            self.boxed |= 1 << f;
        }
    }

    /// A NaN in `x` becomes the canonical one.
    fn canonical(&mut self, fmt: Fmt, x: u8) {
        self.asm.vex(Map::M0f, packed(fmt), false, UCOMIS, x, 0, Rm::Reg(x));
        let from = self.asm.jcc(Cc::P);
        self.cold.push(Cold::Nan { from, back: self.asm.at(), xmm: x, fmt });
    }

    /// What is written after the block for floating point, and for division.
    pub(crate) fn finish_cold(&mut self, cold: Cold) {
        let here = self.asm.at();
        let (from, back) = match cold {
            Cold::Nan { from, back, xmm, fmt } => {
                self.move_xmm(xmm, Rm::Here(self.data.nan + of(fmt)));
                (from, back)
            }
            // Equal numbers are alike, but for zeros, whose signs decide.
            Cold::Equal { from, back, xmm, a, b, smaller } => {
                self.bits(if smaller { OR } else { AND }, xmm, a, b);
                (from, back)
            }
            Cold::Divide { from, back, w, remainder } => {
                self.divide_oddly(w, remainder);
                (from, back)
            }
            _ => unreachable!("the others are written elsewhere"),
        };
        self.asm.patch(from, here);
        self.asm.jmp_to(back);
    }

    pub(crate) fn set_f(&mut self, f: u8, v: Arg) -> bool {
        let home = FLOAT_HOME[f as usize];
        match (self.loc_of(v), home) {
            (Loc::Xmm(x), NONE) => self.asm.vex(Map::M0f, Pp::F2, false, 0x11, x, 0, f_at(f)),
            (Loc::Xmm(x), home) => self.move_xmm(home, Rm::Reg(x)),
            (_, home) => {
                let r = self.reg(v);
                if home == NONE {
                    self.asm.store(f_at(f), r);
                } else {
                    self.asm.vex(Map::M0f, Pp::P66, true, 0x6e, home, 0, Rm::Reg(r));
                }
            }
        }
        self.boxed &= !(1 << f);
        if !std::mem::replace(&mut self.told_float, true) {
            self.asm.op8_imm8(0xc6, 0, hart_at(layout::FLOAT_DIRTY), 1);
        }
        true
    }

    pub(crate) fn fp(&mut self, f: Fp, fmt: Fmt, args: [Arg; 3], home: u8) -> Option<Loc> {
        self.unbox(fmt, &args);
        let [a, b, c] = args;
        let d = if home == NONE { 2 } else { home };
        match f {
            Fp::Add => self.arithmetic(0x58, fmt, d, a, b),
            Fp::Mul => self.arithmetic(0x59, fmt, d, a, b),
            Fp::Sub => self.arithmetic(0x5c, fmt, d, a, b),
            Fp::Div => self.arithmetic(0x5e, fmt, d, a, b),
            Fp::Sqrt => self.arithmetic(0x51, fmt, d, a, a),
            Fp::Madd => return self.fused(0xb9, fmt, a, b, c),
            Fp::Msub => return self.fused(0xbb, fmt, a, b, c),
            Fp::Nmsub => return self.fused(0xbd, fmt, a, b, c),
            Fp::Nmadd => return self.fused(0xbf, fmt, a, b, c),
            Fp::Min | Fp::Max => self.choose_float(f == Fp::Min, fmt, d, a, b),
            Fp::Sgnj | Fp::Sgnjn | Fp::Sgnjx => return Some(Loc::Xmm(self.sign(f, fmt, d, a, b))),
            Fp::Minm | Fp::Maxm | Fp::Round | Fp::RoundNx => return None,
        }
        Some(Loc::Xmm(d))
    }

    fn arithmetic(&mut self, op: u8, fmt: Fmt, d: u8, a: Arg, b: Arg) {
        let a = self.xmm(a, 0);
        let b = self.xmm_rm(b, 1);
        self.asm.vex(Map::M0f, scalar(fmt), false, op, d, a, b);
        self.canonical(fmt, d);
    }

    fn fused(&mut self, op: u8, fmt: Fmt, a: Arg, b: Arg, c: Arg) -> Option<Loc> {
        let a = self.xmm(a, 0);
        let c = self.xmm_rm(c, 1);
        let b = self.xmm_rm(b, 2);
        self.move_xmm(1, c);
        self.asm.vex(Map::M0f38, Pp::P66, fmt == Fmt::D, op, 1, a, b);
        self.asm.vex(Map::M0f, packed(fmt), false, UCOMIS, 1, 0, Rm::Reg(1));
        // Of infinity times zero plus a NaN the host does not say that it is invalid.
        let from = self.asm.jcc(Cc::P);
        self.step_from(from);
        Some(Loc::Xmm(1))
    }

    fn choose_float(&mut self, smaller: bool, fmt: Fmt, d: u8, a: Arg, b: Arg) {
        let a = self.xmm(a, 0);
        let b = self.xmm_rm(b, 1);
        self.asm.vex(Map::M0f, packed(fmt), false, UCOMIS, a, 0, b);
        let nan = self.asm.jcc(Cc::P);
        self.step_from(nan);
        let from = self.asm.jcc(Cc::E);
        self.asm.vex(Map::M0f, scalar(fmt), false, if smaller { 0x5d } else { 0x5f }, d, a, b);
        self.cold.push(Cold::Equal { from, back: self.asm.at(), xmm: d, a, b, smaller });
    }

    /// Returns where the result is.
    fn sign(&mut self, f: Fp, fmt: Fmt, d: u8, a: Arg, b: Arg) -> u8 {
        let sign = Rm::Here(self.data.sign + of(fmt));
        let x = self.xmm(a, 0);
        match f {
            Fp::Sgnj if a == b => return x,
            Fp::Sgnjn if a == b => {
                self.bits(XOR, d, x, sign);
                return d;
            }
            _ => {}
        }
        let y = self.xmm(b, 2);
        self.move_xmm(1, sign);
        match f {
            Fp::Sgnjx => {
                self.bits(AND, 2, y, Rm::Reg(1));
                self.bits(XOR, d, x, Rm::Reg(2));
            }
            f => {
                // What is not `y` there, or what is.
                self.bits(if f == Fp::Sgnj { AND } else { ANDN }, 2, y, Rm::Reg(1));
                self.bits(ANDN, 1, 1, Rm::Reg(x));
                self.bits(OR, d, 1, Rm::Reg(2));
            }
        }
        d
    }

    pub(crate) fn fp_test(&mut self, f: FpTest, fmt: Fmt, a: Arg, b: Arg, home: u8) -> Option<Loc> {
        self.unbox(fmt, &[a, b]);
        let signals = matches!(f, FpTest::Lt | FpTest::Le);
        let (a, b) = if f == FpTest::Eq { (a, b) } else { (b, a) };
        let a = self.xmm(a, 0);
        let b = self.xmm_rm(b, 1);
        self.asm.vex(Map::M0f, packed(fmt), false, if signals { COMIS } else { UCOMIS }, a, 0, b);
        let t = self.temp();
        match f {
            FpTest::Eq => {
                let u = self.temp();
                self.asm.setcc(Cc::Np, t);
                self.asm.setcc(Cc::E, u);
                self.asm.alu(false, Alu::And, t, Rm::Reg(u));
            }
            FpTest::Lt | FpTest::Ltq => self.asm.setcc(Cc::A, t),
            FpTest::Le | FpTest::Leq => self.asm.setcc(Cc::Ae, t),
            FpTest::Class | FpTest::Modular => return None,
        }
        let d = if home == NONE { t } else { home };
        self.asm.op0f_byte(false, 0xb6, d, Rm::Reg(t));
        Some(Loc::Gpr(d))
    }

    pub(crate) fn fp_to_int(&mut self, to: Int, fmt: Fmt, zero: bool, a: Arg, home: u8) -> Option<Loc> {
        let w = match to {
            Int::W => false,
            Int::L => true,
            Int::Wu | Int::Lu => return None,
        };
        self.unbox(fmt, &[a]);
        let a = self.xmm_rm(a, 0);
        let t = self.temp();
        self.asm.vex(Map::M0f, scalar(fmt), w, if zero { 0x2c } else { 0x2d }, t, 0, a);
        // The host's answer to what does not fit is also that to one number which does.
        let u = self.temp();
        self.asm.imm(u, if w { 1 << 63 } else { 1 << 31 });
        self.asm.alu(w, Alu::Cmp, t, Rm::Reg(u));
        let from = self.asm.jcc(Cc::E);
        self.step_from(from);
        self.settle(w, t, home)
    }

    pub(crate) fn int_to_fp(&mut self, from: Int, fmt: Fmt, a: Arg, home: u8) -> Option<Loc> {
        let mut r = if let Arg::C(_) = a { Rm::Reg(self.reg(a)) } else { self.rm(a) };
        let w = match from {
            Int::W => false,
            Int::L => true,
            Int::Wu => {
                let t = self.temp();
                self.asm.op(false, 0x8b, t, r);
                r = Rm::Reg(t);
                true
            }
            Int::Lu => return None,
        };
        let d = if home == NONE { 2 } else { home };
        // The rest of the register is the box, and nothing waits for what was in it.
        if fmt == Fmt::S {
            self.move_xmm(d, Rm::Here(self.data.boxes + of(fmt)));
        } else {
            self.bits(XOR, d, d, Rm::Reg(d));
        }
        self.asm.vex(Map::M0f, scalar(fmt), w, 0x2a, d, d, r);
        Some(Loc::Xmm(d))
    }

    pub(crate) fn fp_to_fp(&mut self, from: Fmt, to: Fmt, a: Arg, home: u8) -> Option<Loc> {
        self.unbox(from, &[a]);
        let a = self.xmm(a, 0);
        let d = if home == NONE { 2 } else { home };
        if to == Fmt::S {
            self.move_xmm(1, Rm::Here(self.data.boxes + of(to)));
            self.asm.vex(Map::M0f, scalar(from), false, 0x5a, d, 1, Rm::Reg(a));
        } else {
            self.asm.vex(Map::M0f, scalar(from), false, 0x5a, d, a, Rm::Reg(a));
        }
        self.canonical(to, d);
        Some(Loc::Xmm(d))
    }

    pub(crate) fn float_bits(&mut self, fmt: Fmt, a: Arg, home: u8) -> Option<Loc> {
        let d = self.dest(home);
        self.move_to(d, a);
        match fmt {
            Fmt::H => self.asm.op0f(true, 0xbf, d, Rm::Reg(d)),
            Fmt::S => self.asm.op(true, 0x63, d, Rm::Reg(d)),
            Fmt::D => {}
        }
        Some(Loc::Gpr(d))
    }

    pub(crate) fn bits_float(&mut self, fmt: Fmt, a: Arg, home: u8) -> Option<Loc> {
        let r = self.reg(a);
        let d = if home == NONE { 2 } else { home };
        match fmt {
            Fmt::H => return None,
            Fmt::S => {
                self.asm.vex(Map::M0f, Pp::P66, false, 0x6e, d, 0, Rm::Reg(r));
                self.bits(OR, d, d, Rm::Here(self.data.boxes + of(fmt)));
            }
            Fmt::D => self.asm.vex(Map::M0f, Pp::P66, true, 0x6e, d, 0, Rm::Reg(r)),
        }
        Some(Loc::Xmm(d))
    }
}
