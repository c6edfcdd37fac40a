//! The law: the first fault of an instruction suppresses all its later effects.
//!
//! Every instruction that touches memory is given addresses that fault, in every way there is; afterwards all that
//! differs is `pc`, the privilege mode, and what a trap writes.

#![forbid(unsafe_code)]

mod common;

use common::{Machine, RAM, Rng, full, model, op};
use hartwright_hart::Privilege;
use hartwright_isa::{Decoder, Ext, Insn, cpu::CpuModel, csr, rows};

const V: u64 = 1;
const LEAF: u64 = 0xcf;
const PAGE: u64 = 0x1000;
const ROOT: u64 = RAM + 0x8_0000;
const MIDDLE: u64 = ROOT + PAGE;
const LAST: u64 = ROOT + 2 * PAGE;
/// Where the mapped pages are, virtually: page `i` is [`DATA`]` + i` pages, unless something is wrong with it.
const HERE: u64 = 0x40_0000;
const DATA: u64 = RAM + 0x1_0000;
/// Where instructions are.
const CODE: u64 = RAM + 0x4000;

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Unmapped,
    ReadOnly,
    ExecuteOnly,
    OfTheOtherMode,
    Nowhere,
    Rom,
    Protected,
}

const PAGES: [Wrong; 8] = [
    Wrong::Nothing,
    Wrong::Unmapped,
    Wrong::ReadOnly,
    Wrong::ExecuteOnly,
    Wrong::OfTheOtherMode,
    Wrong::Nowhere,
    Wrong::Rom,
    Wrong::Protected,
];

/// All that an instruction can change.
#[derive(Debug, PartialEq, Eq)]
struct State {
    x: Vec<u128>,
    f: Vec<u64>,
    csrs: Vec<(u16, Option<u64>)>,
    memory: Vec<u8>,
    instret: u64,
}

/// What a trap to M-mode writes.
const TRAPS: [u16; 4] = [csr::MSTATUS, csr::MEPC, csr::MCAUSE, csr::MTVAL];

fn state(machine: &Machine) -> State {
    let mut memory = vec![0; 9 * PAGE as usize];
    machine.space.read_bytes(DATA, &mut memory).unwrap();
    let (x, f, csrs, instret) = machine
        .harts
        .with(0, |hart| {
            let csrs = csr::all().map(|(number, _)| number).filter(|number| !TRAPS.contains(number));
            let csrs = csrs.filter(|number| *number != csr::TIME).map(|number| (number, hart.csr(number)));
            let x = (0..32).map(|r| hart.x(r)).collect();
            (x, (0..32).map(|r| hart.f(r)).collect(), csrs.collect(), hart.instret())
        })
        .unwrap();
    State { x, f, csrs, memory, instret }
}

fn machine(rng: &mut Rng, model: CpuModel) -> Machine {
    let machine = Machine::new(1, 1 << 20, model);
    let store = |addr, value| machine.space.store(addr, 8, value).unwrap();
    store(ROOT, MIDDLE >> 2 | V);
    store(MIDDLE + 8 * (HERE >> 21), LAST >> 2 | V);
    // Three rounds of the same pages, so that each follows each.
    for (i, wrong) in order().enumerate() {
        let at = DATA + PAGE * (i as u64 % 8);
        let pte = match wrong {
            Wrong::Nothing => at >> 2 | LEAF,
            Wrong::Unmapped => 0,
            Wrong::ReadOnly => at >> 2 | LEAF & !4,
            Wrong::ExecuteOnly => at >> 2 | LEAF & !6,
            Wrong::OfTheOtherMode => at >> 2 | LEAF | 0x10,
            Wrong::Nowhere => 0x4000_0000 >> 2 | LEAF,
            Wrong::Rom => 0x1000 >> 2 | LEAF,
            Wrong::Protected => (DATA + PAGE * 8) >> 2 | LEAF,
        };
        store(LAST + 8 * i as u64, pte);
    }
    store(LAST + 8 * 511, CODE >> 2 | LEAF);
    for i in 0..9 * PAGE / 8 {
        store(DATA + 8 * i, rng.next());
    }
    machine
        .harts
        .with(0, |hart| {
            // The ninth data page is denied to all below M.
            hart.set_csr(csr::PMPADDR0, (DATA + PAGE * 8) >> 2 | (PAGE >> 3) - 1);
            hart.set_csr(csr::PMPADDR0 + 1, u64::MAX);
            hart.set_csr(csr::PMPCFG0, 0x1f18);
            hart.set_csr(csr::SATP, 8 << 60 | ROOT >> 12);
            hart.set_csr(csr::MENVCFG, u64::MAX);
            hart.set_csr(csr::MTVEC, RAM);
        })
        .unwrap();
    machine
}

/// Pages in such an order that each kind follows a sound one and is followed by one.
fn order() -> impl Iterator<Item = Wrong> {
    PAGES.into_iter().flat_map(|wrong| [Wrong::Nothing, wrong, Wrong::Nothing])
}

fn touches_memory(insn: &Insn) -> bool {
    let addresses = insn.syntax.iter().any(|(_, base)| !base.is_empty());
    addresses && insn.mnemonic != "jalr" && !insn.mnemonic.starts_with("prefetch")
}

#[test]
fn a_faulting_instruction_changes_nothing() {
    for name in ["max", "x-rv128"] {
        check(&mut Rng(11), model(name));
    }
}

fn check(rng: &mut Rng, model: CpuModel) {
    let (extensions, xlen) = (model.extensions, model.xlen);
    let machine = machine(rng, model);
    let decoder = Decoder::new(extensions, xlen);
    let widest = u64::from(xlen / 8);
    let (mut faults, mut sound) = (0, 0);
    let pages = order().count() as u64;
    for (_, insn) in rows().filter(|(_, insn)| insn.is_in(extensions, xlen) && touches_memory(insn)) {
        let mut faulted = 0;
        for _ in 0..if full() { 3_000 } else { 150 } {
            let raw = insn.pattern.1 | rng.next() as u32 & !insn.pattern.0;
            let d = decoder.decode(raw, CODE).unwrap();
            if d.rs1 == 0 {
                continue;
            }
            // About the ends of pages, or anywhere in one.
            let page = 1 + rng.below(pages - 2);
            let offset = if rng.one_in(2) { PAGE - widest + rng.below(2 * widest) } else { rng.below(PAGE) };
            let offset = if rng.one_in(2) { offset & !7 } else { offset };
            let addr = HERE + page * PAGE + offset;
            machine.put(CODE, &[raw]);
            let setup: Vec<(u128, u64)> = (0..32).map(|_| (rng.integer_of(xlen), rng.float())).collect();
            machine
                .harts
                .with(0, move |hart| {
                    for (r, (x, f)) in (0..).zip(setup) {
                        hart.set_x(r, x);
                        hart.set_f(r, f);
                    }
                    hart.set_x(d.rs1, addr.wrapping_add_signed(-i64::from(d.imm)).into());
                    hart.set_csr(csr::MSTATUS, 3 << 13);
                    hart.set_privilege(Privilege::Supervisor);
                    hart.set_pc(HERE + 511 * PAGE);
                })
                .unwrap();
            let before = state(&machine);
            machine.step();
            let trapped = machine.harts.with(0, |hart| hart.pc()).unwrap() == RAM;
            if !trapped {
                sound += 1;
                continue;
            }
            faulted += 1;
            let after = state(&machine);
            let what = format!("{d} with an address of {addr:#x}");
            assert!(before == after, "{what} changed {}", difference(&before, &after));
            assert_eq!(machine.csr(csr::MEPC), HERE + 511 * PAGE, "{what}");
            // The address of the part that faults, which is of the access.
            let (cause, tval) = (machine.csr(csr::MCAUSE), machine.csr(csr::MTVAL));
            assert!([4, 5, 6, 7, 13, 15].contains(&cause), "{what}: mcause {cause}");
            let loads = matches!(insn.pattern.1 & 0x7f, 0x03 | 0x07)
                || insn.mnemonic.starts_with("lr")
                || insn.mnemonic == "lq";
            assert_eq!(loads, matches!(cause, 4 | 5 | 13), "{what}: mcause {cause}");
            let next_page = (addr | (PAGE - 1)) + 1;
            assert!(
                tval == addr || tval == next_page && next_page - addr < widest,
                "{what}: mtval {tval:#x}"
            );
        }
        assert!(faulted > 20, "{} faulted {faulted} times", insn.mnemonic);
        faults += faulted;
    }
    eprintln!("{xlen} bits: {faults} faults changed nothing; {sound} accesses did not fault");
}

fn difference(before: &State, after: &State) -> String {
    let regs = |a: &[u128], b: &[u128]| a.iter().zip(b).position(|(a, b)| a != b);
    if let Some(r) = regs(&before.x, &after.x) {
        return format!("x{r}");
    }
    if let Some(r) = before.f.iter().zip(&after.f).position(|(a, b)| a != b) {
        return format!("f{r}");
    }
    if let Some((a, b)) = before.csrs.iter().zip(&after.csrs).find(|(a, b)| a != b) {
        return format!("a CSR: {a:x?} to {b:x?}");
    }
    if let Some(at) = before.memory.iter().zip(&after.memory).position(|(a, b)| a != b) {
        return format!("memory at {at:#x}");
    }
    format!("instret from {} to {}", before.instret, after.instret)
}

/// A protection boundary in the middle of a page, even of a cache block.
#[test]
fn protection_within_a_page_is_noticed() {
    let machine = Machine::max();
    let inside = DATA + 0x20;
    let enter = |pc: u64, x10: u64| {
        machine
            .harts
            .with(0, move |hart| {
                hart.set_csr(csr::PMPADDR0, inside >> 2);
                hart.set_csr(csr::PMPADDR0 + 1, u64::MAX);
                // Below: everything. From there on: nothing.
                hart.set_csr(csr::PMPCFG0, 0x180f);
                hart.set_csr(csr::MENVCFG, u64::MAX);
                hart.set_csr(csr::MTVEC, RAM);
                hart.set_privilege(Privilege::Supervisor);
                hart.set_x(10, x10.into());
                hart.set_pc(pc);
            })
            .unwrap();
    };
    machine.space.write_bytes(DATA, &[0xaa; 128]).unwrap();
    machine.put(CODE, &[op("cbo.zero", 0, 10, 0, 0)]);
    enter(CODE, DATA + 8);
    machine.step();
    assert_eq!((machine.csr(csr::MCAUSE), machine.csr(csr::MTVAL)), (7, DATA + 8));
    assert_eq!(machine.word(DATA), 0xaaaa_aaaa_aaaa_aaaa, "a block is zeroed whole or not at all");

    // Instructions beyond the boundary do not run, though they follow allowed ones.
    let nop = op("addi", 0, 0, 0, 0);
    let count = op("addi", 11, 11, 0, 1);
    for (from, at) in [(inside - 16, 0), (inside - 14, 2)] {
        machine.space.write_bytes(DATA, &[0; 64]).unwrap();
        machine.put(from, &[nop, count, nop, count, count, count]);
        machine.put(RAM, &common::finish());
        enter(from, 0);
        machine.harts.with(0, |hart| hart.set_x(11, 0)).unwrap();
        machine.run();
        // The one across the boundary faults with the address of its second half.
        assert_eq!(machine.csr(csr::MCAUSE), 1);
        assert_eq!(machine.csr(csr::MEPC), inside - at);
        assert_eq!(machine.csr(csr::MTVAL), inside);
        assert_eq!(machine.x(11), if at == 0 { 2 } else { 1 });
    }
}

/// Without C, a jump may lead to a multiple of 4 only, and one that does not has not linked.
#[test]
fn a_misaligned_jump_changes_nothing() {
    let mut cpu = model("max");
    cpu.extensions = cpu.extensions.without(Ext::C).without(Ext::Zca);
    let machine = Machine::new(1, 1 << 20, cpu);
    let cases = [
        (op("jal", 5, 0, 0, 6), Some(CODE + 6)),
        (op("jal", 5, 0, 0, 8), None),
        (op("jalr", 6, 6, 0, 2), Some(CODE + 0x102)),
        (op("jalr", 6, 6, 0, 1), None),
        (op("jalr", 6, 6, 0, 3), Some(CODE + 0x102)),
        (op("beq", 0, 0, 0, 10), Some(CODE + 10)),
        (op("bne", 0, 0, 0, 10), None),
    ];
    for (word, fault) in cases {
        machine.harts.reset();
        machine.put(CODE, &[word]);
        let setup = |hart: &mut dyn hartwright_exec::Inspect| {
            hart.set_csr(csr::MTVEC, RAM);
            hart.set_x(6, (CODE + 0x100).into());
            hart.set_pc(CODE);
        };
        machine.harts.with(0, setup).unwrap();
        let before = state(&machine);
        machine.step();
        match fault {
            Some(target) => {
                assert!(before == state(&machine), "{word:#x}");
                assert_eq!((machine.csr(csr::MCAUSE), machine.csr(csr::MTVAL)), (0, target));
                assert_eq!(machine.csr(csr::MEPC), CODE);
            }
            None => assert_ne!(machine.harts.with(0, |hart| hart.pc()), Some(RAM), "{word:#x}"),
        }
    }
    // Addresses to return to are read without the bit, which is kept.
    machine.harts.with(0, |hart| hart.set_csr(csr::MEPC, 0x8000_0006)).unwrap();
    assert_eq!(machine.csr(csr::MEPC), 0x8000_0004);
}
