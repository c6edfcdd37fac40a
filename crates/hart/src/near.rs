//! Pages that translated code has at hand, some for U-mode's code and some for all other.
//!
//! Which one an access asks is known when it is translated, so that nothing has to be computed before it is asked.
//! Behind it is the [`Tlb`](crate::tlb), whose pages these are; what makes one of those stale empties all of these.

use crate::{
    hart::Hart,
    tlb::{Slot, Tlb, View},
    trap::Privilege,
};
use hartwright_ir::Width;
use hartwright_mem::{Access, PAGE};
use std::cell::Cell;

/// Places for pages at hand, for each of the two kinds of code.
pub const NEAR_PAGES: usize = 128;

/// A tag no address has.
const EMPTY: u64 = u64::MAX;

/// What is at hand for loads, and for stores.
pub(crate) struct Near {
    pub(crate) loads: NearPages,
    pub(crate) stores: NearPages,
    /// Whose rules the pages of code that is not U-mode's go by.
    view: Cell<View>,
}

/// Pages by place: U-mode's code has the first half.
#[repr(C)]
pub(crate) struct NearPages {
    /// Its virtual address.
    pub(crate) tags: [Cell<u64>; 2 * NEAR_PAGES],
    /// What to add to a virtual address to get the host's.
    pub(crate) addends: [Cell<u64>; 2 * NEAR_PAGES],
    /// The host's address of its [version](hartwright_mem::Ram::version_address).
    pub(crate) versions: [Cell<u64>; 2 * NEAR_PAGES],
    /// Where the [`Tlb`] has what is behind these: the host's address of its slots.
    pub(crate) slots: Cell<u64>,
    /// What tags of those have in their low bits.
    pub(crate) number: Cell<u64>,
}

impl Default for NearPages {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| Cell::new(0));
        NearPages {
            tags: std::array::from_fn(|_| Cell::new(EMPTY)),
            addends: zeros(),
            versions: zeros(),
            slots: Cell::new(0),
            number: Cell::new(0),
        }
    }
}

impl Default for Near {
    fn default() -> Self {
        Near { loads: NearPages::default(), stores: NearPages::default(), view: Cell::new(View::Machine) }
    }
}

/// Where code of a privilege mode has its pages.
fn half(mode: Privilege) -> usize {
    if mode == Privilege::User { 0 } else { NEAR_PAGES }
}

impl Near {
    pub(crate) fn clear(&self) {
        for pages in [&self.loads, &self.stores] {
            pages.tags.iter().for_each(|tag| tag.set(EMPTY));
        }
    }

    /// Code of `mode` runs, whose accesses go by `view`; behind that are the slots that `slots` says.
    pub(crate) fn follow(&self, mode: Privilege, view: View, slots: impl Fn(Access) -> (*const Slot, u64)) {
        for (pages, access) in [(&self.loads, Access::Load), (&self.stores, Access::Store)] {
            let (first, number) = slots(access);
            pages.slots.set(first as u64);
            pages.number.set(number);
        }
        if mode == Privilege::User {
            return;
        }
        // With `mstatus.SUM` S-mode may access what it may without.
        let known = self.view.replace(view);
        if known != view && (known, view) != (View::Supervisor, View::SupervisorUser) {
            for pages in [&self.loads, &self.stores] {
                pages.tags[half(mode)..].iter().for_each(|tag| tag.set(EMPTY));
            }
        }
    }
}

impl<W: Width> Hart<W> {
    /// Page numbers' bits that choose a slot behind the pages at hand.
    pub const SLOT_MASK: u64 = Tlb::MASK;

    /// Has the page of a naturally aligned access of `size` bytes at hand in place `slot`, one below `2 * NEAR_PAGES`;
    /// says whether it may be: it lies in RAM, and may be accessed without anybody having to hear of it.
    pub fn bring_near(&self, access: Access, addr: u64, size: u64, slot: usize) -> bool {
        let Some(at) = self.memory_place(access, addr, size) else { return false };
        let (page, at) = (addr & !(PAGE - 1), at & !(PAGE - 1));
        let ram = self.ram();
        let Some(version) = ram.version_address(at) else { return false };
        let pages = if access == Access::Store { &self.near.stores } else { &self.near.loads };
        let slot = slot % pages.tags.len();
        pages.tags[slot].set(page);
        pages.addends[slot].set(ram.address().wrapping_add(at).wrapping_sub(page));
        pages.versions[slot].set(version);
        true
    }
}
