//! Every row is tested by what it says itself.

use super::*;
use crate::{Program, parse};

fn read(words: &[&str]) -> Result<Asked, String> {
    let program = Program::new(Some("P"));
    parse(&program, words.iter().map(Into::into)).map_err(|outcome| match outcome {
        Outcome::Fail(failure) => failure.text(&program),
        Outcome::Print { text, .. } => format!("printed: {text}"),
    })
}

#[test]
fn every_flag_takes_what_it_says_it_takes() {
    for flag in all_flags() {
        for name in flag.names {
            for dash in ["-", "--"] {
                let word = format!("{dash}{name}");
                for argument in flag.accepts {
                    let said = read(&[&word, argument]);
                    assert!(said.is_ok(), "{word} {argument}: {said:?}");
                }
                match flag.form {
                    "" if !["help", "h", "version"].contains(name) => drop(read(&[&word]).unwrap()),
                    "" => assert!(read(&[&word]).unwrap_err().starts_with("printed: ")),
                    _ => {
                        let said = read(&[&word]).unwrap_err();
                        assert_eq!(said, format!("P: {word}: requires an argument\n"));
                    }
                }
            }
        }
    }
}

#[test]
fn every_flag_refuses_what_it_says_it_refuses() {
    for flag in all_flags() {
        for (argument, expect) in flag.refuses {
            let said = read(&[&format!("-{}", flag.names[0]), argument]);
            assert_eq!(said.unwrap_err(), format!("P: {expect}\n"));
        }
    }
}

#[test]
fn every_flag_with_an_argument_has_one_that_is_tried() {
    for flag in all_flags().filter(|flag| !flag.form.is_empty()) {
        assert!(!flag.accepts.is_empty() || !flag.refuses.is_empty(), "-{}", flag.names[0]);
    }
}

#[test]
fn every_example_can_be_read() {
    for flag in all_flags() {
        for (line, _) in flag.examples {
            let words: Vec<&str> = line.split(" >").next().unwrap().split_whitespace().collect();
            if let Err(said) = read(&words) {
                assert!(said.starts_with("printed: "), "{line}: {said}");
            }
        }
    }
}

#[test]
fn no_name_is_two_flags() {
    let mut names: Vec<&str> = all_flags().flat_map(|flag| flag.names.iter().copied()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn help_values_print_and_end_well() {
    for words in [
        ["-machine", "help"],
        ["-M", "?"],
        ["-cpu", "help"],
        ["-accel", "help"],
        ["-device", "help"],
        ["-device", "loader,help"],
        ["-chardev", "help"],
        ["-object", "help"],
        ["-smp", "help"],
        ["-display", "help"],
        ["-trace", "help"],
        ["-d", "trace:help"],
    ] {
        let said = read(&words).unwrap_err();
        assert!(said.starts_with("printed: ") && said.ends_with('\n'), "{words:?}: {said}");
    }
}

#[test]
fn an_unknown_log_item_prints_the_items_and_fails() {
    let program = Program::new(None);
    for (word, expect) in [("foo", 1), ("help", 0)] {
        let outcome = parse(&program, ["-d", word].map(Into::into)).unwrap_err();
        let Outcome::Print { text, code } = outcome else { panic!("{outcome:?}") };
        assert_eq!(code, expect);
        assert!(text.starts_with("Log items (comma separated):\n"));
    }
}
