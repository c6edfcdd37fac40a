//! Counters that are told what to count, and the interrupt when one overflows (Sscofpmf, Smcntrpmf).

#![forbid(unsafe_code)]

mod common;

use common::{Machine, RAM, Rng, finish, full, li, op};
use hartwright_isa::csr::*;

const CYCLES: u64 = 1;
const INSTRUCTIONS: u64 = 2;
const OF: u64 = 1 << 63;
const MINH: u64 = 1 << 62;
const SINH: u64 = 1 << 61;
const UINH: u64 = 1 << 60;
const LCOFI: u64 = 1 << 13;
const HANDLER: u64 = RAM + 0x1000;

fn csrr(rd: u32, number: u16) -> u32 {
    op("csrrs", rd, 0, 0, number.into())
}
fn csrw(number: u16, rs1: u32) -> u32 {
    op("csrrw", 0, rs1, 0, number.into())
}
fn nop() -> u32 {
    op("addi", 0, 0, 0, 0)
}
fn set(number: u16, value: u64) -> Vec<u32> {
    let mut words = li(5, value);
    words.push(csrw(number, 5));
    words
}

#[test]
fn a_counter_counts_what_it_is_told_and_stands_when_inhibited() {
    let machine = Machine::max();
    for n in [3u16, 10, 18] {
        for (event, counted) in [(CYCLES, true), (INSTRUCTIONS, true), (0, false), (7, false)] {
            let mut words = set(MHPMEVENT3 - 3 + n, event);
            words.extend(set(MHPMCOUNTER3 - 3 + n, 1000));
            words.extend(vec![nop(); 70]);
            words.push(csrr(10, MHPMCOUNTER3 - 3 + n));
            words.push(csrr(11, HPMCOUNTER3 - 3 + n));
            words.extend(set(MCOUNTINHIBIT, 1 << n));
            words.extend([csrr(12, MHPMCOUNTER3 - 3 + n), nop(), csrr(13, MHPMCOUNTER3 - 3 + n)]);
            machine.outcome(&words);
            let [ten, eleven, twelve, thirteen] = [10, 11, 12, 13].map(|r| machine.x(r));
            let (nops, one) = if counted { (70, 1) } else { (0, 0) };
            assert_eq!((ten, eleven), (1000 + nops, 1000 + nops + one), "{n} {event}");
            assert_eq!(twelve, thirteen);
        }
    }
    // Those of higher numbers are there, and zero.
    let mut words = set(MHPMEVENT3 + 16, 1);
    words.extend(set(MHPMCOUNTER3 + 16, 5));
    words.extend([csrr(10, MHPMCOUNTER3 + 16), csrr(11, MHPMEVENT3 + 16)]);
    assert_eq!((machine.outcome(&words), machine.x(11)), (0, 0));
}

/// Where the interrupt comes when counter 3 begins at so many before zero, and `mhpmevent3` and `scountovf` then.
fn overflow(machine: &Machine, before: u64, code: &[u32], event: u64) -> (u64, u64, u64) {
    let mut handler = vec![csrr(10, MEPC), csrr(11, MCAUSE), csrr(12, MHPMEVENT3), csrr(13, SCOUNTOVF)];
    handler.extend(finish());
    machine.put(HANDLER, &handler);
    let mut words = set(MTVEC, HANDLER);
    words.extend(set(MHPMEVENT3, event));
    words.extend(set(MIE, LCOFI));
    words.extend(set(MSTATUS, 8));
    words.extend(set(MHPMCOUNTER3, before.wrapping_neg()));
    let begin = RAM + 4 * words.len() as u64;
    words.extend(code);
    machine.outcome(&words);
    assert_eq!(machine.x(11), 1 << 63 | 13);
    (machine.x(10) - begin, machine.x(12), machine.x(13))
}

#[test]
fn the_interrupt_comes_after_the_instruction_that_overflows() {
    let machine = Machine::max();
    let code = vec![nop(); 600];
    for before in [1, 2, 3, 63, 64, 65, 127, 128, 129, 300, 500] {
        for event in [CYCLES, INSTRUCTIONS] {
            let (at, held, overflowed) = overflow(&machine, before, &code, event);
            assert_eq!((at, held, overflowed), (4 * before, event | OF, 8), "{before}");
        }
    }
    // Around a loop of three, many times.
    let mut turns = li(7, 100_000);
    let setup = turns.len() as u64;
    turns.extend([nop(), op("addi", 7, 7, 0, -1), op("bne", 0, 7, 0, -8)]);
    let mut rng = Rng(7);
    for _ in 0..if full() { 200 } else { 12 } {
        let before = setup + 1 + rng.below(200_000);
        let (at, ..) = overflow(&machine, before, &turns, INSTRUCTIONS);
        assert_eq!(at, 4 * (setup + (before - setup) % 3), "{before}");
    }
}

#[test]
fn a_counter_that_overflowed_already_does_so_in_silence() {
    let machine = Machine::max();
    let mut words = set(MHPMEVENT3, INSTRUCTIONS | OF);
    words.extend(set(MHPMCOUNTER3, 5u64.wrapping_neg()));
    words.extend(vec![nop(); 10]);
    words.extend([csrr(10, MIP), csrr(11, MHPMCOUNTER3)]);
    assert_eq!((machine.outcome(&words), machine.x(11)), (0, 6));
    // Software clears the bit, and it overflows aloud.
    words.extend(set(MHPMEVENT3, INSTRUCTIONS));
    words.extend(set(MHPMCOUNTER3, 5u64.wrapping_neg()));
    words.extend(vec![nop(); 3]);
    words.push(csrr(10, MIP));
    words.push(nop());
    words.push(csrr(12, MIP));
    assert_eq!((machine.outcome(&words), machine.x(12)), (0, LCOFI));
}

/// M, S and U run a known number of instructions each; who counts what, by the inhibit bits.
#[test]
fn counters_count_in_the_modes_they_should() {
    let machine = Machine::max();
    let counters =
        [(MCYCLECFG, MCYCLE, 0), (MINSTRETCFG, MINSTRET, 0), (MHPMEVENT3, MHPMCOUNTER3, INSTRUCTIONS)];
    // Back to M: the handler goes on where register 9 says.
    machine.put(HANDLER, &[nop(), op("jalr", 0, 9, 0, 0)]);
    for (config, counter, event) in counters {
        for inhibit in 0..8u64 {
            let [m, s, u] = [MINH, SINH, UINH].map(|bit| inhibit << 60 & bit == 0);
            let mut words = set(PMPADDR0, u64::MAX);
            words.extend(set(PMPCFG0, 0x1f));
            words.extend(set(MTVEC, HANDLER));
            words.extend(set(config, inhibit << 60 | event));
            words.extend(set(counter, 0));
            let (mut expected, counted) = (0, |mode: bool, n: u64| if mode { n } else { 0 });
            for (mode, runs, here) in [(0u64, 7u64, u), (1, 11, s), (0, 70, u), (1, 130, s)] {
                let back = RAM + 4 * words.len() as u64;
                let mut enter = set(MSTATUS, mode << 11);
                // The code of the mode follows, and then where it comes back to.
                let length = (enter.len() + enter.len() + li(9, 0).len() + 1) as u64;
                enter.extend(set(MEPC, back + 4 * length));
                let after = back + 4 * (length + runs + 1);
                enter.extend(li(9, after));
                enter.push(op("mret", 0, 0, 0, 0));
                assert_eq!(enter.len() as u64, length);
                words.extend(&enter);
                words.extend(vec![nop(); runs as usize]);
                words.push(op("ecall", 0, 0, 0, 0));
                expected += counted(m, enter.len() as u64 + 2) + counted(here, runs);
            }
            words.push(csrr(10, counter));
            assert_eq!(machine.outcome(&words), expected, "{config:#x} inhibited {inhibit:03b}");
        }
    }
}

/// An overflow in U-mode, counted there only, interrupts S-mode by delegation.
#[test]
fn an_overflow_below_is_delegated_as_other_interrupts_are() {
    let machine = Machine::max();
    let mut handler = vec![csrr(10, SEPC), csrr(11, SCAUSE), csrr(12, SIP), csrr(13, SCOUNTOVF)];
    handler.extend(set(MCOUNTEREN, 0));
    machine.put(HANDLER, &handler);
    machine.put(HANDLER + 0x100, &finish());
    let mut words = set(PMPADDR0, u64::MAX);
    for (number, value) in [
        (PMPCFG0, 0x1f),
        (MTVEC, HANDLER + 0x100),
        (STVEC, HANDLER),
        (MIDELEG, LCOFI),
        (MIE, LCOFI),
        (MCOUNTEREN, 8),
        (MHPMEVENT3, INSTRUCTIONS | MINH | SINH),
        (MHPMCOUNTER3, 100u64.wrapping_neg()),
        (MSTATUS, 0),
        (MEPC, RAM + 0x800),
    ] {
        words.extend(set(number, value));
    }
    words.push(op("mret", 0, 0, 0, 0));
    assert!(words.len() < 0x200);
    machine.put(RAM + 0x800, &vec![nop(); 200]);
    assert_eq!(machine.outcome(&words), RAM + 0x800 + 400);
    assert_eq!((machine.x(11), machine.x(12), machine.x(13)), (1 << 63 | 13, LCOFI, 8));
}
