//! Random bytes for devices and harts that give some to the guest: the host's, or the same in every run.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A source of random bytes; clones are the same source. The default is a seeded one.
#[derive(Clone)]
pub struct Entropy(Arc<Mutex<Fill>>);

type Fill = Box<dyn FnMut(&mut [u8]) + Send>;

impl Entropy {
    /// What `fill` fills; it must not block, because a device's lock may be held.
    pub fn new(fill: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        Entropy(Arc::new(Mutex::new(Box::new(fill))))
    }

    /// The same bytes for the same seed (SplitMix64: Steele, Lea, Flood: Fast splittable pseudorandom number
    /// generators, 2014). Nothing that must stay secret may come of it.
    pub fn seeded(seed: u64) -> Self {
        let mut state = seed;
        Self::new(move |bytes| {
            for chunk in bytes.chunks_mut(8) {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                chunk.copy_from_slice(&(z ^ z >> 31).to_le_bytes()[..chunk.len()]);
            }
        })
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(bytes);
    }
}

impl Default for Entropy {
    fn default() -> Self {
        Self::seeded(0)
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_goes_on() {
        let take = |seed| {
            let source = Entropy::seeded(seed);
            let mut bytes = [0; 20];
            source.clone().fill(&mut bytes[..11]);
            source.fill(&mut bytes[11..]);
            bytes
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
        assert_ne!(take(1)[..4], take(1)[16..]);
    }
}
