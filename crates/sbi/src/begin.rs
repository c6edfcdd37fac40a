//! Where harts begin: S-mode, with everything handed down to it that can be, as OpenSBI 1.6 leaves it.

use crate::place::Entry;
use hartwright_exec::Inspect;
use hartwright_hart::{Privilege, status::*};
use hartwright_isa::{Ext, csr::*};

/// Every exception but the calls from S-mode and M-mode. Firmware keeps some, to do in software what harts cannot or to
/// hand them on; here there is nobody to do that.
const DELEGATED: u64 = 0xb1ff;
/// One entry, as in `pmpcfg`: a naturally aligned power of two, to be read, written and executed.
const ALL_ALLOWED: u64 = 0x1f;
/// The cycles, the time and the instructions, in `scounteren`.
const COUNTERS: u64 = 7;

/// What M-mode would have written before it leaves, on a hart that was just reset: each register with its value, and
/// what the hart must have for that.
const MACHINE: &[(u16, u64, Option<Ext>)] = &[
    (MEDELEG, DELEGATED, None),
    // What of these there is, is S-mode's.
    (MIDELEG, SSIP | STIP | SEIP | LCOFIP, None),
    (MCOUNTEREN, u64::MAX, None),
    (SCOUNTEREN, COUNTERS, None),
    // Programmable counters stand until somebody starts them (chapter 11).
    (MCOUNTINHIBIT, !COUNTERS, None),
    (MSTATUS, MSTATUS_FS, None),
    (PMPADDR0, u64::MAX, None),
    (PMPCFG0, ALL_ALLOWED, None),
    (MSTATEEN0, STATEEN_ENVCFG | STATEEN_SE, Some(Ext::Smstateen)),
    (MSECCFG, MSECCFG_SSEED, Some(Ext::Zkr)),
];
/// Set in `menvcfg`, beside what reset has there: who has these may use them.
const ENVIRONMENT: u64 = ENVCFG_STCE | ENVCFG_PBMTE | ENVCFG_CBZE | ENVCFG_CBCFE | ENVCFG_CBIE;

/// Puts a hart that was just reset into S-mode.
pub(crate) fn power_on(hart: &mut dyn Inspect) {
    for &(number, value, needs) in MACHINE {
        if needs.is_none_or(|ext| hart.model().extensions.has(ext)) {
            hart.set_csr(number, value);
        }
    }
    let before = hart.csr(MENVCFG).unwrap_or(0);
    hart.set_csr(MENVCFG, before | ENVIRONMENT);
    hart.set_timer(u64::MAX);
    hart.set_privilege(Privilege::Supervisor);
}

/// Has a hart begin in S-mode (chapter 9, "Hart start": the table of its registers).
pub(crate) fn begin(hart: &mut dyn Inspect, entry: Entry) {
    const A0: u8 = 10;
    const A1: u8 = 11;
    hart.set_privilege(Privilege::Supervisor);
    hart.set_csr(SATP, 0);
    let status = hart.csr(SSTATUS).unwrap_or(0);
    hart.set_csr(SSTATUS, status & !MSTATUS_SIE);
    hart.flush(None);
    hart.refetch();
    let id = hart.csr(MHARTID).unwrap_or(0);
    hart.set_x(A0, id.into());
    hart.set_x(A1, entry.opaque.into());
    hart.set_pc(entry.pc);
}
