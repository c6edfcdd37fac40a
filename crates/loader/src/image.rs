//! What a file becomes: bytes at addresses, an entry, symbols.

use crate::{Content, Error, Symbols, elf};

/// Bytes for one place in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Physical address of the first byte.
    pub address: u64,
    /// What to write there.
    pub bytes: Content,
    /// Zero bytes to write after them.
    pub zeros: u64,
}

impl Segment {
    /// Bytes it covers, zeros included.
    pub fn len(&self) -> u64 {
        self.bytes.len().saturating_add(self.zeros)
    }

    /// Whether it covers nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The address after its last byte; saturates at the end of the address space.
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.len())
    }
}

/// The width of the harts that a file is for (gABI, ELF Header, `EI_CLASS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 32 bits.
    Bits32,
    /// 64 bits, and 128, which have no class of their own.
    Bits64,
}

/// How a file says where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// By its program headers.
    Elf,
    /// A Linux `Image`: anywhere on a 2 MiB boundary, with room for its `image_size`.
    Linux,
    /// Not at all.
    Raw,
}

/// A file, ready to be written to memory.
#[derive(Debug, Clone)]
pub struct Image {
    /// What the file was.
    pub format: Format,
    /// Where execution begins, physical.
    pub entry: u64,
    /// What goes where, by address; never empty.
    pub segments: Vec<Segment>,
    /// The ELF's symbols; empty for other formats.
    pub symbols: Symbols,
}

impl Image {
    /// The image in `bytes`, for harts of `class`; what does not say where it belongs goes to `address`.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], or for a file that begins as an ELF does what is wrong with that ELF.
    pub fn new(bytes: Vec<u8>, address: u64, class: Class) -> Result<Image, Error> {
        if bytes.is_empty() {
            Err(Error::Empty)
        } else if elf::looks_like(&bytes) {
            elf::parse(&bytes, class)
        } else {
            let size = linux_size(&bytes);
            let mut image = Image::raw(bytes, address);
            if let Some(size) = size {
                image.format = Format::Linux;
                image.segments[0].zeros = size.saturating_sub(image.segments[0].len());
            }
            Ok(image)
        }
    }

    /// The bytes as they are, at `address`, whatever they look like.
    pub fn raw(bytes: Vec<u8>, address: u64) -> Image {
        let segments = vec![Segment { address, bytes: bytes.into(), zeros: 0 }];
        Image { format: Format::Raw, entry: address, segments, symbols: Symbols::default() }
    }

    /// The lowest address.
    pub fn start(&self) -> u64 {
        self.segments.iter().map(|segment| segment.address).min().unwrap_or(self.entry)
    }

    /// The address after the highest byte.
    pub fn end(&self) -> u64 {
        self.segments.iter().map(Segment::end).max().unwrap_or(self.entry)
    }
}

/// The size in memory of a Linux `Image`, from its header (Documentation/arch/riscv/boot-image-header.rst).
fn linux_size(bytes: &[u8]) -> Option<u64> {
    /// Offset of the little-endian `image_size`: its effective size, uninitialised data included.
    const IMAGE_SIZE: usize = 0x10;
    /// Offset of `magic2`.
    const MAGIC2: usize = 0x38;
    let magic = bytes.get(MAGIC2..MAGIC2 + 4)?;
    (magic == b"RSC\x05").then_some(())?;
    bytes.get(IMAGE_SIZE..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linux_image_takes_the_room_its_header_asks_for() {
        let mut bytes = vec![0; 0x1000];
        bytes[0x10..0x18].copy_from_slice(&0x3000_u64.to_le_bytes());
        bytes[0x38..0x3c].copy_from_slice(b"RSC\x05");
        let image = Image::new(bytes, 0x8020_0000, Class::Bits64).unwrap();
        assert_eq!((image.format, image.entry, image.end()), (Format::Linux, 0x8020_0000, 0x8020_3000));
    }

    #[test]
    fn no_damaged_image_panics() {
        let mut bytes = vec![0; 0x50];
        bytes[0x38..0x3c].copy_from_slice(b"RSC\x05");
        for len in 0..bytes.len() {
            let _ = Image::new(bytes[..len].to_vec(), u64::MAX, Class::Bits64);
        }
        bytes[0x10..0x18].fill(0xff);
        let image = Image::new(bytes, 0x8020_0000, Class::Bits64).unwrap();
        assert_eq!(image.end(), u64::MAX, "which no memory has, so the layout refuses it");
    }

    #[test]
    fn what_says_nothing_goes_where_it_is_told() {
        let image = Image::new(vec![1, 2, 3], 0x8000_0000, Class::Bits64).unwrap();
        assert_eq!((image.format, image.start(), image.end()), (Format::Raw, 0x8000_0000, 0x8000_0003));
        assert_eq!(Image::new(vec![], 0, Class::Bits64).unwrap_err(), Error::Empty);
    }
}
