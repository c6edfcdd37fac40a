//! Nodes: what an image is made of, as options say it, and how names between them are resolved.

use super::{DRIVERS_NOT_YET, not_yet};
use crate::{
    chain::{Backing, Format, Node},
    image::Manner,
};
use hartwright_backend::opts::{Refusal, parse_switch};
use serde_json::Value;
use std::collections::HashMap;

/// Pairs of an option, in the order given.
pub(super) type Pairs = Vec<(String, String)>;

/// Whose words a refusal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `-drive`.
    Drive,
    /// `-blockdev`.
    Blockdev,
}

/// A node as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) name: Option<String>,
    /// A format of ours; `None` for a file, or where it is to be guessed.
    pub(super) format: Option<Format>,
    /// A file by itself, not a format on one.
    protocol: bool,
    lossy: bool,
    path: Option<String>,
    file: Option<Box<Child>>,
    backing: Option<Option<Box<Child>>>,
    locking: Option<bool>,
    pub(super) read_only: Option<bool>,
    pub(super) direct: Option<bool>,
    pub(super) no_flush: Option<bool>,
    pub(super) unmap: Option<bool>,
    /// On, and whether with unmap.
    pub(super) detect_zeroes: Option<(bool, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Child {
    Name(String),
    Inline(Written),
}

/// Takes the last value of `key`.
pub(super) fn take(pairs: &mut Pairs, key: &str) -> Option<String> {
    let value = pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    pairs.retain(|(name, _)| name != key);
    value
}

pub(super) fn take_switch(pairs: &mut Pairs, at: &str, key: &str) -> Result<Option<bool>, Refusal> {
    let name = format!("{at}{key}");
    take(pairs, key).map(|value| parse_switch(&name, &value)).transpose()
}

/// Takes what begins with `key` and a dot, without these.
fn take_below(pairs: &mut Pairs, key: &str) -> Pairs {
    let below =
        |name: &str| name.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
    let taken = pairs.iter().filter_map(|(name, value)| Some((below(name)?, value.clone()))).collect();
    pairs.retain(|(name, _)| below(name).is_none());
    taken
}

impl Written {
    /// Takes a node out of `pairs`; `at` is where it is (`file.`, or nothing for the root).
    pub(super) fn take(pairs: &mut Pairs, at: &str, style: Style) -> Result<Written, Refusal> {
        let driver = take(pairs, "driver");
        let mut node = Written { name: take(pairs, "node-name"), ..Written::default() };
        if let Some(name) = node.name.as_ref().filter(|name| !is_node_name(name)) {
            return Err(Refusal::new(format!("Invalid node-name: '{name}'")));
        }
        match driver.as_deref() {
            Some("file" | "host_device") => node.protocol = true,
            // The test aid of `crate::lossy`.
            Some("lossy") => (node.protocol, node.lossy) = (true, true),
            Some(name) => {
                let ours = Format::named(name).ok_or_else(|| unknown_driver(name, at, style))?;
                node.format = Some(ours);
            }
            None if style == Style::Blockdev => {
                return Err(Refusal::new(format!("Parameter '{at}driver' is missing")));
            }
            None => {}
        }
        node.read_only = take_switch(pairs, at, "read-only")?;
        node.direct = take_switch(pairs, at, "cache.direct")?;
        node.no_flush = take_switch(pairs, at, "cache.no-flush")?;
        // We open what was asked for, or say why not.
        take_switch(pairs, at, "auto-read-only")?;
        let choice = |key: &str, value: &str| match style {
            Style::Drive => Refusal::new(format!("Invalid {key} option")),
            Style::Blockdev => Refusal::new(format!("Parameter '{at}{key}' does not accept value '{value}'")),
        };
        node.unmap = match take(pairs, "discard").as_deref() {
            None => None,
            Some("unmap" | "on") => Some(true),
            Some("ignore" | "off") => Some(false),
            Some(value) => return Err(choice("discard", value)),
        };
        node.detect_zeroes = match take(pairs, "detect-zeroes").as_deref() {
            None => None,
            Some("off") => Some((false, false)),
            Some("on") => Some((true, false)),
            Some("unmap") => Some((true, true)),
            Some(value) => {
                return Err(match style {
                    Style::Drive => Refusal::new(format!("invalid parameter value: {value}")),
                    Style::Blockdev => choice("detect-zeroes", value),
                });
            }
        };
        if node.protocol {
            node.take_file(pairs, at, style)?;
        } else {
            node.take_format(pairs, at, style)?;
        }
        if let Some((key, _)) = pairs.first() {
            return Err(if not_yet(key) {
                Refusal::new(format!("{at}{key}: not yet in hartwright"))
            } else {
                let name = driver.as_deref().or(node.format.map(Format::name)).unwrap_or("raw");
                match style {
                    Style::Drive if node.protocol => {
                        Refusal::new(format!("Block protocol '{name}' doesn't support the option '{key}'"))
                    }
                    Style::Drive => {
                        Refusal::new(format!("Block format '{name}' does not support the option '{key}'"))
                    }
                    Style::Blockdev => Refusal::new(format!("Parameter '{at}{key}' is unexpected")),
                }
            });
        }
        Ok(node)
    }

    fn take_file(&mut self, pairs: &mut Pairs, at: &str, style: Style) -> Result<(), Refusal> {
        self.path = take(pairs, "filename");
        if self.path.is_none() {
            let message = match style {
                Style::Drive => "The 'file' block driver requires a file name".to_owned(),
                Style::Blockdev => format!("Parameter '{at}filename' is missing"),
            };
            return Err(Refusal::new(message));
        }
        self.locking = match take(pairs, "locking").as_deref() {
            None => None,
            Some("on" | "auto") => Some(true),
            Some("off") => Some(false),
            Some(value) => {
                let message = format!("Parameter '{at}locking' does not accept value '{value}'");
                return Err(Refusal::new(message));
            }
        };
        match take(pairs, "aio").as_deref() {
            None | Some("threads") => Ok(()),
            Some("native" | "io_uring") => {
                Err(Refusal::new(format!("{at}aio: only threads, not yet others")))
            }
            Some(_) => Err(Refusal::new("invalid aio option")),
        }
    }

    fn take_format(&mut self, pairs: &mut Pairs, at: &str, style: Style) -> Result<(), Refusal> {
        let child = |key: &str, pairs: &mut Pairs| -> Result<Option<Box<Child>>, Refusal> {
            let mut below = take_below(pairs, key);
            match take(pairs, key) {
                Some(name) if below.is_empty() => Ok(Some(Box::new(Child::Name(name)))),
                Some(_) => Err(Refusal::new(format!("Parameter '{at}{key}' is used inconsistently"))),
                None if below.is_empty() => Ok(None),
                None => {
                    if style == Style::Drive && key == "file" && !below.iter().any(|(key, _)| key == "driver")
                    {
                        below.push(("driver".into(), "file".into()));
                    }
                    let node = Written::take(&mut below, &format!("{at}{key}."), style)?;
                    Ok(Some(Box::new(Child::Inline(node))))
                }
            }
        };
        self.file = child("file", pairs)?;
        if self.format == Some(Format::Qcow2) || self.format.is_none() {
            self.backing = match pairs.iter().rev().find(|(key, _)| key == "backing") {
                // `"backing": null`, which an option without JSON writes as an empty value.
                Some((_, value)) if value.is_empty() => {
                    take(pairs, "backing");
                    Some(None)
                }
                _ => child("backing", pairs)?.map(Some),
            };
        }
        if self.file.is_none() {
            let message = match style {
                Style::Drive => "A block device must be specified for \"file\"".to_owned(),
                Style::Blockdev => format!("Parameter '{at}file' is missing"),
            };
            return Err(Refusal::new(message));
        }
        Ok(())
    }

    /// `-drive file=NAME` names a file.
    pub(super) fn name_file(pairs: &mut Pairs) {
        if let Some((key, _)) = pairs.iter_mut().rev().find(|(key, _)| key == "file") {
            *key = "file.filename".to_owned();
        }
    }
}

fn unknown_driver(name: &str, at: &str, style: Style) -> Refusal {
    Refusal::new(match style {
        _ if DRIVERS_NOT_YET.contains(&name) => format!("{name}: not yet in hartwright"),
        Style::Drive => format!("Unknown driver '{name}'"),
        Style::Blockdev => format!("Parameter '{at}driver' does not accept value '{name}'"),
    })
}

fn is_node_name(name: &str) -> bool {
    hartwright_backend::opts::is_identifier(name) && name.len() < 32
}

/// All nodes with names.
#[derive(Debug, Default)]
pub struct Nodes {
    named: HashMap<String, Written>,
    /// In the order given: name, and what the user wrote.
    order: Vec<Named>,
    used: Vec<String>,
}

/// A `-blockdev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its node's name.
    pub name: String,
    /// The option, for messages.
    pub option: String,
}

/// The flat pairs of a JSON object, or of an option that is one.
///
/// # Errors
/// It is no JSON object, in QEMU's words.
pub fn from_json(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    fn flat(at: &str, value: &Value, pairs: &mut Pairs) -> Result<(), Refusal> {
        let text = match value {
            Value::Object(map) => {
                let inner = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
                return map.iter().try_for_each(|(key, value)| flat(&inner(key), value, pairs));
            }
            Value::Array(_) => {
                return Err(Refusal::new(format!("Invalid parameter type for '{at}', expected: object")));
            }
            Value::Null => String::new(),
            Value::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
        };
        pairs.push((at.to_owned(), text));
        Ok(())
    }
    let value: Value = serde_json::from_str(text).map_err(|error| match error.is_eof() {
        true => Refusal::new("JSON parse error, premature EOI"),
        false => Refusal::new(format!("JSON parse error: {error}")),
    })?;
    if !value.is_object() {
        return Err(Refusal::new("Invalid parameter type, expected: object"));
    }
    let mut pairs = vec![];
    flat("", &value, &mut pairs)?;
    Ok(pairs)
}

impl Nodes {
    /// Takes a `-blockdev`.
    ///
    /// # Errors
    /// In QEMU's words.
    pub fn add(&mut self, pairs: &[(String, String)], option: &str) -> Result<(), Refusal> {
        let mut pairs = pairs.to_vec();
        let node = Written::take(&mut pairs, "", Style::Blockdev)?;
        let Some(name) = node.name.clone() else {
            return Err(Refusal::new("'node-name' must be specified for the root node"));
        };
        self.order.push(Named { name, option: option.to_owned() });
        self.keep(node)
    }

    /// Notes a node and those in it that have names.
    fn keep(&mut self, node: Written) -> Result<(), Refusal> {
        let backing = node.backing.clone().flatten();
        for child in [&node.file, &backing].into_iter().flatten() {
            match &**child {
                Child::Inline(inner) if inner.name.is_some() => {
                    self.keep(inner.clone())?;
                    self.used.extend(inner.name.clone());
                }
                Child::Inline(_) => {}
                Child::Name(name) if self.named.contains_key(name) => self.used.push(name.clone()),
                Child::Name(name) => {
                    let message = format!("Cannot find device='{name}' nor node-name='{name}'");
                    return Err(Refusal::new(message));
                }
            }
        }
        let Some(name) = node.name.clone() else { return Ok(()) };
        match self.named.insert(name.clone(), node) {
            None => Ok(()),
            Some(_) => Err(Refusal::new(format!("Duplicate nodes with node-name='{name}'"))),
        }
    }

    /// Whether a node has that name.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// The nodes that a device can have: those that no other node is built on.
    pub fn roots(&self) -> impl Iterator<Item = &Named> {
        self.order.iter().filter(|named| !self.used.contains(&named.name))
    }

    /// What to open for the node of that name.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn root(&self, name: &str) -> Result<(Node, Manner), Refusal> {
        let written = self.named.get(name);
        let written = written.ok_or_else(|| Refusal::new(format!("Cannot find node-name='{name}'")))?;
        self.resolve(written)
    }

    /// What to open, and how it is to behave.
    pub(super) fn resolve(&self, written: &Written) -> Result<(Node, Manner), Refusal> {
        let node = self.node(written, 0)?;
        let (detect_zeroes, zeroes_unmap) = written.detect_zeroes.unwrap_or_default();
        let unmap = written.unmap.unwrap_or(false);
        let file = self.file(written, 0)?;
        let manner = Manner {
            read_only: written.read_only.or(file.read_only).unwrap_or(false),
            no_flush: written.no_flush.or(file.no_flush).unwrap_or(false),
            unmap,
            detect_zeroes,
            zeroes_unmap,
            ..Manner::default()
        };
        Ok((node, manner))
    }

    fn look<'a>(&'a self, child: &'a Child) -> Result<&'a Written, Refusal> {
        match child {
            Child::Inline(written) => Ok(written),
            Child::Name(name) => self
                .named
                .get(name)
                .ok_or_else(|| Refusal::new(format!("Cannot find device='{name}' nor node-name='{name}'"))),
        }
    }

    /// The file at the bottom of a node.
    fn file<'a>(&'a self, written: &'a Written, depth: usize) -> Result<&'a Written, Refusal> {
        match &written.file {
            Some(child) if depth < 100 => self.file(self.look(child)?, depth + 1),
            _ => Ok(written),
        }
    }

    fn node(&self, written: &Written, depth: usize) -> Result<Node, Refusal> {
        let file = self.file(written, 0)?;
        let stacked = written.file.as_ref().map(|child| self.look(child)).transpose()?;
        let mut top = written;
        // A raw format on another one changes nothing.
        while let Some(below) = top.file.as_ref().map(|child| self.look(child)).transpose()?
            && !below.protocol
        {
            if top.format != Some(Format::Raw) {
                return Err(Refusal::new("a format on another format: not yet in hartwright"));
            }
            top = below;
        }
        let backing = match &top.backing {
            None => Backing::Header,
            Some(None) => Backing::Nothing,
            Some(Some(_)) if depth > 100 => return Err(Refusal::new("more than 100 backing files")),
            Some(Some(child)) => {
                let below = self.node(self.look(child)?, depth + 1).map_err(|refusal| Refusal {
                    message: format!("Could not open backing file: {refusal}"),
                    hint: String::new(),
                })?;
                Backing::Given(Box::new(below))
            }
        };
        let direct = [Some(written), stacked, Some(file)].into_iter().flatten().find_map(|node| node.direct);
        Ok(Node {
            path: file.path.clone().unwrap_or_default(),
            // A file that a device has by itself is raw.
            format: if top.protocol { Some(Format::Raw) } else { top.format },
            backing,
            direct: direct.unwrap_or(false),
            locking: file.locking.unwrap_or(true),
            lossy: file.lossy,
        })
    }
}
