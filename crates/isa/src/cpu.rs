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

/// Virtual address spaces (privileged spec, Sv32 and after). Each from Sv39 on implies the smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Mmu {
    Bare,
    Sv32,
    Sv39,
    Sv48,
    Sv57,
}

impl Mmu {
    /// As the device tree's `mmu-type` spells it.
    pub fn device_tree_name(self) -> &'static str {
        match self {
            Mmu::Bare => "riscv,none",
            Mmu::Sv32 => "riscv,sv32",
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

const GC: [Ext; 8] = [Ext::I, Ext::M, Ext::A, Ext::F, Ext::D, Ext::C, Ext::Zicsr, Ext::Zifencei];

/// What the general models have.
const fn general(xlen: u32) -> ExtSet {
    ExtSet::of(&GC)
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
        .with(Ext::Sdtrig)
        .with(Ext::Ziccrse)
        .with(Ext::Svvptc)
        .with(Ext::Sstc)
        .with(Ext::Svadu)
        .complete(xlen)
}

/// What the profile RVA22U64 asks for, but for [features](crate::features).
pub(crate) const RVA22U64: &[Ext] = &[
    Ext::I,
    Ext::M,
    Ext::A,
    Ext::F,
    Ext::D,
    Ext::C,
    Ext::B,
    Ext::Zicsr,
    Ext::Zicntr,
    Ext::Zihpm,
    Ext::Ziccrse,
    Ext::Zihintpause,
    Ext::Zicbom,
    Ext::Zicbop,
    Ext::Zicboz,
    Ext::Zfhmin,
    Ext::Zkt,
];

/// What RVA22S64 asks for besides, and Sv39.
pub(crate) const RVA22S64: &[Ext] = &[Ext::Zifencei, Ext::Svade, Ext::Svpbmt, Ext::Svinval];

/// All that does not exclude something else.
const fn everything(xlen: u32) -> ExtSet {
    let (mut set, mut i) = (ExtSet::of(&[]), 0);
    while i < Ext::ALL.len() {
        if Ext::ALL[i].is_for(xlen) {
            set = set.with(Ext::ALL[i]);
        }
        i += 1;
    }
    // The other base, page faults for A and D bits, and the other use of four 16-bit patterns.
    set.without(Ext::E).without(Ext::Svade).without(Ext::Zilsd).without(Ext::Zclsd)
}

/// A base and nothing else.
const fn bare(name: &'static str, doc: &'static str, xlen: u32, base: Ext) -> CpuModel {
    CpuModel { name, doc, xlen, extensions: ExtSet::of(&[base]), mmu: Mmu::Bare, pmp_entries: 0 }
}

/// Every model, by name.
pub const MODELS: &[CpuModel] = &[
    CpuModel {
        name: "max",
        doc: "everything there is",
        xlen: 64,
        extensions: everything(64),
        mmu: Mmu::Sv57,
        pmp_entries: PMP_ENTRIES,
    },
    CpuModel {
        name: "max32",
        doc: "everything there is at 32 bits",
        xlen: 32,
        extensions: everything(32),
        mmu: Mmu::Sv32,
        pmp_entries: PMP_ENTRIES,
    },
    CpuModel {
        name: "rv32",
        doc: "a general 32-bit hart",
        xlen: 32,
        extensions: general(32),
        mmu: Mmu::Sv32,
        pmp_entries: PMP_ENTRIES,
    },
    bare("rv32e", "the 32-bit base with 16 registers, and nothing else", 32, Ext::E),
    bare("rv32i", "the 32-bit base, and nothing else", 32, Ext::I),
    CpuModel {
        name: "rv64",
        doc: "a general 64-bit hart",
        xlen: 64,
        extensions: general(64),
        mmu: Mmu::Sv57,
        pmp_entries: PMP_ENTRIES,
    },
    bare("rv64e", "the 64-bit base with 16 registers, and nothing else", 64, Ext::E),
    bare("rv64i", "the 64-bit base, and nothing else", 64, Ext::I),
    CpuModel {
        name: "rva22s64",
        doc: "what the profile RVA22S64 asks for",
        xlen: 64,
        extensions: ExtSet::of(RVA22U64).and(ExtSet::of(RVA22S64)).with(Ext::Sdtrig).complete(64),
        mmu: Mmu::Sv39,
        pmp_entries: PMP_ENTRIES,
    },
    CpuModel {
        name: "rva22u64",
        doc: "what the profile RVA22U64 asks for",
        xlen: 64,
        extensions: ExtSet::of(RVA22U64).with(Ext::Sdtrig).complete(64),
        mmu: Mmu::Bare,
        pmp_entries: PMP_ENTRIES,
    },
    CpuModel {
        name: "x-rv128",
        doc: "a 128-bit hart of the draft, as QEMU 7.2 has it",
        xlen: 128,
        extensions: ExtSet::of(&GC)
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

/// Which models a program knows. One for 32 bits knows those alone, and calls the largest of them `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// `hartwright-system-riscv32`.
    Riscv32,
    /// `hartwright-system-riscv64`.
    #[default]
    Riscv64,
}

impl Target {
    /// Its models, and what it calls each.
    pub fn models(self) -> impl Iterator<Item = (&'static str, &'static CpuModel)> {
        MODELS.iter().filter_map(move |model| match (self, model.name) {
            (Target::Riscv64, name) => Some((name, model)),
            (Target::Riscv32, "max32") => Some(("max", model)),
            (Target::Riscv32, name) => (model.xlen == 32).then_some((name, model)),
        })
    }

    /// The model it calls `name`.
    pub fn find(self, name: &str) -> Option<&'static CpuModel> {
        self.models().find(|(known, _)| *known == name).map(|(_, model)| model)
    }

    /// The model of a machine that names none.
    pub fn default_model(self) -> &'static str {
        match self {
            Target::Riscv32 => "rv32",
            Target::Riscv64 => "rv64",
        }
    }
}

impl CpuModel {
    /// The model called `name`.
    pub fn find(name: &str) -> Option<&'static CpuModel> {
        MODELS.iter().find(|model| model.name == name)
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
        assert_eq!(rv64.misa(), 0x8000_0000_0014_112f);
        let rv128 = CpuModel::find("x-rv128").unwrap();
        assert_eq!(
            rv128.isa_string(),
            "rv128imafdc_zicntr_zicsr_zifencei_zihintpause_zihpm_zmmul_zaamo_zalrsc_zca_sstc_svadu"
        );
        assert_eq!(rv128.misa(), 3 << 126 | 0x14_112d);
        let rv32 = CpuModel::find("rv32").unwrap();
        assert!(rv32.isa_string().starts_with("rv32imafdc_zic64b_zicbom_"), "{}", rv32.isa_string());
        assert!(rv32.extensions.has(Ext::Zcf));
        assert_eq!(rv32.misa(), 0x4014_112f);
        assert_eq!(CpuModel::find("rv32e").unwrap().isa_string(), "rv32e");
    }

    #[test]
    fn a_program_for_32_bits_knows_those_models_alone() {
        let names: Vec<_> = Target::Riscv32.models().map(|(name, _)| name).collect();
        assert_eq!(names, ["max", "rv32", "rv32e", "rv32i"]);
        assert_eq!(Target::Riscv32.find("max").map(|model| model.xlen), Some(32));
        assert_eq!(Target::Riscv32.find("rv64"), None);
        assert_eq!(Target::Riscv64.find("rv32").map(|model| model.xlen), Some(32));
    }
}
