//! Physical memory protection (privileged spec, 3.7).

use crate::trap::Privilege;
use hartwright_mem::{Access, PAGE};
use std::cell::Cell;

/// The most entries the specification knows.
const MAX: usize = 64;

const R: u8 = 1;
const W: u8 = 2;
const X: u8 = 4;
const A: u8 = 3 << 3;
const L: u8 = 1 << 7;
const TOR: u8 = 1 << 3;
const NA4: u8 = 2 << 3;

/// `pmpaddr` has bits 55 to 2 of an address.
const ADDRESS: u64 = (1 << 54) - 1;

/// The entries.
pub(crate) struct Pmp {
    count: usize,
    cfg: [Cell<u8>; MAX],
    addr: [Cell<u64>; MAX],
    /// Whether no entry is on, so that only S and U have something to ask.
    idle: Cell<bool>,
}

/// What PMP says of a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    /// Some bytes fall under other entries than others.
    Mixed,
}

impl Pmp {
    pub(crate) fn new(count: usize) -> Self {
        Pmp {
            count: count.min(MAX),
            cfg: [const { Cell::new(0) }; MAX],
            addr: [const { Cell::new(0) }; MAX],
            idle: Cell::new(true),
        }
    }

    pub(crate) fn reset(&self) {
        self.cfg.iter().for_each(|cfg| cfg.set(0));
        self.addr.iter().for_each(|addr| addr.set(0));
        self.idle.set(true);
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// `pmpcfg` register of eight entries from `first`.
    pub(crate) fn read_cfg(&self, first: usize) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|i| self.cfg[(first + i) % MAX].get()))
    }

    /// Writes eight entries from `first`. Locked ones keep what they have; `R=0 W=1` is reserved and leaves the
    /// entry's permissions as they were.
    pub(crate) fn write_cfg(&self, first: usize, value: u64) {
        for (i, new) in value.to_le_bytes().into_iter().enumerate() {
            let entry = first + i;
            if entry >= self.count || self.cfg[entry].get() & L != 0 {
                continue;
            }
            let mut new = new & (R | W | X | A | L);
            if new & (R | W) == W {
                new = new & !(R | W | X) | self.cfg[entry].get() & (R | W | X);
            }
            self.cfg[entry].set(new);
        }
        self.idle.set(self.cfg.iter().all(|cfg| cfg.get() & A == 0));
    }

    pub(crate) fn read_addr(&self, entry: usize) -> u64 {
        self.addr[entry % MAX].get()
    }

    /// Writes `pmpaddr`, unless the entry is locked, or is the bottom of a locked range.
    pub(crate) fn write_addr(&self, entry: usize, value: u64) {
        let locked = |i: usize| self.cfg[i].get() & L != 0;
        let bottom = entry + 1 < self.count && locked(entry + 1) && self.cfg[entry + 1].get() & A == TOR;
        if entry < self.count && !locked(entry) && !bottom {
            self.addr[entry].set(value & ADDRESS);
        }
    }

    /// Whether `size` bytes at `addr` may be accessed.
    pub(crate) fn check(&self, addr: u64, size: u64, access: Access, mode: Privilege) -> Verdict {
        if self.count == 0 || self.idle.get() && mode == Privilege::Machine {
            return Verdict::Allowed;
        }
        let last = addr.wrapping_add(size - 1);
        for entry in 0..self.count {
            let Some((from, to)) = self.range(entry) else { continue };
            if to < addr || from > last {
                continue;
            }
            if from > addr || to < last {
                return Verdict::Mixed;
            }
            let cfg = self.cfg[entry].get();
            let need = match access {
                Access::Fetch => X,
                Access::Load => R,
                Access::Store => W,
            };
            let free = mode == Privilege::Machine && cfg & L == 0;
            return if free || cfg & need != 0 { Verdict::Allowed } else { Verdict::Denied };
        }
        if mode == Privilege::Machine { Verdict::Allowed } else { Verdict::Denied }
    }

    /// Whether the whole page of `addr` may be accessed so.
    pub(crate) fn allows_page(&self, addr: u64, access: Access, mode: Privilege) -> bool {
        self.check(addr & !(PAGE - 1), PAGE, access, mode) == Verdict::Allowed
    }

    /// First and last address of an entry that is on.
    fn range(&self, entry: usize) -> Option<(u64, u64)> {
        let addr = self.addr[entry].get();
        match self.cfg[entry].get() & A {
            0 => None,
            TOR => {
                let from = if entry == 0 { 0 } else { self.addr[entry - 1].get() << 2 };
                (from < addr << 2).then(|| (from, (addr << 2) - 1))
            }
            NA4 => Some((addr << 2, (addr << 2) + 3)),
            _ => {
                // NAPOT: the trailing ones, and the zero above them, do not tell the base.
                let low = addr ^ addr.wrapping_add(1);
                Some(((addr & !low) << 2, (addr | low) << 2 | 3))
            }
        }
    }
}
