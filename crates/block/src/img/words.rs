//! The words of a command: options anywhere between the names, as getopt reads them.

use crate::chain::Format;
use hartwright_backend::opts::Refusal;

/// Options and names, in the order given.
#[derive(Debug, Default)]
pub(super) struct Words {
    options: Vec<(String, Option<String>)>,
    pub(super) names: Vec<String>,
}

impl Words {
    /// Reads `words`; what `short` and `long` may be, [`super::Command`] says.
    pub(super) fn read(words: &[String], short: &str, long: &[&str]) -> Result<Words, Refusal> {
        let mut read = Words::default();
        let mut words = words.iter();
        let missing = |dashed: &str| Refusal::new(format!("option requires an argument -- '{dashed}'"));
        while let Some(word) = words.next() {
            // A size such as -5M is no option.
            let number =
                word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            if word == "--" {
                read.names.extend(words.by_ref().cloned());
            } else if let Some(option) = word.strip_prefix("--") {
                let (name, value) =
                    option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
                if long.contains(&name) {
                    read.options.push((name.to_owned(), None));
                } else if long.iter().any(|known| known.strip_suffix('=') == Some(name)) {
                    let value = value.or_else(|| words.next().map(String::as_str));
                    let value = value.ok_or_else(|| missing(name))?;
                    read.options.push((name.to_owned(), Some(value.to_owned())));
                } else {
                    return Err(Refusal::new(format!("unrecognized option '{word}'")));
                }
            } else if word.len() > 1 && word.starts_with('-') && !number {
                for (at, letter) in word.char_indices().skip(1) {
                    let known = short.find(letter).filter(|_| letter != ':');
                    let known =
                        known.ok_or_else(|| Refusal::new(format!("unrecognized option '-{letter}'")))?;
                    if !short[known + letter.len_utf8()..].starts_with(':') {
                        read.options.push((letter.into(), None));
                        continue;
                    }
                    let rest = &word[at + letter.len_utf8()..];
                    let rest = if rest.is_empty() { words.next().map(String::as_str) } else { Some(rest) };
                    let value = rest.ok_or_else(|| missing(&letter.to_string()))?;
                    read.options.push((letter.into(), Some(value.to_owned())));
                    break;
                }
            } else {
                read.names.push(word.clone());
            }
        }
        Ok(read)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(|(key, _)| &**key)
    }

    /// Whether `key` was said.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys().any(|said| said == key)
    }

    /// The last value of `key`.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.options.iter().rev().find(|(said, _)| said == key)?.1.as_deref()
    }

    /// All values of `key`.
    pub(super) fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.options.iter().filter(move |(said, _)| said == key).filter_map(|(_, value)| value.as_deref())
    }

    /// The format that `key` names.
    pub(super) fn format(&self, key: &str) -> Result<Option<Format>, Refusal> {
        self.value(key).map(format).transpose()
    }

    /// Whether the output is to be JSON.
    pub(super) fn json(&self) -> Result<bool, Refusal> {
        match self.value("output") {
            None | Some("human") => Ok(false),
            Some("json") => Ok(true),
            Some(_) => Err(Refusal::new("--output must be used with human or json as argument.")),
        }
    }
}

/// The format of that name.
pub(super) fn format(name: &str) -> Result<Format, Refusal> {
    Format::named(name).ok_or_else(|| Refusal::new(format!("Unknown file format '{name}'")))
}
