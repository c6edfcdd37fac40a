//! `cargo xtask`: the project's chores by name.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use std::process::ExitCode;
use xtask::guests;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    match arguments.split_first() {
        Some((chore, rest)) if chore == "guests" => guests::fetch(rest)?,
        _ => bail!("nothing"),
    }
    Ok(ExitCode::SUCCESS)
}
