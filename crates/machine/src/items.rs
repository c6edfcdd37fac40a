//! What fw_cfg tells firmware of this start: harts, boot order, and the kernel where it is not in memory.

use crate::{BootOptions, MachineSpec};
use hartwright_device::Items;
use hartwright_loader::{read, read_unpacked};
use std::path::Path;

// QEMU's numbers, as Linux's include/uapi/linux/qemu_fw_cfg.h and EDK2 know them.
const NO_GRAPHICS: u16 = 0x04;
const HARTS: u16 = 0x05;
const KERNEL_SIZE: u16 = 0x08;
const INITRD_SIZE: u16 = 0x0b;
const BOOT_MENU: u16 = 0x0e;
const KERNEL_DATA: u16 = 0x11;
const INITRD_DATA: u16 = 0x12;
const CMDLINE_SIZE: u16 = 0x14;
const CMDLINE_DATA: u16 = 0x15;
const UUID: u16 = 0x02;

/// The items of this start. With `flash`, firmware in flash is to load the kernel itself, and finds it here.
///
/// # Errors
///
/// A file cannot be read, or has more than `limit` bytes.
pub(crate) fn items(
    spec: &MachineSpec,
    options: &BootOptions,
    flash: bool,
    limit: u64,
) -> Result<Items, String> {
    let mut items = Items::default();
    let mut put = |number: u16, bytes: Vec<u8>| items.numbered.insert(number, bytes);
    let short = |n: u16| n.to_le_bytes().to_vec();
    put(UUID, vec![0; 16]);
    put(NO_GRAPHICS, short(options.no_graphics.into()));
    put(HARTS, short(*spec.cpu.harts as u16));
    put(BOOT_MENU, short(0));
    if flash {
        let mut data = |size: u16, number: u16, bytes: Vec<u8>| {
            put(size, (bytes.len() as u32).to_le_bytes().to_vec());
            put(number, bytes);
        };
        if let Some(name) = &options.kernel {
            let bytes = read_unpacked(Path::new(name), limit);
            data(
                KERNEL_SIZE,
                KERNEL_DATA,
                bytes.map_err(|why| format!("could not load kernel '{name}': {why}"))?,
            );
        }
        if let Some(name) = &options.initrd {
            let bytes = read(Path::new(name), limit);
            data(
                INITRD_SIZE,
                INITRD_DATA,
                bytes.map_err(|why| format!("could not load initrd '{name}': {why}"))?,
            );
        }
        if let Some(append) = &options.append {
            data(CMDLINE_SIZE, CMDLINE_DATA, [append.as_bytes(), &[0]].concat());
        }
    }
    // What QEMU's firmware boots, how long it waits for it, and what geometry its disks have: nothing is said.
    let own = [("bios-geometry", vec![]), ("bootorder", vec![]), ("etc/boot-fail-wait", vec![0xff; 4])];
    items.files.extend(own.map(|(name, bytes)| (name.to_owned(), bytes)));
    for (name, bytes) in &options.files {
        if items.files.insert(name.clone(), bytes.clone()).is_some() {
            return Err(format!("duplicate fw_cfg file name: {name}"));
        }
    }
    Ok(items)
}
