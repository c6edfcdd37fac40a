//! One user's conversation with the monitor: lines in, text out.

use crate::{
    Arg, Args, COMMANDS, Control, Format, INFO,
    args::{self, word},
    expr::Names,
};
use hartwright_exec::Inspect;
use hartwright_isa::{INT_NAMES, csr};
use std::{
    fmt::{self, Write},
    sync::Arc,
};

/// A row of the command table.
pub struct Command {
    /// Its name, and other names for it.
    pub names: &'static [&'static str],
    /// What it is called with.
    pub args: &'static [Arg],
    /// The arguments, as help shows them.
    pub params: &'static str,
    /// What it does, in a line.
    pub help: &'static str,
    /// Does it.
    pub run: fn(&mut Session, &Args) -> Result<(), Failed>,
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    why: String,
    usage: bool,
}

impl Failed {
    /// The command was not called as it wants; its help may help.
    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Failed { why: why.into(), usage: true }
    }

    /// It cannot be done.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Failed { why: why.into(), usage: false }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// A conversation: what it is about, and what it remembers.
pub struct Session {
    /// The machine.
    pub control: Arc<Control>,
    /// The current hart.
    pub cpu: usize,
    /// Whether the user asked the program to end: nothing follows.
    pub(crate) over: bool,
    /// The last `/FMT`, which the next one begins from.
    format: Format,
    out: String,
}

impl Session {
    /// A conversation about a machine, beginning with its first hart.
    pub fn new(control: Arc<Control>) -> Self {
        Session { control, cpu: 0, over: false, format: Format::DEFAULT, out: String::new() }
    }

    /// Does what a line asks; gives what is to be said, whose lines end with a line feed.
    pub fn run(&mut self, line: &str) -> String {
        if let Err(text) = self.dispatch(line) {
            self.say(text);
        }
        std::mem::take(&mut self.out)
    }

    fn dispatch(&mut self, line: &str) -> Result<(), String> {
        let Some((name, rest)) = split(line) else { return Ok(()) };
        let command = find(COMMANDS, name).ok_or_else(|| format!("unknown command: '{name}'"))?;
        match (name, split(rest)) {
            ("info", Some((name, rest))) => {
                let command = find(INFO, name).ok_or_else(|| format!("unknown command: 'info {name}'"))?;
                self.call(command, &format!("info {name}"), rest)
            }
            _ => self.call(command, name, rest),
        }
    }

    fn call(&mut self, command: &Command, called: &str, text: &str) -> Result<(), String> {
        let mut format = self.format;
        let parsed = args::parse(command.names, command.args, text, &mut format, &*self);
        let done = parsed.and_then(|args| {
            self.format = format;
            (command.run)(self, &args)
        });
        done.map_err(|failed| match failed.usage {
            true => format!("{failed}\nTry \"help {called}\" for more information"),
            false => failed.to_string(),
        })
    }

    /// Adds a line to what is said.
    pub(crate) fn say(&mut self, line: impl fmt::Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{line}");
    }

    /// Looks into hart number `hart`.
    pub(crate) fn hart<R: Send + 'static>(
        &self,
        hart: usize,
        look: impl FnOnce(&mut dyn Inspect) -> R + Send + 'static,
    ) -> Result<R, Failed> {
        let seen = self.control.harts.with(hart, look);
        seen.ok_or_else(|| Failed::new(format!("hart {hart} does not answer: its thread is gone")))
    }
}

impl Names for Session {
    fn register(&self, name: &str) -> Option<u64> {
        let name = name.to_owned();
        self.control.harts.with(self.cpu, move |hart| register(hart, &name)).flatten()
    }

    fn symbol(&self, name: &str) -> Option<u64> {
        self.control.symbols.address(name)
    }
}

/// A register by any of its names: `pc`, `a0`, `x10`, `mstatus`.
fn register(hart: &dyn Inspect, name: &str) -> Option<u64> {
    if name == "pc" {
        return Some(hart.pc());
    }
    let numbered = name.strip_prefix('x').and_then(|n| n.parse().ok()).filter(|n| *n < 32);
    let named = || INT_NAMES.iter().position(|known| *known == name || name == "fp" && *known == "s0");
    if let Some(r) = numbered.or_else(named) {
        return Some(hart.x(r as u8) as u64);
    }
    hart.csr(csr::number(name)?)
}

/// A command's name, and what follows: a `/` begins arguments.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let end = |c: char| c.is_whitespace() || c == '/';
    let len = line.find(end).unwrap_or(line.len());
    match line.split_at(len) {
        ("", "") => None,
        ("", rest) => Some((rest, "")),
        parts => Some(parts),
    }
}

/// The row of a command.
pub(crate) fn find(table: &'static [Command], name: &str) -> Option<&'static Command> {
    table.iter().find(|command| command.names.contains(&name))
}

/// Names that begin with the last word of `line`, if it stands where a command's name does: for completion.
pub(crate) fn completions(line: &str) -> Vec<&'static str> {
    let (table, begun) = match word(line) {
        Ok(Some((first, rest))) if first == "info" && !rest.is_empty() => (INFO, rest.trim_start()),
        Ok(Some((first, rest))) if (first == "help" || first == "?") && !rest.is_empty() => {
            (COMMANDS, rest.trim_start())
        }
        _ => (COMMANDS, line.trim_start()),
    };
    let names = table.iter().flat_map(|command| command.names.iter().copied());
    names.filter(|name| name.starts_with(begun)).collect()
}
