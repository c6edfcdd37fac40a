//! `cargo xtask`: the project's chores by name.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use std::{path::Path, process::ExitCode};
use xtask::{bench, fuzz, guests, install, litmus, mutants, suites};

/// One thing that `cargo xtask` can do.
struct Chore {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    /// What its own help says besides.
    more: fn() -> Result<String>,
    run: fn(&[String]) -> Result<bool>,
}

#[rustfmt::skip]
const CHORES: &[Chore] = &[
    Chore { name: "guests",  usage: "[--path NAME | NAME...]",   about: "fetch guest software into the cache",            more: guests::list,               run: guests },
    Chore { name: "test",    usage: "[--full] [SUITE...]",       about: "check everything; ends with the totals",         more: || Ok(suites::list()),      run: test },
    Chore { name: "ci",      usage: "",                          about: "what CI runs: every suite of `test`",            more: || Ok(suites::list()),      run: ci },
    Chore { name: "docs",    usage: "",                          about: "write docs/devices from the devices' tables",     more: || Ok(String::new()),       run: docs },
    Chore { name: "litmus",  usage: "",                          about: "write tests/litmus.txt by diy7 and herd7",        more: || Ok(String::new()),       run: make_litmus },
    Chore { name: "install", usage: "--prefix DIR",              about: "build, and install below DIR",                   more: || Ok(String::new()),       run: install },
    Chore { name: "mutants", usage: "[WORD...]",                 about: "make mistakes on purpose: does a test notice",   more: || Ok(String::new()),       run: mutants },
    Chore { name: "fuzz",    usage: "[--minutes N] [TARGET...]", about: "give targets any bytes, for so long each",         more: fuzz::list,                 run: fuzz },
    Chore { name: "bench",   usage: "[--rounds N] [PROGRAM...]", about: "time guest programs against QEMU, round by round", more: || Ok(bench::list()),     run: bench },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<bool> {
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", help());
        return Ok(true);
    };
    if is_help(name) || name == "help" {
        print!("{}", help());
        return Ok(true);
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        bail!("there is no chore called {name}\n\n{}", help());
    };
    if rest.iter().any(|word| is_help(word)) {
        println!("cargo xtask {} {}\n\n{}\n", chore.name, chore.usage, chore.about);
        print!("{}", (chore.more)()?);
        return Ok(true);
    }
    (chore.run)(rest)
}

fn help() -> String {
    let rows = CHORES
        .iter()
        .map(|chore| format!("  {:34} {}\n", format!("{} {}", chore.name, chore.usage), chore.about));
    format!("The project's chores:\n\n{}\n`cargo xtask CHORE --help` says more.\n", rows.collect::<String>())
}

fn is_help(word: &str) -> bool {
    word == "--help" || word == "-h"
}

fn guests(words: &[String]) -> Result<bool> {
    match words {
        [flag, name] if flag == "--path" => println!("{}", guests::path(name)?.display()),
        _ => guests::fetch(only_names(words)?)?,
    }
    Ok(true)
}

fn test(words: &[String]) -> Result<bool> {
    let (flags, names): (Vec<_>, Vec<_>) = words.iter().cloned().partition(|word| word == "--full");
    suites::run(only_names(&names)?, !flags.is_empty())
}

fn ci(words: &[String]) -> Result<bool> {
    match words {
        [] => suites::run(&[], false),
        [word, ..] => bail!("ci takes no arguments, such as {word}"),
    }
}

/// The test that compares the reference with the code writes it when it is told to.
fn docs(words: &[String]) -> Result<bool> {
    if let [word, ..] = words {
        bail!("docs takes no arguments, such as {word}");
    }
    let test = ["test", "--quiet", "-p", "hartwright-devices", "--test", "reference"];
    Ok(xtask::cargo().args(test).env("HARTWRIGHT_BLESS", "1").status()?.success())
}

fn make_litmus(words: &[String]) -> Result<bool> {
    if let [word, ..] = words {
        bail!("litmus takes no arguments, such as {word}");
    }
    let text = litmus::generate()?;
    std::fs::write(litmus::file(), &text)?;
    println!("{}: {} tests", litmus::file().display(), text.matches("\nexists ").count());
    Ok(true)
}

fn install(words: &[String]) -> Result<bool> {
    let prefix = match words {
        [flag, prefix] if flag == "--prefix" => prefix.as_str(),
        [word] if word.starts_with("--prefix=") => &word["--prefix=".len()..],
        _ => bail!("say where: cargo xtask install --prefix DIR"),
    };
    install::install(Path::new(prefix))?;
    Ok(true)
}

fn mutants(words: &[String]) -> Result<bool> {
    let tally = mutants::run(only_names(words)?)?;
    Ok(tally.caught == tally.all)
}

fn fuzz(words: &[String]) -> Result<bool> {
    let (minutes, names) = match words {
        [flag, minutes, names @ ..] if flag == "--minutes" => match minutes.parse() {
            Ok(minutes @ 1..=1440) => (minutes, names),
            _ => bail!("--minutes {minutes}: it wants a number from 1 to 1440"),
        },
        names => (1, names),
    };
    let tallies = fuzz::run(only_names(names)?, minutes)?;
    print!("\n{}", fuzz::table(&tallies));
    Ok(tallies.iter().all(fuzz::Tally::holds))
}

fn bench(words: &[String]) -> Result<bool> {
    bench::run(&bench::Plan::parse(words)?)?;
    Ok(true)
}

/// `words`, among which there must be no flag.
fn only_names(words: &[String]) -> Result<&[String]> {
    match words.iter().find(|word| word.starts_with('-')) {
        Some(flag) => bail!("there is no flag {flag}; `cargo xtask CHORE --help` lists them"),
        None => Ok(words),
    }
}
