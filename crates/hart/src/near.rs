//! Pages that translated code has at hand, one for each base register and kind of access.
//!
//! Which one an access asks is known when it is translated, so that nothing has to be computed before it is asked.
//! Behind it is the [`Tlb`](crate::tlb), whose pages these are; what makes one of those stale empties all of these.

use crate::hart::Hart;
use hartwright_ir::Width;
use hartwright_mem::{Access, PAGE};
use std::cell::Cell;

/// One page a base register.
const COUNT: usize = 32;

/// A tag no address has.
const EMPTY: u64 = u64::MAX;

/// What is at hand for loads, and for stores.
#[derive(Default)]
pub(crate) struct Near {
    pub(crate) loads: NearPages,
    pub(crate) stores: NearPages,
}

/// A page for each base register.
#[repr(C)]
pub(crate) struct NearPages {
    /// Its virtual address.
    pub(crate) tags: [Cell<u64>; COUNT],
    /// What to add to a virtual address to get the host's.
    pub(crate) addends: [Cell<u64>; COUNT],
    /// The host's address of its [version](hartwright_mem::Ram::version_address).
    pub(crate) versions: [Cell<u64>; COUNT],
}

impl Default for NearPages {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| Cell::new(0));
        NearPages { tags: std::array::from_fn(|_| Cell::new(EMPTY)), addends: zeros(), versions: zeros() }
    }
}

impl Near {
    pub(crate) fn clear(&self) {
        for pages in [&self.loads, &self.stores] {
            pages.tags.iter().for_each(|tag| tag.set(EMPTY));
        }
    }
}

impl<W: Width> Hart<W> {
    /// Has the page of a naturally aligned access of `size` bytes at hand in place `slot`, 0 to 31; says whether it
    /// may be: it lies in RAM, and may be accessed without anybody having to hear of it.
    pub fn bring_near(&self, access: Access, addr: u64, size: u64, slot: usize) -> bool {
        let Some(at) = self.memory_place(access, addr, size) else { return false };
        let (page, at) = (addr & !(PAGE - 1), at & !(PAGE - 1));
        let ram = self.ram();
        let Some(version) = ram.version_address(at) else { return false };
        let pages = if access == Access::Store { &self.near.stores } else { &self.near.loads };
        pages.tags[slot % COUNT].set(page);
        pages.addends[slot % COUNT].set(ram.address().wrapping_add(at).wrapping_sub(page));
        pages.versions[slot % COUNT].set(version);
        true
    }
}
