//! Translations at hand: a page, and where its bytes are in RAM.

use hartwright_mem::{Access, PAGE, PAGE_SHIFT};
use std::cell::Cell;

/// Pages at hand for each view and kind of access.
const PAGES: usize = 512;
const VIEWS: usize = 4;
const KINDS: usize = 3;
const SLOTS: usize = KINDS * VIEWS * PAGES;

/// A tag no address has: page tags end in zeros.
const EMPTY: u64 = u64::MAX;

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

/// One page that may be accessed in one way.
struct Slot {
    /// Its virtual address.
    tag: Cell<u64>,
    /// What to add to a virtual address to get an offset into [`Ram`](hartwright_mem::Ram).
    addend: Cell<u64>,
}

/// A direct-mapped translation cache for each view and kind of access.
pub(crate) struct Tlb {
    slots: Box<[Slot; SLOTS]>,
    /// By slot, the address bits in which an address of the same (super)page may differ.
    reaches: Box<[Cell<u64>; SLOTS]>,
}

impl Default for Tlb {
    fn default() -> Self {
        let slot = || Slot { tag: Cell::new(EMPTY), addend: Cell::new(0) };
        Tlb { slots: boxed(slot), reaches: boxed(Cell::default) }
    }
}

/// An array too large to be made on the stack.
fn boxed<T, const N: usize>(each: impl Fn() -> T) -> Box<[T; N]> {
    let all: Vec<T> = (0..N).map(|_| each()).collect();
    all.try_into().unwrap_or_else(|_| unreachable!("it has as many as were asked for"))
}

#[inline(always)]
fn index(view: View, access: Access, addr: u64) -> usize {
    (access as usize * VIEWS + view as usize) * PAGES + (addr >> PAGE_SHIFT) as usize % PAGES
}

impl Tlb {
    /// The offset into RAM of a naturally aligned access of `size` bytes, if the page is at hand.
    #[inline(always)]
    pub(crate) fn find(&self, view: View, access: Access, addr: u64, size: u64) -> Option<u64> {
        let slot = &self.slots[index(view, access, addr)];
        // A misaligned address keeps a low bit, and so equals no tag.
        let tag = addr & (!(PAGE - 1) | (size - 1));
        (slot.tag.get() == tag).then(|| addr.wrapping_add(slot.addend.get()))
    }

    /// Adds the page of `addr`, whose bytes begin at offset `at` of RAM, for one kind of access.
    pub(crate) fn insert(&self, view: View, access: Access, addr: u64, at: u64, reach: u64) {
        let (index, page) = (index(view, access, addr), addr & !(PAGE - 1));
        self.slots[index].tag.set(page);
        self.slots[index].addend.set(at.wrapping_sub(page));
        self.reaches[index].set(reach);
    }

    /// Forgets everything.
    pub(crate) fn flush(&self) {
        self.slots.iter().for_each(|slot| slot.tag.set(EMPTY));
    }

    /// Forgets pages that are loaded from or stored to.
    pub(crate) fn flush_data(&self) {
        let fetches = VIEWS * PAGES * (Access::Fetch as usize + 1);
        self.slots[fetches..].iter().for_each(|slot| slot.tag.set(EMPTY));
    }

    /// Forgets the page of `addr`, and all of its superpage if it is part of one.
    pub(crate) fn flush_page(&self, addr: u64) {
        for (slot, reach) in self.slots.iter().zip(self.reaches.iter()) {
            if (slot.tag.get() ^ addr) & !(reach.get() | (PAGE - 1)) == 0 {
                slot.tag.set(EMPTY);
            }
        }
    }
}
