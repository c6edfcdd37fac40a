//! The program as others see it: its name, its process file, its start and its end.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, MONITOR, Scratch, guest};
use std::fs;

#[test]
fn the_version_is_told_under_each_name() {
    for (name, start) in [
        ("hartwright", "hartwright 0."),
        ("hartwright-system-riscv64", "hartwright 0."),
        ("qemu-system-riscv64", "QEMU emulator version 11.1.3 ("),
    ] {
        let outcome = Launch::program().called(name).argument("-version").run();
        assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
        assert!(outcome.output.starts_with(start), "{name}: {}", outcome.output);
    }
}

#[test]
fn messages_begin_with_the_name_that_was_called() {
    for (called, name) in
        [("/somewhere/qemu-system-riscv64", "qemu-system-riscv64"), ("hartwright", "hartwright")]
    {
        let outcome = Launch::program().called(called).option("-machine", "foo").run();
        assert!(
            outcome.errors.starts_with(&format!("{name}: unsupported machine type")),
            "{}",
            outcome.errors
        );
    }
}

#[test]
fn the_machines_are_listed() {
    let outcome = Launch::program().option("-machine", "help").run();
    assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""));
    assert!(outcome.output.starts_with("Supported machines are:\nparam "), "{}", outcome.output);
}

#[test]
fn the_process_file_is_there_while_it_runs() {
    let folder = Scratch::default();
    let mut machine = Launch::machine().option("-pidfile", folder.path("pid")).start();
    machine.expect(FIRMWARE);
    assert_eq!(folder.text("pid").trim(), machine.process().to_string());
    assert_eq!(machine.send("off\r").wait_exit(), 0);
    assert!(!folder.path("pid").exists());
}

#[test]
fn the_process_can_be_named() {
    let mut machine = Launch::machine().option("-name", "mine,process=board").start();
    machine.expect(FIRMWARE);
    let comm = fs::read_to_string(format!("/proc/{}/comm", machine.process())).expect("it runs");
    assert_eq!(comm.trim(), "board");
    machine.enter_monitor();
    assert!(machine.ask("info name", MONITOR).contains("mine"));
}

#[test]
fn a_machine_started_stopped_runs_when_told() {
    let mut machine = Launch::machine().argument("-S").start();
    machine.enter_monitor();
    assert!(machine.ask("info status", MONITOR).contains("VM status: paused (prelaunch)"));
    assert!(machine.ask("p $pc", MONITOR).contains("0x1000"));
    machine.ask("cont", MONITOR);
    // The firmware may have been quicker than the monitor's prompt. It answers an empty line with another of its own.
    machine.send("\u{1}c\r").expect(FIRMWARE);
}

#[test]
fn each_hart_is_a_host_thread_of_its_own() {
    let mut machine = Launch::machine().harts(8).start();
    machine.expect(FIRMWARE);
    let mut names: Vec<_> = machine.threads().into_iter().filter(|name| name.starts_with("hart ")).collect();
    names.sort();
    assert_eq!(names, (0..8).map(|hart| format!("hart {hart}")).collect::<Vec<_>>());
}

#[test]
fn a_sleeping_machine_costs_no_host_time() {
    let mut machine = Launch::machine().harts(4).start();
    machine.expect(FIRMWARE);
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", machine.process())).expect("it runs");
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
    };
    let before = ticks();
    std::thread::sleep(std::time::Duration::from_secs(2));
    // Hundredths of a second, of four harts in wfi for two seconds.
    assert!(ticks() - before < 40, "{} of 200 ticks", ticks() - before);
}

#[test]
fn the_firmware_that_is_taken_is_named() {
    let mut machine = Launch::machine().kernel(guest("u-boot", "smode.elf")).start();
    machine.expect("opensbi-1.6").expect("OpenSBI v1.6").expect("U-Boot 20");
}
