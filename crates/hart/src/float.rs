//! Floating point: the registers' boxing, rounding modes and flags around `softfp`.

use crate::{csr::Illegal, hart::Hart, status::MSTATUS_FS};
use hartwright_ir::{Fmt, Fp, FpTest, Int, Width};
use hartwright_softfp::{self as softfp, F16, F32, F64, Flags, Format, Rounding};

impl<W: Width> Hart<W> {
    /// Whether `mstatus.FS` lets floating-point instructions run.
    #[inline(always)]
    pub fn float_on(&self) -> bool {
        self.csrs.mstatus.get() & MSTATUS_FS != 0
    }

    /// The rounding mode of instructions that name none: `frm`.
    pub fn rounding_mode(&self) -> u8 {
        self.csrs.frm.get()
    }

    /// Adds exceptions to `fflags`, as its bits.
    pub fn accrue(&self, flags: u8) {
        self.raise(Flags(flags));
    }

    /// Computes on boxed operands, with the rounding mode of the instruction.
    pub fn fp(&self, op: Fp, fmt: Fmt, rm: u8, args: [u64; 3]) -> Result<u64, Illegal> {
        match fmt {
            Fmt::H => self.compute::<F16>(op, rm, args),
            Fmt::S => self.compute::<F32>(op, rm, args),
            Fmt::D => self.compute::<F64>(op, rm, args),
        }
    }

    #[inline]
    fn compute<F: Format>(&self, op: Fp, rm: u8, args: [u64; 3]) -> Result<u64, Illegal> {
        let sign = F::SIGN;
        let [a, b, c] = args.map(softfp::unbox::<F>);
        let rounding = || self.rounding(rm);
        let (value, flags) = match op {
            Fp::Add => softfp::add::<F>(a, b, rounding()?),
            Fp::Sub => softfp::sub::<F>(a, b, rounding()?),
            Fp::Mul => softfp::mul::<F>(a, b, rounding()?),
            Fp::Div => softfp::div::<F>(a, b, rounding()?),
            Fp::Sqrt => softfp::sqrt::<F>(a, rounding()?),
            Fp::Madd => softfp::fma::<F>(a, b, c, rounding()?),
            Fp::Msub => softfp::fma::<F>(a, b, c ^ sign, rounding()?),
            Fp::Nmsub => softfp::fma::<F>(a ^ sign, b, c, rounding()?),
            Fp::Nmadd => softfp::fma::<F>(a ^ sign, b, c ^ sign, rounding()?),
            Fp::Min => softfp::min::<F>(a, b),
            Fp::Max => softfp::max::<F>(a, b),
            Fp::Minm => softfp::minm::<F>(a, b),
            Fp::Maxm => softfp::maxm::<F>(a, b),
            Fp::Round => softfp::round_to_int::<F>(a, rounding()?, false),
            Fp::RoundNx => softfp::round_to_int::<F>(a, rounding()?, true),
            Fp::Sgnj => (a & !sign | b & sign, Flags::NONE),
            Fp::Sgnjn => (a & !sign | !b & sign, Flags::NONE),
            Fp::Sgnjx => (a ^ b & sign, Flags::NONE),
        };
        self.raise(flags);
        Ok(softfp::box_::<F>(value))
    }

    /// Compares or classifies boxed operands.
    pub fn fp_test(&self, op: FpTest, fmt: Fmt, a: u64, b: u64) -> u64 {
        match fmt {
            Fmt::H => self.test::<F16>(op, a, b),
            Fmt::S => self.test::<F32>(op, a, b),
            Fmt::D => self.test::<F64>(op, a, b),
        }
    }

    fn test<F: Format>(&self, op: FpTest, a: u64, b: u64) -> u64 {
        let [a, b] = [a, b].map(softfp::unbox::<F>);
        let (value, flags) = match op {
            FpTest::Eq => softfp::eq::<F>(a, b),
            FpTest::Lt => softfp::lt::<F>(a, b),
            FpTest::Le => softfp::le::<F>(a, b),
            FpTest::Ltq => softfp::ltq::<F>(a, b),
            FpTest::Leq => softfp::leq::<F>(a, b),
            FpTest::Modular => softfp::fcvtmod_w_d(a),
            FpTest::Class => (softfp::classify::<F>(a), Flags::NONE),
        };
        self.raise(flags);
        value
    }

    /// Converts a boxed value to an integer, sign-extended to 64 bits.
    pub fn fp_to_int(&self, to: Int, fmt: Fmt, rm: u8, a: u64) -> Result<u64, Illegal> {
        match fmt {
            Fmt::H => self.to_int::<F16>(to, rm, a),
            Fmt::S => self.to_int::<F32>(to, rm, a),
            Fmt::D => self.to_int::<F64>(to, rm, a),
        }
    }

    fn to_int<F: Format>(&self, to: Int, rm: u8, a: u64) -> Result<u64, Illegal> {
        let (a, rounding) = (softfp::unbox::<F>(a), self.rounding(rm)?);
        let (value, flags) = match to {
            Int::W => softfp::to_i32::<F>(a, rounding),
            Int::Wu => softfp::to_u32::<F>(a, rounding),
            Int::L => softfp::to_i64::<F>(a, rounding),
            Int::Lu => softfp::to_u64::<F>(a, rounding),
        };
        self.raise(flags);
        Ok(value)
    }

    /// Converts an integer in the low bits of `a` to a boxed value.
    pub fn int_to_fp(&self, from: Int, fmt: Fmt, rm: u8, a: u64) -> Result<u64, Illegal> {
        match fmt {
            Fmt::H => self.of_int::<F16>(from, rm, a),
            Fmt::S => self.of_int::<F32>(from, rm, a),
            Fmt::D => self.of_int::<F64>(from, rm, a),
        }
    }

    fn of_int<F: Format>(&self, from: Int, rm: u8, a: u64) -> Result<u64, Illegal> {
        let rounding = self.rounding(rm)?;
        let (value, flags) = match from {
            Int::W => softfp::from_i32::<F>(a, rounding),
            Int::Wu => softfp::from_u32::<F>(a, rounding),
            Int::L => softfp::from_i64::<F>(a, rounding),
            Int::Lu => softfp::from_u64::<F>(a, rounding),
        };
        self.raise(flags);
        Ok(softfp::box_::<F>(value))
    }

    /// Converts a boxed value to another format.
    pub fn fp_to_fp(&self, from: Fmt, to: Fmt, rm: u8, a: u64) -> Result<u64, Illegal> {
        match from {
            Fmt::H => self.converted::<F16>(to, rm, a),
            Fmt::S => self.converted::<F32>(to, rm, a),
            Fmt::D => self.converted::<F64>(to, rm, a),
        }
    }

    fn converted<F: Format>(&self, to: Fmt, rm: u8, a: u64) -> Result<u64, Illegal> {
        let (a, rounding) = (softfp::unbox::<F>(a), self.rounding(rm)?);
        let (value, flags) = match to {
            Fmt::H => softfp::convert::<F, F16>(a, rounding),
            Fmt::S => softfp::convert::<F, F32>(a, rounding),
            Fmt::D => softfp::convert::<F, F64>(a, rounding),
        };
        self.raise(flags);
        Ok(to.boxed(value))
    }

    /// The rounding mode `rm` of an instruction means; the reserved ones are illegal, in `frm` too.
    #[inline]
    fn rounding(&self, rm: u8) -> Result<Rounding, Illegal> {
        const DYNAMIC: u8 = 7;
        let rm = if rm == DYNAMIC { self.csrs.frm.get() } else { rm };
        Rounding::from_bits(rm).ok_or(Illegal)
    }

    #[inline]
    fn raise(&self, Flags(flags): Flags) {
        let held = self.csrs.fflags.get();
        if held | flags != held {
            self.csrs.fflags.set(held | flags);
            self.float_dirty.set(true);
        }
    }
}
