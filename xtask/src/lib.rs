//! The project's own chores: fetching guests, running every test, installing, measuring.
#![forbid(unsafe_code)]

pub mod battery;
pub mod bench;
pub mod cache;
pub mod debian;
pub mod disk;
pub mod examples;
pub mod fuzz;
pub mod guests;
pub mod initramfs;
pub mod install;
pub mod kallsyms;
pub mod litmus;
pub mod manifest;
pub mod mutants;
pub mod peers;
pub mod programs;
pub mod suites;
pub mod trixie;

use std::path::{Path, PathBuf};

/// The root of the workspace that this program was built from.
pub fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where cargo puts what it builds: `$CARGO_TARGET_DIR`, else `target` in the workspace.
pub fn target() -> PathBuf {
    let folder: PathBuf = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace().join(folder)
}

/// The cargo that runs us, so that nested builds use the same toolchain.
pub fn cargo() -> std::process::Command {
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}
