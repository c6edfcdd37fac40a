//! What it costs that an access could be traced, while nothing is: host instructions, counted by callgrind, of a build
//! that asks whether anything is traced and of one that does not (feature `untraced`).
//!
//! The worst case is a driver that polls: nothing but accesses. For an ordinary one, accesses of a boot of Debian's
//! kernel are counted by tracing them all, and are set against what its instructions cost.

use crate::{cache::Cache, cargo, debian, target};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const PACKAGES: &[(&str, &str)] = &[("valgrind", "valgrind")];
/// Accesses of `crates/devices/examples/uart_loop.rs`.
const ACCESSES: f64 = 300_000.0;
/// Host instructions a guest's one costs, by callgrind on CoreMark: the least that it costs anywhere.
const HOST_A_GUEST: f64 = 30.0;

/// Prints the figures.
pub(super) fn run() -> Result<()> {
    debian::install_missing(PACKAGES)?;
    let with = polls(None)?;
    let without = polls(Some("untraced"))?;
    let each = (with - without) / ACCESSES;
    println!(
        "an access: {:.1} host instructions, {:.1} without the question: {each:.1} more",
        with / ACCESSES,
        without / ACCESSES
    );
    println!("a driver that only polls: {:+.2} %", 100.0 * (with / without - 1.0));
    let (events, instructions) = boot()?;
    let whole = instructions * HOST_A_GUEST;
    println!(
        "Debian's kernel to its first program: {events} accesses and changes of lines in {:.0} M instructions: \
         {:+.4} %",
        instructions / 1e6,
        100.0 * each.max(0.0) * events as f64 / whole
    );
    ensure!(with / without < 1.01, "tracing costs more than 1 % while it is off");
    Ok(())
}

/// Host instructions of the polling loop, built with `feature`.
fn polls(feature: Option<&str>) -> Result<f64> {
    // Among all else that is built: the two have most of what is below them in common with the program.
    let mut build = cargo();
    build.args(["build", "--release", "--package", "hartwright-devices", "--example", "uart_loop"]);
    if let Some(feature) = feature {
        build.args(["--features", feature]);
    }
    ensure!(build.status().context("cannot start cargo")?.success(), "uart_loop does not build");
    callgrind(&target().join("release/examples/uart_loop"))
}

fn callgrind(program: &Path) -> Result<f64> {
    let out = folder()?.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display())).arg(program);
    let ended = command.output().context("cannot start valgrind")?;
    ensure!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    let text = fs::read_to_string(&out)?;
    total(&text).with_context(|| format!("{} has no total", out.display()))
}

/// Where what is written on the way goes.
fn folder() -> Result<PathBuf> {
    let folder = target().join("bench/trace");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// The total of a file that callgrind wrote.
fn total(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
    line?.split_whitespace().next()?.parse().ok()
}

/// Accesses and changes of lines until Debian's kernel has run its first program, and its instructions.
fn boot() -> Result<(usize, f64)> {
    let cache = Cache::of_user()?;
    let firmware = cache.file("opensbi-1.6", "fw_dynamic.bin")?;
    let traced = folder()?.join("events");
    let events = format!("enable=*,file={}", traced.display());
    let instructions = super::sbi::count(&cache, firmware.as_os_str(), 1, &["-trace", &events])?;
    let events = fs::read(&traced)?.iter().filter(|byte| **byte == b'\n').count();
    Ok((events, instructions as f64))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_total_is_in_one_of_two_lines() {
        assert_eq!(super::total("events: Ir\nsummary: 1234\n"), Some(1234.0));
        assert_eq!(super::total("fn=(1)\ntotals: 12 0\n"), Some(12.0));
        assert_eq!(super::total("fn=(1)\n"), None);
    }
}
