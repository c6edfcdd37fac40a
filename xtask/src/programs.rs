//! The suite `programs`: C programs that were written to try compilers and emulators, on ours beside QEMU 11.
//!
//! A program that QEMU 11 passes and ours does not is a failure; one that QEMU fails too is named and
//! counted apart. What was built, and what QEMU passed, is kept in the guests' cache by the hash of all it
//! depends on.

mod build;
pub mod checked;
mod csmith;
mod judge;
mod tcg;
mod torture;

use crate::{cache::Cache, cargo, debian, guests, peers, target};
use anyhow::{Context, Result, ensure};
use build::{Builder, Built};
use judge::{Emulator, Outcome};
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// One program, from its sources to what it should do.
#[derive(Clone, Debug)]
struct Program {
    name: String,
    sources: Vec<PathBuf>,
    /// The compiler's options, besides those for a static program.
    flags: Vec<String>,
    /// The emulator's options.
    options: Vec<String>,
    expect: Expect,
}

/// What a program does if all is well, besides ending with status 0.
#[derive(Clone, Debug)]
enum Expect {
    /// Nothing besides.
    Success,
    /// It writes this.
    Output(String),
    /// It writes what it writes on QEMU 11.
    PeerOutput,
}

/// Where programs come from.
struct Source {
    name: &'static str,
    programs: fn(&Cache, full: bool) -> Result<Programs>,
}

/// Programs to build and run.
#[derive(Debug, Default)]
struct Programs {
    programs: Vec<Program>,
    /// For people: what of the source is not among them, and why.
    left_out: Vec<String>,
}

const SOURCES: [Source; 3] = [
    Source { name: "c-torture", programs: torture::programs },
    Source { name: "csmith", programs: csmith::programs },
    Source { name: "tests/tcg", programs: tcg::programs },
];

/// What became of one program.
enum Fate {
    /// The compiler's first complaint.
    NotBuilt(String),
    Ran {
        peer: Outcome,
        ours: Outcome,
        peer_passed: bool,
        ours_passed: bool,
    },
}

/// How the suite went: programs that ours passes, programs where it is behind QEMU 11, and a remark.
pub struct Tally {
    /// Programs that ours passes.
    pub passed: usize,
    /// Programs that QEMU 11 passes and ours does not.
    pub behind: usize,
    /// A line about the rest.
    pub note: String,
}

/// Builds and runs every program (`full`: ten times as many) and prints a table.
pub fn run(full: bool) -> Result<Tally> {
    guests::fetch(&["c-torture", "tcg", peers::NAME].map(String::from))?;
    let cache = Cache::of_user()?;
    let peer = Emulator::new(
        peers::script(&cache, "qemu-riscv64"),
        &cache.root().join("peers/usr/bin/qemu-riscv64"),
    )?;
    let ours = ours()?;
    let ours = Emulator::new(ours.clone(), &ours)?;

    let built = built(&cache, full);
    let mut tally = Tally { passed: 0, behind: 0, note: String::new() };
    let (mut remarks, mut counted_apart) = (String::new(), 0);
    print!("{}", Row::head());
    for source in SOURCES {
        let start = Instant::now();
        let Programs { programs, left_out } = (source.programs)(&cache, full).context(source.name)?;
        let builder = Builder::new(&built)?;
        let fates = in_parallel(&programs, |program| fate(&cache, &builder, &peer, &ours, program));
        let fates = fates.into_iter().collect::<Result<Vec<_>>>().context(source.name)?;
        let row = Row::of(&programs, &fates);
        print!("{}", row.show(source.name, start.elapsed()));
        remarks +=
            &left_out.iter().map(|what| format!("{}: left out: {what}\n", source.name)).collect::<String>();
        remarks += &describe(source.name, &programs, &fates, &ours);
        tally.passed += row.ours;
        tally.behind += row.behind;
        counted_apart += row.programs - row.peer;
    }
    println!("\n{remarks}");
    tally.note = format!("behind QEMU 11 on {}; {counted_apart} that QEMU 11 does not pass", tally.behind);
    Ok(tally)
}

/// Where programs are built: two thousand megabytes of them are for `cargo clean`, not for the cache.
fn built(cache: &Cache, full: bool) -> PathBuf {
    if full { target() } else { cache.root().to_owned() }.join("programs/built")
}

/// Our emulator: the release build, or what `$HARTWRIGHT_USER_BIN` names, which may be any other.
fn ours() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("HARTWRIGHT_USER_BIN") {
        return Ok(std::path::absolute(named)?);
    }
    let build = ["build", "--release", "--quiet", "--package", "hartwright-user"];
    ensure!(cargo().args(build).status()?.success(), "hartwright-riscv64 does not build");
    Ok(target().join("release/hartwright-riscv64"))
}

/// Builds `program` and runs it on both.
fn fate(
    cache: &Cache,
    builder: &Builder,
    peer: &Emulator,
    ours: &Emulator,
    program: &Program,
) -> Result<Fate> {
    let built = match builder.build(program)? {
        Ok(built) => built,
        Err(complaint) => return Ok(Fate::NotBuilt(complaint)),
    };
    let (theirs, peer_passed) = peer_outcome(cache, peer, &built, program)?;
    let own = ours.run(&built.path, &program.options)?;
    let ours_passed = own.is_what(&program.expect, &theirs);
    Ok(Fate::Ran { peer: theirs, ours: own, peer_passed, ours_passed })
}

/// How `built` goes on the peer, and whether that is a good run: known from earlier, or asked now.
fn peer_outcome(cache: &Cache, peer: &Emulator, built: &Built, program: &Program) -> Result<(Outcome, bool)> {
    if let Some(outcome) = judge::known(cache, peer, built, &program.options) {
        return Ok((outcome, true));
    }
    let outcome = peer.run(&built.path, &program.options)?;
    let passed = outcome.is_what(&program.expect, &outcome);
    if passed {
        judge::remember(cache, peer, built, &program.options, &outcome)?;
    }
    Ok((outcome, passed))
}

/// One source's row of the table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    programs: usize,
    built: usize,
    peer: usize,
    ours: usize,
    behind: usize,
    ahead: usize,
}

impl Row {
    fn of(programs: &[Program], fates: &[Fate]) -> Row {
        let mut row = Row { programs: programs.len(), ..Row::default() };
        for fate in fates {
            if let Fate::Ran { peer_passed, ours_passed, .. } = *fate {
                row.built += 1;
                row.peer += usize::from(peer_passed);
                row.ours += usize::from(ours_passed);
                row.behind += usize::from(peer_passed && !ours_passed);
                row.ahead += usize::from(ours_passed && !peer_passed);
            }
        }
        row
    }

    fn head() -> String {
        format!(
            "{:10} {:>8} {:>6} {:>9} {:>6} {:>7} {:>6} {:>9}\n",
            "source", "programs", "built", "QEMU 11", "ours", "behind", "ahead", "time"
        )
    }

    fn show(&self, name: &str, time: Duration) -> String {
        let Row { programs, built, peer, ours, behind, ahead } = self;
        let time = time.as_secs_f64();
        format!("{name:10} {programs:8} {built:6} {peer:9} {ours:6} {behind:7} {ahead:6} {time:7.1} s\n")
    }
}

/// Every program that did not simply pass on both, by name, with what it did.
fn describe(source: &str, programs: &[Program], fates: &[Fate], ours: &Emulator) -> String {
    let mut text = String::new();
    for (program, fate) in programs.iter().zip(fates) {
        let name = &program.name;
        match fate {
            Fate::NotBuilt(complaint) => text += &format!("{source}: {name} does not build: {complaint}\n"),
            Fate::Ran { peer_passed: true, ours_passed: true, .. } => {}
            Fate::Ran { peer, peer_passed: false, ours_passed, .. } => {
                let ours = if *ours_passed { "ours passes" } else { "and so does ours" };
                text += &format!("{source}: {name} fails on QEMU 11 ({peer}); {ours}\n");
            }
            Fate::Ran { ours: own, peer, .. } => {
                let again = own.again(ours);
                text += &format!("{source}: {name} is BEHIND: {own}, and on QEMU 11 {peer}\n    {again}\n");
            }
        }
    }
    text
}

/// The folder that the tarball `file` of `guest` is unpacked in.
fn unpacked(cache: &Cache, guest: &str, file: &str) -> Result<PathBuf> {
    let hash = cache.linked(guest, file).with_context(|| format!("run `cargo xtask guests {guest}`"))?;
    let folder = cache.root().join("programs/sources").join(hash);
    if !folder.exists() {
        let scratch = cache.scratch(guest)?;
        debian::untar(&cache.file(guest, file)?, &scratch)?;
        fs::create_dir_all(folder.parent().unwrap_or(cache.root()))?;
        fs::rename(&scratch, &folder)?;
    }
    Ok(folder)
}

/// What `work` makes of each item, as many at a time as the host has processors.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(at)
        {
            done.push((at, work(item)));
        }
        done
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    assert_eq!(done.len(), items.len(), "a worker panicked");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(peer_passed: bool, ours_passed: bool) -> Fate {
        let outcome = || Outcome { ended: "exit 0".into(), ..Outcome::default() };
        Fate::Ran { peer: outcome(), ours: outcome(), peer_passed, ours_passed }
    }

    #[test]
    fn only_what_qemu_passes_can_put_ours_behind() {
        let fates = [
            ran(true, true),
            ran(true, false),
            ran(false, true),
            ran(false, false),
            Fate::NotBuilt("no".into()),
        ];
        let program = Program {
            name: "p".into(),
            sources: Vec::new(),
            flags: Vec::new(),
            options: Vec::new(),
            expect: Expect::Success,
        };
        let row = Row::of(&vec![program; 5], &fates);
        assert_eq!(row, Row { programs: 5, built: 4, peer: 2, ours: 2, behind: 1, ahead: 1 });
    }

    #[test]
    fn parallel_work_comes_back_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(
            in_parallel(&items, |item| item * 2),
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
    }
}
