//! What guests touched and found nothing: each address once, with a count.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// How memory is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// An instruction fetch.
    Fetch,
    /// A load.
    Load,
    /// A store or atomic operation.
    Store,
}

/// One address that had nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The physical address.
    pub addr: u64,
    /// What was tried.
    pub access: Access,
    /// Bytes.
    pub size: u8,
    /// How often.
    pub count: u64,
    /// The program counter of the first time.
    pub pc: u64,
}

type Key = (u64, Access, u8);

/// Every access that hit nothing.
#[derive(Default)]
pub struct Unmodelled {
    /// Count and first pc by address, kind and size.
    seen: Mutex<BTreeMap<Key, (u64, u64)>>,
}

impl Unmodelled {
    /// So many different addresses are kept; a guest that walks all of memory must not fill the host's.
    const LIMIT: usize = 4096;

    pub(crate) fn count(&self, access: Access, addr: u64, size: u8, pc: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (addr, access, size);
        if let Some((count, _)) = seen.get_mut(&key) {
            *count += 1;
        } else if seen.len() < Self::LIMIT {
            seen.insert(key, (1, pc));
        }
    }

    /// All of them, by address.
    pub fn list(&self) -> Vec<Miss> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .map(|(&(addr, access, size), &(count, pc))| Miss { addr, access, size, count, pc })
            .collect()
    }
}
