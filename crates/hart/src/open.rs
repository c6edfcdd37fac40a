//! The stretch of memory that was looked up last for S- and U-mode: one of RAM that one PMP entry decides about. Page
//! tables and most pages lie in the same, so that a walk looks for neither region nor entry.

use crate::{hart::Hart, pmp::need};
use hartwright_ir::Width;
use hartwright_mem::Access;

/// RAM that S- and U-mode may all access alike.
#[derive(Clone, Copy)]
pub(crate) struct Open {
    /// First and last physical address.
    first: u64,
    last: u64,
    /// The first one's offset into RAM.
    at: u64,
    /// What may be done there: `R`, `W`, `X` as in `pmpcfg`.
    may: u8,
    /// What [`Pmp::changes`](crate::pmp::Pmp::changes) was then.
    changes: u64,
}

impl Open {
    /// No memory.
    pub(crate) const NOTHING: Open = Open { first: 1, last: 0, at: 0, may: 0, changes: 0 };

    /// Where `size` bytes at `addr` are, if they may be accessed so.
    #[inline]
    fn place(&self, addr: u64, size: u64, access: Access) -> Option<u64> {
        let offset = addr.wrapping_sub(self.first);
        let length = self.last.wrapping_sub(self.first);
        let inside = self.first <= self.last && offset <= length && length - offset >= size - 1;
        (inside && self.may & need(access) != 0).then(|| self.at + offset)
    }
}

impl<W: Width> Hart<W> {
    /// The offset into RAM of `size` bytes at a physical address, if they lie in RAM and S- and U-mode may access them
    /// so, by one PMP entry. Who is told no asks region and entries.
    #[inline]
    pub(crate) fn open_place(&self, addr: u64, size: u64, access: Access) -> Option<u64> {
        let open = self.open.get();
        let known = if open.changes == self.pmp.changes() { open.place(addr, size, access) } else { None };
        known.or_else(|| self.look_around(addr).place(addr, size, access))
    }

    #[cold]
    fn look_around(&self, addr: u64) -> Open {
        let Some((region, at)) = self.config().space.ram_around(addr) else { return Open::NOTHING };
        let (first, last, may) = self.pmp.around(addr);
        let (from, to) = (*region.start(), *region.end());
        let first = first.max(from);
        let open =
            Open { first, last: last.min(to), at: at + (first - from), may, changes: self.pmp.changes() };
        self.open.set(open);
        open
    }
}
