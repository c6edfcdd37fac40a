//! `hartwright new NAME`: a crate with a machine and devices of its own, to begin with.
//!
//! What it writes is `examples/my-board` with another name, so there is one text, and CI builds and runs it.

use std::{fs, io, path::Path};

use crate::{Failure, Outcome, Program};

/// What the example is called, as a package and as a crate.
const NAMES: [&str; 2] = ["my-board", "my_board"];

/// The example's dependency, which lies elsewhere for others.
const DEPENDENCY: &str = "hartwright = { path = \"../../crates/hartwright\" }";

/// Names that would not build: cargo's own folders, crates of the language, words of the language and ours.
const TAKEN: [&str; 62] = [
    "alloc",
    "as",
    "async",
    "await",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "fn",
    "for",
    "gen",
    "hartwright",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "union",
    "unsafe",
    "use",
    "where",
    "while",
    "abstract",
    "become",
    "box",
    "do",
    "final",
    "macro",
    "override",
    "priv",
    "typeof",
    "unsized",
    "virtual",
    "yield",
];

macro_rules! template {
    ($($path:literal)*) => {
        [$(($path, include_bytes!(concat!("../../../examples/my-board/", $path)))),*]
    };
}

/// Where the library was when this program was built: in a checkout, as a rule.
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../hartwright");

/// The files of the example, by their path in it.
const FILES: [(&str, &[u8]); 13] = template! {
    ".gitignore"
    "Cargo.toml"
    "README.md"
    "firmware/build.sh"
    "firmware/firmware.bin"
    "firmware/firmware.c"
    "firmware/firmware.ld"
    "src/lib.rs"
    "src/main.rs"
    "src/timer.rs"
    "src/uart.rs"
    "tests/devices.rs"
    "tests/machine.rs"
};

/// Does what `words`, those after `new`, ask for.
pub(crate) fn new(_: &Program, words: &[String]) -> Outcome {
    let written = match words {
        [word] if !word.starts_with('-') => write(Path::new(word)),
        _ => Err(
            "give one name, such as demo-soc, of a folder that is not there yet; the crate in it and its \
                  machine are called so"
                .into(),
        ),
    };
    written.map_or_else(|why| Outcome::Fail(Failure::of("new", why)), |next| Outcome::print(next + "\n"))
}

/// Writes the crate `folder`, named as its last part; answers what to do next.
///
/// # Errors
/// One sentence: the name cannot be had, the folder is there, or the host refuses.
fn write(folder: &Path) -> Result<String, String> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check(name)?;
    let refused = |what: &Path, why: io::Error| match why.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("'{}' is there already; another name, or another folder, would do", what.display())
        }
        _ => format!("'{}' cannot be written: {why}", what.display()),
    };
    fs::create_dir(folder).map_err(|why| refused(folder, why))?;
    let (dependency, note) = dependency(Path::new(SDK));
    for (path, bytes) in FILES {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(|why| refused(parent, why))?;
        }
        fs::write(&file, renamed(bytes, name, &dependency)).map_err(|why| refused(&file, why))?;
    }
    let folder = folder.display();
    Ok(format!(
        "{folder}: a machine with a UART and a timer of its own, their firmware and tests.{note}\n\n\
         cd {folder}\n\
         cargo run                           # the firmware greets; Ctrl-D ends the machine, Ctrl-A x the program\n\
         cargo run -- -device my-uart,help   # the UART's properties\n\
         cargo test                          # the devices alone, and the machine\n\n\
         README.md there says what is where."
    ))
}

/// Whether a crate and a machine can be called so.
fn check(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(fits) {
        return Err(format!(
            "'{name}' cannot be a crate's name: a small letter, then small letters, digits, - and _, such as demo-soc"
        ));
    }
    if TAKEN.contains(&name) || TAKEN.contains(&&*name.replace('_', "-")) {
        return Err(format!(
            "'{name}' means something to cargo or Rust; another name would do, such as {name}-soc"
        ));
    }
    if hartwright_machine::BOARDS.iter().any(|board| board.name() == name) {
        return Err(format!("'{name}' is a machine already; another name would do, such as {name}-soc"));
    }
    Ok(())
}

/// A file of the example for a crate called `name`. What is no text has no name in it.
fn renamed(bytes: &[u8], name: &str, dependency: &str) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text
            .replace(DEPENDENCY, dependency)
            .replace(NAMES[0], name)
            .replace(NAMES[1], &name.replace('-', "_"))
            .into_bytes(),
        _ => bytes.to_vec(),
    }
}

/// The line of a manifest that finds this library, and a note if it takes a helping hand; `home` is where it may be.
fn dependency(home: &Path) -> (String, &'static str) {
    // It is there, and named without detours.
    let home = home.join("Cargo.toml").canonicalize().ok().and_then(|file| Some(file.parent()?.to_owned()));
    match home.as_deref().and_then(Path::to_str).filter(|path| !path.contains(['\'', '\n'])) {
        Some(path) => (format!("hartwright = {{ path = '{path}' }}"), ""),
        None => (
            format!("hartwright = \"{}\"", env!("CARGO_PKG_VERSION")),
            "\nThe source that this program was built of is not here any more: write where hartwright is into \
             Cargo.toml.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::PathBuf};

    fn example() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/my-board")
    }

    #[test]
    fn the_template_is_the_whole_example() {
        fn list(folder: &Path, into: &mut BTreeSet<String>, root: &Path) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                match path.is_dir() {
                    _ if ["target", "Cargo.lock"].contains(&&*name) => {}
                    true => list(&path, into, root),
                    false => drop(into.insert(name)),
                }
            }
        }
        let mut there = BTreeSet::new();
        list(&example(), &mut there, &example());
        assert_eq!(there, FILES.iter().map(|(path, _)| (*path).to_owned()).collect());
        for (path, bytes) in FILES {
            assert_eq!(
                renamed(bytes, "my-board", DEPENDENCY),
                fs::read(example().join(path)).unwrap(),
                "{path}"
            );
        }
    }

    #[test]
    fn a_board_with_a_uart_of_ones_own_is_short() {
        let mut count = 0;
        for (path, bytes) in FILES {
            if ["Cargo.toml", "src/lib.rs", "src/main.rs", "src/uart.rs"].contains(&path) {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let comment = |line: &str| line.starts_with("//") || line.starts_with("# ");
                count +=
                    text.lines().map(str::trim).filter(|line| !line.is_empty() && !comment(line)).count();
            }
        }
        assert!(count <= 120, "{count} lines that are neither blank nor comment");
    }

    #[test]
    fn a_new_crate_has_its_own_name_and_finds_the_library() {
        let scratch = std::env::temp_dir().join(format!("hartwright-new-{}", std::process::id()));
        fs::create_dir(&scratch).unwrap();
        let folder = scratch.join("demo-soc");
        let next = write(&folder).unwrap();
        assert!(next.contains("cargo run"), "{next}");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"demo-soc\"") && !manifest.contains("my-board"), "{manifest}");
        let sdk = Path::new(SDK).canonicalize().unwrap();
        assert!(manifest.contains(&format!("path = '{}'", sdk.display())), "{manifest}");
        let main = fs::read_to_string(folder.join("src/main.rs")).unwrap();
        assert!(main.contains("use demo_soc as _;"), "{main}");
        let again = write(&folder).unwrap_err();
        assert!(again.contains("is there already"), "{again}");
        assert!(write(&scratch.join("nowhere/demo")).unwrap_err().contains("cannot be written"));
        fs::remove_dir_all(&scratch).unwrap();
    }

    #[test]
    fn names_that_would_not_build_are_refused() {
        for (name, why) in [
            ("", "cannot be a crate's name"),
            ("9p", "cannot be a crate's name"),
            ("Demo", "cannot be a crate's name"),
            ("demo soc", "cannot be a crate's name"),
            ("démo", "cannot be a crate's name"),
            ("test", "means something"),
            ("proc_macro", "means something"),
            ("hartwright", "means something"),
            ("param", "is a machine already"),
        ] {
            let refused = check(name).unwrap_err();
            assert!(refused.contains(why), "{name}: {refused}");
        }
        assert_eq!(check("demo-soc"), Ok(()));
        assert_eq!(
            dependency(Path::new("/nowhere")).0,
            format!("hartwright = \"{}\"", env!("CARGO_PKG_VERSION"))
        );
    }
}
