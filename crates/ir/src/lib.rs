//! The language of meaning: what the rows of `isa` say, and whoever runs or translates them hears.
//!
//! A meaning is written once, generic over its [`Reader`]. A hart that reads it does it, now; a block builder
//! that reads it lifts it. [`Width::bin`] and its neighbours are the single arithmetic truth for all readers.

#![forbid(unsafe_code)]

mod block;
mod crypto;
mod fuse;
mod lift;
mod ops;
mod reader;
mod sweep;
mod width;

pub use block::{Arg, Block, Op};
pub use crypto::{Aes, Crypto, Sha};
pub use fuse::Fuser;
pub use lift::{Builder, End, Val};
pub use ops::{Amo, Bin, Cbo, CsrOp, Fmt, Fp, FpTest, Int, Mem, Order, System, Un};
pub use reader::{Reader, Value};
pub use width::Width;
