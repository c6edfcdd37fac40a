//! The same random accesses to our slots and to QEMU's, empty and with each card, over QEMU's device-test protocol.
//!
//! QEMU 7.2 is another opinion, not the law. Where ours differs on purpose, the accesses stay clear of it:
//!
//! - A write of 0 to QueuePFN forgets that queue (virtio 1.2, 4.2.4); in QEMU it resets the whole device.
//! - FEATURES_OK is not set if the driver accepts what was not offered (2.2.2); QEMU drops those bits.
//! - A queue is not changed while it is ready (4.2.2.2), and one that is not there is never ready.
//! - Registers are 32 bits wide: narrower reads give 0, also of an empty slot.
//! - There is a register QueueReset, as RING_RESET is offered, and SHMBase says that there is no region (4.2.2).
//!
//! Without `qemu-system-riscv64` the test says so and passes.

#![forbid(unsafe_code)]

use hartwright_device::{BlockInfo, BlockPort, Device, Locked, NewCard, Wiring};
use hartwright_objects::{Globals, Registry};
use hartwright_virtio::VirtioMmio;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

/// Where `virt` has the slot that a card takes first.
const SLOT: u64 = 0x1000_8000;

/// A card with the options by which QEMU has it too.
const CARDS: [(&str, &[&str]); 5] = [
    ("", &[]),
    (
        "virtio-blk-device",
        &[
            "-blockdev",
            "driver=null-co,node-name=disk,size=10485760",
            "-device",
            "virtio-blk-device,drive=disk",
        ],
    ),
    ("virtio-serial-device", &["-device", "virtio-serial-device"]),
    ("virtio-rng-device", &["-device", "virtio-rng-device"]),
    ("virtio-balloon-device", &["-device", "virtio-balloon-device"]),
];

/// An access: offset, bytes, and what is written; a read otherwise.
type Access = (u64, u8, Option<u64>);

/// xorshift64: the same accesses in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % n
    }
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// What a driver might do before it is ready, in any order.
fn accesses(legacy: bool, seed: u64) -> Vec<Access> {
    let mut random = Random(seed);
    let mut all = vec![];
    for _ in 0..4000 {
        let word = random.below(1 << 32);
        let size = random.of(&[1, 2, 4]);
        all.push(match random.below(14) {
            0 => (0x14, 4, Some(random.below(3))),
            1 => (0x28, 4, Some(random.of(&[0, 1, 512, 4096, 1 << 31]))),
            2 | 3 => (0x30, 4, Some(random.of(&[0, 0, 1, 2, 3, 63, 64, 70]))),
            4 => (0x38, 4, Some(1 << random.below(11))),
            5 if legacy => (0x40, 4, Some(word | 1)),
            5 => (random.of(&[0x80, 0x84, 0x90, 0xa4]), 4, Some(word & !0xf)),
            6 => (0x64, 4, Some(word)),
            7 => (0x70, 4, Some(random.of(&[0, 1, 3, 3, 0x83]))),
            8 => (0x100 + random.below(0x100) / 8 * 8, 8, None),
            9 => (0x100 + random.below(80) / u64::from(size) * u64::from(size), size, None),
            10 => (random.of(&[0x70, 0x60, 0x34, 0x10, 0x40, 0x44, 0xfc]), 4, None),
            11 => (random.below(0xb8) / 8 * 8, 8, None),
            // Not where reads differ on purpose.
            _ => (random.below(0xac / 4) * 4, 4, None),
        });
    }
    all
}

/// What the reads among `accesses` give in QEMU; nothing if it is not there.
fn theirs(options: &[&str], legacy: bool, accesses: &[Access]) -> Option<Vec<u64>> {
    let mut command = Command::new("qemu-system-riscv64");
    command.args(["-machine", "virt", "-S", "-qtest", "stdio", "-qtest-log", "/dev/null"]);
    command.args(["-display", "none", "-monitor", "none", "-serial", "null", "-global"]);
    command.arg(format!("virtio-mmio.force-legacy={}", if legacy { "on" } else { "off" }));
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut process) = command.spawn() else {
        eprintln!("skipped: qemu-system-riscv64 is not installed");
        return None;
    };
    let (mut to, from) = (process.stdin.take()?, BufReader::new(process.stdout.take()?));
    let script: String = accesses
        .iter()
        .map(|(offset, size, value)| {
            let (letter, at) = (['b', 'w', 'l', 'q'][size.trailing_zeros() as usize], SLOT + offset);
            match value {
                Some(value) => format!("write{letter} {at:#x} {value:#x}\n"),
                None => format!("read{letter} {at:#x}\n"),
            }
        })
        .collect();
    // Its answers must be read while it is asked, or both wait.
    let asking = thread::spawn(move || to.write_all(script.as_bytes()).map(|()| to));
    let mut answers = vec![];
    let told = from.lines().map_while(Result::ok).filter(|line| line.starts_with("OK"));
    for ((_, _, value), line) in accesses.iter().zip(told) {
        if value.is_none() {
            let hex = line.trim_start_matches("OK 0x");
            answers.push(u64::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("{line:?}")));
        }
    }
    drop(asking.join());
    let _ = process.kill();
    let _ = process.wait();
    Some(answers)
}

fn ours(class: &str, legacy: bool, accesses: &[Access]) -> Vec<u64> {
    let mut device = VirtioMmio::with_legacy(legacy);
    if !class.is_empty() {
        let registry = Registry::linked().unwrap();
        device.plug(&NewCard { registry: &registry, globals: &Globals::new(), class }).unwrap();
        // Only one of them has a drive.
        let _ = device.cards_mut()[0].give("drive", &"disk".into());
    }
    let block = BlockPort::default();
    let info = BlockInfo {
        bytes: 10 << 20,
        read_only: false,
        logical_block_size: 512,
        physical_block_size: 512,
        write_cache: true,
        discard: true,
        serial: String::new(),
    };
    block.connect(info, Arc::new(|| {}));
    let device = Locked::new(Box::new(device));
    device.wire(Wiring { cards: vec![Wiring { block, ..Wiring::default() }], ..Wiring::default() }).unwrap();
    let mut answers = vec![];
    for (offset, size, value) in accesses {
        device.with(|device| match value {
            Some(value) => device.write(*offset, *size, *value).unwrap(),
            None => answers.push(device.read(*offset, *size).unwrap()),
        });
    }
    answers
}

#[test]
fn slots_do_as_qemus() {
    for (class, options) in CARDS {
        for legacy in [true, false] {
            let accesses = accesses(legacy, 0x7669_7274_696f_0001 + options.len() as u64);
            let Some(theirs) = theirs(options, legacy, &accesses) else { return };
            let ours = ours(class, legacy, &accesses);
            assert_eq!(theirs.len(), ours.len(), "'{class}', legacy {legacy}: QEMU ended");
            let reads: Vec<usize> = (0..accesses.len()).filter(|at| accesses[*at].2.is_none()).collect();
            for (read, (theirs, ours)) in reads.into_iter().zip(theirs.iter().zip(&ours)) {
                if theirs != ours {
                    let tail = &accesses[read.saturating_sub(25)..=read];
                    panic!(
                        "'{class}', legacy {legacy}: QEMU reads {theirs:#x}, we {ours:#x} after {tail:x?}"
                    );
                }
            }
        }
    }
}
