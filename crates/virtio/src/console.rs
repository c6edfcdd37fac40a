//! The console device: up to 511 ports, each with a queue either way, and two queues to talk about ports.

use crate::{
    Chain, Io, VirtioCard,
    card::{COMMON_NOT_YET, not_yet, virtio_card},
};
use hartwright_device::{Bus, Card, CharPort, Error, NewCard, OWN, Saved, Wiring};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Features (virtio 1.2, 5.3.3).
const MULTIPORT: u64 = 1 << 1;
const EMERG_WRITE: u64 = 1 << 2;
/// Where the configuration has the register for a driver's last words.
const EMERGENCY: usize = 8;

/// The queue of messages to the driver, and the one of its own.
const CONTROL_IN: usize = 2;
const CONTROL_OUT: usize = 3;
/// Messages that may wait for the driver; a driver that takes none may lose some.
const WAITING: usize = 4096;
/// The most ports, as in QEMU.
const PORTS: u32 = 511;
/// A port's number where it is to be the next that is free.
const NEXT: u32 = u32::MAX;
/// Bytes that go between a port and a ring at once.
const PIECE: usize = 4096;

/// Messages about ports (virtio 1.2, 5.3.6.2).
mod event {
    pub(super) const DEVICE_READY: u16 = 0;
    pub(super) const DEVICE_ADD: u16 = 1;
    pub(super) const PORT_READY: u16 = 3;
    pub(super) const CONSOLE_PORT: u16 = 4;
    pub(super) const PORT_OPEN: u16 = 6;
    pub(super) const PORT_NAME: u16 = 7;
}

virtio_card! {
    /// Ports between guest and host on a virtio bus, with a bus of its own for them.
    #[object(
        name = "virtio-serial-device",
        parent = "device",
        family = dyn VirtioCard,
        category = Input,
        bus = "virtio-bus"
    )]
    pub struct Console {
        // Configuration.
        /// How many ports there may be.
        #[property(name = "max_ports", default = 31)]
        max_ports: u32,
        /// Whether a driver may write without queues, before it dies.
        #[property(name = "emergency-write", default = true)]
        emergency_write: bool,

        // Wiring.
        ports: Vec<Box<dyn PortCard>>,

        // State.
        state: State,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The driver can hear of ports.
    ready: bool,
    /// Messages that the driver has not taken yet.
    messages: VecDeque<Vec<u8>>,
    /// By port, in the order they were plugged in.
    ports: Vec<PortState>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PortState {
    /// The driver knows the port.
    ready: bool,
    /// Somebody in the guest has it open.
    open: bool,
    /// The driver was told that the host's end is there.
    told: bool,
    /// What the host has not taken yet, and how many bytes of it it has.
    sending: Option<(Chain, u64)>,
}

/// What fits the bus of a [`Console`].
pub trait PortCard: Card {
    /// Whether the guest is to use it as a console.
    fn console(&self) -> bool;
    /// The number it asks for.
    fn nr(&self) -> u32;
    /// Its name in the guest.
    fn name(&self) -> &str;
    /// The host's end; `None` if none was named.
    fn host(&self) -> Option<&CharPort>;
}

macro_rules! port {
    ($(#[$about:meta])* $name:ident, $console:literal) => {
        #[derive(Object)]
        $(#[$about])*
        pub struct $name {
            /// The character device at the other end.
            #[property]
            chardev: Option<String>,
            /// What it is called in the guest.
            #[property]
            name: Option<String>,
            /// Its number; 4294967295 is the next that is free.
            #[property(default = NEXT)]
            nr: u32,

            port: CharPort,
        }

        impl Card for $name {
            fn wire(&mut self, wiring: Wiring) {
                self.port = wiring.chardev;
            }
        }

        impl PortCard for $name {
            fn console(&self) -> bool {
                $console
            }
            fn nr(&self) -> u32 {
                self.nr
            }
            fn name(&self) -> &str {
                self.name.as_deref().unwrap_or_default()
            }
            fn host(&self) -> Option<&CharPort> {
                self.chardev.as_ref().map(|_| &self.port)
            }
        }
    };
}

port! {
    /// A port that the guest uses as a console.
    #[object(
        name = "virtconsole",
        parent = "device",
        family = dyn PortCard,
        category = Input,
        bus = "virtio-serial-bus"
    )]
    VirtConsole, true
}

port! {
    /// A port for programs in the guest, by its name.
    #[object(
        name = "virtserialport",
        parent = "device",
        family = dyn PortCard,
        category = Input,
        bus = "virtio-serial-bus"
    )]
    VirtSerialPort, false
}

/// The queue of a port from the host; the one to the host is the next.
fn queue_of(number: u32) -> usize {
    if number == 0 { 0 } else { 2 * number as usize + 2 }
}

impl Console {
    /// The number of each port.
    fn numbers(&self) -> Result<Vec<u32>, String> {
        let mut taken: Vec<u32> = vec![];
        for port in &self.ports {
            let free = |number: &u32| !taken.contains(number);
            let number = match port.nr() {
                NEXT if port.console() && free(&0) => 0,
                NEXT => (1..=PORTS + 1).find(free).unwrap_or(PORTS + 1),
                0 if !port.console() => {
                    return Err(
                        "Port number 0 on virtio-serial devices reserved for virtconsole devices for \
                                backward compatibility."
                            .into(),
                    );
                }
                number if !free(&number) => {
                    return Err(format!("virtio-serial-bus: A port already exists at id {number}"));
                }
                number => number,
            };
            if number >= self.max_ports {
                return Err(format!(
                    "virtio-serial-bus: Out-of-range port id specified, max. allowed: {}",
                    self.max_ports.saturating_sub(1)
                ));
            }
            taken.push(number);
        }
        Ok(taken)
    }

    /// The same of a device that was checked.
    fn known_numbers(&self) -> Vec<u32> {
        self.numbers().unwrap_or_default()
    }

    /// The port of queue `queue`, if it is one of a port.
    fn port_at(&self, queue: usize) -> Option<usize> {
        self.known_numbers().iter().position(|number| queue_of(*number) == queue & !1)
    }

    fn send(&mut self, number: u32, event: u16, value: u16, name: &str, io: &mut Io<'_>) {
        let mut message = number.to_le_bytes().to_vec();
        message.extend(event.to_le_bytes());
        message.extend(value.to_le_bytes());
        if event == event::PORT_NAME {
            message.extend(name.as_bytes());
            message.push(0);
        }
        if self.state.messages.len() < WAITING {
            self.state.messages.push_back(message);
        } else {
            io.guest_error(0, "messages about ports that the driver does not take");
        }
    }

    /// Gives the driver the messages that it has room for.
    fn tell(&mut self, io: &mut Io<'_>) {
        while !self.state.messages.is_empty()
            && let Some(chain) = io.pop(CONTROL_IN)
        {
            let message = self.state.messages.pop_front().unwrap_or_default();
            let written = chain.write(io.memory(), 0, &message);
            if written < message.len() {
                io.guest_error(0, "a buffer that is too small for a message about ports");
            }
            io.push(CONTROL_IN, chain.head, written as u32);
        }
    }

    fn hear(&mut self, io: &mut Io<'_>) {
        while let Some(chain) = io.pop(CONTROL_OUT) {
            let mut message = [0; 8];
            if chain.read(io.memory(), 0, &mut message) == message.len() {
                let [a, b, c, d, e, f, g, h] = message;
                let (event, value) = (u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
                self.heard(u32::from_le_bytes([a, b, c, d]), event, value, io);
            } else {
                io.guest_error(0, "a message about ports that is too short");
            }
            io.push(CONTROL_OUT, chain.head, 0);
        }
        self.tell(io);
    }

    fn heard(&mut self, number: u32, event: u16, value: u16, io: &mut Io<'_>) {
        let numbers = self.known_numbers();
        if event == event::DEVICE_READY {
            self.state.ready = value != 0;
            if self.state.ready {
                numbers.iter().for_each(|number| self.send(*number, event::DEVICE_ADD, 1, "", io));
            }
            return;
        }
        let Some(at) = numbers.iter().position(|known| *known == number) else {
            return io.guest_error(number.into(), "a message about a port that is not there");
        };
        match event {
            event::PORT_READY => {
                self.state.ports[at].ready = value != 0;
                if value == 0 {
                    return;
                }
                if self.ports[at].console() {
                    self.send(number, event::CONSOLE_PORT, 1, "", io);
                }
                let name = self.ports[at].name().to_owned();
                if !name.is_empty() {
                    self.send(number, event::PORT_NAME, 1, &name, io);
                }
                self.state.ports[at].told = false;
                self.tell_of_host(at, number, io);
            }
            event::PORT_OPEN => {
                self.state.ports[at].open = value != 0;
                self.receive(at, number, io);
            }
            _ => io.guest_error(event.into(), "a message about ports of an unknown kind"),
        }
    }

    /// Tells the driver whether the host's end is there; a console's is if it has one at all.
    fn tell_of_host(&mut self, at: usize, number: u32, io: &mut Io<'_>) {
        let port = &self.ports[at];
        let there = port.host().is_some_and(|host| port.console() || host.connected());
        let state = &mut self.state.ports[at];
        if state.ready && state.told != there {
            state.told = there;
            self.send(number, event::PORT_OPEN, there.into(), "", io);
        }
    }

    /// Moves what the host sent into the ring, if somebody in the guest takes it.
    fn receive(&mut self, at: usize, number: u32, io: &mut Io<'_>) {
        let Some(host) = self.ports[at].host() else { return };
        if io.has(MULTIPORT) && !self.state.ports[at].open {
            return;
        }
        while host.readable() > 0
            && let Some(chain) = io.pop(queue_of(number))
        {
            let room = chain.writable().min(PIECE as u64) as usize;
            let bytes: Vec<u8> = std::iter::from_fn(|| host.read()).take(room).collect();
            let written = chain.write(io.memory(), 0, &bytes);
            io.push(queue_of(number), chain.head, written as u32);
        }
    }

    /// Moves what the guest sends to the host, as much as that takes.
    fn transmit(&mut self, at: usize, number: u32, io: &mut Io<'_>) {
        let queue = queue_of(number) + 1;
        // Who is not there takes nothing, and misses nothing.
        let host = self.ports[at].host().filter(|host| host.connected());
        let waiting = &mut self.state.ports[at].sending;
        loop {
            let Some((chain, mut done)) = waiting.take().or_else(|| Some((io.pop(queue)?, 0))) else {
                return;
            };
            while let Some(host) = host {
                let mut piece = [0; PIECE];
                let read = chain.read(io.memory(), done, &mut piece);
                let taken = piece[..read].iter().take_while(|byte| host.write(**byte)).count();
                done += taken as u64;
                if taken < read {
                    *waiting = Some((chain, done));
                    return;
                }
                if read == 0 {
                    break;
                }
            }
            io.push(queue, chain.head, 0);
        }
    }
}

impl Card for Console {
    fn check(&self) -> Result<(), Error> {
        not_yet(self, &COMMON_NOT_YET)?;
        if self.max_ports == 0 {
            return Err(Error::Senseless("Maximum number of serial ports not specified".into()));
        }
        if self.max_ports > PORTS {
            return Err(Error::Senseless(format!("maximum ports supported: {PORTS}")));
        }
        let mut names: Vec<&str> =
            self.ports.iter().map(|port| port.name()).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|two| two[0] == two[1]) {
            let why = format!("virtio-serial-bus: A port already exists by name {}", twice[0]);
            return Err(Error::Senseless(why));
        }
        self.numbers().map(drop).map_err(Error::Senseless)
    }

    fn wire(&mut self, mut wiring: Wiring) {
        for (port, wiring) in self.ports.iter_mut().zip(wiring.take_cards()) {
            port.wire(wiring);
        }
        for (at, port) in (0..).zip(&self.ports) {
            if let Some(host) = port.host() {
                host.attach(wiring.me.clone(), OWN + at);
            }
        }
    }

    fn bus(&self) -> Option<Bus> {
        // Which number is one too many, the port is told when it asks for it.
        Some(Bus { kind: "virtio-serial-bus", name: "virtio-serial-bus", room: true })
    }

    fn plug(&mut self, new: &NewCard<'_>) -> Result<(), Error> {
        self.ports.push(new.make::<dyn PortCard>()?);
        Ok(())
    }

    fn cards(&self) -> Vec<&dyn Card> {
        self.ports.iter().map(|port| &**port as &dyn Card).collect()
    }

    fn cards_mut(&mut self) -> Vec<&mut dyn Card> {
        self.ports.iter_mut().map(|port| &mut **port as &mut dyn Card).collect()
    }
}

impl VirtioCard for Console {
    fn id(&self) -> u32 {
        3
    }

    fn features(&self, legacy: bool) -> u64 {
        let rows = [
            (MULTIPORT, self.max_ports > 1),
            (EMERG_WRITE, self.emergency_write),
            (crate::features::ANY_LAYOUT, legacy && self.any_layout),
        ];
        rows.iter().filter(|(_, there)| *there).fold(0, |all, (bit, _)| all | bit)
    }

    fn queues(&self) -> usize {
        if self.max_ports > 1 { 2 * self.max_ports as usize + 2 } else { 2 }
    }

    /// Virtio 1.2, 5.3.4.
    fn config(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend(self.max_ports.to_le_bytes());
        if self.emergency_write {
            bytes.extend([0; 4]);
        }
        bytes
    }

    fn configure(&mut self, offset: usize, bytes: &[u8], io: &mut Io<'_>) {
        let first = self.known_numbers().iter().position(|number| *number == 0);
        match (bytes, first) {
            ([byte, ..], Some(at)) if offset == EMERGENCY => {
                if let Some(host) = self.ports[at].host() {
                    // Last words wait for nobody.
                    let _ = host.write(*byte);
                }
            }
            _ => io.guest_error(offset as u64, "write to read-only configuration"),
        }
    }

    fn notify(&mut self, queue: usize, io: &mut Io<'_>) {
        let multiport = self.max_ports > 1;
        match (queue, self.port_at(queue)) {
            (CONTROL_IN, _) if multiport => self.tell(io),
            (CONTROL_OUT, _) if multiport => self.hear(io),
            (_, Some(at)) => {
                let number = self.known_numbers()[at];
                if queue & 1 == 0 { self.receive(at, number, io) } else { self.transmit(at, number, io) }
            }
            // What is sent to a port that is not there is gone.
            (_, None) if queue & 1 == 1 => {
                while let Some(chain) = io.pop(queue) {
                    io.push(queue, chain.head, 0);
                }
            }
            (_, None) => {}
        }
    }

    fn input(&mut self, pin: u32, _: bool, io: &mut Io<'_>) {
        let at = (pin - OWN) as usize;
        if let Some(number) = self.known_numbers().get(at).copied() {
            self.tell_of_host(at, number, io);
            self.tell(io);
            self.receive(at, number, io);
            self.transmit(at, number, io);
        }
    }

    fn drop_queue(&mut self, queue: usize) {
        if let Some(at) = self.port_at(queue).filter(|_| queue & 1 == 1) {
            self.state.ports[at].sending = None;
        }
    }

    fn reset(&mut self) {
        self.state = State { ports: vec![PortState::default(); self.ports.len()], ..State::default() };
    }

    fn save(&self) -> Result<String, String> {
        self.state.save()
    }

    fn restore(&mut self, saved: &str) -> Result<(), String> {
        let mut state = State::default();
        state.restore(saved)?;
        let (there, ports) = (state.ports.len(), self.ports.len());
        if there != ports {
            return Err(format!("a saved state with {there} ports, of a device that has {ports}"));
        }
        self.state = state;
        Ok(())
    }

    fn restored(&mut self, io: &mut Io<'_>) {
        for pin in 0..self.ports.len() as u32 {
            self.input(OWN + pin, true, io);
        }
    }
}
