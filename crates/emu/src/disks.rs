//! The disks of a command line: what was asked becomes images that are open, each served to the device that names it.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, Write as _},
};

use hartwright_backend::reason;
use hartwright_block::{
    Disk, Format, open, open_overlay,
    spec::{Drive, Interface, Media, Nodes},
};
use hartwright_device::BlockPort;
use hartwright_machine::MachineSpec;

use crate::{Asked, Config, DeviceOption, Failure, Outcome, host::report};

/// A disk to be opened.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedDisk {
    /// The option that asked for it, as the user wrote it.
    pub option: String,
    /// Where it is plugged in, and its id or node name.
    pub drive: Drive,
    /// It is a `-blockdev`.
    pub node: bool,
}

/// The disks that `asked` plans, and the devices that come with them.
pub(crate) fn plan(asked: &Asked) -> Result<(Vec<PlannedDisk>, Vec<DeviceOption>), Outcome> {
    let mut nodes = Nodes::default();
    let refuse = |option: &str, why: &dyn std::fmt::Display| Outcome::Fail(Failure::of(option, why));
    for said in &asked.blockdevs {
        nodes.add(&said.value, &said.option).map_err(|why| refuse(&said.option, &why))?;
    }
    let mut drives: Vec<Drive> = vec![];
    let mut planned = vec![];
    let mut devices = vec![];
    for named in nodes.roots() {
        let image = nodes.root(&named.name).map_err(|why| refuse(&named.option, &why))?;
        let drive = Drive {
            id: named.name.clone(),
            interface: Interface::None,
            index: 0,
            media: Media::Disk,
            image: Some(image),
            snapshot: false,
        };
        planned.push(PlannedDisk { option: named.option.clone(), drive, node: true });
    }
    for said in &asked.drives {
        let drive = Drive::parse(&said.value, &drives, &nodes, asked.snapshot);
        let drive = drive.map_err(|why| refuse(&said.option, &why))?;
        if drive.interface == Interface::Virtio {
            devices.push(DeviceOption {
                option: said.option.clone(),
                driver: "virtio-blk-device".into(),
                id: None,
                properties: vec![("drive".into(), drive.id.as_str().into())],
            });
        }
        drives.push(drive.clone());
        planned.push(PlannedDisk { option: said.option.clone(), drive, node: false });
    }
    Ok((planned, devices))
}

/// Disks that are open and served.
#[derive(Default)]
pub struct Disks {
    running: Vec<(String, Disk)>,
    ports: HashMap<String, BlockPort>,
    /// By id or node name, what was found.
    found: HashMap<String, Found>,
}

/// What an image was found to be.
struct Found {
    format: Format,
    backing: Option<String>,
    depth: usize,
}

impl Disks {
    /// Opens what `config` plans.
    ///
    /// # Errors
    /// An image cannot be opened, in QEMU's words where it has some; those that were open are closed again.
    pub fn open(config: &Config) -> Result<Disks, Failure> {
        let mut disks = Disks::default();
        for planned in &config.disks {
            let drive = &planned.drive;
            let Some((node, manner)) = &drive.image else { continue };
            let opened = if drive.snapshot { open_overlay(node, *manner) } else { open(node, *manner) };
            let opened = opened.map_err(|refusal| Failure::of(&planned.option, refusal))?;
            let found = Found { format: opened.format, backing: opened.backing, depth: opened.depth };
            disks.found.insert(drive.id.clone(), found);
            for warning in opened.warnings {
                // There is nowhere else to warn.
                let _ = writeln!(io::stderr(), "{warning}");
            }
            if let Some(homeless) = drive.homeless() {
                return Err(Failure::of(&planned.option, homeless));
            }
            let port = BlockPort::default();
            let served = Disk::serve(&drive.id, opened.image, &port);
            let served = served.map_err(|error| Failure::of(&planned.option, reason(&error)))?;
            if drive.interface == Interface::Pflash {
                disks.ports.insert(format!("pflash{}", drive.index), port.clone());
            }
            disks.ports.insert(drive.id.clone(), port);
            disks.running.push((drive.id.clone(), served));
        }
        Ok(disks)
    }

    /// The disks by the names that devices have for them.
    pub fn ports(&self) -> HashMap<String, BlockPort> {
        self.ports.clone()
    }

    /// Does what is on its way, flushes and closes every image; says what could not be written.
    pub fn finish(self, config: &Config) {
        for (name, disk) in self.running {
            if let Err(error) = disk.finish() {
                report(config, &format!("drive {name}: not all of it was written: {}", reason(&error)));
            }
        }
    }
}

/// Whether the first flash chip has an image.
pub(crate) fn first_flash(config: &Config) -> bool {
    let mut drives = config.disks.iter().map(|planned| &planned.drive);
    drives.any(|drive| drive.interface == Interface::Pflash && drive.index == 0 && drive.image.is_some())
}

/// Refuses a flash image for which the machine has no flash, and a device whose drive has no disk in it.
pub(crate) fn refuse_homeless(config: &Config, spec: &MachineSpec) -> Result<(), Failure> {
    for planned in &config.disks {
        let name = format!("pflash{}", planned.drive.index);
        if planned.drive.interface == Interface::Pflash && spec.drives().all(|(drive, _)| drive != name) {
            let why = format!("machine type does not support if=pflash,bus=0,unit={}", planned.drive.index);
            return Err(Failure::of(&planned.option, why));
        }
        if planned.drive.image.is_none() && spec.drives().any(|(drive, _)| drive == planned.drive.id) {
            return Err(Failure::of(&planned.option, "Device needs media, but drive is empty"));
        }
    }
    Ok(())
}

/// What `info block` shows.
pub(crate) fn info(config: &Config, disks: &Disks, spec: &MachineSpec) -> String {
    let mut text = String::new();
    for (number, planned) in config.disks.iter().enumerate() {
        let drive = &planned.drive;
        let pflash = format!("pflash{}", drive.index);
        let names = |name: &str| name == drive.id || drive.interface == Interface::Pflash && name == pflash;
        let user = spec.drives().find(|(name, _)| names(name)).map(|(_, user)| user);
        // A node without a user is shown by `info block -n` only.
        if planned.node && user.is_none() {
            continue;
        }
        if number > 0 {
            text.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = match &drive.image {
            None => writeln!(text, "{}: [not inserted]", drive.id),
            Some((node, manner)) => {
                let format = disks.found.get(&drive.id).map_or("raw", |found| found.format.name());
                let read_only = if manner.read_only { ", read-only" } else { "" };
                let block = if planned.node { String::new() } else { format!(" (#block{number})") };
                writeln!(text, "{}{block}: {} ({format}{read_only})", drive.id, node.path)
            }
        };
        if let Some(user) = user {
            let _ = writeln!(text, "    Attached to:      /machine/{user}");
        } else {
            text.push_str("    Removable device: not locked, tray closed\n");
        }
        if let Some((node, manner)) = &drive.image {
            let mode = if manner.write_through { "writethrough" } else { "writeback" };
            let direct = if node.direct { ", direct" } else { "" };
            let unsafe_ = if manner.no_flush || drive.snapshot { ", ignore flushes" } else { "" };
            let _ = writeln!(text, "    Cache mode:       {mode}{direct}{unsafe_}");
            if let Some(Found { backing: Some(backing), depth, .. }) = disks.found.get(&drive.id) {
                let _ = writeln!(text, "    Backing file:     {backing} (chain depth: {})", depth - 1);
            }
            if manner.detect_zeroes {
                let how = if manner.zeroes_unmap { "unmap" } else { "on" };
                let _ = writeln!(text, "    Detect zeroes:    {how}");
            }
        }
    }
    text
}
