//! Each function by itself, and its errors, as the specification (SBI 2.0) has them.

#![forbid(unsafe_code)]

mod common;

use common::*;
use hartwright_device::Request;
use hartwright_isa::csr::*;
use hartwright_sbi::EXTENSIONS;

const OK: (i64, u64) = (0, 0);
const NOT_SUPPORTED: (i64, u64) = (-2, 0);
const INVALID_PARAM: (i64, u64) = (-3, 0);
const INVALID_ADDRESS: (i64, u64) = (-5, 0);
const ALREADY_AVAILABLE: (i64, u64) = (-6, 0);
const ALREADY_STARTED: (i64, u64) = (-7, 0);
const ALREADY_STOPPED: (i64, u64) = (-8, 0);
const NO_SHMEM: (i64, u64) = (-9, 0);
const ALL: u64 = u64::MAX;
const SSIP: u64 = 1 << 1;
const STIP: u64 = 1 << 5;

#[test]
fn the_tables_name_nothing_twice() {
    let mut extensions: Vec<_> = EXTENSIONS.iter().map(|row| row.id).collect();
    extensions.sort_unstable();
    extensions.dedup();
    assert_eq!(extensions.len(), EXTENSIONS.len());
    for extension in EXTENSIONS {
        let ids: Vec<_> = extension.functions.iter().map(|row| row.id).collect();
        assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>(), "{}", extension.name);
    }
}

#[test]
fn base_says_what_there_is() {
    let machine = Machine::two();
    assert_eq!(machine.call(BASE, 0, &[]), (0, 0x0200_0000));
    assert_eq!(machine.call(BASE, 1, &[]), (0, 0x6877));
    assert_eq!(machine.call(BASE, 2, &[]).0, 0);
    for extension in EXTENSIONS {
        assert_eq!(machine.call(BASE, 3, &[extension.id]), (0, 1), "{}", extension.name);
    }
    // System suspend, and nobody's.
    for absent in [0x5355_5350, 0x0a00_0000, 9] {
        assert_eq!(machine.call(BASE, 3, &[absent]), OK);
    }
    for (function, number) in [(4, MVENDORID), (5, MARCHID), (6, MIMPID)] {
        assert_eq!(machine.call(BASE, function, &[]), (0, machine.csr(0, number)));
    }
}

#[test]
fn what_nobody_knows_is_not_supported() {
    let machine = Machine::two();
    for (extension, function) in
        [(BASE, 7), (TIMER, 1), (IPI, 1), (RFENCE, 7), (HSM, 4), (0x1234, 0), (ALL, ALL)]
    {
        assert_eq!(machine.call(extension, function, &[]), NOT_SUPPORTED, "{extension:#x} {function}");
    }
}

#[test]
fn a_call_leaves_the_hart_behind_it_and_other_registers_alone() {
    let machine = Machine::two();
    for r in 1..32u8 {
        machine.harts.with(0, move |hart| hart.set_x(r, u128::from(r) * 0x101)).unwrap();
    }
    let before = machine.pc(0);
    machine.call(BASE, 3, &[BASE]);
    assert_eq!(machine.pc(0), before + 4);
    for r in (1..32u8).filter(|r| ![10, 11, 16, 17].contains(r)) {
        assert_eq!(machine.harts.with(0, move |hart| hart.x(r)).unwrap(), u128::from(r) * 0x101);
    }
}

#[test]
fn harts_begin_as_the_specification_and_opensbi_have_it() {
    let machine = Machine::new(2, &model("max"));
    let [id, tree] = [10, 11].map(|r| machine.harts.with(0, move |hart| hart.x(r) as u64).unwrap());
    assert_eq!((machine.pc(0), id, tree), (RAM, 0, DEVICE_TREE));
    for hart in 0..2 {
        let csr = |number| machine.csr(hart, number);
        assert_eq!(machine.harts.with(hart, |hart| hart.privilege() as u8).unwrap(), 1);
        assert_eq!((csr(MEDELEG), csr(MIDELEG)), (0xb1ff, 0x2222));
        assert_eq!((csr(MCOUNTEREN), csr(SCOUNTEREN), csr(MCOUNTINHIBIT)), (0x7_ffff, 7, 0x7_fff8));
        // What OpenSBI 1.6 has on this model, as its harts showed it.
        assert_eq!((csr(MENVCFG), csr(MSTATEEN0)), (0xe000_0000_0000_00f0, 3 << 62));
        assert_eq!(csr(MSECCFG) & 0x300, 0x200);
        assert_eq!(csr(MSTATUS) & 0x6000, 0x6000);
        assert_eq!((csr(SATP), csr(SIE), csr(SIP)), (0, 0, 0));
    }
    assert_eq!(machine.call(HSM, 2, &[1]), (0, 1));
}

#[test]
fn a_mask_names_harts_that_are_there() {
    let machine = Machine::two();
    for (extension, function) in [(IPI, 0), (RFENCE, 0), (RFENCE, 1), (RFENCE, 2)] {
        for (mask, base, answer) in [
            (0b11, 0, OK),
            (1, 1, OK),
            (0, ALL, OK),
            (u64::MAX, ALL, OK),
            (0, 0, OK),
            (0, 99, OK),
            (0b100, 0, INVALID_PARAM),
            (0b10, 1, INVALID_PARAM),
            (1, 2, INVALID_PARAM),
            (2, ALL - 1, INVALID_PARAM),
        ] {
            let answered = machine.call(extension, function, &[mask, base, 0, 0, 0]);
            assert_eq!(answered, answer, "{extension:#x} {function} {mask:#x} {base:#x}");
        }
    }
}

#[test]
fn an_interrupt_goes_to_who_runs() {
    let machine = Machine::two();
    assert_eq!(machine.call(IPI, 0, &[0b11, 0]), OK);
    assert_eq!(machine.csr(0, SIP) & SSIP, SSIP);
    // Hart 1 is stopped.
    assert_eq!(machine.csr(1, SIP) & SSIP, 0);
    assert_eq!(machine.call(3, 0, &[]), (1, 0));
    assert_eq!(machine.csr(0, SIP) & SSIP, 0);
    assert_eq!(machine.call(3, 0, &[]).0, 0);
}

#[test]
fn the_timer_is_pending_once_its_time_has_come_with_and_without_sstc() {
    for model in [model("rv64"), model("rv64").with([("sstc", false)]).unwrap()] {
        let machine = Machine::new(1, &model);
        for (at, pending) in [(0, STIP), (u64::MAX, 0), (0, STIP), (1 << 60, 0)] {
            assert_eq!(machine.call(TIMER, 0, &[at]), OK);
            assert_eq!(machine.csr(0, SIP) & STIP, pending, "{at:#x}");
            assert_eq!(machine.call(0, 0, &[at]).0, 0);
            assert_eq!(machine.csr(0, SIP) & STIP, pending, "{at:#x}, legacy");
        }
    }
}

#[test]
fn fences_check_their_range_and_there_are_none_for_guests() {
    let machine = Machine::two();
    for (start, size, answer) in [
        (0, 0, OK),
        (0x1000, 0, OK),
        (0x1234, 1, OK),
        (0, u64::MAX, OK),
        (u64::MAX, 1, OK),
        (u64::MAX, 2, INVALID_ADDRESS),
        (1 << 63, 1 << 63, OK),
        (1 << 63, (1 << 63) + 1, INVALID_ADDRESS),
    ] {
        assert_eq!(machine.call(RFENCE, 1, &[2, 0, start, size]), answer, "{start:#x} {size:#x}");
        assert_eq!(machine.call(RFENCE, 2, &[2, 0, start, size, 3]), answer);
    }
    for function in 3..7 {
        assert_eq!(machine.call(RFENCE, function, &[1, 0, 0, 0]), NOT_SUPPORTED);
    }
}

#[test]
fn a_hart_starts_once_where_there_is_memory() {
    let machine = Machine::two();
    for (hart, addr, answer) in [
        (2, RAM, INVALID_PARAM),
        (ALL, RAM, INVALID_PARAM),
        (1, 0x10, INVALID_ADDRESS),
        (1, RAM + RAM_SIZE, INVALID_ADDRESS),
        (0, RAM, ALREADY_AVAILABLE),
        (1, RAM + 0x100, OK),
        (1, RAM + 0x100, ALREADY_AVAILABLE),
    ] {
        assert_eq!(machine.call(HSM, 0, &[hart, addr, 7]), answer, "{hart} {addr:#x}");
    }
    assert_eq!(machine.call(HSM, 2, &[0]), (0, 0));
    // It stands, so it has not begun yet.
    assert_eq!(machine.call(HSM, 2, &[1]), (0, 2));
    assert_eq!(machine.call(HSM, 2, &[2]), INVALID_PARAM);
}

#[test]
fn a_hart_stops_and_suspends() {
    let machine = Machine::two();
    for (kind, answer) in [
        (1, INVALID_PARAM),
        (0x0fff_ffff, INVALID_PARAM),
        (0x8000_0001, INVALID_PARAM),
        (0x1000_0000, NOT_SUPPORTED),
        (0x9000_0000, NOT_SUPPORTED),
    ] {
        assert_eq!(machine.call(HSM, 3, &[kind, RAM, 0]), answer, "{kind:#x}");
    }
    assert_eq!(machine.call(HSM, 3, &[0x8000_0000, 0x10, 0]), INVALID_ADDRESS);
    assert_eq!(machine.call_on(1, HSM, 2, &[0]), (0, 0));
    assert_eq!(machine.call(HSM, 3, &[0, 0, 0]), OK);
    assert_eq!(machine.call_on(1, HSM, 2, &[0]), (0, 4));
    machine.harts.reset();
    machine.set_csr(0, SIE, SSIP | STIP);
    machine.call(HSM, 1, &[]);
    assert_eq!(machine.call_on(1, HSM, 2, &[0]), (0, 1));
    assert_eq!(machine.csr(0, SIE), 0);
}

#[test]
fn system_reset_asks_for_what_it_is_told() {
    for (kind, reason, answer) in [
        (3, 0, INVALID_PARAM),
        (0xefff_ffff, 0, INVALID_PARAM),
        (0xf000_0000, 0, NOT_SUPPORTED),
        (0, 2, INVALID_PARAM),
        (1, 0xdfff_ffff, INVALID_PARAM),
    ] {
        assert_eq!(Machine::two().call(SRST, 0, &[kind, reason]), answer, "{kind:#x} {reason:#x}");
    }
    for (kind, reason, request) in [
        (0, 0, Request::Shutdown(0)),
        (0, 1, Request::Shutdown(1)),
        (0, 0xe000_0000, Request::Shutdown(0)),
        (1, 0, Request::Reset),
        (2, 0xf000_0000, Request::Reset),
    ] {
        let machine = Machine::two();
        machine.call(SRST, 0, &[kind, reason]);
        assert_eq!(machine.requests.try_recv(), Ok(request));
        // Who asked does not go on.
        assert_eq!(machine.pc(0), RAM);
    }
    let machine = Machine::two();
    machine.call(8, 0, &[]);
    assert_eq!(machine.requests.try_recv(), Ok(Request::Shutdown(0)));
}

/// Has a backend take what is written; gives it.
fn output(machine: &Machine) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    let n = machine.console.peek_output(&mut bytes);
    machine.console.consume_output(n);
    bytes.truncate(n);
    bytes
}

#[test]
fn the_debug_console_moves_bytes() {
    let machine = Machine::two();
    machine.console.connect(std::sync::Arc::new(|| {}));
    machine.space.write_bytes(RAM + 0x100, b"hello").unwrap();
    assert_eq!(machine.call(DBCN, 0, &[5, RAM + 0x100, 0]), (0, 5));
    assert_eq!(machine.call(DBCN, 2, &[0x121]), OK);
    assert_eq!(machine.call(1, 0, &[0x3f]).0, 0);
    assert_eq!(output(&machine), b"hello!?");

    assert_eq!(machine.call(DBCN, 1, &[4, RAM + 0x200, 0]), OK);
    machine.console.feed(b"abcdef");
    assert_eq!(machine.call(DBCN, 1, &[4, RAM + 0x200, 0]), (0, 4));
    assert_eq!(machine.word(RAM + 0x200), u64::from_le_bytes(*b"abcd\0\0\0\0"));
    assert_eq!(machine.call(2, 0, &[]).0, i64::from(b'e'));
    assert_eq!(machine.call(2, 0, &[]).0, i64::from(b'f'));
    assert_eq!(machine.call(2, 0, &[]).0, -1);

    for (len, low, high) in
        [(1, 0x10, 0), (1, RAM, 1), (2, RAM + RAM_SIZE - 1, 0), (u64::MAX, RAM, 0), (2, u64::MAX, 0)]
    {
        for function in [0, 1] {
            assert_eq!(machine.call(DBCN, function, &[len, low, high]), INVALID_PARAM, "{len:#x} {low:#x}");
        }
    }
    assert_eq!(machine.call(DBCN, 0, &[0, 0, 0]), OK);
    assert_eq!(machine.call(DBCN, 0, &[RAM_SIZE, RAM, 0]), (0, 4096));
}

#[test]
fn a_byte_for_which_there_is_no_room_is_written_later() {
    let machine = Machine::two();
    machine.console.connect(std::sync::Arc::new(|| {}));
    let mut written = 0;
    loop {
        match machine.call(DBCN, 0, &[4096, RAM, 0]) {
            (0, 0) => break,
            (0, some) => written += some,
            other => panic!("{other:?}"),
        }
    }
    let before = machine.pc(0);
    machine.call(DBCN, 2, &[0x41]);
    assert_eq!(machine.pc(0), before);
    assert_eq!(output(&machine).len() as u64, written);
    assert_eq!(machine.call(DBCN, 2, &[0x41]), OK);
    assert_eq!((machine.pc(0), output(&machine)), (before + 4, vec![0x41]));
}

#[test]
fn counters_are_told_and_configured() {
    const CYCLES: u64 = 1;
    const CLEAR_AND_START: u64 = 6;
    let machine = Machine::new(1, &model("max"));
    assert_eq!(machine.call(PMU, 0, &[]), (0, 19));
    for (n, info) in
        [(0, (0, 0x3fc00)), (1, INVALID_PARAM), (2, (0, 0x3fc02)), (18, (0, 0x3fc12)), (19, INVALID_PARAM)]
    {
        assert_eq!(machine.call(PMU, 1, &[n]), info, "{n}");
    }
    // An event that nothing counts, counters that are not there.
    assert_eq!(machine.call(PMU, 2, &[0, ALL >> 45, 0, 3]), NOT_SUPPORTED);
    assert_eq!(machine.call(PMU, 2, &[19, 1, 0, CYCLES]), INVALID_PARAM);
    assert_eq!(machine.call(PMU, 2, &[0, 2, 0, CYCLES]), INVALID_PARAM);
    assert_eq!(machine.call(PMU, 2, &[0, 0, 0, CYCLES]), INVALID_PARAM);
    // In S-mode only, from zero, at once.
    let user = 1 << 5;
    assert_eq!(machine.call(PMU, 2, &[3, 0xff, CLEAR_AND_START | user, CYCLES]), (0, 3));
    assert_eq!(machine.csr(0, MHPMEVENT3), CYCLES | 1 << 60);
    assert_eq!(machine.csr(0, MCOUNTINHIBIT), 0x7_fff0);
    assert_eq!(machine.call(PMU, 3, &[3, 1, 0, 0]), ALREADY_STARTED);
    // It is taken, so the next one is a second.
    assert_eq!(machine.call(PMU, 2, &[3, 0xff, 0, CYCLES]), (0, 4));
    assert_eq!(machine.call(PMU, 4, &[4, 1, 0]), ALREADY_STOPPED);
    assert_eq!(machine.call(PMU, 3, &[4, 1, 1, 1234]), OK);
    assert_eq!(machine.csr(0, MHPMEVENT3 + 1), CYCLES);
    assert_eq!(machine.csr(0, MHPMCOUNTER3 + 1), 1234);
    assert_eq!(machine.call(PMU, 4, &[3, 3, 1]), OK);
    assert_eq!((machine.csr(0, MHPMEVENT3), machine.csr(0, MCOUNTINHIBIT)), (0, 0x7_fff8));
    assert_eq!(machine.call(PMU, 3, &[3, 1, 2, 0]), NO_SHMEM);
    assert_eq!(machine.call(PMU, 4, &[3, 1, 2]), NO_SHMEM);
    assert_eq!(machine.call(PMU, 5, &[3]), INVALID_PARAM);
    assert_eq!(machine.call(PMU, 7, &[0, 0, 0]), NOT_SUPPORTED);

    // Without interrupts the fixed one does.
    let machine = Machine::two();
    assert_eq!(machine.call(PMU, 2, &[0, 0xff, 0, CYCLES]), (0, 0));
    assert_eq!(machine.call(PMU, 2, &[0, 0xff, 0, 2]), (0, 2));
    assert_eq!(machine.call(PMU, 2, &[0, 0xff, 0, 0x1_0019]), (0, 3));
}

#[test]
fn legacy_masks_are_in_memory() {
    let machine = Machine::two();
    machine.space.store(RAM + 0x100, 8, 0b01).unwrap();
    machine.space.store(RAM + 0x108, 8, 0b100).unwrap();
    for function in [4, 5, 6, 7] {
        assert_eq!(machine.call(function, 0, &[RAM + 0x100, 0, 0]).0, 0);
        assert_eq!(machine.call(function, 0, &[0, 0, 0]).0, 0);
        assert_eq!(machine.call(function, 0, &[RAM + 0x108, 0, 0]).0, -3);
        assert_eq!(machine.call(function, 0, &[0x10, 0, 0]).0, -5);
        // They leave `a1` alone.
        assert_eq!(machine.call(function, 0, &[0, 77, 1]).1, 77);
    }
    assert_eq!(machine.csr(0, SIP) & SSIP, SSIP);
}
