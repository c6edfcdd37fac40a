//! Which region an address lies in, and what is there.

use crate::{
    Access, Unmodelled,
    ram::{PAGE, PAGE_SHIFT, Ram, Sizes, Window},
};
use std::{fmt, fs::File, ops::RangeInclusive, sync::Arc};

/// Something at an address that is not memory: a device behind its lock.
pub trait Mmio: Send + Sync {
    /// Reads `size` (1, 2, 4 or 8) bytes at `offset`, little-endian.
    fn read(&self, offset: u64, size: u8) -> Result<u64, BusError>;
    /// Writes the low `size` (1, 2, 4 or 8) bytes of `value` at `offset`.
    fn write(&self, offset: u64, size: u8, value: u64) -> Result<(), BusError>;
}

/// Why an access failed. To the guest it is an access fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// Nothing lies there.
    Unmapped,
    /// It is ROM.
    ReadOnly,
    /// The device takes no such access.
    Refused,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BusError::Unmapped => "nothing lies there",
            BusError::ReadOnly => "it is read-only memory",
            BusError::Refused => "the device takes no such access",
        })
    }
}

impl std::error::Error for BusError {}

/// Why regions cannot be laid out as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// Two regions share addresses: the new one's name and base, the present one's.
    Overlap {
        /// The one that does not fit.
        name: String,
        /// Its first address.
        base: u64,
        /// The one that was there.
        with: String,
        /// Its first address.
        with_base: u64,
    },
    /// A region is empty or passes the end of the address space.
    Size {
        /// Its name.
        name: String,
        /// Its first address.
        base: u64,
        /// Its bytes.
        size: u64,
    },
    /// RAM or ROM that does not begin and end at pages.
    Unaligned {
        /// Its name.
        name: String,
        /// Its first address.
        base: u64,
        /// Its bytes.
        size: u64,
    },
    /// The host has not that much memory.
    Host(String),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::Overlap { name, base, with, with_base } => {
                write!(f, "'{name}' at {base:#x} overlaps '{with}' at {with_base:#x}")
            }
            LayoutError::Size { name, base, size } => {
                write!(f, "'{name}' at {base:#x} cannot have {size:#x} bytes")
            }
            LayoutError::Unaligned { name, base, size } => {
                write!(
                    f,
                    "memory '{name}' at {base:#x} with {size:#x} bytes must begin and end at a multiple of {PAGE:#x}"
                )
            }
            LayoutError::Host(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for LayoutError {}

/// One region, for those who list them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The name its builder gave.
    pub name: String,
    /// First address.
    pub base: u64,
    /// Bytes, at least 1.
    pub size: u64,
    /// What it is.
    pub kind: Kind,
}

/// What a region is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Memory.
    Ram,
    /// Memory that the guest cannot write.
    Rom,
    /// A device.
    Io,
    /// A device in front of memory: loads and stores are the device's, instructions are fetched from the memory.
    Flash,
}

impl Kind {
    /// Whether loads and stores go to a device.
    fn is_device(self) -> bool {
        matches!(self, Kind::Io | Kind::Flash)
    }
}

/// Where a region's end may lie that has a [`Window`]: 128 GiB.
const HIGHEST: u64 = 1 << 37;

struct Entry {
    region: Region,
    /// Memory: offset into [`Ram`], once all regions are known.
    at: u64,
    /// A device: index into `devices`.
    device: usize,
}

/// Collects regions; then [`finish`](Self::finish).
#[derive(Default)]
pub struct Builder {
    /// Sorted by base.
    entries: Vec<Entry>,
    devices: Vec<Arc<dyn Mmio>>,
    /// Bytes of all memory.
    ram: u64,
    /// The region's base, and what stands for some of it.
    backings: Vec<(u64, Backing)>,
}

/// A file whose bytes stand for some of a region's.
#[derive(Debug)]
pub struct Backing {
    /// Where in the region, a multiple of [`PAGE`].
    pub at: u64,
    /// How many bytes, a multiple of [`PAGE`].
    pub size: u64,
    /// The file, which has that many.
    pub file: File,
    /// Whether writes reach the file.
    pub shared: bool,
}

impl Builder {
    /// Memory of `size` bytes; base and size are multiples of [`PAGE`].
    pub fn ram(&mut self, name: &str, base: u64, size: u64) -> Result<(), LayoutError> {
        self.memory(name, base, size, Kind::Ram)
    }

    /// Memory like [`ram`](Self::ram), of which some bytes are those of files.
    pub fn backed_ram(
        &mut self,
        name: &str,
        base: u64,
        size: u64,
        backings: impl IntoIterator<Item = Backing>,
    ) -> Result<(), LayoutError> {
        self.ram(name, base, size)?;
        let fits = |backing: &Backing| backing.at.checked_add(backing.size).is_some_and(|end| end <= size);
        for backing in backings {
            if !fits(&backing) {
                return Err(LayoutError::Size { name: name.into(), base, size });
            }
            self.backings.push((base, backing));
        }
        Ok(())
    }

    /// Memory that the guest cannot write; base and size are multiples of [`PAGE`].
    pub fn rom(&mut self, name: &str, base: u64, size: u64) -> Result<(), LayoutError> {
        self.memory(name, base, size, Kind::Rom)
    }

    /// A device.
    pub fn mmio(
        &mut self,
        name: &str,
        base: u64,
        size: u64,
        device: Arc<dyn Mmio>,
    ) -> Result<(), LayoutError> {
        self.insert(name, base, size, Kind::Io)?;
        self.devices.push(device);
        Ok(())
    }

    /// A device in front of memory of its size; base and size are multiples of [`PAGE`].
    pub fn flash(
        &mut self,
        name: &str,
        base: u64,
        size: u64,
        device: Arc<dyn Mmio>,
    ) -> Result<(), LayoutError> {
        self.memory(name, base, size, Kind::Flash)?;
        self.devices.push(device);
        Ok(())
    }

    fn memory(&mut self, name: &str, base: u64, size: u64, kind: Kind) -> Result<(), LayoutError> {
        if !(base | size).is_multiple_of(PAGE) {
            return Err(LayoutError::Unaligned { name: name.into(), base, size });
        }
        let too_much = || LayoutError::Size { name: name.into(), base, size };
        let ram = self.ram.checked_add(size).filter(|ram| *ram < 1 << 56).ok_or_else(too_much)?;
        self.insert(name, base, size, kind)?;
        self.ram = ram;
        Ok(())
    }

    fn insert(&mut self, name: &str, base: u64, size: u64, kind: Kind) -> Result<(), LayoutError> {
        let name = name.to_owned();
        let Some(last) = size.checked_sub(1).and_then(|size| base.checked_add(size)) else {
            return Err(LayoutError::Size { name, base, size });
        };
        let here = self.entries.partition_point(|entry| entry.region.base <= last);
        if let Some(Region { name: with, base: with_base, size, .. }) =
            here.checked_sub(1).map(|before| &self.entries[before].region)
            && with_base + (size - 1) >= base
        {
            return Err(LayoutError::Overlap { name, base, with: with.clone(), with_base: *with_base });
        }
        self.entries.insert(
            here,
            Entry { region: Region { name, base, size, kind }, at: 0, device: self.devices.len() },
        );
        Ok(())
    }

    /// The address space, its memory zero.
    pub fn finish(mut self) -> Result<Arc<AddressSpace>, LayoutError> {
        let main = self.windowed();
        let window = main.map(|main| self.entries[main].region.base);
        let mut ram = Ram::new(self.place(main, window)).or_else(|why| {
            // A host that spares no addresses for a window may have the memory.
            let sizes = window.map(|_| self.place(None, None));
            sizes.map_or(Err(why), Ram::new)
        });
        if let Ok(ram) = &mut ram {
            for (base, Backing { at, size, file, shared }) in &self.backings {
                let entry = self.entries.iter().find(|entry| entry.region.base == *base);
                let first = entry.map_or(u64::MAX, |entry| entry.at + at);
                ram.map_file(first, *size, file, 0, *shared).map_err(LayoutError::Host)?;
            }
        }
        let (entries, devices, ram) = (self.entries, self.devices, ram.map_err(LayoutError::Host)?);
        Ok(Arc::new(AddressSpace { entries, devices, ram, unmodelled: Unmodelled::default() }))
    }

    /// The region that is to have a [`Window`]: the largest of those that do not lie too high.
    fn windowed(&self) -> Option<usize> {
        let entries = self.entries.iter().enumerate();
        let low = |region: &Region| {
            region.kind == Kind::Ram && region.base.checked_add(region.size).is_some_and(|end| end <= HIGHEST)
        };
        let fit = entries.filter(|(_, entry)| low(&entry.region));
        fit.max_by_key(|(_, entry)| entry.region.size).map(|(i, _)| i)
    }

    /// Says of each region of memory where it is to be: `main` at offset 0, if it is to have a window, and all others
    /// behind it and the window's margin.
    fn place(&mut self, main: Option<usize>, window: Option<u64>) -> Sizes {
        let size = main.map_or(0, |main| self.entries[main].region.size);
        let first = if main.is_some() { size + Window::MARGIN } else { 0 };
        let mut next = first;
        for (i, entry) in self.entries.iter_mut().enumerate() {
            if Some(i) != main && entry.region.kind != Kind::Io {
                entry.at = next;
                next += entry.region.size;
            }
        }
        if let Some(main) = main {
            self.entries[main].at = 0;
        }
        if main.is_some() {
            return Sizes { main: size, rest: first..next, window };
        }
        Sizes { main: next, rest: 0..0, window }
    }
}

/// What a page is to a hart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Memory: its offset into [`Ram`].
    Ram(u64),
    /// Memory that the guest cannot write: its offset into [`Ram`].
    Rom(u64),
    /// Memory to fetches alone, and a device otherwise: its offset into [`Ram`].
    Flash(u64),
    /// Devices, or nothing, or some of each.
    Io,
}

/// A machine's physical addresses. Immutable once built, and shared by all harts.
pub struct AddressSpace {
    /// Sorted by base.
    entries: Vec<Entry>,
    devices: Vec<Arc<dyn Mmio>>,
    ram: Ram,
    unmodelled: Unmodelled,
}

impl AddressSpace {
    /// An empty one to fill.
    pub fn build() -> Builder {
        Builder::default()
    }

    /// The regions by address.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.entries.iter().map(|entry| &entry.region)
    }

    /// The memory behind all RAM and ROM regions.
    pub fn ram(&self) -> &Ram {
        &self.ram
    }

    /// What guests touched and found nothing.
    pub fn unmodelled(&self) -> &Unmodelled {
        &self.unmodelled
    }

    /// What the page of `addr` is.
    pub fn place(&self, addr: u64) -> Place {
        let page = addr >> PAGE_SHIFT << PAGE_SHIFT;
        match self.find(page, 1) {
            Some(Entry { region: Region { kind, base, .. }, at, .. }) => {
                let at = at + (page - base);
                match kind {
                    Kind::Ram => Place::Ram(at),
                    Kind::Rom => Place::Rom(at),
                    Kind::Flash => Place::Flash(at),
                    Kind::Io => Place::Io,
                }
            }
            None => Place::Io,
        }
    }

    /// The addresses of the RAM that `addr` lies in, and the offset of the first into [`Ram`].
    pub fn ram_around(&self, addr: u64) -> Option<(RangeInclusive<u64>, u64)> {
        let Entry { region, at, .. } = self.find(addr, 1)?;
        (region.kind == Kind::Ram).then(|| (region.base..=region.base + (region.size - 1), *at))
    }

    /// Reads `size` (1, 2, 4 or 8) bytes, little-endian, as a hart does: devices notice.
    pub fn load(&self, addr: u64, size: u8) -> Result<u64, BusError> {
        let entry = self.find(addr, size.into()).ok_or(BusError::Unmapped)?;
        let offset = addr - entry.region.base;
        if entry.region.kind.is_device() {
            return self.devices[entry.device].read(offset, size);
        }
        let at = entry.at + offset;
        let value = match size {
            1 => self.ram.load::<u8>(at).map(u64::from),
            2 => self.ram.load::<u16>(at).map(u64::from),
            4 => self.ram.load::<u32>(at).map(u64::from),
            _ => self.ram.load::<u64>(at),
        };
        value.ok_or(BusError::Unmapped)
    }

    /// Writes the low `size` (1, 2, 4 or 8) bytes of `value`, as a hart does: devices notice, ROM refuses.
    pub fn store(&self, addr: u64, size: u8, value: u64) -> Result<(), BusError> {
        let entry = self.find(addr, size.into()).ok_or(BusError::Unmapped)?;
        let offset = addr - entry.region.base;
        match entry.region.kind {
            Kind::Io | Kind::Flash => return self.devices[entry.device].write(offset, size, value),
            Kind::Rom => return Err(BusError::ReadOnly),
            Kind::Ram => {}
        }
        let at = entry.at + offset;
        let _writing = self.ram.writing();
        let stored = match size {
            1 => self.ram.store(at, value as u8),
            2 => self.ram.store(at, value as u16),
            4 => self.ram.store(at, value as u32),
            _ => self.ram.store(at, value),
        };
        stored.then_some(()).ok_or(BusError::Unmapped)
    }

    /// Copies bytes out of memory, ROM and flash included, as a loader or debugger does: devices notice nothing and
    /// are not readable so.
    pub fn read_bytes(&self, addr: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        self.chunks(addr, bytes.len(), true, |at, range| self.ram.read(at, &mut bytes[range]))
    }

    /// Copies bytes into memory, ROM and flash included. On an error a first part may have been copied.
    pub fn write_bytes(&self, addr: u64, bytes: &[u8]) -> Result<(), BusError> {
        self.chunks(addr, bytes.len(), true, |at, range| self.ram.write(at, &bytes[range]))
    }

    /// Copies bytes into RAM, as a device with DMA does: ROM and devices refuse. On an error a first part may have
    /// been copied.
    pub fn write_ram(&self, addr: u64, bytes: &[u8]) -> Result<(), BusError> {
        self.chunks(addr, bytes.len(), false, |at, range| self.ram.write(at, &bytes[range]))
    }

    /// Counts an access that hit nothing.
    #[cold]
    pub fn missed(&self, access: Access, addr: u64, size: u8, pc: u64) {
        self.unmodelled.count(access, addr, size, pc);
    }

    /// Where in [`Ram`] the memory at `addr` is, and how many of `len` bytes lie in its region; `None` where there is
    /// no memory, or to `write` none that may be written.
    pub(crate) fn piece(&self, addr: u64, len: usize, write: bool) -> Option<(u64, usize)> {
        let Entry { region, at, .. } = self.find(addr, 1)?;
        let fits = match region.kind {
            Kind::Ram => true,
            Kind::Rom | Kind::Flash => !write,
            Kind::Io => false,
        };
        let offset = addr - region.base;
        fits.then(|| (at + offset, (region.size - offset).min(len as u64) as usize))
    }

    fn chunks(
        &self,
        addr: u64,
        len: usize,
        rom: bool,
        mut copy: impl FnMut(u64, std::ops::Range<usize>) -> bool,
    ) -> Result<(), BusError> {
        let mut done = 0;
        while done < len {
            let here = addr.checked_add(done as u64).ok_or(BusError::Unmapped)?;
            let entry = self.find(here, 1).ok_or(BusError::Unmapped)?;
            if entry.region.kind == Kind::Io {
                return Err(BusError::Refused);
            }
            if matches!(entry.region.kind, Kind::Rom | Kind::Flash) && !rom {
                return Err(BusError::ReadOnly);
            }
            let offset = here - entry.region.base;
            let n = (entry.region.size - offset).min((len - done) as u64) as usize;
            if !copy(entry.at + offset, done..done + n) {
                return Err(BusError::Unmapped);
            }
            done += n;
        }
        Ok(())
    }

    /// The region that holds all of `size` bytes at `addr`.
    fn find(&self, addr: u64, size: u64) -> Option<&Entry> {
        let after = self.entries.partition_point(|entry| entry.region.base <= addr);
        let entry = &self.entries[after.checked_sub(1)?];
        let left = entry.region.size.checked_sub(addr - entry.region.base)?;
        (left >= size).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;
    impl Mmio for Echo {
        fn read(&self, offset: u64, size: u8) -> Result<u64, BusError> {
            Ok(offset << 8 | u64::from(size))
        }
        fn write(&self, _: u64, _: u8, _: u64) -> Result<(), BusError> {
            Err(BusError::Refused)
        }
    }

    fn space() -> Arc<AddressSpace> {
        let mut b = AddressSpace::build();
        b.ram("ram", 0x8000_0000, 2 * PAGE).unwrap();
        b.rom("rom", 0x1000, PAGE).unwrap();
        b.mmio("echo", 0x2100, 0x100, Arc::new(Echo)).unwrap();
        b.flash("flash", 0x4000, PAGE, Arc::new(Echo)).unwrap();
        b.finish().unwrap()
    }

    #[test]
    fn each_region_answers_in_its_own_way() {
        let s = space();
        assert_eq!(s.store(0x8000_0ffc, 4, 0xdead_beef), Ok(()));
        assert_eq!(s.load(0x8000_0ffd, 2), Ok(0xadbe));
        assert_eq!(s.store(0x1000, 1, 0), Err(BusError::ReadOnly));
        assert_eq!(s.load(0x2104, 4), Ok(0x404));
        assert_eq!(s.store(0x2104, 4, 0), Err(BusError::Refused));
        assert_eq!(s.load(0x21fe, 4), Err(BusError::Unmapped));
        assert_eq!(s.load(u64::MAX, 8), Err(BusError::Unmapped));
    }

    #[test]
    fn the_host_side_reaches_rom_and_stops_at_devices() {
        let s = space();
        assert_eq!(s.write_bytes(0x1ffe, &[1, 2]), Ok(()));
        assert_eq!(s.load(0x1ffe, 2), Ok(0x201));
        assert_eq!(s.write_bytes(0x1ffe, &[1, 2, 3]), Err(BusError::Unmapped));
        assert_eq!(s.read_bytes(0x2100, &mut [0]), Err(BusError::Refused));
    }

    #[test]
    fn flash_is_a_device_to_loads_and_memory_to_fetches() {
        let s = space();
        assert_eq!(s.write_bytes(0x4010, &[1, 2]), Ok(()));
        assert_eq!((s.load(0x4010, 1), s.store(0x4010, 1, 3)), (Ok(0x1001), Err(BusError::Refused)));
        assert_eq!(s.write_ram(0x4010, &[3]), Err(BusError::ReadOnly));
        let Place::Flash(at) = s.place(0x4010) else { panic!("{:?}", s.place(0x4010)) };
        assert_eq!(s.ram().load::<u16>(at + 0x10), Some(0x201));
    }

    #[test]
    fn a_file_stands_for_some_of_the_memory() {
        let path = std::env::temp_dir().join(format!("hartwright-mem-{}", std::process::id()));
        for shared in [false, true] {
            std::fs::write(&path, vec![7; PAGE as usize]).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            let backing = Backing { at: PAGE, size: PAGE, file, shared };
            let mut b = AddressSpace::build();
            b.rom("rom", 0, PAGE).unwrap();
            b.backed_ram("ram", 0x8000, 2 * PAGE, [backing]).unwrap();
            let s = b.finish().unwrap();
            assert_eq!((s.load(0x8ffe, 2), s.load(0x9000, 2)), (Ok(0), Ok(0x707)));
            s.store(0x9ff8, 8, 0x0102_0304_0506_0708).unwrap();
            assert_eq!(s.load(0x9ff8, 8), Ok(0x0102_0304_0506_0708));
            let last = *std::fs::read(&path).unwrap().last().unwrap();
            assert_eq!(last, if shared { 1 } else { 7 });
        }
        let file = File::open(&path).unwrap();
        let far = Backing { at: PAGE, size: 2 * PAGE, file, shared: false };
        assert!(AddressSpace::build().backed_ram("ram", 0x8000, 2 * PAGE, [far]).is_err());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn pages_are_memory_or_not() {
        let s = space();
        assert!(matches!(s.place(0x8000_1234), Place::Ram(_)));
        assert!(matches!(s.place(0x1004), Place::Rom(_)));
        assert_eq!((s.place(0x2104), s.place(0)), (Place::Io, Place::Io));
    }

    #[test]
    fn overlaps_name_both() {
        let mut b = AddressSpace::build();
        b.ram("ram", 0x1000, 2 * PAGE).unwrap();
        let error = b.mmio("uart", 0x2ff0, 0x100, Arc::new(Echo)).unwrap_err();
        assert_eq!(error.to_string(), "'uart' at 0x2ff0 overlaps 'ram' at 0x1000");
        assert!(b.mmio("below", 0xfff, 2, Arc::new(Echo)).is_err());
        assert!(b.mmio("touching", 0xfff, 1, Arc::new(Echo)).is_ok());
        assert!(b.mmio("wraps", u64::MAX, 2, Arc::new(Echo)).is_err());
        assert!(b.ram("crooked", 0x10800, PAGE).is_err());
        assert!(b.ram("empty", 0x10000, 0).is_err());
    }
}
