//! QEMU's `a=b,c=d`: the grammar in which options are given on the command line.
//!
//! Two dialects exist. The older one (`-chardev`, `-serial`, `-mon`, `-m`, `-name`, ...) takes `server` for
//! `server=on` and `nowait` for `wait=off`, with a warning; the newer one (`-machine`, `-accel`, `-smp`,
//! `-object`) wants every key to have a value. In both, a doubled comma in a value is a comma, and the first
//! value may stand without its key.
//!
//! ```
//! use hartwright_backend::opts::Opts;
//! let opts = Opts::parse("socket,id=mon,path=/tmp/a,,b", Some("backend")).unwrap();
//! assert_eq!(opts.get("backend"), Some("socket"));
//! assert_eq!(opts.get("path"), Some("/tmp/a,b"));
//! ```

mod size;

use std::fmt;

pub use size::{SIZE_HINT, parse_size, parse_whole};

/// Why an option's text was refused: one sentence, and perhaps lines that say what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was wrong, with the values in it.
    pub message: String,
    /// Further lines for the user; may be empty.
    pub hint: String,
}

impl Refusal {
    /// A refusal without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Refusal { message: message.into(), hint: String::new() }
    }

    /// The same with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Refusal { hint: hint.into(), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n{}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// What an identifier (`id=`) may look like.
pub const IDENTIFIER_HINT: &str =
    "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.";

/// The options of one argument, in the order given; of a key given twice, the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opts {
    pairs: Vec<(String, String)>,
    /// What to tell the user although it was understood.
    pub warnings: Vec<String>,
    /// `help` or `?` stood where a key or the implied value may stand.
    pub help: bool,
}

/// May a key stand without a value?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bare {
    Switch,
    Refused,
}

impl Opts {
    /// Reads the older dialect: a bare key is a switch.
    pub fn parse(text: &str, implied: Option<&str>) -> Result<Opts, Refusal> {
        read(text, implied, Bare::Switch)
    }

    /// Reads the newer dialect: every key has a value.
    pub fn parse_strict(text: &str, implied: Option<&str>) -> Result<Opts, Refusal> {
        read(text, implied, Bare::Refused)
    }

    /// The pairs in the order given.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// Sets `key` over what is already there.
    pub fn set(&mut self, key: &str, value: &str) {
        self.pairs.push((key.into(), value.into()));
    }

    /// Removes `key` and gives its value.
    pub fn take(&mut self, key: &str) -> Option<String> {
        let value = self.get(key).map(str::to_owned);
        self.pairs.retain(|(name, _)| name != key);
        value
    }

    /// A switch's value.
    pub fn switch(&self, key: &str) -> Result<Option<bool>, Refusal> {
        self.get(key).map(|value| parse_switch(key, value)).transpose()
    }

    /// A whole number's value.
    pub fn whole(&self, key: &str) -> Result<Option<u64>, Refusal> {
        self.get(key).map(|value| parse_whole(key, value)).transpose()
    }

    /// The first key that is none of `known`, refused.
    pub fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        match self.pairs.iter().find(|(key, _)| !known.contains(&&**key)) {
            Some((key, _)) => Err(Refusal::new(format!("Invalid parameter '{key}'"))),
            None => Ok(()),
        }
    }

    /// The value of `id`, which must be an identifier.
    pub fn id(&self) -> Result<Option<&str>, Refusal> {
        match self.get("id") {
            Some(id) if !is_identifier(id) => {
                Err(Refusal::new("Parameter 'id' expects an identifier").hint(IDENTIFIER_HINT))
            }
            id => Ok(id),
        }
    }
}

/// The text that [`Opts::parse_strict`] reads as these options.
impl fmt::Display for Opts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.pairs.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{key}={}", value.replace(',', ",,"))?;
        }
        Ok(())
    }
}

/// `on` or `off`, and the other words that QEMU takes for them.
pub fn parse_switch(key: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "on" | "yes" | "true" | "y" => Ok(true),
        "off" | "no" | "false" | "n" => Ok(false),
        _ => Err(Refusal::new(format!("Parameter '{key}' expects 'on' or 'off'"))),
    }
}

/// Is this a name that an object may be given?
pub fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

fn read(text: &str, implied: Option<&str>, bare: Bare) -> Result<Opts, Refusal> {
    let mut opts = Opts::default();
    let mut rest = text;
    let mut first = true;
    while !rest.is_empty() {
        let key_end = rest.find(['=', ',']).unwrap_or(rest.len());
        let has_value = rest[key_end..].starts_with('=');
        if first
            && !has_value
            && let Some(key) = implied
        {
            let (value, after) = take_value(rest);
            match &*value {
                "help" | "?" => opts.help = true,
                _ => opts.pairs.push((key.into(), value)),
            }
            rest = after;
        } else if has_value {
            let key = &rest[..key_end];
            if key.is_empty() {
                return Err(Refusal::new("Invalid parameter ''"));
            }
            let (value, after) = take_value(&rest[key_end + 1..]);
            opts.pairs.push((key.into(), value));
            rest = after;
        } else {
            let key = &rest[..key_end];
            rest = rest[key_end..].strip_prefix(',').unwrap_or_default();
            opts.bare_key(key, bare)?;
        }
        first = false;
    }
    Ok(opts)
}

impl Opts {
    fn bare_key(&mut self, key: &str, bare: Bare) -> Result<(), Refusal> {
        if key == "help" || key == "?" {
            self.help = true;
            return Ok(());
        }
        if bare == Bare::Refused {
            return Err(Refusal::new(match key {
                "" => "Expected parameter before ','".to_owned(),
                _ => format!("Expected '=' after parameter '{key}'"),
            }));
        }
        if key.is_empty() {
            return Ok(());
        }
        let (name, value) = match key.strip_prefix("no") {
            Some(name) if !name.is_empty() => (name, "off"),
            _ => (key, "on"),
        };
        self.warnings
            .push(format!("short-form boolean option '{key}' deprecated\nPlease use {name}={value} instead"));
        self.pairs.push((name.into(), value.into()));
        Ok(())
    }
}

/// Splits a value off: it ends at a single comma, and a doubled one is a comma in it.
fn take_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let Some(comma) = rest.find(',') else {
            value.push_str(rest);
            return (value, "");
        };
        value.push_str(&rest[..comma]);
        rest = &rest[comma + 1..];
        match rest.strip_prefix(',') {
            Some(after) => {
                value.push(',');
                rest = after;
            }
            None => return (value, rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, implied: Option<&str>, expect: &str) {
        let said = match Opts::parse(text, implied) {
            Ok(opts) => opts.pairs().iter().map(|(k, v)| format!("{k}={v};")).collect(),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(said, expect, "{text}");
    }

    fn check_strict(text: &str, expect: &str) {
        let said = match Opts::parse_strict(text, Some("type")) {
            Ok(opts) => opts.pairs().iter().map(|(k, v)| format!("{k}={v};")).collect(),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(said, expect, "{text}");
    }

    #[test]
    fn keys_have_values_and_the_first_key_may_be_implied() {
        check("a=b,c=d", None, "a=b;c=d;");
        check("virt,dumpdtb=f", Some("type"), "type=virt;dumpdtb=f;");
        check("type=virt,x=1", Some("type"), "type=virt;x=1;");
        check("a=b=c", None, "a=b=c;");
        check("a=", None, "a=;");
        check("", Some("type"), "");
        check("a=1,", None, "a=1;");
    }

    #[test]
    fn a_doubled_comma_is_a_comma() {
        check("path=a,,b,id=x", None, "path=a,b;id=x;");
        check("a,,b,c=d", Some("file"), "file=a,b;c=d;");
        check("a=,,,b=c", None, "a=,;b=c;");
    }

    #[test]
    fn a_bare_key_is_a_switch_in_the_older_dialect() {
        check(
            "socket,server,nowait,nodelay",
            Some("backend"),
            "backend=socket;server=on;wait=off;delay=off;",
        );
        let opts = Opts::parse("server", None).unwrap();
        assert_eq!(
            opts.warnings,
            ["short-form boolean option 'server' deprecated\nPlease use server=on instead"]
        );
        check("server", None, "server=on;");
        check("no", None, "no=on;");
    }

    #[test]
    fn a_bare_key_is_refused_in_the_newer_dialect() {
        check_strict("virt,acpi", "Expected '=' after parameter 'acpi'");
        check_strict("virt,=x", "Invalid parameter ''");
        check_strict("virt,acpi=on", "type=virt;acpi=on;");
    }

    #[test]
    fn help_is_asked_for_by_word_or_mark() {
        assert!(Opts::parse_strict("virt,help", Some("type")).unwrap().help);
        assert!(Opts::parse("?", Some("driver")).unwrap().help);
        assert!(!Opts::parse("driver=help", Some("driver")).unwrap().help);
    }

    #[test]
    fn the_last_of_a_key_counts() {
        let opts = Opts::parse("a=1,a=2", None).unwrap();
        assert_eq!(opts.get("a"), Some("2"));
    }

    #[test]
    fn a_switch_is_on_or_off() {
        assert_eq!(
            parse_switch("aclint", "maybe").unwrap_err().message,
            "Parameter 'aclint' expects 'on' or 'off'"
        );
        assert_eq!(parse_switch("aclint", "yes"), Ok(true));
        assert_eq!(parse_switch("aclint", "off"), Ok(false));
    }

    #[test]
    fn an_identifier_begins_with_a_letter() {
        assert!(is_identifier("a-b.c_1"));
        for bad in ["", "1a", "a b", "ä"] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        let opts = Opts::parse_strict("type=a,path=x,,y", None).unwrap();
        assert_eq!(Opts::parse_strict(&opts.to_string(), None).unwrap(), opts);
    }
}
