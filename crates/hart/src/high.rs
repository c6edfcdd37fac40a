//! CSRs as a hart of 32 bits has them: those of 64 bits are in two registers (privileged spec, 3.1.6 and after).
//!
//! All CSRs are kept as a hart of 64 bits has them; here is who shows which half, and nothing else knows it.

use crate::hart::Hart;
use hartwright_ir::Width;
use hartwright_isa::csr::*;

/// Each register that is the high half of another, and that other.
const HALVES: &[(u16, u16)] = &[
    (MSTATUSH, MSTATUS),
    (MEDELEGH, MEDELEG),
    (MENVCFGH, MENVCFG),
    (MSECCFGH, MSECCFG),
    (STIMECMPH, STIMECMP),
];

/// The same of numbered ones: the first high half, how many, how far before it the low half is, and how far it is
/// from one to the next.
const FAMILIES: &[(u16, u16, u16, u16)] = &[
    (MSTATEEN0H, 4, MSTATEEN0H - MSTATEEN0, 1),
    // Eight entries in two registers of four.
    (PMPCFG0 + 1, 8, 1, 2),
    (MCYCLEH, 32, MCYCLEH - MCYCLE, 1),
    (CYCLEH, 32, CYCLEH - CYCLE, 1),
    (MCYCLECFGH, 31, MCYCLECFGH - MCYCLECFG, 1),
];

/// The register whose high half `csr` is.
fn low_half(csr: u16) -> Option<u16> {
    let family = FAMILIES.iter().find(|(first, count, _, step)| {
        csr.checked_sub(*first).is_some_and(|distance| distance < count * step && distance % step == 0)
    });
    let pair = || HALVES.iter().find(|(high, _)| *high == csr).map(|(_, low)| *low);
    family.map(|(_, _, back, _)| csr - back).or_else(pair)
}

const LOW: u64 = 0xffff_ffff;

impl<W: Width> Hart<W> {
    /// The register that `csr` is all or half of, and how far up that half begins.
    pub(crate) fn whole(csr: u16) -> (u16, u32) {
        if W::BITS > 32 {
            return (csr, 0);
        }
        low_half(csr).map_or((csr, 0), |low| (low, 32))
    }

    /// What the register holds; `None` if this hart has none such. Reading changes nothing.
    pub fn read_csr(&self, csr: u16) -> Option<u64> {
        if W::BITS > 32 {
            return self.read_whole(csr);
        }
        let (whole, shift) = Self::whole(csr);
        Some(self.read_whole(whole)? >> shift & LOW)
    }

    /// Writes what of `v` the register can hold. Writes to registers that are not there are lost.
    pub fn write_csr(&self, csr: u16, v: u64) {
        if W::BITS > 32 {
            return self.write_whole(csr, v);
        }
        let (whole, shift) = Self::whole(csr);
        let other = self.read_whole(whole).unwrap_or(0) & !(LOW << shift);
        self.write_whole(whole, other | (v & LOW) << shift);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_found_by_number() {
        let named = |csr| name(csr).map(|name| format!("{name}h"));
        for csr in (0..0x1000).filter(|csr| !(0x3a0..0x3b0).contains(csr)) {
            if let Some(low) = low_half(csr) {
                assert_eq!(name(csr).map(String::from), named(low), "{csr:#x}");
            }
        }
        assert_eq!(low_half(PMPCFG0 + 3), Some(PMPCFG0 + 2));
        assert_eq!(low_half(PMPCFG0 + 2), None);
        assert_eq!(low_half(0xc81), Some(TIME));
        assert_eq!(low_half(0xb9f), Some(0xb1f));
    }
}
