//! `docs/benchmarks.md` and `docs/benchmarks.svg`: everything that is compared with QEMU, in one run.

use super::{Plan, SETTINGS, emulators, layout, measured, plot, table::Table};
use crate::{cache::Cache, workspace};
use anyhow::{Context, Result};
use std::{fs, process::Command};

/// Measures everything and writes both files.
pub(super) fn write(plan: &Plan) -> Result<()> {
    let mut tables = SETTINGS.iter().map(|setting| measured(plan, setting)).collect::<Result<Vec<_>>>()?;
    let [linux, bare, places, ..] = &mut tables[..] else { unreachable!("each setting has its table") };
    // Where a program happens to lie is nobody's merit.
    bare.rows.insert(0, layout::median(&places.rows));
    let picture = plot::ratios(&[("under Linux", linux), ("bare metal", bare)]);
    let docs = workspace().join("docs");
    for (name, text) in [("benchmarks.md", text(plan, &tables)?), ("benchmarks.svg", picture)] {
        let path = docs.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

fn text(plan: &Plan, tables: &[Table]) -> Result<String> {
    let mut text = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench --rounds {rounds}{interp} report`. Figures are medians of {rounds} interleaved \
         rounds, each round asking every emulator in turn. CPU seconds are user and system time of all the emulator's \
         threads. `jit` is our translator. Seconds are this host's; what counts is the ratio, which is above 1 where \
         QEMU 11.1 needs more.\n\n\
         | | |\n|---|---|\n",
        rounds = plan.rounds,
        interp = if plan.interp { " --interp" } else { "" },
    );
    for (what, told) in setup()? {
        text += &format!("| {what} | {told} |\n");
    }
    text += "\n![How many times as fast as QEMU 11.1](benchmarks.svg)\n";
    for table in tables {
        text += &format!("\n{}", table.text());
    }
    text += NOTES;
    Ok(text)
}

/// What the figures depend on.
fn setup() -> Result<Vec<(&'static str, String)>> {
    let cache = Cache::of_user()?;
    let kernel = fs::read_to_string(cache.guest("linux").join("VERSION"))?;
    let mut rows = vec![
        ("date", first_line(Command::new("date").args(["-u", "+%F"]))?),
        ("host", host()?),
        ("hartwright", emulator()?),
    ];
    for emulator in emulators(false)? {
        if emulator.name.starts_with("QEMU") {
            rows.push((emulator.name, first_line(Command::new(&emulator.program).arg("--version"))?));
        }
    }
    rows.push(("compiler", first_line(Command::new("riscv64-linux-gnu-gcc").arg("--version"))?));
    rows.push(("guest kernel", kernel.lines().next().unwrap_or_default().to_owned()));
    Ok(rows)
}

/// The last change of the emulator itself, and whether it is what was measured.
fn emulator() -> Result<String> {
    let git =
        |words: &[&str]| first_line(Command::new("git").args(words).arg("crates").current_dir(workspace()));
    let changed = git(&["status", "--porcelain", "--"])?;
    let last = git(&["log", "-1", "--format=%h", "--"])?;
    Ok(format!("{last}{}", if changed.is_empty() { "" } else { ", and changes that are not committed" }))
}

/// The host's processor, and how many of them there are.
fn host() -> Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let models: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("model name")).collect();
    let model = models.first().and_then(|line| line.split_once(": ")).map_or("unknown", |(_, model)| model);
    Ok(format!("{model}, {} processors", models.len()))
}

fn first_line(command: &mut Command) -> Result<String> {
    let told = command.output().with_context(|| format!("cannot start {command:?}"))?;
    Ok(String::from_utf8_lossy(&told.stdout).lines().next().unwrap_or_default().to_owned())
}

const NOTES: &str = r"
The programs are `guest/bench/programs/*.c`, one file each, built by gcc -O2 for rv64gc; each run must say what the same
source says on the host. Products are fused with sums where the source says so, and nowhere else. `primes` sieves
32 MiB, more pages than a TLB holds; `stream` has 256 KiB; `chase` waits for one load after the other in 384 KiB, so it
is in no mean. A `micro-` program does one operation over and over, a `kernel-` one asks Linux for one service: a system
call, the first touch of a page, two switches of processes by pipes, a fork. CoreMark is EEMBC's, with iterations for a
comparison and not for a score; `coremark` on the bare machine is the median of the eight places below, each of which has
the least of 25 runs, since what else goes on on the host moves a run by more than its place does. `sh` is
busybox's; Python, Lua and cc1, which compiles three of the programs, are trixie's.
";
