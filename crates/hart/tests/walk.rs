//! Address translation against a plain reading of the specification (privileged spec, 10.3.2 and after), on random
//! page tables; and what a hart must forget when, or may keep.

#![forbid(unsafe_code)]

mod common;

use common::{RAM, Rng, SIZE, full, hart};
use hartwright_hart::{Access, Cause, Hart, Privilege, Trap};
use hartwright_isa::{Ext, cpu::CpuModel, csr::*};

const V: u64 = 1;
const R: u64 = 2;
const W: u64 = 4;
const X: u64 = 8;
const U: u64 = 16;
const G: u64 = 32;
const A: u64 = 64;
const D: u64 = 128;
const LEAF: u64 = V | R | W | X | A | D;
const PAGE: u64 = 0x1000;
const SUM: u64 = 1 << 18;
const MXR: u64 = 1 << 19;
const MPRV: u64 = 1 << 17;

fn model() -> CpuModel {
    CpuModel::find("max").unwrap().clone()
}

/// A hart on which S and U may touch all memory.
fn open(model: CpuModel) -> Hart<u64> {
    let hart = hart(model);
    hart.write_csr(PMPADDR0, u64::MAX);
    hart.write_csr(PMPCFG0, 0x1f);
    hart
}

fn load(hart: &Hart<u64>, addr: u64) -> Option<u64> {
    hart.config().space.load(addr, 8).ok()
}

fn store(hart: &Hart<u64>, addr: u64, value: u64) {
    hart.config().space.store(addr, 8, value).unwrap();
}

/// What governs a walk besides the tables.
#[derive(Clone, Copy, Debug)]
struct Rules {
    satp: u64,
    mode: Privilege,
    sum: bool,
    mxr: bool,
    /// Whether A and D are set by hardware.
    update: bool,
    pbmt: bool,
    napot: bool,
}

/// The steps of the specification, one by one: the physical address, and the entry to be written where.
fn reference(
    hart: &Hart<u64>,
    rules: Rules,
    va: u64,
    access: Access,
) -> Result<(u64, Option<(u64, u64)>), Cause> {
    let levels = match rules.satp >> 60 {
        8 => 3i64,
        9 => 4,
        10 => 5,
        _ => return Ok((va, None)),
    };
    if rules.mode == Privilege::Machine {
        return Ok((va, None));
    }
    let page_fault = Err(Cause::page_fault(access));
    let bits = 12 + 9 * levels;
    let sign = va as i64 >> (bits - 1);
    if sign != 0 && sign != -1 {
        return page_fault;
    }
    let mut a = (rules.satp & ((1 << 44) - 1)) * PAGE;
    let mut i = levels - 1;
    loop {
        let vpn = va >> (12 + 9 * i) & 511;
        let at = a + vpn * 8;
        let Some(pte) = load(hart, at) else { return Err(Cause::access_fault(access)) };
        let flag = |bit: u64| pte & bit != 0;
        let ppn = pte >> 10 & ((1 << 44) - 1);
        if !flag(V) || !flag(R) && flag(W) || pte >> 54 & 0x7f != 0 {
            return page_fault;
        }
        let (pbmt, n) = (pte >> 61 & 3, flag(1 << 63));
        if !flag(R) && !flag(X) {
            if flag(A) || flag(D) || flag(U) || pbmt != 0 || n {
                return page_fault;
            }
            i -= 1;
            if i < 0 {
                return page_fault;
            }
            a = ppn * PAGE;
            continue;
        }
        if pbmt == 3 || pbmt != 0 && !rules.pbmt || n && !rules.napot {
            return page_fault;
        }
        match (rules.mode, flag(U)) {
            (Privilege::User, false) => return page_fault,
            (Privilege::Supervisor, true) if access == Access::Fetch || !rules.sum => return page_fault,
            _ => {}
        }
        let permitted = match access {
            Access::Fetch => flag(X),
            Access::Load => flag(R) || flag(X) && rules.mxr,
            Access::Store => flag(W),
        };
        if !permitted {
            return page_fault;
        }
        let mut ppn = ppn;
        if i > 0 && ppn & ((1 << (9 * i)) - 1) != 0 {
            return page_fault;
        }
        if n {
            if i > 0 || ppn & 15 != 8 {
                return page_fault;
            }
            ppn = ppn & !15 | va >> 12 & 15;
        }
        let low = (1 << (9 * i)) - 1;
        ppn = ppn & !low | if i > 0 { va >> 12 & low } else { ppn & low };
        let new = pte | A | if access == Access::Store { D } else { 0 };
        if new != pte && !rules.update {
            return page_fault;
        }
        return Ok((ppn * PAGE + va % PAGE, (new != pte).then_some((at, new))));
    }
}

/// A random entry that likely leads on: to another table, or to memory.
fn entry(rng: &mut Rng, tables: &[u64], level: u64) -> u64 {
    let flags =
        if rng.one_in(4) { rng.next() & 0xff } else { LEAF & !(rng.next() & rng.next() & (A | D | W | X)) };
    let flags = flags | if rng.one_in(2) { U } else { 0 } | if rng.one_in(8) { G } else { 0 };
    // Readable or not, writing needs it.
    let flags = if rng.one_in(8) { flags & !R } else { flags };
    let high = match rng.below(40) {
        0 => 1 << (54 + rng.below(7)),
        1 | 2 => rng.below(4) << 61,
        3 | 4 => 1 << 63,
        _ => 0,
    };
    let table = rng.pick(tables);
    let table_likely = if level > 2 { 32 } else { 4 };
    if level > 0 && !rng.one_in(table_likely) {
        let odd = if rng.one_in(16) { rng.next() & (A | D | U | G) } else { 0 };
        let odd = if rng.one_in(32) { odd | high } else { odd };
        return table / PAGE << 10 | V | odd;
    }
    let mut target = RAM + rng.below(SIZE);
    if level > 0 && !rng.one_in(4) {
        target =
            if level == 1 { target & !((1 << 21) - 1) } else { 0x8000_0000 & !((1 << (12 + 9 * level)) - 1) };
    }
    if high == 1 << 63 && !rng.one_in(4) {
        target = target & !0xffff | 0x8000;
    }
    if rng.one_in(40) {
        // Nothing lies there.
        target = rng.next() & ((1 << 56) - 1);
    }
    target / PAGE << 10 | flags | high
}

/// Random tables in the second half of RAM; gives their addresses, the root first.
fn tables(rng: &mut Rng, hart: &Hart<u64>, levels: u64, indices: &[u64]) -> Vec<u64> {
    let pages: Vec<u64> = (0..8).map(|i| RAM + SIZE / 2 + i * PAGE).collect();
    for (i, page) in pages.iter().enumerate() {
        for index in indices {
            let level = if i == 0 { levels - 1 } else { rng.below(levels) };
            store(hart, page + 8 * index, entry(rng, &pages[1..], level));
        }
    }
    pages
}

/// A virtual address made of few indices, so that tables are met again.
fn address(rng: &mut Rng, levels: u64, indices: &[u64]) -> u64 {
    let mut va = rng.below(PAGE);
    for level in 0..5 {
        va |= rng.pick(indices) << (12 + 9 * level);
    }
    let bits = if rng.one_in(10) { rng.pick(&[39, 48, 57, 64]) } else { 12 + 9 * levels };
    let extended = ((va << (64 - bits)) as i64 >> (64 - bits)) as u64;
    if rng.one_in(20) { va | rng.next() << 57 } else { extended }
}

fn check_walks(seed: u64, model: CpuModel, update: bool) -> [u64; 3] {
    let mut rng = Rng(seed);
    let (pbmt, napot) = (model.extensions.has(Ext::Svpbmt), model.extensions.has(Ext::Svnapot));
    let hart = open(model);
    let mut counts = [0; 3];
    for _ in 0..if full() { 20_000 } else { 1_000 } {
        let levels = 3 + rng.below(3);
        // Most likely 0, which leads from superpages into the RAM there is.
        let indices = [0, 0, 0, 0, 1, 255, 256, 511].map(|i| i & if rng.one_in(2) { 3 } else { 511 });
        let pages = tables(&mut rng, &hart, levels, &indices);
        hart.set_privilege(Privilege::Machine);
        hart.write_csr(MSTATUS, 0);
        let satp = (levels + 5) << 60 | rng.below(1 << 16) << 44 | pages[0] / PAGE;
        hart.write_csr(SATP, satp);
        // Tables were written behind its back.
        hart.flush();
        for _ in 0..50 {
            let access = rng.pick(&[Access::Fetch, Access::Load, Access::Store]);
            let mode = match rng.below(12) {
                0 => Privilege::Machine,
                1..6 => Privilege::User,
                _ => Privilege::Supervisor,
            };
            let status = rng.next() & (SUM | MXR);
            let by_mprv = access != Access::Fetch && rng.one_in(3);
            if by_mprv {
                hart.set_privilege(Privilege::Machine);
                hart.write_csr(MSTATUS, status | MPRV | (mode as u64) << 11);
            } else {
                hart.write_csr(MSTATUS, status);
                hart.set_privilege(mode);
            }
            let rules =
                Rules { satp, mode, sum: status & SUM != 0, mxr: status & MXR != 0, update, pbmt, napot };
            let va = address(&mut rng, levels, &indices) & !7;
            let expected = reference(&hart, rules, va, access);
            if let Ok((pa, _)) = expected
                && access == Access::Store
                && pages.contains(&(pa & !(PAGE - 1)))
            {
                // It would change the tables.
                continue;
            }
            let what = format!("{access:?} at {va:#x}, {rules:x?}, by MPRV {by_mprv}: {expected:x?}");
            let got = touch_value(&hart, &mut rng, va, access);
            match (expected, got) {
                (Err(cause), Err(trap)) => {
                    assert_eq!(trap, Trap::new(cause, va), "{what}");
                    counts[usize::from(trap.cause as u8 >= 12)] += 1;
                }
                (Ok((pa, written)), Ok(found)) => {
                    assert_eq!(found.place, pa, "{what}");
                    if let Some((at, pte)) = written {
                        assert_eq!(load(&hart, at), Some(pte), "{what}: the entry afterwards");
                    }
                    counts[2] += 1;
                }
                (Ok((pa, written)), Err(trap)) => {
                    assert!(load(&hart, pa).is_none(), "{what}: {trap:?}");
                    assert_eq!(trap, Trap::new(Cause::access_fault(access), va), "{what}");
                    if let Some((at, pte)) = written {
                        assert_eq!(load(&hart, at), Some(pte), "{what}: the entry afterwards");
                    }
                    counts[0] += 1;
                }
                (expected, got) => panic!("{what}: expected {expected:x?}, got {got:x?}"),
            }
        }
    }
    counts
}

#[derive(Debug)]
struct Found {
    place: u64,
}

/// Does an access, and tells where it went: a fetch says so itself; a load finds, and a store leaves, a mark.
fn touch_value(hart: &Hart<u64>, rng: &mut Rng, va: u64, access: Access) -> Result<Found, Trap> {
    match access {
        Access::Fetch => hart.fetch_place(va, 2).map(|at| Found { place: RAM + at }),
        Access::Load => {
            let value = hart.load::<u64>(va)?;
            let place = hart.look_up(va).expect("what can be loaded can be looked up");
            assert_eq!(load(hart, place), Some(value), "{va:#x} is at {place:#x}");
            Ok(Found { place })
        }
        Access::Store => {
            let place = hart.look_up(va).unwrap_or(va);
            let held = load(hart, place);
            let mark = rng.next();
            hart.store(va, mark)?;
            assert_eq!(load(hart, place), Some(mark), "{va:#x} is at {place:#x}");
            store(hart, place, held.unwrap());
            Ok(Found { place })
        }
    }
}

#[test]
fn walks_end_where_the_specification_says() {
    let counts = check_walks(1, model(), true);
    eprintln!("access faults, page faults, translations: {counts:?}");
}

#[test]
fn walks_without_hardware_updates_fault_instead() {
    let mut plain = model();
    plain.extensions = plain.extensions.with(Ext::Svade).without(Ext::Svadu);
    let counts = check_walks(2, plain, false);
    eprintln!("access faults, page faults, translations: {counts:?}");
}

#[test]
fn walks_without_the_newer_extensions_take_their_bits_for_reserved() {
    let mut plain = model();
    plain.extensions = plain.extensions.without(Ext::Svpbmt).without(Ext::Svnapot);
    let counts = check_walks(3, plain, true);
    eprintln!("access faults, page faults, translations: {counts:?}");
}

/// A hart in S-mode with Sv39 and one 4 KiB page at each of some virtual addresses.
struct Mapped {
    hart: Hart<u64>,
}

const ROOT: u64 = RAM + 0x10_0000;
const MIDDLE: u64 = ROOT + PAGE;
const LAST: u64 = ROOT + 2 * PAGE;
const HERE: u64 = 0x40_0000;

impl Mapped {
    fn new() -> Self {
        let hart = open(model());
        store(&hart, ROOT, MIDDLE >> 2 | V);
        store(&hart, MIDDLE + 8 * (HERE >> 21), LAST >> 2 | V);
        let mapped = Mapped { hart };
        for page in 0..16 {
            store(&mapped.hart, RAM + page * PAGE, 0x1111 * page);
            mapped.map(page, page, LEAF);
        }
        mapped.hart.write_csr(SATP, 8 << 60 | ROOT >> 12);
        mapped.hart.set_privilege(Privilege::Supervisor);
        mapped
    }

    fn map(&self, page: u64, to: u64, flags: u64) {
        store(&self.hart, LAST + 8 * page, (RAM + to * PAGE) >> 2 | flags);
    }

    fn read(&self, page: u64) -> Result<u64, Cause> {
        self.hart.load::<u64>(HERE + page * PAGE).map_err(|trap| trap.cause)
    }
}

#[test]
fn a_changed_entry_is_seen_after_the_fence() {
    let m = Mapped::new();
    assert_eq!(m.read(3), Ok(0x3333));
    m.map(3, 4, LEAF);
    m.hart.flush_page(HERE + 3 * PAGE + 0x123);
    assert_eq!(m.read(3), Ok(0x4444));
    m.map(3, 5, LEAF);
    m.hart.flush();
    assert_eq!(m.read(3), Ok(0x5555));
    m.map(3, 5, LEAF & !(R | W));
    m.hart.flush_page(HERE + 3 * PAGE);
    assert_eq!(m.read(3), Err(Cause::LoadPageFault));
    assert!(m.hart.fetch_place(HERE + 3 * PAGE, 2).is_ok());
    m.map(3, 5, LEAF & !X);
    m.hart.flush_page(HERE + 3 * PAGE);
    assert_eq!(m.hart.fetch_place(HERE + 3 * PAGE, 2).unwrap_err().cause, Cause::InstructionPageFault);
}

#[test]
fn a_fence_of_any_address_in_a_superpage_ends_all_of_it() {
    let m = Mapped::new();
    let big = |flags| store(&m.hart, MIDDLE + 8 * 5, 0x8000_0000 >> 2 | flags);
    let at = 5 << 21;
    big(LEAF);
    for page in 0..600 {
        assert!(m.hart.load::<u64>(at + page % 512 * PAGE).is_ok());
    }
    big(LEAF & !R & !W);
    m.hart.flush_page(at + 77 * PAGE);
    for page in 0..512 {
        assert!(m.hart.load::<u64>(at + page * PAGE).is_err(), "page {page}");
    }
    // So it is with a 64 KiB page.
    for i in 0..16 {
        store(&m.hart, LAST + 8 * (32 + i), 1 << 63 | (RAM + 0x8000) >> 2 | LEAF);
    }
    assert_eq!(m.read(32 + 5), Ok(0x5555));
    assert_eq!(m.read(32 + 11), Ok(0xbbbb));
    for i in 0..16 {
        store(&m.hart, LAST + 8 * (32 + i), 0);
    }
    m.hart.flush_page(HERE + 32 * PAGE);
    assert_eq!(m.read(32 + 11), Err(Cause::LoadPageFault));
}

#[test]
fn what_changes_the_rules_is_seen_at_once() {
    let m = Mapped::new();
    let hart = &m.hart;
    m.map(1, 1, LEAF | U);
    m.map(2, 2, LEAF & !(R | W));
    let status = |bits| hart.write_csr(MSTATUS, bits);
    for _ in 0..3 {
        status(0);
        assert_eq!(m.read(1), Err(Cause::LoadPageFault));
        assert_eq!(m.read(2), Err(Cause::LoadPageFault));
        status(SUM);
        assert_eq!(m.read(1), Ok(0x1111));
        assert!(hart.fetch_place(HERE + PAGE, 2).is_err());
        status(MXR);
        assert_eq!(m.read(2), Ok(0x2222));
        hart.set_privilege(Privilege::User);
        assert_eq!(m.read(1), Ok(0x1111));
        assert_eq!(m.read(3), Err(Cause::LoadPageFault));
        hart.set_privilege(Privilege::Machine);
        assert_eq!(m.read(3), Err(Cause::LoadAccessFault));
        status(MPRV | 1 << 11);
        assert_eq!(m.read(3), Ok(0x3333));
        status(MPRV);
        assert_eq!(m.read(3), Err(Cause::LoadPageFault));
        hart.set_privilege(Privilege::Supervisor);
        // Another address space, and back.
        hart.write_csr(SATP, 0);
        assert_eq!(m.read(3), Err(Cause::LoadAccessFault));
        hart.write_csr(SATP, 8 << 60 | ROOT >> 12);
        status(0);
        assert_eq!(m.read(3), Ok(0x3333));
        // Protection, which needs no fence here.
        hart.write_csr(PMPCFG0, 0x1c);
        assert_eq!(m.read(3), Err(Cause::LoadAccessFault));
        hart.write_csr(PMPCFG0, 0x1f);
        assert_eq!(m.read(3), Ok(0x3333));
    }
}

#[test]
fn a_page_that_was_only_read_is_marked_when_it_is_written() {
    let m = Mapped::new();
    let pte = |page: u64| load(&m.hart, LAST + 8 * page).unwrap();
    m.map(6, 6, LEAF & !(A | D));
    assert_eq!(m.read(6), Ok(0x6666));
    assert_eq!(pte(6) & (A | D), A);
    m.hart.store(HERE + 6 * PAGE, 1u64).unwrap();
    assert_eq!(pte(6) & (A | D), A | D);
    // Looking, as a debugger does, marks nothing.
    m.map(7, 7, LEAF & !(A | D));
    assert_eq!(m.hart.look_up(HERE + 7 * PAGE), Some(RAM + 7 * PAGE));
    assert_eq!(pte(7) & (A | D), 0);
}

#[test]
fn tables_are_protected_as_all_memory_is() {
    let m = Mapped::new();
    let hart = &m.hart;
    m.map(8, 8, LEAF & !D);
    assert_eq!(m.read(8), Ok(0x8888));
    hart.set_privilege(Privilege::Machine);
    // The last table may be read only, all else everything.
    hart.write_csr(PMPADDR0, LAST >> 2 | (PAGE >> 3) - 1);
    hart.write_csr(PMPADDR0 + 1, u64::MAX);
    hart.write_csr(PMPCFG0, 0x1f19);
    hart.set_privilege(Privilege::Supervisor);
    let write = |page| hart.store(HERE + page * PAGE, 1u64);
    assert_eq!(m.read(8), Ok(0x8888));
    assert_eq!(write(8), Err(Trap::new(Cause::StoreAccessFault, HERE + 8 * PAGE)));
    assert_eq!(write(9), Ok(false));
    hart.set_privilege(Privilege::Machine);
    hart.write_csr(PMPCFG0, 0x1f1c);
    hart.set_privilege(Privilege::Supervisor);
    assert_eq!(m.read(9), Err(Cause::LoadAccessFault));
    let fetch = hart.fetch_place(HERE, 2);
    assert_eq!(fetch, Err(Trap::new(Cause::InstructionAccessFault, HERE)));
}
