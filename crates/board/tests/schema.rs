//! The JSON schema of machine files, asked of Python's `jsonschema`, which `cargo xtask test` installs: it takes what
//! the reader takes, and refuses what is wrong in shape.
#![forbid(unsafe_code)]

use hartwright_board as _;
use hartwright_machine::schema;
use hartwright_objects::Registry;
use std::{fs, process::Command};

/// Of the broken files, those whose mistake is one of shape: an editor underlines it while it is typed.
const SHAPE: [&str; 11] = [
    "bad-size",
    "many",
    "missing-address",
    "missing-tables",
    "property-of-a-new-device",
    "unknown-base",
    "unknown-cpu",
    "unknown-key",
    "unknown-type",
    "value-of-a-new-device",
    "wrong-type",
];

/// Reads a schema and machine files, and prints for each file its first mistake, or nothing.
const PYTHON: &str = r#"
import json, sys, tomllib, warnings
warnings.simplefilter("ignore")
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for file in sys.argv[2:]:
    wrong = [error.message for error in validator.iter_errors(tomllib.load(open(file, "rb")))]
    print(file, "refused" if wrong else "taken")
"#;

#[test]
fn it_takes_what_is_right_and_refuses_what_is_wrong_in_shape() {
    // The user's own may lack what Debian's has.
    let knows = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import jsonschema, tomllib"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(knows) else {
        eprintln!("skipped: there is no Python with jsonschema; `cargo xtask test packages` installs it");
        return;
    };
    let folder = std::env::temp_dir().join(format!("hartwright-schema-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("schema.json");
    fs::write(&path, schema(&Registry::linked().unwrap())).unwrap();
    // What the page teaches, and the built-in machine's text.
    let page = include_str!("../../../docs/machine-files.md");
    let mut files = vec!["tests/param.toml".to_owned()];
    for (number, block) in page.split("```toml\n").skip(1).enumerate() {
        let file = folder.join(format!("{number}.toml"));
        fs::write(&file, block.split("```").next().unwrap()).unwrap();
        files.push(file.display().to_string());
    }
    let right = files.len();
    assert!(right >= 3);
    files.extend(SHAPE.map(|name| format!("tests/broken/{name}.toml")));
    let output = Command::new(python).args(["-c", PYTHON]).arg(&path).args(&files).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), files.len(), "{errors}");
    for (number, line) in said.lines().enumerate() {
        let expected = if number < right { " taken" } else { " refused" };
        assert!(line.ends_with(expected), "{line}, and not{expected}");
    }
    fs::remove_dir_all(folder).unwrap();
}
