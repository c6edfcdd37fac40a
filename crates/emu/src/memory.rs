//! `-object memory-backend-...`: where the bytes of RAM come from.

use std::fs::{self, File, OpenOptions};

use hartwright_backend::{opts::parse_size, opts::parse_switch, reason};
use hartwright_mem::{Backing, PAGE};
use rustix::fs::MemfdFlags;

use crate::{DeviceOption, assemble::text};

/// The types of backends.
pub(crate) const TYPES: [&str; 3] = ["memory-backend-file", "memory-backend-memfd", "memory-backend-ram"];
/// Properties that QEMU's have and ours have not yet.
const NOT_YET: [&str; 17] = [
    "align",
    "discard-data",
    "dump",
    "host-nodes",
    "hugetlb",
    "hugetlbsize",
    "merge",
    "offset",
    "pmem",
    "policy",
    "prealloc",
    "prealloc-threads",
    "readonly",
    "reserve",
    "rom",
    "seal",
    "x-use-canonical-path-for-ramblock-id",
];

/// A piece of RAM that an option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryBackend {
    /// What `-numa` and `-machine memory-backend=` call it.
    pub id: String,
    /// Bytes, at least 1.
    pub size: u64,
    /// Where they are.
    pub store: Store,
}

/// Where bytes of RAM are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In the host's memory.
    Anonymous,
    /// In the host's memory, with a descriptor to it.
    Memfd,
    /// In a file.
    File {
        /// Its path; of a folder, a file in it that has no name.
        path: String,
        /// Whether what the guest writes reaches it.
        shared: bool,
    },
}

impl MemoryBackend {
    /// Reads `-object`.
    ///
    /// # Errors
    /// One sentence, in QEMU's words where it has some.
    pub(crate) fn parse(object: &DeviceOption) -> Result<MemoryBackend, String> {
        let (mut size, mut shared, mut path) = (None, None, None);
        for (name, value) in &object.properties {
            let value = text(value);
            match name.as_str() {
                "size" => size = Some(parse_size(name, &value, 'B').map_err(|why| why.to_string())?),
                "share" => shared = Some(parse_switch(name, &value).map_err(|why| why.to_string())?),
                "mem-path" if object.driver == TYPES[0] => path = Some(value),
                _ if NOT_YET.contains(&name.as_str()) => {
                    return Err(format!("{name}: not yet in hartwright"));
                }
                _ => return Err(format!("Invalid parameter '{name}'")),
            }
        }
        let missing = |name: &str| format!("Parameter '{name}' is missing");
        let id = object.id.clone().ok_or_else(|| missing("id"))?;
        let size = size.ok_or_else(|| missing("size"))?;
        if size == 0 {
            return Err(format!("property 'size' of {} doesn't take value '0'", object.driver));
        }
        let store = match object.driver.as_str() {
            "memory-backend-file" => Store::File {
                path: path.ok_or_else(|| missing("mem-path"))?,
                shared: shared.unwrap_or(false),
            },
            "memory-backend-memfd" => Store::Memfd,
            _ => Store::Anonymous,
        };
        Ok(MemoryBackend { id, size, store })
    }

    /// What stands for the main RAM's bytes from `at` on; nothing for what needs no file.
    ///
    /// # Errors
    /// The file cannot be had, or is too small.
    pub(crate) fn open(&self, at: u64) -> Result<Option<Backing>, String> {
        let size = self.size;
        if !size.is_multiple_of(PAGE) {
            return Err(format!("memory backend '{}': {size:#x} bytes are no pages of {PAGE:#x}", self.id));
        }
        let why = |error: std::io::Error| reason(&error);
        let (file, shared) = match &self.store {
            Store::Anonymous => return Ok(None),
            Store::Memfd => {
                let file = rustix::fs::memfd_create(&self.id, MemfdFlags::CLOEXEC).map(File::from);
                let file = file.map_err(|error| format!("failed to create memfd: {}", why(error.into())))?;
                (file, true)
            }
            Store::File { path, shared } => {
                let cannot = |error| format!("can't open backing store {path} for guest RAM: {}", why(error));
                (open(path).map_err(cannot)?, *shared)
            }
        };
        let there =
            file.metadata().map_err(|error| format!("memory backend '{}': {}", self.id, why(error)))?.len();
        if there == 0 {
            file.set_len(size).map_err(|error| format!("memory backend '{}': {}", self.id, why(error)))?;
        } else if there < size {
            return Err(format!("backing store size {there:#x} does not match 'size' option {size:#x}"));
        }
        Ok(Some(Backing { at, size, file, shared }))
    }
}

/// The file at `path`, made if it is not there; in a folder one without a name.
fn open(path: &str) -> std::io::Result<File> {
    if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        return Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into());
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}
