//! A hart in U-mode on the caller's thread: who runs it takes its exceptions, as a kernel would.

use crate::{
    block::Cache,
    core::{Core, Ended},
    trace::Trace,
    translate::Engine,
};
use hartwright_hart::{Cause, Hart, Privilege, Trap, status};
use hartwright_ir::Width;
use hartwright_isa::csr;

/// Why a task came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It raised an exception; the program counter is at the instruction that did.
    Trap(Trap),
    /// Somebody rang its [`Port`](hartwright_hart::Port).
    Rung,
}

/// A core, and what it has decoded.
pub struct Task<'c, W> {
    core: &'c Core<W>,
    cache: Cache<'c, W>,
    trace: Trace,
}

impl<'c, W: Width> Task<'c, W> {
    /// A task for `core`, which it puts into U-mode, with everything on that U-mode may have.
    pub fn new(core: &'c Core<W>, trace: Trace) -> Self {
        /// `mcounteren` and `scounteren`: cycle, time and instret.
        const COUNTERS: u64 = 7;
        let hart = &core.hart;
        hart.write_csr(csr::MSTATUS, status::MSTATUS_FS);
        hart.write_csr(csr::MCOUNTEREN, COUNTERS);
        hart.write_csr(csr::SCOUNTEREN, COUNTERS);
        let blocks = status::ENVCFG_CBIE | status::ENVCFG_CBCFE | status::ENVCFG_CBZE;
        hart.write_csr(csr::MENVCFG, blocks);
        hart.write_csr(csr::SENVCFG, blocks);
        hart.set_privilege(Privilege::User);
        let cache = Cache::new(hart, Engine::Interpreter, false);
        Task { core, cache, trace }
    }

    /// The hart.
    pub fn hart(&self) -> &'c Hart<W> {
        &self.core.hart
    }

    /// Runs until an exception is raised or somebody rings; whoever called heeds the ring.
    pub fn run(&mut self) -> Exit {
        let port = self.core.hart.port();
        loop {
            if self.core.run_block(&mut self.cache, &self.trace) == Ended::Trapped {
                return Exit::Trap(self.returned());
            }
            if port.rung() {
                return Exit::Rung;
            }
        }
    }

    /// Limits blocks to one instruction, or lets them be long.
    pub fn single(&mut self, single: bool) {
        self.cache.single(single);
    }

    /// Has every block compared with memory before it runs again, as `fence.i` does.
    pub fn fence(&mut self) {
        self.cache.fence();
        self.core.hart.forget_fetches();
    }

    /// The exception that was just taken to M-mode, where nothing of the guest is; the hart is back in U-mode, where
    /// it was raised.
    fn returned(&self) -> Trap {
        let hart = &self.core.hart;
        let read = |number| hart.read_csr(number).unwrap_or(0);
        let cause = Cause::from_code(read(csr::MCAUSE)).unwrap_or(Cause::IllegalInstruction);
        hart.set_pc(read(csr::MEPC));
        hart.set_privilege(Privilege::User);
        Trap::new(cause, read(csr::MTVAL))
    }
}
