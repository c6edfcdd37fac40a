//! What goes wrong before a machine runs: said in QEMU's form, `PROGRAM: -option value: message`.

use std::fmt;

use hartwright_backend::opts::Refusal;

use crate::Program;

/// A reason to end with exit code 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The option that it is about, as the user wrote it.
    pub option: Option<String>,
    /// One sentence, with further lines that say what would be right.
    pub message: String,
    /// A second line of the same form: what became impossible.
    pub therefore: Option<String>,
}

impl Failure {
    /// A failure that no single option is to blame for.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { option: None, message: message.into(), therefore: None }
    }

    /// A failure of one option, written as `option`.
    pub fn of(option: &str, why: impl fmt::Display) -> Self {
        Failure { option: Some(option.into()), message: why.to_string(), therefore: None }
    }

    /// The text for standard error, with its line end.
    pub fn text(&self, program: &Program) -> String {
        let lead = match &self.option {
            Some(option) => format!("{}: {option}: ", program.name),
            None => format!("{}: ", program.name),
        };
        let mut text = format!("{lead}{}\n", self.message);
        if let Some(therefore) = &self.therefore {
            text.push_str(&format!("{lead}{therefore}\n"));
        }
        text
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::new(refusal.to_string())
    }
}
