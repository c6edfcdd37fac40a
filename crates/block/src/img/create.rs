//! `img create`, and the making of the image that `img convert` writes.

use super::{Done, words::Words, words::format};
use crate::{
    chain::{Backing, Format, Node, beside, local, open},
    image::{Manner, SECTOR},
    lock::{Rights, lock},
};
use hartwright_backend::opts::{Opts, Refusal, parse_size, parse_switch, parse_whole};
use imago::{
    FormatCreateBuilder, StorageOpenOptions, file::File as Storage, format::PreallocateMode, qcow2::Qcow2,
};
use std::{fs::File, io, os::unix::fs::FileExt};

const SIZE: &str = "Invalid image size specified. You may use k, M, G, T, P or E suffixes for";
const SIZE_HINT: &str = "kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.";
/// Options of `-o` that QEMU has and we do not have yet.
const NOT_YET: &[&str] =
    &["data_file", "data_file_raw", "encrypt", "encryption", "extent_size_hint", "nocow", "offset"];

/// What is to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct New {
    pub(super) size: Option<u64>,
    cluster: Option<u64>,
    refcount_bits: Option<u64>,
    lazy: Option<bool>,
    preallocation: Option<String>,
    pub(super) backing: Option<String>,
    pub(super) backing_format: Option<String>,
}

impl New {
    /// Reads all `-o`.
    pub(super) fn read(words: &Words, kind: Format) -> Result<New, Refusal> {
        let mut new = New::default();
        for text in words.values("o") {
            for (key, value) in Opts::parse(text, None)?.pairs() {
                let qcow2 = kind == Format::Qcow2;
                match &**key {
                    "size" => new.size = Some(parse_size("size", value, 'B')?),
                    "preallocation" => new.preallocation = Some(value.clone()),
                    "backing_file" if qcow2 => new.backing = Some(value.clone()),
                    "backing_fmt" if qcow2 => new.backing_format = Some(value.clone()),
                    "cluster_size" if qcow2 => new.cluster = Some(parse_size(key, value, 'B')?),
                    "refcount_bits" if qcow2 => new.refcount_bits = Some(parse_whole(key, value)?),
                    "lazy_refcounts" if qcow2 => new.lazy = Some(parse_switch(key, value)?),
                    "compat" if qcow2 && matches!(&**value, "1.1" | "v3") => {}
                    "extended_l2" if qcow2 && !parse_switch(key, value)? => {}
                    "compression_type" if qcow2 && value == "zlib" => {}
                    "compat" | "extended_l2" | "compression_type" if qcow2 => {
                        return Err(Refusal::new(format!("{key}={value}: not yet in hartwright")));
                    }
                    key if NOT_YET.contains(&key.split('.').next().unwrap_or(key)) => {
                        return Err(Refusal::new(format!("{key}: not yet in hartwright")));
                    }
                    key => return Err(Refusal::new(format!("Invalid parameter '{key}'"))),
                }
            }
        }
        let cluster = new.cluster.unwrap_or(65536);
        if !cluster.is_power_of_two() || !(512..=2 << 20).contains(&cluster) {
            return Err(Refusal::new("Cluster size must be a power of two between 512 and 2048k"));
        }
        let bits = new.refcount_bits.unwrap_or(16);
        if !bits.is_power_of_two() || bits > 64 {
            return Err(Refusal::new("Refcount width must be a power of two and may not exceed 64 bits"));
        }
        Ok(new)
    }

    fn preallocate(&self, kind: Format) -> Result<PreallocateMode, Refusal> {
        Ok(match (self.preallocation.as_deref(), kind) {
            (None | Some("off"), _) => PreallocateMode::None,
            (Some("metadata"), Format::Qcow2) => PreallocateMode::FormatAllocate,
            (Some("falloc"), _) => PreallocateMode::FullAllocate,
            (Some("full"), _) => PreallocateMode::WriteData,
            (Some(other), _) => {
                return Err(Refusal::new(format!(
                    "Parameter 'preallocation' does not accept value '{other}'"
                )));
            }
        })
    }

    /// What `create` says before it begins.
    fn announcement(&self, name: &str, kind: Format, size: u64) -> String {
        let mut text = format!("Formatting '{name}', fmt={}", kind.name());
        let mut say = |key: &str, value: &dyn std::fmt::Display| text += &format!(" {key}={value}");
        if kind == Format::Qcow2 {
            say("cluster_size", &self.cluster.unwrap_or(65536));
            say("extended_l2", &"off");
            if let Some(mode) = &self.preallocation {
                say("preallocation", mode);
            }
            say("compression_type", &"zlib");
        }
        say("size", &size);
        if kind == Format::Raw
            && let Some(mode) = &self.preallocation
        {
            say("preallocation", mode);
        }
        if let Some(backing) = &self.backing {
            say("backing_file", backing);
        }
        if let Some(format) = &self.backing_format {
            say("backing_fmt", format);
        }
        if kind == Format::Qcow2 {
            say("lazy_refcounts", &if self.lazy == Some(true) { "on" } else { "off" });
            say("refcount_bits", &self.refcount_bits.unwrap_or(16));
        }
        text + "\n"
    }

    /// Makes the image; `size` is the disk's bytes.
    pub(super) fn make(&self, name: &str, kind: Format, size: u64) -> Result<(), Refusal> {
        let failed = |error: io::Error| Refusal::new(format!("{name}: {}", crate::reason(&error)));
        let mode = self.preallocate(kind)?;
        let size = size.checked_next_multiple_of(SECTOR).filter(|size| *size < 1 << 63);
        let size = size.ok_or_else(|| Refusal::new(SIZE).hint(SIZE_HINT))?;
        let path = local(name)?;
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| {
            Refusal::new(format!("{name}: Could not create '{name}': {}", crate::reason(&error)))
        })?;
        let held = lock(&file, name, Rights::format(false));
        held.map_err(|refusal| Refusal { message: format!("{name}: {}", refusal.message), ..refusal })?;
        let storage = (|| {
            file.set_len(0)?;
            Storage::from_open_file(file.try_clone()?, StorageOpenOptions::new().filename(path).write(true))
        })()
        .map_err(failed)?;
        if kind == Format::Raw {
            let raw = imago::raw::Raw::<Storage>::create_builder(storage).size(size).preallocate(mode);
            return raw.create().map_err(failed);
        }
        let l1_most = (32 << 20) / 8;
        let cluster = self.cluster.unwrap_or(65536);
        if size.div_ceil(cluster).div_ceil(cluster / 8) > l1_most {
            return Err(Refusal::new(format!(
                "{name}: Image size of {size} bytes is too large for its clusters"
            )));
        }
        let mut qcow2 = Qcow2::<Storage>::create_builder(storage)
            .size(size)
            .preallocate(mode)
            .cluster_size(cluster as usize)
            .refcount_width(self.refcount_bits.unwrap_or(16) as usize);
        if let Some(backing) = &self.backing {
            qcow2 = qcow2.backing(backing.clone(), self.backing_format.clone().unwrap_or_default());
        }
        qcow2.create().map_err(failed)?;
        if self.lazy == Some(true) {
            // Bit 0 of the compatible features (qcow2, section "Header").
            file.write_all_at(&[1], 87).map_err(failed)?;
        }
        Ok(())
    }
}

pub(super) fn create(words: &mut Words) -> Result<Done, Refusal> {
    let kind = words.format("f").map_err(|refusal| match words.names.first() {
        Some(name) => Refusal::new(format!("{name}: {refusal}")),
        None => refusal,
    })?;
    let kind = kind.unwrap_or(Format::Raw);
    let Some(name) = words.names.first().cloned() else {
        return Err(Refusal::new("Expecting image file name"));
    };
    let named = |refusal: Refusal| Refusal { message: format!("{name}: {}", refusal.message), ..refusal };
    let mut new = New::read(words, kind).map_err(named)?;
    match &words.names[1..] {
        [] => {}
        [size] => {
            let size = parse_size("size", size, 'B').map_err(|_| Refusal::new(SIZE).hint(SIZE_HINT))?;
            new.size = Some(size);
        }
        [_, extra, ..] => return Err(Refusal::new(format!("Unexpected argument: {extra}"))),
    }
    new.backing = words.value("b").map(str::to_owned).or(new.backing);
    new.backing_format = words.value("F").map(str::to_owned).or(new.backing_format);
    if new.backing.is_some() && kind == Format::Raw {
        return Err(named(Refusal::new("Backing file not supported for file format 'raw'")));
    }
    if let Some(backing) = &new.backing
        && !words.has("u")
    {
        new.size = Some(look_at(&name, backing, &new)?);
    }
    if new.backing.is_some() && new.backing_format.is_none() {
        return Err(named(Refusal::new("Backing file specified without backing format")));
    }
    let size = new.size.ok_or_else(|| named(Refusal::new("Image creation needs a size parameter")))?;
    new.make(&name, kind, size)?;
    let text = if words.has("q") { String::new() } else { new.announcement(&name, kind, size) };
    Ok(Done { text, ..Done::default() })
}

/// The size of the new disk, after a look at what it is built on.
fn look_at(name: &str, backing: &str, new: &New) -> Result<u64, Refusal> {
    let named = |refusal: Refusal| Refusal { message: format!("{name}: {}", refusal.message), ..refusal };
    let format = new.backing_format.as_deref().map(format).transpose().map_err(named)?;
    let node = Node { backing: Backing::Header, ..Node::at(&beside(name, backing), format) };
    let opened = open(&node, Manner { read_only: true, ..Manner::default() })
        .map_err(|refusal| named(Refusal { hint: "Could not open backing image.".into(), ..refusal }))?;
    if format.is_none() {
        let hint = format!("Detected format of {}.", opened.format.name());
        return Err(named(Refusal::new("Backing file specified without backing format").hint(hint)));
    }
    Ok(new.size.unwrap_or(opened.image.bytes()))
}
