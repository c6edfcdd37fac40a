//! Our own firmware introduces the machine on its console, and every command of it works.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE as PROMPT, Launch, Machine};

/// The machine as it is without any software given, at the firmware's prompt.
fn firmware(launch: Launch) -> Machine {
    let mut machine = launch.start();
    machine.expect(PROMPT);
    machine
}

#[track_caller]
fn has(answer: &str, parts: &[&str]) {
    for part in parts {
        assert!(answer.contains(part), "{part:?} is not in:\n{answer}");
    }
}

#[test]
fn it_introduces_the_machine_and_lists_its_commands() {
    let mut machine = firmware(Launch::machine());
    let facts = machine.ask("info", PROMPT);
    has(
        &facts,
        &["hartwright,param", "harts      1, this is hart 0, timebase 10000000 Hz", "rv64imafdc", "sv57"],
    );
    for device in [
        "0x00100000-0x00100fff     4 KiB  test@100000              sifive,test1",
        "0x02000000-0x0200ffff    64 KiB  clint@2000000            sifive,clint0",
        "plic@c000000             sifive,plic-1.0.0",
        "serial@10000000          ns16550a             irq 10",
        "0x80000000-0x87ffffff   128 MiB  memory@80000000",
    ] {
        has(&facts, &[device]);
    }
    let commands = machine.ask("help", PROMPT);
    has(
        &commands,
        &["info ", "tree ", "harts ", "md ", "peek ", "poke ", "regs ", "tick ", "bench ", "reset ", "off "],
    );
    has(&machine.ask("help md", PROMPT), &["md [ADDRESS [BYTES]]"]);
    has(&machine.ask("hlep", PROMPT), &["no command `hlep`; did you mean `help`?"]);
    has(&machine.ask("foo", PROMPT), &["no command `foo`; `help` lists them"]);
    let node = machine.ask("tree /soc/serial", PROMPT);
    has(&node, &["serial@10000000 {", "compatible = \"ns16550a\";", "reg = <0x0 0x10000000 0x0 0x100>;"]);
}

#[test]
fn memory_is_shown_read_and_written() {
    let mut machine = firmware(Launch::machine());
    // The reset code at 0x1000 begins with auipc t0, 0.
    has(&machine.ask("md 0x1000 0x10", PROMPT), &["0000000000001000  97 02 00 00"]);
    machine.ask("poke 0x80200000 0x123456789abcdef0 d", PROMPT);
    has(&machine.ask("peek 0x80200000 d", PROMPT), &["0x80200000: 0x123456789abcdef0"]);
    has(&machine.ask("peek 0x80200002 h", PROMPT), &["0x9abc"]);
    has(&machine.ask("peek 0x80200007 b", PROMPT), &["0x12"]);
    has(&machine.ask("md 0xdead0000", PROMPT), &["load access fault at 0xdead0000"]);
    has(&machine.ask("poke 0xdead0000 1", PROMPT), &["store access fault at 0xdead0000"]);
}

#[test]
fn registers_are_told_and_a_trap_comes_back_to_the_prompt() {
    let mut machine = firmware(Launch::machine());
    has(
        &machine.ask("regs misa mstatus satp 0x7ff", PROMPT),
        &["rv64a", "MIE", "bare", "csr 0x7ff is not there"],
    );
    // ebreak, then ret.
    machine.ask("poke 0x80200000 0x00100073", PROMPT);
    has(&machine.ask("call 0x80200000", PROMPT), &["trap: breakpoint, mcause 0x3, mepc 0x80200000"]);
    machine.ask("poke 0x80200000 0x00008067", PROMPT);
    has(&machine.ask("call 0x80200000 0x77", PROMPT), &["a0 0x77"]);
}

#[test]
fn time_passes_and_the_benchmark_is_right() {
    let mut machine = firmware(Launch::machine());
    let ticks = machine.ask("tick 2", PROMPT);
    let at = |line: &str| line.rsplit(' ').next().and_then(|ticks| ticks.trim().parse::<u64>().ok());
    let times: Vec<_> = ticks.lines().filter(|line| line.contains("mtime")).filter_map(at).collect();
    assert_eq!(times.len(), 2, "{ticks}");
    // A second of mtime, and what a busy host adds.
    assert!((9_000_000..20_000_000).contains(&(times[1] - times[0])), "{ticks}");
    let bench = machine.ask("bench", PROMPT);
    has(&bench, &["1028 primes, crc d51dc720: right", " MIPS"]);
}

#[test]
fn every_hart_answers_a_software_interrupt() {
    let mut machine = firmware(Launch::machine().harts(4));
    let answers = machine.ask("harts", PROMPT);
    has(&answers, &["hart 0   runs this monitor"]);
    for hart in 1..4 {
        has(&answers, &[&format!("hart {hart}   sleeps; answered a software interrupt after ")]);
    }
    let mut names: Vec<_> = machine.threads().into_iter().filter(|name| name.starts_with("hart ")).collect();
    names.sort();
    assert_eq!(names, ["hart 0", "hart 1", "hart 2", "hart 3"]);
}

#[test]
fn it_runs_in_a_little_memory_and_in_more() {
    for (size, told) in
        [("1M", "0x80000000-0x800fffff     1 MiB"), ("16M", "0x80000000-0x80ffffff    16 MiB")]
    {
        let mut machine = firmware(Launch::machine().memory(size));
        has(&machine.ask("info", PROMPT), &[told]);
    }
}

#[test]
fn reset_starts_the_machine_again() {
    let mut machine = firmware(Launch::machine().harts(2));
    machine.ask("poke 0x80200000 0x55", PROMPT);
    machine.send("reset\r").expect("machine    hartwright,param").expect(PROMPT);
    has(&machine.ask("harts", PROMPT), &["hart 1   sleeps; answered"]);
}

#[test]
fn off_gives_the_program_its_exit_code() {
    for (command, code) in [("off\r", 0), ("off 3\r", 3), ("off 255\r", 255)] {
        assert_eq!(firmware(Launch::machine()).send(command).wait_exit(), code, "{command:?}");
    }
}
