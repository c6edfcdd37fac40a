//! Any accesses to every type of device that is linked in; a new type is found on the day it is.

use crate::{bytes::Bytes, stage::registry};
use hartwright_board as _;
use hartwright_device::{
    Array, BlockInfo, BlockOp, BlockPort, CharPort, Clock, Device, Dma, Locked, Mtime, Wiring, any_access,
};
use hartwright_mem::AddressSpace;
use hartwright_objects::{Class, Given, Globals, Kind};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of the RAM that a device with DMA reaches, from address 0; of a flash chip, which is at [`FLASH`]; of a disk.
const SIZE: u64 = 1 << 16;
const FLASH: u64 = 1 << 32;
/// Types are driven in so many groups, so that an input is for a few of them and stays so when there are more.
const GROUPS: u64 = 8;
/// A first byte from here on is for all types.
const ALL: u8 = 0xf0;

/// Device types by themselves, each on the same bytes: what is set of its properties, and then accesses, between which
/// time passes, something is typed, and memory changes. The first byte says which types.
pub(crate) fn run(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let chosen = |class: &&Class| first >= ALL || u64::from(first) % GROUPS == group(class);
    for class in registry().classes().filter(|class| !class.is_abstract()).filter(chosen) {
        let mut bytes = Bytes(rest);
        let mut given: Vec<(&str, Given)> = vec![];
        for _ in 0..bytes.byte() % 4 {
            let properties = (class.properties)();
            let property = properties.get(usize::from(bytes.byte()) % properties.len().max(1));
            given.extend(property.map(|property| (property.name, value(property.kind, &mut bytes))));
        }
        let pairs = given.iter().map(|(name, value)| (*name, value));
        if let Ok(device) = registry().create::<dyn Device>(class.name, &Globals::new(), pairs) {
            drive(device, &mut bytes);
        }
    }
}

/// The group of a type, by its name alone.
fn group(class: &Class) -> u64 {
    class.name.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % GROUPS
}

/// A value that a property of this kind may have.
fn value(kind: Kind, bytes: &mut Bytes<'_>) -> Given {
    match kind {
        Kind::Bool => (bytes.byte() & 1 != 0).into(),
        Kind::Str | Kind::StrList => String::from_utf8_lossy(bytes.take(4)).as_ref().into(),
        Kind::Enum(words) => words[usize::from(bytes.byte()) % words.len().max(1)].into(),
        _ => bytes.value(0).into(),
    }
}

fn drive(device: Box<dyn Device>, bytes: &mut Bytes<'_>) {
    let flash = device.array().then(|| device.size());
    let (clock, port) = (Clock::by_hand(), CharPort::default());
    port.connect(Arc::new(|| ()));
    let device = Locked::new(device);
    let mut map = AddressSpace::build();
    let mut mapped = map.ram("ram", 0, SIZE);
    // A chip so large would test the host.
    if let Some(size) = flash.filter(|size| (1..=SIZE).contains(size)) {
        mapped = mapped.and_then(|()| map.flash("flash", FLASH, size, device.clone()));
    }
    // The chip may have no whole pages.
    let Ok(space) = mapped.and_then(|()| map.finish()) else { return };
    let disk = Disk::new();
    let wiring = Wiring {
        name: "device".into(),
        mtime: Mtime::new(clock.clone(), 10_000_000),
        clock: clock.clone(),
        memory: Dma::new(&space),
        array: Array::new(&space, FLASH),
        chardev: port.clone(),
        block: disk.0.clone(),
        ..Wiring::default()
    };
    // A type may refuse its properties.
    if device.wire(wiring).is_err() {
        return;
    }
    while !bytes.is_empty() {
        match bytes.byte() {
            0..16 => clock.advance(bytes.number(3)),
            16..32 => drop(port.feed(bytes.take(4))),
            32..36 => port.feed_break(),
            36..40 => port.consume_output(usize::MAX),
            // Beyond its end there is no memory.
            40..48 => drop(space.write_ram(bytes.number(2), bytes.take(16))),
            many => device.with(|device| any_access(device, bytes.take(many.into()))),
        }
    }
}

/// A disk in memory, which has done what it is asked when it was asked.
struct Disk(BlockPort);

impl Drop for Disk {
    fn drop(&mut self) {
        // What serves it holds it, and is held by it.
        self.0.disconnect();
    }
}

impl Disk {
    fn new() -> Self {
        let port = BlockPort::default();
        let info = BlockInfo {
            bytes: SIZE,
            read_only: false,
            logical_block_size: 512,
            physical_block_size: 512,
            write_cache: true,
            discard: true,
            serial: "fuzz".into(),
        };
        let (content, end) = (Mutex::new(vec![0; SIZE as usize]), port.clone());
        let serve = move || {
            while let Some(request) = end.take_request() {
                let (offset, len) = request.op.range();
                let mut content = content.lock().unwrap_or_else(PoisonError::into_inner);
                let place = &mut content[offset as usize..][..len as usize];
                let mut read = vec![];
                match request.op {
                    BlockOp::Read { .. } => read.extend_from_slice(place),
                    BlockOp::Write { data, .. } => place.copy_from_slice(&data),
                    BlockOp::WriteZeroes { .. } => place.fill(0),
                    _ => {}
                }
                drop(content);
                end.reply(request.tag, Ok(read));
            }
        };
        port.connect(info, Arc::new(serve));
        Disk(port)
    }
}
