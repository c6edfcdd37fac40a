//! Blocks that go back to their own beginning, against the interpreter: random loops whose addresses step, are made of
//! indices, cross the end of memory, lie outside from the beginning, or where code is.

#![forbid(unsafe_code)]

mod common;

use common::{CHECKED, FINISHER, Machine, RAM, Rng, TRANSLATOR, full, li, model, op};
use hartwright_exec::Engine;
use hartwright_isa::csr;

const SIZE: u64 = 1 << 20;
/// Where registers are loaded from and left, by `x8`: their values first, then the bases of each loop in each round.
const DATA: u64 = RAM + 0x8000;
const BASES: i64 = 0x200;
const LEFT: i64 = -0x400;
/// Where the handler keeps registers, and what it counts.
const KEPT: u64 = RAM + 0x7000;
const HANDLER: u64 = RAM + 0x6000;
/// Each loop has a page, whose first and last bytes are data.
const CODE: u64 = RAM + 0x1_0000;
const MARGIN: u64 = 0x400;
const LOOPS: u64 = 6;
const ROUNDS: u64 = 8;
/// What loops address by, and what counts their turns.
const POINTERS: [u32; 4] = [10, 14, 17, 29];
const COUNTER: u32 = 30;
/// What has been made of a pointer and an index, and is loaded from now and then.
const MADE: [u32; 2] = [13, 28];
/// Bytes that the host has beside the machine.
const BESIDE: u64 = 4 << 20;
/// Turns of a loop at most.
const TURNS: u64 = 40;

/// A register that a loop may change.
fn any(rng: &mut Rng) -> u32 {
    loop {
        let x = rng.below(32) as u32;
        if !matches!(x, 8 | 9 | COUNTER) && !POINTERS.contains(&x) && !MADE.contains(&x) {
            return x;
        }
    }
}

const LOADS: &[(&str, i64)] =
    &[("lbu", 1), ("lb", 1), ("lhu", 2), ("lw", 4), ("lwu", 4), ("ld", 8), ("fld", 8), ("flw", 4)];
const STORES: &[(&str, i64)] = &[("sb", 1), ("sh", 2), ("sw", 4), ("sd", 8), ("fsd", 8), ("fsw", 4)];

/// An access by `base`.
fn access(rng: &mut Rng, base: u32, store: bool) -> u32 {
    let (name, size) = rng.pick(if store { STORES } else { LOADS });
    let offset = size * (rng.below(9) as i64 - 4) + i64::from(rng.one_in(40));
    let other = any(rng);
    if store { op(name, 0, base, other, offset) } else { op(name, other, base, 0, offset) }
}

/// Makes an address of a pointer and an index, and an access there. Stores are not far from the pointer, lest they hit
/// instructions.
fn indexed(rng: &mut Rng) -> Vec<u32> {
    let store = rng.one_in(3);
    let (pointer, index, address) = (rng.pick(&POINTERS), any(rng).max(1), any(rng).max(1));
    let mut words = vec![match rng.below(if store { 1 } else { 4 }) {
        0 => op("andi", index, any(rng), 0, rng.pick(&[3, 0x1f, 0x7f])),
        1 => op("lbu", index, pointer, 0, rng.below(16) as i64),
        2 => op("zext.h", index, any(rng), 0, 0),
        // No index at all, most often.
        _ => op("addi", index, any(rng), 0, 1),
    }];
    if rng.one_in(2) {
        words.push(op("addi", index, index, 0, rng.below(0x100) as i64));
    }
    words.push(match rng.below(if store { 2 } else { 3 }) {
        0 => op("add", address, pointer, index, 0),
        1 => op("add", address, index, pointer, 0),
        _ => op("sh3add", address, index, pointer, 0),
    });
    if rng.one_in(3) {
        words.push(op("addi", address, address, 0, rng.below(64) as i64 - 32));
    }
    words.push(access(rng, address, store));
    words
}

/// The instructions of a loop, and how far its pointers move in a turn at most.
fn body(rng: &mut Rng) -> (Vec<u32>, u64) {
    const PLAIN: &[&str] =
        &["add", "sub", "xor", "or", "and", "sll", "sltu", "mul", "mulhu", "addw", "subw", "ror"];
    let (mut words, mut far) = (vec![], 0);
    let mut stepped = 0_u32;
    for _ in 0..2 + rng.below(14) {
        match rng.below(14) {
            12 => words.push(op("add", rng.pick(&MADE), rng.pick(&POINTERS), any(rng), 0)),
            13 => {
                let made = rng.pick(&MADE);
                let (pointer, other) = (rng.pick(&POINTERS), rng.pick(&POINTERS));
                words.extend([op("andi", 1, any(rng), 0, 0xff), op("add", made, 1, pointer, 0)]);
                if rng.one_in(2) {
                    // The pointer is another one by then.
                    far = far.max(64);
                    words.push(op("addi", pointer, other, 0, 8));
                    words.extend([access(rng, pointer, false), access(rng, made, false)]);
                }
            }
            0..3 => {
                let pointer = rng.pick(&POINTERS);
                let store = rng.one_in(2);
                words.push(access(rng, pointer, store));
            }
            3 => {
                let made = rng.pick(&MADE);
                words.push(access(rng, made, false));
            }
            4..6 => words.extend(indexed(rng)),
            6..8 => {
                let pointer = rng.pick(&POINTERS);
                if stepped >> pointer & 1 == 0 {
                    stepped |= 1 << pointer;
                    let step = rng.pick(&[1, 4, 8, 8, 16, -8, -4, 256]);
                    far = far.max(i64::unsigned_abs(step));
                    words.push(op("addi", pointer, pointer, 0, step));
                }
            }
            8 => words.push(op("slli", any(rng), any(rng), 0, rng.below(64) as i64)),
            9 => words.push(op("fadd.d", any(rng), any(rng), any(rng), 0)),
            10 => {
                // One of these becomes the other, and what is made of it with it.
                let (to, from) = (rng.pick(&POINTERS), rng.pick(&POINTERS));
                far = far.max(64);
                words.push(op("addi", to, from, 0, 8));
            }
            _ => words.push(op(rng.pick(PLAIN), any(rng), any(rng), any(rng), 0)),
        }
    }
    (words, far)
}

/// A loop's page, from its first instruction on, and how far its pointers move.
fn page(rng: &mut Rng, at: u64, next: u64) -> (Vec<u32>, u64) {
    let (body, far) = body(rng);
    let mut words = body;
    if rng.one_in(2) {
        // Another way out, to what comes after the loop.
        let at = rng.below(words.len() as u64) as usize;
        let to = 4 * (words.len() - at + 3) as i64;
        words.insert(at, op(rng.pick(&["beq", "blt", "bgeu"]), 0, any(rng), any(rng), to));
    }
    words.push(op("addi", COUNTER, COUNTER, 0, -1));
    words.push(op("bne", 0, COUNTER, 0, -4 * words.len() as i64));
    // What comes after the loop, in the same block.
    words.extend([op("add", any(rng), any(rng), any(rng), 0), op("ld", any(rng), 8, 0, 0x40)]);
    let far_away = next as i64 - (at as i64 + 4 * words.len() as i64);
    words.push(op("jal", 0, 0, 0, far_away));
    assert!(4 * (words.len() as u64) < 0x1000 - 2 * MARGIN);
    (words, far)
}

/// What a machine begins with.
struct Program {
    /// Instructions, each piece with its address.
    pieces: Vec<(u64, Vec<u32>)>,
    data: Vec<u64>,
    /// Of the data, addresses that would be so many bytes into what the host has beside the machine, if the host had
    /// the guest's memory in one piece with that.
    host: Vec<(usize, u64)>,
}

fn program(rng: &mut Rng) -> Program {
    let csrw = |number: u16, x| op("csrrw", 0, x, 0, number.into());
    let start = |number: u64| CODE + number * 0x1000 + MARGIN;
    let prelude = |number: u64| CODE + (LOOPS + 1 + number) * 0x1000;
    let mut pieces = vec![];
    let mut data: Vec<u64> =
        (0..64).map(|_| if rng.one_in(2) { rng.integer() } else { rng.float() }).collect();
    for number in 0..LOOPS {
        // Between loops their pointers are loaded, by round: `x8` moves on with each.
        let (words, far) = page(rng, start(number), prelude(number + 1));
        pieces.push((start(number), words));
        let slot = |i: usize| BASES + 8 * (5 * number as i64 + i as i64);
        let mut load: Vec<u32> =
            POINTERS.iter().enumerate().map(|(i, x)| op("ld", *x, 8, 0, slot(i))).collect();
        load.push(op("ld", COUNTER, 8, 0, slot(4)));
        let jump = start(number) as i64 - (prelude(number) as i64 + 4 * load.len() as i64);
        load.push(op("jal", 0, 0, 0, jump));
        pieces.push((prelude(number), load));
        data.push(far);
    }
    let far: Vec<u64> = data.split_off(64);
    let mut host = vec![];
    for _ in 0..ROUNDS {
        for far in &far {
            let reach = TURNS * far;
            for _ in POINTERS {
                if rng.one_in(6) {
                    host.push((data.len(), BESIDE / 2 + rng.below(BESIDE / 4) / 8 * 8));
                }
                let inside = RAM + 0x2_0000 + rng.below(SIZE - 0x4_0000) / 8 * 8;
                data.push(match rng.below(12) {
                    0 => RAM + SIZE - rng.below(0x200) / 8 * 8,
                    1 => rng.pick(&[
                        RAM + SIZE + 0x1000,
                        1 << 36,
                        1 << 63,
                        u64::MAX - 7,
                        RAM + SIZE + (15 << 20),
                    ]),
                    2 => rng.pick(&[0x1000, 0x1ff8, 0x2000, 0x10]),
                    3 if reach <= 0xc0 => start(rng.below(LOOPS)) - MARGIN + 0x80,
                    4 => rng.integer() | 1 << 40,
                    _ => inside,
                });
            }
            data.push(1 + rng.below(TURNS));
        }
    }
    // Registers of a round are those that the last has left, but for the first one's.
    let mut begin = li(8, KEPT);
    begin.push(csrw(csr::MSCRATCH, 8));
    begin.extend(li(8, HANDLER));
    begin.extend([csrw(csr::MTVEC, 8), op("lui", 8, 0, 0, 0x6000)]);
    begin.push(op("csrrs", 0, 8, 0, csr::MSTATUS.into()));
    begin.extend(li(8, DATA));
    begin.extend((0..32).map(|f| op("fld", f, 8, 0, 8 * i64::from(f))));
    begin.extend((1..32).filter(|x| *x != 8).map(|x| op("ld", x, 8, 0, 8 * i64::from(x))));
    begin.push(op("addi", 9, 0, 0, ROUNDS as i64));
    let from = RAM + 4 * begin.len() as u64;
    begin.push(op("jal", 0, 0, 0, prelude(0) as i64 - from as i64));
    pieces.push((RAM, begin));

    let apart = 8 * 5 * LOOPS as i64;
    let mut end = vec![op("addi", 8, 8, 0, apart), op("addi", 9, 9, 0, -1), op("beq", 0, 9, 0, 8)];
    end.push(op("jal", 0, 0, 0, prelude(0) as i64 - (prelude(LOOPS) as i64 + 12)));
    end.extend(li(8, DATA));
    end.extend((1..32).map(|x| op("sd", 0, 8, x, LEFT + 8 * i64::from(x))));
    end.extend((0..32).map(|f| op("fsd", 0, 8, f, LEFT + 0x100 + 8 * i64::from(f))));
    end.extend([op("csrrs", 5, 0, 0, csr::MINSTRET.into()), op("sd", 0, 8, 5, LEFT)]);
    end.extend([op("lui", 31, 0, 0, FINISHER as i64), op("sw", 0, 31, 0, 0), op("jal", 0, 0, 0, 0)]);
    pieces.push((prelude(LOOPS), end));
    pieces.push((HANDLER, handler()));
    Program { pieces, data, host }
}

/// Goes on after the instruction that failed; adds up what is said of each, and counts them.
fn handler() -> Vec<u32> {
    let csrr = |x, number: u16| op("csrrs", x, 0, 0, number.into());
    let swap = op("csrrw", 31, 31, 0, csr::MSCRATCH.into());
    let mut words = vec![swap];
    words.extend((5..8).map(|x| op("sd", 0, 31, x, 8 * i64::from(x))));
    words.extend([
        op("ld", 7, 31, 0, 0),
        op("addi", 7, 7, 0, 1),
        op("sd", 0, 31, 7, 0),
        op("ld", 7, 31, 0, 8),
    ]);
    for number in [csr::MEPC, csr::MCAUSE, csr::MTVAL] {
        words.extend([csrr(5, number), op("add", 7, 7, 5, 0), op("rori", 7, 7, 0, 13)]);
    }
    words.extend([op("sd", 0, 31, 7, 8), csrr(5, csr::MEPC), op("addi", 5, 5, 0, 4)]);
    words.push(op("csrrw", 0, 5, 0, csr::MEPC.into()));
    words.extend((5..8).map(|x| op("ld", x, 31, 0, 8 * i64::from(x))));
    words.extend([swap, 0x3020_0073]);
    words
}

/// All that is in memory afterwards.
fn run(machine: &Machine, pieces: &[(u64, Vec<u32>)], data: &[u64]) -> Vec<u8> {
    let bytes: Vec<u8> = data.iter().flat_map(|word| word.to_le_bytes()).collect();
    machine.space.write_bytes(DATA, &bytes).unwrap();
    pieces.iter().for_each(|(at, words)| machine.put(*at, words));
    machine.run();
    let mut memory = vec![0; SIZE as usize];
    machine.space.read_bytes(RAM, &mut memory).unwrap();
    memory
}

fn machine(engine: Engine) -> Machine {
    Machine::run_by(engine, SIZE, model("max"))
}

/// Whether memory still has these instructions.
fn holds(memory: &[u8], at: u64, words: &[u32]) -> bool {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    memory[(at - RAM) as usize..].starts_with(&bytes)
}

#[test]
fn random_loops_leave_what_they_leave_in_the_interpreter() {
    let mut rng = Rng(20261130);
    let (mut refused, mut counted) = (0, 0);
    let programs = if full() { 1_500 } else { 150 };
    let beside = vec![0xa5_u8; BESIDE as usize];
    for number in 0..programs {
        let Program { pieces, mut data, host } = program(&mut rng);
        let some = Engine::Jit { code: 1 << 20, after: 1 + rng.below(8) as u32, check: false };
        for engine in [CHECKED, TRANSLATOR, some] {
            let translated = machine(engine);
            let from = (beside.as_ptr() as u64).wrapping_sub(translated.space.ram().address() - RAM);
            host.iter().for_each(|(i, at)| data[*i] = from.wrapping_add(*at));
            let expect = run(&machine(Engine::Interpreter), &pieces, &data);
            let whole = pieces.iter().all(|(at, words)| holds(&expect, *at, words));
            assert!(whole, "program {number} writes over itself: nobody says when that is run");
            let found = run(&translated, &pieces, &data);
            if let Some(i) = (0..found.len()).find(|i| found[*i] != expect[*i]) {
                let at = RAM + i as u64;
                panic!("program {number}, {engine:?}: {:#x} at {at:#x}, not {:#x}", found[i], expect[i]);
            }
            assert!(beside.iter().all(|byte| *byte == 0xa5), "program {number}, {engine:?} writes beside");
            let word = |at: u64| {
                let at = (at - RAM) as usize;
                u64::from_le_bytes(expect[at..at + 8].try_into().unwrap())
            };
            refused += word(KEPT);
            counted += word(DATA.wrapping_add_signed(LEFT));
        }
    }
    eprintln!("{counted} instructions, {refused} exceptions");
    assert!(refused > 50 * programs, "{refused}: addresses outside of memory are part of it");
}
