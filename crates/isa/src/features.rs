//! Named features: what a profile asks of a hart beyond its extensions, and that it cannot be without (profiles
//! RVA22 and RVA23). A hart of ours has each whose ground it has; nothing switches them.
//!
//! Not here, because not so: Zama16b, as a misaligned access goes byte by byte.

use crate::{Ext, cpu::CpuModel};

/// A feature: its name, its rank in an ISA string, the extension it is about, and what it says.
pub(crate) type Feature = (&'static str, u8, Ext, &'static str);

/// Every feature.
#[rustfmt::skip]
pub(crate) const FEATURES: &[Feature] = &[
    ("zic64b",       10, Ext::Zicsr,  "cache blocks are of 64 bytes"),
    ("ziccamoa",     10, Ext::Zaamo,  "memory takes every atomic memory operation"),
    ("ziccif",       10, Ext::Zicsr,  "an aligned instruction is fetched at once"),
    ("zicclsm",      10, Ext::Zicsr,  "memory takes misaligned loads and stores"),
    ("za64rs",       12, Ext::Zalrsc, "a reservation is of at most 64 bytes, aligned"),
    ("ssccptr",      31, Ext::Zicsr,  "page tables may lie in all of memory"),
    ("sscounterenw", 31, Ext::Zicsr,  "scounteren has a bit for every counter there is"),
    ("ssstrict",     31, Ext::Zicsr,  "what is not defined is illegal"),
    ("sstvala",      31, Ext::Zicsr,  "stval has the address or the instruction at fault"),
    ("sstvecd",      31, Ext::Zicsr,  "stvec holds any address of four bytes, and direct mode"),
    ("ssu64xl",      31, Ext::Zicsr,  "U-mode can have 64 bits"),
];

impl CpuModel {
    /// The names of all it has, extensions and features, in the order of an ISA string (unprivileged spec, ISA
    /// naming).
    pub fn names(&self) -> Vec<&'static str> {
        let extensions = self.extensions.iter().map(|ext| (ext.order(), ext.name()));
        // The draft of 128 bits is older than their names.
        let features = FEATURES.iter().filter(|(name, _, ground, _)| {
            self.extensions.has(*ground) && self.xlen != 128 && (*name != "ssu64xl" || self.xlen == 64)
        });
        let mut all: Vec<_> = extensions.chain(features.map(|row| (row.1, row.0))).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, name)| name).collect()
    }

    /// The ISA string, as the device tree's `riscv,isa` has it: `rv64imac_zicsr`.
    pub fn isa_string(&self) -> String {
        self.names().into_iter().fold(format!("rv{}", self.xlen), |text, name| {
            text + if name.len() > 1 { "_" } else { "" } + name
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ext, cpu::Mmu};

    /// What QEMU 11.1 says of a model, without what is of the hypervisor, which we have not.
    #[track_caller]
    fn check(model: &str, isa: &str) {
        assert_eq!(CpuModel::find(model).unwrap().isa_string(), isa.split_whitespace().collect::<String>());
    }

    #[test]
    fn models_have_the_names_they_have_in_qemu() {
        check(
            "rv64",
            "rv64imafdc_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihintntl
            _zihintpause_zihpm_zmmul_za64rs_zaamo_zalrsc_zawrs_zfa_zca_zcd_zba_zbb_zbc_zbs_sdtrig_ssccptr
            _sscounterenw_ssstrict_sstc_sstvala_sstvecd_ssu64xl_svadu_svvptc",
        );
        check(
            "rva22u64",
            "rv64imafdcb_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zihintpause_zihpm
            _zmmul_za64rs_zaamo_zalrsc_zfhmin_zca_zcd_zba_zbb_zbs_zkt_sdtrig_ssccptr_sscounterenw_ssstrict_sstvala
            _sstvecd_ssu64xl",
        );
        check(
            "rva22s64",
            "rv64imafdcb_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei
            _zihintpause_zihpm_zmmul_za64rs_zaamo_zalrsc_zfhmin_zca_zcd_zba_zbb_zbs_zkt_sdtrig_ssccptr_sscounterenw
            _ssstrict_sstvala_sstvecd_ssu64xl_svade_svinval_svpbmt",
        );
        check("rv64i", "rv64i");
    }

    #[test]
    fn features_go_with_their_ground_and_cannot_be_switched() {
        let rv64 = CpuModel::find("rv64").unwrap();
        let without = rv64.with([("zaamo", false), ("a", false)]).unwrap();
        assert!(!without.names().contains(&"ziccamoa") && without.names().contains(&"za64rs"));
        assert_eq!(rv64.with([("zic64b", false)]).unwrap_err(), "Property 'rv64-riscv-cpu.zic64b' not found");
        assert!(!rv64.with([("ziccrse", false)]).unwrap().names().contains(&"ziccrse"));
        assert!(rv64.with([("svbare", true)]).is_ok());
        let profile = rv64.with([("rva22s64", true)]).unwrap();
        assert!(profile.extensions.has(Ext::Svpbmt) && profile.mmu >= Mmu::Sv39);
    }
}
