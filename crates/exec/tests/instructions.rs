//! Every instruction of the tables, with random and edge operands, against QEMU.
//!
//! Differences on purpose:
//! - `mstatus.FS` and `SD` may become dirty earlier in QEMU, and are not compared.
//! - `mtval` of a breakpoint is its address, in QEMU 7.2 zero (privileged spec, 3.1.16, allows both).
//! - QEMU does not notice the faults of an `sc` that fails anyway.
//! - QEMU 7.2 takes some faults of atomic operations for those of loads, rounds the address of a misaligned access
//!   to nothing down, counts beyond 32 in `ctzw`, keeps bit 0 of `sepc`, and lets `csrrs` and `csrrc` write no bits
//!   to read-only registers; see [`old_ways`].

#![forbid(unsafe_code)]

mod common;

use common::{
    RAM, Rng,
    battery::{BREAKPOINT, Battery, Case, MACHINE, Outcome, SCRATCH, SCRATCH_SIZE},
    full, model, op,
    peer::{Qemu, qemus},
    place,
    recorder::Shape,
};
use hartwright_isa::{Decoded, Decoder, Ext, ExtSet, Format, Insn, csr, rows};

/// What QEMU 7.2 knows of ours.
const OLD: &[Ext] = &[
    Ext::I,
    Ext::M,
    Ext::A,
    Ext::F,
    Ext::D,
    Ext::C,
    Ext::Zcd,
    Ext::Zicsr,
    Ext::Zifencei,
    Ext::Zihintpause,
    Ext::Zba,
    Ext::Zbb,
    Ext::Zbc,
    Ext::Zbs,
    Ext::Svinval,
    Ext::Zfhmin,
    Ext::Zfh,
    Ext::Zkn,
    Ext::Zks,
];
/// What the newer one knows besides.
const NEW: &[Ext] = &[
    Ext::Zicond,
    Ext::Zicbom,
    Ext::Zicbop,
    Ext::Zicboz,
    Ext::Zihintntl,
    Ext::Zimop,
    Ext::Zcb,
    Ext::Zcmop,
    Ext::Zfa,
    Ext::Zabha,
    Ext::Zacas,
];

/// Registers to try CSR instructions on: plain storage to both, and some that are not there or cannot be written.
const CSRS: &[u16] = &[
    csr::FFLAGS,
    csr::FRM,
    csr::FCSR,
    csr::SSCRATCH,
    csr::SCAUSE,
    csr::STVAL,
    csr::SEPC,
    csr::MHARTID,
    csr::MVENDORID,
    0x5c0,
];

/// `mstatus.FS`.
const FS: u64 = 3 << 13;
/// `mcause` of stores that are misaligned or lead nowhere.
const STORE_FAULTS: [u64; 2] = [6, 7];
/// `c.ebreak`, which ends a case wherever it lands.
const EBREAK: [u8; 2] = [0x02, 0x90];
/// Bytes of them on either side of a jump.
const LANDING: u64 = 64;

fn is(mnemonic: &str, list: &[&str]) -> bool {
    list.iter().any(|prefix| mnemonic.starts_with(prefix))
}

/// Whether an instruction stays where it is: no trap return, no wait.
fn stays(insn: &Insn) -> bool {
    !is(insn.mnemonic, &["mret", "sret", "wfi", "wrs"])
}

/// How far a jump may go: not to itself, nor into its own middle.
fn landing(rng: &mut Rng) -> i64 {
    let bytes = 4 + 2 * rng.below(LANDING / 4) as i64;
    if rng.one_in(2) { bytes } else { 2 - bytes }
}

/// One case of a 32-bit instruction.
fn wide(battery: &mut Battery, rng: &mut Rng, insn: &Insn) {
    let (mask, value) = insn.pattern;
    let mut raw = value | rng.next() as u32 & !mask;
    match insn.format {
        Format::B | Format::J => {
            let imm = landing(rng);
            raw &= !place(insn.format, u32::MAX);
            raw |= place(insn.format, imm as u32);
        }
        Format::Z => raw = raw & 0xf_ffff | u32::from(rng.pick(CSRS)) << 20,
        _ => {}
    }
    if is(insn.mnemonic, &["sc."]) && !rng.one_in(3) {
        // After a reservation of the same word, by which it succeeds unless that changed its address.
        let rs1 = raw >> 15 & 31;
        let lr = 0x1000_002f | raw & 0x7000 | rs1 << 15 | (rng.below(32) as u32) << 7;
        return one(battery, rng, &lr.to_le_bytes(), raw, insn.mnemonic);
    }
    let (rd, base) = (raw >> 7 & 31, raw >> 15 & 31);
    if is(insn.mnemonic, &["amocas"]) && rd | 1 != base | 1 && !rng.one_in(3) {
        // After a load of what is there, by which it swaps.
        let [low, high] = [0, 1].map(|i| op("ld", rd | i, base, 0, 8 * i64::from(i)).to_le_bytes());
        let before = if insn.mnemonic == "amocas.q" { [low, high].concat() } else { low.to_vec() };
        return one(battery, rng, &before, raw, insn.mnemonic);
    }
    one(battery, rng, &[], raw, insn.mnemonic);
}

/// One case: `before`, the instruction, and the end.
fn one(battery: &mut Battery, rng: &mut Rng, before: &[u8], raw: u32, name: &str) {
    let all = Decoder::new(ExtSet::of(Ext::ALL), 64);
    let d = all.decode(raw, 0).unwrap_or_else(|| panic!("{name}: {raw:#x} decodes"));
    let pc = battery.here() + LANDING;
    let mut code = EBREAK.repeat(LANDING as usize / 2);
    code.extend(before);
    code.extend(&raw.to_le_bytes()[..d.len.into()]);
    code.extend(EBREAK.repeat(LANDING as usize / 2));
    battery.code(&code);
    let mut case = Case {
        name: format!(
            "{name} {raw:#010x} (after {before:02x?}: {})",
            d.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        pc,
        x: std::array::from_fn(|_| rng.integer_of(64)),
        f: std::array::from_fn(|_| rng.float()),
        fcsr: rng.below(256),
        // Now and then floating point is off.
        mstatus: if rng.one_in(16) { MACHINE & !FS } else { MACHINE },
        satp: 0,
        watch: SCRATCH,
    };
    aim(&mut case, rng, &d, pc + before.len() as u64);
    battery.cases.push(case);
}

/// Makes addresses lead where something is.
fn aim(case: &mut Case, rng: &mut Rng, d: &Decoded, pc: u64) {
    let mnemonic = d.insn().mnemonic;
    let base = d.rs1 as usize;
    let imm = i64::from(d.imm);
    if d.insn().syntax.iter().any(|(_, base)| !base.is_empty()) {
        let natural = if mnemonic == "amocas.q" { 16 } else { 8 };
        let size = if is(mnemonic, &["lr", "sc.", "amo"]) && !rng.one_in(10) { natural } else { 1 };
        let mut addr = SCRATCH + 64 + rng.below(SCRATCH_SIZE - 256) / size * size;
        if rng.one_in(4) {
            // About the end of a page.
            addr = (SCRATCH + 0x1000 - 8 + rng.below(16)) / size * size;
        }
        if mnemonic == "jalr" {
            addr = pc.wrapping_add_signed(landing(rng) | i64::from(rng.one_in(4)));
        }
        case.x[base] = addr.wrapping_add_signed(-imm).into();
        if mnemonic != "jalr" {
            case.watch = addr & !7;
        }
    }
}

fn battery(rng: &mut Rng, known: &[Ext], times: u64) -> Battery {
    let mut battery = Battery::new(rng, Shape::RV64);
    let known = ExtSet::of(known);
    for (_, insn) in rows().filter(|(_, i)| i.is_in(known, 64) && stays(i)) {
        (0..times).for_each(|_| wide(&mut battery, rng, insn));
    }
    battery
}

/// Every 16-bit pattern that means anything, or each so many of them.
fn narrow(rng: &mut Rng, known: &[Ext], step: usize) -> Battery {
    let mut battery = Battery::new(rng, Shape::RV64);
    let decoder = Decoder::new(ExtSet::of(known), 64);
    let legal: Vec<_> = (0..0x1_0000u32).filter_map(|raw| Some((raw, decoder.decode(raw, 0)?))).collect();
    let legal = legal.iter().filter(|(raw, _)| raw & 3 != 3);
    for (raw, d) in legal.skip(rng.below(step as u64) as usize).step_by(step) {
        // Jumps beyond the landing would leave the case.
        let jumps = is(d.insn().mnemonic, &["beq", "bne"]) || d.insn().mnemonic == "jal";
        if !jumps || d.imm != 0 && (-60..60).contains(&d.imm) {
            one(&mut battery, rng, &[], *raw, "compressed");
        }
    }
    battery
}

/// QEMU does not notice the faults of an `sc` that fails anyway.
fn in_vain(case: &Case, ours: &Outcome, theirs: &Outcome) -> bool {
    is(&case.name, &["sc."]) && STORE_FAULTS.contains(&ours.mcause) && theirs.mcause == BREAKPOINT
}

/// What QEMU 7.2 has otherwise than the specification, and 11 no more.
fn old_ways(case: &Case, ours: &Outcome, theirs: &Outcome) -> bool {
    const LOAD_FAULTS: [u64; 2] = [4, 5];
    let atomic = is(&case.name, &["amo"]);
    let as_load = atomic && STORE_FAULTS.contains(&ours.mcause) && LOAD_FAULTS.contains(&theirs.mcause);
    let rounded = ours.mcause == theirs.mcause && ours.mtval & !7 == theirs.mtval & !7;
    // Setting no bits of a read-only register is a write all the same (unprivileged spec, Zicsr).
    let no_bits = is(&case.name, &["csrr"]) && ours.mcause == 2 && theirs.mcause == BREAKPOINT;
    let wrong = is(&case.name, &["ctzw"]) || case.name.contains("sepc") || no_bits;
    as_load || wrong || rounded && Outcome { mtval: ours.mtval, ..theirs.clone() } == *ours
}

/// Compares a battery with a QEMU.
#[track_caller]
fn compare(battery: &mut Battery, qemu: &Qemu) -> usize {
    let ours = battery.run_here(model("max"));
    let cpu = if qemu.version < 8 { "rv64,svinval=on,Zfh=on,zkn=on,zks=on" } else { "max,zama16b=false" };
    let theirs = qemu.run(battery.image(), cpu);
    let excused = |case: &Case, ours: &Outcome, theirs: &Outcome| {
        in_vain(case, ours, theirs) || qemu.version < 8 && old_ways(case, ours, theirs)
    };
    let lines = battery.differences(&ours, &theirs, excused);
    for line in lines.iter().take(40) {
        eprintln!("{line}");
    }
    assert!(
        lines.is_empty(),
        "{} of {} cases differ from QEMU {}",
        lines.len(),
        battery.cases.len(),
        qemu.version
    );
    let scratch = |memory: &[u8]| {
        let at = (SCRATCH - RAM) as usize;
        memory[at..at + SCRATCH_SIZE as usize].to_vec()
    };
    assert!(scratch(&ours) == scratch(&theirs), "memory differs");
    battery.cases.len()
}

#[test]
fn every_instruction_does_what_it_does_in_qemu() {
    // An image has room for some 60,000 cases.
    let rounds = if full() { 10 } else { 1 };
    for qemu in qemus(64) {
        let mut rng = Rng(0x1234 + u64::from(qemu.version));
        let known = if qemu.version < 8 { OLD.to_vec() } else { [OLD, NEW].concat() };
        let count: usize = (0..rounds).map(|_| compare(&mut battery(&mut rng, &known, 50), &qemu)).sum();
        eprintln!("{count} cases agree with QEMU {}", qemu.version);
    }
}

#[test]
fn every_compressed_instruction_does_what_it_does_in_qemu() {
    let step = if full() { 1 } else { 8 };
    for qemu in qemus(64) {
        let mut rng = Rng(0x4321 + u64::from(qemu.version));
        let known = if qemu.version < 8 { OLD.to_vec() } else { [OLD, NEW].concat() };
        let count = compare(&mut narrow(&mut rng, &known, step), &qemu);
        eprintln!("{count} cases agree with QEMU {}", qemu.version);
    }
}
