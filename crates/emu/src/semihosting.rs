//! Semihosting as the command line asks for it: what a program is told, and where its console is.

use std::{ops::Range, sync::Arc};

use hartwright_machine::{BootOptions, Frame, Outside as Ends, Plan};
use hartwright_semihosting::{Debugger, Semihosting, Setup};

use crate::config::Semihosted;

pub use hartwright_semihosting::Target as SemihostingTarget;

/// `-semihosting` and `-semihosting-config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SemihostingOption {
    /// `enable=`.
    pub enabled: bool,
    /// `userspace=`.
    pub userspace: bool,
    /// `target=`.
    pub target: SemihostingTarget,
    /// `chardev=`.
    pub chardev: Option<String>,
    /// `arg=`, in order.
    pub arguments: Vec<String>,
}

impl SemihostingOption {
    /// What a program is told of its command line: `arg=`, or else the kernel and its own.
    pub(crate) fn command_line(&self, boot: &BootOptions) -> String {
        if !self.arguments.is_empty() {
            return self.arguments.join(" ");
        }
        let words = boot.append.iter().flat_map(|line| line.split(' ')).filter(|word| !word.is_empty());
        boot.kernel.as_deref().into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// The port of the console among the machine's ends. No id of a chardev has a space.
pub(crate) const CONSOLE: &str = "semihosting console";

/// What answers the calls of the machine's programs.
pub(crate) fn semihosting(
    asked: &Semihosted,
    frame: &Frame,
    plan: &Plan,
    ends: &Ends,
    debugger: &Arc<Debugger>,
) -> Arc<Semihosting> {
    let console = asked.option.chardev.as_ref().and_then(|_| ends.ports.get(CONSOLE)).cloned();
    Semihosting::new(Setup {
        harts: *frame.spec.cpu.harts as usize,
        userspace: asked.option.userspace,
        target: asked.option.target,
        console,
        command_line: asked.command_line.clone().into_bytes(),
        heap: heap(frame, plan),
        clock: frame.clock.clone(),
        power: ends.power.clone(),
        debugger: debugger.clone(),
    })
}

/// The largest part of the machine's RAM that nothing was loaded into.
fn heap(frame: &Frame, plan: &Plan) -> Range<u64> {
    let Some(ram) = frame.spec.main_ram() else { return 0..0 };
    let (base, end) = (*ram.base, *ram.base + *ram.size);
    let segments = plan.layout.parts().iter().flat_map(|part| &part.image.segments);
    let mut loaded: Vec<Range<u64>> = segments.map(|segment| segment.address..segment.end()).collect();
    loaded.push(end..end);
    loaded.sort_unstable_by_key(|range| range.start);
    let (mut largest, mut at) = (base..base, base);
    for range in loaded.iter().filter(|range| range.end > base && range.start <= end) {
        if range.start.saturating_sub(at) > largest.end - largest.start {
            largest = at..range.start;
        }
        at = at.max(range.end);
    }
    largest
}
