//! What there is to choose from, as the `help` values of options print it.

use hartwright_device::{Device, trace};
use hartwright_isa::cpu::Target;
use hartwright_machine::{Board, boards, parameters};
use hartwright_objects::{Category, Class, Globals, Property, Registry, Value, nearest, unlinked_advice};

use crate::{Face, Failure, not_yet};

/// `-machine help`.
pub(crate) fn machines() -> String {
    let lines =
        boards().into_iter().map(|board| format!("{:<20} {}\n", board.name(), sentence(board.description())));
    "Supported machines are:\n".to_owned() + &lines.collect::<String>()
}

/// What every machine takes besides its own.
const COMMON: [(&str, &str); 10] = [
    ("append", "What the kernel's command line is, as -append says it"),
    ("dtb", "The device tree to give instead of the machine's own, as -dtb says it"),
    ("dumpdtb", "Write the device tree to this file and end"),
    ("dumpspec", "Write the machine's description to this file and end"),
    ("firmware", "What runs first, as -bios says it"),
    ("initrd", "The kernel's first file system, as -initrd says it"),
    ("kernel", "The kernel, as -kernel says it"),
    ("memory-backend", "The id of the memory backend that all RAM is in"),
    ("memory.size", "The bytes of RAM, as -m says it in MiB"),
    ("smp", "The number of harts and their topology: smp.cpus and so on, as -smp says it"),
];

/// `-machine NAME,help`, of a built-in machine.
pub(crate) fn machine(name: &str) -> Option<String> {
    let board: &Board = boards().into_iter().find(|board| board.name() == name)?;
    let class = (board.class)();
    let mut lines: Vec<String> = (class.properties)().iter().map(property).collect();
    lines.extend(COMMON.map(|(name, doc)| line(&format!("{name}=<string>"), doc, "")));
    lines.extend(not_yet::MACHINE.iter().map(|(name, here)| {
        let only =
            if here.is_empty() { String::new() } else { format!(", other than {}", here.join(" and ")) };
        line(&format!("{name}=<string>"), &format!("not yet in hartwright{only}"), "")
    }));
    lines.sort();
    Some(format!("{} options:\n{}", class.name, lines.concat()))
}

/// `-machine FILE,help`.
///
/// # Errors
/// The file cannot be read, or what is wrong with it.
pub(crate) fn machine_file(name: &str) -> Result<String, Failure> {
    let row = |parameter: hartwright_machine::Parameter| {
        let default = match &parameter.default {
            Some(value) => format!(" (default: {})", crate::assemble::text(value)),
            None => " (must be given)".into(),
        };
        line(&format!("{}=<{}>", parameter.name, parameter.kind), sentence(&parameter.doc), &default)
    };
    let own = parameters(name).map_err(Failure::new)?.into_iter().map(row);
    let lines: String =
        own.chain(COMMON.map(|(name, doc)| line(&format!("{name}=<string>"), doc, ""))).collect();
    Ok(format!("{name} options:\n{lines}"))
}

/// What to say of a machine that there is not.
pub(crate) fn unknown_machine(name: &str) -> Failure {
    Failure::new(format!(
        "unsupported machine type: \"{name}\"\nUse -machine help to list supported machines"
    ))
}

/// `-cpu help`.
pub(crate) fn cpus(target: Target) -> String {
    "Available CPUs:\n".to_owned()
        + &target.models().map(|(name, _)| format!("  {name}\n")).collect::<String>()
}

/// `-cpu NAME,help`.
pub(crate) fn cpu(target: Target, name: &str) -> Option<String> {
    let model = target.find(name)?;
    let lines = model.properties().into_iter().map(|property| {
        let default = format!(" (default: {})", Value::Bool(property.on));
        line(&format!("{}=<bool>", property.name), property.doc, &default)
    });
    Some(format!("{name} options:\n{}", lines.collect::<String>()))
}

/// What to say of a CPU model that there is not.
pub(crate) fn unknown_cpu(target: Target, name: &str) -> String {
    let near = nearest(name, target.models().map(|(known, _)| known));
    let near = near.map_or(String::new(), |near| format!("\nDid you mean '{near}'?"));
    format!("unable to find CPU model '{name}'{near}")
}

/// The types that `-device` can make. An unsound registry is our own bug, which a test of the registry finds.
fn device_classes() -> Vec<&'static Class> {
    let Ok(registry) = Registry::linked() else { return Vec::new() };
    // Harts come with -smp.
    let pluggable = |class: &&'static Class| registry.is_a(class, "device") && !registry.is_a(class, "cpu");
    registry.classes().filter(|class| pluggable(class) && !class.is_abstract()).collect()
}

/// Can `-device` make this?
pub(crate) fn is_device(name: &str) -> bool {
    name == "loader"
        || device_classes().iter().any(|class| class.name == name || class.aliases.contains(&name))
}

/// `-trace help`: the events of all types of devices.
pub(crate) fn events() -> String {
    let Ok(registry) = Registry::linked() else { return String::new() };
    let make = |class: &Class| registry.create::<dyn Device>(class.name, &Globals::new(), []).ok();
    let registers = device_classes().into_iter().filter_map(make).flat_map(|device| {
        trace::events(device.class().name, &*device).into_iter().map(|event| (event.name, event.doc))
    });
    let others = [
        (
            "irq.DEVICE.PIN",
            "A line to that pin changed; DEVICE is what it ends at, hart0 for the first hart.",
        ),
        ("irq.DEVICE.OUTPUT", "That output of DEVICE changed."),
        ("dma.DEVICE.read", "DEVICE read memory."),
        ("dma.DEVICE.write", "DEVICE wrote memory."),
    ];
    let others = others.map(|(name, doc)| (name.to_owned(), doc));
    let lines = registers.chain(others).map(|(name, doc)| format!("{name:<36} {doc}\n"));
    format!(
        "Events by type of device; a device's own name may stand for its type, as in uart0.lcr.write.\n{}",
        lines.collect::<String>()
    )
}

/// What to say of a device type that there is not: of one that QEMU has, what there is in its place; of any other,
/// what may be meant, where QEMU's face has QEMU's words alone.
pub(crate) fn not_a_device(name: &str, face: Face) -> String {
    let known = ["-non-transitional", "-transitional"].iter().find_map(|end| name.strip_suffix(end));
    let known = known.unwrap_or(name);
    let there = |names: &str| names.split(' ').any(|other| other == known);
    let pci = there(not_yet::ON_PCI);
    if pci || there(not_yet::DEVICES) {
        let on_mmio = format!("{}-device", known.strip_suffix("-pci").unwrap_or(known));
        let named = not_yet::INSTEAD.iter().find(|(theirs, _)| *theirs == known).map(|(_, ours)| *ours);
        let instead = named.or(Some(&*on_mmio).filter(|name| is_device(name)));
        let hint = match instead {
            Some(ours) => format!("use -device {ours}"),
            None => "-device help lists what there is".into(),
        };
        let what = if pci { "a device on PCI, which is" } else { "a device that is" };
        return format!("'{name}' is {what} not yet in hartwright: {hint}");
    }
    let words = format!("'{name}' is not a valid device model name");
    if face == Face::Qemu {
        return words;
    }
    let classes = device_classes();
    let near = nearest(name, classes.iter().map(|class| class.name));
    format!("{words}\n{}", unlinked_advice(near.as_deref()))
}

/// `-device help`.
pub(crate) fn devices() -> String {
    let loader = ("loader", None, LOADER, Category::Misc);
    let mut rows: Vec<_> =
        device_classes().iter().map(|class| (class.name, class.bus, class.doc, class.category)).collect();
    rows.push(loader);
    rows.sort_by_key(|(name, _, _, category)| (*category, *name));
    let mut text = String::new();
    let mut last = None;
    for (name, bus, doc, category) in rows {
        if last.replace(category) != Some(category) {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{category} devices:\n"));
        }
        let bus = bus.map_or(String::new(), |bus| format!(", bus {bus}"));
        text.push_str(&format!("name \"{name}\"{bus}, desc \"{}\"\n", sentence(doc)));
    }
    text
}

const LOADER: &str = "Puts a file or a number into memory.";

/// `-device TYPE,help`.
pub(crate) fn device(name: &str) -> Option<String> {
    if name == "loader" {
        let rows = hartwright_machine::LOADER_PROPERTIES;
        let lines: String =
            rows.iter().map(|(name, kind, doc)| line(&format!("{name}=<{kind}>"), doc, "")).collect();
        return Some(format!("loader options:\n{lines}"));
    }
    let class =
        device_classes().into_iter().find(|class| class.name == name || class.aliases.contains(&name))?;
    let mut lines: Vec<String> = (class.properties)().iter().map(property).collect();
    lines.sort();
    match lines.is_empty() {
        true => Some(format!("There are no options for {name}.\n")),
        false => Some(format!("{name} options:\n{}", lines.concat())),
    }
}

fn property(property: &Property) -> String {
    let default = match &property.default {
        Value::None => String::new(),
        value => format!(" (default: {value})"),
    };
    line(&format!("{}=<{}>", property.name, property.kind), sentence(property.doc), &default)
}

fn line(name: &str, doc: &str, default: &str) -> String {
    format!("  {name:<22} - {doc}{default}\n")
}

/// A doc comment's first paragraph as one line without its full stop.
fn sentence(doc: &str) -> &str {
    doc.lines().next().unwrap_or_default().trim().trim_end_matches('.')
}
