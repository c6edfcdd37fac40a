//! Litmus tests for a bare machine: read from `tests/litmus.txt`, made into threads for the runner in `guest/litmus`.
//!
//! `cargo xtask litmus` writes that file: each test as `diy7` made it, followed by the final states that `herd7`
//! allows. Of a state only the observed values are kept, in herd7's order: registers by thread, then memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Words of memory that one test has, and registers that one thread may observe, as in `guest/litmus/main.c`.
const MOST: usize = 6;
/// Bytes between two words.
const STRIDE: usize = 128;

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Litmus {
    /// Its name.
    pub name: String,
    /// What it is about, as `diy7` says it: edges of the cycle that would be the surprise.
    pub cycle: String,
    /// What registers hold in the beginning: thread, register, value.
    start: Vec<(usize, String, String)>,
    /// Instructions and labels of each thread.
    pub threads: Vec<Vec<String>>,
    /// What is observed: `1:x5`, `[x]`.
    observed: Vec<String>,
    /// The states that are allowed.
    pub allowed: BTreeSet<Vec<u32>>,
    /// The state that the test asks about, as it is written.
    pub asked: String,
}

impl Litmus {
    /// Every test of `text`.
    ///
    /// # Panics
    /// The text is no such file.
    #[track_caller]
    pub fn read(text: &str) -> Vec<Litmus> {
        text.split("\n\n").filter(|part| !part.trim().is_empty()).map(one).collect()
    }

    /// The words of memory it has, in the order of their places.
    fn words(&self) -> Vec<&str> {
        let named = self.start.iter().map(|(.., value)| value.as_str());
        let named = named.filter(|value| value.starts_with(|c: char| c.is_ascii_alphabetic()));
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The registers that thread `number` observes.
    fn registers(&self, number: usize) -> Vec<&str> {
        let prefix = format!("{number}:");
        self.observed.iter().filter_map(|key| key.strip_prefix(&prefix)).collect()
    }

    /// A state in words, as herd7 writes it.
    pub fn state(&self, values: &[u32]) -> String {
        let pairs = self.observed.iter().zip(values).map(|(key, value)| format!("{key}={value};"));
        pairs.collect::<Vec<_>>().join(" ")
    }

    /// Whether `values` is what the test asks about.
    pub fn asks(&self, values: &[u32]) -> bool {
        let holds = |part: &str| {
            let (key, value) = part.trim().split_once('=').expect("a condition is made of equations");
            let at = self.observed.iter().position(|name| name == key).expect("it is observed");
            value == values[at].to_string()
        };
        self.asked.split("/\\").all(holds)
    }
}

#[track_caller]
fn one(text: &str) -> Litmus {
    let mut lines = text.trim_start().lines();
    let name = lines.next().and_then(|line| line.strip_prefix("RISCV ")).expect("RISCV NAME").to_owned();
    let cycle = lines.next().expect("a cycle").trim_matches('"').to_owned();
    assert_eq!(lines.next(), Some("{"), "{name}");
    let mut start = vec![];
    for item in lines.by_ref().take_while(|line| *line != "}").flat_map(|line| line.split(';')) {
        let item = item.trim().trim_start_matches("int ");
        if let Some((place, value)) = item.split_once('=') {
            match place.split_once(':') {
                Some((thread, register)) => {
                    start.push((thread.parse().expect("a thread"), register.to_owned(), value.to_owned()));
                }
                None => assert_eq!(value, "0", "{name}: memory begins as zeroes"),
            }
        }
    }
    let mut threads: Vec<Vec<String>> = vec![];
    let mut asked = String::new();
    for line in lines.by_ref() {
        if let Some(condition) = line.strip_prefix("exists (") {
            asked = condition.trim_end_matches(')').to_owned();
            break;
        }
        let cells = line.trim_end_matches(';').split('|').map(str::trim);
        if threads.is_empty() {
            threads = cells.map(|_| vec![]).collect();
            continue;
        }
        for (thread, cell) in threads.iter_mut().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            thread.push(cell.to_owned());
        }
    }
    let count = lines.next().and_then(|line| line.strip_prefix("States ")?.parse::<usize>().ok());
    let mut observed = vec![];
    let mut allowed = BTreeSet::new();
    for line in lines {
        let pairs: Vec<_> = line.split(';').filter_map(|item| item.trim().split_once('=')).collect();
        observed = pairs.iter().map(|(key, _)| (*key).to_owned()).collect();
        allowed.insert(pairs.iter().map(|(_, value)| value.parse().expect("a value")).collect());
    }
    assert_eq!(Some(allowed.len()), count, "{name}");
    Litmus { name, cycle, start, threads, observed, allowed, asked }
}

/// Assembly of the threads of `tests`, which all have as many, and the table that the runner reads.
///
/// # Panics
/// A test does not fit the runner.
#[track_caller]
pub fn assembly(tests: &[&Litmus]) -> String {
    let mut text = String::from("        .text\n");
    for (number, test) in tests.iter().enumerate() {
        for thread in 0..test.threads.len() {
            write_thread(&mut text, test, number, thread);
        }
    }
    text += "        .section .rodata\n        .globl  tests, test_count\n        .balign 8\ntests:\n";
    for (number, test) in tests.iter().enumerate() {
        let four = |value: &dyn Fn(usize) -> String| {
            let all = (0..4).map(|i| if i < test.threads.len() { value(i) } else { "0".into() });
            all.collect::<Vec<_>>().join(", ")
        };
        let words = test.words();
        let place = |key: &String| {
            let word = key.strip_prefix('[')?.strip_suffix(']')?;
            Some(words.iter().position(|name| *name == word).expect("an observed word is a word").to_string())
        };
        let mut finals: Vec<_> = test.observed.iter().filter_map(place).collect();
        let count = finals.len();
        assert!(words.len() <= MOST && count <= MOST, "{}: too many words", test.name);
        finals.resize(MOST, "0".into());
        let _ = writeln!(
            text,
            "        .quad   name_{number}, {}, {}, {count}, {}",
            four(&|i| format!("thread_{number}_{i}")),
            four(&|i| test.registers(i).len().to_string()),
            finals.join(", ")
        );
    }
    let _ = writeln!(text, "test_count: .quad {}", tests.len());
    for (number, test) in tests.iter().enumerate() {
        let _ = writeln!(text, "name_{number}: .asciz \"{}\"", test.name);
    }
    text
}

/// A function of (memory, observed): registers as the test wants them, its code, then what is observed.
fn write_thread(text: &mut String, test: &Litmus, number: usize, thread: usize) {
    // Those that a function must leave as they are.
    const KEPT: [usize; 12] = [8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27];
    let words = test.words();
    let mut registers: BTreeMap<usize, String> = BTreeMap::new();
    let wants = test.start.iter().filter(|(of, ..)| *of == thread);
    let starts = wants.map(|(_, register, value)| (register.as_str(), value.as_str()));
    let starts: BTreeMap<&str, &str> = starts.collect();
    let code = test.threads[thread].join("\n");
    let names = code.split(|c: char| !c.is_ascii_alphanumeric()).chain(starts.keys().copied());
    for name in names {
        let Some(register) = name.strip_prefix('x').and_then(|digits| digits.parse().ok()) else { continue };
        if register == 0 {
            continue;
        }
        // The return address holds the memory, and the stack what else is needed.
        assert!((5..32).contains(&register), "{}: uses {name}", test.name);
        let value = starts.get(name).copied().unwrap_or("0");
        let start = match words.iter().position(|word| *word == value) {
            Some(word) => format!("addi {name}, ra, {}", word * STRIDE),
            None => format!("li {name}, {value}"),
        };
        registers.insert(register, start);
    }
    let kept: Vec<_> = KEPT.into_iter().filter(|register| registers.contains_key(register)).collect();
    let observed = test.registers(thread);
    assert!(observed.len() <= MOST, "{}: observes too much", test.name);
    let mut line = |instruction: &str| {
        let _ = writeln!(text, "        {instruction}");
    };
    line(&format!(".balign 64\nthread_{number}_{thread}:"));
    line("addi sp, sp, -128");
    line("sd ra, 0(sp)");
    line("sd a1, 8(sp)");
    for (i, register) in kept.iter().enumerate() {
        line(&format!("sd x{register}, {}(sp)", 16 + 8 * i));
    }
    line("mv ra, a0");
    registers.values().for_each(|start| line(start));
    for instruction in &test.threads[thread] {
        line(&labels_apart(instruction, number));
    }
    line("ld ra, 8(sp)");
    for (i, register) in observed.iter().enumerate() {
        line(&format!("sw {register}, {}(ra)", 4 * i));
    }
    line("ld ra, 0(sp)");
    for (i, register) in kept.iter().enumerate() {
        line(&format!("ld x{register}, {}(sp)", 16 + 8 * i));
    }
    line("addi sp, sp, 128");
    line("ret");
}

/// The instruction with its label, if it has one, made this test's own. Within a test no two threads share one.
fn labels_apart(instruction: &str, number: usize) -> String {
    let own = |label: &str| format!(".L{number}_{label}");
    match (instruction.strip_suffix(':'), instruction.starts_with('b'), instruction.rsplit_once(',')) {
        (Some(label), ..) => own(label) + ":",
        (None, true, Some((rest, label))) => format!("{rest},{}", own(label)),
        _ => instruction.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "RISCV x-MP\n\"PodWW Rfe DpCtrldR Fre\"\n{\n0:x5=x; 0:x6=y;\n1:x5=y; 1:x6=x;\n}\n \
        P0          | P1            ;\n ori x7,x0,1 | lw x7,0(x5)   ;\n sw x7,0(x5) | bne x7,x0,LC0 ;\n \
        sw x7,0(x6) | LC0:          ;\n             | lw x8,0(x6)   ;\nexists (1:x7=1 /\\ 1:x8=0)\nStates 2\n\
        1:x7=0; 1:x8=0;\n1:x7=1; 1:x8=1;\n";

    #[test]
    fn a_test_is_read_with_its_threads_and_allowed_states() {
        let tests = Litmus::read(&format!("{TEXT}\n{TEXT}"));
        let test = &tests[1];
        assert_eq!(
            (tests.len(), test.name.as_str(), test.cycle.as_str()),
            (2, "x-MP", "PodWW Rfe DpCtrldR Fre")
        );
        assert_eq!(test.threads[0], ["ori x7,x0,1", "sw x7,0(x5)", "sw x7,0(x6)"]);
        assert_eq!(test.words(), ["x", "y"]);
        assert_eq!(test.allowed, BTreeSet::from([vec![0, 0], vec![1, 1]]));
        assert!(test.asks(&[1, 0]) && !test.asks(&[1, 1]));
        assert_eq!(test.state(&[1, 0]), "1:x7=1; 1:x8=0;");
    }

    #[test]
    fn a_thread_keeps_what_a_function_must_and_labels_are_the_tests_own() {
        let text = assembly(&[&Litmus::read(TEXT)[0]]);
        for part in [
            "thread_0_1:",
            "sd x8, 16(sp)",
            "addi x5, ra, 128",
            "li x8, 0",
            "bne x7,x0,.L0_LC0",
            ".L0_LC0:",
            "sw x8, 4(ra)",
            ".quad   name_0, thread_0_0, thread_0_1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0\n",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
