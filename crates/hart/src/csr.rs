//! CSRs: who may touch which, what each holds, and what a write leaves (privileged spec, chapters 2, 3 and 10).

use crate::{hart::Hart, status::*, trap::Privilege};
use hartwright_ir::{Bin, CsrOp, Un, Width};
use hartwright_isa::{Ext, cpu::Mmu, csr::*, events::PROGRAMMABLE};
use std::cell::Cell;

/// An illegal-instruction exception is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal;

/// The bits of `mie` and `mip` there are.
const INTERRUPTS: u64 = SSIP | MSIP | STIP | MTIP | SEIP | MEIP;
/// Interrupts that can be S-mode's.
const S_INTERRUPTS: u64 = SSIP | STIP | SEIP;
/// Exceptions that can be S-mode's: all but the call from M-mode.
const S_EXCEPTIONS: u64 = 0xb3ff;
/// `sstatus` is these bits of `mstatus`, and `UXL` and `SD`.
const SSTATUS_MASK: u64 = MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR;
/// The bits of `mstatus` that can be written.
const MSTATUS_WRITABLE: u64 = MSTATUS_SIE
    | MSTATUS_MIE
    | MSTATUS_SPIE
    | MSTATUS_MPIE
    | MSTATUS_SPP
    | MSTATUS_MPP
    | MSTATUS_FS
    | MSTATUS_MPRV
    | MSTATUS_SUM
    | MSTATUS_MXR
    | MSTATUS_TVM
    | MSTATUS_TW
    | MSTATUS_TSR;
/// Cycles, time and instructions, in `mcounteren` and `scounteren`.
const COUNTERS: u64 = 7;
const SATP_PPN_AND_ASID: u64 = (1 << 60) - 1;

impl<W: Width> Hart<W> {
    /// `UXL` and `SXL`, always as wide as the registers (privileged spec, 3.1.6.3); a hart of 32 bits has no such fields.
    const MSTATUS_FIXED: u64 = match W::BITS {
        32 => 0,
        64 => 2 << 32 | 2 << 34,
        _ => 3 << 32 | 3 << 34,
    };
    /// The highest bit.
    const MSTATUS_SD: u64 = if W::BITS == 32 { 1 << 31 } else { 1 << 63 };
    const SSTATUS_MASK: u64 = SSTATUS_MASK | Self::MSTATUS_FIXED & MSTATUS_UXL | Self::MSTATUS_SD;

    pub(crate) fn reset_csrs(&self) {
        let c = &self.csrs;
        for cell in [
            &c.medeleg,
            &c.mideleg,
            &c.mie,
            &c.mip,
            &c.mtvec,
            &c.mcounteren,
            &c.mcountinhibit,
            &c.mscratch,
            &c.mepc,
            &c.mcause,
            &c.mtval,
            &c.stvec,
            &c.scounteren,
            &c.sscratch,
            &c.sepc,
            &c.scause,
            &c.stval,
            &c.senvcfg,
            &c.satp,
            &c.mseccfg,
        ] {
            cell.set(0);
        }
        c.mstateen.iter().chain(&c.scratch_high).for_each(|cell| cell.set(0));
        c.fflags.set(0);
        c.frm.set(0);
        c.mstatus.set(Self::MSTATUS_FIXED);
        self.float_dirty.set(false);
        // As QEMU leaves it: page-based memory types work, and where hardware can set A and D bits it does.
        let when = |ext, bit| if self.has(ext) { bit } else { 0 };
        let adue = if self.has(Ext::Svade) { 0 } else { when(Ext::Svadu, ENVCFG_ADUE) };
        c.menvcfg.set(when(Ext::Svpbmt, ENVCFG_PBMTE) | adue);
        self.write_stimecmp(u64::MAX);
        self.instret.set(1);
        self.reset_counters();
        self.reset_triggers();
    }

    /// Does a CSR instruction; gives what the register held, if it is read.
    pub fn access_csr(&self, csr: u16, op: CsrOp, v: W, read: bool, write: bool) -> Result<W, Illegal> {
        self.check_csr(csr, write)?;
        if csr == SEED {
            return self.read_csr(csr).map(|_| W::from_u64(self.poll_entropy())).ok_or(Illegal);
        }
        let old = if read || write && op != CsrOp::Write {
            self.read_wide(csr).ok_or(Illegal)?
        } else {
            W::default()
        };
        if write {
            // Of `mip`, set and clear see what software wrote, not the pins (privileged spec, 3.1.9).
            let base = if matches!(csr, MIP | SIP) { W::from_u64(self.csrs.mip.get()) } else { old };
            let new = match op {
                CsrOp::Write => v,
                CsrOp::Set => W::bin(Bin::Or, base, v),
                CsrOp::Clear => W::bin(Bin::And, base, W::un(Un::Not, v)),
            };
            if self.read_csr(csr).is_none() {
                return Err(Illegal);
            }
            self.write_csr(csr, new.to_u64());
            if let Some(high) = self.scratch_high(csr) {
                high.set((new.to_u128() >> 64) as u64);
            }
        }
        Ok(old)
    }

    /// What the register holds, as wide as an integer register. With 128 bits that is zero above the 64 there are,
    /// but for the highest bits of `misa` and of `mstatus`, and for what software keeps to itself.
    fn read_wide(&self, csr: u16) -> Option<W> {
        let low = self.read_csr(csr)?;
        if W::BITS <= 64 {
            return Some(W::from_u64(low));
        }
        let (low, high) = match csr {
            MISA => (low, (self.config().model.misa() >> 64) as u64),
            MSTATUS | SSTATUS => (low & !Self::MSTATUS_SD, low & Self::MSTATUS_SD),
            _ => (low, self.scratch_high(csr).map_or(0, Cell::get)),
        };
        Some(W::from_u128(u128::from(high) << 64 | u128::from(low)))
    }

    /// The upper half of a register that has one to write.
    fn scratch_high(&self, csr: u16) -> Option<&Cell<u64>> {
        let [machine, supervisor] = &self.csrs.scratch_high;
        match csr {
            MSCRATCH if W::BITS > 64 => Some(machine),
            SSCRATCH if W::BITS > 64 => Some(supervisor),
            _ => None,
        }
    }

    /// Whether the hart, as it is, may touch the register (privileged spec, 2.1, and the section of each).
    fn check_csr(&self, csr: u16, write: bool) -> Result<(), Illegal> {
        let (mode, c) = (self.privilege(), &self.csrs);
        // The events have high halves only if there is something in them (Sscofpmf).
        if (MHPMEVENT3H..=0x73f).contains(&csr) && !self.has(Ext::Sscofpmf) {
            return Err(Illegal);
        }
        // Half of a register is where all of it is.
        let (csr, _) = Self::whole(csr);
        if write && csr >> 10 == 3 || (mode as u16) < csr >> 8 & 3 {
            return Err(Illegal);
        }
        let below_m = mode < Privilege::Machine;
        let stateen = |n: usize, bit| !below_m || !self.has(Ext::Smstateen) || c.mstateen[n].get() & bit != 0;
        let allowed = match csr {
            FFLAGS | FRM | FCSR => self.float_on(),
            SATP => mode != Privilege::Supervisor || c.mstatus.get() & MSTATUS_TVM == 0,
            CYCLE..=0xc1f => {
                let bit = 1 << (csr & 31);
                (!below_m || c.mcounteren.get() & bit != 0)
                    && (mode != Privilege::User || c.scounteren.get() & bit != 0)
            }
            STIMECMP => {
                !below_m || c.mcounteren.get() & COUNTER_TM != 0 && c.menvcfg.get() & ENVCFG_STCE != 0
            }
            SENVCFG => stateen(0, STATEEN_ENVCFG),
            // Only instructions that write may read it (unprivileged spec, Zkr).
            SEED => {
                let bit = if mode == Privilege::User { MSECCFG_USEED } else { MSECCFG_SSEED };
                write && (!below_m || c.mseccfg.get() & bit != 0)
            }
            SSTATEEN0..=SSTATEEN3 => stateen((csr - SSTATEEN0) as usize, STATEEN_SE),
            _ => true,
        };
        if allowed { Ok(()) } else { Err(Illegal) }
    }

    /// What the register holds, all of its 64 bits; `None` if this hart has none such. Reading changes nothing.
    pub(crate) fn read_whole(&self, csr: u16) -> Option<u64> {
        let c = &self.csrs;
        let with = |ext, value| self.has(ext).then_some(value);
        match csr {
            FFLAGS => with(Ext::F, c.fflags.get().into()),
            FRM => with(Ext::F, c.frm.get().into()),
            FCSR => with(Ext::F, u64::from(c.frm.get()) << 5 | u64::from(c.fflags.get())),
            // To look at it is not to poll it.
            SEED => with(Ext::Zkr, 0),
            CYCLE => with(Ext::Zicntr, self.read_counter(0)),
            INSTRET => with(Ext::Zicntr, self.read_counter(2)),
            TIME => with(Ext::Zicntr, self.config().mtime.read()),
            HPMCOUNTER3..=0xc1f => with(Ext::Zihpm, self.read_counter(csr - CYCLE)),
            SCOUNTOVF => with(Ext::Sscofpmf, self.scountovf()),

            SSTATUS => Some(self.mstatus() & Self::SSTATUS_MASK),
            SIE => Some(c.mie.get() & c.mideleg.get()),
            STVEC => Some(c.stvec.get()),
            SCOUNTEREN => Some(c.scounteren.get()),
            SENVCFG => Some(c.senvcfg.get()),
            SSTATEEN0..=SSTATEEN3 => with(Ext::Ssstateen, 0),
            SSCRATCH => Some(c.sscratch.get()),
            SEPC => Some(c.sepc.get() & self.pc_mask()),
            SCAUSE => Some(c.scause.get()),
            STVAL => Some(c.stval.get()),
            SIP => Some(self.mip() & c.mideleg.get()),
            STIMECMP => with(Ext::Sstc, self.stimecmp.get()),
            SATP => Some(c.satp.get()),

            MSTATUS => Some(self.mstatus()),
            MISA => Some(self.config().model.misa() as u64),
            MEDELEG => Some(c.medeleg.get()),
            MIDELEG => Some(c.mideleg.get()),
            MIE => Some(c.mie.get()),
            MTVEC => Some(c.mtvec.get()),
            MCOUNTEREN => Some(c.mcounteren.get()),
            MENVCFG => Some(c.menvcfg.get()),
            MSECCFG => {
                (self.has(Ext::Zkr) || self.has(Ext::Smepmp)).then(|| c.mseccfg.get() | self.pmp.seccfg())
            }
            MSTATEEN0..=MSTATEEN3 => with(Ext::Smstateen, c.mstateen[(csr - MSTATEEN0) as usize].get()),
            MCOUNTINHIBIT => Some(c.mcountinhibit.get()),
            MCYCLECFG | MINSTRETCFG => with(Ext::Smcntrpmf, self.read_event(2 * (csr - MCYCLECFG))),
            MHPMEVENT3..=0x33f => with(Ext::Zihpm, self.read_event(csr - MCOUNTINHIBIT)),
            MSCRATCH => Some(c.mscratch.get()),
            MEPC => Some(c.mepc.get() & self.pc_mask()),
            MCAUSE => Some(c.mcause.get()),
            MTVAL => Some(c.mtval.get()),
            MIP => Some(self.mip()),
            // With 64 bits only the even ones are there (privileged spec, 3.7.1).
            0x3a0..=0x3af => {
                let first = 4 * (csr - PMPCFG0) as usize;
                (csr & 1 == 0 && first < self.pmp.count()).then(|| self.pmp.read_cfg(first))
            }
            0x3b0..=0x3ef => {
                let entry = (csr - PMPADDR0) as usize;
                (entry < self.pmp.count()).then(|| self.pmp.read_addr(entry))
            }
            TSELECT => with(Ext::Sdtrig, self.read_tselect()),
            TDATA1 => with(Ext::Sdtrig, self.read_tdata1()),
            TDATA2 => with(Ext::Sdtrig, self.read_tdata2()),
            TDATA3 => with(Ext::Sdtrig, self.read_tdata3()),
            TINFO => with(Ext::Sdtrig, self.tinfo()),
            MCONTEXT => with(Ext::Sdtrig, self.triggers.mcontext.get()),
            MCYCLE => Some(self.read_counter(0)),
            MINSTRET => Some(self.read_counter(2)),
            MHPMCOUNTER3..=0xb1f => with(Ext::Zihpm, self.read_counter(csr - MCYCLE)),
            MVENDORID | MARCHID | MIMPID | MCONFIGPTR => Some(0),
            MHARTID => Some(self.config().id),
            _ => None,
        }
    }

    /// Writes what of `v` the register can hold, to all of its 64 bits. Writes to registers that are not there are
    /// lost.
    pub(crate) fn write_whole(&self, csr: u16, v: u64) {
        let c = &self.csrs;
        match csr {
            FFLAGS => self.write_fcsr(c.frm.get().into(), v),
            FRM => self.write_fcsr(v, c.fflags.get().into()),
            FCSR => self.write_fcsr(v >> 5, v),

            SSTATUS => self.write_mstatus(self.mstatus() & !SSTATUS_MASK | v & SSTATUS_MASK),
            SIE => self.write_mie(c.mie.get() & !c.mideleg.get() | v & c.mideleg.get()),
            STVEC => c.stvec.set(v & !2),
            SCOUNTEREN => c.scounteren.set(v & self.counters_there()),
            SENVCFG => c.senvcfg.set(self.envcfg(v, c.senvcfg.get())),
            SSCRATCH => c.sscratch.set(v),
            SEPC => c.sepc.set(v & !1),
            SCAUSE => c.scause.set(v),
            STVAL => c.stval.set(v),
            SIP => {
                let mask = (SSIP | self.lcofip()) & c.mideleg.get();
                self.write_mip(c.mip.get() & !mask | v & mask);
            }
            STIMECMP => self.write_stimecmp(v),
            SATP => self.write_satp(v),

            MSTATUS => self.write_mstatus(v),
            MEDELEG => c.medeleg.set(v & S_EXCEPTIONS),
            MIDELEG => {
                c.mideleg.set(v & (S_INTERRUPTS | self.lcofip()));
                self.port().look();
            }
            MIE => self.write_mie(v),
            MTVEC => c.mtvec.set(v & !2),
            MCOUNTEREN => c.mcounteren.set(v & self.counters_there()),
            MENVCFG => self.write_menvcfg(v),
            MSECCFG => self.write_mseccfg(v),
            MSTATEEN0 => c.mstateen[0].set(v & (STATEEN_ENVCFG | STATEEN_SE)),
            MSTATEEN1..=MSTATEEN3 => c.mstateen[(csr - MSTATEEN0) as usize].set(v & STATEEN_SE),
            MCOUNTINHIBIT => self.write_mcountinhibit(v),
            MSCRATCH => c.mscratch.set(v),
            MEPC => c.mepc.set(v & !1),
            MCAUSE => c.mcause.set(v),
            MTVAL => c.mtval.set(v),
            MIP => self.write_mip(v),
            0x3a0..=0x3af => {
                self.pmp.write_cfg(4 * (csr - PMPCFG0) as usize, v);
                self.flush();
            }
            0x3b0..=0x3ef => {
                self.pmp.write_addr((csr - PMPADDR0) as usize, v);
                self.flush();
            }
            TSELECT if self.has(Ext::Sdtrig) => self.write_tselect(v),
            TDATA1 if self.has(Ext::Sdtrig) => self.write_tdata1(v),
            TDATA2 if self.has(Ext::Sdtrig) => self.write_tdata2(v),
            TDATA3 if self.has(Ext::Sdtrig) => self.write_tdata3(v),
            MCONTEXT if self.has(Ext::Sdtrig) => self.write_mcontext(v),
            MCYCLE | MINSTRET => self.write_counter(csr - MCYCLE, v),
            MHPMCOUNTER3..=0xb1f if self.has(Ext::Zihpm) => self.write_counter(csr - MCYCLE, v),
            MCYCLECFG | MINSTRETCFG if self.has(Ext::Smcntrpmf) => {
                self.write_event(2 * (csr - MCYCLECFG), v);
            }
            MHPMEVENT3..=0x33f if self.has(Ext::Zihpm) => self.write_event(csr - MCOUNTINHIBIT, v),
            _ => {}
        }
    }

    /// What `seed` holds when it is polled: that there are 16 bits of entropy, and these.
    fn poll_entropy(&self) -> u64 {
        const ES16: u64 = 2 << 30;
        let mut bits = [0; 2];
        self.config().entropy.fill(&mut bits);
        ES16 | u64::from(u16::from_le_bytes(bits))
    }

    /// `mstatus`, with `FS` and `SD` as they now are.
    pub(crate) fn mstatus(&self) -> u64 {
        let mut status = self.csrs.mstatus.get();
        if self.float_dirty.get() && self.float_on() {
            status |= MSTATUS_FS;
        }
        if status & MSTATUS_FS == MSTATUS_FS { status | Self::MSTATUS_SD } else { status }
    }

    fn write_mstatus(&self, v: u64) {
        let c = &self.csrs;
        let (old, mut writable) = (c.mstatus.get(), MSTATUS_WRITABLE);
        if !self.has(Ext::F) {
            writable &= !MSTATUS_FS;
        }
        if v & MSTATUS_MPP == 2 << MPP_SHIFT {
            writable &= !MSTATUS_MPP;
        }
        let new = v & writable | old & !writable;
        self.float_dirty.set(false);
        c.mstatus.set(new & !Self::MSTATUS_SD | Self::MSTATUS_FIXED);
        if (old ^ new) & MSTATUS_MXR != 0 {
            self.flush();
        }
        self.settle();
        self.port().look();
    }

    /// `mip`: pins, and what software wrote.
    pub(crate) fn mip(&self) -> u64 {
        let mut pins = self.port().pins();
        if pins & SSIP != 0 {
            // An edge (ACLINT, 5.1): from here on it is as if software had set it, and software clears it.
            self.port().clear(SSIP);
            self.csrs.mip.set(self.csrs.mip.get() | SSIP);
            pins &= !SSIP;
        }
        let soft = self.csrs.mip.get();
        if self.sstc() { pins | soft & !STIP } else { pins & !STIP | soft }
    }

    /// Whether `stimecmp` drives `STIP`.
    fn sstc(&self) -> bool {
        self.csrs.menvcfg.get() & ENVCFG_STCE != 0 || self.timer.get()
    }

    /// Has `mip.STIP` high while `mtime` is at least `mtime`, until reset also without Sstc: for who stands where
    /// firmware would.
    pub fn set_timer(&self, mtime: u64) {
        self.timer.set(true);
        self.write_stimecmp(mtime);
    }

    /// The interrupt of overflowing counters, if there is one.
    fn lcofip(&self) -> u64 {
        if self.has(Ext::Sscofpmf) { LCOFIP } else { 0 }
    }

    /// The counters, as bits of `mcounteren` and `scounteren`.
    fn counters_there(&self) -> u64 {
        COUNTERS | if self.has(Ext::Zihpm) { PROGRAMMABLE } else { 0 }
    }

    fn write_mie(&self, v: u64) {
        self.csrs.mie.set(v & (INTERRUPTS | self.lcofip()));
        self.port().look();
    }

    fn write_mip(&self, v: u64) {
        let writable = if self.sstc() { SSIP | SEIP } else { SSIP | STIP | SEIP } | self.lcofip();
        self.csrs.mip.set(self.csrs.mip.get() & !writable | v & writable);
        self.port().look();
    }

    /// Zkr's bits, and Smepmp's, which are PMP's.
    fn write_mseccfg(&self, v: u64) {
        if self.has(Ext::Zkr) {
            self.csrs.mseccfg.set(v & (MSECCFG_USEED | MSECCFG_SSEED));
        }
        if self.has(Ext::Smepmp) {
            self.pmp.write_seccfg(v);
            self.flush();
        }
    }

    fn write_menvcfg(&self, v: u64) {
        let c = &self.csrs;
        let with = |ext, bit| if self.has(ext) { bit } else { 0 };
        let high =
            with(Ext::Svadu, ENVCFG_ADUE) | with(Ext::Svpbmt, ENVCFG_PBMTE) | with(Ext::Sstc, ENVCFG_STCE);
        c.menvcfg.set(self.envcfg(v, c.menvcfg.get()) | v & high);
        self.flush();
        self.port().look();
    }

    /// The bits that `menvcfg` and `senvcfg` share; `CBIE` has a reserved encoding, which keeps the old one.
    fn envcfg(&self, v: u64, old: u64) -> u64 {
        let with = |ext, bits| if self.has(ext) { bits } else { 0 };
        let cbie = if v & ENVCFG_CBIE == 2 << 4 { old } else { v } & ENVCFG_CBIE;
        v & (ENVCFG_FIOM | with(Ext::Zicbom, ENVCFG_CBCFE) | with(Ext::Zicboz, ENVCFG_CBZE))
            | cbie & with(Ext::Zicbom, ENVCFG_CBIE)
    }

    /// `satp`; a mode this hart has not leaves the register as it was (privileged spec, 10.1.11).
    fn write_satp(&self, v: u64) {
        let space = match (W::BITS, v >> 60, v >> 31 & 1) {
            (32, _, 0) | (64.., 0, _) => Mmu::Bare,
            (32, _, 1) => Mmu::Sv32,
            (64.., 8, _) => Mmu::Sv39,
            (64.., 9, _) => Mmu::Sv48,
            (64.., 10, _) => Mmu::Sv57,
            _ => return,
        };
        if space > self.config().model.mmu {
            return;
        }
        let new = v & (SATP_PPN_AND_ASID | 0xf << 60);
        let old = self.csrs.satp.replace(new);
        let pages = |satp: u64| satp >> if W::BITS == 32 { 31 } else { 60 };
        if pages(old) != pages(new) {
            self.flush();
        } else if old != new {
            self.enter_space(old);
        }
    }

    fn write_stimecmp(&self, v: u64) {
        self.stimecmp.set(v);
        self.port().look();
    }

    fn write_fcsr(&self, frm: u64, fflags: u64) {
        self.csrs.frm.set(frm as u8 & 7);
        self.csrs.fflags.set(fflags as u8 & 0x1f);
        self.float_dirty.set(true);
    }
}
