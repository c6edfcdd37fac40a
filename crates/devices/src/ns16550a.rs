//! A 16550A serial port: two FIFOs, six interrupt causes, modem lines, loopback, break and divisor.

use hartwright_device::{
    Alarm, BusError, CharPort, Clock, Device, Error, Line, OWN, Output, Prop, Saved, Wiring, log, registers,
    regs,
};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

// TI PC16550D data sheet (SNLS378C), section 8. Offsets are before `reg-shift`.
registers! { Ns16550a size 0x100, widths [1] else ignore:
    /// Receiver buffer: the oldest character received.
    0 rbr: u8 if data { DATA[7:0] RO } get receive;
    /// Transmitter holding: a character to send.
    0 thr: u8 if data { DATA[7:0] WO } set transmit;
    /// Divisor latch, low byte: the clock over 16 times the baud rate.
    0 dll: u8 if latch { DIVISOR[7:0] } = 0x0c;
    /// Interrupt enable.
    1 ier: u8 if data {
        /// Received data available, and character time-out.
        ERBFI[0],
        /// Transmitter holding register empty.
        ETBEI[1],
        /// Receiver line status.
        ELSI[2],
        /// Modem status.
        EDSSI[3],
    } then sync;
    /// Divisor latch, high byte.
    1 dlm: u8 if latch { DIVISOR[7:0] };
    /// Interrupt identification.
    2 iir: u8 {
        /// The pending interrupt of the highest priority.
        CAUSE[3:0] RO { none = 1, line = 6, data = 4, timeout = 12, empty = 2, modem = 0 },
        /// Whether the FIFOs are on.
        FIFOS[7:6] RO { off = 0, on = 3 },
    } get identify;
    /// FIFO control.
    2 fcr: u8 {
        /// FIFOs on.
        ENABLE[0] WO,
        /// Empties the receiver's FIFO.
        RXRESET[1] WO,
        /// Empties the transmitter's FIFO.
        TXRESET[2] WO,
        /// DMA mode, which nothing is wired to.
        DMA[3] WO,
        /// How many received characters interrupt.
        TRIGGER[7:6] WO { 1byte = 0, 4bytes = 1, 8bytes = 2, 14bytes = 3 },
    } set set_fcr;
    /// Line control.
    3 lcr: u8 {
        /// Word length.
        WLS[1:0] { 5bits = 0, 6bits = 1, 7bits = 2, 8bits = 3 },
        /// Two stop bits (with 5 bits, one and a half).
        STB[2],
        /// Parity on.
        PEN[3],
        /// Even parity.
        EPS[4],
        /// Stick parity.
        STICK[5],
        /// Holds the line at space.
        BREAK[6],
        /// Divisor latch access: offsets 0 and 1 are the divisor.
        DLAB[7],
    } then sync;
    /// Modem control.
    4 mcr: u8 { DTR[0], RTS[1], OUT1[2], OUT2[3],
        /// Loopback: outputs are led to inputs.
        LOOP[4],
    } then sync;
    /// Line status.
    5 lsr: u8 {
        /// Data ready.
        DR[0] RO,
        /// Overrun.
        OE[1] RC,
        /// Parity error.
        PE[2] RC,
        /// Framing error.
        FE[3] RC,
        /// Break.
        BI[4] RC,
        /// Transmitter holding register empty.
        THRE[5] RO,
        /// Transmitter empty.
        TEMT[6] RO,
        /// Some character in the FIFO came with an error.
        ERR[7] RO,
    } get line_status clear clear_errors;
    /// Modem status: the low half tells what changed since it was read.
    6 msr: u8 { DCTS[0] RC, DDSR[1] RC, TERI[2] RC, DDCD[3] RC, CTS[4] RO, DSR[5] RO, RI[6] RO, DCD[7] RO } get modem_status clear clear_changes;
    /// Scratch: for software to keep a byte in.
    7 scr: u8 { DATA[7:0] };
}

const FIFO: usize = 16;
/// The alarm's pin; the port's is [`OWN`] itself.
const TIMEOUT: u32 = OWN + 1;
/// LSR bits that stay until LSR is read.
const ERRORS: u8 = 0x1e;
/// LSR bits that came in with a character.
const CHARACTER: u8 = 0x1c;

/// A 16550A serial port with memory-mapped registers.
#[derive(Object)]
#[object(
    name = "serial-mm",
    alias = "ns16550a",
    parent = "sys-bus-device",
    family = dyn Device,
    category = Input,
    bus = "System"
)]
pub struct Ns16550a {
    // Configuration.
    /// The clock that the divisor divides, in Hz.
    #[property(default = 3_686_400)]
    clock_frequency: u32,
    /// Registers lie 2 to the power of this many bytes apart.
    #[property(default = 0)]
    reg_shift: u8,
    /// The width of an access that drivers are told to use, in bytes; any width reaches one register.
    #[property(default = 1)]
    reg_io_width: u8,
    /// The character device at the other end.
    #[property]
    chardev: Option<String>,

    // Wiring.
    irq: Line,
    port: CharPort,
    clock: Option<Clock>,
    timeout: Option<(Line, Alarm)>,
    /// When the alarm rings: never later than `stale_at`, which moves with every character.
    rings_at: Option<u64>,

    // State.
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    regs: Regs,
    /// FCR's ENABLE, DMA and TRIGGER, which can be written only.
    fcr: u8,
    /// Received characters with the LSR bits that came with each: the receive FIFO, or RBR alone.
    rx: VecDeque<(u8, u8)>,
    /// What RBR holds without FIFOs, read or not.
    rbr: u8,
    /// Characters on their way out: the transmit FIFO, or THR alone.
    tx: VecDeque<u8>,
    /// LSR's bits that stay until it is read.
    errors: u8,
    /// MSR: levels as last seen, and what changed since it was read.
    msr: u8,
    /// The transmitter ran empty, or its interrupt was enabled while it was, and nobody has heard of it yet.
    emptied: bool,
    /// IER when last seen, to tell when ETBEI rises.
    ier: u8,
    /// Characters waited for four character times.
    stale: bool,
    /// When they will have, in virtual nanoseconds.
    stale_at: Option<u64>,
}

impl Ns16550a {
    fn data(&self) -> bool {
        !self.latch()
    }

    fn latch(&self) -> bool {
        lcr::DLAB.is_set(self.state.regs.lcr)
    }

    fn looped(&self) -> bool {
        mcr::LOOP.is_set(self.state.regs.mcr)
    }

    fn fifos(&self) -> bool {
        fcr::ENABLE.is_set(self.state.fcr)
    }

    fn depth(&self) -> usize {
        if self.fifos() { FIFO } else { 1 }
    }

    fn trigger(&self) -> usize {
        if self.fifos() { [1, 4, 8, 14][usize::from(fcr::TRIGGER.get(self.state.fcr))] } else { 1 }
    }

    /// Four character times in virtual nanoseconds (data sheet, 8.4.2).
    fn patience(&self) -> u64 {
        let Regs { dll, dlm, lcr: l, .. } = self.state.regs;
        let divisor = u64::from(dlm) << 8 | u64::from(dll);
        // Half the bits: a second stop bit is 1½ bits or 2.
        let bits = 1 + 5 + lcr::WLS.get(l) + lcr::PEN.get(l) + 1 + lcr::STB.get(l);
        4 * u64::from(bits) * 16 * divisor.max(1) * 1_000_000_000 / u64::from(self.clock_frequency.max(1))
    }

    fn receive(&mut self) -> u8 {
        let empty = if self.fifos() { 0 } else { self.state.rbr };
        let byte = self.state.rx.pop_front().map_or(empty, |(byte, _)| byte);
        self.wait_again();
        self.sync();
        byte
    }

    fn transmit(&mut self, byte: u8) {
        if self.state.tx.len() < self.depth() {
            self.state.tx.push_back(byte);
            self.state.emptied = false;
        } else {
            log::guest_error("serial-mm", 0, "THR written while full", format_args!(": {byte:#04x} is lost"));
        }
        self.sync();
    }

    /// What IIR says: the pending cause of the highest priority.
    fn cause(&self) -> u8 {
        let State { regs: Regs { ier: i, .. }, rx, msr, errors, emptied, stale, .. } = &self.state;
        let on = |field: hartwright_device::Field| field.is_set(*i);
        match () {
            () if on(ier::ELSI) && *errors != 0 => 0b0110,
            () if on(ier::ERBFI) && *stale && !rx.is_empty() => 0b1100,
            () if on(ier::ERBFI) && rx.len() >= self.trigger() => 0b0100,
            () if on(ier::ETBEI) && *emptied => 0b0010,
            () if on(ier::EDSSI) && msr & 0x0f != 0 => 0b0000,
            () => 0b0001,
        }
    }

    fn identify(&mut self) -> u8 {
        let cause = self.cause();
        if cause == 0b0010 {
            self.state.emptied = false;
            self.sync();
        }
        cause | iir::FIFOS.when::<u8>(self.fifos())
    }

    fn set_fcr(&mut self, value: u8) {
        let toggled = fcr::ENABLE.is_set(value ^ self.state.fcr);
        self.state.fcr = value & 0xc9;
        if toggled || fcr::RXRESET.is_set(value) {
            self.state.rx.clear();
            self.state.errors &= !CHARACTER;
            self.wait_again();
        }
        if toggled || fcr::TXRESET.is_set(value) {
            self.state.tx.clear();
            self.state.emptied = true;
        }
        self.sync();
    }

    fn line_status(&self) -> u8 {
        let State { rx, tx, errors, .. } = &self.state;
        let inside = rx.iter().any(|(_, flags)| *flags != 0);
        *errors
            | lsr::DR.when::<u8>(!rx.is_empty())
            | (lsr::THRE.when::<u8>(true) | lsr::TEMT.when::<u8>(true)) * u8::from(tx.is_empty())
            | lsr::ERR.when::<u8>(self.fifos() && (inside || errors & CHARACTER != 0))
    }

    fn clear_errors(&mut self, bits: u8) {
        self.state.errors &= !bits;
        self.sync();
    }

    fn modem_status(&self) -> u8 {
        self.state.msr
    }

    fn clear_changes(&mut self, bits: u8) {
        self.state.msr &= !bits;
        self.sync();
    }

    /// A character arrives. The caller has seen to it that there is room, unless it comes from the loop.
    fn arrive(&mut self, byte: u8, flags: u8) {
        if self.state.rx.len() >= self.depth() {
            self.state.errors |= lsr::OE.when::<u8>(true);
            if !self.fifos() {
                // The newer character takes the place of the older (data sheet, 8.6, bit 1).
                self.state.rx.clear();
                self.state.rx.push_back((byte, flags));
            }
        } else {
            self.state.rx.push_back((byte, flags));
        }
        if !self.fifos() {
            self.state.rbr = byte;
        }
        self.wait_again();
    }

    /// The receiver was touched: what is in the FIFO has waited for no time.
    fn wait_again(&mut self) {
        self.state.stale = false;
        let waits = self.fifos() && !self.state.rx.is_empty();
        let now = self.clock.as_ref().filter(|_| waits).map(Clock::now);
        self.state.stale_at = now.map(|now| now + self.patience());
        self.arm();
    }

    /// Sees to it that the alarm rings in time. One that rings too early is armed again then: that is cheaper than
    /// to wake the clock for every character.
    fn arm(&mut self) {
        let Some(at) = self.state.stale_at else { return };
        if self.rings_at.is_none_or(|ring| ring > at)
            && let Some((line, alarm)) = &self.timeout
        {
            line.set(false);
            alarm.at(Some(at));
            self.rings_at = Some(at);
        }
    }

    /// Moves what can move, then drives the lines from the state.
    fn sync(&mut self) {
        self.pump();
        self.state.regs.mcr &= 0x1f;

        // An error is told when its character is the next to be read.
        if let Some((_, flags)) = self.state.rx.front_mut() {
            self.state.errors |= std::mem::take(flags) & ERRORS;
        }

        let ier = self.state.regs.ier;
        let risen = ier::ETBEI.is_set(ier & !self.state.ier);
        let fallen = ier::ETBEI.is_set(!ier & self.state.ier);
        self.state.emptied = (self.state.emptied || risen && self.state.tx.is_empty()) && !fallen;
        self.state.ier = ier;

        let (old, new) = (self.state.msr, self.modem());
        let changed = (old ^ new) & 0xf0;
        // TERI tells of RI's trailing edge only.
        let deltas = changed >> 4 & !(new >> 4 & 0x4);
        self.state.msr = new | old & 0x0f | deltas;

        let Regs { mcr: m, lcr: l, .. } = self.state.regs;
        let out = !self.looped();
        self.port.set_modem(out && mcr::DTR.is_set(m), out && mcr::RTS.is_set(m));
        self.port.set_break(out && lcr::BREAK.is_set(l));
        self.irq.set(self.cause() != 0b0001);
    }

    fn pump(&mut self) {
        let waiting = !self.state.tx.is_empty();
        while let Some(&byte) = self.state.tx.front() {
            if self.looped() {
                self.arrive(byte, 0);
            } else if !self.port.write(byte) {
                break;
            }
            self.state.tx.pop_front();
        }
        self.state.emptied |= waiting && self.state.tx.is_empty();

        // Only as much as there is room for: what the guest is slow to read waits in the port.
        while !self.looped() && !self.held() && self.state.rx.len() < self.depth() {
            if self.port.take_break() {
                self.arrive(0, lsr::BI.when::<u8>(true));
            } else if let Some(byte) = self.port.read() {
                self.arrive(byte, 0);
            } else {
                break;
            }
        }
    }

    /// The guest is there and asks the other end to stop: RTS flow control. (Firmware that leaves both lines low
    /// means nothing by it, and reads.)
    fn held(&self) -> bool {
        let m = self.state.regs.mcr;
        mcr::DTR.is_set(m) && !mcr::RTS.is_set(m)
    }

    /// The levels of the modem inputs, where MSR has them.
    fn modem(&self) -> u8 {
        let m = self.state.regs.mcr;
        if self.looped() {
            // Data sheet, 8.7: the outputs are led to the inputs.
            return msr::CTS.at(mcr::RTS.get(m))
                | msr::DSR.at(mcr::DTR.get(m))
                | msr::RI.at(mcr::OUT1.get(m))
                | msr::DCD.at(mcr::OUT2.get(m));
        }
        // A host is always ready; whether it is there at all is the carrier.
        msr::CTS.at(1u8) | msr::DSR.at(1u8) | msr::DCD.at(u8::from(self.port.connected()))
    }
}

impl Device for Ns16550a {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        let range = |property: &str, value: u32, max| Error::OutOfRange {
            class: self.class().name.into(),
            property: property.into(),
            value: value.into(),
            min: 0,
            max,
        };
        if self.reg_shift > 5 {
            return Err(range("reg-shift", self.reg_shift.into(), 5));
        }
        if !matches!(self.reg_io_width, 1 | 2 | 4 | 8) {
            return Err(Error::Refused {
                class: self.class().name.into(),
                property: "reg-io-width".into(),
                why: format!("{} is not 1, 2, 4 or 8", self.reg_io_width),
            });
        }
        self.irq = wiring.line(0);
        let ring = wiring.own(TIMEOUT);
        self.timeout = Some((ring.clone(), wiring.clock.alarm(ring)));
        self.clock = Some(wiring.clock.clone());
        self.port = wiring.chardev.clone();
        self.port.attach(wiring.me.clone(), OWN);
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::default();
        self.state.msr = self.modem();
        self.wait_again();
        self.sync();
    }

    /// Any width reaches one register, as 8-bit registers on a wider bus do.
    fn read(&mut self, offset: u64, _: u8) -> Result<u64, BusError> {
        regs::read(self, offset >> self.reg_shift, 1)
    }

    fn write(&mut self, offset: u64, _: u8, value: u64) -> Result<(), BusError> {
        regs::write(self, offset >> self.reg_shift, 1, value & 0xff)
    }

    fn input(&mut self, pin: u32, level: bool) {
        if pin == TIMEOUT && level {
            let now = self.clock.as_ref().map_or(0, Clock::now);
            // Only the ring that is waited for: one of before a new arming may still be on its way.
            if self.rings_at.is_some_and(|at| at <= now) {
                self.rings_at = None;
                match self.state.stale_at {
                    Some(at) if at <= now => self.state.stale = true,
                    _ => self.arm(),
                }
            }
        }
        self.sync();
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }

    fn restored(&mut self) {
        self.rings_at = None;
        self.arm();
        self.sync();
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::interrupt("irq")]
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["ns16550a"]
    }

    fn node(&self) -> &'static str {
        "serial"
    }

    fn describe(&self) -> Vec<(&'static str, Prop)> {
        let mut node = vec![("clock-frequency", Prop::Cells(vec![self.clock_frequency]))];
        if self.reg_shift != 0 {
            node.push(("reg-shift", Prop::Cells(vec![self.reg_shift.into()])));
        }
        if self.reg_io_width != 1 {
            node.push(("reg-io-width", Prop::Cells(vec![self.reg_io_width.into()])));
        }
        node
    }
}

#[cfg(test)]
#[path = "ns16550a_tests.rs"]
mod tests;
