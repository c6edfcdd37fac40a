//! CPU models: what a hart is made of, by the name `-cpu` knows.

use crate::{Ext, ExtSet};

/// One kind of hart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuModel {
    /// As `-cpu` spells it, without properties.
    pub name: &'static str,
    /// One line about it.
    pub doc: &'static str,
    /// Bits of an integer register.
    pub xlen: u32,
    /// What it implements.
    pub extensions: ExtSet,
    /// The largest virtual address space.
    pub mmu: Mmu,
    /// PMP entries: 0, 16 or 64.
    pub pmp_entries: usize,
}

/// Virtual address spaces (privileged spec, Sv39 and after). Each implies the smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Mmu {
    Bare,
    Sv39,
    Sv48,
    Sv57,
}

impl Mmu {
    /// As the device tree's `mmu-type` spells it.
    pub fn device_tree_name(self) -> &'static str {
        match self {
            Mmu::Bare => "riscv,none",
            Mmu::Sv39 => "riscv,sv39",
            Mmu::Sv48 => "riscv,sv48",
            Mmu::Sv57 => "riscv,sv57",
        }
    }
}

/// PMP entries of every model here that has any.
pub(crate) const PMP_ENTRIES: usize = 16;

/// Bytes of a cache block, to Zicbom, Zicbop and Zicboz.
pub const CACHE_BLOCK: u64 = 64;

const RV64GC: [Ext; 8] = [Ext::I, Ext::M, Ext::A, Ext::F, Ext::D, Ext::C, Ext::Zicsr, Ext::Zifencei];

/// Every model, by name.
pub const MODELS: &[CpuModel] = &[
    CpuModel {
        name: "max",
        doc: "everything there is",
        xlen: 64,
        extensions: ExtSet::of(Ext::ALL).without(Ext::Svade).without(Ext::Zcf),
        mmu: Mmu::Sv57,
        pmp_entries: PMP_ENTRIES,
    },
    CpuModel {
        name: "rv64",
        doc: "a general 64-bit hart",
        xlen: 64,
        extensions: ExtSet::of(&RV64GC)
            .with(Ext::Zba)
            .with(Ext::Zbb)
            .with(Ext::Zbc)
            .with(Ext::Zbs)
            .with(Ext::Zicntr)
            .with(Ext::Zihpm)
            .with(Ext::Zihintntl)
            .with(Ext::Zihintpause)
            .with(Ext::Zicbom)
            .with(Ext::Zicbop)
            .with(Ext::Zicboz)
            .with(Ext::Zawrs)
            .with(Ext::Zfa)
            .with(Ext::Sstc)
            .with(Ext::Svadu)
            .complete(64),
        mmu: Mmu::Sv57,
        pmp_entries: PMP_ENTRIES,
    },
    CpuModel {
        name: "x-rv128",
        doc: "a 128-bit hart of the draft, as QEMU 7.2 has it",
        xlen: 128,
        extensions: ExtSet::of(&RV64GC)
            .with(Ext::Zicntr)
            .with(Ext::Zihpm)
            .with(Ext::Zihintpause)
            .with(Ext::Sstc)
            .with(Ext::Svadu)
            .complete(128),
        mmu: Mmu::Sv57,
        pmp_entries: PMP_ENTRIES,
    },
];

impl CpuModel {
    /// The model called `name`.
    pub fn find(name: &str) -> Option<&'static CpuModel> {
        MODELS.iter().find(|model| model.name == name)
    }

    /// The ISA string, as the device tree's `riscv,isa` has it: `rv64imac_zicsr`.
    pub fn isa_string(&self) -> String {
        format!("rv{}{}", self.xlen, self.extensions)
    }

    /// `misa` (privileged spec, 3.1.1): the width in the highest two bits, and a bit a letter.
    pub fn misa(&self) -> u128 {
        let has = |ext: Ext| self.extensions.has(ext);
        let letters = Ext::ALL.iter().filter_map(|ext| match ext.name().as_bytes() {
            [letter] if has(*ext) => Some(1 << (letter - b'a')),
            // Two letters are their parts and nothing else, by whatever name these are there.
            [letter @ (b'a' | b'b')] if ext.parts().iter().all(|part| has(*part)) => {
                Some(1 << (letter - b'a'))
            }
            _ => None,
        });
        let (s, u) = (1 << (b's' - b'a'), 1 << (b'u' - b'a'));
        let mxl = match self.xlen {
            32 => 1 << 30,
            64 => 2 << 62,
            _ => 3 << 126,
        };
        letters.fold(mxl | s | u, |misa, bit| misa | bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_say_what_they_are() {
        let rv64 = CpuModel::find("rv64").unwrap();
        assert_eq!(
            rv64.isa_string(),
            "rv64imafdc_zicbom_zicbop_zicboz_zicntr_zicsr_zifencei_zihintntl_zihintpause_zihpm_zmmul_zaamo_zalrsc_zawrs_zfa_zca_zcd_zba_zbb_zbc_zbs_sstc_svadu"
        );
        assert_eq!(rv64.misa(), 0x8000_0000_0014_112f);
        let rv128 = CpuModel::find("x-rv128").unwrap();
        assert_eq!(
            rv128.isa_string(),
            "rv128imafdc_zicntr_zicsr_zifencei_zihintpause_zihpm_zmmul_zaamo_zalrsc_zca_sstc_svadu"
        );
        assert_eq!(rv128.misa(), 3 << 126 | 0x14_112d);
    }
}
