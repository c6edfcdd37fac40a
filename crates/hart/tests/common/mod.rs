//! What the tests of this crate share: a hart with some memory, and random numbers.

#![allow(dead_code, reason = "each test file uses a part")]

use hartwright_hart::{Access, Config, Hart, Trap};
use hartwright_isa::{
    Ext, ExtSet,
    cpu::{CpuModel, Mmu},
};
use hartwright_mem::AddressSpace;
use hartwright_wire::{Clock, Entropy, Mtime};
use softcore_rv64::{Core, config, new_core, prelude::bv};

/// Where RAM begins.
pub(crate) const RAM: u64 = 0x8000_0000;
/// Bytes of RAM.
pub(crate) const SIZE: u64 = 0x20_0000;

/// A hart with [`SIZE`] bytes of RAM and a standing clock.
pub(crate) fn hart(model: CpuModel) -> Hart<u64> {
    let mut builder = AddressSpace::build();
    builder.ram("ram", RAM, SIZE).unwrap();
    let mtime = Mtime::new(Clock::new(), 10_000_000);
    Hart::new(Config {
        model,
        id: 0,
        reset_pc: RAM,
        space: builder.finish().unwrap(),
        mtime,
        entropy: Entropy::default(),
    })
}

/// Whether an access of `size` bytes is allowed; a fetch gets two.
pub(crate) fn touch(hart: &Hart<u64>, addr: u64, size: u64, access: Access) -> Result<(), Trap> {
    match (access, size) {
        (Access::Fetch, _) => hart.fetch_place(addr, 2).map(drop),
        (Access::Load, 1) => hart.load::<u8>(addr).map(drop),
        (Access::Load, 2) => hart.load::<u16>(addr).map(drop),
        (Access::Load, 4) => hart.load::<u32>(addr).map(drop),
        (Access::Load, _) => hart.load::<u64>(addr).map(drop),
        (Access::Store, 1) => hart.store(addr, 0u8).map(drop),
        (Access::Store, 2) => hart.store(addr, 0u16).map(drop),
        (Access::Store, 4) => hart.store(addr, 0u32).map(drop),
        (Access::Store, _) => hart.store(addr, 0u64).map(drop),
    }
}

/// Whether the long variants are asked for.
pub(crate) fn full() -> bool {
    std::env::var_os("HARTWRIGHT_FULL").is_some()
}

/// What both we and Sail's model have.
pub(crate) fn sail_model() -> CpuModel {
    use Ext::*;
    let extensions = [
        I, M, A, F, D, C, Zicsr, Zifencei, Zba, Zbb, Zbc, Zbs, Zicntr, Zihpm, Zicbom, Zicboz, Zicond, Sstc,
        Sscofpmf, Smcntrpmf, Svinval,
    ];
    CpuModel {
        name: "sail",
        doc: "",
        xlen: 64,
        extensions: ExtSet::of(&extensions),
        mmu: Mmu::Sv57,
        pmp_entries: 16,
    }
}

/// Sail's model, made of the same.
pub(crate) fn sail() -> Core {
    let mut c = config::U74;
    let e = &mut c.extensions;
    e.Zbc.supported = true;
    e.Sstc.supported = true;
    e.Sscofpmf.supported = true;
    e.Smcntrpmf.supported = true;
    e.Sv48.supported = true;
    e.Sv57.supported = true;
    e.Svbare.supported = true;
    e.Svinval.supported = true;
    e.Zicbom.supported = true;
    e.Zicboz.supported = true;
    e.Zicond.supported = true;
    e.Zihpm.supported = true;
    e.Zaamo.supported = true;
    e.Zalrsc.supported = true;
    e.Zcf.supported = false;
    c.base.writable_hpm_counters = bv(0x7_fff8);
    c.memory.pmp.grain = 0;
    let mut core = new_core(c);
    core.reset();
    core.mstatus.bits = bv(2 << 32 | 2 << 34);
    core
}

/// Random numbers (SplitMix64), the same in every run.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Less than `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// An integer, likely one at an edge.
    pub(crate) fn integer(&mut self) -> u64 {
        let bit = 1u64 << self.below(64);
        match self.below(6) {
            0 => self.pick(&[0, 1, u64::MAX, 1 << 63, (1 << 63) - 1]),
            1 => bit,
            2 => bit.wrapping_sub(1),
            3 => bit.wrapping_neg(),
            4 => self.next() & self.next(),
            _ => self.next(),
        }
    }
}
