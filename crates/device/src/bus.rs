//! Cards: devices that are plugged into another device's bus and have no addresses of their own.
//!
//! The device with the bus has its cards in its hands, so one lock is around all of them. Who makes a machine sees of
//! a card what it sees of any object, and which bus it offers in turn.

use crate::{Error, Wiring};
use hartwright_objects::{Globals, Object, Registry};

/// Where cards are plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// What the types that fit say of themselves: `#[object(bus = "virtio-bus")]`.
    pub kind: &'static str,
    /// What it is called, before a dot and a number.
    pub name: &'static str,
    /// Whether another card has room.
    pub room: bool,
}

/// A device on a bus.
pub trait Card: Object {
    /// Checks its properties against each other, and its cards against itself.
    ///
    /// # Errors
    /// It can not be so.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Takes what it is wired to, once, before anything else. Pins of [`Wiring::me`] are its bus's device's to give.
    fn wire(&mut self, wiring: Wiring);

    /// The bus it has itself.
    fn bus(&self) -> Option<Bus> {
        None
    }

    /// Makes a card on its bus.
    ///
    /// # Errors
    /// Nothing of that type can be made for this bus.
    fn plug(&mut self, new: &NewCard<'_>) -> Result<(), Error> {
        Err(new.misplaced())
    }

    /// The cards on its bus, in the order they were plugged in.
    fn cards(&self) -> Vec<&dyn Card> {
        vec![]
    }

    /// The same, to be changed.
    fn cards_mut(&mut self) -> Vec<&mut dyn Card> {
        vec![]
    }
}

/// A card to be: its type's name, and where such types are known.
#[derive(Clone, Copy)]
pub struct NewCard<'a> {
    /// All types.
    pub registry: &'a Registry,
    /// The defaults that the user changed.
    pub globals: &'a Globals,
    /// The card's type.
    pub class: &'a str,
}

impl NewCard<'_> {
    /// The card, with its defaults. `F` is the family of what fits the bus.
    ///
    /// # Errors
    /// The type is unknown, or of another family.
    pub fn make<F: ?Sized + Object>(&self) -> Result<Box<F>, Error> {
        self.registry.create(self.class, self.globals, [])
    }

    /// Why nothing can be plugged in where there is no bus.
    pub fn misplaced(&self) -> Error {
        Error::NotCreatable(self.class.to_owned())
    }
}
