//! Bits and flags, mode by mode, for every function that SoftFloat has.

use softfloat_wrapper::Float;

use super::operands::{Kind, Random, edges};
use super::oracle::{Oracle, mode, with_flags};
use super::{ROUNDINGS, shown};
use crate::format::{F16, F32, F64, Format, is_nan};
use crate::round::{Flags, Rounding};
use crate::{arith, compare, convert, fma, integer, sqrt};

type Operation = fn(u64, u64, u64, Rounding) -> (u64, Flags);

/// An operation as we do it and as SoftFloat does; it uses the first `arity` of its three operands.
struct Row {
    name: &'static str,
    arity: usize,
    ours: Operation,
    theirs: Operation,
}

/// The table of operations of a format. Those with a fast path appear twice, the second time without it.
fn rows<F: Oracle>() -> Vec<Row> {
    macro_rules! rows {
        ($($name:literal $arity:literal |$a:pat_param, $b:pat_param, $c:pat_param, $rm:pat_param| $ours:expr => $theirs:expr;)*) => {
            vec![$(Row {
                name: $name,
                arity: $arity,
                ours: |$a, $b, $c, $rm| $ours,
                theirs: |a, b, c, rm| with_flags(|| {
                    let ($a, $b, $c, $rm) = (F::soft(a), F::soft(b), F::soft(c), mode(rm));
                    $theirs
                }),
            }),*]
        };
    }
    rows! {
        "add"      2 |a, b, _, rm| arith::add::<F>(a, b, rm)           => F::bits(&a.add(b, rm));
        "soft_add" 2 |a, b, _, rm| arith::soft_add::<F>(a, b, rm)      => F::bits(&a.add(b, rm));
        "sub"      2 |a, b, _, rm| arith::sub::<F>(a, b, rm)           => F::bits(&a.sub(b, rm));
        "mul"      2 |a, b, _, rm| arith::mul::<F>(a, b, rm)           => F::bits(&a.mul(b, rm));
        "soft_mul" 2 |a, b, _, rm| arith::soft_mul::<F>(a, b, rm)      => F::bits(&a.mul(b, rm));
        "div"      2 |a, b, _, rm| arith::div::<F>(a, b, rm)           => F::bits(&a.div(b, rm));
        "soft_div" 2 |a, b, _, rm| arith::soft_div::<F>(a, b, rm)      => F::bits(&a.div(b, rm));
        "fma"      3 |a, b, c, rm| fma::<F>(a, b, c, rm)          => F::bits(&a.fused_mul_add(b, c, rm));
        "soft_fma" 3 |a, b, c, rm| fma::soft_fma::<F>(a, b, c, rm)     => F::bits(&a.fused_mul_add(b, c, rm));
        "sqrt"      1 |a, _, _, rm| sqrt::<F>(a, rm)             => F::bits(&a.sqrt(rm));
        "soft_sqrt" 1 |a, _, _, rm| sqrt::soft_sqrt::<F>(a, rm)        => F::bits(&a.sqrt(rm));
        "eq"       2 |a, b, _, _| compare::eq::<F>(a, b)               => a.eq(b) as u64;
        "lt"       2 |a, b, _, _| compare::lt::<F>(a, b)               => a.lt(b) as u64;
        "le"       2 |a, b, _, _| compare::le::<F>(a, b)               => a.le(b) as u64;
        "ltq"      2 |a, b, _, _| compare::ltq::<F>(a, b)              => a.lt_quiet(b) as u64;
        "leq"      2 |a, b, _, _| compare::leq::<F>(a, b)              => a.le_quiet(b) as u64;
        "to_i32"   1 |a, _, _, rm| integer::to_i32::<F>(a, rm)         => a.to_i32(rm, true) as u64;
        "to_u32"   1 |a, _, _, rm| integer::to_u32::<F>(a, rm)         => a.to_u32(rm, true) as i32 as u64;
        "to_i64"   1 |a, _, _, rm| integer::to_i64::<F>(a, rm)         => a.to_i64(rm, true) as u64;
        "to_u64"   1 |a, _, _, rm| integer::to_u64::<F>(a, rm)         => a.to_u64(rm, true);
        "to F16"   1 |a, _, _, rm| convert::<F, F16>(a, rm)   => F16::bits(&F16::narrowed(&a, rm));
        "to F32"   1 |a, _, _, rm| convert::<F, F32>(a, rm)   => F32::bits(&F32::narrowed(&a, rm));
        "to F64"   1 |a, _, _, rm| convert::<F, F64>(a, rm)   => F64::bits(&F64::narrowed(&a, rm));
        "round_to_int" 1 |a, _, _, rm| convert::round_to_int::<F>(a, rm, false) => F::bits(&a.round_to_integral(rm));
    }
}

/// Whether SoftFloat's wrapper only copies the bits here instead of computing.
fn copies<F: Format>(row: &Row) -> bool {
    matches!((row.name, F::BITS), ("to F16", 16) | ("to F32", 32) | ("to F64", 64))
}

fn compare_one<F: Oracle>(row: &Row, [a, b, c]: [u64; 3], what: &str) {
    for rm in ROUNDINGS {
        let (ours, theirs) = ((row.ours)(a, b, c, rm), (row.theirs)(a, b, c, rm));
        assert!(
            ours == theirs,
            "{} of {what} {:x?} in F{}, {rm:?}: {}, but SoftFloat says {}",
            row.name,
            &[a, b, c][..row.arity],
            F::BITS,
            shown::<F64>(ours),
            shown::<F64>(theirs)
        );
    }
}

fn compare_edges<F: Oracle>() {
    let edges = edges::<F>();
    for row in rows::<F>().iter().filter(|row| !copies::<F>(row)) {
        for &a in &edges {
            match row.arity {
                1 => compare_one::<F>(row, [a, 0, 0], "edges"),
                2 => edges.iter().for_each(|&b| compare_one::<F>(row, [a, b, 0], "edges")),
                _ => edges
                    .iter()
                    .for_each(|&b| edges.iter().for_each(|&c| compare_one::<F>(row, [a, b, c], "edges"))),
            }
        }
    }
}

/// How much more than usual to try.
fn thoroughness() -> usize {
    if std::env::var_os("HARTWRIGHT_FULL").is_some_and(|value| value == "1") { 100 } else { 1 }
}

fn compare_random<F: Oracle>(seed: u64) {
    let mut random = Random(seed);
    for row in rows::<F>().iter().filter(|row| !copies::<F>(row)) {
        for kind in Kind::ALL {
            for _ in 0..4_000 * thoroughness() {
                compare_one::<F>(row, random.operands::<F>(kind), &format!("{kind:?}"));
            }
        }
    }
}

fn compare_from_integers<F: Oracle>(seed: u64) {
    let mut random = Random(seed);
    let edges = (0..64).flat_map(|bit| {
        let power = 1u64 << bit;
        [
            power - 1,
            power,
            power + 1,
            power | power >> 1,
            power | power >> 12,
            power | power >> 12 | 1,
            power.wrapping_neg(),
        ]
    });
    let edges: Vec<_> = edges.collect();
    let random = (0..40_000 * thoroughness()).map(|_| {
        let shift = random.below(64);
        random.bits() >> shift
    });
    for x in edges.into_iter().chain(random) {
        for rm in ROUNDINGS {
            let m = mode(rm);
            for (name, ours, theirs) in [
                (
                    "i32",
                    integer::from_i32::<F>(x, rm),
                    with_flags(|| F::bits(&F::Soft::from_i32(x as i32, m))),
                ),
                (
                    "u32",
                    integer::from_u32::<F>(x, rm),
                    with_flags(|| F::bits(&F::Soft::from_u32(x as u32, m))),
                ),
                (
                    "i64",
                    integer::from_i64::<F>(x, rm),
                    with_flags(|| F::bits(&F::Soft::from_i64(x as i64, m))),
                ),
                ("u64", integer::from_u64::<F>(x, rm), with_flags(|| F::bits(&F::Soft::from_u64(x, m)))),
            ] {
                assert!(
                    ours == theirs,
                    "{x:#x} as {name} to F{}, {rm:?}: {}, but SoftFloat says {}",
                    F::BITS,
                    shown::<F>(ours),
                    shown::<F>(theirs)
                );
            }
        }
    }
}

#[test]
fn every_edge_of_binary16_agrees_with_softfloat() {
    compare_edges::<F16>();
}

#[test]
fn every_edge_of_binary32_agrees_with_softfloat() {
    compare_edges::<F32>();
}

#[test]
fn every_edge_of_binary64_agrees_with_softfloat() {
    compare_edges::<F64>();
}

#[test]
fn random_binary16_agrees_with_softfloat() {
    compare_random::<F16>(0x16);
}

#[test]
fn random_binary32_agrees_with_softfloat() {
    compare_random::<F32>(0x32);
}

#[test]
fn random_binary64_agrees_with_softfloat() {
    compare_random::<F64>(0x64);
}

#[test]
fn every_binary16_agrees_with_softfloat_in_operations_of_one_operand() {
    for row in rows::<F16>().iter().filter(|row| row.arity == 1 && !copies::<F16>(row)) {
        for a in 0..=u64::from(u16::MAX) {
            compare_one::<F16>(row, [a, 0, 0], "");
        }
    }
}

#[test]
fn integers_become_what_softfloat_makes_of_them() {
    compare_from_integers::<F16>(1);
    compare_from_integers::<F32>(2);
    compare_from_integers::<F64>(3);
}

#[test]
fn rounding_to_an_integer_is_inexact_exactly_when_it_changes_the_value() {
    fn check<F: Oracle>() {
        let mut random = Random(4);
        let random: Vec<_> = (0..10_000).map(|_| random.operands::<F>(Kind::CloseExponents)[0]).collect();
        for a in edges::<F>().into_iter().chain(random) {
            for rm in ROUNDINGS {
                let (bits, flags) = convert::round_to_int::<F>(a, rm, false);
                let changed = Flags::NX.when(bits != a && !is_nan::<F>(a));
                assert_eq!(convert::round_to_int::<F>(a, rm, true), (bits, flags | changed), "{a:#x} {rm:?}");
            }
        }
    }
    check::<F16>();
    check::<F32>();
    check::<F64>();
}
