//! `cargo xtask litmus`: makes `tests/litmus.txt` anew, litmus tests by `diy7` with what `herd7` says they may end in.
//!
//! The tools are of Debian's unstable suite (package herdtools7), unpacked beside the libraries they want, as QEMU 11
//! is. What they write is data of ours; nobody needs them to run the tests.

use crate::{
    cache::Cache,
    debian::{self, Archive},
    workspace,
};
use anyhow::{Context, Result, anyhow, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A kind of tests: what `diy7` is asked for.
struct Family {
    name: &'static str,
    /// Edges that cycles are made of.
    edges: &'static str,
    /// How long a cycle may be, and how many threads there are at most.
    size: &'static str,
    threads: &'static str,
    /// What else.
    more: &'static [&'static str],
    /// Whether each exchange, a loop around `lr` and `sc`, is made one AMO.
    amo: bool,
}

const MIXED: &str = "Rfe,Fre,Coe,PodWRXX,RfeXX,FreXX,CoeXX,PodWWPX,PodWWXP,PodRRXP,PodRRPX,CoePX,CoeXP,FreXP,FrePX,\
                     RfePX,RfeXP";
const ORDERED: &str = "RfeXPRlXAqP,RfeXPRlP,RfePXAqP,FreXAqPXPRl,FreXAqPP,Fre,PodWWXPRlXPRl,PodWWPXPRl,\
                       PodRRXAqPXAqP,PodRRXAqPP,PodRWXAqPXPRl,PodWRXPRlXAqP";
const EXCHANGES: &str =
    "Rfe,RfeXP,RfePX,RfeXX,Fre,FrePX,FreXX,PodWRXX,PodWRPX,PodWRXP,PodRRXX,PodWWXX,PodRWXX";
/// An exchange that failed is no reason to try again: herd7 would follow every number of attempts.
const ONCE: &[&str] = &["-ua", "1"];
const JUST: &[&str] = &["-eprocs"];

#[rustfmt::skip]
const FAMILIES: &[Family] = &[
    Family { name: "fences", size: "4", threads: "2", more: &[], amo: false,
        edges: "Rfe,Fre,Coe,PodWR,PodWW,PodRR,PodRW,Fence.rw.rwdWR,Fence.rw.rwdRR,Fence.rw.rwdWW,Fence.rw.rwdRW,Fence.tsodWR" },
    Family { name: "weaker", size: "4", threads: "2", more: &[], amo: false,
        edges: "Rfe,Fre,Coe,Fence.w.wdWW,Fence.r.rdRR,Fence.r.rwdRW,Fence.tsodRW,Fence.tsodRR,Fence.tsodWW,Fence.rw.wdRW" },
    Family { name: "dependencies", size: "4", threads: "2", more: &[], amo: false,
        edges: "Rfe,Fre,Coe,PodWW,Fence.w.wdWW,DpAddrdR,DpAddrdW,DpDatadW,DpCtrldW,DpCtrldR,DpCtrlFenceIdR,Fence.r.rdRR" },
    Family { name: "own", size: "5", threads: "2", more: &[], amo: false,
        edges: "Rfe,Fre,Coe,Rfi,Coi,Fri,PodWR,PodRR,PodWW,PosRR,PosWW" },
    Family { name: "lrsc", size: "4", threads: "2", more: ONCE, amo: false, edges: EXCHANGES },
    Family { name: "lrsc-mixed", size: "4", threads: "2", more: ONCE, amo: false, edges: MIXED },
    Family { name: "lrsc-ordered", size: "4", threads: "2", more: ONCE, amo: false, edges: ORDERED },
    Family { name: "amo", size: "4", threads: "2", more: &[], amo: true, edges: EXCHANGES },
    Family { name: "amo-mixed", size: "4", threads: "2", more: &[], amo: true, edges: MIXED },
    Family { name: "amo-ordered", size: "4", threads: "2", more: &[], amo: true, edges: ORDERED },
    Family { name: "three", size: "6", threads: "3", more: JUST, amo: false,
        edges: "Rfe,Fre,Coe,PodWR,PodRR,PodRW,PodWW,Fence.rw.rwdWR,Fence.rw.rwdRR" },
    Family { name: "four", size: "8", threads: "4", more: JUST, amo: false,
        edges: "Rfe,Fre,Fence.rw.rwdWR,PodRR,Fence.r.rdRR,DpAddrdR" },
];

/// The file that the tests are kept in.
pub fn file() -> PathBuf {
    workspace().join("tests/litmus.txt")
}

/// What the file should hold.
pub fn generate() -> Result<String> {
    let tools = Tools::fetch(&Cache::of_user()?)?;
    let scratch = Cache::of_user()?.scratch("litmus")?;
    let (mut known, mut tests) = (BTreeSet::new(), BTreeMap::new());
    for family in FAMILIES {
        let folder = scratch.join(family.name);
        fs::create_dir_all(&folder)?;
        let mut diy = tools.start("diy7");
        diy.args(["-arch", "RISCV", "-safe", family.edges, "-size", family.size, "-nprocs", family.threads]);
        run(diy.args(family.more).arg("-o").arg(&folder))?;
        for path in fs::read_dir(&folder)?.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "litmus") {
                let test = plain(&fs::read_to_string(&path)?, family)?;
                tests.insert(test.name.clone(), test);
            }
        }
    }
    // The same cycle may be in several families; the first name has it.
    tests.retain(|_, test| known.insert(test.text.split_once('\n').map(|(_, rest)| rest.to_owned())));
    let mut files = vec![];
    for test in tests.values() {
        let path = scratch.join(format!("{}.litmus", test.name));
        fs::write(&path, &test.text)?;
        files.push(path);
    }
    let mut herd = tools.start("herd7");
    let judged = run(herd.args(&files))?;
    let mut text = String::new();
    for test in tests.values() {
        let states = states(&judged, &test.name)?;
        text += &format!("{}{states}\n", test.text);
    }
    fs::remove_dir_all(&scratch)?;
    Ok(text)
}

/// One test: its name, and its text with that name and without remarks.
struct Test {
    name: String,
    text: String,
}

fn plain(text: &str, family: &Family) -> Result<Test> {
    let own = text.lines().next().and_then(|line| line.strip_prefix("RISCV ")).context("no litmus test")?;
    let name = format!("{}-{own}", family.name);
    let remark = |line: &&str| line.starts_with(|c: char| c.is_ascii_uppercase()) && line.contains('=');
    let kept: Vec<_> = text.lines().skip(1).filter(|line| !remark(line) && !line.is_empty()).collect();
    let mut body = kept.join("\n") + "\n";
    if family.amo {
        body = exchanges_as_amos(&body)?;
    }
    Ok(Test { text: format!("RISCV {name}\n{body}"), name })
}

/// Makes one AMO of each loop around `lr` and `sc`: `amoor` with nothing where it writes what it read.
fn exchanges_as_amos(text: &str) -> Result<String> {
    let mut out = String::new();
    let mut columns: Vec<Vec<String>> = vec![];
    for line in text.lines() {
        if let Some(cells) = line.strip_prefix(' ').and_then(|line| line.strip_suffix(';')) {
            columns.resize(cells.split('|').count(), vec![]);
            let cells = cells.split('|').map(|cell| cell.trim().to_owned());
            columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
            continue;
        }
        if !columns.is_empty() {
            let threads = columns.drain(..).map(|cells| one_column(&cells)).collect::<Result<Vec<_>>>()?;
            for row in 0..threads.iter().map(Vec::len).max().unwrap_or(0) {
                let cells = threads.iter().map(|cells| cells.get(row).map_or("", String::as_str));
                out += &format!(" {} ;\n", cells.collect::<Vec<_>>().join(" | "));
            }
        }
        out += line;
        out += "\n";
    }
    Ok(out)
}

fn one_column(cells: &[String]) -> Result<Vec<String>> {
    let (mut out, mut cells) = (vec![], cells.iter().filter(|cell| !cell.is_empty()));
    while let Some(cell) = cells.next() {
        if !cell.ends_with(':') {
            out.push(cell.clone());
            continue;
        }
        let mut next = || cells.next().and_then(|cell| cell.split_once(' ')).context("a loop is cut off");
        let ((lr, read), (sc, written), (branch, _)) = (next()?, next()?, next()?);
        let order = (lr.strip_prefix("lr.w"), sc.strip_prefix("sc.w"));
        let (Some(acquire), Some(release)) = order else {
            return Err(anyhow!("{lr} and {sc} are no exchange"));
        };
        ensure!(branch == "bne", "{branch} ends no exchange");
        let (to, _) = read.split_once(',').context("lr has two operands")?;
        let from: Vec<_> = written.split(',').collect();
        let (operation, value) = if from[1] == to { ("amoor", "x0") } else { ("amoswap", from[1]) };
        let order = match (acquire, release) {
            ("", "") => "",
            (".aq", "") => ".aq",
            ("", ".rl") => ".rl",
            _ => ".aq.rl",
        };
        out.push(format!("{operation}.w{order} {to},{value},{}", from[2].trim_start_matches('0')));
    }
    Ok(out)
}

/// What herd7 says that the test `name` may end in.
fn states(judged: &str, name: &str) -> Result<String> {
    let mut lines = judged.lines().skip_while(|line| *line != format!("Test {name} Allowed")).skip(1);
    let head = lines.next().with_context(|| format!("herd7 says nothing of {name}"))?;
    let count: usize = head.strip_prefix("States ").and_then(|n| n.parse().ok()).context("no states")?;
    Ok([head].into_iter().chain(lines.take(count)).map(|line| format!("{}\n", line.trim())).collect())
}

/// The tools, unpacked.
struct Tools {
    root: PathBuf,
}

impl Tools {
    /// Brings them into the cache, unless they are there.
    fn fetch(cache: &Cache) -> Result<Tools> {
        let root = cache.root().join("herdtools7");
        if !root.is_dir() {
            let archive = Archive::open(cache, "sid", "amd64")?;
            let scratch = cache.scratch("herdtools7")?;
            for deb in archive.download_closure(&["herdtools7"])? {
                debian::unpack(&deb, &["*"], &scratch).with_context(|| deb.display().to_string())?;
            }
            archive.clean()?;
            trim(&scratch)?;
            fs::rename(&scratch, &root)?;
        }
        Ok(Tools { root })
    }

    fn start(&self, program: &str) -> Command {
        let libraries = self.root.join("usr/lib/x86_64-linux-gnu");
        let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
        command.arg("--argv0").arg(program).arg("--library-path").arg(&libraries);
        command.arg(self.root.join("usr/bin").join(program));
        if program == "herd7" {
            command.arg("-set-libdir").arg(self.root.join("usr/share/herdtools7/herd"));
        }
        command
    }
}

/// Of the package's programs, a quarter of a gigabyte, two are used.
fn trim(root: &Path) -> Result<()> {
    for program in fs::read_dir(root.join("usr/bin"))? {
        let program = program?;
        if !["diy7", "herd7"].iter().any(|used| program.file_name() == *used) {
            fs::remove_file(program.path())?;
        }
    }
    Ok(())
}

/// Runs a tool for what it prints.
fn run(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("{:?}", command.get_program()))?;
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{:?} failed: {errors}", command.get_args().nth(3).unwrap_or_default());
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_becomes_one_amo_with_its_order() {
        let column = |text: &str| {
            let cells: Vec<_> = text.split('\n').map(str::to_owned).collect();
            one_column(&cells).unwrap().join("\n")
        };
        assert_eq!(
            column("sw x5,0(x6)\nL0:\nlr.w.aq x9,0(x7)\nsc.w.rl x10,x8,0(x7)\nbne x10,x0,L0"),
            "sw x5,0(x6)\namoswap.w.aq.rl x9,x8,(x7)"
        );
        assert_eq!(column("L0:\nlr.w x6,0(x5)\nsc.w x7,x6,0(x5)\nbne x7,x0,L0\n"), "amoor.w x6,x0,(x5)");
    }

    #[test]
    fn states_are_found_by_the_tests_name() {
        let judged = "Test a Allowed\nStates 1\n1:x5=0;\nOk\nTest b Allowed\nStates 2\n[x]=1;\n[x]=2;\nNo\n";
        assert_eq!(states(judged, "b").unwrap(), "States 2\n[x]=1;\n[x]=2;\n");
        assert!(states(judged, "c").is_err());
    }
}
