//! Finds what makes no sense in a specification, and says where, as a compiler does.

use crate::{
    Device, End, MachineSpec, Problem, Said,
    boards::unknown_cpu,
    cards::{Path, is_card},
    reset::Reset,
    source::first_is_to_blame,
    write::hex,
};
use hartwright_device as device;
use hartwright_device::Output;
use hartwright_isa::cpu::{CpuModel, MODELS, Target as Isa};
use hartwright_objects::{Class, Error, Given, Globals, Registry, Value, nearest, unlinked_advice};
use std::collections::HashMap;

/// A property's value for so many harts.
type ByHarts = fn(u64) -> Given;

/// The properties by which a device learns how many harts there are. Where a type has one and the specification
/// does not set it, it follows from the number of harts.
const BY_HARTS: &[(&str, ByHarts)] = &[
    ("num-harts", |harts| harts.into()),
    ("hart-config", |harts| vec!["MS"; harts as usize].join(",").into()),
];
/// The property that names the host's end of a port.
pub(crate) const PORT: &str = "chardev";
/// The property that names its disk.
pub(crate) const DISK: &str = "drive";
/// RAM and ROM begin and end at pages, because that is what a hart translates by.
const PAGE: u64 = hartwright_mem::PAGE;

/// A specification that makes sense: its devices exist, with their properties set.
pub struct Checked {
    /// What was checked.
    pub spec: MachineSpec,
    /// Its devices in the order of the specification, not yet wired.
    pub devices: Vec<Box<dyn device::Device>>,
    /// The outputs of each device.
    pub outputs: Vec<Vec<Output>>,
    /// Where the cards are, in the order of the specification: each is plugged into its device.
    pub(crate) cards: Vec<Path>,
}

/// Something that takes addresses.
struct Range<'a> {
    what: &'static str,
    name: &'a Said<String>,
    base: &'a Said<u64>,
    size: u64,
}

impl Range<'_> {
    fn end(&self) -> u64 {
        self.base.saturating_add(self.size)
    }
}

impl std::fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} '{}' ({}..{})", self.what, self.name, hex(**self.base), hex(self.end()))
    }
}

impl MachineSpec {
    /// The devices of this machine, if all of it makes sense. `globals` are the defaults that `-global` changed.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in the order of the specification; at least one problem.
    pub fn check(self, registry: &Registry, globals: &Globals) -> Result<Checked, Vec<Problem>> {
        let mut problems = vec![];
        self.check_harts(&mut problems);
        self.check_names(&mut problems);
        self.check_map(&mut problems);
        self.check_boot(&mut problems);
        let mut devices = vec![];
        for spec in &self.devices {
            match self.create(spec, registry, globals) {
                Ok(device) => devices.push(device),
                Err(mut found) => problems.append(&mut found),
            }
        }
        // Where a line may end is known only when all devices are.
        if devices.len() == self.devices.len() {
            let cards = self.plug_cards(&mut devices, registry, globals, &mut problems);
            let outputs: Vec<_> = devices.iter().map(|device| device.outputs()).collect();
            self.check_lines(&devices, &outputs, &mut problems);
            if problems.is_empty() {
                return Ok(Checked { spec: self, devices, outputs, cards });
            }
        }
        Err(problems)
    }

    fn check_harts(&self, problems: &mut Vec<Problem>) {
        let cpu = &self.cpu;
        let mut say = |at, message: String, advice: String| {
            problems.push(self.source.problem(at, message).advise(advice));
        };
        let range = |harts: &Said<u64>| harts.at.or(cpu.max.at).or(cpu.min.at);
        if *cpu.min == 0 || *cpu.max < *cpu.min || *cpu.max > 512 {
            let message = format!("from {} to {} harts are no range within 1 to 512", cpu.min, cpu.max);
            let most = (*cpu.max).max(*cpu.min).clamp(1, 512);
            say(range(&cpu.max), message, format!("min = 1 and max = {most} are one"));
        } else if !(*cpu.min..=*cpu.max).contains(&cpu.harts) {
            say(
                range(&cpu.harts),
                format!("{} harts, but this machine takes from {} to {}", cpu.harts, cpu.min, cpu.max),
                format!("harts = {}; max says how many there may be", (*cpu.harts).clamp(*cpu.min, *cpu.max)),
            );
        }
        if !(1..=u64::from(u32::MAX)).contains(&self.timebase) {
            say(
                self.timebase.at,
                format!("a timebase of {} Hz; the device tree takes 1 to 2^32 - 1", self.timebase),
                "timebase = 10_000_000 is 10 MHz".into(),
            );
        }
        // What a name means depends on the program's width; a machine is right if it is right for one.
        let models: Vec<&CpuModel> =
            [Isa::Riscv64, Isa::Riscv32].iter().filter_map(|target| target.find(&cpu.model)).collect();
        let mut wrong = models.iter().map(|model| self.cpu_model(model).err());
        if models.is_empty() {
            let near = nearest(&cpu.model, MODELS.iter().map(|model| model.name));
            let names = || MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", ");
            let advice = near
                .map_or_else(|| format!("there are {}", names()), |near| format!("did you mean '{near}'?"));
            problems.push(self.source.problem(cpu.model.at, unknown_cpu(&cpu.model)).advise(advice));
        } else if let Some(Some(problem)) = wrong.next()
            && wrong.all(|problem| problem.is_some())
        {
            problems.push(problem);
        }
    }

    /// `model` with what the machine switches on and off in it.
    ///
    /// # Errors
    ///
    /// A property that it has not, or what contradicts what.
    pub fn cpu_model(&self, model: &CpuModel) -> Result<CpuModel, Problem> {
        let rows = || self.cpu.properties.iter().map(|(name, on)| (name.as_str(), on.value));
        model.with(rows()).map_err(|why| {
            // One that is wrong by itself is to blame, else the last.
            let alone =
                |(name, on): &&(Said<String>, Said<bool>)| model.with([(name.as_str(), on.value)]).is_err();
            let rows = &self.cpu.properties;
            let row = rows.iter().find(alone).or(rows.last());
            let known = model.properties();
            let unknown = row.filter(|(name, _)| known.iter().all(|property| property.name != name.value));
            let near =
                unknown.and_then(|(name, _)| nearest(name, known.iter().map(|property| property.name)));
            let advice = match (unknown, near) {
                (_, Some(near)) => Some(format!("did you mean '{near}'?")),
                (Some(_), None) => Some(format!("-cpu {},help lists what it has", model.name)),
                (None, None) => None,
            };
            self.source.problem(row.and_then(|(name, _)| name.at), why).hint(advice)
        })
    }

    fn check_names(&self, problems: &mut Vec<Problem>) {
        let memories = self.memories.iter().map(|m| &m.name);
        let mut known: HashMap<&str, &Said<String>> = HashMap::new();
        let cards = self.cards.iter().map(|card| &card.name);
        for name in memories.chain(self.devices.iter().map(|d| &d.name)).chain(cards) {
            let end = End { to: name.value.clone(), pin: 0 };
            let mut advice = None;
            let message = if name.is_empty() || name.contains(['/', ':', ',', '=']) {
                format!("'{name}' cannot name anything: a name is not empty and has no '/', ':', ',' or '='")
            } else if end.hart().is_some() {
                format!("'{name}' is the name of a hart")
            } else if let Some(first) = known.insert(name, name) {
                advice = Some(self.other_name(name));
                format!("a second '{name}'; there is one already{}", self.source.aside(first.at))
            } else {
                continue;
            };
            problems.push(self.source.problem(name.at, message).hint(advice));
        }
    }

    /// What to call what has a name that is taken.
    fn other_name(&self, name: &str) -> String {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let taken = |new: &String| {
            self.memories.iter().any(|m| *m.name == *new)
                || self.devices.iter().any(|d| *d.name == *new)
                || self.cards.iter().any(|card| *card.name == *new)
        };
        let free = (1..).map(|number| format!("{stem}{number}")).find(|new| !taken(new)).unwrap_or_default();
        format!("'{free}' is free; [change.{name}] changes the one of a base")
    }

    fn ranges(&self) -> Vec<Range<'_>> {
        let memories = self.memories.iter().map(|m| {
            let what = if m.writable { "ram" } else { "rom" };
            Range { what, name: &m.name, base: &m.base, size: *m.size }
        });
        let devices = self.devices.iter();
        let devices = devices.map(|d| Range { what: "device", name: &d.name, base: &d.base, size: *d.size });
        memories.chain(devices).collect()
    }

    fn check_map(&self, problems: &mut Vec<Problem>) {
        let mut say = |problem| problems.push(problem);
        for memory in &self.memories {
            let name = &memory.name;
            let (base, size) = (*memory.base, *memory.size);
            if !base.is_multiple_of(PAGE) || !size.is_multiple_of(PAGE) {
                let (at, n) =
                    if base.is_multiple_of(PAGE) { (memory.size.at, size) } else { (memory.base.at, base) };
                let right = hex(n.checked_next_multiple_of(PAGE).unwrap_or(n / PAGE * PAGE));
                let message = format!("memory '{name}' begins and ends at pages, and {} is none", hex(n));
                say(self.source.problem(at, message).advise(format!("the next one is {right}")));
            }
        }
        let ranges = self.ranges();
        let sizes = self.memories.iter().map(|m| m.size.at).chain(self.devices.iter().map(|d| d.size.at));
        for (index, (range, size_at)) in ranges.iter().zip(sizes).enumerate() {
            if range.size == 0 {
                let message = format!("{} '{}' has no bytes", range.what, range.name);
                say(self.source.problem(size_at, message).advise("size = 0x1000 is a page of 4 KiB"));
            } else if range.base.checked_add(range.size - 1).is_none() {
                let message = format!("{} '{}' passes the end of the address space", range.what, range.name);
                let fits = 0_u64.wrapping_sub(**range.base);
                let advice = format!("at {}, {} bytes fit", hex(**range.base), hex(fits));
                say(self.source.problem(size_at, message).advise(advice));
            } else if let Some(other) = ranges[..index]
                .iter()
                .find(|o| o.size > 0 && **o.base < range.end() && **range.base < o.end())
            {
                let swap = first_is_to_blame(other.base.at, range.base.at);
                let (range, other) = if swap { (other, range) } else { (range, other) };
                let message = format!("{range} overlaps {other}{}", self.source.aside(other.base.at));
                let free = free(&ranges, range).map(|at| format!("{} is free", hex(at)));
                say(self.source.problem(range.base.at, message).hint(free));
            }
        }
        if !self.memories.iter().any(|m| m.writable) {
            let advice = format!(
                "[[memory]]\nname = \"ram\"\nkind = \"ram\"\nbase = {}\nsize = \"128M\"",
                hex(*self.boot.firmware)
            );
            say(self.source.problem(None, "the machine has no RAM".to_owned()).advise(advice));
        }
    }

    fn check_boot(&self, problems: &mut Vec<Problem>) {
        let inside = |at: u64, len: u64, writable: Option<bool>| {
            self.memories.iter().any(|m| {
                at >= *m.base
                    && at
                        .checked_sub(*m.base)
                        .and_then(|o| o.checked_add(len))
                        .is_some_and(|end| end <= *m.size)
                    && writable.is_none_or(|w| w == m.writable)
            })
        };
        let reset = &self.boot.reset;
        if !reset.is_multiple_of(8) || !inside(**reset, Reset::LEN, None) {
            let message = format!(
                "the reset code needs {} bytes of memory at a multiple of 8, and {} is no such place",
                Reset::LEN,
                hex(**reset)
            );
            let place = self.memories.iter().find(|m| !m.writable).or(self.memories.first());
            let advice = place.map(|m| format!("'{}' begins at {}", m.name, hex(*m.base)));
            problems.push(self.source.problem(reset.at, message).hint(advice));
        }
        let firmware = &self.boot.firmware;
        // Without any RAM that is the problem.
        // And what the base says is right where the base's memory is.
        let said = firmware.at.is_some() || problems.is_empty();
        if let Some(ram) = self.main_ram().filter(|_| said)
            && !inside(**firmware, 1, Some(true))
        {
            let message = format!("firmware goes into RAM, and at {} there is none", hex(**firmware));
            let advice = format!("'{}' begins at {}", ram.name, hex(*ram.base));
            problems.push(self.source.problem(firmware.at, message).advise(advice));
        }
    }

    fn create(
        &self,
        spec: &Device,
        registry: &Registry,
        globals: &Globals,
    ) -> Result<Box<dyn device::Device>, Vec<Problem>> {
        let mut device =
            registry.create::<dyn device::Device>(&spec.class, globals, []).map_err(|error| {
                let card = registry.class(&spec.class).is_ok_and(is_card);
                vec![match error {
                    Error::NotCreatable(name) if card => {
                        let message =
                            format!("a {name} is a card: it goes on a bus, and has no address of its own");
                        self.source.problem(spec.class.at, message).advise("[[card]], with a name and a type")
                    }
                    error => self.misfit(spec.class.at, &error),
                }]
            })?;
        let mut problems = vec![];
        for (name, value) in BY_HARTS {
            if device.class().property(name).is_ok() {
                // At most 512 where nothing else is wrong, and a text of more would be of no use.
                let given = value((*self.cpu.harts).min(512));
                problems.extend(
                    device.give(name, &given).err().map(|error| self.misfit(self.cpu.harts.at, &error)),
                );
            }
        }
        for (name, end) in [(PORT, &spec.chardev), (DISK, &spec.drive)] {
            let Some(end) = end else { continue };
            let given = end.value.clone().into();
            problems.extend(device.give(name, &given).err().map(|error| self.misfit(end.at, &error)));
        }
        for (name, value) in &spec.properties {
            if let Err(error) = device.give(name, value) {
                let unknown = matches!(error, Error::UnknownProperty { .. });
                let at = if unknown { name.at } else { value.at };
                let about = properties_advice(device.class(), name);
                problems.push(self.misfit(at, &error).or_advise(about));
            }
        }
        if problems.is_empty() && device.size() > *spec.size {
            let message = format!(
                "device '{}' has {} bytes of registers, and {} are too few",
                spec.name,
                hex(device.size()),
                hex(*spec.size)
            );
            let advice = format!("size = {}", hex(device.size()));
            problems.push(self.source.problem(spec.size.at, message).advise(advice));
        }
        if problems.is_empty() { Ok(device) } else { Err(problems) }
    }

    /// What `error` says of a device or card, at `at`.
    pub(crate) fn misfit(&self, at: crate::At, error: &Error) -> Problem {
        if let Error::UnknownType { name, near } = error {
            let message = format!("no device type '{name}' is linked in");
            return self.source.problem(at, message).advise(unlinked_advice(near.as_deref()));
        }
        let said = error.to_string();
        // What comes on a line of its own is advice.
        let (message, more) = said.split_once('\n').map_or((&*said, None), |(said, more)| (said, Some(more)));
        self.source.problem(at, message).hint(error.hint().or_else(|| more.map(str::to_owned)))
    }
}

/// What a property is, or which there are, for who set one wrongly.
fn properties_advice(class: &Class, name: &str) -> Option<String> {
    let all = (class.properties)();
    if let Some(known) = all.iter().find(|property| property.name == name) {
        let doc = known.doc.lines().next().unwrap_or_default();
        let default = match &known.default {
            Value::None => String::new(),
            value => format!(", {value} if it is not said"),
        };
        return Some(format!("'{name}' is a {}{default}: {doc}", known.kind));
    }
    let names: Vec<&str> = all.iter().map(|property| property.name).collect();
    match names.is_empty() {
        true => Some(format!("{} has no properties", class.name)),
        false => Some(format!("it has {}", names.join(", "))),
    }
}

/// The lowest address above `range`'s where it would overlap nothing.
fn free(ranges: &[Range<'_>], range: &Range<'_>) -> Option<u64> {
    let align = range.size.checked_next_power_of_two()?.min(1 << 30);
    let mut at = range.base.checked_next_multiple_of(align)?;
    let others: Vec<&Range<'_>> =
        ranges.iter().filter(|other| !std::ptr::eq(*other, range) && other.size > 0).collect();
    while let Some(other) = others.iter().find(|o| **o.base < at.saturating_add(range.size) && at < o.end()) {
        at = other.end().checked_next_multiple_of(align)?;
    }
    at.checked_add(range.size)?;
    Some(at)
}
