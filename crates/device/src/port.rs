//! The queue between a serial device and the host, with back-pressure both ways.

use crate::Sink;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes from the host that may wait for the device.
const INPUT: usize = 4 << 10;
/// Bytes from the device that may wait for the host.
const OUTPUT: usize = 64 << 10;
/// Breaks that may wait for the device; more are one.
const BREAKS: usize = 16;

/// Two bounded queues of bytes between a device (or the monitor) and a backend; clones are the same port.
///
/// A port without a backend drops what the device writes and has nothing to read.
#[derive(Clone, Default)]
pub struct CharPort(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    input: VecDeque<u8>,
    output: VecDeque<u8>,
    /// Bytes ever taken from the input, to which the places of breaks relate.
    taken: u64,
    /// After how many bytes ever taken a break stands.
    breaks: VecDeque<u64>,
    wake: Option<(Arc<dyn Sink>, u32)>,
    /// A write was refused: the device waits for room.
    device_waits: bool,
    waker: Option<Arc<dyn Fn() + Send + Sync>>,
    /// A feed was cut short: the backend waits for room.
    backend_waits: bool,
    gone: bool,
    /// How often the other end has gone.
    partings: u64,
    /// Output is wanted although the other end has gone.
    kept: bool,
    outward: Outward,
}

impl State {
    /// Nobody wants what is written.
    fn is_deaf(&self) -> bool {
        self.waker.is_none() || self.gone && !self.kept
    }
}

/// What the device drives towards the host's end besides data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outward {
    /// The line is held in a break.
    pub brk: bool,
    /// Data terminal ready.
    pub dtr: bool,
    /// Request to send.
    pub rts: bool,
}

/// The device's side.
impl CharPort {
    /// From now on `wake` hears `(pin, true)` whenever input came, output room appeared, or the other end came or went.
    pub fn attach(&self, wake: Arc<dyn Sink>, pin: u32) {
        self.lock().wake = Some((wake.clone(), pin));
        wake.set(pin, true);
    }

    /// The next byte from the host. An untaken break before it is passed over.
    pub fn read(&self) -> Option<u8> {
        let mut state = self.lock();
        let byte = state.input.pop_front()?;
        state.taken += 1;
        while state.breaks.front().is_some_and(|at| *at < state.taken) {
            state.breaks.pop_front();
        }
        // Half the queue at a time, so that the backend is not woken for every byte.
        let waker = (state.backend_waits && state.input.len() <= INPUT / 2).then(|| {
            state.backend_waits = false;
            state.waker.clone()
        });
        drop(state);
        if let Some(Some(waker)) = waker {
            waker();
        }
        Some(byte)
    }

    /// How many bytes wait.
    pub fn readable(&self) -> usize {
        self.lock().input.len()
    }

    /// Whether a break comes before the next byte; takes it.
    pub fn take_break(&self) -> bool {
        let mut state = self.lock();
        let here = state.breaks.front() == Some(&state.taken);
        if here {
            state.breaks.pop_front();
        }
        here
    }

    /// Hands the host a byte. False: there is no room; a wake-up tells when to try again.
    #[must_use = "a byte that was not taken must be kept"]
    pub fn write(&self, byte: u8) -> bool {
        self.write_some(&[byte]) == 1
    }

    /// Hands the host bytes, as many as there is room for, and says how many that was. What is handed over at once, a
    /// mux shows in one piece. Fewer than all: a wake-up tells when to try again.
    #[must_use = "bytes that were not taken must be kept"]
    pub fn write_some(&self, bytes: &[u8]) -> usize {
        let mut state = self.lock();
        if state.is_deaf() {
            return bytes.len();
        }
        let n = bytes.len().min(OUTPUT.saturating_sub(state.output.len()));
        state.device_waits |= n < bytes.len();
        let first = n > 0 && state.output.is_empty();
        state.output.extend(&bytes[..n]);
        let waker = state.waker.clone().filter(|_| first);
        drop(state);
        if let Some(waker) = waker {
            waker();
        }
        n
    }

    /// Whether [`write`](Self::write) would take a byte now. False: a wake-up tells when it would.
    pub fn writable(&self) -> bool {
        let mut state = self.lock();
        let full = !state.is_deaf() && state.output.len() >= OUTPUT;
        state.device_waits |= full;
        !full
    }

    /// Whether the other end is there (carrier): true unless a backend says that it is not.
    pub fn connected(&self) -> bool {
        !self.lock().gone
    }

    /// Who is at the other end, if anybody is: who comes after another has gone has another number, also if nobody
    /// looked between.
    pub fn visitor(&self) -> Option<u64> {
        let state = self.lock();
        (!state.gone).then_some(state.partings)
    }

    /// Begins or ends a break towards the host.
    pub fn set_break(&self, brk: bool) {
        self.lock().outward.brk = brk;
    }

    /// Sets the modem lines towards the host.
    pub fn set_modem(&self, dtr: bool, rts: bool) {
        let mut state = self.lock();
        state.outward.dtr = dtr;
        state.outward.rts = rts;
    }
}

/// The backend's side.
impl CharPort {
    /// A backend is here; `waker` is called, on any thread, when output waits or input room appeared.
    pub fn connect(&self, waker: Arc<dyn Fn() + Send + Sync>) {
        self.lock().waker = Some(waker);
        self.wake();
    }

    /// How many bytes [`feed`](Self::feed) would take now.
    ///
    /// After an answer of 0, the waker is called when there is room again.
    pub fn room(&self) -> usize {
        let mut state = self.lock();
        let room = INPUT.saturating_sub(state.input.len());
        state.backend_waits |= room == 0;
        room
    }

    /// Gives the device input; returns how many bytes were taken, from the front.
    ///
    /// If not all were, the waker is called when there is room again.
    pub fn feed(&self, bytes: &[u8]) -> usize {
        let mut state = self.lock();
        let n = bytes.len().min(INPUT.saturating_sub(state.input.len()));
        state.input.extend(&bytes[..n]);
        state.backend_waits |= n < bytes.len();
        drop(state);
        if n > 0 {
            self.wake();
        }
        n
    }

    /// Gives the device a break, after the bytes fed so far.
    pub fn feed_break(&self) {
        let mut state = self.lock();
        let at = state.taken + state.input.len() as u64;
        if state.breaks.len() < BREAKS {
            state.breaks.push_back(at);
        }
        drop(state);
        self.wake();
    }

    /// Copies the output that waits into `bytes`, as much as fits; returns how much that was.
    pub fn peek_output(&self, bytes: &mut [u8]) -> usize {
        let state = self.lock();
        let n = bytes.len().min(state.output.len());
        let (front, back) = state.output.as_slices();
        let f = n.min(front.len());
        bytes[..f].copy_from_slice(&front[..f]);
        bytes[f..n].copy_from_slice(&back[..n - f]);
        n
    }

    /// Removes `n` bytes of output, which the host now has.
    pub fn consume_output(&self, n: usize) {
        let mut state = self.lock();
        let n = n.min(state.output.len());
        state.output.drain(..n);
        let wake = state.device_waits && n > 0;
        state.device_waits &= !wake;
        drop(state);
        if wake {
            self.wake();
        }
    }

    /// How many bytes of output wait.
    pub fn pending_output(&self) -> usize {
        self.lock().output.len()
    }

    /// Says whether output is wanted while the other end is not there: somebody keeps a log.
    pub fn keep_output(&self, kept: bool) {
        self.lock().kept = kept;
    }

    /// Says whether the other end is there. While it is not, output is dropped, unless it is to be kept.
    pub fn set_connected(&self, connected: bool) {
        let mut state = self.lock();
        let changed = state.gone == connected;
        state.gone = !connected;
        state.partings += u64::from(changed && !connected);
        if state.is_deaf() {
            state.output.clear();
            state.device_waits = false;
        }
        drop(state);
        if changed {
            self.wake();
        }
    }

    /// What the device drives besides data.
    pub fn outward(&self) -> Outward {
        self.lock().outward
    }

    /// Never with the port's lock held: what wakes may look at the port.
    fn wake(&self) {
        let wake = self.lock().wake.clone();
        if let Some((sink, pin)) = wake {
            sink.set(pin, true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CharPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        write!(f, "CharPort({} bytes in, {} out)", state.input.len(), state.output.len())
    }
}
