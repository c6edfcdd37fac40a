//! The machine timer and what is compared with it (privileged spec, 3.2.1 and Sstc).

use crate::{Alarm, Clock, Line};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// `mtime`: ticks of `hz` a second of a [`Clock`], and writable.
pub struct Mtime {
    clock: Clock,
    hz: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Added to the clock's ticks, wrapping.
    offset: u64,
    /// All comparators there are.
    comparators: Vec<Weak<Comparator>>,
}

impl Mtime {
    /// A timer of `hz` ticks a second (at least 1), at 0 when the clock is.
    pub fn new(clock: Clock, hz: u64) -> Arc<Self> {
        Arc::new(Mtime { clock, hz: hz.max(1), state: Mutex::default() })
    }

    /// Ticks a second.
    pub fn hz(&self) -> u64 {
        self.hz
    }

    /// The clock it counts.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// `mtime`.
    pub fn read(&self) -> u64 {
        let offset = lock(&self.state).offset;
        self.ticks().wrapping_add(offset)
    }

    /// Sets `mtime`; every comparator compares anew.
    pub fn write(&self, mtime: u64) {
        let mut state = lock(&self.state);
        state.offset = mtime.wrapping_sub(self.ticks());
        state.comparators.retain(|comparator| comparator.strong_count() > 0);
        let all = state.comparators.clone();
        drop(state);
        all.iter().filter_map(Weak::upgrade).for_each(|comparator| comparator.compare());
    }

    /// A comparator that drives `line`, low until it is set.
    pub fn comparator(self: &Arc<Self>, line: Line) -> Arc<Comparator> {
        let alarm = self.clock.alarm(line.clone());
        let comparator =
            Arc::new(Comparator { mtime: self.clone(), line, alarm, value: Mutex::new(u64::MAX) });
        lock(&self.state).comparators.push(Arc::downgrade(&comparator));
        comparator
    }

    /// The virtual nanosecond at which `mtime` reaches `ticks`: `None` if it never will.
    fn deadline(&self, ticks: u64) -> Option<u64> {
        let target = u128::from(ticks.wrapping_sub(lock(&self.state).offset));
        u64::try_from((target * 1_000_000_000).div_ceil(u128::from(self.hz))).ok()
    }

    fn ticks(&self) -> u64 {
        (u128::from(self.clock.now()) * u128::from(self.hz) / 1_000_000_000) as u64
    }
}

/// `mtimecmp` or `stimecmp`: its line is high while `mtime` is at least its value. The line ends at a hart, or at who
/// does not set this comparator in answer.
pub struct Comparator {
    mtime: Arc<Mtime>,
    line: Line,
    alarm: Alarm,
    value: Mutex<u64>,
}

impl Comparator {
    /// Its value.
    pub fn get(&self) -> u64 {
        *lock(&self.value)
    }

    /// Sets its value, and its line accordingly before it returns.
    pub fn set(&self, value: u64) {
        *lock(&self.value) = value;
        self.compare();
    }

    fn compare(&self) {
        // Held throughout, so that of two comparisons the later one counts.
        let value = lock(&self.value);
        // First disarmed, so that no old ring comes after the line is lowered.
        self.alarm.at(None);
        let due = self.mtime.read() >= *value;
        self.line.set(due);
        if !due {
            self.alarm.at(self.mtime.deadline(*value));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sink;
    use std::sync::mpsc::{self, Receiver};

    struct Tell(Mutex<mpsc::Sender<bool>>);
    impl Sink for Tell {
        fn set(&self, _: u32, level: bool) {
            lock(&self.0).send(level).unwrap();
        }
    }

    fn comparator(mtime: &Arc<Mtime>) -> (Arc<Comparator>, Receiver<bool>) {
        let (tell, told) = mpsc::channel();
        (mtime.comparator(Line::new(Arc::new(Tell(Mutex::new(tell))), 0)), told)
    }

    #[test]
    fn mtime_counts_the_clock_and_can_be_set() {
        let mtime = Mtime::new(Clock::new(), 10_000_000);
        assert_eq!((mtime.read(), mtime.deadline(3)), (0, Some(300)));
        mtime.write(1_000);
        assert_eq!((mtime.read(), mtime.deadline(1_003)), (1_000, Some(300)));
        assert_eq!(mtime.deadline(u64::MAX), None);
    }

    #[test]
    fn a_comparator_follows_its_value_and_a_written_mtime() {
        let mtime = Mtime::new(Clock::new(), 1);
        let (comparator, told) = comparator(&mtime);
        for (value, written, levels) in [
            (10, None, vec![]),
            (0, None, vec![true]),
            (10, None, vec![false]),
            (10, Some(10), vec![true]),
            (10, Some(9), vec![false]),
            (u64::MAX, Some(u64::MAX), vec![true]),
        ] {
            comparator.set(value);
            written.into_iter().for_each(|ticks| mtime.write(ticks));
            assert_eq!(told.try_iter().collect::<Vec<_>>(), levels, "{value} {written:?}");
        }
    }

    #[test]
    fn a_comparator_rings_when_its_time_comes_also_after_a_write() {
        let mtime = Mtime::new(Clock::new(), 1_000_000);
        let (comparator, told) = comparator(&mtime);
        comparator.set(1 << 40);
        mtime.clock().start();
        mtime.write((1 << 40) - 1_000);
        assert_eq!(told.recv(), Ok(true));
        assert!(mtime.read() >= 1 << 40);
    }
}
