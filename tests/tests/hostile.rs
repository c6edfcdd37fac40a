//! A guest that does what no guest should stays debuggable and killable.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, MONITOR, Machine, Scratch};

/// Jumps to where nothing is; `mtvec` is 0 after reset, where nothing is either.
const TO_NOWHERE: &[u32] = &[
    0x4000_02b7, // lui t0, 0x40000
    0x0002_8067, // jr t0
];

/// Writes to the ROM at 0x1000 behind a handler that goes on after the store.
const INTO_ROM: &[u32] = &[
    0x0000_0297, // auipc t0, 0
    0x0182_8293, // addi t0, t0, 24
    0x3052_9073, // csrw mtvec, t0
    0x0000_1337, // lui t1, 1
    0x0053_2023, // sw t0, 0(t1)
    0x0000_0013, // nop
    0x0000_006f, // j .
];

/// Traps, and traps where the trap leads.
const TRAPPING: &[u32] = &[
    0x3050_1073, // csrw mtvec, zero
    0x0000_0073, // ecall
];

/// Traps into a handler that traps.
const TRAPPING_ALWAYS: &[u32] = &[
    0x0000_0297, // auipc t0, 0
    0x00c2_8293, // addi t0, t0, 12
    0x3052_9073, // csrw mtvec, t0
    0x0000_0073, // ecall
];

fn run(folder: &Scratch, code: &[u32]) -> Machine {
    let mut machine = Launch::machine().bios(folder.code("guest.bin", code)).start();
    machine.patience(20);
    machine
}

/// The machine can be stopped, looked at, continued and ended by the monitor, and ended by a signal.
fn stays_in_hand(code: &[u32], first: &str, registers: &[(&str, u64)]) {
    let folder = Scratch::default();
    let mut machine = run(&folder, code);
    machine.enter_monitor();
    // Where the guest gets to takes it no time worth waiting for, once it runs.
    std::thread::sleep(std::time::Duration::from_millis(200));
    machine.ask("stop", MONITOR);
    assert!(machine.ask("info status", MONITOR).contains("VM status: paused"));
    let told = machine.ask("info registers", MONITOR);
    for (name, value) in registers {
        let row = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let found = row.into_iter().any(|row| row == [*name, &format!("{value:016x}")]);
        assert!(found, "{name} is not {value:#x}:\n{told}");
    }
    let listed = machine.ask("x/2i 0x80000000", MONITOR);
    assert!(listed.contains(first), "{first:?} is not in:\n{listed}");
    machine.ask("cont", MONITOR);
    machine.send("quit\r");
    assert_eq!(machine.wait_exit(), 0);

    let mut machine = run(&folder, code);
    machine.enter_monitor();
    assert_eq!(machine.terminate().expect("terminating on signal 15 from pid ").wait_exit(), 0);
}

#[test]
fn a_guest_that_jumps_to_nowhere_stays_in_hand() {
    stays_in_hand(TO_NOWHERE, "lui ", &[("pc", 0x0), ("mcause", 0x1)]);
}

#[test]
fn a_guest_that_writes_to_rom_stays_in_hand_and_the_rom_as_it_was() {
    stays_in_hand(INTO_ROM, "auipc ", &[("pc", 0x80000018)]);
    let folder = Scratch::default();
    let mut machine = run(&folder, INTO_ROM);
    machine.enter_monitor();
    let rom = machine.ask("xp/1wx 0x1000", MONITOR);
    assert!(rom.contains("0x00000297"), "{rom}");
}

#[test]
fn a_guest_that_loops_on_traps_stays_in_hand() {
    stays_in_hand(TRAPPING, "csrw ", &[("pc", 0x0), ("mtvec", 0x0)]);
    stays_in_hand(TRAPPING_ALWAYS, "auipc ", &[("pc", 0x8000000c), ("mcause", 0xb)]);
}

#[test]
fn four_such_harts_stay_in_hand() {
    let folder = Scratch::default();
    let mut machine = Launch::machine().harts(4).bios(folder.code("guest.bin", TRAPPING)).start();
    machine.patience(20).enter_monitor();
    for _ in 0..5 {
        machine.ask("stop", MONITOR);
        machine.ask("cont", MONITOR);
        machine.ask("system_reset", MONITOR);
    }
    machine.send("quit\r");
    assert_eq!(machine.wait_exit(), 0);
}

#[test]
fn a_program_can_be_put_into_memory_by_the_loader_alone() {
    let quads = TRAPPING_ALWAYS.chunks(2).zip([0x8000_0000_u32, 0x8000_0008]);
    let machine = quads.fold(Launch::machine().bios("none"), |launch, (pair, at)| {
        let data = u64::from(pair[1]) << 32 | u64::from(pair[0]);
        launch.option("-device", format!("loader,addr={at:#x},data={data:#x},data-len=8"))
    });
    let mut machine = machine.argument("-S").start();
    machine.enter_monitor();
    let listed = machine.ask("x/4i 0x80000000", MONITOR);
    assert!(listed.contains("auipc ") && listed.contains("ecall"), "{listed}");
}
