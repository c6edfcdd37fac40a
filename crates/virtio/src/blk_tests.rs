//! The block device over a disk in memory, and over one whose replies wait.

use crate::{
    driver::{Driver, RAM},
    features,
    fuzz::memory_disk,
};
use hartwright_device::{BlockInfo, BlockOp, BlockPort, Device, NewCard, Saved, Wiring};
use hartwright_objects::{Given, Globals, Registry};
use std::sync::Arc;

const HEADER: u64 = RAM;
const DATA: u64 = RAM + 0x1000;
const STATUS: u64 = RAM + 0x8_0000;

fn with(legacy: bool, port: &BlockPort, properties: &[(&str, Given)]) -> Driver {
    let mut all = vec![("drive", "d".into())];
    all.extend(properties.iter().cloned());
    let ends = Wiring { block: port.clone(), ..Wiring::default() };
    let mut driver = Driver::new(legacy, "virtio-blk-device", &all, ends);
    driver.start(u64::MAX, 1, 64);
    driver
}

/// A disk whose requests wait for the test.
fn held(read_only: bool) -> BlockPort {
    let port = BlockPort::default();
    let info = BlockInfo {
        bytes: 64 << 20,
        read_only,
        logical_block_size: 512,
        physical_block_size: 4096,
        write_cache: true,
        discard: true,
        serial: "host's".into(),
    };
    port.connect(info, Arc::new(|| {}));
    port
}

fn header(driver: &Driver, at: u64, kind: u32, sector: u64) {
    driver.put(at, &[u64::from(kind).to_le_bytes(), sector.to_le_bytes()].concat());
    driver.put(STATUS, &[0xee]);
}

/// Does a request that answers at once; gives its status.
fn ask(driver: &mut Driver, kind: u32, sector: u64, parts: &[(u64, u32, bool)]) -> u8 {
    header(driver, HEADER, kind, sector);
    let mut all = vec![(HEADER, 16, false)];
    all.extend(parts);
    all.push((STATUS, 1, true));
    driver.now(0, &all);
    driver.get(STATUS, 1)[0]
}

#[test]
fn what_is_written_is_read_again() {
    for legacy in [false, true] {
        let mut driver = with(legacy, &memory_disk(1 << 20), &[]);
        let text: Vec<u8> = (0..4096).map(|at| (at * 7 >> 3) as u8).collect();
        driver.put(DATA, &text);
        // In pieces that are no sectors.
        assert_eq!(ask(&mut driver, 1, 5, &[(DATA, 100, false), (DATA + 100, 3996, false)]), 0);
        assert_eq!(ask(&mut driver, 0, 6, &[(DATA + 0x4000, 1000, true), (DATA + 0x5000, 536, true)]), 0);
        assert_eq!(driver.get(DATA + 0x4000, 1000), text[512..1512]);
        assert_eq!(driver.get(DATA + 0x5000, 536), text[1512..2048]);
        assert_eq!(ask(&mut driver, 4, 0, &[]), 0, "flush");
    }
}

#[test]
fn a_request_may_be_larger_than_what_goes_to_the_host_at_once() {
    let mut driver = with(false, &memory_disk(8 << 20), &[]);
    let text: Vec<u8> = (0..0x28_0000u32).map(|at| (at >> 9) as u8 ^ at as u8).collect();
    driver.put(DATA + 0x20_0000, &text);
    assert_eq!(ask(&mut driver, 1, 8, &[(DATA + 0x20_0000, text.len() as u32, false)]), 0);
    driver.put(DATA + 0x20_0000, &vec![0; text.len()]);
    assert_eq!(ask(&mut driver, 0, 8, &[(DATA + 0x20_0000, text.len() as u32, true)]), 0);
    assert!(driver.get(DATA + 0x20_0000, text.len()) == text);
}

#[test]
fn what_does_not_fit_fails() {
    let port = memory_disk(1 << 20);
    let mut driver = with(false, &port, &[]);
    let sector = (DATA, 512, true);
    assert_eq!(ask(&mut driver, 0, 2048, &[sector]), 1, "beyond the end");
    assert_eq!(ask(&mut driver, 0, u64::MAX, &[sector]), 1);
    assert_eq!(ask(&mut driver, 0, u64::MAX / 512, &[sector]), 1);
    assert_eq!(ask(&mut driver, 0, 0, &[(DATA, 511, true)]), 1, "no whole sectors");
    assert_eq!(ask(&mut driver, 99, 0, &[sector]), 2, "no such request");
    assert_eq!(ask(&mut driver, 0, 2047, &[sector]), 0);
    let mut driver = with(false, &port, &[("logical_block_size", 4096.into())]);
    assert_eq!(ask(&mut driver, 0, 8, &[(DATA, 4096, true)]), 0);
    assert_eq!(ask(&mut driver, 0, 1, &[(DATA, 4096, true)]), 1, "no whole block");
}

#[test]
fn its_name_is_told() {
    let mut driver = with(true, &memory_disk(1 << 20), &[("serial", "a very long name of a disk".into())]);
    assert_eq!(ask(&mut driver, 8, 0, &[(DATA, 20, true)]), 0);
    assert_eq!(driver.get(DATA, 20), b"a very long name of ");
    let mut driver = with(true, &held(false), &[]);
    driver.put(DATA, &[0xff; 20]);
    assert_eq!(ask(&mut driver, 8, 0, &[(DATA, 20, true)]), 0);
    assert_eq!(driver.get(DATA, 20), b"host's\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
}

#[test]
fn discards_and_zeroes_are_about_one_range() {
    let mut driver = with(false, &memory_disk(1 << 20), &[]);
    driver.put(DATA, &[7; 1024]);
    assert_eq!(ask(&mut driver, 1, 0, &[(DATA, 1024, false)]), 0);
    let mut range = |kind, sector: u64, count: u32, flags: u32| {
        let bytes = [&sector.to_le_bytes()[..], &count.to_le_bytes(), &flags.to_le_bytes()].concat();
        driver.put(DATA, &bytes);
        ask(&mut driver, kind, 0, &[(DATA, 16, false)])
    };
    assert_eq!(range(13, 1, 1, 1), 0);
    assert_eq!(range(13, 1, 1, 2), 2, "unknown flag");
    assert_eq!(range(11, 1, 1, 1), 2, "a discard has no flags");
    assert_eq!(range(11, 1, 1, 0), 0);
    assert_eq!(range(13, 2047, 2, 0), 1, "beyond the end");
    assert_eq!(range(13, u64::MAX, u32::MAX, 0), 1);
    assert_eq!(ask(&mut driver, 13, 0, &[(DATA, 32, false)]), 2, "two ranges");
    assert_eq!(ask(&mut driver, 0, 0, &[(DATA, 1024, true)]), 0);
    assert_eq!(driver.get(DATA, 1024), [[7; 512], [0; 512]].concat());
}

#[test]
fn its_configuration_is_qemu_s() {
    let port = memory_disk(10 << 20);
    let driver = with(true, &port, &[]);
    let config: Vec<u8> =
        (0..60).map(|at| driver.device.with(|device| device.read(0x100 + at, 1)).unwrap() as u8).collect();
    // Read from QEMU 7.2 with an image of 10 MiB.
    let theirs = "005000000000000000000000fe0000001400103f0002000000000000000000000100\
                  0100ffff3f000100000001000000ffff3f000100000001ffffff";
    let ours: String = config.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(ours, theirs);
    assert_eq!(driver.offered(), 0x3100_6ed4);
    assert_eq!(with(false, &port, &[]).offered(), 0x101_3000_6e54);
    assert_eq!(with(false, &held(true), &[("num-queues", 4.into())]).offered(), 0x101_3000_7e74, "RO, MQ");
}

#[test]
fn many_requests_are_on_their_way_at_once_and_come_back_in_any_order() {
    let port = held(false);
    let mut driver = with(false, &port, &[]);
    header(&driver, HEADER, 0, 3);
    let one = driver.add(0, &[(HEADER, 16, false), (DATA, 512, true), (STATUS, 1, true)]);
    let two = driver.add(0, &[(HEADER, 16, false), (DATA + 0x1000, 512, true), (STATUS + 1, 1, true)]);
    driver.kick(0);
    assert_eq!(driver.used(0), None);
    let (first, second) = (port.take_request().unwrap(), port.take_request().unwrap());
    assert_eq!(first.op, BlockOp::Read { offset: 3 * 512, len: 512 });
    port.reply(second.tag, Ok(vec![2; 512]));
    assert_eq!((driver.used(0), driver.used(0)), (Some((two, 513)), None));
    assert!(driver.interrupted());
    port.reply(first.tag, Err(hartwright_device::BlockError::Io));
    assert_eq!(driver.used(0), Some((one, 513)));
    assert_eq!(driver.get(STATUS, 2), [1, 0]);
    assert_eq!(driver.get(DATA + 0x1000, 2), [2, 2]);
}

#[test]
fn not_all_of_a_long_ring_is_on_its_way_at_once() {
    let port = held(false);
    let ends = Wiring { block: port.clone(), ..Wiring::default() };
    let mut driver = Driver::new(false, "virtio-blk-device", &[("drive", "d".into())], ends);
    driver.start(u64::MAX, 1, 512);
    header(&driver, HEADER, 4, 0);
    for _ in 0..200 {
        driver.add(0, &[(HEADER, 16, false), (STATUS, 1, true)]);
    }
    driver.kick(0);
    assert_eq!(port.outstanding(), 64);
    let mut done = 0;
    while let Some(request) = port.take_request() {
        port.reply(request.tag, Ok(vec![]));
        done += 1;
    }
    assert_eq!(done, 200);
    assert_eq!(std::iter::from_fn(|| driver.used(0)).count(), 200);
}

#[test]
fn without_a_cache_a_write_is_done_when_it_is_flushed() {
    let port = held(false);
    let mut driver = with(false, &port, &[]);
    driver.device.with(|device| device.write(0x120, 1, 0)).unwrap();
    assert_eq!(driver.device.with(|device| device.read(0x120, 1)), Ok(0));
    header(&driver, HEADER, 1, 0);
    driver.add(0, &[(HEADER, 16, false), (DATA, 512, false), (STATUS, 1, true)]);
    driver.kick(0);
    let write = port.take_request().unwrap();
    assert_eq!(port.take_request(), None);
    port.reply(write.tag, Ok(vec![]));
    assert_eq!(driver.used(0), None);
    let flush = port.take_request().unwrap();
    assert_eq!(flush.op, BlockOp::Flush);
    port.reply(flush.tag, Ok(vec![]));
    assert!(driver.used(0).is_some());
    // Who can neither flush nor switch the cache has none.
    driver.start(features::VERSION_1, 1, 64);
    assert_eq!(driver.device.with(|device| device.read(0x120, 1)), Ok(0));
}

#[test]
fn what_was_on_its_way_before_a_reset_is_not_completed_and_nothing_overtakes_it() {
    let port = held(false);
    let mut driver = with(false, &port, &[]);
    header(&driver, HEADER, 1, 0);
    driver.add(0, &[(HEADER, 16, false), (DATA, 512, false), (STATUS, 1, true)]);
    driver.kick(0);
    let old = port.take_request().unwrap();
    driver.start(u64::MAX, 1, 64);
    driver.add(0, &[(HEADER, 16, false), (DATA, 512, false), (STATUS, 1, true)]);
    driver.kick(0);
    assert_eq!(port.take_request(), None, "the old write might come after the new one");
    port.reply(old.tag, Ok(vec![]));
    assert_eq!(driver.used(0), None);
    let new = port.take_request().unwrap();
    port.reply(new.tag, Ok(vec![]));
    assert!(driver.used(0).is_some());
}

#[test]
fn what_is_on_its_way_when_the_state_is_saved_is_done_after_it_is_restored() {
    let port = held(false);
    let mut driver = with(false, &port, &[]);
    header(&driver, HEADER, 0, 0);
    driver.add(0, &[(HEADER, 16, false), (DATA, 512, true), (STATUS, 1, true)]);
    driver.kick(0);
    let old = port.take_request().unwrap();
    let saved = driver.device.with(|device| device.save()).unwrap();
    driver.device.reset();
    driver.device.with(|device| {
        device.restore(&saved).unwrap();
        device.restored();
    });
    assert_eq!(port.take_request(), None);
    port.reply(old.tag, Ok(vec![1; 512]));
    assert_eq!(driver.used(0), None);
    let again = port.take_request().unwrap();
    port.reply(again.tag, Ok(vec![2; 512]));
    assert!(driver.used(0).is_some());
    assert_eq!(driver.get(DATA, 2), [2, 2]);
}

#[test]
fn a_disk_that_changes_its_size_says_so() {
    let port = held(false);
    let driver = with(false, &port, &[]);
    let generation = driver.read(0xfc);
    port.connect(BlockInfo { bytes: 1 << 20, ..port.info().unwrap() }, Arc::new(|| {}));
    assert_eq!((driver.acknowledge(), driver.read(0x100)), (2, 2048));
    assert_ne!(driver.read(0xfc), generation);
    port.disconnect();
    assert_eq!(driver.read(0x100), 0);
}

#[test]
fn several_queues_share_the_disk() {
    let ends = Wiring { block: memory_disk(1 << 20), ..Wiring::default() };
    let properties = [("drive", "d".into()), ("num-queues", 3.into())];
    let mut driver = Driver::new(false, "virtio-blk-device", &properties, ends);
    driver.start(u64::MAX, 3, 16);
    for queue in 0..3 {
        header(&driver, HEADER, 0, queue.into());
        assert_eq!(driver.now(queue, &[(HEADER, 16, false), (DATA, 512, true), (STATUS, 1, true)]), 513);
    }
    driver.write(0x30, 3);
    assert_eq!(driver.read(0x34), 0);
}

#[test]
fn properties_that_cannot_be_are_refused() {
    let registry = Registry::linked().unwrap();
    let check = |properties: &[(&str, Given)]| {
        let new = NewCard { registry: &registry, globals: &Globals::new(), class: "virtio-blk-device" };
        let mut card = new.make::<dyn crate::VirtioCard>().unwrap();
        properties.iter().for_each(|(name, value)| card.give(name, value).unwrap());
        card.check().unwrap_err().to_string()
    };
    let drive = ("drive", Given::from("d"));
    assert_eq!(check(&[]), "drive property not set");
    assert!(check(&[drive.clone(), ("packed", true.into())]).contains("packed=on is not yet in hartwright"));
    assert!(check(&[drive.clone(), ("werror", "stop".into())]).contains("werror=stop is not yet"));
    assert_eq!(
        check(&[drive.clone(), ("queue-size", 3.into())]),
        "invalid queue-size property (3), must be a power of 2 (max 1024)"
    );
    assert_eq!(check(&[drive, ("num-queues", 0.into())]), "num-queues property must be larger than 0");
}
