//! HSM: harts start, stop and suspend (chapter 9).

use crate::{
    call::{Answer, Call, End, Error, Extension, Function},
    place::{Entry, Place, State},
};
use hartwright_hart::status::SSIP;
use hartwright_isa::csr::{SIE, SIP};
use hartwright_mem::Place as At;

#[rustfmt::skip]
pub(super) const HSM: Extension = Extension {
    id: 0x48_534d,
    name: "HSM",
    functions: &[
        Function { id: 0, name: "sbi_hart_start",      run: start },
        Function { id: 1, name: "sbi_hart_stop",       run: stop },
        Function { id: 2, name: "sbi_hart_get_status", run: status },
        Function { id: 3, name: "sbi_hart_suspend",    run: suspend },
    ],
};

fn place<'c>(call: &Call<'c>, number: u64) -> Result<&'c Place, Error> {
    let number = usize::try_from(number).map_err(|_| Error::InvalidParam)?;
    call.sbi.places().get(number).ok_or(Error::InvalidParam)
}

/// Where a hart may begin: in memory.
fn entry(call: &Call<'_>, pc: u64, opaque: u64) -> Result<Entry, Error> {
    match call.hart.space().place(pc) {
        At::Ram(_) | At::Rom(_) => Ok(Entry { pc, opaque }),
        _ => Err(Error::InvalidAddress),
    }
}

fn start(call: &mut Call<'_>) -> Answer {
    let place = place(call, call.argument(0))?;
    let entry = entry(call, call.argument(1), call.argument(2))?;
    if place.start(entry) { Ok(0) } else { Err(Error::AlreadyAvailable.into()) }
}

fn stop(call: &mut Call<'_>) -> Answer {
    // Nothing that is pending now shall be when it starts again.
    call.hart.set_csr(SIE, 0);
    let pending = call.hart.csr(SIP).unwrap_or(0);
    call.hart.set_csr(SIP, pending & !SSIP);
    call.hart.set_timer(u64::MAX);
    call.sbi.places()[call.number].stop();
    Err(End::Away)
}

fn status(call: &mut Call<'_>) -> Answer {
    const STARTED: u64 = 0;
    const STOPPED: u64 = 1;
    const START_PENDING: u64 = 2;
    const SUSPENDED: u64 = 4;
    Ok(match place(call, call.argument(0))?.post().state {
        State::Started => STARTED,
        State::Stopped | State::Ended => STOPPED,
        State::StartPending(_) => START_PENDING,
        State::Suspended(_) => SUSPENDED,
    })
}

/// Both kinds wait for an interrupt. After one that keeps the hart's registers the call ends; after the other the hart
/// begins anew.
fn suspend(call: &mut Call<'_>) -> Answer {
    const RETENTIVE: u64 = 0;
    const NON_RETENTIVE: u64 = 0x8000_0000;
    // Of each kind there are some for platforms to define, from this number on; those before are reserved.
    const PLATFORM: u64 = 0x1000_0000;
    let kind = call.argument(0) & 0xffff_ffff;
    let resume = match kind {
        RETENTIVE => None,
        NON_RETENTIVE => Some(entry(call, call.argument(1), call.argument(2))?),
        _ if kind & !NON_RETENTIVE >= PLATFORM => return Err(Error::NotSupported.into()),
        _ => return Err(Error::InvalidParam.into()),
    };
    call.sbi.places()[call.number].post().state = State::Suspended(resume);
    match resume {
        None => Ok(0),
        Some(_) => Err(End::Away),
    }
}
