//! The flags: one row each, and from the rows the parser, the help, the man page, the completions and the tests.

mod boot;
mod console;
mod debug;
mod disk;
mod machine;
mod other;
mod semihosting;
#[cfg(test)]
mod tests;
mod time;

use crate::{Asked, Outcome, asked::Argument};

pub(crate) use console::in_vain;
pub(crate) use disk::short;

/// One option of the command line.
pub struct Flag {
    /// Its names without the dash, the usual one first.
    pub names: &'static [&'static str],
    /// What follows it; empty if nothing does.
    pub form: &'static str,
    /// What it does, in one sentence without a full stop.
    pub brief: &'static str,
    /// What else there is to know; sentences, or empty.
    pub more: &'static str,
    /// Words with which it is used, and what they do.
    pub examples: &'static [(&'static str, &'static str)],
    /// What may follow, for shells to complete.
    pub complete: Complete,
    /// Notes what it asks for.
    pub(crate) parse: fn(&mut Asked, &Argument) -> Result<(), Outcome>,
    /// Arguments that it takes; tested.
    pub accepts: &'static [&'static str],
    /// Arguments that it refuses, with the message after the program's name; tested.
    pub refuses: &'static [(&'static str, &'static str)],
}

/// What a shell offers as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// Nothing.
    Nothing,
    /// Files.
    File,
    /// Folders.
    Folder,
    /// These words.
    Words(&'static [&'static str]),
}

/// Flags that belong together.
pub struct Group {
    /// Their heading.
    pub title: &'static str,
    /// In the order of the help.
    pub flags: &'static [Flag],
}

/// All flags.
pub static FLAGS: &[Group] = &[
    Group { title: "The machine", flags: machine::FLAGS },
    Group { title: "What it boots", flags: boot::FLAGS },
    Group { title: "Disks", flags: disk::FLAGS },
    Group { title: "Console and monitor", flags: console::FLAGS },
    Group { title: "Time", flags: time::FLAGS },
    Group { title: "Watching it run", flags: debug::FLAGS },
    Group { title: "Programs without an operating system", flags: semihosting::FLAGS },
    Group { title: "Everything else", flags: other::FLAGS },
];

/// All flags in one row.
pub fn all_flags() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().flat_map(|group| group.flags)
}

/// A row to begin others with.
const FLAG: Flag = Flag {
    names: &[],
    form: "",
    brief: "",
    more: "",
    examples: &[],
    complete: Complete::Nothing,
    parse: |_, _| Ok(()),
    accepts: &[],
    refuses: &[],
};
