//! What a machine file may say: every table with its keys, each with its form, its meaning and an example.
//!
//! These rows are the one truth about the format: [`crate::table`] reads by them, its messages quote them, and the
//! JSON schema for editors is made from them.

use crate::End;
use hartwright_objects::{Given, Kind, Value};

/// A kind of table.
pub(crate) struct Shape {
    /// What messages call it.
    pub(crate) what: &'static str,
    /// What may stand in it.
    pub(crate) keys: &'static [Key],
}

/// What may stand in a table.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// Whether it has to be there; of the whole machine, unless its base says it.
    pub(crate) need: bool,
    /// As one might write it, without the name.
    pub(crate) example: &'static str,
    /// What it means.
    pub(crate) doc: &'static str,
}

/// What a key's value may be.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Text,
    Texts,
    /// The name of a machine or a file; no parameter can stand for it.
    Path,
    Paths,
    /// From 0 to 2^64 - 1.
    Number,
    /// Bytes, as a number or as text with a suffix.
    Size,
    /// One of these.
    Word(&'static [&'static str]),
    /// A type of devices.
    Class,
    /// A type of devices that go on another's bus.
    Card,
    /// A CPU model.
    Model,
    /// Any plain value.
    Plain,
    /// On or off.
    Switch,
    /// Where a line ends.
    Line,
    /// The same, or `false` for nowhere.
    LineOrNot,
    /// Text, or `false` for none.
    TextOrNot,
    /// A table of names chosen by the user, with values of this form.
    Rows(&'static Form),
    /// The properties of the device that they stand in.
    Properties,
    Table(&'static Shape),
    /// `[[key]]`, any number of times.
    Tables(&'static Shape),
    /// `[key.NAME]`, for any name; one of these.
    Named(&'static [&'static Shape]),
}

const fn key(name: &'static str, form: Form, need: bool, example: &'static str, doc: &'static str) -> Key {
    Key { name, form, need, example, doc }
}

/// What messages call the whole.
#[rustfmt::skip]
pub(crate) const MACHINE: Shape = Shape {
    what: "the machine",
    keys: &[
        key("base", Form::Path, false, "\"param\"", "the machine that this one changes: a built-in one, or a file beside this one (\"board.toml\")"),
        key("properties", Form::Rows(&Form::Plain), false, "{ aclint = true }", "the properties of the built-in machine that is the base; -machine NAME,help lists them"),
        key("include", Form::Paths, false, "[\"uarts.toml\"]", "files read before this one, in order, each once"),
        key("parameters", Form::Named(&[&PARAMETER]), false, "", "what -machine FILE,NAME=VALUE may set; \"${NAME}\" stands for the value"),
        key("name", Form::Text, true, "\"my-board\"", "what messages and monitors call it"),
        key("description", Form::Text, false, "\"a UART and a timer\"", "what it is, in a few words"),
        key("model", Form::Text, false, "\"me,my-board\"", "the device tree's model"),
        key("compatible", Form::Texts, false, "[\"me,my-board\"]", "the device tree's compatible, the most specific first"),
        key("timebase", Form::Number, true, "10_000_000", "ticks a second of mtime"),
        key("cpu", Form::Table(&CPU), true, "", "the harts, all alike"),
        key("boot", Form::Table(&BOOT), true, "", "where execution begins"),
        key("remove", Form::Texts, false, "[\"uart0\"]", "devices, cards and memories of the base, or of what is included, that this machine has not"),
        key("change", Form::Named(&[&CHANGE_DEVICE, &CHANGE_MEMORY, &CHANGE_CARD]), false, "", "a device, a card or a memory of the base, or of what is included, by its name; what is not said stays"),
        key("memory", Form::Tables(&MEMORY), false, "", "a region of memory"),
        key("device", Form::Tables(&DEVICE), false, "", "a device"),
        key("card", Form::Tables(&CARD), false, "", "a device on another device's bus"),
    ],
};

#[rustfmt::skip]
pub(crate) const CPU: Shape = Shape {
    what: "cpu",
    keys: &[
        key("model", Form::Model, true, "\"rv64\"", "the CPU model; -cpu changes it, -cpu help lists them"),
        key("properties", Form::Rows(&Form::Switch), false, "{ zba = false }", "what is switched on and off in the model; -cpu MODEL,help lists them"),
        key("harts", Form::Number, true, "1", "how many harts; -smp changes it"),
        key("min", Form::Number, false, "1", "the least that -smp may ask for"),
        key("max", Form::Number, true, "8", "the most"),
    ],
};

#[rustfmt::skip]
pub(crate) const BOOT: Shape = Shape {
    what: "boot",
    keys: &[
        key("reset", Form::Number, true, "0x1000", "where harts begin: the reset code is put there, in a rom"),
        key("firmware", Form::Number, true, "0x8000_0000", "where -bios goes, or -kernel when there is no firmware"),
    ],
};

const KINDS: Form = Form::Word(&["ram", "rom"]);

#[rustfmt::skip]
pub(crate) const MEMORY: Shape = Shape {
    what: "memory",
    keys: &[
        key("name", Form::Text, true, "\"ram\"", "its name; -m sizes the ram called \"ram\", or else the first"),
        key("kind", KINDS, true, "\"ram\"", "whether the guest can write it"),
        key("base", Form::Number, true, "0x8000_0000", "first address, where a page begins"),
        key("size", Form::Size, true, "\"128M\"", "bytes, whole pages of 4 KiB"),
    ],
};

#[rustfmt::skip]
pub(crate) const DEVICE: Shape = Shape {
    what: "device",
    keys: &[
        key("name", Form::Text, true, "\"uart0\"", "its name, and its id for monitors"),
        key("type", Form::Class, true, "\"ns16550a\"", "its type; -device help lists them"),
        key("base", Form::Number, true, "0x1000_0000", "first address of its registers"),
        key("size", Form::Size, true, "0x100", "bytes of its registers"),
        key("lines", Form::Rows(&Form::Line), false, "{ irq = \"plic:10\" }", "where its interrupt lines end: input PIN of device NAME, \"NAME:PIN\", or a bit of a hart's mip, \"hart0:11\""),
        key("chardev", Form::Text, false, "\"serial0\"", "the host's end of its port: \"serial0\" is the first -serial, anything else the id of a -chardev"),
        key("drive", Form::Text, false, "\"hd0\"", "its disk: the id of a -drive, or the node name of a -blockdev"),
        key("properties", Form::Properties, false, "{ reg-shift = 2 }", "its properties; -device TYPE,help lists them"),
    ],
};

#[rustfmt::skip]
pub(crate) const CARD: Shape = Shape {
    what: "card",
    keys: &[
        key("name", Form::Text, true, "\"disk0\"", "its name, and its id for monitors"),
        key("type", Form::Card, true, "\"virtio-blk-device\"", "its type; -device help lists them"),
        key("bus", Form::Text, false, "\"virtio0\"", "the device on whose bus it is, or the bus's own name; without it, the first bus that takes it"),
        key("chardev", Form::Text, false, "\"serial1\"", "the host's end of its port: \"serial0\" is the first -serial, anything else the id of a -chardev"),
        key("drive", Form::Text, false, "\"hd0\"", "its disk: the id of a -drive, or the node name of a -blockdev"),
        key("properties", Form::Properties, false, "{ num-queues = 2 }", "its properties; -device TYPE,help lists them"),
    ],
};

#[rustfmt::skip]
pub(crate) const CHANGE_CARD: Shape = Shape {
    what: "a change of a card",
    keys: &[
        key("type", Form::Card, false, "\"virtio-blk-device\"", "its type; -device help lists them"),
        key("bus", Form::TextOrNot, false, "\"virtio0\"", "the device on whose bus it is; false is the first bus that takes it"),
        key("chardev", Form::TextOrNot, false, "\"serial1\"", "the host's end of its port; false takes it away"),
        key("drive", Form::TextOrNot, false, "\"hd0\"", "its disk; false takes it away"),
        key("properties", Form::Properties, false, "{ num-queues = 2 }", "the properties that are otherwise"),
    ],
};

#[rustfmt::skip]
pub(crate) const CHANGE_MEMORY: Shape = Shape {
    what: "a change of memory",
    keys: &[
        key("kind", KINDS, false, "\"ram\"", "whether the guest can write it"),
        key("base", Form::Number, false, "0x8000_0000", "first address, where a page begins"),
        key("size", Form::Size, false, "\"128M\"", "bytes, whole pages of 4 KiB"),
    ],
};

#[rustfmt::skip]
pub(crate) const CHANGE_DEVICE: Shape = Shape {
    what: "a change of a device",
    keys: &[
        key("type", Form::Class, false, "\"ns16550a\"", "its type; -device help lists them"),
        key("base", Form::Number, false, "0x1000_0000", "first address of its registers"),
        key("size", Form::Size, false, "0x100", "bytes of its registers"),
        key("lines", Form::Rows(&Form::LineOrNot), false, "{ irq = \"plic:10\" }", "the lines that end elsewhere; false takes a line away"),
        key("chardev", Form::TextOrNot, false, "\"serial0\"", "the host's end of its port; false takes it away"),
        key("drive", Form::TextOrNot, false, "\"hd0\"", "its disk; false takes it away"),
        key("properties", Form::Properties, false, "{ reg-shift = 2 }", "the properties that are otherwise"),
    ],
};

/// The types of parameters, and the kind that each is in the object model.
pub(crate) const TYPES: &[(&str, Kind)] =
    &[("size", Kind::Size), ("number", Kind::UInt { bits: 64 }), ("bool", Kind::Bool), ("text", Kind::Str)];

#[rustfmt::skip]
pub(crate) const PARAMETER: Shape = Shape {
    what: "a parameter",
    keys: &[
        key("type", Form::Word(&["size", "number", "bool", "text"]), true, "\"size\"", "what it is; a size is a number of bytes, or text with a suffix"),
        key("default", Form::Plain, false, "\"128M\"", "its value where nobody gives one; without it, it must be given"),
        key("doc", Form::Text, false, "\"how much RAM\"", "what it is for, as -machine FILE,help tells"),
    ],
};

impl Shape {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Form {
    /// `given` as the reader wants it (a size as its bytes, a switch as a boolean), or what it should have been.
    pub(crate) fn read(self, given: Given) -> Result<Given, String> {
        let text = |given: &Given| matches!(given, Given::Text(_));
        let kind = |kind: Kind| kind.accept("", "", &given).ok();
        Ok(match self {
            Form::Text | Form::Path | Form::Class | Form::Card | Form::Model if text(&given) => given,
            Form::TextOrNot if text(&given) || given == Given::Bool(false) => given,
            Form::Texts | Form::Paths => match given {
                Given::List(list) if list.iter().all(text) => Given::List(list),
                _ => return Err(self.expects()),
            },
            Form::Number => match given {
                Given::Int(n) if u64::try_from(n).is_ok() => given,
                Given::Int(_) => return Err("a number from 0 to 2^64 - 1".into()),
                _ => return Err(self.expects()),
            },
            Form::Size => match kind(Kind::Size) {
                Some(Value::UInt(bytes)) => bytes.into(),
                _ => return Err(self.expects()),
            },
            Form::Switch => match kind(Kind::Bool) {
                Some(Value::Bool(on)) => on.into(),
                _ => return Err(self.expects()),
            },
            Form::Word(words) => match given {
                Given::Text(ref word) if words.contains(&&**word) => given,
                _ => return Err(self.expects()),
            },
            Form::LineOrNot if given == Given::Bool(false) => given,
            Form::Line | Form::LineOrNot => match given {
                Given::Text(ref end) if End::parse(end).is_some() => given,
                _ => return Err(self.expects()),
            },
            Form::Plain => given,
            _ => return Err(self.expects()),
        })
    }

    /// A value for who has none of the key's own; empty if that depends on the key.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Form::Line | Form::LineOrNot => "\"plic:10\"",
            Form::Switch => "true",
            _ => "",
        }
    }

    /// What a value should be, in words.
    pub(crate) fn expects(self) -> String {
        match self {
            Form::Text | Form::Path | Form::Class | Form::Card | Form::Model => "a string".into(),
            Form::Texts | Form::Paths => "a list of strings".into(),
            Form::Number => "a number, such as 0x1000_0000".into(),
            Form::Size => "a number of bytes, such as 0x1000 or \"128M\"".into(),
            Form::Word(words) => {
                words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
            }
            Form::Plain => "a string, number, boolean or list".into(),
            Form::Switch => "true or false".into(),
            Form::Line => "where the line ends, as \"NAME:PIN\", such as \"plic:10\"".into(),
            Form::LineOrNot => "where the line ends, as \"NAME:PIN\", or false to take it away".into(),
            Form::TextOrNot => "a string, or false to take it away".into(),
            Form::Rows(_) | Form::Properties | Form::Table(_) | Form::Tables(_) | Form::Named(_) => {
                "a table".into()
            }
        }
    }
}
