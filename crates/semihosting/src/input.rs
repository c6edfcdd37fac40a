//! The host's standard input, read on a thread of its own, so that no hart waits in the host for a key.

use hartwright_device::Sink;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, read},
    stdio::stdin,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Standard input; clones are the same.
///
/// Nothing is read that was not asked for: whoever else reads there has the rest.
#[derive(Clone, Default)]
pub(crate) struct Input(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// So many bytes are asked for; the thread reads once for it.
    wanted: usize,
    bytes: VecDeque<u8>,
    /// The end, or an error, after the bytes.
    end: Option<Result<(), Errno>>,
    /// The thread is there.
    begun: bool,
}

impl Input {
    /// At most `most` bytes, none at the end; `None` if none are there yet: `bell` is rung when there are.
    pub(crate) fn read(&self, most: usize, bell: &Arc<dyn Sink>) -> Option<Result<Vec<u8>, Errno>> {
        let mut state = self.lock();
        if !state.bytes.is_empty() {
            let count = most.min(state.bytes.len());
            return Some(Ok(state.bytes.drain(..count).collect()));
        }
        if let Some(end) = state.end.take() {
            return Some(end.map(|()| vec![]));
        }
        state.wanted = most;
        if !state.begun {
            let (shared, bell) = (self.clone(), bell.clone());
            let thread = thread::Builder::new().name("semihosting input".into());
            if thread.spawn(move || shared.serve(&*bell)).is_err() {
                return Some(Err(Errno::AGAIN));
            }
            state.begun = true;
        }
        drop(state);
        self.0.changed.notify_one();
        None
    }

    /// Whether there is something to be had: bytes, or the end.
    pub(crate) fn ready(&self) -> bool {
        let state = self.lock();
        !state.bytes.is_empty() || state.end.is_some()
    }

    fn serve(&self, bell: &dyn Sink) {
        loop {
            let state = self.lock();
            let waited = self.0.changed.wait_while(state, |state| state.wanted == 0);
            let wanted = waited.unwrap_or_else(PoisonError::into_inner).wanted;
            let mut bytes = vec![0; wanted];
            let got = fill(&mut bytes);
            let mut state = self.lock();
            state.wanted = 0;
            match got {
                Ok(0) => state.end = Some(Ok(())),
                Ok(count) => state.bytes.extend(&bytes[..count]),
                Err(error) => state.end = Some(Err(error)),
            }
            drop(state);
            bell.set(0, true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads once, however long that takes. Others may have told the host not to wait there.
fn fill(bytes: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match read(stdin(), &mut *bytes) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&stdin(), PollFlags::IN)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            got => return got,
        }
    }
}
