//! Random page tables, walked here and by QEMU: loads, stores and fetches, in S and U, by `mret` and by `MPRV`.
//!
//! Each case has tables of its own, so that afterwards the accessed and dirty bits of all can be compared too.
//! QEMU 7.2 knows no Svnapot and no Svpbmt by default, and rounds the address of a misaligned access down; it gets none
//! of these. Either QEMU begins an atomic operation as a load, which it is not (unprivileged spec, A): none here.
//! A table where nothing is gives a page fault in QEMU, an access fault by the specification.

#![forbid(unsafe_code)]

mod common;

use common::{
    RAM, Rng,
    battery::{Battery, Case, FREE, MACHINE, Outcome, SIZE},
    full, model, op,
    peer::{Qemu, qemus},
    recorder::Shape,
};

const PAGE: u64 = 0x1000;
/// Pages that addresses end in: each holds its number and a call back.
const TARGETS: u64 = FREE;
const TARGET_PAGES: u64 = 64;
/// Where the tables of the cases begin.
const TABLES: u64 = FREE + 0x20_0000;
const TABLES_PER_CASE: u64 = 4;
const LEAF: u64 = 0xcf;

/// A random entry at a level of a walk; at its `top`, where no other level meets it, it may map all of RAM.
fn entry(rng: &mut Rng, tables: u64, level: u64, top: bool, newer: bool) -> u64 {
    let flags = if rng.one_in(6) { rng.next() & 0x3ff } else { LEAF & !(rng.next() & rng.next() & 0xce) };
    let flags = flags | if rng.one_in(2) { 0x10 } else { 0 };
    let high = match rng.below(30) {
        0 => 1 << (54 + rng.below(7)),
        1 if newer => rng.below(4) << 61,
        2 if newer => 1 << 63,
        _ => 0,
    };
    if level > 0 && !rng.one_in(if level > 2 { 40 } else { 5 }) {
        let table = tables + PAGE * (1 + rng.below(TABLES_PER_CASE - 1));
        let odd = if rng.one_in(20) { rng.next() & 0xf0 } else { 0 };
        return table >> 2 | 1 | odd;
    }
    let target = match level {
        0 => TARGETS + PAGE * rng.below(TARGET_PAGES),
        // All of RAM is in these, if they are aligned.
        1 => TARGETS & !0x1f_ffff,
        2 if top => 0x8000_0000,
        // Nothing is there, on any machine.
        _ => 1 << 55,
    };
    let target = if rng.one_in(16) { target | PAGE << rng.below(9) } else { target };
    let target = if high >> 63 != 0 && !rng.one_in(4) { target & !0xffff | 0x8000 } else { target };
    target >> 2 | flags | high
}

/// Fills one case's tables; gives an address that likely goes through them.
fn fill(battery: &mut Battery, rng: &mut Rng, tables: u64, levels: u64, newer: bool) -> u64 {
    let mut va = 8 * rng.below(PAGE / 8);
    let indices: Vec<u64> = (0..levels)
        .map(|level| match level {
            // A gigapage leads to a target by the index below it.
            1 if rng.one_in(2) => (TARGETS >> 21) & 0x1ff,
            // Nothing leads to the recorder, whose pages are the first in whatever is large.
            1 => rng.pick(&[255, 256, 511]),
            0 if rng.one_in(2) => 32 + rng.below(32),
            0 => rng.pick(&[255, 256, 511]),
            _ => rng.pick(&[0, 1, 255, 256, 511]),
        })
        .collect();
    for (level, index) in indices.iter().enumerate() {
        va |= index << (12 + 9 * level);
    }
    for table in 0..TABLES_PER_CASE {
        for (at, index) in indices.iter().enumerate() {
            // The root is at the top; the others are met at any level.
            let level = if table == 0 { levels - 1 } else { levels.saturating_sub(1 + table) };
            let level = if rng.one_in(6) { at as u64 } else { level };
            let value = entry(rng, tables, level, table == 0, newer);
            battery.set(tables + PAGE * table + 8 * index, value);
        }
    }
    let unused = 64 - 12 - 9 * levels;
    let va = ((va << unused) as i64 >> unused) as u64;
    if rng.one_in(20) { va ^ 1 << (63 - rng.below(unused)) } else { va }
}

fn battery(rng: &mut Rng, shape: Shape, count: u64, newer: bool) -> Battery {
    let mut battery = Battery::new(rng, shape);
    for page in 0..TARGET_PAGES {
        // Executed, it tells which page it is; loaded, too.
        let words = u64::from(op("addi", 5, 0, 0, page as i64)) | u64::from(op("ecall", 0, 0, 0, 0)) << 32;
        (0..PAGE / 8).for_each(|i| battery.set(TARGETS + page * PAGE + 8 * i, words));
    }
    let ebreak = op("ebreak", 0, 0, 0, 0);
    let by_mprv = |word: u32| -> Vec<u8> {
        [op("csrrs", 0, 6, 0, 0x300), word, ebreak].iter().flat_map(|word| word.to_le_bytes()).collect()
    };
    let accesses = [op("ld", 5, 7, 0, 0), op("sd", 0, 7, 8, 0), op("lw", 5, 7, 0, 6)];
    let code = accesses.map(|word| battery.code(&by_mprv(word)));
    for i in 0..count {
        let tables = TABLES + i * TABLES_PER_CASE * PAGE;
        let levels = 3 + rng.below(3);
        let va = fill(&mut battery, rng, tables, levels, newer);
        let user = rng.one_in(2);
        let status = rng.next() & 3 << 18;
        let mut x: [u128; 32] = std::array::from_fn(|_| rng.next().into());
        x[7] = va.into();
        // What a store leaves where a target is, is what was there.
        x[8] = u128::from(op("addi", 5, 0, 0, 0)) | u128::from(op("ecall", 0, 0, 0, 0)) << 32;
        x[6] = 1 << 17;
        let mut case = Case {
            name: format!("Sv{} {va:#x}", 12 + 9 * levels),
            pc: va,
            x,
            f: [0; 32],
            fcsr: 0,
            mstatus: MACHINE,
            satp: (levels + 5) << 60 | tables >> 12,
            watch: TARGETS,
        };
        let mpp = u64::from(!user) << 11;
        if rng.one_in(3) {
            case.name += " fetched";
            case.mstatus = 3 << 13 | status | mpp;
        } else {
            // `mret` would leave MPP at U and clear MPRV, so the case sets both: from a register.
            case.pc = rng.pick(if newer { &code } else { &code[..2] });
            case.x[6] |= u128::from(mpp);
            case.mstatus = MACHINE | status;
            case.name += &format!(" by code {:#x}", case.pc);
        }
        case.name += if user { " for U" } else { " for S" };
        case.name += &format!(", mstatus {:#x}, tables at {tables:#x}", case.mstatus);
        battery.cases.push(case);
    }
    battery
}

fn compare(qemu: &Qemu, shape: Shape, count: u64) {
    // At 128 bits neither has more than QEMU 7.2 has at 64.
    let newer = qemu.version >= 8 && shape.xlen == 64;
    let mut rng = Rng(51 + u64::from(qemu.version));
    let mut battery = battery(&mut rng, shape, count, newer);
    let ours = battery.run_here(model(if shape.xlen == 64 { "max" } else { "x-rv128" }));
    let cpu = match shape.xlen {
        64 if newer => "max,svade=false,zama16b=false,svrsw60t59b=false",
        64 => "rv64",
        _ => "x-rv128",
    };
    let theirs = qemu.run(battery.image(), cpu);
    // A table where nothing is (privileged spec, 10.3.2, step 2).
    let no_table = |_: &Case, ours: &Outcome, theirs: &Outcome| {
        [(1, 12), (5, 13), (7, 15)].contains(&(ours.mcause, theirs.mcause))
    };
    let lines = battery.lines(&ours, &theirs, no_table);
    lines.iter().take(30).for_each(|line| eprintln!("{line}"));
    assert!(lines.is_empty(), "{} of {count} cases differ from QEMU {}", lines.len(), qemu.version);
    let words = |memory: &[u8]| -> Vec<u64> {
        let from = (TABLES - RAM) as usize;
        memory[from..][..(count * TABLES_PER_CASE * PAGE) as usize]
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect()
    };
    let mut faults = [0; 16];
    for i in 0..battery.cases.len() {
        faults[battery.outcome(&ours, i).mcause as usize & 15] += 1;
    }
    let (ours, theirs) = (words(&ours), words(&theirs));
    if let Some(at) = (0..ours.len()).find(|at| ours[*at] != theirs[*at]) {
        let (entry, case) = (TABLES + 8 * at as u64, at as u64 / (512 * TABLES_PER_CASE));
        panic!("the entry at {entry:#x}, of case {case}, is {:#x}, theirs {:#x}", ours[at], theirs[at]);
    }
    eprintln!("{count} walks agree with QEMU {}; ends by mcause: {faults:?}", qemu.version);
}

#[test]
fn random_walks_end_as_in_qemu() {
    // QEMU's device tree is in the last 2 MiB.
    let most = (SIZE - 0x20_0000 - (TABLES - RAM)) / (TABLES_PER_CASE * PAGE);
    for (shape, few) in [(Shape::RV64, 1_500), (Shape::RV128, 500)] {
        for qemu in qemus(shape.xlen) {
            compare(&qemu, shape, if full() { most } else { few });
        }
    }
}
