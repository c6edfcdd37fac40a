//! Random bytes for the guest, its devices and its harts: the host's, those of `-seed`, or those of a file that `-object rng-random` names.

use std::{
    collections::HashMap,
    fs::File,
    hash::{BuildHasher, RandomState},
    io::{Read, Seek},
    os::unix::fs::FileTypeExt,
};

use hartwright_backend::reason;
use hartwright_device::Entropy;
use hartwright_objects::Given;

use crate::{Config, DeviceOption, Failure};

/// Where the host has random bytes.
const HOST: &str = "/dev/urandom";

/// `-object rng-builtin` or `rng-random`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSource {
    /// The option as the user wrote it, for messages.
    pub option: String,
    /// `id=`.
    pub id: String,
    /// Where the bytes are; `None` for the host's, or those of `-seed`.
    pub file: Option<String>,
}

/// The types of `-object` that are sources, each with what `-object help` says.
pub(crate) const TYPES: [&str; 2] = ["rng-builtin", "rng-random"];

impl PlannedSource {
    /// Of an object of one of [`TYPES`].
    pub(crate) fn new(object: DeviceOption) -> Result<Self, String> {
        let id = object.id.ok_or("Parameter 'id' is missing")?;
        let mut file = (object.driver == "rng-random").then(|| HOST.to_owned());
        for (name, value) in object.properties {
            match (&*name, value) {
                ("filename", Given::Text(name)) if file.is_some() => file = Some(name),
                // QEMU has it; nobody else ever read it.
                ("opened", _) => {}
                _ => return Err(format!("Property '{}.{name}' not found", object.driver)),
            }
        }
        Ok(PlannedSource { option: object.option, id, file })
    }
}

/// What devices get that name no source.
pub(crate) fn common(config: &Config) -> Entropy {
    let seeded = || Entropy::seeded(config.boot.seed.unwrap_or_else(|| RandomState::new().hash_one(HOST)));
    match config.boot.seed {
        Some(_) => seeded(),
        // In a chroot without /dev there is still what the standard library keys its tables with.
        None => open(HOST).unwrap_or_else(|_| seeded()),
    }
}

/// What polling `seed` gives hart `id`: with `-seed` a stream of its own, whenever which hart asks.
pub(crate) fn of_hart(config: &Config, common: &Entropy, id: u64) -> Entropy {
    match config.boot.seed {
        Some(seed) => Entropy::seeded(seed ^ (id + 1).rotate_right(16)),
        None => common.clone(),
    }
}

/// The sources by their ids; `common` is that of who names no file.
pub(crate) fn sources(config: &Config, common: &Entropy) -> Result<HashMap<String, Entropy>, Failure> {
    let open = |planned: &PlannedSource| {
        let source = match &planned.file {
            None => common.clone(),
            Some(file) => open(file).map_err(|why| Failure::of(&planned.option, why))?,
        };
        Ok((planned.id.clone(), source))
    };
    config.sources.iter().map(open).collect()
}

/// The bytes of a file, from the beginning again where it ends.
fn open(path: &str) -> Result<Entropy, String> {
    let mut file =
        File::open(path).map_err(|error| format!("Could not open '{path}': {}", reason(&error)))?;
    let kind =
        file.metadata().map_err(|error| format!("Could not open '{path}': {}", reason(&error)))?.file_type();
    // A device's lock is held while it is read, which must not take long.
    if !kind.is_char_device() && !kind.is_file() {
        return Err(format!("'{path}' is neither a character device nor a file: not yet in hartwright"));
    }
    Ok(Entropy::new(move |bytes| {
        let mut done = 0;
        let mut ends = 0;
        while done < bytes.len() && ends < 2 {
            match file.read(&mut bytes[done..]) {
                // An empty file, or one that cannot be read any more, leaves zeroes.
                Ok(0) | Err(_) => {
                    ends += 1;
                    drop(file.rewind());
                }
                Ok(n) => (done, ends) = (done + n, 0),
            }
        }
    }))
}
