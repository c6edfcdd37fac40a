//! One loop on one thread: descriptors, timers and wake-ups from other threads, as one closed [`Event`].
//!
//! ```
//! use hartwright_event::{Event, Loop};
//! let mut events = Loop::new()?;
//! let key = events.key();
//! let waker = events.waker(key);
//! std::thread::spawn(move || waker.wake());
//! assert_eq!(events.turn(None)?, [Event::Woken { key }]);
//! # Ok::<(), std::io::Error>(())
//! ```
#![expect(
    unsafe_code,
    reason = "an inherited descriptor is a number on the command line: somebody has to own it"
)]

mod inherited;
mod turn;

pub use inherited::Inherited;
pub use turn::{Event, Interest, Key, Loop, Waker};
