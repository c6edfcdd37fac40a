//! gdb itself, on a machine that runs a compiled program.

use crate::{
    start,
    tests::{RAM, machine_with},
};
use hartwright_backend::{Backends, Role, Settings, spec::ChardevSpec};
use hartwright_device::CharPort;
use hartwright_monitor::RunState;
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// Runs a program; nothing if it is not installed, which is said.
fn tool(program: &str, words: &[&OsStr]) -> Option<String> {
    match Command::new(program).args(words).output() {
        Ok(ran) => {
            let said = String::from_utf8_lossy(&ran.stdout).into_owned();
            Some(said + &String::from_utf8_lossy(&ran.stderr))
        }
        Err(_) => {
            println!("skipped: {program} is not installed");
            None
        }
    }
}

/// A folder of its own for a test, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hartwright-gdb-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is the temporary folder's business.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program as ELF, and what is to be in memory.
fn compiled(folder: &Path) -> Option<(PathBuf, Vec<u8>)> {
    let (source, elf, raw) = (folder.join("real.c"), folder.join("real.elf"), folder.join("real.bin"));
    fs::write(&source, include_str!("real.c")).unwrap();
    let words = [
        "-g",
        "-O1",
        "-march=rv64imac_zicsr",
        "-mabi=lp64",
        "-mcmodel=medany",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-ffreestanding",
        "-Wl,--build-id=none",
        "-Wl,-Ttext=0x80000000",
        "-Wl,--section-start=.start=0x80000000",
        "-Wl,-Ttext=0x80000100",
        "-o",
    ];
    let words = words.map(OsStr::new);
    let said = tool("riscv64-linux-gnu-gcc", &[&words[..], &[elf.as_os_str(), source.as_os_str()]].concat())?;
    assert!(elf.exists(), "{said}");
    let binary = [OsStr::new("-O"), OsStr::new("binary"), elf.as_os_str(), raw.as_os_str()];
    tool("riscv64-linux-gnu-objcopy", &binary)?;
    Some((elf, fs::read(raw).unwrap()))
}

/// What gdb says to `commands`, and how the machine is left. Nothing if a tool is missing.
fn debug(name: &str, commands: &[&str]) -> Option<(String, RunState)> {
    let folder = Folder::new(name);
    let (elf, content) = compiled(&folder.0)?;
    let (control, _) = machine_with(&[(RAM, content)]);
    let backends = Backends::start(Settings::default(), |_| ()).unwrap();
    let socket = folder.0.join("socket");
    let opts = format!("socket,id=gdb,path={},server=on,wait=off", socket.display());
    let spec = ChardevSpec::parse(&opts).unwrap();
    backends.add(&spec, &|_| ()).unwrap();
    let port = CharPort::default();
    backends.attach("gdb", port.clone(), Role::Debugger).unwrap();
    start(port, control.clone(), Arc::default()).unwrap();
    let target = format!("target remote {}", socket.display());
    let mut words = vec![OsStr::new("-batch"), OsStr::new("-nx")];
    for command in [&["set pagination off", "set tcp connect-timeout 10", &target], commands].concat() {
        words.extend([OsStr::new("-ex"), OsStr::new(command)]);
    }
    words.push(elf.as_os_str());
    let said = tool("gdb-multiarch", &words)?;
    println!("{said}");
    Some((said, control.state()))
}

#[track_caller]
fn in_order(said: &str, parts: &[&str]) {
    let mut rest = said;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("gdb did not say {part:?} in its place:\n{said}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn gdb_breaks_steps_and_looks() {
    let said = debug(
        "breaks",
        &[
            "info registers pc",
            "info threads",
            "break count",
            "continue",
            "backtrace 2",
            "x/i $pc",
            "print $a0",
            // Or the other hart may be there first.
            "delete",
            "finish",
            "stepi",
            "hbreak handler",
            "continue",
            "info threads",
            "print $mcause",
            "print/x $priv",
            "set $t6 = 0x1234",
            "print/x $t6",
            "set var traps = 40",
            "print traps",
            "delete",
            "thread 1",
            "break count",
            "continue",
            "x/2i 0x80000000",
            "print *(int *) 16",
            "monitor info status",
            "info registers mstatus mhartid",
            "print $ft0",
            "detach",
        ],
    );
    let Some((said, state)) = said else { return };
    in_order(
        &said,
        &[
            "_start () at ",
            "pc             0x80000000\t0x80000000 <_start>",
            "* 1    Thread 1.1 (CPU#0 [running])",
            "  2    Thread 1.2 (CPU#1 [running])",
            "Breakpoint 1 at 0x80000",
            "hit Breakpoint 1, count (hart=",
            "#1 ",
            "in work",
            "=> 0x80000",
            "work (hart=",
            "Hardware assisted breakpoint 2 at 0x80000",
            "hit Breakpoint 2, ",
            "$2 = 11",
            "$3 = 0x3",
            "$4 = 0x1234",
            "$5 = 40",
            "Switching to thread 1",
            "hit Breakpoint 3, count (hart=",
            "auipc\tsp,",
            "mstatus ",
            "mhartid ",
            "detached]",
            // What goes to standard error comes last.
            "Cannot access memory at address 0x10",
            "VM status: paused (debug)",
        ],
    );
    assert_eq!(state, RunState::Running);
}

#[test]
fn gdb_watches_what_each_hart_writes_and_reads() {
    let Some((said, state)) = debug(
        "watches",
        &["watch counter[0]", "continue", "continue", "delete", "rwatch counter[1]", "continue", "kill"],
    ) else {
        return;
    };
    in_order(
        &said,
        &[
            "Hardware watchpoint 1: counter[0]",
            "hit Hardware watchpoint 1: counter[0]",
            "Old value = 0",
            "New value = 1",
            "hit Hardware watchpoint 1: counter[0]",
            "Old value = 1",
            "New value = 2",
            "hit Hardware read watchpoint 2: counter[1]",
            "Value = ",
        ],
    );
    assert_eq!(state, RunState::Debug);
}
