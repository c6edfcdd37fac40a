//! QEMU's own tests of its user mode: tests/tcg, those of riscv64 and those of every architecture.

use super::{Expect, Program, Programs};
use crate::{cache::Cache, programs::unpacked};
use anyhow::Result;
use std::{fs, path::Path};

/// All of them, in either case: there are few.
pub(super) fn programs(cache: &Cache, _full: bool) -> Result<Programs> {
    let root = unpacked(cache, "tcg", "tcg.tar")?.join("tests/tcg");
    let mut programs = Vec::new();
    for folder in ["multiarch", "multiarch/linux", "riscv64"] {
        let mut names: Vec<String> = fs::read_dir(root.join(folder))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".c") || name.ends_with(".S"))
            .collect();
        names.sort();
        programs.extend(names.iter().map(|name| program(&root, folder, name)));
    }
    programs.retain(|program| !LEFT_OUT.iter().any(|(name, _)| *name == program.name));
    let left_out = LEFT_OUT.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    Ok(Programs { programs, left_out })
}

/// What their Makefiles say of single tests: compiler's options (separated by blanks), emulator's options.
#[rustfmt::skip]
const SPECIAL: &[(&str, &str, &str)] = &[
    ("float_convd",             "-lm",                            ""),
    ("float_convs",             "-lm",                            ""),
    ("float_madds",             "-lm",                            ""),
    ("munmap-pthread",          "-pthread",                       ""),
    ("signals",                 "-lrt -lpthread",                 ""),
    ("sigreturn-sigmask",       "-pthread",                       ""),
    ("tb-link",                 "-lpthread",                      ""),
    ("test-plugin-mem-access",  "-pthread",                       ""),
    ("testthread",              "-lpthread",                      ""),
    ("threadcount",             "-lpthread",                      ""),
    ("vma-pthread",             "-pthread",                       ""),
    ("test-aes",                "",                               "-cpu rv64,zk=on"),
    ("test-fcvtmod",            "-march=rv64imafdc",              "-cpu rv64,d=true,zfa=true"),
    ("test-noc",                "-nostdlib -Wa,--noexecstack",    "-cpu rv64,c=false"),
];

/// Tests that are no programs for Linux, and those that need something besides an emulator.
const LEFT_OUT: [(&str, &str); 5] = [
    ("issue1060", "it is for a whole machine, and uses semihosting"),
    ("semihosting", "it makes semihosting's calls, not Linux's"),
    ("semiconsole", "somebody has to type"),
    ("gdbstub/*", "they are the debugger's tests of QEMU's server"),
    ("plugins", "they are libraries for QEMU's interface"),
];

fn program(root: &Path, folder: &str, file: &str) -> Program {
    let name = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let special = SPECIAL.iter().find(|(special, ..)| *special == name);
    let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    let mut flags = words("-O0 -g -w -fno-strict-aliasing");
    flags.extend(special.map(|row| words(row.1)).unwrap_or_default());
    let mut sources = vec![root.join(folder).join(file)];
    let floats = name.starts_with("float_");
    if floats {
        sources.push(root.join("multiarch/libs/float_helpers.c"));
        // The library is written against the headers above it.
        flags.insert(0, format!("-I{}", root.join("multiarch").display()));
    }
    Program {
        name: name.to_owned(),
        sources,
        flags,
        options: special.map(|row| words(row.2)).unwrap_or_default(),
        // Other architectures have a file of what is right; for riscv64 QEMU itself has to say.
        expect: if floats { Expect::PeerOutput } else { Expect::Success },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_the_options_of_its_makefile() {
        let aes = program(Path::new("/tcg"), "riscv64", "test-aes.c");
        assert_eq!((aes.name.as_str(), aes.options.join(" ").as_str()), ("test-aes", "-cpu rv64,zk=on"));
        let convs = program(Path::new("/tcg"), "multiarch", "float_convs.c");
        assert_eq!(convs.sources.len(), 2);
        assert!(matches!(convs.expect, Expect::PeerOutput));
        assert_eq!(convs.flags.last().map(String::as_str), Some("-lm"));
    }
}
