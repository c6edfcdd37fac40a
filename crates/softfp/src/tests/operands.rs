//! Operands worth trying: a list by name, and random ones of several kinds.

use crate::format::{Format, exponent};
use crate::integer::from_i64;
use crate::round::Rounding;

/// Values at which something changes, each with both signs.
pub(super) fn edges<F: Format>() -> Vec<u64> {
    let power = |exponent: i32| ((exponent + F::BIAS) as u64) << F::FRAC_BITS;
    let one = power(0);
    let ulp_exponent = -(F::FRAC_BITS as i32);
    let largest = F::INFINITY - 1;
    let mut list = vec![
        0,                     // zero
        1,                     // least subnormal
        2,                     // the next
        F::QUIET,              // a subnormal of one bit
        F::FRAC,               // largest subnormal
        F::FRAC - 1,           // the one before
        F::FRAC + 1,           // least normal
        F::FRAC + 2,           // the next
        (F::FRAC + 1) * 2,     // twice the least normal
        (F::FRAC + 1) * 2 - 1, // just below
        one - 1,
        one,
        one + 1,
        one | F::QUIET,           // 1.5
        one | F::FRAC,            // just below 2
        power(-1),                // a half
        power(-1) - 1,            // just below
        power(-1) + 1,            // just above
        power(1),                 // 2
        power(1) | F::QUIET,      // 3
        power(1) | F::QUIET >> 1, // 2.5: a tie between 2 and 3
        power(ulp_exponent),
        power(ulp_exponent - 1),     // half a unit in the last place of one
        power(ulp_exponent - 1) + 1, // just above
        power(ulp_exponent - 1) - 1, // just below
        power(-ulp_exponent),        // the first value without a fraction
        power(-ulp_exponent) + 1,
        power(-ulp_exponent - 1) + 1, // the last tie
        power(F::BIAS / 2 + 1),       // its square is near the largest
        power(-F::BIAS / 2),          // its square is near the least normal
        power(-F::BIAS / 2) | F::FRAC,
        largest,
        largest - 1,
        power(F::BIAS), // half of what overflows
        F::INFINITY,
        F::NAN,
        F::NAN | 1,                   // quiet with a payload
        F::INFINITY | F::FRAC,        // quiet, every bit set
        F::INFINITY | 1,              // signalling
        F::INFINITY | (F::QUIET - 1), // signalling, every bit set
    ];
    for limit in [31, 32, 63, 64].into_iter().filter(|&limit| limit < F::BIAS) {
        list.extend([power(limit) - 1, power(limit), power(limit) + 1]);
    }
    // Ties around the 32-bit limits, where the format has fractions of that size: limit, limit ± 1/2, limit ±
    // 1.
    if F::FRAC_BITS > 32 {
        for limit in [i64::from(i32::MAX), i64::from(i32::MIN), i64::from(u32::MAX)] {
            let (limit, _) = from_i64::<F>(limit as u64, Rounding::Rne);
            let half = F::QUIET >> (exponent::<F>(limit) - F::BIAS);
            list.extend([limit, limit - half, limit - half - 1, limit - half + 1, limit - 2 * half]);
            list.extend([limit + half, limit + half - 1, limit + half + 1, limit + 2 * half]);
        }
    }
    list.iter().flat_map(|&value| [value & F::ABS, value & F::ABS | F::SIGN]).collect()
}

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// From 0 up to below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1) as u64) as i32
    }

    /// A fraction: any bits, few bits, a run of ones, or long zeros and ones that end in a tie.
    fn fraction<F: Format>(&mut self) -> u64 {
        let (x, shift) = (self.bits(), self.below(u64::from(F::FRAC_BITS) + 1) as u32);
        F::FRAC
            & match self.below(5) {
                0 | 1 => x,
                2 => 1 << shift | 1 << (x % u64::from(F::FRAC_BITS)),
                3 => u64::MAX << shift,
                _ => x << shift,
            }
    }

    /// A value with this stored exponent, brought into the format's range.
    fn near<F: Format>(&mut self, biased: i32) -> u64 {
        let biased = biased.clamp(0, F::EXP_MAX - 1) as u64;
        (self.bits() & F::SIGN) | biased << F::FRAC_BITS | self.fraction::<F>()
    }

    /// Three operands of the kind, of which an operation takes as many as it needs.
    pub(super) fn operands<F: Format>(&mut self, kind: Kind) -> [u64; 3] {
        let mask = F::SIGN | F::ABS;
        let reach = F::FRAC_BITS as i32 + 3;
        let any = self.between(0, F::EXP_MAX - 1);
        match kind {
            Kind::Uniform => [self.bits() & mask, self.bits() & mask, self.bits() & mask],
            Kind::CloseExponents => {
                let other = any + self.between(-reach, reach);
                let third = any + other - F::BIAS + self.between(-reach, reach);
                [self.near::<F>(any), self.near::<F>(other), self.near::<F>(third)]
            }
            Kind::SmallIntegers => [(); 3].map(|()| {
                let bound = 1 << self.below(12);
                let integer = self.below(bound) as i64 - (bound / 2) as i64;
                from_i64::<F>(integer as u64, Rounding::Rne).0
            }),
            Kind::TinyResults => {
                let target = self.between(-reach, 3);
                let other =
                    if self.bits() & 1 == 0 { target - any + F::BIAS } else { any - target + F::BIAS };
                let third = self.between(0, reach);
                [self.near::<F>(any), self.near::<F>(other), self.near::<F>(third)]
            }
            Kind::HugeResults => {
                let target = F::EXP_MAX - 1 + self.between(-2, 2);
                let other =
                    if self.bits() & 1 == 0 { target - any + F::BIAS } else { any - target + F::BIAS };
                let third = F::EXP_MAX - self.between(1, reach);
                [self.near::<F>(any), self.near::<F>(other), self.near::<F>(third)]
            }
            Kind::Special => [(); 3].map(|()| {
                let sign = self.bits() & F::SIGN;
                let values = [0, 1, F::FRAC + 1, F::INFINITY, F::NAN, F::INFINITY | 1];
                sign | values[self.below(values.len() as u64) as usize]
            }),
            // The addend is the negated product but for a few units in the last place.
            Kind::Cancelling => {
                let other = self.between(0, F::EXP_MAX - 1);
                let (a, b) = (self.near::<F>(any), self.near::<F>(other));
                let product = crate::arith::soft_mul::<F>(a, b, Rounding::Rtz).0;
                [a, b, (product ^ F::SIGN).wrapping_add(self.below(5)).wrapping_sub(2) & mask]
            }
        }
    }
}

/// How random operands are chosen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Uniform,
    CloseExponents,
    SmallIntegers,
    TinyResults,
    HugeResults,
    Special,
    Cancelling,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Uniform,
        Self::CloseExponents,
        Self::SmallIntegers,
        Self::TinyResults,
        Self::HugeResults,
        Self::Special,
        Self::Cancelling,
    ];
}
