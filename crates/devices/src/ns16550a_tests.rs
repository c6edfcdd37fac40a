//! The data sheet, sentence by sentence.

use super::*;
use crate::bench::{Ends, given};
use hartwright_device::{Locked, Mmio, conforms};
use hartwright_objects::Given;
use std::sync::Arc;

struct Bench {
    uart: Arc<Locked<Ns16550a>>,
    irq: Ends,
    port: CharPort,
    clock: Clock,
}

fn bench_with(properties: &[(&str, Given)]) -> Bench {
    let uart = Locked::new(Box::new(given::<Ns16550a>(properties)));
    let (irq, lines) = Ends::new(1);
    let wiring = Wiring { lines, ..Wiring::default() };
    let (port, clock) = (wiring.chardev.clone(), wiring.clock.clone());
    port.connect(Arc::new(|| {}));
    uart.wire(wiring).unwrap();
    Bench { uart, irq, port, clock }
}

fn bench() -> Bench {
    bench_with(&[])
}

impl Bench {
    fn r(&self, register: u64) -> u64 {
        self.uart.read(register, 1).unwrap()
    }
    fn w(&self, register: u64, value: u64) {
        self.uart.write(register, 1, value).unwrap();
    }
    fn irq(&self) -> bool {
        !self.irq.high().is_empty()
    }
    fn out(&self) -> Vec<u8> {
        let mut bytes = [0; 70_000];
        let n = self.port.peek_output(&mut bytes);
        self.port.consume_output(n);
        bytes[..n].to_vec()
    }
}

const RBR: u64 = 0;
const IER: u64 = 1;
const IIR: u64 = 2;
const FCR: u64 = 2;
const LCR: u64 = 3;
const MCR: u64 = 4;
const LSR: u64 = 5;
const MSR: u64 = 6;

#[test]
fn it_conforms() {
    bench().uart.with(|d| conforms(d)).unwrap();
    bench_with(&[("reg-shift", 2.into())]).uart.with(|d| conforms(d)).unwrap();
}

#[test]
fn after_a_reset_it_is_idle() {
    let b = bench();
    assert_eq!(
        [b.r(IER), b.r(IIR), b.r(LCR), b.r(MCR), b.r(LSR), b.r(MSR), b.r(7)],
        [0, 1, 0, 0, 0x60, 0xb0, 0]
    );
}

#[test]
fn the_latch_hides_data_and_interrupts() {
    let b = bench();
    b.w(LCR, 0x83);
    b.w(0, 0x34);
    b.w(1, 0x12);
    assert_eq!((b.r(0), b.r(1)), (0x34, 0x12));
    b.w(LCR, 0x03);
    b.w(0, b'x'.into());
    assert_eq!((b.r(IER), b.out()), (0, b"x".to_vec()));
}

#[test]
fn registers_lie_apart_as_reg_shift_says() {
    let b = bench_with(&[("reg-shift", 2.into()), ("reg-io-width", 4.into())]);
    b.uart.write(7 << 2, 4, 0x1234_5678).unwrap();
    assert_eq!(b.uart.read(7 << 2, 4), Ok(0x78));
    let node = b.uart.with(|d| d.describe());
    assert_eq!(node[1..], [("reg-shift", Prop::Cells(vec![2])), ("reg-io-width", Prop::Cells(vec![4]))]);
    assert!(given::<Ns16550a>(&[("reg-shift", 6.into())]).realize(Wiring::default()).is_err());
    assert!(given::<Ns16550a>(&[("reg-io-width", 3.into())]).realize(Wiring::default()).is_err());
}

#[test]
fn causes_have_priorities() {
    let b = bench();
    b.w(FCR, 0x01);
    b.port.feed_break();
    b.w(MCR, 0x10);
    b.w(IER, 0x0f);
    assert_eq!(b.r(IIR), 0xc6, "line status first");
    assert_eq!(b.r(LSR) & 0x91, 0x91);
    assert_eq!(b.r(IIR), 0xc4, "then data");
    b.r(RBR);
    assert_eq!(b.r(IIR), 0xc2, "then the transmitter; reading it clears it");
    assert_eq!(b.r(IIR), 0xc0, "then the modem");
    assert_eq!(b.r(MSR), 0x0b, "all three fell with the loop");
    assert_eq!((b.r(IIR), b.irq()), (0xc1, false));
}

#[test]
fn the_transmitter_interrupts_when_enabled_while_empty_and_when_it_runs_empty() {
    let b = bench();
    b.w(IER, 0x02);
    assert!(b.irq());
    assert_eq!((b.r(IIR), b.r(IIR), b.irq()), (2, 1, false));
    b.w(IER, 0x02);
    assert!(!b.irq(), "it was enabled already");
    b.w(0, 1);
    assert!(b.irq(), "the host took it");
    b.w(IER, 0);
    b.w(IER, 2);
    assert!(b.irq(), "it is empty and was enabled anew");
}

#[test]
fn a_full_host_is_waited_for() {
    let b = bench();
    b.w(FCR, 1);
    for i in 0..65_536u64 {
        b.w(0, i & 0xff);
    }
    b.w(IER, 2);
    b.r(IIR);
    b.w(0, 0xaa);
    assert_eq!((b.r(LSR), b.irq()), (0, false), "nothing is empty");
    for _ in 0..15 {
        b.w(0, 0xbb);
    }
    b.w(0, 0xcc);
    let first = b.out();
    assert_eq!((first.len(), b.r(LSR), b.irq()), (65_536, 0x60, true));
    assert_eq!(b.out(), [&[0xaa][..], &[0xbb; 15]].concat(), "the 17th had no room");
}

#[test]
fn a_trigger_level_holds_the_interrupt_back() {
    for (fcr, level) in [(0x01, 1), (0x41, 4), (0x81, 8), (0xc1, 14)] {
        let b = bench();
        b.w(FCR, fcr);
        b.w(IER, 1);
        b.port.feed(&vec![7; level - 1]);
        assert!(!b.irq(), "{level}");
        b.port.feed(&[7]);
        assert_eq!((b.irq(), b.r(IIR)), (true, 0xc4));
        b.r(RBR);
        assert!(!b.irq(), "below the level again");
    }
}

#[test]
fn characters_that_wait_are_told_in_time() {
    let b = bench();
    b.w(FCR, 0xc1);
    b.w(IER, 1);
    b.clock.start();
    b.port.feed(b"ab");
    assert!(!b.irq());
    b.irq.wait(|high| high == [0]);
    assert_eq!(b.r(IIR), 0xcc);
    assert_eq!((b.r(RBR), b.r(IIR)), (b'a'.into(), 0xc1), "a read begins the wait anew");
    b.irq.wait(|high| high == [0]);
    assert_eq!((b.r(IIR), b.r(RBR), b.irq()), (0xcc, b'b'.into(), false));
}

#[test]
fn a_character_time_follows_divisor_and_format() {
    let b = bench();
    b.w(LCR, 0x83);
    b.w(0, 2);
    b.w(1, 0);
    // 115200 baud, 8N1: 10 bits are 86.8 µs.
    assert_eq!(b.uart.with(|d| d.patience()), 347_222);
    b.w(LCR, 0x8f);
    assert_eq!(b.uart.with(|d| d.patience()), 416_666, "parity and a second stop bit");
}

#[test]
fn without_fifos_there_is_room_for_one() {
    let b = bench();
    b.w(IER, 1);
    b.port.feed(b"xyz");
    assert_eq!((b.port.readable(), b.r(IIR)), (2, 4));
    assert_eq!([b.r(RBR), b.r(RBR), b.r(RBR), b.r(RBR)], [b'x', b'y', b'z', b'z'].map(u64::from));
    assert_eq!((b.r(LSR), b.irq()), (0x60, false));
}

#[test]
fn a_fifo_reset_loses_the_fifo_and_not_the_queue() {
    let b = bench();
    b.w(FCR, 1);
    b.port.feed(&(0..20).collect::<Vec<u8>>());
    assert_eq!(b.port.readable(), 4);
    b.w(FCR, 3);
    assert_eq!([b.r(RBR), b.r(RBR)], [16, 17]);
    b.w(FCR, 0);
    assert_eq!(b.r(LSR) & 1, 0, "changing ENABLE clears both");
}

#[test]
fn a_loop_leads_everything_back() {
    let b = bench();
    b.w(FCR, 7);
    b.w(MCR, 0x10);
    b.port.feed(b"outside");
    b.r(MSR);
    for (mcr, msr) in [(0x11, 0x22), (0x12, 0x13), (0x14, 0x41), (0x18, 0x8c)] {
        b.w(MCR, mcr);
        assert_eq!(b.r(MSR), msr, "MCR {mcr:#x}");
    }
    for i in 0..17 {
        b.w(0, i);
    }
    assert_eq!(b.r(LSR) & 3, 3, "the 17th overran");
    assert!(b.out().is_empty());
    assert_eq!((0..16).map(|_| b.r(RBR)).collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
    assert_eq!(b.r(LSR), 0x60);
}

#[test]
fn a_break_is_told_when_its_character_is_next() {
    let b = bench();
    b.w(FCR, 1);
    b.port.feed(b"a");
    b.port.feed_break();
    assert_eq!(b.r(LSR), 0xe1, "an error is in the FIFO, not at its head");
    b.r(RBR);
    assert_eq!((b.r(LSR), b.r(LSR)), (0xf1, 0x61));
    assert_eq!(b.r(RBR), 0);
    b.w(LCR, 0x43);
    assert!(b.port.outward().brk);
}

#[test]
fn the_carrier_goes_and_comes() {
    let b = bench();
    b.w(IER, 8);
    b.port.set_connected(false);
    assert_eq!((b.irq(), b.r(IIR), b.r(MSR), b.irq()), (true, 0, 0x38, false));
    b.port.set_connected(true);
    assert_eq!(b.r(MSR), 0xb8);
    b.w(MCR, 3);
    assert!(b.port.outward().dtr && b.port.outward().rts);
}

#[test]
fn a_guest_can_ask_the_host_to_wait() {
    let b = bench();
    b.w(MCR, 1);
    b.port.feed(b"xy");
    assert_eq!((b.r(LSR) & 1, b.port.readable()), (0, 2));
    b.w(MCR, 3);
    assert_eq!((b.r(RBR), b.port.readable()), (b'x'.into(), 0));
}

#[test]
fn a_mebibyte_arrives_whole_at_a_guest_that_reads_slowly() {
    let b = bench();
    b.w(FCR, 0xc7);
    b.w(IER, 1);
    let sent: Vec<u8> = (0..1u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (port, text) = (b.port.clone(), sent.clone());
    let host = std::thread::spawn(move || {
        let mut rest = &text[..];
        while !rest.is_empty() {
            rest = &rest[port.feed(rest)..];
            std::thread::yield_now();
        }
    });
    let mut got = Vec::with_capacity(sent.len());
    while got.len() < sent.len() {
        if b.r(LSR) & 1 == 1 {
            got.push(b.r(RBR) as u8);
        }
        assert_eq!(b.r(LSR) & 2, 0, "an overrun after {}", got.len());
    }
    host.join().unwrap();
    assert!(got == sent);
}

#[test]
fn a_reset_leaves_the_wires_as_they_are() {
    let b = bench();
    b.port.set_connected(false);
    b.w(MCR, 3);
    b.w(7, 9);
    b.uart.reset();
    assert_eq!((b.r(MSR), b.r(MCR), b.r(7)), (0x30, 0, 0), "no delta");
}

#[test]
fn nothing_of_its_own_keeps_it_alive() {
    let b = bench();
    b.w(FCR, 1);
    b.port.feed(b"x");
    let weak = Arc::downgrade(&b.uart);
    let Bench { uart, irq: _irq, port, clock } = b;
    clock.start();
    drop(uart);
    assert!(weak.upgrade().is_none(), "its port and its alarm hold it weakly");
    port.feed(b"nobody hears this");
}

/// What Linux's 8250 driver asks of an unknown port before it calls it a 16550A.
#[test]
fn a_driver_that_probes_finds_a_16550a() {
    let b = bench();
    b.w(IER, 0);
    assert_eq!(b.r(IER) & 0x0f, 0);
    b.w(IER, 0x0f);
    assert_eq!(b.r(IER) & 0x0f, 0x0f);
    b.w(IER, 0);
    b.w(MCR, 0x10 | 0x0a);
    assert_eq!(b.r(MSR) & 0xf0, 0x90, "RTS and OUT2 come back as CTS and DCD");
    b.w(MCR, 0);
    b.w(LCR, 0xbf);
    b.w(IIR, 0);
    b.w(LCR, 0);
    b.w(FCR, 1);
    assert_eq!(b.r(IIR) >> 6, 3, "it has FIFOs that work");
    // No 16750: bit 5 stays zero with and without the latch. No XScale: IER bit 6 does not stick.
    b.w(FCR, 0x21);
    let plain = b.r(IIR);
    b.w(LCR, 0x80);
    b.w(FCR, 0x21);
    assert_eq!((plain & 0x20, b.r(IIR) & 0x20), (0, 0));
    b.w(LCR, 0);
    b.w(IER, 0x40);
    assert_eq!(b.r(IER), 0);
    // The transmitter's interrupt test: twice in a row it is pending after enabling.
    for _ in 0..2 {
        b.w(IER, 2);
        assert_eq!(b.r(LSR) & 0x60, 0x60);
        assert_eq!(b.r(IIR) & 0x0f, 2);
        b.w(IER, 0);
    }
}
