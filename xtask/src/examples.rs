//! Crates of a user's: the one in `examples/`, and the one that `hartwright new` writes, built and run as a user would.

use crate::{cargo, target, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The manifest of the crate in `examples/`, ready to build: with the versions that the workspace has.
pub fn manifest() -> Result<std::path::PathBuf> {
    let folder = workspace().join("examples/my-board");
    same_versions(&folder)?;
    Ok(folder.join("Cargo.toml"))
}

/// A crate outside the workspace would take the newest versions there are, and change from day to day.
fn same_versions(folder: &Path) -> Result<()> {
    let lock = folder.join("Cargo.lock");
    fs::copy(workspace().join("Cargo.lock"), &lock).with_context(|| lock.display().to_string())?;
    Ok(())
}

/// `hartwright new demo-soc`, `cargo run`, and what a new user would type; answers how many things held.
pub fn as_a_new_user() -> Result<usize> {
    let scratch = target().join("new");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
    }
    fs::create_dir_all(&scratch)?;
    let built = cargo().args(["build", "--package", "hartwright"]).status()?;
    ensure!(built.success(), "hartwright does not build");
    let mut new = Command::new(target().join("debug/hartwright"));
    let said = ended(new.args(["new", "demo-soc"]).current_dir(&scratch), "")?;
    ensure!(said.contains("cargo run"), "`hartwright new demo-soc` says what to do next, not:\n{said}");
    let folder = scratch.join("demo-soc");
    same_versions(&folder)?;

    let run = |words: &[&str], typed: &str| {
        let mut run = cargo();
        // What is built for one crate serves the other.
        run.current_dir(&folder).env("CARGO_TARGET_DIR", target()).arg("run").args(words);
        ended(&mut run, typed)
    };
    let mut held = 1;
    for (words, typed, expected) in [
        (&[][..], "hi\x04", &["Hello from a board of your own", "> hi", "bye"][..]),
        (
            &["--", "-device", "help"],
            "",
            &["name \"my-uart\", desc \"A UART of our own\"", "name \"serial-mm\""],
        ),
        (&["--", "-device", "my-uart,help"], "", &["capitals=<bool>"]),
        (&["--", "-machine", "help"], "", &["demo-soc             a UART and a timer of our own", "param  "]),
    ] {
        let said = run(words, typed)?;
        for text in expected {
            ensure!(
                said.contains(text),
                "`cargo run {}` does not say {text:?}, but:\n{said}",
                words.join(" ")
            );
            held += 1;
        }
    }
    Ok(held)
}

/// Runs `command` to its good end, having typed `typed`; what it said.
fn ended(command: &mut Command, typed: &str) -> Result<String> {
    /// A build of everything below the crate is in it.
    const LIMIT: Duration = Duration::from_secs(900);
    let name = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| name.clone())?;
    let mut keyboard = child.stdin.take().context("a child has the stdin it was given")?;
    keyboard.write_all(typed.as_bytes()).with_context(|| name.clone())?;
    let id = child.id();
    let waiter = thread::spawn(move || child.wait_with_output());
    let start = Instant::now();
    while !waiter.is_finished() {
        if start.elapsed() > LIMIT {
            bail!("{name} (process {id}) did not end within {} s", LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let Ok(output) = waiter.join() else { bail!("{name}: its waiter panicked") };
    let Output { status, stdout, stderr } = output.with_context(|| name.clone())?;
    let said = String::from_utf8_lossy(&stdout).into_owned();
    ensure!(status.success(), "{name}: {status}\n{said}{}", String::from_utf8_lossy(&stderr));
    Ok(said)
}
