//! Debian's kernel comes up to a shell, sees the harts and the memory, and switches the machine off.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, SHELL as PROMPT, guest, peer};
use xtask::initramfs::MARKER;

/// What all boots of this kernel have in common.
fn linux() -> Launch {
    Launch::machine()
        .memory("512M")
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
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
fn one_hart_reaches_a_shell_and_powers_off() {
    let mut machine = linux().start();
    reach_shell(&mut machine);

    let processors = machine.ask("cat /proc/cpuinfo", PROMPT);
    assert_eq!(processors.matches("processor\t").count(), 1, "{processors}");
    assert!(processors.contains("rv64imafdc"), "{processors}");
    assert!(processors.contains("mmu\t\t: sv57"), "{processors}");

    let memory = machine.ask("grep MemTotal /proc/meminfo", PROMPT);
    let kibibytes: u32 = memory.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0);
    assert!((400_000..524_288).contains(&kibibytes), "{memory}");

    let interrupts = machine.ask("cat /proc/interrupts", PROMPT);
    assert!(interrupts.contains("riscv-timer"), "{interrupts}");
    assert!(interrupts.contains("ttyS0"), "{interrupts}");

    let sum = machine.ask("yes hartwright | head -c 1000000 | sha256sum", PROMPT);
    assert!(sum.contains("7e11b3943a4d374b"), "{sum}");

    let float = machine.ask("awk 'BEGIN { printf \"%.12f\", 10 / 7 }'", PROMPT);
    assert!(float.contains("1.428571428571"), "{float}");
    power_off(&mut machine);
}

#[test]
fn four_harts_are_four_processors_on_four_threads() {
    let mut machine = linux().harts(4).start();
    reach_shell(&mut machine);
    assert!(machine.transcript().text().contains("smp: Brought up 1 node, 4 CPUs"));
    let processors = machine.ask("cat /proc/cpuinfo", PROMPT);
    assert_eq!(processors.matches("processor\t").count(), 4, "{processors}");
    let mut threads: Vec<_> =
        machine.threads().into_iter().filter(|name| name.starts_with("hart ")).collect();
    threads.sort();
    if peer().is_none() {
        assert_eq!(threads, ["hart 0", "hart 1", "hart 2", "hart 3"]);
    }
    let worked =
        machine.ask("for i in 0 1 2 3; do taskset -p $((1<<i)) $$ >&-; cat /proc/self/stat; done", PROMPT);
    let on: Vec<_> = worked.lines().filter_map(|line| line.split(' ').nth(38)).collect();
    assert_eq!(on, ["0", "1", "2", "3"], "{worked}");
    power_off(&mut machine);
}

#[test]
fn the_largest_cpu_model_boots_too() {
    if peer().is_some() {
        return; // 7.2 has none of that name.
    }
    let mut machine = linux().option("-cpu", "max").harts(2).start();
    reach_shell(&mut machine);
    let processors = machine.ask("cat /proc/cpuinfo", PROMPT);
    assert_eq!(processors.matches("processor\t").count(), 2, "{processors}");
    assert!(processors.contains("_zicond") && processors.contains("_svinval"), "{processors}");
    let said = machine.transcript().text();
    assert!(said.contains("riscv-pmu-sbi: 16 firmware and 18 hardware counters"), "{said}");
    assert!(said.contains("Debug Triggers    : 2 triggers"), "{said}");
    power_off(&mut machine);
}

#[test]
fn reboot_starts_the_machine_again() {
    let mut machine = linux().start();
    reach_shell(&mut machine);
    machine.send("reboot\r").expect("reboot: Restarting system").expect("OpenSBI v1.6");
    reach_shell(&mut machine);
    power_off(&mut machine);
}

#[test]
fn no_reboot_turns_the_guest_s_reset_into_an_end() {
    let mut machine =
        linux().argument("-no-reboot").append("console=ttyS0 panic=-1 rdinit=/nonexistent").start();
    machine.patience(120).expect("Kernel panic");
    assert_eq!(machine.wait_exit(), 0);
}

#[test]
fn a_shell_works_on_a_terminal_with_job_control() {
    let mut machine = linux().start_on_terminal();
    reach_shell(&mut machine);
    machine.send("sleep 1000\r").expect("sleep 1000");
    std::thread::sleep(std::time::Duration::from_secs(1));
    machine.send("\u{3}").expect(PROMPT);
    let status = machine.ask("echo status $?", PROMPT);
    assert!(status.contains("status 130"), "{status}");
    power_off(&mut machine);
}
