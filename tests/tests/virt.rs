//! Linux on machine `virt`: its harts in two nodes, its clock, its slots and its switches.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, SHELL as PROMPT, Scratch, guest, peer};
use std::ffi::OsStr;
use xtask::initramfs::MARKER;

/// Debian's kernel on `virt`, up to busybox.
fn linux(bios: impl AsRef<OsStr>, harts: u32) -> Launch {
    Launch::program()
        .option("-machine", "virt")
        .argument("-nographic")
        .memory("512M")
        .harts(harts)
        .bios(bios)
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("busybox", "initrd.gz"))
}

fn reach_shell(machine: &mut Machine) {
    machine.patience(180).expect("Linux version 6.").expect(MARKER).expect(PROMPT);
    machine.patience(90);
}

#[test]
fn linux_finds_two_nodes_and_comes_back_after_a_reboot() {
    let mut machine = linux(guest("opensbi-1.6", "fw_dynamic.bin"), 4)
        .option("-machine", "virt,aclint=on")
        .option("-numa", "node,mem=256M,cpus=0-1")
        .option("-numa", "node,mem=256M,cpus=2-3")
        .option("-rtc", "base=2020-02-03T04:05:06")
        .append("console=ttyS0")
        .start();
    reach_shell(&mut machine);
    let text = machine.transcript().text().to_owned();
    assert!(text.contains("smp: Brought up 2 nodes, 4 CPUs"), "{text}");
    assert!(text.contains("system clock to 2020-02-03T04:"), "{text}");
    let devices = machine.ask("ls /sys/bus/platform/devices", PROMPT);
    for device in
        ["101000.rtc", "10000000.serial", "10001000.virtio_mmio", "10008000.virtio_mmio", "poweroff"]
    {
        assert!(devices.contains(device), "{device} is not in {devices}");
    }
    machine.send("reboot -f\r");
    reach_shell(&mut machine);
    machine.send("poweroff -f\r").expect("Power down");
    assert_eq!(machine.wait_exit(), 0);
}

/// Up to a shell, `reboot`, up to a shell again, every hart used, and `poweroff`.
#[track_caller]
fn comes_back(bios: impl AsRef<OsStr>, harts: u32) {
    let mut machine = linux(bios, harts).append("console=ttyS0").start();
    reach_shell(&mut machine);
    machine.send("reboot -f\r").expect("reboot: Restarting system");
    reach_shell(&mut machine);
    let up = format!("smp: Brought up 1 node, {harts} CPU");
    assert_eq!(machine.transcript().text().matches(&up).count(), 2, "{up}");
    // All at once, on however few cores of the host: each ends only if it gets on.
    let sums = machine
        .ask(&format!("for i in $(seq {harts}); do (yes|head -c 300000|sha256sum)& done; wait"), PROMPT);
    assert_eq!(sums.matches("4cc9b21867b28f74").count(), harts as usize, "{sums}");
    machine.send("poweroff -f\r").expect("reboot: Power down");
    assert_eq!(machine.wait_exit(), 0);
}

#[test]
fn eight_harts_come_back_after_a_reboot_without_firmware() {
    if peer().is_none() {
        comes_back("builtin", 8);
    }
}

#[test]
fn one_four_and_eight_harts_come_back_after_a_reboot_with_either_firmware() {
    if std::env::var_os("HARTWRIGHT_FULL").is_none() {
        return; // Eight harts without firmware, and four with, are elsewhere here.
    }
    for harts in [1, 4, 8] {
        comes_back(guest("opensbi-1.6", "fw_dynamic.bin"), harts);
        if peer().is_none() {
            comes_back("builtin", harts);
        }
    }
}

/// Console, and instructions of each hart, of a boot to power-off with nothing in it that is chance.
fn counted() -> (String, String) {
    let folder = Scratch::default();
    let mut machine = linux(guest("opensbi-1.6", "fw_dynamic.bin"), 1)
        .append("console=ttyS0 rdinit=/bin/busybox -- poweroff -f")
        .option("-icount", "shift=0,sleep=off")
        .option("-rtc", "base=2026-01-01,clock=vm")
        .option("-seed", "1")
        .option("-device", "virtio-rng-device")
        .option("-d", "instret")
        .option("-D", folder.path("log"))
        .start();
    machine.patience(240).expect("reboot: Power down");
    assert_eq!(machine.wait_exit(), 0);
    (machine.transcript().text().to_owned(), folder.text("log"))
}

#[test]
fn two_counted_boots_with_a_date_and_a_seed_are_alike_to_the_instruction() {
    if peer().is_some() || std::env::var_os("HARTWRIGHT_FULL").is_none() {
        return; // QEMU tells no counts; and here `icount.rs` boots twice already.
    }
    let first = counted();
    assert!(first.0.contains("setting system clock to 2026-01-01T00:00:00 UTC"), "{}", first.0);
    assert!(first.1.starts_with("instret: hart 0: "), "{}", first.1);
    assert!(first == counted(), "{}", first.1);
}
