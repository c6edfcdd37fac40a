//! Rounding: the modes, the flags, and the one place where an exact result becomes a stored one.

use std::ops::{BitOr, BitOrAssign};

use crate::format::{Format, sign_bit};

/// A rounding mode, numbered as in an instruction's `rm` field (chapter "F", table "Rounding mode encoding").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rounding {
    /// To nearest, ties to even.
    Rne = 0,
    /// Towards zero.
    Rtz = 1,
    /// Down, towards −∞.
    Rdn = 2,
    /// Up, towards +∞.
    Rup = 3,
    /// To nearest, ties to the larger magnitude.
    Rmm = 4,
}

impl Rounding {
    /// The mode that a value of `frm` names, or `None` for the reserved values 5 and 6, for 7 (dynamic) and
    /// for what does not fit the field.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Rne),
            1 => Some(Self::Rtz),
            2 => Some(Self::Rdn),
            3 => Some(Self::Rup),
            4 => Some(Self::Rmm),
            _ => None,
        }
    }

    /// Whether a magnitude grows by one unit in the last place: `odd` is the parity of what is kept, `rest`
    /// what is dropped as a fraction of 2⁶⁴.
    #[inline(always)]
    pub(crate) const fn grows(self, negative: bool, odd: bool, rest: u64) -> bool {
        const HALF: u64 = 1 << 63;
        match self {
            Self::Rne => rest > HALF || rest == HALF && odd,
            Self::Rtz => false,
            Self::Rdn => negative && rest != 0,
            Self::Rup => !negative && rest != 0,
            Self::Rmm => rest >= HALF,
        }
    }
}

/// A set of exception flags, in the bit order of `fcsr.fflags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No exception.
    pub const NONE: Self = Self(0);
    /// Inexact.
    pub const NX: Self = Self(1);
    /// Underflow: tiny after rounding, and inexact.
    pub const UF: Self = Self(2);
    /// Overflow.
    pub const OF: Self = Self(4);
    /// Divide by zero.
    pub const DZ: Self = Self(8);
    /// Invalid operation.
    pub const NV: Self = Self(16);

    /// These flags if the condition holds.
    #[inline(always)]
    pub(crate) const fn when(self, condition: bool) -> Self {
        Self(if condition { self.0 } else { 0 })
    }
}

impl BitOr for Flags {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Shifts right; a one that falls out stays as a one in the last place, so that later rounding knows of it.
#[inline(always)]
pub(crate) const fn shift_right_sticky(value: u64, by: u32) -> u64 {
    if by > 63 {
        return (value != 0) as u64;
    }
    value >> by | (value & !(u64::MAX << by) != 0) as u64
}

/// As [`shift_right_sticky`], for 128 bits.
#[inline(always)]
pub(crate) const fn shift_right_sticky_wide(value: u128, by: u32) -> u128 {
    if by > 127 {
        return (value != 0) as u128;
    }
    value >> by | (value & !(u128::MAX << by) != 0) as u128
}

/// Stores `significand × 2^(exponent - 63)`: bit 63 of the significand is set, and bit 0 may stand for any
/// number of lower bits, not all zero.
#[inline(always)]
pub(crate) fn round<F: Format>(
    negative: bool,
    exponent: i32,
    significand: u64,
    rm: Rounding,
) -> (u64, Flags) {
    let biased = exponent + F::BIAS;
    if biased < 1 {
        return round_tiny::<F>(negative, biased, significand, rm);
    }
    if biased >= F::EXP_MAX {
        return overflow::<F>(negative, rm);
    }
    let kept = significand >> (63 - F::FRAC_BITS);
    let rest = significand << (F::FRAC_BITS + 1);
    // `kept` holds the leading one, which adds one to the exponent field; a carry out of the fraction adds
    // another.
    let packed = ((biased - 1) as u64) << F::FRAC_BITS;
    let packed = packed + kept + rm.grows(negative, kept & 1 != 0, rest) as u64;
    if packed >= F::INFINITY {
        return overflow::<F>(negative, rm);
    }
    (sign_bit::<F>(negative) | packed, Flags::NX.when(rest != 0))
}

/// Stores a value below the smallest normal number.
#[cold]
#[inline(never)]
fn round_tiny<F: Format>(negative: bool, biased: i32, significand: u64, rm: Rounding) -> (u64, Flags) {
    let shifted = shift_right_sticky(significand, (1 - biased) as u32);
    let kept = shifted >> (63 - F::FRAC_BITS);
    let rest = shifted << (F::FRAC_BITS + 1);
    let packed = kept + rm.grows(negative, kept & 1 != 0, rest) as u64;
    let flags = (Flags::NX | Flags::UF.when(is_tiny::<F>(negative, biased, significand, rm))).when(rest != 0);
    (sign_bit::<F>(negative) | packed, flags)
}

/// Whether the value, rounded as though its exponent had no lower bound, still lies below the smallest normal
/// number: RISC-V detects tininess after rounding.
#[inline(always)]
fn is_tiny<F: Format>(negative: bool, biased: i32, significand: u64, rm: Rounding) -> bool {
    let kept = significand >> (63 - F::FRAC_BITS);
    let rest = significand << (F::FRAC_BITS + 1);
    let carries = kept == F::FRAC << 1 | 1 && rm.grows(negative, true, rest);
    biased < 0 || !carries
}

/// A result too large for the format: infinity, or the largest finite number where the mode rounds towards
/// zero.
#[cold]
#[inline(never)]
fn overflow<F: Format>(negative: bool, rm: Rounding) -> (u64, Flags) {
    let infinite = rm.grows(negative, true, u64::MAX);
    (sign_bit::<F>(negative) | (F::INFINITY - !infinite as u64), Flags::OF | Flags::NX)
}

/// The result of an operation that has none: the canonical NaN and the invalid flag.
#[inline(always)]
pub(crate) const fn invalid<F: Format>() -> (u64, Flags) {
    (F::NAN, Flags::NV)
}

/// The zero that an exact cancellation leaves: negative only when rounding down (IEEE 754-2019 §6.3).
#[inline(always)]
pub(crate) const fn cancelled<F: Format>(rm: Rounding) -> (u64, Flags) {
    (sign_bit::<F>(matches!(rm, Rounding::Rdn)), Flags::NONE)
}
