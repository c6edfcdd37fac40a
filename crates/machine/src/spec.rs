//! A machine as a value: what there is, where it lies, and how it is wired.

use crate::{
    At, Numa, Options, Source,
    check::{DISK, PORT},
};
use hartwright_objects::Given;
use std::{
    fmt,
    ops::{Deref, RangeInclusive},
};

/// A whole machine, before it is made.
///
/// Built-in machines make one with the methods here, which read like a memory map; files become one with
/// [`MachineSpec::read`], and then every part knows where in the file it was said.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineSpec {
    /// What `-machine` calls it.
    pub name: Said<String>,
    /// What it is, for `-machine help`.
    pub description: String,
    /// The device tree's `model`.
    pub model: String,
    /// The device tree's `compatible`, the most specific first.
    pub compatible: Vec<String>,
    /// Ticks a second of `mtime`.
    pub timebase: Said<u64>,
    /// The harts.
    pub cpu: Cpu,
    /// Where execution begins.
    pub boot: Boot,
    /// Its NUMA nodes; a file names none.
    pub numa: Numa,
    /// Memory, in the order told.
    pub memories: Vec<Memory>,
    /// Devices, in the order told; that is the order of the device tree as well.
    pub devices: Vec<Device>,
    /// What is plugged into devices' buses, in the order told.
    pub cards: Vec<Card>,
    /// The file it came from, for messages.
    pub source: Source,
}

/// The harts, all alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Cpu {
    /// The model, as `-cpu` takes it.
    pub model: Said<String>,
    /// What is switched on and off in the model, as `-cpu MODEL,NAME=on` does.
    pub properties: Rows<bool>,
    /// How many.
    pub harts: Said<u64>,
    /// The least that `-smp` may ask for.
    pub min: Said<u64>,
    /// The most.
    pub max: Said<u64>,
}

/// Where execution begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Boot {
    /// Where harts begin; the reset code is put there, so it lies in a ROM.
    pub reset: Said<u64>,
    /// Where firmware goes, or the kernel when there is none.
    pub firmware: Said<u64>,
}

/// One region of memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// Its name in the object tree.
    pub name: Said<String>,
    /// Whether the guest can write it.
    pub writable: bool,
    /// First address.
    pub base: Said<u64>,
    /// Bytes.
    pub size: Said<u64>,
}

/// One device.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its name in the object tree, and its id.
    pub name: Said<String>,
    /// Its type, as `-device help` lists it.
    pub class: Said<String>,
    /// First address of its registers.
    pub base: Said<u64>,
    /// Bytes of its registers.
    pub size: Said<u64>,
    /// Its interrupt lines by name, and where each ends. Lines that a device has for each hart (a CLINT's,
    /// a PLIC's) follow from the number of harts and are not told.
    pub lines: Rows<End>,
    /// The host's end of its port: `serial0` is the first `-serial`, anything else a `-chardev` id.
    pub chardev: Option<Said<String>>,
    /// Its disk: the id of a `-drive`, or the node name of a `-blockdev`; `pflash0` is the first `-pflash`.
    pub drive: Option<Said<String>>,
    /// What its properties are set to.
    pub properties: Rows<Given>,
}

/// A device on another device's bus: it has no addresses of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Its name in the object tree, and its id.
    pub name: Said<String>,
    /// Its type, as `-device help` lists it.
    pub class: Said<String>,
    /// The bus: the name of its device, or the bus's own; without one, the first that takes it.
    pub bus: Option<Said<String>>,
    /// The host's end of its port, as [`Device::chardev`].
    pub chardev: Option<Said<String>>,
    /// Its disk, as [`Device::drive`].
    pub drive: Option<Said<String>>,
    /// What its properties are set to.
    pub properties: Rows<Given>,
}

/// Named values, in the order told.
pub type Rows<T> = Vec<(Said<String>, Said<T>)>;

/// Where a line ends, written `plic:10`, or `hart0:11`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct End {
    /// A device's name, or `hart` and the hart's number.
    pub to: String,
    /// An input of the device; of a hart the bit of `mip` that it drives.
    pub pin: u32,
}

impl End {
    /// The hart it ends at, if it ends at one.
    pub fn hart(&self) -> Option<u64> {
        self.to.strip_prefix("hart")?.parse().ok()
    }

    /// `NAME:PIN`.
    pub fn parse(text: &str) -> Option<End> {
        let (to, pin) = text.rsplit_once(':')?;
        (!to.is_empty()).then_some(())?;
        Some(End { to: to.to_owned(), pin: pin.parse().ok()? })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.to, self.pin)
    }
}

/// A value, and where it was said: a place of the source, or nowhere. Two are equal if their values are.
#[derive(Debug, Clone)]
pub struct Said<T> {
    /// What.
    pub value: T,
    /// Where.
    pub at: At,
}

impl<T: PartialEq> PartialEq for Said<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Deref for Said<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for Said<T> {
    fn from(value: T) -> Self {
        Said { value, at: None }
    }
}

impl<T: fmt::Display> fmt::Display for Said<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl MachineSpec {
    /// A machine with one hart of model `rv64`, a 10 MHz `mtime`, and nothing else.
    pub fn new(name: &str, description: &str) -> Self {
        MachineSpec {
            name: name.to_owned().into(),
            description: description.to_owned(),
            model: format!("hartwright,{name}"),
            compatible: vec![format!("hartwright,{name}")],
            timebase: 10_000_000.into(),
            cpu: Cpu {
                model: "rv64".to_owned().into(),
                properties: vec![],
                harts: 1.into(),
                min: 1.into(),
                max: 1.into(),
            },
            boot: Boot { reset: 0x1000.into(), firmware: 0x8000_0000.into() },
            numa: Numa::default(),
            memories: vec![],
            devices: vec![],
            cards: vec![],
            source: Source::built_in(name),
        }
    }

    /// Harts of the program's usual model, and as few as there may be, unless `-cpu` and `-smp` say otherwise.
    pub fn harts(&mut self, options: &Options, range: RangeInclusive<u64>) {
        let model = options.cpu.as_deref().unwrap_or(options.target.default_model());
        self.cpu = Cpu {
            model: model.to_owned().into(),
            properties: vec![],
            harts: options.harts.unwrap_or(*range.start()).into(),
            min: (*range.start()).into(),
            max: (*range.end()).into(),
        };
    }

    /// RAM.
    pub fn ram(&mut self, name: &str, base: u64, size: u64) {
        self.memory(name, true, base, size);
    }

    /// Memory that the guest cannot write.
    pub fn rom(&mut self, name: &str, base: u64, size: u64) {
        self.memory(name, false, base, size);
    }

    fn memory(&mut self, name: &str, writable: bool, base: u64, size: u64) {
        self.memories.push(Memory {
            name: name.to_owned().into(),
            writable,
            base: base.into(),
            size: size.into(),
        });
    }

    /// A device of type `class`; what is returned takes its lines, chardev, drive and properties.
    pub fn device(&mut self, name: &str, class: &str, base: u64, size: u64) -> &mut Device {
        self.devices.push(Device {
            name: name.to_owned().into(),
            class: class.to_owned().into(),
            base: base.into(),
            size: size.into(),
            lines: vec![],
            chardev: None,
            drive: None,
            properties: vec![],
        });
        let last = self.devices.len() - 1;
        &mut self.devices[last]
    }

    /// A card of type `class`; what is returned takes its bus, chardev, drive and properties.
    pub fn card(&mut self, name: &str, class: &str) -> &mut Card {
        self.cards.push(Card::new(name, class));
        let last = self.cards.len() - 1;
        &mut self.cards[last]
    }

    /// The host's ends of ports and disks that devices and cards name: each with the property that says it.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (&'static str, &Said<String>)> {
        let devices = self.devices.iter().map(|row| [(PORT, &row.chardev), (DISK, &row.drive)]);
        let cards = self.cards.iter().map(|row| [(PORT, &row.chardev), (DISK, &row.drive)]);
        devices.chain(cards).flatten().filter_map(|(what, end)| Some((what, end.as_ref()?)))
    }

    /// The names of the host's ends of ports, in the order told.
    pub fn chardevs(&self) -> impl Iterator<Item = &str> {
        self.ends().filter(|(what, _)| *what == PORT).map(|(_, name)| name.value.as_str())
    }

    /// The names of disks, each with that of its device or card.
    pub fn drives(&self) -> impl Iterator<Item = (&str, &str)> {
        let devices = self.devices.iter().map(|row| (&row.drive, &row.name));
        let all = devices.chain(self.cards.iter().map(|row| (&row.drive, &row.name)));
        all.filter_map(|(drive, name)| Some((drive.as_ref()?.as_str(), name.as_str())))
    }

    /// The RAM that `-m` sizes: the one called `ram`, else the first.
    pub fn main_ram(&self) -> Option<&Memory> {
        self.main_ram_index().map(|index| &self.memories[index])
    }

    fn main_ram_index(&self) -> Option<usize> {
        let ram =
            |named: bool| self.memories.iter().position(move |m| m.writable && (!named || *m.name == "ram"));
        ram(true).or_else(|| ram(false))
    }

    /// Gives the RAM that `-m` sizes another size; nothing happens without RAM, which the checker refuses.
    pub fn set_ram(&mut self, size: u64) {
        if let Some(index) = self.main_ram_index() {
            self.memories[index].size = size.into();
        }
    }
}

impl Device {
    /// Its line `name` ends at input `pin` of the device `to`.
    pub fn line(&mut self, name: &str, to: &str, pin: u32) -> &mut Self {
        self.lines.push((name.to_owned().into(), End { to: to.to_owned(), pin }.into()));
        self
    }

    /// The host's end of its port.
    pub fn chardev(&mut self, name: &str) -> &mut Self {
        self.chardev = Some(name.to_owned().into());
        self
    }

    /// Its disk.
    pub fn drive(&mut self, name: &str) -> &mut Self {
        self.drive = Some(name.to_owned().into());
        self
    }

    /// One property.
    pub fn property(&mut self, name: &str, value: impl Into<Given>) -> &mut Self {
        self.properties.push((name.to_owned().into(), value.into().into()));
        self
    }
}
