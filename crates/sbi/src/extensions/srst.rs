//! SRST: the end of the machine, or its beginning (chapter 10).

use crate::{
    call::{Answer, Call, End, Error, Extension, Function},
    place::State,
};

#[rustfmt::skip]
pub(super) const SRST: Extension = Extension {
    id: 0x5352_5354,
    name: "SRST",
    functions: &[
        Function { id: 0, name: "sbi_system_reset", run: system_reset },
    ],
};

const SHUTDOWN: u64 = 0;
const COLD_REBOOT: u64 = 1;
const WARM_REBOOT: u64 = 2;
const NO_REASON: u64 = 0;
const SYSTEM_FAILURE: u64 = 1;
/// From here on types are a vendor's, and reasons an implementation's or a vendor's.
const VENDOR_TYPES: u64 = 0xf000_0000;
const OTHER_REASONS: u64 = 0xe000_0000;
/// What the program exits with after a shutdown for a system's failure.
const FAILED: u16 = 1;

fn system_reset(call: &mut Call<'_>) -> Answer {
    let (kind, reason) = (call.argument(0) & 0xffff_ffff, call.argument(1) & 0xffff_ffff);
    if !(matches!(reason, NO_REASON | SYSTEM_FAILURE) || reason >= OTHER_REASONS) {
        return Err(Error::InvalidParam.into());
    }
    match kind {
        SHUTDOWN => shutdown(call, if reason == SYSTEM_FAILURE { FAILED } else { 0 }),
        // Nothing keeps its state over either.
        COLD_REBOOT | WARM_REBOOT => {
            call.sbi.power.reset();
            ended(call)
        }
        VENDOR_TYPES.. => Err(Error::NotSupported.into()),
        _ => Err(Error::InvalidParam.into()),
    }
}

pub(super) fn shutdown(call: &mut Call<'_>, code: u16) -> Answer {
    call.sbi.power.shutdown(code);
    ended(call)
}

/// The hart stands until what was asked for happens.
fn ended(call: &mut Call<'_>) -> Answer {
    call.sbi.places()[call.number].post().state = State::Ended;
    Err(End::Away)
}
