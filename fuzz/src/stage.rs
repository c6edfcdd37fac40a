//! What the targets play on: the registry, and machines that are made once and reset for each input.

use hartwright_device::{log, trace};
use hartwright_emu::{Built, Outcome, Program, assemble, parse, resolve};
use hartwright_exec::Trace;
use hartwright_machine::Outside as Ends;
use hartwright_monitor::Outside;
use hartwright_objects::Registry;
use std::sync::OnceLock;

/// All types that are linked in.
pub(crate) fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::linked().unwrap_or_else(|why| panic!("the types are linked in: {why}")))
}

/// A program around a machine that does nothing.
struct Nobody;

impl Outside for Nobody {
    fn reset(&self) {}
    fn quit(&self) {}
    fn power_down(&self) -> Result<(), String> {
        Ok(())
    }
    fn chardevs(&self) -> Vec<(String, String)> {
        vec![("serial0".into(), "null".into())]
    }
    fn disks(&self) -> String {
        String::new()
    }
}

/// The machine of a command line without firmware, at rest; what it says goes nowhere.
pub(crate) fn machine(line: &str, ends: &Ends) -> Built {
    log::say_to(|_| ());
    trace::say_to(|_| ());
    let program = Program::new(None);
    let words = line.split(' ').chain(["-bios", "none", "-seed", "1"]);
    let config = parse(&program, words.map(Into::into)).and_then(|asked| resolve(&program, asked));
    let built = config
        .and_then(|config| Built::new(&config, assemble(&config)?, ends, Trace::default(), Box::new(Nobody)));
    built.unwrap_or_else(|outcome| match outcome {
        Outcome::Fail(failure) => panic!("the machine of the stage: {}", failure.text(&program)),
        Outcome::Print { text, .. } => panic!("the stage asks for a machine, not for text: {text}"),
    })
}

/// Puts `built` where it was before it ran, its RAM zeroed.
pub(crate) fn reset(built: &Built) {
    built.control.stop();
    let spec = &built.machine.spec;
    for memory in spec.memories.iter().filter(|memory| memory.writable) {
        let zeros = vec![0; *memory.size as usize];
        let zeroed = built.machine.space.write_bytes(*memory.base, &zeros);
        zeroed.unwrap_or_else(|why| panic!("RAM can be written: {why:?}"));
    }
    built.reset();
}
