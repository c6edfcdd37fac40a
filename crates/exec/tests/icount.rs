//! Harts in turn on one thread, and time counted in their instructions.
#![forbid(unsafe_code)]

mod common;

use common::{Machine, RAM, finish, li, model, op};
use hartwright_exec::{Pace, Shift};
use hartwright_isa::csr;
use hartwright_wire::{Clock, Line, Mtime};
use std::thread;

fn csrr(rd: u32, number: u16) -> u32 {
    op("csrrs", rd, 0, 0, number.into())
}
fn csrw(number: u16, rs1: u32) -> u32 {
    op("csrrw", 0, rs1, 0, number.into())
}
fn nop() -> u32 {
    op("addi", 0, 0, 0, 0)
}

/// Where harts meet in memory.
const MEETING: u64 = RAM + 0x8000;

#[test]
fn time_is_instructions_done() {
    for shift in [0, 1, 7, Shift::MOST] {
        let machine = Machine::counted(1, Shift::Fixed(shift), true);
        for n in [0, 1, 62, 63, 64, 65, 300] {
            let mut words = vec![csrr(5, csr::TIME)];
            words.extend(vec![nop(); n]);
            words.extend([csrr(6, csr::TIME), op("sub", 10, 6, 5, 0)]);
            assert_eq!(machine.outcome(&words), (n as u64 + 1) << shift, "{n} at shift {shift}");
        }
    }
}

/// Counts in `a0` until the timer interrupts it, `after` nanoseconds after `time` was read; `a1` is the `time` that
/// the handler reads.
fn interrupted(machine: &Machine, after: u64) -> (u64, u64) {
    let mut words = vec![];
    words.extend(li(5, 1 << 63));
    words.push(csrw(csr::MENVCFG, 5));
    // The handler follows the endless loop below.
    words.push(op("auipc", 5, 0, 0, 0));
    let base = words.len();
    words.push(0);
    words.extend([csrw(csr::MTVEC, 5), op("addi", 5, 0, 0, 1 << 5), csrw(csr::MIE, 5)]);
    words.extend([op("addi", 5, 0, 0, 1 << 3), csrw(csr::MSTATUS, 5), op("addi", 10, 0, 0, 0)]);
    words.extend(li(6, after));
    words.extend([csrr(5, csr::TIME), op("add", 6, 6, 5, 0), csrw(csr::STIMECMP, 6)]);
    words.extend([op("addi", 10, 10, 0, 1), op("jal", 0, 0, 0, -4)]);
    words[base] = op("addi", 5, 5, 0, 4 * (words.len() as i64 - base as i64 + 1));
    words.extend([csrr(11, csr::TIME), op("sub", 11, 11, 6, 0)]);
    let a0 = machine.outcome(&words);
    (a0, machine.x(11))
}

#[test]
fn a_timer_interrupts_after_so_many_instructions_and_no_more() {
    let machine = Machine::counted(1, Shift::Fixed(0), true);
    for after in [10, 100, 101, 102, 103, 5_000, 100_000] {
        // Two instructions to arm it, of which the second is the first that the timer may come after; two a round.
        let (rounds, late) = interrupted(&machine, after);
        assert_eq!((rounds, late), ((after - 1) / 2, 1), "{after}");
    }
}

#[test]
fn without_sleep_a_wait_of_hours_is_over_at_once() {
    let machine = Machine::counted(1, Shift::Fixed(0), false);
    let hours: u64 = 5 * 3600 * 1_000_000_000;
    let mut words = li(5, 1 << 63);
    words.extend([csrw(csr::MENVCFG, 5), op("addi", 5, 0, 0, 1 << 5), csrw(csr::MIE, 5)]);
    words.extend(li(6, hours));
    words.extend([csrr(7, csr::TIME), op("add", 6, 6, 7, 0), csrw(csr::STIMECMP, 6)]);
    words.extend([op("wfi", 0, 0, 0, 0), csrr(10, csr::TIME), op("sub", 10, 10, 7, 0)]);
    let passed = machine.outcome(&words);
    assert!((hours..hours + 10).contains(&passed), "{passed}");
}

#[test]
fn an_alarm_from_outside_rings_at_its_time_while_all_harts_wait() {
    for sleep in [true, false] {
        let machine = Machine::counted(1, Shift::Fixed(0), sleep);
        let mut words = li(5, MEETING);
        words.extend([csrr(6, csr::TIME), op("addi", 6, 6, 0, 1), op("sd", 0, 5, 6, 0)]);
        words.extend(li(6, 1 << 11));
        words.extend([csrw(csr::MIE, 6), op("wfi", 0, 0, 0, 0), csrr(10, csr::TIME)]);
        let (space, clock) = (machine.space.clone(), machine.clock.clone());
        let external = Line::new(machine.harts.port(0), 11);
        let outside = thread::spawn(move || {
            while space.load(MEETING, 8).unwrap() == 0 {
                thread::yield_now();
            }
            let alarm = clock.alarm(external);
            let at = clock.now() + 1_000;
            alarm.at(Some(at));
            (at, alarm)
        });
        let woken = machine.outcome(&words);
        let (at, _alarm) = outside.join().unwrap();
        assert!((at..at + 100).contains(&woken), "{at} {woken}, sleep {sleep}");
    }
}

/// Every hart adds 1 to a word 1000 times with `lr` and `sc`, writes down what it saw last, and the last one done
/// ends the run.
fn contention(harts: u64) -> Vec<u32> {
    let mut words = li(5, MEETING);
    words.extend([csrr(7, csr::MHARTID), op("slli", 7, 7, 0, 3), op("add", 7, 7, 5, 0)]);
    words.push(op("addi", 6, 0, 0, 1000));
    words.extend([
        op("lr.w", 28, 5, 0, 0),
        op("addi", 28, 28, 0, 1),
        op("sc.w", 29, 5, 28, 0),
        op("bne", 0, 29, 0, -12),
        op("sd", 0, 7, 28, 64),
        op("addi", 6, 6, 0, -1),
        op("bne", 0, 6, 0, -24),
    ]);
    // Whoever finds all done says so; the others go on asking.
    words.extend(li(31, 1000 * harts));
    words.extend([op("lw", 28, 5, 0, 0), op("bne", 0, 28, 31, -4)]);
    words.extend(finish());
    words
}

/// What is left in memory, and how many instructions each hart took.
fn after_contention(machine: &Machine, harts: usize) -> (Vec<u64>, Vec<u64>) {
    machine.put(RAM, &contention(harts as u64));
    machine.run();
    let seen = (0..harts as u64).map(|hart| machine.word(MEETING + 64 + 8 * hart)).collect();
    let done = (0..harts).map(|hart| machine.harts.with(hart, |hart| hart.instret()).unwrap()).collect();
    (seen, done)
}

#[test]
fn harts_in_turn_all_get_on() {
    let mtime = Mtime::new(Clock::new(), 10_000_000);
    let machine = Machine::paced(3, 1 << 20, model("max"), mtime, Pace::InTurn);
    let (seen, _) = after_contention(&machine, 3);
    assert_eq!(seen.iter().max(), Some(&3000), "{seen:?}");
    let threads: Vec<u32> = (0..3).map(|hart| machine.harts.thread_id(hart)).collect();
    assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
}

#[test]
fn a_hart_that_spins_leaves_its_turn_to_the_others() {
    const PAUSE: u32 = 0x0100_000f;
    const WRS_STO: u32 = 0x01d0_0073;
    for hint in [PAUSE, WRS_STO] {
        let machine = Machine::counted(2, Shift::Fixed(0), true);
        // The first counts how often it looks until the second has something for it,
        let mut first = vec![op("addi", 10, 10, 0, 1), hint, op("lw", 28, 5, 0, 0), op("beq", 0, 28, 0, -12)];
        first.extend(finish());
        // which that has after 200,000 instructions, a dozen turns.
        let mut second = li(6, 100_000);
        second.extend([op("addi", 6, 6, 0, -1), op("bne", 0, 6, 0, -4), op("sd", 0, 5, 5, 0)]);
        second.push(op("jal", 0, 0, 0, 0));
        let mut words = li(5, MEETING);
        words.extend([csrr(7, csr::MHARTID), op("bne", 0, 7, 0, 4 + 4 * first.len() as i64)]);
        words.extend([first, second].concat());
        machine.put(RAM, &words);
        machine.run();
        let looks = machine.x(10);
        assert!((2..20).contains(&looks), "{looks}");
    }
}

#[test]
fn two_runs_of_several_harts_are_alike_to_the_instruction() {
    let run = || {
        let machine = Machine::counted(4, Shift::Fixed(2), false);
        let (seen, done) = after_contention(&machine, 4);
        // Whoever ended the run goes on until it is stopped, from outside; the others have not moved since their turns.
        (seen, machine.word(MEETING), done.len())
    };
    let first = run();
    assert_eq!(first.1, 4000);
    assert!((0..3).all(|_| run() == first));
}

#[test]
fn time_that_keeps_up_with_the_hosts_passes() {
    let machine = Machine::counted(1, Shift::Auto, true);
    let mut words = li(6, 400_000_000);
    words.extend([csrr(5, csr::TIME), op("add", 6, 6, 5, 0), csrr(7, csr::TIME), op("bltu", 0, 7, 6, -4)]);
    words.push(op("addi", 10, 7, 0, 0));
    assert!(machine.outcome(&words) >= 400_000_000);
}
