//! The rules of the house that no compiler checks.
#![forbid(unsafe_code)]

use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path, process::Command};
use xtask::{cargo, workspace};

/// The crates from the bottom up: each may depend only on those before it. ARCHITECTURE.md's table,
/// once it stands, must list them in this order.
const LAYERS: [&str; 27] = [
    "hartwright-softfp",
    "hartwright-wire",
    "hartwright-objects-derive",
    "hartwright-objects",
    "hartwright-fdt",
    "hartwright-event",
    "hartwright-mem",
    "hartwright-ir",
    "hartwright-isa",
    "hartwright-hart",
    "hartwright-jit",
    "hartwright-exec",
    "hartwright-device",
    "hartwright-sbi",
    "hartwright-semihosting",
    "hartwright-backend",
    "hartwright-block",
    "hartwright-devices",
    "hartwright-virtio",
    "hartwright-loader",
    "hartwright-machine",
    "hartwright-board",
    "hartwright-monitor",
    "hartwright-gdb",
    "hartwright-user",
    "hartwright-emu",
    "hartwright",
];

/// Packages beside the layers, which nothing in the layers may depend on.
const BESIDE: [&str; 3] = ["hartwright-fuzz", "hartwright-tests", "xtask"];

/// Crates that may hold unsafe code, by folder, each with its reason.
const UNSAFE: [(&str, &str); 4] = [
    ("crates/jit", "code that is made at run time is run"),
    ("crates/event", "inherited descriptors"),
    ("crates/mem", "guest memory is shared with harts without locks"),
    ("crates/user", "the guest's system calls are made on the host"),
];

/// A file longer than this is hard to read in one sitting.
const LONGEST: usize = 800;

/// The workspace's packages: for each its dependencies within the workspace, those for tests left out.
fn packages() -> BTreeMap<String, Vec<String>> {
    let metadata = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output().unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let packages = list(&metadata["packages"]);
    let shipped = |dependency: &&Value| dependency["path"].is_string() && dependency["kind"] != "dev";
    packages
        .iter()
        .map(|package| {
            (name(package), list(&package["dependencies"]).iter().filter(shipped).map(name).collect())
        })
        .collect()
}

/// The files that git knows, or would take, by their path from the root.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
}

/// The lines of all text files: path, number, text.
fn lines() -> Vec<(String, usize, String)> {
    let texts = files().into_iter().filter_map(|file| {
        let text = fs::read_to_string(workspace().join(&file)).ok()?;
        Some((file, text))
    });
    let numbered = |(file, text): (String, String)| {
        let lines: Vec<_> = text.lines().map(str::to_owned).enumerate().collect();
        lines.into_iter().map(move |(at, line)| (file.clone(), at + 1, line))
    };
    texts.flat_map(numbered).collect()
}

#[track_caller]
fn nothing_found(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn a_crate_depends_only_on_those_below_it() {
    let level = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let mut found = Vec::new();
    for (package, dependencies) in packages() {
        if BESIDE.contains(&package.as_str()) {
            continue;
        }
        let Some(own) = level(&package) else {
            found.push(format!("{package} is in no layer"));
            continue;
        };
        for dependency in dependencies {
            if level(&dependency).is_none_or(|below| below >= own) {
                found.push(format!("{package} depends on {dependency}"));
            }
        }
    }
    nothing_found("dependencies that go upwards", &found);
}

#[test]
fn the_architecture_s_table_has_the_layers_in_order() {
    let Ok(text) = fs::read_to_string(workspace().join("ARCHITECTURE.md")) else { return };
    // A row of the table of crates: | `name` | what lives there | ...
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|row| row.0));
    let known = |row: &str| LAYERS.into_iter().find(|layer| short(layer) == row || *layer == row);
    let told: Vec<_> = rows.filter_map(known).collect();
    assert_eq!(told, LAYERS, "ARCHITECTURE.md lists the crates otherwise");
}

/// A crate's folder, which is how the architecture calls it.
fn short(layer: &str) -> &str {
    layer.trim_start_matches("hartwright-")
}

#[test]
fn unsafe_code_is_forbidden_but_where_it_has_a_reason() {
    let roots = |file: &String| {
        let parts: Vec<_> = Path::new(file).iter().filter_map(|part| part.to_str()).collect();
        matches!(parts[..], [.., "src", "lib.rs" | "main.rs"])
    };
    let allowed = |file: &str| UNSAFE.iter().any(|(folder, _)| file.starts_with(folder));
    let forbids = |file: &String| {
        let text = fs::read_to_string(workspace().join(file)).unwrap_or_default();
        text.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]")
    };
    let found: Vec<_> =
        files().into_iter().filter(roots).filter(|file| !allowed(file) && !forbids(file)).collect();
    nothing_found("crate roots without #![forbid(unsafe_code)]", &found);
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let mut lengths = BTreeMap::new();
    for (file, number, _) in lines() {
        if file.ends_with(".rs") || file.ends_with(".c") || file.ends_with(".S") {
            lengths.insert(file, number);
        }
    }
    let long = lengths.into_iter().filter(|(_, length)| *length > LONGEST);
    let found: Vec<_> = long.map(|(file, length)| format!("{file}: {length} lines")).collect();
    nothing_found("files that are too long", &found);
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|halves| halves.concat());
    let code = |file: &str| [".rs", ".c", ".h", ".S", ".sh", ".toml"].iter().any(|end| file.ends_with(end));
    let marked = |line: &str| {
        let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.any(|word| marks.iter().any(|mark| mark == word))
    };
    let found = lines().into_iter().filter(|(file, _, line)| code(file) && marked(line));
    let found: Vec<_> =
        found.map(|(file, number, line)| format!("{file}:{number}: {}", line.trim())).collect();
    nothing_found("marks of unfinished work", &found);
}

#[test]
fn no_file_names_a_registry_s_host() {
    // In halves, so that this file does not name them either.
    let hosts = [
        ["deb.deb", "ian.org"],
        ["security.deb", "ian.org"],
        ["ftp.deb", "ian.org"],
        ["snapshot.deb", "ian.org"],
        ["static.crates", ".io"],
        ["index.crates", ".io"],
        ["https://crates", ".io"],
        ["pypi", ".org"],
        ["registry.npmjs", ".org"],
        ["proxy.golang", ".org"],
    ]
    .map(|halves| halves.concat());
    let named = |line: &str| hosts.iter().any(|host| line.contains(host.as_str()));
    let found = lines().into_iter().filter(|(file, _, line)| file != "Cargo.lock" && named(line));
    let found: Vec<_> =
        found.map(|(file, number, line)| format!("{file}:{number}: {}", line.trim())).collect();
    nothing_found("hosts of registries", &found);
}
