//! What a card can do while the transport lends it its rings: take requests, give them back, tell of changes.

use crate::{Chain, chain::Broken, features, ring::Ring};
use hartwright_device::{Dma, log};
use hartwright_mem::AddressSpace;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, atomic::Ordering};
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress};

/// Bits of the interrupt status.
pub(crate) const USED: u32 = 1;
pub(crate) const CONFIG: u32 = 2;
/// Bits of the device status (virtio 1.2, 2.1).
pub(crate) const DRIVER_OK: u32 = 4;
pub(crate) const FEATURES_OK: u32 = 8;
pub(crate) const NEEDS_RESET: u32 = 0x40;
/// The driver wants no interrupts for now (virtio 1.2, 2.7.6: VIRTQ_AVAIL_F_NO_INTERRUPT).
const NO_INTERRUPT: u16 = 1;

/// What transport and card share: all of it is state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Device status.
    pub(crate) status: u32,
    /// Interrupt status.
    pub(crate) interrupts: u32,
    /// The features that driver and device agreed on.
    pub(crate) accepted: u64,
    /// How often the configuration changed by itself.
    pub(crate) generation: u32,
    /// The driver did what no driver may do: nothing more happens until it resets the device.
    pub(crate) broken: bool,
    /// The queues.
    pub(crate) rings: Vec<Ring>,
}

/// One entry into a card: its rings, memory and interrupts.
pub struct Io<'a> {
    link: &'a mut Link,
    /// The rings that were used since they were set up.
    live: &'a mut Vec<Option<Queue>>,
    dma: &'a Dma,
    space: Option<Arc<AddressSpace>>,
    /// The card's type, for messages.
    class: &'static str,
    legacy: bool,
    /// The queues that something was given back to.
    used: Vec<usize>,
}

impl<'a> Io<'a> {
    pub(crate) fn new(
        link: &'a mut Link,
        live: &'a mut Vec<Option<Queue>>,
        dma: &'a Dma,
        class: &'static str,
        legacy: bool,
    ) -> Self {
        let space = dma.space().ok();
        Io { link, live, dma, space, class, legacy, used: vec![] }
    }

    /// The machine's memory.
    pub fn memory(&self) -> &'a Dma {
        self.dma
    }

    /// Whether driver and device agreed on all of `bits`.
    pub fn has(&self, bits: u64) -> bool {
        self.link.accepted & bits == bits
    }

    /// Whether the card may take requests: the driver is ready, and did nothing that it may not do. A legacy driver
    /// may begin before it says so (virtio 1.2, 3.1.2).
    pub fn runs(&self) -> bool {
        !self.link.broken && (self.legacy || self.link.status & DRIVER_OK != 0)
    }

    /// The next request of queue `queue`, if there is one; if not, the driver will notify.
    pub fn pop(&mut self, queue: usize) -> Option<Chain> {
        let popped = self.try_pop(queue);
        popped.unwrap_or_else(|why| {
            self.fail(why.0);
            None
        })
    }

    fn try_pop(&mut self, at: usize) -> Result<Option<Chain>, Broken> {
        let unreadable = |_| Broken("a ring cannot be read");
        let Some((space, queue)) = self.queue(at)? else { return Ok(None) };
        let space = &*space;
        // Once more if something came before the driver could know that it is to notify.
        for _ in 0..2 {
            let mut heads = queue.iter(space).map_err(|error| match error {
                virtio_queue::Error::InvalidAvailRingIndex => {
                    Broken("more is available than a ring can hold")
                }
                _ => Broken("a ring cannot be read"),
            })?;
            if let Some(chain) = heads.next() {
                let next = queue.next_avail();
                self.link.rings[at].next_avail = next;
                return Chain::follow(chain, space).map(Some);
            }
            if !queue.enable_notification(space).map_err(unreadable)? {
                break;
            }
        }
        Ok(None)
    }

    /// Gives the request that began at descriptor `head` back, `written` bytes of it filled.
    pub fn push(&mut self, queue: usize, head: u16, written: u32) {
        let pushed = self.queue(queue).and_then(|live| {
            let Some((space, live)) = live else { return Ok(None) };
            let added = live.add_used(&*space, head, written).map(|()| Some(live.next_used()));
            added.map_err(|_| Broken("a used ring cannot be written"))
        });
        match pushed {
            Ok(Some(next)) => {
                self.link.rings[queue].next_used = next;
                if !self.used.contains(&queue) {
                    self.used.push(queue);
                }
            }
            Ok(None) => {}
            Err(why) => self.fail(why.0),
        }
    }

    /// The configuration changed by itself.
    pub fn config_changed(&mut self) {
        self.link.generation = self.link.generation.wrapping_add(1);
        if self.link.status & DRIVER_OK != 0 {
            self.link.interrupts |= CONFIG;
        }
    }

    /// The driver did what no driver may do: the card stops until it is reset.
    pub fn fail(&mut self, why: &'static str) {
        self.guest_error(0, why);
        self.link.broken = true;
        if !self.legacy {
            self.link.status |= NEEDS_RESET;
        }
        if self.link.status & DRIVER_OK != 0 {
            self.link.interrupts |= CONFIG;
        }
    }

    /// Counts what no driver may do, at `offset` of whatever `what` is about.
    pub fn guest_error(&self, offset: u64, what: &'static str) {
        log::guest_error(self.class, offset, what, format_args!(""));
    }

    /// Interrupts for what was given back, where the driver wants to hear of it.
    pub(crate) fn finish(mut self) {
        for queue in std::mem::take(&mut self.used) {
            match self.wants(queue) {
                Ok(true) => self.link.interrupts |= USED,
                Ok(false) => {}
                Err(why) => self.fail(why.0),
            }
        }
    }

    fn wants(&mut self, at: usize) -> Result<bool, Broken> {
        let unreadable = |_| Broken("a ring cannot be read");
        let on_empty = self.has(features::NOTIFY_ON_EMPTY);
        let Some((space, queue)) = self.queue(at)? else { return Ok(false) };
        let space = &*space;
        if queue.event_idx_enabled() {
            return queue.needs_notification(space).map_err(unreadable);
        }
        let flags: u16 = Bytes::load(space, GuestAddress(queue.avail_ring()), Ordering::Acquire)
            .map_err(|_| Broken("a ring cannot be read"))?;
        let empty = || queue.avail_idx(space, Ordering::Relaxed).is_ok_and(|idx| idx.0 == queue.next_avail());
        Ok(u16::from_le(flags) & NO_INTERRUPT == 0 || on_empty && empty())
    }

    /// The ring of queue `at` with the memory it is in, if the card may use it.
    fn queue(&mut self, at: usize) -> Result<Option<(Arc<AddressSpace>, &mut Queue)>, Broken> {
        let runs = self.runs();
        let ring = self.link.rings.get(at).filter(|ring| runs && ring.ready);
        let (Some(ring), Some(space)) = (ring, self.space.clone()) else { return Ok(None) };
        if self.live.len() <= at {
            self.live.resize_with(at + 1, || None);
        }
        let place = &mut self.live[at];
        if place.is_none() {
            *place = Some(ring.live(&space, self.link.accepted)?);
        }
        Ok(place.as_mut().map(|live| (space, live)))
    }
}
