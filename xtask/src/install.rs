//! `cargo xtask install`: the program, the names it answers to, its pages and completions, under a prefix.

use crate::{cargo, target, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds the release and installs it below `prefix`.
pub fn install(prefix: &Path) -> Result<()> {
    // One by one, as the suite `build` does: together they might share features, and be built twice.
    for package in [PROGRAM, "hartwright-user"] {
        let built = cargo().args(["build", "--release", "--package", package]).status();
        ensure!(built.context("cannot start cargo")?.success(), "{package} does not build");
    }
    let release = target().join("release");
    let program = release.join(PROGRAM);

    // Everything is made before anything is installed, so that a failure leaves nothing behind.
    let mut texts = Vec::new();
    for (what, file, twin) in GENERATED {
        texts.push((generate(&program, what)?, file, twin));
    }
    place(prefix, "bin/hartwright", |to| fs::copy(&program, to).map(drop))?;
    for name in NAMES {
        place(prefix, &format!("bin/{name}"), |to| symlink(PROGRAM, to))?;
    }
    place(prefix, &format!("bin/{USER}"), |to| fs::copy(release.join(USER), to).map(drop))?;
    place(prefix, "bin/qemu-riscv64", |to| symlink(USER, to))?;
    for (text, file, twin) in texts {
        place(prefix, file, |to| fs::write(to, &text))?;
        let own = file.rsplit('/').next().unwrap_or(file);
        for name in NAMES.iter().filter(|_| !twin.is_empty()) {
            place(prefix, &twin.replace("{}", name), |to| symlink(own, to))?;
        }
    }
    for document in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "CHANGELOG.md"] {
        let from = workspace().join(document);
        if from.exists() {
            place(prefix, &format!("share/doc/hartwright/{document}"), |to| fs::copy(&from, to).map(drop))?;
        }
    }
    Ok(())
}

/// What `hartwright --generate WHAT` makes, where it goes, and the same for the other names (`{}`).
#[rustfmt::skip]
const GENERATED: [(&str, &str, &str); 4] = [
    ("man",  "share/man/man1/hartwright.1",                     "share/man/man1/{}.1"),
    ("bash", "share/bash-completion/completions/hartwright",    "share/bash-completion/completions/{}"),
    ("zsh",  "share/zsh/site-functions/_hartwright",            ""),
    ("fish", "share/fish/vendor_completions.d/hartwright.fish", "share/fish/vendor_completions.d/{}.fish"),
];

const PROGRAM: &str = "hartwright";

/// User mode's program, which is one of its own.
const USER: &str = "hartwright-riscv64";

/// Links under which the program is the system emulator.
const NAMES: [&str; 4] =
    ["hartwright-system-riscv64", "hartwright-system-riscv32", "qemu-system-riscv64", "qemu-system-riscv32"];

/// The program's own account of its options, as a `what`.
fn generate(program: &Path, what: &str) -> Result<Vec<u8>> {
    let made = Command::new(program).args(["--generate", what]).output();
    let made = made.with_context(|| format!("cannot start {}", program.display()))?;
    if !made.status.success() || made.stdout.is_empty() {
        let said = String::from_utf8_lossy(&made.stderr);
        bail!("`hartwright --generate {what}` failed ({}): {}", made.status, said.trim());
    }
    Ok(made.stdout)
}

/// Lets `make` create `file` below `prefix`, in the place of an older one.
fn place(prefix: &Path, file: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let to: PathBuf = prefix.join(file);
    let folder = to.parent().unwrap_or(prefix);
    fs::create_dir_all(folder)
        .and_then(|()| if to.symlink_metadata().is_ok() { fs::remove_file(&to) } else { Ok(()) })
        .and_then(|()| make(&to))
        .with_context(|| format!("cannot install {}", to.display()))?;
    println!("{}", to.display());
    Ok(())
}
