//! A JSON schema of machine files, for editors: from the rows that the reader reads by, and the types linked in.

use crate::{
    boards,
    cards::is_card,
    shape::{Form, MACHINE, Shape},
};
use hartwright_device as device;
use hartwright_isa::cpu::MODELS;
use hartwright_objects::{Class, Globals, Kind, Property, Registry};
use serde_json::{Map, Value, json};

/// A text with a parameter in it.
const PARAMETER: &str = r"\$\{[A-Za-z0-9_-]+\}";
/// Where a line ends.
const LINE: &str = r":[0-9]+$";
/// A size with a suffix, as [`Kind::Size`] takes it.
const SIZE: &str =
    r"^(0[xX][0-9a-fA-F]+[kKmMgGtTpP]?|0[bB][01]+[bBkKmMgGtTpPeE]?|[0-9]+(\.[0-9]+)?[bBkKmMgGtTpPeE]?)$";
/// A number as text, as an option has it.
const NUMBER: &str = r"^-?(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)$";

/// The schema of machine files (JSON Schema, draft 7) for a program with these types.
pub fn schema(registry: &Registry) -> String {
    let types = types(registry);
    let mut root = table(&MACHINE, &types, true);
    // With a base or with fragments, what is needed may be said there; and what has no name is a fragment itself.
    let needed = root.remove("required").unwrap_or_default();
    let elsewhere = json!([{ "required": ["base"] }, { "required": ["include"] }]);
    let mut all = Map::new();
    all.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    all.insert("title".into(), json!("A machine for hartwright"));
    all.extend(root);
    all.insert("if".into(), json!({ "required": ["name"], "not": { "anyOf": elsewhere } }));
    all.insert("then".into(), json!({ "required": needed }));
    let text = serde_json::to_string_pretty(&Value::Object(all)).unwrap_or_default();
    text + "\n"
}

/// A type that a machine file can name.
struct Type {
    class: &'static Class,
    /// Whether it goes on another device's bus.
    card: bool,
    lines: Vec<String>,
}

fn types(registry: &Registry) -> Vec<Type> {
    let made = registry.classes().filter_map(|class| {
        let device = registry.create::<dyn device::Device>(class.name, &Globals::new(), []).ok()?;
        let outputs = device.outputs().into_iter();
        let lines = outputs.filter(|output| output.target == device::Target::Interrupt);
        Some(Type { class, card: false, lines: lines.map(|output| output.name).collect() })
    });
    let cards = registry.classes().filter(|class| is_card(class) && !class.is_abstract());
    made.chain(cards.map(|class| Type { class, card: true, lines: vec![] })).collect()
}

/// A table: its keys, no others, and in one of a device what its type has. `whole` if all that it needs is there.
fn table(shape: &Shape, types: &[Type], whole: bool) -> Map<String, Value> {
    let mut keys = Map::new();
    for key in shape.keys {
        let mut value = form(key.form, types, key.name == "cpu" || key.name == "boot");
        if key.name == "base" && matches!(key.form, Form::Path) {
            let names: Vec<&str> = boards().iter().map(|board| board.name()).collect();
            value = json!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": r"\.toml$|/" }] });
        }
        if let Value::Object(value) = &mut value {
            value.insert("description".into(), json!(key.doc));
        }
        keys.insert(key.name.into(), value);
    }
    let mut out = Map::new();
    out.insert("type".into(), json!("object"));
    out.insert("properties".into(), Value::Object(keys));
    out.insert("additionalProperties".into(), json!(false));
    let needed: Vec<&str> = shape.keys.iter().filter(|key| key.need).map(|key| key.name).collect();
    if whole && !needed.is_empty() {
        out.insert("required".into(), json!(needed));
    }
    if shape.keys.iter().any(|key| matches!(key.form, Form::Properties)) {
        let off = matches!(shape.key("chardev").map(|key| key.form), Some(Form::TextOrNot));
        let cards = matches!(shape.key("type").map(|key| key.form), Some(Form::Card));
        let these = types.iter().filter(|one| one.card == cards);
        out.insert("allOf".into(), these.map(|one| by_type(one, off, types)).collect());
    }
    out
}

/// What a device of this type may say.
fn by_type(one: &Type, off: bool, types: &[Type]) -> Value {
    let names: Vec<&str> = std::iter::once(one.class.name).chain(one.class.aliases.iter().copied()).collect();
    let end = form(if off { Form::LineOrNot } else { Form::Line }, types, true);
    let lines: Map<String, Value> = one.lines.iter().map(|name| (name.clone(), end.clone())).collect();
    json!({
        "if": { "properties": { "type": { "enum": names } }, "required": ["type"] },
        "then": { "properties": {
            "lines": { "properties": lines, "additionalProperties": false },
            "properties": properties(one.class),
        } },
    })
}

fn properties(class: &Class) -> Value {
    let rows = (class.properties)().iter();
    let rows: Map<String, Value> = rows.map(|row| (row.name.into(), property(row))).collect();
    json!({ "type": "object", "title": class.name, "properties": rows, "additionalProperties": false })
}

fn property(property: &Property) -> Value {
    let mut value = kind(property.kind);
    if let Value::Object(value) = &mut value {
        value.insert("description".into(), json!(property.doc));
        if let Ok(default) = serde_json::to_value(&property.default)
            && !default.is_null()
        {
            value.insert("default".into(), default);
        }
    }
    value
}

/// Any of these, or a parameter.
fn any(mut of: Vec<Value>) -> Value {
    of.push(json!({ "type": "string", "pattern": PARAMETER }));
    json!({ "anyOf": of })
}

fn kind(kind: Kind) -> Value {
    let number = || json!({ "type": "string", "pattern": NUMBER });
    match kind {
        Kind::Bool => any(vec![
            json!({ "type": "boolean" }),
            json!({ "enum": ["on", "off", "yes", "no", "true", "false", "y", "n"] }),
        ]),
        Kind::UInt { bits } => {
            let most = u64::MAX >> (64 - bits.min(64));
            any(vec![json!({ "type": "integer", "minimum": 0, "maximum": most }), number()])
        }
        Kind::Int { bits } => {
            let most = i64::MAX >> (64 - bits.min(64));
            any(vec![json!({ "type": "integer", "minimum": -most - 1, "maximum": most }), number()])
        }
        Kind::Size => form(Form::Size, &[], true),
        Kind::Str | Kind::Link(_) => json!({ "type": "string" }),
        Kind::Enum(words) => any(vec![json!({ "enum": words })]),
        Kind::StrList => json!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" } },
        ] }),
        Kind::UIntList => json!({ "anyOf": [
            { "type": ["string", "integer"] },
            { "type": "array", "items": { "type": ["string", "integer"] } },
        ] }),
    }
}

fn form(form: Form, types: &[Type], part: bool) -> Value {
    let object = |shape| Value::Object(table(shape, types, !part));
    let text = json!({ "type": "string" });
    match form {
        Form::Text | Form::Path => text,
        Form::Texts | Form::Paths => json!({ "type": "array", "items": text }),
        Form::Number => any(vec![json!({ "type": "integer", "minimum": 0 })]),
        Form::Size => any(vec![
            json!({ "type": "integer", "minimum": 0 }),
            json!({ "type": "string", "pattern": SIZE }),
        ]),
        Form::Word(words) => any(vec![json!({ "enum": words })]),
        Form::Class | Form::Card => {
            let one = |one: &Type| {
                let names = std::iter::once(one.class.name).chain(one.class.aliases.iter().copied());
                json!({ "enum": names.collect::<Vec<_>>(), "description": one.class.doc })
            };
            let cards = matches!(form, Form::Card);
            any(types.iter().filter(|one| one.card == cards).map(one).collect())
        }
        Form::Model => {
            any(vec![json!({ "enum": MODELS.iter().map(|model| model.name).collect::<Vec<_>>() })])
        }
        Form::Plain => json!({ "type": ["string", "number", "boolean", "array"] }),
        Form::Switch => kind(Kind::Bool),
        Form::Line => any(vec![json!({ "type": "string", "pattern": LINE })]),
        Form::LineOrNot => any(vec![json!({ "type": "string", "pattern": LINE }), json!({ "const": false })]),
        Form::TextOrNot => json!({ "anyOf": [text, { "const": false }] }),
        Form::Rows(Form::Switch) => {
            let all = MODELS.iter().flat_map(hartwright_isa::cpu::CpuModel::properties);
            let row = |row: hartwright_isa::Property| {
                let mut value = kind(Kind::Bool);
                if let Value::Object(value) = &mut value {
                    value.insert("description".into(), json!(row.doc));
                }
                (row.name.to_owned(), value)
            };
            let rows: Map<String, Value> = all.map(row).collect();
            json!({ "type": "object", "properties": rows, "additionalProperties": kind(Kind::Bool) })
        }
        Form::Rows(value) => {
            json!({ "type": "object", "additionalProperties": self::form(*value, types, true) })
        }
        Form::Properties => {
            // Editors complete by these; what fits the type is said once more where the type is known.
            let plain =
                json!({ "type": "object", "additionalProperties": self::form(Form::Plain, types, true) });
            let all: Vec<Value> = types.iter().map(|one| properties(one.class)).chain([plain]).collect();
            json!({ "anyOf": all })
        }
        Form::Table(shape) => object(shape),
        Form::Tables(shape) => json!({ "type": "array", "items": Value::Object(table(shape, types, true)) }),
        Form::Named(shapes) => {
            let mut of: Vec<Value> =
                shapes.iter().map(|shape| Value::Object(table(shape, types, true))).collect();
            let one = if of.len() == 1 { of.remove(0) } else { json!({ "anyOf": of }) };
            json!({ "type": "object", "additionalProperties": one })
        }
    }
}
