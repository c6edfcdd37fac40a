//! Programs under Linux: Debian's kernel on one hart of `virt`, the same on every emulator, each program by turns.
//!
//! All emulators are up at once. The one that is asked works, the others sleep; the CPU seconds of the one while its
//! guest ran the program are the program's.

use super::{
    Emulator, Measured, Plan, center,
    running::Running,
    workload::{Set, Way},
};
use crate::{
    cache::Cache,
    initramfs::{self, Entry, Kind},
    target,
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path, process::Command};

/// What a guest's shell is asked to do.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) set: Set,
    pub(super) line: String,
    /// The last thing that it must say; else whatever all emulators agree about.
    pub(super) says: Option<String>,
}

/// CPU seconds of each program of the plan on each of `emulators`.
pub(super) fn measure(plan: &Plan, emulators: &[Emulator]) -> Result<Vec<Measured>> {
    let folder = target().join("bench/programs");
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    for workload in plan.workloads() {
        let (name, path) = (workload.name.to_owned(), format!("bench/{}", workload.name));
        let program = fs::read(workload.build(Way::Linux, false, &folder)?)?;
        entries.push(Entry::new(&path, Kind::Program, &program));
        let says = Some(workload.result(false, &folder)?);
        lines.push(Line { name, set: workload.set, line: format!("/{path}"), says });
    }
    session(plan, emulators, &entries, &lines)
}

/// CPU seconds of each of `lines` on each of `emulators`, in guests that hold `entries`.
pub(super) fn session(
    plan: &Plan,
    emulators: &[Emulator],
    entries: &[Entry],
    lines: &[Line],
) -> Result<Vec<Measured>> {
    let cache = Cache::of_user()?;
    let busybox = fs::read(cache.file("busybox", "busybox")?)?;
    let initrd = target().join("bench/initrd.gz");
    fs::create_dir_all(target().join("bench"))?;
    fs::write(&initrd, initramfs::for_programs(&busybox, entries)?)?;

    let mut seconds = vec![vec![Vec::new(); emulators.len()]; lines.len()];
    for _ in 0..plan.rounds {
        let mut guests = Vec::new();
        for emulator in emulators {
            let mut guest = Running::start(command(&cache, emulator, &initrd)?)?;
            guest.until(initramfs::MARKER).with_context(|| emulator.name)?;
            guests.push(guest);
        }
        for (Line { name, line, says, .. }, seconds) in lines.iter().zip(&mut seconds) {
            let mut says = says.clone();
            for ((guest, emulator), seconds) in guests.iter_mut().zip(emulators).zip(seconds) {
                let before = guest.cpu()?;
                guest.say(line)?;
                let said = guest.until(initramfs::ENDED)?;
                seconds.push(guest.cpu()? - before);
                let status = guest.until("\n")?;
                let last = said.trim_end().lines().last().unwrap_or_default();
                let right = says.get_or_insert_with(|| last.to_owned());
                ensure!(
                    status.trim() == "0" && last == right,
                    "{name} on {} ended with{status}, without {right:?}: {said}",
                    emulator.name
                );
            }
            eprint!("{name}; ");
        }
        eprintln!();
    }
    let rows = lines.iter().zip(seconds).map(|(line, seconds)| Measured {
        name: line.name.clone(),
        set: line.set,
        figures: seconds.into_iter().map(center).collect(),
    });
    Ok(rows.collect())
}

fn command(cache: &Cache, emulator: &Emulator, initrd: &Path) -> Result<Command> {
    let mut command = emulator.command("virt");
    command.args(["-smp", "1", "-m", "512M", "-append", "quiet"]);
    command.arg("-bios").arg(cache.file("opensbi-1.6", "fw_dynamic.bin")?);
    command.arg("-kernel").arg(cache.file("linux", "vmlinux")?);
    command.arg("-initrd").arg(initrd);
    Ok(command)
}
