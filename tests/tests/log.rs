//! `-d`: what happens inside, on standard error or in a file.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, Scratch};

/// Runs our firmware with the log `items` in a file through `commands` to its end; answers the log.
fn log(items: &str, commands: &[&str]) -> String {
    let folder = Scratch::default();
    let mut machine = Launch::machine().option("-d", items).option("-D", folder.path("log")).start();
    machine.expect(FIRMWARE);
    for command in commands {
        machine.ask(command, FIRMWARE);
    }
    assert_eq!(machine.send("off\r").wait_exit(), 0);
    assert!(!machine.transcript().text().contains("unmodelled"), "the log is in the file");
    folder.text("log")
}

#[track_caller]
fn has(log: &str, text: &str) {
    let start: String = log.lines().take(60).map(|line| format!("  | {line}\n")).collect();
    assert!(log.contains(text), "{text:?} is not in the log:\n{start}");
}

#[test]
fn unmodelled_accesses_are_counted_with_place_and_pc() {
    let log =
        log("unmodelled", &["peek 0xdead0000", "peek 0xdead0000", "poke 0xdead0008 1 d", "call 0x40000000"]);
    has(&log, "unmodelled: load of 4 bytes at 0xdead0000, 2 times, first from pc 0x8000");
    has(&log, "unmodelled: store of 8 bytes at 0xdead0008, 1 times, first from pc 0x8000");
    has(&log, "unmodelled: fetch of 2 bytes at 0x40000000, 1 times, first from pc 0x40000000");
}

#[test]
fn traps_are_logged_with_cause_and_place() {
    // ebreak
    let log = log("int", &["poke 0x80200000 0x00100073", "call 0x80200000", "peek 0xdead0000"]);
    has(&log, "hart:0, async:0, cause:0000000000000003, epc:0x0000000080200000");
    has(&log, "desc=breakpoint");
    has(&log, "cause:0000000000000005, epc:0x000000008000");
    has(&log, "tval:0x00000000dead0000");
    has(&log, "async:1, cause:000000000000000b");
}

#[test]
fn code_is_logged_once_as_it_is_decoded() {
    // addi a0, zero, 5 and ret, run twice
    let commands = ["poke 0x80200000 0x00008067_00500513 d", "call 0x80200000", "call 0x80200000"];
    let commands = commands.map(|command| command.replace('_', ""));
    let log = log("in_asm", &commands.each_ref().map(String::as_str));
    has(&log, "0x0000000080200000:  00500513");
    assert_eq!(log.matches("0x0000000080200000:  00500513").count(), 1);
    has(&log, "auipc");
}

#[test]
fn blocks_and_registers_are_logged_as_they_are_entered() {
    let folder = Scratch::default();
    let code = folder.code("guest.bin", &[0x0010_0093, 0x0000_006f]); // addi ra, zero, 1; j .
    let file = folder.path("log-%d");
    let mut machine = Launch::machine().bios(code).option("-d", "exec,cpu").option("-D", file).start();
    let process = machine.process();
    machine.enter_monitor();
    std::thread::sleep(std::time::Duration::from_millis(100));
    machine.send("quit\r");
    assert_eq!(machine.wait_exit(), 0);
    let log = folder.text(&format!("log-{process}"));
    has(&log, "Trace 0: [0000000000001000]");
    has(&log, "Trace 0: [0000000080000000]");
    has(&log, "x1/ra    0000000000000000");
    assert!(log.contains("x1/ra    0000000000000001"), "ra changes");
}

#[test]
fn what_no_driver_may_do_is_logged() {
    // The finisher knows neither this value nor reading; the UART has no registers beyond eight.
    let log = log("guest_errors,unimp", &["poke 0x100000 0x1234", "poke 0x2004 1"]);
    has(&log, "0x1234");
}

#[test]
fn without_a_file_the_log_is_on_standard_error() {
    let folder = Scratch::default();
    let code = folder.code("guest.bin", &[0x0000_0073]); // ecall, into nothing
    let mut machine = Launch::machine().bios(code).option("-d", "int").option("-serial", "none").start();
    machine.expect("cause:000000000000000b, epc:0x0000000080000000");
}

#[test]
fn an_unknown_item_lists_those_there_are() {
    let outcome = Launch::machine().option("-d", "foo").run();
    assert_eq!(outcome.code, Some(1));
    for item in ["in_asm", "exec", "int", "cpu", "guest_errors", "unimp", "unmodelled"] {
        assert!(outcome.output.lines().any(|line| line.starts_with(item)), "{item}: {}", outcome.output);
    }
}
