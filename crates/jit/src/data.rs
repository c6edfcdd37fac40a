//! What code addresses by its distance from itself: the data behind it in the region.

use hartwright_hart::Hart;
use hartwright_ir::Fmt;
use hartwright_mem::PAGE;

/// Offsets of the region's data, and of what is in them.
pub(crate) struct Data {
    /// The guest's MXCSR while it runs, and after.
    pub(crate) mxcsr: usize,
    /// The host's.
    pub(crate) host_mxcsr: usize,
    /// An address, and which page is to be at hand for it.
    pub(crate) addr: usize,
    pub(crate) what: usize,
    /// The block whose instruction is called, and the host's address of who does it.
    pub(crate) block: usize,
    pub(crate) running: usize,
    /// Host addresses: of RAM, and of its pages' versions.
    pub(crate) ram: usize,
    pub(crate) versions: usize,
    /// Of the [`Window`](hartwright_mem::Window): its last address, the host's address of its address 0, and of what would be the version of
    /// the page there.
    pub(crate) window_last: usize,
    pub(crate) window: usize,
    pub(crate) window_versions: usize,
    /// Where a temporary is kept.
    pub(crate) kept: usize,
    /// How many loads may miss what is at hand before one is noticed, and where the last one comes back to.
    pub(crate) misses: usize,
    pub(crate) missed: usize,
    /// Where the next record of an access goes, and the first.
    pub(crate) journal: usize,
    pub(crate) records: usize,
    /// 16 bytes each: signs, boxes, canonical NaNs, by format.
    pub(crate) sign: usize,
    pub(crate) boxes: usize,
    pub(crate) nan: usize,
    /// The tables of jumps, by mode: address of the guest and address of the host.
    pub(crate) jumps: usize,
}

/// Entries of a table of jumps.
pub(crate) const JUMPS: usize = 4096;
/// How many modes there are: see [`Hart::rules`].
pub(crate) const MODES: usize = Hart::<u64>::MODES as usize;
/// An address that no instruction has.
pub(crate) const NOWHERE: u64 = 1;

impl Data {
    /// For data that begin at `base`, a multiple of a page.
    pub(crate) fn at(base: usize) -> Data {
        Data {
            mxcsr: base,
            host_mxcsr: base + 8,
            addr: base + 16,
            what: base + 24,
            journal: base + 32,
            ram: base + 48,
            versions: base + 56,
            window_last: base + 256,
            window: base + 264,
            window_versions: base + 272,
            kept: base + 280,
            misses: base + 288,
            missed: base + 296,
            block: base + 240,
            running: base + 248,
            records: base + PAGE as usize + MODES * JUMPS * 16,
            sign: base + 64,
            boxes: base + 128,
            nan: base + 192,
            jumps: base + PAGE as usize,
        }
    }

    /// Bytes.
    pub(crate) const SIZE: usize = 2 * PAGE as usize + MODES * JUMPS * 16;

    /// Where the table has `pc`.
    pub(crate) fn jump(&self, mode: u8, pc: u64) -> usize {
        self.jumps + 16 * (mode as usize * JUMPS + (pc >> 1) as usize % JUMPS)
    }
}

/// The place of a format among constants.
pub(crate) const fn of(fmt: Fmt) -> usize {
    16 * match fmt {
        Fmt::H => 0,
        Fmt::S => 1,
        Fmt::D => 2,
    }
}
