//! The three formats: where sign, exponent and fraction lie, and how a narrow value sits in a 64-bit
//! register.

use crate::host::Host;

/// A binary interchange format of IEEE 754-2019 §3.4. Sealed: [`F16`], [`F32`] and [`F64`] are all there are.
pub trait Format: Host + Copy + 'static {
    /// The width of a value in bits.
    const BITS: u32;
    /// The width of the fraction field (the significand without its leading one) in bits.
    const FRAC_BITS: u32;

    /// The sign bit.
    const SIGN: u64 = 1 << (Self::BITS - 1);
    /// Every bit but the sign.
    const ABS: u64 = Self::SIGN - 1;
    /// The fraction field.
    const FRAC: u64 = (1 << Self::FRAC_BITS) - 1;
    /// The biased exponent of infinities and NaNs: all ones.
    const EXP_MAX: i32 = (1 << (Self::BITS - 1 - Self::FRAC_BITS)) - 1;
    /// What is added to an exponent to store it.
    const BIAS: i32 = Self::EXP_MAX >> 1;
    /// Positive infinity.
    const INFINITY: u64 = (Self::EXP_MAX as u64) << Self::FRAC_BITS;
    /// The fraction's first bit, which tells a quiet NaN from a signalling one.
    const QUIET: u64 = 1 << (Self::FRAC_BITS - 1);
    /// The NaN that every operation returns: positive, quiet, no payload (chapter "F", "NaN Generation and
    /// Propagation").
    const NAN: u64 = Self::INFINITY | Self::QUIET;
}

/// binary16, half precision (Zfh).
#[derive(Clone, Copy, Debug)]
pub struct F16;

/// binary32, single precision (F).
#[derive(Clone, Copy, Debug)]
pub struct F32;

/// binary64, double precision (D).
#[derive(Clone, Copy, Debug)]
pub struct F64;

impl Format for F16 {
    const BITS: u32 = 16;
    const FRAC_BITS: u32 = 10;
}

impl Format for F32 {
    const BITS: u32 = 32;
    const FRAC_BITS: u32 = 23;
}

impl Format for F64 {
    const BITS: u32 = 64;
    const FRAC_BITS: u32 = 52;
}

/// The canonical NaN of the format.
#[inline]
#[must_use]
pub const fn canonical_nan<F: Format>() -> u64 {
    F::NAN
}

/// A value as it is written to a 64-bit register: every bit above the format is one (chapter "D", "NaN Boxing
/// of Narrower Values").
#[inline]
#[must_use]
pub const fn box_<F: Format>(bits: u64) -> u64 {
    bits | !(F::SIGN | F::ABS)
}

/// The value that an operation reads from a 64-bit register: the canonical NaN where the register is not
/// properly boxed.
#[inline]
#[must_use]
pub const fn unbox<F: Format>(reg: u64) -> u64 {
    let above = !(F::SIGN | F::ABS);
    if reg & above == above { reg & !above } else { F::NAN }
}

/// The value without its sign.
#[inline(always)]
pub(crate) const fn magnitude<F: Format>(a: u64) -> u64 {
    a & F::ABS
}

/// The stored exponent.
#[inline(always)]
pub(crate) const fn exponent<F: Format>(a: u64) -> i32 {
    (magnitude::<F>(a) >> F::FRAC_BITS) as i32
}

#[inline(always)]
pub(crate) const fn is_negative<F: Format>(a: u64) -> bool {
    a & F::SIGN != 0
}

#[inline(always)]
pub(crate) const fn is_nan<F: Format>(a: u64) -> bool {
    magnitude::<F>(a) > F::INFINITY
}

#[inline(always)]
pub(crate) const fn is_signalling<F: Format>(a: u64) -> bool {
    is_nan::<F>(a) && a & F::QUIET == 0
}

#[inline(always)]
pub(crate) const fn is_infinite<F: Format>(a: u64) -> bool {
    magnitude::<F>(a) == F::INFINITY
}

#[inline(always)]
pub(crate) const fn is_zero<F: Format>(a: u64) -> bool {
    magnitude::<F>(a) == 0
}

/// Whether the value is neither zero, infinite nor NaN, told by one comparison.
#[inline(always)]
pub(crate) const fn is_finite_nonzero<F: Format>(a: u64) -> bool {
    magnitude::<F>(a).wrapping_sub(1) < F::INFINITY - 1
}

/// The sign bit or nothing.
#[inline(always)]
pub(crate) const fn sign_bit<F: Format>(negative: bool) -> u64 {
    (negative as u64) << (F::BITS - 1)
}

/// A finite value that is not zero: `significand × 2^(exponent - 63)`, bit 63 of the significand set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finite {
    pub(crate) negative: bool,
    pub(crate) exponent: i32,
    pub(crate) significand: u64,
}

impl Finite {
    /// Takes apart a value for which [`is_finite_nonzero`] holds.
    #[inline(always)]
    pub(crate) const fn unpack<F: Format>(a: u64) -> Self {
        let biased = exponent::<F>(a);
        let fraction = a & F::FRAC;
        let negative = is_negative::<F>(a);
        if biased == 0 {
            let zeros = fraction.leading_zeros();
            let exponent = 64 - zeros as i32 - F::BIAS - F::FRAC_BITS as i32;
            return Self { negative, exponent, significand: fraction << zeros };
        }
        Self { negative, exponent: biased - F::BIAS, significand: 1 << 63 | fraction << (63 - F::FRAC_BITS) }
    }
}
