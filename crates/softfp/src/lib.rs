//! IEEE 754 arithmetic in binary16, binary32 and binary64 with RISC-V's rules, as pure functions from bits to
//! bits and flags.
//!
//! A value is the low bits of a `u64`; bits above the format's width are ignored on the way in and zero on
//! the way out. Every function returns its result beside the exception flags that it raised, and the caller
//! accrues them into `fcsr`. Three rules are RISC-V's rather than IEEE 754's (unprivileged manual, chapter
//! "F"): a NaN result is always the canonical NaN, tininess is detected after rounding, and a conversion that
//! does not fit saturates.
//!
//! ```
//! use hartwright_softfp::{F64, Flags, Rounding, add};
//!
//! let (sum, flags) = add::<F64>(0.1f64.to_bits(), 0.2f64.to_bits(), Rounding::Rne);
//! assert_eq!(f64::from_bits(sum), 0.1 + 0.2);
//! assert_eq!(flags, Flags::NX);
//! ```
//!
//! The crate knows no registers, no rounding-mode field and no host flags: it never reads or writes the
//! host's floating-point environment, which it takes to be the one Rust programs start with.

#![forbid(unsafe_code)]

mod arith;
mod compare;
mod convert;
mod fma;
mod format;
mod host;
mod integer;
mod round;
mod sqrt;

pub use arith::{add, div, mul, sub};
pub use compare::{classify, eq, le, leq, lt, ltq, max, maxm, min, minm};
pub use convert::{convert, round_to_int};
pub use fma::fma;
pub use format::{F16, F32, F64, Format, box_, canonical_nan, unbox};
pub use integer::{fcvtmod_w_d, from_i32, from_i64, from_u32, from_u64, to_i32, to_i64, to_u32, to_u64};
pub use round::{Flags, Rounding};
pub use sqrt::sqrt;

#[cfg(test)]
mod tests;
