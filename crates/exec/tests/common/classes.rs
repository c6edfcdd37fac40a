//! The classes of operands that every row is tried with, and the rounding modes.

use super::Rng;

/// What a class is, and what makes one of it.
pub(crate) type Class<Kind, Value> = (&'static str, fn(&mut Rng, Kind) -> Value);

/// Integers: what they are, and one such of so many bits.
pub(crate) const INTEGERS: &[Class<u32, u128>] = &[
    ("zero, one, minus one", |rng, _| rng.pick(&[0, 1, u128::MAX])),
    ("extremes", |rng, bits| {
        let top = 1u128 << (rng.pick(&[8, 16, 32, 64, 128].map(|width: u32| width.min(bits))) - 1);
        rng.pick(&[top, top - 1, top + 1, top.wrapping_neg(), top | top - 1])
    }),
    ("one bit", |rng, bits| 1 << rng.below(bits.into())),
    ("all bits below one", |rng, bits| (1 << rng.below(bits.into())) - 1),
    ("all bits from one up", |rng, bits| (1u128 << rng.below(bits.into())).wrapping_neg()),
    ("small", |rng, bits| {
        let value = u128::from(rng.below(2 * u64::from(bits)));
        if rng.one_in(4) { value.wrapping_neg() } else { value }
    }),
    ("words with their sign", |rng, _| rng.next() as i32 as u128),
    ("words without", |rng, _| (rng.next() as u32).into()),
    ("few bits", |rng, _| rng.long() & rng.long() & rng.long()),
    ("any", |rng, _| rng.long()),
];

/// A format of floating point: bits of the exponent and of the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Float {
    exponent: u32,
    fraction: u32,
}

pub(crate) const HALF: Float = Float { exponent: 5, fraction: 10 };
pub(crate) const SINGLE: Float = Float { exponent: 8, fraction: 23 };
pub(crate) const DOUBLE: Float = Float { exponent: 11, fraction: 52 };

impl Float {
    /// The format of a row's sources: what its mnemonic ends in.
    pub(crate) fn of(mnemonic: &str) -> Float {
        match mnemonic.rsplit(['.', 'f']).next() {
            Some("h" | "sh" | "lh") => HALF,
            Some("s" | "w" | "sw" | "lw" | "swsp" | "lwsp") => SINGLE,
            _ => DOUBLE,
        }
    }

    fn bits(self) -> u32 {
        1 + self.exponent + self.fraction
    }

    /// A number with a random sign, an exponent field and a fraction.
    fn number(self, rng: &mut Rng, exponent: u64, fraction: u64) -> u64 {
        let fraction = fraction & ((1 << self.fraction) - 1);
        rng.below(2) << (self.bits() - 1) | exponent << self.fraction | fraction
    }

    /// The exponent field of one.
    fn one(self) -> u64 {
        (1 << (self.exponent - 1)) - 1
    }

    /// The exponent field of infinity.
    fn top(self) -> u64 {
        (1 << self.exponent) - 1
    }

    /// The number in a register, boxed as the specification asks (Unprivileged, "NaN Boxing").
    fn boxed(self, bits: u64) -> u64 {
        if self.bits() == 64 { bits } else { !0 << self.bits() | bits }
    }
}

/// A fraction with something at its ends.
fn fraction(rng: &mut Rng) -> u64 {
    let any = rng.next();
    let low = !0 << rng.below(53);
    rng.pick(&[0, 1, 2, !0, !1, any, any & low, any | !low])
}

/// Numbers: what they are, and a register that holds one such.
pub(crate) const FLOATS: &[Class<Float, u64>] = &[
    ("zeros", |rng, shape| shape.boxed(shape.number(rng, 0, 0))),
    ("subnormals", |rng, shape| {
        let fraction = fraction(rng);
        shape.boxed(shape.number(rng, 0, fraction))
    }),
    ("near one", |rng, shape| {
        let (exponent, fraction) = (shape.one() + rng.below(4) - 2, fraction(rng));
        shape.boxed(shape.number(rng, exponent, fraction))
    }),
    ("tiny", |rng, shape| {
        let (exponent, fraction) = (1 + rng.below(3), fraction(rng));
        shape.boxed(shape.number(rng, exponent, fraction))
    }),
    ("huge", |rng, shape| {
        let (exponent, fraction) = (shape.top() - 1 - rng.below(3), fraction(rng));
        shape.boxed(shape.number(rng, exponent, fraction))
    }),
    ("infinities", |rng, shape| shape.boxed(shape.number(rng, shape.top(), 0))),
    ("quiet NaNs", |rng, shape| {
        let fraction = fraction(rng) | 1 << (shape.fraction - 1);
        shape.boxed(shape.number(rng, shape.top(), fraction))
    }),
    ("signalling NaNs", |rng, shape| {
        let fraction = fraction(rng) & !(1 << (shape.fraction - 1)) | 1;
        shape.boxed(shape.number(rng, shape.top(), fraction))
    }),
    ("ill boxed", |rng, shape| rng.next() & !(1 << shape.bits().min(63))),
    ("integers", |rng, shape| {
        // Up to beyond what any integer register of 64 bits holds, with halves.
        let exponent = (shape.one() + rng.below(68)).min(shape.top() - 1);
        let fraction = rng.next() & !0 << rng.below(shape.fraction.into());
        shape.boxed(shape.number(rng, exponent, fraction))
    }),
    ("any", |rng, shape| {
        let bits = rng.next();
        shape.boxed(if shape.bits() == 64 { bits } else { bits & ((1 << shape.bits()) - 1) })
    }),
];

/// Addresses: what they are; see `rows.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Aligned,
    Misaligned,
    /// About the end of a page.
    PageEnd,
    /// Where nothing is.
    Nowhere,
}

pub(crate) const ADDRESSES: &[(&str, Address)] = &[
    ("aligned", Address::Aligned),
    ("misaligned", Address::Misaligned),
    ("about the end of a page", Address::PageEnd),
    ("where nothing is", Address::Nowhere),
];

/// How an instruction that rounds is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// By its own field.
    Static(u64),
    /// By `frm`.
    Dynamic(u64),
}

/// RNE, RTZ, RDN, RUP, RMM, and what is reserved.
pub(crate) const MODES: std::ops::Range<u64> = 0..5;
/// What is no rounding mode and traps.
pub(crate) const RESERVED: &[Rounding] = &[
    Rounding::Static(5),
    Rounding::Static(6),
    Rounding::Dynamic(5),
    Rounding::Dynamic(6),
    Rounding::Dynamic(7),
];
