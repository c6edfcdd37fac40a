//! The frontends of one host end: one, or several behind an escape key (the mux).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use hartwright_device::CharPort;

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

/// The state of the escape key and of what it switched on.
#[derive(Debug)]
struct Mux {
    escape: Option<u8>,
    escaped: bool,
    stamps: Option<Stamps>,
    /// What the mux itself has to say.
    words: Vec<u8>,
    program: String,
}

#[derive(Debug)]
struct Stamps {
    since: Instant,
    line_start: bool,
}

/// How much a mux reads ahead for a frontend that does not keep up, in bytes.
const READ_AHEAD: usize = 64 << 10;

/// How many breaks wait for a frontend; more are one.
const BREAKS: usize = 16;

/// How many frontends a mux may have, as in QEMU.
const MOST: usize = 4;

impl Front {
    /// Frontends of a host end that is connected, or not yet. `escape` is the mux's key, `None` for no key;
    /// `program` is who says that it terminated.
    pub(crate) fn new(mux: bool, escape: Option<u8>, program: &str, connected: bool) -> Self {
        let mux = mux.then(|| Mux {
            escape,
            escaped: false,
            stamps: None,
            words: Vec::new(),
            program: program.to_owned(),
        });
        Front { mux, ends: Vec::new(), focus: 0, connected, held: false }
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
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<Key> {
        match &mut self.mux {
            None => {
                if let Some(end) = self.ends.get_mut(self.focus) {
                    end.pending.extend(bytes);
                }
            }
            Some(_) => {
                for byte in bytes {
                    if let Some(key) = self.key(*byte) {
                        return Some(key);
                    }
                }
            }
        }
        self.deliver();
        None
    }

    /// Gives pending input to the ports that have room.
    pub(crate) fn deliver(&mut self) {
        for end in &mut self.ends {
            end.deliver();
        }
    }

    /// One byte of a mux's input.
    fn key(&mut self, byte: u8) -> Option<Key> {
        let mux = self.mux.as_mut()?;
        if !mux.escaped {
            match mux.escape == Some(byte) {
                true => mux.escaped = true,
                false => self.give(byte),
            }
            return None;
        }
        mux.escaped = false;
        match byte {
            b'h' | b'?' => mux.help(),
            b'x' => {
                let words = format!("{}: Terminated\r\n", mux.program);
                mux.words.extend(words.as_bytes());
                return Some(Key::Quit);
            }
            b's' => mux.save(),
            b't' => {
                mux.stamps = match mux.stamps {
                    None => Some(Stamps { since: Instant::now(), line_start: false }),
                    Some(_) => None,
                }
            }
            b'b' => {
                if let Some(end) = self.ends.get_mut(self.focus)
                    && end.breaks.len() < BREAKS
                {
                    end.breaks.push_back(end.pending.len());
                }
            }
            b'c' => {
                self.focus = (self.focus + 1) % self.ends.len().max(1);
                self.tell_connected();
            }
            _ if mux.escape == Some(byte) => self.give(byte),
            // A key without meaning is swallowed with its escape, as in QEMU.
            _ => {}
        }
        None
    }

    fn give(&mut self, byte: u8) {
        if let Some(end) = self.ends.get_mut(self.focus) {
            end.pending.push_back(byte);
        }
    }

    /// Moves output of the frontends to `out` until that holds `enough` bytes or there is no more.
    pub(crate) fn output(&mut self, out: &mut VecDeque<u8>, enough: usize) {
        if let Some(mux) = &mut self.mux {
            out.extend(mux.words.drain(..));
        }
        let mut bytes = [0; 4096];
        for end in &self.ends {
            while out.len() < enough {
                let count = end.port.peek_output(&mut bytes);
                if count == 0 {
                    break;
                }
                match self.mux.as_mut().and_then(|mux| mux.stamps.as_mut()) {
                    None => out.extend(&bytes[..count]),
                    Some(stamps) => stamps.put(&bytes[..count], out),
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

impl Mux {
    fn save(&mut self) {
        if self.words.len() <= READ_AHEAD {
            self.words.extend(b"There are no block devices to save.\r\n");
        }
    }

    fn help(&mut self) {
        if self.words.len() > READ_AHEAD {
            return;
        }
        let name = match self.escape {
            Some(code @ 1..=26) => format!("C-{}", char::from(code - 1 + b'a')),
            code => format!("key {:#04x}", code.unwrap_or_default()),
        };
        for (key, text) in [
            ("h", "show these keys"),
            ("x", "end the emulator"),
            ("s", "save disk images (there are none yet)"),
            ("t", "put the time before each line, or stop it"),
            ("b", "send a break"),
            ("c", "go to the next frontend: console, monitor"),
            (&*name, "send the escape key itself"),
        ] {
            self.words.extend(format!("{name} {key:<4} {text}\r\n").as_bytes());
        }
    }
}

impl Stamps {
    fn put(&mut self, bytes: &[u8], out: &mut VecDeque<u8>) {
        for byte in bytes {
            if std::mem::replace(&mut self.line_start, *byte == b'\n') {
                out.extend(stamp(self.since.elapsed()).as_bytes());
            }
            out.push_back(*byte);
        }
    }
}

fn stamp(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("[{hours:02}:{minutes:02}:{:02}.{:03}] ", seconds % 60, elapsed.subsec_millis())
}
