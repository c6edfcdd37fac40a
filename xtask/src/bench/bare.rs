//! Programs on a bare machine: the whole process, from its start to its end.

use super::{Emulator, Measured, Plan, center, time, workload::Way};
use crate::target;
use anyhow::{Result, ensure};

/// CPU seconds of each program of the plan on each of `emulators`: on `param`, or on QEMU's `virt`.
pub(super) fn measure(plan: &Plan, emulators: &[Emulator]) -> Result<Vec<Measured>> {
    let folder = target().join("bench/programs");
    let mut rows = Vec::new();
    for workload in plan.workloads().iter().filter(|workload| workload.runs(Way::Bare)) {
        let result = workload.result(false, &folder)?;
        let program = workload.build(Way::Bare, false, &folder)?;
        let mut seconds = vec![Vec::new(); emulators.len()];
        for _ in 0..plan.rounds {
            for (emulator, seconds) in emulators.iter().zip(&mut seconds) {
                let mut command = emulator.command(emulator.bare);
                let run = time(command.args(["-bios", "none", "-kernel"]).arg(&program))?;
                ensure!(run.said.contains(&result), "{} on {}: {}", workload.name, emulator.name, run.said);
                seconds.push(run.cpu);
            }
        }
        let seconds = seconds.into_iter().map(center).collect();
        rows.push(Measured { name: workload.name.to_owned(), set: workload.set, figures: seconds });
        eprint!("{} ", workload.name);
    }
    eprintln!();
    Ok(rows)
}
