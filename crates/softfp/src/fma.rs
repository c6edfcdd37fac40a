//! Fused multiply-add: one rounding of an exact product and sum.

use crate::arith::soft_mul;
use crate::format::{
    Finite, Format, is_finite_nonzero, is_infinite, is_nan, is_negative, is_signalling, is_zero, sign_bit,
};
use crate::round::{Flags, Rounding, cancelled, invalid, round, shift_right_sticky_wide};

/// `a × b + c` rounded once (FMADD). FMSUB, FNMSUB and FNMADD are the same after the caller has flipped the
/// sign of `c`, of `a`, and of both. Infinity times zero raises NV even where `c` is a quiet NaN (chapter
/// "F", "Single-Precision Floating-Point Computational Instructions").
#[inline]
#[must_use]
pub fn fma<F: Format>(a: u64, b: u64, c: u64, rm: Rounding) -> (u64, Flags) {
    if rm == Rounding::Rne
        && let Some(exact) = F::fma(a, b, c)
    {
        return exact;
    }
    soft_fma::<F>(a, b, c, rm)
}

pub(crate) fn soft_fma<F: Format>(a: u64, b: u64, c: u64, rm: Rounding) -> (u64, Flags) {
    if !is_finite_nonzero::<F>(a) || !is_finite_nonzero::<F>(b) || !is_finite_nonzero::<F>(c) {
        return fma_special::<F>(a, b, c, rm);
    }
    let (x, y, z) = (Finite::unpack::<F>(a), Finite::unpack::<F>(b), Finite::unpack::<F>(c));
    let negative = x.negative != y.negative;

    // Both terms get their leading one at bit 126, so that a sum has room to carry. The product has at most
    // 106 bits and the addend 53: a shift by one, the most that precedes a long cancellation, loses nothing
    // of either.
    let product = u128::from(x.significand) * u128::from(y.significand);
    let carry = (product >> 127) as u32;
    let (product, product_exponent) = (product >> carry, x.exponent + y.exponent + carry as i32);
    let addend = u128::from(z.significand) << 63;
    let product_larger = (product_exponent, product) >= (z.exponent, addend);
    let (exponent, large, small, distance) = if product_larger {
        (product_exponent, product, addend, product_exponent - z.exponent)
    } else {
        (z.exponent, addend, product, z.exponent - product_exponent)
    };
    let small = shift_right_sticky_wide(small, distance as u32);
    let sum = if negative == z.negative { large + small } else { large - small };

    if sum == 0 {
        return cancelled::<F>(rm);
    }
    let zeros = sum.leading_zeros();
    let sum = sum << zeros;
    let significand = (sum >> 64) as u64 | (sum as u64 != 0) as u64;
    let negative = if product_larger { negative } else { z.negative };
    round::<F>(negative, exponent + 1 - zeros as i32, significand, rm)
}

#[cold]
#[inline(never)]
fn fma_special<F: Format>(a: u64, b: u64, c: u64, rm: Rounding) -> (u64, Flags) {
    let infinite = is_infinite::<F>(a) || is_infinite::<F>(b);
    let zero = is_zero::<F>(a) || is_zero::<F>(b);
    let factor_nan = is_nan::<F>(a) || is_nan::<F>(b);
    if !factor_nan && infinite && zero {
        return invalid::<F>();
    }
    if factor_nan || is_nan::<F>(c) {
        let signalling = is_signalling::<F>(a) || is_signalling::<F>(b) || is_signalling::<F>(c);
        return (F::NAN, Flags::NV.when(signalling));
    }

    let negative = is_negative::<F>(a) != is_negative::<F>(b);
    let same_sign = negative == is_negative::<F>(c);
    let exact_c = (c & (F::SIGN | F::ABS), Flags::NONE);
    if infinite {
        if is_infinite::<F>(c) && !same_sign {
            return invalid::<F>();
        }
        return (sign_bit::<F>(negative) | F::INFINITY, Flags::NONE);
    }
    if is_infinite::<F>(c) {
        return exact_c;
    }
    if zero {
        return if is_zero::<F>(c) && !same_sign { cancelled::<F>(rm) } else { exact_c };
    }
    // What is left is a product of finite numbers and a zero.
    soft_mul::<F>(a, b, rm)
}
