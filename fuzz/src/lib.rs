//! Fuzz targets: everything that reads bytes which nobody vouches for, each as a function of any bytes.
//!
//! A target must return, whatever it is given: a panic, a hang or memory without end is a mistake of ours. `runner/`
//! beside this crate makes libFuzzer drive them (`cargo xtask fuzz`), and `tests/replay.rs` runs them over what is
//! kept: `seeds/TARGET` to begin from, `found/TARGET` for what was wrong once. No target touches the host: it opens no
//! host end and writes no file.

#![forbid(unsafe_code)]

mod bytes;
mod command_line;
mod decoder;
mod files;
mod gdb;
mod harts;
mod machine_files;
mod monitor;
mod registers;
mod sbi;
mod stage;

use hartwright_virtio::any_guest;

/// Something that reads bytes.
pub struct Target {
    /// What it is called, and its folders with it.
    pub name: &'static str,
    /// What it is given, in a few words.
    pub about: &'static str,
    /// The most bytes that are of use to it.
    pub longest: usize,
    /// Gives it `data`.
    pub run: fn(data: &[u8]),
    /// Words that a fuzzer would hardly guess, from the tables that know them.
    pub words: fn() -> Vec<String>,
}

/// Every target.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "elf",           about: "an ELF file, for harts of both widths",                    longest: 1 << 12, run: files::elf,                 words: Vec::new },
    Target { name: "packed",        about: "a gzip or zstd file, a Linux Image, anything that is loaded", longest: 1 << 12, run: files::packed,            words: Vec::new },
    Target { name: "device-tree",   about: "a device tree's blob",                                      longest: 1 << 12, run: files::device_tree,         words: Vec::new },
    Target { name: "machine-files", about: "machine files: read, checked, built, written",             longest: 1 << 12, run: machine_files::run,          words: machine_files::words },
    Target { name: "command-line",  about: "a command line, up to a machine that is not run",           longest: 1 << 10, run: command_line::run,          words: command_line::words },
    Target { name: "monitor",       about: "keys typed at the monitor",                                longest: 1 << 9,  run: monitor::run,                words: monitor::words },
    Target { name: "gdb",           about: "packets of a debugger",                                    longest: 1 << 9,  run: gdb::run,                    words: gdb::words },
    Target { name: "decoder",       about: "instructions decoded and shown, at three widths",          longest: 1 << 8,  run: decoder::run,                words: Vec::new },
    Target { name: "instructions",  about: "instructions run on a hart of any model, from any state",  longest: 1 << 10, run: harts::instructions,         words: Vec::new },
    Target { name: "qcow2",         about: "a disk's image: opened, read, written, opened again",       longest: 1 << 13, run: hartwright_block::any_image, words: Vec::new },
    Target { name: "program",       about: "a program on two harts of `param`, with its devices",      longest: 1 << 11, run: harts::program,              words: Vec::new },
    Target { name: "sbi",           about: "calls of S-mode with any registers, and programs that make them", longest: 1 << 10, run: sbi::run,             words: Vec::new },
    Target { name: "virtio-balloon", about: "a driver of that card, its rings in memory",                   longest: 1 << 11, run: |data| any_guest("virtio-balloon-device", data), words: Vec::new },
    Target { name: "virtio-blk",     about: "a driver of that card, its rings in memory",                   longest: 1 << 11, run: |data| any_guest("virtio-blk-device", data), words: Vec::new },
    Target { name: "virtio-rng",     about: "a driver of that card, its rings in memory",                   longest: 1 << 11, run: |data| any_guest("virtio-rng-device", data), words: Vec::new },
    Target { name: "virtio-serial",  about: "a driver of that card, its rings in memory",                   longest: 1 << 11, run: |data| any_guest("virtio-serial-device", data), words: Vec::new },
    Target { name: "registers",     about: "accesses to every device type that is linked in",          longest: 1 << 11, run: registers::run,              words: Vec::new },
];

/// The target called `name`.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_virtio_card_is_a_target() {
        let cards = stage::registry().classes().filter(|class| class.bus == Some("virtio-bus"));
        let named = cards.map(|card| card.name.trim_end_matches("-device"));
        let targets = TARGETS.iter().map(|target| target.name).filter(|name| name.starts_with("virtio-"));
        assert_eq!(named.collect::<Vec<_>>(), targets.collect::<Vec<_>>());
    }
}
