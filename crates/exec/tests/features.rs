//! That the named features a hart says it has are so (profiles RVA22 and RVA23), where a guest can see it.

#![forbid(unsafe_code)]

mod common;

use common::{
    Machine, RAM, Rng, finish, full, li, op,
    script::{Script, UNTOUCHED},
};
use hartwright_isa::csr::*;

fn set(number: u16, value: u64) -> Vec<u32> {
    let mut words = li(5, value);
    words.push(op("csrrw", 0, 5, 0, number.into()));
    words
}

#[test]
fn sscounterenw_every_counter_can_be_let_go() {
    let machine = Machine::max();
    for n in 0..32u16 {
        let mut words = set(MHPMEVENT3 - 3 + n.max(3), 2);
        words.extend(set(SCOUNTEREN, 1 << n));
        words.extend([op("csrrs", 10, 0, 0, SCOUNTEREN.into()), op("csrrs", 11, 0, 0, (CYCLE + n).into())]);
        let there = machine.outcome(&words) != 0;
        assert!(there || machine.x(11) == 0, "counter {n}");
    }
}

#[test]
fn sstvecd_a_handler_may_be_at_any_four_bytes() {
    let machine = Machine::max();
    let mut rng = Rng(11);
    for at in (0..64).map(|bit| 1u64 << bit).chain((0..if full() { 500 } else { 50 }).map(|_| rng.next())) {
        let mut words = set(STVEC, at & !3);
        words.push(op("csrrs", 10, 0, 0, STVEC.into()));
        assert_eq!(machine.outcome(&words), at & !3);
    }
}

/// The hart in S-mode, with everything delegated, does `code`; gives `stval` and `scause`.
fn fault(machine: &Machine, code: &[u32], satp: u64) -> (u64, u64) {
    const HANDLER: u64 = RAM + 0x1000;
    const CODE: u64 = RAM + 0x2000;
    let mut handler = vec![op("csrrs", 10, 0, 0, STVAL.into()), op("csrrs", 11, 0, 0, SCAUSE.into())];
    handler.push(op("ecall", 0, 0, 0, 0));
    machine.put(HANDLER, &handler);
    machine.put(HANDLER + 0x100, &finish());
    machine.put(CODE, code);
    let mut words = vec![];
    for (number, value) in [
        (PMPADDR0, u64::MAX),
        (PMPCFG0, 0x1f),
        (MTVEC, HANDLER + 0x100),
        (STVEC, HANDLER),
        // All but the call from S-mode, by which the handler ends.
        (MEDELEG, 0xb1ff),
        (SATP, satp),
        (MSTATUS, 1 << 11),
        (MEPC, CODE),
    ] {
        words.extend(set(number, value));
    }
    words.push(op("mret", 0, 0, 0, 0));
    machine.put(RAM, &words);
    machine.harts.reset();
    machine.run();
    (machine.x(10), machine.x(11))
}

#[test]
fn sstvala_the_address_or_the_instruction_at_fault_is_told() {
    let machine = Machine::max();
    // A root table that maps RAM to itself, and nothing else.
    const ROOT: u64 = RAM + 0x3000;
    machine.space.store(ROOT + 8 * (RAM >> 30), 8, RAM >> 2 | 0xcf).unwrap();
    let paged = 8 << 60 | ROOT >> 12;
    let at = |addr: u64, word: u32| {
        let mut words = li(7, addr);
        words.push(word);
        words
    };
    let (load, store, amo) = (op("ld", 6, 7, 0, 0), op("sd", 0, 7, 6, 0), op("amoadd.d", 6, 7, 6, 0));
    let jump = op("jalr", 0, 7, 0, 0);
    let mut rng = Rng(13);
    for _ in 0..if full() { 300 } else { 30 } {
        // Nothing is there: access faults by physical address, page faults by virtual.
        let addr = (rng.next() & 0x3fff_fff8) + 0x1_0000_0000;
        for (word, access, page) in [(load, 5, 13), (store, 7, 15), (amo, 7, 15), (jump, 1, 12)] {
            assert_eq!(fault(&machine, &at(addr, word), 0), (addr, access), "{word:#x}");
            assert_eq!(fault(&machine, &at(addr, word), paged), (addr, page), "{word:#x}");
        }
        // Misaligned, where it may not be.
        let odd = RAM + 0x4000 + (rng.next() & 0xff8) + 1 + rng.below(7);
        assert_eq!(fault(&machine, &at(odd, amo), paged), (odd, 6));
        assert_eq!(fault(&machine, &at(odd, op("lr.d", 6, 7, 0, 0)), paged), (odd, 4));
        // An instruction that is none.
        let illegal = (rng.next() as u32) << 7 | 0x7b;
        assert_eq!(fault(&machine, &[illegal], paged), (illegal.into(), 2));
    }
}

/// Ssstrict, of CSRs: one without a name is illegal, in any mode.
#[test]
fn ssstrict_a_csr_that_is_not_is_illegal() {
    let mut script = Script::new();
    let unknown: Vec<u16> = (0..0x1000).filter(|csr| name(*csr).is_none()).collect();
    for csr in &unknown {
        script.get("read", *csr);
    }
    let memory = script.run_here(common::model("max"));
    for (name, note) in script.notes(&memory) {
        assert_eq!((note.mcause, note.value), (2, UNTOUCHED), "{name}");
    }
    assert!(unknown.len() > 3_000);
}
