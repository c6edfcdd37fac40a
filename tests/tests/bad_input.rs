//! What a user gets wrong is one clear line and exit code 1, never a panic.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Outcome, guest, peer};
use std::{fs, path::PathBuf};

/// A file in a folder of its own for this test run.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hartwright-bad-input-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the host has room for a small file");
    let path = folder.join(name);
    fs::write(&path, content).expect("the host has room for a small file");
    path
}

/// Runs `launch` and asks that it fails with one message that has `text` in it.
#[track_caller]
fn refused(launch: Launch, text: &str) -> Outcome {
    let shown = format!("{:?}", launch.command());
    let outcome = launch.run();
    assert_eq!(outcome.code, Some(1), "{shown}\n{}{}", outcome.output, outcome.errors);
    let all = &outcome.errors;
    // A program may say more besides, as QEMU does about a file that is not there.
    let message = all.lines().find(|line| line.contains(text));
    assert!(message.is_some_and(|line| line.contains(": ")), "{shown}\nsaid: {all}\nexpected: {text}");
    assert!(!all.contains("panicked"), "{all}");
    outcome
}

#[test]
fn options_that_make_no_sense_are_refused_in_qemu_s_words() {
    let machine = || Launch::machine().argument("-S");
    refused(Launch::program().option("-machine", "foo"), "unsupported machine type");
    refused(Launch::program().argument("-M"), "-M: requires an argument");
    refused(machine().argument("-foo"), "-foo: invalid option");
    refused(machine().option("-cpu", "foo"), "unable to find CPU model 'foo'");
    refused(machine().option("-m", "abc"), "Parameter 'size' expects a non-negative number below 2^64");
    refused(machine().option("-smp", "x"), "Parameter 'smp.cpus' expects integer");
    refused(machine().option("-device", "foo"), "-device foo: 'foo' is not a valid device model name");
    refused(machine().option("-append", "x"), "-append only allowed with -kernel option");
    refused(machine().option("-kernel", "/nonexist"), "could not load kernel '/nonexist'");
    if peer().as_deref() != Some("qemu") {
        // 7.2 has other words for it.
        refused(machine().option("-bios", "/nonexist"), "Unable to find the RISC-V BIOS \"/nonexist\"");
    }
    refused(machine().option("-accel", "foo"), "invalid accelerator foo");
    refused(machine().option("-chardev", "foo,id=a"), "'foo' is not a valid char driver name");
}

#[test]
fn files_that_do_not_fit_are_refused_by_name() {
    if peer().is_some() {
        return; // QEMU takes some of these, and crashes on none: the words are ours.
    }
    let kernel = fs::read(guest("u-boot", "smode.elf")).expect("a fetched guest can be read");
    let machine = || Launch::machine().option("-bios", "none");
    let cut = file("cut.elf", &kernel[..kernel.len() / 2]);
    refused(machine().kernel(&cut), "cut.elf");
    let header = file("header.elf", &kernel[..40]);
    refused(machine().kernel(&header), "header.elf");
    refused(machine().kernel("/bin/true"), "/bin/true");
    let tree = file("bad.dtb", b"this is no device tree");
    refused(machine().kernel(guest("u-boot", "smode.elf")).option("-dtb", &tree), "bad.dtb");
    refused(Launch::machine().memory("16M").kernel(guest("linux", "vmlinux")), "vmlinux");
    let toml = file("bad.toml", b"[machine\nname = 3\n");
    refused(Launch::program().option("-machine", &toml), "bad.toml");
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    if peer().is_some() {
        return; // `virt` has another number of harts and a least memory of its own.
    }
    refused(
        Launch::machine().option("-smp", "0"),
        "Invalid CPU topology: CPU topology parameters must be greater than zero",
    );
    refused(Launch::machine().option("-smp", "9"), "The max CPUs supported by machine 'param' is 8");
    refused(Launch::machine().option("-m", "0"), "-m 0");
    refused(Launch::program().option("-machine", "param,foo=on"), "'param-machine.foo' not found");
}

#[test]
fn a_firmware_that_overlaps_the_kernel_names_bios_none() {
    if peer().is_some() {
        return; // 7.2 says which regions overlap, and not what to do.
    }
    let outcome = refused(Launch::machine().kernel(guest("u-boot", "mmode.elf")), "");
    assert!(outcome.errors.contains("-bios none"), "{}", outcome.errors);
}
