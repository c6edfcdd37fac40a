//! The loop itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mio::{Token, unix::SourceFd};

/// Names one source of events within a [`Loop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(usize);

/// Which kinds of readiness are wanted of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Something can be read, or the far end has gone.
    pub read: bool,
    /// Something can be written, or nobody will read it any more.
    pub write: bool,
}

/// Everything that can happen to a thread that waits in [`Loop::turn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A descriptor can do what was asked of it.
    Ready {
        /// What [`Loop::add`] returned.
        key: Key,
        /// A read will not wait.
        read: bool,
        /// A write of at least one byte will not wait.
        write: bool,
    },
    /// The time given to [`Loop::timer`] has come; the timer is spent.
    Timer {
        /// The timer's key.
        key: Key,
    },
    /// Somebody called [`Waker::wake`] since the last turn, once or many times.
    Woken {
        /// The key that the waker was made for.
        key: Key,
    },
}

/// Wakes the loop from any thread; cheap when it is already awake.
#[derive(Clone, Debug)]
pub struct Waker {
    key: Key,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    woken: Mutex<BTreeSet<Key>>,
    waker: mio::Waker,
}

impl Waker {
    /// Makes the loop's current or next turn report [`Event::Woken`].
    pub fn wake(&self) {
        let first = self.shared.woken.lock().unwrap_or_else(PoisonError::into_inner).insert(self.key);
        if first {
            // The wake-up is an eventfd write: it fails only when its counter is full, that is, when it is awake.
            let _ = self.shared.waker.wake();
        }
    }
}

/// One thread's descriptors, timers and wakers. Readiness is level-triggered: what stays ready is reported again.
#[derive(Debug)]
pub struct Loop {
    poll: mio::Poll,
    ready: mio::Events,
    sources: BTreeMap<Key, Source>,
    timers: BTreeSet<(Instant, Key)>,
    shared: Arc<Shared>,
    next: usize,
}

#[derive(Debug)]
struct Source {
    fd: Arc<OwnedFd>,
    interest: Interest,
    how: How,
}

/// How a source's readiness is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Not at all, for lack of interest.
    Idle,
    /// From the host.
    Polled,
    /// It has reported; mio's edge must be armed again before the next wait.
    Reported,
    /// A regular file or `/dev/null`: the host refuses to poll it, and it is always ready.
    Always,
}

const WAKER: Token = Token(0);

impl Loop {
    /// An empty loop. Fails when the host is out of descriptors.
    pub fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        Ok(Loop {
            poll,
            ready: mio::Events::with_capacity(64),
            sources: BTreeMap::new(),
            timers: BTreeSet::new(),
            shared: Arc::new(Shared { woken: Mutex::default(), waker }),
            next: 1,
        })
    }

    /// A key of its own, for a waker or a timer.
    pub fn key(&mut self) -> Key {
        self.next += 1;
        Key(self.next - 1)
    }

    /// A waker that reports as `key`.
    pub fn waker(&self, key: Key) -> Waker {
        Waker { key, shared: self.shared.clone() }
    }

    /// Watches a descriptor, which stays open until [`remove`](Self::remove) at least.
    ///
    /// Regular files and other descriptors that the host cannot poll count as always ready.
    pub fn add(&mut self, fd: Arc<OwnedFd>, interest: Interest) -> io::Result<Key> {
        let key = self.key();
        self.sources.insert(key, Source { fd, interest: Interest::default(), how: How::Idle });
        self.interest(key, interest).inspect_err(|_| drop(self.sources.remove(&key)))?;
        Ok(key)
    }

    /// Changes what is wanted of a descriptor; a removed one is left alone.
    pub fn interest(&mut self, key: Key, interest: Interest) -> io::Result<()> {
        let Some(source) = self.sources.get_mut(&key) else { return Ok(()) };
        if source.interest == interest {
            return Ok(());
        }
        source.interest = interest;
        source.arm(self.poll.registry(), key)
    }

    /// Forgets a descriptor; it is closed when nobody else holds it.
    pub fn remove(&mut self, key: Key) {
        if let Some(source) = self.sources.remove(&key)
            && !matches!(source.how, How::Idle | How::Always)
        {
            // It can only fail by not being registered, which is what was wanted.
            let _ = self.poll.registry().deregister(&mut SourceFd(&source.fd.as_raw_fd()));
        }
    }

    /// Reports `key` at the time `at`, once; an earlier request of the same key is replaced.
    pub fn timer(&mut self, key: Key, at: Instant) {
        self.cancel(key);
        self.timers.insert((at, key));
    }

    /// Takes a timer back.
    pub fn cancel(&mut self, key: Key) {
        self.timers.retain(|(_, timer)| *timer != key);
    }

    /// Waits until something happens, or for `limit`, and says what. An empty answer means that time has passed.
    pub fn turn(&mut self, limit: Option<Duration>) -> io::Result<Vec<Event>> {
        for (key, source) in &mut self.sources {
            if source.how == How::Reported {
                source.arm(self.poll.registry(), *key)?;
            }
        }
        let wait = self.patience(limit);
        match self.poll.poll(&mut self.ready, wait) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        Ok(self.collect())
    }

    /// How long to wait at most.
    fn patience(&self, limit: Option<Duration>) -> Option<Duration> {
        let eager =
            self.sources.values().any(|s| s.how == How::Always && (s.interest.read || s.interest.write));
        if eager {
            return Some(Duration::ZERO);
        }
        let timer = self.timers.first().map(|(at, _)| at.saturating_duration_since(Instant::now()));
        [limit, timer].into_iter().flatten().min()
    }

    fn collect(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for event in &self.ready {
            if event.token() == WAKER {
                continue;
            }
            let key = Key(event.token().0);
            let Some(source) = self.sources.get_mut(&key) else { continue };
            source.how = How::Reported;
            let gone = event.is_error();
            let read = source.interest.read && (event.is_readable() || event.is_read_closed() || gone);
            let write = source.interest.write && (event.is_writable() || event.is_write_closed() || gone);
            if read || write {
                events.push(Event::Ready { key, read, write });
            }
        }
        for (key, source) in &self.sources {
            let Interest { read, write } = source.interest;
            if source.how == How::Always && (read || write) {
                events.push(Event::Ready { key: *key, read, write });
            }
        }
        let now = Instant::now();
        while let Some(&(at, key)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            events.push(Event::Timer { key });
        }
        let woken = std::mem::take(&mut *self.shared.woken.lock().unwrap_or_else(PoisonError::into_inner));
        events.extend(woken.into_iter().map(|key| Event::Woken { key }));
        events
    }
}

impl Source {
    /// Makes the host watch for the present interest, with a fresh edge.
    fn arm(&mut self, registry: &mio::Registry, key: Key) -> io::Result<()> {
        let number = self.fd.as_raw_fd();
        let mut fd = SourceFd(&number);
        let wanted = match self.interest {
            Interest { read: true, write: true } => mio::Interest::READABLE | mio::Interest::WRITABLE,
            Interest { read: true, write: false } => mio::Interest::READABLE,
            Interest { read: false, write: true } => mio::Interest::WRITABLE,
            Interest { read: false, write: false } => {
                if matches!(self.how, How::Polled | How::Reported) {
                    registry.deregister(&mut fd)?;
                    self.how = How::Idle;
                }
                return Ok(());
            }
        };
        self.how = match self.how {
            How::Always => How::Always,
            How::Polled | How::Reported => {
                registry.reregister(&mut fd, Token(key.0), wanted)?;
                How::Polled
            }
            How::Idle => match registry.register(&mut fd, Token(key.0), wanted) {
                Ok(()) => How::Polled,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => How::Always,
                Err(error) => return Err(error),
            },
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    const READ: Interest = Interest { read: true, write: false };

    #[test]
    fn what_stays_ready_is_reported_again() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut events = Loop::new().unwrap();
        let key = events.add(Arc::new(reader.try_clone().unwrap().into()), READ).unwrap();
        assert_eq!(events.turn(Some(Duration::ZERO)).unwrap(), []);
        writer.write_all(b"ab").unwrap();
        let ready = [Event::Ready { key, read: true, write: false }];
        let mut byte = [0];
        for _ in 0..2 {
            assert_eq!(events.turn(None).unwrap(), ready);
            (&reader).read_exact(&mut byte).unwrap();
        }
        assert_eq!(events.turn(Some(Duration::ZERO)).unwrap(), []);
    }

    #[test]
    fn without_interest_nothing_is_reported_and_nothing_is_lost() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut events = Loop::new().unwrap();
        let key = events.add(Arc::new(reader.into()), READ).unwrap();
        writer.write_all(b"a").unwrap();
        events.interest(key, Interest::default()).unwrap();
        assert_eq!(events.turn(Some(Duration::ZERO)).unwrap(), []);
        events.interest(key, READ).unwrap();
        assert_eq!(events.turn(None).unwrap(), [Event::Ready { key, read: true, write: false }]);
    }

    #[test]
    fn a_closed_far_end_makes_a_pipe_readable() {
        let (reader, writer) = io::pipe().unwrap();
        let mut events = Loop::new().unwrap();
        let key = events.add(Arc::new(reader.into()), READ).unwrap();
        drop(writer);
        assert_eq!(events.turn(None).unwrap(), [Event::Ready { key, read: true, write: false }]);
    }

    #[test]
    fn what_cannot_be_polled_is_always_ready() {
        let mut events = Loop::new().unwrap();
        for path in ["/dev/null", "/proc/self/exe"] {
            let file = std::fs::File::open(path).unwrap();
            let key = events.add(Arc::new(file.into()), READ).unwrap();
            assert_eq!(
                events.turn(None).unwrap(),
                [Event::Ready { key, read: true, write: false }],
                "{path}"
            );
            events.remove(key);
        }
        assert_eq!(events.turn(Some(Duration::ZERO)).unwrap(), []);
    }

    #[test]
    fn timers_fire_in_order_and_once() {
        let mut events = Loop::new().unwrap();
        let (late, early, never) = (events.key(), events.key(), events.key());
        let now = Instant::now();
        events.timer(late, now + Duration::from_millis(20));
        events.timer(early, now + Duration::from_millis(5));
        events.timer(never, now + Duration::from_millis(1));
        events.cancel(never);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.extend(events.turn(None).unwrap());
        }
        assert_eq!(seen, [Event::Timer { key: early }, Event::Timer { key: late }]);
    }

    #[test]
    fn many_wakes_are_one_event() {
        let mut events = Loop::new().unwrap();
        let key = events.key();
        let waker = events.waker(key);
        waker.wake();
        waker.wake();
        assert_eq!(events.turn(None).unwrap(), [Event::Woken { key }]);
        assert_eq!(events.turn(Some(Duration::ZERO)).unwrap(), []);
    }
}
