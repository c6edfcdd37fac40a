//! Debian's kernel without firmware: the emulator answers its calls (`-bios builtin`).
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, SHELL as PROMPT, guest, peer};
use xtask::initramfs::MARKER;

fn linux() -> Launch {
    Launch::machine()
        .memory("512M")
        .bios("builtin")
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("busybox", "initrd.gz"))
}

fn reach_shell(machine: &mut Machine) {
    machine.patience(120).expect("Linux version 6.").expect(MARKER).expect(PROMPT);
    machine.patience(60);
}

fn power_off(machine: &mut Machine) {
    machine.send("poweroff\r").expect("Power down");
    assert_eq!(machine.wait_exit(), 0);
}

#[test]
fn two_harts_reach_a_shell_and_power_off_and_the_kernel_finds_the_extensions() {
    if peer().is_some() {
        return; // No peer has this.
    }
    let mut machine = linux().harts(2).append("earlycon=sbi").start();
    reach_shell(&mut machine);
    let said = machine.transcript().text();
    for line in [
        "SBI specification v2.0 detected",
        "SBI TIME extension detected",
        "SBI IPI extension detected",
        "SBI RFENCE extension detected",
        "SBI SRST extension detected",
        "SBI DBCN extension detected",
        "SBI HSM extension detected",
        "earlycon: sbi0",
        "Timer interrupt in S-mode is available via sstc",
        "riscv-pmu-sbi: 0 firmware and 18 hardware counters",
        "smp: Brought up 1 node, 2 CPUs",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let processors = machine.ask("cat /proc/cpuinfo", PROMPT);
    assert_eq!(processors.matches("processor\t").count(), 2, "{processors}");
    let worked =
        machine.ask("for i in 0 1; do taskset -p $((1<<i)) $$ >&-; cat /proc/self/stat; done", PROMPT);
    let on: Vec<_> = worked.lines().filter_map(|line| line.split(' ').nth(38)).collect();
    assert_eq!(on, ["0", "1"], "{worked}");
    // One hart goes and comes again: it is stopped, and started.
    machine.ask("cd /sys/devices/system/cpu", "cpu # ");
    let one = machine.ask("echo 0 >cpu1/online; cat online", "cpu # ");
    assert!(!one.contains("0-1"), "{one}");
    let both = machine.ask("echo 1 >cpu1/online; cat online", "cpu # ");
    assert!(both.contains("0-1"), "{both}");
    power_off(&mut machine);
}

#[test]
fn reboot_starts_the_kernel_again() {
    if peer().is_some() {
        return;
    }
    let mut machine = linux().harts(2).start();
    reach_shell(&mut machine);
    machine.send("reboot\r").expect("reboot: Restarting system");
    reach_shell(&mut machine);
    power_off(&mut machine);
}

#[test]
fn eight_harts_of_the_largest_model_boot_and_without_sstc_one_does() {
    if peer().is_some() {
        return;
    }
    for (model, harts, timer) in [("max", 8, "via sstc"), ("rv64,sstc=off", 1, "Timer interrupt")] {
        let mut machine = linux().option("-cpu", model).harts(harts).start();
        reach_shell(&mut machine);
        let processors = machine.ask("cat /proc/cpuinfo", PROMPT);
        assert_eq!(processors.matches("processor\t").count(), harts as usize, "{processors}");
        let told = machine.transcript().text();
        assert_eq!(told.contains("available via sstc"), timer == "via sstc", "{told}");
        power_off(&mut machine);
    }
}

#[test]
fn without_a_kernel_there_is_nothing_to_answer() {
    if peer().is_some() {
        return;
    }
    let ended = Launch::machine().bios("builtin").run();
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("-kernel FILE names one"), "{}", ended.errors);
    let ended =
        Launch::machine().bios("builtin").option("-cpu", "x-rv128").kernel(guest("linux", "vmlinux")).run();
    assert!(ended.errors.contains("is for harts of 64 bits, and these have 128"), "{}", ended.errors);
}
