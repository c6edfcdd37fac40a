//! PMU: counters of what happens (chapter 11). A counter's number is that of its CSR, from `cycle` on; number 1 is the
//! time, which is none. There are no firmware counters, since there is no firmware, and no shared memory.

use crate::call::{Answer, Call, Error, Extension, Function};
use hartwright_hart::status::{EVENT_MINH, EVENT_OF, EVENT_SINH, EVENT_UINH};
use hartwright_isa::{
    Ext,
    csr::{CYCLE, MCOUNTINHIBIT, MCYCLE},
    events::{EVENTS, PROGRAMMABLE},
};

#[rustfmt::skip]
pub(super) const PMU: Extension = Extension {
    id: 0x50_4d55,
    name: "PMU",
    functions: &[
        Function { id: 0, name: "sbi_pmu_num_counters",            run: |_| Ok(COUNT) },
        Function { id: 1, name: "sbi_pmu_counter_get_info",        run: info },
        Function { id: 2, name: "sbi_pmu_counter_config_matching", run: configure },
        Function { id: 3, name: "sbi_pmu_counter_start",           run: start },
        Function { id: 4, name: "sbi_pmu_counter_stop",            run: stop },
        Function { id: 5, name: "sbi_pmu_counter_fw_read",         run: no_firmware },
        Function { id: 6, name: "sbi_pmu_counter_fw_read_hi",      run: no_firmware },
        Function { id: 7, name: "sbi_pmu_snapshot_set_shmem",      run: |_| Err(Error::NotSupported.into()) },
    ],
};

/// One more than the highest number.
const COUNT: u64 = 64 - PROGRAMMABLE.leading_zeros() as u64;
/// `cycle` and `instret`.
const FIXED: u64 = 5;

/// Whether the hart has counter `n`.
fn is_there(call: &Call<'_>, n: u64) -> bool {
    let programmable = call.hart.model().extensions.has(Ext::Zihpm);
    let all = FIXED | if programmable { PROGRAMMABLE } else { 0 };
    n < COUNT && all >> n & 1 != 0
}

/// The counters that a mask of bits from number `base` on names.
fn named(call: &Call<'_>, base: u64, mask: u64) -> Result<Vec<u64>, Error> {
    let bits = (0..u64::BITS.into()).filter(|bit| mask >> bit & 1 != 0);
    let number = |bit| base.checked_add(bit).filter(|n| *n < COUNT).ok_or(Error::InvalidParam);
    let all: Vec<u64> = bits.map(number).collect::<Result<_, _>>()?;
    let there: Vec<u64> = all.into_iter().filter(|n| is_there(call, *n)).collect();
    if there.is_empty() { Err(Error::InvalidParam) } else { Ok(there) }
}

fn info(call: &mut Call<'_>) -> Answer {
    /// One less than a counter's bits, at its place in the answer.
    const WIDTH: u64 = 63 << 12;
    let n = call.argument(0);
    if is_there(call, n) { Ok(u64::from(CYCLE) + n | WIDTH) } else { Err(Error::InvalidParam.into()) }
}

fn no_firmware(_: &mut Call<'_>) -> Answer {
    // Each counter there is, is the hart's.
    Err(Error::InvalidParam.into())
}

/// What flags ask of the counter's modes, and the bits of `mhpmevent` that do it.
const MODES: [(u64, u64); 3] = [(1 << 5, EVENT_UINH), (1 << 6, EVENT_SINH), (1 << 7, EVENT_MINH)];

fn configure(call: &mut Call<'_>) -> Answer {
    const SKIP_MATCH: u64 = 1;
    const CLEAR_VALUE: u64 = 1 << 1;
    const AUTO_START: u64 = 1 << 2;
    let (base, mask, flags, event) = (call.argument(0), call.argument(1), call.argument(2), call.argument(3));
    let candidates = named(call, base, mask)?;
    let n = if flags & SKIP_MATCH != 0 { candidates[0] } else { choose(call, &candidates, flags, event)? };
    if flags & CLEAR_VALUE != 0 {
        set_counter(call, n, 0);
    }
    if flags & AUTO_START != 0 {
        set_running(call, n, true);
    }
    Ok(n)
}

/// Finds a counter that can count the event, and has it count that. One that is fixed does where it needs neither an
/// interrupt nor modes; a programmable one must be free.
fn choose(call: &mut Call<'_>, candidates: &[u64], flags: u64, event: u64) -> Result<u64, Error> {
    let &(selector, fixed, _) = EVENTS.iter().find(|row| row.0 == event).ok_or(Error::NotSupported)?;
    let has = |ext| call.hart.model().extensions.has(ext);
    let overflows = has(Ext::Sscofpmf);
    let simple = candidates.iter().find(|n| fixed >> *n & 1 != 0).filter(|_| !overflows);
    if let Some(n) = simple {
        return Ok(*n);
    }
    let free = |n: &&u64| PROGRAMMABLE >> **n & 1 != 0 && call.hart.csr(event_csr(**n)) == Some(0);
    let n = *candidates.iter().find(free).ok_or(Error::NotSupported)?;
    let modes = MODES.iter().filter(|row| flags & row.0 != 0).fold(0, |bits, row| bits | row.1);
    // Until it starts it tells no overflow.
    let extra = if overflows { modes | EVENT_OF } else { 0 };
    call.hart.set_csr(event_csr(n), selector | extra);
    Ok(n)
}

/// `mhpmevent` of programmable counter `n`.
fn event_csr(n: u64) -> u16 {
    MCOUNTINHIBIT + n as u16
}

fn set_counter(call: &mut Call<'_>, n: u64, value: u64) {
    call.hart.set_csr(MCYCLE + n as u16, value);
}

fn is_running(call: &Call<'_>, n: u64) -> bool {
    call.hart.csr(MCOUNTINHIBIT).is_some_and(|inhibited| inhibited >> n & 1 == 0)
}

fn set_running(call: &mut Call<'_>, n: u64, running: bool) {
    if running && PROGRAMMABLE >> n & 1 != 0 {
        let event = call.hart.csr(event_csr(n)).unwrap_or(0);
        call.hart.set_csr(event_csr(n), event & !EVENT_OF);
    }
    let inhibited = call.hart.csr(MCOUNTINHIBIT).unwrap_or(0);
    let bit = 1 << n;
    call.hart.set_csr(MCOUNTINHIBIT, if running { inhibited & !bit } else { inhibited | bit });
}

fn start(call: &mut Call<'_>) -> Answer {
    const SET_INIT_VALUE: u64 = 1;
    const INIT_SNAPSHOT: u64 = 1 << 1;
    let (base, mask, flags, value) = (call.argument(0), call.argument(1), call.argument(2), call.argument(3));
    if flags & INIT_SNAPSHOT != 0 {
        return Err(Error::NoSharedMemory.into());
    }
    let mut answer = Ok(0);
    for n in named(call, base, mask)? {
        if is_running(call, n) {
            answer = Err(Error::AlreadyStarted.into());
            continue;
        }
        if flags & SET_INIT_VALUE != 0 {
            set_counter(call, n, value);
        }
        set_running(call, n, true);
    }
    answer
}

fn stop(call: &mut Call<'_>) -> Answer {
    const RESET: u64 = 1;
    const TAKE_SNAPSHOT: u64 = 1 << 1;
    let (base, mask, flags) = (call.argument(0), call.argument(1), call.argument(2));
    if flags & TAKE_SNAPSHOT != 0 {
        return Err(Error::NoSharedMemory.into());
    }
    let mut answer = Ok(0);
    for n in named(call, base, mask)? {
        if is_running(call, n) {
            set_running(call, n, false);
        } else {
            answer = Err(Error::AlreadyStopped.into());
        }
        // A programmable one is free again.
        if flags & RESET != 0 && PROGRAMMABLE >> n & 1 != 0 {
            call.hart.set_csr(event_csr(n), 0);
        }
    }
    answer
}
