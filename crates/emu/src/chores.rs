//! What the program does besides running a machine: `hartwright check FILE` and so on, under our own name only.

use std::io::Write;

use hartwright_backend::opts::Opts;
use hartwright_machine::{MachineSpec, Options, inspect, schema};
use hartwright_objects::Registry;

use crate::{Face, Failure, Outcome, Program, new::new};

/// A word that may stand first on the command line, where QEMU would take it for a disk image.
pub(crate) struct Chore {
    /// The word.
    pub(crate) name: &'static str,
    /// What follows it.
    pub(crate) form: &'static str,
    /// What it does, in a few words.
    pub(crate) brief: &'static str,
    /// Does it, with the words that follow.
    run: fn(&Program, &[String]) -> Outcome,
}

pub(crate) const CHORES: &[Chore] = &[
    Chore {
        name: "check",
        form: "FILE[,NAME=VALUE]...",
        brief: "read and check machine files, and say all that is wrong with them",
        run: check,
    },
    Chore {
        name: "img",
        form: "check|convert|create|info|resize [OPTION]... FILE...",
        brief: "make, look at and change disk images, as qemu-img does; img help shows the options",
        run: image,
    },
    Chore {
        name: "new",
        form: "NAME",
        brief: "write a crate with a machine and devices of its own, to begin with",
        run: new,
    },
    Chore {
        name: "schema",
        form: "",
        brief: "print a JSON schema of machine files, by which editors complete and check them",
        run: |_, words| no_words(words, "schema", || registry().map(|registry| schema(&registry))),
    },
];

/// Does the chore that the first word names; `None` if it names none.
pub(crate) fn chore(program: &Program, words: &[String]) -> Option<Outcome> {
    let (first, rest) = words.split_first()?;
    let chore = CHORES.iter().find(|chore| chore.name == first && program.face == Face::Own)?;
    Some((chore.run)(program, rest))
}

/// `hartwright img`: what qemu-img would do.
fn image(_: &Program, words: &[String]) -> Outcome {
    match hartwright_block::img::run(words) {
        Ok(done) => {
            // There is nowhere else to complain.
            let _ = std::io::stderr().write_all(done.errors.as_bytes());
            Outcome::Print { text: done.text, code: done.code }
        }
        Err(refusal) => Outcome::Fail(Failure::of("img", refusal)),
    }
}

fn registry() -> Result<Registry, Failure> {
    Registry::linked().map_err(|error| Failure::new(error.to_string()))
}

fn no_words(words: &[String], chore: &str, make: impl FnOnce() -> Result<String, Failure>) -> Outcome {
    match words.first() {
        Some(word) => Outcome::Fail(Failure::of(chore, format!("it takes nothing, and this is '{word}'"))),
        None => make().map_or_else(Outcome::Fail, Outcome::print),
    }
}

/// Checks each file: a line for one that is right, else all that is wrong with it.
fn check(program: &Program, words: &[String]) -> Outcome {
    if words.is_empty() {
        let why = "name a machine file, such as board.toml, or board.toml,ram=64M to check it with other parameters";
        return Outcome::Fail(Failure::of("check", why));
    }
    let registry = match registry() {
        Ok(registry) => registry,
        Err(failure) => return Outcome::Fail(failure),
    };
    let (mut text, mut wrong) = (String::new(), 0);
    for word in words {
        let mut opts = match Opts::parse_strict(word, Some("type")) {
            Ok(opts) => opts,
            Err(refusal) => return Outcome::Fail(Failure::of("check", refusal)),
        };
        let file = opts.take("type").unwrap_or_default();
        let properties = opts.pairs().iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        let options =
            Options { target: program.target(), properties: properties.collect(), ..Options::default() };
        match inspect(&file, &options, &registry) {
            Ok(spec) => text.push_str(&format!("{file}: {}\n", summary(&spec))),
            Err(problems) => {
                wrong += problems.len();
                for problem in problems {
                    // Where standard error leads nowhere, the exit code tells.
                    let _ = writeln!(std::io::stderr(), "{problem}");
                }
            }
        }
    }
    Outcome::Print { text, code: u8::from(wrong > 0) }
}

fn summary(spec: &MachineSpec) -> String {
    let many = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let ram: u64 = spec.memories.iter().filter(|memory| memory.writable).map(|memory| *memory.size).sum();
    let (ram, unit) = if ram.is_multiple_of(1 << 20) { (ram >> 20, "MiB") } else { (ram >> 10, "KiB") };
    format!(
        "machine '{}', {} of {}, {ram} {unit} of RAM, {}",
        spec.name,
        many(*spec.cpu.harts, "hart"),
        spec.cpu.model,
        many(spec.devices.len() as u64, "device")
    )
}
