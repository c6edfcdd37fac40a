//! Where a specification was said, and messages that point there as a compiler's do.

use std::{fmt, sync::Arc};

/// A place in a source: its first byte and the one after its last; `None` where nothing was said.
pub type At = Option<(usize, usize)>;

/// The text a specification came from. All are equal: a machine is what it is, wherever it was said.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: Arc<str>,
}

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Source {
    /// A file's text.
    pub fn file(name: &str, text: &str) -> Self {
        Source { name: name.to_owned(), text: text.into() }
    }

    /// A machine of our own, which has no text.
    pub fn built_in(name: &str) -> Self {
        Source { name: format!("machine '{name}'"), text: "".into() }
    }

    /// Line and column of byte `at`, from 1; columns count characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }

    /// ` (FILE:LINE)`, to follow the name of something; nothing if it was said in no file.
    pub fn aside(&self, at: At) -> String {
        at.map_or(String::new(), |(start, _)| format!(" ({}:{})", self.name, self.position(start).0))
    }

    /// A problem at `at`.
    pub fn problem(&self, at: At, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), advice: None, source: self.clone(), at }
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
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((start, end)) = self.at else {
            write!(f, "{}: {}", self.source.name, self.message)?;
            return self.advice.iter().try_for_each(|advice| write!(f, "\n  = {advice}"));
        };
        let (line, column) = self.source.position(start);
        let text = self.source.text.lines().nth(line - 1).unwrap_or_default();
        let left = text.chars().count().saturating_sub(column - 1);
        let width = self.source.text.get(start..end).map_or(1, |said| said.chars().count()).min(left).max(1);
        writeln!(f, "{}:{line}:{column}: {}", self.source.name, self.message)?;
        writeln!(f, "{line:5} | {text}")?;
        write!(f, "      | {:>1$}", "^".repeat(width), column - 1 + width)?;
        self.advice.iter().try_for_each(|advice| write!(f, "\n      = {advice}"))
    }
}

impl std::error::Error for Problem {}
