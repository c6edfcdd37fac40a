//! Calls that the debugger's host answers: what is asked of it, and what it answered (gdb manual, "File-I/O Remote
//! Protocol Extension").
//!
//! A hart leaves its request here and does not run; the debugger's server takes it, and leaves the answer.

use hartwright_device::Sink;
use rustix::{fs::OFlags, io::Errno};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes of the protocol's `struct stat`.
pub(crate) const STAT: usize = 64;
/// Where its `st_size` is: eight bytes, the highest first.
const STAT_SIZE: Range<usize> = 28..36;

/// What is asked of the debugger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The hart that asks; addresses are as it sees them.
    pub hart: usize,
    /// The packet's payload.
    pub packet: String,
    /// What the debugger writes at these addresses is not for memory, but part of the answer.
    pub capture: Option<Range<u64>>,
}

/// What the debugger answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What the call returned.
    pub value: i64,
    /// The protocol's number for what went wrong.
    pub errno: u64,
    /// What it wrote at [`Request::capture`].
    pub captured: Vec<u8>,
}

impl Reply {
    /// The host's number for the protocol's, which mostly is Linux's.
    pub(crate) fn error(&self) -> Errno {
        const ENAMETOOLONG: u64 = 91;
        const LARGEST_ALIKE: u64 = 30;
        match self.errno {
            ENAMETOOLONG => Errno::NAMETOOLONG,
            1..=LARGEST_ALIKE => Errno::from_raw_os_error(self.errno as i32),
            _ => Errno::IO,
        }
    }

    /// `st_size` of the captured `struct stat`.
    pub(crate) fn size(&self) -> Option<u64> {
        let bytes = self.captured.get(STAT_SIZE)?;
        bytes.try_into().ok().map(u64::from_be_bytes)
    }
}

impl From<Reply> for u64 {
    fn from(reply: Reply) -> u64 {
        reply.value as u64
    }
}

/// The protocol's flags for opening.
pub(crate) fn flags(how: OFlags) -> u32 {
    #[rustfmt::skip]
    let rows = [
        (OFlags::WRONLY, 0x001),
        (OFlags::RDWR,   0x002),
        (OFlags::APPEND, 0x008),
        (OFlags::CREATE, 0x200),
        (OFlags::TRUNC,  0x400),
    ];
    rows.iter().filter(|(flag, _)| how.contains(*flag)).map(|(_, bit)| bit).sum()
}

/// Where harts and the debugger's server meet.
#[derive(Default)]
pub struct Debugger(Mutex<State>);

#[derive(Default)]
struct State {
    attached: bool,
    requests: VecDeque<Request>,
    /// Whose requests are not answered yet, those that the server has taken included.
    waiting: BTreeSet<usize>,
    replies: BTreeMap<usize, Reply>,
    /// Hears of requests.
    server: Option<Arc<dyn Sink>>,
    /// Hears of answers.
    harts: Option<Arc<dyn Sink>>,
}

/// The debugger's side.
impl Debugger {
    /// From now on `server` hears, at pin 0, when there is a request.
    pub fn listen(&self, server: Arc<dyn Sink>) {
        self.lock().server = Some(server);
    }

    /// Says whether a debugger is there. What was asked of one that is gone is forgotten.
    pub fn set_attached(&self, attached: bool) {
        let mut state = self.lock();
        state.attached = attached;
        if !attached {
            state.requests.clear();
            state.waiting.clear();
        }
        drop(state);
        self.ring();
    }

    /// The next request.
    pub fn take(&self) -> Option<Request> {
        self.lock().requests.pop_front()
    }

    /// Answers the request of hart `hart`, if that still waits for an answer.
    pub fn reply(&self, hart: usize, reply: Reply) {
        let mut state = self.lock();
        if state.waiting.remove(&hart) {
            state.replies.insert(hart, reply);
        }
        drop(state);
        self.ring();
    }

    fn ring(&self) {
        let harts = self.lock().harts.clone();
        if let Some(harts) = harts {
            harts.set(0, true);
        }
    }
}

/// The harts' side.
impl Debugger {
    pub(crate) fn connect(&self, harts: Arc<dyn Sink>) {
        self.lock().harts = Some(harts);
    }

    pub(crate) fn attached(&self) -> bool {
        self.lock().attached
    }

    pub(crate) fn ask(&self, request: Request) {
        let mut state = self.lock();
        // A call that is made again before its answer came is the same call.
        if !state.waiting.insert(request.hart) {
            return;
        }
        state.requests.push_back(request);
        let server = state.server.clone();
        drop(state);
        if let Some(server) = server {
            server.set(0, true);
        }
    }

    /// Takes the answer for a hart.
    pub(crate) fn answer_of(&self, hart: usize) -> Option<Reply> {
        self.lock().replies.remove(&hart)
    }

    /// Whether a hart that asked has an answer, or none to wait for.
    pub(crate) fn ready(&self, hart: usize) -> bool {
        !self.lock().waiting.contains(&hart)
    }

    /// Forgets what a hart asked.
    pub(crate) fn forget(&self, hart: usize) {
        let mut state = self.lock();
        state.requests.retain(|waiting| waiting.hart != hart);
        state.waiting.remove(&hart);
        state.replies.remove(&hart);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Debugger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Debugger({})", if self.attached() { "attached" } else { "none" })
    }
}
