//! Loads, stores and atomic operations on virtual addresses.

use crate::{
    hart::Hart,
    pmp::Verdict,
    tlb::View,
    trap::{Cause, Privilege, Trap},
    walk::Translation,
};
use hartwright_ir::Width;
use hartwright_isa::cpu::CACHE_BLOCK;
use hartwright_mem::{Access, BusError, PAGE, Place, Word};

/// A naturally aligned piece of memory or of a device, found and allowed.
#[derive(Clone, Copy)]
enum Found {
    /// Offset into RAM.
    Ram(u64),
    /// Physical address.
    Io(u64),
}

impl<W: Width> Hart<W> {
    /// Reads a word at virtual address `addr`, of any alignment.
    #[inline(always)]
    pub fn load<T: Word>(&self, addr: u64) -> Result<T, Trap> {
        if let Some(at) = self.tlb.find(self.view.get(), Access::Load, addr, T::SIZE)
            && let Some(value) = self.ram().load::<T>(at)
        {
            return Ok(value);
        }
        self.load_slowly(addr, T::SIZE as u8).map(T::from_u64)
    }

    /// Writes a word at virtual address `addr`, of any alignment; says whether a device took it.
    #[inline(always)]
    pub fn store<T: Word>(&self, addr: u64, value: T) -> Result<bool, Trap> {
        if let Some(at) = self.tlb.find(self.view.get(), Access::Store, addr, T::SIZE)
            && self.ram().store(at, value)
        {
            return Ok(false);
        }
        self.store_slowly(addr, T::SIZE as u8, value.to_u64())
    }

    /// Reads 16 bytes at virtual address `addr`, of any alignment: of memory, each half by itself.
    pub fn load_pair(&self, addr: u64) -> Result<u128, Trap> {
        let view = self.view.get();
        if let Some(at) = self.tlb.find(view, Access::Load, addr, 16) {
            return Ok(self.ram_pair(at));
        }
        let value = match self.pieces(addr, 16, Access::Load, view)? {
            (Found::Ram(at), None) => self.ram_pair(at),
            (Found::Ram(low), Some((first, Found::Ram(high)))) => {
                let mut bytes = [0; 16];
                let (head, tail) = bytes.split_at_mut(first);
                let fits = self.ram().read(low, head) && self.ram().read(high, tail);
                debug_assert!(fits, "pieces lie in RAM");
                u128::from_le_bytes(bytes)
            }
            _ => return Err(Trap::new(Cause::LoadAccessFault, addr)),
        };
        self.note_watch(addr, 16, Access::Load);
        Ok(value)
    }

    /// Writes 16 bytes at virtual address `addr`, of any alignment: to memory, each half by itself.
    pub fn store_pair(&self, addr: u64, value: u128) -> Result<(), Trap> {
        let view = self.view.get();
        if let Some(at) = self.tlb.find(view, Access::Store, addr, 16) {
            self.set_ram_pair(at, value);
            return Ok(());
        }
        match self.pieces(addr, 16, Access::Store, view)? {
            (Found::Ram(at), None) => self.set_ram_pair(at, value),
            (Found::Ram(low), Some((first, Found::Ram(high)))) => {
                let bytes = value.to_le_bytes();
                let fits = self.ram().write(low, &bytes[..first]) && self.ram().write(high, &bytes[first..]);
                debug_assert!(fits, "pieces lie in RAM");
            }
            _ => return Err(Trap::new(Cause::StoreAccessFault, addr)),
        }
        self.note_watch(addr, 16, Access::Store);
        Ok(())
    }

    /// Replaces a naturally aligned word by `f` of it in one step; gives the old one.
    pub fn update<T: Word>(&self, addr: u64, f: impl Fn(T) -> T) -> Result<T, Trap> {
        let at = self.atomic_place(addr, T::SIZE, Access::Store, true)?;
        self.ram().update(at, f).ok_or(Trap::new(Cause::StoreAccessFault, addr))
    }

    /// Replaces 16 naturally aligned bytes if they are `old`; gives what they were.
    pub fn compare_exchange_pair(&self, addr: u64, old: u128, new: u128) -> Result<u128, Trap> {
        let at = self.atomic_place(addr, 16, Access::Store, true)?;
        let found = self.ram().compare_exchange_pair(at, old, new);
        found.map(|found| found.unwrap_or_else(|other| other)).ok_or(Trap::new(Cause::StoreAccessFault, addr))
    }

    /// Reads a naturally aligned word and reserves it.
    pub fn load_reserved<T: Word>(&self, addr: u64) -> Result<T, Trap> {
        let at = self.atomic_place(addr, T::SIZE, Access::Load, true)?;
        let value = self.ram().load::<T>(at).ok_or(Trap::new(Cause::LoadAccessFault, addr))?;
        self.reservation.at.set(at);
        self.reservation.size.set(T::SIZE);
        self.reservation.value.set(value.to_u64());
        Ok(value)
    }

    /// Writes a naturally aligned word if it is reserved and still holds what it held; says whether it did.
    ///
    /// That it holds the same is taken for that nobody wrote it, as other emulators do.
    pub fn store_conditional<T: Word>(&self, addr: u64, value: T) -> Result<bool, Trap> {
        let size = self.reservation.size.take();
        let at = self.atomic_place(addr, T::SIZE, Access::Store, false)?;
        if size != T::SIZE || self.reservation.at.get() != at {
            return Ok(false);
        }
        let old = T::from_u64(self.reservation.value.get());
        Ok(matches!(self.ram().compare_exchange(at, old, value), Some(Ok(_))))
    }

    /// Whether a cache-block operation may touch the block at `addr`: as a load, or else as a store.
    pub fn touch_block(&self, addr: u64) -> Result<(), Trap> {
        let view = self.view.get();
        match self.find(addr, 1, Access::Load, view) {
            Ok(_) => Ok(()),
            Err(_) => self.find(addr, 1, Access::Store, view).map(drop),
        }
    }

    /// Zeroes the cache block at `addr`, all of it or nothing; only memory has cache blocks.
    pub fn zero_block(&self, addr: u64) -> Result<(), Trap> {
        let block = addr & !(CACHE_BLOCK - 1);
        self.trigger(block, CACHE_BLOCK, Access::Store)?;
        let found = self.find(block, CACHE_BLOCK, Access::Store, self.view.get());
        let Found::Ram(at) = found.map_err(|trap| Trap::new(trap.cause, addr))? else {
            return Err(Trap::new(Cause::StoreAccessFault, addr));
        };
        (0..CACHE_BLOCK).step_by(8).for_each(|offset| self.set_ram_word(at + offset, 8, 0));
        self.note_watch(block, CACHE_BLOCK, Access::Store);
        Ok(())
    }

    /// The physical address of virtual address `addr` as the debugger sees it: nothing is changed by looking.
    pub fn look_up(&self, addr: u64) -> Option<u64> {
        let (addr, view) = (Self::address(addr), self.view.get());
        let view = if view == View::Supervisor { View::SupervisorUser } else { view };
        let any = |access| self.walk(addr, access, view, false).ok();
        let found =
            any(Access::Load).or_else(|| self.walk(addr, Access::Fetch, self.fetch_view(), false).ok());
        found.map(|page| page.addr)
    }

    /// The offset into RAM of the instruction bytes at virtual address `addr`, which lie in one page.
    pub fn fetch_place(&self, addr: u64, size: u64) -> Result<u64, Trap> {
        let (addr, view) = (Self::address(addr), self.fetch_view());
        // The halves of an instruction are fetched by themselves, so two bytes align it.
        if let Some(at) = self.tlb.find(view, Access::Fetch, addr, size.min(2)) {
            return Ok(at);
        }
        match self.find(addr, size.min(2), Access::Fetch, view)? {
            Found::Ram(at) => Ok(at),
            Found::Io(physical) => {
                self.config().space.missed(Access::Fetch, physical, size as u8, addr);
                Err(Trap::new(Cause::InstructionAccessFault, addr))
            }
        }
    }

    /// Whether all of the page of `addr`, from which something was just fetched, may be fetched from; where PMP's
    /// boundaries lie within the page, each instruction must be asked for.
    pub fn fetches_whole_page(&self, addr: u64) -> bool {
        self.tlb.find(self.fetch_view(), Access::Fetch, addr, 2).is_some()
    }

    pub(crate) fn fetch_view(&self) -> View {
        match self.privilege() {
            Privilege::User => View::User,
            Privilege::Supervisor => View::Supervisor,
            Privilege::Machine => View::Machine,
        }
    }

    /// The mode whose permissions PMP asks for.
    fn view_mode(view: View) -> Privilege {
        match view {
            View::User => Privilege::User,
            View::Supervisor | View::SupervisorUser => Privilege::Supervisor,
            View::Machine => Privilege::Machine,
        }
    }

    /// Translates and checks `size` bytes at `addr` that lie in one page, and keeps the page at hand.
    fn find(&self, addr: u64, size: u64, access: Access, view: View) -> Result<Found, Trap> {
        let mode = Self::view_mode(view);
        let found = self.walk(addr, access, view, true);
        if view != View::Machine && self.pages() {
            self.missed(access);
            if let Some(observer) = self.observer.get() {
                observer(addr, access, mode, found.map(|page| (page.addr, page.reach + 1)));
            }
        }
        let page = found?;
        let open = if mode == Privilege::Machine {
            None
        } else {
            self.open_place(page.addr & !(PAGE - 1), PAGE, access)
        };
        if let Some(at) = open {
            self.bring(view, access, addr, at, &page);
            return Ok(Found::Ram(at + page.addr % PAGE));
        }
        if self.pmp.check(page.addr, size, access, mode) != Verdict::Allowed {
            return Err(Trap::new(Cause::access_fault(access), addr));
        }
        let at = match self.config().space.place(page.addr) {
            Place::Ram(at) => at,
            Place::Rom(at) if access != Access::Store => at,
            Place::Flash(at) if access == Access::Fetch => at,
            _ => return Ok(Found::Io(page.addr)),
        };
        if self.pmp.allows_page(page.addr, access, mode) {
            self.bring(view, access, addr, at, &page);
        }
        Ok(Found::Ram(at + page.addr % PAGE))
    }

    /// Keeps the page of `addr`, which is at offset `at` of RAM, at hand, unless somebody watches it.
    fn bring(&self, view: View, access: Access, addr: u64, at: u64, page: &Translation) {
        if self.watched_page(addr, access) {
            return;
        }
        self.tlb.insert(view, access, addr, at, page.reach, page.global);
        if access == Access::Fetch {
            self.settle();
        }
    }

    /// The offset into RAM of a naturally aligned access of `size` bytes, if its page is in the TLB or can be.
    pub(crate) fn memory_place(&self, access: Access, addr: u64, size: u64) -> Option<u64> {
        let view = self.view.get();
        let at_hand = || self.tlb.find(view, access, addr, size);
        at_hand().or_else(|| {
            // Whoever is refused asks again, and is told why.
            let aligned = addr.is_multiple_of(size) && Self::address(addr) == addr;
            let found = aligned && self.find(addr, size, access, view).is_ok();
            found.then(at_hand).flatten()
        })
    }

    fn watched_page(&self, addr: u64, access: Access) -> bool {
        let watched = || {
            self.watched.borrow().iter().any(|w| {
                let first = w.addr & !(PAGE - 1);
                let last = w.addr.wrapping_add(w.len.saturating_sub(1));
                (addr & !(PAGE - 1)).wrapping_sub(first) <= last.wrapping_sub(first)
            })
        };
        access != Access::Fetch && (watched() || self.has_trigger(addr, PAGE))
    }

    #[cold]
    #[inline(never)]
    fn load_slowly(&self, addr: u64, size: u8) -> Result<u64, Trap> {
        let view = self.view.get();
        let value = match self.pieces(addr, size.into(), Access::Load, view)? {
            (Found::Ram(at), None) => self.ram_word(at, size),
            (Found::Io(physical), None) if addr.is_multiple_of(size.into()) => self
                .config()
                .space
                .load(physical, size)
                .map_err(|e| self.refused(e, Access::Load, physical, size, addr))?,
            (Found::Ram(low), Some((first, Found::Ram(high)))) => {
                let mut bytes = [0; 8];
                let fits = self.ram().read(low, &mut bytes[..first])
                    && self.ram().read(high, &mut bytes[first..size as usize]);
                debug_assert!(fits, "pieces lie in RAM");
                u64::from_le_bytes(bytes)
            }
            _ => return Err(Trap::new(Cause::LoadAccessFault, addr)),
        };
        self.note_watch(addr, size.into(), Access::Load);
        Ok(value)
    }

    #[cold]
    #[inline(never)]
    fn store_slowly(&self, addr: u64, size: u8, value: u64) -> Result<bool, Trap> {
        let view = self.view.get();
        let bytes = &value.to_le_bytes()[..size as usize];
        let mut device = false;
        match self.pieces(addr, size.into(), Access::Store, view)? {
            (Found::Ram(at), None) => self.set_ram_word(at, size, value),
            (Found::Io(physical), None) if addr.is_multiple_of(size.into()) => {
                let stored = self.config().space.store(physical, size, value);
                stored.map_err(|e| self.refused(e, Access::Store, physical, size, addr))?;
                device = true;
            }
            (Found::Ram(low), Some((first, Found::Ram(high)))) => {
                let fits = self.ram().write(low, &bytes[..first]) && self.ram().write(high, &bytes[first..]);
                debug_assert!(fits, "pieces lie in RAM");
            }
            _ => return Err(Trap::new(Cause::StoreAccessFault, addr)),
        }
        self.note_watch(addr, size.into(), Access::Store);
        Ok(device)
    }

    /// Where the bytes of an access lie: in one page, or its first so many in one and the rest in the next. Both
    /// are found before any is touched, so a fault of the second leaves the first alone.
    fn pieces(
        &self,
        addr: u64,
        size: u64,
        access: Access,
        view: View,
    ) -> Result<(Found, Option<(usize, Found)>), Trap> {
        self.trigger(addr, size, access)?;
        let left = PAGE - addr % PAGE;
        if left >= size {
            return Ok((self.find(addr, size, access, view)?, None));
        }
        let low = self.find(addr, left, access, view)?;
        let high = self.find(Self::address(addr.wrapping_add(left)), size - left, access, view)?;
        Ok((low, Some((left as usize, high))))
    }

    fn ram_word(&self, at: u64, size: u8) -> u64 {
        let word = match size {
            1 => self.ram().load::<u8>(at).map(u64::from),
            2 => self.ram().load::<u16>(at).map(u64::from),
            4 => self.ram().load::<u32>(at).map(u64::from),
            _ => self.ram().load::<u64>(at),
        };
        word.unwrap_or(0)
    }

    fn set_ram_word(&self, at: u64, size: u8, value: u64) {
        let stored = match size {
            1 => self.ram().store(at, value as u8),
            2 => self.ram().store(at, value as u16),
            4 => self.ram().store(at, value as u32),
            _ => self.ram().store(at, value),
        };
        debug_assert!(stored, "the piece lies in RAM");
    }

    fn ram_pair(&self, at: u64) -> u128 {
        u128::from(self.ram_word(at + 8, 8)) << 64 | u128::from(self.ram_word(at, 8))
    }

    fn set_ram_pair(&self, at: u64, value: u128) {
        self.set_ram_word(at, 8, value as u64);
        self.set_ram_word(at + 8, 8, (value >> 64) as u64);
    }

    /// The offset into RAM of an atomic access, which must be aligned and to memory; `reads` says whether it loads
    /// whatever else it does.
    #[inline]
    fn atomic_place(&self, addr: u64, size: u64, access: Access, reads: bool) -> Result<u64, Trap> {
        let view = self.view.get();
        if let Some(at) = self.tlb.find(view, access, addr, size) {
            return Ok(at);
        }
        if reads {
            self.trigger(addr, size, Access::Load)?;
        }
        self.trigger(addr, size, access)?;
        if !addr.is_multiple_of(size) {
            let cause = if access == Access::Load {
                Cause::LoadAddressMisaligned
            } else {
                Cause::StoreAddressMisaligned
            };
            return Err(Trap::new(cause, addr));
        }
        let found = self.find(addr, size, access, view)?;
        self.note_watch(addr, size, access);
        match found {
            Found::Ram(at) => Ok(at),
            Found::Io(_) => Err(Trap::new(Cause::access_fault(access), addr)),
        }
    }

    /// The trap of an access that the bus refused, counted if nothing was there.
    fn refused(&self, error: BusError, access: Access, physical: u64, size: u8, addr: u64) -> Trap {
        if error == BusError::Unmapped {
            self.config().space.missed(access, physical, size, self.pc());
        }
        Trap::new(Cause::access_fault(access), addr)
    }
}
