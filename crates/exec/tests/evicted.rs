//! Code that does not all have room: what is cold goes, with whatever leads there, and what is hot stays.
#![forbid(unsafe_code)]

mod common;

use common::{FINISHER, Machine, RAM, Rng, finish, full, li, model, op};
use hartwright_exec::Engine;
use hartwright_isa::csr;
use hartwright_jit::Code;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

const PAGE: u64 = 0x1000;
/// Where blocks lie, so many in each of so many pages.
const CODE: u64 = RAM + PAGE;
const PAGES: u64 = 16;
const IN_PAGE: u64 = 8;
const BLOCKS: u64 = PAGES * IN_PAGE;
const END: u64 = CODE + PAGES * PAGE;
/// Where loads and stores play, and what is left at the end.
const DATA: u64 = RAM + 0x4_0000;
const LEFT: i64 = 0x700;
/// Addresses of blocks, to be jumped to.
const TABLE: u64 = RAM + 0x3_0000;
const TABLE_SIZE: i64 = 256;
/// So many pages from `DATA` on are strode through, so often in one loop.
const STRIDES: u64 = 64;
const LOOPS: i64 = 2047;

/// As little code as there can be.
const TINY: usize = 1;

fn at(block: u64) -> u64 {
    CODE + block / IN_PAGE * PAGE + block % IN_PAGE * (PAGE / IN_PAGE)
}

/// A block that is not any one's: the first are more likely.
fn some_block(rng: &mut Rng, count: u64) -> u64 {
    rng.below(count).min(rng.below(count))
}

/// A block, which goes on to another by what x10 has become, or to the end after so many.
fn block(rng: &mut Rng, number: u64) -> Vec<u32> {
    let mut words: Vec<u32> = vec![];
    let jump = |words: &Vec<u32>, to: u64| {
        op("jal", 0, 0, 0, to.wrapping_sub(at(number) + 4 * words.len() as u64) as i64)
    };
    words.extend([op("addi", 9, 9, 0, -1), op("bne", 0, 9, 0, 8)]);
    words.push(jump(&words, END));
    words.extend([op("mul", 10, 10, 23, 0), op("addi", 10, 10, 0, 2 * rng.below(1000) as i64 + 1)]);
    for _ in 0..rng.below(12) {
        let [rd, rs1, rs2] = [0; 3].map(|_| 11 + rng.below(3) as u32);
        words.push(op(rng.pick(&["add", "xor", "sub", "mul", "sltu", "sh1add"]), rd, rs1, rs2, 0));
        let offset = 8 * rng.below(LEFT as u64 / 8) as i64;
        match rng.below(4) {
            // Where there is no memory, but a device.
            0 => words.push(op("lw", rd, 20, 0, 0)),
            1 => words.push(op("ld", rd, 21, 0, offset)),
            2 => words.push(op("sd", 0, 21, rs1, offset)),
            _ => {}
        }
    }
    if rng.one_in(8) {
        words.push(op("addi", 7, 0, 0, LOOPS));
        words.extend([op("add", 8, 8, 24, 0), op("and", 8, 8, 25, 0), op("add", 6, 8, 21, 0)]);
        words.extend([op("ld", 5, 6, 0, 0), op("add", 11, 11, 5, 0), op("addi", 7, 7, 0, -1)]);
        words.push(op("bne", 0, 7, 0, -24));
    }
    let page = number / IN_PAGE * IN_PAGE;
    let mut near = || page + some_block(rng, IN_PAGE);
    let (a, b) = (near(), near());
    // In the page, in another, or anywhere; each page has a way out.
    let to = at(a).wrapping_sub(at(number) + 4 * (words.len() as u64 + 2)) as i64;
    words.extend([op("srli", 5, 10, 0, 40), op("andi", 6, 5, 0, 1), op("beq", 0, 6, 0, to)]);
    match rng.below(3) {
        0 if number != page => words.push(jump(&words, at(b))),
        1 if number != page => words.push(jump(&words, at(rng.below(BLOCKS)))),
        _ => {
            words.extend([op("andi", 5, 5, 0, 8 * (TABLE_SIZE - 1)), op("add", 5, 5, 22, 0)]);
            words.extend([op("ld", 5, 5, 0, 0), op("jalr", 0, 5, 0, 0)]);
        }
    }
    assert!(4 * words.len() as u64 <= PAGE / IN_PAGE, "blocks do not overlap");
    words
}

/// Blocks that go to each other at random, in S-mode (where loads look for their page) or M-mode (where they need not).
fn walk(rng: &mut Rng, steps: u64, supervisor: bool) -> Vec<(u64, Vec<u32>)> {
    let mut begin = vec![];
    let constants =
        [(9, steps), (10, rng.next()), (20, FINISHER), (21, DATA), (22, TABLE), (23, 0x5851_f42d_4c95_7f2d)];
    constants.into_iter().for_each(|(x, value)| begin.extend(li(x, value)));
    begin.extend([li(24, PAGE), li(25, (STRIDES - 1) * PAGE)].concat());
    if supervisor {
        // All memory is S-mode's.
        begin.extend([op("addi", 5, 0, 0, -1), op("csrrw", 0, 5, 0, csr::PMPADDR0.into())]);
        begin.extend([op("addi", 5, 0, 0, 0x1f), op("csrrw", 0, 5, 0, csr::PMPCFG0.into())]);
        begin.extend([li(5, 1 << 11), vec![op("csrrs", 0, 5, 0, csr::MSTATUS.into())]].concat());
        begin.extend([li(5, at(0)), vec![op("csrrw", 0, 5, 0, csr::MEPC.into())]].concat());
        begin.push(op("mret", 0, 0, 0, 0));
    } else {
        begin.push(op("jal", 0, 0, 0, at(0) as i64 - (RAM as i64 + 4 * begin.len() as i64)));
    }
    let mut end: Vec<u32> = (5..14).map(|x| op("sd", 0, 21, x, LEFT + 8 * i64::from(x))).collect();
    end.extend(finish());
    let mut pieces = vec![(RAM, begin), (END, end)];
    pieces.extend((0..BLOCKS).map(|number| (at(number), block(rng, number))));
    let targets = (0..TABLE_SIZE).flat_map(|_| {
        let to = at(some_block(rng, BLOCKS));
        [to as u32, (to >> 32) as u32]
    });
    pieces.push((TABLE, targets.collect()));
    pieces
}

/// What a program leaves, and what code there was.
fn run(engine: Engine, pieces: &[(u64, Vec<u32>)]) -> (Vec<u8>, Option<Code>) {
    let machine = Machine::run_by(engine, 1 << 20, model("max"));
    let mut rng = Rng(1);
    let data: Vec<u8> = (0..STRIDES * PAGE / 8).flat_map(|_| rng.next().to_le_bytes()).collect();
    machine.space.write_bytes(DATA, &data).unwrap();
    pieces.iter().for_each(|(at, words)| machine.put(*at, words));
    machine.run();
    let mut memory = vec![0; PAGE as usize];
    machine.space.read_bytes(DATA, &mut memory).unwrap();
    (memory, machine.harts.with(0, |hart| hart.code()).unwrap())
}

#[test]
fn what_leads_to_cold_code_goes_with_it() {
    let mut rng = Rng(3);
    let mut evicted = 0;
    for number in 0..if full() { 400 } else { 24 } {
        let pieces = walk(&mut rng, 2_000, number % 2 == 0);
        let (expect, _) = run(Engine::Interpreter, &pieces);
        let after = rng.below(3) as u32;
        for (code, check) in [(TINY, false), (48 << 10, false), (64 << 10, number % 4 > 1)] {
            let engine = Engine::Jit { code, after, check };
            let (found, code) = run(engine, &pieces);
            assert!(found == expect, "walk {number}, {engine:?}: other data");
            let code = code.expect("this host has a translator");
            assert_eq!(code.cleared, 0);
            evicted += code.evicted;
        }
    }
    eprintln!("{evicted} parts were made anew");
    assert!(evicted > 3_000, "{evicted}");
}

#[test]
fn code_of_a_hot_loop_stays_while_cold_code_comes_and_goes() {
    const FUNCTIONS: u64 = 1000;
    // A loop that calls each of many functions once, and goes round by itself between two.
    let mut words = li(8, CODE);
    words.push(op("addi", 9, 0, 0, FUNCTIONS as i64));
    let [outer, inner] = [RAM + 4 * words.len() as u64, RAM + 4 * (words.len() as u64 + 2)];
    words.extend([op("addi", 7, 0, 0, 0x400), op("addi", 8, 8, 0, 64)]);
    words.extend([op("addi", 7, 7, 0, -1), op("bne", 0, 7, 0, -4), op("jalr", 1, 8, 0, -64)]);
    words.extend([op("addi", 9, 9, 0, -1), op("bne", 0, 9, 0, -24), op("addi", 10, 11, 0, 0)]);
    let function = [vec![op("addi", 11, 11, 0, 1); 15], vec![op("jalr", 0, 1, 0, 0)]].concat();
    let machine = Machine::run_by(Engine::Jit { code: TINY, after: 0, check: false }, 1 << 20, model("max"));
    let made = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let map = made.clone();
    machine.trace.set_symbols(|pc| Some(format!("{pc:#x}")));
    machine.trace.set_map(move |line| {
        let name = line.split_whitespace().last().unwrap_or_default().to_owned();
        *map.lock().unwrap().entry(name).or_default() += 1;
    });
    machine.put(CODE, &function.repeat(FUNCTIONS as usize));
    assert_eq!(machine.outcome(&words), 15 * FUNCTIONS);
    let made = made.lock().unwrap();
    let often = |pc: u64| made.get(&format!("{pc:#x}")).copied();
    assert_eq!([outer, inner, outer + 20].map(often), [Some(1); 3], "{made:?}");
    assert_eq!((0..FUNCTIONS).filter(|i| often(CODE + 64 * i) == Some(1)).count() as u64, FUNCTIONS);
    let code = machine.harts.with(0, |hart| hart.code()).unwrap().unwrap();
    assert!(code.evicted > 50 && code.cleared == 0, "{code:?}");
}
