//! What RV32 has of its own besides its rows, against QEMU: CSRs of 32 bits and their high halves, and walks of Sv32.
//!
//! Differences on purpose:
//! - A table where nothing is gives a page fault in QEMU, an access fault by the specification.
//! - QEMU 7.2 cuts the physical address of a superpage off at 32 bits and leaves `B` out of `misa`; it knows no
//!   `medelegh`, and no Sstc and no Svadu by default.
//! - QEMU 11 shows the host's ticks in `mcycleh` and `minstreth`, whatever was written.

#![forbid(unsafe_code)]

mod common;

use common::{
    RAM, Rng,
    battery::{Battery, Case, FREE, MACHINE, Outcome},
    full, model, op_at,
    peer::{Qemu, qemus},
    recorder::Shape,
};
use hartwright_isa::csr::*;

fn op(mnemonic: &str, rd: u32, rs1: u32, rs2: u32, imm: i64) -> u32 {
    op_at(32, mnemonic, rd, rs1, rs2, imm)
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn case(rng: &mut Rng, name: String, pc: u64) -> Case {
    Case {
        name,
        pc,
        x: std::array::from_fn(|_| (rng.next() as u32).into()),
        f: [0; 32],
        fcsr: 0,
        mstatus: MACHINE,
        satp: 0,
        watch: FREE,
    }
}

/// The program that both run: the general 32-bit model, and without the hypervisor's bits.
fn compare(
    battery: &mut Battery,
    qemu: &Qemu,
    excused: impl Fn(&Case, &Outcome, &Outcome) -> bool,
) -> [Vec<u8>; 2] {
    let ours = battery.run_here(model("rv32"));
    // The newer one shows B in `misa` if it is asked for by name, not if all its parts are there.
    let theirs = qemu.run(battery.image(), if qemu.version < 8 { "rv32,h=off" } else { "rv32,h=off,b=on" });
    let lines = battery.lines(&ours, &theirs, excused);
    lines.iter().take(40).for_each(|line| eprintln!("{line}"));
    let count = battery.cases.len();
    assert!(lines.is_empty(), "{} of {count} cases differ from QEMU {}", lines.len(), qemu.version);
    [ours, theirs]
}

/// Registers, the first QEMU that has them so, and the bits to write.
const REGISTERS: &[(u16, u32, u32)] = &[
    (MSTATUS, 7, 0x007e_79aa & !(3 << 11)),
    (MSTATUSH, 7, 0),
    (SSTATUS, 7, 0x000c_6122),
    (MISA, 8, 0),
    (MEDELEG, 7, 0xb3ff),
    (MEDELEGH, 8, u32::MAX),
    (MIDELEG, 7, 0x222),
    (MIE, 7, 0xaaa),
    (SIE, 7, 0xaaa),
    (MTVEC, 7, !2),
    (STVEC, 7, !2),
    (MCOUNTEREN, 8, u32::MAX),
    (SCOUNTEREN, 8, u32::MAX),
    (MENVCFG, 8, 0xc1),
    (MENVCFGH, 8, 0xa000_0000),
    (SENVCFG, 8, 0xc1),
    (MSCRATCH, 7, 0),
    (SSCRATCH, 7, u32::MAX),
    (MEPC, 7, !1),
    (SEPC, 8, !1),
    (MCAUSE, 7, u32::MAX),
    (SCAUSE, 7, u32::MAX),
    (MTVAL, 8, u32::MAX),
    (STVAL, 7, u32::MAX),
    (SATP, 7, u32::MAX),
    // The recorder's own is the first entry; none is locked, and `W` without `R` is reserved.
    (PMPCFG0, 7, 0x1d1d_1d00),
    (PMPCFG0 + 1, 7, 0x1d1d_1d1d),
    (PMPCFG0 + 2, 7, 0x1d1d_1d1d),
    (PMPCFG0 + 3, 7, 0x1d1d_1d1d),
    (PMPADDR0 + 1, 7, u32::MAX),
    (PMPADDR0 + 15, 7, u32::MAX),
    (MVENDORID, 7, 0),
    (MHARTID, 7, 0),
    // There is none such.
    (0x5c0, 7, u32::MAX),
    (0xb81, 7, u32::MAX),
    (0x9ff, 7, 0),
];

/// Counters' halves, which are written and read at once, since the high one of what counts up stays; and the QEMUs that
/// keep them: the first and the last.
/// And the timer's, which QEMU has due at first.
const COUNTERS: &[(u16, [u32; 2])] =
    &[(MCYCLEH, [7, 7]), (MINSTRETH, [7, 7]), (STIMECMP, [8, 99]), (STIMECMPH, [8, 99])];

#[test]
fn csrs_hold_what_they_hold_in_qemu() {
    let rounds = if full() { 300 } else { 30 };
    for qemu in qemus(32) {
        let mut rng = Rng(91 + u64::from(qemu.version));
        let mut battery = Battery::new(&mut rng, Shape::RV32);
        let ebreak = op("ebreak", 0, 0, 0, 0);
        for (csr, _, mask) in REGISTERS.iter().filter(|row| row.1 <= qemu.version) {
            let at = i64::from(*csr);
            // The old value, the new one, and the old one again.
            let [write, read, again] =
                [op("csrrw", 5, 6, 0, at), op("csrrs", 7, 0, 0, at), op("csrrw", 0, 5, 0, at)];
            let set = [op("csrrs", 5, 6, 0, at), read, again];
            let clear = [op("csrrc", 5, 6, 0, at), read, again];
            let writable = csr >> 10 != 3 && *mask != 0;
            let programs = if writable { vec![[write, read, again], set, clear] } else { vec![[read; 3]] };
            for words in programs {
                let pc = battery.code(&bytes(&[&words[..], &[ebreak]].concat()));
                for _ in 0..rounds {
                    let mut case = case(&mut rng, format!("{:#x} {:?}", csr, name(*csr)), pc);
                    case.x[6] = (rng.integer() as u32 & mask).into();
                    battery.cases.push(case);
                }
            }
        }
        for (csr, _) in COUNTERS.iter().filter(|row| (row.1[0]..=row.1[1]).contains(&qemu.version)) {
            let at = i64::from(*csr);
            let pc = battery.code(&bytes(&[op("csrrw", 0, 6, 0, at), op("csrrs", 7, 0, 0, at), ebreak]));
            (0..rounds).for_each(|_| battery.cases.push(case(&mut rng, format!("{:?}", name(*csr)), pc)));
        }
        compare(&mut battery, &qemu, |_, _, _| false);
        eprintln!("{} accesses agree with QEMU {}", battery.cases.len(), qemu.version);
    }
}

const PAGE: u64 = 0x1000;
/// A superpage's worth of pages that addresses end in: each of the first holds its number and a call back.
const TARGETS: u64 = FREE;
const TARGET_PAGES: u64 = 64;
/// Where the tables of the cases begin, beyond what a superpage of targets leads to.
const TABLES: u64 = FREE + 0x40_0000;
const TABLES_PER_CASE: u64 = 3;
const LEAF: u32 = 0xcf;

/// A random entry at a level of a walk.
fn entry(rng: &mut Rng, tables: u64, level: u32, newer: bool) -> u32 {
    let flags =
        if rng.one_in(6) { rng.next() & 0x3ff } else { u64::from(LEAF) & !(rng.next() & rng.next() & 0xce) };
    let flags = flags as u32 | if rng.one_in(2) { 0x10 } else { 0 };
    if level == 1 && !rng.one_in(4) {
        let table = tables + PAGE * (1 + rng.below(TABLES_PER_CASE - 1));
        let odd = if rng.one_in(20) { rng.next() as u32 & 0xf0 } else { 0 };
        return (table >> 2) as u32 | 1 | odd;
    }
    let target = match (level, rng.below(12)) {
        // Nothing is there, on any machine; addresses have 34 bits.
        (_, 0) => {
            if newer {
                0x2_0000_0000
            } else {
                0x800_0000
            }
        }
        (0, _) => TARGETS + PAGE * rng.below(TARGET_PAGES),
        _ => TARGETS,
    };
    let target = if rng.one_in(16) { target | PAGE << rng.below(10) } else { target };
    (target >> 2) as u32 | flags
}

/// Fills one case's tables; gives an address that goes through them.
fn fill(battery: &mut Battery, rng: &mut Rng, tables: u64, newer: bool) -> u64 {
    // Not where the code itself is: what QEMU 7.2 fetched there, it may load there too.
    let top = rng.pick(&[0, 1, 511, 513, 1023]);
    let low = if rng.one_in(2) { rng.below(TARGET_PAGES) } else { rng.pick(&[255, 256, 511]) };
    for table in 0..TABLES_PER_CASE {
        for index in [top, low] {
            let level = u32::from((table == 0) != rng.one_in(10));
            let value = entry(rng, tables, level, newer);
            battery.set_bytes(tables + PAGE * table + 4 * index, &value.to_le_bytes());
        }
    }
    top << 22 | low << 12 | 8 * rng.below(PAGE / 8)
}

fn walks(rng: &mut Rng, count: u64, newer: bool) -> Battery {
    let mut battery = Battery::new(rng, Shape::RV32);
    for page in 0..TARGET_PAGES {
        let words = bytes(&[op("addi", 5, 0, 0, page as i64), op("ecall", 0, 0, 0, 0)]);
        (0..PAGE / 8).for_each(|i| battery.set_bytes(TARGETS + page * PAGE + 8 * i, &words));
    }
    let ebreak = op("ebreak", 0, 0, 0, 0);
    let accesses = [op("lw", 5, 7, 0, 0), op("sw", 0, 7, 8, 0), op("fld", 5, 7, 0, 0), op("lbu", 5, 7, 0, 3)];
    let code = accesses.map(|word| battery.code(&bytes(&[op("csrrs", 0, 6, 0, 0x300), word, ebreak])));
    for i in 0..count {
        let tables = TABLES + i * TABLES_PER_CASE * PAGE;
        let va = fill(&mut battery, rng, tables, newer);
        let (user, status) = (rng.one_in(2), rng.next() & 3 << 18);
        let mpp = u64::from(!user) << 11;
        let mut case = case(rng, format!("{va:#x}, tables at {tables:#x}"), va);
        case.x[7] = va.into();
        case.x[8] = op("addi", 5, 0, 0, 0).into();
        case.satp = 1 << 31 | tables >> 12;
        if rng.one_in(3) {
            case.name += " fetched";
            case.mstatus = 3 << 13 | status | mpp;
        } else {
            // `mret` would leave MPP at U and clear MPRV, so the case sets both: from a register.
            case.pc = rng.pick(&code);
            case.x[6] = u128::from(1 << 17 | mpp);
            case.mstatus = MACHINE & !(3 << 11) | status | 3 << 11;
        }
        case.name += &format!("{}, mstatus {:#x}", if user { " for U" } else { " for S" }, case.mstatus);
        battery.cases.push(case);
    }
    battery
}

#[test]
fn random_walks_of_sv32_end_as_in_qemu() {
    let count = if full() { 2_000 } else { 1_000 };
    for qemu in qemus(32) {
        let mut battery = walks(&mut Rng(95 + u64::from(qemu.version)), count, qemu.version >= 8);
        let no_table = |_: &Case, ours: &Outcome, theirs: &Outcome| {
            [(1, 12), (5, 13), (7, 15)].contains(&(ours.mcause, theirs.mcause))
        };
        let [ours, theirs] = compare(&mut battery, &qemu, no_table);
        let tables = |memory: &[u8]| {
            let from = (TABLES - RAM) as usize;
            memory[from..][..(count * TABLES_PER_CASE * PAGE) as usize].to_vec()
        };
        let (mine, others) = (tables(&ours), tables(&theirs));
        let differs = (0..mine.len()).find(|at| mine[*at] != others[*at]);
        assert_eq!(differs.map(|at| TABLES + at as u64), None, "an entry");
        let mut ends = [0; 16];
        (0..battery.cases.len()).for_each(|i| ends[battery.outcome(&ours, i).mcause as usize & 15] += 1);
        eprintln!("{count} walks agree with QEMU {}; ends by mcause: {ends:?}", qemu.version);
    }
}
