//! Where a thread waits for its port and for messages at once.

use hartwright_device::Sink;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Messages of one thread, and a mark that its [`CharPort`](hartwright_device::CharPort) called.
pub struct Mailbox<T> {
    waiting: Mutex<(Vec<T>, bool)>,
    came: Condvar,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Mailbox { waiting: Mutex::new((vec![], false)), came: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Leaves a message.
    pub fn post(&self, message: T) {
        self.lock().0.push(message);
        self.came.notify_all();
    }

    /// Waits until there is a message, or the port called; gives all messages.
    pub fn wait(&self) -> Vec<T> {
        let waiting = self.lock();
        let nothing = |waiting: &mut (Vec<T>, bool)| waiting.0.is_empty() && !waiting.1;
        let mut waiting = self.came.wait_while(waiting, nothing).unwrap_or_else(PoisonError::into_inner);
        waiting.1 = false;
        std::mem::take(&mut waiting.0)
    }

    /// Waits until the port called; messages stay.
    pub fn wait_for_port(&self) {
        let waiting = self.came.wait_while(self.lock(), |waiting| !waiting.1);
        waiting.unwrap_or_else(PoisonError::into_inner).1 = false;
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<T>, bool)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Sink for Mailbox<T> {
    fn set(&self, _: u32, _: bool) {
        self.lock().1 = true;
        self.came.notify_all();
    }
}
