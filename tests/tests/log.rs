//! `-d`: what happens inside, on standard error or in a file.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, MONITOR, Scratch};

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

#[test]
fn registers_lines_and_the_map_are_traced_by_name() {
    let folder = Scratch::default();
    let mut machine = Launch::machine()
        .option("-trace", "uart0.ier.*")
        .option("-trace", "enable=irq.*")
        .option(
            "-trace",
            folder.path("trace").into_os_string().into_string().map(|f| format!("file={f}")).unwrap(),
        )
        .option("-d", "page,trace:clint.mtimecmp,trace:-*.read")
        .option("-D", folder.path("log"))
        .start();
    machine.expect(FIRMWARE);
    assert_eq!(machine.send("off\r").wait_exit(), 0);
    has(&folder.text("log"), "page: 0000000010000000-00000000100000ff i/o uart0\n");
    let trace = folder.text("trace");
    has(&trace, "write uart0.ier = 0x");
    has(&trace, " { ERBFI=1 ");
    has(&trace, "irq   uart0.irq -> plic.10 = 1\n");
    has(&trace, "irq   plic.meip0 -> hart0.11 = 1\n");
    assert!(!trace.contains("read") && !trace.contains("uart0.lcr"), "{trace}");
}

#[test]
fn translations_and_a_filter_choose_what_is_logged() {
    // A gigapage at its own address, then S-mode, which loads from it and from where nothing is.
    const CODE: &[u32] = &[
        0x8000_12b7, // lui   t0, 0x80001
        0x0202_9293, // slli  t0, t0, 32
        0x0202_d293, // srli  t0, t0, 32
        0x2000_0337, // lui   t1, 0x20000
        0x0cf3_0313, // addi  t1, t1, 0xcf
        0x0062_b823, // sd    t1, 16(t0)
        0x0000_0397, // auipc t2, 0
        0x0483_8393, // addi  t2, t2, 72
        0x3413_9073, // csrw  mepc, t2
        0x00c3_8393, // addi  t2, t2, 12
        0x3053_9073, // csrw  mtvec, t2
        0xfff0_0313, // li    t1, -1
        0x3b03_1073, // csrw  pmpaddr0, t1
        0x01f0_0313, // li    t1, 31
        0x3a03_1073, // csrw  pmpcfg0, t1
        0x0000_1337, // lui   t1, 1
        0x8003_0313, // addi  t1, t1, -2048
        0x3003_1073, // csrw  mstatus, t1
        0x0080_0313, // li    t1, 8
        0x03c3_1313, // slli  t1, t1, 60
        0x00c2_d393, // srli  t2, t0, 12
        0x0073_6333, // or    t1, t1, t2
        0x1803_1073, // csrw  satp, t1
        0x3020_0073, // mret
        0x0102_b383, // ld    t2, 16(t0)
        0x0000_3383, // ld    t2, 0(zero)
        0x0000_006f, // j     .
        0x0000_006f, // j     .
    ];
    let folder = Scratch::default();
    let mut machine = Launch::machine()
        .bios(folder.code("guest.bin", CODE))
        .option("-d", "mmu,exec,in_asm")
        .option("-dfilter", "0x80000060+8,0x80000000..0x80000003")
        .option("-D", folder.path("log"))
        .start();
    machine.enter_monitor();
    std::thread::sleep(std::time::Duration::from_millis(100));
    machine.send("quit\r");
    assert_eq!(machine.wait_exit(), 0);
    let log = folder.text("log");
    let page = "-> 0x0000000080000060, page of 0x40000000 bytes\n";
    has(&log, &format!("mmu: hart 0 S fetch 0x0000000080000060 {page}"));
    has(&log, "mmu: hart 0 S load 0x0000000080001010 -> 0x0000000080001010, page of 0x40000000 bytes\n");
    has(&log, "mmu: hart 0 S load 0x0000000000000000 -> load page fault\n");
    has(&log, "Trace 0: [0000000080000060]");
    has(&log, "Trace 0: [0000000080000000]");
    assert!(!log.contains("[0000000000001000]") && !log.contains("[000000008000006c]"), "{log}");
}

#[test]
fn an_event_that_is_not_there_is_warned_of() {
    let ended = Launch::machine().option("-trace", "uart0.lcrr").argument("-S").option("-gdb", "none");
    let mut machine = ended.start();
    machine.enter_monitor();
    machine.send("quit\r");
    assert_eq!(machine.wait_exit(), 0);
    assert!(machine.transcript().text().contains("warning: trace event 'uart0.lcrr' does not exist"));
}

#[test]
fn what_is_logged_and_where_changes_while_the_machine_runs() {
    let folder = Scratch::default();
    let mut machine = Launch::machine().start();
    machine.expect(FIRMWARE).enter_monitor();
    let state = machine.ask("info trace-events uart0.rbr", MONITOR);
    assert!(state.contains("uart0.rbr.read : state 0"), "{state}");
    for (line, answer) in [
        ("trace-event nope on", "unknown event \"nope\""),
        ("trace-event uart0 maybe", "Expected 'on' or 'off'"),
        ("info trace-events nope", "unknown event \"nope\""),
        ("log trace:nope", "warning: trace event 'nope' does not exist"),
        ("logfile /none/such", "Error opening logfile /none/such: No such file or directory"),
    ] {
        let said = machine.ask(line, MONITOR);
        assert!(said.contains(answer), "{line}: {said}");
    }
    let path = |name| folder.path(name).display().to_string();
    machine.ask(&format!("logfile {}", path("first")), MONITOR);
    machine.ask("trace-event uart0.rbr on", MONITOR);
    machine.ask("log int,trace:irq.plic.10", MONITOR);
    let states = machine.ask("info trace-events", MONITOR);
    for state in ["uart0.rbr.read : state 1", "irq.plic.10 : state 1", "irq.hart0.7 : state 0"] {
        assert!(states.contains(state), "{state}: {states}");
    }
    machine.send("\u{1}c").ask("peek 0x80000000", FIRMWARE);
    machine.send("\u{1}c\r").expect(MONITOR);
    machine.ask("trace-event all off", MONITOR);
    machine.ask(&format!("logfile {}", path("second")), MONITOR);
    machine.ask("log none", MONITOR);
    machine.send("\u{1}c").ask("peek 0x80000008", FIRMWARE);
    assert_eq!(machine.send("off\r").wait_exit(), 0);
    let log = folder.text("first");
    for text in ["read  uart0.rbr = 0x", "irq   uart0.irq -> plic.10 = 1\n", "desc="] {
        has(&log, text);
    }
    let second = folder.text("second");
    assert!(!second.contains("uart0") && second.lines().count() < log.lines().count(), "{second}");
}
