//! The entropy device and the balloon.

use crate::driver::{Driver, RAM};
use hartwright_device::{Entropy, Saved, Wiring};

#[test]
fn random_bytes_follow_from_the_seed() {
    let take = |legacy, seed| {
        let ends = Wiring { entropy: Entropy::seeded(seed), ..Wiring::default() };
        let mut driver = Driver::new(legacy, "virtio-rng-device", &[], ends);
        driver.start(u64::MAX, 1, 16);
        assert_eq!(driver.now(0, &[(RAM, 10, true), (RAM + 0x100, 30, true)]), 40);
        assert!(driver.interrupted());
        [driver.get(RAM, 10), driver.get(RAM + 0x100, 30)].concat()
    };
    assert_eq!(take(false, 1), take(true, 1));
    assert_ne!(take(false, 1), take(false, 2));
    let (driver, legacy) = (Driver::new(false, "virtio-rng-device", &[], Wiring::default()), 0x3900_0000);
    assert_eq!((driver.offered(), driver.read(0x100)), (0x101_3000_0000, u32::MAX));
    assert_eq!(Driver::new(true, "virtio-rng-device", &[], Wiring::default()).offered(), legacy);
}

#[test]
fn a_period_has_so_many_random_bytes() {
    let properties = [("max-bytes", 100.into()), ("period", 1000.into())];
    let mut driver = Driver::new(false, "virtio-rng-device", &properties, Wiring::default());
    driver.start(u64::MAX, 1, 16);
    assert_eq!(driver.now(0, &[(RAM, 60, true)]), 60);
    assert_eq!(driver.now(0, &[(RAM, 60, true)]), 40);
    driver.add(0, &[(RAM, 60, true)]);
    driver.kick(0);
    assert_eq!(driver.used(0), None, "the clock stands");
}

#[test]
fn a_request_for_random_bytes_is_not_as_large_as_it_likes() {
    let mut driver = Driver::new(false, "virtio-rng-device", &[], Wiring::default());
    driver.start(u64::MAX, 1, 16);
    assert_eq!(driver.now(0, &[(RAM, 0x8_0000, true)]), 0x1_0000);
}

fn pages(driver: &Driver, property: &str) -> String {
    driver.device.with(|device| {
        let cards = hartwright_device::Device::cards(device);
        cards[0].get(property).unwrap().to_string()
    })
}

fn ask(driver: &Driver, property: &str, value: u64) {
    driver.device.with(|device| {
        hartwright_device::Device::cards_mut(device)[0].give(property, &value.into()).unwrap();
        hartwright_device::Device::given(device);
    });
}

#[test]
fn a_balloon_asks_for_pages_and_hears_what_it_gets() {
    for legacy in [false, true] {
        let mut driver = Driver::new(legacy, "virtio-balloon-device", &[], Wiring::default());
        let common = if legacy { 0x3900_0012 } else { 0x101_3000_0012 };
        assert_eq!(driver.offered(), common);
        driver.start(u64::MAX, 3, 16);
        ask(&driver, "num-pages", 3);
        assert_eq!((driver.acknowledge(), driver.read(0x100)), (2, 3));
        driver.put(RAM, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        driver.now(0, &[(RAM, 12, false)]);
        driver.write(0x104, 3);
        assert_eq!((driver.read(0x104), pages(&driver, "actual")), (3, "3".to_owned()));
        driver.write(0x100, 9);
        assert_eq!(driver.read(0x100), 3, "what is asked for is the host's to say");
        driver.now(1, &[(RAM, 4, false)]);
        driver.write(0x70, 0);
        assert_eq!((driver.read(0x100), driver.read(0x104)), (3, 0), "it stays asked for");
    }
}

#[test]
fn statistics_are_kept_and_their_buffer_too() {
    let mut driver = Driver::new(false, "virtio-balloon-device", &[], Wiring::default());
    driver.start(u64::MAX, 3, 16);
    let rows = [(4u16, 1000u64), (5, 2000), (99, 1)];
    let bytes: Vec<u8> = rows
        .iter()
        .flat_map(|(kind, value)| [&kind.to_le_bytes()[..], &value.to_le_bytes()].concat())
        .collect();
    driver.put(RAM, &bytes);
    let first = driver.add(2, &[(RAM, bytes.len() as u32, false)]);
    driver.kick(2);
    assert_eq!(driver.used(2), None, "it comes back when there is to be more");
    assert_eq!(pages(&driver, "guest-stats"), "stat-free-memory=1000,stat-total-memory=2000");
    let saved = driver.device.with(|device| device.save()).unwrap();
    driver.device.with(|device| device.restore(&saved)).unwrap();
    driver.add(2, &[(RAM, 10, false)]);
    driver.kick(2);
    assert_eq!(driver.used(2), Some((first, 0)));
}
