//! The part of a hart that other threads reach: its interrupt pins, and the bell that gets its attention.

use crate::status::SSIP;
use hartwright_wire::Sink;
use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Interrupt pins, numbered as the bits of `mip`, and a bell.
#[derive(Default)]
pub struct Port {
    pins: AtomicU64,
    /// Something outside a block's knowledge may have changed: pins, or what the hart's thread is asked to do.
    attention: AtomicBool,
    /// What wakes the thread that runs the hart.
    bell: Mutex<Arc<Bell>>,
}

/// Wakes a thread that sleeps.
#[derive(Default)]
pub struct Bell {
    asleep: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    /// Sleeps until somebody rings, or `at_most` has passed; not at all if there is `news`.
    pub fn sleep_unless(&self, news: impl FnOnce() -> bool, at_most: Duration) {
        let guard = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        if !news() {
            drop(self.rung.wait_timeout(guard, at_most));
        }
    }

    /// Wakes whoever sleeps.
    pub fn ring(&self) {
        // Taking the lock orders this ring, and the news before it, after the look of one that is just falling asleep.
        drop(self.asleep.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }
}

impl Port {
    /// The levels of all pins.
    #[inline(always)]
    pub fn pins(&self) -> u64 {
        self.pins.load(Ordering::Acquire)
    }

    /// Forgets edges that the hart has taken note of.
    pub(crate) fn clear(&self, bits: u64) {
        self.pins.fetch_and(!bits, Ordering::AcqRel);
    }

    /// Gets the hart's attention: it looks up before its next block, and wakes if it sleeps.
    pub fn ring(&self) {
        self.attention.store(true, Ordering::Release);
        self.bell().ring();
    }

    /// Has a ring wake who sleeps by `bell`: a thread that runs several harts.
    pub fn share(&self, bell: Arc<Bell>) {
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner) = bell;
    }

    fn bell(&self) -> Arc<Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks, from the hart's own thread, for a look before the next block.
    #[inline(always)]
    pub fn look(&self) {
        self.attention.store(true, Ordering::Relaxed);
    }

    /// Whether somebody rang since the last [`heed`](Self::heed).
    #[inline(always)]
    pub fn rung(&self) -> bool {
        self.attention.load(Ordering::Relaxed)
    }

    /// Notes that the hart now looks; what it looks at is as of now or later.
    pub fn heed(&self) {
        self.attention.swap(false, Ordering::AcqRel);
    }

    /// Sleeps until somebody rings, or `at_most` has passed.
    pub fn sleep(&self, at_most: Duration) {
        self.bell().sleep_unless(|| self.attention.load(Ordering::Acquire), at_most);
    }
}

impl Sink for Port {
    fn set(&self, pin: u32, level: bool) {
        let bit = 1 << (pin & 63);
        if !level && bit == SSIP {
            // Of this pin an edge counts, and it stays until the hart has seen it.
            return;
        }
        if level {
            self.pins.fetch_or(bit, Ordering::AcqRel);
        } else {
            self.pins.fetch_and(!bit, Ordering::AcqRel);
        }
        self.ring();
    }
}
