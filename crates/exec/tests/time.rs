//! Counting instructions, and waiting without doing any.

#![forbid(unsafe_code)]

mod common;

use common::{Machine, PATIENCE, RAM, Rng, finish, full, li, model, op};
use hartwright_isa::csr;
use hartwright_wire::Sink;
use std::time::{Duration, Instant};

fn csrr(rd: u32, number: u16) -> u32 {
    op("csrrs", rd, 0, 0, number.into())
}
fn csrw(number: u16, rs1: u32) -> u32 {
    op("csrrw", 0, rs1, 0, number.into())
}
fn nop() -> u32 {
    op("addi", 0, 0, 0, 0)
}

/// How many instructions `minstret` (or another counter) says `between` are, with the reading one.
fn counted(machine: &Machine, counter: u16, between: &[u32]) -> u64 {
    let mut words = vec![csrr(5, counter)];
    words.extend(between);
    words.extend([csrr(6, counter), op("sub", 10, 6, 5, 0)]);
    machine.outcome(&words)
}

#[test]
fn instructions_are_counted_one_by_one() {
    let machine = Machine::max();
    for counter in [csr::MINSTRET, csr::INSTRET, csr::MCYCLE, csr::CYCLE] {
        for n in [0, 1, 2, 63, 64, 65, 200] {
            assert_eq!(counted(&machine, counter, &vec![nop(); n]), n as u64 + 1);
        }
        // Branches, taken and not, within a block and at its end; a jump over another.
        let loop_of_10 = [op("addi", 7, 0, 0, 10), op("addi", 7, 7, 0, -1), op("bne", 0, 7, 0, -4)];
        assert_eq!(counted(&machine, counter, &loop_of_10), 1 + 20 + 1);
        assert_eq!(counted(&machine, counter, &[op("beq", 0, 0, 0, 8), nop(), nop()]), 1 + 1 + 1);
        assert_eq!(counted(&machine, counter, &[op("bne", 0, 0, 0, 8), nop(), nop()]), 3 + 1);
        assert_eq!(counted(&machine, counter, &[op("jal", 0, 0, 0, 8), nop(), nop()]), 1 + 1 + 1);
        assert_eq!(
            counted(&machine, counter, &[op("fence.i", 0, 0, 0, 0), csrr(8, csr::MEPC), nop()]),
            3 + 1
        );
        assert_eq!(counted(&machine, counter, &[op("sfence.vma", 0, 0, 0, 0), nop()]), 2 + 1);
    }
}

/// Random straight code with branches that skip some, as an interpreter of the test counts it.
#[test]
fn random_paths_are_counted_exactly() {
    let mut rng = Rng(41);
    let machine = Machine::max();
    for _ in 0..if full() { 3_000 } else { 150 } {
        let mut words = vec![];
        for _ in 0..rng.below(150) {
            let skip = 4 + 4 * rng.below(6) as i64;
            words.push(match rng.below(8) {
                0 => op("beq", 0, 0, 0, skip),
                1 => op("bne", 0, 0, 0, skip),
                2 => op("jal", 0, 0, 0, skip),
                3 => csrr(8, csr::MSCRATCH),
                _ => nop(),
            });
        }
        words.extend([nop(); 6]);
        let (mut at, mut count) = (0, 0);
        while at < words.len() {
            let word = words[at];
            let skip = (word >> 8 & 15) as usize * 2 + (word >> 25 & 1) as usize * 32;
            at += match word & 0x707f {
                0x63 => skip / 4,
                _ if word & 0x7f == 0x6f => (word >> 21 & 0x3ff) as usize / 2,
                _ => 1,
            };
            count += 1;
        }
        // No skip ends beyond the last words.
        assert_eq!(at, words.len());
        assert_eq!(counted(&machine, csr::MINSTRET, &words), count + 1);
    }
}

#[test]
fn what_traps_is_not_counted() {
    let machine = Machine::max();
    // The handler returns after the instruction that trapped.
    const HANDLER: u64 = RAM + 0x1000;
    let handler =
        [csrr(28, csr::MEPC), op("addi", 28, 28, 0, 4), csrw(csr::MEPC, 28), op("mret", 0, 0, 0, 0)];
    machine.put(HANDLER, &handler);
    let mut setup = li(29, HANDLER);
    setup.extend([
        csrw(csr::MTVEC, 29),
        op("lui", 29, 0, 0, 0x1800),
        op("csrrs", 0, 29, 0, csr::MSTATUS.into()),
    ]);
    for trap in
        [op("ecall", 0, 0, 0, 0), op("ebreak", 0, 0, 0, 0), 0, op("ld", 7, 0, 0, 8), op("sd", 0, 0, 0, 8)]
    {
        for (before, after) in [(0, 0), (3, 4), (70, 1)] {
            let mut words = setup.clone();
            words.push(csrr(5, csr::MINSTRET));
            words.extend(vec![nop(); before]);
            words.push(trap);
            words.extend(vec![nop(); after]);
            words.extend([csrr(6, csr::MINSTRET), op("sub", 10, 6, 5, 0)]);
            let count = 1 + before + handler.len() + after;
            assert_eq!(machine.outcome(&words), count as u64, "{trap:#x} after {before}");
        }
    }
}

#[test]
fn a_counter_goes_on_from_what_is_written() {
    let machine = Machine::max();
    for counter in [csr::MINSTRET, csr::MCYCLE] {
        for value in [0, 1, 1000, u64::MAX, 1 << 40] {
            let mut words = li(5, value);
            words.extend([csrw(counter, 5), csrr(10, counter), csrr(11, counter), nop(), csrr(12, counter)]);
            assert_eq!(machine.outcome(&words), value);
            assert_eq!(machine.x(11), value.wrapping_add(1));
            assert_eq!(machine.x(12), value.wrapping_add(3));
        }
    }
}

#[test]
fn an_inhibited_counter_stands() {
    let machine = Machine::max();
    for (counter, bit) in [(csr::MINSTRET, 4), (csr::MCYCLE, 1)] {
        let inhibit = |bits: i64| [op("addi", 7, 0, 0, bits), csrw(csr::MCOUNTINHIBIT, 7)];
        let mut words = inhibit(bit).to_vec();
        words.extend([csrr(5, counter), nop(), nop(), csrr(6, counter), op("sub", 10, 6, 5, 0)]);
        // Written while it stands, it holds that.
        words.extend([op("addi", 8, 0, 0, 100), csrw(counter, 8), nop(), csrr(11, counter)]);
        words.extend(inhibit(0));
        words.extend([csrr(12, counter), csrr(13, counter)]);
        assert_eq!(machine.outcome(&words), 0);
        assert_eq!(machine.x(11), 100);
        let [first, second] = [12, 13].map(|r| machine.x(r));
        // Whether the instruction that lets it go is counted itself, the specification leaves open.
        assert!([100, 101].contains(&first), "{first}");
        assert_eq!(second, first + 1);
    }
}

/// Clock ticks of processor time that this process's thread used.
fn cpu_ticks(thread: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A program that enables interrupts `mie`, waits, then ends. In M-mode with `mstatus.MIE` off: it goes on.
fn waiting(mie: u64) -> Vec<u32> {
    let mut words = li(5, mie);
    words.extend([csrw(csr::MIE, 5), op("addi", 10, 0, 0, 1), op("wfi", 0, 0, 0, 0), csrr(11, csr::MIP)]);
    words.extend(finish());
    words
}

#[test]
fn a_waiting_hart_sleeps_until_another_thread_wakes_it() {
    let machine = Machine::max();
    machine.put(RAM, &waiting(1 << 3));
    let port = machine.harts.port(0);
    let thread = machine.harts.thread_id(0);
    let waker = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        let before = cpu_ticks(thread);
        std::thread::sleep(Duration::from_millis(500));
        let ticks = cpu_ticks(thread) - before;
        // An interrupt that is not enabled does not end the wait.
        port.set(11, true);
        std::thread::sleep(Duration::from_millis(50));
        port.set(3, true);
        ticks
    });
    let begun = Instant::now();
    machine.run();
    assert!(begun.elapsed() >= Duration::from_millis(600));
    assert_eq!(machine.x(11) & 0x888, 0x808);
    // Half a second is 50 ticks; a hart that spins would use most of them, even on a busy host.
    assert!(waker.join().unwrap() < 10);
}

#[test]
fn a_waiting_hart_wakes_by_its_timer() {
    let machine = Machine::max();
    let mut words = li(5, 1 << 63);
    words.push(op("csrrs", 0, 5, 0, csr::MENVCFG.into()));
    // A tenth of a second from now: a million ticks.
    words.push(csrr(6, csr::TIME));
    words.extend(li(7, 1_000_000));
    words.extend([op("add", 7, 6, 7, 0), csrw(csr::STIMECMP, 7)]);
    words.extend(waiting(1 << 5));
    machine.put(RAM, &words);
    let begun = Instant::now();
    machine.run();
    let passed = begun.elapsed();
    assert!(passed >= Duration::from_millis(100) && passed < PATIENCE / 2, "{passed:?}");
    assert_eq!(machine.x(11) & 1 << 5, 1 << 5);
    // Set to later, it is no longer pending; set to the past, it is at once.
    machine.harts.with(0, |hart| hart.set_csr(csr::STIMECMP, u64::MAX)).unwrap();
    assert_eq!(machine.csr(csr::MIP), 0);
    machine.harts.with(0, |hart| hart.set_csr(csr::STIMECMP, 0)).unwrap();
    assert_eq!(machine.csr(csr::MIP), 1 << 5);
}

#[test]
fn a_woken_hart_takes_the_interrupt_after_the_wait() {
    let machine = Machine::new(1, 1 << 20, model("max"));
    const HANDLER: u64 = RAM + 0x1000;
    let mut handler = vec![csrr(10, csr::MEPC), csrr(11, csr::MCAUSE)];
    handler.extend(finish());
    machine.put(HANDLER, &handler);
    let mut words = li(5, HANDLER);
    words.extend([
        csrw(csr::MTVEC, 5),
        op("addi", 5, 0, 0, 1 << 3),
        csrw(csr::MIE, 5),
        csrw(csr::MSTATUS, 5),
    ]);
    words.extend([op("wfi", 0, 0, 0, 0), op("jal", 0, 0, 0, 0)]);
    machine.put(RAM, &words);
    let port = machine.harts.port(0);
    let waker = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        port.set(3, true);
    });
    machine.run();
    waker.join().unwrap();
    assert_eq!(machine.x(10), RAM + 4 * (words.len() as u64 - 1));
    assert_eq!(machine.x(11), 1 << 63 | 3);
}

/// A hart in a loop without memory or CSRs still notices.
#[test]
fn a_busy_hart_is_interrupted_and_paused() {
    let machine = Machine::max();
    machine.put(RAM, &[op("jal", 0, 0, 0, 0)]);
    for _ in 0..20 {
        machine.harts.resume();
        std::thread::sleep(Duration::from_millis(2));
        machine.harts.pause();
        assert_eq!(machine.harts.with(0, |hart| hart.pc()), Some(RAM));
    }
    assert!(machine.csr(csr::MINSTRET) > 20);
}
