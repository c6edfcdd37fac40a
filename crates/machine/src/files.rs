//! The files of a machine: the one asked for, its base, and what they include, each read once.

use crate::{
    At, Board, boards,
    boards::is_file,
    shape::MACHINE,
    source::{Place, Text},
    spec::Said,
    table::{Reading, Table, place},
};
use hartwright_objects::nearest;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// The largest machine file; the text of `param` has 2 KiB.
const LARGEST: u64 = 1 << 20;
/// Files within files within files.
const DEEPEST: usize = 32;

/// What helps whose TOML cannot be parsed, by a part of the parser's message.
const SYNTAX: &[(&str, &str)] = &[
    ("hexadecimal", "hexadecimal digits are 0 to 9 and a to f, in groups if you like: 0x1000_0000"),
    ("binary", "binary digits are 0 and 1, in groups if you like: 0b1000_0000"),
    ("octal", "octal digits are 0 to 7; what is not octal does not begin with 0o"),
    ("leading zero", "numbers are written without leading zeros, or hexadecimal: 0x0c00_0000"),
    ("must be quoted", "text stands in quotes: \"serial1\""),
    (
        "duplicate key",
        "a key stands once in a table, and each [table] once; [[device]] and [[memory]] may be repeated",
    ),
    ("string", "text begins and ends with a quote on one line: \"serial1\""),
];
/// What helps whose TOML cannot be parsed otherwise.
const ROWS: &str = "a row is KEY = VALUE, a table [NAME], one of several [[NAME]], and # begins a comment";

/// The text of a file by its path, or why there is none.
pub type Open<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// The text of the machine file at `path`.
///
/// # Errors
/// It cannot be read, is too large, or no text; without the path.
pub(crate) fn open(path: &str) -> Result<String, String> {
    let bytes = hartwright_loader::read(Path::new(path), LARGEST).map_err(|why| why.to_string())?;
    String::from_utf8(bytes).map_err(|why| {
        let before = &why.as_bytes()[..why.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        format!("line {line} is no UTF-8 text, in which a machine file is to be saved")
    })
}

/// A file, parsed.
pub(crate) struct Part<'t> {
    pub(crate) file: usize,
    at: At,
    rows: DeTable<'t>,
}

impl Part<'_> {
    /// The whole of it.
    pub(crate) fn root<'a>(&'a self, reading: &'a Reading) -> Table<'a> {
        Table::new(reading, &MACHINE, self.file, self.at, &self.rows)
    }
}

/// The files of a machine.
#[derive(Default)]
pub(crate) struct Files {
    /// In the order read; the first was asked for.
    pub(crate) texts: Vec<Text>,
    /// Those that could be parsed, in the order in which they count.
    order: Vec<usize>,
    /// The built-in machine that they begin with.
    pub(crate) board: Option<&'static Board>,
    /// Where problems point that have no place: where the base is named, else the file's first byte.
    pub(crate) whole: At,
    /// The files being read, outermost first.
    open: Vec<(PathBuf, String)>,
    /// The files that were.
    done: Vec<PathBuf>,
}

/// Why a file is read.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// It was asked for, or is the base of one that was.
    Machine,
    /// It is included.
    Fragment,
}

impl Files {
    /// The file called `name`, whose text is `text`, and those that it names, by way of `open`.
    pub(crate) fn load(reading: &Reading, open: Open<'_>, name: &str, text: &str) -> Files {
        let mut files = Files { whole: Some(Place::new(0, 0, 0)), ..Files::default() };
        files.add(reading, open, identity(name), name.to_owned(), text.to_owned(), Role::Machine);
        files
    }

    fn add(
        &mut self,
        reading: &Reading,
        open: Open<'_>,
        path: PathBuf,
        name: String,
        text: String,
        role: Role,
    ) {
        let file = self.texts.len();
        let (root, errors) = DeTable::parse_recoverable(&text);
        for error in &errors {
            let at = error.span().unwrap_or(0..0);
            let message = error.message().replace('\n', ", ");
            let advice = SYNTAX.iter().find(|(part, _)| message.contains(part)).map_or(ROWS, |row| row.1);
            reading.fault(Some(Place::new(file, at.start, at.end)), message, Some(advice.into()));
        }
        let table = Table::new(reading, &MACHINE, file, place(file, &root), root.get_ref());
        let (base, include) = match errors.is_empty() {
            true => (table.text("base"), table.texts("include")),
            false => (None, vec![]),
        };
        self.texts.push(Text { name: name.clone(), text: text.clone() });
        if !errors.is_empty() {
            return;
        }
        self.open.push((path.clone(), name.clone()));
        if let Some(base) = base {
            if file == 0 {
                self.whole = base.at;
            }
            self.base(reading, open, &name, &base, role);
        }
        for fragment in include {
            self.file(reading, open, &name, &fragment, Role::Fragment);
        }
        self.open.pop();
        self.done.push(path);
        self.order.push(file);
    }

    /// Those that could be parsed, in the order in which they count.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let part = |file: &usize| {
            let root = DeTable::parse_recoverable(&self.texts[*file].text).0;
            Part { file: *file, at: place(*file, &root), rows: root.into_inner() }
        };
        self.order.iter().map(part).collect()
    }

    fn base(&mut self, reading: &Reading, open: Open<'_>, from: &str, base: &Said<String>, role: Role) {
        if role == Role::Fragment {
            let why = format!("'{from}' is included, and what is included has no base");
            reading.fault(base.at, why, Some("say the base in the file that includes it".into()));
        } else if is_file(base) {
            self.file(reading, open, from, base, Role::Machine);
        } else {
            let boards = boards();
            self.board = boards.iter().find(|board| board.name() == **base).copied();
            if self.board.is_none() {
                let names = || boards.iter().map(|board| board.name());
                let advice = match nearest(base, names()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!(
                        "built-in machines are {}; a file's name ends in .toml",
                        names().collect::<Vec<_>>().join(", ")
                    ),
                };
                reading.fault(base.at, format!("there is no machine '{base}'"), Some(advice));
            }
        }
    }

    /// Reads the file that `from` names, unless it was read.
    fn file(&mut self, reading: &Reading, open: Open<'_>, from: &str, said: &Said<String>, role: Role) {
        let name = Path::new(from).with_file_name(&**said).display().to_string();
        let path = identity(&name);
        if let Some(first) = self.open.iter().position(|(other, _)| *other == path) {
            let chain = self.open[first..].iter().map(|(_, name)| format!("'{name}' needs "));
            let why = format!("a circle: {}'{}'", chain.collect::<String>(), self.open[first].1);
            let advice = "take this out; what both need can be a file of its own that each includes";
            reading.fault(said.at, why, Some(advice.into()));
        } else if self.open.len() >= DEEPEST {
            let why = format!("files within files, more than {DEEPEST} deep");
            reading.fault(said.at, why, Some("include some of them from the first file".into()));
        } else if !self.done.contains(&path) {
            match open(&name) {
                Ok(text) => self.add(reading, open, path, name, text, role),
                Err(why) => {
                    let advice = format!("it is looked for beside the file that names it, as '{name}'");
                    reading.fault(said.at, format!("'{said}' cannot be read: {why}"), Some(advice));
                }
            }
        }
    }
}

/// What tells a file from another, by whatever path it is reached.
fn identity(name: &str) -> PathBuf {
    Path::new(name).canonicalize().unwrap_or_else(|_| name.into())
}
