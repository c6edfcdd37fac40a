//! Debian's own programs under Linux: what a person waits for.

use super::{
    Emulator, Measured, Plan,
    under_linux::{Line, session},
    workload::Set,
};
use crate::{
    cache::Cache,
    debian::{self, Archive},
    initramfs::{Entry, Kind},
    workspace,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Packages that hold the programs, and what they need to run.
const PACKAGES: [&str; 3] = ["cpp-14-riscv64-linux-gnu", "lua5.4", "python3-minimal"];

/// What of a package is taken, and what below it is not: character sets that nobody asks for.
const KEPT: [&str; 3] = ["usr/bin", "usr/lib", "usr/libexec"];
const LEFT_OUT: &str = "gconv";

/// Sources of ours that the compiler proper compiles.
const COMPILED: [&str; 3] = ["aes", "lz", "records"];

/// A name, and the line for a shell; the last thing that it says is its result.
const LINES: [(&str, &str); 4] = [
    (
        "sh, 2,000 forks",
        "i=0; while [ $i -lt 2000 ]; do (exit 3); i=$((i + $?)); i=$((i - 2)); done; echo result $i",
    ),
    (
        "Python, 3 starts",
        "for i in 1 2 3; do python3 -c 'import os; print(\"result\", sum(range(1000)))'; done",
    ),
    (
        "cc1 -O2",
        "(set -e; for i in /bench/*.i; do /usr/libexec/gcc/riscv64-linux-gnu/14/cc1 -quiet -fpreprocessed -O2 \
         -march=rv64gc -mabi=lp64d $i -o $i.s; done; cat /bench/*.s | md5sum)",
    ),
    ("Lua", "lua5.4 /bench/script.lua"),
];

/// CPU seconds of each line on each of `emulators`.
pub(super) fn measure(plan: &Plan, emulators: &[Emulator]) -> Result<Vec<Measured>> {
    let root = unpacked(&Cache::of_user()?)?;
    let mut entries = vec![Entry::new("lib", Kind::Link, b"usr/lib")];
    for folder in KEPT {
        take(&root, Path::new(folder), &mut entries)?;
    }
    let programs = workspace().join("guest/bench/programs");
    entries.push(Entry::new("bench/script.lua", Kind::Text, &fs::read(programs.join("script.lua"))?));
    for name in COMPILED {
        entries.push(Entry::new(&format!("bench/{name}.i"), Kind::Text, &preprocessed(&programs, name)?));
    }
    let lines: Vec<_> = LINES
        .iter()
        .map(|(name, line)| Line { name: (*name).into(), set: Set::Person, line: (*line).into(), says: None })
        .collect();
    session(plan, emulators, &entries, &lines)
}

/// A source of ours as the compiler proper takes it.
fn preprocessed(programs: &Path, name: &str) -> Result<Vec<u8>> {
    let mut gcc = Command::new("riscv64-linux-gnu-gcc");
    gcc.args(["-E", "-P", "-ffreestanding", "-I.", "-I../../programs"]).arg(format!("{name}.c"));
    let ended = gcc.current_dir(programs).output().context("cannot start riscv64-linux-gnu-gcc")?;
    ensure!(ended.status.success(), "{name}.c: {}", String::from_utf8_lossy(&ended.stderr));
    Ok(ended.stdout)
}

/// The packages' files, unpacked in the cache.
fn unpacked(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.guest("bench-debian");
    if folder.is_dir() {
        return Ok(folder);
    }
    let archive = Archive::open(cache, "trixie", "riscv64")?;
    let scratch = cache.scratch("bench-debian")?;
    for deb in archive.download_closure(&PACKAGES)? {
        debian::unpack(&deb, &["*"], &scratch).with_context(|| deb.display().to_string())?;
    }
    archive.clean()?;
    fs::rename(&scratch, &folder)?;
    Ok(folder)
}

/// Adds what is in `folder` below `root`, and that folder.
fn take(root: &Path, folder: &Path, entries: &mut Vec<Entry>) -> Result<()> {
    entries.push(Entry::new(&folder.display().to_string(), Kind::Folder, b""));
    let mut paths: Vec<_> =
        fs::read_dir(root.join(folder))?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
    paths.sort();
    for name in paths.into_iter().filter(|name| name != LEFT_OUT) {
        let (path, file) = (folder.join(&name), root.join(folder).join(&name));
        let metadata = file.symlink_metadata()?;
        let place = path.display().to_string();
        if metadata.is_dir() {
            take(root, &path, entries)?;
        } else if metadata.is_symlink() {
            let to = fs::read_link(&file)?;
            entries.push(Entry::new(&place, Kind::Link, to.display().to_string().as_bytes()));
        } else {
            let kind = if metadata.permissions().mode() & 0o111 != 0 { Kind::Program } else { Kind::Text };
            entries.push(Entry::new(&place, kind, &fs::read(&file)?));
        }
    }
    Ok(())
}
