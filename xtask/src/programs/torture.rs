//! The programs that gcc is tested with: gcc.c-torture/execute.

use super::{Expect, Program, Programs};
use crate::{cache::Cache, programs::unpacked};
use anyhow::Result;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every fifth program at -O2; `full`: all of them, at -O2 and at -O0, which leaves more to the emulator.
pub(super) fn programs(cache: &Cache, full: bool) -> Result<Programs> {
    let root = unpacked(cache, "c-torture", "c-torture.tar")?.join("gcc/testsuite/gcc.c-torture/execute");
    let mut found = Vec::new();
    for (folder, flags) in FOLDERS {
        let mut sources: Vec<PathBuf> = fs::read_dir(root.join(folder))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "c"))
            // The second half of another program.
            .filter(|path| !path.to_string_lossy().ends_with("-lib.c"))
            .collect();
        sources.sort();
        found.extend(sources.into_iter().map(|source| (source, flags)));
    }
    let (every, levels): (_, &[_]) = if full { (1, &["-O2", "-O0"]) } else { (5, &["-O2"]) };
    let mut programs = Vec::new();
    for (source, folder_flags) in found.into_iter().step_by(every) {
        for level in levels {
            programs.push(program(&root, &source, folder_flags, level)?);
        }
    }
    Ok(Programs { programs, left_out: Vec::new() })
}

/// The folders, with what gcc's own scripts give to the compiler in each.
const FOLDERS: [(&str, &str); 3] = [
    ("", ""),
    (
        "builtins",
        "-fno-tree-dse -fno-tree-loop-distribute-patterns -fno-tracer -fno-ipa-ra -fno-inline-functions",
    ),
    ("ieee", "-fno-inline"),
];

fn program(root: &Path, source: &Path, folder_flags: &str, level: &str) -> Result<Program> {
    // The tests are written in all of C's history, and not in UTF-8 only.
    let text = String::from_utf8_lossy(&fs::read(source)?).into_owned();
    let script = fs::read_to_string(source.with_extension("x")).unwrap_or_default();
    let mut flags: Vec<String> = [level, "-w"].map(String::from).to_vec();
    flags.extend(folder_flags.split_whitespace().map(String::from));
    flags.extend(asked(&text));
    flags.extend(added(&script));
    flags.push("-lm".into());
    let mut sources = vec![source.to_owned()];
    let library = source.with_file_name(format!("{}-lib.c", stem(source)));
    if library.exists() {
        sources.extend([library, root.join("builtins/lib/main.c")]);
    }
    let name = source.strip_prefix(root).unwrap_or(source).with_extension("");
    Ok(Program {
        name: format!("{} {level}", name.display()),
        sources,
        flags,
        options: Vec::new(),
        expect: Expect::Success,
    })
}

/// The options that a test's own comments ask for on every target: `{ dg-options "-fwrapv" }`.
fn asked(text: &str) -> Vec<String> {
    let mut options = Vec::new();
    for line in text.lines() {
        let directive = ["dg-options", "dg-additional-options"].iter().find_map(|name| line.split_once(name));
        let Some((_, rest)) = directive else { continue };
        // What follows the options says for which targets they are.
        if let [_, words, rest] = rest.splitn(3, '"').collect::<Vec<_>>()[..]
            && !rest.contains("target")
        {
            options.extend(words.split_whitespace().map(String::from));
        }
    }
    options
}

/// The options that a test's script adds on every target; what is for some is indented.
fn added(script: &str) -> Vec<String> {
    let starts = ["lappend additional_flags ", "set additional_flags "];
    let lines = script.lines().filter_map(|line| starts.iter().find_map(|start| line.strip_prefix(start)));
    lines.flat_map(str::split_whitespace).map(|word| word.trim_matches('"').to_owned()).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_s_own_options_are_taken_unless_they_are_for_some_target() {
        let text = "/* { dg-options \"-fwrapv -std=c99\" } */\n/* { dg-do run } */\n\
                    /* { dg-additional-options \"-mno-mmx\" { target { x86_64-*-* } } } */\n\
                    /* { dg-options { \"-fno-inline\" } } */\n";
        assert_eq!(asked(text), ["-fwrapv", "-std=c99", "-fno-inline"]);
        let script = "if { nano } {\n    lappend additional_flags \"-u x\"\n}\nlappend additional_flags \"-fno-ivopts\" \"-fno-gcse\"\nreturn 0\n";
        assert_eq!(added(script), ["-fno-ivopts", "-fno-gcse"]);
    }
}
