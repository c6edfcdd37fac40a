//! Each device alone, without a machine.
#![forbid(unsafe_code)]

use hartwright::testing::Bench;
use my_board::{MyTimer, MyUart};

const DATA: u64 = 0x0;
const STATUS: u64 = 0x4;
const ENABLE: u64 = 0x8;

#[test]
fn the_uart_carries_bytes_both_ways_and_interrupts() {
    let uart = Bench::<MyUart>::with(&[]);
    uart.conforms();
    uart.said();

    uart.write(DATA, 4, u64::from(b'H')).unwrap();
    uart.write(DATA, 4, u64::from(b'i')).unwrap();
    assert_eq!(uart.said(), "Hi");

    uart.write(ENABLE, 4, 1).unwrap();
    assert!(!uart.line("irq"));
    uart.type_in("x");
    assert!(uart.line("irq"));
    assert_eq!(
        (uart.read(STATUS, 4), uart.read(DATA, 4)),
        (Ok(3), Ok(u64::from(b'x')))
    );
    assert!(!uart.line("irq"));
    assert!(
        uart.read(DATA, 1).is_err(),
        "the table says: 4 bytes at a time"
    );
}

#[test]
fn the_uart_knows_old_terminals() {
    let uart = Bench::<MyUart>::with(&[("capitals", "on")]);
    uart.type_in("q");
    assert_eq!(uart.read(DATA, 4), Ok(u64::from(b'Q')));
}

#[test]
fn the_timer_is_due_after_each_period() {
    const PERIOD: u64 = 0x0;
    let timer = Bench::<MyTimer>::with(&[]);
    timer.conforms();

    timer.write(PERIOD, 4, 50).unwrap();
    timer.pass(49_999);
    assert!(!timer.line("irq"));
    timer.pass(1);
    assert!(timer.line("irq"));
    timer.write(STATUS, 4, 1).unwrap();
    assert!(!timer.line("irq"));
    timer.pass(50_000);
    assert!(timer.line("irq"));
}
