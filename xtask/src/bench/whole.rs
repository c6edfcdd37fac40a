//! Whole machines: a firmware that only ends, and Linux to its first program and off; time and memory.

use super::{Emulator, Measured, Plan, boot, center, time, workload::Set};
use crate::{debian, target, workspace};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const PACKAGES: &[(&str, &str)] = &[("time", "/usr/bin/time")];

/// A start is over so soon that many fit into a round.
const STARTS: usize = 10;

/// Rows with their units in their names.
pub(super) fn measure(plan: &Plan, emulators: &[Emulator]) -> Result<Vec<Measured>> {
    debian::install_missing(PACKAGES)?;
    let folder = target().join("bench");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let firmware = firmware(&folder)?;
    let mut rows = start(plan, emulators, &firmware, &folder)?;
    for harts in [1, 2] {
        rows.extend(power(plan, emulators, harts, &folder)?);
    }
    Ok(rows)
}

fn start(plan: &Plan, emulators: &[Emulator], firmware: &Path, folder: &Path) -> Result<Vec<Measured>> {
    let command = |emulator: &Emulator| {
        let mut command = emulator.command(emulator.bare);
        command.args(["-bios", "none", "-kernel"]).arg(firmware);
        command
    };
    let (mut walls, mut memory) = (vec![Vec::new(); emulators.len()], Vec::new());
    for _ in 0..plan.rounds * STARTS {
        for (emulator, walls) in emulators.iter().zip(&mut walls) {
            walls.push(1000.0 * time(&mut command(emulator))?.wall);
        }
    }
    for emulator in emulators {
        memory.push(with_memory(&command(emulator), folder)?.1);
    }
    let walls = walls.into_iter().map(center).collect();
    Ok([row("start to exit, wall ms", walls), row("start to exit, peak RSS MB", memory)].into())
}

/// Linux to its first program, then off.
fn power(plan: &Plan, emulators: &[Emulator], harts: u32, folder: &Path) -> Result<[Measured; 2]> {
    let mut figures = vec![(Vec::new(), Vec::new()); emulators.len()];
    for _ in 0..plan.rounds {
        for (emulator, (seconds, memory)) in emulators.iter().zip(&mut figures) {
            let mut command = emulator.command("virt");
            command.args(["-smp", &harts.to_string()]).args(boot(folder)?);
            let (cpu, peak) = with_memory(&command, folder)?;
            seconds.push(cpu);
            memory.push(peak);
        }
    }
    let (seconds, memory): (Vec<_>, Vec<_>) =
        figures.into_iter().map(|(seconds, memory)| (center(seconds), center(memory))).unzip();
    let plural = if harts == 1 { "" } else { "s" };
    Ok([
        row(&format!("Linux, {harts} hart{plural}, CPU s"), seconds),
        row(&format!("Linux, {harts} hart{plural}, peak RSS MB"), memory),
    ])
}

fn row(name: &str, figures: Vec<f64>) -> Measured {
    Measured { name: name.into(), set: Set::Whole, figures }
}

/// CPU seconds and the peak of resident memory in MB. The kernel tells no parent what its child alone needed at most
/// but through `wait4`, which is what `time` calls.
fn with_memory(command: &Command, folder: &Path) -> Result<(f64, f64)> {
    let told = folder.join("time");
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["--format=%M", "--output"]).arg(&told).arg(command.get_program()).args(command.get_args());
    let run = time(&mut timed)?;
    let text = fs::read_to_string(&told)?;
    let kilobytes: f64 = text.trim().parse().with_context(|| format!("time said {text:?}"))?;
    Ok((run.cpu, kilobytes * 1024.0 / 1e6))
}

/// A few instructions that tell the finisher to end the machine.
fn firmware(folder: &Path) -> Result<PathBuf> {
    let (source, firmware) = (folder.join("finish.S"), folder.join("finish.elf"));
    fs::write(
        &source,
        "\t.globl _start\n_start:\tli t0, 0x100000\n\tli t1, 0x5555\n\tsw t1, 0(t0)\n1:\tj 1b\n",
    )?;
    let mut build = Command::new("riscv64-linux-gnu-gcc");
    build.args(["-nostdlib", "-static", "-Wl,--build-id=none", "-T"]);
    build.arg(workspace().join("guest/programs/programs.ld")).arg("-o");
    let ended = build.arg(&firmware).arg(&source).output().context("cannot start riscv64-linux-gnu-gcc")?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Ok(firmware)
}
