//! Are the tests any good? Mistakes made on purpose, one at a time, in a copy of the sources: each must be noticed.

use crate::{target, workspace};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Instant,
};

/// One mistake, and who must notice; `xtask/mutants.toml` says what the fields are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    file: String,
    old: String,
    new: String,
    test: [String; 3],
    #[serde(default)]
    rows: String,
}

#[derive(Deserialize)]
struct Mutants {
    mutant: Vec<Mutant>,
}

/// What became of a mutant.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// By these tests.
    Caught(String),
    Survived,
    /// It is no mutant, as it does not build: the reason.
    Broken(String),
}

/// How the mutants fared, for the last line and for the suite.
#[derive(Debug, Default)]
pub struct Tally {
    /// Those that a test noticed.
    pub caught: usize,
    /// All that were tried.
    pub all: usize,
}

/// Tries the mutants whose name contains one of `words`, or all, after making sure that the same tests pass without.
pub fn run(words: &[String]) -> Result<Tally> {
    let mut mutants = read()?;
    mutants.retain(|mutant| words.is_empty() || words.iter().any(|word| mutant.name.contains(word.as_str())));
    ensure!(!mutants.is_empty(), "no mutant's name contains {}", words.join(" or "));
    let tree = target().join("mutants/tree");
    for part in PARTS {
        copy(&workspace().join(part), &tree.join(part)).with_context(|| format!("copying {part}"))?;
    }
    println!("the tests pass without mutants:");
    for (test, rows) in all_tests(&mutants) {
        let start = Instant::now();
        let fate = judge(&cargo_test(&tree, &test, &rows)?);
        println!("  {:58} {:5.0} s", format!("{} {}", test[0], test[1]), start.elapsed().as_secs_f64());
        if fate != Fate::Survived {
            bail!("the tests do not pass without mutants: {fate:?}");
        }
    }
    let mut tally = Tally::default();
    println!("{:58} {:>7}  caught by", "mutant", "time");
    for mutant in &mutants {
        let start = Instant::now();
        let fate = mutant.fate(&tree).unwrap_or_else(|error| Fate::Broken(format!("{error:#}")));
        let says = match fate {
            Fate::Caught(tests) => {
                tally.caught += 1;
                tests
            }
            Fate::Survived => "NOBODY".into(),
            Fate::Broken(reason) => format!("BROKEN: {reason}"),
        };
        tally.all += 1;
        println!("{:58} {:5.0} s  {says}", mutant.name, start.elapsed().as_secs_f64());
    }
    println!("\n{} of {} mutants are caught", tally.caught, tally.all);
    Ok(tally)
}

/// What the tests need of the workspace; the other members must be there for the manifest to be read.
const PARTS: [&str; 6] = ["Cargo.toml", "Cargo.lock", "crates", "fuzz", "tests", "xtask"];

fn read() -> Result<Vec<Mutant>> {
    let text = fs::read_to_string(workspace().join("xtask/mutants.toml")).context("xtask/mutants.toml")?;
    Ok(toml::from_str::<Mutants>(&text).context("xtask/mutants.toml")?.mutant)
}

impl Mutant {
    /// Makes the mistake in `tree`, asks its test, and takes it back.
    fn fate(&self, tree: &Path) -> Result<Fate> {
        let path = tree.join(&self.file);
        let sound = fs::read_to_string(&path)?;
        fs::write(&path, self.applied(&sound)?)?;
        let output = cargo_test(tree, &self.test, &self.rows);
        fs::write(&path, sound)?;
        Ok(judge(&output?))
    }

    /// The file with the mistake in it.
    fn applied(&self, text: &str) -> Result<String> {
        let count = text.matches(&self.old).count();
        ensure!(count == 1, "{}: what it replaces is there {count} times in {}", self.name, self.file);
        Ok(text.replace(&self.old, &self.new))
    }
}

/// Each test program that the mutants name, once, with all their filters and rows.
fn all_tests(mutants: &[Mutant]) -> Vec<([String; 3], String)> {
    let mut programs: BTreeMap<[String; 2], (Vec<String>, Vec<String>)> = BTreeMap::new();
    for Mutant { test: [package, program, filter], rows, .. } in mutants {
        let (filters, all_rows) = programs.entry([package.clone(), program.clone()]).or_default();
        filters.push(filter.clone());
        all_rows.extend((!rows.is_empty()).then(|| rows.clone()));
    }
    let joined = |mut words: Vec<String>, by: &str| {
        words.sort();
        words.dedup();
        words.join(by)
    };
    programs
        .into_iter()
        .map(|([package, program], (filters, rows))| {
            ([package, program, joined(filters, " ")], joined(rows, ","))
        })
        .collect()
}

/// Builds without optimising, as most of the time goes into building, in a target folder that stays.
fn cargo_test(tree: &Path, [package, program, filters]: &[String; 3], rows: &str) -> Result<Output> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--package", &format!("hartwright-{package}")]);
    match program.as_str() {
        "lib" => cargo.arg("--lib"),
        program => cargo.args(["--test", program]),
    };
    cargo.arg("--").args(filters.split(' ')).current_dir(tree).stdin(Stdio::null());
    cargo.env("CARGO_TARGET_DIR", target().join("mutants/target"));
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
    if !rows.is_empty() {
        cargo.env("HARTWRIGHT_ROWS", rows);
    }
    cargo.output().context("cargo does not start")
}

/// What cargo's output says. A program that ran no test noticed nothing, and that is a mistake in the list.
fn judge(output: &Output) -> Fate {
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !text.contains("test result: ") && !text.contains("running ") {
        let reason = errors.lines().find(|line| line.starts_with("error")).unwrap_or("cargo failed");
        return Fate::Broken(reason.into());
    }
    if text.contains("running 0 tests") {
        return Fate::Broken("no test has that name".into());
    }
    let failed = text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    match (output.status.success(), failed.collect::<Vec<_>>().join(", ")) {
        (true, _) => Fate::Survived,
        (false, tests) if tests.is_empty() => Fate::Caught("the test program crashed".into()),
        (false, tests) => Fate::Caught(tests),
    }
}

/// Makes `to` what `from` is. Files that are so already are not touched, so that cargo does not build them anew.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() {
        let bytes = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(to.parent().unwrap_or(to))?;
            fs::write(to, bytes)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to)?;
    let names = |folder: &Path| -> Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into())).collect()
    };
    for name in names(to)? {
        let (gone, copied) = (!from.join(&name).exists(), to.join(&name));
        match gone {
            true if copied.is_dir() => fs::remove_dir_all(copied)?,
            true => fs::remove_file(copied)?,
            false => {}
        }
    }
    names(from)?.iter().try_for_each(|name| copy(&from.join(name), &to.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mutant_still_has_its_place_and_its_test() {
        let mutants = read().unwrap();
        assert!(mutants.len() >= 30, "{} mutants", mutants.len());
        for mutant in &mutants {
            let text = fs::read_to_string(workspace().join(&mutant.file)).expect(&mutant.file);
            assert_ne!(mutant.applied(&text).unwrap(), text, "{}", mutant.name);
            let [package, program, filter] = &mutant.test;
            let folder = workspace().join("crates").join(package);
            if program != "lib" {
                let test = folder.join("tests").join(program).with_extension("rs");
                let text = fs::read_to_string(&test).unwrap_or_else(|e| panic!("{}: {e}", test.display()));
                assert!(text.contains(filter), "{}: {filter} is not in {}", mutant.name, test.display());
            }
        }
        let names: std::collections::BTreeSet<_> = mutants.iter().map(|mutant| &mutant.name).collect();
        assert_eq!(names.len(), mutants.len(), "a name is there twice");
    }

    #[test]
    fn a_mutant_that_does_not_build_is_not_caught() {
        let shell = |script: &str| Command::new("sh").args(["-c", script]).output().unwrap();
        let broken = judge(&shell("echo 'error: no such thing' >&2; exit 101"));
        assert_eq!(broken, Fate::Broken("error: no such thing".into()));
        let caught =
            judge(&shell("echo running 1 test; echo test a::b ... FAILED; echo test result: F; exit 101"));
        assert_eq!(caught, Fate::Caught("a::b".into()));
        assert_eq!(judge(&shell("echo running 1 test; echo test result: ok")), Fate::Survived);
        assert!(matches!(judge(&shell("echo running 0 tests; echo test result: ok")), Fate::Broken(_)));
    }
}
