//! The header of a qcow2 image, read without trust; what in it we cannot do is refused by name.
//!
//! The format is described in QEMU's `docs/interop/qcow2.rst`; the section names in the comments are its.

use std::{fs::File, io, os::unix::fs::FileExt};

/// `QFI\xfb`, which every version begins with.
const MAGIC: u32 = 0x5146_49fb;
/// The header of version 2.
const LENGTH_2: u64 = 72;
/// The least header of version 3.
const LENGTH_3: u64 = 104;
/// Header extensions: the format of the backing file, and the bitmaps.
const BACKING_FORMAT: u32 = 0xe279_2aca;
const BITMAPS: u32 = 0x2385_2875;
/// QEMU's greatest L1 table and refcount table, bytes.
const L1_MOST: u64 = 32 << 20;
const REFCOUNTS_MOST: u64 = 8 << 20;

/// What the header says (section "Header").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// The disk's bytes.
    pub size: u64,
    /// log2 of a cluster's bytes: 9 to 21.
    pub cluster_bits: u32,
    /// The backing file, as the header has it.
    pub backing: Option<String>,
    /// Its format, if that is said.
    pub backing_format: Option<String>,
    /// 0 none, 1 AES, 2 LUKS.
    pub crypt: u32,
    /// Entries of the L1 table.
    pub l1_size: u32,
    /// Where it lies.
    pub l1_offset: u64,
    /// Where the refcount table lies.
    pub refcount_offset: u64,
    /// Clusters of the refcount table.
    pub refcount_clusters: u32,
    /// log2 of the bits of a refcount: 0 to 6.
    pub refcount_order: u32,
    /// How many internal snapshots there are.
    pub snapshots: u32,
    /// Where their table lies.
    pub snapshots_offset: u64,
    /// Features that who does not know them must not open the image with.
    pub incompatible: u64,
    /// Features that may be ignored.
    pub compatible: u64,
    /// Features that who does not know them must clear.
    pub autoclear: u64,
    /// 0 zlib, 1 zstd.
    pub compression: u8,
    /// Whether there is an extension for persistent bitmaps.
    pub bitmaps: bool,
}

/// The incompatible features by bit, with what helps where we lack one. The first two are states.
const INCOMPATIBLE: [(&str, &str); 5] = [
    (
        "it is marked dirty: it was not closed, and its refcounts may be wrong",
        "qemu-img check -r all repairs it",
    ),
    ("it is marked corrupt", "qemu-img check -r all repairs what can be repaired"),
    (
        "its data is in an external data file, which is not yet in hartwright",
        "qemu-img convert -O qcow2 makes one file of them",
    ),
    (
        "its clusters are compressed with zstd, which is not yet in hartwright",
        "qemu-img convert -O qcow2 makes an image without",
    ),
    (
        "it has extended L2 entries, which are not yet in hartwright",
        "qemu-img convert -O qcow2 -o extended_l2=off makes an image without",
    ),
];

impl Header {
    /// Whether the image is marked dirty.
    pub fn dirty(&self) -> bool {
        self.incompatible & 1 != 0
    }

    /// Whether the image is marked corrupt.
    pub fn corrupt(&self) -> bool {
        self.incompatible & 2 != 0
    }

    /// Whether L2 entries have subclusters.
    pub fn extended_l2(&self) -> bool {
        self.incompatible & 16 != 0
    }

    /// A cluster's bytes.
    pub fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Entries of an L2 table.
    pub fn l2_entries(&self) -> u64 {
        self.cluster() / 8
    }

    /// Reads the header of `file`, which must be open without `O_DIRECT`.
    ///
    /// # Errors
    /// It is no qcow2 image, or its header makes no sense.
    pub fn read(file: &File) -> Result<Header, String> {
        let length = crate::length(file).map_err(|error| crate::reason(&error))?;
        let mut bytes = [0; LENGTH_3 as usize + 8];
        read_some(file, &mut bytes, 0).map_err(|error| crate::reason(&error))?;
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        if word(0) != MAGIC || length < LENGTH_2 {
            return Err("Image is not in qcow2 format".into());
        }
        let version = word(4);
        if !(2..=3).contains(&version) {
            return Err(format!("Unsupported qcow2 version {version}"));
        }
        let mut header = Header {
            version,
            cluster_bits: word(20),
            size: long(24),
            crypt: word(32),
            l1_size: word(36),
            l1_offset: long(40),
            refcount_offset: long(48),
            refcount_clusters: word(56),
            snapshots: word(60),
            snapshots_offset: long(64),
            refcount_order: 4,
            ..Header::default()
        };
        let mut end = LENGTH_2;
        if version == 3 {
            header.incompatible = long(72);
            header.compatible = long(80);
            header.autoclear = long(88);
            header.refcount_order = word(96);
            end = word(100).into();
            if end > LENGTH_3 {
                header.compression = bytes[LENGTH_3 as usize];
            }
        }
        if !(9..=21).contains(&header.cluster_bits) {
            return Err(format!("Unsupported cluster size: 2^{}", header.cluster_bits));
        }
        if version == 3 && !(LENGTH_3..=header.cluster()).contains(&end) {
            return Err(format!("qcow2 header of {end} bytes: it has {LENGTH_3} to a cluster's"));
        }
        if header.refcount_order > 6 {
            return Err("Reference count entry width too large; may not exceed 64 bits".into());
        }
        header.names(file, word(16), long(8), end)?;
        header.tables(length)?;
        Ok(header)
    }

    /// The backing file's name and the header extensions, which lie in the first cluster.
    fn names(&mut self, file: &File, size: u32, offset: u64, mut at: u64) -> Result<(), String> {
        let text = |offset: u64, size: u64| {
            let mut bytes = vec![0; size as usize];
            file.read_exact_at(&mut bytes, offset).map_err(|_| "qcow2 header: the file ends in a name")?;
            String::from_utf8(bytes).map_err(|_| "qcow2 header: a name is no UTF-8".to_owned())
        };
        let mut extensions_end = self.cluster();
        if offset != 0 {
            let end = offset.checked_add(size.into()).filter(|end| *end <= self.cluster());
            if size > 1023 || end.is_none() {
                return Err(format!("Backing file name of {size} bytes at {offset:#x} does not fit"));
            }
            self.backing = Some(text(offset, size.into())?);
            extensions_end = offset;
        }
        while at + 8 <= extensions_end {
            let mut head = [0; 8];
            read_some(file, &mut head, at).map_err(|error| crate::reason(&error))?;
            let (kind, length) = (u64::from_be_bytes(head) >> 32, u64::from_be_bytes(head) as u32);
            at += 8;
            if kind == 0 {
                break;
            }
            if at + u64::from(length) > extensions_end {
                return Err(format!("Header extension {kind:#x} of {length} bytes is too large"));
            }
            match kind as u32 {
                BACKING_FORMAT if length < 16 => self.backing_format = Some(text(at, length.into())?),
                BACKING_FORMAT => return Err(format!("backing format name of {length} bytes is too long")),
                BITMAPS => self.bitmaps = true,
                _ => {}
            }
            at += u64::from(length).next_multiple_of(8);
        }
        Ok(())
    }

    /// Whether the tables lie where tables can lie, in a file of `length` bytes.
    fn tables(&self, length: u64) -> Result<(), String> {
        let (cluster, l1_bytes) = (self.cluster(), u64::from(self.l1_size) * 8);
        let inside = |what: &str, offset: u64, bytes: u64| {
            if !offset.is_multiple_of(cluster) {
                Err(format!("the {what} lies at {offset:#x}, where no cluster begins"))
            } else if bytes > 0 && offset.checked_add(bytes).is_none_or(|end| offset == 0 || end > length) {
                Err(format!(
                    "the {what} ({offset:#x}, {bytes} bytes) does not lie in the file of {length} bytes"
                ))
            } else {
                Ok(())
            }
        };
        if l1_bytes > L1_MOST {
            return Err(format!("Active L1 table too large: {} entries", self.l1_size));
        }
        let needed = self.size.div_ceil(cluster).div_ceil(self.l2_entries());
        if needed > self.l1_size.into() {
            return Err(format!(
                "L1 table is too small: {} entries, and {} bytes of disk need {needed}",
                self.l1_size, self.size
            ));
        }
        inside("L1 table", self.l1_offset, l1_bytes)?;
        let refcounts = u64::from(self.refcount_clusters) * cluster;
        if refcounts == 0 || refcounts > REFCOUNTS_MOST {
            return Err(format!("refcount table of {refcounts} bytes: it has 1 to {REFCOUNTS_MOST}"));
        }
        inside("refcount table", self.refcount_offset, refcounts)?;
        inside("snapshot table", self.snapshots_offset, self.snapshots.into())
    }

    /// Whether we can use the image, to write it unless `read_only`.
    ///
    /// # Errors
    /// What stands against it, and what would help.
    pub fn usable(&self, read_only: bool) -> Result<(), (String, &'static str)> {
        if self.incompatible != 0 {
            let bit = self.incompatible.trailing_zeros() as usize;
            let unknown =
                (format!("it has the unknown incompatible feature {bit}"), "a newer program may know it");
            let known = INCOMPATIBLE.get(bit);
            return Err(known.map_or(unknown, |(what, help)| ((*what).to_owned(), *help)));
        }
        match self.crypt {
            0 => {}
            kind => {
                let kind = if kind == 1 { "AES" } else { "LUKS" };
                let what = format!("it is encrypted ({kind}), which is not yet in hartwright");
                return Err((what, "qemu-img convert makes an image without"));
            }
        }
        if self.bitmaps && !read_only {
            let what = "it has persistent bitmaps, which are not yet in hartwright".to_owned();
            return Err((what, "qemu-img bitmap --remove takes one away; readonly=on lets it be read"));
        }
        Ok(())
    }
}

/// Reads what there is; the rest stays as it was.
fn read_some(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
