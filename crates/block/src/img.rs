//! `hartwright img`: makes, looks at and changes images, with the options and the output of `qemu-img`.

mod change;
mod create;
mod look;
mod words;

use hartwright_backend::opts::Refusal;
use words::Words;

/// What a command said, and its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// For standard output.
    pub text: String,
    /// For standard error, as it is.
    pub errors: String,
    /// 0, or for `check` 2 (damaged), 3 (leaks) and 63 (the format has nothing to check).
    pub code: u8,
}

/// A command.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What follows it.
    pub form: &'static str,
    /// What it does, in a few words.
    pub brief: &'static str,
    /// Its short options, with a colon after those that have a value, as getopt has them.
    short: &'static str,
    /// Its long options, with an equals sign after those that have a value.
    long: &'static [&'static str],
    run: fn(&mut Words) -> Result<Done, Refusal>,
}

/// Every command.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "check",
        form: "[-f FORMAT] [-q] [-U] [--output=human|json] FILE",
        brief: "look for damage in a qcow2 image",
        short: "f:qUr:T:",
        long: &["output=", "force-share", "repair=", "image-opts", "object="],
        run: look::check,
    },
    Command {
        name: "convert",
        form: "[-f FORMAT] [-O FORMAT] [-o OPTIONS] [-q] [-U] FILE NEW",
        brief: "copy a disk into an image of another format",
        short: "f:O:o:qUpcnB:b:F:S:t:T:m:Wl:r:C",
        long: &["output=", "force-share", "image-opts", "target-image-opts", "object=", "salvage", "bitmaps"],
        run: change::convert,
    },
    Command {
        name: "create",
        form: "[-f FORMAT] [-o OPTIONS] [-b FILE -F FORMAT] [-u] [-q] FILE [SIZE]",
        brief: "make an image",
        short: "f:o:b:F:uq",
        long: &["object="],
        run: create::create,
    },
    Command {
        name: "info",
        form: "[-f FORMAT] [-U] [--backing-chain] [--output=human|json] FILE",
        brief: "show what an image is",
        short: "f:U",
        long: &["output=", "backing-chain", "force-share", "image-opts", "object="],
        run: look::info,
    },
    Command {
        name: "resize",
        form: "[-f FORMAT] [-q] [--shrink] FILE [+|-]SIZE",
        brief: "give a disk another size",
        short: "f:q",
        long: &["shrink", "preallocation=", "image-opts", "object="],
        run: change::resize,
    },
];

/// Options of any command that we do not have yet.
const NOT_YET: &[&str] = &[
    "B",
    "b",
    "C",
    "F",
    "W",
    "bitmaps",
    "c",
    "image-opts",
    "l",
    "m",
    "n",
    "object",
    "preallocation",
    "r",
    "repair",
    "salvage",
    "target-image-opts",
];

/// Does what the words after `img` ask for.
///
/// # Errors
/// One sentence, in qemu-img's words where it has some; the exit code is 1.
pub fn run(words: &[String]) -> Result<Done, Refusal> {
    let Some((first, rest)) = words.split_first() else {
        return Err(Refusal::new("Not enough arguments").hint(commands()));
    };
    if matches!(&**first, "help" | "--help" | "-h") {
        return Ok(Done { text: commands() + "\n", ..Done::default() });
    }
    let command = COMMANDS.iter().find(|command| command.name == first);
    let command =
        command.ok_or_else(|| Refusal::new(format!("Command not found: {first}")).hint(commands()))?;
    let mut words = Words::read(rest, command.short, command.long)?;
    // `create` has -b and -F.
    let missing =
        |key: &str| NOT_YET.contains(&key) && !(command.name == "create" && matches!(key, "b" | "F"));
    if let Some(key) = words.keys().find(|key| missing(key)) {
        let dash = if key.len() == 1 { "-" } else { "--" };
        return Err(Refusal::new(format!("{dash}{key}: not yet in hartwright")));
    }
    (command.run)(&mut words)
}

fn commands() -> String {
    let rows = COMMANDS.iter().map(|command| format!("img {} {}", command.name, command.form));
    rows.collect::<Vec<_>>().join("\n")
}
