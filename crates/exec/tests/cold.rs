//! More instructions than are kept decoded: what never became code is forgotten, and what did goes on as it was.
#![forbid(unsafe_code)]

mod common;

use common::{Machine, RAM, Rng, engine, li, model, op};
use hartwright_exec::Engine;
use hartwright_isa::csr;

const CODE: u64 = RAM + 0x1_0000;
/// So many stretches of so many instructions.
const STRETCHES: u64 = 0x8000;
const LENGTH: u64 = 64;
/// So many functions, of which only a few at a time are called.
const FUNCTIONS: u64 = 64;
const FUNCTION: u64 = 16;
const PASSES: i64 = 3;

/// A function that adds `number` to x12, by way of one that all use.
fn function(number: u64) -> [u32; 4] {
    let go = |rd, rs1| op("jalr", rd, rs1, 0, 0);
    [op("addi", 11, 0, 0, number as i64), go(2, 24), op("add", 12, 12, 11, 0), go(0, 1)]
}

/// What all use: x11 by way of a register that code asks the interpreter for.
fn common() -> [u32; 5] {
    let swap = |rd, rs1| op("csrrw", rd, rs1, 0, csr::MSCRATCH.into());
    [op("addi", 13, 11, 0, 0), swap(0, 13), op("addi", 11, 0, 0, 0), swap(11, 0), op("jalr", 0, 2, 0, 0)]
}

#[test]
fn blocks_that_are_no_code_are_forgotten_when_there_are_very_many() {
    let mut rng = Rng(0xc01d);
    let (mut straight, mut sums) = (vec![], [0u64; 2]);
    for stretch in 0..STRETCHES {
        let number = stretch * FUNCTIONS / STRETCHES;
        straight.push(op("jalr", 1, 20, 0, (FUNCTION * number) as i64 - 0x200));
        sums[1] += number;
        for _ in 1..LENGTH {
            let imm = rng.below(0x800);
            straight.push(op("addi", 10, 10, 0, imm as i64));
            sums[0] += imm;
        }
    }
    let functions = CODE + 4 * (straight.len() as u64 + 64);
    let shared = functions + FUNCTION * FUNCTIONS;
    let mut words = [li(20, functions + 0x200), li(21, CODE), li(24, shared)].concat();
    words.push(op("addi", 22, 0, 0, PASSES));
    words.extend([op("jalr", 23, 21, 0, 0), op("addi", 22, 22, 0, -1), op("bne", 0, 22, 0, -8)]);
    straight.push(op("jalr", 0, 23, 0, 0));
    for engine in
        [Engine::Interpreter, Engine::JIT, Engine::Jit { code: 1, after: 16, check: false }, engine()]
    {
        let machine = Machine::run_by(engine, 16 << 20, model("max"));
        machine.put(CODE, &straight);
        machine.put(shared, &common());
        for number in 0..FUNCTIONS {
            machine.put(functions + FUNCTION * number, &function(number));
        }
        let found = [machine.outcome(&words), machine.x(12)];
        assert_eq!(found, sums.map(|sum| PASSES as u64 * sum), "{engine:?}");
        if let Some(code) = machine.harts.with(0, |hart| hart.code()).unwrap() {
            assert_eq!(code.cleared, 0, "{code:?}");
            assert!(code.blocks as u64 >= FUNCTIONS || code.evicted > 0, "{code:?}");
        }
    }
}
