//! Memory as instructions see it: misaligned accesses, code that changes, reservations, and harts that share.

#![forbid(unsafe_code)]

mod common;

use common::{Machine, RAM, Rng, finish, full, li, model, op};
use hartwright_exec::Inspect;
use hartwright_hart::Privilege;
use hartwright_isa::{Format, csr, rows};

const DATA: u64 = RAM + 0x8000;
/// Where page tables are.
const TABLES: u64 = RAM + 0x1_0000;

fn nop() -> u32 {
    op("addi", 0, 0, 0, 0)
}

#[test]
fn misaligned_accesses_read_what_misaligned_accesses_wrote() {
    let mut rng = Rng(31);
    let machine = Machine::max();
    let sizes = [("sb", "lbu", 1), ("sh", "lhu", 2), ("sw", "lwu", 4), ("sd", "ld", 8)];
    let mut model = vec![0u8; 0x2000];
    rng_fill(&mut rng, &mut model);
    machine.space.write_bytes(DATA, &model).unwrap();
    for _ in 0..if full() { 2_000 } else { 100 } {
        // A run of accesses; the registers remember what each load found.
        let mut words = li(5, DATA);
        words.extend(li(7, DATA + 0x1000));
        let (mut value, mut expected) = (rng.next(), 0u64);
        words.extend(li(6, value));
        words.push(op("addi", 10, 0, 0, 0));
        for _ in 0..30 {
            let (store, load, size) = rng.pick(&sizes);
            // About the boundary of the two pages, or in the first.
            let (base, offset, at) = if rng.one_in(2) {
                let offset = rng.below(16) as i64 - 8;
                (7, offset, (0x1000 + offset) as usize)
            } else {
                let offset = rng.below(2040) as i64;
                (5, offset, offset as usize)
            };
            if rng.one_in(2) {
                words.push(op(store, 0, base, 6, offset));
                model[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
            } else {
                words.extend([op(load, 8, base, 0, offset), op("xor", 10, 10, 8, 0), op("add", 6, 6, 8, 0)]);
                let mut bytes = [0; 8];
                bytes[..size].copy_from_slice(&model[at..at + size]);
                expected ^= u64::from_le_bytes(bytes);
                value = value.wrapping_add(u64::from_le_bytes(bytes));
            }
        }
        assert_eq!(machine.outcome(&words), expected);
        let mut memory = vec![0; model.len()];
        machine.space.read_bytes(DATA, &mut memory).unwrap();
        assert!(memory == model);
    }
}

fn rng_fill(rng: &mut Rng, bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = rng.next() as u8);
}

/// Two virtual pages that follow each other and lie apart: an access across them is in two places.
#[test]
fn a_misaligned_access_across_pages_follows_the_translation_of_each() {
    const LEAF: u64 = 0xcf;
    const HERE: u64 = 0x40_0000;
    let machine = Machine::max();
    let store = |addr, value| machine.space.store(addr, 8, value).unwrap();
    store(TABLES, (TABLES + 0x1000) >> 2 | 1);
    store(TABLES + 0x1000 + 8 * (HERE >> 21), (TABLES + 0x2000) >> 2 | 1);
    store(TABLES + 0x2000, (DATA + 0x3000) >> 2 | LEAF);
    store(TABLES + 0x2008, DATA >> 2 | LEAF);
    let csrw = |number: u16| op("csrrw", 0, 5, 0, number.into());
    let mut words = vec![op("addi", 5, 0, 0, -1), csrw(csr::PMPADDR0)];
    words.extend([op("addi", 5, 0, 0, 0x1f), csrw(csr::PMPCFG0)]);
    words.extend(li(5, 8 << 60 | TABLES >> 12));
    words.extend([csrw(csr::SATP), op("sfence.vma", 0, 0, 0, 0)]);
    words.extend(li(5, 1 << 17 | 1 << 11));
    words.extend(li(6, HERE + 0xffd));
    words.extend(li(7, 0x8877_6655_4433_2211));
    words.extend([
        op("csrrs", 0, 5, 0, csr::MSTATUS.into()),
        op("sd", 0, 6, 7, 0),
        op("ld", 10, 6, 0, 0),
        op("lwu", 11, 6, 0, 1),
        op("csrrc", 0, 5, 0, csr::MSTATUS.into()),
    ]);
    assert_eq!(machine.outcome(&words), 0x8877_6655_4433_2211);
    assert_eq!(machine.x(11), 0x5544_3322);
    assert_eq!(machine.word(DATA + 0x3ff8) >> 40, 0x33_2211);
    assert_eq!(machine.word(DATA) & 0xff_ffff_ffff, 0x88_7766_5544);
}

/// A program that writes an instruction over another and runs it, `fence` in between.
fn rewriting(fence: &[u32], far: bool) -> Vec<u32> {
    let new = op("addi", 10, 0, 0, 2);
    let mut words = li(5, new.into());
    // The place is run once as it was, then written, then run again by the same loop.
    words.extend([op("addi", 6, 0, 0, 2), op("auipc", 7, 0, 0, 0)]);
    let auipc = words.len() - 1;
    let begin = words.len();
    if far {
        words.push(op("jal", 0, 0, 0, 4));
    }
    let place = words.len();
    words.extend([op("addi", 10, 0, 0, 1), op("addi", 6, 6, 0, -1), op("beq", 0, 6, 0, 0)]);
    let leave = words.len() - 1;
    words.push(op("sw", 0, 7, 5, 4 * (place as i64 - auipc as i64)));
    words.extend(fence);
    words.push(op("jal", 0, 0, 0, 4 * (begin as i64 - words.len() as i64)));
    words[leave] = op("beq", 0, 6, 0, 4 * (words.len() as i64 - leave as i64));
    words
}

#[test]
fn new_code_runs_after_the_fence_and_in_later_blocks_without_it() {
    let machine = Machine::max();
    assert_eq!(machine.outcome(&rewriting(&[op("fence.i", 0, 0, 0, 0)], false)), 2);
    assert_eq!(machine.outcome(&rewriting(&[], false)), 2);
    assert_eq!(machine.outcome(&rewriting(&[], true)), 2);
}

#[test]
fn code_written_just_ahead_runs_after_the_fence() {
    let machine = Machine::max();
    let new = op("addi", 10, 0, 0, 2);
    for mnemonic in ["sw", "amoswap.w", "sc.w"] {
        let mut words = li(5, new.into());
        let at = RAM + 4 * (words.len() as u64 + 11 + 3);
        words.extend(li(7, at));
        words.push(if mnemonic == "sc.w" { op("lr.w", 8, 7, 0, 0) } else { nop() });
        words.push(op(mnemonic, if mnemonic == "sw" { 0 } else { 8 }, 7, 5, 0));
        words.push(op("fence.i", 0, 0, 0, 0));
        assert_eq!(RAM + 4 * words.len() as u64, at);
        words.push(op("addi", 10, 0, 0, 1));
        assert_eq!(machine.outcome(&words), 2, "{mnemonic}");
    }
}

/// An instruction across two pages, each half of which is written in its turn.
#[test]
fn code_across_pages_is_seen_to_change_on_either_side() {
    let machine = Machine::max();
    let edge = RAM + 0x3ffe;
    let ret = op("jalr", 0, 1, 0, 0);
    let [one, two] = [op("addi", 10, 0, 0, 1), op("addi", 11, 0, 0, 2)];
    machine.put(edge, &[one, ret]);
    let call = |words: &mut Vec<u32>| words.push(op("jalr", 1, 9, 0, 0));
    let mut words = li(9, edge);
    call(&mut words);
    words.extend(li(5, u64::from(two >> 16)));
    words.push(op("sh", 0, 9, 5, 2));
    call(&mut words);
    words.push(op("add", 12, 10, 0, 0));
    words.extend(li(5, u64::from(two & 0xffff)));
    words.push(op("sh", 0, 9, 5, 0));
    call(&mut words);
    machine.outcome(&words);
    assert_eq!((machine.x(12), machine.x(11)), (2, 2));
}

/// An instruction across two virtual pages, the second of which comes to lie elsewhere.
#[test]
fn code_across_pages_follows_the_translation_of_each() {
    const LEAF: u64 = 0xcf;
    const HERE: u64 = 0x40_0000;
    let machine = Machine::max();
    let store = |addr, value| machine.space.store(addr, 8, value).unwrap();
    store(TABLES, (TABLES + 0x1000) >> 2 | 1);
    store(TABLES + 0x1000 + 8 * (HERE >> 21), (TABLES + 0x2000) >> 2 | 1);
    store(TABLES + 0x2000, DATA >> 2 | LEAF);
    machine.put(RAM, &finish());
    let add = |imm| op("addi", 10, 10, 0, imm);
    machine.space.write_bytes(DATA + 0xffe, &add(0).to_le_bytes()[..2]).unwrap();
    for imm in [1, 2] {
        let page = DATA + 0x1000 * imm as u64;
        machine.space.write_bytes(page, &add(imm).to_le_bytes()[2..]).unwrap();
        machine.space.write_bytes(page + 2, &op("ecall", 0, 0, 0, 0).to_le_bytes()).unwrap();
    }
    for (turn, imm) in [1, 2, 1, 2, 2, 1].into_iter().enumerate() {
        store(TABLES + 0x2008, (DATA + 0x1000 * imm) >> 2 | LEAF);
        let enter = move |hart: &mut dyn Inspect| {
            hart.set_csr(csr::PMPADDR0, u64::MAX);
            hart.set_csr(csr::PMPCFG0, 0x1f);
            hart.set_csr(csr::MTVEC, RAM);
            hart.set_csr(csr::SATP, 8 << 60 | (turn as u64) << 44 | TABLES >> 12);
            hart.set_privilege(Privilege::Supervisor);
            hart.set_x(10, 0);
            hart.set_pc(HERE + 0xffe);
        };
        machine.harts.with(0, enter).unwrap();
        machine.run();
        assert_eq!((machine.x(10), machine.csr(csr::MEPC)), (imm, HERE + 0x1002), "turn {turn}");
    }
}

/// What the host writes into code, a loader or a debugger, runs too.
#[test]
fn code_that_the_host_writes_is_seen() {
    let machine = Machine::max();
    for i in 0..50 {
        assert_eq!(machine.outcome(&[op("addi", 10, 0, 0, i)]), i as u64);
    }
}

#[test]
fn a_store_conditional_needs_its_reservation() {
    let machine = Machine::max();
    let outcome = |steps: &[u32]| {
        machine.space.store(DATA, 8, 0x1111_2222_3333_4444).unwrap();
        let mut words = li(5, DATA);
        words.extend(li(6, 0x5555_6666_7777_8888));
        words.extend(steps);
        (machine.outcome(&words), machine.word(DATA))
    };
    let [lr, sc] = ["lr", "sc"].map(|name| {
        move |size: &str, at: i64| -> Vec<u32> {
            let moved = op("addi", 7, 5, 0, at);
            vec![
                moved,
                op(
                    &format!("{name}.{size}"),
                    if name == "lr" { 8 } else { 10 },
                    7,
                    if name == "lr" { 0 } else { 6 },
                    0,
                ),
            ]
        }
    });
    let old = 0x1111_2222_3333_4444;
    assert_eq!(outcome(&[lr("d", 0), sc("d", 0)].concat()), (0, 0x5555_6666_7777_8888));
    assert_eq!(outcome(&[lr("w", 4), sc("w", 4)].concat()), (0, 0x7777_8888_3333_4444));
    assert_eq!(outcome(&sc("d", 0)), (1, old));
    assert_eq!(outcome(&[lr("d", 0), sc("d", 8)].concat()), (1, old));
    assert_eq!(outcome(&[lr("w", 0), sc("d", 0)].concat()), (1, old));
    // Once used, whether it held or not, it is gone.
    assert_eq!(outcome(&[lr("d", 0), sc("d", 8), sc("d", 0)].concat()), (1, old));
    assert_eq!(outcome(&[lr("d", 0), sc("d", 0), sc("w", 0)].concat()), (1, 0x5555_6666_7777_8888));
    // Another value was stored in between.
    let store = |rs2| op("sd", 0, 5, rs2, 0);
    assert_eq!(outcome(&[lr("d", 0), vec![store(5)], sc("d", 0)].concat()), (1, DATA));
    let (outcome, _) = outcome(&[lr("d", 0), vec![op("amoswap.d", 0, 5, 0, 0)], sc("d", 0)].concat());
    assert_eq!(outcome, 1);
}

#[test]
fn a_reservation_ends_when_another_hart_stores() {
    let machine = Machine::new(2, 1 << 20, model("max"));
    // Hart 0 reserves, tells, waits, and tries; hart 1 stores in between.
    let mut words = vec![op("csrrs", 5, 0, 0, csr::MHARTID.into())];
    words.extend(li(6, DATA));
    let branch = words.len();
    words.push(0);
    words.extend([
        op("lr.d", 7, 6, 0, 0),
        op("addi", 8, 0, 0, 1),
        op("sd", 0, 6, 8, 64),
        op("ld", 9, 6, 0, 128),
        op("beq", 0, 9, 0, -4),
        op("sc.d", 10, 6, 8, 0),
    ]);
    words.extend(finish());
    words[branch] = op("bne", 0, 5, 0, 4 * (words.len() - branch) as i64);
    words.extend([
        op("ld", 9, 6, 0, 64),
        op("beq", 0, 9, 0, -4),
        op("addi", 8, 0, 0, 77),
        op("sd", 0, 6, 8, 0),
        op("fence", 0, 0, 0, 0) | 0x0ff0_0000,
        op("sd", 0, 6, 8, 128),
        op("wfi", 0, 0, 0, 0),
        op("jal", 0, 0, 0, -4),
    ]);
    machine.put(RAM, &words);
    machine.run();
    assert_eq!((machine.x(10), machine.word(DATA)), (1, 77));
}

/// Two harts count to `n` each in one word, by atomic addition or by reservations.
fn counting(n: u64, body: &[u32]) -> u64 {
    let machine = Machine::new(2, 1 << 20, model("max"));
    let mut words = li(6, DATA);
    words.extend(li(7, n));
    words.push(op("addi", 8, 0, 0, 1));
    words.extend(body);
    words.extend([op("addi", 7, 7, 0, -1), op("bne", 0, 7, 0, -4 * (body.len() as i64 + 1))]);
    // The second to come here ends it.
    words.extend([op("addi", 9, 6, 0, 64), op("amoadd.d", 9, 9, 8, 0) | 3 << 25, op("bne", 0, 9, 0, 12)]);
    words.extend([op("wfi", 0, 0, 0, 0), op("jal", 0, 0, 0, -4)]);
    words.extend(finish());
    machine.put(RAM, &words);
    machine.run();
    machine.word(DATA)
}

#[test]
fn two_harts_count_together_exactly() {
    let n = 1_000_000;
    assert_eq!(counting(n, &[op("amoadd.d", 0, 6, 8, 0)]), 2 * n);
    assert_eq!(counting(n, &[op("amoadd.w", 0, 6, 8, 0)]), 2 * n);
    for size in ["w", "d"] {
        let body = [
            op(&format!("lr.{size}"), 10, 6, 0, 0),
            op("addi", 10, 10, 0, 1),
            op(&format!("sc.{size}"), 11, 6, 10, 0),
            op("bne", 0, 11, 0, -12),
        ];
        assert_eq!(counting(n, &body), 2 * n);
    }
}

/// Zawrs, Zihintpause and prefetches, which QEMU's older versions do not know, do nothing one could see.
#[test]
fn hints_and_short_waits_do_nothing() {
    let machine = Machine::max();
    let hints = rows().filter(|(_, insn)| {
        let stalls = ["wrs.nto", "wrs.sto", "pause"].contains(&insn.mnemonic);
        stalls || insn.mnemonic.starts_with("prefetch")
    });
    for (_, insn) in hints {
        // A prefetch of nowhere is none.
        let rs1 = if insn.format == Format::S { 5 << 15 } else { 0 };
        let words = [op("addi", 10, 0, 0, 7), op("addi", 5, 0, 0, 3), insn.pattern.1 | rs1, nop()];
        assert_eq!(machine.outcome(&words), 7, "{}", insn.mnemonic);
        assert_eq!(machine.csr(csr::MCAUSE), 0, "{}", insn.mnemonic);
    }
}
