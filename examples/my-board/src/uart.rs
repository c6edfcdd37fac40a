//! A UART with three registers: data, status, interrupt enable.

use hartwright::{Object, device::*, registers};

registers! { MyUart size 0x1000, widths [4] else fault:
    0x0 data:   u32 { BYTE[7:0] }                     get receive set transmit;
    0x4 status: u32 { RX[0] RO, TX[1] RO }            get status;
    0x8 enable: u32 { RX[0], TX[1] }                  then sync;
}

/// A UART of our own.
#[derive(Object)]
#[object(name = "my-uart", parent = "sys-bus-device", family = dyn Device, category = Input)]
pub struct MyUart {
    // Configuration.
    /// Whether small letters are received as capitals, as on an old terminal.
    #[property(default = false)]
    capitals: bool,
    /// The host's end of the line.
    #[property]
    chardev: Option<String>,

    // Wiring.
    irq: Line,
    port: CharPort,

    // State.
    state: State,
}

#[derive(Default)]
struct State {
    regs: Regs,
    /// What the host did not take yet.
    waiting: Option<u8>,
}

impl MyUart {
    fn receive(&mut self) -> u32 {
        let byte = self.port.read().unwrap_or(0);
        self.sync();
        u32::from(if self.capitals {
            byte.to_ascii_uppercase()
        } else {
            byte
        })
    }

    fn transmit(&mut self, value: u32) {
        let byte = value as u8;
        if self.state.waiting.is_some() {
            log::guest_error(
                self.class().name,
                0,
                "a byte was written while one waited",
                format_args!(": {byte:#x}"),
            );
        } else if !self.port.write(byte) {
            self.state.waiting = Some(byte);
        }
        self.sync();
    }

    fn status(&self) -> u32 {
        status::RX.when::<u32>(self.port.readable() > 0)
            | status::TX.when::<u32>(self.state.waiting.is_none())
    }

    /// Outputs follow from the state, after every change of it.
    fn sync(&mut self) {
        self.irq.set(self.status() & self.state.regs.enable != 0);
    }
}

impl Device for MyUart {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        (self.irq, self.port) = (wiring.line(0), wiring.chardev);
        // From now on the port tells when a byte came, or there is room for one.
        self.port.attach(wiring.me, OWN);
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::default();
        self.sync();
    }

    fn input(&mut self, _: u32, _: bool) {
        if let Some(byte) = self.state.waiting
            && self.port.write(byte)
        {
            self.state.waiting = None;
        }
        self.sync();
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::interrupt("irq")]
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["my,uart"]
    }

    fn node(&self) -> &'static str {
        "serial"
    }
}
