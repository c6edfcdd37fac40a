//! What a user gets wrong is one clear line and exit code 1, never a panic.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Outcome, Scratch, guest, peer};
use std::{fs, os::unix::fs::PermissionsExt};

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
    if peer().is_none() {
        assert_eq!(outcome.output, "", "{shown}: errors belong on standard error");
        // One sentence, perhaps with a hint after it, or one place in a file shown as a compiler does.
        assert!((1..=4).contains(&all.lines().count()), "{shown}\nsaid: {all}");
    }
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
    let firmware = "there is no firmware of 128 bits: -bios none starts without, -bios FILE with another";
    refused(Launch::machine().option("-cpu", "x-rv128"), firmware);
    let folder = Scratch::default();
    let kernel = fs::read(guest("u-boot", "smode.elf")).expect("a fetched guest can be read");
    let machine = || Launch::machine().option("-bios", "none");
    refused(machine().kernel(folder.path("nothing")), "nothing': No such file or directory");
    refused(Launch::machine().kernel("/etc"), "/etc': it is a directory");
    let cut = folder.file("cut.elf", &kernel[..kernel.len() / 2]);
    refused(machine().kernel(&cut), "cut.elf");
    let header = folder.file("header.elf", &kernel[..40]);
    refused(machine().kernel(&header), "header.elf");
    refused(machine().kernel("/bin/true"), "x86-64");
    refused(machine().kernel(folder.file("empty", b"")), "empty");
    let smode = || Launch::machine().kernel(guest("u-boot", "smode.elf"));
    refused(smode().option("-dtb", folder.file("bad.dtb", b"this is no device tree")), "bad.dtb");
    refused(smode().option("-dtb", folder.path("no.dtb")), "no.dtb");
    refused(smode().initrd(folder.path("no.initrd")), "no.initrd");
    refused(Launch::machine().memory("16M").kernel(guest("linux", "vmlinux")), "vmlinux");
    let packed = folder.file("cut.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]);
    refused(machine().kernel(&packed), "cut.gz");
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    let folder = Scratch::default();
    let file = folder.file("locked.dtb", b"");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("it is our own file");
    if fs::read(&file).is_ok() {
        return; // root reads everything
    }
    refused(Launch::machine().option("-dtb", &file), "locked.dtb': Permission denied");
}

#[test]
fn a_description_with_an_error_is_shown_with_its_place() {
    if peer().is_some() {
        return; // QEMU has no such files.
    }
    let folder = Scratch::default();
    let good = folder.path("p.toml");
    let dumped = Launch::program().option("-machine", format!("param,dumpspec={}", good.display())).run();
    assert_eq!(dumped.code, Some(0), "{}", dumped.errors);
    let good = folder.text("p.toml");
    for (from, to, text) in [
        ("[cpu]", "[cpu", "unclosed table"),
        ("name = \"uart0\"", "name = 3", "'name' expects a string; this is the number 3"),
        ("base = 0x1000_0000", "bose = 0x1000_0000", "bose"),
        ("type = \"ns16550a\"", "type = \"ns16551\"", "no device type 'ns16551' is linked in"),
        ("irq = \"plic:10\"", "irq = \"plik:10\"", "plik"),
        ("irq = \"plic:10\"", "irq = \"plic:1000\"", "1000"),
        ("base = 0x1000_0000", "base = 0x200_0000", "overlaps"),
        ("model = \"rv64\"", "model = \"rv65\"", "rv65"),
        ("size = 0x800_0000", "size = -1", "'size' expects a number of bytes"),
        ("max = 8", "max = 0", "max"),
    ] {
        assert_eq!(good.matches(from).count(), 1, "{from:?} in\n{good}");
        let bad = folder.file("bad.toml", good.replace(from, to));
        let outcome = refused(Launch::program().option("-machine", &bad).argument("-nographic"), "bad.toml:");
        assert!(outcome.errors.contains(text), "{text:?} is not in {}", outcome.errors);
    }
    refused(Launch::program().option("-machine", folder.path("no.toml")), "no.toml");
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
    refused(Launch::machine().option("-m", "1P"), "-m asks for less");
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
