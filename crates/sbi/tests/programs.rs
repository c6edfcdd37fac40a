//! S-mode programs that call while other harts run: completion, races and waiting.

#![forbid(unsafe_code)]

mod common;

use common::*;
use hartwright_device::Request;
use hartwright_isa::csr;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Where hart 1 is started.
const OTHER: u64 = RAM + 0x1000;
/// What it is to find in `a1`.
const OPAQUE: u64 = 0x1234_5678_9abc;
/// Where programs note what they have done.
const NOTES: u64 = RAM + 0x8000;
/// Asks for an end that says that the program failed, and for the other one.
const FAILED: [u64; 2] = [0, 1];
const DONE: [u64; 2] = [0, 0];

/// A program being written. Jumps go back, or over a few words.
struct Program {
    at: u64,
    words: Vec<u32>,
}

// Registers that no call uses.
const S0: u32 = 8;
const S1: u32 = 9;
const S2: u32 = 18;
const S3: u32 = 19;
const S4: u32 = 20;
const S5: u32 = 21;
const T0: u32 = 5;

impl Program {
    /// Begins with a jump over the way to fail, which is at the second word.
    fn new(at: u64) -> Self {
        let fail = ecall(SRST, 0, &FAILED);
        let mut words = vec![op("jal", 0, 0, 0, 4 + 4 * fail.len() as i64)];
        words.extend(fail);
        Program { at, words }
    }
    fn add(&mut self, words: &[u32]) -> &mut Self {
        self.words.extend(words);
        self
    }
    fn li(&mut self, r: u32, value: u64) -> &mut Self {
        self.add(&li(r, value))
    }
    fn call(&mut self, extension: u64, function: u64, arguments: &[u64]) -> &mut Self {
        self.add(&ecall(extension, function, arguments))
    }
    fn here(&self) -> usize {
        self.words.len()
    }
    /// Jumps back to `to` if the condition holds.
    fn back_if(&mut self, condition: &str, a: u32, b: u32, to: usize) -> &mut Self {
        let offset = 4 * (to as i64 - self.here() as i64);
        self.add(&[op(condition, 0, a, b, offset)])
    }
    /// Fails unless the condition holds.
    fn require(&mut self, condition: &str, a: u32, b: u32) -> &mut Self {
        self.add(&[op(condition, 0, a, b, 8)]);
        let offset = 4 * (1 - self.here() as i64);
        self.add(&[op("jal", 0, 0, 0, offset)])
    }
    /// Fails unless the last call succeeded.
    fn succeeded(&mut self) -> &mut Self {
        self.require("beq", 10, 0)
    }
    fn put(&self, machine: &Machine) {
        machine.put(self.at, &self.words);
    }
}

#[test]
fn a_hart_starts_where_it_is_told_with_what_it_is_given_and_stops() {
    let machine = Machine::two();
    let mut zero = Program::new(RAM);
    zero.call(HSM, 0, &[1, OTHER, OPAQUE]).succeeded();
    let wait = zero.here();
    zero.call(HSM, 2, &[1])
        .succeeded()
        .li(T0, 1)
        .back_if("bne", 11, T0, wait)
        .call(SRST, 0, &DONE)
        .put(&machine);
    let mut one = Program::new(OTHER);
    one.li(S0, NOTES).add(&[
        op("sd", 0, S0, 10, 0),
        op("sd", 0, S0, 11, 8),
        op("csrrs", T0, 0, 0, csr::SATP.into()),
        op("sd", 0, S0, T0, 16),
        op("csrrs", T0, 0, 0, csr::SSTATUS.into()),
        op("andi", T0, T0, 0, 2),
        op("sd", 0, S0, T0, 24),
    ]);
    one.call(HSM, 1, &[]).put(&machine);
    for _ in 0..20 {
        machine.harts.reset();
        machine.space.write_bytes(NOTES, &[0xff; 32]).unwrap();
        assert_eq!(machine.run(), Request::Shutdown(0));
        assert_eq!([0, 8, 16, 24].map(|at| machine.word(NOTES + at)), [1, OPAQUE, 0, 0]);
    }
}

/// Where both harts see the page that hart 0 exchanges.
const SEEN: u64 = 0x4000_0000;
const ROOT: u64 = RAM + 0x10000;
const MIDDLE: u64 = RAM + 0x11000;
const LEAVES: u64 = RAM + 0x12000;
/// The two pages that are exchanged: they differ in one bit.
const PAGES: [u64; 2] = [RAM + 0x14000, RAM + 0x15000];
/// How often hart 1 looks.
const ROUNDS: u64 = 2000;

/// Page tables of Sv39: RAM where it is, and [`SEEN`].
fn tables(machine: &Machine) {
    const TABLE: u64 = 1;
    const LEAF: u64 = 0xcf;
    let entry = |addr: u64, flags: u64| addr >> 12 << 10 | flags;
    for (at, value) in [
        (ROOT + 8, entry(MIDDLE, TABLE)),
        (ROOT + 16, entry(RAM, LEAF)),
        (MIDDLE, entry(LEAVES, TABLE)),
        (LEAVES, entry(PAGES[0], LEAF)),
    ] {
        machine.space.store(at, 8, value).unwrap();
    }
}

fn paging() -> Vec<u32> {
    let mut words = li(T0, 8 << 60 | ROOT >> 12);
    words.extend([op("csrrw", 0, T0, 0, csr::SATP.into()), op("sfence.vma", 0, 0, 0, 0)]);
    words
}

#[test]
fn no_translation_outlives_a_remote_fence_while_both_harts_fence_each_other() {
    let machine = Machine::two();
    tables(&machine);
    let mut zero = Program::new(RAM);
    zero.add(&paging()).li(S0, NOTES).li(S1, 0).li(S2, PAGES[0]).li(S3, LEAVES).li(S5, ROUNDS);
    zero.call(HSM, 0, &[1, OTHER, 0]).succeeded();
    let round = zero.here();
    // The next number goes into the page that is not seen, which then is; and when hart 1 sees no other any more,
    // that is told.
    zero.li(T0, PAGES[0] ^ PAGES[1]).add(&[
        op("addi", S1, S1, 0, 1),
        op("xor", S2, S2, T0, 0),
        op("sd", 0, S2, S1, 0),
        op("srli", T0, S2, 0, 2),
        op("ori", T0, T0, 0, 0xcf),
        op("sd", 0, S3, T0, 0),
    ]);
    zero.call(RFENCE, 1, &[0b10, 0, SEEN, 0x1000]).succeeded();
    zero.add(&[op("fence", 0, 0, 0, 0), op("sd", 0, S0, S1, 0)]);
    zero.call(RFENCE, 0, &[0, u64::MAX]).succeeded();
    zero.add(&[op("ld", T0, S0, 0, 8)]).back_if("bltu", T0, S5, round).call(SRST, 0, &DONE).put(&machine);

    let mut one = Program::new(OTHER);
    one.add(&paging()).li(S0, NOTES).li(S3, SEEN);
    let round = one.here();
    one.add(&[op("ld", S1, S0, 0, 0), op("fence", 0, 0, 0, 0), op("ld", S2, S3, 0, 0)]);
    one.require("bgeu", S2, S1);
    one.call(RFENCE, 2, &[1, 0, 0, u64::MAX, 0]).succeeded();
    one.add(&[op("addi", S4, S4, 0, 1), op("sd", 0, S0, S4, 8)]);
    one.back_if("beq", 0, 0, round).put(&machine);

    assert_eq!(machine.run(), Request::Shutdown(0));
    assert!(machine.word(NOTES) > 0 && machine.word(NOTES + 8) >= ROUNDS);
}

#[test]
fn a_fence_does_not_wait_for_a_hart_that_sleeps_or_is_stopped() {
    let machine = Machine::new(3, &model("rv64"));
    let mut zero = Program::new(RAM);
    zero.call(HSM, 0, &[1, OTHER, 0]).succeeded().li(S1, 500);
    let round = zero.here();
    zero.call(RFENCE, 0, &[0b111, 0]).succeeded();
    zero.add(&[op("addi", S1, S1, 0, -1)]).back_if("bne", S1, 0, round).call(SRST, 0, &DONE).put(&machine);
    machine.put(OTHER, &[op("wfi", 0, 0, 0, 0), op("jal", 0, 0, 0, -4)]);
    assert_eq!(machine.run(), Request::Shutdown(0));
}

#[test]
fn the_machine_can_be_stopped_and_looked_at_while_harts_fence() {
    let machine = Machine::two();
    for at in [RAM, OTHER] {
        let mut program = Program::new(at);
        if at == RAM {
            program.call(HSM, 0, &[1, OTHER, 0]);
        }
        let round = program.here();
        program.call(RFENCE, 1, &[0b11, 0, 0, 0]).succeeded();
        program.add(&[op("addi", S1, S1, 0, 1)]).back_if("bne", S1, 0, round).put(&machine);
    }
    machine.clock.start();
    let deadline = Instant::now() + PATIENCE;
    let mut before = [0; 2];
    // On a busy host a hart may not run at all in so short a time.
    for round in 0.. {
        machine.harts.resume();
        thread::sleep(Duration::from_millis(5));
        machine.harts.pause();
        let rounds = [0, 1].map(|hart| machine.harts.with(hart, |hart| hart.x(S1 as u8)).unwrap());
        assert!(rounds[0] >= before[0] && rounds[1] >= before[1], "{before:?} {rounds:?}");
        assert!(machine.requests.try_recv().is_err());
        before = rounds;
        if round >= 20 && before[0] > 0 && before[1] > 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{before:?}");
    }
}

#[test]
fn a_reset_while_harts_fence_leaves_nobody_waiting() {
    let machine = Machine::two();
    // Hart 0 runs until the note says that it is enough.
    let mut zero = Program::new(RAM);
    zero.call(HSM, 0, &[1, OTHER, 0]).succeeded().li(S0, NOTES);
    let round = zero.here();
    zero.call(RFENCE, 1, &[0b11, 0, 0, 0]).succeeded();
    zero.add(&[op("ld", T0, S0, 0, 0)]).back_if("beq", T0, 0, round).call(SRST, 0, &DONE).put(&machine);
    let mut one = Program::new(OTHER);
    let round = one.here();
    one.call(RFENCE, 1, &[0b11, 0, 0, 0]).succeeded().back_if("beq", 0, 0, round).put(&machine);
    machine.clock.start();
    for _ in 0..200 {
        machine.harts.resume();
        thread::sleep(Duration::from_micros(200));
        machine.harts.pause();
        machine.harts.reset();
    }
    machine.space.write_bytes(NOTES, &[1]).unwrap();
    assert_eq!(machine.run(), Request::Shutdown(0));
}

#[test]
fn an_interrupt_and_a_timer_wake_a_hart_that_waits_or_is_suspended() {
    const SSIE: u64 = 2;
    const STIE: u64 = 1 << 5;
    const KEEPS: u64 = 0;
    const LOSES: u64 = 0x8000_0000;
    let machine = Machine::two();
    let mut zero = Program::new(RAM);
    // A timer, in 1 ms.
    zero.li(T0, STIE).add(&[op("csrrw", 0, T0, 0, csr::SIE.into())]);
    zero.li(S2, 10_000).add(&[op("csrrs", 10, 0, 0, csr::TIME.into()), op("add", S3, 10, S2, 0)]);
    zero.li(16, 0).li(17, TIMER).add(&[op("addi", 10, S3, 0, 0), op("ecall", 0, 0, 0, 0)]).succeeded();
    zero.call(HSM, 3, &[KEEPS, 0, 0]).succeeded();
    zero.add(&[op("csrrs", T0, 0, 0, csr::TIME.into())]).require("bgeu", T0, S3);
    // Hart 1 counts the interrupts it was woken by.
    zero.call(HSM, 0, &[1, OTHER, NOTES]).succeeded().li(S0, NOTES).li(S1, 0).li(S5, 200);
    let round = zero.here();
    zero.add(&[op("addi", S1, S1, 0, 1)]).call(IPI, 0, &[1, 1]).succeeded();
    let wait = zero.here();
    zero.add(&[op("ld", T0, S0, 0, 0)]).back_if("bltu", T0, S1, wait);
    zero.back_if("bltu", S1, S5, round).call(SRST, 0, &DONE).put(&machine);

    // It begins anew after each suspension: `a1` is where it counts.
    let mut one = Program::new(OTHER);
    one.add(&[op("addi", S0, 11, 0, 0)]).li(T0, SSIE).add(&[op("csrrw", 0, T0, 0, csr::SIE.into())]);
    one.add(&[op("csrrs", T0, 0, 0, csr::SIP.into()), op("andi", T0, T0, 0, 2), op("beq", 0, T0, 0, 20)]);
    one.add(&[
        op("csrrwi", 0, 0, 0, csr::SIP.into()),
        op("ld", S1, S0, 0, 0),
        op("addi", S1, S1, 0, 1),
        op("sd", 0, S0, S1, 0),
    ]);
    one.call(HSM, 3, &[LOSES, OTHER, NOTES]).put(&machine);
    assert_eq!(machine.run(), Request::Shutdown(0));
    assert_eq!(machine.word(NOTES), 200);
}
