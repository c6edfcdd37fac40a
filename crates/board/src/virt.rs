//! `virt`: QEMU's machine of that name, address for address and line for line.

use hartwright_machine::{MachineSpec, Options, board};
use std::ops::Range;

board!(
    "virt",
    "RISC-V VirtIO board",
    virt,
    properties = Virt {
        /// Set on/off to enable/disable emulating ACLINT devices
        aclint: bool = false,
        /// Enable ACPI: there is none, so on is not yet in hartwright
        acpi: String = "auto".to_owned(),
        /// Set type of AIA interrupt controller: none; aplic and aplic-imsic are not yet in hartwright
        aia: String = "none".to_owned(),
        /// Set number of guest MMIO pages for AIA IMSIC: 0; others are not yet in hartwright
        aia_guests: String = "0".to_owned(),
        /// Enable IOMMU platform device: off or auto; on is not yet in hartwright
        iommu_sys: String = "auto".to_owned(),
    }
);

/// Bytes of each flash chip.
const FLASH: u64 = 0x200_0000;
/// As many NUMA nodes as there is room for PLICs.
const SOCKETS: usize = 8;

fn virt(m: &mut MachineSpec, options: &Options, properties: &Virt) -> Result<(), String> {
    properties.refuse_absent()?;
    m.model = "riscv-virtio,qemu".into();
    m.compatible = vec!["riscv-virtio".into()];
    m.harts(options, 1..=512);
    m.numa = options.numa.clone();
    let sockets = m.sockets();
    if sockets.len() > SOCKETS {
        return Err(format!("number of sockets/nodes should be less than {SOCKETS}"));
    }

    m.rom("mrom", 0x1000, 0xf000);
    m.device("test", "riscv.sifive.test", 0x10_0000, 0x1000);
    m.device("rtc", "goldfish_rtc", 0x10_1000, 0x1000).line("irq", "plic", 11);
    for (harts, number) in sockets.iter().zip(0..) {
        timer_and_software_interrupts(m, properties.aclint, number, harts);
    }
    m.device("platform-bus", "platform-bus-device", 0x400_0000, 0x200_0000)
        .property("addr", 0x400_0000)
        .property("interrupt-parent", "plic");
    for (harts, number) in sockets.iter().zip(0..) {
        let contexts = vec!["MS"; (harts.end - harts.start) as usize].join(",");
        m.device(&numbered("plic", number), "riscv.sifive.plic", 0xc00_0000 + 0x60_0000 * number, 0x60_0000)
            .property("hart-config", contexts)
            .property("hartid-base", harts.start);
    }
    m.device("uart0", "ns16550a", 0x1000_0000, 0x100).line("irq", "plic", 10).chardev("serial0");
    // With several sockets the second one's controller is for virtio.
    let virtio = numbered("plic", u64::from(sockets.len() > 1));
    for slot in 0..8 {
        m.device(&format!("virtio{slot}"), "virtio-mmio", 0x1000_1000 + 0x1000 * u64::from(slot), 0x1000)
            .line("irq", &virtio, 1 + slot);
    }
    m.device("fw_cfg", "fw_cfg_mem", 0x1010_0000, 0x18);
    m.device("flash0", "cfi.pflash01", 0x2000_0000, FLASH).drive("pflash0");
    m.device("flash1", "cfi.pflash01", 0x2000_0000 + FLASH, FLASH).drive("pflash1");
    m.ram("ram", 0x8000_0000, options.ram.unwrap_or(128 << 20));
    Ok(())
}

/// Of one socket: a CLINT, or the three devices of an ACLINT.
fn timer_and_software_interrupts(m: &mut MachineSpec, aclint: bool, number: u64, harts: &Range<u64>) {
    let base = 0x200_0000 + 0x1_0000 * number;
    let rows = match aclint {
        false => vec![("clint", "riscv.clint", base, 0x1_0000)],
        true => vec![
            ("mswi", "riscv.aclint.swi", base, 0x4000),
            ("mtimer", "riscv.aclint.mtimer", base + 0x4000, 0x8000),
            ("sswi", "riscv.aclint.swi", 0x2f0_0000 + 0x4000 * number, 0x4000),
        ],
    };
    for (name, class, base, size) in rows {
        let device = m.device(&numbered(name, number), class, base, size);
        device.property("hartid-base", harts.start).property("num-harts", harts.end - harts.start);
        if name == "sswi" {
            device.property("sswi", true);
        }
    }
}

/// The first one's name is the name itself.
fn numbered(name: &str, number: u64) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}{number}") }
}

impl Virt {
    /// Refuses what QEMU's machine has and this one has not yet.
    fn refuse_absent(&self) -> Result<(), String> {
        for (name, value, here, elsewhere) in [
            ("acpi", &self.acpi, &["auto", "off"][..], &["on"][..]),
            ("aia", &self.aia, &["none"], &["aplic", "aplic-imsic"]),
            ("aia-guests", &self.aia_guests, &["0"], &["1", "2", "3", "4", "5", "6", "7"]),
            ("iommu-sys", &self.iommu_sys, &["auto", "off"], &["on"]),
        ] {
            if elsewhere.contains(&value.as_str()) {
                return Err(format!("{name}={value}: not yet in hartwright"));
            } else if !here.contains(&value.as_str()) {
                let all = [here, elsewhere].concat().join(", ");
                return Err(format!(
                    "Property 'virt-machine.{name}' doesn't take value '{value}': it takes {all}"
                ));
            }
        }
        Ok(())
    }
}
