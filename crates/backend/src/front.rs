//! The frontends of one host end: one, or several behind an escape key (the mux).

use std::collections::VecDeque;

use hartwright_device::CharPort;

use crate::{
    drivers::Input,
    mux::{Act, Mux},
};

/// What is at the machine's side of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A serial device: it has the keys when the machine starts.
    Serial,
    /// A monitor: it shows its prompt when it gets the keys.
    ///
    /// Behind a mux its port is connected exactly while it has them.
    Monitor,
    /// A debugger.
    Debugger,
}

/// What a byte of input asked of the whole program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Quit,
}

/// The frontends of one host end.
#[derive(Debug)]
pub(crate) struct Front {
    mux: Option<Mux>,
    ends: Vec<End>,
    focus: usize,
    connected: bool,
    held: bool,
}

struct End {
    port: CharPort,
    role: Role,
    /// Input that the port had no room for. Only a mux keeps any: its keys must be seen although the guest sleeps.
    pending: VecDeque<u8>,
    /// Before which of the pending bytes a break comes.
    breaks: VecDeque<usize>,
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("End").field("role", &self.role).field("pending", &self.pending.len()).finish()
    }
}

/// How much a mux reads ahead for a frontend that does not keep up, in bytes.
const READ_AHEAD: usize = 64 << 10;

/// How many breaks wait for a frontend; more are one.
const BREAKS: usize = 16;

/// How many frontends a mux may have, as in QEMU.
const MOST: usize = 4;

impl Front {
    /// Frontends of a host end that is not connected yet. `escape` is the mux's key, `None` for no key;
    /// `program` is who says that it terminated.
    pub(crate) fn new(mux: bool, escape: Option<u8>, program: &str) -> Self {
        let mux = mux.then(|| Mux::new(escape, program));
        Front { mux, ends: Vec::new(), focus: 0, connected: false, held: false }
    }

    /// Has it room for another frontend?
    pub(crate) fn has_place(&self) -> bool {
        self.ends.len() < if self.mux.is_some() { MOST } else { 1 }
    }

    pub(crate) fn attach(&mut self, port: CharPort, role: Role) {
        self.ends.push(End { port, role, pending: VecDeque::new(), breaks: VecDeque::new() });
        let has_serial = self.ends[..self.ends.len() - 1].iter().any(|end| end.role == Role::Serial);
        if role == Role::Serial && !has_serial {
            self.focus = self.ends.len() - 1;
        }
        self.tell_connected();
    }

    /// The host end got or lost its far side.
    pub(crate) fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
        self.tell_connected();
    }

    fn tell_connected(&self) {
        for (at, end) in self.ends.iter().enumerate() {
            let hidden = self.mux.is_some() && end.role == Role::Monitor && at != self.focus;
            end.port.set_connected(self.connected && !hidden);
        }
    }

    /// Whether input is to stay with the host for now.
    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// How many bytes of input may be read from the host now.
    pub(crate) fn room(&self) -> usize {
        if self.held {
            return 0;
        }
        match (self.ends.get(self.focus), &self.mux) {
            (None, _) => 0,
            (Some(end), None) => end.port.room(),
            (Some(end), Some(_)) => READ_AHEAD - end.pending.len().min(READ_AHEAD),
        }
    }

    /// Takes input from the host, at most [`room`](Self::room) bytes of it.
    pub(crate) fn feed(&mut self, input: &Input) -> Option<Key> {
        let mut breaks = input.breaks.iter().peekable();
        for (at, byte) in input.bytes.iter().enumerate() {
            while breaks.next_if(|place| **place <= at).is_some() {
                self.send_break();
            }
            if let Some(key) = self.key(*byte) {
                return Some(key);
            }
        }
        breaks.for_each(|_| self.send_break());
        self.deliver();
        None
    }

    /// Gives the frontend that has the keys a break, after what it was given before.
    pub(crate) fn send_break(&mut self) {
        if let Some(end) = self.ends.get_mut(self.focus)
            && end.breaks.len() < BREAKS
        {
            end.breaks.push_back(end.pending.len());
        }
    }

    /// Gives pending input to the ports that have room.
    pub(crate) fn deliver(&mut self) {
        for end in &mut self.ends {
            end.deliver();
        }
    }

    /// One byte of input.
    fn key(&mut self, byte: u8) -> Option<Key> {
        match self.mux.as_mut().map_or(Act::Give(byte), |mux| mux.key(byte)) {
            Act::Nothing => {}
            Act::Quit => return Some(Key::Quit),
            Act::Break => self.send_break(),
            Act::Next => {
                self.focus = (self.focus + 1) % self.ends.len().max(1);
                self.tell_connected();
            }
            Act::Give(byte) => {
                if let Some(end) = self.ends.get_mut(self.focus) {
                    end.pending.push_back(byte);
                }
            }
        }
        None
    }

    /// Moves output of the frontends to `out` until that holds `enough` bytes or there is no more.
    pub(crate) fn output(&mut self, out: &mut VecDeque<u8>, enough: usize) {
        if let Some(mux) = &mut self.mux {
            mux.speak(out);
        }
        let mut bytes = [0; 4096];
        for end in &self.ends {
            while out.len() < enough {
                let count = end.port.peek_output(&mut bytes);
                if count == 0 {
                    break;
                }
                match &mut self.mux {
                    None => out.extend(&bytes[..count]),
                    Some(mux) => mux.pass(&bytes[..count], out),
                }
                end.port.consume_output(count);
            }
        }
    }
}

impl End {
    fn deliver(&mut self) {
        loop {
            if self.breaks.front() == Some(&0) {
                self.breaks.pop_front();
                self.port.feed_break();
                continue;
            }
            let bytes = self.pending.as_slices().0;
            let until = self.breaks.front().map_or(bytes.len(), |at| bytes.len().min(*at));
            let taken = if until == 0 { 0 } else { self.port.feed(&bytes[..until]) };
            if taken == 0 {
                return;
            }
            self.pending.drain(..taken);
            for at in &mut self.breaks {
                *at -= taken;
            }
        }
    }
}
