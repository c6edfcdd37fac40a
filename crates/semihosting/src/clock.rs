//! Time: the machine's clock for what passes, the host's calendar for what day it is.

use crate::call::{Answer, Call};
use std::time::{SystemTime, UNIX_EPOCH};

const NANOS_IN_CENTISECOND: u64 = 10_000_000;
const NANOS_IN_SECOND: u64 = 1_000_000_000;

/// `SYS_CLOCK`: hundredths of a second since the machine began.
pub(crate) fn centiseconds(call: &mut Call<'_>) -> Answer {
    Ok(call.host.clock.now() / NANOS_IN_CENTISECOND)
}

/// `SYS_TIME`: seconds since 1970.
pub(crate) fn time(_: &mut Call<'_>) -> Answer {
    // A host before 1970 has no time to give.
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// `SYS_ELAPSED`: ticks since the machine began, in 64 bits, which are two fields of a hart of 32.
pub(crate) fn elapsed(call: &mut Call<'_>) -> Answer {
    let ticks = call.host.clock.now();
    call.write(call.parameter, &ticks.to_le_bytes())?;
    Ok(0)
}

/// `SYS_TICKFREQ`: ticks in a second.
pub(crate) fn frequency(_: &mut Call<'_>) -> Answer {
    Ok(NANOS_IN_SECOND)
}
