//! What a user sees of the translator: how much there is, what it writes, and that it does what the interpreter does.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, MONITOR, Scratch, guest};

/// Counts, for ever.
const COUNTING: &[u32] = &[
    0x0015_0513, // addi a0, a0, 1
    0x0015_4593, // xori a1, a0, 1
    0xff9f_f06f, // j .-8
];

fn counting(folder: &Scratch) -> Launch {
    Launch::machine().bios(folder.code("guest.bin", COUNTING))
}

/// Whether this host has a translator.
fn translates() -> bool {
    cfg!(target_arch = "x86_64")
}

#[test]
fn the_monitor_says_how_much_code_there_is() {
    let folder = Scratch::default();
    let mut machine = counting(&folder).start();
    machine.enter_monitor();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let told = machine.ask("info jit", MONITOR);
    assert!(told.contains("Translation buffer state:"), "{told}");
    let blocks = told.lines().find_map(|line| line.strip_prefix("TB count")).map(str::trim);
    assert!(!translates() || blocks.is_some_and(|blocks| blocks != "0"), "{told}");
    assert_eq!(machine.send("quit\n").wait_exit(), 0);
    let mut machine = counting(&folder).option("-accel", "interp").start();
    machine.enter_monitor();
    let told = machine.ask("info jit", MONITOR);
    assert!(told.contains("JIT information is only available with accel=tcg"), "{told}");
}

#[test]
fn operations_and_code_are_logged_and_code_is_named_for_perf() {
    if !translates() {
        return;
    }
    let folder = Scratch::default();
    let log = folder.path("log");
    let mut machine =
        counting(&folder).option("-d", "op,out_asm").option("-D", &log).argument("-perfmap").start();
    machine.enter_monitor();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let map = format!("/tmp/perf-{}.map", machine.process());
    let names = std::fs::read_to_string(&map).expect("there is a map");
    std::fs::remove_file(map).expect("it can be removed");
    assert_eq!(machine.send("quit\n").wait_exit(), 0);
    let text = folder.text("log");
    for known in ["OP:\n", "add x10, 0x1", "jump 0x80000000", "OUT: [size=", "xor $1,"] {
        assert!(text.contains(known), "no {known:?} in:\n{text}");
    }
    let named = |line: &str| {
        let parts: Vec<_> = line.splitn(3, ' ').collect();
        parts.len() == 3 && parts[..2].iter().all(|part| u64::from_str_radix(part, 16).is_ok_and(|n| n > 0))
    };
    assert!(!names.is_empty() && names.lines().all(named), "{names}");
}

#[test]
fn firmware_and_its_timers_run_checked() {
    let mut machine = Launch::machine().option("-accel", "jit,check=on").memory("256M");
    machine = machine.bios(guest("opensbi-1.1", "fw_jump.bin")).kernel(guest("u-boot", "smode.elf"));
    let mut machine = machine.start();
    machine.patience(60).expect("=> ");
    machine.ask("crc32 80200000 10000", "=> ");
    machine.send("\x01x");
    assert_eq!(machine.wait_exit(), 0, "code is its instructions");
    let compared = machine.expect_match("hart 0: ([0-9]+) instructions compared");
    assert!(compared[1].len() > 6, "{}", compared[0]);
}
