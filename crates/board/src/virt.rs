//! `virt`: QEMU's machine of that name, address for address and line for line.

use hartwright_machine::{MachineSpec, Options, board};

board!("virt", "RISC-V VirtIO board", virt);

/// Bytes of each flash chip.
const FLASH: u64 = 0x200_0000;

fn virt(m: &mut MachineSpec, options: &Options) {
    m.model = "riscv-virtio,qemu".into();
    m.compatible = vec!["riscv-virtio".into()];
    m.harts(options, 1..=512);

    m.rom("mrom", 0x1000, 0xf000);
    m.device("test", "riscv.sifive.test", 0x10_0000, 0x1000);
    m.device("rtc", "goldfish_rtc", 0x10_1000, 0x1000).line("irq", "plic", 11);
    m.device("clint", "riscv.clint", 0x200_0000, 0x1_0000);
    m.device("platform-bus", "platform-bus-device", 0x400_0000, 0x200_0000)
        .property("addr", 0x400_0000)
        .property("interrupt-parent", "plic");
    m.device("plic", "riscv.sifive.plic", 0xc00_0000, 0x60_0000);
    m.device("uart0", "ns16550a", 0x1000_0000, 0x100).line("irq", "plic", 10).chardev("serial0");
    m.device("fw_cfg", "fw_cfg_mem", 0x1010_0000, 0x18);
    m.device("flash0", "cfi.pflash01", 0x2000_0000, FLASH).drive("pflash0");
    m.device("flash1", "cfi.pflash01", 0x2000_0000 + FLASH, FLASH).drive("pflash1");
    m.ram("ram", 0x8000_0000, options.ram.unwrap_or(128 << 20));
}
