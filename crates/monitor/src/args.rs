//! What follows a command's name: typed by its row, taken apart as QEMU's monitor does.

use crate::{
    Failed,
    expr::{self, Names},
};

/// One argument of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// `/FMT`: a count, a format and a size.
    Format,
    /// An expression.
    Expr,
    /// A word; in quotes it may have blanks.
    Word,
    /// A word that may be missing.
    OptionalWord,
    /// A command's name: the rest of the line, which may be empty.
    Rest,
    /// `-a`, if it is there.
    Flag(char),
}

/// How values are shown: `/4xw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How many.
    pub count: u64,
    /// `x`, `d`, `u`, `o`, `c` or `i`.
    pub letter: char,
    /// Bytes of each: 1, 2, 4 or 8.
    pub size: u8,
}

impl Format {
    /// What there is before anybody said otherwise.
    pub(crate) const DEFAULT: Format = Format { count: 1, letter: 'x', size: 4 };
}

/// The arguments of a command, each kind in the order of its row.
#[derive(Debug, Default)]
pub struct Args {
    /// The [`Arg::Format`].
    pub format: Option<Format>,
    /// Expressions.
    pub exprs: Vec<u64>,
    /// Words that are there, and the rest.
    pub words: Vec<String>,
    /// Flags that are there.
    pub flags: Vec<char>,
}

/// Reads `text` as a row's arguments. `last` is the format last used, which is the next one's default.
pub(crate) fn parse(
    names: &[&str],
    row: &[Arg],
    text: &str,
    last: &mut Format,
    known: &dyn Names,
) -> Result<Args, Failed> {
    let mut args = Args::default();
    let mut rest = text.trim();
    for arg in row {
        match arg {
            Arg::Format => {
                let (format, after) = format(rest, last)?;
                args.format = Some(format);
                rest = after;
            }
            Arg::Expr => {
                let (value, after) = expr::parse(rest, known)?;
                args.exprs.push(value);
                rest = after;
            }
            Arg::Word | Arg::OptionalWord => match word(rest)? {
                Some((word, after)) => {
                    args.words.push(word);
                    rest = after;
                }
                None if *arg == Arg::OptionalWord => {}
                None => return Err(Failed::usage(format!("{}: string expected", names.join("|")))),
            },
            Arg::Rest => {
                args.words.push(rest.into());
                rest = "";
            }
            Arg::Flag(letter) => {
                let flag = rest.strip_prefix('-').and_then(|rest| rest.strip_prefix(*letter));
                if let Some(after) = flag.filter(|after| after.is_empty() || after.starts_with(' ')) {
                    args.flags.push(*letter);
                    rest = after;
                }
            }
        }
        rest = rest.trim_start();
    }
    match rest {
        "" => Ok(args),
        _ => Err(Failed::usage(format!("{}: extraneous characters at the end of line", names.join("|")))),
    }
}

fn format<'t>(text: &'t str, last: &mut Format) -> Result<(Format, &'t str), Failed> {
    let mut format = Format { count: 1, ..*last };
    let Some(mut rest) = text.strip_prefix('/') else { return Ok((format, text)) };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 {
        format.count = rest[..digits].parse().map_err(|_| Failed::usage("number too large"))?;
        rest = &rest[digits..];
    }
    while let Some(c) = rest.chars().next().filter(|c| !c.is_whitespace()) {
        match c {
            'o' | 'd' | 'u' | 'x' | 'i' | 'c' => format.letter = c,
            'b' => format.size = 1,
            'h' => format.size = 2,
            'w' => format.size = 4,
            'g' | 'L' => format.size = 8,
            c => return Err(Failed::usage(format!("invalid char in format: '{c}'"))),
        }
        rest = &rest[1..];
    }
    *last = Format { count: 1, ..format };
    Ok((format, rest.trim_start()))
}

/// The first word, and what follows.
pub(crate) fn word(text: &str) -> Result<Option<(String, &str)>, Failed> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let len = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(len);
        return Ok((!word.is_empty()).then(|| (word.into(), rest)));
    };
    let mut word = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok(Some((word, &quoted[at + 1..]))),
            '\\' => match chars.next() {
                Some((_, 'n')) => word.push('\n'),
                Some((_, 'r')) => word.push('\r'),
                Some((_, c @ ('\\' | '\'' | '"'))) => word.push(c),
                Some((_, c)) => return Err(Failed::usage(format!("unsupported escape code: '\\{c}'"))),
                None => break,
            },
            c => word.push(c),
        }
    }
    Err(Failed::usage("unterminated string"))
}
