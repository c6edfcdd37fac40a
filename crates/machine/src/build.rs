//! Makes the machine: address space, devices, wires, and the tree that names them all.

use crate::{
    Checked, End, MachineSpec,
    cards::{Path, card, card_mut},
    check::{DISK, PORT},
};
use hartwright_device::{
    Array, BlockPort, CharPort, Clock, Device, Dma, Entropy, Items, Line, Locked, Mtime, Power, Sink, Target,
    Wiring, trace,
};
use hartwright_mem::{AddressSpace, Backing};
use hartwright_objects::{Abstract, BASES, Class, Error, Given, Instance, Node, Object, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// The property that names a source of random bytes.
const SOURCE: &str = "rng";

/// A machine without harts: they come from the crate that runs them, which is above this one.
pub struct Frame {
    /// What it was made of.
    pub spec: MachineSpec,
    /// Its physical addresses.
    pub space: Arc<AddressSpace>,
    /// Its time, standing.
    pub clock: Clock,
    /// Its timer, which the harts' `time` shows.
    pub mtime: Arc<Mtime>,
    /// Its devices in the order of the specification.
    pub devices: Vec<Arc<Locked<dyn Device>>>,
    /// What firmware may ask for, of the [`Plan`](crate::Plan); nothing at first.
    pub items: Arc<Items>,
    outputs: Vec<Vec<hartwright_device::Output>>,
    /// Where each card is.
    cards: Vec<Path>,
}

/// A machine with everything in its place.
pub struct Machine {
    /// What it was made of.
    pub spec: MachineSpec,
    /// Its physical addresses.
    pub space: Arc<AddressSpace>,
    /// Its time.
    pub clock: Clock,
    /// Its timer.
    pub mtime: Arc<Mtime>,
    /// Its devices in the order of the specification; their names are there.
    pub devices: Vec<Arc<Locked<dyn Device>>>,
    /// The root of the object tree; the machine is at `/machine`.
    pub root: Node,
}

/// What the outside gives a machine.
#[derive(Clone, Default)]
pub struct Outside {
    /// The host's ends by name: `serial0`, and `-chardev` ids.
    pub ports: HashMap<String, CharPort>,
    /// Disks by the id of their `-drive` or their node's name.
    pub disks: HashMap<String, BlockPort>,
    /// What is added, wrapping, to what [`day`](Self::day) shows to have nanoseconds since 1970 began.
    pub epoch: u64,
    /// What the time of day goes by, where it is not the machine's clock.
    pub day: Option<Clock>,
    /// Random bytes, for devices that name no source.
    pub entropy: Entropy,
    /// Sources of random bytes by the ids of their `-object`.
    pub sources: HashMap<String, Entropy>,
    /// Where requests of power-off and reset go.
    pub power: Power,
}

/// A region of memory.
#[derive(Object)]
#[object(name = "memory-region", parent = "object")]
struct MemoryRegion {
    /// Its first address.
    #[property(default = 0)]
    addr: u64,
    /// Its bytes.
    #[property(default = 0)]
    size: u64,
    /// Whether the guest cannot write it.
    #[property(default = false)]
    readonly: bool,
}

/// A hart.
#[derive(Object)]
#[object(name = "riscv-hart", parent = "cpu")]
struct Hart {
    /// Its `mhartid`.
    #[property(default = 0)]
    hartid: u64,
    /// Its CPU model.
    #[property(default = String::new())]
    model: String,
}

/// The class of machines that come from a file.
fn machine_class() -> &'static Class {
    let class = BASES.iter().find(|class| class.name == "machine");
    class.expect("BASES has the machine")
}

impl Frame {
    /// The address space and devices of `checked`, nothing wired.
    ///
    /// # Errors
    ///
    /// The host has not that much memory.
    pub fn new(checked: Checked) -> Result<Frame, String> {
        Self::backed(checked, Clock::new(), vec![])
    }

    /// The same, which goes by `clock`, with files that stand for some of the main RAM.
    ///
    /// # Errors
    ///
    /// The host has not that much memory, or does not map a file.
    pub fn backed(checked: Checked, clock: Clock, backings: Vec<Backing>) -> Result<Frame, String> {
        let mut backings = Some(backings);
        let Checked { spec, devices, outputs, cards } = checked;
        let mtime = Mtime::new(clock.clone(), *spec.timebase);
        let mut map = AddressSpace::build();
        for memory in &spec.memories {
            let (name, base, size) = (memory.name.as_str(), *memory.base, *memory.size);
            let main = spec.main_ram().is_some_and(|main| main.name == memory.name);
            let fits = match (memory.writable, main.then(|| backings.take()).flatten()) {
                (true, Some(backings)) => map.backed_ram(name, base, size, backings),
                (true, None) => map.ram(name, base, size),
                (false, _) => map.rom(name, base, size),
            };
            fits.map_err(|why| why.to_string())?;
        }
        let devices: Vec<_> = devices.into_iter().map(Locked::new).collect();
        for (row, device) in spec.devices.iter().zip(&devices) {
            let (name, base, size) = (row.name.as_str(), *row.base, *row.size);
            let fits = match device.with(|device| device.array()) {
                true => map.flash(name, base, size, device.clone()),
                false => map.mmio(name, base, size, device.clone()),
            };
            fits.map_err(|why| why.to_string())?;
        }
        let space = map.finish().map_err(|why| format!("{why}; -m asks for less"))?;
        Ok(Frame { spec, space, clock, mtime, devices, items: Arc::default(), outputs, cards })
    }

    /// Wires the devices to each other, to `harts` (pins are bits of `mip`) and to the outside, and resets them.
    ///
    /// # Errors
    ///
    /// A chardev or a drive is not there, or a device refuses its properties.
    pub fn wire(
        self,
        object: Option<Box<dyn Object>>,
        harts: &[Arc<dyn Sink>],
        outside: &Outside,
    ) -> Result<Machine, String> {
        let ends: HashMap<String, Arc<dyn Sink>> = (0..harts.len())
            .map(|hart| format!("hart{hart}"))
            .zip(harts.iter().cloned())
            .chain(self.spec.devices.iter().map(|d| d.name.value.clone()).zip(self.devices.iter().map(sink)))
            .collect();
        let line = |from: &str, output: &str, end: &End| {
            let traced = |to: &Arc<dyn Sink>| trace::line(from, output, &end.to, end.pin, to.clone());
            ends.get(&end.to).map_or(Line::default(), |to| Line::new(traced(to), end.pin))
        };
        for (index, ((row, device), outputs)) in
            self.spec.devices.iter().zip(&self.devices).zip(&self.outputs).enumerate()
        {
            let object = |name: &str| device.with(|device| device.get(name));
            let lines = outputs.iter().map(|output| match output.target {
                Target::Hart { hart, bit } => {
                    line(&row.name, &output.name, &End { to: format!("hart{hart}"), pin: bit })
                }
                Target::Interrupt => {
                    let end = row.lines.iter().find(|(name, _)| *name.value == output.name);
                    end.map_or(Line::default(), |(_, end)| line(&row.name, &output.name, end))
                }
            });
            let wiring = Wiring {
                name: row.name.value.clone(),
                lines: lines.collect(),
                clock: self.clock.clone(),
                mtime: self.mtime.clone(),
                memory: Dma::new(&self.space),
                array: Array::new(&self.space, *row.base),
                chardev: port(&row.name, object(PORT), &outside.ports)?,
                block: disk(&row.class, object(DISK), &outside.disks)?,
                items: self.items.clone(),
                epoch: outside.epoch,
                day: outside.day.clone(),
                entropy: outside.entropy.clone(),
                power: outside.power.clone(),
                cards: self.card_wirings(&[index], outside)?,
                // `Locked::wire` puts the device here.
                me: device.clone(),
            };
            device.wire(wiring).map_err(|why| {
                self.spec.source.problem(row.name.at, format!("device '{}': {why}", row.name)).to_string()
            })?;
        }
        let root = self.tree(object).map_err(|why| why.to_string())?;
        let Frame { spec, space, clock, mtime, devices, .. } = self;
        Ok(Machine { spec, space, clock, mtime, devices, root })
    }

    /// What the cards at `on` are wired to, in their order.
    fn card_wirings(&self, on: &[usize], outside: &Outside) -> Result<Vec<Wiring>, String> {
        let mut wirings = vec![];
        for (row, path) in self.spec.cards.iter().zip(&self.cards) {
            if path.len() != on.len() + 1 || !path.starts_with(on) {
                continue;
            }
            let object =
                |name: &str| self.devices[path[0]].with(|device| card(device, &path[1..])?.get(name));
            wirings.push(Wiring {
                name: row.name.value.clone(),
                chardev: port(&row.name, object(PORT), &outside.ports)?,
                block: disk(&row.class, object(DISK), &outside.disks)?,
                entropy: source(object(SOURCE), outside)?,
                cards: self.card_wirings(path, outside)?,
                ..Wiring::default()
            });
        }
        Ok(wirings)
    }

    fn tree(&self, object: Option<Box<dyn Object>>) -> Result<Node, Error> {
        let root = Node::root(Abstract::container());
        let machine: Arc<dyn Instance> = match object {
            Some(object) => Arc::new(Mutex::new(object)),
            None => Arc::new(Abstract(machine_class())),
        };
        let machine = root.add("machine", machine)?;
        for memory in &self.spec.memories {
            let (addr, size) = (*memory.base, *memory.size);
            let region = MemoryRegion { addr, size, readonly: !memory.writable };
            machine.add(&memory.name, Arc::new(Mutex::new(region)))?;
        }
        for hartid in 0..*self.spec.cpu.harts {
            let hart = Hart { hartid, model: self.spec.cpu.model.value.clone() };
            machine.add(&format!("hart{hartid}"), Arc::new(Mutex::new(hart)))?;
        }
        let mut nodes = HashMap::new();
        for (row, device) in self.spec.devices.iter().zip(&self.devices) {
            nodes.insert(&*row.name.value, machine.add(&row.name, device.clone())?);
        }
        for (row, path) in self.spec.cards.iter().zip(&self.cards) {
            let above = &path[..path.len() - 1];
            let on = self.cards.iter().position(|other| other == above);
            let on = on.map_or(&self.spec.devices[path[0]].name, |card| &self.spec.cards[card].name);
            let device = self.devices[path[0]].clone();
            let class = device.with(|device| card(device, &path[1..]).map(Object::class));
            if let (Some(on), Some(class)) = (nodes.get(&*on.value).cloned(), class) {
                let card = Plugged { device, path: path[1..].to_vec(), class };
                nodes.insert(&*row.name.value, on.add(&row.name, Arc::new(card))?);
            }
        }
        // A line is a link of the one that drives it to the one that hears it.
        for row in &self.spec.devices {
            for (name, end) in &row.lines {
                let to = nodes.get(&*end.to).cloned().or_else(|| machine.child(&end.to));
                if let (Some(from), Some(to)) = (nodes.get(&*row.name.value), to) {
                    from.link(name, &to);
                }
            }
        }
        Ok(root)
    }
}

/// A card in its device's hands, as the object tree holds it.
struct Plugged {
    device: Arc<Locked<dyn Device>>,
    path: Path,
    class: &'static Class,
}

impl Instance for Plugged {
    fn class(&self) -> &'static Class {
        self.class
    }
    fn get(&self, property: &str) -> Option<Value> {
        self.device.with(|device| card(device, &self.path)?.get(property))
    }
    fn give(&self, property: &str, given: &Given) -> Result<(), Error> {
        self.device.with(|device| {
            if let Some(card) = card_mut(device, &self.path) {
                card.give(property, given)?;
            }
            device.given();
            Ok(())
        })
    }
}

fn sink(device: &Arc<Locked<dyn Device>>) -> Arc<dyn Sink> {
    device.clone()
}

/// The host's end of a device's port. A `serialN` that nobody gave is there, and leads nowhere.
fn port(device: &str, named: Option<Value>, ports: &HashMap<String, CharPort>) -> Result<CharPort, String> {
    let Some(Value::Str(name)) = named else {
        return Ok(CharPort::default());
    };
    let serial = name.strip_prefix("serial").is_some_and(|n| n.parse::<u32>().is_ok());
    match ports.get(&name) {
        Some(port) => Ok(port.clone()),
        None if serial || name.is_empty() => Ok(CharPort::default()),
        None => Err(format!(
            "device '{device}': chardev '{name}' not found; it is a serial0, serial1, ... or the id of a -chardev"
        )),
    }
}

/// A device's random bytes.
fn source(named: Option<Value>, outside: &Outside) -> Result<Entropy, String> {
    match named {
        Some(Value::Str(name)) => {
            outside.sources.get(&name).cloned().ok_or_else(|| format!("Device '{name}' not found"))
        }
        _ => Ok(outside.entropy.clone()),
    }
}

/// A device's disk. A `pflashN` that nobody gave is there, and empty.
fn disk(class: &str, named: Option<Value>, disks: &HashMap<String, BlockPort>) -> Result<BlockPort, String> {
    let Some(Value::Str(name)) = named else {
        return Ok(BlockPort::default());
    };
    let pflash = name.strip_prefix("pflash").is_some_and(|n| n.parse::<u32>().is_ok());
    match disks.get(&name) {
        Some(disk) => Ok(disk.clone()),
        None if pflash || name.is_empty() => Ok(BlockPort::default()),
        None => Err(format!("Property '{class}.{DISK}' can't find value '{name}'")),
    }
}

impl Machine {
    /// Resets all devices; memory and harts are for others to reset ([`Plan::load`](crate::Plan::load)).
    pub fn reset(&self) {
        self.devices.iter().for_each(|device| device.reset());
    }

    /// The device of that name.
    pub fn device(&self, name: &str) -> Option<&Arc<Locked<dyn Device>>> {
        let index = self.spec.devices.iter().position(|device| *device.name == name)?;
        self.devices.get(index)
    }
}
