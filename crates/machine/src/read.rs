//! A specification from TOML, every value with its place.

use crate::{
    At, Problem, Source,
    spec::{Boot, Cpu, Device, End, MachineSpec, Memory, Rows, Said},
};
use hartwright_objects::{Given, Kind, Value, nearest};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

impl MachineSpec {
    /// The machine that `text` describes; `file` is its name in messages.
    ///
    /// # Errors
    ///
    /// The first thing that is not as it should be: TOML's syntax, a missing or unknown key, a wrong type.
    /// What only makes no sense (overlaps, unknown types) is [`MachineSpec::check`]'s to find.
    pub fn read(file: &str, text: &str) -> Result<MachineSpec, Problem> {
        let source = Source::file(file, text);
        let root = DeTable::parse(text).map_err(|error| {
            let at = error.span().map(|span| (span.start, span.end));
            source.problem(at, error.message().replace('\n', ", "))
        })?;
        let mut root = Table::new(&source, "the machine", span(&root), root.get_ref());

        let name = root.text("name")?;
        let mut spec = MachineSpec::new(&name, &root.text_or("description", "")?);
        spec.name = name;
        spec.model = root.text_or("model", &spec.model)?.value;
        if let Some(list) = root.optional("compatible", strings)? {
            spec.compatible = list.value;
        }
        spec.timebase = root.number("timebase")?;

        let mut cpu = root.table("cpu")?;
        spec.cpu = Cpu {
            model: cpu.text("model")?,
            harts: cpu.number("harts")?,
            min: cpu.optional("min", number)?.unwrap_or_else(|| 1.into()),
            max: cpu.number("max")?,
        };
        cpu.finish()?;

        let mut boot = root.table("boot")?;
        spec.boot = Boot { reset: boot.number("reset")?, firmware: boot.number("firmware")? };
        boot.finish()?;

        for mut table in root.tables("memory")? {
            let kind = table.text("kind")?;
            let writable = match &**kind {
                "ram" => true,
                "rom" => false,
                other => {
                    let message = format!("memory kind '{other}' is unknown");
                    return Err(source.problem(kind.at, message).advise("it is \"ram\" or \"rom\""));
                }
            };
            spec.memories.push(Memory {
                name: table.text("name")?,
                writable,
                base: table.number("base")?,
                size: table.required("size", size)?,
            });
            table.finish()?;
        }
        for mut table in root.tables("device")? {
            spec.devices.push(device(&mut table)?);
            table.finish()?;
        }
        root.finish()?;
        spec.source = source;
        Ok(spec)
    }
}

fn device(table: &mut Table<'_, '_>) -> Result<Device, Problem> {
    Ok(Device {
        name: table.text("name")?,
        class: table.text("type")?,
        base: table.number("base")?,
        size: table.required("size", size)?,
        lines: table.pairs("lines", line_end)?,
        chardev: table.optional("chardev", text)?,
        properties: table.pairs("properties", given)?,
    })
}

/// A value of TOML as another type, or what it should have been.
type Convert<T> = fn(&DeValue<'_>) -> Result<T, String>;

fn text(value: &DeValue<'_>) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "a string".into())
}

fn strings(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let list = value.as_array().ok_or("a list of strings")?;
    list.iter().map(|item| text(item.get_ref()).map_err(|_| "a list of strings".into())).collect()
}

fn number(value: &DeValue<'_>) -> Result<u64, String> {
    let integer = value.as_integer().ok_or("a number, such as 0x1000_0000")?;
    u64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| "a number from 0 to 2^64 - 1".into())
}

/// A number of bytes, or text with a suffix (`"128M"`).
fn size(value: &DeValue<'_>) -> Result<u64, String> {
    let wrong = || "a number of bytes, such as 0x1000 or \"128M\"".to_owned();
    match value.as_str() {
        Some(text) => match Kind::Size.accept("", "size", &text.into()) {
            Ok(Value::UInt(size)) => Ok(size),
            _ => Err(wrong()),
        },
        None => number(value).map_err(|_| wrong()),
    }
}

fn line_end(value: &DeValue<'_>) -> Result<End, String> {
    let wrong = "where the line ends, as \"NAME:PIN\", such as \"plic:10\"";
    End::parse(value.as_str().ok_or(wrong)?).ok_or_else(|| wrong.into())
}

fn given(value: &DeValue<'_>) -> Result<Given, String> {
    Ok(match value {
        DeValue::String(text) => Given::Text(text.clone().into_owned()),
        DeValue::Boolean(on) => Given::Bool(*on),
        DeValue::Integer(n) => Given::Int(
            i128::from_str_radix(n.as_str(), n.radix()).map_err(|_| "a number of at most 127 bits")?,
        ),
        DeValue::Float(n) => Given::Float(n.as_str().parse().map_err(|_| "a number")?),
        DeValue::Array(list) => {
            Given::List(list.iter().map(|item| given(item.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Datetime(_) | DeValue::Table(_) => return Err("a string, number, boolean or list".into()),
    })
}

fn span<T>(spanned: &Spanned<T>) -> At {
    Some((spanned.span().start, spanned.span().end))
}

/// A table of which keys are taken, until none may be left.
struct Table<'a, 'i> {
    source: &'a Source,
    what: &'static str,
    at: At,
    rows: &'a DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'a, 'i> Table<'a, 'i> {
    fn new(source: &'a Source, what: &'static str, at: At, rows: &'a DeTable<'i>) -> Self {
        Table { source, what, at, rows, known: vec![] }
    }

    fn optional<T>(&mut self, key: &'static str, convert: Convert<T>) -> Result<Option<Said<T>>, Problem> {
        self.known.push(key);
        let Some(value) = self.rows.get(key) else { return Ok(None) };
        let said = convert(value.get_ref()).map_err(|expects| {
            let found = value.get_ref().type_str();
            let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
            self.source.problem(span(value), format!("'{key}' expects {expects}; this is {article} {found}"))
        })?;
        Ok(Some(Said { value: said, at: span(value) }))
    }

    fn required<T>(&mut self, key: &'static str, convert: Convert<T>) -> Result<Said<T>, Problem> {
        self.optional(key, convert)?.ok_or_else(|| self.lacks(key))
    }

    /// A key is missing; one that is spelled almost like it is the likelier mistake.
    fn lacks(&self, key: &str) -> Problem {
        let others = self.rows.keys().filter(|other| !self.known.contains(&other.get_ref().as_ref()));
        let mut near = others.filter(|other| nearest(other.get_ref(), [key]).is_some());
        match near.next() {
            Some(other) => {
                let why = format!("{} has no '{}'", self.what, other.get_ref());
                self.source.problem(span(other), why).advise(format!("did you mean '{key}'?"))
            }
            None => self.source.problem(self.at, format!("{} lacks '{key}'", self.what)),
        }
    }

    fn text(&mut self, key: &'static str) -> Result<Said<String>, Problem> {
        self.required(key, text)
    }

    fn text_or(&mut self, key: &'static str, default: &str) -> Result<Said<String>, Problem> {
        Ok(self.optional(key, text)?.unwrap_or_else(|| default.to_owned().into()))
    }

    fn number(&mut self, key: &'static str) -> Result<Said<u64>, Problem> {
        self.required(key, number)
    }

    fn table(&mut self, key: &'static str) -> Result<Table<'a, 'i>, Problem> {
        self.known.push(key);
        let lacks = || self.source.problem(self.at, format!("{} lacks the table [{key}]", self.what));
        let value = self.rows.get(key).ok_or_else(lacks)?;
        let not = || self.source.problem(span(value), format!("'{key}' is a table, written [{key}]"));
        Ok(Table::new(self.source, key, span(value), value.get_ref().as_table().ok_or_else(not)?))
    }

    /// All tables `[[key]]`; none is fine.
    fn tables(&mut self, key: &'static str) -> Result<Vec<Table<'a, 'i>>, Problem> {
        self.known.push(key);
        let Some(value) = self.rows.get(key) else { return Ok(vec![]) };
        let not =
            |at| self.source.problem(at, format!("'{key}' is a list of tables, each written [[{key}]]"));
        let list = value.get_ref().as_array().ok_or_else(|| not(span(value)))?;
        list.iter()
            .map(|item| {
                let rows = item.get_ref().as_table().ok_or_else(|| not(span(item)))?;
                Ok(Table::new(self.source, key, span(item), rows))
            })
            .collect()
    }

    /// The rows of an inline table, in the order written.
    fn pairs<T>(&mut self, key: &'static str, convert: Convert<T>) -> Result<Rows<T>, Problem> {
        self.known.push(key);
        let Some(value) = self.rows.get(key) else { return Ok(vec![]) };
        let not = || {
            self.source
                .problem(span(value), format!("'{key}' is a table, written {key} = {{ name = value }}"))
        };
        let rows = value.get_ref().as_table().ok_or_else(not)?;
        rows.iter()
            .map(|(name, value)| {
                let said = convert(value.get_ref()).map_err(|expects| {
                    self.source.problem(span(value), format!("'{}' expects {expects}", name.get_ref()))
                })?;
                let name = Said { value: name.get_ref().clone().into_owned(), at: span(name) };
                Ok((name, Said { value: said, at: span(value) }))
            })
            .collect()
    }

    /// Refuses keys that nobody asked for.
    fn finish(self) -> Result<(), Problem> {
        let unknown = self.rows.keys().find(|key| !self.known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown else { return Ok(()) };
        let name = key.get_ref();
        let advice = match nearest(name, self.known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("{} takes {}", self.what, self.known.join(", ")),
        };
        Err(self.source.problem(span(key), format!("{} has no '{name}'", self.what)).advise(advice))
    }
}
