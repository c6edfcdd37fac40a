//! `cargo xtask fuzz`: libFuzzer drives the targets of `fuzz/`, which count what code each input reaches.
//!
//! Stable Rust can have LLVM put the counters in; only sanitizers would need a nightly one. What an input must not do
//! is thus to panic (debug assertions and overflow checks are on), hang, or take too much memory.

use crate::{cache::Cache, cargo, target, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What makes LLVM count edges and compare, as libFuzzer reads it (Clang's documentation, "SanitizerCoverage").
const FLAGS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// The seconds after which an input counts as hanging.
const HANGS: u32 = 25;
/// The most memory of a target, in MiB.
const MEMORY: u32 = 2048;
/// libFuzzer's exit codes (`FuzzerOptions.h`): an input crashed, took too long, or too much memory.
const FOUND: [(i32, &str); 3] = [(77, "crashed"), (70, "hung"), (71, "ran out of memory")];

/// How a target fared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Its name.
    pub target: String,
    /// How long it was run.
    pub seconds: u64,
    /// Inputs that were tried.
    pub runs: u64,
    /// Edges of the code that inputs reached: with the seeds alone, and in the end.
    pub edges: (u64, u64),
    /// Inputs that are kept because each reaches something that the others do not.
    pub kept: u64,
    /// What was wrong, and with which file; nothing if nothing was.
    pub found: Option<String>,
}

impl Tally {
    /// Whether nothing was wrong.
    pub fn holds(&self) -> bool {
        self.found.is_none()
    }
}

/// A target as the runner lists it.
struct Target {
    name: String,
    longest: String,
    about: String,
}

/// The targets, a line each.
pub fn list() -> Result<String> {
    let targets = targets(&build()?)?;
    Ok(targets.iter().map(|target| format!("  {:14} {}\n", target.name, target.about)).collect())
}

/// Runs the targets `names`, or all, for `minutes` each.
pub fn run(names: &[String], minutes: u32) -> Result<Vec<Tally>> {
    let runner = build()?;
    let targets = targets(&runner)?;
    if let Some(name) = names.iter().find(|name| !targets.iter().any(|target| target.name == **name)) {
        let known: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        bail!("there is no fuzz target called {name}; there are {}", known.join(", "));
    }
    let chosen = targets.iter().filter(|target| names.is_empty() || names.contains(&target.name));
    chosen.map(|target| one(&runner, target, minutes)).collect()
}

/// A row a target.
pub fn table(tallies: &[Tally]) -> String {
    let mut text =
        format!("{:14} {:>7} {:>10} {:>13} {:>6}\n", "target", "seconds", "inputs", "edges", "kept");
    for Tally { target, seconds, runs, edges: (first, last), kept, found } in tallies {
        let edges = format!("{first}..{last}");
        let row = format!(
            "{target:14} {seconds:7} {runs:10} {edges:>13} {kept:6}  {}",
            found.as_deref().unwrap_or_default()
        );
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

/// All of it in a few words.
pub fn totals(tallies: &[Tally]) -> String {
    let seconds: u64 = tallies.iter().map(|tally| tally.seconds).sum();
    let runs: u64 = tallies.iter().map(|tally| tally.runs).sum();
    let found = tallies.iter().filter(|tally| !tally.holds()).count();
    format!("{seconds} s, {runs} inputs, {found} wrong")
}

/// Builds the runner, and gives its path.
fn build() -> Result<PathBuf> {
    let folder = workspace().join("fuzz/runner");
    // With the versions that the workspace has; what is the runner's alone has its version in the manifest.
    let lock = folder.join("Cargo.lock");
    fs::copy(workspace().join("Cargo.lock"), &lock).with_context(|| lock.display().to_string())?;
    let host = host()?;
    let built = target().join("fuzz");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--target", &host, "--manifest-path"]);
    build.arg(folder.join("Cargo.toml"));
    // With a target named, what runs while building is not counted. Encoded flags may have spaces.
    build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).env("CARGO_TARGET_DIR", &built);
    ensure!(build.status()?.success(), "the fuzz targets do not build");
    Ok(built.join(host).join("release/hartwright-fuzz-runner"))
}

/// The name of the compiler's own target.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("rustc -vV")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV does not name its host")?.to_owned())
}

fn targets(runner: &Path) -> Result<Vec<Target>> {
    let output = Command::new(runner).env_remove("HARTWRIGHT_FUZZ").output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = said.lines().filter_map(|line| {
        let (name, rest) = line.split_once('\t')?;
        let (longest, about) = rest.split_once('\t')?;
        Some(Target { name: name.into(), longest: longest.into(), about: about.into() })
    });
    Ok(rows.collect())
}

fn one(runner: &Path, target: &Target, minutes: u32) -> Result<Tally> {
    let name = &target.name;
    let cache = Cache::of_user()?;
    let grown = cache.root().join("fuzz").join(name);
    let found = workspace().join("fuzz/found").join(name);
    let seeds = workspace().join("fuzz/seeds").join(name);
    let empty = cache.scratch(&format!("fuzz-{name}"))?;
    for folder in [&grown, &found] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let words = empty.with_extension("words");
    println!("{name}: {}", target.about);
    let output = Command::new(runner)
        .arg(format!("-max_total_time={}", 60 * minutes))
        .args([format!("-timeout={HANGS}"), format!("-rss_limit_mb={MEMORY}")])
        // What is slow and ends is not wrong: a loaded host has all inputs slow.
        .arg(format!("-report_slow_units={HANGS}"))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-dict={}", words.display()))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg("-print_final_stats=1")
        .args([&grown, &seeds, &found])
        .env("HARTWRIGHT_FUZZ", name)
        .env("HARTWRIGHT_FUZZ_WORDS", &words)
        // Where a name that an input makes up names nothing.
        .current_dir(&empty)
        .stdin(Stdio::null())
        .output()?;
    for path in [&empty, &words] {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.with_context(|| path.display().to_string())?;
    }
    // A folder is there for what was found; git knows no empty ones.
    let _ = fs::remove_dir(&found);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let tally = tally(name, &said, output.status.code());
    if !tally.holds() {
        eprintln!("{said}");
    }
    Ok(tally)
}

/// What libFuzzer said, in numbers.
fn tally(name: &str, said: &str, code: Option<i32>) -> Tally {
    let after = |line: &str, word: &str| -> Option<u64> {
        line.split_once(word)?.1.split([' ', '/']).find(|word| !word.is_empty())?.parse().ok()
    };
    let every = |word: &'static str| said.lines().filter_map(move |line| after(line, word));
    let edges = || said.lines().filter(|line| line.starts_with('#')).filter_map(|line| after(line, " cov: "));
    let inited = said.lines().find(|line| line.contains("\tINITED ")).and_then(|line| after(line, " cov: "));
    let file = said.lines().find_map(|line| line.split_once("Test unit written to ")).map(|found| found.1);
    let found = (code != Some(0)).then(|| {
        let what = FOUND.iter().find(|row| Some(row.0) == code).map_or("ended otherwise", |row| row.1);
        format!("{what}: {}", file.unwrap_or("no file was kept"))
    });
    let seconds =
        said.lines().rev().find(|line| line.starts_with("Done ")).and_then(|line| after(line, " runs in "));
    Tally {
        target: name.into(),
        seconds: seconds.unwrap_or(0),
        runs: every("stat::number_of_executed_units:").next_back().unwrap_or(0),
        edges: (inited.unwrap_or(0), edges().next_back().unwrap_or(0)),
        kept: every(" corp: ").next_back().unwrap_or(0),
        found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_counted() {
        let said = "#159\tINITED cov: 812 ft: 1900 corp: 51/8Kb exec/s: 0 rss: 34Mb\n\
                    #9765\tDONE   cov: 900 ft: 2897 corp: 287/53Kb lim: 256 exec/s: 751 rss: 34Mb\n\
                    Done 9765 runs in 61 second(s)\nstat::number_of_executed_units: 9765\n";
        let good = Tally {
            target: "elf".into(),
            seconds: 61,
            runs: 9765,
            edges: (812, 900),
            kept: 287,
            found: None,
        };
        assert_eq!(tally("elf", said, Some(0)), good);
        assert_eq!(
            table(std::slice::from_ref(&good)),
            "target         seconds     inputs         edges   kept\n\
             elf                 61       9765      812..900    287\n"
        );
        let bad = tally(
            "elf",
            &format!("{said}artifact_prefix='/f/'; Test unit written to /f/crash-1\n"),
            Some(77),
        );
        assert_eq!(bad.found.as_deref(), Some("crashed: /f/crash-1"));
        assert_eq!(totals(&[good, bad]), "122 s, 19530 inputs, 1 wrong");
    }
}
