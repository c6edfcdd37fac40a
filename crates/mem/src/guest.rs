//! The address space as the crates of rust-vmm see guest memory, for virtio's rings.
//!
//! Devices are not reached, ROM is not written, and a store into code makes it stale, as with every other store.

use crate::{AddressSpace, Ram, ram::Writing};
use std::{fmt, iter::FusedIterator};
use vm_memory::{
    GuestAddress, GuestMemory, GuestMemoryError, GuestMemoryMmap, Permissions, VolatileSlice,
    bitmap::{Bitmap, BitmapSlice, WithBitmapSlice},
    guest_memory::GuestMemorySliceIterator,
};

impl GuestMemory for AddressSpace {
    // There is no such thing behind it.
    type PhysicalMemory = GuestMemoryMmap<()>;
    type Bitmap = NoBitmap;

    fn check_range(&self, addr: GuestAddress, count: usize, access: Permissions) -> bool {
        self.slices(addr, count, access).all(|slice| slice.is_ok())
    }

    fn get_slices<'a>(
        &'a self,
        addr: GuestAddress,
        count: usize,
        access: Permissions,
    ) -> Result<impl GuestMemorySliceIterator<'a, Code<'a>>, GuestMemoryError> {
        Ok(self.slices(addr, count, access))
    }
}

impl AddressSpace {
    fn slices(&self, addr: GuestAddress, count: usize, access: Permissions) -> Slices<'_> {
        Slices { space: self, at: addr.0, left: count, write: access.has_write() }
    }
}

/// The pieces of a range of addresses, each in one region.
struct Slices<'a> {
    space: &'a AddressSpace,
    at: u64,
    left: usize,
    write: bool,
}

impl<'a> Iterator for Slices<'a> {
    type Item = Result<VolatileSlice<'a, Code<'a>>, GuestMemoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let found = self.space.piece(self.at, self.left, self.write).and_then(|(at, len)| {
            let ram = self.space.ram();
            let first = ram.pointer(at, len)?;
            let writing = self.write.then(|| ram.writing());
            // SAFETY: the bytes are of the mapping, which lives as long as `space`; harts and devices reach it by
            // atomic accesses only.
            let slice = unsafe { VolatileSlice::with_bitmap(first, len, Code { ram, at, writing }, None) };
            Some((slice, len))
        });
        let Some((slice, len)) = found else {
            // Nothing comes after an error.
            self.left = 0;
            return Some(Err(GuestMemoryError::InvalidGuestAddress(GuestAddress(self.at))));
        };
        self.left -= len;
        self.at = self.at.wrapping_add(len as u64);
        Some(Ok(slice))
    }
}

impl FusedIterator for Slices<'_> {}
impl<'a> GuestMemorySliceIterator<'a, Code<'a>> for Slices<'a> {}

/// What writes to a slice are told: here, that instructions may have been decoded out of it. While there is a slice to
/// write to, somebody may write.
#[derive(Clone)]
pub struct Code<'r> {
    ram: &'r Ram,
    at: u64,
    writing: Option<Writing<'r>>,
}

impl<'r> WithBitmapSlice<'_> for Code<'r> {
    type S = Code<'r>;
}

impl BitmapSlice for Code<'_> {}

impl<'r> Bitmap for Code<'r> {
    fn mark_dirty(&self, offset: usize, len: usize) {
        self.ram.renew(self.at.saturating_add(offset as u64), len as u64);
    }

    fn dirty_at(&self, _: usize) -> bool {
        false
    }

    fn slice_at(&self, offset: usize) -> Code<'r> {
        let at = self.at.saturating_add(offset as u64);
        Code { ram: self.ram, at, writing: self.writing.clone() }
    }
}

impl fmt::Debug for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({:#x})", self.at)
    }
}

/// The bitmap of the whole, of which there is none.
#[derive(Clone, Copy, Debug)]
pub enum NoBitmap {}

impl<'a> WithBitmapSlice<'a> for NoBitmap {
    type S = Code<'a>;
}

impl Bitmap for NoBitmap {
    fn mark_dirty(&self, _: usize, _: usize) {
        match *self {}
    }

    fn dirty_at(&self, _: usize) -> bool {
        match *self {}
    }

    fn slice_at(&self, _: usize) -> Code<'_> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BusError, Mmio, PAGE};
    use std::sync::{Arc, atomic::Ordering};
    use vm_memory::Bytes;

    struct Nothing;

    impl Mmio for Nothing {
        fn read(&self, _: u64, _: u8) -> Result<u64, BusError> {
            panic!("rings must not read a device")
        }
        fn write(&self, _: u64, _: u8, _: u64) -> Result<(), BusError> {
            panic!("rings must not write a device")
        }
    }

    #[test]
    fn rings_reach_memory_and_nothing_else() {
        let mut map = AddressSpace::build();
        map.rom("rom", 0x1000, PAGE).unwrap();
        map.mmio("device", 0x2000, PAGE, Arc::new(Nothing)).unwrap();
        map.ram("low", 0x8000, PAGE).unwrap();
        map.ram("high", 0x9000, PAGE).unwrap();
        let space = map.finish().unwrap();
        let at = GuestAddress;

        space.write_slice(b"two regions", at(0x8ffa)).unwrap();
        let mut bytes = [0; 11];
        space.read_slice(&mut bytes, at(0x8ffa)).unwrap();
        assert_eq!(&bytes, b"two regions");
        assert_eq!(space.load(0x9000, 1), Ok(u64::from(b'g')));
        Bytes::store(&*space, 0x1234u16, at(0x9ffe), Ordering::Release).unwrap();
        assert_eq!(Bytes::load::<u16>(&*space, at(0x9ffe), Ordering::Acquire).unwrap(), 0x1234);
        assert!(Bytes::load::<u16>(&*space, at(0x9ffd), Ordering::Acquire).is_err(), "misaligned");

        use Permissions::{Read, Write};
        for (from, bytes, access, fits) in [
            (0x8000, 0x2000, Write, true),
            (0x8000, 0x2001, Write, false),
            (0x1000, 0x1000, Read, true),
            (0x1000, 1, Write, false),
            (0x2000, 1, Read, false),
            (0x1fff, 2, Read, false),
            (u64::MAX, 2, Read, false),
            (0x5000, 0, Read, true),
        ] {
            assert_eq!(space.check_range(at(from), bytes, access), fits, "{from:#x} {bytes:#x}");
        }
    }

    #[test]
    fn while_there_is_a_slice_to_write_to_it_is_not_quiet() {
        let mut map = AddressSpace::build();
        map.ram("ram", 0x8000, PAGE).unwrap();
        let space = map.finish().unwrap();
        let ram = space.ram();
        let before = ram.moment();
        let slice = |access| space.slices(GuestAddress(0x8000), 8, access).next().unwrap().unwrap();
        let reads = slice(Permissions::Read);
        assert!(ram.is_quiet_since(before));
        let writes = slice(Permissions::Write);
        let amid = ram.moment();
        assert!(!ram.is_quiet_since(before) && !ram.is_quiet_since(amid));
        let part = writes.subslice(4, 4).unwrap();
        drop(writes);
        assert!(!ram.is_quiet_since(ram.moment()));
        drop((part, reads));
        assert!(!ram.is_quiet_since(before) && !ram.is_quiet_since(amid) && ram.is_quiet_since(ram.moment()));
    }

    #[test]
    fn a_ring_written_over_code_makes_it_stale() {
        let mut map = AddressSpace::build();
        map.ram("ram", 0x8000, 2 * PAGE).unwrap();
        let space = map.finish().unwrap();
        let version = space.ram().mark_code(PAGE);
        space.write_obj(1u32, GuestAddress(0x8ffc)).unwrap();
        assert_eq!(space.ram().version(PAGE), version);
        Bytes::store(&*space, 1u16, GuestAddress(0x9000), Ordering::Relaxed).unwrap();
        assert_ne!(space.ram().version(PAGE), version);
    }
}
