//! Programs made at random by csmith: what they compute here natively, they must compute emulated.

use super::{Expect, Program, Programs, in_parallel};
use crate::cache::Cache;
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A hundred programs, or a thousand: the first seeds from 1 whose programs end.
pub(super) fn programs(cache: &Cache, full: bool) -> Result<Programs> {
    let wanted = if full { 1000 } else { 100 };
    let version = first_line(&output(Command::new("csmith").arg("--version"))?);
    let compiler = first_line(&output(Command::new("cc").arg("--version"))?);
    let key = crate::cache::sha256(format!("{version}\n{compiler}\n{OPTIONS:?}\n{FLAGS:?}").as_bytes());
    let folder = cache.root().join("programs/csmith").join(&key[..16]);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let (mut programs, mut skipped, mut next) = (Vec::new(), BTreeMap::new(), 1);
    while programs.len() < wanted {
        ensure!(next < 10 * wanted, "hardly any of {next} programs of {version} ends: {skipped:?}");
        let seeds: Vec<usize> = (next..next + wanted - programs.len()).collect();
        next += seeds.len();
        for (seed, made) in seeds.iter().zip(in_parallel(&seeds, |seed| make(&folder, *seed))) {
            match made? {
                Ok(made) => programs.push(made),
                Err(why) => skipped.entry(why).or_insert_with(Vec::new).push(seed.to_string()),
            }
        }
    }
    let left_out = skipped.iter().map(|(why, seeds)| format!("seeds {}: {why}", seeds.join(" "))).collect();
    Ok(Programs { programs, left_out })
}

/// Packed structures bring misaligned accesses that are undefined in C.
const OPTIONS: [&str; 1] = ["--no-packed-struct"];

/// What makes of csmith's programs the same on both: they cast pointers, and count on wrapping.
const FLAGS: [&str; 4] = ["-fno-strict-aliasing", "-fwrapv", "-w", "-I/usr/include/csmith"];

/// How programs are built for the guest: every other with all that this compiler knows of bit manipulation.
const GUEST: [&[&str]; 2] = [&["-O2"], &["-O3", "-march=rv64gc_zba_zbb_zbc_zbs"]];

/// Seconds of processor time within which a program must end natively. They end in a thousandth of it, or never.
const NATIVE_LIMIT: u32 = 1;

/// Makes the program `seed` and asks this host for its answer, or finds both in `folder`.
fn make(folder: &Path, seed: usize) -> Result<std::result::Result<Program, String>> {
    let source = folder.join(format!("{seed}.c"));
    let answer = folder.join(format!("{seed}.answer"));
    if !answer.exists() {
        let text = output(Command::new("csmith").args(["--seed", &seed.to_string()]).args(OPTIONS))?;
        fs::write(&source, text)?;
        let answered = native(&source, &folder.join(format!("{seed}.native")))?;
        let new = folder.join(format!(".{seed}.{}", std::process::id()));
        fs::write(&new, answered).and_then(|()| fs::rename(&new, &answer))?;
    }
    let answer = fs::read_to_string(&answer)?;
    if !answer.starts_with("checksum = ") {
        return Ok(Err(answer));
    }
    let flags = GUEST[seed % GUEST.len()].iter().chain(&FLAGS);
    Ok(Ok(Program {
        name: format!("seed {seed}"),
        sources: vec![source],
        flags: flags.map(|flag| (*flag).to_owned()).collect(),
        options: Vec::new(),
        expect: Expect::Output(answer),
    }))
}

/// What `source` writes on this host, or why it is no good.
fn native(source: &Path, program: &Path) -> Result<String> {
    let mut compiler = Command::new("cc");
    compiler.arg("-O1").args(FLAGS).arg("-o").arg(program).arg(source);
    output(&mut compiler)?;
    let limited = format!("ulimit -t {NATIVE_LIMIT}; exec \"$0\"");
    let ran = Command::new("sh").args(["-c", &limited]).arg(program).stdin(Stdio::null()).output()?;
    fs::remove_file(program)?;
    Ok(match ran.status.success() {
        true => String::from_utf8_lossy(&ran.stdout).into_owned(),
        false => format!("no end natively in {NATIVE_LIMIT} s of processor time ({})", ran.status),
    })
}

fn output(command: &mut Command) -> Result<String> {
    let name = PathBuf::from(command.get_program());
    let ran = command.stdin(Stdio::null()).output();
    let ran = ran.with_context(|| format!("cannot start {}", name.display()))?;
    if !ran.status.success() {
        bail!("{} failed ({}): {}", name.display(), ran.status, String::from_utf8_lossy(&ran.stderr));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_known_is_not_asked_for_again() {
        let folder = std::env::temp_dir().join(format!("hartwright-csmith-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("3.answer"), "checksum = 1234\n").unwrap();
        fs::write(folder.join("4.answer"), "no end").unwrap();
        let program = make(&folder, 3).unwrap().unwrap();
        assert!(matches!(&program.expect, Expect::Output(text) if text == "checksum = 1234\n"));
        assert!(program.flags.iter().any(|flag| flag.contains("zba")), "odd seeds have bit manipulation");
        assert_eq!(make(&folder, 4).unwrap().unwrap_err(), "no end");
        fs::remove_dir_all(&folder).unwrap();
    }
}
