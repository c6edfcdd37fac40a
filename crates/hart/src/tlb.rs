//! Translations at hand: a page, and where its bytes are in RAM.
//!
//! A tag has the number of the address space that it was made in, so that switching between spaces (`satp`, with
//! ASIDs or without) loses nothing, and forgetting a space is to give it another number.

use bytemuck::Zeroable;
use hartwright_mem::{Access, PAGE, PAGE_SHIFT};
use std::cell::{Cell, RefCell};

/// Pages at hand for each view and kind of access.
const PAGES: usize = 1 << 14;
const VIEWS: usize = 4;
const KINDS: usize = 3;
const SLOTS: usize = KINDS * VIEWS * PAGES;

/// Address spaces that are remembered.
const SPACES: usize = 32;
/// The number of a space is in a tag's bits from here on, above those that tell a misaligned address, up to a page's.
/// No space has the number 0, so 0 is no tag.
const NUMBER_SHIFT: u32 = 4;
const NUMBERS: u64 = 1 << (PAGE_SHIFT - NUMBER_SHIFT);

/// Bits of the set of pages that were fetched from, and how many may be set before it is emptied.
const FETCHED_BITS: usize = 1 << 16;
const FETCHED_MOST: u32 = FETCHED_BITS as u32 / 4;

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
#[derive(Zeroable)]
#[repr(C)]
pub(crate) struct Slot {
    /// Its virtual address, and its space's number.
    pub(crate) tag: Cell<u64>,
    /// What to add to a virtual address to get an offset into [`Ram`](hartwright_mem::Ram).
    pub(crate) addend: Cell<u64>,
}

/// An address space that may be entered again.
#[derive(Clone, Copy)]
struct Space {
    satp: u64,
    number: u64,
    epoch: u64,
}

/// A direct-mapped translation cache for each view and kind of access.
pub(crate) struct Tlb {
    slots: Box<[Slot; SLOTS]>,
    spaces: RefCell<Vec<Space>>,
    /// The number of the present space, in its place.
    number: Cell<u64>,
    next_number: Cell<u64>,
    /// What fetches of the present space go by: see [`epoch`](Self::epoch).
    epoch: Cell<u64>,
    /// The same, for code that is where it is in every space.
    common_epoch: Cell<u64>,
    last_epoch: Cell<u64>,
    /// Whether S-mode fetched from a page that another space may have elsewhere.
    supervisor_is_local: Cell<bool>,
    /// The addresses between which there are pages of superpages, by their highest bit: first and last.
    large: [Cell<(u64, u64)>; 2],
    /// Pages that were fetched from, as a set by some bits of their number; and how many bits are set.
    fetched: Box<[Cell<u64>; FETCHED_BITS / 64]>,
    fetched_count: Cell<u32>,
}

/// No addresses.
const NOTHING: (u64, u64) = (u64::MAX, 0);

impl Default for Tlb {
    fn default() -> Self {
        let tlb = Tlb {
            // The host gives memory to what is used.
            slots: bytemuck::zeroed_box(),
            spaces: RefCell::default(),
            number: Cell::new(0),
            next_number: Cell::new(1),
            epoch: Cell::new(0),
            common_epoch: Cell::new(0),
            last_epoch: Cell::new(0),
            supervisor_is_local: Cell::new(false),
            large: [Cell::new(NOTHING), Cell::new(NOTHING)],
            fetched: bytemuck::zeroed_box(),
            fetched_count: Cell::new(0),
        };
        tlb.enter(0);
        tlb
    }
}

#[inline(always)]
fn index(view: View, access: Access, addr: u64) -> usize {
    (access as usize * VIEWS + view as usize) * PAGES + (addr >> PAGE_SHIFT) as usize % PAGES
}

impl Tlb {
    /// Pages for each view and kind of access, as a mask for page numbers.
    pub(crate) const MASK: u64 = PAGES as u64 - 1;

    /// The offset into RAM of a naturally aligned access of `size` bytes, if the page is at hand.
    #[inline(always)]
    pub(crate) fn find(&self, view: View, access: Access, addr: u64, size: u64) -> Option<u64> {
        let slot = &self.slots[index(view, access, addr)];
        // A misaligned address keeps a low bit, and so equals no tag.
        let tag = addr & (!(PAGE - 1) | (size - 1)) | self.number.get();
        (slot.tag.get() == tag).then(|| addr.wrapping_add(slot.addend.get()))
    }

    /// The slots of a view and kind of access, and the number that tags have now: for translated code.
    pub(crate) fn slots(&self, view: View, access: Access) -> (*const Slot, u64) {
        (&raw const self.slots[index(view, access, 0)], self.number.get())
    }

    /// Adds the page of `addr`, whose bytes begin at offset `at` of RAM, for one kind of access. `reach`: the address
    /// bits in which an address of the same (super)page may differ; `global`: whether every space has it.
    pub(crate) fn insert(&self, view: View, access: Access, addr: u64, at: u64, reach: u64, global: bool) {
        let (slot, page) = (&self.slots[index(view, access, addr)], addr & !(PAGE - 1));
        slot.tag.set(page | self.number.get());
        slot.addend.set(at.wrapping_sub(page));
        if reach >= PAGE {
            let large = &self.large[(addr >> 63) as usize];
            let (first, last) = large.get();
            large.set((first.min(addr & !reach), last.max(addr | reach)));
        }
        if access == Access::Fetch {
            let (word, bit) = Self::fetched_at(addr);
            let word = &self.fetched[word];
            if word.get() & bit == 0 {
                word.set(word.get() | bit);
                self.fetched_count.set(self.fetched_count.get() + 1);
            }
            if view == View::Supervisor && !global && !self.supervisor_is_local.replace(true) {
                // What was taken for every space's is not.
                self.common_epoch.set(self.new_epoch());
            }
        }
    }

    fn fetched_at(addr: u64) -> (usize, u64) {
        let number = (addr >> PAGE_SHIFT ^ addr >> 48) as usize % FETCHED_BITS;
        (number / 64, 1 << (number % 64))
    }

    fn new_epoch(&self) -> u64 {
        self.last_epoch.set(self.last_epoch.get() + 1);
        self.last_epoch.get()
    }

    /// What fetches by a view go by now: as long as it is the same, so are their translations.
    pub(crate) fn epoch(&self, view: View) -> u64 {
        let local = view == View::User || self.supervisor_is_local.get() && view != View::Machine;
        if local { self.epoch.get() } else { self.common_epoch.get() }
    }

    /// Has all fetches look anew.
    pub(crate) fn renew_epochs(&self) {
        self.common_epoch.set(self.new_epoch());
        self.epoch.set(self.new_epoch());
        for space in &mut *self.spaces.borrow_mut() {
            let present = space.number == self.number.get();
            space.epoch = if present { self.epoch.get() } else { self.new_epoch() };
        }
    }

    /// Enters the space of page tables that `satp` says, as it was left if it is remembered.
    pub(crate) fn enter(&self, satp: u64) {
        let mut spaces = self.spaces.borrow_mut();
        let space = match spaces.iter().find(|space| space.satp == satp) {
            Some(space) => *space,
            None => {
                if self.next_number.get() == NUMBERS {
                    spaces.clear();
                    self.slots.iter().for_each(|slot| slot.tag.set(0));
                    self.next_number.set(1);
                }
                let number = self.next_number.get();
                self.next_number.set(number + 1);
                if spaces.len() == SPACES {
                    spaces.remove(0);
                }
                let space = Space { satp, number: number << NUMBER_SHIFT, epoch: self.new_epoch() };
                spaces.push(space);
                space
            }
        };
        self.number.set(space.number);
        self.epoch.set(space.epoch);
    }

    /// Forgets everything; the present space is that of `satp`.
    pub(crate) fn flush(&self, satp: u64) {
        self.spaces.borrow_mut().clear();
        self.supervisor_is_local.set(false);
        self.large.iter().for_each(|large| large.set(NOTHING));
        self.fetched.iter().for_each(|word| word.set(0));
        self.fetched_count.set(0);
        self.enter(satp);
        self.renew_epochs();
    }

    /// Forgets pages that are loaded from or stored to; the present space is that of `satp`.
    pub(crate) fn flush_data(&self, satp: u64) {
        // What was fetched stays as it was, and so do the epochs that say so.
        let epoch = self.epoch.get();
        self.spaces.borrow_mut().clear();
        self.enter(satp);
        self.epoch.set(epoch);
        self.spaces.borrow_mut().iter_mut().for_each(|space| space.epoch = epoch);
    }

    /// Forgets the spaces that `is_one` says of their `satp`, of which the present one has `satp`; says whether that
    /// is one of them.
    pub(crate) fn flush_spaces(&self, satp: u64, is_one: impl Fn(u64) -> bool) -> bool {
        self.spaces.borrow_mut().retain(|space| !is_one(space.satp));
        let present = is_one(satp);
        if present {
            self.enter(satp);
        }
        present
    }

    /// Forgets the page of `addr` in every space, or says that it cannot and everything is to be forgotten: it may be
    /// part of a superpage.
    pub(crate) fn flush_page(&self, addr: u64) -> Result<Fetched, ()> {
        let (first, last) = self.large[(addr >> 63) as usize].get();
        if first <= addr && addr <= last || self.fetched_count.get() > FETCHED_MOST {
            return Err(());
        }
        for i in 0..KINDS * VIEWS {
            let slot = &self.slots[i * PAGES + (addr >> PAGE_SHIFT) as usize % PAGES];
            if (slot.tag.get() ^ addr) >> PAGE_SHIFT == 0 {
                slot.tag.set(0);
            }
        }
        let (word, bit) = Self::fetched_at(addr);
        Ok(Fetched(self.fetched[word].get() & bit != 0))
    }
}

/// Whether a page that is forgotten may have been fetched from.
pub(crate) struct Fetched(pub(crate) bool);
