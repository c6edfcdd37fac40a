//! Which buses there are, and which card is on which: `bus = "virtio0"`, or the next one with room.

use crate::{
    Card, MachineSpec, Problem, Rows, Said,
    check::{DISK, PORT},
};
use hartwright_device::{self as device, Device, NewCard};
use hartwright_objects::{Class, Error, Given, Globals, Registry, nearest};

/// Where a card is: its device's index in the machine, then on each bus on the way the index of the card there.
pub(crate) type Path = Vec<usize>;

/// The devices of a machine to be, with the cards that are plugged in so far.
pub(crate) struct Buses<'a> {
    /// By name, in the order of the specification.
    pub(crate) devices: Vec<(&'a str, Box<dyn Device>)>,
    /// The cards' names and places, in the order they were plugged in.
    pub(crate) cards: Vec<(&'a str, Path)>,
}

/// A bus that is there.
pub(crate) struct Seat {
    path: Path,
    /// What it is called: as QEMU numbers it, and by its device.
    pub(crate) names: [String; 3],
    bus: device::Bus,
}

/// Something with a bus, or a card on one.
enum At<'a> {
    Device(&'a mut dyn Device),
    Card(&'a mut dyn device::Card),
}

impl<'a> Buses<'a> {
    fn seats(&self) -> Vec<Seat> {
        let mut numbers: Vec<(&str, usize)> = vec![];
        let mut seats = vec![];
        let roots =
            self.devices.iter().enumerate().map(|(at, (name, device))| (*name, vec![at], device.bus()));
        let cards = self.cards.iter().map(|(name, path)| {
            let bus = card(&*self.devices[path[0]].1, &path[1..]).and_then(device::Card::bus);
            (*name, path.clone(), bus)
        });
        for (name, path, bus) in roots.chain(cards) {
            let Some(bus) = bus else { continue };
            let number = numbers.iter().filter(|(other, _)| *other == bus.name).count();
            numbers.push((bus.name, number));
            let names = [format!("{}.{number}", bus.name), format!("{name}.0"), name.to_owned()];
            seats.push(Seat { path, names, bus });
        }
        seats
    }

    /// The bus called `name`, or else the one of the right kind that QEMU would take, for a card of type `class`.
    pub(crate) fn find(&self, class: &Class, name: Option<&str>) -> Result<Seat, Error> {
        let say = |why: String| Err(Error::Senseless(why));
        let kind = class.bus.unwrap_or_default();
        let mut seats = self.seats();
        let Some(name) = name else {
            // The last device first, and of what is on it the first.
            seats.sort_by(|a, b| b.path[0].cmp(&a.path[0]).then(a.path.cmp(&b.path)));
            let free = seats.into_iter().find(|seat| seat.bus.kind == kind && seat.bus.room);
            return free
                .map_or_else(|| say(format!("No '{kind}' bus found for device '{}'", class.name)), Ok);
        };
        match seats.iter().position(|seat| seat.names.iter().any(|known| known == name)) {
            None => {
                let all = seats.iter().filter(|seat| seat.bus.kind == kind).flat_map(|seat| &seat.names);
                let near = nearest(name, all.map(String::as_str));
                let near = near.map_or(String::new(), |near| format!("\ndid you mean '{near}'?"));
                say(format!("Bus '{name}' not found{near}"))
            }
            Some(at) if seats[at].bus.kind != kind => {
                say(format!("Device '{}' can't go on {} bus", class.name, seats[at].bus.name))
            }
            Some(at) if !seats[at].bus.room => say(format!("Bus '{name}' is full")),
            Some(at) => Ok(seats.swap_remove(at)),
        }
    }

    /// Where a card of type `class` could be, for who wants it where it cannot.
    fn advice(&self, class: &Class, registry: &Registry) -> String {
        let Some(kind) = class.bus.filter(|_| is_card(class)) else {
            return format!("a {} has an address, and goes on no bus: [[device]]", class.name);
        };
        let free = self.seats().into_iter().filter(|seat| seat.bus.kind == kind && seat.bus.room);
        let free: Vec<String> = free.map(|seat| format!("'{}'", seat.names[0])).collect();
        if !free.is_empty() {
            return format!("there is room on {}", free.join(", "));
        }
        let new = |class: &Class| registry.create::<dyn Device>(class.name, &Globals::new(), []).ok();
        let has = |class: &&'static Class| {
            new(class).and_then(|device| device.bus()).is_some_and(|bus| bus.kind == kind)
        };
        let types: Vec<&str> = registry.classes().filter(has).map(|class| class.name).collect();
        match &types[..] {
            [] => format!("no card of this machine has a '{kind}' with room"),
            types => format!(
                "no device of this machine has a '{kind}' with room; one more would: {}",
                types.join(", ")
            ),
        }
    }

    /// Makes the card that `spec` describes on the bus `seat`; what is wrong with it comes with its place.
    pub(crate) fn plug(
        &mut self,
        spec: &'a Card,
        seat: &Seat,
        registry: &Registry,
        globals: &Globals,
    ) -> Result<(), Box<(crate::At, Error)>> {
        let new = NewCard { registry, globals, class: &spec.class };
        let made = match self.at(&seat.path) {
            Some(At::Device(device)) => device.plug(&new).map(|()| device.cards().len()),
            Some(At::Card(card)) => card.plug(&new).map(|()| card.cards().len()),
            None => Err(new.misplaced()),
        };
        let count = made.map_err(|error| Box::new((spec.class.at, error)))?;
        let mut path = seat.path.clone();
        path.push(count.saturating_sub(1));
        self.cards.push((&spec.name, path.clone()));
        let Some(At::Card(card)) = self.at(&path) else {
            return Err(Box::new((spec.class.at, new.misplaced())));
        };
        for (name, end) in [(PORT, &spec.chardev), (DISK, &spec.drive)] {
            let Some(end) = end else { continue };
            card.give(name, &end.value.clone().into()).map_err(|error| Box::new((end.at, error)))?;
        }
        for (name, value) in &spec.properties {
            card.give(name, value).map_err(|error| {
                let unknown = matches!(error, Error::UnknownProperty { .. });
                Box::new((if unknown { name.at } else { value.at }, error))
            })?;
        }
        // What is above it may not want one like it.
        while path.len() > 1 {
            if let Some(At::Card(card)) = self.at(&path) {
                card.check().map_err(|error| Box::new((spec.name.at, error)))?;
            }
            path.pop();
        }
        Ok(())
    }

    fn at(&mut self, path: &[usize]) -> Option<At<'_>> {
        let (root, rest) = path.split_first()?;
        let device = &mut *self.devices.get_mut(*root)?.1;
        if rest.is_empty() { Some(At::Device(device)) } else { card_mut(device, rest).map(At::Card) }
    }
}

/// The card of `device` at `path`.
pub(crate) fn card<'d>(device: &'d dyn Device, path: &[usize]) -> Option<&'d dyn device::Card> {
    let (first, rest) = path.split_first()?;
    let top = device.cards().into_iter().nth(*first)?;
    rest.iter().try_fold(top, |card, at| card.cards().into_iter().nth(*at))
}

/// The same, to be changed.
pub(crate) fn card_mut<'d>(device: &'d mut dyn Device, path: &[usize]) -> Option<&'d mut dyn device::Card> {
    let (first, rest) = path.split_first()?;
    let top = device.cards_mut().into_iter().nth(*first)?;
    rest.iter().try_fold(top, |card, at| card.cards_mut().into_iter().nth(*at))
}

/// Whether things of type `class` are plugged into a device's bus, and not into the machine.
pub(crate) fn is_card(class: &Class) -> bool {
    class.bus.is_some_and(|bus| bus != "System")
}

impl MachineSpec {
    /// Plugs all cards into `devices`, which are those of the specification; gives the cards' places.
    pub(crate) fn plug_cards(
        &self,
        devices: &mut Vec<Box<dyn Device>>,
        registry: &Registry,
        globals: &Globals,
        problems: &mut Vec<Problem>,
    ) -> Vec<Path> {
        let names = self.devices.iter().map(|row| row.name.as_str());
        let mut buses = Buses { devices: names.zip(std::mem::take(devices)).collect(), cards: vec![] };
        for spec in &self.cards {
            let misfit = |at: crate::At, error: &Error| self.misfit(at.or(spec.name.at), error);
            let class = match registry.class(&spec.class) {
                Ok(class) => class,
                Err(error) => {
                    problems.push(misfit(spec.class.at, &error));
                    continue;
                }
            };
            let bus = spec.bus.as_ref();
            match buses.find(class, bus.map(|bus| bus.as_str())) {
                Ok(seat) => {
                    let plugged = buses.plug(spec, &seat, registry, globals);
                    problems.extend(plugged.err().map(|wrong| misfit(wrong.0, &wrong.1)));
                }
                Err(error) => {
                    let at = bus.map_or(spec.class.at, |bus| bus.at);
                    problems.push(misfit(at, &error).or_advise(Some(buses.advice(class, registry))));
                }
            }
        }
        let Buses { devices: all, cards } = buses;
        devices.extend(all.into_iter().map(|(_, device)| device));
        cards.into_iter().map(|(_, path)| path).collect()
    }

    /// `-device TYPE,...` of a type that is a card.
    pub(crate) fn plug_card<'a>(
        &mut self,
        registry: &Registry,
        class: &'static Class,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Error> {
        let stem = class.name.strip_suffix("-device").unwrap_or(class.name);
        let mut new = Card::new("", class.name);
        let mut bus = None;
        for (name, value) in pairs {
            match name {
                "driver" => {}
                "bus" => bus = Some(value),
                "id" => new.name = value.to_owned().into(),
                PORT => new.chardev = Some(value.to_owned().into()),
                DISK => new.drive = Some(value.to_owned().into()),
                _ => new.properties.push((name.to_owned().into(), Given::from(value).into())),
            }
        }
        let taken = |name: &str| {
            self.devices.iter().any(|row| *row.name == name) || self.cards.iter().any(|row| *row.name == name)
        };
        if new.name.is_empty() {
            let mut names = (0..).map(|number| format!("{stem}{number}"));
            new.name = names.find(|name| !taken(name)).unwrap_or_default().into();
        } else if taken(&new.name) {
            return Err(Error::Senseless(format!("Duplicate ID '{}' for device", new.name)));
        }
        new.bus = Some(self.try_out(registry, class, &new, bus)?.into());
        self.cards.push(new);
        Ok(())
    }

    /// Which bus takes `new`, with all that is there plugged in before.
    fn try_out(
        &self,
        registry: &Registry,
        class: &Class,
        new: &Card,
        bus: Option<&str>,
    ) -> Result<String, Error> {
        let globals = Globals::new();
        let made = |row: &crate::Device| {
            let mut device = registry.create::<dyn Device>(&row.class, &globals, []).ok()?;
            // What is wrong with it is said where all is checked.
            give_all(&mut *device, &row.properties);
            Some(device)
        };
        let there = self.devices.iter().filter_map(|row| Some((row.name.as_str(), made(row)?)));
        let mut buses = Buses { devices: there.collect(), cards: vec![] };
        for card in &self.cards {
            let class = registry.class(&card.class)?;
            if let Ok(seat) = buses.find(class, card.bus.as_ref().map(|bus| bus.as_str())) {
                // Likewise.
                drop(buses.plug(card, &seat, registry, &globals));
            }
        }
        let seat = buses.find(class, bus)?;
        buses.plug(new, &seat, registry, &globals).map_err(|misfit| misfit.1)?;
        let [name, ..] = seat.names;
        Ok(bus.map_or(name, str::to_owned))
    }
}

fn give_all(device: &mut dyn Device, properties: &Rows<Given>) {
    for (name, value) in properties {
        let _ = device.give(name, value);
    }
}

impl Card {
    /// A card of type `class` on the first bus that takes it.
    pub fn new(name: &str, class: &str) -> Self {
        let said = |text: &str| Said::from(text.to_owned());
        Card {
            name: said(name),
            class: said(class),
            bus: None,
            chardev: None,
            drive: None,
            properties: vec![],
        }
    }

    /// The bus that it is on, by its own name or its device's.
    pub fn bus(&mut self, name: &str) -> &mut Self {
        self.bus = Some(name.to_owned().into());
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
