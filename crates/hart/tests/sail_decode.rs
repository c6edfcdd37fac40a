//! Which words are instructions, by Sail's model of RISC-V (`softcore-rv64`).
//!
//! Differences on purpose: `fence` and `fence.i` ignore their reserved fields here, as the specification asks; and
//! rounding modes 5 and 6 are decoded here and illegal when run.

#![forbid(unsafe_code)]

mod common;

use common::{Rng, full, sail, sail_model};
use hartwright_isa::{Decoder, rows};
use softcore_rv64::ast;

#[test]
fn a_word_is_an_instruction_if_it_is_one_in_sail() {
    let (mut core, model, mut rng) = (sail(), sail_model(), Rng(71));
    core.mstatus.bits = softcore_rv64::prelude::bv(core.mstatus.bits.bits() | 3 << 13);
    let decoder = Decoder::new(model.extensions, 64);
    let mut words = vec![];
    for (_, insn) in rows().filter(|(_, insn)| insn.widths.has(64)) {
        for _ in 0..if full() { 2_000 } else { 100 } {
            let raw = insn.pattern.1 | rng.next() as u32 & !insn.pattern.0;
            // As it is, and next to it.
            words.extend([raw, raw ^ 1 << (2 + rng.below(30))]);
        }
    }
    words.extend((0..if full() { 1_000_000 } else { 50_000 }).map(|_| rng.next() as u32 | 3));
    let mut wrong = vec![];
    for raw in &words {
        let here = decoder.decode(*raw, 0);
        let there = !matches!(core.decode_instr(*raw), ast::ILLEGAL(_));
        let float = here.as_ref().is_some_and(hartwright_isa::Decoded::uses_float);
        let loose = here.as_ref().is_some_and(|d| d.insn().mnemonic.starts_with("fence"));
        let reserved_rounding = float && matches!(raw >> 12 & 7, 5 | 6);
        if here.is_some() != there && !loose && !reserved_rounding {
            wrong.push(format!(
                "{raw:#010x}: ours {:?}, theirs {:?}",
                here.map(|d| d.to_string()),
                core.decode_instr(*raw)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ: {:#?}", wrong.len(), &wrong[..wrong.len().min(40)]);
    eprintln!("{} words agree with Sail", words.len());
}
