//! `cargo xtask bench`: guest programs on our release build against both QEMUs, in interleaved rounds; and ours with this
//! against ours with that.
//!
//! What counts is the ratio of CPU seconds (user and system, all threads) of two processes that ran
//! one after the other; the host's noise is in both. Medians are taken over the rounds.

mod sbi;
mod trace;

use crate::{
    cache::{Cache, sha256},
    cargo, debian, peers, target, workspace,
};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// A guest program that ends by itself.
struct Program {
    name: &'static str,
    about: &'static str,
    /// Its options on every emulator, besides the machine's name.
    options: fn(&Path) -> Result<Vec<OsString>>,
}

const PROGRAMS: &[Program] = &[
    Program { name: "coremark", about: "CoreMark, bare metal, by Debian's cross gcc -O2", options: coremark },
    Program {
        name: "boot",
        about: "OpenSBI and Debian's kernel up to their first program, then off",
        options: boot,
    },
];

/// What is compared otherwise: what it is called, what is compared, and what prints it.
type Own = (&'static str, &'static str, fn(usize) -> Result<()>);

const OWN: &[Own] = &[
    ("sbi", "Debian's kernel with -bios builtin and with OpenSBI, both ours", sbi::run),
    ("trace", "what it costs that nothing is traced, by callgrind", trace::run),
];

/// Debian packages, each with a program that tells whether it is there: the peer, and what builds CoreMark.
const PACKAGES: &[(&str, &str)] = &[
    ("qemu-system-misc", "qemu-system-riscv64"),
    ("gcc-riscv64-linux-gnu", "riscv64-linux-gnu-gcc"),
    ("python3-pip", "pip3"),
];

/// Times the programs `names`, or all, over `rounds` rounds, and prints a row for each.
pub fn run(names: &[String], rounds: usize) -> Result<()> {
    let known = |name: &String| {
        PROGRAMS.iter().any(|program| program.name == name) || OWN.iter().any(|own| own.0 == name)
    };
    if let Some(name) = names.iter().find(|name| !known(name)) {
        bail!("there is no program called {name}; there are\n{}", list());
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let built = cargo().args(["build", "--release", "--package", "hartwright"]).status();
    ensure!(built.context("cannot start cargo")?.success(), "hartwright does not build");
    if PROGRAMS.iter().any(|program| wanted(program.name)) {
        against_qemu(&wanted, rounds)?;
    }
    OWN.iter().filter(|own| wanted(own.0)).try_for_each(|own| (own.2)(rounds))
}

/// Our release build.
fn hartwright() -> PathBuf {
    target().join("release/hartwright")
}

fn against_qemu(wanted: &dyn Fn(&str) -> bool, rounds: usize) -> Result<()> {
    debian::install_missing(PACKAGES)?;
    let cache = Cache::of_user()?;
    peers::fetch(&cache)?;
    let emulators = [
        ("interp", hartwright(), &["-accel", "interp"][..]),
        ("jit", hartwright(), &["-accel", "jit"]),
        ("qemu 7.2", "qemu-system-riscv64".into(), &[]),
        ("qemu 11.1", peers::script(&cache, "qemu-system-riscv64"), &[]),
    ];
    let work = target().join("bench");
    fs::create_dir_all(&work)?;

    println!(
        "{:10} {:10} {:>10} {:>10} {:>7} {:>14}",
        "program", "emulator", "CPU", "wall", "speed", "guest instr/s"
    );
    for program in PROGRAMS.iter().filter(|program| wanted(program.name)) {
        let options = (program.options)(&work).with_context(|| program.name)?;
        let mut runs = emulators.each_ref().map(|_| Vec::new());
        for _ in 0..rounds {
            for ((_, emulator, engine), runs) in emulators.iter().zip(&mut runs) {
                let engine = engine.iter().map(OsString::from);
                runs.push(time(emulator, &options.iter().cloned().chain(engine).collect::<Vec<_>>())?);
            }
        }
        let peer = runs.last().map_or(0.0, |runs| median(runs, |run| run.cpu));
        for ((name, ..), runs) in emulators.iter().zip(&runs) {
            let (cpu, wall) = (median(runs, |run| run.cpu), median(runs, |run| run.wall));
            let rate = runs[0].instructions.map(|count| format!("{:.1} M", count as f64 / cpu / 1e6));
            println!(
                "{:10} {name:10} {cpu:8.3} s {wall:8.3} s {:7.3} {:>14}",
                program.name,
                peer / cpu,
                rate.as_deref().unwrap_or("-")
            );
        }
    }
    println!(
        "machine virt, one hart; medians of {rounds} interleaved rounds; speed is QEMU 11's CPU time by this one's"
    );
    Ok(())
}

/// The programs there are, one a line.
pub fn list() -> String {
    let programs = PROGRAMS.iter().map(|program| (program.name, program.about));
    let all = programs.chain(OWN.iter().map(|own| (own.0, own.1)));
    all.map(|(name, about)| format!("  {name:10} {about}\n")).collect()
}

fn coremark(work: &Path) -> Result<Vec<OsString>> {
    let image = work.join("coremark.elf");
    let script = workspace().join("guest/bench/build.sh");
    let built = Command::new("sh").arg(&script).arg(coremark_sources()?).arg(&image).status();
    ensure!(built.with_context(|| script.display().to_string())?.success(), "guest/bench/build.sh failed");
    Ok(["-bios".into(), "none".into(), "-kernel".into(), image.into()].into())
}

/// EEMBC's sources, out of the Python package that `guest/bench/README.md` names, in the cache.
fn coremark_sources() -> Result<PathBuf> {
    let cache = Cache::of_user()?;
    let folder = cache.guest("coremark");
    let sources = folder.join("pythondata_cpu_ibex/system_verilog/vendor/eembc_coremark");
    if sources.is_dir() {
        return Ok(sources);
    }
    let scratch = cache.scratch("coremark")?;
    let python = |arguments: &[&str]| -> Result<()> {
        let ended = Command::new("python3").arg("-m").args(arguments).current_dir(&scratch).status();
        ensure!(
            ended.context("cannot start python3")?.success(),
            "python3 -m {} failed",
            arguments.join(" ")
        );
        Ok(())
    };
    python(&["pip", "download", "--quiet", "--no-deps", "--dest", ".", "pythondata-cpu-ibex==0.0.post2937"])?;
    let wheel = fs::read_dir(&scratch)?.filter_map(Result::ok).map(|entry| entry.path()).next();
    let wheel = wheel.context("pip downloaded nothing")?;
    let hash = sha256(&fs::read(&wheel)?);
    ensure!(hash == WHEEL, "{} has sha256 {hash}, and should have {WHEEL}", wheel.display());
    python(&["zipfile", "-e", &wheel.display().to_string(), "."])?;
    fs::remove_file(wheel)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.parent().unwrap_or(&folder))?;
    fs::rename(&scratch, &folder)?;
    Ok(sources)
}

const WHEEL: &str = "bcb32ffccc75097248a11b3e52031eca92d21c6c6161a29151c8c79d6157e1c9";

fn boot(_: &Path) -> Result<Vec<OsString>> {
    let cache = Cache::of_user()?;
    let mut options: Vec<OsString> =
        ["-m", "512M", "-append", "rdinit=/bin/busybox -- poweroff -f"].map(Into::into).into();
    for (flag, guest, file) in [
        ("-bios", "opensbi-1.6", "fw_dynamic.bin"),
        ("-kernel", "linux", "vmlinux"),
        ("-initrd", "busybox", "initrd.gz"),
    ] {
        options.extend([flag.into(), cache.file(guest, file)?.into()]);
    }
    Ok(options)
}

/// One run.
struct Run {
    /// CPU seconds of the whole process.
    cpu: f64,
    /// Seconds from its start to its end.
    wall: f64,
    /// What the guest itself counted, if it prints a line `instructions : N ...`.
    instructions: Option<u64>,
}

fn time(emulator: &Path, options: &[OsString]) -> Result<Run> {
    let (before, begun) = (children()?, Instant::now());
    let mut command = Command::new(emulator);
    command.args(["-machine", "virt", "-nographic"]).args(options).stdin(Stdio::null());
    let ended = command.output().with_context(|| format!("cannot start {}", emulator.display()))?;
    let (cpu, wall) = (children()? - before, begun.elapsed().as_secs_f64());
    if !ended.status.success() {
        bail!("{command:?} ended with {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    }
    let said = String::from_utf8_lossy(&ended.stdout);
    Ok(Run { cpu, wall, instructions: said.lines().find_map(instructions) })
}

/// The number in a line such as `instructions     : 1050000000 by minstret`.
fn instructions(line: &str) -> Option<u64> {
    let (name, counted) = line.split_once(':')?;
    let number = counted.split_whitespace().next()?;
    (name.trim() == "instructions").then(|| number.parse().ok())?
}

/// CPU seconds of all child processes that have ended.
fn children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let [user, system] = [usage.user_time(), usage.system_time()];
    Ok((user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6)
}

/// The median of what `seconds` says of each run.
fn median(runs: &[Run], seconds: impl Fn(&Run) -> f64) -> f64 {
    center(runs.iter().map(seconds).collect())
}

/// The median; the mean of the middle two for an even number.
fn center(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_s_own_count_is_read() {
        assert_eq!(instructions("instructions     : 1050 by minstret, 500.1 MIPS"), Some(1050));
        assert_eq!(instructions("Iterations       : 3000"), None);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(center(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(center(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
