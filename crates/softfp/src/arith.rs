//! Addition, subtraction, multiplication and division.

use crate::format::{
    Finite, Format, exponent, is_finite_nonzero, is_infinite, is_nan, is_negative, is_signalling, is_zero,
    magnitude, sign_bit,
};
use crate::round::{Flags, Rounding, cancelled, invalid, round, shift_right_sticky};

/// `a + b` (FADD).
#[inline]
#[must_use]
pub fn add<F: Format>(a: u64, b: u64, rm: Rounding) -> (u64, Flags) {
    if rm == Rounding::Rne
        && let Some(exact) = F::add(a, b)
    {
        return exact;
    }
    soft_add::<F>(a, b, rm)
}

/// `a - b` (FSUB).
#[inline]
#[must_use]
pub fn sub<F: Format>(a: u64, b: u64, rm: Rounding) -> (u64, Flags) {
    add::<F>(a, b ^ F::SIGN, rm)
}

/// `a × b` (FMUL).
#[inline]
#[must_use]
pub fn mul<F: Format>(a: u64, b: u64, rm: Rounding) -> (u64, Flags) {
    if rm == Rounding::Rne
        && let Some(exact) = F::mul(a, b)
    {
        return exact;
    }
    soft_mul::<F>(a, b, rm)
}

/// `a ÷ b` (FDIV). A finite number other than zero divided by zero raises DZ.
#[inline]
#[must_use]
pub fn div<F: Format>(a: u64, b: u64, rm: Rounding) -> (u64, Flags) {
    if rm == Rounding::Rne
        && let Some(exact) = F::div(a, b)
    {
        return exact;
    }
    soft_div::<F>(a, b, rm)
}

/// The NaN that an operation with a NaN among its operands returns; a signalling one raises NV.
#[inline(always)]
fn nan_of<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    (F::NAN, Flags::NV.when(is_signalling::<F>(a) || is_signalling::<F>(b)))
}

pub(crate) fn soft_add<F: Format>(a: u64, b: u64, rm: Rounding) -> (u64, Flags) {
    if exponent::<F>(a) == F::EXP_MAX || exponent::<F>(b) == F::EXP_MAX {
        return add_special::<F>(a, b);
    }
    let (large, small) = if magnitude::<F>(a) >= magnitude::<F>(b) { (a, b) } else { (b, a) };
    let negative = is_negative::<F>(large);

    // Subnormals and zero are the significands without a leading one at the least normal exponent. Bit 62 is
    // the leading one's place, so that a sum has room to carry and a difference keeps enough bits below.
    let aligned = |x: u64| {
        let leading_one = if exponent::<F>(x) == 0 { 0 } else { F::FRAC + 1 };
        (x & F::FRAC | leading_one) << (62 - F::FRAC_BITS)
    };
    let (high, low) = (exponent::<F>(large).max(1), exponent::<F>(small).max(1));
    let addend = shift_right_sticky(aligned(small), (high - low) as u32);
    let sum =
        if negative == is_negative::<F>(small) { aligned(large) + addend } else { aligned(large) - addend };

    if sum == 0 {
        let same_sign = negative == is_negative::<F>(small);
        return if same_sign { (sign_bit::<F>(negative), Flags::NONE) } else { cancelled::<F>(rm) };
    }
    let zeros = sum.leading_zeros();
    round::<F>(negative, high - F::BIAS + 1 - zeros as i32, sum << zeros, rm)
}

#[cold]
#[inline(never)]
fn add_special<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if is_nan::<F>(a) || is_nan::<F>(b) {
        return nan_of::<F>(a, b);
    }
    if is_infinite::<F>(a) && is_infinite::<F>(b) && is_negative::<F>(a) != is_negative::<F>(b) {
        return invalid::<F>();
    }
    let infinity = if is_infinite::<F>(a) { a } else { b };
    (infinity & (F::SIGN | F::ABS), Flags::NONE)
}

pub(crate) fn soft_mul<F: Format>(a: u64, b: u64, rm: Rounding) -> (u64, Flags) {
    if !is_finite_nonzero::<F>(a) || !is_finite_nonzero::<F>(b) {
        return mul_special::<F>(a, b);
    }
    let (x, y) = (Finite::unpack::<F>(a), Finite::unpack::<F>(b));
    let product = u128::from(x.significand) * u128::from(y.significand);
    let (high, low) = ((product >> 64) as u64, product as u64);
    let zeros = high.leading_zeros();
    // Bit 0 is far below the last place of every format: it says that something follows, whatever that is.
    let significand = high << zeros | (low != 0) as u64;
    round::<F>(x.negative != y.negative, x.exponent + y.exponent + 1 - zeros as i32, significand, rm)
}

#[cold]
#[inline(never)]
fn mul_special<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if is_nan::<F>(a) || is_nan::<F>(b) {
        return nan_of::<F>(a, b);
    }
    let sign = (a ^ b) & F::SIGN;
    match (is_infinite::<F>(a) || is_infinite::<F>(b), is_zero::<F>(a) || is_zero::<F>(b)) {
        (true, true) => invalid::<F>(),
        (true, false) => (sign | F::INFINITY, Flags::NONE),
        _ => (sign, Flags::NONE),
    }
}

pub(crate) fn soft_div<F: Format>(a: u64, b: u64, rm: Rounding) -> (u64, Flags) {
    if !is_finite_nonzero::<F>(a) || !is_finite_nonzero::<F>(b) {
        return div_special::<F>(a, b);
    }
    let (x, y) = (Finite::unpack::<F>(a), Finite::unpack::<F>(b));
    let (dividend, divisor) = (x.significand >> 11, y.significand >> 11);
    let less = dividend < divisor;
    let dividend = dividend << less as u32;

    // The host's quotient, in [1, 2), is the nearest of 53 bits. The remainder's sign then says on which side
    // of it the true quotient lies, and that the remainder is below half the divisor lets 64-bit arithmetic
    // wrap.
    let nearest = ((dividend as f64 / divisor as f64) * (1u64 << 52) as f64) as u64;
    let remainder = (dividend << 52).wrapping_sub(nearest.wrapping_mul(divisor)) as i64;
    let significand = (nearest << 11).wrapping_add_signed(remainder.signum());
    // The quotient is at least one, so bit 63 stays set: where the nearest is one, the remainder is not
    // negative.
    round::<F>(x.negative != y.negative, x.exponent - y.exponent - less as i32, significand, rm)
}

#[cold]
#[inline(never)]
fn div_special<F: Format>(a: u64, b: u64) -> (u64, Flags) {
    if is_nan::<F>(a) || is_nan::<F>(b) {
        return nan_of::<F>(a, b);
    }
    let sign = (a ^ b) & F::SIGN;
    match (is_infinite::<F>(a), is_infinite::<F>(b)) {
        (true, true) => invalid::<F>(),
        (true, false) => (sign | F::INFINITY, Flags::NONE),
        (false, true) => (sign, Flags::NONE),
        (false, false) if is_zero::<F>(a) && is_zero::<F>(b) => invalid::<F>(),
        (false, false) if is_zero::<F>(b) => (sign | F::INFINITY, Flags::DZ),
        (false, false) => (sign, Flags::NONE),
    }
}
