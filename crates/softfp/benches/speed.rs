//! Nanoseconds an operation, on random normal operands: `cargo bench -p hartwright-softfp`.
//!
//! Rounding to nearest even is what guests do; rounding up shows the software paths, which fast paths hide.

use std::hint::black_box;
use std::time::Instant;

use hartwright_softfp::{
    F16, F32, F64, Flags, Format, Rounding, add, convert, div, fma, from_i64, mul, sqrt, sub, to_i64,
};

/// Operands whose exponents lie within ten of one, so that results stay normal.
fn operands<F: Format>() -> Vec<u64> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let reach = F::BIAS as u64 / 3;
    (0..4096)
        .map(|_| {
            (F::BIAS as u64 + next() % reach.min(20) - reach.min(20) / 2) << F::FRAC_BITS | next() & F::FRAC
        })
        .enumerate()
        .map(|(i, value)| if i % 3 == 0 { value | F::SIGN } else { value })
        .collect()
}

fn time<F: Format>(name: &str, operation: impl Fn(u64, u64, u64, Rounding) -> (u64, Flags)) {
    let values = operands::<F>();
    print!("F{} {name:8}", F::BITS);
    for rm in [Rounding::Rne, Rounding::Rup] {
        let mut best = f64::INFINITY;
        for _ in 0..20 {
            let start = Instant::now();
            let mut sum = 0u64;
            let mut flags = Flags::NONE;
            for _ in 0..16 {
                for triple in values.windows(3) {
                    let (bits, raised) = operation(triple[0], triple[1], triple[2], black_box(rm));
                    sum = sum.wrapping_add(bits);
                    flags |= raised;
                }
            }
            black_box((sum, flags));
            best = best.min(start.elapsed().as_nanos() as f64 / (16.0 * (values.len() - 2) as f64));
        }
        print!("  {rm:?} {best:5.2} ns");
    }
    println!();
}

fn time_all<F: Format>() {
    time::<F>("add", |a, b, _, rm| add::<F>(a, b, rm));
    time::<F>("sub", |a, b, _, rm| sub::<F>(a, b, rm));
    time::<F>("mul", |a, b, _, rm| mul::<F>(a, b, rm));
    time::<F>("div", |a, b, _, rm| div::<F>(a, b, rm));
    time::<F>("fma", |a, b, c, rm| fma::<F>(a, b, c, rm));
    time::<F>("sqrt", |a, _, _, rm| sqrt::<F>(a & F::ABS, rm));
    time::<F>("to_i64", |a, _, _, rm| to_i64::<F>(a, rm));
    time::<F>("from_i64", |a, _, _, rm| from_i64::<F>(a, rm));
    time::<F>("to F32", |a, _, _, rm| convert::<F, F32>(a, rm));
}

fn main() {
    time_all::<F16>();
    time_all::<F32>();
    time_all::<F64>();
}
