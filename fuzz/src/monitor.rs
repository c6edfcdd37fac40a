//! A person at the monitor who types anything, but for what would write files.

use crate::stage::{machine, reset};
use hartwright_device::{log, trace};
use hartwright_emu::Built;
use hartwright_machine::Outside;
use hartwright_monitor::{COMMANDS, Editor, INFO, Session};
use std::sync::OnceLock;

/// Commands that write to the host; they are not run.
pub(crate) const WRITE: &[&str] = &["memsave", "pmemsave"];
/// Commands that are run. One that is in neither list is not, and a test asks for it to be in one.
pub(crate) const RUN: &[&str] = &[
    "balloon",
    "chardev-send-break",
    "cont",
    "cpu",
    "help",
    "info",
    "log",
    // To where the stage writes, which is nowhere.
    "logfile",
    "print",
    "quit",
    "ringbuf_read",
    "ringbuf_write",
    "stop",
    "sum",
    "system_powerdown",
    "system_reset",
    "trace-event",
    "x",
    "xp",
];

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| machine("-M param -m 256K -smp 2 -nographic", &Outside::default()))
}

pub(crate) fn run(data: &[u8]) {
    let built = built();
    let mut session = Session::new(built.control.clone());
    let mut editor = Editor::default();
    let mut shown = editor.prompt();
    for byte in data.iter().chain(b"\r") {
        if let Some(line) = editor.key(*byte, &mut shown)
            && is_harmless(&line)
        {
            shown = session.run(&line);
        }
    }
    log::enable(0);
    trace::enable(vec![]);
    built.control.trace.set_mask(0);
    reset(built);
}

/// Whether a line of the monitor writes nothing to the host.
pub(crate) fn is_harmless(line: &str) -> bool {
    let line = line.trim_start();
    let name = line.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
    let row = COMMANDS.iter().find(|row| row.names.contains(&name));
    row.is_none_or(|row| RUN.contains(&row.names[0]))
}

/// The commands, and some of what they take.
pub(crate) fn words() -> Vec<String> {
    let names = COMMANDS.iter().chain(INFO).flat_map(|row| row.names.iter().copied());
    let more =
        ["\r", "info ", "$pc", "$a0", "/10i", "/4xw", "/2gx", "0x80000000", "0x10000000", "-a", "-f", "all"];
    names.filter(|name| !WRITE.contains(name)).chain(more).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_known_to_write_to_the_host_or_not() {
        for row in COMMANDS {
            let name = row.names[0];
            assert!(WRITE.contains(&name) != RUN.contains(&name), "{name}: put it into one of the two lists");
        }
        assert!(!is_harmless(" memsave 0 1 x") && !is_harmless("pmemsave/x") && is_harmless("x/1i 0"));
    }
}
