//! A specification as TOML that a person can read and change; the dump of a dump is the same text.

use crate::spec::{Card, Device, MachineSpec, Memory};
use hartwright_objects::Given;
use std::fmt::{self, Write};

impl fmt::Display for MachineSpec {
    /// The text that [`MachineSpec::read`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# A machine for hartwright: edit it, then run it with -machine ./FILE.toml")?;
        writeln!(f, "# Numbers are bytes or addresses; a size may also be text such as \"128M\".\n")?;
        row(f, "name", &quoted(&self.name), "")?;
        row(f, "description", &quoted(&self.description), "")?;
        row(f, "model", &quoted(&self.model), "what the guest's device tree says it is")?;
        let compatible: Vec<String> = self.compatible.iter().map(|text| quoted(text)).collect();
        row(f, "compatible", &format!("[{}]", compatible.join(", ")), "likewise, the most specific first")?;
        row(f, "timebase", &decimal(*self.timebase), "ticks a second of mtime")?;

        writeln!(f, "\n[cpu]")?;
        row(f, "model", &quoted(&self.cpu.model), "-cpu changes it; -cpu help lists them")?;
        let switches = self.cpu.properties.iter();
        table(f, "properties", switches.map(|(name, on)| (name.as_str(), on.to_string())))?;
        row(f, "harts", &self.cpu.harts.to_string(), "-smp changes it")?;
        row(f, "min", &self.cpu.min.to_string(), "the least that -smp may ask for")?;
        row(f, "max", &self.cpu.max.to_string(), "the most")?;

        writeln!(f, "\n[boot]")?;
        row(f, "reset", &hex(*self.boot.reset), "where harts begin: the reset code is put there, in a rom")?;
        row(
            f,
            "firmware",
            &hex(*self.boot.firmware),
            "where -bios goes, or -kernel when there is no firmware",
        )?;

        writeln!(f, "\n# The memory: -m sizes the ram called \"ram\", or else the first.")?;
        self.memories.iter().try_for_each(|memory| memory.fmt(f))?;
        writeln!(
            f,
            "\n# The devices. A line ends at an input of another device, \"plic:10\", or at a bit of a hart's"
        )?;
        writeln!(
            f,
            "# mip, \"hart0:11\". What a CLINT or PLIC drives in each hart follows from the number of harts."
        )?;
        self.devices.iter().try_for_each(|device| device.fmt(f))?;
        if !self.cards.is_empty() {
            writeln!(f, "\n# The cards: devices on the buses of others.")?;
        }
        self.cards.iter().try_for_each(|card| card.fmt(f))
    }
}

impl Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[[memory]]")?;
        row(f, "name", &quoted(&self.name), "")?;
        row(f, "kind", if self.writable { "\"ram\"" } else { "\"rom\"" }, "")?;
        row(f, "base", &hex(*self.base), "")?;
        row(f, "size", &hex(*self.size), &in_words(*self.size))
    }
}

impl Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[[device]]")?;
        row(f, "name", &quoted(&self.name), "")?;
        row(f, "type", &quoted(&self.class), "")?;
        row(f, "base", &hex(*self.base), "")?;
        row(f, "size", &hex(*self.size), "")?;
        let lines = self.lines.iter().map(|(name, end)| (name.as_str(), quoted(&end.to_string())));
        table(f, "lines", lines)?;
        if let Some(chardev) = &self.chardev {
            row(f, "chardev", &quoted(chardev), "")?;
        }
        if let Some(drive) = &self.drive {
            row(f, "drive", &quoted(drive), "")?;
        }
        table(f, "properties", self.properties.iter().map(|(name, value)| (name.as_str(), given(value))))
    }
}

impl Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[[card]]")?;
        row(f, "name", &quoted(&self.name), "")?;
        row(f, "type", &quoted(&self.class), "")?;
        for (key, said) in [("bus", &self.bus), ("chardev", &self.chardev), ("drive", &self.drive)] {
            if let Some(said) = said {
                row(f, key, &quoted(said), "")?;
            }
        }
        table(f, "properties", self.properties.iter().map(|(name, value)| (name.as_str(), given(value))))
    }
}

fn row(f: &mut fmt::Formatter<'_>, key: &str, value: &str, comment: &str) -> fmt::Result {
    match comment {
        "" => writeln!(f, "{key} = {value}"),
        _ => writeln!(f, "{:34} # {comment}", format!("{key} = {value}")),
    }
}

fn table<'a>(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    rows: impl Iterator<Item = (&'a str, String)>,
) -> fmt::Result {
    let rows: Vec<String> = rows.map(|(name, value)| format!("{} = {value}", bare(name))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "{key} = {{ {} }}", rows.join(", "))
}

/// A key: as it is where TOML lets it, else quoted.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { quoted(key) }
}

/// A basic string (TOML 1.0, String); `${` is doubled, because it would begin a parameter.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.replace("${", "$${").chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            c if c.is_control() => drop(write!(out, "\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

/// `0x1000_0000`: from the right in groups of four digits.
pub(crate) fn hex(n: u64) -> String {
    format!("0x{}", grouped(&format!("{n:x}"), 4))
}

fn decimal(n: u64) -> String {
    grouped(&n.to_string(), 3)
}

fn grouped(digits: &str, by: usize) -> String {
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(by) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

/// `128 MiB`; nothing for what is no round number of them.
fn in_words(n: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| n >> shift > 0 && n.trailing_zeros() >= *shift);
    unit.map_or(String::new(), |(shift, unit)| format!("{} {unit}", n >> shift))
}

fn given(value: &Given) -> String {
    match value {
        Given::Text(text) => quoted(text),
        Given::Bool(on) => on.to_string(),
        Given::Int(n) => match u64::try_from(*n) {
            Ok(n) => decimal(n),
            Err(_) => n.to_string(),
        },
        Given::Float(n) => format!("{n:?}"),
        Given::List(list) => format!("[{}]", list.iter().map(given).collect::<Vec<_>>().join(", ")),
    }
}
