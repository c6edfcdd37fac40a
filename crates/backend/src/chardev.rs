//! One host end at work: bytes go between its driver and its frontends, and a copy of the output to its log.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, PoisonError},
    time::Instant,
};

use hartwright_device::CharPort;
use hartwright_event::{Event, Key};

use crate::{
    backends::{Filename, Notice},
    channel::Channel,
    drivers::{Desk, HostEnd, Input, Ready, Sent},
    front::{self, Front, Role},
};

/// A driver, its frontends, and what is under way between them.
pub(crate) struct Chardev {
    pub(crate) front: Front,
    /// Its own key: ports wake it, and its timer reports by it.
    pub(crate) key: Key,
    end: Box<dyn HostEnd>,
    log: Option<Channel>,
    out: VecDeque<u8>,
    /// The host takes no more output for now.
    blocked: bool,
    /// What the frontends were told.
    connected: bool,
    /// What others are shown.
    filename: Filename,
}

/// How much output is gathered for one write, in bytes.
const GATHER: usize = 16 << 10;

/// How many rounds of output one host end gets before the others have a turn.
const ROUNDS: usize = 16;

/// How much input is read at once, in bytes.
const PIECE: usize = 4096;

impl Chardev {
    pub(crate) fn new(
        end: Box<dyn HostEnd>,
        front: Front,
        log: Option<Channel>,
        filename: Filename,
        key: Key,
    ) -> Self {
        Chardev { front, key, end, log, out: VecDeque::new(), blocked: false, connected: false, filename }
    }

    /// Lets the driver enter the event loop.
    pub(crate) fn start(&mut self, desk: &mut Desk<'_>) {
        self.end.start(desk);
        self.pump(desk);
    }

    /// Is this key one of its own?
    pub(crate) fn has(&self, key: Key) -> bool {
        self.key == key || self.end.has(key)
    }

    /// Connects a frontend; false when there is no place for it.
    pub(crate) fn attach(&mut self, port: CharPort, role: Role, waker: Arc<dyn Fn() + Send + Sync>) -> bool {
        let free = self.front.has_place();
        if free {
            // Whoever keeps a log wants to know what was said to nobody, too.
            port.keep_output(self.log.is_some() && role == Role::Serial);
            port.connect(waker);
            self.front.attach(port, role);
        }
        free
    }

    /// One event of its own.
    pub(crate) fn heed(&mut self, event: Event, desk: &mut Desk<'_>) {
        let Ready { read, write } = self.end.heed(event, desk);
        if write {
            self.blocked = false;
        }
        self.tell_connected();
        if read {
            self.receive(desk);
        }
    }

    /// Moves what can be moved, and asks for what is waited for. Says how many bytes went out.
    pub(crate) fn pump(&mut self, desk: &mut Desk<'_>) -> usize {
        self.tell_connected();
        self.front.deliver();
        while self.end.has_more() && self.receive(desk) {}
        let sent = self.send(desk);
        self.tell_connected();
        self.show();
        self.end.want(self.front.room() > 0, self.blocked, desk);
        sent
    }

    fn show(&self) {
        *self.filename.lock().unwrap_or_else(PoisonError::into_inner) = self.end.filename();
    }

    /// Has the host got everything that the frontends wrote?
    pub(crate) fn is_drained(&mut self) -> bool {
        if self.out.is_empty() {
            self.front.output(&mut self.out, GATHER);
            self.copy_to_log();
        }
        !self.end.connected() || self.out.is_empty() && self.end.is_flushed()
    }

    /// Takes leave of the far side, at the latest at `deadline`.
    pub(crate) fn close(&mut self, deadline: Instant) {
        self.end.close(deadline);
    }

    fn tell_connected(&mut self) {
        let connected = self.end.connected();
        if std::mem::replace(&mut self.connected, connected) != connected {
            self.blocked = false;
            self.out.clear();
            // Who hears that it is connected may look with whom.
            self.show();
            self.front.set_connected(connected);
        }
    }

    /// Reads as much as the frontends have room for, once; says whether there was anything.
    fn receive(&mut self, desk: &mut Desk<'_>) -> bool {
        let room = self.front.room().min(PIECE);
        if room == 0 {
            return false;
        }
        let mut input = Input::default();
        self.end.read(room, &mut input, desk);
        let some = !input.bytes.is_empty() || !input.breaks.is_empty();
        if let Some(front::Key::Quit) = self.front.feed(&input) {
            self.send(desk);
            (desk.notify)(Notice::Quit);
        }
        some
    }

    /// Writes what the host takes; what has nowhere to go is dropped. Says how many bytes went.
    fn send(&mut self, desk: &mut Desk<'_>) -> usize {
        let mut sent = 0;
        for _ in 0..ROUNDS {
            if self.out.is_empty() {
                self.front.output(&mut self.out, GATHER);
                self.copy_to_log();
            }
            if self.out.is_empty() || self.blocked {
                return sent;
            }
            match self.end.write(self.out.as_slices().0, desk) {
                Sent::Took(count) => {
                    self.out.drain(..count);
                    sent += count;
                }
                Sent::Blocked => self.blocked = true,
                Sent::Nowhere => self.out.clear(),
            }
        }
        // There may be more: come again after the others.
        desk.events.waker(self.key).wake();
        sent
    }

    fn copy_to_log(&mut self) {
        let Some(log) = &self.log else { return };
        for slice in [self.out.as_slices().0, self.out.as_slices().1] {
            let mut rest = slice;
            while !rest.is_empty() {
                match log.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => {
                        // A full disk costs the copy, not the machine.
                        self.log = None;
                        return;
                    }
                }
            }
        }
    }
}
