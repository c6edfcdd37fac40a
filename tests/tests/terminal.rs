//! The keys that are the emulator's, and the terminal as it was before.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, MONITOR, Machine, Scratch};
use std::time::{Duration, Instant};

fn on_terminal() -> Machine {
    let mut machine = Launch::machine().start_on_terminal();
    machine.expect(FIRMWARE);
    assert!(!machine.terminal_is_as_before(), "a guest's console is raw");
    machine
}

#[track_caller]
fn ends_well(mut machine: Machine, code: i32) {
    assert_eq!(machine.wait_exit(), code);
    assert!(machine.terminal_is_as_before());
}

#[test]
fn ctrl_a_x_leaves_the_terminal_as_it_was() {
    let mut machine = on_terminal();
    machine.send("\u{1}x");
    ends_well(machine, 0);
}

#[test]
fn an_end_by_the_guest_or_the_monitor_leaves_the_terminal_as_it_was() {
    let mut machine = on_terminal();
    machine.send("off 3\r");
    ends_well(machine, 3);
    let mut machine = on_terminal();
    machine.enter_monitor().send("quit\r");
    ends_well(machine, 0);
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let mut machine = on_terminal();
    machine.terminate().expect("terminating on signal 15 from pid ");
    ends_well(machine, 0);
}

#[test]
fn a_failed_start_leaves_the_terminal_as_it_was() {
    let folder = Scratch::default();
    let mut machine = Launch::machine().kernel(folder.path("nothing")).start_on_terminal();
    machine.expect("could not load kernel");
    ends_well(machine, 1);
}

#[test]
fn ctrl_a_c_goes_to_the_monitor_and_back() {
    let mut machine = Launch::machine().start();
    machine.expect(FIRMWARE).enter_monitor();
    assert!(machine.ask("info status", MONITOR).contains("VM status: running"));
    assert!(machine.ask("stop", MONITOR).trim().is_empty());
    assert!(machine.ask("info status", MONITOR).contains("VM status: paused"));
    machine.ask("cont", MONITOR);
    machine.send("\u{1}c");
    let answer = machine.ask("echo still here", FIRMWARE);
    assert!(answer.contains("still here"), "{answer}");
}

#[test]
fn ctrl_a_h_shows_the_keys_and_the_escape_key_can_be_another() {
    let mut machine = Launch::machine().start();
    machine.expect(FIRMWARE).send("\u{1}h").expect("C-a h").expect("C-a x");
    let mut machine = Launch::machine().option("-echr", "0x14").start();
    machine.expect(FIRMWARE).send("\u{14}h").expect("C-t x");
    assert_eq!(machine.send("\u{14}x").wait_exit(), 0);
}

#[test]
fn ctrl_c_is_the_guest_s() {
    let mut machine = on_terminal();
    let start = Instant::now();
    machine.send("tick 100\r").expect("tick 1 of 100").send("\u{3}").expect(FIRMWARE);
    assert!(start.elapsed() < Duration::from_secs(50));
    assert!(machine.ask("echo alive", FIRMWARE).contains("alive"));
}
