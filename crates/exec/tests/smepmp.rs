//! Smepmp: what every encoding of an entry lets every mode do, and what a locked entry keeps, against QEMU and
//! against the table of the specification, read a second time.

#![forbid(unsafe_code)]

mod common;

use common::{
    FINISHER, Machine, Rng, full, model, op,
    peer::{Qemu, qemus},
    script::{FREE, NOTES, PROGRAM, STUBS, Script},
};
use hartwright_isa::csr;

const MML: u64 = 1;
const MMWP: u64 = 2;
const RLB: u64 = 4;

const R: u64 = 1;
const W: u64 = 2;
const X: u64 = 4;
const L: u64 = 0x80;
const NAPOT: u64 = 3 << 3;

/// What is accessed: a page of its own.
const TARGET: u64 = FREE;
/// As [`TARGET`], where no entry is.
const NOWHERE: u64 = FREE + 0x10_0000;

fn napot(base: u64, size: u64) -> u64 {
    (base | (size / 2 - 1)) >> 2
}

/// The name the QEMU knows the extension by.
fn cpu(qemu: &Qemu) -> &'static str {
    if qemu.version >= 8 { "rv64,smepmp=on" } else { "rv64,x-epmp=on" }
}

/// Entries 1 to 4: the program, which M-mode executes; the stubs, which all execute; the notes; the finisher.
fn fixed(mml: bool) -> [(u64, u64, u64); 4] {
    let all = if mml { L | W } else { R | X };
    [
        (PROGRAM, 0x40_0000, if mml { L | R | X } else { R | X }),
        (STUBS, 0x40_0000, all),
        (NOTES, 0x80_0000, if mml { L | R | W } else { R | W }),
        (FINISHER, 0x1000, if mml { L | R | W } else { R | W }),
    ]
}

fn begin(mml: u64, mmwp: u64) -> Script {
    let mut script = Script::new();
    script.set(csr::MSECCFG, RLB);
    let mut cfg = 0;
    for (i, (base, size, rights)) in fixed(mml != 0).into_iter().enumerate() {
        script.set(csr::PMPADDR0 + 1 + i as u16, napot(base, size));
        cfg |= (rights | NAPOT) << (8 * (i + 1));
    }
    script.set(csr::PMPADDR0, napot(TARGET, 0x1000));
    // What the stubs' entry says is reserved until `MML` is set.
    script.set(csr::PMPCFG0, if mml != 0 { cfg & !(0xff << 16) } else { cfg });
    script.set(csr::MSECCFG, RLB | mml | mmwp);
    script.set(csr::PMPCFG0, cfg);
    script
}

const MODES: [(&str, u64); 3] = [("U", 0), ("S", 1), ("M", 3)];
const ACCESSES: [&str; 3] = ["load", "store", "fetch"];

/// Every encoding, mode and access with these two bits; and accesses to where no entry is.
fn every(mml: u64, mmwp: u64) -> Script {
    let mut script = begin(mml, mmwp);
    let ecall = op("ecall", 0, 0, 0, 0);
    let load = script.stub(&[op("ld", 6, 7, 0, 0), ecall]);
    let store = script.stub(&[op("sd", 0, 7, 5, 8), ecall]);
    let fixed = fixed(mml != 0).iter().rev().fold(0, |cfg, (_, _, rights)| cfg << 8 | rights | NAPOT) << 8;
    for rights in 0..16u64 {
        let lrwx = (rights >> 3 & 1) * L | (rights >> 2 & 1) * R | (rights >> 1 & 1) * W | (rights & 1) * X;
        if mml == 0 && lrwx & (R | W) == W {
            continue;
        }
        script.put(&format!("LRWX {rights:04b}"), csr::PMPCFG0, fixed | NAPOT | lrwx);
        for (mode, mpp) in MODES {
            for access in ACCESSES {
                for at in [TARGET, NOWHERE] {
                    let where_ = if at == TARGET { "there" } else { "nowhere" };
                    let name = format!("{rights} {mode} {access} {where_}");
                    let pc = match access {
                        "load" => load,
                        "store" => store,
                        _ => at,
                    };
                    script.go(name, pc, mpp << 11, 0, at);
                    if access != "fetch" {
                        // By MPRV, as that mode, from M.
                        let name = format!("{rights} {mode} {access} {where_} by MPRV");
                        let word = if access == "load" { op("ld", 6, 7, 0, 0) } else { op("sd", 0, 7, 0, 8) };
                        let stub = script.stub(&[
                            op("csrrw", 0, 5, 0, csr::MSTATUS.into()),
                            word,
                            op("csrrw", 0, 0, 0, csr::MSTATUS.into()),
                            ecall,
                        ]);
                        script.go(name, stub, 3 << 11, mpp << 11 | 1 << 17, at);
                        script.set(csr::MSTATUS, 0);
                    }
                }
            }
        }
    }
    script
}

/// The table of the specification once more, by the words of its rows rather than by its bits.
fn by_the_table(mml: bool, mmwp: bool, rights: u64, mode: &str, access: &str, there: bool) -> bool {
    let machine = mode == "M";
    if !there {
        return machine && !mmwp && !(mml && access == "fetch");
    }
    let (l, r, w, x) = (rights & 8 != 0, rights & 4 != 0, rights & 2 != 0, rights & 1 != 0);
    let plain = match access {
        "load" => r,
        "store" => w,
        _ => x,
    };
    if !mml {
        return machine && !l || plain;
    }
    match (l, r, w, x) {
        // Shared regions: data, data both may write, code, code M may read, and data nobody may write.
        (false, false, true, false) => access == "load" || machine && access == "store",
        (false, false, true, true) => access != "fetch",
        (true, false, true, false) => access == "fetch",
        (true, false, true, true) => access == "fetch" || machine && access == "load",
        (true, true, true, true) => access == "load",
        // All others are one mode's: M's if locked, the others' if not.
        _ => machine == l && plain,
    }
}

fn settings() -> [(u64, u64); 4] {
    [(0, 0), (0, MMWP), (MML, 0), (MML, MMWP)]
}

#[test]
fn every_encoding_allows_what_the_table_says() {
    for (mml, mmwp) in settings() {
        let script = every(mml, mmwp);
        let mut compared = 0;
        for (name, note) in script.notes(&script.run_here(model("max"))) {
            let words: Vec<&str> = name.split(' ').collect();
            let [rights, mode, access, at] = words[..4] else { continue };
            let Ok(rights) = rights.parse() else { continue };
            let allowed = by_the_table(mml != 0, mmwp != 0, rights, mode, access, at == "there");
            let fault = match access {
                "load" => 5,
                "store" => 7,
                _ => 1,
            };
            // Where a fetch is allowed there is nothing to execute.
            assert_eq!(note.mcause != fault, allowed, "{name}, MML {mml}, MMWP {mmwp}: {note:x?}");
            compared += 1;
        }
        assert!(compared > 300, "{compared}");
    }
}

#[test]
fn every_encoding_allows_what_it_allows_in_qemu() {
    for qemu in qemus(64) {
        for (mml, mmwp) in settings() {
            let script = every(mml, mmwp);
            // While locks are bypassed, QEMU 7.2 does not hold M-mode to a locked entry either.
            let free = qemu.version < 8 && mml == 0;
            let lines = script.differences(model("max"), &qemu, cpu(&qemu), |name, _, _| {
                free && name.contains(" M ") && name.contains(" there")
            });
            lines.iter().take(20).for_each(|line| eprintln!("{line}"));
            assert!(
                lines.is_empty(),
                "QEMU {}, MML {mml}, MMWP {mmwp}: {} differ",
                qemu.version,
                lines.len()
            );
        }
    }
}

/// Random writes to the entries and to `mseccfg`, in an order in which some lock others: each register is read back.
fn writes(rng: &mut Rng, count: u64, may: u64) -> Script {
    let mut script = Script::new();
    let data = L | R | W | NAPOT;
    let base = L | R | X | NAPOT | data << 8 | data << 16;
    script.set(csr::PMPADDR0, napot(PROGRAM, 0x40_0000));
    script.set(csr::PMPADDR0 + 1, napot(NOTES, 0x80_0000));
    script.set(csr::PMPADDR0 + 2, napot(FINISHER, 0x1000));
    let rlb = if rng.one_in(3) { 0 } else { RLB };
    script.set(csr::MSECCFG, rlb);
    script.set(csr::PMPCFG0, base);
    script.get("mseccfg at first", csr::MSECCFG);
    let mut mml = false;
    for _ in 0..count {
        match rng.below(8) {
            0 => {
                let value = rng.next() & rng.next() & may;
                mml |= value & MML != 0;
                script.put("mseccfg", csr::MSECCFG, value);
            }
            1..=3 => {
                let entry = 3 + rng.below(13) as u16;
                script.put("pmpaddr", csr::PMPADDR0 + entry, rng.next() & ((1 << 54) - 1) | 1);
            }
            _ => {
                let high = rng.one_in(2);
                let mut value = rng.next() & 0x9f9f_9f9f_9f9f_9f9f;
                if !rng.one_in(4) {
                    value &= !0x8080_8080_8080_8080;
                }
                // Four bytes by granule are everyone's own affair, and so is W without R while it is reserved.
                let mut bytes = value.to_le_bytes();
                for byte in &mut bytes {
                    if !mml && *byte & 3 == 2 {
                        *byte |= 1;
                    }
                }
                value = u64::from_le_bytes(bytes);
                if !high {
                    value = value & !0xff_ffff | base;
                }
                script.put("pmpcfg", csr::PMPCFG0 + 2 * u16::from(high), value);
            }
        }
    }
    for csr in
        (0..16).map(|entry| csr::PMPADDR0 + entry).chain([csr::PMPCFG0, csr::PMPCFG0 + 2, csr::MSECCFG])
    {
        script.get("at the end", csr);
    }
    script
}

#[test]
fn what_is_locked_stays_as_in_qemu() {
    let mut rng = Rng(83);
    for qemu in qemus(64) {
        for round in 0..if full() { 100 } else { 2 } {
            // QEMU 7.2 refuses some entries with MML that it may not.
            let script = writes(&mut rng, 300, if qemu.version >= 8 { 7 } else { MMWP | RLB });
            let lines = script.differences(model("max"), &qemu, cpu(&qemu), |_, _, _| false);
            lines.iter().take(20).for_each(|line| eprintln!("{line}"));
            assert!(lines.is_empty(), "QEMU {}, round {round}: {} differ", qemu.version, lines.len());
        }
    }
}

/// The three bits of `mseccfg` by themselves (privileged spec, Smepmp, "Smepmp Physical Memory Protection Rules").
#[test]
fn the_bits_of_mseccfg_stick() {
    let machine = Machine::max();
    let write = |csr, value| machine.harts.with(0, move |hart| hart.set_csr(csr, value)).unwrap();
    let held = |value| {
        write(csr::MSECCFG, value);
        machine.csr(csr::MSECCFG)
    };
    assert_eq!([RLB, 0, RLB, MMWP, 0, MML | RLB, 0].map(held), [RLB, 0, RLB, MMWP, MMWP, 7, 3]);
    // Once an entry is locked, on or not, locks cannot be bypassed any more; while they are, they can be undone.
    machine.harts.reset();
    assert_eq!(held(RLB), RLB);
    write(csr::PMPCFG0 + 2, L << 56);
    assert_eq!([RLB, 0, RLB].map(held), [RLB, 0, 0]);
    machine.harts.reset();
    write(csr::MSECCFG, RLB);
    for value in [L << 56, 0, L] {
        write(csr::PMPCFG0 + 2, value);
        assert_eq!(machine.csr(csr::PMPCFG0 + 2), value);
    }
    assert_eq!([0, RLB].map(held), [0, 0]);
    write(csr::PMPCFG0 + 2, 0);
    assert_eq!(machine.csr(csr::PMPCFG0 + 2), L);
}
