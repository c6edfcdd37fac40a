//! CoreMark at eight places within two pages: what an emulator makes of where code happens to lie.

use super::{Emulator, Measured, Plan, center, coremark, time, workload::Set};
use crate::target;
use anyhow::Result;

/// Places are to differ by what the emulator makes of them. What others do on the host meanwhile only adds, and more
/// than that, so the least of so many runs is taken.
const LEAST_ROUNDS: usize = 25;

const OFFSETS: [u32; 8] = [0, 1024, 2048, 3072, 4096, 5120, 6144, 7168];

/// CPU seconds at each place, of the fastest run. Each round begins at another one, lest the host's slow moments meet the same.
pub(super) fn measure(plan: &Plan, emulators: &[Emulator]) -> Result<Vec<Measured>> {
    let images = OFFSETS.map(|offset| coremark::build(&target().join("bench"), offset));
    let images = images.into_iter().collect::<Result<Vec<_>>>()?;
    let mut seconds = vec![vec![Vec::new(); emulators.len()]; OFFSETS.len()];
    for round in 0..plan.rounds.max(LEAST_ROUNDS) {
        for place in (0..images.len()).map(|i| (i + round) % images.len()) {
            let (image, seconds) = (&images[place], &mut seconds[place]);
            for (emulator, seconds) in emulators.iter().zip(seconds) {
                let mut command = emulator.command(emulator.bare);
                seconds.push(time(command.args(["-bios", "none", "-kernel"]).arg(image))?.cpu);
            }
        }
    }
    let rows = OFFSETS.iter().zip(seconds).map(|(offset, seconds)| Measured {
        name: format!("coremark + {offset}"),
        set: Set::Layout,
        figures: seconds.into_iter().map(least).collect(),
    });
    Ok(rows.collect())
}

fn least(seconds: Vec<f64>) -> f64 {
    seconds.into_iter().fold(f64::INFINITY, f64::min)
}

/// CoreMark wherever it may lie: the median of the places.
pub(super) fn median(places: &[Measured]) -> Measured {
    let columns = places.first().map_or(0, |place| place.figures.len());
    let column = |at| center(places.iter().map(|place: &Measured| place.figures[at]).collect());
    Measured { name: "coremark".into(), set: Set::Integer, figures: (0..columns).map(column).collect() }
}
