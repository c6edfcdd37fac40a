//! `-rtc`: the time of day that a machine's clock begins with.

use std::time::{SystemTime, UNIX_EPOCH};

use hartwright_backend::opts::{Opts, Refusal};

/// The time of day when the machine begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtc {
    /// In seconds since 1970 began, in UTC; `None` is the host's.
    pub base: Option<u64>,
}

impl Rtc {
    /// Reads the argument of `-rtc`.
    pub(crate) fn parse(opts: &Opts) -> Result<Rtc, Refusal> {
        opts.only(&["base", "clock", "driftfix"])?;
        for (key, good) in [("clock", &["vm", "rt", "host"][..]), ("driftfix", &["none", "slew"])] {
            if let Some(value) = opts.get(key).filter(|value| !good.contains(value)) {
                return Err(Refusal::new(format!("invalid option value '{value}'")));
            }
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
        Ok(Rtc { base })
    }

    /// Nanoseconds since 1970 began, in whole seconds.
    pub fn epoch(&self) -> u64 {
        let host = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.base.unwrap_or_else(host).saturating_mul(1_000_000_000)
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
