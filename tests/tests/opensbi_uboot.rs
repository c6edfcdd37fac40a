//! OpenSBI of two ages brings U-Boot to its prompt, and U-Boot's commands see the machine.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, Scratch, guest, peer};

const PROMPT: &str = "\n=> ";

/// Boots OpenSBI's `firmware` and U-Boot in S-mode, up to U-Boot's prompt.
fn boot(opensbi: &str, firmware: &str) -> Machine {
    let firmware = guest(opensbi, firmware);
    let mut machine =
        Launch::machine().memory("256M").bios(firmware).kernel(guest("u-boot", "smode.elf")).start();
    machine.patience(120);
    machine
}

/// Stops U-Boot's countdown to booting by itself.
fn reach_prompt(machine: &mut Machine) {
    machine.expect("U-Boot 20").expect("Hit any key to stop autoboot").send(" ").expect(PROMPT);
}

#[test]
fn opensbi_1_1_starts_u_boot() {
    let mut machine = boot("opensbi-1.1", "fw_jump.bin");
    machine.expect("OpenSBI v1.1");
    machine.expect("Platform HART Count       : 1");
    machine.expect("Boot HART MEDELEG");
    reach_prompt(&mut machine);
}

#[test]
fn opensbi_1_6_starts_u_boot_with_the_machine_s_facts() {
    let mut machine = boot("opensbi-1.6", "fw_dynamic.bin");
    machine.expect("OpenSBI v1.6");
    for fact in [
        r"Platform HART Count +: 1\r",
        r"Platform IPI Device +: aclint-mswi\r",
        r"Platform Timer Device +: aclint-mtimer @ \d+Hz\r",
        r"Platform Console Device +: (ns16550|uart8250)\r",
        r"Platform Reboot Device +: (syscon-reboot|sifive_test)\r",
        r"Platform Shutdown Device +: (syscon-poweroff|sifive_test)\r",
        r"Domain0 Next Address +: 0x0*80200000\r",
        r"Domain0 Next Mode +: S-mode\r",
        r"Boot HART ID +: 0\r",
        r"Boot HART Base ISA +: rv64imafdc",
        r"Boot HART PMP Count +: 16\r",
        r"Boot HART MIDELEG +: 0x",
    ] {
        machine.expect_match(fact);
    }
    reach_prompt(&mut machine);
}

#[test]
fn u_boot_s_commands_see_the_machine() {
    let mut machine = boot("opensbi-1.6", "fw_dynamic.bin");
    reach_prompt(&mut machine);

    let facts = machine.ask("bdinfo", PROMPT);
    assert!(facts.contains("0x0000000080000000"), "{facts}");
    assert!(facts.contains("0x0000000010000000"), "the memory's size is 256 MiB: {facts}");

    machine.ask("fdt addr ${fdtcontroladdr}", PROMPT);
    let tree = machine.ask("fdt print", PROMPT);
    for part in
        ["memory@80000000", "serial@10000000", "ns16550a", "riscv,plic0", "riscv,clint0", "sifive,test0"]
    {
        assert!(tree.contains(part), "{part} is not in the tree:\n{tree}");
    }

    machine.ask("mw.l 0x84000000 0x12345678 4", PROMPT);
    let dump = machine.ask("md 0x84000000 4", PROMPT);
    assert!(dump.contains("84000000: 12345678 12345678 12345678 12345678"), "{dump}");
    let crc = machine.ask("crc32 0x84000000 0x10", PROMPT);
    assert!(crc.contains("==> efbda81a"), "{crc}");
}

#[test]
fn u_boot_s_reset_starts_the_firmware_again() {
    let mut machine = boot("opensbi-1.6", "fw_dynamic.bin");
    reach_prompt(&mut machine);
    machine.send("reset\r").expect("resetting ...").expect("OpenSBI v1.6");
    reach_prompt(&mut machine);
}

#[test]
fn u_boot_s_poweroff_ends_the_program() {
    let mut machine = boot("opensbi-1.6", "fw_dynamic.bin");
    reach_prompt(&mut machine);
    machine.send("poweroff\r");
    assert_eq!(machine.wait_exit(), 0);
}

#[test]
fn a_trace_of_u_boot_s_uart_set_up_reads_like_the_datasheet() {
    // QEMU's events are its own.
    if peer().is_some() {
        return;
    }
    let folder = Scratch::default();
    let mut machine = Launch::machine()
        .memory("256M")
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
        .kernel(guest("u-boot", "smode.elf"))
        .option("-trace", format!("uart0.*.write,file={}", folder.path("trace").display()))
        .option("-trace", "-uart0.thr")
        .start();
    machine.patience(120);
    reach_prompt(&mut machine);
    machine.send("poweroff\r");
    assert_eq!(machine.wait_exit(), 0);
    let trace = folder.text("trace");
    // U-Boot's driver sets FIFOs and format, then opens the divisor latch, writes the divisor, closes it again.
    let set_up = [
        "write uart0.mcr = 0x03 { DTR=1 RTS=1 OUT1=0 OUT2=0 LOOP=0 }",
        "write uart0.fcr = 0x07 { ENABLE=1 RXRESET=1 TXRESET=1 DMA=0 TRIGGER=1byte }",
        "write uart0.lcr = 0x03 { WLS=8bits STB=0 PEN=0 EPS=0 STICK=0 BREAK=0 DLAB=0 }",
        "write uart0.lcr = 0x83 { WLS=8bits STB=0 PEN=0 EPS=0 STICK=0 BREAK=0 DLAB=1 }",
        "write uart0.dll = 0x02",
        "write uart0.dlm = 0x00",
        "write uart0.lcr = 0x03 { WLS=8bits STB=0 PEN=0 EPS=0 STICK=0 BREAK=0 DLAB=0 }",
    ];
    assert!(trace.contains(&set_up.join("\n")), "{trace}");
    assert!(!trace.contains("thr") && !trace.contains("read"), "{trace}");
}
