//! The programs that emulators are measured by, tiny: each says on both engines what its source says on this host.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Scratch, guest, peer};
use std::{path::Path, process::Command, thread};
use xtask::{
    bench::workload::{WORKLOADS, Way, Workload},
    initramfs::{self, Entry, Kind},
};

/// Options for each engine that this host has.
fn engines() -> Vec<&'static [&'static str]> {
    match (peer(), cfg!(target_arch = "x86_64")) {
        (Some(_), _) => vec![&[]],
        (None, true) => vec![&["-accel", "interp"], &["-accel", "jit"]],
        (None, false) => vec![&["-accel", "interp"]],
    }
}

fn on(engine: &[&str]) -> Launch {
    engine.iter().fold(Launch::machine(), Launch::argument)
}

/// Every program that can be built this way: its name, what it must say, and the program. None without compilers.
fn built(way: Way, folder: &Path) -> Vec<(&'static str, String, Vec<u8>)> {
    if ["gcc", "riscv64-linux-gnu-gcc"].iter().any(|gcc| Command::new(gcc).arg("--version").output().is_err())
    {
        eprintln!("skipped: gcc or gcc-riscv64-linux-gnu is not installed");
        return Vec::new();
    }
    let build = |workload: &Workload| {
        let result = workload.result(true, folder).unwrap_or_else(|error| panic!("{error:#}"));
        let program = workload.build(way, true, folder).unwrap_or_else(|error| panic!("{error:#}"));
        (workload.name, result, std::fs::read(program).expect("it was just built"))
    };
    // What must be fetched is for who measures.
    let wanted: Vec<_> =
        WORKLOADS.iter().filter(|workload| workload.runs(way) && !workload.is_fetched()).collect();
    let halves = wanted.split_at(wanted.len() / 2);
    thread::scope(|scope| {
        let first = scope.spawn(|| halves.0.iter().map(|workload| build(workload)).collect::<Vec<_>>());
        let second: Vec<_> = halves.1.iter().map(|workload| build(workload)).collect();
        [first.join().expect("its programs build"), second].concat()
    })
}

#[test]
fn each_program_says_on_a_bare_machine_what_it_says_on_this_host() {
    let folder = Scratch::default();
    for (name, result, program) in built(Way::Bare, &folder.path("programs")) {
        let program = folder.file(name, program);
        for engine in engines() {
            let ended = on(engine).option("-bios", "none").kernel(&program).run();
            assert_eq!((ended.code, ended.output.trim()), (Some(0), result.as_str()), "{name} {engine:?}");
        }
    }
}

#[test]
fn each_program_says_under_linux_what_it_says_on_this_host() {
    let folder = Scratch::default();
    let programs = built(Way::Linux, &folder.path("programs"));
    if programs.is_empty() {
        return;
    }
    let entry = |(name, _, program): &(&str, String, Vec<u8>)| {
        Entry::new(&format!("bench/{name}"), Kind::Program, program)
    };
    let entries: Vec<_> = programs.iter().map(entry).collect();
    let busybox = std::fs::read(guest("busybox", "busybox")).expect("it was fetched");
    let initrd = initramfs::for_programs(&busybox, &entries).expect("the parts are there");
    let initrd = folder.file("initrd.gz", initrd);
    // Booting is most of it, and the interpreter boots Linux in many another test.
    let engine = engines().pop().unwrap_or_default();
    let mut machine =
        on(engine).memory("512M").kernel(guest("linux", "vmlinux")).initrd(&initrd).append("quiet").start();
    machine.expect(initramfs::MARKER);
    for (name, result, _) in &programs {
        let said = machine.send(&format!("/bench/{name}\r")).expect_before(initramfs::ENDED);
        assert!(said.contains(result), "{name}: no {result} in {said}");
        machine.expect(" 0");
    }
}
