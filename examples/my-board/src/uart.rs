//! A UART with three registers.

use hartwright::{Object, device::*, registers};

registers! { MyUart size 0x1000, widths [4] else fault:
    /// The next byte in, or a byte out.
    0x0 data:   u32 { BYTE[7:0] }             get receive set transmit;
    /// Whether a byte is there, and whether there is room for one.
    0x4 status: u32 { RX[0] RO, TX[1] RO }    get status;
    /// Which of these interrupts.
    0x8 enable: u32 { RX[0], TX[1] }          then sync;
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

    // What a reset clears.
    state: State,
}

#[derive(Default)]
struct State {
    regs: Regs,
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

    fn transmit(&mut self, byte: u32) {
        if !self.port.write(byte as u8) {
            log::guest_error(
                "my-uart",
                0,
                "a byte without room for it",
                format_args!(": {byte:#x}"),
            );
        }
        self.sync();
    }

    fn status(&self) -> u32 {
        let (received, room) = (self.port.readable() > 0, self.port.writable());
        status::RX.when::<u32>(received) | status::TX.when::<u32>(room)
    }

    /// The line follows from the state, after every change of it.
    fn sync(&mut self) {
        self.irq.set(self.status() & self.state.regs.enable != 0);
    }
}

impl Device for MyUart {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        (self.irq, self.port) = (wiring.line(0), wiring.chardev);
        // From now on `input` hears that a byte came, or that there is room for one again.
        self.port.attach(wiring.me, OWN);
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::default();
        self.sync();
    }

    fn input(&mut self, _: u32, _: bool) {
        self.sync();
    }

    fn restored(&mut self) {
        self.sync();
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::interrupt("irq")]
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["my,uart"]
    }
}
