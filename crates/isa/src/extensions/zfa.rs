//! Additional floating-point instructions (unprivileged spec, Zfa).

use crate::row::instructions;
use hartwright_ir::Fmt;

instructions! { single: Zfa, Any; |m|
    "fli.s"       R "1111000 00001 ..... 000    ..... 1010011" (fd, fli)               => fd.set(m.float_constant(S, constant(S, fli)));
    "fminm.s"     R "0010100 ..... ..... 010    ..... 1010011" (fd, fs1, fs2)          => fd.set(m.fp(Fp::Minm, S, 0, [fs1, fs2, fs2])?);
    "fmaxm.s"     R "0010100 ..... ..... 011    ..... 1010011" (fd, fs1, fs2)          => fd.set(m.fp(Fp::Maxm, S, 0, [fs1, fs2, fs2])?);
    "fround.s"    R "0100000 00100 ..... ...    ..... 1010011" (fd, fs1) with rm       => fd.set(m.fp(Fp::Round, S, rm, [fs1, fs1, fs1])?);
    "froundnx.s"  R "0100000 00101 ..... ...    ..... 1010011" (fd, fs1) with rm       => fd.set(m.fp(Fp::RoundNx, S, rm, [fs1, fs1, fs1])?);
    "fleq.s"      R "1010000 ..... ..... 100    ..... 1010011" (rd, fs1, fs2)          => rd.set(m.fp_test(FpTest::Leq, S, fs1, fs2));
    "fltq.s"      R "1010000 ..... ..... 101    ..... 1010011" (rd, fs1, fs2)          => rd.set(m.fp_test(FpTest::Ltq, S, fs1, fs2));
}

instructions! { double: Zfa & D, Any; |m|
    "fli.d"       R "1111001 00001 ..... 000    ..... 1010011" (fd, fli)               => fd.set(m.float_constant(D, constant(D, fli)));
    "fminm.d"     R "0010101 ..... ..... 010    ..... 1010011" (fd, fs1, fs2)          => fd.set(m.fp(Fp::Minm, D, 0, [fs1, fs2, fs2])?);
    "fmaxm.d"     R "0010101 ..... ..... 011    ..... 1010011" (fd, fs1, fs2)          => fd.set(m.fp(Fp::Maxm, D, 0, [fs1, fs2, fs2])?);
    "fround.d"    R "0100001 00100 ..... ...    ..... 1010011" (fd, fs1) with rm       => fd.set(m.fp(Fp::Round, D, rm, [fs1, fs1, fs1])?);
    "froundnx.d"  R "0100001 00101 ..... ...    ..... 1010011" (fd, fs1) with rm       => fd.set(m.fp(Fp::RoundNx, D, rm, [fs1, fs1, fs1])?);
    "fleq.d"      R "1010001 ..... ..... 100    ..... 1010011" (rd, fs1, fs2)          => rd.set(m.fp_test(FpTest::Leq, D, fs1, fs2));
    "fltq.d"      R "1010001 ..... ..... 101    ..... 1010011" (rd, fs1, fs2)          => rd.set(m.fp_test(FpTest::Ltq, D, fs1, fs2));
    "fcvtmod.w.d" R "1100001 01000 ..... 001    ..... 1010011" (rd, fs1)               => rd.set(m.fp_test(FpTest::Modular, D, fs1, fs1));
}

instructions! { half: Zfa & Zfh, Any; |m|
    "fli.h"       R "1111010 00001 ..... 000    ..... 1010011" (fd, fli)               => fd.set(m.float_constant(H, constant(H, fli)));
    "fminm.h"     R "0010110 ..... ..... 010    ..... 1010011" (fd, fs1, fs2)          => fd.set(m.fp(Fp::Minm, H, 0, [fs1, fs2, fs2])?);
    "fmaxm.h"     R "0010110 ..... ..... 011    ..... 1010011" (fd, fs1, fs2)          => fd.set(m.fp(Fp::Maxm, H, 0, [fs1, fs2, fs2])?);
    "fround.h"    R "0100010 00100 ..... ...    ..... 1010011" (fd, fs1) with rm       => fd.set(m.fp(Fp::Round, H, rm, [fs1, fs1, fs1])?);
    "froundnx.h"  R "0100010 00101 ..... ...    ..... 1010011" (fd, fs1) with rm       => fd.set(m.fp(Fp::RoundNx, H, rm, [fs1, fs1, fs1])?);
    "fleq.h"      R "1010010 ..... ..... 100    ..... 1010011" (rd, fs1, fs2)          => rd.set(m.fp_test(FpTest::Leq, H, fs1, fs2));
    "fltq.h"      R "1010010 ..... ..... 101    ..... 1010011" (rd, fs1, fs2)          => rd.set(m.fp_test(FpTest::Ltq, H, fs1, fs2));
}

instructions! { rv32: Zfa & D, Rv32; |m|
    "fmvh.x.d"    R "1110001 00001 ..... 000    ..... 1010011" (rd, fs1)               => rd.set(m.float_high(fs1));
    "fmvp.d.x"    R "1011001 ..... ..... 000    ..... 1010011" (fd, rs1, rs2)          => fd.set(m.float_pair(rs1, rs2));
}

/// The constants of `fli` but the first two and the last two, in order: exponent, two bits of fraction, and how
/// assembly says them.
#[rustfmt::skip]
const CONSTANTS: [(i32, u64, &str); 28] = [
    (-16, 0, "0x1p-16"), (-15, 0, "0x1p-15"), (-8, 0, "0x1p-8"), (-7, 0, "0x1p-7"),
    (-4, 0, "0.0625"), (-3, 0, "0.125"),
    (-2, 0, "0.25"), (-2, 1, "0.3125"), (-2, 2, "0.375"), (-2, 3, "0.4375"),
    (-1, 0, "0.5"), (-1, 1, "0.625"), (-1, 2, "0.75"), (-1, 3, "0.875"),
    (0, 0, "1"), (0, 1, "1.25"), (0, 2, "1.5"), (0, 3, "1.75"),
    (1, 0, "2"), (1, 1, "2.5"), (1, 2, "3"),
    (2, 0, "4"), (3, 0, "8"), (4, 0, "16"), (7, 0, "128"), (8, 0, "256"), (15, 0, "32768"), (16, 0, "65536"),
];

/// How assembly says constant `index` of `fli`.
pub(crate) fn constant_name(index: u8) -> &'static str {
    match index {
        0 => "-1",
        1 => "min",
        30 => "inf",
        31 => "nan",
        _ => CONSTANTS.get(usize::from(index - 2)).map_or("", |constant| constant.2),
    }
}

/// Constant `index` of `fli` as bits of the format. Where binary16 has no such normal number it is a subnormal one or,
/// above all, infinity.
fn constant(fmt: Fmt, index: u8) -> u64 {
    let (fraction_bits, bias) = match fmt {
        Fmt::H => (10, 15),
        Fmt::S => (23, 127),
        Fmt::D => (52, 1023),
    };
    let of = |exponent: i32, fraction: u64| match exponent + bias {
        biased @ 1.. => (biased as u64) << fraction_bits | fraction << (fraction_bits - 2),
        below => 1 << (fraction_bits - 1 + below),
    };
    match index {
        0 => 1 << (fmt.bits() - 1) | of(0, 0),
        1 => of(1 - bias, 0),
        30 => of(bias + 1, 0),
        31 => of(bias + 1, 2),
        _ => CONSTANTS
            .get(usize::from(index - 2))
            .map_or(0, |(exponent, fraction, _)| of(*exponent, *fraction)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_what_assembly_calls_them() {
        for index in (0..31).filter(|index| *index != 1) {
            let name = constant_name(index);
            let value = match name.strip_prefix("0x1p-") {
                Some(exponent) => 0.5f64.powi(exponent.parse().unwrap()),
                None => name.parse().unwrap(),
            };
            assert_eq!(f64::from_bits(constant(Fmt::D, index)), value);
            assert_eq!(f64::from(f32::from_bits(constant(Fmt::S, index) as u32)), value);
        }
        assert_eq!(f64::from_bits(constant(Fmt::D, 1)), f64::MIN_POSITIVE);
        assert_eq!(
            [0, 1, 2, 3, 4, 16, 29, 30, 31].map(|index| constant(Fmt::H, index)),
            [0xbc00, 0x0400, 0x0100, 0x0200, 0x1c00, 0x3c00, 0x7c00, 0x7c00, 0x7e00]
        );
    }
}
