//! Numbers out of bytes; after the last byte they are 0.

/// What is left of an input.
pub(crate) struct Bytes<'d>(pub(crate) &'d [u8]);

impl<'d> Bytes<'d> {
    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next `size` bytes, at most 8, as a little-endian number.
    pub(crate) fn number(&mut self, size: usize) -> u64 {
        self.take(size).iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// A number of many sizes: small ones, those near `base`, and any.
    pub(crate) fn value(&mut self, base: u64) -> u64 {
        match self.byte() {
            0 => self.number(8),
            1 => base.wrapping_add(self.number(2)),
            2 => (self.number(1) as i8) as u64,
            3 => 1 << (self.number(1) & 63),
            4 => u64::MAX << (self.number(1) & 63),
            small => u64::from(small) - 5,
        }
    }

    /// The next `count` bytes, or those that are left.
    pub(crate) fn take(&mut self, count: usize) -> &'d [u8] {
        let (taken, left) = self.0.split_at(count.min(self.0.len()));
        self.0 = left;
        taken
    }

    /// Whether there are none left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
