//! Virtio over MMIO: the registers by which a driver finds a card, agrees with it, and shows it its rings.

use crate::{
    Io, VirtioCard, card,
    io::{DRIVER_OK, FEATURES_OK, Link, NEEDS_RESET},
    ring::{MOST, Ring},
};
use hartwright_device::{
    Bus, BusError, Card, Device, Dma, Error, Line, NewCard, OWN, Output, Saved, Wiring, log, registers, regs,
};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use virtio_queue::Queue;

// Virtio 1.2, 4.2.2, and for legacy drivers 4.2.4.
registers! { VirtioMmio size 0x200, widths [4, 8] else ignore:
    /// The letters "virt".
    0x000 magic_value: u32 { MAGIC[31:0] RO } get magic;
    /// Which register interface this is.
    0x004 version: u32 { VERSION[31:0] RO { legacy = 1, modern = 2 } } get version;
    /// What kind of device is plugged in; 0 is none.
    0x008 device_id: u32 { ID[31:0] RO } get device_id;
    /// Who made it: the letters "QEMU", which drivers expect.
    0x00c vendor_id: u32 { ID[31:0] RO } get vendor_id;
    /// 32 of the features that the device offers.
    0x010 device_features: u32 { FEATURES[31:0] RO } get device_features;
    /// Which 32 of them.
    0x014 device_features_sel: u32 { WORD[31:0] WO };
    /// 32 of the features that the driver accepts.
    0x020 driver_features: u32 { FEATURES[31:0] WO } set set_driver_features;
    /// Which 32 of them.
    0x024 driver_features_sel: u32 { WORD[31:0] WO };
    /// Legacy: bytes of the pages that QueuePFN counts; a power of two.
    0x028 guest_page_size: u32 if legacy { BYTES[31:0] WO };
    /// The queue that the queue registers are about.
    0x030 queue_sel: u32 { QUEUE[31:0] WO };
    /// The most entries that its ring may have; 0: there is no such queue.
    0x034 queue_num_max: u32 { ENTRIES[31:0] RO } get queue_num_max;
    /// The entries that its ring has.
    0x038 queue_num: u32 { ENTRIES[31:0] WO } set set_queue_num;
    /// Legacy: what the used ring is aligned to, in bytes.
    0x03c queue_align: u32 if legacy { BYTES[31:0] WO } set set_queue_align;
    /// Legacy: the page where its rings begin; 0: it is not used.
    0x040 queue_pfn: u32 if legacy { PAGE[31:0] } get queue_pfn set set_queue_pfn;
    /// Whether the driver gave the queue over.
    0x044 queue_ready: u32 if modern { READY[31:0] } get queue_ready set set_queue_ready;
    /// There is something in the queue of this number.
    0x050 queue_notify: u32 { QUEUE[31:0] WO } set notify;
    /// Why there is an interrupt.
    0x060 interrupt_status: u32 {
        /// A ring has used buffers.
        USED[0] RO,
        /// The configuration changed.
        CONFIG[1] RO,
    } get interrupts;
    /// The reasons that were seen to.
    0x064 interrupt_ack: u32 { USED[0] WO, CONFIG[1] WO } set acknowledge;
    /// How far driver and device have come; writing 0 resets the device.
    0x070 status: u32 {
        /// The driver saw the device.
        ACKNOWLEDGE[0],
        /// The driver can drive it.
        DRIVER[1],
        /// The driver is ready.
        DRIVER_OK[2],
        /// Driver and device agree on features.
        FEATURES_OK[3],
        /// Bits without a meaning.
        OTHER[5:4],
        /// The device cannot go on.
        DEVICE_NEEDS_RESET[6],
        /// The driver gave up.
        FAILED[7],
    } get status set set_status;
    /// Where the descriptor table is, low half.
    0x080 queue_desc_low: u32 if modern { ADDRESS[31:0] WO } set set_desc_low;
    /// Where the descriptor table is, high half.
    0x084 queue_desc_high: u32 if modern { ADDRESS[31:0] WO } set set_desc_high;
    /// Where the available ring is, low half.
    0x090 queue_driver_low: u32 if modern { ADDRESS[31:0] WO } set set_driver_low;
    /// Where the available ring is, high half.
    0x094 queue_driver_high: u32 if modern { ADDRESS[31:0] WO } set set_driver_high;
    /// Where the used ring is, low half.
    0x0a0 queue_device_low: u32 if modern { ADDRESS[31:0] WO } set set_device_low;
    /// Where the used ring is, high half.
    0x0a4 queue_device_high: u32 if modern { ADDRESS[31:0] WO } set set_device_high;
    /// The shared memory region that the next four registers are about.
    0x0ac shm_sel: u32 if modern { REGION[31:0] WO };
    /// Bytes of it, low half: all ones, there is none.
    0x0b0 shm_len_low: u32 { BYTES[31:0] RO } get no_region;
    /// Bytes of it, high half.
    0x0b4 shm_len_high: u32 { BYTES[31:0] RO } get no_region;
    /// Where it is, low half.
    0x0b8 shm_base_low: u32 if modern { ADDRESS[31:0] RO } get no_region;
    /// Where it is, high half.
    0x0bc shm_base_high: u32 if modern { ADDRESS[31:0] RO } get no_region;
    /// Writing 1 resets the queue; it is done at once.
    0x0c0 queue_reset: u32 if modern { RESET[31:0] } get never set reset_queue;
    /// How often the configuration changed by itself.
    0x0fc config_generation: u32 if modern { GENERATION[31:0] RO } get generation;
    /// The device's configuration, in its own layout: here any width is legal.
    0x100 config[256; 1]: u8 { BYTE[7:0] } get config_byte set set_config_byte;
}

const CONFIG: u64 = 0x100;

/// A slot for a virtio device, with its registers.
#[derive(Object)]
#[object(
    name = "virtio-mmio",
    parent = "sys-bus-device",
    family = dyn Device,
    category = Misc,
    bus = "System"
)]
pub struct VirtioMmio {
    // Configuration.
    /// Whether drivers meet the register interface of before virtio 1.0.
    #[property(name = "force-legacy", default = true)]
    force_legacy: bool,
    /// Whether the device's path tells its address; it always does.
    #[property(name = "format_transport_address", default = true)]
    format_transport_address: bool,
    /// Whether notifications may be handled apart from the hart that sends them; here they are not.
    #[property(name = "ioeventfd", default = true)]
    ioeventfd: bool,

    // Wiring.
    irq: Line,
    memory: Dma,
    card: Option<Box<dyn VirtioCard>>,
    live: Vec<Option<Queue>>,

    // State.
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    regs: Regs,
    link: Link,
    /// The features that the driver wrote, until it says FEATURES_OK.
    wanted: u64,
}

/// All that is saved.
#[derive(Default, Serialize, Deserialize)]
struct Whole {
    state: State,
    /// The card's part.
    card: Option<String>,
}

impl VirtioMmio {
    /// An empty slot with the legacy register interface, or the modern one.
    pub fn with_legacy(legacy: bool) -> Self {
        VirtioMmio { force_legacy: legacy, ..VirtioMmio::default() }
    }

    fn legacy(&self) -> bool {
        self.force_legacy
    }

    fn modern(&self) -> bool {
        !self.force_legacy
    }

    fn magic(&self) -> u32 {
        u32::from_le_bytes(*b"virt")
    }

    pub(crate) fn version(&self) -> u32 {
        if self.force_legacy { 1 } else { 2 }
    }

    fn device_id(&self) -> u32 {
        self.card.as_ref().map_or(0, |card| card.id())
    }

    fn vendor_id(&self) -> u32 {
        u32::from_le_bytes(*b"QEMU")
    }

    fn offered(&self) -> u64 {
        self.card.as_ref().map_or(0, |card| card::offered(&**card, self.force_legacy))
    }

    fn device_features(&self) -> u32 {
        match self.state.regs.device_features_sel {
            0 => self.offered() as u32,
            // Legacy devices have 32 features; the second word stands for all above, as in QEMU.
            _ if self.force_legacy => 0,
            _ => (self.offered() >> 32) as u32,
        }
    }

    fn set_driver_features(&mut self, value: u32) {
        let (low, high) = (self.state.wanted & 0xffff_ffff, self.state.wanted >> 32 << 32);
        let second = self.state.regs.driver_features_sel != 0;
        if self.force_legacy {
            if second {
                return self.guest_error(0x20, "legacy drivers have 32 features");
            }
            self.state.wanted = value.into();
            self.state.link.accepted = u64::from(value) & self.offered();
            self.live.clear();
        } else if self.state.link.status & FEATURES_OK != 0 {
            self.guest_error(0x20, "features change after FEATURES_OK");
        } else {
            self.state.wanted = if second { low | u64::from(value) << 32 } else { high | u64::from(value) };
        }
    }

    /// The ring that the queue registers are about; what changes it makes it be looked at anew.
    fn ring(&mut self) -> Option<&mut Ring> {
        let at = self.state.regs.queue_sel as usize;
        if let Some(live) = self.live.get_mut(at) {
            *live = None;
        }
        self.state.link.rings.get_mut(at)
    }

    fn selected(&self) -> Option<&Ring> {
        self.state.link.rings.get(self.state.regs.queue_sel as usize)
    }

    fn queue_num_max(&self) -> u32 {
        self.selected().map_or(0, |_| MOST.into())
    }

    /// Changes the selected ring by `change`, if the driver may do that now.
    fn set_up(&mut self, offset: u64, change: impl FnOnce(&mut Ring)) {
        let modern = self.modern();
        match self.ring() {
            Some(ring) if modern && ring.ready => {
                self.guest_error(offset, "a queue changes while it is ready");
            }
            Some(ring) => change(ring),
            None => self.guest_error(offset, "there is no such queue"),
        }
    }

    fn set_queue_num(&mut self, value: u32) {
        let legacy = self.force_legacy;
        self.set_up(0x38, |ring| {
            ring.num = value;
            if legacy && ring.ready {
                ring.lay_out(ring.desc);
            }
        });
    }

    fn set_queue_align(&mut self, value: u32) {
        self.set_up(0x3c, |ring| {
            ring.align = value;
            if ring.ready {
                ring.lay_out(ring.desc);
            }
        });
    }

    fn page_shift(&self) -> u32 {
        // No page size, no shift, as in QEMU.
        self.state.regs.guest_page_size.trailing_zeros() % 32
    }

    fn queue_pfn(&self) -> u32 {
        self.selected().map_or(0, |ring| (ring.desc >> self.page_shift()) as u32)
    }

    fn set_queue_pfn(&mut self, value: u32) {
        let (at, shift) = (self.state.regs.queue_sel, self.page_shift());
        if value == 0 {
            return self.forget_queue(at as usize);
        }
        self.set_up(0x40, |ring| {
            ring.lay_out(u64::from(value) << shift);
            ring.ready = true;
        });
    }

    fn queue_ready(&self) -> u32 {
        self.selected().is_some_and(|ring| ring.ready).into()
    }

    fn set_queue_ready(&mut self, value: u32) {
        match self.ring() {
            Some(ring) => ring.ready = value & 1 != 0,
            None => self.guest_error(0x44, "there is no such queue"),
        }
    }

    fn set_desc_low(&mut self, value: u32) {
        self.set_up(0x80, |ring| ring.desc = low(ring.desc, value));
    }

    fn set_desc_high(&mut self, value: u32) {
        self.set_up(0x84, |ring| ring.desc = high(ring.desc, value));
    }

    fn set_driver_low(&mut self, value: u32) {
        self.set_up(0x90, |ring| ring.avail = low(ring.avail, value));
    }

    fn set_driver_high(&mut self, value: u32) {
        self.set_up(0x94, |ring| ring.avail = high(ring.avail, value));
    }

    fn set_device_low(&mut self, value: u32) {
        self.set_up(0xa0, |ring| ring.used = low(ring.used, value));
    }

    fn set_device_high(&mut self, value: u32) {
        self.set_up(0xa4, |ring| ring.used = high(ring.used, value));
    }

    fn never(&self) -> u32 {
        0
    }

    fn reset_queue(&mut self, value: u32) {
        let at = self.state.regs.queue_sel as usize;
        if value & 1 != 0 && self.state.link.accepted & crate::features::RING_RESET != 0 {
            self.forget_queue(at);
        } else {
            self.guest_error(0xc0, "queues cannot be reset alone, as was agreed");
        }
    }

    fn forget_queue(&mut self, at: usize) {
        let Some(ring) = self.ring() else { return };
        *ring = Ring::default();
        if let Some(card) = &mut self.card {
            card.drop_queue(at);
        }
    }

    fn notify(&mut self, value: u32) {
        let queue = value as usize;
        let ready = self.state.link.rings.get(queue).is_some_and(|ring| ring.ready);
        if !ready {
            self.guest_error(0x50, "notification of a queue that is not ready");
        } else if self.modern() && self.state.link.status & DRIVER_OK == 0 {
            self.guest_error(0x50, "notification before DRIVER_OK");
        } else {
            self.lend(|card, io| card.notify(queue, io));
        }
    }

    fn interrupts(&self) -> u32 {
        self.state.link.interrupts
    }

    fn acknowledge(&mut self, value: u32) {
        self.state.link.interrupts &= !value;
        self.sync();
    }

    fn status(&self) -> u32 {
        self.state.link.status
    }

    /// Virtio 1.2, 3.1.1.
    fn set_status(&mut self, value: u32) {
        let (old, mut new) = (self.state.link.status, value & 0xff);
        if self.card.is_none() {
            return;
        }
        if new == 0 {
            return self.start_over();
        }
        if self.state.link.broken && self.modern() {
            new |= NEEDS_RESET;
        }
        if self.modern() && new & !old & FEATURES_OK != 0 {
            if self.state.wanted & !self.offered() == 0 {
                self.state.link.accepted = self.state.wanted;
                self.live.clear();
            } else {
                self.guest_error(0x70, "features accepted that were not offered");
                new &= !FEATURES_OK;
            }
        }
        self.state.link.status = new;
        if new & !old & DRIVER_OK != 0 {
            self.lend(VirtioCard::started);
        }
        self.sync();
    }

    fn no_region(&self) -> u32 {
        if self.card.is_some() { u32::MAX } else { 0 }
    }

    fn generation(&self) -> u32 {
        self.state.link.generation
    }

    fn config_byte(&self, at: usize) -> u8 {
        self.read_config(at as u64, 1) as u8
    }

    fn set_config_byte(&mut self, at: usize, value: u8) {
        self.write_config(at as u64, 1, value.into());
    }

    /// `size` bytes of the configuration; ones where there is none.
    fn read_config(&self, at: u64, size: u8) -> u64 {
        if size == 8 {
            return self.read_config(at, 4) | self.read_config(at + 4, 4) << 32;
        }
        let Some(card) = &self.card else { return 0 };
        let (config, from) = (card.config(), at as usize);
        match config.get(from..from + usize::from(size)) {
            Some(bytes) => bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)),
            None => u64::MAX >> (64 - 8 * u32::from(size)),
        }
    }

    fn write_config(&mut self, at: u64, size: u8, value: u64) {
        if size == 8 {
            self.write_config(at, 4, value);
            return self.write_config(at + 4, 4, value >> 32);
        }
        let (from, size) = (at as usize, usize::from(size));
        let length = self.card.as_ref().map_or(0, |card| card.config().len());
        if from + size > length {
            return self.guest_error(CONFIG + at, "write beyond the configuration");
        }
        let bytes = value.to_le_bytes();
        self.lend(|card, io| card.configure(from, &bytes[..size], io));
    }

    /// Lends the card its rings.
    fn lend(&mut self, f: impl FnOnce(&mut dyn VirtioCard, &mut Io<'_>)) {
        let Some(card) = &mut self.card else { return };
        let class = card.class().name;
        let mut io = Io::new(&mut self.state.link, &mut self.live, &self.memory, class, self.force_legacy);
        f(&mut **card, &mut io);
        io.finish();
        self.sync();
    }

    /// What a driver's reset does: the selections of features stay.
    fn start_over(&mut self) {
        let queues = self.card.as_ref().map_or(0, |card| card.queues());
        self.state.link = Link { rings: vec![Ring::default(); queues], ..Link::default() };
        self.state.wanted = 0;
        self.state.regs.queue_sel = 0;
        self.live.clear();
        if let Some(card) = &mut self.card {
            card.reset();
        }
        self.sync();
    }

    fn sync(&mut self) {
        self.irq.set(self.state.link.interrupts != 0);
    }

    fn guest_error(&self, offset: u64, what: &'static str) {
        log::guest_error(self.class().name, offset, what, format_args!(""));
    }
}

fn low(address: u64, half: u32) -> u64 {
    address >> 32 << 32 | u64::from(half)
}

fn high(address: u64, half: u32) -> u64 {
    address & 0xffff_ffff | u64::from(half) << 32
}

impl Device for VirtioMmio {
    fn realize(&mut self, mut wiring: Wiring) -> Result<(), Error> {
        self.irq = wiring.line(0);
        self.memory = wiring.memory.clone();
        if let Some(card) = &mut self.card {
            card.check()?;
            let cards = wiring.take_cards().into_iter().next();
            card.wire(cards.unwrap_or_else(|| Wiring {
                memory: wiring.memory.clone(),
                me: wiring.me.clone(),
                clock: wiring.clock.clone(),
                ..Wiring::default()
            }));
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::default();
        self.start_over();
    }

    fn read(&mut self, offset: u64, size: u8) -> Result<u64, BusError> {
        match offset.checked_sub(CONFIG) {
            Some(at) if at < 0x100 && offset.is_multiple_of(size.into()) => Ok(self.read_config(at, size)),
            _ => regs::read(self, offset, size),
        }
    }

    fn write(&mut self, offset: u64, size: u8, value: u64) -> Result<(), BusError> {
        match offset.checked_sub(CONFIG) {
            Some(at) if at < 0x100 && offset.is_multiple_of(size.into()) => {
                self.write_config(at, size, value);
                Ok(())
            }
            _ => regs::write(self, offset, size, value),
        }
    }

    fn input(&mut self, pin: u32, level: bool) {
        if pin >= OWN {
            self.lend(|card, io| card.input(pin, level, io));
        }
    }

    fn given(&mut self) {
        self.lend(VirtioCard::given);
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(self)
    }

    fn restored(&mut self) {
        self.live.clear();
        self.lend(VirtioCard::restored);
        self.sync();
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::interrupt("irq")]
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["virtio,mmio"]
    }

    fn node(&self) -> &'static str {
        "virtio_mmio"
    }

    fn bus(&self) -> Option<Bus> {
        Some(Bus { kind: "virtio-bus", name: "virtio-mmio-bus", room: self.card.is_none() })
    }

    fn plug(&mut self, new: &NewCard<'_>) -> Result<(), Error> {
        self.card = Some(new.make::<dyn VirtioCard>()?);
        Ok(())
    }

    fn cards(&self) -> Vec<&dyn Card> {
        self.card.iter().map(|card| &**card as &dyn Card).collect()
    }

    fn cards_mut(&mut self) -> Vec<&mut dyn Card> {
        self.card.iter_mut().map(|card| &mut **card as &mut dyn Card).collect()
    }
}

impl Saved for VirtioMmio {
    fn save(&self) -> Result<String, String> {
        let card = self.card.as_ref().map(|card| card.save()).transpose()?;
        Whole { state: self.state.clone(), card }.save()
    }

    fn restore(&mut self, saved: &str) -> Result<(), String> {
        let mut whole = Whole::default();
        whole.restore(saved)?;
        let queues = self.card.as_ref().map_or(0, |card| card.queues());
        let there = whole.state.link.rings.len();
        if there != queues {
            return Err(format!("a saved state with {there} queues, of a device that has {queues}"));
        }
        match (&mut self.card, &whole.card) {
            (Some(card), Some(saved)) => card.restore(saved)?,
            (None, None) => {}
            (Some(card), None) => {
                return Err(format!("a saved state of an empty slot, and {} is in it", card.class().name));
            }
            (None, Some(_)) => return Err("a saved state of a device, and the slot is empty".into()),
        }
        self.state = whole.state;
        Ok(())
    }
}
