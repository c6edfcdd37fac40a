//! The same instructions at 64 and at 128 bits, from the same sign-extended registers: what each row keeps.
//!
//! No peer is asked: the draft says that the base of 128 bits is to that of 64 as that is to 32 bits, so the `d` forms
//! must do what the plain ones of 64 bits do, and the `w` forms the same in both.

#![forbid(unsafe_code)]

mod common;

use common::{
    Rng,
    battery::{Battery, Case, MACHINE, Outcome, SCRATCH, SCRATCH_SIZE},
    full, model, op_at,
    recorder::Shape,
};
use hartwright_isa::{Decoder, ExtSet, Format, Insn, cpu::CpuModel, rows};

/// How a result at 128 bits is to that at 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// It is that, sign-extended.
    All,
    /// Its low 64 bits are that.
    Low,
    /// It is another number: the instruction sees where the register ends.
    Nothing,
}

/// Rows of both widths that keep less than all. Shift amounts are below 64 here.
const LESS: &[(&str, Keeps)] = &[
    ("add", Keeps::Low),
    ("addi", Keeps::Low),
    ("sub", Keeps::Low),
    ("mul", Keeps::Low),
    ("sll", Keeps::Low),
    ("slli", Keeps::Low),
    // The quotient of the least number and -1 is no number of 64 bits.
    ("div", Keeps::Low),
    ("srl", Keeps::Nothing),
    ("srli", Keeps::Nothing),
    ("mulh", Keeps::Nothing),
    ("mulhsu", Keeps::Nothing),
    ("mulhu", Keeps::Nothing),
    ("divu", Keeps::Nothing),
    ("remu", Keeps::Nothing),
];

/// Rows that are about the hart as a whole, or whose registers are as wide as they are.
const NOT_ASKED: &[&str] = &["mret", "sret", "wfi", "csr", "ecall", "sfence", "j"];

/// The `d` form of 128 bits lies as far from the plain one as this, in the major opcode.
const D_FORM: u32 = 0x13 ^ 0x5b;

const TIMES: usize = 60;

/// A CPU of 64 bits with the same extensions.
fn narrow() -> CpuModel {
    let wide = model("x-rv128");
    CpuModel { xlen: 64, extensions: wide.extensions.complete(64), ..wide }
}

fn sign_extended(v: u64) -> u128 {
    v as i64 as u128
}

/// The same case twice: as `raw` of 64 bits and as another word of 128.
fn both(batteries: &mut [Battery; 2], rng: &mut Rng, insn: &Insn, raw: u32, other: u32) {
    // Often about where signed numbers of 64 bits end.
    let end = |rng: &mut Rng| (1u64 << 63).wrapping_add(rng.below(0x1000)).wrapping_sub(0x800);
    let mut x: [u64; 32] = std::array::from_fn(|_| if rng.one_in(3) { end(rng) } else { rng.integer() });
    let (rs1, rs2) = ((raw >> 15 & 31) as usize, (raw >> 20 & 31) as usize);
    let addr = SCRATCH + 64 + rng.below(SCRATCH_SIZE - 256) / 8 * 8;
    let d = Decoder::new(narrow().extensions, 64).decode(raw, 0).expect("a row of 64 bits");
    if insn.syntax.iter().any(|(_, base)| !base.is_empty()) {
        x[rs1] = addr.wrapping_add_signed(-i64::from(d.imm));
    } else if matches!(insn.mnemonic, "sll" | "srl" | "sra") {
        x[rs2] &= 63;
    } else if insn.mnemonic == "div" && rng.one_in(4) {
        (x[rs1], x[rs2]) = (1 << 63, u64::MAX);
    }
    x[0] = 0;
    let (f, fcsr) = (std::array::from_fn(|_| rng.float()), rng.below(256));
    for (battery, word) in batteries.iter_mut().zip([raw, other]) {
        let end = op_at(64, "ebreak", 0, 0, 0, 0);
        let code = [word, end, end].map(u32::to_le_bytes);
        let pc = battery.code(code.as_flattened());
        let name = format!("{} {raw:#010x}", insn.mnemonic);
        let x = x.map(sign_extended);
        battery.cases.push(Case { name, pc, x, f, fcsr, mstatus: MACHINE, satp: 0, watch: addr });
    }
}

/// Whether an outcome at 128 bits keeps so much of that at 64.
fn kept(keeps: Keeps, narrow: &Outcome, wide: &Outcome) -> bool {
    let same = |r: usize| match keeps {
        Keeps::All => wide.x[r] == sign_extended(narrow.x[r] as u64),
        Keeps::Low | Keeps::Nothing => wide.x[r] as u64 == narrow.x[r] as u64,
    };
    (0..32).all(same)
        && (narrow.pc, narrow.f, narrow.fcsr, narrow.mcause, narrow.mtval, narrow.watched)
            == (wide.pc, wide.f, wide.fcsr, wide.mcause, wide.mtval, wide.watched)
}

/// Runs both; says for each case whether it keeps all, and whether it keeps the low half.
fn run(batteries: &mut [Battery; 2]) -> Vec<(String, bool, bool)> {
    let [narrow_ones, wide_ones] = batteries;
    let memories = [narrow_ones.run_here(narrow()), wide_ones.run_here(model("x-rv128"))];
    let outcome = |i| (narrow_ones.outcome(&memories[0], i), wide_ones.outcome(&memories[1], i));
    let judge = |(i, case): (usize, &Case)| {
        let (narrow, wide) = outcome(i);
        (case.name.clone(), kept(Keeps::All, &narrow, &wide), kept(Keeps::Low, &narrow, &wide))
    };
    narrow_ones.cases.iter().enumerate().map(judge).collect()
}

fn batteries() -> [Battery; 2] {
    // The same seed, so that memory is alike.
    [Shape::RV64, Shape::RV128].map(|shape| Battery::new(&mut Rng(0x64), shape))
}

fn has(insn: &Insn, extensions: ExtSet, xlen: u32) -> bool {
    insn.is_in(extensions, xlen) && !NOT_ASKED.iter().any(|name| insn.mnemonic.starts_with(name))
}

/// A word of a row, with a shift amount that 64 bits have.
fn word(rng: &mut Rng, insn: &Insn) -> u32 {
    let (mask, value) = insn.pattern;
    let raw = value | rng.next() as u32 & !mask;
    match insn.format {
        // A branch passes over the first end.
        Format::B => raw & !0xfe00_0f80 | 4 << 8,
        _ => raw,
    }
}

#[test]
fn a_d_form_is_what_the_plain_form_is_at_64_bits() {
    let (narrow, wide) = (narrow().extensions, model("x-rv128").extensions);
    let decoder = Decoder::new(wide, 128);
    let (mut all, mut rng, mut forms) = (batteries(), Rng(0x65), vec![]);
    for (_, insn) in rows().filter(|(_, i)| matches!(i.pattern.1 & 0x7f, 0x13 | 0x33) && has(i, narrow, 64)) {
        let form = decoder.decode(insn.pattern.1 ^ D_FORM, 0);
        let Some(form) = form else { continue };
        let name = form.insn().mnemonic;
        let plain = insn.mnemonic;
        assert!(name.strip_suffix('d') == Some(plain) || name == format!("{plain}d"), "{name}, {plain}");
        forms.push(name);
        for _ in 0..TIMES {
            let raw = word(&mut rng, insn);
            both(&mut all, &mut rng, insn, raw, raw ^ D_FORM);
        }
    }
    let there: Vec<_> = rows().filter(|(_, i)| matches!(i.pattern.1 & 0x7f, 0x5b | 0x7b)).collect();
    assert_eq!(forms.len(), there.len(), "every d form has a plain one: {forms:?}");
    let results = run(&mut all);
    results.iter().for_each(|(name, all, _)| assert!(all, "{name}"));
    eprintln!("{} d forms, {} cases", forms.len(), results.len());
}

#[test]
fn a_row_of_both_widths_keeps_what_it_should() {
    let (narrow, wide) = (narrow().extensions, model("x-rv128").extensions);
    let (mut all, mut rng, mut asked) = (batteries(), Rng(0x66), vec![]);
    for (_, insn) in rows().filter(|(_, i)| has(i, narrow, 64)) {
        // The shifts have a row of their own at each width.
        if !rows().any(|(_, i)| i.mnemonic == insn.mnemonic && has(i, wide, 128)) {
            continue;
        }
        asked.push(insn.mnemonic);
        for _ in 0..TIMES {
            let raw = word(&mut rng, insn);
            both(&mut all, &mut rng, insn, raw, raw);
        }
    }
    let results = run(&mut all);
    for (insn, results) in asked.iter().zip(results.chunks(TIMES)) {
        let keeps = LESS.iter().find(|(name, _)| name == insn).map_or(Keeps::All, |(_, keeps)| *keeps);
        let (whole, low) = (results.iter().all(|r| r.1), results.iter().all(|r| r.2));
        let found = if whole {
            Keeps::All
        } else if low {
            Keeps::Low
        } else {
            Keeps::Nothing
        };
        assert_eq!(found, keeps, "{insn}: {:?}", results.iter().find(|r| !r.1));
    }
    let count = |keeps| LESS.iter().filter(|(_, k)| *k == keeps).count();
    eprintln!(
        "{} rows, {} cases: {} keep all, {} the low half, {} nothing",
        asked.len(),
        results.len(),
        asked.len() - LESS.len(),
        count(Keeps::Low),
        count(Keeps::Nothing)
    );
}

/// A row's word among registers x8 to x15, of which x8 leads to memory and is only read.
fn step(rng: &mut Rng, insn: &Insn) -> u32 {
    const POINTER: u32 = 8;
    let has = |name: &str| insn.syntax.iter().any(|(operand, _)| *operand == name);
    let addresses = insn.syntax.iter().any(|(_, base)| !base.is_empty());
    let rs1 = match (addresses, has("rs1")) {
        (true, _) => POINTER,
        (false, true) => 8 + rng.below(8) as u32,
        (false, false) => 0,
    };
    let rd = if has("rd") { 9 + rng.below(7) as u32 } else { 0 };
    let rs2 = if has("rs2") { 8 + rng.below(8) as u32 } else { 0 };
    let imm = if insn.format == Format::H { rng.below(32) } else { 4 * rng.below(200) };
    op_at(64, insn.mnemonic, rd, rs1, rs2, imm as i64)
}

#[test]
fn a_program_of_64_bits_whose_arithmetic_takes_d_forms_computes_the_same() {
    let (narrow, wide) = (narrow().extensions, model("x-rv128").extensions);
    let decoder = Decoder::new(wide, 128);
    let integer = |insn: &Insn| {
        let plain = insn.syntax.iter().all(|(name, _)| !name.starts_with('f'));
        plain && matches!(insn.pattern.1 & 0x7f, 0x03 | 0x13 | 0x1b | 0x23 | 0x33 | 0x3b)
    };
    let has_form = |insn: &Insn| {
        let plain = matches!(insn.pattern.1 & 0x7f, 0x13 | 0x33);
        plain && decoder.decode(insn.pattern.1 ^ D_FORM, 0).is_some()
    };
    // What the compiler of such a program may use: rows that keep all, and those that have a d form.
    let usable: Vec<_> = rows()
        .filter(|(_, i)| integer(i) && has(i, narrow, 64))
        .filter(|(_, i)| has_form(i) || LESS.iter().all(|(name, _)| name != &i.mnemonic))
        .map(|(_, i)| (i, if has_form(i) { D_FORM } else { 0 }))
        .collect();
    let (mut all, mut rng) = (batteries(), Rng(0x67));
    let programs = if full() { 2_000 } else { 200 };
    for number in 0..programs {
        let steps: Vec<_> = (0..200)
            .map(|_| {
                let (insn, change) = rng.pick(&usable);
                let word = step(&mut rng, insn);
                [word, word ^ change]
            })
            .collect();
        let mut x: [u64; 32] = std::array::from_fn(|_| rng.integer());
        (x[0], x[8]) = (0, SCRATCH + 0x100);
        for (width, battery) in all.iter_mut().enumerate() {
            let words = steps.iter().map(|step| step[width]).chain([op_at(64, "ebreak", 0, 0, 0, 0)]);
            let pc = battery.code(&words.flat_map(u32::to_le_bytes).collect::<Vec<_>>());
            let (name, x) = (format!("program {number}"), x.map(sign_extended));
            let (f, watch) = ([0; 32], SCRATCH + 0x100);
            battery.cases.push(Case { name, pc, x, f, fcsr: 0, mstatus: MACHINE, satp: 0, watch });
        }
    }
    run(&mut all).iter().for_each(|(name, all, _)| assert!(all, "{name}"));
    eprintln!("{programs} programs of 200 instructions out of {} rows", usable.len());
}
