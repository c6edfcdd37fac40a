//! The lock around a device, and the inbox that keeps lines from ever waiting for it.

use crate::{BusError, Device, Error, Mmio, Sink, Wiring, trace};
use hartwright_objects::{Class, Given, Instance, Value};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak,
        atomic::{AtomicUsize, Ordering, fence},
    },
};

/// A device behind its lock: what the bus, the lines and the object tree hold.
///
/// A line that changes puts (pin, level) into the inbox and, if nobody is with the device, delivers it. Whoever is
/// with the device delivers what came meanwhile before and after, so a line never waits, whatever the wiring.
pub struct Locked<D: ?Sized + Device> {
    device: Mutex<Box<D>>,
    inbox: Mutex<VecDeque<(u32, bool)>>,
    /// How many wait in the inbox, readable without its lock.
    waiting: AtomicUsize,
    class: &'static Class,
}

impl<D: ?Sized + Device> Locked<D> {
    /// Puts a lock around `device`.
    pub fn new(device: Box<D>) -> Arc<Self> {
        let class = device.class();
        Arc::new(Locked {
            device: Mutex::new(device),
            inbox: Mutex::default(),
            waiting: AtomicUsize::new(0),
            class,
        })
    }

    /// Realizes the device with `wiring`, of which it fills in [`Wiring::me`], and resets it.
    ///
    /// # Errors
    /// As [`Device::realize`].
    pub fn wire(self: &Arc<Self>, mut wiring: Wiring) -> Result<(), Error> {
        wiring.me = self.weak();
        wiring.memory = wiring.memory.of(wiring.name.as_str().into());
        self.with(|device| {
            trace::remember(device, &wiring.name);
            device.realize(wiring)?;
            device.reset();
            Ok(())
        })
    }

    /// The device's pins, without keeping the device alive: for what the device itself holds.
    pub fn weak(self: &Arc<Self>) -> Arc<dyn Sink> {
        Arc::new(WeakSink(Arc::downgrade(self)))
    }

    /// Resets the device.
    pub fn reset(&self) {
        self.with(Device::reset);
    }

    /// Runs `f` with the device.
    pub fn with<T>(&self, f: impl FnOnce(&mut D) -> T) -> T {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        self.deliver(&mut device);
        let result = f(&mut device);
        self.deliver(&mut device);
        drop(device);
        self.deliver_if_free();
        result
    }

    /// Delivers what waits, unless somebody is with the device: then that one will.
    fn deliver_if_free(&self) {
        loop {
            // Pairs with itself: of one who left the device and one who left a message, at least one sees the other.
            fence(Ordering::SeqCst);
            if self.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
            let mut device = match self.device.try_lock() {
                Ok(device) => device,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.deliver(&mut device);
        }
    }

    fn deliver(&self, device: &mut MutexGuard<'_, Box<D>>) {
        while self.waiting.load(Ordering::Acquire) > 0 {
            let next = self.inbox().pop_front();
            let Some((pin, level)) = next else { return };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            device.input(pin, level);
        }
    }

    fn inbox(&self) -> MutexGuard<'_, VecDeque<(u32, bool)>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: ?Sized + Device> Sink for Locked<D> {
    fn set(&self, pin: u32, level: bool) {
        let mut inbox = self.inbox();
        inbox.push_back((pin, level));
        self.waiting.fetch_add(1, Ordering::Release);
        drop(inbox);
        self.deliver_if_free();
    }
}

impl<D: ?Sized + Device> Mmio for Locked<D> {
    fn read(&self, offset: u64, size: u8) -> Result<u64, BusError> {
        self.with(|device| device.read(offset, size))
    }
    fn write(&self, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
        self.with(|device| device.write(offset, size, value))
    }
}

impl<D: ?Sized + Device> Drop for Locked<D> {
    fn drop(&mut self) {
        trace::forget(&**self.device.get_mut().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<D: ?Sized + Device> Instance for Locked<D> {
    fn class(&self) -> &'static Class {
        self.class
    }
    fn get(&self, property: &str) -> Option<Value> {
        self.with(|device| device.get(property))
    }
    fn give(&self, property: &str, given: &Given) -> Result<(), Error> {
        self.with(|device| {
            device.give(property, given)?;
            device.given();
            Ok(())
        })
    }
}

struct WeakSink<D: ?Sized + Device>(Weak<Locked<D>>);

impl<D: ?Sized + Device> Sink for WeakSink<D> {
    fn set(&self, pin: u32, level: bool) {
        if let Some(device) = self.0.upgrade() {
            device.set(pin, level);
        }
    }
}
