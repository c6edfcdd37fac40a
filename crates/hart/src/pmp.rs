//! Physical memory protection (privileged spec, 3.7), and Smepmp, which keeps M-mode in its bounds too.

use crate::{
    status::{MSECCFG_MML, MSECCFG_MMWP, MSECCFG_RLB},
    trap::Privilege,
};
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

/// What an entry's `L`, `R`, `W` and `X`, read as a number, mean with `mseccfg.MML`: what M-mode may do, and what S
/// and U may (privileged spec, Smepmp, "Smepmp structure": the truth table when MML is set).
#[rustfmt::skip]
const MML: [(u8, u8); 16] = [
    (0,     0    ), (0,     X        ), (R | W, R    ), (R | W, R | W    ),
    (0,     R    ), (0,     R | X    ), (0,     R | W), (0,     R | W | X),
    (0,     0    ), (X,     0        ), (X,     X    ), (R | X, X        ),
    (R,     0    ), (R | X, 0        ), (R | W, 0    ), (R,     R        ),
];

/// `L`, `R`, `W` and `X` of an entry as an index of [`MML`].
fn meaning(cfg: u8) -> (u8, u8) {
    let bit = |mask, to: usize| if cfg & mask != 0 { to } else { 0 };
    MML[bit(L, 8) | bit(R, 4) | bit(W, 2) | bit(X, 1)]
}

/// The entries.
pub(crate) struct Pmp {
    count: usize,
    cfg: [Cell<u8>; MAX],
    addr: [Cell<u64>; MAX],
    /// `MML`, `MMWP` and `RLB` of `mseccfg`.
    seccfg: Cell<u64>,
    /// Whether M-mode may do anything: no entry is on, and `mseccfg` says nothing of it.
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
            seccfg: Cell::new(0),
            idle: Cell::new(true),
        }
    }

    pub(crate) fn reset(&self) {
        self.cfg.iter().for_each(|cfg| cfg.set(0));
        self.addr.iter().for_each(|addr| addr.set(0));
        self.seccfg.set(0);
        self.idle.set(true);
    }

    /// `MML`, `MMWP` and `RLB` of `mseccfg`.
    pub(crate) fn seccfg(&self) -> u64 {
        self.seccfg.get()
    }

    /// Writes these three bits: the first two can only be set, and the last only while no entry is locked.
    pub(crate) fn write_seccfg(&self, value: u64) {
        let old = self.seccfg.get();
        let locked = self.cfg.iter().any(|cfg| cfg.get() & L != 0);
        let rlb = if locked && old & MSECCFG_RLB == 0 { 0 } else { value & MSECCFG_RLB };
        self.seccfg.set((old | value) & (MSECCFG_MML | MSECCFG_MMWP) | rlb);
        self.settle();
    }

    fn settle(&self) {
        let off = self.cfg.iter().all(|cfg| cfg.get() & A == 0);
        self.idle.set(off && self.seccfg.get() & (MSECCFG_MML | MSECCFG_MMWP) == 0);
    }

    /// Whether M-mode may do anything, since no entry is on: one that is refuses even to M-mode what lies only partly
    /// in it.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle.get()
    }

    fn secured(&self, bit: u64) -> bool {
        self.seccfg.get() & bit != 0
    }

    /// Whether an entry keeps what it has until reset.
    fn is_locked(&self, entry: usize) -> bool {
        self.cfg[entry].get() & L != 0 && !self.secured(MSECCFG_RLB)
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// `pmpcfg` register of eight entries from `first`.
    pub(crate) fn read_cfg(&self, first: usize) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|i| self.cfg[(first + i) % MAX].get()))
    }

    /// Writes eight entries from `first`. Locked ones keep what they have. `R=0 W=1` is reserved without `MML` and
    /// leaves the entry's permissions as they were; with it, an entry does not come to let M-mode execute.
    pub(crate) fn write_cfg(&self, first: usize, value: u64) {
        let mml = self.secured(MSECCFG_MML);
        for (i, new) in value.to_le_bytes().into_iter().enumerate() {
            let entry = first + i;
            if entry >= self.count || self.is_locked(entry) {
                continue;
            }
            let mut new = new & (R | W | X | A | L);
            if !mml && new & (R | W) == W {
                new = new & !(R | W | X) | self.cfg[entry].get() & (R | W | X);
            }
            if mml && meaning(new).0 & X != 0 && !self.secured(MSECCFG_RLB) {
                continue;
            }
            self.cfg[entry].set(new);
        }
        self.settle();
    }

    pub(crate) fn read_addr(&self, entry: usize) -> u64 {
        self.addr[entry % MAX].get()
    }

    /// Writes `pmpaddr`, unless the entry is locked, or is the bottom of a locked range.
    pub(crate) fn write_addr(&self, entry: usize, value: u64) {
        let next = entry + 1;
        let bottom = next < self.count && self.is_locked(next) && self.cfg[next].get() & A == TOR;
        if entry < self.count && !self.is_locked(entry) && !bottom {
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
            let machine = mode == Privilege::Machine;
            let may = if self.secured(MSECCFG_MML) {
                let (m, su) = meaning(cfg);
                if machine { m } else { su }
            } else if machine && cfg & L == 0 {
                R | W | X
            } else {
                cfg
            };
            return if may & need != 0 { Verdict::Allowed } else { Verdict::Denied };
        }
        // Where no entry is, only M-mode may be, and with `mseccfg` not even that.
        let fetch = access == Access::Fetch && self.secured(MSECCFG_MML);
        let free = mode == Privilege::Machine && !fetch && !self.secured(MSECCFG_MMWP);
        if free { Verdict::Allowed } else { Verdict::Denied }
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
