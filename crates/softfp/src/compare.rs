//! Comparison, minimum, maximum and classification: what looks at values and rounds nothing.

use crate::format::{Format, is_infinite, is_nan, is_negative, is_signalling, is_zero, magnitude};
use crate::round::Flags;

/// 1 if `a = b`, else 0 (FEQ). Quiet: only a signalling NaN raises NV.
#[inline]
#[must_use]
pub fn eq<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if unordered::<F>(a, b) {
        return (0, any_signalling::<F>(a, b));
    }
    let bits = F::SIGN | F::ABS;
    let both_zero = is_zero::<F>(a) && is_zero::<F>(b);
    ((a & bits == b & bits || both_zero) as u64, Flags::NONE)
}

/// 1 if `a < b`, else 0 (FLT). Any NaN raises NV.
#[inline]
#[must_use]
pub fn lt<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if unordered::<F>(a, b) {
        return (0, Flags::NV);
    }
    ((order::<F>(a) < order::<F>(b)) as u64, Flags::NONE)
}

/// 1 if `a ≤ b`, else 0 (FLE). Any NaN raises NV.
#[inline]
#[must_use]
pub fn le<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if unordered::<F>(a, b) {
        return (0, Flags::NV);
    }
    ((order::<F>(a) <= order::<F>(b)) as u64, Flags::NONE)
}

/// As [`lt`], but only a signalling NaN raises NV (FLTQ of Zfa).
#[inline]
#[must_use]
pub fn ltq<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if unordered::<F>(a, b) { (0, any_signalling::<F>(a, b)) } else { lt::<F>(a, b) }
}

/// As [`le`], but only a signalling NaN raises NV (FLEQ of Zfa).
#[inline]
#[must_use]
pub fn leq<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if unordered::<F>(a, b) { (0, any_signalling::<F>(a, b)) } else { le::<F>(a, b) }
}

/// The smaller operand (FMIN: `minimumNumber` of IEEE 754-2019). −0 is below +0; one NaN gives the other
/// operand, two give the canonical NaN; a signalling NaN raises NV either way.
#[inline]
#[must_use]
pub fn min<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    number_of::<F>(a, b, below::<F>(a, b))
}

/// The larger operand (FMAX: `maximumNumber` of IEEE 754-2019), with the rules of [`min`].
#[inline]
#[must_use]
pub fn max<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    number_of::<F>(a, b, below::<F>(b, a))
}

/// The smaller operand, or the canonical NaN if either is a NaN (FMINM of Zfa: `minimum` of IEEE 754-2019).
#[inline]
#[must_use]
pub fn minm<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if unordered::<F>(a, b) { (F::NAN, any_signalling::<F>(a, b)) } else { min::<F>(a, b) }
}

/// The larger operand, or the canonical NaN if either is a NaN (FMAXM of Zfa: `maximum` of IEEE 754-2019).
#[inline]
#[must_use]
pub fn maxm<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if unordered::<F>(a, b) { (F::NAN, any_signalling::<F>(a, b)) } else { max::<F>(a, b) }
}

/// The operand's class as one of ten bits (FCLASS; chapter "F", table "Format of result of FCLASS
/// instruction"): from bit 0, −∞, negative normal, negative subnormal, −0, +0, positive subnormal, positive
/// normal, +∞, signalling NaN, quiet NaN.
#[inline]
#[must_use]
pub fn classify<F: Format>(a: u64) -> u64 {
    if is_nan::<F>(a) {
        return if is_signalling::<F>(a) { 1 << 8 } else { 1 << 9 };
    }
    let distance_from_zero = match magnitude::<F>(a) {
        _ if is_infinite::<F>(a) => 3,
        0 => 0,
        subnormal if subnormal <= F::FRAC => 1,
        _ => 2,
    };
    if is_negative::<F>(a) { 1 << (3 - distance_from_zero) } else { 1 << (4 + distance_from_zero) }
}

#[inline(always)]
fn unordered<F: Format>(a: u64, b: u64) -> bool {
    is_nan::<F>(a) || is_nan::<F>(b)
}

#[inline(always)]
fn any_signalling<F: Format>(a: u64, b: u64) -> Flags {
    Flags::NV.when(is_signalling::<F>(a) || is_signalling::<F>(b))
}

/// An integer that orders numbers as their values do; both zeros are 0.
#[inline(always)]
fn order<F: Format>(a: u64) -> i64 {
    let magnitude = magnitude::<F>(a) as i64;
    if is_negative::<F>(a) { -magnitude } else { magnitude }
}

/// Whether number `a` is below number `b`, −0 counting as below +0.
#[inline(always)]
fn below<F: Format>(a: u64, b: u64) -> bool {
    (order::<F>(a), !is_negative::<F>(a)) < (order::<F>(b), !is_negative::<F>(b))
}

#[inline(always)]
fn number_of<F: Format>(a: u64, b: u64, first: bool) -> (u64, Flags) {
    let result = match (is_nan::<F>(a), is_nan::<F>(b)) {
        (true, true) => F::NAN,
        (true, false) => b,
        (false, true) => a,
        (false, false) => {
            if first {
                a
            } else {
                b
            }
        }
    };
    (result & (F::SIGN | F::ABS), any_signalling::<F>(a, b))
}
