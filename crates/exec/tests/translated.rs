//! The translator against the interpreter: random programs of many blocks, and code that changes under them.
#![forbid(unsafe_code)]

mod common;

use common::{CHECKED, FINISHER, Machine, PATIENCE, RAM, Rng, TRANSLATOR, full, li, model, op};
use hartwright_exec::{Breakpoints, Engine, Event, Reason};
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
        // Some code, and none of the longest blocks.
        let tiny = Engine::Jit { code: 1, after: rng.below(3) as u32, check: false };
        for engine in [TRANSLATOR, some, tiny, CHECKED] {
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
    let machine = Machine::run_by(Engine::Jit { code: 1, after: 0, check: false }, 1 << 20, model("max"));
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
    let code = machine.harts.with(0, |hart| hart.code()).unwrap().expect("this host has a translator");
    assert!(code.evicted > 50, "{code:?}");
}

#[test]
fn code_that_jumps_to_another_page_sees_that_change() {
    const FUNCTION: u64 = RAM + 0x2000;
    const ROUNDS: i64 = 100;
    const TURNS: i64 = 20;
    // What is called, by a jump and by a branch, adds 1 or 5, as was last written there.
    let adds = [1, 5].map(|n| op("addi", 10, 10, 0, n));
    let mut words = [li(8, FUNCTION), li(12, adds[0].into()), li(13, adds[1].into())].concat();
    words.extend([op("addi", 10, 0, 0, 0), op("addi", 9, 0, 0, ROUNDS)]);
    let here = |words: &Vec<u32>| RAM + 4 * words.len() as u64;
    let round = here(&words);
    words.push(op("addi", 14, 0, 0, TURNS));
    let turn = here(&words);
    words.push(op("jal", 1, 0, 0, FUNCTION as i64 - turn as i64));
    words.push(op("addi", 14, 14, 0, -1));
    words.push(op("bne", 0, 14, 0, turn as i64 - here(&words) as i64));
    words.extend([op("sw", 0, 8, 13, 0), op("fence.i", 0, 0, 0, 0)]);
    // The other one is next, by the same jump.
    words.extend([op("addi", 15, 12, 0, 0), op("addi", 12, 13, 0, 0), op("addi", 13, 15, 0, 0)]);
    words.push(op("addi", 9, 9, 0, -1));
    words.push(op("bne", 0, 9, 0, round as i64 - here(&words) as i64));
    for engine in [Engine::Interpreter, TRANSLATOR, CHECKED] {
        let machine = Machine::run_by(engine, 1 << 20, model("max"));
        machine.put(FUNCTION, &[adds[0], op("jalr", 0, 1, 0, 0)]);
        assert_eq!(machine.outcome(&words), (ROUNDS / 2 * TURNS * (1 + 5)) as u64, "{engine:?}");
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

/// Where a program's last piece begins to end: nobody stops before it for good.
fn end(pieces: &[(u64, Vec<u32>)]) -> u64 {
    let (at, words) = pieces.last().unwrap();
    at + 4 * (words.len() as u64 - 3)
}

/// What a hart that stopped shows: why, how often it ran, its pc, its registers, its counts and status.
type Stop = (Reason, u64, u64, Vec<u64>, Vec<u64>);

fn stop(machine: &Machine, timed: bool) -> Stop {
    let Event::Stopped { reason, .. } = machine.events.recv_timeout(PATIENCE).expect("it stops");
    let numbers =
        [csr::MINSTRET, csr::MCYCLE, csr::FCSR, csr::MSTATUS, csr::MSCRATCH, csr::MEPC, csr::MCAUSE]
            .into_iter()
            .chain([csr::MTVAL, csr::TDATA1])
            .chain(timed.then_some(csr::TIME));
    let look = machine.harts.with(0, |hart| {
        let x = (0..32).map(|r| hart.x(r) as u64).chain((0..32).map(|r| hart.f(r)));
        let csrs = numbers.map(|number| hart.csr(number).unwrap_or(!0));
        (hart.instret(), hart.pc(), x.collect::<Vec<_>>(), csrs.collect::<Vec<_>>())
    });
    let (instret, pc, x, csrs) = look.unwrap();
    (reason, instret, pc, x, csrs)
}

/// What a debugger does next.
#[derive(Clone, Debug)]
enum Act {
    Set(Breakpoints),
    /// A trigger of M-mode: `tdata1`'s bits, and where.
    Trigger(u64, u64),
    Step(u64),
    Go,
}

/// A session: everywhere that it stops is in the program or its data.
fn session(rng: &mut Rng, pieces: &[(u64, Vec<u32>)]) -> Vec<Act> {
    let code = |rng: &mut Rng| {
        let (at, words) = &pieces[rng.below(pieces.len() as u64) as usize];
        at + 4 * rng.below(words.len() as u64)
    };
    let data = |rng: &mut Rng| DATA + rng.below(0x580);
    let act = |rng: &mut Rng, number: u64| match if number == 0 { 0 } else { rng.below(12) } {
        0..3 => {
            let mut set = Breakpoints { code: vec![end(pieces)], data: vec![] };
            set.code.extend((0..rng.below(4)).map(|_| code(rng)));
            for _ in 0..rng.below(3) {
                let len = rng.pick(&[1, 4, 8, 64, 64, 0x3000]);
                // Some are in a page that is never touched, and some begin before the one that is.
                let at = if len > 64 { DATA - 0x1800 } else { data(rng) + rng.pick(&[0, 0, 0, 0x4000]) };
                let kinds = rng.pick(&[(true, false), (false, true), (true, true)]);
                set.data.push((at, len, kinds.0, kinds.1));
            }
            Act::Set(set)
        }
        3 => match rng.below(3) {
            0 => Act::Trigger(4, code(rng)),
            kind => Act::Trigger(kind, data(rng)),
        },
        4..6 => Act::Step(1 + rng.below(20)),
        _ => Act::Go,
    };
    (0..if full() { 200 } else { 50 }).map(|number| act(rng, number)).collect()
}

/// What a debugger sees of a program, and what that leaves in memory; and whether there was code while it stood.
fn debugged(machine: &Machine, pieces: &[(u64, Vec<u32>)], acts: &[Act], timed: bool) -> (Vec<Stop>, bool) {
    let end = end(pieces);
    let mut stops: Vec<Stop> = vec![];
    let mut breakpoints = Breakpoints { code: vec![end], data: vec![] };
    let mut translated = false;
    machine.harts.set_breakpoints(&breakpoints);
    let go = |stops: &mut Vec<Stop>, breakpoints: &Breakpoints| {
        let here = machine.harts.with(0, |hart| hart.pc()).unwrap();
        if breakpoints.code.contains(&here) {
            machine.harts.step(0);
            stops.push(stop(machine, timed));
            if stops.last().unwrap().0 != Reason::Step {
                return;
            }
        }
        machine.harts.resume();
        stops.push(stop(machine, timed));
    };
    for act in acts {
        if stops.last().is_some_and(|(.., pc, _, _)| *pc == end) {
            break;
        }
        match act.clone() {
            Act::Set(set) => {
                breakpoints = set;
                machine.harts.set_breakpoints(&breakpoints);
            }
            Act::Trigger(kind, at) => {
                machine.harts.with(0, move |hart| {
                    for (number, value) in [(csr::TDATA2, at), (csr::TDATA1, 6 << 60 | 1 << 6 | kind)] {
                        assert!(hart.set_csr(number, value));
                    }
                });
            }
            Act::Step(count) => {
                for _ in 0..count {
                    machine.harts.step(0);
                    stops.push(stop(machine, timed));
                }
            }
            Act::Go => go(&mut stops, &breakpoints),
        }
        translated |= machine.harts.with(0, |hart| hart.code()).unwrap().is_some_and(|code| code.blocks > 0);
    }
    breakpoints = Breakpoints { code: vec![end], data: vec![] };
    machine.harts.set_breakpoints(&breakpoints);
    while stops.last().is_none_or(|(.., pc, _, _)| *pc != end) {
        go(&mut stops, &breakpoints);
    }
    (stops, translated)
}

#[test]
fn random_programs_stop_where_they_stop_in_the_interpreter() {
    /// Where triggers' exceptions go: the trigger is taken away, and its instruction done again.
    const HANDLER: u64 = RAM + 0x7000;
    let mut rng = Rng(31);
    let (mut stopped, mut with_code) = ([0; 3], 0);
    let programs = if full() { 1_000 } else { 60 };
    for number in 0..programs {
        let (pieces, data) = (program(&mut rng), data(&mut rng));
        let acts = session(&mut rng, &pieces);
        for counted in [false, true] {
            let run = |engine| {
                let machine = Machine::debugged(engine, counted);
                machine.space.write_bytes(DATA, &data).unwrap();
                pieces.iter().for_each(|(at, words)| machine.put(*at, words));
                machine.put(HANDLER, &[op("csrrw", 0, 0, 0, csr::TDATA1.into()), op("mret", 0, 0, 0, 0)]);
                machine.harts.with(0, |hart| assert!(hart.set_csr(csr::MTVEC, HANDLER)));
                let (stops, translated) = debugged(&machine, &pieces, &acts, counted);
                let mut memory = vec![0; DATA_SIZE];
                machine.space.read_bytes(DATA, &mut memory).unwrap();
                (stops, memory, translated)
            };
            let (expect, memory, _) = run(Engine::Interpreter);
            for (reason, ..) in &expect {
                let kind = match reason {
                    Reason::Breakpoint => 0,
                    Reason::Watch(_) => 1,
                    _ => 2,
                };
                stopped[kind] += 1;
            }
            for engine in [TRANSLATOR, Engine::Jit { code: 1 << 20, after: 3, check: false }, CHECKED] {
                let (found, left, translated) = run(engine);
                with_code += u32::from(translated);
                let differ = found.iter().zip(&expect).position(|(found, expect)| found != expect);
                if let Some(i) = differ {
                    let ((.., xs, csrs), (.., xs_here, csrs_here)) = (&found[i], &expect[i]);
                    let registers: Vec<_> = (0..xs.len() + csrs.len())
                        .map(|i| (i, xs.iter().chain(csrs).nth(i), xs_here.iter().chain(csrs_here).nth(i)))
                        .filter(|(_, found, expect)| found != expect)
                        .collect();
                    panic!(
                        "program {number}, counted {counted}, {engine:?}: stop {i} is {:x?}, not {:x?}; registers, \
                         found and expected: {registers:x?}; the stop before: {:x?}\n{acts:x?}",
                        (found[i].0, found[i].1, found[i].2),
                        (expect[i].0, expect[i].1, expect[i].2),
                        i.checked_sub(1).map(|i| (expect[i].0, expect[i].1, expect[i].2)),
                    );
                }
                assert_eq!(found.len(), expect.len());
                assert!(left == memory, "program {number}, {engine:?}: memory differs");
            }
        }
    }
    eprintln!(
        "{stopped:?} stops at breakpoints, watched addresses and after steps; {with_code} sessions with code"
    );
    assert!(stopped.iter().all(|count| *count > programs) && with_code > 4 * programs);
}

#[test]
fn what_is_watched_from_now_on_is_watched_in_code_that_runs_already() {
    const NEXT: u64 = CODE + 0x1000;
    const HANDLER: u64 = RAM + 0x7000;
    let machine = Machine::debugged(TRANSLATOR, false);
    // Two pages that jump to each other, each with a loop of its own, in M-mode and without any rules of memory.
    let mut begin = li(8, DATA);
    begin.extend(li(31, CODE));
    begin.push(op("jalr", 0, 31, 0, 0));
    machine.put(RAM, &begin);
    let counts = |own: u32, memory: u32, to: u64, from: u64| {
        let back = from + 16;
        [
            op("addi", own, own, 0, 1),
            memory,
            op("addi", 7, 0, 0, 3),
            op("addi", 0, 0, 0, 0),
            op("addi", 7, 7, 0, -1),
            op("bne", 0, 7, 0, back as i64 - (from as i64 + 20)),
            op("jal", 0, 0, 0, to as i64 - (from as i64 + 24)),
        ]
    };
    machine.put(CODE, &counts(5, op("sd", 0, 8, 5, 0), NEXT, CODE));
    machine.put(NEXT, &counts(6, op("ld", 10, 8, 0, 8), CODE, NEXT));
    machine.put(HANDLER, &[op("jal", 0, 0, 0, 0)]);
    machine.harts.with(0, |hart| assert!(hart.set_csr(csr::MTVEC, HANDLER)));
    let mut rng = Rng(5);
    // Each with what stops, which register counts until then, and where.
    let trigger = |kind: u64| Err(6 << 60 | 1 << 6 | kind);
    let cases = [
        (Ok((vec![], vec![(DATA, 8, false, true)])), Reason::Watch(DATA), 5, CODE + 8),
        (Ok((vec![], vec![(DATA + 8, 4, true, false)])), Reason::Watch(DATA + 8), 6, NEXT + 8),
        (Ok((vec![NEXT], vec![])), Reason::Breakpoint, 5, NEXT),
        (Ok((vec![CODE + 16], vec![])), Reason::Breakpoint, 5, CODE + 16),
        (trigger(4), Reason::Breakpoint, 6, HANDLER),
        (trigger(2), Reason::Breakpoint, 5, HANDLER),
        (trigger(1), Reason::Breakpoint, 6, HANDLER),
    ];
    for _ in 0..if full() { 2_000 } else { 100 } {
        machine.harts.set_breakpoints(&Breakpoints { code: vec![HANDLER], data: vec![] });
        machine.harts.resume();
        thread::sleep(std::time::Duration::from_micros(rng.below(2_000)));
        let (what, reason, counter, at) = rng.pick(&[0, 1, 2, 3, 4, 5, 6].map(|i: usize| &cases[i])).clone();
        let shows = what.clone();
        let counted = machine.harts.with(0, move |hart| {
            match what {
                Ok((code, data)) => hart.set_breakpoints(&Breakpoints { code, data }),
                Err(bits) => {
                    let at = [DATA + 8, DATA, NEXT + 4][(bits as u32 & 7).ilog2() as usize];
                    assert!(hart.set_csr(csr::TDATA2, at) && hart.set_csr(csr::TDATA1, bits));
                }
            }
            hart.x(counter)
        });
        let Event::Stopped { reason: why, .. } = machine.events.recv_timeout(PATIENCE).expect("it stops");
        let (now, pc) = machine.harts.with(0, move |hart| (hart.x(counter), hart.pc())).unwrap();
        assert_eq!((why, pc), (reason, at), "{shows:?}");
        assert!(now - counted.unwrap() <= 1, "{shows:?}: {now} after {counted:?}");
        machine.harts.with(0, |hart| {
            assert!(hart.set_csr(csr::TDATA1, 0));
            hart.set_pc(CODE);
        });
    }
}
