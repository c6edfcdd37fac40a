//! The counters: cycles and instructions, which are the same here, and those that can be told what to count
//! (privileged spec, 3.1.10 to 3.1.12, Sscofpmf, Smcntrpmf).
//!
//! None is counted up. Each is what it differs by from what the hart counts anyway: retired instructions, or
//! translations that were not at hand. When a counter starts, stops, or counts something else, that is settled anew.

use crate::{
    hart::Hart,
    status::{EVENT_MINH, EVENT_OF, EVENT_SINH, EVENT_UINH, LCOFIP},
    trap::Privilege,
};
use hartwright_ir::Width;
use hartwright_isa::{
    Ext,
    events::{Event, PROGRAMMABLE},
};
use hartwright_mem::Access;
use std::cell::Cell;

/// Numbers of the counters there are. Number 1 is the time, which is none of them.
const COUNT: usize = 19;
/// `mcycle` and `minstret`.
const FIXED: u64 = 5;

/// When nothing will overflow.
const NEVER: u64 = u64::MAX;

/// One counter.
#[derive(Default)]
struct Counter {
    /// What it differs by from what it counts; while it stands, what it holds.
    base: Cell<u64>,
    counts: Cell<bool>,
    /// `mhpmevent`, `mcyclecfg` or `minstretcfg`.
    config: Cell<u64>,
}

/// All counters of a hart.
pub(crate) struct Counters {
    each: [Counter; COUNT],
    /// Whether any counts in some modes only.
    by_mode: Cell<bool>,
    /// Whether any counts misses.
    by_miss: Cell<bool>,
    /// How many instructions the hart will have retired when the next one overflows that may say so.
    alarm: Cell<u64>,
    /// By access.
    misses: [Cell<u64>; 3],
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            each: std::array::from_fn(|_| Counter::default()),
            by_mode: Cell::default(),
            by_miss: Cell::default(),
            alarm: Cell::new(NEVER),
            misses: Default::default(),
        }
    }
}

impl Counters {
    /// What counter `n` counts.
    fn origin(&self, n: usize) -> Option<Origin> {
        let fixed = FIXED >> n & 1 != 0;
        let event = if fixed { Some(Event::Instructions) } else { Event::chosen(self.config(n)) };
        event.map(origin)
    }

    /// How often what counter `n` counts has happened, of which `retired` are instructions.
    fn happened(&self, n: usize, retired: u64) -> u64 {
        match self.origin(n) {
            Some(Origin::Instructions) => retired,
            Some(Origin::Misses(access)) => self.misses[access as usize].get(),
            None => 0,
        }
    }

    fn value(&self, n: usize, retired: u64) -> u64 {
        let counter = &self.each[n];
        let since = if counter.counts.get() { self.happened(n, retired) } else { 0 };
        counter.base.get().wrapping_add(since)
    }

    fn set(&self, n: usize, retired: u64, value: u64) {
        let counter = &self.each[n];
        let since = if counter.counts.get() { self.happened(n, retired) } else { 0 };
        counter.base.set(value.wrapping_sub(since));
    }

    /// The value of `mhpmevent` or the like of counter `n`.
    fn config(&self, n: usize) -> u64 {
        self.each.get(n).map_or(0, |counter| counter.config.get())
    }
}

/// Where the number of an event comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Instructions,
    Misses(Access),
}

fn origin(event: Event) -> Origin {
    match event {
        Event::Cycles | Event::Instructions => Origin::Instructions,
        Event::LoadMisses => Origin::Misses(Access::Load),
        Event::StoreMisses => Origin::Misses(Access::Store),
        Event::FetchMisses => Origin::Misses(Access::Fetch),
    }
}

/// The counter of that number, if it counts.
fn counter(n: u16) -> Option<usize> {
    (n < COUNT as u16 && (FIXED | PROGRAMMABLE) >> n & 1 != 0).then_some(n.into())
}

impl<W: Width> Hart<W> {
    /// Instructions retired before the present one. A block counts all its own at its start, and the one that
    /// reads a counter is its last.
    fn retired(&self) -> u64 {
        self.instret.get().wrapping_sub(1)
    }

    pub(crate) fn reset_counters(&self) {
        let c = &self.counters;
        c.each.iter().for_each(|counter| counter.config.set(0));
        self.settle_counters(0);
        (0..COUNT).for_each(|n| c.set(n, self.instret.get(), FIXED >> n & 1));
        self.settle_counters(self.instret.get());
    }

    /// What counter `n` (`mcycle` is 0, `minstret` 2) holds, as an instruction reads it.
    pub(crate) fn read_counter(&self, n: u16) -> u64 {
        counter(n).map_or(0, |n| self.counters.value(n, self.retired()))
    }

    /// Writes counter `n`. What is written is what the next instruction reads: the writing one is not counted
    /// (unprivileged spec, Zicsr).
    pub(crate) fn write_counter(&self, n: u16, value: u64) {
        if let Some(n) = counter(n) {
            self.counters.set(n, self.instret.get(), value);
            self.settle_counters(self.instret.get());
        }
    }

    /// `mhpmevent`, or `mcyclecfg` and `minstretcfg`, of counter `n`.
    pub(crate) fn read_event(&self, n: u16) -> u64 {
        self.counters.config(n.into())
    }

    /// Writes the same. The value the counter had stays.
    pub(crate) fn write_event(&self, n: u16, value: u64) {
        let modes = EVENT_MINH | EVENT_SINH | EVENT_UINH;
        let may = match counter(n) {
            None => return,
            Some(0 | 2) => modes,
            Some(_) if self.has(Ext::Sscofpmf) => modes | EVENT_OF | (1 << 56) - 1,
            Some(_) => (1 << 56) - 1,
        };
        let (c, n, retired) = (&self.counters, usize::from(n), self.retired());
        let held = c.value(n, retired);
        c.each[n].config.set(value & may);
        c.set(n, retired, held);
        self.settle_counters(retired);
    }

    pub(crate) fn write_mcountinhibit(&self, value: u64) {
        let programmable = if self.has(Ext::Zihpm) { PROGRAMMABLE } else { 0 };
        self.csrs.mcountinhibit.set(value & (FIXED | programmable));
        // The values they had stay; from here on they count, or do not.
        self.settle_counters(self.retired());
    }

    /// `scountovf`: who has overflowed; for S-mode, of those that `mcounteren` lets it see.
    pub(crate) fn scountovf(&self) -> u64 {
        let overflowed = |n: &usize| self.counters.config(*n) & EVENT_OF != 0;
        let all = (3..COUNT).filter(overflowed).fold(0, |all, n| all | 1 << n);
        let m = self.privilege() == Privilege::Machine;
        if m { all } else { all & self.csrs.mcounteren.get() }
    }

    /// Has each counter count or stand as it now should, from when `retired` instructions were done.
    fn settle_counters(&self, retired: u64) {
        let c = &self.counters;
        let (inhibited, mode) = (self.csrs.mcountinhibit.get(), self.privilege());
        let here = match mode {
            Privilege::Machine => EVENT_MINH,
            Privilege::Supervisor => EVENT_SINH,
            Privilege::User => EVENT_UINH,
        };
        let (mut alarm, mut by_mode, mut by_miss) = (NEVER, false, false);
        for n in (0..COUNT).filter(|n| (FIXED | PROGRAMMABLE) >> n & 1 != 0) {
            let (counter, config, origin) = (&c.each[n], c.config(n), c.origin(n));
            let counts = inhibited >> n & 1 == 0 && config & here == 0;
            if counts != counter.counts.get() {
                let held = c.value(n, retired);
                counter.counts.set(counts);
                c.set(n, retired, held);
            }
            by_mode |= config & (EVENT_MINH | EVENT_SINH | EVENT_UINH) != 0;
            by_miss |= counts && matches!(origin, Some(Origin::Misses(_)));
            // So many more, and it is zero: from zero itself, more than will ever be.
            let left = c.value(n, retired).wrapping_neg();
            if self.tells_overflow(n) && origin == Some(Origin::Instructions) && left != 0 {
                alarm = alarm.min(retired.saturating_add(left));
            }
        }
        c.by_mode.set(by_mode);
        c.by_miss.set(by_miss);
        if c.alarm.replace(alarm) != alarm {
            self.port().look();
        }
    }

    /// Whether counter `n` counts, and has not yet overflowed since software last looked.
    fn tells_overflow(&self, n: usize) -> bool {
        let c = &self.counters;
        n >= 3 && self.has(Ext::Sscofpmf) && c.each[n].counts.get() && c.config(n) & EVENT_OF == 0
    }

    /// Has those counters that ask for it count or stand by the new mode.
    #[inline]
    pub(crate) fn counters_follow_mode(&self) {
        if self.counters.by_mode.get() {
            self.settle_counters(self.instret.get());
        }
    }

    /// How many instructions may be retired until a counter overflows that should interrupt; `None` if none is
    /// under way. Whoever runs the hart looks, and calls [`overflow`](Self::overflow) when it is 0.
    pub fn overflows_in(&self) -> Option<u64> {
        let alarm = self.counters.alarm.get();
        (alarm != NEVER).then(|| alarm.saturating_sub(self.instret.get()))
    }

    /// Notes which counters overflowed just now, and asks for the interrupt (Sscofpmf).
    #[cold]
    pub fn overflow(&self) {
        self.note_overflow(Origin::Instructions);
    }

    /// A translation was not at hand.
    pub(crate) fn missed(&self, access: Access) {
        let misses = &self.counters.misses[access as usize];
        misses.set(misses.get().wrapping_add(1));
        if self.counters.by_miss.get() {
            self.note_overflow(Origin::Misses(access));
        }
    }

    fn note_overflow(&self, origin: Origin) {
        let (c, now) = (&self.counters, self.instret.get());
        for n in (3..COUNT).filter(|n| self.tells_overflow(*n)) {
            if c.origin(n) == Some(origin) && c.value(n, now) == 0 {
                c.each[n].config.set(c.config(n) | EVENT_OF);
                self.csrs.mip.set(self.csrs.mip.get() | LCOFIP);
                self.port().look();
            }
        }
        self.settle_counters(now);
    }
}
