//! One run of one program on one emulator, with a limit of time, and what QEMU's earlier runs came to.

use super::{Expect, build::Built};
use crate::{
    cache::{Cache, sha256},
    target,
};
use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    fmt,
    fs::{self, File},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A program that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// A user-mode emulator.
pub(super) struct Emulator {
    start: PathBuf,
    hash: String,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// `exit 0`, `signal 6` or that it took too long.
    pub(super) ended: String,
    /// The hash of what it wrote to standard output.
    pub(super) output: String,
    /// The last line it wrote, to either.
    pub(super) said: String,
    /// The command that does it again: options and program.
    pub(super) command: String,
}

impl Emulator {
    /// The emulator that `start` starts, whose code is in the file `program`.
    pub(super) fn new(start: PathBuf, program: &Path) -> Result<Emulator> {
        let bytes = fs::read(program).with_context(|| format!("no emulator {}", program.display()))?;
        Ok(Emulator { start, hash: sha256(&bytes) })
    }

    /// Runs `program` in an empty folder, with nothing on its standard input.
    pub(super) fn run(&self, program: &Path, options: &[String]) -> Result<Outcome> {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let folder = target().join("programs").join(format!("{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("work")).with_context(|| folder.display().to_string())?;
        let (output, errors) = (folder.join("output"), folder.join("errors"));
        let mut child = Command::new(&self.start)
            .args(options)
            .arg(program)
            .current_dir(folder.join("work"))
            // linux-test and others start themselves again by this.
            .env("QEMU", &self.start)
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(File::create(&errors)?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", self.start.display()))?;
        let status = wait(&mut child, LIMIT)?;
        let (output, errors) = (fs::read(&output)?, fs::read(&errors)?);
        fs::remove_dir_all(&folder)?;
        Ok(Outcome {
            ended: status.map_or_else(|| format!("more than {} s", LIMIT.as_secs()), ended),
            said: last_line(&errors).or_else(|| last_line(&output)).unwrap_or_default(),
            output: sha256(&output),
            command: format!("{} {}", options.join(" "), program.display()).trim_start().to_owned(),
        })
    }
}

impl Outcome {
    /// Whether this is what a good run does; `peer` is how it went on QEMU 11.
    pub(super) fn is_what(&self, expect: &Expect, peer: &Outcome) -> bool {
        let output = match expect {
            Expect::Success => true,
            Expect::Output(text) => self.output == sha256(text.as_bytes()),
            Expect::PeerOutput => self.output == peer.output,
        };
        self.ended == "exit 0" && output
    }

    /// The command line that does this run again on `emulator`.
    pub(super) fn again(&self, emulator: &Emulator) -> String {
        format!("{} {}", emulator.start.display(), self.command)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match (self.ended.as_str(), self.said.as_str()) {
            ("exit 0", _) => write!(to, "exit 0, output {}", self.output.get(..8).unwrap_or_default()),
            (ended, "") => write!(to, "{ended}"),
            (ended, said) => write!(to, "{ended}, saying {said:?}"),
        }
    }
}

/// A run of a program that the peer passed earlier.
pub(super) fn known(cache: &Cache, peer: &Emulator, built: &Built, options: &[String]) -> Option<Outcome> {
    let output = fs::read_to_string(verdict(cache, peer, built, options)).ok()?;
    Some(Outcome { ended: "exit 0".into(), output, ..Outcome::default() })
}

/// Keeps for later that the peer passed. What it fails is asked again each time: the host may have been slow.
pub(super) fn remember(
    cache: &Cache,
    peer: &Emulator,
    built: &Built,
    options: &[String],
    outcome: &Outcome,
) -> Result<()> {
    let path = verdict(cache, peer, built, options);
    fs::create_dir_all(path.parent().unwrap_or(cache.root()))?;
    let new = path.with_extension(std::process::id().to_string());
    fs::write(&new, &outcome.output).and_then(|()| fs::rename(&new, &path))?;
    Ok(())
}

fn verdict(cache: &Cache, peer: &Emulator, built: &Built, options: &[String]) -> PathBuf {
    let key = sha256(format!("{}\n{}\n{}", peer.hash, built.key, options.join("\n")).as_bytes());
    cache.root().join("programs/passed").join(key)
}

/// Waits for `child`, at most for `limit`; then ends whatever of its process group is still there.
pub(super) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if start.elapsed() > limit => break None,
            None => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let group = Pid::from_raw(i32::try_from(child.id())?);
    // Nobody may be left, which is what we want.
    let _ = killpg(group, Signal::SIGKILL);
    if status.is_none() {
        child.wait()?;
    }
    Ok(status)
}

pub(super) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

fn last_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.chars().take(100).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Emulator {
        Emulator::new("/bin/sh".into(), Path::new("/bin/sh")).unwrap()
    }

    fn run(script: &str) -> Outcome {
        let options = ["-c".into(), script.into()];
        shell().run(Path::new("ignored"), &options).unwrap()
    }

    #[test]
    fn a_run_s_end_and_output_are_seen() {
        let good = run("echo checksum");
        assert!(good.is_what(&Expect::Success, &good));
        assert!(good.is_what(&Expect::Output("checksum\n".into()), &good));
        assert!(!good.is_what(&Expect::Output("other\n".into()), &good));
        assert!(!good.is_what(&Expect::PeerOutput, &run("echo other")));
        let bad = run("echo no >&2; exit 3");
        assert_eq!(bad.to_string(), "exit 3, saying \"no\"");
        assert!(!bad.is_what(&Expect::Success, &bad));
        assert_eq!(run("kill -ABRT $$").ended, "signal 6");
    }

    #[test]
    fn what_takes_too_long_is_ended_with_its_children() {
        let mut child = Command::new("sh").args(["-c", "sleep 100 & wait"]).process_group(0).spawn().unwrap();
        let group = i32::try_from(child.id()).unwrap();
        assert_eq!(wait(&mut child, Duration::from_millis(50)).unwrap(), None);
        // Who takes in orphans may take its time.
        for _ in 0..1000 {
            if killpg(Pid::from_raw(group), None).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("a child of {group} is still there");
    }
}
