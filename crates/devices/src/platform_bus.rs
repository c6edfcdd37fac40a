//! The platform bus: a window that QEMU's machines keep free for devices that the command line adds.

use hartwright_device::{Device, Error, Prop, Registers, Wiring, registers};
use hartwright_objects::Object;

registers! { PlatformBus size 0x200_0000, widths [] else fault: }

/// A window without anything in it.
#[derive(Object)]
#[object(name = "platform-bus-device", parent = "sys-bus-device", family = dyn Device)]
pub struct PlatformBus {
    /// Where it is, as its node says it.
    #[property(default = 0)]
    addr: u32,
    /// The name of the interrupt controller of what would be in it.
    #[property(default = String::new())]
    interrupt_parent: String,
}

impl Device for PlatformBus {
    fn realize(&mut self, _: Wiring) -> Result<(), Error> {
        Ok(())
    }

    fn reset(&mut self) {}

    fn compatible(&self) -> &'static [&'static str] {
        &["qemu,platform", "simple-bus"]
    }

    fn node(&self) -> &'static str {
        "platform-bus"
    }

    fn in_soc(&self) -> bool {
        false
    }

    fn windows(&self, _: u64) -> Vec<(u64, u64)> {
        vec![]
    }

    fn describe(&self) -> Vec<(&'static str, Prop)> {
        let size = self.table().size as u32;
        vec![
            ("#address-cells", Prop::Cells(vec![1])),
            ("#size-cells", Prop::Cells(vec![1])),
            ("ranges", Prop::Cells(vec![0, 0, self.addr, size])),
            ("interrupt-parent", Prop::Reference(self.interrupt_parent.clone())),
        ]
    }
}
