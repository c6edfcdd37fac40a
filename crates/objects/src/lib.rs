//! The object model: types with names, parents and typed properties, and a tree of what was made of them.
//!
//! A type is a Rust struct with `#[derive(Object)]`; being linked in is all it takes to be known:
//!
//! ```
//! use hartwright_objects::{Object, Registry};
//!
//! /// A lamp.
//! #[derive(Object)]
//! #[object(name = "lamp", parent = "device")]
//! struct Lamp {
//!     /// Light at full power, in lumen.
//!     #[property(default = 800)]
//!     lumen: u32,
//!     on: bool,
//! }
//!
//! let registry = Registry::linked()?;
//! let lamp = registry.class("lamp")?;
//! assert_eq!(lamp.property("lumen")?.default.to_string(), "800");
//!
//! let mut lamp = Lamp::default();
//! lamp.give("lumen", &"0x40".into())?;
//! assert_eq!((lamp.lumen, lamp.on), (64, false));
//! assert_eq!(lamp.give("lumem", &"1".into()).unwrap_err().to_string(), "Property 'lamp.lumem' not found");
//! # Ok::<(), hartwright_objects::Error>(())
//! ```

#![forbid(unsafe_code)]

// The derive names this crate from outside, also in its own tests.
extern crate self as hartwright_objects;

mod class;
mod error;
mod globals;
mod tree;
mod value;

pub use class::{BASES, CLASSES, Category, Class, Maker, Object, Property, Registry, When};
pub use error::{Error, nearest, unlinked_advice};
pub use globals::Globals;
pub use hartwright_objects_derive::{Choice, Object};
pub use tree::{Abstract, Instance, Node};
pub use value::{Choice, Given, Kind, PropertyType, Size, Value};

#[doc(hidden)]
pub use linkme;
