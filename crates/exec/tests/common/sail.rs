//! Sail's model of RISC-V (`softcore-rv64`) as a peer, for the rows that it runs: those that compute from integer
//! registers. It has no memory, and of Zbb and Zbc it has the decoding alone; its sums of SM3 spill over 32 bits.

use crate::common::{
    Rng,
    battery::{BREAKPOINT, Battery},
    model,
    plans::{TIMES, Tally, is_wanted, leave_rows, word_of},
    recorder::Shape,
    rows::{Maker, Patterns, Row, rows_of},
};
use hartwright_isa::{Ext, ExtSet};
use softcore_rv64::{Core, config, new_core, raw::regidx};
use std::collections::BTreeMap;

/// The extensions that it runs.
const RUN: &[Ext] = &[Ext::I, Ext::M, Ext::Zmmul, Ext::Zba, Ext::Zbs, Ext::Zbkb, Ext::Zicond, Ext::Zimop];

/// What it has no arithmetic for yet: it panics.
const NOT_YET: &[&str] = &["subw", "mulh", "mulhsu", "mulhu", "brev8", "packw"];

/// Registers but x0, of a case.
const WORDS_PER_CASE: u64 = 31;

fn core() -> Core {
    let mut c = config::U74;
    let e = &mut c.extensions;
    e.Zbkb.supported = true;
    e.Zicond.supported = true;
    e.Zimop.supported = true;
    let mut core = new_core(c);
    core.reset();
    core
}

/// Runs every row that Sail's model runs there and here, and panics if a register differs.
pub(crate) fn prove() {
    let (mut rng, known) = (Rng(0x5a11), ExtSet::of(RUN));
    let patterns = Patterns::new(known, 64);
    let mut rows = rows_of(known, 64);
    // What Zbb brings too is Zbb's.
    rows.retain(|row| matches!(row, Row::Wide(_)) && row.computes() && RUN.contains(&row.extension()));
    rows.retain(|row| is_wanted(row.mnemonic()) && !NOT_YET.contains(&row.mnemonic()));
    let mut tally: BTreeMap<&'static str, Tally> = BTreeMap::new();
    let (mut battery, mut of) = (Battery::new(&mut rng, Shape::RV64), vec![]);
    for row in &rows {
        let before = battery.cases.len();
        Maker { rng: &mut rng, patterns: &patterns, shape: Shape::RV64 }.all(&mut battery, *row, TIMES);
        let made = battery.cases.len() - before;
        of.extend(std::iter::repeat_n(row.mnemonic(), made));
        tally.insert(row.mnemonic(), Tally::new(*row, made as u64, "sail"));
    }
    let memory = battery.run_here(model("max"));
    let (mut core, mut report) = (core(), vec![]);
    for (i, case) in battery.cases.iter().enumerate() {
        let ours = battery.outcome(&memory, i);
        (1..32).for_each(|r| core.set(regidx::new(r), case.x[r as usize] as u64));
        let instruction = core.decode_instr(word_of(case).expect("a case is named by its instruction"));
        let trapped = core.execute(instruction).trapped();
        let wrong: Vec<String> = (1..32)
            .map(|r| (r, ours.x[r as usize] as u64, core.get(regidx::new(r))))
            .filter(|(_, ours, theirs)| ours != theirs)
            .map(|(r, ours, theirs)| format!("x{r} ours {ours:#x} theirs {theirs:#x}"))
            .collect();
        if trapped || ours.mcause != BREAKPOINT || !wrong.is_empty() {
            tally.get_mut(of[i]).expect("every row has one").differences += 1;
            report.push(format!("Sail: case {i}, {}: trapped {trapped}; {}", case.name, wrong.join("; ")));
        }
    }
    leave_rows("sail", 64, WORDS_PER_CASE, &tally);
    eprintln!("sail: {} rows, {} cases, {} differences", rows.len(), battery.cases.len(), report.len());
    report.iter().take(40).for_each(|line| eprintln!("{line}"));
    assert!(report.is_empty(), "{} cases differ", report.len());
}
