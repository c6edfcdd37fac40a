//! The extensions there are, one file each.

mod base;
mod dbcn;
mod hsm;
mod ipi;
mod legacy;
mod pmu;
mod rfence;
mod srst;
mod time;

use crate::Extension;

/// Every extension that is answered.
pub const EXTENSIONS: &[&Extension] = &[
    &legacy::SET_TIMER,
    &legacy::CONSOLE_PUTCHAR,
    &legacy::CONSOLE_GETCHAR,
    &legacy::CLEAR_IPI,
    &legacy::SEND_IPI,
    &legacy::REMOTE_FENCE_I,
    &legacy::REMOTE_SFENCE_VMA,
    &legacy::REMOTE_SFENCE_VMA_ASID,
    &legacy::SHUTDOWN,
    &base::BASE,
    &time::TIME,
    &ipi::IPI,
    &rfence::RFENCE,
    &hsm::HSM,
    &srst::SRST,
    &pmu::PMU,
    &dbcn::DBCN,
];
