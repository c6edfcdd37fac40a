//! Who we are is how we were called.

use hartwright_isa::cpu::Target;
use std::path::Path;

/// The version that QEMU's face claims: tools parse it to know what they may ask for.
const QEMU_VERSION: &str = "11.1.3";

/// Whose manners the program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Our own.
    Own,
    /// A `qemu-*` name.
    Qemu,
}

/// The program's name and face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The base name of `argv[0]`; begins every message.
    pub name: String,
    /// Whose manners it has.
    pub face: Face,
}

impl Program {
    /// From `argv[0]`, which a caller may have left out.
    pub fn new(argv0: Option<&str>) -> Self {
        let name = argv0
            .and_then(|path| Path::new(path).file_name())
            .map_or_else(|| "hartwright".into(), |name| name.to_string_lossy().into_owned());
        let face = if name.starts_with("qemu-") { Face::Qemu } else { Face::Own };
        Program { name, face }
    }

    /// Which CPU models it knows: those of 32 bits alone if it is called so.
    pub fn target(&self) -> Target {
        if self.name.contains("riscv32") { Target::Riscv32 } else { Target::Riscv64 }
    }

    /// What `-version` says.
    pub fn version(&self) -> String {
        let own = concat!("hartwright ", env!("CARGO_PKG_VERSION"));
        match self.face {
            Face::Own => format!("{own}\n"),
            Face::Qemu => format!("QEMU emulator version {QEMU_VERSION} ({own})\n"),
        }
    }

    /// The first line of a monitor.
    pub fn monitor_banner(&self) -> String {
        let who = match self.face {
            Face::Own => concat!("hartwright ", env!("CARGO_PKG_VERSION")).to_owned(),
            Face::Qemu => format!("QEMU {QEMU_VERSION}"),
        };
        format!("{who} monitor - type 'help' for more information")
    }

    /// Who says that it terminated, after the mux's key for it.
    pub fn actor(&self) -> &'static str {
        match self.face {
            Face::Own => "hartwright",
            Face::Qemu => "QEMU",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_changes_the_face() {
        let own = "hartwright 0.1.0\n";
        let qemu = "QEMU emulator version 11.1.3 (hartwright 0.1.0)\n";
        for (argv0, name, version) in [
            (Some("/usr/bin/qemu-system-riscv64"), "qemu-system-riscv64", qemu),
            (Some("./hartwright-system-riscv64"), "hartwright-system-riscv64", own),
            (Some("hartwright"), "hartwright", own),
            (None, "hartwright", own),
        ] {
            let program = Program::new(argv0);
            assert_eq!((&*program.name, &*program.version()), (name, version));
        }
    }
}
