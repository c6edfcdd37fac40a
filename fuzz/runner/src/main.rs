//! libFuzzer around the targets of `hartwright-fuzz`; `cargo xtask fuzz` builds it with coverage counters, and runs it.
//!
//! `HARTWRIGHT_FUZZ` names the target. Without it the targets are listed, a line each: name, longest input, what it
//! is given. `HARTWRIGHT_FUZZ_WORDS` names a file that gets the target's words, which libFuzzer reads with `-dict`.

#![no_main]
#![forbid(unsafe_code)]

use hartwright_fuzz::{TARGETS, Target, find};
use std::{env, fs, process, sync::OnceLock};

static TARGET: OnceLock<&Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: begin(),
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            (target.run)(data);
        }
    }
);

/// The longest word that libFuzzer takes.
const LONGEST_WORD: usize = 64;

fn begin() {
    let Some(name) = env::var_os("HARTWRIGHT_FUZZ") else {
        for Target { name, about, longest, .. } in TARGETS {
            println!("{name}\t{longest}\t{about}");
        }
        process::exit(0);
    };
    let Some(target) = find(&name.to_string_lossy()) else {
        eprintln!("there is no fuzz target {name:?}");
        process::exit(2);
    };
    TARGET.get_or_init(|| target);
    if let Some(file) = env::var_os("HARTWRIGHT_FUZZ_WORDS") {
        let words = (target.words)();
        let lines = words
            .iter()
            .filter(|word| (1..=LONGEST_WORD).contains(&word.len()))
            .map(|word| format!("\"{}\"\n", escaped(word)));
        // An empty file would be refused.
        if let Err(why) = fs::write(&file, format!("# {name:?}\n{}", lines.collect::<String>())) {
            eprintln!("{}: {why}", file.display());
            process::exit(2);
        }
    }
}

/// A word as libFuzzer's dictionaries have it.
fn escaped(word: &str) -> String {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).into(),
        _ => format!("\\x{byte:02x}"),
    };
    word.bytes().map(byte).collect()
}
