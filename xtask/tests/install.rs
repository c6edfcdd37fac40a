//! What `cargo xtask install` puts below a prefix works from there.
#![forbid(unsafe_code)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xtask::workspace;

/// Installs below a folder of its own with `cargo xtask`, as a user does; answers the folder.
fn installed() -> PathBuf {
    let prefix = std::env::temp_dir().join(format!("hartwright-install-{}", std::process::id()));
    let ended = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["install", "--prefix"])
        .arg(&prefix)
        .current_dir(workspace())
        .output()
        .expect("xtask starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let listed = String::from_utf8_lossy(&ended.stdout).into_owned();
    for file in listed.lines() {
        assert!(Path::new(file).exists(), "{file} is told, and is not there");
    }
    prefix
}

fn says(program: &Path, words: &[&str]) -> String {
    let ended = Command::new(program).args(words).output();
    let ended = ended.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(ended.status.success(), "{} {words:?}: {ended:?}", program.display());
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[test]
fn what_is_installed_works_under_each_of_its_names() {
    let prefix = installed();
    for name in [
        "hartwright",
        "hartwright-system-riscv64",
        "qemu-system-riscv64",
        "hartwright-system-riscv32",
        "qemu-system-riscv32",
    ] {
        let machines = says(&prefix.join("bin").join(name), &["-machine", "help"]);
        assert!(machines.starts_with("Supported machines are:\nparam "), "{name}: {machines}");
        let page = fs::read_to_string(prefix.join(format!("share/man/man1/{name}.1")));
        assert!(page.is_ok_and(|page| page.contains(".SH") && page.contains("nographic")), "{name}'s page");
        let completions = prefix.join(format!("share/bash-completion/completions/{name}"));
        says(Path::new("bash"), &["-n", &completions.display().to_string()]);
        let words = fs::read_to_string(completions);
        assert!(words.is_ok_and(|words| words.contains(name)), "{name} is completed");
    }
    let version = says(&prefix.join("bin/qemu-system-riscv64"), &["-version"]);
    assert!(version.starts_with("QEMU emulator version "), "{version}");
    let version = says(&prefix.join("bin/qemu-riscv64"), &["-version"]);
    assert!(version.starts_with("qemu-riscv64 version "), "{version}");
    assert!(says(&prefix.join("bin/hartwright-riscv64"), &["-version"]).contains("hartwright"));
    assert!(prefix.join("share/zsh/site-functions/_hartwright").exists());
    assert!(prefix.join("share/fish/vendor_completions.d/hartwright.fish").exists());
    fs::remove_dir_all(prefix).expect("it is our own folder");
}
