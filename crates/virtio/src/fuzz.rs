//! A guest that does anything: what a fuzzer's bytes say, to one card in a small machine.

use crate::VirtioMmio;
use hartwright_device::{
    BlockInfo, BlockOp, BlockPort, CharPort, Device, Dma, Locked, NewCard, OWN, Registers, Wiring,
};
use hartwright_mem::AddressSpace;
use hartwright_objects::{Globals, Registry};
use std::sync::Arc;

/// Where memory begins, how much there is, and where a ring of the orderly kind lies for each queue.
const RAM: u64 = 0x8000_0000;
const SIZE: u64 = 0x4_0000;
/// Entries of an orderly ring.
const ENTRIES: u64 = 8;

/// Does to a card of type `class` what `bytes` say, whatever they are: registers, memory, descriptors, what the host
/// sends, saving and restoring, resets. It must return, and not panic; an unknown type is nothing to do.
pub fn any_guest(class: &str, bytes: &[u8]) {
    let Some(mut guest) = Guest::new(class, bytes.first().copied().unwrap_or_default()) else { return };
    let mut bytes = bytes.iter().skip(1).copied();
    while let Some(what) = bytes.next() {
        let mut number =
            |size: usize| bytes.by_ref().take(size).fold(0, |number, byte| number << 8 | u64::from(byte));
        guest.step(what, &mut number);
    }
}

/// A disk that does everything at once.
pub(crate) fn memory_disk(len: usize) -> BlockPort {
    let port = BlockPort::default();
    let info = BlockInfo {
        bytes: len as u64,
        read_only: false,
        logical_block_size: 512,
        physical_block_size: 512,
        write_cache: true,
        discard: true,
        serial: String::new(),
    };
    let content = std::sync::Mutex::new(vec![0; len]);
    let weak = port.clone();
    let serve = move || {
        while let Some(request) = weak.take_request() {
            let mut content = content.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (offset, len) = request.op.range();
            let range = offset as usize..(offset + len) as usize;
            let result = match (content.get_mut(range), request.op) {
                (Some(part), BlockOp::Read { .. }) => Ok(part.to_vec()),
                (Some(part), BlockOp::Write { data, .. }) => {
                    part.copy_from_slice(&data);
                    Ok(vec![])
                }
                (Some(part), BlockOp::WriteZeroes { .. }) => {
                    part.fill(0);
                    Ok(vec![])
                }
                _ => Ok(vec![]),
            };
            drop(content);
            weak.reply(request.tag, result);
        }
    };
    port.connect(info, Arc::new(serve));
    port
}

struct Guest {
    device: Arc<Locked<VirtioMmio>>,
    space: Arc<AddressSpace>,
    port: CharPort,
    disk: BlockPort,
    saved: Option<String>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        // What serves the disk holds it, and is held by it.
        self.disk.disconnect();
    }
}

impl Guest {
    fn new(class: &str, how: u8) -> Option<Self> {
        let mut map = AddressSpace::build();
        map.ram("ram", RAM, SIZE).ok()?;
        map.rom("rom", 0x1000, 0x1000).ok()?;
        let space = map.finish().ok()?;
        let registry = Registry::linked().ok()?;
        let mut device = VirtioMmio::with_legacy(how & 1 != 0);
        let new = NewCard { registry: &registry, globals: &Globals::new(), class };
        device.plug(&new).ok()?;
        for card in device.cards_mut() {
            // Not every card has all of these.
            let _ = card.give("drive", &"disk".into());
            let _ = card.give("num-queues", &3.into());
            for _ in 0..2 {
                let _ = card.plug(&NewCard { class: "virtconsole", ..new });
            }
        }
        let port = CharPort::default();
        port.connect(Arc::new(|| {}));
        let disk = memory_disk(0x1_0000);
        let ends = || Wiring {
            block: disk.clone(),
            chardev: port.clone(),
            cards: vec![Wiring { chardev: port.clone(), ..Wiring::default() }],
            ..Wiring::default()
        };
        let device = Locked::new(Box::new(device));
        device.wire(Wiring { memory: Dma::new(&space), cards: vec![ends()], ..Wiring::default() }).ok()?;
        let guest = Guest { device, space, port, disk, saved: None };
        if how & 2 != 0 {
            guest.orderly();
        }
        Some(guest)
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        // Faults are answers too.
        let _ = self.device.with(|device| device.write(offset, size, value));
    }

    /// Sets up all queues as a driver does, so that what follows reaches the card.
    fn orderly(&self) {
        for (offset, value) in [(0x70, 1), (0x70, 3), (0x14, 1), (0x24, 0), (0x28, 4096)] {
            self.write(offset, 4, value);
        }
        for word in 0..2 {
            self.write(0x14, 4, word);
            self.write(0x24, 4, word);
            let offered = self.device.with(|device| device.read(0x10, 4)).unwrap_or_default();
            self.write(0x20, 4, offered);
        }
        self.write(0x70, 4, 0xb);
        for queue in 0..8u64 {
            let at = ring(queue);
            self.write(0x30, 4, queue);
            self.write(0x38, 4, ENTRIES);
            for (offset, value) in [(0x80, at), (0x90, at + 16 * ENTRIES), (0xa0, at + 0x1000), (0x44, 1)] {
                self.write(offset, 4, value);
            }
            self.write(0x40, 4, at >> 12);
        }
        self.write(0x70, 4, 0xf);
    }

    fn step(&mut self, what: u8, number: &mut impl FnMut(usize) -> u64) {
        let queue = u64::from(what >> 5);
        match what & 0x1f {
            0..4 => {
                let rows = self.device.with(|device| device.table()).rows;
                let row = &rows[number(1) as usize % rows.len()];
                let value = number(if what & 0x80 == 0 { 1 } else { 4 });
                self.write(row.offset, 4, value);
            }
            4..6 => {
                let _ = self.device.with(|device| device.read(number(2), 1 << (what >> 6)));
            }
            6..8 => self.write(0x100 + number(1), 1 << (what >> 6), number(4)),
            8..11 => {
                let (at, value) = (RAM + number(3) % SIZE, number(8));
                let _ = self.space.store(at & !7, 8, value);
            }
            11..18 => self.describe(queue, number),
            18..24 => self.offer(queue, number(1)),
            24..27 => {
                let bytes: Vec<u8> = (0..number(1)).map(|at| at as u8).collect();
                self.port.feed(&bytes);
                self.port.consume_output(number(2) as usize);
            }
            27 => self.device.with(|device| device.input(OWN + u32::from(what >> 5), true)),
            28 => self.device.with(Device::given),
            29 => self.device.with(|device| match (self.saved.take(), device.state()) {
                (Some(saved), Some(state)) => {
                    drop(state.restore(&saved));
                    device.restored();
                }
                (None, Some(state)) => self.saved = state.save().ok(),
                (_, None) => {}
            }),
            30 => self.orderly(),
            _ => self.device.reset(),
        }
    }

    /// Writes a descriptor, mostly one whose buffer is in memory.
    fn describe(&self, queue: u64, number: &mut impl FnMut(usize) -> u64) {
        let (what, at) = (number(1), number(3));
        let addr = if what & 0xc0 == 0xc0 { at << 40 } else { RAM + at % SIZE };
        let len = if what & 0x30 == 0x30 { number(4) } else { number(2) & 0x7ff };
        let flags = if what & 8 != 0 { what & 7 } else { what & 3 };
        let entry = ring(queue) + 16 * (number(1) % ENTRIES);
        let _ = self.space.store(entry, 8, addr);
        let _ = self.space.store(entry + 8, 8, number(1) % 10 << 48 | flags << 32 | len);
    }

    /// Makes a descriptor available, and notifies.
    fn offer(&self, queue: u64, head: u64) {
        let avail = ring(queue) + 16 * ENTRIES;
        let index = self.space.load(avail + 2, 2).unwrap_or_default();
        let _ = self.space.store(avail + 4 + 2 * (index % ENTRIES), 2, head % (ENTRIES + 1));
        let _ = self.space.store(avail + 2, 2, index + 1);
        self.write(0x50, 4, queue);
    }
}

/// Where the rings of an orderly queue are.
fn ring(queue: u64) -> u64 {
    RAM + 0x2000 * queue
}

#[cfg(test)]
mod tests {
    use super::*;
    use hartwright_objects::Class;

    /// What is plugged into a virtio bus, by name.
    fn cards() -> Vec<&'static Class> {
        let registry = Registry::linked().unwrap();
        registry.classes().filter(|class| class.bus == Some("virtio-bus")).collect()
    }

    #[test]
    fn no_guest_makes_a_card_panic_or_hang() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 24) as u8
        };
        assert!(!cards().is_empty());
        for class in cards() {
            for round in 0..150u8 {
                let bytes: Vec<u8> = std::iter::once(round).chain((0..1500).map(|_| next())).collect();
                any_guest(class.name, &bytes);
            }
        }
    }
}
