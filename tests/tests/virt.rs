//! Linux on machine `virt`: its harts in two nodes, its clock, its slots and its switches.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, SHELL as PROMPT, guest};
use xtask::initramfs::MARKER;

fn reach_shell(machine: &mut Machine) {
    machine.patience(180).expect("Linux version 6.").expect(MARKER).expect(PROMPT);
    machine.patience(90);
}

#[test]
fn linux_finds_two_nodes_and_comes_back_after_a_reboot() {
    let mut machine = Launch::program()
        .option("-machine", "virt,aclint=on")
        .argument("-nographic")
        .memory("512M")
        .harts(4)
        .option("-numa", "node,mem=256M,cpus=0-1")
        .option("-numa", "node,mem=256M,cpus=2-3")
        .option("-rtc", "base=2020-02-03T04:05:06")
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("busybox", "initrd.gz"))
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
