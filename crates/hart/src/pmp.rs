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
    /// How often any of this changed, and one.
    changes: Cell<u64>,
}

/// The permission that an access asks for.
pub(crate) const fn need(access: Access) -> u8 {
    match access {
        Access::Fetch => X,
        Access::Load => R,
        Access::Store => W,
    }
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
            changes: Cell::new(1),
        }
    }

    pub(crate) fn reset(&self) {
        self.cfg.iter().for_each(|cfg| cfg.set(0));
        self.addr.iter().for_each(|addr| addr.set(0));
        self.seccfg.set(0);
        self.settle();
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

    /// A number that is another one after each change.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Something changed.
    fn settle(&self) {
        self.changes.set(self.changes.get() + 1);
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
            self.settle();
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
            let need = need(access);
            let machine = mode == Privilege::Machine;
            let may = if machine { self.machine_may(cfg) } else { self.others_may(cfg) };
            return if may & need != 0 { Verdict::Allowed } else { Verdict::Denied };
        }
        // Where no entry is, only M-mode may be, and with `mseccfg` not even that.
        let fetch = access == Access::Fetch && self.secured(MSECCFG_MML);
        let free = mode == Privilege::Machine && !fetch && !self.secured(MSECCFG_MMWP);
        if free { Verdict::Allowed } else { Verdict::Denied }
    }

    /// What M-mode may do by an entry.
    fn machine_may(&self, cfg: u8) -> u8 {
        if self.secured(MSECCFG_MML) {
            meaning(cfg).0
        } else if cfg & L == 0 {
            R | W | X
        } else {
            cfg
        }
    }

    /// What S- and U-mode may do by an entry.
    fn others_may(&self, cfg: u8) -> u8 {
        if self.secured(MSECCFG_MML) { meaning(cfg).1 } else { cfg }
    }

    /// The first and last address around `addr` up to which the same entry decides, or none does, and what S- and
    /// U-mode may do there, as `R`, `W` and `X`.
    pub(crate) fn around(&self, addr: u64) -> (u64, u64, u8) {
        let (mut first, mut last) = (0, u64::MAX);
        for entry in 0..self.count {
            match self.range(entry) {
                None => {}
                Some((_, to)) if to < addr => first = first.max(to + 1),
                Some((from, _)) if from > addr => last = last.min(from - 1),
                Some((from, to)) => {
                    return (first.max(from), last.min(to), self.others_may(self.cfg[entry].get()));
                }
            }
        }
        (first, last, if self.count == 0 { R | W | X } else { 0 })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of numbers that are the same in every run (SplitMix64).
    struct Rng(u64);

    impl Rng {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        }
    }

    #[test]
    fn around_an_address_one_verdict_holds() {
        let mut rng = Rng(1);
        let mut allowed = 0;
        for _ in 0..20_000 {
            let pmp = Pmp::new(rng.next() as usize % 9);
            if rng.next().is_multiple_of(4) {
                pmp.write_seccfg(rng.next() & (MSECCFG_MML | MSECCFG_MMWP));
            }
            for entry in 0..8 {
                // Addresses of a few hundred bytes, so that entries meet.
                pmp.write_addr(entry, rng.next() % 0x80);
                pmp.write_cfg(entry, rng.next() & 0xff & !u64::from(L));
            }
            let addr = rng.next() % 0x240;
            let (first, last, may) = pmp.around(addr);
            assert!(first <= addr && addr <= last);
            for _ in 0..8 {
                let size = 1 << (rng.next() % 4);
                let room = last.min(0x400) - first.min(0x400);
                let at = first + rng.next() % (room + 1);
                if at > last || last - at < size - 1 {
                    continue;
                }
                for access in [Access::Fetch, Access::Load, Access::Store] {
                    for mode in [Privilege::Supervisor, Privilege::User] {
                        let expect = if may & need(access) != 0 { Verdict::Allowed } else { Verdict::Denied };
                        assert_eq!(
                            pmp.check(at, size, access, mode),
                            expect,
                            "{at:#x} of {first:#x} to {last:#x}"
                        );
                        allowed += u32::from(expect == Verdict::Allowed);
                    }
                }
            }
        }
        assert!(allowed > 100_000, "{allowed}");
    }
}
