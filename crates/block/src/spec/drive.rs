//! `-drive`: a node, and where its disk is plugged in.

use super::node::{Nodes, Pairs, Style, Written, take, take_switch};
use crate::{
    chain::{Format, Node},
    image::Manner,
};
use hartwright_backend::opts::{IDENTIFIER_HINT, Refusal, is_identifier, parse_whole};

/// Where a disk is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interface {
    /// Nowhere: a `-device` names it.
    None,
    /// A `virtio-blk-device` is plugged in for it.
    Virtio,
    /// The machine's flash.
    Pflash,
    /// One that no machine of ours has.
    Other(&'static str),
}

/// The words of `if=`.
const INTERFACES: &[(&str, Interface)] = &[
    ("none", Interface::None),
    ("virtio", Interface::Virtio),
    ("pflash", Interface::Pflash),
    ("floppy", Interface::Other("floppy")),
    ("ide", Interface::Other("ide")),
    ("mtd", Interface::Other("mtd")),
    ("scsi", Interface::Other("scsi")),
    ("sd", Interface::Other("sd")),
    ("xen", Interface::Other("xen")),
];

impl Interface {
    fn name(self) -> &'static str {
        INTERFACES.iter().find(|(_, known)| *known == self).map_or("none", |(name, _)| name)
    }

    /// How many units a bus has, where it has more than one.
    fn units(self) -> u64 {
        match self {
            Interface::Other("ide") => 2,
            Interface::Other("scsi") => 7,
            _ => 0,
        }
    }

    /// Bus and unit, where an interface has more than one bus.
    fn split(self, index: u64) -> Option<(u64, u64)> {
        Some((index.checked_div(self.units())?, index % self.units()))
    }
}

/// What a disk pretends to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// A disk.
    #[default]
    Disk,
    /// One that cannot be written.
    Cdrom,
}

/// A `-drive`, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// Its id, which devices name; QEMU's own names where none was given: `virtio0`, `pflash1`, `none0`.
    pub id: String,
    /// Where it is plugged in.
    pub interface: Interface,
    /// Which of the interface's it is.
    pub index: u64,
    /// What it pretends to be.
    pub media: Media,
    /// What to open, and how it behaves; nothing for a drive without a disk in it.
    pub image: Option<(Node, Manner)>,
    /// Written data goes to a file that goes with the program.
    pub snapshot: bool,
}

impl Drive {
    /// Understands the pairs of a `-drive`, after `drives`, among `nodes`. `snapshot` is whether `-snapshot` was said.
    ///
    /// # Errors
    /// In QEMU's words where it has some.
    pub fn parse(
        pairs: &[(String, String)],
        drives: &[Drive],
        nodes: &Nodes,
        snapshot: bool,
    ) -> Result<Drive, Refusal> {
        let mut pairs: Pairs = pairs.to_vec();
        let refuse = |message: String| Err(Refusal::new(message));
        if let Some(format) = take(&mut pairs, "format") {
            if pairs.iter().any(|(key, _)| key == "driver") {
                return refuse("Cannot specify both 'driver' and 'format'".into());
            }
            pairs.push(("driver".into(), format));
        }
        if let Some(read_only) = take(&mut pairs, "readonly") {
            pairs.push(("read-only".into(), read_only));
        }
        let interface = match take(&mut pairs, "if") {
            None => Interface::Virtio,
            Some(name) => match INTERFACES.iter().find(|(known, _)| *known == name) {
                Some((_, interface)) => *interface,
                None => return refuse(format!("unsupported bus type '{name}'")),
            },
        };
        let media = match take(&mut pairs, "media").as_deref() {
            None | Some("disk") => Media::Disk,
            Some("cdrom") => Media::Cdrom,
            Some(other) => return refuse(format!("'{other}' invalid media")),
        };
        let (bus, unit, index) = place(&mut pairs, interface, drives)?;
        let id = match take(&mut pairs, "id") {
            Some(id) if !is_identifier(&id) => {
                return Err(Refusal::new("Parameter 'id' expects an identifier").hint(IDENTIFIER_HINT));
            }
            Some(id) => id,
            None => own_name(interface, media, bus, unit),
        };
        if drives.iter().any(|drive| drive.id == id) {
            return refuse(format!("Duplicate ID '{id}' for drive"));
        }
        if nodes.has(&id) {
            return refuse(format!("Device name '{id}' conflicts with an existing node name"));
        }
        let snapshot = take_switch(&mut pairs, "", "snapshot")?.unwrap_or(snapshot);
        let mut own = Manner::default();
        let mode = cache(&mut pairs, &mut own)?;
        errors(&mut pairs, &mut own)?;
        if let Some(aio) = take(&mut pairs, "aio") {
            match &*aio {
                "threads" => {}
                "native" | "io_uring" => return refuse(format!("aio={aio}: not yet in hartwright")),
                _ => return refuse("invalid aio option".into()),
            }
        }
        Written::name_file(&mut pairs);
        let has_file = pairs.iter().any(|(key, _)| key == "file" || key.starts_with("file."));
        let empty = pairs.iter().any(|(key, value)| key == "file.filename" && value.is_empty());
        if !has_file || empty {
            let bare = interface == Interface::None || media == Media::Cdrom;
            pairs.retain(|(key, _)| !matches!(&**key, "read-only" | "file.filename"));
            if !pairs.is_empty() || !bare {
                return refuse("Must specify either driver or file".into());
            }
            return Ok(Drive { id, interface, index, media, image: None, snapshot });
        }
        let mut written = Written::take(&mut pairs, "", Style::Drive)?;
        written.direct = written.direct.or(mode.direct);
        written.no_flush = written.no_flush.or(mode.no_flush);
        let (node, manner) = nodes.resolve(&written)?;
        let read_only = manner.read_only || media == Media::Cdrom;
        let manner = Manner {
            read_only,
            write_through: own.write_through,
            ignore_write_errors: own.ignore_write_errors,
            ignore_read_errors: own.ignore_read_errors,
            ..manner
        };
        if read_only && snapshot && media == Media::Disk && written.read_only == Some(true) {
            // As in QEMU, the disk is read-only, and so there is nothing to throw away.
            return Ok(Drive { id, interface, index, media, image: Some((node, manner)), snapshot: false });
        }
        // The format of a CD is not guessed: whoever made it wrote its first sector.
        let guessed = media == Media::Cdrom && node.format.is_none();
        let node = if guessed { Node { format: Some(Format::Raw), ..node } } else { node };
        let snapshot = snapshot && media == Media::Disk;
        Ok(Drive { id, interface, index, media, image: Some((node, manner)), snapshot })
    }

    /// Why no machine of ours has a place for it; `None` if one may have.
    pub fn homeless(&self) -> Option<String> {
        let Interface::Other(name) = self.interface else { return None };
        let (bus, unit) = self.interface.split(self.index).unwrap_or((0, self.index));
        Some(format!("machine type does not support if={name},bus={bus},unit={unit}"))
    }
}

/// Bus, unit and index.
fn place(pairs: &mut Pairs, interface: Interface, drives: &[Drive]) -> Result<(u64, u64, u64), Refusal> {
    let mut whole = |key: &str| take(pairs, key).map(|value| parse_whole(key, &value)).transpose();
    let (bus, unit, index) = (whole("bus")?, whole("unit")?, whole("index")?);
    let units = interface.units();
    if index.is_some() && (bus.is_some() || unit.is_some()) {
        return Err(Refusal::new("index cannot be used with bus and unit"));
    }
    let of = |bus: u64, unit: u64| if units == 0 { unit } else { bus.saturating_mul(units) + unit };
    let taken = |index: u64| drives.iter().any(|drive| (drive.interface, drive.index) == (interface, index));
    let index = match (index, unit) {
        (Some(index), _) => index,
        (None, Some(unit)) if units > 0 && unit >= units => {
            return Err(Refusal::new(format!("unit {unit} too big (max is {})", units - 1)));
        }
        (None, Some(unit)) => of(bus.unwrap_or(0), unit),
        (None, None) => (of(bus.unwrap_or(0), 0)..).find(|index| !taken(*index)).unwrap_or(0),
    };
    let (bus, unit) = interface.split(index).unwrap_or((bus.unwrap_or(0), index));
    if taken(index) {
        return Err(Refusal::new(format!("drive with bus={bus}, unit={unit} (index={index}) exists")));
    }
    Ok((bus, unit, index))
}

/// QEMU's name for a drive without one.
fn own_name(interface: Interface, media: Media, bus: u64, unit: u64) -> String {
    let letter = match (interface, media) {
        (Interface::Other("ide" | "scsi"), Media::Disk) => "-hd",
        (Interface::Other("ide" | "scsi"), Media::Cdrom) => "-cd",
        _ => "",
    };
    match interface.units() {
        0 => format!("{}{letter}{unit}", interface.name()),
        _ => format!("{}{bus}{letter}{unit}", interface.name()),
    }
}

/// What a cache mode says of a node.
struct Mode {
    direct: Option<bool>,
    no_flush: Option<bool>,
}

/// `cache=MODE`, as the table in `docs/disks.md` has the modes.
fn cache(pairs: &mut Pairs, manner: &mut Manner) -> Result<Mode, Refusal> {
    let (direct, write_through, no_flush) = match take(pairs, "cache").as_deref() {
        None => (None, false, None),
        Some("none" | "off") => (Some(true), false, Some(false)),
        Some("writeback") => (Some(false), false, Some(false)),
        Some("writethrough") => (Some(false), true, Some(false)),
        Some("directsync") => (Some(true), true, Some(false)),
        Some("unsafe") => (Some(false), false, Some(true)),
        Some(_) => return Err(Refusal::new("invalid cache option")),
    };
    let write_back = take_switch(pairs, "", "cache.writeback")?;
    manner.write_through = write_back.map_or(write_through, |back| !back);
    Ok(Mode { direct, no_flush })
}

/// `werror=` and `rerror=`.
fn errors(pairs: &mut Pairs, manner: &mut Manner) -> Result<(), Refusal> {
    for (key, what) in [("werror", "write"), ("rerror", "read")] {
        match take(pairs, key).as_deref() {
            None | Some("report") => {}
            Some("ignore") if key == "werror" => manner.ignore_write_errors = true,
            Some("ignore") => manner.ignore_read_errors = true,
            Some(action @ ("stop" | "enospc")) if action == "stop" || key == "werror" => {
                return Err(Refusal::new(format!("{key}={action}: not yet in hartwright")));
            }
            Some(other) => return Err(Refusal::new(format!("'{other}' invalid {what} error action"))),
        }
    }
    Ok(())
}
