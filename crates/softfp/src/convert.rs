//! From one format to another, and to an integral value of the same format.

use crate::format::{
    Finite, Format, exponent, is_finite_nonzero, is_nan, is_negative, is_signalling, magnitude, sign_bit,
};
use crate::round::{Flags, Rounding, round};

/// The value in another format (FCVT.S.D, FCVT.D.S and their like).
#[inline]
#[must_use]
pub fn convert<From: Format, To: Format>(a: u64, rm: Rounding) -> (u64, Flags) {
    if is_finite_nonzero::<From>(a) {
        let x = Finite::unpack::<From>(a);
        return round::<To>(x.negative, x.exponent, x.significand, rm);
    }
    if is_nan::<From>(a) {
        return (To::NAN, Flags::NV.when(is_signalling::<From>(a)));
    }
    let magnitude = if magnitude::<From>(a) == 0 { 0 } else { To::INFINITY };
    (sign_bit::<To>(is_negative::<From>(a)) | magnitude, Flags::NONE)
}

/// The value rounded to an integer in its own format, its sign kept (FROUND of Zfa; FROUNDNX with `exact`,
/// which raises NX where the result differs from the operand).
#[inline]
#[must_use]
pub fn round_to_int<F: Format>(a: u64, rm: Rounding, exact: bool) -> (u64, Flags) {
    if is_nan::<F>(a) {
        return (F::NAN, Flags::NV.when(is_signalling::<F>(a)));
    }
    let a = a & (F::SIGN | F::ABS);
    let places = F::FRAC_BITS as i32 - (exponent::<F>(a) - F::BIAS);
    if places <= 0 || magnitude::<F>(a) == 0 {
        return (a, Flags::NONE);
    }
    let negative = is_negative::<F>(a);
    let (rounded, rest) = if places > F::FRAC_BITS as i32 {
        // Below one: what is dropped is a half, or more, or less.
        let rest = match exponent::<F>(a) {
            near_half if near_half == F::BIAS - 1 => 1 << 63 | (a & F::FRAC),
            _ => 1,
        };
        let one = (F::BIAS as u64) << F::FRAC_BITS;
        (sign_bit::<F>(negative) | if rm.grows(negative, false, rest) { one } else { 0 }, rest)
    } else {
        // Every bias is odd, so the bit above the fraction has the parity of the leading one it stands for.
        let kept = a >> places;
        let rest = a << (64 - places);
        ((kept + rm.grows(negative, kept & 1 != 0, rest) as u64) << places, rest)
    };
    (rounded, Flags::NX.when(exact && rest != 0))
}
