//! Every linked device has a page in docs/devices that says what its code says, and stands any access.
#![forbid(unsafe_code)]

use hartwright_device::{Device, Wiring, any_access, reference};
use hartwright_devices as _;
use hartwright_objects::{Class, Globals, Registry};
use hartwright_virtio as _;
use std::{collections::BTreeMap, fs, path::PathBuf};

/// All devices, with their default properties.
fn devices() -> Vec<Box<dyn Device>> {
    let registry = Registry::linked().unwrap();
    let classes = registry.classes().filter(|class| !class.is_abstract());
    classes.filter_map(|class| registry.create(class.name, &Globals::new(), []).ok()).collect()
}

/// All types that go on another device's bus.
fn cards() -> Vec<&'static Class> {
    let registry = Registry::linked().unwrap();
    let card = |class: &&Class| !class.is_abstract() && class.bus.is_some_and(|bus| bus != "System");
    registry.classes().filter(card).collect()
}

/// Pages by the names of their files. `cargo xtask docs` sets `HARTWRIGHT_BLESS`, and they are written.
#[test]
fn the_reference_says_what_the_code_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/devices");
    let devices = devices();
    let mut pages: BTreeMap<String, String> = devices
        .iter()
        .map(|device| (format!("{}.md", device.class().name), reference::page(&**device)))
        .collect();
    pages.extend(cards().iter().map(|class| (format!("{}.md", class.name), reference::card_page(class))));
    pages.insert("README.md".into(), reference::index(&devices, &cards()));
    if std::env::var_os("HARTWRIGHT_BLESS").is_some() {
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        pages.iter().for_each(|(name, page)| fs::write(folder.join(name), page).unwrap());
    }
    let there: BTreeMap<String, String> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask docs` writes it", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into(), fs::read_to_string(path).unwrap()))
        .collect();
    assert_eq!(there.keys().collect::<Vec<_>>(), pages.keys().collect::<Vec<_>>(), "run `cargo xtask docs`");
    for (name, page) in pages {
        let differs = there[&name].lines().zip(page.lines()).find(|(there, page)| there != page);
        assert!(there[&name] == page, "docs/devices/{name} is old, run `cargo xtask docs`: {differs:?}");
    }
}

#[test]
fn every_register_says_what_it_is_for() {
    for device in devices() {
        for row in device.table().rows {
            assert!(!row.doc.is_empty(), "{}.{} has no doc comment", device.class().name, row.name);
        }
    }
}

#[test]
fn no_access_makes_a_device_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u8
    };
    for mut device in devices() {
        device.realize(Wiring::default()).unwrap();
        device.reset();
        for _ in 0..50 {
            let bytes: Vec<u8> = (0..4000).map(|_| next()).collect();
            any_access(&mut *device, &bytes);
        }
    }
}
