//! Parameters of a machine file: declared with a default, given by `-machine FILE,NAME=VALUE`, used as `"${NAME}"`.

use crate::{
    At,
    shape::{PARAMETER, TYPES},
    spec::Said,
    table::{Reading, Table},
};
use hartwright_objects::{Given, Kind, nearest};

/// Names that `-machine` has a meaning for already.
const TAKEN: &[&str] =
    &["accel", "append", "dtb", "dumpdtb", "dumpspec", "firmware", "help", "initrd", "kernel", "type"];

/// What is wrong, and what would be right.
type Refusal = (String, Option<String>);

/// A parameter of a machine file.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name, and where the last file that declares it does.
    pub name: Said<String>,
    /// What it may be set to.
    pub kind: Kind,
    /// Its value where nobody gives one, as the file has it.
    pub default: Option<Given>,
    /// What it is for.
    pub doc: String,
    value: Option<Given>,
}

/// The parameters of all files of a machine.
#[derive(Default)]
pub(crate) struct Parameters(Vec<Parameter>);

impl Parameters {
    pub(crate) fn into_list(self) -> Vec<Parameter> {
        self.0
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|parameter| parameter.name.as_str())
    }

    fn find(&mut self, name: &str) -> Option<&mut Parameter> {
        self.0.iter_mut().find(|parameter| *parameter.name == name)
    }

    /// What helps who named one that there is not.
    fn advice(&self, name: &str) -> String {
        match nearest(name, self.names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None if self.0.is_empty() => {
                "it has none; a table [parameters.NAME] with type, default and doc makes one".into()
            }
            None => format!("its parameters are {}", self.names().collect::<Vec<_>>().join(", ")),
        }
    }

    /// Adds what a file's `[parameters]` declares. A file may declare one of its base anew, with another default.
    pub(crate) fn declare(&mut self, reading: &Reading, root: &Table<'_>) {
        for (name, table) in root.named("parameters", |_| Some(&PARAMETER)) {
            table.refuse_unknown();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if TAKEN.contains(&name.as_str()) {
                let why = format!("'{name}' has a meaning of its own after -machine");
                reading.fault(name.at, why, Some("give the parameter another name".into()));
                continue;
            } else if name.is_empty() || !name.chars().all(plain) {
                let why = format!("'{name}' cannot name a parameter");
                reading.fault(name.at, why, Some("a name has letters, digits, '-' and '_'".into()));
                continue;
            }
            let said = table.text("type");
            let kind = said.as_ref().and_then(|said| TYPES.iter().find(|row| row.0 == said.value));
            let kind = kind.map(|row| row.1);
            let before = self.find(&name);
            let Some(kind) = kind.or(before.as_ref().map(|before| before.kind)) else {
                if !table.has("type") {
                    table.complete();
                }
                continue;
            };
            if let Some(before) = &before
                && before.kind != kind
            {
                let why = format!("'{name}' is a {} in the file that this one builds on", word(before.kind));
                reading.fault(said.and_then(|said| said.at), why, Some("leave the type out".into()));
                continue;
            }
            let default = table.value("default");
            if let Some(default) = &default
                && let Err((why, advice)) = accept(&name, kind, &default.value)
            {
                reading.fault(default.at, why, advice);
                continue;
            }
            let value = default.as_ref().and_then(|said| accept(&name, kind, &said.value).ok());
            let default = default.map(|said| said.value);
            let doc = table.text("doc").map(|said| said.value);
            match before {
                Some(before) => {
                    before.name.at = name.at;
                    before.doc = doc.unwrap_or(std::mem::take(&mut before.doc));
                    if default.is_some() {
                        (before.default, before.value) = (default, value);
                    }
                }
                None => {
                    self.0.push(Parameter { name, kind, default, doc: doc.unwrap_or_default(), value });
                }
            }
        }
    }

    /// Gives them the values of the command line.
    pub(crate) fn set(&mut self, reading: &Reading, given: &[(String, Given)], at: At) {
        for (name, value) in given {
            let advice = self.advice(name);
            let Some(parameter) = self.find(name) else {
                reading.fault(at, format!("the machine has no parameter '{name}'"), Some(advice));
                continue;
            };
            match accept(name, parameter.kind, value) {
                Ok(value) => parameter.value = Some(value),
                Err((why, advice)) => reading.fault(parameter.name.at, why, advice),
            }
        }
        for parameter in self.0.iter().filter(|parameter| parameter.value.is_none()) {
            let name = &parameter.name;
            let advice = format!("give it, as in -machine FILE,{name}=VALUE, or give it a default");
            reading.fault(name.at, format!("parameter '{name}' has no value"), Some(advice));
        }
    }

    /// What `text` stands for: `${NAME}` alone is the parameter's value, of its type; within a text it is the
    /// value's text; `$${` is `${`.
    pub(crate) fn expand(&self, text: &str) -> Result<Given, Refusal> {
        let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if let Some(name) = whole.filter(|name| !name.contains(['$', '{', '}'])) {
            return self.value(name).cloned();
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(literal) = before.strip_suffix('$') {
                out.push_str(literal);
                out.push_str("${");
                rest = &from[2..];
                continue;
            }
            let end = from.find('}').ok_or_else(|| {
                let advice = "a parameter is \"${NAME}\"; \"$${\" is \"${\" itself";
                (format!("'{from}' has no '}}'"), Some(advice.to_owned()))
            })?;
            out.push_str(before);
            match self.value(&from[2..end])? {
                Given::Text(text) => out.push_str(text),
                Given::Int(n) => out.push_str(&n.to_string()),
                Given::Bool(on) => out.push_str(&on.to_string()),
                Given::Float(_) | Given::List(_) => {}
            }
            rest = &from[end + 1..];
        }
        out.push_str(rest);
        Ok(Given::Text(out))
    }

    fn value(&self, name: &str) -> Result<&Given, Refusal> {
        // One without a value was noted already; it stands for nothing.
        const NOTHING: &Given = &Given::Int(0);
        match self.0.iter().find(|parameter| *parameter.name == name) {
            Some(parameter) => Ok(parameter.value.as_ref().unwrap_or(NOTHING)),
            None => Err((format!("the machine has no parameter '{name}'"), Some(self.advice(name)))),
        }
    }
}

/// The name of a kind that a parameter can have.
fn word(kind: Kind) -> &'static str {
    TYPES.iter().find(|row| row.1 == kind).map_or("text", |row| row.0)
}

fn accept(name: &str, kind: Kind, given: &Given) -> Result<Given, Refusal> {
    let value = kind.accept("machine", name, given).map_err(|_| {
        let example = match kind {
            Kind::Size => "a size, such as 64M or 0x1000",
            Kind::Bool => "on or off",
            Kind::UInt { .. } => "a number from 0 to 2^64 - 1, such as 4 or 0x1000",
            _ => "text",
        };
        let found = match given {
            Given::Text(text) => format!("the string \"{text}\""),
            Given::Int(n) => format!("the number {n}"),
            Given::Bool(on) => on.to_string(),
            Given::Float(_) => "a number with a fraction".into(),
            Given::List(_) => "a list".into(),
        };
        (
            format!("parameter '{name}' is a {}, and {found} is none", word(kind)),
            Some(format!("it takes {example}")),
        )
    })?;
    Ok(Given::from(&value))
}
