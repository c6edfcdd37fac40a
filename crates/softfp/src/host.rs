//! The common case on the host: normal numbers, rounded to nearest even, with the one flag that can then
//! arise.
//!
//! The host's result is IEEE 754's. What it does not say without its status register is whether that result
//! is exact, so each operation here finds the error by exact arithmetic, and gives up (`None`) where another
//! flag or a NaN is possible. The host must round to nearest and keep subnormals, as every Rust program may
//! assume.

use crate::format::{F16, F32, F64, Format, exponent};
use crate::round::Flags;

/// A result of the host, or `None` where only the software will do. Rounding is to nearest even.
pub trait Host {
    /// `a + b`.
    #[inline(always)]
    fn add(_a: u64, _b: u64) -> Option<(u64, Flags)> {
        None
    }

    /// `a × b`.
    #[inline(always)]
    fn mul(_a: u64, _b: u64) -> Option<(u64, Flags)> {
        None
    }

    /// `a ÷ b`.
    #[inline(always)]
    fn div(_a: u64, _b: u64) -> Option<(u64, Flags)> {
        None
    }

    /// The square root of `a`.
    #[inline(always)]
    fn sqrt(_a: u64) -> Option<(u64, Flags)> {
        None
    }

    /// `a × b + c`, rounded once.
    #[inline(always)]
    fn fma(_a: u64, _b: u64, _c: u64) -> Option<(u64, Flags)> {
        None
    }
}

/// binary16 is all software: the host's instructions for it are younger than our oldest host.
impl Host for F16 {}

impl Host for F32 {
    #[inline(always)]
    fn add(a: u64, b: u64) -> Option<(u64, Flags)> {
        let (x, y) = (single(a), single(b));
        let sum = x + y;
        // Knuth's two-sum, as below.
        let z = sum - x;
        let error = (x - (sum - z)) + (y - z);
        (sum.abs() < f32::MAX / 4.0).then(|| (u64::from(sum.to_bits()), Flags::NX.when(error != 0.0)))
    }

    #[inline(always)]
    fn mul(a: u64, b: u64) -> Option<(u64, Flags)> {
        narrow(f64::from(single(a)) * f64::from(single(b)))
    }

    #[inline(always)]
    fn div(a: u64, b: u64) -> Option<(u64, Flags)> {
        let (x, y) = (single(a), single(b));
        let quotient = x / y;
        let inexact = f64::from(quotient) * f64::from(y) != f64::from(x);
        let bits = u64::from(quotient.to_bits());
        is_safe::<Self>(bits).then_some((bits, Flags::NX.when(inexact)))
    }

    #[inline(always)]
    fn sqrt(a: u64) -> Option<(u64, Flags)> {
        let x = single(a);
        let root = x.sqrt();
        let inexact = f64::from(root) * f64::from(root) != f64::from(x);
        let bits = u64::from(root.to_bits());
        is_safe::<Self>(bits).then_some((bits, Flags::NX.when(inexact)))
    }

    #[inline(always)]
    fn fma(a: u64, b: u64, c: u64) -> Option<(u64, Flags)> {
        // The product is exact. The sum is rounded to odd, which keeps a later rounding to 24 bits right
        // because 53 is at least twice 24 and two (Boldo and Melquiond, "Emulation of a FMA and correctly
        // rounded sums").
        let (product, addend) = (f64::from(single(a)) * f64::from(single(b)), f64::from(single(c)));
        let sum = product + addend;
        let z = sum - product;
        let error = (product - (sum - z)) + (addend - z);
        let bits = sum.to_bits();
        let towards_error =
            if (error > 0.0) == (sum > 0.0) { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
        narrow(f64::from_bits(if error != 0.0 && bits & 1 == 0 { towards_error } else { bits }))
    }
}

impl Host for F64 {
    #[inline(always)]
    fn add(a: u64, b: u64) -> Option<(u64, Flags)> {
        let (x, y) = (f64::from_bits(a), f64::from_bits(b));
        let sum = x + y;
        // Knuth's two-sum: `sum + error` is exactly `x + y` where nothing overflows, and below the bound
        // nothing does. A sum needs no lower bound: one too small to be normal is exact.
        let z = sum - x;
        let error = (x - (sum - z)) + (y - z);
        (sum.abs() < f64::MAX / 4.0).then(|| (sum.to_bits(), Flags::NX.when(error != 0.0)))
    }

    #[inline(always)]
    fn mul(a: u64, b: u64) -> Option<(u64, Flags)> {
        let product = (f64::from_bits(a) * f64::from_bits(b)).to_bits();
        if !is_normal(a) || !is_normal(b) || !is_safe::<Self>(product) {
            return None;
        }
        Some((product, Flags::NX.when(!is_product(a, b, product))))
    }

    #[inline(always)]
    fn div(a: u64, b: u64) -> Option<(u64, Flags)> {
        let quotient = (f64::from_bits(a) / f64::from_bits(b)).to_bits();
        if !is_normal(a) || !is_normal(b) || !is_safe::<Self>(quotient) {
            return None;
        }
        Some((quotient, Flags::NX.when(!is_product(quotient, b, a))))
    }

    #[inline(always)]
    fn sqrt(a: u64) -> Option<(u64, Flags)> {
        let root = f64::from_bits(a).sqrt().to_bits();
        if !is_normal(a) || !is_safe::<Self>(root) {
            return None;
        }
        Some((root, Flags::NX.when(!is_product(root, root, a))))
    }

    #[inline(always)]
    fn fma(a: u64, b: u64, c: u64) -> Option<(u64, Flags)> {
        // Built for an x86-64 without FMA this calls the C library, which picks the instruction at start: 6
        // ns with the check below, where the software takes 12.
        let result = f64::from_bits(a).mul_add(f64::from_bits(b), f64::from_bits(c)).to_bits();
        if !is_normal(a) || !is_normal(b) || !is_normal(c) || !is_safe::<Self>(result) {
            return None;
        }
        // In units of the product's last place, modulo 2⁶⁴: where `a × b + c` and the result differ here,
        // they differ.
        let scale = F64::BIAS + F64::FRAC_BITS as i32 - exponent::<F64>(a) - exponent::<F64>(b);
        let (scale_c, scale_result) = (scale + exponent::<F64>(c), scale + exponent::<F64>(result));
        if scale_c < 0 || scale_result < 0 {
            return None;
        }
        let signed =
            |value: u64, negative: u64| if negative & F64::SIGN == 0 { value } else { value.wrapping_neg() };
        let scaled = |x: u64, scale: i32| signed(significand(x).checked_shl(scale as u32).unwrap_or(0), x);
        let product = signed(significand(a).wrapping_mul(significand(b)), a ^ b);
        if product.wrapping_add(scaled(c, scale_c)) != scaled(result, scale_result) {
            return Some((result, Flags::NX));
        }
        // They differ by half a unit in the result's last place at most: below 2⁶⁴ it is nothing.
        (scale_result <= 64).then_some((result, Flags::NONE))
    }
}

#[inline(always)]
fn single(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

/// Rounds to binary32.
#[inline(always)]
fn narrow(exact: f64) -> Option<(u64, Flags)> {
    let rounded = exact as f32;
    let bits = u64::from(rounded.to_bits());
    is_safe::<F32>(bits).then(|| (bits, Flags::NX.when(f64::from(rounded) != exact)))
}

/// Whether a result is so far inside the normal range that it neither overflowed nor was tiny.
#[inline(always)]
const fn is_safe<F: Format>(bits: u64) -> bool {
    let least = 2 << F::FRAC_BITS;
    (bits & F::ABS).wrapping_sub(least) < F::INFINITY - least
}

#[inline(always)]
const fn is_normal(a: u64) -> bool {
    (exponent::<F64>(a) as u64).wrapping_sub(1) < F64::EXP_MAX as u64 - 1
}

/// The significand of a normal number, its leading one included.
#[inline(always)]
const fn significand(a: u64) -> u64 {
    a & F64::FRAC | 1 << F64::FRAC_BITS
}

/// Whether `x × y` is exactly `z`, where all are normal and one of them is what another two gave, rounded to
/// nearest. Both sides are integers of about 106 bits that differ by less than 2⁵⁴, so that 64 bits tell.
#[inline(always)]
const fn is_product(x: u64, y: u64, z: u64) -> bool {
    let scale =
        exponent::<F64>(z) - exponent::<F64>(x) - exponent::<F64>(y) + F64::BIAS + F64::FRAC_BITS as i32;
    significand(x).wrapping_mul(significand(y)) == significand(z).wrapping_shl(scale as u32)
}
