//! Where a specification was said, and messages that point there as a compiler's do.

use std::{fmt, sync::Arc};

/// A place in one of a source's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which text: 0 is the file asked for, others are those it names, in the order read.
    file: usize,
    /// Its first byte.
    from: usize,
    /// The one after its last.
    to: usize,
}

impl Place {
    /// Bytes `from` to `to`, exclusive, of text `file`.
    pub(crate) fn new(file: usize, from: usize, to: usize) -> Self {
        Place { file, from, to }
    }
}

/// A place; `None` where nothing was said.
pub type At = Option<Place>;

/// Whether what is said at `first` is to blame, rather than at `second`, where both cannot be: a base is right, and so
/// is what is included, as far as who names them is concerned. In one file the second is to blame.
pub(crate) fn first_is_to_blame(first: At, second: At) -> bool {
    match (first, second) {
        (Some(first), Some(second)) => first.file < second.file,
        (first, _) => first.is_some(),
    }
}

/// The texts a specification came from. All are equal: a machine is what it is, wherever it was said.
#[derive(Debug, Clone)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    texts: Vec<Text>,
    /// The built-in machine that it is or begins with.
    built_in: Option<String>,
    /// Where problems point that have no place of their own.
    whole: At,
}

/// A text and what it is called.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Source {
    /// Files; the first was asked for. `built_in` is the machine of ours that they change.
    pub(crate) fn files(texts: Vec<Text>, built_in: Option<&str>, whole: At) -> Self {
        Source(Arc::new(Inner { texts, built_in: built_in.map(str::to_owned), whole }))
    }

    /// A machine of our own, which has no text.
    pub fn built_in(name: &str) -> Self {
        Source::files(vec![], Some(name), None)
    }

    /// ` (FILE:LINE)`, to follow the name of something; what was said in no file is the built-in machine's.
    pub fn aside(&self, at: At) -> String {
        match (self.text(at), &self.0.built_in) {
            (Some((text, place)), _) => format!(" ({}:{})", text.name, text.position(place.from).0),
            (None, Some(name)) if !self.0.texts.is_empty() => format!(" (of machine '{name}')"),
            (None, _) => String::new(),
        }
    }

    /// A problem at `at`.
    pub fn problem(&self, at: At, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), advice: None, at: at.or(self.0.whole), source: self.clone() }
    }

    fn text(&self, at: At) -> Option<(&Text, Place)> {
        at.and_then(|place| Some((self.0.texts.get(place.file)?, place)))
    }

    fn name(&self) -> String {
        match (self.0.texts.first(), &self.0.built_in) {
            (Some(text), _) => text.name.clone(),
            (None, name) => format!("machine '{}'", name.as_deref().unwrap_or_default()),
        }
    }
}

impl Text {
    /// Line and column of byte `at`, from 1; columns count characters.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }
}

/// What is wrong with a specification, where, and what would be right.
///
/// ```text
/// p.toml:12:8: 'uart1' (0x1000_0080..0x1000_0180) overlaps 'uart0' (0x1000_0000..0x1000_0100) (p.toml:7)
///    12 | base = 0x1000_0080
///       |        ^^^^^^^^^^^
///       = ...
/// ```
#[derive(Debug, Clone)]
pub struct Problem {
    /// One sentence, without the place.
    pub message: String,
    /// What would be right.
    pub advice: Option<String>,
    source: Source,
    at: At,
}

impl Problem {
    /// The same, with what would be right.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same, with advice if there is some.
    #[must_use]
    pub fn hint(mut self, advice: Option<String>) -> Self {
        self.advice = advice.or(self.advice);
        self
    }

    /// The same, with advice if it has none yet.
    #[must_use]
    pub fn or_advise(mut self, advice: Option<String>) -> Self {
        self.advice = self.advice.or(advice);
        self
    }

    /// Where it is.
    pub fn at(&self) -> At {
        self.at
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((said, place)) = self.source.text(self.at) else {
            write!(f, "{}: {}", self.source.name(), self.message)?;
            return self.advice.iter().try_for_each(|advice| write!(f, "\n  = {advice}"));
        };
        let (line, column) = said.position(place.from);
        let text = said.text.lines().nth(line - 1).unwrap_or_default();
        // A tab is one column, and a terminal would show it as several.
        let text = text.replace('\t', " ");
        let left = text.chars().count().saturating_sub(column - 1);
        let width = said.text.get(place.from..place.to).map_or(1, |s| s.chars().count()).min(left).max(1);
        writeln!(f, "{}:{line}:{column}: {}", said.name, self.message)?;
        writeln!(f, "{line:5} | {text}")?;
        write!(f, "      | {:>1$}", "^".repeat(width), column - 1 + width)?;
        let mut advice = self.advice.iter().flat_map(|advice| advice.lines());
        advice.next().map_or(Ok(()), |first| write!(f, "\n      = {first}"))?;
        advice.try_for_each(|more| write!(f, "\n        {more}"))
    }
}

impl std::error::Error for Problem {}
