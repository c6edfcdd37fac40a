//! Tables of TOML, read by their shapes: typed values with their places, parameters put in, mistakes gathered.

use crate::{
    At, End,
    parameters::Parameters,
    shape::{Form, Key, Shape},
    source::Place,
    spec::{Rows, Said},
};
use hartwright_objects::{Given, nearest};
use std::cell::{Cell, RefCell};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

/// What is wrong, before there is a source to quote.
#[derive(PartialEq)]
pub(crate) struct Fault {
    pub(crate) at: At,
    pub(crate) message: String,
    pub(crate) advice: Option<String>,
}

/// What goes on while files are read.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) parameters: Parameters,
    faults: RefCell<Vec<Fault>>,
    /// Whether something is missing from what was read, so that its meaning cannot be judged.
    broken: Cell<bool>,
}

impl Reading {
    /// Notes a mistake that leaves a hole.
    pub(crate) fn fault(&self, at: At, message: impl Into<String>, advice: Option<String>) {
        self.broken.set(true);
        self.note(at, message, advice);
    }

    /// Notes a mistake that leaves everything else as it is.
    pub(crate) fn note(&self, at: At, message: impl Into<String>, advice: Option<String>) {
        self.faults.borrow_mut().push(Fault { at, message: message.into(), advice });
    }

    /// Whether something is missing from what was read.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Whether what was read is whole, and all mistakes, by place.
    pub(crate) fn end(self) -> (bool, Vec<Fault>) {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.at);
        faults.dedup();
        (!self.broken.get(), faults)
    }
}

/// A table of a file.
pub(crate) struct Table<'a> {
    reading: &'a Reading,
    shape: &'static Shape,
    file: usize,
    /// The table itself.
    pub(crate) at: At,
    rows: &'a DeTable<'a>,
}

/// Where `spanned` is in text `file`.
pub(crate) fn place<T>(file: usize, spanned: &Spanned<T>) -> At {
    Some(Place::new(file, spanned.span().start, spanned.span().end))
}

impl<'a> Table<'a> {
    /// `rows` as a table of this shape.
    pub(crate) fn new(
        reading: &'a Reading,
        shape: &'static Shape,
        file: usize,
        at: At,
        rows: &'a DeTable<'a>,
    ) -> Self {
        Table { reading, shape, file, at, rows }
    }

    /// Notes the keys that such a table has not.
    pub(crate) fn refuse_unknown(&self) {
        let shape = self.shape;
        for key in self.unknown() {
            let name = key.get_ref();
            let advice = match nearest(name, shape.keys.iter().map(|key| key.name)) {
                Some(near) => format!("did you mean '{near}'?"),
                None => {
                    let all: Vec<&str> = shape.keys.iter().map(|key| key.name).collect();
                    format!("{} takes {}", shape.what, all.join(", "))
                }
            };
            let at = place(self.file, key);
            self.reading.note(at, format!("{} has no '{name}'", shape.what), Some(advice));
        }
    }

    fn unknown(&self) -> impl Iterator<Item = &'a Spanned<DeString<'a>>> {
        self.rows.keys().filter(|key| self.shape.key(key.get_ref()).is_none())
    }

    /// Whether `key` is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.rows.contains_key(key)
    }

    /// Where `key` is.
    pub(crate) fn place(&self, key: &str) -> At {
        place(self.file, self.rows.get_key_value(key)?.0)
    }

    /// Notes each key that has to be there and is not.
    pub(crate) fn complete(&self) {
        for key in self.shape.keys.iter().filter(|key| key.need && !self.has(key.name)) {
            self.lacks(key);
        }
    }

    /// Notes that a key is missing, unless one is misspelled, which was noted already.
    pub(crate) fn lacks(&self, key: &Key) {
        if self.unknown().any(|other| nearest(other.get_ref(), [key.name]).is_some()) {
            self.reading.broken.set(true);
            return;
        }
        let (name, what) = (key.name, self.shape.what);
        match key.form {
            Form::Table(shape) => {
                let rows = shape.keys.iter().filter(|key| key.need);
                let rows = rows.map(|key| format!("\n{} = {}", key.name, key.example)).collect::<String>();
                self.reading.fault(
                    self.at,
                    format!("{what} lacks the table [{name}]"),
                    Some(format!("{}, such as\n[{name}]{rows}", key.doc)),
                );
            }
            _ => {
                let advice = format!("{name} = {}: {}", key.example, key.doc);
                self.reading.fault(self.at, format!("{what} lacks '{name}'"), Some(advice));
            }
        }
    }

    fn fault(&self, at: At, key: &str, form: Form, found: &str) {
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        self.misfit(at, key, form, &form.expects(), &format!("{article} {found}"));
    }

    fn misfit(&self, at: At, key: &str, form: Form, expects: &str, found: &str) {
        // A row whose name the user chose is no key.
        let example = self.shape.key(key).map_or(form.example(), |key| key.example);
        let advice = (!example.is_empty()).then(|| format!("{key} = {example}"));
        self.reading.fault(at, format!("'{key}' expects {expects}; this is {found}"), advice);
    }

    /// A value of TOML as a plain one, parameters put in; `None` for a table or a date, and after a mistake.
    fn plain(&self, value: &Spanned<DeValue<'a>>, form: Form, key: &str) -> Option<Given> {
        let at = place(self.file, value);
        let number = |n: Result<i128, _>| {
            n.map_err(|_| self.reading.fault(at, format!("'{key}' is a number of more than 127 bits"), None))
        };
        Some(match value.get_ref() {
            DeValue::String(text) if matches!(form, Form::Path | Form::Paths) => {
                Given::Text(text.clone().into_owned())
            }
            DeValue::String(text) => match self.reading.parameters.expand(text) {
                Ok(given) => given,
                Err((message, advice)) => {
                    self.reading.fault(at, message, advice);
                    return None;
                }
            },
            DeValue::Boolean(on) => Given::Bool(*on),
            DeValue::Integer(n) => Given::Int(number(i128::from_str_radix(n.as_str(), n.radix())).ok()?),
            DeValue::Float(n) => Given::Float(n.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Array(list) => {
                Given::List(list.iter().map(|item| self.plain(item, form, key)).collect::<Option<_>>()?)
            }
            other @ (DeValue::Datetime(_) | DeValue::Table(_)) => {
                self.fault(at, key, form, other.type_str());
                return None;
            }
        })
    }

    fn judged(&self, value: &Spanned<DeValue<'a>>, form: Form, key: &str) -> Option<Said<Given>> {
        let at = place(self.file, value);
        let given = self.plain(value, form, key)?;
        let found = match &given {
            Given::Text(text) => format!("the string \"{text}\""),
            Given::Bool(on) => on.to_string(),
            Given::Int(n) => format!("the number {n}"),
            Given::Float(_) => "a number with a fraction".into(),
            Given::List(_) => "a list".into(),
        };
        match form.read(given) {
            Ok(value) => Some(Said { value, at }),
            Err(expects) => {
                self.misfit(at, key, form, &expects, &found);
                None
            }
        }
    }

    /// The value of `key`, in its form; `None` if it is not there or wrong.
    pub(crate) fn value(&self, key: &str) -> Option<Said<Given>> {
        let form = self.shape.key(key)?.form;
        self.judged(self.rows.get(key)?, form, key)
    }

    /// The text of `key`.
    pub(crate) fn text(&self, key: &str) -> Option<Said<String>> {
        let said = self.value(key)?;
        match said.value {
            Given::Text(value) => Some(Said { value, at: said.at }),
            _ => None,
        }
    }

    /// The texts of `key`, each with its place; none if it is not there.
    pub(crate) fn texts(&self, key: &str) -> Vec<Said<String>> {
        let items = self.rows.get(key).and_then(|value| value.get_ref().as_array());
        if self.value(key).is_none() {
            return vec![];
        }
        let paths = self.shape.key(key).is_some_and(|key| matches!(key.form, Form::Paths));
        let one = if paths { Form::Path } else { Form::Text };
        let item = |item| {
            let said = self.judged(item, one, key)?;
            let Given::Text(value) = said.value else { return None };
            Some(Said { value, at: said.at })
        };
        items.into_iter().flat_map(|items| items.iter()).filter_map(item).collect()
    }

    /// The number of `key`, or its size in bytes.
    pub(crate) fn number(&self, key: &str) -> Option<Said<u64>> {
        let said = self.value(key)?;
        match said.value {
            Given::Int(n) => Some(Said { value: u64::try_from(n).ok()?, at: said.at }),
            _ => None,
        }
    }

    /// The rows of `key`, a table whose names the user chose, in the order written.
    pub(crate) fn rows(&self, key: &str) -> Rows<Given> {
        let Some((known, value)) = self.shape.key(key).zip(self.rows.get(key)) else { return vec![] };
        let form = if let Form::Rows(form) = known.form { *form } else { Form::Plain };
        let Some(rows) = value.get_ref().as_table() else {
            let message = format!("'{key}' is a table, written {key} = {}", known.example);
            self.reading.fault(place(self.file, value), message, None);
            return vec![];
        };
        let row = |(name, value): (&Spanned<DeString<'a>>, _)| {
            let said = self.judged(value, form, name.get_ref())?;
            Some((Said { value: name.get_ref().clone().into_owned(), at: place(self.file, name) }, said))
        };
        rows.iter().filter_map(row).collect()
    }

    /// The lines of `key`; `None` is a line that is taken away.
    pub(crate) fn lines(&self, key: &str) -> Rows<Option<End>> {
        let end = |given| if let Given::Text(text) = given { End::parse(&text) } else { None };
        let rows = self.rows(key).into_iter();
        rows.map(|(name, said)| (name, Said { value: end(said.value), at: said.at })).collect()
    }

    fn inner(
        &self,
        shape: &'static Shape,
        value: &'a Spanned<DeValue<'a>>,
        written: &str,
    ) -> Option<Table<'a>> {
        let at = place(self.file, value);
        if let Some(rows) = value.get_ref().as_table() {
            return Some(Table::new(self.reading, shape, self.file, at, rows));
        }
        self.reading.fault(at, format!("'{}' is a table, written {written}", shape.what), None);
        None
    }

    /// The table `[key]`.
    pub(crate) fn table(&self, key: &str) -> Option<Table<'a>> {
        let Form::Table(shape) = self.shape.key(key)?.form else { return None };
        self.inner(shape, self.rows.get(key)?, &format!("[{key}]"))
    }

    /// All tables `[[key]]`; none is fine.
    pub(crate) fn tables(&self, key: &str) -> Vec<Table<'a>> {
        let Some(Form::Tables(shape)) = self.shape.key(key).map(|key| key.form) else { return vec![] };
        let Some(value) = self.rows.get(key) else { return vec![] };
        let Some(list) = value.get_ref().as_array() else {
            let message = format!("'{key}' is a list of tables, each written [[{key}]]");
            self.reading.fault(place(self.file, value), message, Some(format!("[[{key}]]")));
            return vec![];
        };
        list.iter().filter_map(|item| self.inner(shape, item, &format!("[[{key}]]"))).collect()
    }

    /// Each `[key.NAME]`, with its name; `shape` says by the name which shape it has, or notes that it has none.
    pub(crate) fn named(
        &self,
        key: &str,
        shape: impl Fn(&Said<String>) -> Option<&'static Shape>,
    ) -> Vec<(Said<String>, Table<'a>)> {
        let Some(value) = self.rows.get(key) else { return vec![] };
        let Some(rows) = value.get_ref().as_table() else {
            let message = format!("'{key}' is a table of tables, each written [{key}.NAME]");
            self.reading.fault(place(self.file, value), message, None);
            return vec![];
        };
        let named = |(name, value): (&'a Spanned<DeString<'a>>, _)| {
            let said = Said { value: name.get_ref().clone().into_owned(), at: place(self.file, name) };
            let table = self.inner(shape(&said)?, value, &format!("[{key}.{}]", said.value))?;
            Some((said, table))
        };
        rows.iter().filter_map(named).collect()
    }
}
