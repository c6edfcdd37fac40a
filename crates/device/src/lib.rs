//! What a device is: registers as a table, lines out, pins in, queues to the host; the lock is around it, not in it.
//!
//! A device is three groups of fields: configuration (its properties), wiring (what [`Device::realize`] gave it)
//! and a plain `State` whose default is reset. It is `&mut self` throughout; [`Locked`] is what the bus and the
//! lines hold.

#![forbid(unsafe_code)]

mod access;
mod block;
mod bus;
mod conforms;
mod dma;
mod items;
mod locked;
pub mod log;
mod port;
pub mod reference;
pub mod regs;
mod saved;
pub mod soundness;
mod table;
pub mod trace;
mod wiring;

pub use block::{BlockError, BlockInfo, BlockOp, BlockPort, BlockReply, BlockRequest};
pub use bus::{Bus, Card, NewCard};
pub use conforms::{any_access, conforms};
pub use dma::{Array, Dma};
pub use hartwright_mem::{BusError, Mmio};
pub use hartwright_objects::Error;
pub use hartwright_wire::{Alarm, Clock, Comparator, Entropy, Line, Mtime, Sink};
pub use items::Items;
pub use locked::Locked;
pub use port::{CharPort, Outward};
pub use regs::{Access, Field, Otherwise, Register, Registers, Table};
pub use saved::Saved;
pub use wiring::{Output, Power, Prop, Request, Target, Wiring};

#[doc(hidden)]
pub use serde;

use hartwright_objects::Object;

/// Pins from this number on are a device's own: wake-ups of its alarms and ports, which no line of a board reaches.
pub const OWN: u32 = 1 << 31;

/// Something with registers that can be wired.
///
/// The order of calls: properties are set, [`realize`](Self::realize) once, [`reset`](Self::reset), then the rest
/// in any order. Every call has the device to itself.
pub trait Device: Object + Registers {
    /// Takes what it is wired to, and checks its properties against each other.
    ///
    /// # Errors
    /// A property has a value that no such device can have.
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error>;

    /// Back to the state of power-on; lines follow.
    fn reset(&mut self);

    /// Reads `size` (1, 2, 4 or 8) bytes of registers.
    ///
    /// # Errors
    /// The access faults; the guest gets an access fault.
    fn read(&mut self, offset: u64, size: u8) -> Result<u64, BusError> {
        regs::read(self, offset, size)
    }

    /// Writes the low `size` (1, 2, 4 or 8) bytes of `value` to registers.
    ///
    /// # Errors
    /// The access faults; the guest gets an access fault.
    fn write(&mut self, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
        regs::write(self, offset, size, value)
    }

    /// An input changed: a pin below [`inputs`](Self::inputs), or one of its own from [`OWN`] on.
    fn input(&mut self, pin: u32, level: bool) {
        let _ = (pin, level);
    }

    /// What [`Saved::save`] is to keep of it; `None` for a device that remembers nothing.
    ///
    /// A device that remembers more than its registers says `Some(&mut self.state)`, and derives serde for that.
    fn state(&mut self) -> Option<&mut dyn Saved> {
        self.saved()
    }

    /// Its state was replaced by a saved one: lines, alarms and ports follow.
    fn restored(&mut self) {}

    /// How many pins other devices can drive; an interrupt controller has some.
    fn inputs(&self) -> u32 {
        0
    }

    /// The lines it drives, in the order of [`Wiring::lines`]. They may depend on properties.
    fn outputs(&self) -> Vec<Output> {
        vec![]
    }

    /// Bytes of guest address space; they may depend on properties.
    fn size(&self) -> u64 {
        self.table().size
    }

    /// Whether there is memory behind its registers, as large as it is, from which harts fetch instructions
    /// ([`Wiring::array`]): a flash chip.
    fn array(&self) -> bool {
        false
    }

    /// Its `compatible` strings, most special first. None: it has no node in the device tree.
    fn compatible(&self) -> &'static [&'static str];

    /// The generic name of its node in the device tree (`serial` of `serial@10000000`).
    fn node(&self) -> &'static str {
        "device"
    }

    /// Whether its node stands in `/soc`; else it stands in the root.
    fn in_soc(&self) -> bool {
        true
    }

    /// Whether its node tells of those of its type too that follow it right away, as banks of one.
    fn joins(&self) -> bool {
        false
    }

    /// What `reg` says of the `size` bytes that the device has, in order, as offsets and sizes.
    fn windows(&self, size: u64) -> Vec<(u64, u64)> {
        vec![(0, size)]
    }

    /// What its node says besides `compatible`, `reg` and `interrupts`.
    fn describe(&self) -> Vec<(&'static str, Prop)> {
        vec![]
    }

    /// The bus it has for cards.
    fn bus(&self) -> Option<Bus> {
        None
    }

    /// Makes a card on its bus, before it is wired itself.
    ///
    /// # Errors
    /// Nothing of that type can be made for this bus.
    fn plug(&mut self, new: &NewCard<'_>) -> Result<(), Error> {
        Err(new.misplaced())
    }

    /// The cards on its bus, in the order they were plugged in; [`Wiring::cards`] has the same order.
    fn cards(&self) -> Vec<&dyn Card> {
        vec![]
    }

    /// The same, to be changed; [`given`](Self::given) is called afterwards.
    fn cards_mut(&mut self) -> Vec<&mut dyn Card> {
        vec![]
    }

    /// Somebody set a property, of it or of its cards, while it is in use.
    fn given(&mut self) {}
}
