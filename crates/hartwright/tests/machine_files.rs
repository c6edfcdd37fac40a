//! `docs/machine-files.md` is right: its files are checked, its commands run, and what they say is what stands there.
#![forbid(unsafe_code)]

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const PAGE: &str = include_str!("../../../docs/machine-files.md");

/// The blocks of the page in this language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let blocks = PAGE.split("\n```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hartwright-page-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in ["board.toml", "uarts.toml"].iter().zip(blocks("toml")) {
        fs::write(folder.join(name), text.to_owned() + "\n").unwrap();
    }
    folder
}

fn hartwright(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hartwright"));
    command.current_dir(folder);
    command
}

#[test]
fn what_the_page_shows_is_what_happens() {
    let folder = folder("shows");
    let mut commands = 0;
    for session in blocks("text") {
        for part in session.split("$ hartwright ").skip(1) {
            let (line, shown) = part.split_once('\n').unwrap_or((part, ""));
            if line.ends_with("-nographic") {
                continue;
            }
            let output = hartwright(&folder).args(line.split(' ')).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
            assert_eq!(said.trim_end(), shown.trim_end(), "{line}");
            assert_eq!(output.status.code(), Some(i32::from(said.contains(" | "))), "{line}");
            commands += 1;
        }
    }
    assert!(commands >= 4);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_machine_of_the_page_runs() {
    let folder = folder("runs");
    let mut program = hartwright(&folder)
        .args(["-machine", "./board.toml,ram=32M", "-nographic"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut said, mut chunk) = (String::new(), [0; 256]);
    let mut output = program.stdout.take().unwrap();
    while !said.contains("hartwright>") {
        let count = output.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    // The mux's escape key, and its key to end.
    program.stdin.take().unwrap().write_all(b"\x01x").unwrap();
    assert!(program.wait().unwrap().success());
    assert!(said.contains("serial@10001000"), "{said}");
    fs::remove_dir_all(folder).unwrap();
}
