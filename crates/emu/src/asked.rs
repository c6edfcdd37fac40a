//! Reading the command line: each word goes to its flag's row, which notes what was asked.

use std::{ffi::OsString, ops::RangeInclusive, path::PathBuf};

use hartwright_backend::{
    opts::{Opts, Refusal},
    spec::ChardevSpec,
};
use hartwright_device::trace::Pattern;
use hartwright_isa::cpu::Target;
use hartwright_objects::Given;

use crate::{
    DeviceOption, Failure, LogItem, MemoryBackend, Messages, NumaOption, Outcome, Program, SemihostingOption,
    Topology, config::GlobalOption, flags, not_yet, rtc::Rtc,
};

/// What the words of the command line asked for, one by one and not yet related to each other.
#[derive(Debug, Default)]
pub struct Asked {
    pub(crate) machine: Option<String>,
    pub(crate) machine_properties: Vec<(String, String)>,
    pub(crate) accel: Option<crate::Accel>,
    pub(crate) icount: Option<crate::Counted>,
    pub(crate) cpu: Option<String>,
    pub(crate) memory: Option<u64>,
    pub(crate) smp: Option<Topology>,
    pub(crate) bios: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) initrd: Option<String>,
    pub(crate) dtb: Option<String>,
    pub(crate) append: Option<String>,
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) devices: Vec<DeviceOption>,
    pub(crate) globals: Vec<GlobalOption>,
    pub(crate) drives: Vec<Said<Vec<(String, String)>>>,
    pub(crate) blockdevs: Vec<Said<Vec<(String, String)>>>,
    pub(crate) snapshot: bool,
    pub(crate) nodefaults: bool,
    pub(crate) nographic: bool,
    pub(crate) no_display: bool,
    pub(crate) serials: Vec<Said<String>>,
    pub(crate) parallels: Vec<Said<String>>,
    pub(crate) monitors: Vec<Said<String>>,
    pub(crate) chardevs: Vec<Said<ChardevSpec>>,
    pub(crate) mons: Vec<Said<MonOption>>,
    pub(crate) log_items: Vec<LogItem>,
    pub(crate) log_file: Option<String>,
    pub(crate) log_filter: Vec<RangeInclusive<u64>>,
    pub(crate) traces: Vec<Said<Pattern>>,
    pub(crate) trace_file: Option<PathBuf>,
    pub(crate) stopped: bool,
    pub(crate) gdb: Option<Said<String>>,
    pub(crate) no_reboot: bool,
    pub(crate) perf_map: bool,
    pub(crate) no_shutdown: bool,
    pub(crate) name: Option<String>,
    pub(crate) process_name: Option<String>,
    pub(crate) debug_threads: bool,
    pub(crate) pidfile: Option<PathBuf>,
    pub(crate) seed: Option<u64>,
    pub(crate) sources: Vec<crate::PlannedSource>,
    pub(crate) rtc: Rtc,
    pub(crate) numa: Vec<(String, NumaOption)>,
    pub(crate) backends: Vec<MemoryBackend>,
    pub(crate) firmware_files: Vec<(String, Vec<u8>)>,
    pub(crate) escape: Option<u8>,
    pub(crate) messages: Messages,
    pub(crate) semihosting: Option<SemihostingOption>,
    pub(crate) warnings: Vec<String>,
    /// Who we are, for the texts that say so.
    pub(crate) program: Option<Program>,
}

impl Asked {
    /// Which CPU models the program knows.
    pub(crate) fn target(&self) -> Target {
        self.program.as_ref().map(Program::target).unwrap_or_default()
    }
}

/// A value with the option that gave it, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said<T> {
    pub(crate) option: String,
    pub(crate) value: T,
}

/// `-mon`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MonOption {
    pub(crate) chardev: String,
}

/// One option with its argument.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    /// The argument; empty for an option that takes none.
    pub(crate) text: String,
    /// Both, as the user wrote them.
    pub(crate) option: String,
}

impl Argument {
    /// A failure of this option.
    pub(crate) fn refuse(&self, why: impl std::fmt::Display) -> Outcome {
        Outcome::Fail(Failure::of(&self.option, why))
    }

    /// A failure of this option because we lack something.
    pub(crate) fn not_yet(&self) -> Outcome {
        self.refuse("not yet in hartwright")
    }

    pub(crate) fn said<T>(&self, value: T) -> Said<T> {
        Said { option: self.option.clone(), value }
    }

    /// The argument in the older dialect; its warnings are noted.
    pub(crate) fn opts(&self, implied: &str, asked: &mut Asked) -> Result<Opts, Outcome> {
        let mut opts = Opts::parse(&self.text, Some(implied)).map_err(|refusal| self.refuse(refusal))?;
        self.warn(&mut opts.warnings, asked);
        Ok(opts)
    }

    /// The argument in the newer dialect.
    pub(crate) fn strict(&self, implied: &str) -> Result<Opts, Outcome> {
        Opts::parse_strict(&self.text, Some(implied)).map_err(|refusal| self.refuse(refusal))
    }

    pub(crate) fn warn(&self, warnings: &mut Vec<String>, asked: &mut Asked) {
        let lines = warnings.drain(..).map(|warning| format!("{}: warning: {warning}", self.option));
        asked.warnings.extend(lines);
    }

    /// `driver,key=value,...` or a JSON object.
    pub(crate) fn object(
        &self,
        first: &str,
        asked: &mut Asked,
        strict: bool,
    ) -> Result<DeviceOption, Outcome> {
        let mut pairs: Vec<(String, Given)> = if self.text.starts_with('{') {
            self.json()?
        } else {
            let opts = if strict { self.strict(first)? } else { self.opts(first, asked)? };
            opts.id().map_err(|refusal| self.refuse(refusal))?;
            opts.pairs().iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect()
        };
        let mut take = |key: &str| {
            let at = pairs.iter().rposition(|(name, _)| name == key)?;
            let value = pairs[at].1.clone();
            pairs.retain(|(name, _)| name != key);
            Some(value)
        };
        let text = |value: Given, key: &str| match value {
            Given::Text(text) => Ok(text),
            _ => Err(self.refuse(format!("Invalid parameter type for '{key}', expected: string"))),
        };
        let driver = take(first).ok_or_else(|| self.refuse(format!("Parameter '{first}' is missing")))?;
        let id = take("id").map(|id| text(id, "id")).transpose()?;
        Ok(DeviceOption { option: self.option.clone(), driver: text(driver, first)?, id, properties: pairs })
    }

    fn json(&self) -> Result<Vec<(String, Given)>, Outcome> {
        let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&self.text)
            .map_err(|error| self.refuse(format!("JSON parse error, {error}")))?;
        map.into_iter()
            .map(|(key, value)| match given(value) {
                Some(value) => Ok((key, value)),
                None => {
                    Err(self.refuse(format!("Parameter '{key}' is an object or null: not yet in hartwright")))
                }
            })
            .collect()
    }
}

fn given(value: serde_json::Value) -> Option<Given> {
    use serde_json::Value;
    Some(match value {
        Value::Bool(value) => Given::Bool(value),
        Value::String(value) => Given::Text(value),
        Value::Number(value) => match (value.as_i128(), value.as_f64()) {
            (Some(whole), _) => Given::Int(whole),
            (None, fraction) => Given::Float(fraction?),
        },
        Value::Array(values) => Given::List(values.into_iter().map(given).collect::<Option<_>>()?),
        Value::Null | Value::Object(_) => return None,
    })
}

/// A word's row: one of ours, a name that is not yet ours, or no option at all but a disk's image.
enum Row {
    Image,
    Ours(&'static crate::Flag),
    NotYet,
}

/// Reads all words after the program's name.
///
/// # Errors
/// [`Outcome::Print`] when a word asks for text, such as `-version`; [`Outcome::Fail`] for what cannot be read.
pub fn parse(program: &Program, words: impl IntoIterator<Item = OsString>) -> Result<Asked, Outcome> {
    let mut words = words.into_iter();
    let mut rows = Vec::new();
    while let Some(word) = words.next() {
        let word = utf8(word)?;
        let Some(name) = word.strip_prefix('-') else {
            rows.push((Row::Image, Argument { option: word.clone(), text: word }));
            continue;
        };
        let name = name.strip_prefix('-').unwrap_or(name);
        let (row, takes) = find(name).ok_or_else(|| unknown(&word, name))?;
        let mut argument = Argument { text: String::new(), option: word.clone() };
        if takes {
            let text =
                words.next().ok_or_else(|| Outcome::Fail(Failure::of(&word, "requires an argument")))?;
            argument.text = utf8(text)?;
            argument.option = format!("{word} {}", argument.text);
        }
        rows.push((row, argument));
    }
    let mut asked = Asked { program: Some(program.clone()), ..Asked::default() };
    for (row, argument) in rows {
        match row {
            Row::Ours(flag) => (flag.parse)(&mut asked, &argument)?,
            Row::Image => flags::short(&mut asked, &argument, &[("index", "0")])?,
            Row::NotYet => {
                let word = argument.option.split(' ').next().unwrap_or_default();
                return Err(Outcome::Fail(Failure::of(word, "not yet in hartwright")));
            }
        }
    }
    Ok(asked)
}

fn utf8(word: OsString) -> Result<String, Outcome> {
    word.into_string().map_err(|word| {
        let why = Refusal::new("this argument is not UTF-8 text");
        Outcome::Fail(Failure::of(&word.to_string_lossy(), why))
    })
}

fn find(name: &str) -> Option<(Row, bool)> {
    let ours = flags::all_flags().find(|flag| flag.names.contains(&name));
    ours.map(|flag| (Row::Ours(flag), !flag.form.is_empty())).or_else(|| {
        let (_, takes) = not_yet::OPTIONS.iter().find(|(missing, _)| *missing == name)?;
        Some((Row::NotYet, *takes))
    })
}

fn unknown(word: &str, name: &str) -> Outcome {
    let near =
        hartwright_objects::nearest(name, flags::all_flags().flat_map(|flag| flag.names.iter().copied()))
            .filter(|_| name.len() > 3);
    let hint = near.map_or(String::new(), |near| format!("\nDid you mean -{near}?"));
    Outcome::Fail(Failure::of(word, format!("invalid option{hint}")))
}
