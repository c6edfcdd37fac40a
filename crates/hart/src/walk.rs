//! Sv32, Sv39, Sv48 and Sv57 (privileged spec, 10.3 to 10.6), with Svadu or Svade, Svnapot and Svpbmt.

use crate::{
    hart::Hart,
    pmp::Verdict,
    status::{ENVCFG_ADUE, ENVCFG_PBMTE, MSTATUS_MXR},
    tlb::View,
    trap::{Cause, Privilege, Trap},
};
use hartwright_ir::Width;
use hartwright_isa::Ext;
use hartwright_mem::{Access, PAGE, PAGE_SHIFT, Place};

const V: u64 = 1;
const R: u64 = 1 << 1;
const W_: u64 = 1 << 2;
const X: u64 = 1 << 3;
const U: u64 = 1 << 4;
const G: u64 = 1 << 5;
const A: u64 = 1 << 6;
const D: u64 = 1 << 7;
const RESERVED: u64 = 0x7f << 54;
const PBMT: u64 = 3 << 61;
const N: u64 = 1 << 63;
const PPN_BITS: u32 = 44;

/// Where a virtual address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Translation {
    /// The physical address.
    pub(crate) addr: u64,
    /// Address bits in which an address of the same page may differ.
    pub(crate) reach: u64,
    /// Whether every address space has it.
    pub(crate) global: bool,
}

impl<W: Width> Hart<W> {
    /// Bytes of an entry of a page table. Those of 4 have all but the highest fields of those of 8.
    const PTE_SIZE: u64 = if W::BITS == 32 { 4 } else { 8 };
    /// Address bits that choose one in a table.
    const INDEX_BITS: u32 = if W::BITS == 32 { 10 } else { 9 };
    const SATP_PPN: u64 = if W::BITS == 32 { (1 << 22) - 1 } else { (1 << PPN_BITS) - 1 };

    /// Whether there are page tables, for the modes that go by them.
    pub(crate) fn pages(&self) -> bool {
        self.csrs.satp.get() >> if W::BITS == 32 { 31 } else { 60 } != 0
    }

    fn load_pte(&self, at: u64) -> Option<u64> {
        if W::BITS == 32 { self.ram().load::<u32>(at).map(u64::from) } else { self.ram().load(at) }
    }

    /// Replaces an entry if it is still what it was.
    fn replace_pte(&self, at: u64, old: u64, new: u64) -> bool {
        if W::BITS == 32 {
            matches!(self.ram().compare_exchange(at, old as u32, new as u32), Some(Ok(_)))
        } else {
            matches!(self.ram().compare_exchange(at, old, new), Some(Ok(_)))
        }
    }

    /// Translates by the page tables, if `view` goes by them. `update` says whether A and D bits may be set; a
    /// debugger sets none.
    pub(crate) fn walk(
        &self,
        addr: u64,
        access: Access,
        view: View,
        update: bool,
    ) -> Result<Translation, Trap> {
        if let Some(protection) = self.protection.get() {
            return match protection.check(addr, access) {
                Ok(()) => Ok(Translation { addr, reach: PAGE - 1, global: true }),
                Err(cause) => Err(Trap::new(cause, addr)),
            };
        }
        let satp = self.csrs.satp.get();
        let levels = match satp >> 60 {
            _ if W::BITS == 32 => 2 * (satp >> 31) as u32,
            8 => 3,
            9 => 4,
            10 => 5,
            _ => 0,
        };
        if view == View::Machine || levels == 0 {
            return Ok(Translation { addr, reach: PAGE - 1, global: true });
        }
        let fault = Trap::new(Cause::page_fault(access), addr);
        let unused = 64 - (PAGE_SHIFT + 9 * levels);
        if W::BITS > 32 && ((addr << unused) as i64 >> unused) as u64 != addr {
            return Err(fault);
        }
        'again: loop {
            let mut global = false;
            let mut table = (satp & Self::SATP_PPN) << PAGE_SHIFT;
            for level in (0..levels).rev() {
                let index = addr >> (PAGE_SHIFT + Self::INDEX_BITS * level) & ((1 << Self::INDEX_BITS) - 1);
                let pte_addr = table + Self::PTE_SIZE * index;
                let at = self.pte_place(pte_addr, Access::Load, access, addr)?;
                // The place is memory, so there is a word.
                let pte = self.load_pte(at).unwrap_or(0);
                let ppn = pte >> 10 & ((1 << PPN_BITS) - 1);
                if pte & V == 0 || pte & (R | W_) == W_ || pte & RESERVED != 0 {
                    return Err(fault);
                }
                if pte & (R | X) == 0 {
                    if pte & (A | D | U | PBMT | N) != 0 {
                        return Err(fault);
                    }
                    // All that a global table leads to is global (privileged spec, 10.3.1).
                    global |= pte & G != 0;
                    table = ppn << PAGE_SHIFT;
                    continue;
                }
                let page = self.leaf(pte, ppn, level).ok_or(fault)?;
                if !self.permits(pte, access, view) {
                    return Err(fault);
                }
                let need = if access == Access::Store { A | D } else { A };
                if update && pte & need != need {
                    if !self.updates_accessed_and_dirty() {
                        return Err(fault);
                    }
                    let at = self.pte_place(pte_addr, Access::Store, access, addr)?;
                    if !self.replace_pte(at, pte, pte | need) {
                        continue 'again;
                    }
                }
                let (base, reach) = page;
                let global = global || pte & G != 0;
                return Ok(Translation { addr: base & !reach | addr & reach, reach, global });
            }
            return Err(fault);
        }
    }

    /// The page of a leaf entry: its base and reach; `None` if it is misaligned or uses what this hart has not.
    fn leaf(&self, pte: u64, ppn: u64, level: u32) -> Option<(u64, u64)> {
        let pbmt = self.has(Ext::Svpbmt) && self.csrs.menvcfg.get() & ENVCFG_PBMTE != 0;
        if pte & PBMT != 0 && (!pbmt || pte & PBMT == PBMT) {
            return None;
        }
        if pte & N != 0 {
            // Svnapot knows one size: 64 KiB, told by the low four bits of the page number.
            let napot = self.has(Ext::Svnapot) && level == 0 && ppn & 0xf == 8;
            return napot.then_some(((ppn & !0xf) << PAGE_SHIFT, 16 * PAGE - 1));
        }
        let reach = (PAGE << (Self::INDEX_BITS * level)) - 1;
        let addr = ppn << PAGE_SHIFT;
        (addr & reach == 0).then_some((addr, reach))
    }

    fn permits(&self, pte: u64, access: Access, view: View) -> bool {
        let mode = match (view, pte & U != 0) {
            (View::User, user) => user,
            (View::Supervisor, user) => !user,
            (_, user) => !user || access != Access::Fetch,
        };
        let mxr = self.csrs.mstatus.get() & MSTATUS_MXR != 0;
        mode && match access {
            Access::Fetch => pte & X != 0,
            Access::Load => pte & R != 0 || mxr && pte & X != 0,
            Access::Store => pte & W_ != 0,
        }
    }

    /// Whether hardware sets A and D: with Svadu if `menvcfg.ADUE` says so, else unless Svade is there.
    fn updates_accessed_and_dirty(&self) -> bool {
        if self.has(Ext::Svadu) { self.csrs.menvcfg.get() & ENVCFG_ADUE != 0 } else { !self.has(Ext::Svade) }
    }

    /// The offset into RAM of a page-table entry, which the walk may access, on behalf of an access to `addr`.
    fn pte_place(&self, pte_addr: u64, walk: Access, access: Access, addr: u64) -> Result<u64, Trap> {
        if let Some(at) = self.open_place(pte_addr, Self::PTE_SIZE, walk) {
            return Ok(at);
        }
        let allowed =
            self.pmp.check(pte_addr, Self::PTE_SIZE, walk, Privilege::Supervisor) == Verdict::Allowed;
        match self.config().space.place(pte_addr) {
            Place::Ram(page) if allowed => Ok(page + pte_addr % PAGE),
            Place::Rom(page) if allowed && walk != Access::Store => Ok(page + pte_addr % PAGE),
            _ => Err(Trap::new(Cause::access_fault(access), addr)),
        }
    }
}
