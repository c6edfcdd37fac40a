//! Programs under Linux: Debian's kernel on one hart of `virt`, the same on every emulator, each program by turns.
//!
//! All emulators are up at once. The one that is asked works, the others sleep; the CPU seconds of the one while its
//! guest ran the program are the program's.

use super::{Emulator, Measured, Plan, center, running::Running, workload::Way};
use crate::{cache::Cache, initramfs, target};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path, process::Command};

/// CPU seconds of each program of the plan on each of `emulators`.
pub(super) fn measure(plan: &Plan, emulators: &[Emulator]) -> Result<Vec<Measured>> {
    let workloads = plan.workloads();
    let folder = target().join("bench/programs");
    let mut programs = Vec::new();
    let mut results = Vec::new();
    for workload in &workloads {
        results.push(workload.result(false, &folder)?);
        programs.push((workload.name.to_owned(), fs::read(workload.build(Way::Linux, false, &folder)?)?));
    }
    let cache = Cache::of_user()?;
    let busybox = fs::read(cache.file("busybox", "busybox")?)?;
    let initrd = folder.join("initrd.gz");
    fs::write(&initrd, initramfs::for_programs(&busybox, &programs)?)?;

    let mut seconds = vec![vec![Vec::new(); emulators.len()]; workloads.len()];
    for _ in 0..plan.rounds {
        let mut guests = Vec::new();
        for emulator in emulators {
            let mut guest = Running::start(command(&cache, emulator, &initrd)?)?;
            guest.until(initramfs::MARKER).with_context(|| emulator.name)?;
            guests.push(guest);
        }
        for ((workload, result), seconds) in workloads.iter().zip(&results).zip(&mut seconds) {
            for ((guest, emulator), seconds) in guests.iter_mut().zip(emulators).zip(seconds) {
                let before = guest.cpu()?;
                guest.say(&format!("/bench/{}", workload.name))?;
                let said = guest.until(initramfs::ENDED)?;
                seconds.push(guest.cpu()? - before);
                ensure!(
                    said.contains(result.as_str()),
                    "{} on {}: no {result} in {said}",
                    workload.name,
                    emulator.name
                );
            }
            eprint!("{} ", workload.name);
        }
        eprintln!();
    }
    let rows = workloads.iter().zip(seconds).map(|(workload, seconds)| Measured {
        name: workload.name.to_owned(),
        set: workload.set,
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
