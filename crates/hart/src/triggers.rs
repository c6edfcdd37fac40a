//! Triggers, by which a debugger inside the guest breaks on addresses (debug spec 1.0, Sdtrig, native triggers).
//!
//! Two of them, of type `mcontrol` or `mcontrol6`, as QEMU has; their action is a breakpoint exception, before the
//! instruction does anything. Where the specification leaves a choice:
//!
//! - A load or store matches if any of its bytes does, and traps with the first of these in `mtval`.
//! - `size` is that of a load or store; a fetch matches whatever its size.
//! - Of `textra` there is `mhvalue`, compared with `mcontext`.
//! - As in QEMU a trigger fires in M-mode whether or not interrupts are on, and there is no `tcontrol`: software that
//!   breaks on its own trap handler breaks there for ever.
//!
//! A page that a load or store trigger lies in is not in the TLB, and a block ends before an address that an execute
//! trigger may match; so triggers that are off cost nothing.

use crate::{
    hart::Hart,
    trap::{Cause, Privilege, Trap},
};
use hartwright_ir::Width;
use hartwright_mem::Access;
use std::cell::Cell;

/// How many there are.
const COUNT: usize = 2;

/// `mcontrol`, the older, and `mcontrol6`.
const TYPES: [u64; 2] = [2, 6];
/// What a type is of, in `tdata1` as it is kept: as a hart of 64 bits has it.
const TYPE_SHIFT: u32 = 60;
const LOAD: u64 = 1;
const STORE: u64 = 1 << 1;
const EXECUTE: u64 = 1 << 2;
const U: u64 = 1 << 3;
const S: u64 = 1 << 4;
const M: u64 = 1 << 6;
const MATCH_SHIFT: u32 = 7;
const SIZE_SHIFT: u32 = 16;

/// Values of `match`.
const EQUAL: u64 = 0;
const NAPOT: u64 = 1;
const AT_LEAST: u64 = 2;
const LESS: u64 = 3;

/// Values of `size`, and the bytes they stand for; of an `mcontrol`, whose field has two bits, the first four.
const SIZES: [(u64, u64); 5] = [(0, 0), (1, 1), (2, 2), (3, 4), (5, 8)];

#[derive(Default)]
struct Trigger {
    tdata1: Cell<u64>,
    tdata2: Cell<u64>,
    tdata3: Cell<u64>,
}

/// The triggers of a hart.
#[derive(Default)]
pub(crate) struct Triggers {
    each: [Trigger; COUNT],
    select: Cell<usize>,
    pub(crate) mcontext: Cell<u64>,
    /// Whether any is for fetches.
    code: Cell<bool>,
    /// Whether any is for loads or stores.
    data: Cell<bool>,
    /// Counts changes of those for fetches.
    changes: Cell<u64>,
}

impl Trigger {
    /// First and last address that it matches.
    fn range(&self) -> Option<(u64, u64)> {
        let (at, low) = (self.tdata2.get(), self.tdata2.get() ^ self.tdata2.get().wrapping_add(1));
        match self.tdata1.get() >> MATCH_SHIFT & 15 {
            EQUAL => Some((at, at)),
            NAPOT => Some((at & !low, at | low)),
            AT_LEAST => Some((at, u64::MAX)),
            _ => Some((0, at.checked_sub(1)?)),
        }
    }

    /// The first of `size` bytes at `addr` that it matches.
    fn touches(&self, addr: u64, size: u64) -> Option<u64> {
        let (first, last) = self.range()?;
        let end = addr.saturating_add(size - 1);
        (first <= end && addr <= last).then_some(first.max(addr))
    }

    fn of_size(&self, size: u64) -> bool {
        let field = self.tdata1.get() >> SIZE_SHIFT & 7;
        field == 0 || SIZES.contains(&(field, size))
    }
}

/// Where fields of `textra` begin: `mhvalue`, and the bit of `mhselect` by which it counts.
fn textra<W: Width>() -> (u32, u64) {
    if W::BITS == 32 { (26, 1 << 25) } else { (51, 1 << 50) }
}

impl<W: Width> Hart<W> {
    pub(crate) fn reset_triggers(&self) {
        let triggers = &self.triggers;
        for trigger in &triggers.each {
            trigger.tdata1.set(TYPES[0] << TYPE_SHIFT);
            trigger.tdata2.set(0);
            trigger.tdata3.set(0);
        }
        triggers.select.set(0);
        triggers.mcontext.set(0);
        self.settle_triggers();
    }

    fn selected(&self) -> &Trigger {
        &self.triggers.each[self.triggers.select.get() % COUNT]
    }

    pub(crate) fn read_tselect(&self) -> u64 {
        self.triggers.select.get() as u64
    }

    /// Selects a trigger that there is; by that software finds out how many there are.
    pub(crate) fn write_tselect(&self, v: u64) {
        if v < COUNT as u64 {
            self.triggers.select.set(v as usize);
        }
    }

    /// `tinfo`: the types a trigger can be of.
    pub(crate) fn tinfo(&self) -> u64 {
        TYPES.iter().fold(0, |all, kind| all | 1 << kind)
    }

    pub(crate) fn read_tdata1(&self) -> u64 {
        let held = self.selected().tdata1.get();
        if W::BITS == 32 { held >> TYPE_SHIFT << 28 | held & 0x7ff_ffff } else { held }
    }

    /// Writes `tdata1`. Of another type than it can be, the trigger keeps its own and is off.
    pub(crate) fn write_tdata1(&self, v: u64) {
        let trigger = self.selected();
        let kind = if W::BITS == 32 { v >> 28 & 15 } else { v >> TYPE_SHIFT };
        let new = if TYPES.contains(&kind) {
            let v = v & 0x7ff_ffff;
            let (matched, size) = (v >> MATCH_SHIFT & 15, v >> SIZE_SHIFT & if kind == 2 { 3 } else { 7 });
            let matched = if matched <= LESS { matched } else { EQUAL };
            let size = if SIZES.iter().any(|row| row.0 == size) { size } else { 0 };
            kind << TYPE_SHIFT
                | v & (LOAD | STORE | EXECUTE | U | S | M)
                | matched << MATCH_SHIFT
                | size << SIZE_SHIFT
        } else {
            trigger.tdata1.get() & 15 << TYPE_SHIFT
        };
        trigger.tdata1.set(new);
        self.settle_triggers();
    }

    pub(crate) fn read_tdata2(&self) -> u64 {
        self.selected().tdata2.get()
    }

    pub(crate) fn write_tdata2(&self, v: u64) {
        self.selected().tdata2.set(v);
        self.settle_triggers();
    }

    pub(crate) fn read_tdata3(&self) -> u64 {
        self.selected().tdata3.get()
    }

    pub(crate) fn write_tdata3(&self, v: u64) {
        let (shift, select) = textra::<W>();
        self.selected().tdata3.set(v & (u64::MAX << shift | select) & Self::FULL);
    }

    pub(crate) fn write_mcontext(&self, v: u64) {
        let (shift, _) = textra::<W>();
        self.triggers.mcontext.set(v & (Self::FULL >> shift));
    }

    /// All bits of a register, of the 64 that CSRs have.
    const FULL: u64 = if W::BITS == 32 { 0xffff_ffff } else { u64::MAX };

    /// Has what follows from the triggers follow.
    fn settle_triggers(&self) {
        let triggers = &self.triggers;
        let any = |bits| triggers.each.iter().any(|t| Self::is_on(t) && t.tdata1.get() & bits != 0);
        let (code, data) = (any(EXECUTE), any(LOAD | STORE));
        if triggers.code.replace(code) || code {
            triggers.changes.set(triggers.changes.get() + 1);
            self.forget_fetches();
        }
        if triggers.data.replace(data) || data {
            self.flush();
        }
        self.port().look();
    }

    /// Whether a trigger looks at loads or stores.
    pub(crate) fn triggers_on_data(&self) -> bool {
        self.triggers.data.get()
    }

    fn is_on(trigger: &Trigger) -> bool {
        trigger.tdata1.get() & (U | S | M) != 0
    }

    /// Whether it fires in this mode and context, if its address matches.
    fn is_armed(&self, trigger: &Trigger, kind: u64) -> bool {
        let mode = match self.privilege() {
            Privilege::User => U,
            Privilege::Supervisor => S,
            Privilege::Machine => M,
        };
        let (shift, select) = textra::<W>();
        let held = trigger.tdata3.get();
        let here = held & select == 0 || held >> shift == self.triggers.mcontext.get();
        let asked = trigger.tdata1.get();
        asked & kind != 0 && asked & mode != 0 && here
    }

    /// Whether some trigger is for fetches; if so, ask [`break_here`](Self::break_here) before each block.
    #[inline]
    pub fn breaks(&self) -> bool {
        self.triggers.code.get()
    }

    /// How often triggers for fetches changed: blocks made before may go on where they should end.
    #[inline]
    pub fn breaks_changed(&self) -> u64 {
        self.triggers.changes.get()
    }

    /// Whether a trigger may break before an instruction at `pc`, in some mode; there no block goes on.
    pub fn may_break(&self, pc: u64) -> bool {
        self.breaks()
            && self
                .triggers
                .each
                .iter()
                .any(|t| Self::is_on(t) && t.tdata1.get() & EXECUTE != 0 && t.touches(pc, 1).is_some())
    }

    /// The exception of a trigger that breaks before the instruction at the program counter.
    pub fn break_here(&self) -> Option<Trap> {
        let pc = self.pc();
        let fires = |t: &&Trigger| self.is_armed(t, EXECUTE) && t.touches(pc, 1).is_some();
        let found = self.breaks().then(|| self.triggers.each.iter().find(fires)).flatten();
        found.map(|_| Trap::new(Cause::Breakpoint, pc))
    }

    /// Whether a load or store trigger lies in the page of `addr`, of `page` bytes.
    pub(crate) fn has_trigger(&self, addr: u64, page: u64) -> bool {
        let triggers = &self.triggers;
        triggers.data.get()
            && triggers.each.iter().any(|t| {
                Self::is_on(t)
                    && t.tdata1.get() & (LOAD | STORE) != 0
                    && t.touches(addr & !(page - 1), page).is_some()
            })
    }

    /// The exception of a trigger that breaks before an access of `size` bytes at `addr`.
    #[inline]
    pub(crate) fn trigger(&self, addr: u64, size: u64, access: Access) -> Result<(), Trap> {
        if self.triggers.data.get() { self.trigger_slowly(addr, size, access) } else { Ok(()) }
    }

    #[cold]
    fn trigger_slowly(&self, addr: u64, size: u64, access: Access) -> Result<(), Trap> {
        let kind = if access == Access::Store { STORE } else { LOAD };
        let armed = |t: &&Trigger| self.is_armed(t, kind) && t.of_size(size);
        let hit = self.triggers.each.iter().filter(armed).find_map(|t| t.touches(addr, size));
        hit.map_or(Ok(()), |at| Err(Trap::new(Cause::Breakpoint, at)))
    }
}
