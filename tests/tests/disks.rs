//! A disk as firmware sees it: U-Boot reads one, writes one, and finds it as it left it.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, Scratch, guest, peer};
use std::{fs, path::Path};

const PROMPT: &str = "\n=> ";
const SECTORS: usize = 0x800;

/// U-Boot at its prompt, with this disk.
fn with_disk(drive: &str) -> Machine {
    let mut machine = Launch::program()
        .option("-machine", "virt")
        .argument("-nographic")
        .memory("256M")
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
        .kernel(guest("u-boot", "smode.elf"))
        .option("-drive", format!("if=none,id=hd0,{drive}"))
        .option("-device", "virtio-blk-device,drive=hd0")
        .start();
    machine.patience(120);
    machine.expect("U-Boot 20").expect("Hit any key to stop autoboot").send(" ").expect(PROMPT);
    machine.ask("virtio scan", PROMPT);
    machine
}

/// Ends it through its monitor, as a person would.
fn quit(mut machine: Machine) {
    machine.enter_monitor().send("quit\r");
    assert_eq!(machine.wait_exit(), 0);
}

/// Bytes that differ from sector to sector.
fn pattern() -> Vec<u8> {
    (0..SECTORS * 512).map(|at| (at >> 9) as u8 ^ (at as u8).wrapping_mul(31)).collect()
}

/// The checksum that U-Boot's `crc32` prints.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, bit: u32| if (crc ^ bit) & 1 != 0 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let byte = |crc, byte: &u8| (0..8).fold(crc, |crc, at| step(crc, u32::from(byte >> at & 1)));
    !bytes.iter().fold(!0, byte)
}

/// Reads all of the disk, writes two sectors in it, reads them again.
fn use_it(mut machine: Machine) {
    let read = machine.ask("virtio read 0x84000000 0 0x800", PROMPT);
    assert!(read.contains("2048 blocks read: OK"), "{read}");
    let sum = machine.ask("crc32 0x84000000 0x100000", PROMPT);
    assert!(sum.contains(&format!("==> {:08x}", crc32(&pattern()))), "{sum}");
    machine.ask("mw.b 0x85000000 0x5a 0x400", PROMPT);
    let written = machine.ask("virtio write 0x85000000 0x10 2", PROMPT);
    assert!(written.contains("2 blocks written: OK"), "{written}");
    machine.ask("virtio read 0x86000000 0xf 4", PROMPT);
    let dump = machine.ask("md.b 0x860001fe 4", PROMPT);
    assert!(dump.contains("5a 5a"), "{dump}");
    quit(machine);
}

fn changed() -> Vec<u8> {
    let mut bytes = pattern();
    bytes[0x10 * 512..0x12 * 512].fill(0x5a);
    bytes
}

/// What `hartwright img` says to these words.
fn img(words: &[&str]) -> i32 {
    let launch = words.iter().fold(Launch::program().argument("img"), Launch::argument);
    launch.run().code.unwrap_or(-1)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn u_boot_reads_and_writes_a_raw_disk() {
    let folder = Scratch::default();
    let path = folder.file("disk", pattern());
    use_it(with_disk(&format!("file={},format=raw", text(&path))));
    assert!(fs::read(path).unwrap() == changed());
}

#[test]
fn u_boot_reads_and_writes_a_qcow2_disk_on_top_of_another() {
    // The peer has no `img`.
    if peer().is_some() {
        return;
    }
    let folder = Scratch::default();
    let (raw, below, over, back) =
        (folder.file("raw", pattern()), folder.path("below"), folder.path("over"), folder.path("back"));
    assert_eq!(img(&["convert", "-f", "raw", "-O", "qcow2", text(&raw), text(&below)]), 0);
    assert_eq!(img(&["create", "-q", "-f", "qcow2", "-b", text(&below), "-F", "qcow2", text(&over)]), 0);
    let before = fs::read(&below).unwrap();
    use_it(with_disk(&format!("file={},format=qcow2,cache=writethrough", text(&over))));
    assert_eq!(img(&["check", text(&over)]), 0);
    assert_eq!(img(&["convert", "-O", "raw", text(&over), text(&back)]), 0);
    assert!(fs::read(back).unwrap() == changed());
    assert!(fs::read(below).unwrap() == before);
}

#[test]
fn what_u_boot_writes_to_a_snapshot_is_gone() {
    let folder = Scratch::default();
    let path = folder.file("disk", pattern());
    use_it(with_disk(&format!("file={},format=raw,snapshot=on", text(&path))));
    assert!(fs::read(path).unwrap() == pattern());
}

#[test]
fn a_disk_that_another_machine_has_is_refused() {
    let folder = Scratch::default();
    let path = folder.file("disk", pattern());
    let drive = format!("if=none,id=hd0,file={},format=raw", text(&path));
    let launch = || {
        let launch = Launch::program().option("-machine", "virt").argument("-nographic").argument("-S");
        launch.option("-drive", &drive).option("-device", "virtio-blk-device,drive=hd0")
    };
    let mut first = launch().start();
    first.enter_monitor();
    let second = launch().run();
    assert_eq!(second.code, Some(1));
    let words =
        format!("Failed to get \"write\" lock\nIs another process using the image [{}]?\n", text(&path));
    assert!(second.errors.ends_with(&words), "{}", second.errors);
    first.send("quit\r");
    assert_eq!(first.wait_exit(), 0);
}
