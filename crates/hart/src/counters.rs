//! Zicntr: instructions and cycles, which are the same here: a cycle an instruction.

use crate::{hart::Hart, status};
use hartwright_ir::Width;
use std::cell::Cell;

/// `mcycle` and `minstret`, as what they differ by from the instructions this hart retired; while inhibited, as
/// they stand.
#[derive(Default)]
pub(crate) struct Counter {
    base: Cell<u64>,
}

impl Counter {
    fn read(&self, retired: u64, inhibited: bool) -> u64 {
        if inhibited { self.base.get() } else { retired.wrapping_add(self.base.get()) }
    }
    fn write(&self, retired: u64, inhibited: bool, value: u64) {
        self.base.set(if inhibited { value } else { value.wrapping_sub(retired) });
    }
}

impl<W: Width> Hart<W> {
    /// Instructions retired before the present one. A block counts all its own at its start, and the one that
    /// reads a counter is its last.
    fn retired(&self) -> u64 {
        self.instret.get().wrapping_sub(1)
    }

    fn inhibited(&self, bit: u64) -> bool {
        self.csrs.mcountinhibit.get() & bit != 0
    }

    pub(crate) fn read_mcycle(&self) -> u64 {
        self.csrs.mcycle.read(self.retired(), self.inhibited(status::COUNTER_CY))
    }

    pub(crate) fn read_minstret(&self) -> u64 {
        self.csrs.minstret.read(self.retired(), self.inhibited(status::COUNTER_IR))
    }

    /// What is written is what the next instruction reads: the writing one is not counted (unprivileged spec,
    /// Zicsr).
    pub(crate) fn write_mcycle(&self, value: u64) {
        self.csrs.mcycle.write(self.instret.get(), self.inhibited(status::COUNTER_CY), value);
    }

    /// As [`write_mcycle`](Self::write_mcycle).
    pub(crate) fn write_minstret(&self, value: u64) {
        self.csrs.minstret.write(self.instret.get(), self.inhibited(status::COUNTER_IR), value);
    }

    pub(crate) fn write_mcountinhibit(&self, value: u64) {
        let (cycle, instret) = (self.read_mcycle(), self.read_minstret());
        self.csrs.mcountinhibit.set(value & (status::COUNTER_CY | status::COUNTER_IR));
        // The value they had stays; from here on they count, or do not.
        self.csrs.mcycle.write(self.retired(), self.inhibited(status::COUNTER_CY), cycle);
        self.csrs.minstret.write(self.retired(), self.inhibited(status::COUNTER_IR), instret);
    }
}
