//! Any accesses to every type of device that is linked in; a new type is found on the day it is.

use crate::{bytes::Bytes, stage::registry};
use hartwright_board as _;
use hartwright_device::{CharPort, Clock, Device, Dma, Locked, Mtime, Wiring, any_access};
use hartwright_mem::AddressSpace;
use hartwright_objects::{Given, Globals, Kind};
use std::sync::Arc;

/// Bytes of the RAM that a device with DMA reaches, from address 0.
const RAM: u64 = 1 << 16;

/// Every device type by itself, on the same bytes: what is set of its properties, what is typed, what is in memory,
/// and then accesses, between which time passes.
pub(crate) fn run(data: &[u8]) {
    for class in registry().classes().filter(|class| !class.is_abstract()) {
        let mut bytes = Bytes(data);
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
    let mut map = AddressSpace::build();
    let space = map.ram("ram", 0, RAM).and_then(|()| map.finish());
    let space = space.unwrap_or_else(|why| panic!("64 KiB of RAM: {why}"));
    let (clock, port) = (Clock::by_hand(), CharPort::default());
    port.connect(Arc::new(|| ()));
    let device = Locked::new(device);
    let wiring = Wiring {
        name: "device".into(),
        mtime: Mtime::new(clock.clone(), 10_000_000),
        clock: clock.clone(),
        memory: Dma::new(&space),
        chardev: port.clone(),
        ..Wiring::default()
    };
    // A type may refuse its properties.
    if device.wire(wiring).is_err() {
        return;
    }
    let filled = space.write_bytes(0, bytes.0);
    filled.unwrap_or_else(|why| panic!("an input fits RAM: {why:?}"));
    while !bytes.is_empty() {
        match bytes.byte() {
            0..16 => clock.advance(bytes.number(3)),
            16..32 => drop(port.feed(bytes.take(4))),
            32..40 => port.feed_break(),
            40..48 => port.consume_output(usize::MAX),
            many => device.with(|device| any_access(device, bytes.take(many.into()))),
        }
    }
}
