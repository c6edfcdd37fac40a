//! Fast paths.

use crate::format::{F16, F32, F64};
use crate::round::Flags;

/// What the host computes directly, rounding to nearest even; `None` where the software must.
pub trait Host {
    #[inline(always)]
    fn add(_a: u64, _b: u64) -> Option<(u64, Flags)> {
        None
    }
    #[inline(always)]
    fn mul(_a: u64, _b: u64) -> Option<(u64, Flags)> {
        None
    }
    #[inline(always)]
    fn div(_a: u64, _b: u64) -> Option<(u64, Flags)> {
        None
    }
    #[inline(always)]
    fn sqrt(_a: u64) -> Option<(u64, Flags)> {
        None
    }
    #[inline(always)]
    fn fma(_a: u64, _b: u64, _c: u64) -> Option<(u64, Flags)> {
        None
    }
}
impl Host for F16 {}
impl Host for F32 {}
impl Host for F64 {}
