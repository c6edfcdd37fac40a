//! Programs of 128 bits (`guest/rv128/`) print what they print on QEMU 7.2, and one of 32-bit numbers the same at 64.
//!
//! The text beside each program is QEMU 7.2's; with `HARTWRIGHT_PEER=qemu` the tests ask it again.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, MONITOR, Outcome, peer};
use std::{fs, path::PathBuf};

fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/rv128")).join(name)
}

/// A machine whose harts have 128 bits; QEMU wants its one thread said.
fn wide() -> Launch {
    Launch::machine().option("-cpu", "x-rv128").option("-accel", "tcg,thread=single")
}

#[track_caller]
fn check(launch: Launch, program: &str) {
    let Outcome { code, output, errors } = launch.bios(file(&format!("{program}.bin"))).run();
    let expected = fs::read_to_string(file(&format!("{program}.txt"))).expect("it is beside the program");
    assert_eq!((code, output.as_str()), (Some(0), expected.as_str()), "{program}: {errors}");
}

#[test]
fn programs_of_128_bits_print_what_they_print_on_qemu() {
    for program in ["fibonacci", "table", "copy", "dforms", "narrow"] {
        check(wide(), program);
    }
}

#[test]
fn a_program_of_32_bit_numbers_prints_the_same_at_64_bits() {
    check(Launch::machine().option("-cpu", "rv64"), "narrow");
}

/// The other half of a register is there too, in QEMU it is not.
#[test]
fn the_monitor_shows_all_of_a_register() {
    if peer().is_some() {
        return;
    }
    let mut machine = wide().bios(file("table.bin")).argument("-S").start();
    machine.enter_monitor();
    let registers = machine.ask("info registers", MONITOR);
    assert!(registers.contains(&format!(" x31/t6   {:032x}", 0)), "{registers}");
}
