//! Time counted in instructions: two runs of a machine without input are alike.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Scratch, guest};

/// Debian's kernel from reset to power-off, its time counted with `icount`: what was on the console, and how many
/// instructions each hart took.
fn boot(icount: &str, harts: u32) -> (String, String) {
    let folder = Scratch::default();
    let machine = Launch::machine()
        .memory("256M")
        .harts(harts)
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("busybox", "initrd.gz"))
        .append("rdinit=/bin/busybox -- poweroff -f")
        .option("-icount", icount)
        .option("-seed", "1")
        .option("-d", "instret")
        .option("-D", folder.path("log"));
    let mut machine = machine.start();
    machine.patience(240).expect("reboot: Power down");
    assert_eq!(machine.wait_exit(), 0);
    (machine.transcript().text().to_owned(), folder.text("log"))
}

#[test]
fn two_boots_of_one_hart_are_alike_to_the_instruction() {
    let first = boot("shift=0,sleep=off", 1);
    assert!(first.1.starts_with("instret: hart 0: "), "{}", first.1);
    assert!(first == boot("shift=0,sleep=off", 1), "{}", first.1);
}

#[test]
fn two_boots_of_three_harts_are_alike_to_the_instruction() {
    let first = boot("shift=2,sleep=off", 3);
    assert_eq!(first.1.lines().count(), 3, "{}", first.1);
    assert!(first == boot("shift=2,sleep=off", 3), "{}", first.1);
}

#[test]
fn time_that_follows_the_host_boots_too() {
    boot("shift=auto", 2);
}
