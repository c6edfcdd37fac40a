//! A queue's registers: what the driver said of its ring, and where in it either side is.

use crate::{chain::Broken, features};
use hartwright_mem::AddressSpace;
use serde::{Deserialize, Serialize};
use virtio_queue::{Queue, QueueT};
use vm_memory::GuestAddress;

/// The most entries a ring may have; QEMU shows the same.
pub(crate) const MOST: u16 = 1024;

/// One queue, as the driver set it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ring {
    /// Entries.
    pub(crate) num: u32,
    /// Whether the driver gave it over.
    pub(crate) ready: bool,
    /// Address of the descriptor table.
    pub(crate) desc: u64,
    /// Address of the available ring.
    pub(crate) avail: u64,
    /// Address of the used ring.
    pub(crate) used: u64,
    /// Legacy: what the used ring is aligned to.
    pub(crate) align: u32,
    /// The next entry of the available ring.
    pub(crate) next_avail: u16,
    /// The next entry of the used ring.
    pub(crate) next_used: u16,
}

impl Default for Ring {
    fn default() -> Self {
        let num = MOST.into();
        Ring { num, ready: false, desc: 0, avail: 0, used: 0, align: 4096, next_avail: 0, next_used: 0 }
    }
}

impl Ring {
    /// Legacy: the parts of the ring follow from where it begins (virtio 1.2, 2.7.2).
    pub(crate) fn lay_out(&mut self, at: u64) {
        let num = u64::from(self.num);
        let align = u64::from(self.align.max(1));
        self.desc = at;
        self.avail = at.wrapping_add(16 * num);
        self.used = self.avail.wrapping_add(6 + 2 * num).checked_next_multiple_of(align).unwrap_or(0);
    }

    /// The ring as `virtio_queue` walks it, if it can be one.
    pub(crate) fn live(&self, space: &AddressSpace, accepted: u64) -> Result<Queue, Broken> {
        let bad = |_| Broken("the rings of a queue are not aligned");
        let mut queue = Queue::new(MOST).map_err(|_| Broken("a queue of no size"))?;
        let size = u16::try_from(self.num).ok().filter(|size| *size <= MOST);
        size.and_then(|size| queue.try_set_size(size).ok())
            .ok_or(Broken("a queue's size is no power of two"))?;
        queue.try_set_desc_table_address(GuestAddress(self.desc)).map_err(bad)?;
        queue.try_set_avail_ring_address(GuestAddress(self.avail)).map_err(bad)?;
        queue.try_set_used_ring_address(GuestAddress(self.used)).map_err(bad)?;
        queue.set_event_idx(accepted & features::EVENT_IDX != 0);
        queue.set_next_avail(self.next_avail);
        queue.set_next_used(self.next_used);
        queue.set_ready(true);
        let wraps = |at: u64| at.checked_add(0x1_0000).is_none();
        if [self.desc, self.avail, self.used].into_iter().any(wraps) || !queue.is_valid(space) {
            return Err(Broken("the rings of a queue are not in memory"));
        }
        Ok(queue)
    }
}
