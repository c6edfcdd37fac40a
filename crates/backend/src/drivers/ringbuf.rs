//! `ringbuf`: output stays in memory, the newest bytes over the oldest, until a monitor's command reads it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use hartwright_event::{Event, Key};

use super::{Desk, Driver, HostEnd, Input, Ready, Sent};
use crate::{
    opts::{Opts, Refusal, parse_size},
    spec::Kind,
};

pub(crate) const DRIVER: Driver = Driver { names: &["ringbuf", "memory"], keys: &["size"], read };

/// How much it keeps if nobody says, in bytes.
const SIZE: u64 = 64 << 10;

fn read(opts: &Opts) -> Result<Kind, Refusal> {
    let size = opts.get("size").map(|size| parse_size("size", size, 'B')).transpose()?;
    let size = size.filter(|size| *size != 0).unwrap_or(SIZE);
    match usize::try_from(size) {
        Ok(bytes) if bytes.is_power_of_two() => Ok(Kind::Ringbuf { size: bytes }),
        Ok(_) => Err(Refusal::new("size of ringbuf chardev must be power of two")),
        Err(_) => Err(Refusal::new(format!("Value '{size}' is out of range for parameter 'size'"))),
    }
}

/// The last bytes that were written; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    size: usize,
}

impl Ring {
    /// Adds bytes; the oldest go if there are too many.
    pub(crate) fn put(&self, new: impl IntoIterator<Item = u8>) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend(new);
        let excess = bytes.len().saturating_sub(self.size);
        bytes.drain(..excess);
    }

    /// Takes up to `count` bytes out, the oldest first.
    pub(crate) fn take(&self, count: usize) -> Vec<u8> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count.min(bytes.len());
        bytes.drain(..count).collect()
    }
}

#[derive(Debug)]
pub(crate) struct Memory(Ring);

pub(crate) fn open(size: usize) -> Memory {
    Memory(Ring { bytes: Arc::default(), size })
}

impl HostEnd for Memory {
    fn filename(&self) -> String {
        "ringbuf".into()
    }

    fn start(&mut self, _: &mut Desk<'_>) {}

    fn has(&self, _: Key) -> bool {
        false
    }

    fn heed(&mut self, _: Event, _: &mut Desk<'_>) -> Ready {
        Ready::default()
    }

    fn want(&mut self, _: bool, _: bool, _: &mut Desk<'_>) {}

    fn read(&mut self, _: usize, _: &mut Input, _: &mut Desk<'_>) {}

    fn write(&mut self, bytes: &[u8], _: &mut Desk<'_>) -> Sent {
        self.0.put(bytes.iter().copied());
        Sent::Took(bytes.len())
    }

    fn ring(&self) -> Option<Ring> {
        Some(self.0.clone())
    }
}
