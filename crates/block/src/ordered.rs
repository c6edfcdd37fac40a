//! The order in which a qcow2 image's tables get into its file, so that whatever part of it a kill or a loss of power
//! leaves, nothing is worse than leaked clusters.
//!
//! The library writes a table when it is done with it: an L1 entry before the count of the L2 table it leads to. So it
//! gets to work on the tables in memory, and on the file only for the guest's data. At a flush [`Ordered::commit`]
//! compares, and writes what differs in steps, each of which may be lost in any part:
//!
//! 1. counts that grow, and new blocks of counts; with them, the guest's data;
//! 2. what nothing leads to yet: new L2 tables, and in the refcount table the new blocks;
//! 3. the header, if it changed;
//! 4. L1 entries, and entries of L2 tables that were there before;
//! 5. counts that shrink, which need not be waited for.
//!
//! This holds while no cluster is written over to which tables in the file still lead. Only what is freed between two
//! flushes could be, so who frees says so ([`Ordered::touch`]) and commits before the next write. The library frees one
//! thing by itself, a refcount table that became too small: [`Ordered::suits`] refuses images where that may happen.

use crate::{check::Report, header::Header};
use rustix::fs::{MemfdFlags, memfd_create};
use std::{collections::BTreeSet, fs::File, io, os::unix::fs::FileExt};

/// Where in L1, L2 and refcount table entries the offset is, and how a compressed cluster is known.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
/// Where the header says which refcount table there is: offset, then clusters.
const REFCOUNT_TABLE: usize = 48;
/// What of the header may change; no cluster is smaller.
const HEAD: u64 = 512;
/// What is written at once of a table.
const BLOCK: usize = 4096;

/// The tables of an image that is open for writing.
#[derive(Debug)]
pub(crate) struct Ordered {
    /// The header and the tables, each where it is in the file; holes else.
    memory: File,
    /// The image, through the host's page cache.
    file: File,
    header: Header,
    /// Numbers of L2 tables that may have changed.
    touched: BTreeSet<u64>,
    /// Whether clusters were freed that tables in the file lead to.
    freed: bool,
    compressed: bool,
}

/// A table as the file has it, and as it should be.
struct Change {
    offset: u64,
    was: Vec<u8>,
    is: Vec<u8>,
}

impl Ordered {
    /// Whether nothing is freed but by those who say so, in an image of `length` bytes that looked like `report`.
    pub(crate) fn suits(header: &Header, report: &Report, length: u64) -> bool {
        let counted = u64::from(header.refcount_clusters) * (header.cluster() / 8) * per_block(header);
        let covered = counted.saturating_mul(header.cluster());
        // All of the disk at once, with its tables, which are less than a sixteenth; beside that what snapshots hold.
        let disk = header.size + header.size / 16 + 16 * header.cluster();
        let most = if header.snapshots > 0 { disk.saturating_add(length) } else { disk.max(length) };
        report.corruptions == 0 && header.size.is_multiple_of(512) && most <= covered
    }

    /// The tables of the image in `file`, which lie as `header` says and were looked at.
    pub(crate) fn new(file: File, header: Header, report: &Report) -> io::Result<Self> {
        let memory = File::from(memfd_create("hartwright-qcow2", MemfdFlags::CLOEXEC)?);
        memory.set_len(file.metadata()?.len())?;
        let (touched, freed, compressed) = (BTreeSet::new(), false, report.compressed > 0);
        let this = Ordered { memory, file, header, touched, freed, compressed };
        let cluster = this.header.cluster();
        this.take(0, cluster)?;
        let l1 = this.take(this.header.l1_offset, u64::from(this.header.l1_size) * 8)?;
        let (table, clusters) = (this.header.refcount_offset, this.header.refcount_clusters);
        let blocks = this.take(table, u64::from(clusters) * cluster)?;
        for offset in entries(&l1).chain(entries(&blocks)).map(|entry| entry & OFFSET) {
            if offset != 0 {
                this.take(offset, cluster)?;
            }
        }
        Ok(this)
    }

    /// The file to work on in place of the image's, but for the guest's data.
    pub(crate) fn memory(&self) -> io::Result<File> {
        self.memory.try_clone()
    }

    /// Whether a write may free what it replaces.
    pub(crate) fn compressed(&self) -> bool {
        self.compressed
    }

    /// A cluster's bytes.
    pub(crate) fn cluster(&self) -> u64 {
        self.header.cluster()
    }

    /// Whether the next write must wait for a commit.
    pub(crate) fn freed(&self) -> bool {
        self.freed
    }

    /// Notes that `len` bytes of the disk are about to be changed, which `frees` clusters or not.
    pub(crate) fn touch(&mut self, offset: u64, len: u64, frees: bool) {
        let span = self.header.cluster() * self.header.l2_entries();
        self.touched.extend(offset / span..=(offset + len.max(1) - 1) / span);
        self.freed |= frees;
    }

    /// Brings the file up to date; after `sync` it has what was written before, come what may.
    pub(crate) fn commit(&mut self, mut sync: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let cluster = self.header.cluster();
        let l1_bytes = u64::from(self.header.l1_size) * 8;
        let head = self.change(0, HEAD)?;
        let l1 = self.change(self.header.l1_offset, l1_bytes)?;
        let (old, new) = (refcount_table(&head.was), refcount_table(&head.is));
        let moved = old != new;
        let mut table = self.change(new.0, new.1 * cluster)?;
        if moved {
            table.was = read(&self.file, old.0, old.1 * cluster)?;
            table.was.resize(table.is.len(), 0);
        }

        // Clusters whose counts may have changed.
        let mut counted = BTreeSet::new();
        if moved {
            counted.extend([old, new].iter().flat_map(|(at, many)| at / cluster..at / cluster + many));
        }
        let (mut fresh, mut there) = (vec![], vec![]);
        for (index, (was, is)) in (0..).zip(entries(&l1.was).zip(entries(&l1.is))) {
            let (old, new) = (was & OFFSET, is & OFFSET);
            if new == 0 || old == new && !self.touched.contains(&index) {
                continue;
            }
            let mut l2 = self.change(new, cluster)?;
            if old != new {
                l2.was = if old == 0 { vec![0; cluster as usize] } else { read(&self.file, old, cluster)? };
                counted.extend([old / cluster, new / cluster]);
            }
            for (was, is) in entries(&l2.was).zip(entries(&l2.is)).filter(|(was, is)| was != is) {
                counted.extend(self.clusters(was).chain(self.clusters(is)));
            }
            if old == new { there.push(l2) } else { fresh.push(l2) }
        }
        let mut blocks: BTreeSet<u64> = BTreeSet::new();
        for (number, (was, is)) in (0..).zip(entries(&table.was).zip(entries(&table.is))) {
            if was != is {
                blocks.insert(number);
                counted.insert((is & OFFSET) / cluster);
            }
        }
        blocks.extend(counted.iter().map(|cluster| cluster / per_block(&self.header)));

        let mut shrinking = vec![];
        for number in blocks {
            let entry = |table: &[u8]| entries(table).nth(number as usize).unwrap_or(0) & OFFSET;
            let (old, new) = (entry(&table.was), entry(&table.is));
            if new == 0 {
                continue;
            }
            let mut block = self.change(new, cluster)?;
            if old != new {
                // What lies there in the file is nothing's yet.
                self.file.write_all_at(&block.is, new)?;
                continue;
            }
            let exact = block.is.clone();
            block.is = greater_counts(&block.was, &exact, self.header.refcount_order);
            block.write(&self.file)?;
            shrinking.push(Change { offset: new, was: block.is, is: exact });
        }
        sync()?;
        let leads = |change: &Change| change.was != change.is;
        if !fresh.is_empty() || leads(&table) || moved {
            for table in &fresh {
                self.file.write_all_at(&table.is, table.offset)?;
            }
            if moved {
                self.file.write_all_at(&table.is, table.offset)?;
            } else {
                table.write(&self.file)?;
            }
            sync()?;
        }
        if leads(&head) {
            head.write(&self.file)?;
            sync()?;
        }
        if leads(&l1) || there.iter().any(leads) {
            for change in there.iter().chain([&l1]) {
                change.write(&self.file)?;
            }
            sync()?;
        }
        for change in &shrinking {
            change.write(&self.file)?;
        }
        self.touched.clear();
        self.freed = false;
        Ok(())
    }

    /// Copies a table into memory, and answers it.
    fn take(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let bytes = read(&self.file, offset, len)?;
        self.memory.write_all_at(&bytes, offset)?;
        Ok(bytes)
    }

    fn change(&self, offset: u64, len: u64) -> io::Result<Change> {
        Ok(Change { offset, was: read(&self.file, offset, len)?, is: read(&self.memory, offset, len)? })
    }

    /// The clusters of the file that an L2 entry leads to.
    fn clusters(&self, entry: u64) -> std::ops::Range<u64> {
        let bits = self.header.cluster_bits;
        if entry & COMPRESSED == 0 {
            let first = (entry & OFFSET) >> bits;
            return first..first + u64::from(first != 0);
        }
        // Bits from x up are additional sectors of 512 bytes (section "Compressed Clusters Descriptor").
        let x = 62 - (bits - 8);
        let (offset, sectors) = (entry & ((1 << x) - 1), (entry & (COMPRESSED - 1)) >> x);
        offset >> bits..((offset & !511) + sectors * 512 + 511 >> bits) + 1
    }
}

impl Change {
    /// Writes the blocks that differ.
    fn write(&self, file: &File) -> io::Result<()> {
        let pairs = self.was.chunks(BLOCK).zip(self.is.chunks(BLOCK));
        for (at, (was, is)) in (self.offset..).step_by(BLOCK).zip(pairs) {
            if was != is {
                file.write_all_at(is, at)?;
            }
        }
        Ok(())
    }
}

/// Counts in a block of counts.
fn per_block(header: &Header) -> u64 {
    header.cluster() << 3 >> header.refcount_order
}

/// Where the header says that the refcount table is, and of how many clusters.
fn refcount_table(head: &[u8]) -> (u64, u64) {
    let bytes = &head[REFCOUNT_TABLE..];
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    (number(&bytes[..8]), number(&bytes[8..12]))
}

fn entries(table: &[u8]) -> impl Iterator<Item = u64> {
    table.as_chunks::<8>().0.iter().map(|entry| u64::from_be_bytes(*entry))
}

/// Of each two counts of `1 << order` bits the greater.
fn greater_counts(a: &[u8], b: &[u8], order: u32) -> Vec<u8> {
    let (bits, mask) = (1u32 << order, u64::MAX >> (64 - (1u32 << order)));
    let greater = |(a, b): (u64, u64)| {
        let count = |shift: u32| (a >> shift & mask).max(b >> shift & mask) << shift;
        if a == b { a } else { (0..64).step_by(bits as usize).map(count).fold(0, |all, one| all | one) }
    };
    entries(a).zip(entries(b)).map(greater).flat_map(u64::to_be_bytes).collect()
}

/// What is behind the end of the file is zeroes.
fn read(file: &File, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
