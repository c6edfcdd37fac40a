//! A device as an author writes one, on a bench: registers, lines, ports and the lock around it.
#![forbid(unsafe_code)]

use hartwright_device::{
    BusError, CharPort, Device, Error, Line, Locked, Mmio, OWN, Output, Request, Saved, Sink, Wiring,
    conforms, log, registers,
};
use hartwright_objects::{Abstract, Instance, Node, Object};
use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicUsize, Ordering},
};

registers! { Sample size 0x40, widths [1, 2, 4, 8] else fault:
    0x00 plain: u32 { LOW[7:0], HIGH[31:24] } = 0x0100_0005;
    0x04 status: u8 { SEEN[0] W1C, BUSY[1] RO, KICK[2] W1S, KEY[7:4] WO }   then sync;
    0x08 level[4; 4]: u32 { LEVEL[2:0] } = 3                                write level_set;
    0x18 wide: u64 { ALL[63:0] };
    0x20 data: u8 if bank0 { DATA[7:0] }                                    get receive set transmit;
    0x20 shadow: u8 if bank1 { SHADOW[7:0] };
    0x24 who: u16 { ID[15:0] RO } = 0x1234;
    0x28 count: u32 { N[31:0] RO }                                          read counted;
    0x30 many[4; 2]: u8 { X[0] WO }                                         set dropped;
}

#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct State {
    regs: Regs,
    bank: bool,
    levels_set: u32,
}

/// A device for tests.
#[derive(Object)]
#[object(name = "test.sample", parent = "sys-bus-device", family = dyn Device)]
struct Sample {
    /// What it calls itself.
    #[property]
    label: String,
    port: CharPort,
    irq: Line,
    state: State,
    drops: Option<Arc<AtomicUsize>>,
    /// Set from inside `input`, to see that no line waits.
    echo: Line,
    heard: Vec<(u32, bool)>,
}

impl Drop for Sample {
    fn drop(&mut self) {
        if let Some(drops) = &self.drops {
            drops.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sample {
    fn bank0(&self) -> bool {
        !self.state.bank
    }
    fn bank1(&self) -> bool {
        self.state.bank
    }
    fn receive(&mut self) -> u8 {
        self.port.read().unwrap_or(0)
    }
    fn transmit(&mut self, byte: u8) {
        let _ = self.port.write(byte);
    }
    fn level_set(&mut self, index: usize, _: u32) {
        self.state.levels_set |= 1 << index;
    }
    fn dropped(&mut self, _: usize, _: u8) {}
    fn counted(&mut self) -> u32 {
        self.state.levels_set.count_ones()
    }
    fn sync(&mut self) {
        self.irq.set(status::KICK.is_set(self.state.regs.status));
    }
}

impl Device for Sample {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        self.irq = wiring.line(0);
        self.port = wiring.chardev.clone();
        self.port.attach(wiring.me.clone(), OWN);
        Ok(())
    }
    fn reset(&mut self) {
        self.state = State::default();
        self.sync();
    }
    fn input(&mut self, pin: u32, level: bool) {
        self.heard.push((pin, level));
        // What the other one echoes is not echoed again: two edges in such a ring would chase each other for ever.
        if (3..OWN).contains(&pin) {
            self.echo.set(level);
        }
    }
    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }
    fn restored(&mut self) {
        self.sync();
    }
    fn inputs(&self) -> u32 {
        8
    }
    fn outputs(&self) -> Vec<Output> {
        vec![Output::interrupt("irq")]
    }
    fn compatible(&self) -> &'static [&'static str] {
        &["test,sample"]
    }
}

#[test]
fn a_device_conforms() {
    let mut device = Sample::default();
    device.realize(Wiring::default()).unwrap();
    conforms(&mut device).unwrap();
}

#[test]
fn narrow_and_wide_accesses_reach_their_lanes() {
    let mut d = Sample::default();
    let read = |d: &mut Sample, offset, size| Device::read(d, offset, size).unwrap();
    assert_eq!(read(&mut d, 0, 4), 0x0100_0005);
    assert_eq!(read(&mut d, 3, 1), 1);
    d.write(3, 1, 0xab).unwrap();
    assert_eq!(read(&mut d, 0, 4), 0xab00_0005);
    d.write(2, 2, 0xffff).unwrap();
    assert_eq!(read(&mut d, 0, 4), 0xff00_0005, "bits in no field stay zero");
    assert_eq!(read(&mut d, 8, 8), 3 << 32 | 3, "two elements of an array");
    d.write(0x10, 8, 7 << 32 | 9).unwrap();
    assert_eq!((read(&mut d, 0x10, 4), read(&mut d, 0x14, 4)), (1, 7));
    assert_eq!(d.state.levels_set, 0b1100);
    d.write(0x1c, 4, 0xdead_beef).unwrap();
    assert_eq!(read(&mut d, 0x18, 8), 0xdead_beef_0000_0000);
    assert_eq!(read(&mut d, 0x28, 2), 2, "the read hook's value");
    assert_eq!(Device::read(&mut d, 2, 4), Err(BusError::Refused), "misaligned");
    assert_eq!(Device::read(&mut d, 0, 3), Err(BusError::Refused));
}

#[test]
fn a_field_says_what_a_write_does() {
    let mut d = Sample::default();
    d.state.regs.status = 0b011;
    d.write(4, 1, 0xf4).unwrap();
    assert_eq!(d.state.regs.status, 0xf7, "W1S sets, W1C and RO stay at a zero, WO is stored");
    assert_eq!(Device::read(&mut d, 4, 1), Ok(0x07), "WO reads as zero");
    d.write(4, 1, 0x03).unwrap();
    assert_eq!(d.state.regs.status, 0x06);
}

#[test]
fn a_bank_hides_another() {
    let mut d = Sample::default();
    d.state.bank = true;
    d.write(0x20, 1, 0x55).unwrap();
    assert_eq!((d.state.regs.shadow, Device::read(&mut d, 0x20, 1)), (0x55, Ok(0x55)));
    d.state.bank = false;
    assert_eq!(Device::read(&mut d, 0x20, 1), Ok(0));
}

#[test]
fn what_is_nowhere_is_counted() {
    let mut d = Sample::default();
    let count = || {
        let counts = log::counts();
        let ours = counts.iter().filter(|(r, _)| r.device == "test.sample" && r.offset == 0x100);
        ours.map(|(_, n)| n).sum::<u64>()
    };
    assert_eq!(Device::read(&mut d, 0x100, 1), Ok(0));
    d.write(0x100, 1, 1).unwrap();
    assert_eq!(count(), 2);
    let said = Arc::new(Mutex::new(vec![]));
    let ears = said.clone();
    log::say_to(move |line| ears.lock().unwrap().push(line.to_owned()));
    log::enable(log::GUEST_ERRORS);
    d.write(0x24, 2, 9).unwrap();
    log::enable(0);
    let said = said.lock().unwrap();
    let line = "test.sample: write to no register, or a read-only one at offset 0x24 of 0x9";
    assert!(said.iter().any(|l| l == line), "{said:?}");
}

#[test]
fn lines_that_cross_do_not_wait_for_each_other() {
    let (a, b) = (Locked::<Sample>::new(Box::default()), Locked::<Sample>::new(Box::default()));
    // A cycle: each echoes to the other.
    a.with(|d| d.echo = Line::new(b.weak(), 1));
    b.with(|d| d.echo = Line::new(a.weak(), 2));
    std::thread::scope(|s| {
        for (me, pin) in [(&a, 3), (&b, 4), (&a, 5), (&b, 6)] {
            s.spawn(move || {
                for i in 0..2_000 {
                    me.set(pin, i % 2 == 0);
                    me.read(0, 4).unwrap();
                }
            });
        }
    });
    let heard = |d: &Arc<Locked<Sample>>, pin| d.with(|d| d.heard.iter().filter(|(p, _)| *p == pin).count());
    assert_eq!((heard(&a, 3), heard(&a, 5), heard(&b, 4), heard(&b, 6)), (2_000, 2_000, 2_000, 2_000));
}

#[test]
fn a_device_taken_out_of_the_tree_goes_with_its_last_line() {
    let drops = Arc::new(AtomicUsize::new(0));
    let device = Locked::<Sample>::new(Box::default());
    device.with(|d| d.drops = Some(drops.clone()));
    device.wire(Wiring::default()).unwrap();
    let line = Line::new(device.clone(), 0);
    let other = line.clone();
    let root = Node::root(Abstract::container());
    let instance: Arc<dyn Instance> = device.clone();
    let place = root.add("sample", instance).unwrap();

    let weak: Weak<Locked<Sample>> = Arc::downgrade(&device);
    drop(device);
    place.unparent();
    drop(place);
    drop(line);
    assert_eq!((drops.load(Ordering::Relaxed), weak.strong_count()), (0, 1), "a line still ends at it");
    other.set(true);
    assert_eq!(weak.upgrade().unwrap().with(|d| d.heard.last().copied()), Some((0, true)));
    drop(other);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_locked_device_is_whatever_its_holder_needs() {
    let device: Arc<Locked<dyn Device>> = Locked::new(Box::<Sample>::default());
    device.wire(Wiring::default()).unwrap();
    let bus: Arc<dyn Mmio> = device.clone();
    let end: Arc<dyn Sink> = device.clone();
    let object: Arc<dyn Instance> = device.clone();
    assert_eq!(bus.read(0, 1), Ok(5));
    end.set(1, true);
    assert_eq!(
        (object.class().name, object.get("label").unwrap().to_string()),
        ("test.sample", String::new())
    );
}

#[test]
fn a_port_holds_back_both_ways() {
    let wakes = Arc::new(AtomicUsize::new(0));
    struct Wake(Arc<AtomicUsize>);
    impl Sink for Wake {
        fn set(&self, pin: u32, level: bool) {
            assert_eq!((pin, level), (9, true));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let port = CharPort::default();
    assert!(port.write(b'x'), "without a backend output is dropped");
    assert_eq!((port.read(), port.pending_output(), port.connected()), (None, 0, true));
    port.attach(Arc::new(Wake(wakes.clone())), 9);
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    port.connect(Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));

    // In: the backend gets rid of what there is room for, and hears when there is more.
    let fed = port.feed(&[7; 5_000]);
    assert_eq!((fed, port.room(), port.readable()), (4096, 0, 4096));
    assert_eq!(woken.load(Ordering::Relaxed), 0);
    (0..2048).for_each(|_| assert_eq!(port.read(), Some(7)));
    assert_eq!((woken.load(Ordering::Relaxed), port.room()), (1, 2048));

    // Out: the device keeps the byte it could not write, and hears when it can.
    let mut written = 0;
    while port.write(written as u8) {
        written += 1;
    }
    assert_eq!((written, port.pending_output()), (65_536, 65_536));
    let before = wakes.load(Ordering::Relaxed);
    let mut some = [0; 1000];
    assert_eq!((port.peek_output(&mut some), some[255], some[256]), (1000, 255, 0));
    port.consume_output(1000);
    assert_eq!((wakes.load(Ordering::Relaxed), port.write(1)), (before + 1, true));
    port.set_connected(false);
    assert_eq!(
        (port.pending_output(), port.connected(), port.write(1), port.pending_output()),
        (0, false, true, 0)
    );
}

#[test]
fn a_break_stands_at_its_place() {
    let port = CharPort::default();
    port.feed(b"ab");
    port.feed_break();
    port.feed(b"c");
    assert!(!port.take_break());
    assert_eq!((port.read(), port.read()), (Some(b'a'), Some(b'b')));
    assert!(port.take_break() && !port.take_break());
    port.feed_break();
    assert_eq!(port.read(), Some(b'c'));
    assert!(port.take_break());
    port.feed_break();
    port.feed(b"d");
    assert_eq!(port.read(), Some(b'd'), "whoever does not ask for breaks is not held up by one");
    assert!(!port.take_break());
}

#[test]
fn power_is_asked_through_a_queue() {
    let (tell, told) = std::sync::mpsc::channel();
    let power = hartwright_device::Power::new(move |request| tell.send(request).unwrap());
    power.shutdown(3);
    power.reset();
    hartwright_device::Power::default().reset();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Request::Shutdown(3), Request::Reset]);
}

#[test]
fn properties_of_a_device_are_an_objects() {
    let mut device = Sample::default();
    device.give("label", &"bench".into()).unwrap();
    assert_eq!(device.label, "bench");
    assert!(device.give("lable", &"x".into()).is_err());
}
