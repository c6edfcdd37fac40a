//! Machine files with mistakes, and the messages about them: each names file, line and column, shows the line, and
//! says what would be right. `HARTWRIGHT_BLESS=1` writes the messages anew.
#![forbid(unsafe_code)]

use hartwright_board as _;
use hartwright_machine::{Options, inspect};
use hartwright_objects::Registry;
use std::{fs, path::Path};

/// The files in `tests/broken`, without their folder and extension.
fn names() -> Vec<String> {
    let files = fs::read_dir("tests/broken").unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut names: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What is said of a file. Its first line may say which parameters are given: `# given: ram=64M`.
fn said(file: &str) -> String {
    let text = fs::read_to_string(file).unwrap();
    let given = text.strip_prefix("# given: ").and_then(|rest| rest.lines().next());
    let given = given.and_then(|given| given.split_once('='));
    let options = Options {
        properties: given.map(|(name, value)| (name.into(), value.into())).into_iter().collect(),
        ..Options::default()
    };
    let problems = inspect(file, &options, &Registry::linked().unwrap()).unwrap_err();
    problems.join("\n") + "\n"
}

#[test]
fn each_mistake_is_named_with_its_line_and_what_would_be_right() {
    let mut wrong = vec![];
    for name in names() {
        let (file, golden) = (format!("tests/broken/{name}.toml"), format!("tests/broken/{name}.txt"));
        let said = said(&file);
        if std::env::var_os("HARTWRIGHT_BLESS").is_some() {
            fs::write(&golden, &said).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            wrong.push(format!("{file} says\n{said}and not\n{expected}"));
        }
        let first = said.lines().next().unwrap();
        let place = first.strip_prefix("tests/broken/").and_then(|rest| rest.split_once(".toml:"));
        let numbers =
            place.map(|(_, rest)| rest.split(':').take(2).map(str::parse).collect::<Vec<Result<u32, _>>>());
        if !numbers.is_some_and(|numbers| numbers.iter().all(Result::is_ok)) {
            wrong.push(format!("{file}: no line and column are in\n{said}"));
        }
        if !said.contains(" | ") || !said.contains('^') || !said.contains("      = ") {
            wrong.push(format!("{file}: a line, a caret or advice is not in\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nHARTWRIGHT_BLESS=1 writes them anew", wrong.join("\n"));
}

#[test]
fn all_messages_are_of_a_file_that_is_there() {
    assert!(names().len() >= 20);
    for golden in fs::read_dir("tests/broken").unwrap().map(|file| file.unwrap().path()) {
        if golden.extension().is_some_and(|extension| extension == "txt") {
            assert!(Path::new(&golden).with_extension("toml").exists(), "{}", golden.display());
        }
    }
}
