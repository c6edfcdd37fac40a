//! `param`: a simple CPU, memory and a UART; where QEMU's `virt` has the same device, it is at the same address.

use hartwright_machine::{MachineSpec, Options, board};

board!("param", "simple CPU, memory and UART", param);

fn param(m: &mut MachineSpec, options: &Options) {
    m.harts(options, 1..=8);

    m.rom("rom", 0x1000, 0xf000);
    m.device("test", "riscv.sifive.test", 0x10_0000, 0x1000);
    m.device("clint", "riscv.clint", 0x200_0000, 0x1_0000);
    m.device("plic", "riscv.sifive.plic", 0xc00_0000, 0x400_0000);
    m.device("uart0", "ns16550a", 0x1000_0000, 0x100).line("irq", "plic", 10).chardev("serial0");
    m.ram("ram", 0x8000_0000, options.ram.unwrap_or(128 << 20));
}
