//! To integers and back. A value that does not fit saturates, raises NV and not NX, and a NaN counts as +∞
//! (chapter "F", table "Domains of float-to-integer conversions and behavior for invalid inputs").

use crate::format::{F64, Finite, Format, is_finite_nonzero, is_infinite, is_nan, is_negative, is_zero};
use crate::round::{Flags, Rounding, round};

/// To a signed 32-bit integer, sign-extended to 64 bits (FCVT.W).
#[inline]
#[must_use]
pub fn to_i32<F: Format>(a: u64, rm: Rounding) -> (u64, Flags) {
    to_integer::<F>(a, rm, i32::MIN.unsigned_abs() as u64, i32::MAX as u64)
}

/// To an unsigned 32-bit integer, which is then sign-extended to 64 bits as every 32-bit result is (FCVT.WU).
#[inline]
#[must_use]
pub fn to_u32<F: Format>(a: u64, rm: Rounding) -> (u64, Flags) {
    let (value, flags) = to_integer::<F>(a, rm, 0, u32::MAX as u64);
    (sign_extend(value), flags)
}

/// To a signed 64-bit integer (FCVT.L).
#[inline]
#[must_use]
pub fn to_i64<F: Format>(a: u64, rm: Rounding) -> (u64, Flags) {
    to_integer::<F>(a, rm, i64::MIN.unsigned_abs(), i64::MAX as u64)
}

/// To an unsigned 64-bit integer (FCVT.LU).
#[inline]
#[must_use]
pub fn to_u64<F: Format>(a: u64, rm: Rounding) -> (u64, Flags) {
    to_integer::<F>(a, rm, 0, u64::MAX)
}

/// From the low 32 bits, signed (FCVT.S.W and its like).
#[inline]
#[must_use]
pub fn from_i32<F: Format>(x: u64, rm: Rounding) -> (u64, Flags) {
    from_i64::<F>(sign_extend(x), rm)
}

/// From the low 32 bits, unsigned (FCVT.S.WU and its like).
#[inline]
#[must_use]
pub fn from_u32<F: Format>(x: u64, rm: Rounding) -> (u64, Flags) {
    from_u64::<F>(x & u64::from(u32::MAX), rm)
}

/// From 64 bits, signed (FCVT.S.L and its like).
#[inline]
#[must_use]
pub fn from_i64<F: Format>(x: u64, rm: Rounding) -> (u64, Flags) {
    from_integer::<F>((x as i64) < 0, (x as i64).unsigned_abs(), rm)
}

/// From 64 bits, unsigned (FCVT.S.LU and its like).
#[inline]
#[must_use]
pub fn from_u64<F: Format>(x: u64, rm: Rounding) -> (u64, Flags) {
    from_integer::<F>(false, x, rm)
}

/// A binary64 towards zero and then modulo 2³², sign-extended to 64 bits (FCVTMOD.W.D of Zfa). The flags are
/// those of FCVT.W.D; infinities and NaNs give 0.
#[inline]
#[must_use]
pub fn fcvtmod_w_d(a: u64) -> (u64, Flags) {
    let (_, flags) = to_i32::<F64>(a, Rounding::Rtz);
    if !is_finite_nonzero::<F64>(a) {
        return (0, flags);
    }
    let x = Finite::unpack::<F64>(a);
    let magnitude = match 63 - x.exponent {
        right @ 0..64 => x.significand >> right,
        left @ -63..0 => x.significand << -left,
        _ => 0,
    };
    (sign_extend(if x.negative { magnitude.wrapping_neg() } else { magnitude }), flags)
}

#[inline(always)]
const fn sign_extend(x: u64) -> u64 {
    x as u32 as i32 as u64
}

/// Rounds to an integer from `-lowest` to `highest`, in two's complement.
#[inline(always)]
fn to_integer<F: Format>(a: u64, rm: Rounding, lowest: u64, highest: u64) -> (u64, Flags) {
    if is_zero::<F>(a) {
        return (0, Flags::NONE);
    }
    if is_nan::<F>(a) {
        return (highest, Flags::NV);
    }
    let negative = is_negative::<F>(a);
    let (limit, saturated) = if negative { (lowest, lowest.wrapping_neg()) } else { (highest, highest) };
    let x = Finite::unpack::<F>(a);
    if is_infinite::<F>(a) || x.exponent > 63 {
        return (saturated, Flags::NV);
    }
    let (kept, rest) = match 63 - x.exponent {
        0 => (x.significand, 0),
        by @ 1..64 => (x.significand >> by, x.significand << (64 - by)),
        64 => (0, x.significand),
        _ => (0, 1),
    };
    let magnitude = kept + rm.grows(negative, kept & 1 != 0, rest) as u64;
    if magnitude > limit {
        return (saturated, Flags::NV);
    }
    (if negative { magnitude.wrapping_neg() } else { magnitude }, Flags::NX.when(rest != 0))
}

#[inline(always)]
fn from_integer<F: Format>(negative: bool, magnitude: u64, rm: Rounding) -> (u64, Flags) {
    if magnitude == 0 {
        return (0, Flags::NONE);
    }
    let zeros = magnitude.leading_zeros();
    round::<F>(negative, 63 - zeros as i32, magnitude << zeros, rm)
}
