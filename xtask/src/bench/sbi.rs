//! What `-bios builtin` gains: Debian's kernel to its first program, with it and with OpenSBI, in interleaved pairs.
//!
//! CPU and wall seconds have the host's noise in them. How many instructions the guest ran until it was off again has
//! not, on one hart: nothing waits for anything but the timer.

use super::{center, hartwright, running::Running};
use crate::cache::Cache;
use anyhow::{Context, Result, ensure};
use std::{
    ffi::{OsStr, OsString},
    process::Command,
    time::{Duration, Instant},
};

/// What is waited for on the console: the kernel's words before its first program, and that program's prompt.
const STEPS: [&str; 2] = ["Run /init as init process", "/ # "];

/// How long a guest may take to switch its power off, on a host that has much else to do.
const LONGEST: Duration = Duration::from_secs(900);

/// Prints a row for each number of harts and firmware, and the gain.
pub(super) fn run(rounds: usize) -> Result<()> {
    let cache = Cache::of_user()?;
    let opensbi = cache.file("opensbi-1.6", "fw_dynamic.bin")?;
    let firmwares = [OsString::from("builtin"), opensbi.into()];
    println!(
        "{:8} {:>5} {:>13} {:>13} {:>14} {:>14} {:>18}",
        "firmware",
        "harts",
        "CPU to init",
        "wall to init",
        "CPU to prompt",
        "wall to prompt",
        "guest instructions"
    );
    for harts in [1, 2] {
        let mut runs = [Vec::new(), Vec::new()];
        let mut counts = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (which, firmware) in firmwares.iter().enumerate() {
                runs[which].push(boot(&cache, firmware, harts)?);
                counts[which].push(count(&cache, firmware, harts, &[])? as f64);
            }
        }
        let mut rows = [[0.0; 5]; 2];
        for (which, name) in ["builtin", "OpenSBI"].into_iter().enumerate() {
            let column = |step: usize, part: usize| {
                center(runs[which].iter().map(|run: &[[f64; 2]; 2]| run[step][part]).collect())
            };
            let row = [column(0, 0), column(0, 1), column(1, 0), column(1, 1), center(counts[which].clone())];
            let [cpu, wall, cpu_prompt, wall_prompt, instructions] = row;
            println!(
                "{name:8} {harts:5} {cpu:11.3} s {wall:11.3} s {cpu_prompt:12.3} s {wall_prompt:12.3} s {:16.2} M",
                instructions / 1e6
            );
            rows[which] = row;
        }
        let gain: Vec<String> = (0..5)
            .map(|column| format!("{:+.1} %", 100.0 * (rows[0][column] / rows[1][column] - 1.0)))
            .collect();
        println!(
            "{:8} {:>5} {:>13} {:>13} {:>14} {:>14} {:>18}",
            "", "", gain[0], gain[1], gain[2], gain[3], gain[4]
        );
    }
    println!(
        "medians of {rounds} interleaved rounds; OpenSBI is 1.6; instructions are those of all harts until the power is off"
    );
    Ok(())
}

fn command(cache: &Cache, firmware: &OsStr, harts: u32) -> Result<Command> {
    let mut command = Command::new(hartwright());
    command.args(["-machine", "param", "-m", "512M", "-smp", &harts.to_string(), "-bios"]).arg(firmware);
    command.arg("-kernel").arg(cache.file("linux", "vmlinux")?);
    command.arg("-initrd").arg(cache.file("busybox", "initrd.gz")?);
    Ok(command)
}

/// CPU and wall seconds at each of [`STEPS`].
fn boot(cache: &Cache, firmware: &OsStr, harts: u32) -> Result<[[f64; 2]; 2]> {
    let mut command = command(cache, firmware, harts)?;
    command.arg("-nographic");
    let began = Instant::now();
    let mut running = Running::start(command)?;
    let mut steps = [[0.0; 2]; 2];
    for (step, text) in STEPS.into_iter().enumerate() {
        running.until(text)?;
        steps[step] = [running.cpu()?, began.elapsed().as_secs_f64()];
    }
    Ok(steps)
}

/// How many instructions all harts ran until the first program had the power switched off; `more` are options besides.
pub(super) fn count(cache: &Cache, firmware: &OsStr, harts: u32, more: &[&str]) -> Result<u64> {
    let mut command = command(cache, firmware, harts)?;
    command.args(more);
    command.args(["-display", "none", "-serial", "null", "-monitor", "stdio", "-no-shutdown"]);
    command.args(["-append", "rdinit=/bin/busybox -- poweroff -f"]);
    let mut running = Running::start(command)?;
    running.until("(qemu) ")?;
    let began = Instant::now();
    while !running.ask("info status")?.contains("paused (shutdown)") {
        ensure!(began.elapsed() < LONGEST, "the guest is not off after {} s", LONGEST.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut all = 0;
    for hart in 0..harts {
        running.ask(&format!("cpu {hart}"))?;
        let answer = running.ask("p/d $minstret")?;
        let number = answer.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        all += number.with_context(|| format!("minstret is no number: {answer:?}"))?;
    }
    Ok(all)
}
