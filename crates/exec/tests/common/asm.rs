//! Words encoded from the tables, for the tests of this crate and of those above it.

#![allow(dead_code, reason = "each test file uses a part")]

use hartwright_isa::{Format, Insn, rows};

/// The row of a mnemonic at a register width.
pub(crate) fn row(xlen: u32, mnemonic: &str) -> &'static Insn {
    let found = rows().find(|(_, insn)| insn.mnemonic == mnemonic && insn.widths.has(xlen));
    found.unwrap_or_else(|| panic!("no instruction of {xlen} bits is called {mnemonic}")).1
}

/// An instruction of the tables with its operands; those it has not are 0. A CSR's number is an `imm`.
pub(crate) fn op(mnemonic: &str, rd: u32, rs1: u32, rs2: u32, imm: i64) -> u32 {
    op_at(64, mnemonic, rd, rs1, rs2, imm)
}

/// The same at a register width, where that makes a difference.
pub(crate) fn op_at(xlen: u32, mnemonic: &str, rd: u32, rs1: u32, rs2: u32, imm: i64) -> u32 {
    let insn = row(xlen, mnemonic);
    insn.pattern.1 | rd << 7 | rs1 << 15 | rs2 << 20 | place(insn.format, imm as u32)
}

/// The bits of an immediate where its format has them.
pub(crate) fn place(format: Format, imm: u32) -> u32 {
    let bits = |hi: u32, lo: u32, to: u32| imm << (31 - hi) >> (31 - hi + lo) << to;
    match format {
        Format::R | Format::R4 | Format::N => 0,
        Format::I | Format::Z => bits(11, 0, 20),
        Format::H => bits(5, 0, 20),
        Format::S => bits(11, 5, 25) | bits(4, 0, 7),
        Format::B => bits(12, 12, 31) | bits(10, 5, 25) | bits(4, 1, 8) | bits(11, 11, 7),
        Format::U => imm & 0xffff_f000,
        Format::J => bits(20, 20, 31) | bits(10, 1, 21) | bits(11, 11, 20) | bits(19, 12, 12),
    }
}

/// Instructions that put any value into a register of 64 bits.
pub(crate) fn li(rd: u32, value: u64) -> Vec<u32> {
    li_at(64, rd, value.into())
}

/// The same for any width.
pub(crate) fn li_at(xlen: u32, rd: u32, value: u128) -> Vec<u32> {
    let rest = (xlen - 1) / 11 * 11;
    let mut words = vec![op("addi", rd, 0, 0, (value >> rest & 0x7ff) as i64)];
    for shift in (0..rest).step_by(11).rev() {
        words.push(op("slli", rd, rd, 0, 11));
        words.push(op("ori", rd, rd, 0, (value >> shift & 0x7ff) as i64));
    }
    words
}
