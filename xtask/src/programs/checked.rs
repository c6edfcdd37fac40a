//! The suite `checked`: the same programs on whole machines, under Linux, where the interpreter does again what code
//! did (`-accel jit,check=on`).
//!
//! A machine has its programs in the initial RAM disk, and nothing beside its harts writes memory, so that a difference
//! is one of the translator's. A program has to do here what it does on QEMU 11 in user mode; what fails there is left
//! out, as in the suite `programs`.

use super::{Builder, Emulator, Expect, Program, built, csmith, in_parallel, judge, peer_outcome, torture};
use crate::{cache::Cache, cargo, guests, initramfs, peers, target, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// So many instructions at least must have been compared.
const LEAST: u64 = 1_000_000_000;

/// A machine that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A program that can be asked for: it was built, and QEMU passes it.
struct Ready {
    name: String,
    path: PathBuf,
    expect: Expect,
}

/// A machine, and what it is to run.
struct Plan {
    /// Its place among the machines, from 1.
    number: usize,
    harts: u32,
    programs: Vec<Ready>,
}

/// What a machine said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// Programs that ran.
    ran: usize,
    /// Programs that did not do what they should, by number, with what they did.
    wrong: Vec<(usize, String)>,
    /// Instructions compared, of all harts.
    compared: u64,
    /// All that the emulator itself said.
    errors: String,
    /// How the emulator ended.
    ended: String,
}

/// How the suite went.
pub struct Tally {
    /// Programs that did what they should.
    pub passed: usize,
    /// Programs that did not, and those that a difference kept from running.
    pub failed: usize,
    /// How much was compared.
    pub note: String,
}

/// Builds the programs (`full`: thirty times as many), deals them to machines of one hart and of two, and runs as many
/// machines at a time as the host has processors.
pub fn run(full: bool) -> Result<Tally> {
    guests::fetch(&["c-torture", "linux", "opensbi-1.6", peers::NAME].map(String::from))?;
    let build = ["build", "--release", "--quiet", "--package", "hartwright"];
    ensure!(cargo().args(build).status()?.success(), "hartwright does not build");
    let cache = Cache::of_user()?;
    let builder = Builder::new(&built(&cache, full))?;

    let (programs, left_out) = ready(&cache, &builder, full)?;
    println!("{} programs; {left_out} that do not build, or that QEMU 11 does not pass", programs.len());
    let init = init(&builder)?;
    // There is room for an initial RAM disk of 500 MiB, and a program takes half of one.
    let plans = dealt(programs, if full { &[1, 2, 1, 2] } else { &[1, 2] });
    let reports = in_parallel(&plans, |plan| plan.report(&cache, &init));

    let mut tally = Tally { passed: 0, failed: 0, note: String::new() };
    let (mut compared, mut differences) = (0, 0);
    for (plan, report) in plans.iter().zip(reports) {
        let report = report?;
        print!("{}", plan.told(&report));
        let passed = report.ran.saturating_sub(report.wrong.len());
        tally.passed += passed;
        // What is wrong with a machine as a whole is a failure even where every program ran.
        tally.failed += (plan.programs.len() - passed).max(usize::from(report.ended != "exit 0"));
        compared += report.compared;
        differences += usize::from(report.differs());
    }
    tally.note = format!("instructions compared {compared}, differences {differences}");
    if compared < LEAST {
        tally.failed += 1;
        tally.note += &format!(": too few compared, at least {LEAST} are asked for");
    }
    Ok(tally)
}

/// Programs of c-torture and of csmith's, as far as QEMU 11 passes them; and how many it does not. `full`: all of
/// c-torture and a hundred of csmith's, otherwise a fourth of what the suite `programs` has.
fn ready(cache: &Cache, builder: &Builder, full: bool) -> Result<(Vec<Ready>, usize)> {
    let peer = Emulator::new(peers::script(cache, "qemu-riscv64"), &peers::binary(cache, "qemu-riscv64"))?;
    let mut programs = torture::programs(cache, full)?.programs;
    programs.extend(csmith::programs(cache, false)?.programs);
    let programs: Vec<_> = programs.into_iter().step_by(if full { 1 } else { 4 }).collect();
    let all = programs.len();
    let ready = in_parallel(&programs, |program| -> Result<Option<Ready>> {
        let Ok(built) = builder.build(program)? else { return Ok(None) };
        let (_, passed) = peer_outcome(cache, &peer, &built, program)?;
        let Program { name, expect, .. } = program.clone();
        Ok(passed.then_some(Ready { name, path: built.path, expect }))
    });
    let ready: Vec<Ready> = ready.into_iter().filter_map(Result::transpose).collect::<Result<_>>()?;
    let left_out = all - ready.len();
    Ok((ready, left_out))
}

/// The program that is the machines' first process.
fn init(builder: &Builder) -> Result<Vec<u8>> {
    let program = Program {
        name: "init".into(),
        sources: vec![workspace().join("guest/checked/init.c")],
        flags: ["-O2", "-Wall", "-Wextra"].map(String::from).to_vec(),
        options: Vec::new(),
        expect: Expect::Success,
    };
    match builder.build(&program)? {
        Ok(built) => Ok(fs::read(built.path)?),
        Err(complaint) => bail!("guest/checked/init.c does not build: {complaint}"),
    }
}

/// Deals in pairs, which with `full` are one program at two levels of optimisation.
fn dealt(programs: Vec<Ready>, harts: &[u32]) -> Vec<Plan> {
    let plan = |(number, harts): (usize, &u32)| Plan { number, harts: *harts, programs: Vec::new() };
    let mut plans: Vec<Plan> = (1..).zip(harts).map(plan).collect();
    for (number, program) in programs.into_iter().enumerate() {
        plans[number / 2 % harts.len()].programs.push(program);
    }
    plans
}

impl Plan {
    /// Runs the machine to its end.
    fn report(&self, cache: &Cache, init: &[u8]) -> Result<Report> {
        let folder = target().join(format!("checked/{}", self.number));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let (console, errors, initrd) =
            (folder.join("console"), folder.join("errors"), folder.join("initrd"));
        let paths: Vec<&Path> = self.programs.iter().map(|program| program.path.as_path()).collect();
        fs::write(&initrd, initramfs::with_init(init, &self.list(), &paths)?)?;
        let mut command = self.command(cache, &initrd)?;
        command.stdin(Stdio::null()).stdout(File::create(&console)?).stderr(File::create(&errors)?);
        let mut child = command.process_group(0).spawn().context("cannot start hartwright")?;
        let ended = judge::wait(&mut child, LIMIT)?;
        let ended = ended.map_or_else(|| format!("more than {} s", LIMIT.as_secs()), judge::ended);
        match ended == "exit 0" {
            // It is large.
            true => fs::remove_file(&initrd)?,
            false => println!("{}: {ended}: {command:?} > {}", self.name(), console.display()),
        }
        let text = |path| Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(path)?).into_owned());
        Ok(Report::of(&text(console)?, text(errors)?, ended))
    }

    fn command(&self, cache: &Cache, initrd: &Path) -> Result<Command> {
        // The archive and the files that are made of it are there at once.
        let memory = 512 + 2 * (fs::metadata(initrd)?.len() >> 20);
        let mut command = Command::new(target().join("release/hartwright"));
        command.args(["-machine", "virt", "-nographic", "-no-reboot", "-accel", "jit,check=on"]);
        command.args(["-smp", &self.harts.to_string(), "-m", &format!("{memory}M")]);
        command.arg("-bios").arg(cache.file("opensbi-1.6", "fw_dynamic.bin")?);
        command.arg("-kernel").arg(cache.file("linux", "vmlinux")?);
        // A panic resets the machine, which ends it.
        command.arg("-initrd").arg(initrd).args(["-append", "console=ttyS0 quiet panic=-1 rootfstype=ramfs"]);
        Ok(command)
    }

    /// What `guest/checked/init.c` reads: a line a program, its number and what it must write.
    fn list(&self) -> String {
        let line = |(number, program): (usize, &Ready)| match &program.expect {
            Expect::Output(text) => format!("{number} {}\n", text.trim_end()),
            Expect::Success | Expect::PeerOutput => format!("{number}\n"),
        };
        self.programs.iter().enumerate().map(line).collect()
    }

    fn name(&self) -> String {
        format!("machine {}, of {} hart{}", self.number, self.harts, if self.harts > 1 { "s" } else { "" })
    }

    /// For people: how the machine went, with the programs' names.
    fn told(&self, report: &Report) -> String {
        let Report { ran, wrong, compared, errors, ended } = report;
        let (name, all) = (self.name(), self.programs.len());
        let mut text =
            format!("{name}: {ran} of {all} programs ran, {compared} instructions compared; {ended}\n");
        for (number, what) in wrong {
            let program = self.programs.get(*number);
            let program = program.map(|program| {
                format!("{} goes wrong: {what}\n    {}", program.name, program.path.display())
            });
            text += &format!("{name}: {}\n", program.unwrap_or_else(|| format!("program {number}: {what}")));
        }
        // A difference, say.
        if ended != "exit 0" {
            text += errors;
        }
        text
    }
}

impl Report {
    /// What is in the words of the machine's console, and the emulator's own.
    fn of(console: &str, errors: String, ended: String) -> Report {
        let mut report = Report { ended, ..Report::default() };
        for (_, said) in console.lines().filter_map(|line| line.split_once("hartwright guest: ")) {
            if let Some((number, what)) = said.strip_prefix("wrong ").and_then(|rest| rest.split_once(": ")) {
                report.wrong.push((number.parse().unwrap_or(usize::MAX), what.to_owned()));
            } else if let Some(ran) = said.strip_prefix("ran ") {
                report.ran = ran.trim().parse().unwrap_or(0);
            }
        }
        let counts = errors.lines().filter_map(|line| line.strip_suffix(" instructions compared"));
        report.compared = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        report.errors = errors;
        report
    }

    /// Whether code is not its instructions.
    fn differs(&self) -> bool {
        self.errors.contains("code is not its instructions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, expect: Expect) -> Ready {
        Ready { name: name.into(), path: PathBuf::from("/built").join(name), expect }
    }

    #[test]
    fn a_report_is_what_the_guest_and_the_emulator_said() {
        let console = "hartwright guest: init\r\nhartwright guest: wrong 1: signal 6, saying \"no\"\r\n\
                       hartwright guest: ran 2\r\n[ 9.1] reboot: Power down\r\n";
        let errors = "hw: hart 0: 1000 instructions compared\nhw: hart 1: 20 instructions compared\n";
        let report = Report::of(console, errors.into(), "exit 0".into());
        assert_eq!((report.ran, report.compared, report.differs()), (2, 1020, false));
        assert_eq!(report.wrong, [(1, "signal 6, saying \"no\"".to_owned())]);
        let errors =
            "hart 0 stops: code is not its instructions\n  x1: 0x1 by code, 0x2 by the interpreter\n";
        assert!(Report::of("", errors.into(), "exit 1".into()).differs());
    }

    #[test]
    fn what_goes_wrong_is_told_by_name_and_a_difference_whole() {
        let programs = vec![program("a -O2", Expect::Success), program("a -O0", Expect::Success)];
        let plan = dealt(programs, &[1]).remove(0);
        let wrong = vec![(1, "exit 1, saying \"\"".to_owned())];
        let mut report = Report { ran: 2, wrong, ended: "exit 0".into(), ..Report::default() };
        let told = plan.told(&report);
        assert!(told.starts_with("machine 1, of 1 hart: 2 of 2 programs ran, 0 instructions"), "{told}");
        assert!(told.ends_with(": a -O0 goes wrong: exit 1, saying \"\"\n    /built/a -O0\n"), "{told}");
        report.ended = "exit 1".into();
        report.errors = "x1: 0x1 by code".into();
        assert!(plan.told(&report).ends_with("x1: 0x1 by code"));
    }

    #[test]
    fn the_list_says_what_a_program_must_write() {
        let csmith = program("seed 1", Expect::Output("checksum = 12\n".into()));
        let programs = vec![program("a", Expect::Success), csmith, program("b", Expect::Success)];
        let plans = dealt(programs, &[1, 2]);
        assert_eq!(plans[0].list(), "0\n1 checksum = 12\n");
        assert_eq!((plans[1].harts, plans[1].list().as_str()), (2, "0\n"));
    }
}
