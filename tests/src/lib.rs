//! Whole machines, driven through their console as a person would.
#![forbid(unsafe_code)]
