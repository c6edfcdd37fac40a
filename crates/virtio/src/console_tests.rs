//! The console: ports are told of, opened and named; bytes go both ways, and wait where nobody takes them.

use crate::{
    VirtioCard, VirtioMmio,
    driver::{Driver, RAM},
};
use hartwright_device::{Card, CharPort, Device, NewCard, Saved, Wiring};
use hartwright_objects::{Given, Globals, Registry};
use std::sync::Arc;

const OUT: u64 = RAM + 0x1000;
const IN: u64 = RAM + 0x2000;
const READY: u16 = 0;

type Port<'a> = (&'a str, &'a [(&'a str, Given)]);

fn plug(card: &mut dyn Card, ports: &[Port<'_>]) {
    let registry = Registry::linked().unwrap();
    for (class, properties) in ports {
        card.plug(&NewCard { registry: &registry, globals: &Globals::new(), class }).unwrap();
        let mut cards = card.cards_mut();
        let port = cards.last_mut().unwrap();
        properties.iter().for_each(|(name, value)| port.give(name, value).unwrap());
    }
}

/// A device with these ports, each with a host's end that is there.
fn with(legacy: bool, ports: &[Port<'_>]) -> (Driver, Vec<CharPort>) {
    let registry = Registry::linked().unwrap();
    let mut device = VirtioMmio::with_legacy(legacy);
    let new = NewCard { registry: &registry, globals: &Globals::new(), class: "virtio-serial-device" };
    device.plug(&new).unwrap();
    plug(device.cards_mut().remove(0), ports);
    let ends: Vec<CharPort> = ports.iter().map(|_| CharPort::default()).collect();
    ends.iter().for_each(|end| end.connect(Arc::new(|| {})));
    let cards = ends.iter().map(|end| Wiring { chardev: end.clone(), ..Wiring::default() }).collect();
    (Driver::around(device, Wiring { cards, ..Wiring::default() }), ends)
}

fn start(driver: &mut Driver) {
    driver.start(u64::MAX, 8, 16);
    for at in 0..16 {
        driver.add(2, &[(IN + 64 * at, 64, true)]);
    }
    driver.kick(2);
}

/// Says something about a port, and reads what the device says: number, event, value, name.
fn say(driver: &mut Driver, number: u32, event: u16, value: u16) -> Vec<(u32, u16, u16, String)> {
    let bytes = [&number.to_le_bytes()[..], &event.to_le_bytes(), &value.to_le_bytes()].concat();
    driver.put(OUT, &bytes);
    driver.now(3, &[(OUT, 8, false)]);
    heard(driver)
}

fn heard(driver: &mut Driver) -> Vec<(u32, u16, u16, String)> {
    let mut all = vec![];
    while let Some((head, len)) = driver.used(2) {
        let bytes = driver.get(IN + 64 * u64::from(head), len as usize);
        let word = |at| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let name = String::from_utf8_lossy(&bytes[8..]).into_owned();
        all.push((u32::from(word(0)), word(4), word(6), name));
    }
    all
}

fn told(number: u32, event: u16, value: u16, name: &str) -> (u32, u16, u16, String) {
    (number, event, value, name.to_owned())
}

fn output(end: &CharPort) -> Vec<u8> {
    let mut bytes = vec![0; end.pending_output()];
    end.peek_output(&mut bytes);
    end.consume_output(bytes.len());
    bytes
}

fn chardev() -> (&'static str, Given) {
    ("chardev", "c".into())
}

#[test]
fn ports_are_told_of_with_their_names() {
    for legacy in [false, true] {
        let named = [chardev(), ("name", "org.example".into())];
        let (mut driver, ends) = with(
            legacy,
            &[
                ("virtconsole", &[chardev()]),
                ("virtserialport", &named),
                ("virtserialport", &[("nr", 5.into())]),
            ],
        );
        start(&mut driver);
        assert_eq!(say(&mut driver, 0, READY, 1), [told(0, 1, 1, ""), told(1, 1, 1, ""), told(5, 1, 1, "")]);
        assert_eq!(say(&mut driver, 0, 3, 1), [told(0, 4, 1, ""), told(0, 6, 1, "")], "a console, and open");
        assert_eq!(say(&mut driver, 1, 3, 1), [told(1, 7, 1, "org.example\0"), told(1, 6, 1, "")]);
        assert_eq!(say(&mut driver, 5, 3, 1), [], "nobody is at the other end");
        assert_eq!(say(&mut driver, 9, 3, 1), [], "there is no such port");
        ends[1].set_connected(false);
        assert_eq!(heard(&mut driver), [told(1, 6, 0, "")]);
        ends[0].set_connected(false);
        assert_eq!(heard(&mut driver), [], "a console does not care");
    }
}

#[test]
fn bytes_go_both_ways_and_wait_until_a_port_is_open() {
    let (mut driver, ends) = with(false, &[("virtconsole", &[chardev()]), ("virtserialport", &[chardev()])]);
    start(&mut driver);
    for port in 0..2u32 {
        let queue = [0, 4][port as usize];
        let end = &ends[port as usize];
        driver.put(OUT, b"to the host");
        driver.now(queue + 1, &[(OUT, 3, false), (OUT + 3, 8, false)]);
        assert_eq!(output(end), b"to the host");
        driver.add(queue, &[(IN + 0x1000, 4, true)]);
        driver.add(queue, &[(IN + 0x1010, 2, true), (IN + 0x1020, 100, true)]);
        driver.kick(queue);
        end.feed(b"to the guest");
        assert_eq!(driver.used(queue), None, "nobody has it open");
        say(&mut driver, port, 6, 1);
        assert_eq!(driver.used(queue).map(|used| used.1), Some(4));
        assert_eq!(driver.used(queue).map(|used| used.1), Some(8));
        assert_eq!(
            [driver.get(IN + 0x1000, 4), driver.get(IN + 0x1010, 2), driver.get(IN + 0x1020, 6)].concat(),
            b"to the guest"
        );
    }
}

#[test]
fn what_the_host_does_not_take_waits() {
    let (mut driver, ends) = with(false, &[("virtconsole", &[chardev()])]);
    start(&mut driver);
    let text: Vec<u8> = (0..100_000u32).map(|at| at as u8).collect();
    driver.put(RAM + 0x2_0000, &text);
    driver.add(1, &[(RAM + 0x2_0000, 100_000, false)]);
    driver.kick(1);
    assert_eq!(driver.used(1), None);
    let mut got = output(&ends[0]);
    assert!(got.len() < text.len());
    let saved = driver.device.with(|device| device.save()).unwrap();
    driver.device.with(|device| device.restore(&saved)).unwrap();
    got.extend(output(&ends[0]));
    assert!(got == text);
    assert!(driver.used(1).is_some());
}

#[test]
fn who_is_not_there_holds_nothing_up() {
    let (mut driver, ends) = with(true, &[("virtconsole", &[chardev()]), ("virtserialport", &[])]);
    start(&mut driver);
    ends[0].set_connected(false);
    for queue in [1, 5, 7] {
        driver.now(queue, &[(RAM, 0x10_0000, false)]);
    }
}

#[test]
fn last_words_need_no_queue() {
    let (driver, ends) = with(false, &[("virtconsole", &[chardev()])]);
    driver.write(0x108, u32::from(b'!'));
    assert_eq!(output(&ends[0]), b"!");
}

#[test]
fn without_many_ports_there_is_one() {
    let registry = Registry::linked().unwrap();
    let mut device = VirtioMmio::with_legacy(true);
    let new = NewCard { registry: &registry, globals: &Globals::new(), class: "virtio-serial-device" };
    device.plug(&new).unwrap();
    let end = CharPort::default();
    end.connect(Arc::new(|| {}));
    let mut cards = device.cards_mut();
    cards[0].give("max_ports", &1.into()).unwrap();
    plug(cards.remove(0), &[("virtconsole", &[chardev()])]);
    let ends =
        Wiring { cards: vec![Wiring { chardev: end.clone(), ..Wiring::default() }], ..Wiring::default() };
    let mut driver = Driver::around(device, ends);
    assert_eq!(driver.offered() & 0xff, 4);
    driver.start(0, 2, 16);
    driver.add(0, &[(IN, 16, true)]);
    driver.kick(0);
    end.feed(b"hello");
    assert_eq!(driver.used(0).map(|used| used.1), Some(5), "no port has to be opened");
}

#[test]
fn ports_that_cannot_be_are_refused() {
    let check = |properties: &[(&str, Given)], ports: &[Port<'_>]| {
        let registry = Registry::linked().unwrap();
        let new = NewCard { registry: &registry, globals: &Globals::new(), class: "virtio-serial-device" };
        let mut card = new.make::<dyn VirtioCard>().unwrap();
        properties.iter().for_each(|(name, value)| card.give(name, value).unwrap());
        plug(&mut *card, ports);
        card.check().map_err(|error| error.to_string()).err().unwrap_or_default()
    };
    assert_eq!(check(&[("max_ports", 0.into())], &[]), "Maximum number of serial ports not specified");
    let two: [Port<'_>; 2] = [("virtconsole", &[]), ("virtconsole", &[])];
    assert_eq!(
        check(&[("max_ports", 1.into())], &two),
        "virtio-serial-bus: Out-of-range port id specified, max. allowed: 0"
    );
    let four = [("nr", 4.into())];
    assert_eq!(
        check(&[], &[("virtconsole", &four), ("virtconsole", &four)]),
        "virtio-serial-bus: A port already exists at id 4"
    );
    assert_eq!(
        check(&[], &[("virtserialport", &[("nr", 0.into())])]),
        "Port number 0 on virtio-serial devices reserved for virtconsole devices for backward compatibility."
    );
    assert_eq!(check(&[], &two), "");
}
