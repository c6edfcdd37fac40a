//! QEMU's firmware configuration: numbered bytes and named files that firmware reads, by a port or by DMA.

use hartwright_device::{
    BusError, Device, Dma, Error, Items, Output, Prop, Saved, Wiring, log, registers, regs,
};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

// QEMU's documentation, docs/specs/fw_cfg.rst. Reads of the data register take the next bytes, of any width.
registers! { FwCfg size 0x18, widths [1, 2, 4, 8] else fault, big:
    /// The next bytes of the selected item, in their order; zeros after its end.
    0x00 data: u64         { DATA[63:0] RO }    get peek;
    /// Selects an item, from its first byte on.
    0x08 selector: u16     { KEY[15:0] WO }     set select;
    /// The high half of the address of a DMA request; reads as the first half of the text "QEMU CFG".
    0x10 dma_high: u32     { ADDRESS[31:0] }    get dma_first  set set_dma_high;
    /// The low half; writing it does the request. Reads as the second half of the text.
    0x14 dma_low: u32      { ADDRESS[31:0] }    get dma_second set set_dma_low;
}

/// Numbers of items that the device makes itself.
const SIGNATURE: u16 = 0x00;
const ID: u16 = 0x01;
const FILE_DIR: u16 = 0x19;
/// The first file's number.
const FILE_FIRST: u16 = 0x20;
/// How many files there may be.
const FILES: usize = 0x20;
/// The bits of a key that are the number; the others choose a write channel and items of an architecture.
const NUMBER: u16 = 0x3fff;
const ARCH_LOCAL: u16 = 0x8000;
/// What `ID` says: the port and DMA.
const FEATURES: u32 = 0b11;
const DMA_ERROR: u32 = 1 << 0;
const DMA_READ: u32 = 1 << 1;
const DMA_SKIP: u32 = 1 << 2;
const DMA_SELECT: u32 = 1 << 3;
const DMA_WRITE: u32 = 1 << 4;

/// What the emulator tells firmware (QEMU fw_cfg, memory mapped, with DMA).
#[derive(Object)]
#[object(name = "fw_cfg_mem", parent = "sys-bus-device", family = dyn Device)]
pub struct FwCfg {
    // Wiring.
    memory: Dma,
    items: Arc<Items>,
    /// The list of files, as firmware reads it.
    directory: Vec<u8>,

    // State.
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    key: u16,
    /// How much of the item was read.
    done: u64,
    dma_high: u32,
}

/// `count`, then for each file its bytes, its number and its name (fw_cfg.rst, "File Directory").
fn directory(items: &Items) -> Vec<u8> {
    let mut bytes = (items.files.len() as u32).to_be_bytes().to_vec();
    for ((name, contents), number) in items.files.iter().zip(FILE_FIRST..) {
        bytes.extend((contents.len() as u32).to_be_bytes());
        bytes.extend(number.to_be_bytes());
        bytes.extend([0; 2]);
        let mut field = [0; 56];
        let len = name.len().min(field.len() - 1);
        field[..len].copy_from_slice(&name.as_bytes()[..len]);
        bytes.extend(field);
    }
    bytes
}

impl FwCfg {
    /// The bytes of the selected item; none where there is none.
    fn item(&self) -> &[u8] {
        static ID_BYTES: [u8; 4] = FEATURES.to_le_bytes();
        let number = self.state.key & NUMBER;
        match number {
            _ if self.state.key & ARCH_LOCAL != 0 => &[],
            SIGNATURE => b"QEMU",
            ID => &ID_BYTES,
            FILE_DIR => &self.directory,
            FILE_FIRST.. => {
                let file = self.items.files.values().nth((number - FILE_FIRST).into());
                file.map_or(&[], |contents| contents)
            }
            _ => self.items.numbered.get(&number).map_or(&[], |bytes| bytes),
        }
    }

    /// What of the item was not read yet.
    fn rest(&self) -> &[u8] {
        self.item().get(self.state.done as usize..).unwrap_or(&[])
    }

    /// Takes the next `size` bytes.
    fn take(&mut self, size: u8) -> u64 {
        let mut bytes = [0; 8];
        let rest = self.rest();
        let some = rest.len().min(size.into());
        bytes[..some].copy_from_slice(&rest[..some]);
        self.state.done += some as u64;
        u64::from_le_bytes(bytes)
    }

    fn peek(&mut self) -> u64 {
        let mut bytes = [0; 8];
        let rest = self.rest();
        let some = rest.len().min(8);
        bytes[..some].copy_from_slice(&rest[..some]);
        u64::from_be_bytes(bytes)
    }

    fn select(&mut self, key: u16) {
        self.state.key = key;
        self.state.done = 0;
    }

    fn dma_first(&mut self) -> u32 {
        u32::from_be_bytes(*b"QEMU")
    }

    fn dma_second(&mut self) -> u32 {
        u32::from_be_bytes(*b" CFG")
    }

    fn set_dma_high(&mut self, value: u32) {
        self.state.dma_high = value;
    }

    fn set_dma_low(&mut self, value: u32) {
        let at = u64::from(std::mem::take(&mut self.state.dma_high)) << 32 | u64::from(value);
        let mut request = [0; 16];
        if self.memory.read(at, &mut request).is_err() {
            let class = self.class().name;
            return log::guest_error(class, 0x10, "no DMA request", format_args!(" at {at:#x}"));
        }
        let word = |i: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| request[i + byte]));
        let (control, len) = (word(0), word(4).into());
        let address = u64::from(word(8)) << 32 | u64::from(word(12));
        if control & DMA_SELECT != 0 {
            self.select((control >> 16) as u16);
        }
        let done = if control & DMA_READ != 0 {
            self.copy_to(address, len)
        } else {
            if control & (DMA_SKIP | DMA_WRITE) != 0 {
                self.advance(len);
            }
            // No item can be written.
            control & DMA_WRITE == 0 || len == 0
        };
        let answer = if done { 0 } else { DMA_ERROR };
        // The request was read from there a moment ago; it may be ROM, and then nobody waits for the answer.
        let _ = self.memory.write(at, &answer.to_be_bytes());
    }

    /// Goes `len` bytes on, or to the item's end; gives where it was.
    fn advance(&mut self, len: u64) -> usize {
        let before = self.state.done;
        self.state.done += (self.rest().len() as u64).min(len);
        before as usize
    }

    /// Puts the next `len` bytes to memory at `address`, zeros after the item's end.
    fn copy_to(&mut self, mut address: u64, len: u64) -> bool {
        static ZEROS: [u8; 0x1_0000] = [0; 0x1_0000];
        let from = self.advance(len);
        let some = self.state.done - from as u64;
        let bytes = self.item().get(from..).unwrap_or(&[]);
        if self.memory.write(address, &bytes[..some as usize]).is_err() {
            return false;
        }
        address = address.wrapping_add(some);
        let mut left = len - some;
        while left > 0 {
            let some = left.min(ZEROS.len() as u64);
            if self.memory.write(address, &ZEROS[..some as usize]).is_err() {
                return false;
            }
            address = address.wrapping_add(some);
            left -= some;
        }
        true
    }
}

impl Device for FwCfg {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        if wiring.items.files.len() > FILES {
            return Err(Error::Refused {
                class: self.class().name.into(),
                property: "x-file-slots".into(),
                why: format!("{} files, and {FILES} is the most", wiring.items.files.len()),
            });
        }
        self.directory = directory(&wiring.items);
        self.items = wiring.items;
        self.memory = wiring.memory;
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::default();
    }

    fn read(&mut self, offset: u64, size: u8) -> Result<u64, BusError> {
        match offset {
            0 => Ok(self.take(size)),
            0x10.. => regs::read(self, offset, size),
            // Within the data there is no second register, and the selector cannot be read.
            _ => Err(BusError::Refused),
        }
    }

    fn write(&mut self, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
        match (offset, size) {
            (0, _) => Ok(()),
            (0x08, 2) | (0x10, 4 | 8) | (0x14, 4) => regs::write(self, offset, size, value),
            _ => Err(BusError::Refused),
        }
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![]
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["qemu,fw-cfg-mmio"]
    }

    fn node(&self) -> &'static str {
        "fw-cfg"
    }

    fn in_soc(&self) -> bool {
        false
    }

    fn describe(&self) -> Vec<(&'static str, Prop)> {
        vec![("dma-coherent", Prop::Empty)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hartwright_device::{Locked, Mmio, conforms};

    fn fw_cfg() -> Arc<Locked<FwCfg>> {
        let mut items = Items::default();
        items.numbered.insert(5, 4u16.to_le_bytes().to_vec());
        items.files.insert("opt/b".into(), b"second".to_vec());
        items.files.insert("etc/a".into(), b"first file".to_vec());
        let device = Locked::new(Box::new(FwCfg::default()));
        device.wire(Wiring { items: Arc::new(items), ..Wiring::default() }).unwrap();
        device
    }

    fn read(device: &Locked<FwCfg>, key: u16, len: usize) -> Vec<u8> {
        device.write(8, 2, key.swap_bytes().into()).unwrap();
        (0..len).map(|_| device.read(0, 1).unwrap() as u8).collect()
    }

    #[test]
    fn it_conforms() {
        fw_cfg().with(|device| conforms(device)).unwrap();
    }

    #[test]
    fn items_are_read_by_any_width_in_their_order() {
        let device = fw_cfg();
        assert_eq!(device.read(0, 4), Ok(u64::from(u32::from_le_bytes(*b"QEMU"))));
        assert_eq!(device.read(0, 4), Ok(0), "there is no more");
        assert_eq!(read(&device, 1, 5), [3, 0, 0, 0, 0]);
        assert_eq!(read(&device, 5, 2), [4, 0]);
        assert_eq!(read(&device, 0x20, 5), b"first");
        assert_eq!(device.read(0, 8), Ok(u64::from_le_bytes(*b" file\0\0\0")));
        assert_eq!(read(&device, 0x8005, 2), [0, 0], "of the architecture there is none");
        assert_eq!((device.read(8, 2), device.read(4, 4)), (Err(BusError::Refused), Err(BusError::Refused)));
        assert_eq!(device.read(0x10, 8), Ok(u64::from_le_bytes(*b"QEMU CFG")));
    }

    #[test]
    fn the_directory_lists_the_files_by_name() {
        let bytes = read(&fw_cfg(), FILE_DIR, 4 + 2 * 64);
        assert_eq!(bytes[..4], 2u32.to_be_bytes());
        assert_eq!(bytes[4..12], [0, 0, 0, 10, 0, 0x20, 0, 0]);
        assert_eq!((&bytes[12..18], &bytes[76..82]), (&b"etc/a\0"[..], &b"opt/b\0"[..]));
        assert_eq!(bytes[68..76], [0, 0, 0, 6, 0, 0x21, 0, 0]);
    }
}
