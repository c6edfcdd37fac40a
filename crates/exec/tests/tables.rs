//! The instruction tables against binutils' disassembler: which patterns are instructions, and what they are called.
//!
//! Differences on purpose:
//! - `c.addi16sp` by 0 is reserved; the pattern of zeros is an instruction to binutils alone, to crash by.
//! - `fence` and `fence.i` ignore their reserved fields, as the specification asks; binutils then knows none.
//! - Conversions that are exact have a rounding mode all the same; binutils 2.40 knows them with mode 0 only.
//! - At 32 bits a shift by 32 or more is reserved; binutils shows one.
//! - Hints are shown as such, not as the `ori` or `fence` that they are to others.
//! - What one of the two does not know at all: see [`TOO_NEW`], and vendors' and other extensions.

#![forbid(unsafe_code)]

mod common;

use common::{Rng, full};
use hartwright_isa::{Decoded, Decoder, Ext, ExtSet, rows};
use std::process::Command;

/// The widths that binutils knows.
const WIDTHS: [u32; 2] = [32, 64];

/// All that can be together at a width: register pairs have C's and F's patterns.
fn all(xlen: u32) -> ExtSet {
    let both = ExtSet::of(Ext::ALL);
    if xlen == 32 { both.without(Ext::Zclsd) } else { both }
}

#[test]
fn a_row_decodes_to_itself_whatever_its_operands() {
    let mut rng = Rng(21);
    for xlen in WIDTHS {
        let decoder = Decoder::new(all(xlen), xlen);
        for (id, insn) in rows().filter(|(_, insn)| insn.widths.has(xlen)) {
            for _ in 0..500 {
                let raw = insn.pattern.1 | rng.next() as u32 & !insn.pattern.0;
                let d = decoder.decode(raw, rng.next());
                let d = d.unwrap_or_else(|| panic!("{} {raw:#x}", insn.mnemonic));
                let special = d.insn().lies_within(insn);
                assert!(d.id == id || special, "{} {raw:#x} is {}", insn.mnemonic, d.insn().mnemonic);
                assert!(!d.to_string().is_empty());
            }
        }
    }
}

#[test]
fn what_a_cpu_has_not_does_not_decode() {
    for xlen in WIDTHS {
        let mut rng = Rng(22);
        for (_, insn) in rows().filter(|(_, insn)| insn.widths.has(xlen)) {
            let without = insn.needs.iter().fold(all(xlen), |set, ext| set.without(*ext));
            let decoder = Decoder::new(without, xlen);
            for _ in 0..50 {
                let raw = insn.pattern.1 | rng.next() as u32 & !insn.pattern.0;
                let found = decoder.decode(raw, 0).map(|d| d.insn());
                // A hint is then the instruction that it lies within; and what lies within it may be there.
                let is_fine = found.is_none_or(|found| insn.lies_within(found) || found.lies_within(insn));
                assert!(is_fine, "{} is {:?}", insn.mnemonic, found.map(|found| found.mnemonic));
            }
        }
        let narrow = [Ext::Zca, Ext::Zcb, Ext::Zcd, Ext::Zcf, Ext::Zcmop];
        let without = narrow.iter().fold(all(xlen), |set, ext| set.without(*ext));
        let without = Decoder::new(without, xlen);
        assert!((0..0x1_0000).filter(|raw| raw & 3 != 3).all(|raw| without.decode(raw, 0).is_none()));
    }
}

/// What binutils 2.40 does not know.
const TOO_NEW: &[Ext] = &[
    Ext::Zicond,
    Ext::Zihintntl,
    Ext::Zimop,
    Ext::Zcb,
    Ext::Zcmop,
    Ext::Zfa,
    Ext::Zabha,
    Ext::Zacas,
    Ext::Zilsd,
];

/// Decodes what binutils knows.
fn known_there(xlen: u32) -> Decoder {
    Decoder::new(TOO_NEW.iter().fold(all(xlen), |set, ext| set.without(*ext)), xlen)
}

/// What binutils is told that the words are made of; without, it knows but the oldest extensions.
const MARCH: &str =
    "gc_zicbom_zicbop_zicboz_zihintpause_zawrs_zba_zbb_zbc_zbs_svinval_zicsr_zifencei_zfh_zk_zks";

/// What binutils makes, at a register width, of some words of `len` bytes each: a text a word, `None` where it knows none. `None` at all
/// if it is not installed.
fn objdump(xlen: u32, words: &[u32], len: usize) -> Option<Vec<Option<String>>> {
    let dir = std::env::temp_dir().join(format!("hartwright-{}-{xlen}-{len}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes().into_iter().take(len)).collect();
    std::fs::write(dir.join("words.bin"), bytes).unwrap();
    std::fs::write(dir.join("words.s"), ".incbin \"words.bin\"\n").unwrap();
    let tool = |name: &str, args: &[&str]| {
        Command::new(format!("riscv64-linux-gnu-{name}")).args(args).current_dir(&dir).output().ok()
    };
    // The symbols would say that it is data.
    let output = tool(
        "as",
        &[
            &format!("-march=rv{xlen}{MARCH}"),
            &format!("-mabi={}", if xlen == 32 { "ilp32d" } else { "lp64d" }),
            "words.s",
            "-o",
            "words.o",
        ],
    )
    .and_then(|_| tool("strip", &["words.o"]))
    .and_then(|_| tool("objdump", &["-D", "-z", "-j", ".text", "-M", "no-aliases,numeric", "words.o"]));
    std::fs::remove_dir_all(&dir).unwrap();
    let Some(output) = output else {
        eprintln!("skipped: binutils-riscv64-linux-gnu is not installed");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found = vec![None; words.len()];
    for line in text.lines() {
        let Some((address, rest)) = line.trim().split_once(":\t") else { continue };
        let address = usize::from_str_radix(address.trim(), 16).unwrap();
        let (_, assembly) = rest.split_once('\t').unwrap_or(("", ""));
        let assembly = assembly.split('#').next().unwrap_or("");
        let words: Vec<_> = assembly.split_whitespace().collect();
        if address.is_multiple_of(len)
            && !words.is_empty()
            && !words[0].starts_with('.')
            && words[0] != "unimp"
        {
            found[address / len] = Some(words.join(" "));
        }
    }
    Some(found)
}

/// An instruction as its row has it: no pseudo-instructions, registers by number.
fn plain(d: &Decoded, xlen: u32) -> String {
    let show = |name: &str| match name {
        "rd" => format!("x{}", d.rd),
        "rs1" => format!("x{}", d.rs1),
        "rs2" => format!("x{}", d.rs2),
        "fd" => format!("f{}", d.rd),
        "fs1" => format!("f{}", d.rs1),
        "fs2" => format!("f{}", d.rs2),
        "fs3" => format!("f{}", d.rs3),
        "target" => format!("{:#x}", d.pc.wrapping_add_signed(d.imm.into()) & u64::MAX >> (64 - xlen)),
        "hi" => format!("{:#x}", d.imm as u32 >> 12),
        "shamt" => format!("{:#x}", d.imm),
        "uimm" => d.rs1.to_string(),
        "bs" => format!("{:#x}", d.raw >> 30),
        "rnum" => format!("{:#x}", d.raw >> 20 & 15),
        "csr" => CSR.into(),
        "pred" => set(d.raw >> 24),
        "succ" => set(d.raw >> 20),
        _ => d.imm.to_string(),
    };
    let operand = |&(name, base): &(&str, &str)| match (name, base) {
        (name, "") => show(name),
        ("zero", base) => format!("({})", show(base)),
        (name, base) => format!("{}({})", show(name), show(base)),
    };
    let operands: Vec<_> = d.insn().syntax.iter().map(operand).collect();
    format!("{} {}", d.insn().mnemonic, operands.join(",")).trim_end().into()
}

/// Stands for the name of a CSR, of which binutils has others.
const CSR: &str = "csr";

fn set(bits: u32) -> String {
    let letters =
        "iorw".chars().zip([8, 4, 2, 1]).filter(|(_, bit)| bits & bit != 0).map(|(letter, _)| letter);
    Some(letters.collect::<String>()).filter(|set| !set.is_empty()).unwrap_or("unknown".into())
}

/// What binutils says, without what our rows leave out: ordering bits, rounding modes, names of CSRs.
fn pared(text: &str) -> String {
    let (mnemonic, operands) = text.split_once(' ').unwrap_or((text, ""));
    let mnemonic =
        [".aqrl", ".aq", ".rl"].iter().find_map(|end| mnemonic.strip_suffix(end)).unwrap_or(mnemonic);
    let mut operands: Vec<&str> = operands.split(',').collect();
    if ["rne", "rtz", "rdn", "rup", "rmm", "dyn", "unknown"].contains(operands.last().unwrap())
        && mnemonic != "fence"
    {
        operands.pop();
    }
    if mnemonic.starts_with("csrr") {
        operands[1] = CSR;
    }
    format!("{mnemonic} {}", operands.join(",")).trim_end().into()
}

#[test]
fn a_16_bit_pattern_is_an_instruction_if_binutils_takes_it_for_one() {
    for xlen in WIDTHS {
        let decoder = known_there(xlen);
        let words: Vec<u32> = (0..0x1_0000).filter(|raw| raw & 3 != 3).collect();
        let Some(theirs) = objdump(xlen, &words, 2) else { return };
        let mut wrong = vec![];
        for (raw, there) in words.iter().zip(theirs) {
            let here = decoder.decode(*raw, 0).map(|d| plain(&d, xlen));
            let reserved = [0, 0x6101].contains(raw);
            let too_far = xlen == 32 && there.as_deref().is_some_and(shifts_too_far);
            if here.is_some() != (there.is_some() && !reserved && !too_far) {
                wrong.push(format!("{raw:#06x}: ours {here:?}, theirs {there:?}"));
            }
        }
        assert!(wrong.is_empty(), "{xlen}: {} differ: {:#?}", wrong.len(), &wrong[..wrong.len().min(40)]);
        eprintln!("{} patterns of {xlen} bits agree with binutils", words.len());
    }
}

/// Whether a text is a shift by more than a register of 32 bits has, which binutils takes for one at 32 bits too.
fn shifts_too_far(text: &str) -> bool {
    let shift = ["slli", "srli", "srai", "rori", "bclri", "bexti", "binvi", "bseti"];
    let (mnemonic, operands) = text.split_once(' ').unwrap_or((text, ""));
    let amount = operands.rsplit(",0x").next().and_then(|digits| u32::from_str_radix(digits, 16).ok());
    shift.contains(&mnemonic.trim_start_matches("c.")) && amount.is_some_and(|amount| amount >= 32)
}

/// Whether a difference is one of those listed above.
fn on_purpose(ours: Option<&Decoded>, theirs: Option<&str>) -> bool {
    let known = |mnemonic| rows().any(|(_, insn)| insn.mnemonic == mnemonic);
    match (ours.map(Decoded::insn), theirs) {
        (Some(insn), None) => {
            let exact =
                ["fcvt.d.w", "fcvt.d.wu", "fcvt.d.s", "fcvt.s.h", "fcvt.d.h"].contains(&insn.mnemonic);
            exact || insn.mnemonic.starts_with("fence")
        }
        (None, Some(text)) => !text.split(' ').next().is_some_and(known),
        (Some(insn), Some(text)) => {
            insn.mnemonic.starts_with("prefetch") && text.starts_with("ori")
                || (insn.mnemonic.starts_with("fence") || insn.mnemonic == "pause")
                    && text.starts_with("fence")
        }
        (None, None) => false,
    }
}

#[test]
fn words_are_what_binutils_takes_them_for() {
    for xlen in WIDTHS {
        let (decoder, mut rng) = (known_there(xlen), Rng(23));
        let mut words = vec![];
        for (_, insn) in rows().filter(|(_, insn)| insn.widths.has(xlen)) {
            words.extend((0..200).map(|_| insn.pattern.1 | rng.next() as u32 & !insn.pattern.0));
        }
        let random = if full() { 3_000_000 } else { 200_000 };
        words.extend((0..random).map(|_| rng.next() as u32 | 3).filter(|raw| raw & 0x1f != 0x1f));
        let Some(theirs) = objdump(xlen, &words, 4) else { return };
        let mut wrong = vec![];
        for (i, (raw, there)) in words.iter().zip(theirs).enumerate() {
            let d = decoder.decode(*raw, 4 * i as u64);
            let here = d.as_ref().map(|d| plain(d, xlen));
            let there = there.as_deref().map(pared);
            let too_far = xlen == 32 && d.is_none() && there.as_deref().is_some_and(shifts_too_far);
            if here != there && !too_far && !on_purpose(d.as_ref(), there.as_deref()) {
                wrong.push(format!("{raw:#010x}: ours {here:?}, theirs {there:?}"));
            }
        }
        assert!(wrong.is_empty(), "{xlen}: {} differ: {:#?}", wrong.len(), &wrong[..wrong.len().min(60)]);
        eprintln!("{} words of {xlen} bits agree with binutils", words.len());
    }
}
