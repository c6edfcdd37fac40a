//! A disk image that is open: reads, writes, flushes, whatever its format.
//!
//! What a reply to a write and to a flush means with each cache mode is the table in `docs/disks.md`.

use crate::{chain::Format, lossy::Lossy, ordered::Ordered};
use hartwright_device::{BlockError, BlockInfo, BlockOp};
use imago::{FormatAccess, ShallowMapping, file::File as Storage, format::PreallocateMode};
use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind},
};

/// The unit of addresses; a disk is whole sectors.
pub const SECTOR: u64 = 512;
/// What is written at once where zeroes must be written out.
const ZEROES: u64 = 1 << 20;

/// How an image behaves; `docs/disks.md` says what the cache modes mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Writes are refused.
    pub read_only: bool,
    /// Every write is flushed before it is replied to.
    pub write_through: bool,
    /// Flushes do nothing.
    pub no_flush: bool,
    /// A discard gives room back to the host.
    pub unmap: bool,
    /// A write of zeroes is done as write-zeroes.
    pub detect_zeroes: bool,
    /// Whether it may give room back as well.
    pub zeroes_unmap: bool,
    /// The format was guessed: a write must not make the first sector look like another format.
    pub guarded: bool,
    /// Its size may be changed, and nobody else uses it meanwhile.
    pub resizes: bool,
    /// Failed writes are reported as done.
    pub ignore_write_errors: bool,
    /// Failed reads are reported as done, with zeroes.
    pub ignore_read_errors: bool,
}

/// An image that is open.
pub struct Image {
    access: FormatAccess<Storage>,
    /// The same open file, for what the library has no call for.
    file: File,
    lossy: Option<Lossy>,
    /// Its tables, where they are not the library's to write.
    tables: Option<Ordered>,
    /// Its bytes, in whole sectors.
    bytes: u64,
    manner: Manner,
}

impl Image {
    pub(crate) fn new(
        access: FormatAccess<Storage>,
        file: File,
        lossy: Option<Lossy>,
        tables: Option<Ordered>,
        manner: Manner,
    ) -> Self {
        let bytes = access.size().next_multiple_of(SECTOR);
        Image { access, file, lossy, tables, bytes, manner }
    }

    /// The disk's bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What a device is told of it.
    pub fn info(&self) -> BlockInfo {
        BlockInfo {
            bytes: self.bytes,
            read_only: self.manner.read_only,
            logical_block_size: SECTOR as u32,
            physical_block_size: SECTOR as u32,
            write_cache: !self.manner.write_through,
            discard: self.manner.unmap,
            serial: String::new(),
        }
    }

    /// The library's view of it, for what builds on it.
    pub(crate) fn into_access(self) -> FormatAccess<Storage> {
        self.access
    }

    /// Does what a device asks.
    ///
    /// # Errors
    /// The host fails, or the image is damaged.
    pub fn act(&mut self, op: &BlockOp) -> Result<Vec<u8>, BlockError> {
        let done = match op {
            BlockOp::Read { offset, len } => self.read(*offset, *len),
            BlockOp::Flush => self.flush().map(|()| vec![]),
            _ => self.change(op).map(|()| vec![]),
        };
        match done {
            Err(_) if op.writes() && self.manner.ignore_write_errors => Ok(vec![]),
            Err(_) if !op.writes() && self.manner.ignore_read_errors => Ok(vec![0; op.range().1 as usize]),
            done => done.map_err(|error| kind(&error)),
        }
    }

    /// The `len` bytes from `offset` on.
    ///
    /// # Errors
    /// The host fails, or the image is damaged.
    pub fn read(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // A guest may ask for more than the host has.
        let room = usize::try_from(len).map_err(io::Error::other)?;
        bytes.try_reserve_exact(room).map_err(io::Error::other)?;
        bytes.resize(room, 0);
        self.read_into(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Fills `bytes` from `offset` on; what is behind the end is zeroes.
    ///
    /// # Errors
    /// The host fails, or the image is damaged.
    pub fn read_into(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.access.read(bytes, offset)
    }

    /// A write, discard or write-zeroes.
    ///
    /// # Errors
    /// The host fails, or the image is damaged.
    pub fn change(&mut self, op: &BlockOp) -> io::Result<()> {
        let (offset, len) = op.range();
        if len == 0 {
            return Ok(());
        }
        let wrong = |why: &str| Err(io::Error::new(ErrorKind::InvalidInput, why.to_owned()));
        match offset.checked_add(len) {
            Some(end) if end <= self.bytes && !self.manner.read_only => self.reach(end)?,
            _ => return wrong("a write goes beyond the end, or the image is read-only"),
        }
        if self.tables.as_ref().is_some_and(Ordered::freed) {
            self.commit()?;
        }
        if let Some(tables) = &mut self.tables {
            let zeroes = self.manner.detect_zeroes || !matches!(op, BlockOp::Write { .. });
            tables.touch(offset, len, zeroes && (self.manner.unmap || tables.compressed()));
        }
        match op {
            BlockOp::Write { data, .. } => {
                if self.manner.guarded && !self.stays_raw(offset, data)? {
                    return wrong("a write would make a guessed raw image look like another format");
                }
                if self.manner.detect_zeroes && data.iter().all(|byte| *byte == 0) {
                    self.zero(offset, len, self.manner.zeroes_unmap && self.manner.unmap)?;
                } else {
                    self.write(data, offset)?;
                }
            }
            BlockOp::WriteZeroes { unmap, .. } => self.zero(offset, len, *unmap && self.manner.unmap)?,
            BlockOp::Discard { .. } if self.manner.unmap => {
                supported(self.access.discard_to_any(offset, len))?;
            }
            BlockOp::Discard { .. } | BlockOp::Read { .. } | BlockOp::Flush => {}
        }
        if self.manner.write_through { self.flush() } else { Ok(()) }
    }

    /// Makes the file long enough for the disk's last sector, which it may end in.
    fn reach(&mut self, end: u64) -> io::Result<()> {
        if end <= self.access.size() {
            return Ok(());
        }
        self.access.resize_grow(self.bytes, PreallocateMode::None)
    }

    /// A compressed cluster is freed when it is written to, so it is written alone, and the file's tables no longer lead
    /// to it before anything else takes its place.
    fn write(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        let Some(tables) = self.tables.as_ref().filter(|tables| tables.compressed()) else {
            return self.access.write(data, offset);
        };
        let cluster = tables.cluster();
        let (mut rest, mut at) = (data, offset);
        while !rest.is_empty() {
            let n = (cluster - at % cluster).min(rest.len() as u64);
            let mapping = self.access.get_shallow_mapping(at, n)?.0;
            let compressed = matches!(mapping, ShallowMapping::Special { .. });
            self.access.write(&rest[..n as usize], at)?;
            if compressed {
                self.commit()?;
            }
            (rest, at) = (&rest[n as usize..], at + n);
        }
        Ok(())
    }

    /// Whole clusters are marked; what is left at both ends is written out.
    fn zero(&mut self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        let end = offset + len;
        let cluster = self.access.inner().zero_granularity().unwrap_or(1);
        let (first, last) = (offset.next_multiple_of(cluster), end / cluster * cluster);
        if first >= last {
            return self.write_zeroes_out(offset, end);
        }
        let done = if unmap {
            self.access.discard_to_zero(first, last - first)
        } else {
            self.access.write_zeroes(first, last - first)
        };
        // Version 2 of qcow2 knows no zero clusters, and not every file system can punch holes.
        if !supported(done)? {
            return self.write_zeroes_out(offset, end);
        }
        self.write_zeroes_out(offset, first)?;
        self.write_zeroes_out(last, end)
    }

    /// Writes zeroes where there are others.
    fn write_zeroes_out(&mut self, mut offset: u64, end: u64) -> io::Result<()> {
        while offset < end {
            let n = (end - offset).min(ZEROES);
            if self.read(offset, n)?.iter().any(|byte| *byte != 0) {
                self.write(&vec![0; n as usize], offset)?;
            }
            offset += n;
        }
        Ok(())
    }

    /// Whether the first sector would still be nothing special.
    fn stays_raw(&self, offset: u64, data: &[u8]) -> io::Result<bool> {
        if offset >= SECTOR {
            return Ok(true);
        }
        let mut sector = self.read(0, SECTOR)?;
        let there = &mut sector[offset as usize..];
        let n = there.len().min(data.len());
        there[..n].copy_from_slice(&data[..n]);
        Ok(Format::probe(&sector) == Format::Raw)
    }

    /// All that was written survives a loss of power, unless the cache mode is `unsafe`.
    ///
    /// # Errors
    /// The host fails.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.manner.no_flush || self.manner.read_only {
            return Ok(());
        }
        self.commit()
    }

    /// The file has all that was written, and so has the disk under it, unless the cache mode is `unsafe`.
    fn commit(&mut self) -> io::Result<()> {
        self.access.flush()?;
        let mut sync = || match &mut self.lossy {
            _ if self.manner.no_flush => Ok(()),
            Some(lossy) => lossy.commit(),
            None => self.file.sync_data(),
        };
        match &mut self.tables {
            Some(tables) => tables.commit(sync),
            None => sync(),
        }
    }

    /// Gives the disk another size; new bytes are zeroes.
    ///
    /// # Errors
    /// The host fails, or the format cannot.
    pub fn resize(&mut self, bytes: u64) -> io::Result<()> {
        self.access.resize(bytes, PreallocateMode::Zero)?;
        self.bytes = bytes.next_multiple_of(SECTOR);
        Ok(())
    }

    /// The host has all that was written: what to do before the image goes, whatever the cache mode.
    ///
    /// # Errors
    /// The host fails.
    pub fn close(&mut self) -> io::Result<()> {
        if self.manner.read_only { Ok(()) } else { self.commit() }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes, {:?})", self.bytes, self.manner)
    }
}

/// Whether it could be done at all.
fn supported(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(false),
        Err(error) => Err(error),
    }
}

fn kind(error: &io::Error) -> BlockError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => BlockError::NoSpace,
        ErrorKind::ReadOnlyFilesystem => BlockError::ReadOnly,
        _ => BlockError::Io,
    }
}
