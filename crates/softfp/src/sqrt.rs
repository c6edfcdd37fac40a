//! Square root.

use crate::format::{Finite, Format, is_finite_nonzero, is_nan, is_negative, is_signalling, is_zero};
use crate::round::{Flags, Rounding, invalid, round};

/// The square root of `a` (FSQRT). That of −0 is −0, that of any other negative number raises NV.
#[inline]
#[must_use]
pub fn sqrt<F: Format>(a: u64, rm: Rounding) -> (u64, Flags) {
    if rm == Rounding::Rne
        && let Some(exact) = F::sqrt(a)
    {
        return exact;
    }
    soft_sqrt::<F>(a, rm)
}

pub(crate) fn soft_sqrt<F: Format>(a: u64, rm: Rounding) -> (u64, Flags) {
    if !is_finite_nonzero::<F>(a) || is_negative::<F>(a) {
        return sqrt_special::<F>(a);
    }
    let x = Finite::unpack::<F>(a);
    let odd = x.exponent & 1;
    let radicand = x.significand >> 11 << odd;

    // The host's root, in [1, 2), is the nearest of 53 bits; the remainder's sign then says on which side of
    // it the true root lies. Its magnitude is at most the root's, so 64-bit arithmetic may wrap.
    let unit = (1u64 << 52) as f64;
    let nearest = ((radicand as f64 / unit).sqrt() * unit) as u64;
    let remainder = (radicand << 52).wrapping_sub(nearest.wrapping_mul(nearest)) as i64;
    round::<F>(false, (x.exponent - odd) / 2, (nearest << 11).wrapping_add_signed(remainder.signum()), rm)
}

#[cold]
#[inline(never)]
fn sqrt_special<F: Format>(a: u64) -> (u64, Flags) {
    if is_nan::<F>(a) {
        return (F::NAN, Flags::NV.when(is_signalling::<F>(a)));
    }
    if is_negative::<F>(a) && !is_zero::<F>(a) {
        return invalid::<F>();
    }
    (a & (F::SIGN | F::ABS), Flags::NONE)
}
