//! The whole machine, with its firmware.
#![forbid(unsafe_code)]

use hartwright::testing::Machine;
use my_board as _;

#[test]
fn the_firmware_greets_echoes_counts_and_ends() {
    let mut machine = Machine::start(&["-machine", "my-board"]).unwrap();
    machine.expect("Hello from a board of your own");
    machine.expect("> ");
    machine.type_in("some text");
    machine.expect("some text");

    // The timer interrupts, so its count grows.
    let mut ticks = || {
        machine.type_in("\r");
        machine.expect("the timer interrupted ");
        machine.expect(" times").parse::<u32>().unwrap()
    };
    let first = ticks();
    while ticks() < first + 3 {}

    machine.type_in("\x04");
    machine.expect("bye");
    assert_eq!(machine.exit_code(), 0);
}

#[test]
fn the_device_of_a_crate_that_nothing_names_is_missed() {
    let refused = Machine::start(&[
        "-machine",
        "my-board",
        "-device",
        "my-uarts,addr=0x20000000",
    ])
    .err()
    .unwrap();
    assert!(refused.contains("did you mean 'my-uart'?"), "{refused}");
    let refused = Machine::start(&[
        "-machine",
        "my-board",
        "-device",
        "her-lamp,addr=0x20000000",
    ])
    .err()
    .unwrap();
    assert!(refused.contains("`use CRATE as _;`"), "{refused}");
}
