//! The machine's own time, which stands still while the machine is stopped.

use crate::Line;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Virtual time in nanoseconds since the machine was made; clones are the same clock.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    hand: Option<Hand>,
}

/// What a clock by hand shows, without its lock: who tells it the time does so often.
struct Hand {
    now: AtomicU64,
    /// When the soonest alarm rings; [`Clock::NEVER`] if none is armed.
    soonest: AtomicU64,
    /// Who wants to know that an alarm came to be the soonest.
    sooner: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

struct State {
    /// Virtual nanoseconds before it last began to go.
    passed: u64,
    going: Going,
    /// Armed alarms, soonest first: virtual nanoseconds and the alarm's number.
    armed: BTreeSet<(u64, usize)>,
    /// The lines of all alarms, by number.
    lines: Vec<Line>,
    /// The alarm that rings at this moment, and the thread that rings it.
    ringing: Option<(usize, ThreadId)>,
}

/// What moves a clock on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    /// Nothing: it stands.
    Not,
    /// The host's monotonic clock.
    Since(Instant),
    /// The host's time of day, which somebody may set.
    Host,
}

impl State {
    fn new(going: Going) -> Self {
        State { passed: 0, going, armed: BTreeSet::new(), lines: vec![], ringing: None }
    }

    fn now(&self) -> u64 {
        match self.going {
            Going::Not => self.passed,
            Going::Since(since) => self.passed + since.elapsed().as_nanos() as u64,
            Going::Host => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |day| day.as_nanos() as u64)
            }
        }
    }
}

impl Shared {
    fn new(state: State, hand: Option<Hand>) -> Arc<Self> {
        Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), hand })
    }

    /// Shows the soonest alarm, after the armed ones changed.
    fn show(&self, state: &State) {
        if let Some(hand) = &self.hand {
            let soonest = state.armed.first().map_or(Clock::NEVER, |&(at, _)| at);
            hand.soonest.store(soonest, Ordering::Relaxed);
        }
    }

    /// Raises the line of the soonest alarm, which is due.
    fn ring_first(&self, mut state: MutexGuard<'_, State>) {
        let Some((_, number)) = state.armed.pop_first() else { return };
        self.show(&state);
        state.ringing = Some((number, thread::current().id()));
        let line = state.lines[number].clone();
        // Who hears it may look at the clock, or set its alarm again.
        drop(state);
        line.set(true);
        self.lock().ringing = None;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock at 0, standing; [`start`](Self::start) sets it going.
    pub fn new() -> Self {
        Self::with_thread(Going::Not)
    }

    /// The host's time of day, in nanoseconds since 1970 began; it goes always, and where the host sets its clock, it
    /// follows, an alarm too.
    pub fn of_host() -> Self {
        Self::with_thread(Going::Host)
    }

    fn with_thread(going: Going) -> Self {
        let clock = Clock(Shared::new(State::new(going), None));
        let shared = Arc::downgrade(&clock.0);
        // Without a thread no alarm would ring, and nothing later could say so.
        thread::Builder::new()
            .name("clock".into())
            .spawn(move || ring(&shared))
            .expect("the host gives the clock a thread");
        clock
    }

    /// A clock that goes since `since`, and has no thread: its alarms never ring.
    pub fn without_alarms(since: Instant) -> Self {
        Clock(Shared::new(State::new(Going::Since(since)), None))
    }

    /// A clock at 0 that has no thread and goes only by [`advance`](Self::advance) and [`tell`](Self::tell): for a
    /// device on a bench, and where time is counted in instructions. It cannot be started or stopped.
    pub fn by_hand() -> Self {
        let (now, soonest) = (AtomicU64::new(0), AtomicU64::new(Self::NEVER));
        let hand = Hand { now, soonest, sooner: OnceLock::new() };
        Clock(Shared::new(State::new(Going::Not), Some(hand)))
    }

    /// A time that never comes.
    pub const NEVER: u64 = u64::MAX;

    /// Lets `nanoseconds` pass on a clock [`by_hand`](Self::by_hand): every alarm rings at its time, in order, on
    /// this thread.
    pub fn advance(&self, nanoseconds: u64) {
        let Some(hand) = &self.0.hand else { return };
        let end = hand.now.load(Ordering::Relaxed).saturating_add(nanoseconds);
        let mut state = self.0.lock();
        while let Some(&(at, _)) = state.armed.first().filter(|(at, _)| *at <= end) {
            hand.now.fetch_max(at, Ordering::Relaxed);
            self.0.ring_first(state);
            state = self.0.lock();
        }
        hand.now.fetch_max(end, Ordering::Relaxed);
    }

    /// Tells a clock [`by_hand`](Self::by_hand) that it is `now`, and rings nothing: [`advance`](Self::advance) does,
    /// also what is due by then. Time does not go back.
    #[inline]
    pub fn tell(&self, now: u64) {
        if let Some(hand) = &self.0.hand
            && now > hand.now.load(Ordering::Relaxed)
        {
            hand.now.store(now, Ordering::Relaxed);
        }
    }

    /// When the soonest alarm of a clock [`by_hand`](Self::by_hand) rings; [`NEVER`](Self::NEVER) if none is armed.
    #[inline]
    pub fn soonest(&self) -> u64 {
        self.0.hand.as_ref().map_or(Self::NEVER, |hand| hand.soonest.load(Ordering::Relaxed))
    }

    /// Has `tell` told whenever an alarm of a clock [`by_hand`](Self::by_hand) came to be the soonest: whoever advances
    /// it may be waiting for a later one. The first who asks is told; `tell` must not wait.
    pub fn on_sooner(&self, tell: impl Fn() + Send + Sync + 'static) {
        if let Some(hand) = &self.0.hand {
            // Nobody else advances it.
            let _ = hand.sooner.set(Box::new(tell));
        }
    }

    /// Virtual nanoseconds.
    pub fn now(&self) -> u64 {
        match &self.0.hand {
            Some(hand) => hand.now.load(Ordering::Relaxed),
            None => self.0.lock().now(),
        }
    }

    /// Sets time going.
    pub fn start(&self) {
        if self.0.hand.is_none() {
            let mut state = self.0.lock();
            if state.going == Going::Not {
                state.going = Going::Since(Instant::now());
                self.0.changed.notify_all();
            }
        }
    }

    /// Holds time; armed alarms wait with it.
    pub fn stop(&self) {
        let mut state = self.0.lock();
        if state.going != Going::Host {
            (state.passed, state.going) = (state.now(), Going::Not);
        }
    }

    /// An alarm, not yet armed, that raises `line` when it rings. Lowering it is its owner's business.
    pub fn alarm(&self, line: Line) -> Alarm {
        let mut state = self.0.lock();
        state.lines.push(line);
        Alarm { clock: self.clone(), number: state.lines.len() - 1, at: Mutex::new(None) }
    }
}

/// The clock's thread: sleeps until the soonest alarm, raises its line, until the clock is gone.
fn ring(shared: &Weak<Shared>) {
    /// How long a clock that nobody holds any more may keep its thread.
    /// And how late an alarm may be where the host's time of day was set.
    const IDLE: Duration = Duration::from_millis(200);
    while let Some(shared) = shared.upgrade() {
        let state = shared.lock();
        let now = state.now();
        let wait = match state.armed.first() {
            Some(&(at, _)) if at <= now && state.going != Going::Not => {
                shared.ring_first(state);
                continue;
            }
            Some(&(at, _)) if state.going != Going::Not => Duration::from_nanos(at - now).min(IDLE),
            _ => IDLE,
        };
        drop(shared.changed.wait_timeout(state, wait));
    }
}

/// Raises its line at a time. Dropping it disarms it.
pub struct Alarm {
    clock: Clock,
    number: usize,
    at: Mutex<Option<u64>>,
}

impl Alarm {
    /// Arms it for virtual nanosecond `at`, instead of any earlier time set, or disarms it. An old ring is over when
    /// this returns, unless it is the one that called.
    pub fn at(&self, at: Option<u64>) {
        let shared = &self.clock.0;
        let mut state = shared.lock();
        let here = thread::current().id();
        while state.ringing.is_some_and(|(number, thread)| number == self.number && thread != here) {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut armed = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = armed.take() {
            state.armed.remove(&(old, self.number));
        }
        state.armed.extend(at.map(|new| (new, self.number)));
        let soonest = at.is_some_and(|new| state.armed.first() == Some(&(new, self.number)));
        *armed = at;
        shared.show(&state);
        drop((armed, state));
        if soonest {
            shared.changed.notify_all();
            if let Some(tell) = shared.hand.as_ref().and_then(|hand| hand.sooner.get()) {
                tell();
            }
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.at(None);
        self.clock.0.lock().lines[self.number] = Line::unconnected();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sink;
    use std::sync::{OnceLock, mpsc};

    struct Tell(Mutex<mpsc::Sender<(u32, bool)>>);
    impl Sink for Tell {
        fn set(&self, pin: u32, level: bool) {
            self.0.lock().unwrap().send((pin, level)).unwrap();
        }
    }

    fn line(pin: u32) -> (Line, mpsc::Receiver<(u32, bool)>) {
        let (tell, told) = mpsc::channel();
        (Line::new(Arc::new(Tell(Mutex::new(tell))), pin), told)
    }

    #[test]
    fn a_standing_clock_rings_nothing_until_it_goes() {
        let clock = Clock::new();
        let (line, told) = line(7);
        let alarm = clock.alarm(line);
        alarm.at(Some(0));
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
        assert_eq!(clock.now(), 0);
        clock.start();
        assert_eq!(told.recv(), Ok((7, true)));
    }

    #[test]
    fn the_host_s_time_of_day_goes_whatever_happens_and_rings() {
        let clock = Clock::of_host();
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        clock.stop();
        assert!(clock.now() >= before);
        let (line, told) = line(3);
        let alarm = clock.alarm(line);
        alarm.at(Some(before + 20_000_000));
        assert_eq!(told.recv(), Ok((3, true)));
        assert!(clock.now() >= before + 20_000_000);
    }

    #[test]
    fn a_rearmed_alarm_forgets_its_old_time() {
        let clock = Clock::new();
        let (line, told) = line(1);
        let alarm = clock.alarm(line);
        alarm.at(Some(1_000_000));
        alarm.at(None);
        clock.start();
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
    }

    #[test]
    fn a_clock_by_hand_rings_in_order_and_on_time() {
        let clock = Clock::by_hand();
        let ((first, heard), (second, other)) = (line(1), line(2));
        let (first, second) = (clock.alarm(first), clock.alarm(second));
        second.at(Some(300));
        first.at(Some(200));
        clock.advance(199);
        assert!(heard.try_recv().is_err());
        clock.advance(1);
        assert_eq!((heard.try_recv(), other.try_recv().is_err(), clock.now()), (Ok((1, true)), true, 200));
        clock.advance(1000);
        assert_eq!((other.try_recv(), clock.now()), (Ok((2, true)), 1200));
    }

    #[test]
    fn a_clock_by_hand_is_told_the_time_and_tells_the_soonest_alarm() {
        let clock = Clock::by_hand();
        let (line, heard) = line(1);
        let alarm = clock.alarm(line);
        assert_eq!(clock.soonest(), Clock::NEVER);
        alarm.at(Some(300));
        clock.start();
        clock.tell(299);
        clock.tell(5);
        assert_eq!((clock.now(), clock.soonest()), (299, 300));
        clock.tell(400);
        assert!(heard.try_recv().is_err());
        clock.advance(0);
        assert_eq!((heard.try_recv(), clock.now(), clock.soonest()), (Ok((1, true)), 400, Clock::NEVER));
        alarm.at(Some(500));
        alarm.at(None);
        assert_eq!(clock.soonest(), Clock::NEVER);
    }

    #[test]
    fn who_advances_a_clock_by_hand_is_told_of_a_sooner_alarm() {
        let (tell, told) = mpsc::channel();
        let clock = Clock::by_hand();
        let shown = clock.clone();
        let tell = Mutex::new(tell);
        clock.on_sooner(move || tell.lock().unwrap().send(shown.soonest()).unwrap());
        let (first, second) = (clock.alarm(Line::unconnected()), clock.alarm(Line::unconnected()));
        first.at(Some(300));
        second.at(Some(400));
        second.at(Some(200));
        first.at(None);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [300, 200]);
    }

    /// Arms its own alarm, and looks at the clock, when it hears it.
    struct Again(Clock, OnceLock<Alarm>, Mutex<mpsc::Sender<u64>>);
    impl Sink for Again {
        fn set(&self, _: u32, _: bool) {
            self.1.get().unwrap().at(None);
            self.2.lock().unwrap().send(self.0.now()).unwrap();
        }
    }

    #[test]
    fn who_hears_an_alarm_may_set_it() {
        let (tell, told) = mpsc::channel();
        let clock = Clock::new();
        let again = Arc::new(Again(clock.clone(), OnceLock::new(), Mutex::new(tell)));
        assert!(again.1.set(clock.alarm(Line::new(again.clone(), 0))).is_ok());
        again.1.get().unwrap().at(Some(5));
        clock.start();
        assert!(told.recv().unwrap() >= 5);
    }
}
