//! `stdio`: our own standard input and output, a terminal as a rule.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{Driver, streams::Streams};
use crate::{
    channel::{Channel, Way},
    opts::Refusal,
    reason,
    spec::Kind,
    tty,
};

pub(crate) const DRIVER: Driver = Driver {
    names: &["stdio"],
    keys: &["signal"],
    read: |opts| Ok(Kind::Stdio { signal: opts.switch("signal")?.unwrap_or(true) }),
};

static TAKEN: AtomicBool = AtomicBool::new(false);

pub(crate) fn open(signal: bool) -> Result<Streams, Refusal> {
    if TAKEN.swap(true, Ordering::AcqRel) {
        return Err(Refusal::new("cannot use stdio by multiple character devices"));
    }
    tty::raw(signal).map_err(|e| Refusal::new(format!("the terminal cannot be made raw: {}", reason(&e))))?;
    // A standard stream that is closed is one that never has input and swallows output.
    let input = Channel::shared(io::stdin(), Way::In).ok();
    let output = Channel::shared(io::stdout(), Way::Out).ok();
    Ok(Streams::new("stdio", input, output))
}
