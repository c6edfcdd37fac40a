//! A device's page of documentation, from its type, its properties and its register table.

use crate::{Access, Device, Field, Otherwise, Register, Table, Target};
use hartwright_objects::{Class, Value};
use std::fmt::Write;

/// The page of `device`, which has its default properties, in Markdown.
pub fn page(device: &dyn Device) -> String {
    let (class, table) = (device.class(), device.table());
    let mut text = format!("# {}\n\n{}\n\n", class.name, line(class.doc));
    let mut facts = vec![];
    if !class.aliases.is_empty() {
        facts.push(("Also called", code(class.aliases)));
    }
    if !device.compatible().is_empty() {
        facts.push(("`compatible`", code(device.compatible())));
        facts.push(("Node in the device tree", format!("`{}`", device.node())));
    }
    facts.push(("Address space", format!("{:#x} bytes", device.size())));
    facts.push(("Accesses", accesses(table)));
    if device.inputs() > 0 {
        facts.push(("Inputs", format!("{}, from pin 0", device.inputs())));
    }
    if !device.outputs().is_empty() {
        facts.push(("Outputs", outputs(device)));
    }
    text.push_str("| | |\n| --- | --- |\n");
    for (name, value) in facts {
        let _ = writeln!(text, "| {name} | {value} |");
    }

    properties(&mut text, class);

    text.push_str("\n## Registers\n\n| offset | name | bits | reset | what it is |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for row in table.rows {
        let _ = writeln!(
            text,
            "| {} | [`{}`](#{}){} | {} | {} | {} |",
            offset(row),
            row.name,
            row.name,
            elements(row),
            8 * row.width,
            reset(row),
            line(row.doc)
        );
    }
    table.rows.iter().for_each(|row| register(&mut text, row));
    text
}

fn register(text: &mut String, row: &Register) {
    let _ = write!(text, "\n### {}\n\n", row.name);
    if !row.doc.is_empty() {
        let _ = write!(text, "{}\n\n", line(row.doc));
    }
    text.push_str("| bits | field | access | what it is |\n| --- | --- | --- | --- |\n");
    let mut fields: Vec<_> = row.fields.iter().collect();
    fields.sort_by_key(|(_, field)| std::cmp::Reverse(field.lo()));
    for (name, field) in fields {
        let bits = match (field.hi(), field.lo()) {
            (hi, lo) if hi == lo => lo.to_string(),
            (hi, lo) => format!("{hi}:{lo}"),
        };
        let _ = writeln!(text, "| {bits} | `{name}` | {} | {} |", access(*field), what(*field));
    }
}

fn what(field: Field) -> String {
    let values: Vec<_> = field.names().iter().map(|(name, value)| format!("{value} = {name}")).collect();
    let values = if values.is_empty() { String::new() } else { format!("Values: {}.", values.join(", ")) };
    [line(field.doc()), values].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn access(field: Field) -> &'static str {
    match field.access() {
        Access::RW => "RW",
        Access::RO => "RO",
        Access::WO => "WO",
        Access::W1C => "W1C",
        Access::W1S => "W1S",
        Access::RC => "RC",
    }
}

fn offset(row: &Register) -> String {
    match row.count {
        1 => format!("{:#x}", row.offset),
        _ => format!("{:#x} + {:#x}·n", row.offset, row.stride),
    }
}

fn elements(row: &Register) -> String {
    if row.count > 1 { format!("`[{}]`", row.count) } else { String::new() }
}

/// What is not stored has no value of its own after a reset.
fn reset(row: &Register) -> String {
    if row.stored { format!("{:#x}", row.reset) } else { String::new() }
}

fn accesses(table: &Table) -> String {
    let widths: Vec<_> = table.widths.iter().map(|bytes| (8 * bytes).to_string()).collect();
    let otherwise = match table.otherwise {
        Otherwise::Fault => "any other faults",
        Otherwise::Ignore => "any other reads 0 and writes nothing",
    };
    let aligned = if table.unaligned { "" } else { ", aligned" };
    let order = if table.big { ", most significant byte first" } else { "" };
    format!("{} bits wide{aligned}{order}; {otherwise}", widths.join(", "))
}

fn outputs(device: &dyn Device) -> String {
    let output = |output: crate::Output| match output.target {
        Target::Interrupt => format!("`{}`, an interrupt", output.name),
        Target::Hart { hart, bit } => format!("`{}`, bit {bit} of hart {hart}'s `mip`", output.name),
    };
    device.outputs().into_iter().map(output).collect::<Vec<_>>().join("; ")
}

fn code(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A doc comment as one line that a table of Markdown can hold.
fn line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The page of a type of cards, which has no registers of its own.
pub fn card_page(class: &Class) -> String {
    let mut text = format!("# {}\n\n{}\n\n| | |\n| --- | --- |\n", class.name, line(class.doc));
    let _ = writeln!(text, "| Bus | `{}` |", class.bus.unwrap_or_default());
    properties(&mut text, class);
    text
}

fn properties(text: &mut String, class: &Class) {
    text.push_str("\n## Properties\n\n");
    let properties = (class.properties)();
    match properties {
        [] => text.push_str("None.\n"),
        _ => text.push_str("| name | kind | default | what it is |\n| --- | --- | --- | --- |\n"),
    }
    for property in properties {
        let default = match &property.default {
            Value::None => String::new(),
            value => format!("`{value}`"),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {default} | {} |",
            property.name,
            property.kind,
            line(property.doc)
        );
    }
}

/// The page that lists `devices` and `cards`, each with its own page beside it.
pub fn index(devices: &[Box<dyn Device>], cards: &[&Class]) -> String {
    let mut text = "# Devices\n\n\
        What a guest and a board see of each device, written from the code by `cargo xtask docs`. Accesses: RW read and\n\
        write; RO writes change nothing; WO reads as zero; W1C and W1S writing one clears and sets; RC reading clears. Bits\n\
        in no field read as zero and ignore writes.\n\n\
        | type | `compatible` | what it is |\n| --- | --- | --- |\n"
        .to_owned();
    for device in devices {
        let (name, compatible) = (device.class().name, code(device.compatible()));
        let _ = writeln!(text, "| [{name}]({name}.md) | {compatible} | {} |", line(device.class().doc));
    }
    text.push_str("\n## Cards\n\nWhat goes on another device's bus.\n\n");
    text.push_str("| type | bus | what it is |\n| --- | --- | --- |\n");
    for class in cards {
        let (name, bus) = (class.name, class.bus.unwrap_or_default());
        let _ = writeln!(text, "| [{name}]({name}.md) | `{bus}` | {} |", line(class.doc));
    }
    text
}
