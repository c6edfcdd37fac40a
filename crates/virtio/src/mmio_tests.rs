//! The transport: what a driver meets at each register, and what becomes of a driver that does wrong.

use crate::{
    VirtioMmio,
    driver::{Driver, RAM},
    features,
    fuzz::memory_disk,
};
use hartwright_device::{Device, Saved, Wiring, conforms};

fn blk(legacy: bool) -> Driver {
    let ends = Wiring { block: memory_disk(1 << 20), ..Wiring::default() };
    Driver::new(legacy, "virtio-blk-device", &[("drive", "d".into())], ends)
}

/// A read of one sector into `RAM + 0x1000`; the header is at `RAM`.
const READ: [(u64, u32, bool); 3] = [(RAM, 16, false), (RAM + 0x1000, 512, true), (RAM + 0x2000, 1, true)];

#[test]
fn it_conforms_empty_and_with_a_card() {
    for legacy in [false, true] {
        conforms(&mut VirtioMmio::with_legacy(legacy)).unwrap();
        blk(legacy).device.with(|device| conforms(device)).unwrap();
    }
}

#[test]
fn an_empty_slot_says_so() {
    for (legacy, version) in [(true, 1), (false, 2)] {
        let driver = Driver::new(legacy, "", &[], Wiring::default());
        let ids = [0, 4, 8, 12].map(|offset| driver.read(offset));
        assert_eq!(ids, [0x7472_6976, version, 0, 0x554d_4551]);
        driver.write(0x70, 0xf);
        assert_eq!([0x10, 0x34, 0x70, 0xb0, 0x100].map(|offset| driver.read(offset)), [0; 5]);
    }
}

#[test]
fn features_come_in_two_words_and_only_those_offered_are_accepted() {
    let driver = blk(false);
    assert_eq!(driver.offered() >> 28, 0x1013, "version 1, ring reset, event index, indirect");
    driver.write(0x70, 3);
    driver.write(0x24, 1);
    driver.write(0x20, 1 << 1);
    driver.write(0x70, 0xb);
    assert_eq!(driver.read(0x70), 3, "FEATURES_OK does not stay");
    let legacy = blk(true);
    assert_eq!(legacy.offered() >> 24, 0x31);
}

#[test]
fn a_reset_forgets_queues_interrupts_and_features() {
    for legacy in [false, true] {
        let mut driver = blk(legacy);
        driver.start(u64::MAX, 1, 16);
        driver.now(0, &READ);
        assert!(driver.interrupted());
        driver.write(0x70, 0);
        assert!(!driver.interrupted());
        let ready = if legacy { 0x40 } else { 0x44 };
        assert_eq!([0x70, 0x60, ready].map(|offset| driver.read(offset)), [0; 3]);
        driver.start(0, 1, 8);
        assert_eq!(driver.now(0, &READ), 513);
    }
}

#[test]
fn a_driver_hears_when_it_wants_to() {
    for legacy in [false, true] {
        let mut driver = blk(legacy);
        driver.start(features::VERSION_1, 1, 16);
        let [_, avail, _] = driver.rings(0);
        driver.space.store(avail, 2, 1).unwrap();
        driver.now(0, &READ);
        assert!(!driver.interrupted(), "the ring says: no interrupts");
        driver.space.store(avail, 2, 0).unwrap();
        driver.now(0, &READ);
        assert_eq!((driver.interrupted(), driver.acknowledge()), (true, 1));

        driver.start(features::VERSION_1 | features::EVENT_IDX, 1, 16);
        let [_, avail, used] = driver.rings(0);
        driver.space.store(avail + 4 + 2 * 16, 2, 1).unwrap();
        driver.now(0, &READ);
        assert!(!driver.interrupted(), "not before the second");
        assert_eq!(driver.space.load(used + 4 + 8 * 16, 2), Ok(1), "the device wants to hear of the next");
        driver.now(0, &READ);
        assert_eq!((driver.interrupted(), driver.acknowledge()), (true, 1));
    }
}

#[test]
fn a_legacy_driver_may_want_to_hear_of_an_empty_ring_anyway() {
    let mut driver = blk(true);
    driver.start(features::NOTIFY_ON_EMPTY, 1, 16);
    let [_, avail, _] = driver.rings(0);
    driver.space.store(avail, 2, 1).unwrap();
    driver.now(0, &READ);
    assert!(driver.interrupted());
}

#[test]
fn indirect_descriptors_are_followed() {
    for legacy in [false, true] {
        let mut driver = blk(legacy);
        driver.start(u64::MAX, 1, 4);
        let head = driver.add_indirect(0, &READ);
        driver.kick(0);
        assert_eq!(driver.used(0), Some((head, 513)));
    }
}

/// What a driver does to its rings.
type Wrong = fn(&mut Driver);

/// Each is done to a ring of 16 in which nothing is wrong yet.
const WRONGS: &[(&str, Wrong)] = &[
    ("a loop", |driver| {
        let [desc, ..] = driver.rings(0);
        driver.add(0, &READ);
        driver.space.store(desc + 16 + 12, 4, 3).unwrap();
    }),
    ("a next beyond the ring", |driver| {
        let [desc, ..] = driver.rings(0);
        driver.add(0, &READ);
        driver.space.store(desc + 12, 4, 16 << 16 | 1).unwrap();
    }),
    ("a head beyond the ring", |driver| driver.offer(0, 16)),
    ("more available than there are entries", |driver| {
        let [_, avail, _] = driver.rings(0);
        driver.space.store(avail + 2, 2, 17).unwrap();
    }),
    ("a buffer beyond memory", |driver| {
        driver.add(0, &[(RAM, 16, false), (RAM + 0x7f_ff00, 512, true)]);
    }),
    ("a buffer at the end of the world", |driver| {
        driver.add(0, &[(u64::MAX - 3, 16, false)]);
    }),
    ("a buffer to write that is ROM", |driver| {
        driver.add(0, &[(RAM, 16, false), (0x1000, 16, true)]);
    }),
    ("a buffer of 4 GiB", |driver| {
        driver.add(0, &[(RAM, 16, false), (RAM, u32::MAX, true)]);
    }),
    ("writable first", |driver| {
        driver.add(0, &[(RAM, 1, true), (RAM, 16, false)]);
    }),
    ("an indirect table in an indirect table", |driver| {
        driver.add_indirect(0, &READ);
        driver.space.store(RAM + 0xf_0000 + 12, 2, 4).unwrap();
    }),
    ("an indirect table of 15 bytes", |driver| {
        let [desc, ..] = driver.rings(0);
        driver.add_indirect(0, &READ);
        driver.space.store(desc + 8, 4, 15).unwrap();
    }),
    ("no header", |driver| {
        driver.add(0, &[(RAM, 15, false), (RAM, 1, true)]);
    }),
    ("no status", |driver| {
        driver.add(0, &[(RAM, 16, false)]);
    }),
];

#[test]
fn nonsense_in_a_ring_stops_the_device_until_it_is_reset() {
    for (what, wrong) in WRONGS {
        for legacy in [false, true] {
            let mut driver = blk(legacy);
            driver.start(features::VERSION_1, 1, 16);
            wrong(&mut driver);
            driver.kick(0);
            assert_eq!(driver.used(0), None, "{what}");
            assert_eq!(driver.read(0x70), if legacy { 7 } else { 0x4f }, "{what}: DEVICE_NEEDS_RESET");
            assert_eq!(driver.acknowledge(), 2, "{what}: the driver hears of it");
            driver.write(0x70, if legacy { 7 } else { 0xf });
            driver.kick(0);
            assert_eq!(driver.used(0), None, "{what}: nothing goes on");
            driver.start(features::VERSION_1, 1, 16);
            assert_eq!(driver.now(0, &READ), 513, "{what}: after a reset all is well");
        }
    }
}

#[test]
fn rings_in_nonsense_places_stop_the_device() {
    for (register, value) in
        [(0x80, 0x1234_5678), (0x90, 0x1), (0xa4, 0xffff_ffff), (0xa0, 0x1000), (0x38, 3), (0x38, 0)]
    {
        let mut driver = blk(false);
        driver.start(features::VERSION_1, 1, 16);
        driver.write(0x44, 0);
        driver.write(register, value);
        driver.write(0x44, 1);
        driver.add(0, &READ);
        driver.kick(0);
        assert_eq!((driver.read(0x70), driver.used(0)), (0x4f, None), "{register:#x} {value:#x}");
    }
    for (register, value) in [(0x40, 1), (0x40, 0xffff_ffff), (0x38, 0xffff_ffff), (0x38, 0)] {
        let mut driver = blk(true);
        driver.start(0, 1, 16);
        driver.write(register, value);
        driver.kick(0);
        assert_eq!(driver.acknowledge(), 2, "{register:#x} {value:#x}");
    }
}

#[test]
fn a_queue_is_reset_alone_if_that_was_agreed() {
    let mut driver = blk(false);
    driver.start(u64::MAX, 1, 16);
    driver.now(0, &READ);
    driver.write(0xc0, 1);
    assert_eq!([0x44, 0xc0, 0x70].map(|offset| driver.read(offset)), [0, 0, 0xf]);
}

#[test]
fn a_state_saved_between_requests_goes_on_elsewhere() {
    for legacy in [false, true] {
        let mut driver = blk(legacy);
        driver.start(u64::MAX, 1, 16);
        driver.now(0, &READ);
        let saved = driver.device.with(|device| device.save()).unwrap();
        let before = [0x40, 0x44, 0x60, 0x70].map(|offset| driver.read(offset));
        driver.device.reset();
        driver.device.with(|device| {
            device.restore(&saved).unwrap();
            device.restored();
        });
        assert_eq!([0x40, 0x44, 0x60, 0x70].map(|offset| driver.read(offset)), before);
        assert!(driver.interrupted());
        assert_eq!(driver.now(0, &READ), 513);
        let empty = VirtioMmio::with_legacy(legacy).restore(&saved);
        assert!(empty.unwrap_err().contains("queue"));
    }
}

#[test]
fn registers_of_the_other_interface_are_not_there() {
    let driver = blk(false);
    driver.write(0x40, 7);
    assert_eq!(driver.read(0x40), 0);
    let legacy = blk(true);
    legacy.write(0x44, 1);
    assert_eq!((legacy.read(0x44), legacy.read(0xfc)), (0, 0));
    let narrow = legacy.device.with(|device| device.read(0, 1)).unwrap();
    assert_eq!(narrow, 0, "registers are 32 bits wide");
}
