//! Guest memory, as a device with DMA reaches it.

use crate::trace::{self, Way};
use hartwright_mem::{AddressSpace, BusError};
use std::{
    fmt,
    sync::{Arc, Weak},
};

/// A device's way to the machine's memory, by physical address; the default reaches nothing.
///
/// Only memory is reached: an address of another device refuses, and so does a write to ROM. Harts see what was
/// written as they see another hart's stores, stale instructions included.
#[derive(Clone, Default)]
pub struct Dma {
    space: Weak<AddressSpace>,
    /// Whose it is, for traces.
    name: Option<Arc<str>>,
}

impl Dma {
    /// A way to the memory of `space`, which lives as long as its machine: its devices must not hold it.
    pub fn new(space: &Arc<AddressSpace>) -> Self {
        Dma { space: Arc::downgrade(space), name: None }
    }

    /// The same for the device called `name`.
    pub(crate) fn of(self, name: Arc<str>) -> Self {
        Dma { name: Some(name), ..self }
    }

    /// Fills `bytes` from the address `at` on.
    ///
    /// # Errors
    /// [`BusError::Unmapped`] where nothing is, [`BusError::Refused`] where a device is; some of `bytes` may be filled.
    pub fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        self.space()?.read_bytes(at, bytes)?;
        self.trace(Way::Read, at, bytes);
        Ok(())
    }

    /// Puts `bytes` to the address `at` and on.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`BusError::ReadOnly`] for ROM; some of `bytes` may be written.
    pub fn write(&self, at: u64, bytes: &[u8]) -> Result<(), BusError> {
        self.space()?.write_ram(at, bytes)?;
        self.trace(Way::Write, at, bytes);
        Ok(())
    }

    /// The memory itself, for who follows rings in it; nothing of that is traced.
    ///
    /// # Errors
    /// [`BusError::Unmapped`] when the machine is gone.
    pub fn space(&self) -> Result<Arc<AddressSpace>, BusError> {
        self.space.upgrade().ok_or(BusError::Unmapped)
    }

    fn trace(&self, way: Way, at: u64, bytes: &[u8]) {
        if trace::is_on() {
            trace::dma(self.name.as_deref().unwrap_or_default(), way, at, bytes);
        }
    }
}

/// The memory behind a device with an [`array`](crate::Device::array), by the device's own offsets. The default has
/// none: it reads as zero and keeps nothing.
#[derive(Clone, Default)]
pub struct Array {
    space: Weak<AddressSpace>,
    base: u64,
}

impl Array {
    /// The memory behind the device at `base` of `space`, which lives as long as its machine.
    pub fn new(space: &Arc<AddressSpace>, base: u64) -> Self {
        Array { space: Arc::downgrade(space), base }
    }

    /// Fills `bytes` from `offset` on; with zeros where there is none.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) {
        let read = |space: Arc<AddressSpace>| space.read_bytes(self.base.wrapping_add(offset), bytes).ok();
        if self.space.upgrade().and_then(read).is_none() {
            bytes.fill(0);
        }
    }

    /// Puts `bytes` to `offset` and on. Harts that fetched instructions from there fetch them anew.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        if let Some(space) = self.space.upgrade() {
            // What lies beyond its end is not the device's, which knows its size.
            let _ = space.write_bytes(self.base.wrapping_add(offset), bytes);
        }
    }
}

impl fmt::Debug for Dma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.space.strong_count() > 0 { "Dma" } else { "Dma(nowhere)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mmio;

    struct Nothing;

    impl Mmio for Nothing {
        fn read(&self, _: u64, _: u8) -> Result<u64, BusError> {
            panic!("DMA must not read a device")
        }
        fn write(&self, _: u64, _: u8, _: u64) -> Result<(), BusError> {
            panic!("DMA must not write a device")
        }
    }

    #[test]
    fn a_device_reaches_memory_and_nothing_else() {
        let mut map = AddressSpace::build();
        map.rom("rom", 0x1000, 0x1000).unwrap();
        map.mmio("device", 0x2000, 0x1000, Arc::new(Nothing)).unwrap();
        map.ram("ram", 0x8000, 0x1000).unwrap();
        let space = map.finish().unwrap();
        let dma = Dma::new(&space);
        let mut bytes = [0; 4];

        assert_eq!(dma.write(0x8ffc, b"ends"), Ok(()));
        assert_eq!((dma.read(0x8ffc, &mut bytes), &bytes), (Ok(()), b"ends"));
        assert_eq!(space.load(0x8ffc, 1), Ok(u64::from(b'e')));
        assert_eq!(dma.write(0x8ffd, b"over"), Err(BusError::Unmapped));
        assert_eq!(dma.read(u64::MAX - 1, &mut bytes), Err(BusError::Unmapped));
        assert_eq!(
            (dma.read(0x1ffe, &mut bytes), dma.write(0x1000, b"rom")),
            (Err(BusError::Refused), Err(BusError::ReadOnly))
        );
        assert_eq!(
            (dma.read(0x2000, &mut bytes), dma.write(0x2000, b"dev")),
            (Err(BusError::Refused), Err(BusError::Refused))
        );
        drop(space);
        assert_eq!(dma.read(0x8000, &mut bytes), Err(BusError::Unmapped), "the machine is gone");
        assert_eq!(Dma::default().write(0, &[]), Err(BusError::Unmapped));
    }
}
