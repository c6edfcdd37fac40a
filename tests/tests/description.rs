//! A machine is a text: written, edited, and run as edited.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, SHELL, Scratch, guest};
use xtask::initramfs::MARKER;

/// The description of `machine`, a name or a file.
fn dump(folder: &Scratch, machine: &str, to: &str) -> String {
    let machine = format!("{machine},dumpspec={}", folder.path(to).display());
    let outcome = Launch::program().option("-machine", machine).run();
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
    folder.text(to)
}

/// `param` with its UART at 0x1001_0000 and a second one at 0x1002_0000 on another line of the PLIC.
fn changed(folder: &Scratch) -> String {
    let text = dump(folder, "param", "p.toml");
    let (moved, others) = ("base = 0x1001_0000", "base = 0x1000_0000");
    assert_eq!(text.matches(others).count(), 1, "{text}");
    text.replace(others, moved) + SECOND
}

const SECOND: &str = r#"
[[device]]
name = "uart1"
type = "ns16550a"
base = 0x1002_0000
size = 0x100
lines = { irq = "plic:11" }
chardev = "serial1"
"#;

#[test]
fn the_dump_of_a_dump_is_the_same_text() {
    let folder = Scratch::default();
    let first = dump(&folder, "param", "first.toml");
    let second = dump(&folder, &folder.path("first.toml").display().to_string(), "second.toml");
    assert_eq!(first, second);
    let other = folder.file("changed.toml", changed(&folder));
    let third = dump(&folder, &other.display().to_string(), "third.toml");
    let fourth = dump(&folder, &folder.path("third.toml").display().to_string(), "fourth.toml");
    assert_eq!(third, fourth);
    assert!(third.contains("uart1"), "{third}");
}

#[test]
fn what_options_add_is_in_the_dump() {
    let folder = Scratch::default();
    let to = folder.path("p.toml");
    let outcome = Launch::program()
        .option("-machine", format!("param,dumpspec={}", to.display()))
        .harts(3)
        .memory("64M")
        .option("-device", "ns16550a,id=second,addr=0x10010000,irq=11,chardev=serial1")
        .run();
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
    let mut machine = Launch::program().option("-machine", to).argument("-nographic").start();
    machine.expect(FIRMWARE);
    let facts = machine.ask("info", FIRMWARE);
    for fact in
        ["harts      3,", "64 MiB  memory@80000000", "serial@10010000          ns16550a             irq 11"]
    {
        assert!(facts.contains(fact), "{fact:?} is not in:\n{facts}");
    }
}

#[test]
fn linux_uses_a_machine_whose_uart_moved_and_which_has_a_second() {
    let folder = Scratch::default();
    let description = folder.file("changed.toml", changed(&folder));
    let mut machine = Launch::program()
        .option("-machine", description)
        .memory("256M")
        .option("-serial", "mon:stdio")
        .option("-serial", format!("file:{}", folder.path("second").display()))
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("busybox", "initrd.gz"))
        .start();
    machine.patience(120).expect_match(r"Platform Console Device +: (ns16550|uart8250)\r");
    machine.expect("10010000.serial: ttyS0 at MMIO 0x10010000 (irq = ");
    machine.expect("10020000.serial: ttyS1 at MMIO 0x10020000 (irq = ");
    machine.expect(MARKER).expect(SHELL);
    machine.ask("echo from Linux to the second UART > /dev/ttyS1", SHELL);
    let interrupts = machine.ask("sleep 2 > /dev/ttyS1 & cat /proc/interrupts", SHELL);
    assert!(interrupts.contains("ttyS1"), "{interrupts}");
    machine.send("poweroff\r");
    assert_eq!(machine.wait_exit(), 0);
    assert_eq!(folder.text("second"), "from Linux to the second UART\r\n");
}

#[test]
fn an_overlap_is_one_error_that_names_both_lines() {
    let folder = Scratch::default();
    let text = changed(&folder).replace("base = 0x1002_0000", "base = 0x1001_0080");
    let line = |of: &str| text.lines().position(|line| line.starts_with(of)).map_or(0, |at| at + 1);
    let (first, second) = (line("base = 0x1001_0000"), line("base = 0x1001_0080"));
    let file = folder.file("overlap.toml", &text);
    let outcome = Launch::program().option("-machine", &file).argument("-nographic").run();
    assert_eq!((outcome.code, outcome.output.as_str()), (Some(1), ""));
    let said = outcome.errors;
    assert_eq!(said.matches("overlaps").count(), 1, "{said}");
    assert!(said.contains(&format!("overlap.toml:{first}")), "{first} is not in {said}");
    assert!(said.contains(&format!("overlap.toml:{second}:8")), "{second} is not in {said}");
}

#[test]
fn the_device_tree_can_be_had_and_given_back() {
    let folder = Scratch::default();
    let tree = folder.path("p.dtb");
    let outcome = Launch::program().option("-machine", format!("param,dumpdtb={}", tree.display())).run();
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
    let bytes = std::fs::read(&tree).expect("the device tree was written");
    assert_eq!(bytes[..4], [0xd0, 0x0d, 0xfe, 0xed]);
    let mut machine = Launch::machine().option("-dtb", tree).start();
    machine.expect("hartwright,param").expect(FIRMWARE);
}
