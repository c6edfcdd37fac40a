//! A disk over virtio, as U-Boot's own drivers find it, with the legacy interface and the modern one.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Scratch, guest};
use std::fs;

const PROMPT: &str = "\n=> ";
const SECTOR: usize = 512;

#[test]
fn u_boot_reads_and_writes_a_disk() {
    for legacy in ["on", "off"] {
        let scratch = Scratch::default();
        let content: Vec<u8> = (0..4096 * SECTOR).map(|at| (at / SECTOR * 7 + at) as u8).collect();
        let disk = scratch.file("disk.img", &content);
        let mut machine = Launch::program()
            .option("-machine", "virt")
            .argument("-nographic")
            .memory("256M")
            .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
            .kernel(guest("u-boot", "smode.bin"))
            .option("-global", format!("virtio-mmio.force-legacy={legacy}"))
            .option("-drive", format!("file={},format=raw,if=none,id=hd0", disk.display()))
            .option("-device", "virtio-blk-device,drive=hd0,serial=of-a-test")
            .start();
        machine.patience(120);
        machine.expect("Hit any key to stop autoboot").send(" ").expect(PROMPT);
        machine.ask("virtio scan", PROMPT);
        let told = machine.ask("virtio info", PROMPT);
        assert!(told.contains("Capacity: 2.0 MB = 0.0 GB (4096 x 512)"), "{told}");

        // All of it, and sums over it that U-Boot makes.
        machine.ask("virtio read 0x84000000 0 1000", PROMPT);
        let sum = machine.ask("crc32 0x84000000 0x200000", PROMPT);
        assert!(sum.contains(&format!("==> {:08x}", crc32(&content))), "{sum}");

        // Sectors 16 to 23 become what 0 to 7 are.
        let told = machine.ask("virtio write 0x84000000 10 8", PROMPT);
        assert!(told.contains("8 blocks written: OK"), "{told}");
        assert_eq!(machine.send("poweroff\n").wait_exit(), 0);
        let after = fs::read(&disk).unwrap();
        assert!(after[16 * SECTOR..24 * SECTOR] == content[..8 * SECTOR], "what was written is there");
        assert!(
            after[..16 * SECTOR] == content[..16 * SECTOR] && after[24 * SECTOR..] == content[24 * SECTOR..]
        );
    }
}

/// The sum that U-Boot's `crc32` makes (IEEE 802.3, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum: u32, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
