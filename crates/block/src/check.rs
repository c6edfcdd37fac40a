//! Whether the tables of a qcow2 image agree: every cluster's references are counted and compared with its refcount.
//!
//! `img check` prints what is found here. An image is also looked at before it is opened, because what is then used
//! trusts the tables: with an entry that points into another table, a guest's write would destroy the image.

use crate::header::Header;
use std::{cmp::Ordering, collections::HashSet, fs::File, os::unix::fs::FileExt};

/// Bits of L1 and L2 entries (sections "L1 table entry" and "L2 table entry").
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;
/// Bits of an L1 entry, of an L2 entry and of a refcount table entry that must be 0.
const L1_RESERVED: u64 = 0x7f00_0000_0000_01ff;
const L2_RESERVED: u64 = 0x3f00_0000_0000_01fe;
const REFCOUNT_RESERVED: u64 = 0x1ff;
/// Entries that are looked at before one gives up: a crafted image could name the same tables without end.
const WORK: u64 = 1 << 28;
/// Clusters of a file that one counts for.
const CLUSTERS: u64 = 1 << 28;
/// Messages that are kept; more are only counted.
const MESSAGES: usize = 1000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong or leaked, in the words of `qemu-img check`; the first thousand.
    pub messages: Vec<String>,
    /// How much is wrong.
    pub corruptions: u64,
    /// Of these, entries that lead nowhere or into other tables: not even reading is safe.
    pub misleading: u64,
    /// Of these, what a write would make worse.
    pub harmful: u64,
    /// Clusters that are counted and not used.
    pub leaks: u64,
    /// The disk's clusters.
    pub total: u64,
    /// Those that have a place in the file.
    pub allocated: u64,
    /// Of these, compressed ones.
    pub compressed: u64,
    /// Of these, ones that do not follow the one before.
    pub fragmented: u64,
    /// Where the last used cluster ends.
    pub end: u64,
}

/// The look at one image.
struct Look<'a> {
    file: &'a File,
    header: &'a Header,
    length: u64,
    report: Report,
    /// By cluster of the file, references to it.
    references: Vec<u32>,
    /// By cluster, the references that the image says there are.
    refcounts: Vec<u32>,
    /// By cluster, whether it is written in place and so can have one user only.
    in_place: Vec<bool>,
    work: u64,
}

/// Looks at all tables.
///
/// # Errors
/// The file cannot be read, or it is too large to be looked at.
pub fn check(file: &File, header: &Header) -> Result<Report, String> {
    let length = crate::length(file).map_err(|error| crate::reason(&error))?;
    let clusters = length.div_ceil(header.cluster());
    if clusters > CLUSTERS {
        return Err(format!("{clusters} clusters are too many to be checked; {CLUSTERS} are the most"));
    }
    let report = Report { total: header.size.div_ceil(header.cluster()), ..Report::default() };
    let mut look = Look {
        file,
        header,
        length,
        report,
        references: vec![0; clusters as usize],
        refcounts: vec![0; clusters as usize],
        in_place: vec![false; clusters as usize],
        work: 0,
    };
    look.count("header", 0, 1, true);
    look.refcounts()?;
    look.l1("active", header.l1_offset, header.l1_size.into(), true)?;
    look.snapshots()?;
    look.compare();
    Ok(look.report)
}

impl Look<'_> {
    /// Notes an entry that leads nowhere or into other tables.
    fn misleads(&mut self, message: String) {
        self.report.misleading += 1;
        self.report.harmful += 1;
        self.wrong(message);
    }

    fn wrong(&mut self, message: String) {
        self.report.corruptions += 1;
        if self.report.messages.len() < MESSAGES {
            self.report.messages.push(message);
        }
    }

    /// Notes that `bytes` at `offset` are used by `what`.
    fn count(&mut self, what: &str, offset: u64, bytes: u64, in_place: bool) {
        let bits = self.header.cluster_bits;
        let Some(last) = offset.checked_add(bytes.max(1) - 1).map(|last| last >> bits) else {
            return self.misleads(format!("ERROR {what} at {offset:#x}: beyond all files"));
        };
        if last >= self.references.len() as u64 {
            return self.misleads(format!(
                "ERROR {what} at {offset:#x}, {bytes} bytes: beyond the end of the file ({:#x})",
                self.length
            ));
        }
        for cluster in (offset >> bits) as usize..=last as usize {
            let shared = self.in_place[cluster] || in_place && self.references[cluster] > 0;
            self.references[cluster] = self.references[cluster].saturating_add(1);
            self.in_place[cluster] |= in_place;
            if shared {
                self.misleads(format!("ERROR {what} at {offset:#x}: lies where other metadata does"));
            }
        }
    }

    /// Big-endian entries of eight bytes; what is behind the end of the file is zeroes.
    fn entries(&mut self, offset: u64, count: u64) -> Result<Vec<u64>, String> {
        self.work += count;
        if self.work > WORK {
            return Err(format!("its tables have more than {WORK} entries"));
        }
        let bytes = self.bytes(offset, count * 8)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_be_bytes(*entry)).collect())
    }

    fn bytes(&self, offset: u64, count: u64) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; count as usize];
        let there = self.length.saturating_sub(offset).min(count) as usize;
        let read = self.file.read_exact_at(&mut bytes[..there], offset);
        read.map_err(|error| format!("{count} bytes at {offset:#x}: {}", crate::reason(&error)))?;
        Ok(bytes)
    }

    /// An L1 table, and what hangs on it.
    fn l1(&mut self, name: &str, offset: u64, size: u64, active: bool) -> Result<(), String> {
        if size == 0 {
            return Ok(());
        }
        self.count(&format!("{name} L1 table"), offset, size * 8, true);
        let (mut seen, cluster) = (HashSet::new(), self.header.cluster());
        for (index, entry) in self.entries(offset, size)?.into_iter().enumerate() {
            let l2 = entry & OFFSET;
            if entry & L1_RESERVED != 0 || !l2.is_multiple_of(cluster) {
                self.misleads(format!("ERROR {name} L1 entry {index} is {entry:#x}, which none can be"));
            } else if l2 != 0 && !seen.insert(l2) {
                self.misleads(format!(
                    "ERROR {name} L1 entry {index}: the L2 table at {l2:#x} has two users"
                ));
            } else if l2 != 0 {
                self.count("L2 table", l2, cluster, false);
                if active {
                    self.copied("L2 table", l2, entry);
                }
                self.l2(l2, active)?;
            }
        }
        Ok(())
    }

    fn l2(&mut self, table: u64, active: bool) -> Result<(), String> {
        let (cluster, bits) = (self.header.cluster(), self.header.cluster_bits);
        // An L2 entry of an extended table is followed by its bitmap.
        let step = if self.header.extended_l2() { 2 } else { 1 };
        let mut next = 0;
        for (index, entry) in self.entries(table, cluster / 8)?.into_iter().step_by(step).enumerate() {
            if entry & COMPRESSED != 0 {
                // Bits from x up are additional sectors of 512 bytes (section "Compressed Clusters Descriptor").
                let x = 62 - (bits - 8);
                let (offset, sectors) = (entry & ((1 << x) - 1), (entry & (COMPRESSED - 1)) >> x);
                let end = (offset & !511) + (sectors + 1) * 512;
                // The last sector may be named although the file ends in it.
                let end = end.min(self.length.max(offset + 1));
                self.count("compressed cluster", offset, end - offset, false);
                if entry & COPIED != 0 {
                    self.wrong(format!("ERROR L2 entry {index} at {table:#x} is compressed and copied"));
                }
                if active {
                    self.report.allocated += 1;
                    self.report.compressed += 1;
                    self.report.fragmented += 1;
                }
                continue;
            }
            let offset = entry & OFFSET;
            let zero_in_2 = entry & ZERO != 0 && self.header.version < 3;
            if entry & L2_RESERVED != 0 || zero_in_2 || !offset.is_multiple_of(cluster) {
                self.misleads(format!(
                    "ERROR L2 entry {index} at {table:#x} is {entry:#x}, which none can be"
                ));
            } else if offset != 0 {
                self.count("data cluster", offset, cluster, false);
                if active {
                    self.copied("data cluster", offset, entry);
                    self.report.allocated += 1;
                    self.report.fragmented += u64::from(next != 0 && next != offset);
                    next = offset + cluster;
                }
            }
        }
        Ok(())
    }

    /// The flag says that there is one reference, so that one may write in place.
    fn copied(&mut self, what: &str, offset: u64, entry: u64) {
        let refcount =
            self.refcounts.get((offset >> self.header.cluster_bits) as usize).copied().unwrap_or(0);
        if (entry & COPIED != 0) != (refcount == 1) {
            self.report.harmful += u64::from(entry & COPIED != 0);
            self.wrong(format!("ERROR OFLAG_COPIED {what}: entry={entry:x} refcount={refcount}"));
        }
    }

    /// Internal snapshots (section "Snapshot table"): each has an L1 table of its own.
    fn snapshots(&mut self) -> Result<(), String> {
        let mut at = self.header.snapshots_offset;
        for number in 0..self.header.snapshots {
            let head = self.bytes(at, 40)?;
            let long = |at: usize| head[at..at + 8].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
            let (l1, size) = (long(0), long(8) >> 32);
            let (id, name, extra) = (long(8) >> 16 & 0xffff, long(8) & 0xffff, long(32) & 0xffff_ffff);
            if size * 8 > 32 << 20 || !l1.is_multiple_of(self.header.cluster()) || extra > 1024 {
                self.misleads(format!("ERROR snapshot {number} at {at:#x} makes no sense"));
                return Ok(());
            }
            self.l1("snapshot", l1, size, false)?;
            at = (at + 40 + extra + id + name).next_multiple_of(8);
            if at > self.length + 8 {
                self.misleads(format!("ERROR snapshot {number} ends behind the file"));
                return Ok(());
            }
        }
        if self.header.snapshots > 0 {
            let from = self.header.snapshots_offset;
            self.count("snapshot table", from, at - from, true);
        }
        Ok(())
    }

    /// What the image says of its clusters (section "Host cluster management").
    fn refcounts(&mut self) -> Result<(), String> {
        let (cluster, order) = (self.header.cluster(), self.header.refcount_order);
        let table = u64::from(self.header.refcount_clusters) * cluster;
        self.count("refcount table", self.header.refcount_offset, table, true);
        // Counts in a block.
        let per_block = (cluster << 3 >> order) as usize;
        for (index, entry) in self.entries(self.header.refcount_offset, table / 8)?.into_iter().enumerate() {
            if entry & REFCOUNT_RESERVED != 0 || !entry.is_multiple_of(cluster) {
                self.misleads(format!("ERROR refcount table entry {index} is {entry:#x}, which none can be"));
                continue;
            }
            let first = index * per_block;
            if entry == 0 {
                continue;
            }
            self.count("refcount block", entry, cluster, true);
            self.work += per_block as u64;
            if entry >= self.length || first >= self.refcounts.len() {
                continue;
            }
            let block = self.bytes(entry, cluster)?;
            for (refcount, slot) in self.refcounts[first..].iter_mut().take(per_block).enumerate() {
                *slot = count_in(&block, refcount, order).min(u32::MAX.into()) as u32;
            }
        }
        Ok(())
    }

    /// Compares what was counted with what the image says.
    fn compare(&mut self) {
        for cluster in 0..self.references.len() {
            let (refcount, references) = (self.refcounts[cluster], self.references[cluster]);
            if refcount > 0 {
                self.report.end = (cluster as u64 + 1) << self.header.cluster_bits;
            }
            let what = match refcount.cmp(&references) {
                Ordering::Equal => continue,
                Ordering::Less => "ERROR",
                Ordering::Greater => "Leaked",
            };
            let message = format!("{what} cluster {cluster} refcount={refcount} reference={references}");
            if refcount < references {
                self.report.harmful += 1;
                self.wrong(message);
            } else {
                self.report.leaks += 1;
                if self.report.messages.len() < MESSAGES {
                    self.report.messages.push(message);
                }
            }
        }
    }
}

/// Count number `index` of a refcount block, of `1 << order` bits; below a byte the lowest bits come first.
fn count_in(block: &[u8], index: usize, order: u32) -> u64 {
    let bits = 1usize << order;
    if bits < 8 {
        let at = index * bits;
        return u64::from(block[at / 8] >> (at % 8) & ((1 << bits) - 1));
    }
    let size = bits / 8;
    block[index * size..][..size].iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}
