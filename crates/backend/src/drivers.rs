//! The kinds of host ends, one file a driver: what each is asked for with, and what it does.

use std::time::Instant;

use hartwright_event::{Event, Key, Loop};

use crate::{
    backends::{Notice, Told},
    opts::{Opts, Refusal},
    spec::Kind,
};

pub(crate) mod file;
pub(crate) mod null;
pub(crate) mod pipe;
pub(crate) mod pty;
pub(crate) mod ringbuf;
pub(crate) mod serial;
pub(crate) mod socket;
pub(crate) mod stdio;
mod streams;
pub(crate) mod udp;
pub(crate) mod vc;

/// A row of the list of drivers.
pub(crate) struct Driver {
    /// What users call it; the first name is its own.
    pub(crate) names: &'static [&'static str],
    /// The options that mean something to it, besides those that all have.
    pub(crate) keys: &'static [&'static str],
    /// What the options ask for.
    pub(crate) read: fn(&Opts) -> Result<Kind, Refusal>,
}

/// Every driver.
pub(crate) const DRIVERS: &[Driver] = &[
    file::DRIVER,
    null::DRIVER,
    pipe::DRIVER,
    pty::DRIVER,
    ringbuf::DRIVER,
    serial::DRIVER,
    socket::DRIVER,
    stdio::DRIVER,
    udp::DRIVER,
    vc::DRIVER,
];

/// What a driver is given when it opens.
pub(crate) struct Opening<'a> {
    /// What the host end is called.
    pub(crate) label: &'a str,
    /// Who opens it.
    pub(crate) program: &'a str,
    /// Hears what the user has to know meanwhile.
    pub(crate) tell: &'a dyn Fn(Told<'_>),
}

/// What a driver is given when it works, on the thread of all host ends.
pub(crate) struct Desk<'a> {
    pub(crate) events: &'a mut Loop,
    /// The host end's own key: its timer and its wake-ups.
    pub(crate) key: Key,
    /// What the host end is called.
    pub(crate) label: &'a str,
    pub(crate) notify: &'a dyn Fn(Notice),
}

/// What an event made possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// Input: bytes, and breaks between them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    /// Before which of the bytes a break comes, in order.
    pub(crate) breaks: Vec<usize>,
}

/// What became of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// So many bytes of it went, from the front.
    Took(usize),
    /// It must wait until the driver reports that it can write.
    Blocked,
    /// Nobody is there to have it.
    Nowhere,
}

/// The far side of a host end, open. No method but [`close`](Self::close) waits.
pub(crate) trait HostEnd: Send + std::fmt::Debug {
    /// What `info chardev` shows, in QEMU's words.
    fn filename(&self) -> String;

    /// Is somebody at the other end?
    fn connected(&self) -> bool {
        true
    }

    /// Enters the event loop.
    fn start(&mut self, desk: &mut Desk<'_>);

    /// Is this the key of one of its descriptors?
    fn has(&self, key: Key) -> bool;

    /// Something happened to one of its descriptors, or to the host end's own key.
    fn heed(&mut self, event: Event, desk: &mut Desk<'_>) -> Ready;

    /// Tells the loop what is waited for: that there is input, that output can go on.
    fn want(&mut self, read: bool, write: bool, desk: &mut Desk<'_>);

    /// Reads at most `room` bytes (1 or more) of input, and breaks.
    fn read(&mut self, room: usize, input: &mut Input, desk: &mut Desk<'_>);

    /// Has it read more than it gave out? Then it is asked again, as soon as there is room.
    fn has_more(&self) -> bool {
        false
    }

    /// Writes output, which is not empty.
    fn write(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Sent;

    /// Has the host everything that [`write`](Self::write) took?
    fn is_flushed(&self) -> bool {
        true
    }

    /// Says to the far side that no more comes, and waits until it has taken that in, or until `deadline`.
    fn close(&mut self, _deadline: Instant) {}

    /// The memory behind it, if that is what it is.
    fn ring(&self) -> Option<ringbuf::Ring> {
        None
    }
}

impl Kind {
    /// Opens what is described. May wait: for a server's first client.
    pub(crate) fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn HostEnd>, Refusal> {
        Ok(match self {
            Kind::Null => Box::new(null::open()),
            Kind::Vc => Box::new(vc::open()),
            Kind::Stdio { signal } => Box::new(stdio::open(*signal)?),
            Kind::File { output, input } => Box::new(file::open(output, input.as_deref())?),
            Kind::Pipe { path } => Box::new(pipe::open(path)?),
            Kind::Pty { path } => Box::new(pty::open(path.as_deref(), opening)?),
            Kind::Ringbuf { size } => Box::new(ringbuf::open(*size)),
            Kind::Serial { path } => Box::new(serial::open(path)?),
            Kind::Udp(udp) => Box::new(udp::open(udp)?),
            Kind::Socket(socket) => Box::new(socket::open(socket, opening)?),
        })
    }
}
