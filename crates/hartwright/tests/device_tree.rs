//! The device tree of `virt` beside those of QEMU 7.2 and 11, node by node and property by property.
//!
//! References are compared by what they refer to, not by number. What differs on purpose is in [`DIFFERENCES`]; a row
//! of it that no command line needs fails the test. A QEMU that is not installed is left out.

#![forbid(unsafe_code)]

use hartwright_fdt::{Node, Read, parse};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::{Command, Stdio},
};

const OURS: &str = env!("CARGO_BIN_EXE_hartwright");

/// Which QEMU a difference is to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    Seven,
    Eleven,
    Both,
}
use To::{Both, Eleven, Seven};

/// To whom, where (`*` stands for anything), which property (empty: the whole node), why.
const DIFFERENCES: &[(To, &str, &str, &str)] = &[
    (Both, "/chosen", "rng-seed", "random"),
    (Both, "/soc/pci@30000000", "", "PCI is not there yet"),
    (Both, "/cpus/cpu@*", "riscv,isa", "ours names what we have: `what_harts_can_do` compares"),
    (Eleven, "/cpus/cpu@*", "riscv,isa-extensions", "likewise"),
    (Seven, "/cpus/cpu@*", "riscv,isa-extensions", "the newer binding of the same, which 11 has too"),
    (Seven, "/cpus/cpu@*", "riscv,isa-base", "likewise"),
    (Seven, "/cpus/cpu@*", "riscv,cbo?-block-size", "7.2 has Zicbom and Zicboz off by default, 11 has them"),
    (Seven, "/cpus/cpu@*", "mmu-type", "Sv57, as 11 has it"),
    (Seven, "/pmu", "riscv,event-to-mhpmcounters", "7.2 adds a row of zeros, which 11 does not"),
    (Seven, "/aliases", "", "the console's alias, which 11 has too"),
    (Eleven, "/soc/plic@*", "", "the node's name in 7.2; 11 calls it interrupt-controller"),
    (Eleven, "/soc/interrupt-controller@*", "", "likewise"),
    (Eleven, "/soc/mtimer@*", "", "11 names it by its first address that `reg` has, 7.2 by its lowest"),
    (Eleven, "*", "interrupt-parent", "refers to the interrupt controller by its other name"),
];

/// Command lines of a machine and whom to ask; `@` is where the machine's properties go. QEMU 7.2 does not survive more
/// than two nodes, nor two of different sizes.
const LINES: &[(To, &str)] = &[
    (Both, "-machine virt@"),
    (Both, "-machine virt@ -smp 4 -m 512M"),
    (Both, "-machine virt@ -smp 8,sockets=2,cores=2,threads=2 -m 4G"),
    (Both, "-machine virt,aclint=on@ -smp 2 -m 3G"),
    (
        Both,
        "-machine virt@ -smp 4 -m 1G -object memory-backend-ram,id=a,size=768M \
         -object memory-backend-ram,id=b,size=256M -numa node,memdev=a,cpus=0-1 -numa node,memdev=b,cpus=2-3 \
         -numa dist,src=0,dst=1,val=20",
    ),
    (Both, "-machine virt,aclint=on@ -smp 4,sockets=2 -m 6G -numa node,mem=4G -numa node,mem=2G"),
    (Eleven, "-machine virt@ -smp 5 -m 512M -numa node,mem=128M,cpus=0-2 -numa node,mem=384M,cpus=3-4"),
    (Eleven, "-machine virt@ -smp 7 -m 512M -numa node,mem=128M -numa node,mem=128M -numa node,mem=256M"),
    (Both, "-machine virt,memory-backend=ram@ -object memory-backend-memfd,id=ram,size=192M"),
];

fn newer_qemu() -> String {
    std::env::var("HOME").unwrap_or_default() + "/.cache/hartwright/bin/qemu-system-riscv64-11"
}

/// The device tree that `program` tells, or nothing where there is no such program.
fn dump(program: &str, line: &str, name: &str) -> Option<Vec<u8>> {
    let file: PathBuf = std::env::temp_dir().join(format!("hartwright-{}-{name}.dtb", std::process::id()));
    let line = line.replace('@', &format!(",dumpdtb={}", file.display()));
    let words = line.split_whitespace().chain(["-display", "none"]);
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().ok()?;
    let blob = std::fs::read(&file);
    let blob =
        blob.unwrap_or_else(|why| panic!("{why}: {line}: {}", String::from_utf8_lossy(&output.stderr)));
    std::fs::remove_file(&file).unwrap();
    Some(blob)
}

type Properties = BTreeMap<String, String>;

/// Nodes by path, their properties as text.
fn nodes(blob: &[u8]) -> BTreeMap<String, Properties> {
    let tree = parse(blob).unwrap();
    let mut paths = BTreeMap::new();
    walk(&tree.root, "", &mut |path, node| {
        paths.extend(node.read_u32("phandle").map(|phandle| (phandle, path.to_owned())));
    });
    let mut nodes = BTreeMap::new();
    walk(&tree.root, "", &mut |path, node| {
        let property = |name: String| {
            let value = value(node, &name, &paths);
            (name, value)
        };
        nodes.insert(path.to_owned(), node.property_names().into_iter().map(property).collect());
    });
    nodes
}

fn walk(node: &Node, path: &str, see: &mut impl FnMut(&str, &Node)) {
    see(if path.is_empty() { "/" } else { path }, node);
    for child in node.nodes() {
        walk(child, &format!("{path}/{}", child.label()), see);
    }
}

fn value(node: &Node, name: &str, paths: &BTreeMap<u32, String>) -> String {
    let cells = || node.read_cells(name).unwrap_or_default();
    let path = |phandle: &u32| paths.get(phandle).cloned().unwrap_or(format!("dangling {phandle}"));
    match name {
        "phandle" => "one".into(),
        "interrupt-parent" | "regmap" | "cpu" => cells().iter().map(path).collect(),
        "interrupts-extended" => {
            cells().chunks(2).map(|pair| format!("{} {:?}, ", path(&pair[0]), &pair[1..])).collect()
        }
        _ => format!("{:?}", node.read_bytes(name).unwrap_or_default()),
    }
}

/// Whether `text` is as `pattern` says, in which `*` stands for anything and `?` for one character.
fn is_like(pattern: &str, text: &str) -> bool {
    match (pattern.split_at_checked(1), text.split_at_checked(1)) {
        (None, None) => true,
        (Some(("*", rest)), None) => is_like(rest, text),
        (Some(("*", rest)), Some((_, tail))) => is_like(rest, text) || is_like(pattern, tail),
        (Some((p, rest)), Some((t, tail))) => (p == "?" || p == t) && is_like(rest, tail),
        _ => false,
    }
}

/// Compares ours with theirs; gives the rows of [`DIFFERENCES`] that it needed.
fn compare(line: &str, to: To, ours: &[u8], theirs: &[u8]) -> BTreeSet<usize> {
    let (ours, theirs) = (nodes(ours), nodes(theirs));
    let (mut needed, mut wrong) = (BTreeSet::new(), vec![]);
    let mut differ = |path: &str, property: &str, how: String| {
        let row = DIFFERENCES.iter().position(|row| {
            (row.0 == to || row.0 == Both)
                && is_like(row.1, path)
                && (row.2.is_empty() || is_like(row.2, property) && !property.is_empty())
        });
        match row {
            Some(row) => drop(needed.insert(row)),
            None => wrong.push(format!("{path} {property}: {how}")),
        }
    };
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for path in paths {
        match (ours.get(path), theirs.get(path)) {
            (Some(ours), Some(theirs)) => {
                let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
                for name in names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name)) {
                    differ(path, name, format!("ours {:?}, theirs {:?}", ours.get(name), theirs.get(name)));
                }
            }
            (ours, _) => {
                let who = if ours.is_some() { "we" } else { "they" };
                differ(path, "", format!("only {who} have it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{line}, {to:?}:\n{}", wrong.join("\n"));
    needed
}

#[test]
fn the_tree_says_what_qemus_says() {
    let mut needed = BTreeSet::new();
    let mut there = vec![];
    for (number, (whom, line)) in LINES.iter().enumerate() {
        let ours = dump(OURS, line, &format!("ours{number}")).unwrap();
        for (to, program) in [(Seven, "qemu-system-riscv64".to_owned()), (Eleven, newer_qemu())] {
            if *whom != Both && *whom != to {
                continue;
            }
            let Some(theirs) = dump(&program, line, &format!("{to:?}{number}")) else { continue };
            there.push(to);
            needed.extend(compare(line, to, &ours, &theirs));
        }
    }
    for (row, difference) in DIFFERENCES.iter().enumerate() {
        let asked = there.iter().any(|to| difference.0 == Both || difference.0 == *to);
        assert!(!asked || needed.contains(&row), "there is no such difference: {difference:?}");
    }
}

/// A guest numbers disks as it finds them, and both fill the last slot first.
#[test]
fn the_slots_of_virtio_stand_in_qemus_order() {
    let slots = |program: &str, name: &str| {
        let mut slots = vec![];
        walk(&parse(&dump(program, "-machine virt@", name)?).unwrap().root, "", &mut |path, _| {
            slots.extend(path.strip_prefix("/soc/virtio_mmio@").map(str::to_owned));
        });
        Some(slots)
    };
    let ours = slots(OURS, "slots").unwrap();
    assert_eq!(ours.len(), 8);
    assert!(ours.is_sorted_by(|a, b| a > b), "{ours:?}");
    for (program, name) in [("qemu-system-riscv64", "slots-7"), (&*newer_qemu(), "slots-11")] {
        assert_eq!(slots(program, name).unwrap_or_else(|| ours.clone()), ours, "{program}");
    }
}

/// What 11's `rv64` has and ours has not: the hypervisor extension, and names of what any hart of such a profile does.
const ABSENT: &[&str] = &["h", "shcounterenw", "shgatpa", "shtvala", "shvsatpa", "shvstvala", "shvstvecd"];

#[test]
fn what_harts_can_do() {
    let extensions = |blob: &[u8]| {
        let tree = parse(blob).unwrap();
        let node = tree.find_node("/cpus/cpu@0").unwrap();
        let isa = node.read_str("riscv,isa").unwrap().trim_start_matches("rv64").to_owned();
        let (letters, rest) = isa.split_once('_').unwrap_or((&isa, ""));
        let letters: BTreeSet<String> = letters.chars().map(String::from).collect();
        let named = rest.split('_').map(str::to_owned);
        letters.into_iter().chain(named).filter(|name| !name.is_empty()).collect::<BTreeSet<String>>()
    };
    for options in ["rv64,h=off", "rv64"] {
        let line = format!("-machine virt@ -cpu {options}");
        let ours =
            extensions(&dump(OURS, "-machine virt@ -cpu rv64", &format!("isa{}", options.len())).unwrap());
        for (to, program) in [(Seven, "qemu-system-riscv64".to_owned()), (Eleven, newer_qemu())] {
            let Some(theirs) = dump(&program, &line, &format!("isa{to:?}{}", options.len())) else {
                continue;
            };
            let theirs = extensions(&theirs);
            let lacking: Vec<&String> = theirs.difference(&ours).collect();
            assert!(
                lacking.iter().all(|name| ABSENT.contains(&name.as_str())),
                "{to:?} {options}: {lacking:?}"
            );
            if to == Eleven {
                let more: Vec<&String> = ours.difference(&theirs).collect();
                assert!(more.is_empty(), "{options}: {more:?}");
            }
        }
    }
}
