//! A specification from TOML, every value with its place: the base, then what is included, then the file itself.

use crate::{
    Board, Options, Problem, Source,
    check::{DISK, PORT},
    files::{Files, Open, Part},
    parameters::{Parameter, Parameters},
    shape::{CHANGE_CARD, CHANGE_DEVICE, CHANGE_MEMORY, Form, Key, MACHINE},
    spec::{Card, Device, MachineSpec, Memory, Rows, Said},
    table::{Fault, Reading, Table},
};
use hartwright_objects::{Given, nearest};

/// What was read of a machine's files.
pub(crate) struct Read {
    /// The machine, unless something is missing from it that has to be there.
    pub(crate) spec: Option<MachineSpec>,
    /// What is wrong, by place.
    pub(crate) problems: Vec<Problem>,
    /// What can be set, by those who could be understood.
    pub(crate) parameters: Vec<Parameter>,
    /// The firmware of the built-in machine that it begins with.
    pub(crate) firmware: Option<&'static [u8]>,
}

impl MachineSpec {
    /// The machine that `text` describes; `file` is its name in messages. The base may be a built-in machine; other
    /// files are not opened. [`choose`](crate::choose) reads a file and those that it names.
    ///
    /// # Errors
    ///
    /// All that is not as it should be: TOML's syntax, missing and unknown keys, wrong types.
    /// What only makes no sense (overlaps, unknown types) is [`MachineSpec::check`]'s to find.
    pub fn read(file: &str, text: &str) -> Result<MachineSpec, Vec<Problem>> {
        let alone = |_: &str| Err("a text by itself has no other files".to_owned());
        let read = read(&alone, file, text, &Options::default());
        match read.spec {
            Some(spec) if read.problems.is_empty() => Ok(spec),
            _ => Err(read.problems),
        }
    }
}

/// Reads the file called `name`, whose text is `text`, and those that it names.
pub(crate) fn read(open: Open<'_>, name: &str, text: &str, options: &Options) -> Read {
    let mut reading = Reading::default();
    let files = Files::load(&reading, open, name, text);
    // A machine whose base cannot be read is not judged: whatever it changes would be missing.
    let parts = if reading.is_broken() { vec![] } else { files.parts() };
    let mut parameters = Parameters::default();
    for part in &parts {
        parameters.declare(&reading, &part.root(&reading));
    }
    if !reading.is_broken() {
        let first = parts.iter().find(|part| part.file == 0);
        let declared = first.and_then(|part| part.root(&reading).place("parameters"));
        parameters.set(&reading, &options.properties, declared.or(files.whole));
    }
    reading.parameters = parameters;

    // What the command line changes, it changes in the end.
    let options = Options {
        target: options.target,
        properties: properties(&reading, &parts, files.board),
        ..Options::default()
    };
    let of_board = files.board.and_then(|board| match (board.spec)(&options) {
        Ok((spec, _)) => Some(spec),
        Err(why) => {
            reading.fault(files.whole, why, None);
            None
        }
    });
    let mut spec = match of_board {
        Some(spec) => spec,
        None => MachineSpec { model: String::new(), compatible: vec![], ..MachineSpec::new("", "") },
    };
    let mut removed = vec![];
    for part in &parts {
        apply(&reading, &part.root(&reading), &mut spec, &mut removed);
        if spec.model.is_empty() {
            spec.model = format!("hartwright,{}", spec.name);
        }
        if spec.compatible.is_empty() {
            spec.compatible = vec![format!("hartwright,{}", spec.name)];
        }
    }
    if files.board.is_none() {
        all_there(&reading, &parts);
    }
    for name in &removed {
        still_needed(&reading, &spec, name);
    }

    let source = Source::files(files.texts.clone(), files.board.map(Board::name), files.whole);
    spec.source = source.clone();
    let parameters = std::mem::take(&mut reading.parameters).into_list();
    let (whole, faults) = reading.end();
    let problem = |fault: Fault| source.problem(fault.at, fault.message).hint(fault.advice);
    Read {
        spec: whole.then_some(spec),
        problems: faults.into_iter().map(problem).collect(),
        parameters,
        firmware: files.board.and_then(|board| board.firmware),
    }
}

/// What the files set of the properties of the machine that they begin with.
fn properties(reading: &Reading, parts: &[Part<'_>], board: Option<&Board>) -> Vec<(String, Given)> {
    let mut rows = vec![];
    for part in parts {
        merge(&mut rows, part.root(reading).rows("properties"));
    }
    let Some(board) = board else {
        if let Some((name, _)) = rows.first() {
            let advice = "name the machine to begin with: base = \"param\"";
            reading.fault(name.at, "only a built-in machine has properties", Some(advice.into()));
        }
        return vec![];
    };
    let class = (board.class)();
    let accepted = |(name, said): (Said<String>, Said<Given>)| {
        let known = class.property(&name);
        let at = if known.is_ok() { said.at } else { name.at };
        match known.and_then(|known| known.kind.accept(class.name, &name, &said.value)) {
            Ok(_) => Some((name.value, said.value)),
            Err(why) => {
                let all = (class.properties)();
                let list = match all {
                    [] => format!("{} has none", board.name()),
                    all => {
                        format!("it has {}", all.iter().map(|row| row.name).collect::<Vec<_>>().join(", "))
                    }
                };
                reading.fault(at, why.to_string(), Some(why.hint().unwrap_or(list)));
                None
            }
        }
    };
    rows.into_iter().filter_map(accepted).collect()
}

/// Notes what no file says and one has to. What is missing is missing from the file asked for.
fn all_there(reading: &Reading, parts: &[Part<'_>]) {
    let Some(root) = parts.iter().find(|part| part.file == 0).map(|part| part.root(reading)) else { return };
    let roots = || parts.iter().map(|part| part.root(reading));
    for key in MACHINE.keys.iter().filter(|key| key.need) {
        if !roots().any(|root| root.has(key.name)) {
            root.lacks(key);
        } else if let Form::Table(shape) = key.form {
            let table = root.table(key.name);
            let said = |key: &Key, of: &Key| {
                roots().any(|root| root.table(of.name).is_some_and(|table| table.has(key.name)))
            };
            for inner in shape.keys.iter().filter(|inner| inner.need && !said(inner, key)) {
                table.as_ref().unwrap_or(&root).lacks(inner);
            }
        }
    }
}

/// Notes the lines that end at something that was removed.
fn still_needed(reading: &Reading, spec: &MachineSpec, name: &Said<String>) {
    if spec.devices.iter().any(|device| device.name == *name) {
        return;
    }
    for device in &spec.devices {
        for (line, end) in device.lines.iter().filter(|(_, end)| end.to == **name) {
            let why = format!("'{name}' is removed, but line '{line}' of '{}' ends at {end}", device.name);
            let advice =
                format!("[change.{}] with lines = {{ {line} = false }} takes the line away", device.name);
            reading.fault(name.at, why, Some(advice));
        }
    }
}

/// Changes `spec` as a file says.
fn apply(reading: &Reading, root: &Table<'_>, spec: &mut MachineSpec, removed: &mut Vec<Said<String>>) {
    root.refuse_unknown();
    put(&mut spec.name, root.text("name"));
    put(&mut spec.timebase, root.number("timebase"));
    put_value(&mut spec.description, root.text("description"));
    put_value(&mut spec.model, root.text("model"));
    let compatible = root.texts("compatible");
    if root.has("compatible") {
        spec.compatible = compatible.into_iter().map(|said| said.value).collect();
    }
    if let Some(table) = root.table("cpu") {
        table.refuse_unknown();
        let model = table.text("model");
        if model.as_ref().is_some_and(|model| *model != spec.cpu.model) {
            // They were another model's.
            spec.cpu.properties.clear();
        }
        put(&mut spec.cpu.model, model);
        let switches = table.rows("properties").into_iter();
        let switch = |(name, said): (_, Said<Given>)| {
            (name, Said { value: said.value == Given::Bool(true), at: said.at })
        };
        merge(&mut spec.cpu.properties, switches.map(switch));
        put(&mut spec.cpu.harts, table.number("harts"));
        put(&mut spec.cpu.min, table.number("min"));
        put(&mut spec.cpu.max, table.number("max"));
    }
    if let Some(table) = root.table("boot") {
        table.refuse_unknown();
        put(&mut spec.boot.reset, table.number("reset"));
        put(&mut spec.boot.firmware, table.number("firmware"));
    }
    for name in root.texts("remove") {
        let before = spec.memories.len() + spec.devices.len() + spec.cards.len();
        spec.memories.retain(|memory| memory.name != name);
        spec.devices.retain(|device| device.name != name);
        spec.cards.retain(|card| card.name != name);
        if spec.memories.len() + spec.devices.len() + spec.cards.len() == before {
            missing(reading, spec, &name, "remove");
        }
        removed.push(name);
    }
    let shape = |name: &Said<String>| {
        if spec.devices.iter().any(|device| device.name == *name) {
            Some(&CHANGE_DEVICE)
        } else if spec.cards.iter().any(|card| card.name == *name) {
            Some(&CHANGE_CARD)
        } else if spec.memories.iter().any(|memory| memory.name == *name) {
            Some(&CHANGE_MEMORY)
        } else {
            missing(reading, spec, name, "change");
            None
        }
    };
    for (name, table) in root.named("change", shape) {
        table.refuse_unknown();
        if let Some(memory) = spec.memories.iter_mut().find(|memory| memory.name == name) {
            change_memory(memory, &table);
        }
        if let Some(device) = spec.devices.iter_mut().find(|device| device.name == name) {
            change_device(device, &table);
        }
        if let Some(card) = spec.cards.iter_mut().find(|card| card.name == name) {
            change_card(card, &table);
        }
    }
    for table in root.tables("memory") {
        table.refuse_unknown();
        table.complete();
        let zero = || 0.into();
        let mut memory = Memory { name: String::new().into(), writable: false, base: zero(), size: zero() };
        put(&mut memory.name, table.text("name"));
        change_memory(&mut memory, &table);
        spec.memories.push(memory);
    }
    for table in root.tables("device") {
        table.refuse_unknown();
        table.complete();
        let device = spec.device("", "", 0, 0);
        put(&mut device.name, table.text("name"));
        change_device(device, &table);
    }
    for table in root.tables("card") {
        table.refuse_unknown();
        table.complete();
        let card = spec.card("", "");
        put(&mut card.name, table.text("name"));
        change_card(card, &table);
    }
}

/// Notes that nothing has the name of what is to be removed or changed.
fn missing(reading: &Reading, spec: &MachineSpec, name: &Said<String>, what: &str) {
    let names = || {
        let memories = spec.memories.iter().map(|memory| memory.name.as_str());
        let devices = spec.devices.iter().map(|device| device.name.as_str());
        memories.chain(devices).chain(spec.cards.iter().map(|card| card.name.as_str()))
    };
    let advice = match nearest(name, names()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if names().next().is_none() => "name the machine to begin with: base = \"param\"".into(),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    reading.fault(name.at, format!("there is no '{name}' to {what}"), Some(advice));
}

fn change_memory(memory: &mut Memory, table: &Table<'_>) {
    put_value(&mut memory.writable, table.text("kind").map(|said| (said.value == "ram").into()));
    put(&mut memory.base, table.number("base"));
    put(&mut memory.size, table.number("size"));
}

fn change_device(device: &mut Device, table: &Table<'_>) {
    put(&mut device.class, table.text("type"));
    put(&mut device.base, table.number("base"));
    put(&mut device.size, table.number("size"));
    for (name, end) in table.lines("lines") {
        match end.value {
            Some(value) => merge(&mut device.lines, [(name, Said { value, at: end.at })]),
            None => device.lines.retain(|(other, _)| *other != name),
        }
    }
    put_or_take(table, [(PORT, &mut device.chardev), (DISK, &mut device.drive)]);
    merge(&mut device.properties, table.rows("properties"));
}

fn change_card(card: &mut Card, table: &Table<'_>) {
    put(&mut card.class, table.text("type"));
    put_or_take(table, [("bus", &mut card.bus), (PORT, &mut card.chardev), (DISK, &mut card.drive)]);
    merge(&mut card.properties, table.rows("properties"));
}

/// Sets what is text, and takes away what is `false`.
fn put_or_take<const N: usize>(table: &Table<'_>, places: [(&str, &mut Option<Said<String>>); N]) {
    for (key, place) in places {
        match table.value(key) {
            Some(Said { value: Given::Text(value), at }) => *place = Some(Said { value, at }),
            Some(_) => *place = None,
            None => {}
        }
    }
}

fn put<T>(place: &mut Said<T>, said: Option<Said<T>>) {
    if let Some(said) = said {
        *place = said;
    }
}

fn put_value<T>(place: &mut T, said: Option<Said<T>>) {
    if let Some(said) = said {
        *place = said.value;
    }
}

/// Sets rows by name; new ones come last.
fn merge<T>(rows: &mut Rows<T>, new: impl IntoIterator<Item = (Said<String>, Said<T>)>) {
    for (name, value) in new {
        match rows.iter_mut().find(|(other, _)| *other == name) {
            Some(row) => *row = (name, value),
            None => rows.push((name, value)),
        }
    }
}
