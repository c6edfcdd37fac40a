//! By example, where SoftFloat has no such function: the unprivileged manual's tables and sentences.

use super::operands::{Kind, Random, edges};
use super::{ROUNDINGS, shown};
use crate::*;

const INF: f64 = f64::INFINITY;
const QUIET: u64 = 0x7ff8_0000_0000_0000;
const SIGNALLING: u64 = 0x7ff0_0000_0000_0001;

/// A NaN with sign and payload, for what must come out without them.
const ODD_NAN: u64 = 0xfff8_0000_0000_1234;

#[test]
fn invalid_conversions_give_the_values_of_the_manuals_table() {
    // Chapter "F", "Domains of float-to-integer conversions and behavior for invalid inputs (RV64)".
    type Conversion = fn(u64, Rounding) -> (u64, Flags);
    let columns: [(&str, Conversion, i64, i64); 4] = [
        ("FCVT.W.D", to_i32::<F64>, i64::from(i32::MIN), i64::from(i32::MAX)),
        ("FCVT.WU.D", to_u32::<F64>, 0, -1),
        ("FCVT.L.D", to_i64::<F64>, i64::MIN, i64::MAX),
        ("FCVT.LU.D", to_u64::<F64>, 0, -1),
    ];
    for (name, conversion, lowest, highest) in columns {
        for rm in ROUNDINGS {
            for (input, expect) in [
                ((-1e30f64).to_bits(), lowest),
                ((-INF).to_bits(), lowest),
                (1e30f64.to_bits(), highest),
                (INF.to_bits(), highest),
                (QUIET, highest),
                (ODD_NAN, highest),
                (SIGNALLING, highest),
            ] {
                assert_eq!(conversion(input, rm), (expect as u64, Flags::NV), "{name} of {input:#x}");
            }
        }
    }
}

#[test]
fn conversions_saturate_only_past_the_rounded_limit() {
    let d = f64::to_bits;
    let check = |ours: (u64, Flags), value: i64, flags| assert_eq!(ours, (value as u64, flags));
    check(to_i32::<F64>(d(2147483647.5), Rounding::Rtz), 2147483647, Flags::NX);
    check(to_i32::<F64>(d(2147483647.5), Rounding::Rne), 2147483647, Flags::NV);
    check(to_i32::<F64>(d(-2147483648.5), Rounding::Rne), -2147483648, Flags::NX);
    check(to_i32::<F64>(d(-2147483648.5), Rounding::Rmm), -2147483648, Flags::NV);
    check(to_u32::<F64>(d(4294967295.0), Rounding::Rne), -1, Flags::NONE);
    check(to_u32::<F64>(d(2147483648.0), Rounding::Rne), i64::from(i32::MIN), Flags::NONE);
    check(to_u32::<F64>(d(-0.5), Rounding::Rne), 0, Flags::NX);
    check(to_u32::<F64>(d(-0.5), Rounding::Rdn), 0, Flags::NV);
    check(to_u64::<F64>(d(-0.0), Rounding::Rdn), 0, Flags::NONE);
    check(to_i64::<F64>(d(-9223372036854775808.0), Rounding::Rne), i64::MIN, Flags::NONE);
    check(to_i64::<F64>(d(9223372036854775808.0), Rounding::Rne), i64::MAX, Flags::NV);
}

#[test]
fn minimum_and_maximum_prefer_numbers_and_order_the_zeros() {
    let (neg, pos, one, two) = ((-0.0f64).to_bits(), 0, 1f64.to_bits(), 2f64.to_bits());
    let below_zero = (-1f64).to_bits();
    // a, b, min, max, flags
    let table = [
        (one, two, one, two, Flags::NONE),
        (below_zero, one, below_zero, one, Flags::NONE),
        (below_zero, (-2f64).to_bits(), (-2f64).to_bits(), below_zero, Flags::NONE),
        (neg, pos, neg, pos, Flags::NONE),
        (one, QUIET, one, one, Flags::NONE),
        (one, SIGNALLING, one, one, Flags::NV),
        (ODD_NAN, QUIET, QUIET, QUIET, Flags::NONE),
        (ODD_NAN, SIGNALLING, QUIET, QUIET, Flags::NV),
        ((-INF).to_bits(), INF.to_bits(), (-INF).to_bits(), INF.to_bits(), Flags::NONE),
    ];
    for (a, b, least, greatest, flags) in table {
        for (a, b) in [(a, b), (b, a)] {
            assert_eq!(min::<F64>(a, b), (least, flags), "min of {a:#x} and {b:#x}");
            assert_eq!(max::<F64>(a, b), (greatest, flags), "max of {a:#x} and {b:#x}");
            let nan = f64::from_bits(a).is_nan() || f64::from_bits(b).is_nan();
            assert_eq!(
                minm::<F64>(a, b),
                (if nan { QUIET } else { least }, flags),
                "minm of {a:#x} and {b:#x}"
            );
            assert_eq!(
                maxm::<F64>(a, b),
                (if nan { QUIET } else { greatest }, flags),
                "maxm of {a:#x} and {b:#x}"
            );
        }
    }
}

#[test]
fn minimum_and_maximum_agree_with_the_comparisons() {
    fn check<F: Format>() {
        let mut random = Random(5);
        let pairs = Kind::ALL.iter().flat_map(|&kind| (0..500).map(move |_| kind));
        let pairs: Vec<_> = pairs.map(|kind| random.operands::<F>(kind)).collect();
        let edges = edges::<F>();
        let edge_pairs = edges.iter().flat_map(|&a| edges.iter().map(move |&b| [a, b, 0]));
        for [a, b, _] in edge_pairs.chain(pairs) {
            if leq::<F>(a, a).0 == 0 || leq::<F>(b, b).0 == 0 {
                continue;
            }
            let (least, greatest) = (min::<F>(a, b).0, max::<F>(a, b).0);
            assert!(least == a && greatest == b || least == b && greatest == a);
            assert_eq!(le::<F>(least, greatest), (1, Flags::NONE), "{}", shown::<F>((least, Flags::NONE)));
        }
    }
    check::<F16>();
    check::<F32>();
    check::<F64>();
}

#[test]
fn a_class_is_one_bit_of_ten() {
    fn check<F: Format>() {
        let one = (F::BIAS as u64) << F::FRAC_BITS;
        let magnitudes = [
            (F::INFINITY, 0, 7),
            (F::INFINITY - 1, 1, 6),
            (one, 1, 6),
            (F::FRAC + 1, 1, 6),
            (F::FRAC, 2, 5),
            (1, 2, 5),
            (0, 3, 4),
            (F::INFINITY | 1, 8, 8),
            (F::INFINITY | (F::QUIET - 1), 8, 8),
            (F::NAN, 9, 9),
            (F::NAN | 1, 9, 9),
        ];
        for (magnitude, negative, positive) in magnitudes {
            assert_eq!(classify::<F>(magnitude), 1 << positive, "{magnitude:#x}");
            assert_eq!(classify::<F>(magnitude | F::SIGN), 1 << negative, "-{magnitude:#x}");
        }
    }
    check::<F16>();
    check::<F32>();
    check::<F64>();
}

#[test]
fn a_narrow_value_is_boxed_in_ones_and_an_unboxed_one_reads_as_nan() {
    assert_eq!(box_::<F32>(0x3f80_0000), 0xffff_ffff_3f80_0000);
    assert_eq!(box_::<F16>(0x3c00), 0xffff_ffff_ffff_3c00);
    assert_eq!(box_::<F64>(1), 1);
    assert_eq!(unbox::<F32>(0xffff_ffff_3f80_0000), 0x3f80_0000);
    assert_eq!(unbox::<F32>(0xffff_fffe_3f80_0000), canonical_nan::<F32>());
    assert_eq!(unbox::<F16>(0xffff_ffff_3f80_3c00), canonical_nan::<F16>());
    assert_eq!(unbox::<F16>(0xffff_ffff_ffff_3c00), 0x3c00);
    assert_eq!(unbox::<F64>(0x1234), 0x1234);
    assert_eq!(
        [canonical_nan::<F16>(), canonical_nan::<F32>(), canonical_nan::<F64>()],
        [0x7e00, 0x7fc0_0000, QUIET]
    );
}

#[test]
fn bits_above_a_format_are_ignored_and_come_out_zero() {
    fn check<F: Format>() {
        let junk = !(F::SIGN | F::ABS);
        for a in edges::<F>() {
            for b in [0, 1, F::FRAC + 1, F::INFINITY, F::NAN, (F::BIAS as u64) << F::FRAC_BITS] {
                for rm in ROUNDINGS {
                    let (x, y) = (a | junk, b | junk);
                    assert_eq!(add::<F>(x, y, rm), add::<F>(a, b, rm));
                    assert_eq!(sub::<F>(x, y, rm), sub::<F>(a, b, rm));
                    assert_eq!(mul::<F>(x, y, rm), mul::<F>(a, b, rm));
                    assert_eq!(div::<F>(x, y, rm), div::<F>(a, b, rm));
                    assert_eq!(fma::<F>(x, y, x, rm), fma::<F>(a, b, a, rm));
                    assert_eq!(fma::<F>(x, x, y, rm), fma::<F>(a, a, b, rm));
                    assert_eq!(sqrt::<F>(x, rm), sqrt::<F>(a, rm));
                    assert_eq!(round_to_int::<F>(x, rm, true), round_to_int::<F>(a, rm, true));
                    assert_eq!(to_i64::<F>(x, rm), to_i64::<F>(a, rm));
                    assert_eq!(convert::<F, F64>(x, rm), convert::<F, F64>(a, rm));
                }
                assert_eq!(eq::<F>(a | junk, b), eq::<F>(a, b));
                assert_eq!(lt::<F>(a | junk, b), lt::<F>(a, b));
                assert_eq!(min::<F>(a | junk, b | junk), min::<F>(a, b));
                assert_eq!(classify::<F>(a | junk), classify::<F>(a));
            }
        }
    }
    check::<F16>();
    check::<F32>();
}

#[test]
fn a_modular_conversion_keeps_the_low_bits_and_the_flags_of_fcvt_w_d() {
    // Chapter "Zfa", "Modular Convert-to-Integer Instruction".
    let check = |input: f64, expect: i32, flags| {
        assert_eq!(fcvtmod_w_d(input.to_bits()), (i64::from(expect) as u64, flags), "{input}");
    };
    check(0.0, 0, Flags::NONE);
    check(-1.0, -1, Flags::NONE);
    check(1.75, 1, Flags::NX);
    check(-1.75, -1, Flags::NX);
    check(2147483648.0, i32::MIN, Flags::NV);
    check(-2147483649.0, i32::MAX, Flags::NV);
    check(4294967296.0 + 5.5, 5, Flags::NV);
    check(-(4294967296.0 + 5.5), -5, Flags::NV);
    check(2f64.powi(83) + 2f64.powi(31), i32::MIN, Flags::NV);
    check(2f64.powi(83), 0, Flags::NV);
    check(2f64.powi(84) + 2f64.powi(32), 0, Flags::NV);
    check(f64::MAX, 0, Flags::NV);
    check(INF, 0, Flags::NV);
    check(-INF, 0, Flags::NV);
    check(f64::from_bits(QUIET), 0, Flags::NV);
    check(f64::MIN_POSITIVE, 0, Flags::NX);
}

#[test]
fn same_format_conversion_only_makes_nans_canonical() {
    for rm in ROUNDINGS {
        assert_eq!(convert::<F64, F64>(ODD_NAN, rm), (QUIET, Flags::NONE));
        assert_eq!(convert::<F64, F64>(SIGNALLING, rm), (QUIET, Flags::NV));
        for a in edges::<F32>().into_iter().filter(|&a| classify::<F32>(a) < 1 << 8) {
            assert_eq!(convert::<F32, F32>(a, rm), (a, Flags::NONE));
        }
    }
}

#[test]
fn a_reserved_rounding_mode_is_none() {
    for rm in ROUNDINGS {
        assert_eq!(Rounding::from_bits(rm as u8), Some(rm));
    }
    assert!((5..=255).all(|bits| Rounding::from_bits(bits).is_none()));
}

#[test]
fn infinity_times_zero_is_invalid_even_beside_a_quiet_nan() {
    for (a, b) in [(INF, 0.0), (0.0, -INF)] {
        assert_eq!(fma::<F64>(a.to_bits(), b.to_bits(), QUIET, Rounding::Rne), (QUIET, Flags::NV));
    }
    assert_eq!(fma::<F64>(QUIET, 0, ODD_NAN, Rounding::Rne), (QUIET, Flags::NONE));
}
