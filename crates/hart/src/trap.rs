//! Traps: their causes, and how a hart enters and leaves them (privileged spec, 3.1.6 to 3.1.15, 3.3.2, 10.1).

use crate::{
    hart::Hart,
    status::{
        self, MSTATUS_MIE, MSTATUS_MPIE, MSTATUS_MPP, MSTATUS_MPRV, MSTATUS_SIE, MSTATUS_SPIE, MSTATUS_SPP,
    },
};
use hartwright_ir::Width;
use hartwright_isa::Ext;
use hartwright_mem::Access;

/// Privilege modes, by their encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privilege {
    /// U.
    User = 0,
    /// S.
    Supervisor = 1,
    /// M.
    Machine = 3,
}

impl Privilege {
    /// The mode encoded by the low two bits; `None` for the reserved one.
    pub fn from_bits(bits: u64) -> Option<Self> {
        match bits & 3 {
            0 => Some(Privilege::User),
            1 => Some(Privilege::Supervisor),
            3 => Some(Privilege::Machine),
            _ => None,
        }
    }
}

/// Exceptions, by their code in `mcause` and bit in `medeleg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the specification's")]
#[repr(u8)]
pub enum Cause {
    InstructionAddressMisaligned = 0,
    InstructionAccessFault = 1,
    IllegalInstruction = 2,
    Breakpoint = 3,
    LoadAddressMisaligned = 4,
    LoadAccessFault = 5,
    StoreAddressMisaligned = 6,
    StoreAccessFault = 7,
    EcallFromU = 8,
    EcallFromS = 9,
    EcallFromM = 11,
    InstructionPageFault = 12,
    LoadPageFault = 13,
    StorePageFault = 15,
}

impl Cause {
    /// The exception of that code in `mcause`.
    pub fn from_code(code: u64) -> Option<Self> {
        const ALL: [Cause; 14] = [
            Cause::InstructionAddressMisaligned,
            Cause::InstructionAccessFault,
            Cause::IllegalInstruction,
            Cause::Breakpoint,
            Cause::LoadAddressMisaligned,
            Cause::LoadAccessFault,
            Cause::StoreAddressMisaligned,
            Cause::StoreAccessFault,
            Cause::EcallFromU,
            Cause::EcallFromS,
            Cause::EcallFromM,
            Cause::InstructionPageFault,
            Cause::LoadPageFault,
            Cause::StorePageFault,
        ];
        ALL.into_iter().find(|cause| *cause as u64 == code)
    }

    /// The access fault of an access.
    pub fn access_fault(access: Access) -> Self {
        match access {
            Access::Fetch => Cause::InstructionAccessFault,
            Access::Load => Cause::LoadAccessFault,
            Access::Store => Cause::StoreAccessFault,
        }
    }

    /// The page fault of an access.
    pub fn page_fault(access: Access) -> Self {
        match access {
            Access::Fetch => Cause::InstructionPageFault,
            Access::Load => Cause::LoadPageFault,
            Access::Store => Cause::StorePageFault,
        }
    }

    /// The name the specification gives an exception or interrupt of `mcause`.
    pub fn describe(mcause: u64) -> &'static str {
        if mcause >> 63 != 0 {
            return match mcause & 0x3f {
                1 => "supervisor software interrupt",
                3 => "machine software interrupt",
                5 => "supervisor timer interrupt",
                7 => "machine timer interrupt",
                9 => "supervisor external interrupt",
                11 => "machine external interrupt",
                13 => "local counter overflow interrupt",
                _ => "interrupt",
            };
        }
        match mcause {
            0 => "instruction address misaligned",
            1 => "instruction access fault",
            2 => "illegal instruction",
            3 => "breakpoint",
            4 => "load address misaligned",
            5 => "load access fault",
            6 => "store/AMO address misaligned",
            7 => "store/AMO access fault",
            8 => "environment call from U-mode",
            9 => "environment call from S-mode",
            11 => "environment call from M-mode",
            12 => "instruction page fault",
            13 => "load page fault",
            15 => "store/AMO page fault",
            _ => "exception",
        }
    }
}

/// A synchronous exception: its cause, and what goes into `mtval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Why.
    pub cause: Cause,
    /// The address, or the instruction's bits, or 0.
    pub tval: u64,
}

impl Trap {
    /// An exception with its `mtval`.
    pub fn new(cause: Cause, tval: u64) -> Self {
        Trap { cause, tval }
    }
}

impl<W: Width> Hart<W> {
    /// The interrupt bit of `mcause`, its highest. CSRs of a hart of 128 bits have 64.
    const INTERRUPT: u64 = if W::BITS == 32 { 1 << 31 } else { 1 << 63 };

    /// Enters the handler of an exception that the instruction at [`pc`](Hart::pc) raised.
    pub fn take_trap(&self, trap: Trap) {
        self.enter(trap.cause as u64, false, trap.tval);
    }

    /// Enters the handler of the most urgent interrupt that is pending and enabled, if there is one; says which.
    pub fn take_interrupt(&self) -> Option<u64> {
        let code = self.pending_interrupt()?;
        self.enter(code, true, 0);
        Some(code)
    }

    /// The code of the most urgent interrupt that is pending and enabled (privileged spec, 3.1.9).
    fn pending_interrupt(&self) -> Option<u64> {
        let pending = self.mip() & self.csrs.mie.get();
        if pending == 0 {
            return None;
        }
        let (mode, mstatus, mideleg) = (self.privilege(), self.csrs.mstatus.get(), self.csrs.mideleg.get());
        let m_enabled = mode < Privilege::Machine || mstatus & MSTATUS_MIE != 0;
        let s_enabled =
            mode < Privilege::Supervisor || mode == Privilege::Supervisor && mstatus & MSTATUS_SIE != 0;
        let to_m = if m_enabled { pending & !mideleg } else { 0 };
        let to_s = if s_enabled { pending & mideleg } else { 0 };
        let candidates = if to_m != 0 { to_m } else { to_s };
        status::INTERRUPT_PRIORITY.into_iter().find(|code| candidates >> code & 1 != 0)
    }

    /// Whether any interrupt is pending and enabled in `mie`, whatever the mode: what ends a `wfi`.
    pub fn wakes(&self) -> bool {
        self.mip() & self.csrs.mie.get() != 0
    }

    fn enter(&self, code: u64, interrupt: bool, tval: u64) {
        let c = &self.csrs;
        let deleg = if interrupt { c.mideleg.get() } else { c.medeleg.get() };
        let to_s = self.privilege() < Privilege::Machine && deleg >> code & 1 != 0;
        let (status, from, pc) = (c.mstatus.get(), self.privilege(), self.pc());
        let cause = if interrupt { code | Self::INTERRUPT } else { code };
        self.trapped.set(self.trapped.get().wrapping_add(1));
        let tvec = if to_s {
            let spie = if status & MSTATUS_SIE != 0 { MSTATUS_SPIE } else { 0 };
            let spp = if from == Privilege::Supervisor { MSTATUS_SPP } else { 0 };
            c.mstatus.set(status & !(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP) | spie | spp);
            c.sepc.set(pc);
            c.scause.set(cause);
            c.stval.set(tval);
            self.set_privilege(Privilege::Supervisor);
            c.stvec.get()
        } else {
            let mpie = if status & MSTATUS_MIE != 0 { MSTATUS_MPIE } else { 0 };
            let mpp = (from as u64) << status::MPP_SHIFT;
            c.mstatus.set(status & !(MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP) | mpie | mpp);
            c.mepc.set(pc);
            c.mcause.set(cause);
            c.mtval.set(tval);
            self.set_privilege(Privilege::Machine);
            c.mtvec.get()
        };
        let vector = if interrupt && tvec & 3 == 1 { 4 * code } else { 0 };
        self.set_pc((tvec & !3).wrapping_add(vector));
    }

    /// `mret`, in M-mode.
    pub fn mret(&self) {
        let c = &self.csrs;
        let status = c.mstatus.get();
        // The reserved encoding is never written (see `csr`).
        let to = Privilege::from_bits(status >> status::MPP_SHIFT).unwrap_or(Privilege::User);
        let mie = if status & MSTATUS_MPIE != 0 { MSTATUS_MIE } else { 0 };
        let mprv = if to == Privilege::Machine { status & MSTATUS_MPRV } else { 0 };
        c.mstatus.set(status & !(MSTATUS_MIE | MSTATUS_MPP | MSTATUS_MPRV) | MSTATUS_MPIE | mie | mprv);
        self.set_privilege(to);
        self.set_pc(c.mepc.get() & self.pc_mask());
        self.port().look();
    }

    /// `sret`, in S-mode or above.
    pub fn sret(&self) {
        let c = &self.csrs;
        let status = c.mstatus.get();
        let to = if status & MSTATUS_SPP != 0 { Privilege::Supervisor } else { Privilege::User };
        let sie = if status & MSTATUS_SPIE != 0 { MSTATUS_SIE } else { 0 };
        c.mstatus.set(status & !(MSTATUS_SIE | MSTATUS_SPP | MSTATUS_MPRV) | MSTATUS_SPIE | sie);
        self.set_privilege(to);
        self.set_pc(c.sepc.get() & self.pc_mask());
        self.port().look();
    }

    /// The bits an instruction's address may have: all but the lowest one or two.
    pub(crate) fn pc_mask(&self) -> u64 {
        if self.has(Ext::Zca) { !1 } else { !3 }
    }
}
