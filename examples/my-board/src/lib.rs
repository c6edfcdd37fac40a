//! A machine of our own: RAM, one hart, a UART and a timer of our own, and firmware that talks on them.
#![forbid(unsafe_code)]

mod timer;
mod uart;

use hartwright::{
    board,
    machine::{MachineSpec, Options},
};

pub use timer::MyTimer;
pub use uart::MyUart;

board!(
    "my-board",
    "a UART and a timer of our own",
    my_board,
    firmware = include_bytes!("../firmware/firmware.bin")
);

fn my_board(m: &mut MachineSpec, options: &Options) {
    m.harts(options, 1..=1);

    // Harts begin here, with code that the emulator puts in.
    m.rom("rom", 0x1000, 0xf000);
    m.device("test", "riscv.sifive.test", 0x10_0000, 0x1000);
    m.device("plic", "riscv.sifive.plic", 0xc00_0000, 0x400_0000);
    m.device("uart", "my-uart", 0x1000_0000, 0x1000)
        .line("irq", "plic", 1)
        .chardev("serial0");
    m.device("timer", "my-timer", 0x1000_1000, 0x1000)
        .line("irq", "plic", 2);
    m.ram("ram", 0x8000_0000, options.ram.unwrap_or(16 << 20));
}
