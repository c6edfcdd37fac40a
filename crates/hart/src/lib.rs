//! A hart: registers, CSRs, traps, address translation and protection (privileged spec 1.13).
//!
//! It knows how to do each thing an instruction asks for; which instruction asks, and what comes next, is
//! `exec`'s business. One thread at a time uses a hart; only its [`Port`] is shared.

#![forbid(unsafe_code)]

mod counters;
mod csr;
mod float;
mod hart;
mod high;
mod memory;
mod near;
mod open;
mod pmp;
mod port;
mod shown;
pub mod status;
mod tlb;
mod trap;
mod triggers;
mod walk;

pub use csr::Illegal;
pub use hart::{Config, Hart, Observer, Protection, layout};
pub use hartwright_mem::Access;
pub use near::NEAR_PAGES;
pub use port::{Bell, Port};
pub use shown::Shown;
pub use trap::{Cause, Privilege, Trap};
