//! Virtio 1.2 devices: the register interface (`virtio-mmio`, modern and legacy), and the cards on its bus.
//!
//! A card ([`VirtioCard`]) knows requests; the transport knows registers; between them stands [`Io`], which alone
//! follows rings. All that a ring says is hostile: what cannot be right stops the card until the driver resets it
//! (DEVICE_NEEDS_RESET), and is counted as a guest error.
//!
//! A program that only names these types as text must still name this crate, or the linker drops it:
//! `use hartwright_virtio as _;`.

#![forbid(unsafe_code)]

mod balloon;
mod blk;
mod card;
mod chain;
mod console;
mod fuzz;
mod io;
mod mmio;
mod ring;
mod rng;

#[cfg(test)]
mod blk_tests;
#[cfg(test)]
mod console_tests;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod mmio_tests;
#[cfg(test)]
mod other_tests;

pub use balloon::Balloon;
pub use blk::Blk;
pub use card::VirtioCard;
pub use chain::Chain;
pub use console::{Console, PortCard, VirtConsole, VirtSerialPort};
pub use fuzz::any_guest;
pub use io::Io;
pub use mmio::VirtioMmio;
pub use rng::Rng;

/// Feature bits of no particular card (virtio 1.2, section 6; legacy: 6.3).
pub mod features {
    /// Interrupt when the driver's ring runs empty, whatever it says about interrupts (legacy).
    pub const NOTIFY_ON_EMPTY: u64 = 1 << 24;
    /// A request may be cut into descriptors anywhere (legacy; without it in virtio 1).
    pub const ANY_LAYOUT: u64 = 1 << 27;
    /// A descriptor may refer to a table of descriptors.
    pub const INDIRECT_DESC: u64 = 1 << 28;
    /// Either side says at which index it wants to hear of the other.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// Not legacy.
    pub const VERSION_1: u64 = 1 << 32;
    /// A queue can be reset alone.
    pub const RING_RESET: u64 = 1 << 40;
}
