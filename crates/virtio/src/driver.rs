//! A driver for tests, as small as one can be; it does legacy and modern alike.

use crate::VirtioMmio;
use hartwright_device::{Device, Dma, Line, Locked, NewCard, Sink, Wiring};
use hartwright_mem::AddressSpace;
use hartwright_objects::{Given, Globals, Registry};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(crate) const RAM: u64 = 0x8000_0000;
/// Rings lie from here on, 64 KiB apart.
const RINGS: u64 = RAM + 0x10_0000;
const INDIRECT: u64 = RAM + 0xf_0000;

/// What a descriptor is about: address, length, and whether the device writes.
pub(crate) type Part = (u64, u32, bool);

pub(crate) struct Driver {
    pub(crate) device: Arc<Locked<VirtioMmio>>,
    pub(crate) space: Arc<AddressSpace>,
    irq: Arc<Level>,
    pub(crate) legacy: bool,
    pub(crate) accepted: u64,
    /// Of each queue: entries, the next free descriptor, what was made available, what was seen used.
    queues: Vec<(u16, u16, u16, u16)>,
}

#[derive(Default)]
struct Level(AtomicBool);

impl Sink for Level {
    fn set(&self, _: u32, level: bool) {
        self.0.store(level, Ordering::SeqCst);
    }
}

impl Driver {
    /// A slot with a card of type `class` that has these properties, wired to `ends`; nobody drives it yet.
    pub(crate) fn new(legacy: bool, class: &str, properties: &[(&str, Given)], ends: Wiring) -> Self {
        let mut device = VirtioMmio::with_legacy(legacy);
        if !class.is_empty() {
            let registry = Registry::linked().unwrap();
            let new = NewCard { registry: &registry, globals: &Globals::new(), class };
            device.plug(&new).unwrap();
            for (name, value) in properties {
                device.cards_mut()[0].give(name, value).unwrap();
            }
        }
        Self::around(device, ends)
    }

    pub(crate) fn around(device: VirtioMmio, ends: Wiring) -> Self {
        let mut map = AddressSpace::build();
        map.ram("ram", RAM, 0x80_0000).unwrap();
        map.rom("rom", 0x1000, 0x1000).unwrap();
        let space = map.finish().unwrap();
        let legacy = device.version() == 1;
        let device = Locked::new(Box::new(device));
        let irq = Arc::new(Level::default());
        let lines = vec![Line::new(irq.clone(), 0)];
        device
            .wire(Wiring { memory: Dma::new(&space), lines, cards: vec![ends], ..Wiring::default() })
            .unwrap();
        Driver { device, space, irq, legacy, accepted: 0, queues: vec![] }
    }

    pub(crate) fn read(&self, offset: u64) -> u32 {
        self.device.with(|device| device.read(offset, 4)).unwrap() as u32
    }

    pub(crate) fn write(&self, offset: u64, value: u32) {
        self.device.with(|device| device.write(offset, 4, value.into())).unwrap();
    }

    pub(crate) fn offered(&self) -> u64 {
        let word = |word| {
            self.write(0x14, word);
            u64::from(self.read(0x10))
        };
        word(0) | word(1) << 32
    }

    /// Agrees on `features`, as far as they are offered, and sets up `queues` of `entries` each.
    pub(crate) fn start(&mut self, features: u64, queues: u32, entries: u16) {
        self.write(0x70, 0);
        self.write(0x70, 1);
        self.write(0x70, 3);
        self.accepted = self.offered() & features;
        self.write(0x24, 0);
        self.write(0x20, self.accepted as u32);
        if self.legacy {
            self.write(0x28, 4096);
        } else {
            self.write(0x24, 1);
            self.write(0x20, (self.accepted >> 32) as u32);
            self.write(0x70, 0xb);
            assert_eq!(self.read(0x70), 0xb, "features are accepted");
        }
        self.queues.clear();
        for queue in 0..queues {
            self.write(0x30, queue);
            assert!(self.read(0x34) >= entries.into());
            self.write(0x38, entries.into());
            self.queues.push((entries, 0, 0, 0));
            let [desc, avail, used] = self.rings(queue);
            for at in (desc..used + 0x1000).step_by(8) {
                self.space.store(at, 8, 0).unwrap();
            }
            if self.legacy {
                self.write(0x3c, 4096);
                self.write(0x40, (desc >> 12) as u32);
                continue;
            }
            for (register, at) in [(0x80, desc), (0x90, avail), (0xa0, used)] {
                self.write(register, at as u32);
                self.write(register + 4, (at >> 32) as u32);
            }
            self.write(0x44, 1);
        }
        self.write(0x70, if self.legacy { 7 } else { 0xf });
    }

    /// Descriptors, available ring and used ring of a queue, where legacy has them.
    pub(crate) fn rings(&self, queue: u32) -> [u64; 3] {
        let desc = RINGS + 0x1_0000 * u64::from(queue);
        let entries = u64::from(self.queues[queue as usize].0);
        let avail = desc + 16 * entries;
        [desc, avail, (avail + 6 + 2 * entries).next_multiple_of(4096)]
    }

    pub(crate) fn put(&self, at: u64, bytes: &[u8]) {
        self.space.write_bytes(at, bytes).unwrap();
    }

    pub(crate) fn get(&self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.space.read_bytes(at, &mut bytes).unwrap();
        bytes
    }

    fn describe(&self, table: u64, at: u16, part: Part, next: Option<u16>, more: u64) {
        let flags = u64::from(next.is_some()) | u64::from(part.2) << 1 | more;
        let entry = table + 16 * u64::from(at);
        self.space.store(entry, 8, part.0).unwrap();
        let word = u64::from(next.unwrap_or(0)) << 48 | flags << 32 | u64::from(part.1);
        self.space.store(entry + 8, 8, word).unwrap();
    }

    /// Makes a request of `parts` available; gives its head.
    pub(crate) fn add(&mut self, queue: u32, parts: &[Part]) -> u16 {
        let [desc, ..] = self.rings(queue);
        let (entries, head, ..) = self.queues[queue as usize];
        for (at, part) in parts.iter().enumerate() {
            let here = (head + at as u16) % entries;
            let next = (at + 1 < parts.len()).then_some((here + 1) % entries);
            self.describe(desc, here, *part, next, 0);
        }
        self.queues[queue as usize].1 = (head + parts.len() as u16) % entries;
        self.offer(queue, head);
        head
    }

    /// The same with a table of its own for the descriptors.
    pub(crate) fn add_indirect(&mut self, queue: u32, parts: &[Part]) -> u16 {
        for (at, part) in parts.iter().enumerate() {
            let next = (at + 1 < parts.len()).then_some(at as u16 + 1);
            self.describe(INDIRECT, at as u16, *part, next, 0);
        }
        let [desc, ..] = self.rings(queue);
        let (entries, head, ..) = self.queues[queue as usize];
        self.describe(desc, head, (INDIRECT, 16 * parts.len() as u32, false), None, 4);
        self.queues[queue as usize].1 = (head + 1) % entries;
        self.offer(queue, head);
        head
    }

    pub(crate) fn offer(&mut self, queue: u32, head: u16) {
        let [_, avail, _] = self.rings(queue);
        let (entries, _, made, _) = &mut self.queues[queue as usize];
        self.space.store(avail + 4 + 2 * u64::from(*made % *entries), 2, head.into()).unwrap();
        *made = made.wrapping_add(1);
        self.space.store(avail + 2, 2, (*made).into()).unwrap();
    }

    pub(crate) fn kick(&self, queue: u32) {
        self.write(0x50, queue);
    }

    /// Head and length of the next request that the device gave back.
    pub(crate) fn used(&mut self, queue: u32) -> Option<(u16, u32)> {
        let [_, _, used] = self.rings(queue);
        let (entries, _, _, seen) = &mut self.queues[queue as usize];
        let index = self.space.load(used + 2, 2).unwrap() as u16;
        if index == *seen {
            return None;
        }
        let entry = used + 4 + 8 * u64::from(*seen % *entries);
        *seen = seen.wrapping_add(1);
        Some((self.space.load(entry, 4).unwrap() as u16, self.space.load(entry + 4, 4).unwrap() as u32))
    }

    /// Adds, notifies, and expects the request back at once; gives the length.
    pub(crate) fn now(&mut self, queue: u32, parts: &[Part]) -> u32 {
        let head = self.add(queue, parts);
        self.kick(queue);
        let (back, len) = self.used(queue).expect("the device gives the request back");
        assert_eq!(back, head);
        len
    }

    pub(crate) fn interrupted(&self) -> bool {
        self.irq.0.load(Ordering::SeqCst)
    }

    /// Why it interrupts, seen to.
    pub(crate) fn acknowledge(&self) -> u32 {
        let why = self.read(0x60);
        self.write(0x64, why);
        assert!(!self.interrupted());
        why
    }
}
