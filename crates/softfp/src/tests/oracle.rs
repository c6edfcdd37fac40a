//! SoftFloat behind the same signature as ours.

use softfloat_wrapper::{ExceptionFlags, Float, RoundingMode};

use crate::format::{F16, F32, F64, Format};
use crate::round::{Flags, Rounding};

/// A format that SoftFloat computes in too.
pub(super) trait Oracle: Format {
    type Soft: Float;
    fn soft(bits: u64) -> Self::Soft;
    fn bits(value: &Self::Soft) -> u64;
    fn narrowed<S: Float>(value: &S, rm: RoundingMode) -> Self::Soft;
}

macro_rules! oracle {
    ($format:ty, $soft:ty, $payload:ty, $narrow:ident) => {
        impl Oracle for $format {
            type Soft = $soft;

            fn soft(bits: u64) -> $soft {
                <$soft>::from_bits(bits as $payload)
            }

            fn bits(value: &$soft) -> u64 {
                u64::from(value.to_bits())
            }

            fn narrowed<S: Float>(value: &S, rm: RoundingMode) -> $soft {
                value.$narrow(rm)
            }
        }
    };
}

oracle!(F16, softfloat_wrapper::F16, u16, to_f16);
oracle!(F32, softfloat_wrapper::F32, u32, to_f32);
oracle!(F64, softfloat_wrapper::F64, u64, to_f64);

/// SoftFloat's name for our mode.
pub(super) fn mode(rm: Rounding) -> RoundingMode {
    match rm {
        Rounding::Rne => RoundingMode::TiesToEven,
        Rounding::Rtz => RoundingMode::TowardZero,
        Rounding::Rdn => RoundingMode::TowardNegative,
        Rounding::Rup => RoundingMode::TowardPositive,
        Rounding::Rmm => RoundingMode::TiesToAway,
    }
}

/// Runs an operation of SoftFloat and collects the flags that it raised. SoftFloat keeps them a thread apart,
/// in the bit order of `fcsr`.
pub(super) fn with_flags(operation: impl FnOnce() -> u64) -> (u64, Flags) {
    let mut flags = ExceptionFlags::from_bits(0);
    flags.set();
    let result = operation();
    flags.get();
    (result, Flags(flags.to_bits()))
}
