//! What can be wrong with a type name, a property or a path, in the words QEMU's users know.

use std::fmt;

/// A refusal. Its text is one line; [`hint`](Self::hint) is a second one, if anything helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Nothing that could be made is linked in.
    EmptyRegistry,
    /// Two types have one name.
    DuplicateType(String),
    /// A type's parent is not linked in.
    NoParent {
        /// The type.
        class: String,
        /// The parent it names.
        parent: String,
    },
    /// No type has this name; the near miss, if there is one.
    UnknownType {
        /// What was asked for.
        name: String,
        /// A type that there is.
        near: Option<String>,
    },
    /// The type exists, but is not of the family asked for (an abstract type is of none).
    NotCreatable(String),
    /// The type has no such property.
    UnknownProperty {
        /// The type.
        class: String,
        /// What was asked for.
        property: String,
        /// A property that there is.
        near: Option<String>,
    },
    /// The value is not of the property's kind.
    Expects {
        /// The property.
        property: String,
        /// What its kind is, in words.
        expects: String,
    },
    /// The value is none of an enumeration's.
    NotAccepted {
        /// The property.
        property: String,
        /// What was given.
        value: String,
        /// What may be given.
        choices: &'static [&'static str],
    },
    /// A number does not fit.
    OutOfRange {
        /// The type.
        class: String,
        /// The property.
        property: String,
        /// What was given.
        value: i128,
        /// The smallest value that fits.
        min: i128,
        /// The greatest value that fits.
        max: i128,
    },
    /// A value that the type itself refuses.
    Refused {
        /// The type.
        class: String,
        /// The property.
        property: String,
        /// Why, and what would be right.
        why: String,
    },
    /// The property can be set only before the object is made.
    TooLate {
        /// The type.
        class: String,
        /// The property.
        property: String,
    },
    /// A property that must be given was not.
    Missing {
        /// The type.
        class: String,
        /// The property.
        property: String,
    },
    /// What makes no sense, in words of the type's own.
    Senseless(String),
    /// A text for `-global` that is not `TYPE.PROPERTY=VALUE`.
    NotAGlobal(String),
    /// A child of this name is there already.
    DuplicateChild {
        /// The parent's path.
        parent: String,
        /// The name.
        name: String,
    },
    /// A name that no child can have.
    BadName(String),
    /// Nothing is at this path.
    NoPath(String),
}

impl Error {
    /// A sentence for a second line: a near miss, or what would be right.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownType { near: Some(near), .. } | Error::UnknownProperty { near: Some(near), .. } => {
                Some(format!("did you mean '{near}'?"))
            }
            Error::NotAccepted { choices, .. } => Some(format!("it accepts {}", choices.join(", "))),
            Error::Expects { expects, .. } if expects == SIZE => {
                Some("Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.".into())
            }
            _ => None,
        }
    }
}

/// What helps who asked for a type that is not there, `near` being one that is: the linker drops the types of a crate
/// that nothing names.
pub fn unlinked_advice(near: Option<&str>) -> String {
    let near = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
    format!("{near}a type of another crate is linked in if the program names its crate: `use CRATE as _;`")
}

/// What a size is said to be.
pub(crate) const SIZE: &str = "a non-negative number below 2^64";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::EmptyRegistry => f.write_str(
                "no object type is registered: the program names no crate that has one (`use hartwright_devices as _;` keeps it linked)",
            ),
            Error::DuplicateType(name) => write!(f, "two object types are named '{name}'"),
            Error::NoParent { class, parent } => {
                write!(f, "object type '{class}' has the parent '{parent}', which is not registered")
            }
            Error::UnknownType { name, .. } => write!(f, "'{name}' is not a valid device model name"),
            Error::NotCreatable(name) => write!(f, "'{name}' is an abstract or internal type: it cannot be made by name"),
            Error::UnknownProperty { class, property, .. } => write!(f, "Property '{class}.{property}' not found"),
            Error::Expects { property, expects } => write!(f, "Parameter '{property}' expects {expects}"),
            Error::NotAccepted { property, value, .. } => {
                write!(f, "Parameter '{property}' does not accept value '{value}'")
            }
            Error::OutOfRange { class, property, value, min, max } => write!(
                f,
                "Property {class}.{property} doesn't take value {value} (minimum: {min}, maximum: {max})"
            ),
            Error::Refused { class, property, why } => write!(f, "Property '{class}.{property}': {why}"),
            Error::TooLate { class, property } => {
                write!(f, "Property '{class}.{property}' cannot be set while the object is in use")
            }
            Error::Missing { class, property } => write!(f, "{class}: {property} property not set"),
            Error::Senseless(why) => f.write_str(why),
            Error::NotAGlobal(text) => write!(f, "'{text}' is not TYPE.PROPERTY=VALUE"),
            Error::DuplicateChild { parent, name } => write!(f, "'{parent}' already has a child '{name}'"),
            Error::BadName(name) => {
                write!(f, "'{name}' cannot name an object: a name is not empty and has no '/'")
            }
            Error::NoPath(path) => write!(f, "Device '{path}' not found"),
        }
    }
}

impl std::error::Error for Error {}

/// The candidate that differs least from `name`, if it differs by little enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let most = 1 + name.chars().count() / 4;
    let near = candidates.into_iter().map(|c| (distance(name, c), c)).min()?;
    // A word that begins like the other is a near miss at any length.
    let begins = name.len() >= 3 && near.1.starts_with(name);
    (near.0 <= most || begins).then(|| near.1.to_owned())
}

/// How many characters are put in, left out, replaced or swapped with their neighbour; '-' and '_' are the same.
fn distance(a: &str, b: &str) -> usize {
    let same = |a: char, b: char| a == b || matches!((a, b), ('-', '_') | ('_', '-'));
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replaced = row[j] + usize::from(!same(a[i], b[j]));
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && same(a[i], b[j - 1]) && same(a[i - 1], b[j]) {
                let before: &Vec<usize> = &before;
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_near() {
        let names = ["reg-shift", "clock-frequency", "chardev"];
        assert_eq!(nearest("reg_shift", names).as_deref(), Some("reg-shift"));
        assert_eq!(nearest("regshift", names).as_deref(), Some("reg-shift"));
        assert_eq!(nearest("clock", names), None, "nearest by distance is another");
        assert_eq!(nearest("foo", names), None);
        assert_eq!(
            nearest("rma", ["rom", "ram"]).as_deref(),
            Some("ram"),
            "neighbours swapped are one mistake"
        );
        assert_eq!(nearest("foo", []), None);
    }
}
