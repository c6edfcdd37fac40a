//! Translations at hand: a page and where its bytes are in host memory's RAM.

use hartwright_mem::{Access, PAGE, PAGE_SHIFT};
use std::cell::Cell;

/// Entries a mode.
const ENTRIES: usize = 512;

/// A tag no address has: page tags end in zeros.
const EMPTY: u64 = u64::MAX;

/// One page: tags for each access that it allows, and what to add to a virtual address to get an offset into
/// [`Ram`](hartwright_mem::Ram).
pub(crate) struct Entry {
    tags: [Cell<u64>; 3],
    addend: Cell<u64>,
    /// Address bits in which an address of the same (super)page may differ.
    reach: Cell<u64>,
}

/// Whose rules an access goes by. Each has translations of its own, so that none is lost when a trap comes or
/// `mstatus.SUM` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    User = 0,
    Supervisor = 1,
    /// With `mstatus.SUM`.
    SupervisorUser = 2,
    Machine = 3,
}

/// A direct-mapped translation cache for each view.
pub(crate) struct Tlb {
    entries: Box<[Entry]>,
}

impl Default for Tlb {
    fn default() -> Self {
        let entry =
            |_| Entry { tags: [const { Cell::new(EMPTY) }; 3], addend: Cell::new(0), reach: Cell::new(0) };
        Tlb { entries: (0..4 * ENTRIES).map(entry).collect() }
    }
}

impl Tlb {
    #[inline(always)]
    fn entry(&self, view: View, addr: u64) -> &Entry {
        let index = view as usize * ENTRIES + (addr >> PAGE_SHIFT) as usize % ENTRIES;
        &self.entries[index & (4 * ENTRIES - 1)]
    }

    /// The offset into RAM of a naturally aligned access of `size` bytes, if the page is at hand.
    #[inline(always)]
    pub(crate) fn find(&self, view: View, access: Access, addr: u64, size: u64) -> Option<u64> {
        let entry = self.entry(view, addr);
        // A misaligned address keeps a low bit, and so equals no tag.
        let tag = addr & (!(PAGE - 1) | (size - 1));
        (entry.tags[access as usize].get() == tag).then(|| addr.wrapping_add(entry.addend.get()))
    }

    /// Adds the page of `addr`, whose bytes begin at offset `at` of RAM, for one kind of access.
    pub(crate) fn insert(&self, view: View, access: Access, addr: u64, at: u64, reach: u64) {
        let entry = self.entry(view, addr);
        let page = addr & !(PAGE - 1);
        let addend = at.wrapping_sub(page);
        if entry.addend.get() != addend || entry.tags.iter().all(|tag| tag.get() != page) {
            entry.tags.iter().for_each(|tag| tag.set(EMPTY));
        }
        // The page may have been evicted for one kind of access only by another page: tags agree or are empty.
        entry.tags.iter().filter(|tag| tag.get() != page).for_each(|tag| tag.set(EMPTY));
        entry.addend.set(addend);
        entry.reach.set(reach);
        entry.tags[access as usize].set(page);
    }

    /// Forgets everything.
    pub(crate) fn flush(&self) {
        self.entries.iter().for_each(|entry| entry.tags.iter().for_each(|tag| tag.set(EMPTY)));
    }

    /// Forgets the page of `addr`, and all of its superpage if it is part of one.
    pub(crate) fn flush_page(&self, addr: u64) {
        for entry in &self.entries {
            for tag in &entry.tags {
                if (tag.get() ^ addr) & !entry.reach.get() & !(PAGE - 1) == 0 {
                    tag.set(EMPTY);
                }
            }
        }
    }
}
