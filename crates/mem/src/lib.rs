//! The guest-physical address space: what lies where, and RAM that every hart shares without locks.
//!
//! [`AddressSpace`] finds the region of an address; [`Ram`] holds the bytes of all RAM and ROM regions in one
//! host mapping, so that a TLB entry is one offset. Nothing here knows what a hart or a device is.

#![expect(unsafe_code, reason = "guest memory is host memory that several harts use at once; see `ram`")]

mod guest;
mod ram;
mod space;
mod unmodelled;

pub use guest::{Code, NoBitmap};
pub use ram::{Moment, PAGE, PAGE_SHIFT, Ram, Window, Word, Writing, sees_stores};
pub use space::{AddressSpace, Backing, Builder, BusError, Kind, LayoutError, Mmio, Place, Region};
pub use unmodelled::{Access, Miss, Unmodelled};
