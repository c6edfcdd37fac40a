//! `cargo xtask test`: everything that must hold, suite after suite, with time and counts.

use crate::{
    battery, cargo, debian, disk, examples, fuzz, guests, litmus, mutants, programs, target, trixie,
    workspace,
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// One kind of check.
struct Suite {
    name: &'static str,
    about: &'static str,
    /// Whether it runs only when named, or with `--full`.
    full: bool,
    run: fn(full: bool) -> Result<Count>,
}

/// How many checks held; a suite that could not run at all says why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
    note: String,
}

#[rustfmt::skip]
const SUITES: &[Suite] = &[
    Suite { name: "packages", about: "the Debian packages that the suites use are installed",    full: false, run: packages },
    Suite { name: "guests",   about: "guest software is in the cache",                           full: false, run: fetch_guests },
    Suite { name: "format",   about: "rustfmt has nothing to change",                            full: false, run: format },
    Suite { name: "clippy",   about: "clippy has nothing to say",                                full: false, run: clippy },
    Suite { name: "docs",     about: "the documentation builds, its links lead somewhere",       full: false, run: docs },
    Suite { name: "build",    about: "the release builds: machines and installing use it",       full: false, run: build },
    Suite { name: "unit",     about: "tests of the crates, and of the house rules",              full: false, run: unit },
    Suite { name: "battery",  about: "every instruction against QEMU; prints a table by row",    full: false, run: run_battery },
    Suite { name: "doctests", about: "the documentation's examples",                             full: false, run: doctests },
    Suite { name: "examples", about: "crates of a user's: examples/, and what `hartwright new` writes", full: false, run: run_examples },
    Suite { name: "semver",   about: "the SDK is compatible with the release its version says",   full: false, run: semver },
    Suite { name: "machines", about: "whole machines: firmware, U-Boot, Linux, consoles",        full: false, run: machines },
    Suite { name: "programs", about: "c-torture, csmith, QEMU's tests/tcg: ours beside QEMU 11",   full: false, run: run_programs },
    Suite { name: "checked",  about: "c-torture and csmith under Linux, code beside the interpreter", full: false, run: run_checked },
    Suite { name: "firmware", about: "firmware builds to the bytes that are committed",          full: false, run: firmware },
    Suite { name: "deny",     about: "licences, bans and sources of what we depend on",          full: false, run: deny },
    Suite { name: "mutants",  about: "mistakes made on purpose: is each noticed by a test",        full: true,  run: run_mutants },
    Suite { name: "fuzz",     about: "a minute of any bytes for each fuzz target",                  full: true,  run: run_fuzz },
    Suite { name: "litmus",   about: "diy7 and herd7 still make of the litmus tests what is committed", full: true, run: run_litmus },
    Suite { name: "peer",     about: "the whole-machine tests against QEMU: are the tests true", full: true,  run: peer },
];

/// Debian packages, each with a program or a file that tells whether it is there.
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "cc"),
    // libFuzzer, which the fuzz targets are driven by, is C++.
    ("g++", "c++"),
    // softfloat-wrapper, our second opinion about floating point, is C that cmake builds.
    ("cmake", "cmake"),
    ("gcc-riscv64-linux-gnu", "riscv64-linux-gnu-gcc"),
    ("binutils-riscv64-linux-gnu", "riscv64-linux-gnu-objcopy"),
    ("libc6-dev-riscv64-cross", "/usr/riscv64-linux-gnu/include/stdio.h"),
    ("gdb-multiarch", "gdb-multiarch"),
    ("qemu-system-misc", "qemu-system-riscv64"),
    ("qemu-user", "qemu-riscv64"),
    // A C library whose programs call the host by semihosting.
    ("gcc-riscv64-unknown-elf", "riscv64-unknown-elf-gcc"),
    ("picolibc-riscv64-unknown-elf", "/usr/lib/picolibc/riscv64-unknown-elf/include/semihost.h"),
    // Who judges what we write to images, and shows in what order.
    ("qemu-utils", "qemu-img"),
    ("strace", "strace"),
    // Who makes and judges the file systems that guests start from.
    disk::TOOL,
    // A second reader of the editors' schema of machine files.
    ("python3-jsonschema", "/usr/lib/python3/dist-packages/jsonschema/__init__.py"),
    // Programs made at random, and what they include.
    ("csmith", "csmith"),
    ("libcsmith-dev", "/usr/include/csmith/csmith.h"),
];

/// Runs the suites `names`, or all (`full`: those too that take long); answers whether all held.
pub fn run(names: &[String], full: bool) -> Result<bool> {
    for name in names {
        if !SUITES.iter().any(|suite| suite.name == name) {
            bail!("there is no suite called {name}; there are\n{}", list());
        }
    }
    let chosen = |suite: &&Suite| match names.is_empty() {
        true => full || !suite.full,
        false => names.iter().any(|name| name == suite.name),
    };
    let mut rows = Vec::new();
    for suite in SUITES.iter().filter(chosen) {
        println!("\n== {}: {}", suite.name, suite.about);
        let start = Instant::now();
        let count = (suite.run)(full).unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", suite.name);
            Count { failed: 1, note: first_line(&format!("{error:#}")), ..Count::default() }
        });
        rows.push((suite.name, count, start.elapsed()));
    }
    print!("\n{}", table(&rows));
    Ok(rows.iter().all(|(_, count, _)| count.failed == 0))
}

/// The suites there are, one a line.
pub fn list() -> String {
    let row = |suite: &Suite| {
        let when = if suite.full { " (with --full)" } else { "" };
        format!("  {:9} {}{when}\n", suite.name, suite.about)
    };
    SUITES.iter().map(row).collect()
}

/// The last thing printed: a row a suite, then the line that CI reads.
fn table(rows: &[(&str, Count, Duration)]) -> String {
    let mut text = format!("{:10} {:>7} {:>7} {:>9}\n", "suite", "passed", "failed", "time");
    for (name, count, time) in rows {
        let row = format!(
            "{name:10} {:7} {:7} {:7.1} s  {}",
            count.passed,
            count.failed,
            time.as_secs_f64(),
            count.note
        );
        text += row.trim_end();
        text += "\n";
    }
    let time: Duration = rows.iter().map(|row| row.2).sum();
    let passed: usize = rows.iter().map(|row| row.1.passed).sum();
    let failed: usize = rows.iter().map(|row| row.1.failed).sum();
    text + &format!(
        "{:10} {passed:7} {failed:7} {:7.1} s\n\n{passed} passed, {failed} failed\n",
        "all",
        time.as_secs_f64()
    )
}

fn packages(_: bool) -> Result<Count> {
    debian::install_missing(PACKAGES)?;
    Ok(Count::one(true))
}

fn fetch_guests(full: bool) -> Result<Count> {
    guests::fetch(&[])?;
    if full {
        guests::fetch(&[trixie::NAME.to_owned()])?;
    }
    Ok(Count::one(true))
}

fn format(_: bool) -> Result<Count> {
    Ok(Count::one(watch(cargo().args(["fmt", "--all", "--check"]))?.0))
}

fn clippy(_: bool) -> Result<Count> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    Ok(Count::one(watch(cargo().args(arguments))?.0))
}

fn docs(_: bool) -> Result<Count> {
    let arguments = ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"];
    Ok(Count::one(watch(cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings"))?.0))
}

/// All tests but the battery's, which has a suite of its own.
fn unit(_: bool) -> Result<Count> {
    let mut command = cargo();
    let all = ["--no-fail-fast", "--workspace", "--exclude", "hartwright-tests"];
    match debian::has_program("cargo-nextest") {
        true => command
            .args(["nextest", "run", "--no-tests=pass"])
            .args(all)
            .args(["-E", "not binary(=instructions)"]),
        false => command.args(["test", "--lib", "--bins", "--tests"]).args(all).args([
            "--",
            "--skip",
            BATTERY_TESTS,
        ]),
    };
    counted(&mut command)
}

/// What the names of the battery's tests have in common.
const BATTERY_TESTS: &str = "battery_";

fn run_battery(full: bool) -> Result<Count> {
    battery::clear()?;
    let mut command = cargo();
    let all = ["--no-fail-fast", "--package", "hartwright-exec"];
    match debian::has_program("cargo-nextest") {
        true => command.args(["nextest", "run"]).args(all).args(["-E", "binary(=instructions)"]),
        false => command.args(["test", "--test", "instructions"]).args(all),
    };
    if full {
        command.env("HARTWRIGHT_FULL", "1");
    }
    let mut count = counted(&mut command)?;
    let table = battery::read()?;
    print!("\n{}", table.text());
    count.note = table.totals();
    Ok(count)
}

fn run_mutants(_: bool) -> Result<Count> {
    let mutants::Tally { caught, all } = mutants::run(&[])?;
    Ok(Count { passed: caught, failed: all - caught, note: format!("{caught} of {all} mutants are caught") })
}

fn run_fuzz(_: bool) -> Result<Count> {
    let tallies = fuzz::run(&[], 1)?;
    let failed = tallies.iter().filter(|tally| !tally.holds()).count();
    print!("\n{}", fuzz::table(&tallies));
    Ok(Count { passed: tallies.len() - failed, failed, note: fuzz::totals(&tallies) })
}

fn run_litmus(_: bool) -> Result<Count> {
    Ok(Count::one(fs::read_to_string(litmus::file())? == litmus::generate()?))
}

fn doctests(_: bool) -> Result<Count> {
    let arguments = ["test", "--doc", "--no-fail-fast", "--workspace"];
    counted(cargo().args(arguments))
}

fn run_examples(_: bool) -> Result<Count> {
    let manifest = examples::manifest()?;
    let here = |command: &str| {
        let mut cargo = cargo();
        // What the workspace has built serves them too.
        cargo.arg(command).arg("--manifest-path").arg(&manifest).env("CARGO_TARGET_DIR", target());
        cargo
    };
    ensure!(watch(here("fmt").arg("--check"))?.0, "rustfmt would change examples/my-board");
    let mut count = counted(&mut here("test"))?;
    count.passed += examples::as_a_new_user()?;
    Ok(count)
}

/// What the SDK shows of the workspace: a change of their interfaces is one of its own.
const SDK: [&str; 6] = [
    "hartwright",
    "hartwright-device",
    "hartwright-machine",
    "hartwright-mem",
    "hartwright-objects",
    "hartwright-wire",
];

/// Compares with the last release, a tag `v1.2.3`.
fn semver(full: bool) -> Result<Count> {
    let skipped = |why: &str| Ok(Count { note: format!("skipped: {why}"), ..Count::default() });
    let tags = Command::new("git")
        .args(["tag", "--list", "v[0-9]*", "--merged", "HEAD", "--sort=-version:refname"])
        .current_dir(workspace())
        .output()?;
    let release = first_line(&String::from_utf8_lossy(&tags.stdout));
    if release.is_empty() {
        return skipped("there is no release (a tag such as v0.1.0) to compare with");
    }
    if !debian::has_program("cargo-semver-checks") {
        if !full {
            return skipped("cargo-semver-checks is not installed (--full does it)");
        }
        if !watch(cargo().args(["install", "--quiet", "--locked", "cargo-semver-checks"]))?.0 {
            return skipped("cargo-semver-checks does not install here");
        }
    }
    let mut check = cargo();
    check.args(["semver-checks", "--baseline-rev", &release]);
    check.args(SDK.iter().flat_map(|package| ["--package", package]));
    Ok(Count::one(watch(&mut check)?.0))
}

fn build(_: bool) -> Result<Count> {
    // One by one, as those build them who need only one: together they might share features, and be built twice.
    let mut built = true;
    for package in ["hartwright", "hartwright-user"] {
        built &= watch(cargo().args(["build", "--release", "--package", package]))?.0;
    }
    Ok(Count::one(built))
}

fn machines(full: bool) -> Result<Count> {
    ensure!(build(full)?.failed == 0, "hartwright does not build");
    counted(
        whole_machines(full, &["--lib", "--tests"])
            .env("HARTWRIGHT_BIN", target().join("release/hartwright")),
    )
}

fn run_programs(full: bool) -> Result<Count> {
    let tally = programs::run(full)?;
    Ok(Count { passed: tally.passed, failed: tally.behind, note: tally.note })
}

fn run_checked(full: bool) -> Result<Count> {
    let programs::checked::Tally { passed, failed, note } = programs::checked::run(full)?;
    Ok(Count { passed, failed, note })
}

fn peer(full: bool) -> Result<Count> {
    counted(whole_machines(full, &PEER_TESTS).env("HARTWRIGHT_PEER", "qemu"))
}

/// The tests that are about what both emulators are.
const PEER_TESTS: [&str; 8] =
    ["--test", "bad_input", "--test", "gdb", "--test", "linux_shell", "--test", "opensbi_uboot"];

fn whole_machines(full: bool, targets: &[&str]) -> Command {
    let mut command = cargo();
    if debian::has_program("cargo-nextest") {
        command.args(["nextest", "run", "--status-level", "all", "--final-status-level", "slow"]);
        command.args(["--no-fail-fast", "--package", "hartwright-tests"]).args(targets);
        command.args(full.then_some(["--run-ignored", "all"]).iter().flatten());
    } else {
        command.args(["test", "--no-fail-fast", "--package", "hartwright-tests"]).args(targets);
        // As many at a time as .config/nextest.toml says.
        command.args(["--", "--test-threads=2"]).args(full.then_some("--include-ignored"));
    }
    command
}

/// Compilers of other versions write other bytes, so only the bytes of the one that wrote `guest/monitor.bin`,
/// `guest/monitor32.bin`, `guest/rv128/` and the example's `firmware.bin` are compared.
fn firmware(_: bool) -> Result<Count> {
    let folder = workspace();
    let version = Command::new("riscv64-linux-gnu-gcc").arg("-dumpfullversion").output();
    let version = version.context("riscv64-linux-gnu-gcc (package gcc-riscv64-linux-gnu)")?;
    let version = first_line(&String::from_utf8_lossy(&version.stdout));
    let built = target().join("guest");
    fs::create_dir_all(&built)?;
    for (script, xlen, output) in [
        ("guest/build.sh", "64", built.join("monitor.bin")),
        ("guest/build.sh", "32", built.join("monitor32.bin")),
        ("guest/rv128/build.sh", "128", built.clone()),
        ("examples/my-board/firmware/build.sh", "64", built.join("firmware.bin")),
    ] {
        let mut build = Command::new("sh");
        let (succeeded, _) = watch(build.arg(folder.join(script)).arg(output).env("XLEN", xlen))?;
        ensure!(succeeded, "XLEN={xlen} {script} failed");
    }
    if version != FIRMWARE_GCC {
        let note = format!("built by gcc {version}, so not compared with what gcc {FIRMWARE_GCC} made");
        return Ok(Count { note, ..Count::one(true) });
    }
    let programs =
        ["fibonacci", "table", "copy", "dforms", "narrow"].map(|name| format!("guest/rv128/{name}.bin"));
    let others = ["guest/monitor.bin", "guest/monitor32.bin", "examples/my-board/firmware/firmware.bin"];
    for file in others.map(String::from).into_iter().chain(programs) {
        let committed = folder.join(&file);
        let made = built.join(committed.file_name().unwrap_or_default());
        let same = fs::read(made)? == fs::read(committed).with_context(|| file.clone())?;
        ensure!(same, "{file} is not what build.sh beside it makes: run it, and commit the result");
    }
    Ok(Count::one(true))
}

/// The compiler that made the committed `guest/monitor.bin` and `guest/monitor32.bin`.
const FIRMWARE_GCC: &str = "12.2.0";

fn deny(full: bool) -> Result<Count> {
    if !debian::has_program("cargo-deny") {
        if !full {
            return Ok(Count {
                note: "skipped: cargo-deny is not installed (--full does it)".into(),
                ..Count::default()
            });
        }
        let (installed, _) = watch(cargo().args(["install", "--quiet", "--locked", "cargo-deny"]))?;
        ensure!(installed, "cargo-deny cannot be installed");
    }
    Ok(Count::one(watch(cargo().args(["deny", "check", "licenses", "bans", "sources"]))?.0))
}

impl Count {
    fn one(held: bool) -> Count {
        Count { passed: held.into(), failed: (!held).into(), note: String::new() }
    }
}

/// Runs a test program and counts by its summary.
fn counted(command: &mut Command) -> Result<Count> {
    let (succeeded, output) = watch(command)?;
    let mut count = count(&output);
    if !succeeded && count.failed == 0 {
        count.failed = 1;
        count.note = "it ended before its summary".into();
    }
    Ok(count)
}

/// What the summaries of nextest (`Summary ... 3 tests run: 2 passed (1 slow), 1 failed`) or else of
/// `cargo test` (`test result: FAILED. 2 passed; 1 failed; ...`) in `output` add up to.
fn count(output: &str) -> Count {
    let mut total = Count::default();
    let lines = || output.lines().map(str::trim_start);
    // nextest shows what a failed test said, and that ends with a summary in cargo's form.
    let nextest = lines().any(|line| line.starts_with("Summary ["));
    for line in lines() {
        let counts = match nextest {
            true => line.strip_prefix("Summary [").and_then(|rest| rest.split_once(" run: ")),
            false => line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")),
        };
        let Some((_, counts)) = counts else { continue };
        for part in counts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => total.passed += number,
                Some("failed" | "timed" | "exec") => total.failed += number,
                _ => {}
            }
        }
    }
    total
}

/// Runs `command`, showing its output while collecting it; answers whether it succeeded, and the output.
fn watch(command: &mut Command) -> Result<(bool, String)> {
    let name = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let errors = child.stderr.take().map(|stream| thread::spawn(|| relay(stream, io::stderr())));
    let output = child.stdout.take().map(|stream| relay(stream, io::stdout())).unwrap_or_default();
    let errors = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
    Ok((child.wait()?.success(), output + &errors))
}

/// Copies `from` to `to` line by line; answers all of it.
fn relay(from: impl io::Read, mut to: impl Write) -> String {
    let mut from = BufReader::new(from);
    let mut all = Vec::new();
    let mut start = 0;
    while from.read_until(b'\n', &mut all).is_ok_and(|count| count > 0) {
        let _ = to.write_all(&all[start..]);
        start = all.len();
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_both_runners_are_counted() {
        let nextest =
            "     Summary [  18.112s] 13 tests run: 11 passed (2 slow), 1 failed, 1 timed out, 3 skipped\n";
        assert_eq!(count(nextest), Count { passed: 11, failed: 2, note: String::new() });
        let shown = format!("    test result: FAILED. 0 passed; 1 failed; 0 ignored\n{nextest}");
        assert_eq!(count(&shown), count(nextest));
        let one = "     Summary [   0.112s] 1 test run: 1 passed, 0 skipped\n";
        assert_eq!(count(one), Count { passed: 1, failed: 0, note: String::new() });
        let cargo = "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                     test result: FAILED. 2 passed; 1 failed; 0 ignored\n";
        assert_eq!(count(cargo), Count { passed: 6, failed: 1, note: String::new() });
    }

    #[test]
    fn the_table_ends_with_the_totals_on_a_line_of_their_own() {
        let rows = [
            ("unit", Count { passed: 3, failed: 1, note: String::new() }, Duration::from_millis(1500)),
            ("deny", Count { note: "skipped".into(), ..Count::default() }, Duration::ZERO),
        ];
        let expected = "\
suite       passed  failed      time
unit             3       1     1.5 s
deny             0       0     0.0 s  skipped
all              3       1     1.5 s

3 passed, 1 failed
";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn a_program_that_fails_without_a_summary_is_one_failure() {
        let count = counted(Command::new("sh").args(["-c", "echo no summary; exit 3"])).unwrap();
        assert_eq!((count.passed, count.failed), (0, 1));
    }
}
