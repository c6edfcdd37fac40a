//! Every row of the tables, each class of operands with each rounding mode, against QEMU; and against Sail's model
//! what that runs.
//!
//! Differences on purpose:
//! - `mstatus.FS` and `SD` may become dirty earlier in QEMU, and are not compared.
//! - `mtval` of a breakpoint is its address, in QEMU 7.2 zero (privileged spec, 3.1.16, allows both).
//! - QEMU does not notice the faults of an `sc` that fails anyway.
//! - QEMU 11 faults in `cbo.zero` with the start of the block, not with `rs1` (unprivileged spec, CMO).
//! - QEMU 7.2 takes some faults of atomic operations for those of loads, rounds the address of a misaligned access
//!   to nothing down, counts beyond 32 in `ctzw`, keeps bit 0 of `sepc`, keeps `mstatus.MPRV` when it returns to a lower mode, and lets `csrrs` and `csrrc` write no bits
//!   to read-only registers; see `old_ways` in `common/plans.rs`.
//! - QEMU has 32 registers in the E bases too; none above `x15` is named there.
//! - `mul` and its kin are wrong at 128 bits where the result's register is one of the factors' (unprivileged spec,
//!   M); see `square` there.

#![forbid(unsafe_code)]

mod common;
#[path = "common/sail.rs"]
mod sail;

use common::{
    plans::{PLANS, Plan, leave},
    rows::Row,
};
use hartwright_isa::{Widths, compressed_rows, rows};

#[test]
fn battery_pairs_of_registers_do_what_they_do_in_qemu() {
    Plan::find("rv32-pairs").prove();
}

#[test]
fn battery_few_registers_do_what_they_do_in_qemu() {
    Plan::find("rv32e").prove();
    Plan::find("rv64e").prove();
}

#[test]
fn battery_every_row_of_64_bits_does_what_it_does_in_qemu() {
    Plan::find("rv64").prove();
}

#[test]
fn battery_rows_do_what_they_do_in_sail() {
    sail::prove();
}

#[test]
fn battery_every_row_of_32_bits_does_what_it_does_in_qemu() {
    Plan::find("rv32").prove();
}

#[test]
fn battery_every_row_of_128_bits_does_what_it_does_in_qemu() {
    Plan::find("rv128").prove();
}

/// Rows that no plan reaches, and which test does.
const ELSEWHERE: &[(&str, &str)] = &[];

/// Whoever adds a row has it proven.
#[test]
fn battery_every_row_is_reached_by_a_plan() {
    let reached: Vec<_> = PLANS.iter().map(|plan| (plan.shape.xlen, plan.reaches())).collect();
    let is_reached = |mnemonic: &str, widths: Widths| {
        let by = |(xlen, rows): &(u32, Vec<Row>)| {
            widths.has(*xlen) && rows.iter().any(|row| row.mnemonic() == mnemonic)
        };
        reached.iter().any(by) || ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == mnemonic)
    };
    let wide = rows().map(|(_, insn)| (insn.mnemonic, insn.needs[0], insn.widths));
    let narrow = compressed_rows().map(|c| (c.mnemonic, c.needs[0], c.widths));
    let all: Vec<_> = wide.chain(narrow).collect();
    let missing: Vec<_> = all.iter().filter(|(mnemonic, _, widths)| !is_reached(mnemonic, *widths)).collect();
    assert!(missing.is_empty(), "no peer is asked about {missing:?}");
    let table = all.iter().map(|(mnemonic, ext, widths)| {
        let elsewhere = ELSEWHERE.iter().find(|(elsewhere, _)| elsewhere == mnemonic).map_or("", |e| e.1);
        format!("{mnemonic}\t{}\t{widths:?}\t{elsewhere}\n", ext.name())
    });
    leave("rows", &table.collect::<String>());
}
