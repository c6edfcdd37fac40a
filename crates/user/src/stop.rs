//! How one thread of a process has the others stand while it changes what they may have at hand.
//!
//! A thread is *inside* while it runs guest code; there it uses translations without asking. Who is about to take
//! mappings or permissions away rings all that are inside and waits until they are out. Calls of the kernel are made
//! outside, so a thread that waits in one holds nobody up.

use hartwright_hart::Port;
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

/// What others see of a guest thread.
pub(crate) struct Seat {
    /// Its hart's bell.
    pub(crate) port: Arc<Port>,
    /// The signal that waits to be delivered, which the host has delivered to us; 0 if none. See [`crate::signals`].
    pub(crate) pending: AtomicU32,
    inside: AtomicBool,
}

impl Seat {
    /// That of the hart whose port it is.
    pub(crate) fn new(port: Arc<Port>) -> Arc<Self> {
        Arc::new(Seat { port, pending: AtomicU32::new(0), inside: AtomicBool::new(false) })
    }
}

/// All threads of a process.
#[derive(Default)]
pub(crate) struct Threads {
    seats: Mutex<Vec<Arc<Seat>>>,
    /// Held by who stops the others.
    stopping: Mutex<()>,
    /// Whether somebody does.
    stopped: AtomicBool,
    /// Somebody went out, or may go in again.
    changed: Condvar,
    turnstile: Mutex<()>,
    /// How often something was taken away: who was outside forgets what it has at hand when it comes in.
    taken: AtomicU64,
    /// How often all instructions were to be fetched anew.
    fences: AtomicU64,
}

/// What a thread has heeded of what others changed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heeded {
    /// Translations taken away.
    pub(crate) taken: u64,
    /// Fences.
    pub(crate) fences: u64,
}

impl Threads {
    /// Adds a thread.
    pub(crate) fn add(&self, seat: Arc<Seat>) {
        lock(&self.seats).push(seat);
    }

    /// Removes a thread, which is outside.
    pub(crate) fn remove(&self, seat: &Arc<Seat>) {
        lock(&self.seats).retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// Goes in, when nobody stops the others; gives what has to be heeded first.
    pub(crate) fn enter(&self, seat: &Seat) -> Heeded {
        loop {
            seat.inside.store(true, Ordering::SeqCst);
            if !self.stopped.load(Ordering::SeqCst) {
                return Heeded {
                    taken: self.taken.load(Ordering::SeqCst),
                    fences: self.fences.load(Ordering::SeqCst),
                };
            }
            self.leave(seat);
            let mut guard = lock(&self.turnstile);
            while self.stopped.load(Ordering::SeqCst) {
                guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Goes out.
    pub(crate) fn leave(&self, seat: &Seat) {
        seat.inside.store(false, Ordering::SeqCst);
        if self.stopped.load(Ordering::SeqCst) {
            // Taking the lock orders this after the check of who is just falling asleep.
            drop(lock(&self.turnstile));
            self.changed.notify_all();
        }
    }

    /// Has all threads stand outside, itself outside, while it does `what`; they forget what they had at hand.
    pub(crate) fn stopped<R>(&self, what: impl FnOnce() -> R) -> R {
        let turn = lock(&self.stopping);
        self.stopped.store(true, Ordering::SeqCst);
        let seats = lock(&self.seats).clone();
        let mut guard = lock(&self.turnstile);
        for seat in &seats {
            while seat.inside.load(Ordering::SeqCst) {
                seat.port.ring();
                guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
        }
        drop(guard);
        let result = what();
        self.taken.fetch_add(1, Ordering::SeqCst);
        self.stopped.store(false, Ordering::SeqCst);
        drop(lock(&self.turnstile));
        self.changed.notify_all();
        drop(turn);
        result
    }

    /// Has every thread fetch its instructions anew, before this returns or before it runs any.
    pub(crate) fn fence(&self) {
        self.stopped(|| self.fences.fetch_add(1, Ordering::SeqCst));
    }

    /// What a fork holds, so that the child, in which only the forking thread lives on, finds it free.
    pub(crate) fn hold(&self) -> (MutexGuard<'_, Vec<Arc<Seat>>>, MutexGuard<'_, ()>) {
        (lock(&self.seats), lock(&self.turnstile))
    }

    /// In the child of a fork: `seat` is the only one left.
    pub(crate) fn alone(&self, seat: Arc<Seat>) {
        *lock(&self.seats) = vec![seat];
    }
}

/// Takes a lock whoever held it last.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
