//! Kinds of properties, values of those kinds, and the one way from text, TOML and JSON to a value.

use crate::{Error, error::SIZE};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// What a property may be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `on` or `off`.
    Bool,
    /// A number from 0 to 2^bits - 1.
    UInt {
        /// 8, 16, 32 or 64.
        bits: u32,
    },
    /// A signed number in two's complement of so many bits.
    Int {
        /// 8, 16, 32 or 64.
        bits: u32,
    },
    /// Bytes; text may have a suffix (`64M`).
    Size,
    /// Text.
    Str,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// Another object of this type, by path or id.
    Link(&'static str),
    /// Texts; as text they are separated by commas.
    StrList,
    /// Numbers; as text they are separated by commas.
    UIntList,
}

impl fmt::Display for Kind {
    /// The kind as `-device TYPE,help` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Bool => f.write_str("bool"),
            Kind::UInt { bits } => write!(f, "uint{bits}"),
            Kind::Int { bits } => write!(f, "int{bits}"),
            Kind::Size => f.write_str("size"),
            Kind::Str => f.write_str("str"),
            Kind::Enum(words) => f.write_str(&words.join("|")),
            Kind::Link(class) => write!(f, "link<{class}>"),
            Kind::StrList => f.write_str("strList"),
            Kind::UIntList => f.write_str("uintList"),
        }
    }
}

/// What a property is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing: an optional property that was not given.
    None,
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::UInt`] and [`Kind::Size`].
    UInt(u64),
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of [`Kind::Str`], [`Kind::Enum`] and [`Kind::Link`].
    Str(String),
    /// Of [`Kind::StrList`].
    StrList(Vec<String>),
    /// Of [`Kind::UIntList`].
    UIntList(Vec<u64>),
}

impl fmt::Display for Value {
    /// The value as an option's text; [`Kind::accept`] takes it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => Ok(()),
            Value::Bool(v) => f.write_str(if *v { "on" } else { "off" }),
            Value::UInt(v) => v.fmt(f),
            Value::Int(v) => v.fmt(f),
            Value::Str(v) => f.write_str(v),
            Value::StrList(v) => f.write_str(&v.join(",")),
            Value::UIntList(v) => f.write_str(&v.iter().map(u64::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

/// A value as somebody gave it: text of an option, or a scalar or list of TOML or JSON (by serde).
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// An option's text, or a string.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// A number with a fraction; no property takes one.
    Float(f64),
    /// A list.
    List(Vec<Given>),
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Given::Text(text.into())
    }
}

impl From<String> for Given {
    fn from(text: String) -> Self {
        Given::Text(text)
    }
}

impl From<bool> for Given {
    fn from(v: bool) -> Self {
        Given::Bool(v)
    }
}

impl From<u64> for Given {
    fn from(v: u64) -> Self {
        Given::Int(v.into())
    }
}

impl From<i32> for Given {
    fn from(v: i32) -> Self {
        Given::Int(v.into())
    }
}

impl From<&Value> for Given {
    fn from(value: &Value) -> Self {
        match value {
            Value::None => Given::Text(String::new()),
            Value::Bool(v) => Given::Bool(*v),
            Value::UInt(v) => Given::Int((*v).into()),
            Value::Int(v) => Given::Int((*v).into()),
            Value::Str(v) => Given::Text(v.clone()),
            Value::StrList(v) => Given::List(v.iter().cloned().map(Given::Text).collect()),
            Value::UIntList(v) => Given::List(v.iter().map(|v| Given::Int((*v).into())).collect()),
        }
    }
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Given::Text(v) => s.serialize_str(v),
            Given::Bool(v) => s.serialize_bool(*v),
            Given::Int(v) => match (i64::try_from(*v), u64::try_from(*v)) {
                (Ok(v), _) => s.serialize_i64(v),
                (_, Ok(v)) => s.serialize_u64(v),
                _ => s.serialize_i128(*v),
            },
            Given::Float(v) => s.serialize_f64(*v),
            Given::List(v) => s.collect_seq(v),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Visit)
    }
}

struct Visit;

impl<'de> de::Visitor<'de> for Visit {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a boolean, an integer or a list of them")
    }
    fn visit_bool<E>(self, v: bool) -> Result<Given, E> {
        Ok(Given::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Given, E> {
        Ok(Given::Int(v.into()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Given, E> {
        Ok(Given::Int(v.into()))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Given, E> {
        Ok(Given::Float(v))
    }
    fn visit_str<E>(self, v: &str) -> Result<Given, E> {
        Ok(Given::Text(v.into()))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
        let mut list = vec![];
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Given::List(list))
    }
}

impl Kind {
    /// The value that `given` means for property `property` of type `class`.
    pub fn accept(self, class: &str, property: &str, given: &Given) -> Result<Value, Error> {
        let expects = |what: &str| Error::Expects { property: property.into(), expects: what.into() };
        let range = |value: i128, min: i128, max: i128| {
            if (min..=max).contains(&value) {
                return Ok(value);
            }
            Err(Error::OutOfRange { class: class.into(), property: property.into(), value, min, max })
        };
        let integer = |what: &str, given: &Given| match given {
            Given::Int(v) => Ok(*v),
            Given::Text(text) => number(text).ok_or_else(|| expects(what)),
            _ => Err(expects(what)),
        };
        let words = |given: &Given| match given {
            Given::Text(text) if text.is_empty() => Ok(vec![]),
            Given::Text(text) => Ok(text.split(',').map(Given::from).collect()),
            Given::List(list) => Ok(list.clone()),
            Given::Int(_) => Ok(vec![given.clone()]),
            _ => Err(expects("a list")),
        };
        Ok(match self {
            Kind::Bool => Value::Bool(match given {
                Given::Bool(v) => *v,
                Given::Text(text) if matches!(&**text, "on" | "yes" | "true" | "y") => true,
                Given::Text(text) if matches!(&**text, "off" | "no" | "false" | "n") => false,
                _ => return Err(expects("'on' or 'off'")),
            }),
            Kind::UInt { bits } => {
                let v = range(integer(&format!("uint{bits}"), given)?, 0, (1 << bits) - 1)?;
                Value::UInt(v as u64)
            }
            Kind::Int { bits } => {
                let v =
                    range(integer(&format!("int{bits}"), given)?, -1 << (bits - 1), (1 << (bits - 1)) - 1)?;
                Value::Int(v as i64)
            }
            Kind::Size => Value::UInt(match given {
                Given::Int(v) => u64::try_from(*v).map_err(|_| expects(SIZE))?,
                Given::Text(text) => size(text).ok_or_else(|| expects(SIZE))?,
                _ => return Err(expects(SIZE)),
            }),
            Kind::Str | Kind::Link(_) => match given {
                Given::Text(text) => Value::Str(text.clone()),
                _ => return Err(expects("a string")),
            },
            Kind::Enum(choices) => match given {
                Given::Text(text) if choices.contains(&&**text) => Value::Str(text.clone()),
                Given::Text(text) => {
                    let (property, value) = (property.into(), text.clone());
                    return Err(Error::NotAccepted { property, value, choices });
                }
                _ => return Err(expects("a string")),
            },
            Kind::StrList => {
                let text = |given: &Given| match given {
                    Given::Text(text) => Ok(text.clone()),
                    _ => Err(expects("a list of strings")),
                };
                Value::StrList(words(given)?.iter().map(text).collect::<Result<_, _>>()?)
            }
            Kind::UIntList => {
                let item = |given: &Given| {
                    Ok(range(integer("a list of uint64", given)?, 0, u64::MAX.into())? as u64)
                };
                Value::UIntList(words(given)?.iter().map(item).collect::<Result<_, Error>>()?)
            }
        })
    }
}

/// A decimal, `0x` or `0b` number, signed.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let v = unsigned(digits)?;
    Some(if negative { -v } else { v })
}

fn unsigned(digits: &str) -> Option<i128> {
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match (lower.strip_prefix("0x"), lower.strip_prefix("0b")) {
        (Some(hex), _) => (hex, 16),
        (_, Some(binary)) => (binary, 2),
        _ => (&*lower, 10),
    };
    // Rust's parser takes a sign; here it was taken already. 2^100 is beyond any property.
    let plain = digits.chars().all(|c| c.is_digit(radix));
    i128::from_str_radix(digits, radix).ok().filter(|v| plain && *v < 1 << 100)
}

/// Bytes: a number, perhaps with a fraction, and a suffix of powers of 1024 (`B`, `k`, `M`, `G`, `T`, `P`, `E`).
fn size(text: &str) -> Option<u64> {
    let last = text.chars().last()?.to_ascii_uppercase();
    let hex = text.starts_with("0x") || text.starts_with("0X");
    // In a hexadecimal number B and E are digits.
    let power = "BKMGTPE".find(last).filter(|_| !(hex && matches!(last, 'B' | 'E')));
    let (digits, shift) = match power {
        Some(power) => (&text[..text.len() - 1], 10 * power as u32),
        None => (text, 0),
    };
    if let Some(v) = unsigned(digits) {
        return v.checked_mul(1 << shift).and_then(|v| u64::try_from(v).ok());
    }
    let (whole, fraction) = digits.split_once('.')?;
    let decimal = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if hex || !decimal(whole) || !decimal(fraction) {
        return None;
    }
    let bytes = digits.parse::<f64>().ok()? * (1u64 << shift) as f64;
    (bytes < 18_446_744_073_709_551_616.0).then_some(bytes as u64)
}

/// A Rust type that a property can have.
pub trait PropertyType: Sized {
    /// Its kind.
    const KIND: Kind;
    /// From a value of that kind; `None` if it is of another.
    fn from_value(value: &Value) -> Option<Self>;
    /// To a value of that kind.
    fn to_value(&self) -> Value;
}

macro_rules! integers {
    ($($ty:ty: $kind:ident $bits:literal as $wide:ty;)*) => {$(
        impl PropertyType for $ty {
            const KIND: Kind = Kind::$kind { bits: $bits };
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$kind(v) => (*v).try_into().ok(),
                    _ => None,
                }
            }
            fn to_value(&self) -> Value {
                Value::$kind(<$wide>::from(*self))
            }
        }
    )*};
}

integers! {
    u8: UInt 8 as u64;
    u16: UInt 16 as u64;
    u32: UInt 32 as u64;
    u64: UInt 64 as u64;
    i8: Int 8 as i64;
    i16: Int 16 as i64;
    i32: Int 32 as i64;
    i64: Int 64 as i64;
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

macro_rules! plain {
    ($($ty:ty: $kind:expr, $pattern:pat => $from:expr, $value:ident => $to:expr;)*) => {$(
        impl PropertyType for $ty {
            const KIND: Kind = $kind;
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $pattern => Some($from),
                    _ => None,
                }
            }
            fn to_value(&self) -> Value {
                let $value = self;
                $to
            }
        }
    )*};
}

plain! {
    bool:        Kind::Bool,     Value::Bool(v)     => *v,        v => Value::Bool(*v);
    Size:        Kind::Size,     Value::UInt(v)     => Size(*v),  v => Value::UInt(v.0);
    String:      Kind::Str,      Value::Str(v)      => v.clone(), v => Value::Str(v.clone());
    Vec<String>: Kind::StrList,  Value::StrList(v)  => v.clone(), v => Value::StrList(v.clone());
    Vec<u64>:    Kind::UIntList, Value::UIntList(v) => v.clone(), v => Value::UIntList(v.clone());
}

impl<T: PropertyType> PropertyType for Option<T> {
    const KIND: Kind = T::KIND;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::None => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::None, T::to_value)
    }
}

/// An enum of plain variants that a property can have; `#[derive(Choice)]` writes it.
///
/// A variant's word is its name in lower case with dashes: `ReadOnly` is `read-only`.
pub trait Choice: Sized + Copy + PartialEq + 'static {
    /// The words.
    const WORDS: &'static [&'static str];
    /// The variants, in the same order.
    const VARIANTS: &'static [Self];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, given: impl Into<Given>, expect: Result<&str, &str>) {
        let got = kind.accept("lamp", "x", &given.into());
        let got = got.map(|v| v.to_string()).map_err(|e| e.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expect);
    }

    #[test]
    fn a_text_becomes_a_value_or_a_refusal_by_name() {
        let u64 = Kind::UInt { bits: 64 };
        let u8 = Kind::UInt { bits: 8 };
        check(Kind::Bool, "on", Ok("on"));
        check(Kind::Bool, true, Ok("on"));
        check(Kind::Bool, "maybe", Err("Parameter 'x' expects 'on' or 'off'"));
        check(Kind::Bool, 1, Err("Parameter 'x' expects 'on' or 'off'"));
        check(u64, "0x10", Ok("16"));
        check(u64, "18446744073709551615", Ok("18446744073709551615"));
        check(u64, "", Err("Parameter 'x' expects uint64"));
        check(u64, "+1", Err("Parameter 'x' expects uint64"));
        check(u64, "1.5", Err("Parameter 'x' expects uint64"));
        check(u64, true, Err("Parameter 'x' expects uint64"));
        check(u8, "256", Err("Property lamp.x doesn't take value 256 (minimum: 0, maximum: 255)"));
        check(u8, "-1", Err("Property lamp.x doesn't take value -1 (minimum: 0, maximum: 255)"));
        check(Kind::Int { bits: 8 }, "-128", Ok("-128"));
        check(Kind::Enum(&["a", "b"]), "b", Ok("b"));
        check(Kind::Enum(&["a", "b"]), "c", Err("Parameter 'x' does not accept value 'c'"));
        check(Kind::Str, 5, Err("Parameter 'x' expects a string"));
        check(Kind::UIntList, "1,0x2", Ok("1,2"));
        check(Kind::UIntList, Given::List(vec![Given::Int(1), "2".into()]), Ok("1,2"));
        check(Kind::StrList, "", Ok(""));
        check(Kind::StrList, true, Err("Parameter 'x' expects a list"));
    }

    #[test]
    fn a_size_has_a_suffix() {
        let bad = Err("Parameter 'x' expects a non-negative number below 2^64");
        check(Kind::Size, "64M", Ok("67108864"));
        check(Kind::Size, "1.5k", Ok("1536"));
        check(Kind::Size, "0x1e", Ok("30"));
        check(Kind::Size, "0x10k", Ok("16384"));
        check(Kind::Size, "7B", Ok("7"));
        for text in ["abc", "", "k", "-1", "16E", "1.k", "0x1.5k", "1.5.5", "ü", "5ü"] {
            check(Kind::Size, text, bad);
        }
    }

    #[test]
    fn toml_and_json_are_given_alike() {
        let table: std::collections::BTreeMap<String, Given> =
            toml::from_str("a = 1\nb = 'x'\nc = [1, '2']\nd = true\ne = 1.5").unwrap();
        let json: std::collections::BTreeMap<String, Given> =
            serde_json::from_str(r#"{"a":1,"b":"x","c":[1,"2"],"d":true,"e":1.5}"#).unwrap();
        assert_eq!(table, json);
        assert!(serde_json::from_str::<Given>("{}").is_err());
        assert_eq!(serde_json::to_string(&json).unwrap(), r#"{"a":1,"b":"x","c":[1,"2"],"d":true,"e":1.5}"#);
    }
}
