//! Numbers as users write them: `64`, `0x40`, `1.5G`.

use super::Refusal;

/// The lines that follow a refused size.
pub const SIZE_HINT: &str = "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n\
     and exabytes, respectively.";

/// A size in bytes. A number without a suffix counts in units of `unit` (one of the suffixes, or `B`).
///
/// Fractions are taken in decimal before a suffix that makes them whole bytes or more: `1.5G`.
pub fn parse_size(key: &str, text: &str, unit: char) -> Result<u64, Refusal> {
    let wrong = || {
        Refusal::new(format!("Parameter '{key}' expects a non-negative number below 2^64")).hint(SIZE_HINT)
    };
    let too_large = || Refusal::new(format!("Value '{text}' is out of range for parameter '{key}'"));
    let (number, suffix) = match text.char_indices().last() {
        Some((at, last)) if shift(last).is_some() && !(is_hexadecimal(text) && last.is_ascii_hexdigit()) => {
            (&text[..at], last)
        }
        _ => (text, unit),
    };
    let shift = shift(suffix).ok_or_else(wrong)?;
    if let Some(digits) = number.strip_prefix("0x").or_else(|| number.strip_prefix("0X")) {
        let whole = digits_of(digits, 16).ok_or_else(wrong)?;
        return u64::try_from(whole << shift).map_err(|_| too_large());
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let value = digits_of(whole, 10).ok_or_else(wrong)?;
    if number.contains('.') && (shift == 0 || fraction.len() > 18) {
        return Err(wrong());
    }
    let part = match fraction {
        "" => 0,
        _ => digits_of(fraction, 10).ok_or_else(wrong)?,
    };
    // At most 18 decimal digits shifted by at most 60 bits stay below 2^128.
    let part = (part << shift) / 10u128.pow(fraction.len() as u32);
    value
        .checked_mul(1 << shift)
        .and_then(|value| value.checked_add(part))
        .and_then(|value| u64::try_from(value).ok())
        .ok_or_else(too_large)
}

/// A whole number, decimal, `0x` hexadecimal or `0` octal.
pub fn parse_whole(key: &str, text: &str) -> Result<u64, Refusal> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    digits_of(digits, radix)
        .and_then(|value| u64::try_from(value).ok())
        .ok_or_else(|| Refusal::new(format!("Parameter '{key}' expects a number")))
}

/// Digits only, no sign, below 2^64.
fn digits_of(text: &str, radix: u32) -> Option<u128> {
    if text.is_empty() || !text.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u128::from_str_radix(text, radix).ok().filter(|value| *value <= u128::from(u64::MAX))
}

fn is_hexadecimal(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

fn shift(suffix: char) -> Option<u32> {
    Some(match suffix.to_ascii_uppercase() {
        'B' => 0,
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        'P' => 50,
        'E' => 60,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<u64, &str>) {
        let size = parse_size("size", text, 'M').map_err(|refusal| refusal.message);
        assert_eq!(size.as_ref().copied().map_err(|message| &**message), expect, "{text}");
    }

    #[test]
    fn sizes_have_units() {
        check("512", Ok(512 << 20));
        check("64k", Ok(64 << 10));
        check("1.5G", Ok(3 << 29));
        check("0.5M", Ok(512 << 10));
        check("0x10", Ok(16 << 20));
        check("0xb", Ok(11 << 20));
        check("0x1M", Ok(1 << 20));
        check("4096B", Ok(4096));
        check("15E", Ok(15 << 60));
        check("0", Ok(0));
        check("0.999999999999999999E", Ok(1_152_921_504_606_846_974));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        const WRONG: &str = "Parameter 'size' expects a non-negative number below 2^64";
        for text in ["abc", "", "-1", "1X", "1.", "1.5B", ".5G", "1e3", "+1", "0x", "1 M", "1é"] {
            match text {
                "1." => check(text, Ok(1 << 20)),
                _ => check(text, Err(WRONG)),
            }
        }
        check("1000E", Err("Value '1000E' is out of range for parameter 'size'"));
        check("16E", Err("Value '16E' is out of range for parameter 'size'"));
        check("99999999999999999999", Err(WRONG));
        assert_eq!(parse_size("size", "abc", 'M').unwrap_err().hint, SIZE_HINT);
    }

    #[test]
    fn whole_numbers_have_c_prefixes() {
        assert_eq!(parse_whole("a", "0x14"), Ok(20));
        assert_eq!(parse_whole("a", "010"), Ok(8));
        assert_eq!(parse_whole("a", "0"), Ok(0));
        for bad in ["", "0x", "-1", "1k", "08", "18446744073709551616"] {
            assert_eq!(
                parse_whole("tb-size", bad).unwrap_err().message,
                "Parameter 'tb-size' expects a number"
            );
        }
    }
}
