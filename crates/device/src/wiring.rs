//! What a device is wired to, and what it tells the one who wires it.

use crate::{Array, BlockPort, CharPort, Clock, Dma, Entropy, Items, Line, Mtime, Sink};
use std::{fmt, sync::Arc};

/// All that a device is given from outside.
///
/// `Wiring::default()` is a device on a bench: no line goes anywhere, its clock stands.
#[derive(Clone)]
pub struct Wiring {
    /// What messages call the device: its id or path.
    pub name: String,
    /// One for each of [`Device::outputs`](crate::Device::outputs); what is missing is unconnected.
    pub lines: Vec<Line>,
    /// The machine's clock.
    pub clock: Clock,
    /// The machine timer.
    pub mtime: Arc<Mtime>,
    /// The machine's memory, for a device with DMA.
    pub memory: Dma,
    /// The memory behind its registers, if it has an [`array`](crate::Device::array).
    pub array: Array,
    /// The host's end of a serial line.
    pub chardev: CharPort,
    /// The host's end of a disk.
    pub block: BlockPort,
    /// What firmware may ask the emulator for.
    pub items: Arc<Items>,
    /// What is added, wrapping, to what [`day`](Self::day) shows to have nanoseconds since 1970 began.
    pub epoch: u64,
    /// What the time of day goes by, where it is not [`clock`](Self::clock).
    pub day: Option<Clock>,
    /// Random bytes, for a device that gives some to the guest.
    pub entropy: Entropy,
    /// Where to ask for power-off and reset.
    pub power: Power,
    /// What its cards are wired to, without [`memory`](Self::memory) and [`me`](Self::me): see [`Self::take_cards`].
    pub cards: Vec<Wiring>,
    /// The device itself, for its own alarms and ports; [`Locked::wire`](crate::Locked::wire) fills it in.
    pub me: Arc<dyn Sink>,
}

struct Nobody;

impl Sink for Nobody {
    fn set(&self, _: u32, _: bool) {}
}

impl Default for Wiring {
    fn default() -> Self {
        let clock = Clock::new();
        Wiring {
            name: String::new(),
            lines: vec![],
            mtime: Mtime::new(clock.clone(), 10_000_000),
            clock,
            memory: Dma::default(),
            array: Array::default(),
            chardev: CharPort::default(),
            block: BlockPort::default(),
            items: Arc::default(),
            epoch: 0,
            day: None,
            entropy: Entropy::default(),
            power: Power::default(),
            cards: vec![],
            me: Arc::new(Nobody),
        }
    }
}

impl Wiring {
    /// Line number `output`.
    pub fn line(&self, output: usize) -> Line {
        self.lines.get(output).cloned().unwrap_or_default()
    }

    /// The clock that the time of day goes by.
    pub fn time_of_day(&self) -> Clock {
        self.day.as_ref().unwrap_or(&self.clock).clone()
    }

    /// What its cards are wired to, in order: they share its clock, its memory and its pins.
    pub fn take_cards(&mut self) -> Vec<Wiring> {
        let mut cards = std::mem::take(&mut self.cards);
        for card in &mut cards {
            (card.clock, card.mtime) = (self.clock.clone(), self.mtime.clone());
            (card.epoch, card.day) = (self.epoch, self.day.clone());
            (card.memory, card.me) = (self.memory.clone(), self.me.clone());
        }
        cards
    }

    /// A line to pin `pin` of the device itself, for its alarms.
    pub fn own(&self, pin: u32) -> Line {
        Line::new(self.me.clone(), pin)
    }
}

/// A line that a device drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What the device's manual calls it.
    pub name: String,
    /// Where it wants to go.
    pub target: Target,
}

/// Where an output wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To an input of an interrupt controller, which the board chooses.
    Interrupt,
    /// To one bit of one hart's `mip`.
    Hart {
        /// The hart's index in the machine.
        hart: u32,
        /// 3 MSIP, 7 MTIP, 9 SEIP, 11 MEIP.
        bit: u32,
    },
}

impl Output {
    /// An interrupt that the board connects.
    pub fn interrupt(name: &str) -> Self {
        Output { name: name.into(), target: Target::Interrupt }
    }

    /// A line to bit `bit` of a hart's `mip`.
    pub fn hart(name: String, hart: u32, bit: u32) -> Self {
        Output { name, target: Target::Hart { hart, bit } }
    }
}

/// A property of a device-tree node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prop {
    /// Present, without a value.
    Empty,
    /// Cells.
    Cells(Vec<u32>),
    /// Texts.
    Strings(Vec<String>),
    /// A reference to the node of the device of this name; nothing where there is none.
    Reference(String),
}

/// What a device asks of the machine's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// End, with this exit code.
    Shutdown(u16),
    /// Start again.
    Reset,
    /// End the program too, with this exit code: what a guest asks of the host, not of a machine's power.
    Exit(u8),
}

/// Where requests of power go; the default drops them.
#[derive(Clone, Default)]
pub struct Power(Option<Arc<dyn Fn(Request) + Send + Sync>>);

impl Power {
    /// Requests go to `post`, which must queue them and return.
    pub fn new(post: impl Fn(Request) + Send + Sync + 'static) -> Self {
        Power(Some(Arc::new(post)))
    }

    /// Asks for the end of the machine with exit code `code`.
    pub fn shutdown(&self, code: u16) {
        self.post(Request::Shutdown(code));
    }

    /// Asks for a reset of the machine.
    pub fn reset(&self) {
        self.post(Request::Reset);
    }

    /// Asks for the end of the program with exit code `code`.
    pub fn exit(&self, code: u8) {
        self.post(Request::Exit(code));
    }

    /// Passes a request on.
    pub fn post(&self, request: Request) {
        if let Some(post) = &self.0 {
            post(request);
        }
    }
}

impl fmt::Debug for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Power" } else { "Power(nowhere)" })
    }
}
