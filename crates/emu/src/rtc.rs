//! `-rtc`: the time of day that a machine begins with, and what it goes by from there.

use std::time::{SystemTime, UNIX_EPOCH};

use hartwright_backend::opts::{Opts, Refusal};
use hartwright_device::Clock;

/// The time of day of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtc {
    /// What it is when the machine begins, in seconds since 1970 began, in UTC; `None` is the host's.
    pub base: Option<u64>,
    /// What it goes by.
    pub clock: DayClock,
}

/// What the time of day goes by: `-rtc clock=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayClock {
    /// The host's time of day, which may be set: also while the machine is stopped.
    #[default]
    Host,
    /// The host's monotonic clock: also while the machine is stopped.
    Rt,
    /// The machine's clock, which stands while it does, and with `-icount` counts instructions.
    Vm,
}

impl Rtc {
    /// Reads the argument of `-rtc`.
    pub(crate) fn parse(opts: &Opts) -> Result<Rtc, Refusal> {
        opts.only(&["base", "clock", "driftfix"])?;
        let wrong = |value: &str| Refusal::new(format!("invalid option value '{value}'"));
        let clock = match opts.get("clock") {
            None | Some("host") => DayClock::Host,
            Some("rt") => DayClock::Rt,
            Some("vm") => DayClock::Vm,
            Some(value) => return Err(wrong(value)),
        };
        if let Some(value) = opts.get("driftfix").filter(|value| !["none", "slew"].contains(value)) {
            return Err(wrong(value));
        }
        for (key, absent) in [("driftfix", "slew"), ("base", "localtime")] {
            if opts.get(key) == Some(absent) {
                return Err(Refusal::new(format!("{key}={absent}: not yet in hartwright")));
            }
        }
        let base = match opts.get("base") {
            None | Some("utc") => None,
            Some(date) => Some(seconds(date).ok_or_else(|| {
                Refusal::new(
                    "invalid datetime format\nvalid formats: '2006-06-17T16:01:21' or '2006-06-17'"
                        .to_owned(),
                )
            })?),
        };
        Ok(Rtc { base, clock })
    }

    /// What the time of day goes by, where it is not the machine's clock, and what is added to what that clock shows,
    /// wrapping, to have nanoseconds since 1970 began.
    pub fn begin(&self) -> (Option<Clock>, u64) {
        let day = match self.clock {
            DayClock::Host => Some(Clock::of_host()),
            DayClock::Rt => Some(Clock::new()),
            DayClock::Vm => None,
        };
        if let Some(clock) = &day {
            clock.start();
        }
        let host = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let base = self.base.map_or_else(host, |base| base.saturating_mul(1_000_000_000));
        let shown = day.as_ref().map_or(0, Clock::now);
        (day, base.wrapping_sub(shown))
    }
}

/// Seconds since 1970 began of `2006-06-17T16:01:21`, or of a day's beginning.
fn seconds(date: &str) -> Option<u64> {
    let (day, time) = date.split_once('T').unwrap_or((date, "0:0:0"));
    let numbers = |text: &str, by: char| -> Option<[u64; 3]> {
        let digits =
            |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = text.split(by).collect();
        let parsed: Vec<u64> =
            parts.iter().filter(|part| digits(part)).filter_map(|p| p.parse().ok()).collect();
        if parts.len() == 3 { parsed.try_into().ok() } else { None }
    };
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *months.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum::<u64>()
        + months.iter().take(month as usize - 1).sum::<u64>()
        + day
        - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_goes_by_the_clock_that_was_asked_for() {
        let begin = |text: &str| Rtc::parse(&Opts::parse(text, None).unwrap()).unwrap().begin();
        let year = 31_536_000_000_000_000;
        let (day, epoch) = begin("base=1971-01-01,clock=vm");
        assert_eq!((day.is_none(), epoch), (true, year));
        for text in ["base=1971-01-01,clock=rt", "base=1971-01-01,clock=host", "base=1971-01-01"] {
            let (day, epoch) = begin(text);
            let day = day.expect("it goes by the host");
            // Nobody stops it with the machine.
            let (first, hour) = (day.now().wrapping_add(epoch), 3_600_000_000_000);
            assert!((year..year + hour).contains(&first), "{text}: {first}");
            while day.now().wrapping_add(epoch) == first {}
        }
        let (day, epoch) = begin("clock=host");
        assert!(day.is_some() && (epoch as i64).abs() < 1_000_000_000_000, "it is the host's: {epoch}");
    }

    #[test]
    fn a_date_is_so_many_seconds() {
        for (text, expect) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2026-11-23T00:26:10", Some(1_795_393_570)),
            ("2023-02-29", None),
            ("2023-13-01", None),
            ("2023-00-01", None),
            ("2023-01-01T24:00:00", None),
            ("2023-01", None),
            ("2023-01-01-01", None),
            ("+2023-01-01", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expect, "{text}");
        }
    }
}
