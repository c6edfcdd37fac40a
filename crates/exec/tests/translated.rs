//! The translator against the interpreter: random programs of many blocks, and code that changes under them.
#![forbid(unsafe_code)]

mod common;

use common::{CHECKED, FINISHER, Machine, PATIENCE, RAM, Rng, TRANSLATOR, full, li, model, op};
use hartwright_exec::Engine;
use hartwright_isa::csr;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

/// Where registers are loaded from and what loads and stores play in; `x8` has it.
const DATA: u64 = RAM + 0x8000;
const DATA_SIZE: usize = 0x1000;
/// Where registers, counts and flags are left, from `DATA` on.
const LEFT: i64 = 0x570;
/// Where blocks lie.
const CODE: u64 = RAM + 0x1000;
const BLOCKS: u64 = 12;
/// Bytes from one block to the next: some lie in one page, some do not.
const APART: u64 = 0x3a0;
/// How often each program goes round.
const ROUNDS: i64 = 40;

const INTEGER: &[&str] = &[
    "add",
    "sub",
    "xor",
    "or",
    "and",
    "sll",
    "srl",
    "sra",
    "slt",
    "sltu",
    "addw",
    "subw",
    "sllw",
    "srlw",
    "sraw",
    "mul",
    "mulh",
    "mulhu",
    "mulhsu",
    "mulw",
    "div",
    "divu",
    "rem",
    "remu",
    "divw",
    "remuw",
    "sh1add",
    "sh3add",
    "add.uw",
    "andn",
    "orn",
    "xnor",
    "rol",
    "ror",
    "rolw",
    "min",
    "maxu",
    "czero.eqz",
    "czero.nez",
    "bext",
    "bset",
];
const IMMEDIATE: &[&str] = &["addi", "xori", "ori", "andi", "slti", "sltiu", "addiw"];
const UNARY: &[&str] = &["clz", "ctzw", "cpop", "sext.b", "sext.h", "zext.h", "rev8", "orc.b"];
const LOADS: &[(&str, i64)] =
    &[("lb", 1), ("lbu", 1), ("lh", 2), ("lhu", 2), ("lw", 4), ("lwu", 4), ("ld", 8)];
const STORES: &[(&str, i64)] = &[("sb", 1), ("sh", 2), ("sw", 4), ("sd", 8)];
const ROUNDED: &[&str] = &["fadd.d", "fsub.d", "fmul.d", "fdiv.d", "fadd.s", "fmul.s", "fsub.s", "fdiv.s"];
const FUSED: &[&str] = &["fmadd.d", "fmsub.d", "fnmadd.s", "fnmsub.s"];
const FLOAT: &[&str] =
    &["fsgnj.d", "fsgnjn.d", "fsgnjx.s", "fmin.d", "fmax.d", "fmin.s", "fmax.s", "fsgnj.s", "fsgnjx.d"];
const TESTS: &[&str] = &["feq.d", "flt.d", "fle.d", "feq.s", "flt.s", "fle.s"];
/// Those that are code where a hart is alone, and those that never are.
const ATOMIC: &[&str] = &[
    "amoadd.w",
    "amoadd.d",
    "amoswap.w",
    "amoswap.d",
    "amoand.w",
    "amoor.d",
    "amoxor.w",
    "amoxor.d",
    "amomin.w",
    "amomaxu.d",
    "sc.w",
    "sc.d",
];
/// Instructions that are done in place.
const CALLED: &[&str] = &["clmul", "clmulh", "pack", "xperm8", "remw", "packh"];
const BRANCHES: &[&str] = &["beq", "bne", "blt", "bge", "bltu", "bgeu"];
/// The `rm` field that means `frm`.
const DYNAMIC: u32 = 7 << 12;

/// Shifts and sums on few registers, as compilers write rotations, extensions and indices.
fn idiom(rng: &mut Rng) -> u32 {
    let one = |rng: &mut Rng| rng.pick(&[10, 11, 18, 19]);
    let [rd, rs1, rs2] = [one(rng), one(rng), one(rng)];
    let amount = |rng: &mut Rng| rng.pick(&[1, 2, 3, 13, 16, 32, 32, 48, 51, 56]);
    match rng.below(6) {
        0..2 => op(rng.pick(&["slli", "srli", "srai"]), rd, rs1, 0, amount(rng)),
        2 => op(rng.pick(&["slliw", "srliw"]), rd, rs1, 0, rng.pick(&[1, 13, 19])),
        3 => op(rng.pick(&["add", "or", "xor", "addw", "subw", "mulw"]), rd, rs1, rs2, 0),
        4 => op(rng.pick(&["addiw", "andi"]), rd, rs1, 0, rng.pick(&[0, 0, 1, 0xff])),
        _ => op(rng.pick(&["lbu", "lhu", "lwu", "lw"]), rd, 8, 0, 8 * rng.below(0x40) as i64),
    }
}

/// One instruction that goes on to the next. x8 and x9 are kept.
fn instruction(rng: &mut Rng) -> u32 {
    let any = |rng: &mut Rng| rng.below(32) as u32;
    let [mut rd, rs1, rs2] = [any(rng), any(rng), any(rng)];
    if matches!(rd, 8 | 9) {
        rd = 10;
    }
    // Accesses are aligned but for a few.
    let offset = |rng: &mut Rng, size: i64| {
        let at = rng.below(0x4f0 / size as u64) as i64 * size;
        if rng.one_in(30) { at + 1 } else { at }
    };
    match rng.below(27) {
        0..8 => op(rng.pick(INTEGER), rd, rs1, rs2, 0),
        8..11 => op(rng.pick(IMMEDIATE), rd, rs1, 0, rng.below(4096) as i64 - 2048),
        11 => op(rng.pick(UNARY), rd, rs1, 0, 0),
        12 => op(rng.pick(&["slli", "srli", "srai", "rori"]), rd, rs1, 0, rng.below(64) as i64),
        13..15 => {
            let (name, size) = rng.pick(LOADS);
            op(name, rd, 8, 0, offset(rng, size))
        }
        15..17 => {
            let (name, size) = rng.pick(STORES);
            op(name, 0, 8, rs2, offset(rng, size))
        }
        17 => op(rng.pick(&["fld", "flw"]), rd, 8, 0, offset(rng, 8)),
        18 => op(rng.pick(&["fsd", "fsw"]), 0, 8, rs2, offset(rng, 8)),
        19 => op(rng.pick(ROUNDED), any(rng), rs1, rs2, 0) | DYNAMIC,
        20 => op(rng.pick(FUSED), any(rng), rs1, rs2, 0) | DYNAMIC | any(rng) << 27,
        21 => op(rng.pick(FLOAT), any(rng), rs1, rs2, 0),
        22 => op(rng.pick(TESTS), rd, rs1, rs2, 0),
        23 => match rng.below(4) {
            0 => op(rng.pick(&["fcvt.d.l", "fcvt.s.w", "fmv.d.x", "fmv.w.x"]), any(rng), rs1, 0, 0),
            1 => op(rng.pick(&["fcvt.w.d", "fcvt.l.s"]), rd, rs1, 0, 0) | 1 << 12,
            2 => op(rng.pick(&["fmv.x.d", "fmv.x.w"]), rd, rs1, 0, 0),
            _ => op(rng.pick(&["fcvt.d.s", "fcvt.s.d"]), any(rng), rs1, 0, 0) | DYNAMIC,
        },
        24 => op(rng.pick(ATOMIC), rd, 8, rs2, 0),
        25 => op(rng.pick(&["lr.w", "lr.d"]), rd, 8, 0, 0),
        _ => match rng.below(3) {
            0 => op(rng.pick(&["csrrw", "csrrs", "csrrc"]), rd, rs1, 0, csr::MSCRATCH.into()),
            1 => op(rng.pick(CALLED), rd, rs1, rs2, 0),
            // Rounding towards zero, whatever `frm` says.
            _ => op(rng.pick(ROUNDED), any(rng), rs1, rs2, 0) | 1 << 12,
        },
    }
}

/// A program: its pieces, each with its address.
fn program(rng: &mut Rng) -> Vec<(u64, Vec<u32>)> {
    let at = |block: u64| CODE + block * APART;
    let mut begin = li(8, DATA);
    // mstatus.FS
    begin.extend([op("lui", 10, 0, 0, 0x6000), op("csrrs", 0, 10, 0, csr::MSTATUS.into())]);
    begin.extend((0..32).map(|f| op("fld", f, 8, 0, 8 * i64::from(f))));
    let frm = rng.below(4) as i64;
    begin.extend([op("addi", 10, 0, 0, frm), op("csrrw", 0, 10, 0, csr::FRM.into())]);
    begin.extend((1..32).filter(|x| *x != 8).map(|x| op("ld", x, 8, 0, 8 * i64::from(x))));
    if rng.one_in(2) {
        // A PMP entry for everything: M-mode's accesses are looked at page by page, too.
        begin.extend([op("addi", 9, 0, 0, -1), op("csrrw", 0, 9, 0, csr::PMPADDR0.into())]);
        begin.extend([op("addi", 9, 0, 0, 0x1f), op("csrrw", 0, 9, 0, csr::PMPCFG0.into())]);
    }
    begin.push(op("addi", 9, 0, 0, ROUNDS));
    let jump = |from: u64, to: u64| op("jal", 0, 0, 0, to as i64 - from as i64);
    begin.push(jump(RAM + 4 * begin.len() as u64, at(0)));
    let mut pieces = vec![(RAM, begin)];
    for block in 0..BLOCKS {
        let mut words: Vec<u32> = vec![];
        let here = |words: &Vec<u32>| at(block) + 4 * words.len() as u64;
        let idioms = rng.one_in(3);
        for _ in 0..1 + rng.below(40) {
            // A branch over an instruction or two, or to another block.
            if rng.one_in(8) {
                let (a, b) = (rng.below(32) as u32, rng.below(32) as u32);
                let later = block + 1 + rng.below(3);
                let to = at(later.min(BLOCKS)) - here(&words);
                let to = if rng.one_in(2) || to >= 0x1000 { 8 } else { to as i64 };
                words.push(op(rng.pick(BRANCHES), 0, a, b, to));
            }
            words.push(if idioms && !rng.one_in(4) { idiom(rng) } else { instruction(rng) });
        }
        words.push(op("addi", 0, 0, 0, 0));
        match rng.below(3) {
            // By a register, which memory has; or by a jump.
            0 => words.extend([op("ld", 1, 8, 0, 0x500 + 8 * (block as i64 + 1)), op("jalr", 1, 1, 0, 0)]),
            _ => words.push(jump(here(&words), at(block + 1))),
        }
        pieces.push((at(block), words));
    }
    let mut end = vec![op("addi", 9, 9, 0, -1), op("beq", 0, 9, 0, 8)];
    end.push(jump(at(BLOCKS) + 8, at(0)));
    let left = |i: i64| LEFT + 8 * i;
    end.extend((1..32).map(|x| op("sd", 0, 8, x, left(x.into()))));
    end.extend((0..32).map(|f| op("fsd", 0, 8, f, left(32 + i64::from(f)))));
    for (i, number) in [csr::FCSR, csr::MINSTRET].into_iter().enumerate() {
        end.extend([op("csrrs", 5, 0, 0, number.into()), op("sd", 0, 8, 5, left(64 + i as i64))]);
    }
    end.extend([op("lui", 31, 0, 0, FINISHER as i64), op("sw", 0, 31, 0, 0), jump(0, 0)]);
    pieces.push((at(BLOCKS), end));
    pieces
}

/// Data for a program: numbers that are hard for somebody, and where its blocks are.
fn data(rng: &mut Rng) -> Vec<u8> {
    let mut words: Vec<u64> =
        (0..DATA_SIZE / 8).map(|_| if rng.one_in(2) { rng.integer() } else { rng.float() }).collect();
    for block in 0..=BLOCKS {
        words[0x500 / 8 + block as usize] = CODE + block * APART;
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn run(engine: Engine, pieces: &[(u64, Vec<u32>)], data: &[u8]) -> Vec<u8> {
    let machine = Machine::run_by(engine, 1 << 20, model("max"));
    machine.space.write_bytes(DATA, data).unwrap();
    pieces.iter().for_each(|(at, words)| machine.put(*at, words));
    machine.run();
    let mut memory = vec![0; DATA_SIZE];
    machine.space.read_bytes(DATA, &mut memory).unwrap();
    memory
}

#[test]
fn random_programs_leave_what_they_leave_in_the_interpreter() {
    let mut rng = Rng(2026);
    let programs = if full() { 5_000 } else { 250 };
    let mut counted = 0;
    for number in 0..programs {
        let (pieces, data) = (program(&mut rng), data(&mut rng));
        let expect = run(Engine::Interpreter, &pieces, &data);
        // Translated from the start, and while it runs.
        let some = Engine::Jit { code: 1 << 20, after: 1 + rng.below(8) as u32, check: false };
        for engine in [TRANSLATOR, some, CHECKED] {
            let found = run(engine, &pieces, &data);
            let word =
                |memory: &[u8], i: usize| u64::from_le_bytes(memory[8 * i..8 * i + 8].try_into().unwrap());
            let differ = (0..DATA_SIZE / 8).find(|i| word(&found, *i) != word(&expect, *i));
            if let Some(i) = differ {
                let (found, expect) = (word(&found, i), word(&expect, i));
                panic!(
                    "program {number}, {engine:?}: word {i:#x} of its data is {found:#x}, not {expect:#x}"
                );
            }
        }
        let at = (LEFT + 8 * 65) as usize;
        counted += u64::from_le_bytes(expect[at..at + 8].try_into().unwrap());
    }
    eprintln!("{counted} instructions by each engine");
}

#[test]
fn code_that_is_full_is_made_anew() {
    let mut rng = Rng(7);
    // Each round writes a page of functions that return their own number, and calls them: more than fits at once.
    let machine =
        Machine::run_by(Engine::Jit { code: 1 << 20, after: 0, check: false }, 1 << 20, model("max"));
    for _ in 0..if full() { 200 } else { 20 } {
        let functions = 0x800 / 8;
        let number = rng.below(2000) as i64;
        let mut words = li(8, RAM + 0x4000);
        words.extend([op("addi", 10, 0, 0, 0), op("addi", 9, 0, 0, functions)]);
        let back = RAM + 4 * words.len() as u64;
        words.extend([op("jalr", 1, 8, 0, 0), op("addi", 8, 8, 0, 8), op("addi", 9, 9, 0, -1)]);
        words.push(op("bne", 0, 9, 0, back as i64 - (RAM as i64 + 4 * words.len() as i64)));
        let function = [op("addi", 10, 10, 0, number), op("jalr", 0, 1, 0, 0)];
        machine.put(RAM + 0x4000, &function.repeat(functions as usize));
        assert_eq!(machine.outcome(&words), (number * functions) as u64);
    }
}

#[test]
fn what_a_device_writes_meanwhile_is_no_difference_and_leaves_no_traces() {
    let machine = Machine::run_by(CHECKED, 1 << 20, model("max"));
    // Looks at eight words in turn, and counts in memory and in a register which had changed.
    let (seen, counted) = (0x40, 0x80);
    let mut words = li(8, DATA);
    words.extend(li(9, if full() { 20_000_000 } else { 1_000_000 }));
    let again = 4 * words.len() as i64;
    words.extend([op("andi", 6, 9, 0, 7), op("sh3add", 6, 6, 8, 0), op("ld", 10, 6, 0, 0)]);
    words.extend([op("ld", 11, 6, 0, seen), op("beq", 0, 10, 11, 24), op("sd", 0, 6, 10, seen)]);
    words.extend([op("ld", 13, 8, 0, counted), op("addi", 13, 13, 0, 1), op("sd", 0, 8, 13, counted)]);
    words.extend([op("addi", 12, 12, 0, 1), op("addi", 9, 9, 0, -1)]);
    words.push(op("bne", 0, 9, 0, again - 4 * words.len() as i64));
    words.extend([op("ld", 13, 8, 0, counted), op("sub", 10, 12, 13, 0)]);
    let over = AtomicBool::new(false);
    let difference = thread::scope(|scope| {
        scope.spawn(|| {
            let (mut rng, begun) = (Rng(3), Instant::now());
            while !over.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
                let at = rng.below(64);
                let bytes = rng.next().to_le_bytes();
                let some = &bytes[..(64 - at).min(1 + rng.below(8)) as usize];
                machine.space.write_bytes(DATA + at, some).unwrap();
                (0..rng.below(2_000)).for_each(|_| std::hint::spin_loop());
            }
        });
        let difference = machine.outcome(&words);
        over.store(true, Ordering::Relaxed);
        difference
    });
    let (counted, compared) = (machine.x(12), machine.harts.with(0, |hart| hart.compared()).unwrap());
    eprintln!("{counted} changes seen, {compared} instructions compared");
    assert_eq!(difference, 0, "counted in a register and in memory");
    assert!(counted > 100 && compared > 100_000);
    assert_eq!(machine.events.try_iter().count(), 0, "the hart stopped");
}
