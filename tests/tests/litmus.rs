//! The memory model as software sees it: litmus tests on bare harts, with the final states that RVWMO allows.
//!
//! `tests/litmus.txt` has the tests and, of herd7, what they may end in; `guest/litmus` runs them.
#![forbid(unsafe_code)]

use hartwright_tests::{
    Launch, Scratch,
    litmus::{Litmus, assembly},
};
use std::{collections::BTreeMap, fs, process::Command};
use xtask::workspace;

/// Tests that one machine runs.
const AT_ONCE: usize = 5;
/// Tests that CI runs, and how often; the number of times with `--full`.
const FEW: usize = 30;
const TIMES: u64 = 10_000;
const FULL_TIMES: u64 = 100_000;

/// How often each state was seen.
type Seen = BTreeMap<Vec<u32>, u64>;

/// Runs `tests`, each with as many threads, `times` each; `None` if there is no cross compiler.
#[track_caller]
fn run(tests: &[&Litmus], times: u64) -> Option<Vec<Seen>> {
    let scratch = Scratch::default();
    let (source, program) = (scratch.file("threads.S", assembly(tests)), scratch.path("litmus.elf"));
    if Command::new("riscv64-linux-gnu-gcc").arg("--version").output().is_err() {
        eprintln!("skipped: gcc-riscv64-linux-gnu is not installed");
        return None;
    }
    let harts = tests[0].threads.len();
    let mut build = Command::new("sh");
    build.arg(workspace().join("guest/litmus/build.sh")).arg(&program).arg(source);
    let built = build.args([harts.to_string(), times.to_string()]).output().expect("sh starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let launch = Launch::program().option("-machine", "virt").harts(harts as u32).option("-bios", "none");
    let launch = launch.option("-display", "none").option("-serial", "stdio").option("-monitor", "none");
    let ended = launch.kernel(&program).run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for line in ended.output.lines() {
        let mut words = line.split(' ');
        let name = words.next().expect("a line has words");
        let mut numbers = words.map(|word| word.parse::<u64>().expect("a number"));
        let times = numbers.next().expect("a count");
        seen.entry(name).or_default().insert(numbers.map(|value| value as u32).collect(), times);
    }
    Some(tests.iter().map(|test| seen.remove(&*test.name).expect("each test prints")).collect())
}

/// Runs `tests` in machines of as many harts as they have threads, and finds no state that is not allowed.
#[track_caller]
fn judge(tests: &[&Litmus], times: u64) {
    let (mut wrong, mut all, mut runs) = (vec![], (0, 0), 0);
    for threads in 2..=4 {
        let these: Vec<_> = tests.iter().copied().filter(|test| test.threads.len() == threads).collect();
        for these in these.chunks(AT_ONCE) {
            let Some(seen) = run(these, times) else { return };
            for (test, seen) in these.iter().zip(seen) {
                let count: u64 = seen.values().sum();
                assert!(count >= times, "{} ran {count} times", test.name);
                runs += count;
                all = (all.0 + seen.len(), all.1 + test.allowed.len());
                for (state, times) in seen.iter().filter(|(state, _)| !test.allowed.contains(*state)) {
                    wrong.push(format!(
                        "{} ({}): {times} times {}",
                        test.name,
                        test.cycle,
                        test.state(state)
                    ));
                }
            }
        }
    }
    eprintln!("{} tests, {runs} runs, {} of {} allowed states seen", tests.len(), all.0, all.1);
    assert!(wrong.is_empty(), "states that RVWMO forbids:\n{}", wrong.join("\n"));
}

fn all() -> Vec<Litmus> {
    Litmus::read(
        &fs::read_to_string(workspace().join("tests/litmus.txt")).expect("tests/litmus.txt is there"),
    )
}

#[test]
fn harts_end_in_states_that_the_memory_model_allows() {
    let tests = all();
    let few: Vec<_> = (0..FEW).map(|i| &tests[i * tests.len() / FEW]).collect();
    judge(&few, TIMES);
}

#[test]
#[ignore = "it takes a quarter of an hour: cargo xtask test --full machines"]
fn every_litmus_test_ends_in_states_that_the_memory_model_allows() {
    let tests = all();
    assert!(tests.len() >= 200, "{} tests", tests.len());
    judge(&tests.iter().collect::<Vec<_>>(), FULL_TIMES);
}

/// Were harts to run in turn, or every access in order, no test above could fail. A store that waits while a later load
/// of the same hart is done shows that neither is so.
#[test]
fn a_store_is_seen_to_wait_while_its_hart_reads_on() {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        return eprintln!("skipped: harts need two cores of the host to run at once");
    }
    let tests = all();
    let store_buffering: Vec<_> = tests.iter().filter(|test| test.cycle == "PodWR Fre PodWR Fre").collect();
    assert!(!store_buffering.is_empty());
    // Others may keep the host busy so that two harts seldom run at once; then there is nothing to see.
    let test = store_buffering[0];
    for runs in 1..=100 {
        let Some(seen) = run(&[test], TIMES) else { return };
        let relaxed: u64 = seen[0].iter().filter(|(state, _)| test.asks(state)).map(|(_, times)| times).sum();
        if relaxed > 0 {
            return eprintln!("{}: {} {relaxed} times of {TIMES} in run {runs}", test.name, test.asked);
        }
    }
    panic!("{}: never {}", test.name, test.asked);
}
