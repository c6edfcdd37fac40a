//! QEMU 11 from Debian's unstable suite, unpacked beside its libraries: the newer of our two references.
//!
//! The older one, 7.2, is an ordinary package of the host. Nothing of unstable is installed: each
//! program is started through its own dynamic linker with its own libraries.

use crate::{
    cache::Cache,
    debian::{self, Archive},
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The name that `cargo xtask guests` knows it by.
pub const NAME: &str = "peers";

/// What it is, for people.
pub const ABOUT: &str =
    "QEMU 11 with its libraries, as bin/qemu-system-riscv64-11, bin/qemu-riscv64-11 and so on";

/// Where the script that starts `program` of QEMU 11 is, once fetched.
pub fn script(cache: &Cache, program: &str) -> PathBuf {
    cache.root().join("bin").join(format!("{program}-11"))
}

/// Where QEMU 11's `program` itself is; those of user mode are linked statically, and start without the script.
pub fn binary(cache: &Cache, program: &str) -> PathBuf {
    cache.root().join("peers/usr/bin").join(program)
}

/// Unpacks the programs and writes a script to start each.
pub fn fetch(cache: &Cache) -> Result<()> {
    let root = cache.root().join("peers");
    if PROGRAMS.iter().all(|program| script(cache, program).exists()) {
        eprintln!("{NAME:12} from the cache, in {}", root.display());
        return Ok(());
    }
    // A cache of an older day may hold all programs, and scripts for fewer.
    if !PROGRAMS.iter().all(|program| binary(cache, program).exists()) {
        unpack(cache, &root)?;
    }
    for program in PROGRAMS {
        let script = script(cache, program);
        fs::create_dir_all(script.parent().unwrap_or(&root))?;
        fs::write(&script, start(&root.display().to_string(), program))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let version = Command::new(&script).arg("--version").output()?;
        let says = String::from_utf8_lossy(&version.stdout).into_owned();
        ensure!(
            version.status.success(),
            "{} does not start: {}",
            script.display(),
            String::from_utf8_lossy(&version.stderr)
        );
        eprintln!("{NAME:12} {}: {}", script.display(), says.lines().next().unwrap_or_default());
    }
    Ok(())
}

/// Unpacks the packages of the programs, and all they depend on, into `root`.
fn unpack(cache: &Cache, root: &Path) -> Result<()> {
    let archive = Archive::open(cache, "sid", "amd64")?;
    let scratch = cache.scratch(NAME)?;
    for deb in archive.download_closure(&["qemu-system-riscv", "qemu-user"])? {
        debian::unpack(&deb, &["*"], &scratch).with_context(|| deb.display().to_string())?;
    }
    archive.clean()?;
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    Ok(fs::rename(&scratch, root)?)
}

/// The script that starts `program` of the unpacked tree `root`.
fn start(root: &str, program: &str) -> String {
    let data = if program.contains("system") { format!(" -L {root}/usr/share/qemu") } else { String::new() };
    format!(
        "#!/bin/sh\nlib={root}/usr/lib/x86_64-linux-gnu\n\
         exec $lib/ld-linux-x86-64.so.2 --argv0 {program} --library-path $lib:$lib/systemd {root}/usr/bin/{program}{data} \"$@\"\n"
    )
}

const PROGRAMS: [&str; 4] = ["qemu-system-riscv64", "qemu-system-riscv32", "qemu-riscv64", "qemu-riscv32"];
