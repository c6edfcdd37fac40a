//! From bits to rows: the decoder, and the instruction taken apart.

use crate::{
    Ext, ExtSet,
    extensions::{self, compressed},
    pseudo,
    row::{Compressed, Handlers, Insn, RowId},
};
use hartwright_ir::Reader;
use std::fmt;

/// An instruction with its operands taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    /// Where it lies.
    pub pc: u64,
    /// Its bits: 16 or 32.
    pub raw: u32,
    /// The immediate, sign-extended where the format says so.
    pub imm: i32,
    /// Its row.
    pub id: RowId,
    /// Bytes: 2 or 4.
    pub len: u8,
    /// Destination register.
    pub rd: u8,
    /// First source register.
    pub rs1: u8,
    /// Second source register.
    pub rs2: u8,
    /// Third source register.
    pub rs3: u8,
}

impl Decoded {
    /// The address after it.
    #[inline(always)]
    pub fn next(&self) -> u64 {
        self.pc.wrapping_add(self.len.into())
    }

    /// Bits that are no instruction, `len` bytes at `pc`. It has no [`insn`](Self::insn).
    pub fn unknown(raw: u32, pc: u64, len: u8) -> Self {
        Decoded { pc, raw, imm: 0, id: UNKNOWN, len, rd: 0, rs1: 0, rs2: 0, rs3: 0 }
    }

    /// Whether it is [`unknown`](Self::unknown).
    pub fn is_unknown(&self) -> bool {
        self.id == UNKNOWN
    }

    /// Its row.
    pub fn insn(&self) -> &'static Insn {
        &extensions::TABLES[self.id.table as usize][self.id.row as usize]
    }

    /// Whether what follows it in memory may not follow it in time, or may run under other rules: jumps, and all
    /// that changes the hart as a whole.
    pub fn ends_block(&self) -> bool {
        const JALR: u32 = 0x67;
        const JAL: u32 = 0x6f;
        const SYSTEM: u32 = 0x73;
        const FENCE_I: u32 = 0x100f;
        let value = self.insn().pattern.1;
        matches!(value & 0x7f, JALR | JAL | SYSTEM) || value & 0x707f == FENCE_I
    }

    /// Whether each integer register it names is one of the first `count`.
    fn lies_below(&self, count: u8) -> bool {
        self.insn().syntax.iter().flat_map(|(name, base)| [*name, *base]).all(|name| match name {
            "rd" => self.rd < count,
            "rs1" => self.rs1 < count,
            "rs2" => self.rs2 < count,
            _ => true,
        })
    }

    /// Whether it uses a floating-point register, and so `mstatus.FS`.
    pub fn uses_float(&self) -> bool {
        uses_float(self.insn())
    }
}

/// The row of what has none.
const UNKNOWN: RowId = RowId { table: u8::MAX, row: u8::MAX };

fn uses_float(insn: &Insn) -> bool {
    insn.syntax.iter().any(|(name, _)| matches!(*name, "fd" | "fs1" | "fs2" | "fs3"))
}

impl fmt::Display for Decoded {
    /// Assembly as binutils and QEMU write it, common pseudo-instructions included: mnemonic, blank, operands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unknown() {
            return f.write_str("illegal");
        }
        let (mnemonic, operands) = pseudo::assembly(self);
        if operands.is_empty() { f.write_str(mnemonic) } else { write!(f, "{mnemonic:<24}{operands}") }
    }
}

/// Every row of every table.
pub fn rows() -> impl Iterator<Item = (RowId, &'static Insn)> {
    extensions::TABLES.iter().enumerate().flat_map(|(table, rows)| {
        rows.iter().enumerate().map(move |(row, insn)| (RowId { table: table as u8, row: row as u8 }, insn))
    })
}

/// Every row of 16 bits.
pub fn compressed_rows() -> impl Iterator<Item = &'static Compressed> {
    compressed::TABLE.iter()
}

/// What `H` makes of a row's meaning, to be kept and called.
pub fn handler<R: Reader, H: Handlers<R>>(id: RowId) -> H::Handler {
    extensions::handler::<R, H>(id.table, id.row)
}

/// Decodes what one CPU knows.
pub struct Decoder {
    /// Rows by major opcode and `funct3`.
    wide: Vec<Vec<(RowId, &'static Insn)>>,
    /// Every 16-bit row with the row of its meaning.
    narrow: Vec<(RowId, &'static Compressed)>,
    /// How many integer registers there are.
    registers: u8,
}

impl Decoder {
    /// A decoder for a CPU with these extensions and registers of `xlen` bits.
    pub fn new(extensions: ExtSet, xlen: u32) -> Self {
        let known: Vec<_> = rows().filter(|(_, i)| i.is_in(extensions, xlen)).collect();
        let bucket = |b: u32| {
            let (mask, key) = (0x707f, (b & 31) << 2 | 3 | b >> 5 << 12);
            let fits = |i: &&(RowId, &'static Insn)| i.1.pattern.0 & mask & (i.1.pattern.1 ^ key) == 0;
            let mut rows: Vec<_> = known.iter().filter(fits).copied().collect();
            // A hint lies inside the instruction that it is to a CPU without it.
            rows.sort_by_key(|(_, i)| std::cmp::Reverse(i.pattern.0.count_ones()));
            rows
        };
        let mut narrow: Vec<_> = compressed::TABLE
            .iter()
            .filter(|c| c.widths.has(xlen) && c.needs.iter().all(|e| extensions.has(*e)))
            .filter_map(|c| known.iter().find(|(_, i)| i.mnemonic == c.base).map(|(id, _)| (*id, c)))
            .collect();
        narrow.sort_by_key(|(_, c)| std::cmp::Reverse(c.pattern.0.count_ones()));
        let registers = if extensions.has(Ext::E) && !extensions.has(Ext::I) { 16 } else { 32 };
        Decoder { wide: (0..256).map(bucket).collect(), narrow, registers }
    }

    /// Takes apart the instruction at `pc`, whose first (or only) 16 bits are the low half of `raw`; `None` if
    /// this CPU has none such.
    pub fn decode(&self, raw: u32, pc: u64) -> Option<Decoded> {
        self.row(raw, pc).filter(|d| self.registers == 32 || d.lies_below(self.registers))
    }

    fn row(&self, raw: u32, pc: u64) -> Option<Decoded> {
        if raw & 3 != 3 {
            let raw = raw & 0xffff;
            let (id, c) = self.narrow.iter().find(|(_, c)| raw & c.pattern.0 == c.pattern.1)?;
            let o = (c.operands)(raw)?;
            return Some(Decoded {
                pc,
                raw,
                imm: o.imm,
                id: *id,
                len: 2,
                rd: o.rd,
                rs1: o.rs1,
                rs2: o.rs2,
                rs3: 0,
            });
        }
        let candidates = &self.wide[(raw >> 2 & 31 | raw >> 7 & 0xe0) as usize];
        let (id, insn) = candidates.iter().find(|(_, i)| raw & i.pattern.0 == i.pattern.1)?;
        let x = |lo: u32| (raw >> lo & 31) as u8;
        let imm = insn.format.imm(raw);
        Some(Decoded { pc, raw, imm, id: *id, len: 4, rd: x(7), rs1: x(15), rs2: x(20), rs3: x(27) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether one is meant to be a case of the other.
    fn within(insn: &Insn, other: &Insn) -> bool {
        let meant = [
            ("pause", "fence"),
            ("prefetch", "ori"),
            ("ntl", "add"),
            ("zext.h", "pack"),
            ("zext.h", "packw"),
        ];
        insn.lies_within(other)
            && meant.iter().any(|(a, b)| insn.mnemonic.starts_with(a) && other.mnemonic == *b)
    }

    #[test]
    fn no_two_instructions_share_an_encoding() {
        let all: Vec<_> = rows().collect();
        for (i, (_, a)) in all.iter().enumerate() {
            for (_, b) in &all[i + 1..] {
                let apart = [32, 64, 128].iter().all(|&xlen| !(a.widths.has(xlen) && b.widths.has(xlen)));
                let both = a.pattern.0 & b.pattern.0;
                assert!(
                    apart || within(a, b) || within(b, a) || (a.pattern.1 ^ b.pattern.1) & both != 0,
                    "{} and {}",
                    a.mnemonic,
                    b.mnemonic
                );
            }
        }
    }

    #[test]
    fn an_e_base_has_16_registers() {
        let decoder = Decoder::new(ExtSet::of(&[Ext::E, Ext::C, Ext::F]), 32);
        let knows = |raw| decoder.decode(raw, 0).is_some();
        // add x15,x14,x13 and with one of them 16; c.mv x15,x14 and x16,x14; fadd.s f16,f16,f16.
        assert!(knows(0x00d7_07b3) && knows(0x87ba) && knows(0x0108_0853));
        assert!(!knows(0x00d7_0833) && !knows(0x00d8_07b3) && !knows(0x0107_07b3) && !knows(0x883a));
    }

    #[test]
    fn every_compressed_row_has_a_base() {
        for c in compressed::TABLE {
            assert!(rows().any(|(_, i)| i.mnemonic == c.base), "{} means {}", c.mnemonic, c.base);
        }
    }

    #[test]
    fn no_mnemonic_is_there_twice_at_one_width() {
        let all: Vec<_> = rows().collect();
        for (i, (_, a)) in all.iter().enumerate() {
            for (_, b) in &all[i + 1..] {
                assert!(a.mnemonic != b.mnemonic || a.widths != b.widths, "{}", a.mnemonic);
            }
        }
    }
}
