//! What a machine and devices of one's own are made with, and the program around them.
#![forbid(unsafe_code)]

pub use hartwright_emu::main_with;
