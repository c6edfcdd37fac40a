//! The SiFive test finisher: one register by which a guest ends its machine, or starts it again.

use hartwright_device::{Device, Error, Power, Wiring, log, registers};
use hartwright_objects::Object;

registers! { SifiveTest size 0x1000, widths [2, 4] else fault:
    /// How the machine ends.
    0x0 finisher: u32 {
        /// What is asked for.
        STATUS[15:0] { fail = 0x3333, pass = 0x5555, reset = 0x7777 },
        /// The exit code of a failure.
        CODE[31:16],
    } get nothing set finish;
}

const FAIL: u32 = 0x3333;
const PASS: u32 = 0x5555;
const RESET: u32 = 0x7777;

/// Ends or resets the machine when the guest says so (SiFive test finisher).
#[derive(Object)]
#[object(name = "riscv.sifive.test", parent = "sys-bus-device", family = dyn Device)]
pub struct SifiveTest {
    // Wiring.
    power: Power,
}

impl SifiveTest {
    /// Drivers of a syscon read before they write.
    fn nothing(&self) -> u32 {
        0
    }

    fn finish(&mut self, value: u32) {
        let (status, code) = (finisher::STATUS.get(value), finisher::CODE.get(value));
        match status {
            FAIL => self.power.shutdown(code as u16),
            PASS => self.power.shutdown(0),
            RESET => self.power.reset(),
            _ => log::guest_error(self.class().name, 0, "unknown status", format_args!(": {value:#x}")),
        }
    }
}

impl Device for SifiveTest {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        self.power = wiring.power;
        Ok(())
    }

    fn reset(&mut self) {}

    fn compatible(&self) -> &'static [&'static str] {
        &["sifive,test1", "sifive,test0", "syscon"]
    }

    fn node(&self) -> &'static str {
        "test"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hartwright_device::{Request, conforms};
    use std::sync::mpsc;

    #[test]
    fn it_conforms() {
        conforms(&mut SifiveTest::default()).unwrap();
    }

    #[test]
    fn a_status_becomes_a_request() {
        let (tell, told) = mpsc::channel();
        let mut device = SifiveTest::default();
        let power = Power::new(move |request| tell.send(request).unwrap());
        device.realize(Wiring { power, ..Wiring::default() }).unwrap();
        for (size, value) in
            [(4, 0x5555), (4, 0x7777), (4, 0x0003_3333), (4, 0xffff_3333), (4, 0), (2, 0x5555)]
        {
            device.write(0, size, value).unwrap();
        }
        let requests: Vec<_> = told.try_iter().collect();
        use Request::{Reset, Shutdown};
        assert_eq!(requests, [Shutdown(0), Reset, Shutdown(3), Shutdown(0xffff), Shutdown(0)]);
        assert_eq!(device.read(0, 4), Ok(0));
    }
}
