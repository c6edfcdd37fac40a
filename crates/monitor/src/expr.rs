//! Arithmetic on addresses: `$sp + 8 * 2`, `(tohost & ~7)`, 64 bits that wrap.
//!
//! As in QEMU's monitor, `&`, `|` and `^` bind as tightly as `*`, and there are no comparisons.

use crate::Failed;

/// What names mean.
pub(crate) trait Names {
    /// A register, without its `$`.
    fn register(&self, name: &str) -> Option<u64>;
    /// A symbol.
    fn symbol(&self, name: &str) -> Option<u64>;
}

/// How deep parentheses and signs may nest; a line is not to exhaust the stack.
const DEEPEST: u32 = 64;

/// Reads one expression from the front of `text` and gives its value and what follows.
pub(crate) fn parse<'t>(text: &'t str, names: &dyn Names) -> Result<(u64, &'t str), Failed> {
    let mut parser = Parser { rest: text.trim_start(), names, depth: 0 };
    let value = parser.sum()?;
    Ok((value, parser.rest))
}

struct Parser<'t, 'n> {
    rest: &'t str,
    names: &'n dyn Names,
    depth: u32,
}

impl<'t> Parser<'t, '_> {
    fn sum(&mut self) -> Result<u64, Failed> {
        let mut value = self.product()?;
        loop {
            value = match self.peek() {
                Some('+') => value.wrapping_add(self.operand(Self::product)?),
                Some('-') => value.wrapping_sub(self.operand(Self::product)?),
                _ => return Ok(value),
            }
        }
    }

    fn product(&mut self) -> Result<u64, Failed> {
        let mut value = self.unary()?;
        loop {
            value = match self.peek() {
                Some('*') => value.wrapping_mul(self.operand(Self::unary)?),
                Some('/') => divided(value, self.operand(Self::unary)?, i64::wrapping_div)?,
                Some('%') => divided(value, self.operand(Self::unary)?, i64::wrapping_rem)?,
                Some('&') => value & self.operand(Self::unary)?,
                Some('|') => value | self.operand(Self::unary)?,
                Some('^') => value ^ self.operand(Self::unary)?,
                _ => return Ok(value),
            }
        }
    }

    /// Passes over an operator and reads what follows.
    fn operand(&mut self, read: fn(&mut Self) -> Result<u64, Failed>) -> Result<u64, Failed> {
        self.skip(1);
        read(self)
    }

    fn unary(&mut self) -> Result<u64, Failed> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Failed::usage("expression too deep"));
        }
        let value = match self.peek() {
            None => return Err(Failed::usage("unexpected end of expression")),
            Some('+') => self.operand(Self::unary)?,
            Some('-') => self.operand(Self::unary)?.wrapping_neg(),
            Some('~') => !self.operand(Self::unary)?,
            Some('(') => {
                let value = self.operand(Self::sum)?;
                if self.peek() != Some(')') {
                    return Err(Failed::usage("')' expected"));
                }
                self.skip(1);
                value
            }
            Some('\'') => self.character()?,
            Some('$') => {
                self.rest = &self.rest[1..];
                let name = self.word();
                self.names.register(name).ok_or_else(|| Failed::usage("unknown register"))?
            }
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some(c) => {
                let name = self.word();
                let value = (!name.is_empty()).then(|| self.names.symbol(name)).flatten();
                value.ok_or_else(|| Failed::usage(format!("invalid char '{c}' in expression")))?
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn character(&mut self) -> Result<u64, Failed> {
        let mut chars = self.rest.chars().skip(1);
        let (Some(c), Some('\'')) = (chars.next(), chars.next()) else {
            return Err(Failed::usage("missing terminating ' character"));
        };
        self.skip(2 + c.len_utf8());
        Ok(c.into())
    }

    /// Decimal, `0x` hexadecimal or `0` octal.
    fn number(&mut self) -> Result<u64, Failed> {
        let (digits, radix) = match self.rest.as_bytes() {
            [b'0', b'x' | b'X', ..] => (&self.rest[2..], 16),
            [b'0', ..] => (self.rest, 8),
            _ => (self.rest, 10),
        };
        let len = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at(len);
        let value = u64::from_str_radix(digits, radix).map_err(|_| match digits {
            "" => Failed::usage("invalid char 'x' in expression"),
            _ => Failed::usage("number too large"),
        })?;
        self.rest = rest.trim_start();
        Ok(value)
    }

    fn word(&mut self) -> &'t str {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let len = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest.trim_start();
        word
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start();
    }
}

fn divided(a: u64, b: u64, divide: fn(i64, i64) -> i64) -> Result<u64, Failed> {
    match b {
        0 => Err(Failed::usage("division by zero")),
        b => Ok(divide(a as i64, b as i64) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Some42;
    impl Names for Some42 {
        fn register(&self, name: &str) -> Option<u64> {
            (name == "sp").then_some(0x42)
        }
        fn symbol(&self, name: &str) -> Option<u64> {
            (name == "main").then_some(0x8000_0000)
        }
    }

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let result = match parse(text, &Some42) {
            Ok((value, "")) => format!("{value:#x}"),
            Ok((value, rest)) => format!("{value:#x} then {rest}"),
            Err(failed) => failed.to_string(),
        };
        assert_eq!(result, expect, "{text}");
    }

    #[test]
    fn expressions_are_as_in_qemu() {
        check("1+2*3", "0x7");
        check("(1 + 2) * 3 - -1", "0xa");
        check("0x10 & 0x11 | 010", "0x18");
        check("-7 / 2", "0xfffffffffffffffd");
        check("-7 % 4", "0xfffffffffffffffd");
        check("~0 ^ 1", "0xfffffffffffffffe");
        check("'a'", "0x61");
        check("$sp + main", "0x80000042");
        check("main + 4 x", "0x80000004 then x");
        check("1<<2", "0x1 then <<2");
        check("0xffffffffffffffff + 2", "0x1");
        check("-0x8000000000000000 / -1", "0x8000000000000000");
    }

    #[test]
    fn errors_are_qemus_sentences() {
        check("", "unexpected end of expression");
        check("1+", "unexpected end of expression");
        check("(1", "')' expected");
        check("1/0", "division by zero");
        check("foo", "invalid char 'f' in expression");
        check("!1", "invalid char '!' in expression");
        check("$nope", "unknown register");
        check("$", "unknown register");
        check("'a", "missing terminating ' character");
        check("99999999999999999999", "number too large");
        check(&"(".repeat(1000), "expression too deep");
        check("é", "invalid char 'é' in expression");
    }
}
