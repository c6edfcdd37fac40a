//! Static programs for rv64gc Linux by Debian's cross compiler, each built once.

use super::Program;
use crate::cache::sha256;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const COMPILER: &str = "riscv64-linux-gnu-gcc";

/// The compiler, and the folder of what it has built.
pub(super) struct Builder {
    folder: PathBuf,
    /// Hash of what the compiler is, and of the library that it links.
    compiler: String,
}

/// A program that was built.
pub(super) struct Built {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The hash of its sources, options, compiler and library.
    pub(super) key: String,
}

impl Builder {
    /// The compiler of this host, whose programs go to `folder`.
    pub(super) fn new(folder: &Path) -> Result<Builder> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let ask = |option: &str| -> Result<Vec<u8>> {
            let told = Command::new(COMPILER).arg(option).output();
            Ok(told.context("riscv64-linux-gnu-gcc (package gcc-riscv64-linux-gnu)")?.stdout)
        };
        let library = String::from_utf8(ask("-print-file-name=libc.a")?)?;
        let library = fs::read(library.trim()).with_context(|| library.trim().to_owned())?;
        let compiler = sha256(&[ask("--version")?, library].concat());
        Ok(Builder { folder: folder.to_owned(), compiler })
    }

    /// Builds `program`, unless it has been; the inner error is the compiler's first complaint.
    pub(super) fn build(&self, program: &Program) -> Result<std::result::Result<Built, String>> {
        let key = self.key(program)?;
        let path = self.folder.join(&key);
        let refused = self.folder.join(format!("{key}.refused"));
        if let Ok(complaint) = fs::read_to_string(&refused) {
            return Ok(Err(complaint));
        }
        if path.exists() {
            return Ok(Ok(Built { path, key }));
        }
        let new = self.folder.join(format!(".{key}.{}", std::process::id()));
        let mut command = Command::new(COMPILER);
        command.args(["-static", "-s", "-o"]).arg(&new).args(&program.sources).args(&program.flags);
        let said = command.stdin(Stdio::null()).output().with_context(|| COMPILER.to_owned())?;
        if said.status.success() {
            fs::rename(&new, &path)?;
            return Ok(Ok(Built { path, key }));
        }
        let complaint = complaint(&String::from_utf8_lossy(&said.stderr));
        fs::write(&refused, &complaint)?;
        Ok(Err(complaint))
    }

    /// The hash of everything that decides about the program's bytes, but for headers: those come with the
    /// compiler or lie beside the sources.
    fn key(&self, program: &Program) -> Result<String> {
        let mut all = format!("{}\n{}\n", self.compiler, program.flags.join("\n")).into_bytes();
        for source in &program.sources {
            all.extend(name(source).as_bytes());
            all.extend(fs::read(source).with_context(|| source.display().to_string())?);
        }
        Ok(sha256(&all))
    }
}

/// The first line of a compiler's output that says what is wrong.
fn complaint(output: &str) -> String {
    let wrong = |line: &&str| line.contains("error") || line.contains("undefined reference");
    let line =
        output.lines().find(wrong).or_else(|| output.lines().next()).unwrap_or("the compiler says nothing");
    // Without the place: the program's name stands before it already.
    line.rsplit_once(": ").map_or(line, |(_, text)| text).to_owned()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_the_first_error_without_its_place() {
        let output =
            "a.c: In function 'main':\na.c:3:1: error: unknown type name 'x'\na.c:4:1: error: other\n";
        assert_eq!(complaint(output), "unknown type name 'x'");
        assert_eq!(complaint("/usr/bin/ld: a.o: undefined reference to `f'"), "undefined reference to `f'");
        assert_eq!(complaint(""), "the compiler says nothing");
    }
}
