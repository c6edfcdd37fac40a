//! What a driver that polls does to a serial port, a hundred thousand times: for callgrind to count what an access costs.
//!
//! `cargo build --release -p hartwright-devices --example uart_loop`, then
//! `valgrind --tool=callgrind target/release/examples/uart_loop`.
#![forbid(unsafe_code)]

use hartwright_device::{Device, Locked, Mmio, Wiring};
use hartwright_devices::{Clint, Ns16550a};

fn main() {
    let devices: [Box<dyn Device>; 2] = [Box::<Ns16550a>::default(), Box::<Clint>::default()];
    let [uart, clint] = devices.map(Locked::new);
    for device in [&uart, &clint] {
        device.wire(Wiring::default()).expect("its properties are the default ones");
    }
    let mut sum = 0;
    for round in 0..100_000 {
        sum += uart.read(5, 1).unwrap_or(0);
        let _ = uart.write(0, 1, round & 0x7f);
        sum += clint.read(0xbff8, 8).unwrap_or(0);
    }
    println!("{sum}");
}
