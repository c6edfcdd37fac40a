//! Tables with rules of their own: registers that a read clears, the most significant byte first, any alignment.
#![forbid(unsafe_code)]

use hartwright_device::{
    Access, BusError, Device, Dma, Error, Line, Locked, Mmio, Registers, Saved, Wiring, any_access, conforms,
    trace,
};
use hartwright_mem::AddressSpace;
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};

/// A device whose manual counts bits from the other end.
#[derive(Object)]
#[object(name = "test.big", parent = "sys-bus-device", family = dyn Device)]
struct Big {
    memory: Dma,
    state: State,
    syncs: u32,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    regs: Regs,
}

hartwright_device::registers! { Big size 0x20, widths [1, 2, 4, 8] else fault, big, unaligned:
    0x00 word: u32 { ALL[31:0] } = 0x0102_0304;
    0x04 next: u32 { ALL[31:0] } = 0x0506_0708;
    /// What happened since it was last read.
    0x08 seen: u16 {
        /// How much.
        LOW[1:0] RC { nothing = 0, much = 3 },
        HIGH[8] RC,
        KEPT[9] RO,
    } then sync;
    0x0a array[3; 2]: u8 { X[7:0] RC };
    0x10 wide: u64 { ALL[63:0] } = 0x1112_1314_1516_1718;
}

impl Big {
    fn sync(&mut self) {
        self.syncs += 1;
    }
}

impl Device for Big {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        self.memory = wiring.memory;
        Ok(())
    }
    fn reset(&mut self) {
        self.state = State::default();
    }
    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }
    fn compatible(&self) -> &'static [&'static str] {
        &["test,big"]
    }
}

#[test]
fn it_conforms_whatever_its_order() {
    conforms(&mut Big::default()).unwrap();
}

#[test]
fn a_big_register_begins_with_its_most_significant_byte() {
    let mut d = Big::default();
    let read = |d: &mut Big, offset, size| Device::read(d, offset, size).unwrap();
    // The guest is little-endian: the byte at the lowest address is the lowest of what it loads.
    assert_eq!(read(&mut d, 0, 4), 0x0403_0201);
    assert_eq!((read(&mut d, 0, 1), read(&mut d, 3, 1)), (1, 4));
    assert_eq!(read(&mut d, 0, 8), 0x0807_0605_0403_0201);
    assert_eq!(read(&mut d, 0x10, 8), 0x1817_1615_1413_1211);
    d.write(0, 4, 0xddcc_bbaa).unwrap();
    assert_eq!(d.state.regs.word, 0xaabb_ccdd);
    d.write(2, 2, 0x2211).unwrap();
    assert_eq!(d.state.regs.word, 0xaabb_1122);
}

#[test]
fn where_alignment_is_free_an_access_reaches_over_the_end_of_a_register() {
    let mut d = Big::default();
    assert_eq!(Device::read(&mut d, 2, 4), Ok(0x0605_0403));
    d.write(3, 2, 0x2211).unwrap();
    assert_eq!((d.state.regs.word, d.state.regs.next), (0x0102_0311, 0x2206_0708));
    assert_eq!(Device::read(&mut d, 1, 3), Err(BusError::Refused), "three bytes are no width");
    assert_eq!(Device::read(&mut d, u64::MAX, 8), Ok(0x0706_2211_0302_0100), "at the end of the world");
}

#[test]
fn a_read_clears_what_it_shows_and_no_other_lane() {
    let mut d = Big::default();
    d.state.regs.seen = 0x0303;
    assert_eq!(Device::read(&mut d, 9, 1), Ok(3));
    assert_eq!((d.state.regs.seen, d.syncs), (0x0300, 1), "the low byte is gone, and it was told");
    assert_eq!(Device::read(&mut d, 8, 2), Ok(0x0003));
    assert_eq!((d.state.regs.seen, d.syncs), (0x0200, 2), "what is read-only stays");
    assert_eq!(Device::read(&mut d, 8, 2), Ok(0x0002));
    assert_eq!(d.syncs, 2, "nothing was cleared");
    d.state.regs.array[2] = 7;
    assert_eq!((Device::read(&mut d, 0xe, 1), Device::read(&mut d, 0xe, 1)), (Ok(7), Ok(0)));
    d.state.regs.seen = 0x0303;
    d.write(8, 2, 0).unwrap();
    assert_eq!(d.state.regs.seen, 0x0303, "writes change nothing");
}

#[test]
fn the_table_keeps_what_was_said_in_it() {
    let table = Big::default().table();
    let (seen, low) = (&table.rows[2], table.rows[2].fields[0].1);
    assert_eq!(seen.doc.trim(), "What happened since it was last read.");
    assert_eq!((low.doc().trim(), low.names()), ("How much.", &[("nothing", 0), ("much", 3)][..]));
    assert_eq!((low.access(), seen.read_clears, seen.writable), (Access::RC, 0x103, 0));
}

#[test]
fn any_bytes_are_accesses() {
    let mut d = Big::default();
    for bytes in [&[][..], &[0xff; 40], &[0x1e; 3], &(0..=255).collect::<Vec<u8>>()] {
        any_access(&mut d, bytes);
    }
}

/// All in one test: what is traced, and where to, is one for the whole program.
#[test]
fn accesses_lines_and_dma_are_traced_by_name() {
    let mut map = AddressSpace::build();
    map.ram("ram", 0x8000, 0x1000).unwrap();
    let space = map.finish().unwrap();
    let device = Locked::<Big>::new(Box::default());
    let wiring = Wiring { name: "big0".into(), memory: Dma::new(&space), ..Wiring::default() };
    device.wire(wiring).unwrap();
    let end = |pin| trace::line("big0", "irq", "plic", pin, device.clone());
    let early = Line::new(end(3), 3);
    let said = Arc::new(Mutex::new(vec![]));
    let ears = said.clone();
    trace::say_to(move |line| ears.lock().unwrap().push(line.to_owned()));
    trace::enable(
        ["big0", "-*.word.read", "test.big.array", "irq.plic", "-irq.*.4", "dma.*.write"]
            .map(trace::Pattern::new)
            .into(),
    );
    device.with(|d| d.state.regs.seen = 0x0203);
    assert_eq!((device.read(8, 2), device.read(0, 4)), (Ok(0x0302), Ok(0x0403_0201)));
    device.write(2, 1, 0xab).unwrap();
    device.read(0xc, 1).unwrap();
    for line in [&early, &Line::new(end(4), 4), &Line::new(end(5), 5)] {
        line.set(true);
        line.set(true);
    }
    device.with(|d| {
        d.memory.write(0x8000, &[0xab; 17]).unwrap();
        d.memory.write(0, &[1]).unwrap_err();
        d.memory.read(0x8000, &mut [0]).unwrap();
    });
    trace::enable(vec![]);
    device.read(0xc, 1).unwrap();
    let lines = [
        "read  big0.seen = 0x0203 { LOW=much HIGH=0 KEPT=1 }",
        "write big0.word = 0x0000ab00 (bits 15:8)",
        "read  big0.array[1] = 0x00",
        "irq   big0.irq -> plic.3 = 1",
        "irq   big0.irq -> plic.5 = 1",
        "dma   big0 write 0x8000+0x11: ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ...",
    ];
    assert_eq!(std::mem::take(&mut *said.lock().unwrap()), lines);

    // One by one, while it runs; the elements of an array have one state.
    let change = |pattern: &str| trace::change(trace::Pattern::new(pattern));
    let on = || {
        let states = trace::states().into_iter();
        states.filter(|(_, on)| *on).map(|(event, _)| event).collect::<Vec<_>>()
    };
    change("big0.array.1");
    change("irq.big0");
    assert_eq!(on(), ["big0.array.N.read", "irq.big0.irq"]);
    for element in [0xc, 0xe] {
        device.read(element, 1).unwrap();
    }
    early.set(false);
    change("-irq.big0");
    early.set(true);
    assert_eq!(on(), ["big0.array.N.read"]);
    change("dma.big0.read");
    assert_eq!(on()[1..], ["dma.big0.read"]);
    device.with(|d| d.memory.read(0x8000, &mut [0]).unwrap());
    change("-big0.array.1");
    device.read(0xc, 1).unwrap();
    change("-*");
    assert!(!trace::is_on() && on().is_empty());
    let lines =
        ["read  big0.array[1] = 0x00", "irq   big0.irq -> plic.3 = 0", "dma   big0 read 0x8000+0x1: ab"];
    assert_eq!(*said.lock().unwrap(), lines);
    for name in ["big0.array", "test.big", "irq.plic.3", "dma", "nope*"] {
        assert!(trace::exists(&trace::Pattern::new(name)), "{name}");
    }
    for name in ["big0.arra", "big1", "irq.plic.5", "dma.big1.read"] {
        assert!(!trace::exists(&trace::Pattern::new(name)), "{name}");
    }
    drop(device);
}
