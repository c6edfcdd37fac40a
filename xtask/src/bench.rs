//! `cargo xtask bench`: guest programs on our release build against both QEMUs, in interleaved rounds; and ours with this
//! against ours with that.
//!
//! What counts is the ratio of CPU seconds (user and system, all threads) of two processes that ran
//! one after the other; the host's noise is in both. Medians are taken over the rounds.

mod bare;
mod coremark;
mod layout;
mod of_debian;
mod plot;
mod report;
mod running;
mod sbi;
mod table;
mod trace;
mod under_linux;
mod whole;
pub mod workload;

use crate::{cache::Cache, cargo, debian, peers, target};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use table::{Measured, Table};
use workload::{WORKLOADS, Workload};

/// What is asked for.
#[derive(Debug)]
pub struct Plan {
    /// What to run; everything if it is empty.
    pub names: Vec<String>,
    /// How often.
    pub rounds: usize,
    /// Whether the interpreter has a column in the tables too.
    pub interp: bool,
}

impl Plan {
    /// Reads the words after `bench`.
    pub fn parse(words: &[String]) -> Result<Plan> {
        let mut plan = Plan { names: Vec::new(), rounds: 1, interp: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--rounds" => {
                    let rounds = words.next().map_or("", String::as_str);
                    match rounds.parse() {
                        Ok(count @ 1..) => plan.rounds = count,
                        _ => bail!("--rounds {rounds}: it wants a number, one or more"),
                    }
                }
                "--interp" => plan.interp = true,
                flag if flag.starts_with('-') => {
                    bail!("there is no flag {flag}; `cargo xtask bench --help` lists them")
                }
                name if known(name) => plan.names.push(name.to_owned()),
                name => bail!("there is no program called {name}; there are\n{}", list()),
            }
        }
        // A program alone, in both settings that have programs.
        let program = |name: &String| WORKLOADS.iter().any(|workload| workload.name == name);
        if !plan.names.is_empty() && plan.names.iter().all(program) {
            plan.names.extend(["linux", "bare"].map(String::from));
        }
        Ok(plan)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }

    /// The programs of `guest/bench/programs` that are named; all, if none is.
    fn workloads(&self) -> Vec<&'static Workload> {
        let named = |workload: &&Workload| self.names.iter().any(|name| name == workload.name);
        match WORKLOADS.iter().any(|workload| named(&workload)) {
            true => WORKLOADS.iter().filter(named).collect(),
            false => WORKLOADS.iter().collect(),
        }
    }
}

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
type Own = (&'static str, &'static str, fn(&Plan) -> Result<()>);

const OWN: &[Own] = &[
    ("sbi", "Debian's kernel with -bios builtin and with OpenSBI, both ours", |plan| sbi::run(plan.rounds)),
    ("trace", "what it costs that nothing is traced, by callgrind", |_| trace::run()),
];

/// What becomes a table of ours by QEMU's.
struct Setting {
    name: &'static str,
    about: &'static str,
    title: &'static str,
    measure: fn(&Plan, &[Emulator]) -> Result<Vec<Measured>>,
}

const SETTINGS: [Setting; 5] = [
    Setting {
        name: "linux",
        about: "the programs below under Linux on virt",
        title: "Programs under Linux, one hart of `virt`: CPU seconds",
        measure: under_linux::measure,
    },
    Setting {
        name: "bare",
        about: "the programs below on a bare machine",
        title: "Programs on a bare machine, `param` or QEMU's `virt`: CPU seconds of the process",
        measure: bare::measure,
    },
    Setting {
        name: "layout",
        about: "CoreMark linked at eight places within two pages",
        title: "CoreMark at eight places on a bare machine: CPU seconds of the process, the least of 25 runs",
        measure: layout::measure,
    },
    Setting {
        name: "debian",
        about: "forks of a shell, Python, cc1 and Lua under Linux on virt",
        title: "Debian's programs under Linux, one hart of `virt`: CPU seconds",
        measure: of_debian::measure,
    },
    Setting {
        name: "whole",
        about: "start to exit, and Linux to its first program and off: time and memory",
        title: "Whole machines",
        measure: whole::measure,
    },
];

/// What measures all settings and writes down what it found.
const REPORT: &str = "report";

/// Debian packages, each with a program that tells whether it is there: the peer, and what builds CoreMark.
const PACKAGES: &[(&str, &str)] = &[
    ("qemu-system-misc", "qemu-system-riscv64"),
    ("gcc-riscv64-linux-gnu", "riscv64-linux-gnu-gcc"),
    ("python3-pip", "pip3"),
];

/// What runs a guest.
struct Emulator {
    name: &'static str,
    program: PathBuf,
    options: &'static [&'static str],
    /// The machine that has the least, for programs on no system.
    bare: &'static str,
}

impl Emulator {
    /// Its command line for `machine`, its console on standard input and output.
    fn command(&self, machine: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-machine", machine, "-nographic"]).args(self.options);
        command
    }
}

/// Ours, by engine (the interpreter if `interp`), and both QEMUs; the newest QEMU last.
fn emulators(interp: bool) -> Result<Vec<Emulator>> {
    debian::install_missing(PACKAGES)?;
    let cache = Cache::of_user()?;
    peers::fetch(&cache)?;
    let newest = peers::script(&cache, "qemu-system-riscv64");
    let all = [
        Emulator { name: "interp", program: hartwright(), options: &["-accel", "interp"], bare: "param" },
        Emulator { name: "jit", program: hartwright(), options: &["-accel", "jit"], bare: "param" },
        Emulator { name: "QEMU 7.2", program: "qemu-system-riscv64".into(), options: &[], bare: "virt" },
        Emulator { name: "QEMU 11.1", program: newest, options: &[], bare: "virt" },
    ];
    Ok(all.into_iter().filter(|emulator| interp || emulator.name != "interp").collect())
}

/// Whether something that can be run is called `name`.
fn known(name: &str) -> bool {
    let parts = PROGRAMS.iter().map(|program| program.name).chain(OWN.iter().map(|own| own.0));
    let parts = parts.chain(SETTINGS.iter().map(|setting| setting.name)).chain([REPORT]);
    parts.chain(WORKLOADS.iter().map(|workload| workload.name)).any(|known| known == name)
}

/// Times what the plan names, and prints a row for each.
pub fn run(plan: &Plan) -> Result<()> {
    let built = cargo().args(["build", "--release", "--package", "hartwright"]).status();
    ensure!(built.context("cannot start cargo")?.success(), "hartwright does not build");
    if PROGRAMS.iter().any(|program| plan.wants(program.name)) {
        against_qemu(plan)?;
    }
    for setting in SETTINGS.iter().filter(|setting| plan.wants(setting.name)) {
        println!("{}", measured(plan, setting)?.text());
    }
    OWN.iter().filter(|own| plan.wants(own.0)).try_for_each(|own| (own.2)(plan))?;
    // Not what is run if nothing is named: it writes into the clone.
    if plan.names.iter().any(|name| name == REPORT) {
        let part = WORKLOADS.iter().find(|workload| plan.names.iter().any(|name| name == workload.name));
        ensure!(part.is_none(), "a report has all programs, not only {}", part.map_or("", |part| part.name));
        report::write(plan)?;
    }
    Ok(())
}

/// Our release build.
fn hartwright() -> PathBuf {
    target().join("release/hartwright")
}

fn measured(plan: &Plan, setting: &Setting) -> Result<Table> {
    workload::install_compilers()?;
    let emulators = emulators(plan.interp)?;
    let rows = (setting.measure)(plan, &emulators)?;
    let names = emulators.iter().map(|emulator| emulator.name).collect();
    Ok(Table { title: setting.title, emulators: names, rows })
}

fn against_qemu(plan: &Plan) -> Result<()> {
    let emulators = emulators(true)?;
    let work = target().join("bench");
    fs::create_dir_all(&work)?;

    println!(
        "{:10} {:10} {:>10} {:>10} {:>7} {:>14}",
        "program", "emulator", "CPU", "wall", "speed", "guest instr/s"
    );
    for program in PROGRAMS.iter().filter(|program| plan.wants(program.name)) {
        let options = (program.options)(&work).with_context(|| program.name)?;
        let mut runs = vec![Vec::new(); emulators.len()];
        for _ in 0..plan.rounds {
            for (emulator, runs) in emulators.iter().zip(&mut runs) {
                runs.push(time(emulator.command("virt").args(&options))?);
            }
        }
        let peer = runs.last().map_or(0.0, |runs| median(runs, |run| run.cpu));
        for (emulator, runs) in emulators.iter().zip(&runs) {
            let (cpu, wall) = (median(runs, |run| run.cpu), median(runs, |run| run.wall));
            let counted = runs[0].said.lines().find_map(instructions);
            let rate = counted.map(|count| format!("{:.1} M", count as f64 / cpu / 1e6));
            println!(
                "{:10} {:10} {cpu:8.3} s {wall:8.3} s {:7.3} {:>14}",
                program.name,
                emulator.name,
                peer / cpu,
                rate.as_deref().unwrap_or("-")
            );
        }
    }
    println!(
        "machine virt, one hart; medians of {} interleaved rounds; speed is QEMU 11's CPU time by this one's",
        plan.rounds
    );
    Ok(())
}

/// What there is, one a line, and the programs.
pub fn list() -> String {
    let programs = PROGRAMS.iter().map(|program| (program.name, program.about));
    let settings = SETTINGS.iter().map(|setting| (setting.name, setting.about));
    let report = (REPORT, "the five before this one, into docs/benchmarks.md and docs/benchmarks.svg");
    let all = programs.chain(settings).chain([report]).chain(OWN.iter().map(|own| (own.0, own.1)));
    let rows: String = all.map(|(name, about)| format!("  {name:10} {about}\n")).collect();
    let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
    let lines: String = names.chunks(8).map(|names| format!("    {}\n", names.join(" "))).collect();
    format!(
        "{rows}\n  Programs of guest/bench/programs, for linux and bare; all if none is named:\n{lines}\n  \
         --rounds N   how often, by turns; medians are printed (1)\n  \
         --interp     a column for our interpreter in the tables of linux and bare\n"
    )
}

fn coremark(work: &Path) -> Result<Vec<OsString>> {
    Ok(["-bios".into(), "none".into(), "-kernel".into(), coremark::build(work, 0)?.into()].into())
}

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
#[derive(Clone)]
struct Run {
    /// CPU seconds of the whole process.
    cpu: f64,
    /// Seconds from its start to its end.
    wall: f64,
    /// What the guest said.
    said: String,
}

fn time(command: &mut Command) -> Result<Run> {
    command.stdin(Stdio::null());
    let (before, begun) = (children()?, Instant::now());
    let ended = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let (cpu, wall) = (children()? - before, begun.elapsed().as_secs_f64());
    if !ended.status.success() {
        bail!("{command:?} ended with {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    }
    Ok(Run { cpu, wall, said: String::from_utf8_lossy(&ended.stdout).into_owned() })
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

    fn plan(words: &[&str]) -> Result<Plan> {
        Plan::parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_plan_has_flags_anywhere_and_names_that_there_are() {
        let read = plan(&["linux", "--rounds", "3", "aes", "--interp"]).unwrap();
        assert_eq!((read.rounds, read.interp, read.names.len()), (3, true, 2));
        assert_eq!(read.workloads().iter().map(|workload| workload.name).collect::<Vec<_>>(), ["aes"]);
        assert_eq!(plan(&["bare"]).unwrap().workloads().len(), WORKLOADS.len());
        assert!(plan(&["aes"]).unwrap().wants("linux") && !plan(&["bare", "aes"]).unwrap().wants("linux"));
        for wrong in [&["--rounds"][..], &["--rounds", "0"], &["--fast"], &["windows"]] {
            assert!(plan(wrong).is_err(), "{wrong:?}");
        }
    }

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
