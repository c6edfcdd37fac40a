//! Bare programs that call the host: each call, well and badly, beside both QEMUs; a C library that nobody here wrote;
//! a debugger whose files they use.
//!
//! On purpose, other than QEMU: a file opened to append is appended to (QEMU writes at its beginning); a result that
//! the guest's memory does not take is an error (QEMU drops it and says that all is well); a buffer that is too small
//! for `SYS_TMPNAM` is `ERANGE` (QEMU leaves the last error); an operation that is none returns -1 with `ENOSYS` (QEMU
//! aborts); without a chardev `SYS_READC` reads standard input (QEMU waits for ever); of several
//! `-semihosting-config`, each `arg=` counts once (QEMU: the first one's twice). With `target=auto` files are a debugger's
//! while one is attached, as QEMU's manual has it (QEMU decides before anybody can be).
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Scratch, seconds};
use std::{
    ffi::OsStr,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use xtask::{cache::Cache, workspace};

/// A width: what a QEMU of it is called, how the program is built, and who we are.
struct Width {
    target: &'static str,
    march: &'static str,
    mabi: &'static str,
    hosted: (&'static str, &'static str),
}

const WIDTHS: [Width; 2] = [
    Width { target: "riscv64", march: "rv64imac_zicsr", mabi: "lp64", hosted: ("rv64imafdc", "lp64d") },
    Width { target: "riscv32", march: "rv32imac_zicsr", mabi: "ilp32", hosted: ("rv32imac", "ilp32") },
];

impl Width {
    fn ours(&self) -> Launch {
        Launch::program().called(&format!("hartwright-system-{}", self.target)).option("-machine", "param")
    }

    /// Each QEMU that is installed, and whether it is the older one.
    fn peers(&self) -> Vec<(Launch, bool)> {
        let newer =
            Cache::of_user().map(|cache| cache.root().join(format!("bin/qemu-system-{}-11", self.target)));
        let older = Some(PathBuf::from(format!("qemu-system-{}", self.target)));
        let there = |program: &PathBuf| Command::new(program).arg("--version").output().is_ok();
        let all = [(older, true), (newer.ok(), false)];
        all.into_iter()
            .filter_map(|(program, older)| Some((program.filter(there)?, older)))
            .map(|(program, older)| (Launch::of(program).option("-machine", "virt"), older))
            .collect()
    }

    /// The program that makes every call; `None` without a cross compiler.
    #[track_caller]
    fn calls(&self, scratch: &Scratch) -> Option<PathBuf> {
        let program = scratch.path(&format!("calls-{}", self.target));
        let build = workspace().join("guest/semihosting/build.sh");
        let words = [build.as_os_str(), program.as_os_str(), OsStr::new(self.march), OsStr::new(self.mabi)];
        compiled("riscv64-linux-gnu-gcc", Command::new("sh").args(words)).then_some(program)
    }

    /// The program of ISO C with picolibc; `None` without that.
    #[track_caller]
    fn hosted(&self, scratch: &Scratch) -> Option<PathBuf> {
        let program = scratch.path(&format!("hosted-{}", self.target));
        let (march, mabi) = self.hosted;
        let mut gcc = Command::new("riscv64-unknown-elf-gcc");
        gcc.args(["--specs=picolibc.specs", "--oslib=semihost", "--crt0=semihost", "-mcmodel=medany", "-O2"]);
        gcc.args([format!("-march={march}"), format!("-mabi={mabi}")]);
        // picolibc's linker script for a part with flash and RAM, both of which are RAM here.
        gcc.arg("-Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=0x400000");
        gcc.arg("-Wl,--defsym=__ram=0x80400000,--defsym=__ram_size=0x400000,--no-warn-rwx-segments");
        gcc.arg("-o").arg(&program).arg(workspace().join("guest/semihosting/hosted.c"));
        let there = Path::new("/usr/lib/picolibc/riscv64-unknown-elf").exists();
        if !there {
            eprintln!("skipped: picolibc-riscv64-unknown-elf is not installed");
            return None;
        }
        compiled("riscv64-unknown-elf-gcc", &mut gcc).then_some(program)
    }
}

/// Runs a build; `false` if its compiler is not installed.
#[track_caller]
fn compiled(compiler: &str, build: &mut Command) -> bool {
    if Command::new(compiler).arg("--version").output().is_err() {
        eprintln!("skipped: {compiler} is not installed");
        return false;
    }
    let ended = build.output().expect("a shell and a compiler start");
    assert!(ended.status.success(), "{build:?}: {}", String::from_utf8_lossy(&ended.stderr));
    true
}

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    code: Option<i32>,
    output: String,
    errors: String,
}

/// Runs a bare program to its end in a folder of its own.
#[track_caller]
fn run(launch: Launch, program: &Path, words: &[&str], typed: &str) -> Done {
    let folder = Scratch::default();
    let launch = launch.option("-bios", "none").option("-display", "none").option("-monitor", "none");
    let launch = launch.option("-serial", "none").kernel(program);
    let mut command = words.iter().fold(launch, Launch::argument).command();
    command.current_dir(folder.path("")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut keys = child.stdin.take().expect("it is piped");
    keys.write_all(typed.as_bytes()).expect("a pipe takes a line");
    let id = child.id().to_string();
    let limit = Instant::now() + seconds(120);
    let ending = std::thread::spawn(move || child.wait_with_output());
    while !ending.is_finished() {
        if Instant::now() > limit {
            let _ = Command::new("kill").args(["-9", &id]).status();
            let ended = ending.join().expect("waiting does not panic");
            panic!("{command:?} did not end: {ended:?}");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // Only now: who reads the end of input ends differently.
    drop(keys);
    let ended = ending.join().expect("waiting does not panic").expect("it can be waited for");
    let text =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&program.display().to_string(), "PROGRAM");
    Done { code: ended.status.code(), output: text(&ended.stdout), errors: text(&ended.stderr) }
}

/// Lines of QEMU's that ours differ from on purpose: the title they are under, theirs of 7.2 and 11, ours.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("files", "length: 13", "length: 16"),
    ("system", "tmpnam, too short: -1, errno e", "tmpnam, too short: -1, errno 22"),
    ("system", "tmpnam nowhere: 0", "tmpnam nowhere: -1, errno e"),
    ("system", "elapsed nowhere: 0", "elapsed nowhere: -1, errno e"),
    ("command line", "nowhere: 0", "nowhere: -1, errno e"),
    ("heap", "nowhere: 0", "nowhere: -1, errno e"),
    // QEMU 11's lengths have 64 bits on a hart of 32.
    ("open", "length of all: 2", "length of all: -1, errno 24"),
];

/// Where two transcripts differ otherwise.
fn differences(ours: &str, theirs: &str) -> Vec<String> {
    let mut title = "";
    let mut found = Vec::new();
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        title = ours.strip_prefix("== ").unwrap_or(title);
        // The length of the command line is that of the program's path.
        let meant = DIFFERENCES.contains(&(title, theirs, ours));
        if ours != theirs && !meant {
            found.push(format!("{title}: {ours:?}, and QEMU {theirs:?}"));
        }
    }
    let (ours, theirs) = (ours.lines().count(), theirs.lines().count());
    if ours != theirs {
        found.push(format!("{ours} lines, and QEMU {theirs}"));
    }
    found
}

#[test]
fn every_call_answers_as_in_qemu() {
    let scratch = Scratch::default();
    let mut compared = 0;
    for width in WIDTHS {
        let Some(program) = width.calls(&scratch) else { return };
        for config in ["enable=on", "userspace=on,target=native,arg=one,,two,arg=three"] {
            let words = ["-append", " a  b", "-semihosting-config", config];
            let ours = run(width.ours(), &program, &words, "abcd\n");
            assert_eq!(ours.code, Some(42), "{ours:?}");
            assert!(ours.errors.ends_with("<a line>\n!by write0\n"), "{ours:?}");
            let line = if config == "enable=on" { "is: \"PROGRAM a b\"" } else { "is: \"one,two three\"" };
            assert!(ours.output.contains(line), "{ours:?}");
            for (peer, _) in width.peers() {
                let theirs = run(peer, &program, &words, "abcd\n");
                assert_eq!(differences(&ours.output, &theirs.output), Vec::<String>::new(), "{config}");
                assert_eq!((ours.code, &ours.errors), (theirs.code, &theirs.errors), "{config}");
                compared += 1;
            }
        }
    }
    eprintln!("{compared} comparisons");
}

#[test]
fn a_program_ends_with_the_code_it_gives() {
    let scratch = Scratch::default();
    for width in WIDTHS {
        let Some(program) = width.calls(&scratch) else { return };
        // At 64 bits SYS_EXIT has a code too.
        let exit = if width.target == "riscv64" { 7 } else { 0 };
        for (word, code) in [("e0", exit), ("e1", 1), ("x0", 0), ("x5", 5), ("x9", 1)] {
            // Whatever is to happen when the machine's power is off: the program is over.
            let words = ["-append", word, "-semihosting", "-no-shutdown"];
            let ours = run(width.ours(), &program, &words, "");
            assert_eq!((ours.code, &*ours.output), (Some(code), ""), "{word}: {ours:?}");
            for (peer, _) in width.peers() {
                assert_eq!(run(peer, &program, &words, ""), ours, "{word}");
            }
        }
        // Here QEMU aborts.
        let unknown = run(width.ours(), &program, &["-append", "u", "-semihosting", "-d", "unimp"], "abcd\n");
        assert!(unknown.output.starts_with("unknown: -1, errno 26\n"), "{unknown:?}");
        assert!(unknown.errors.contains("operation 0x99"), "{unknown:?}");
        assert_eq!(unknown.code, Some(42));
    }
}

#[test]
fn a_call_is_a_breakpoint_where_it_is_not_enabled() {
    let scratch = Scratch::default();
    let Some(program) = WIDTHS[0].calls(&scratch) else { return };
    let launch = WIDTHS[0].ours().option("-bios", "none").option("-display", "none").kernel(program);
    let launch = launch.option("-semihosting-config", "enable=off");
    let mut machine = launch.option("-serial", "none").option("-monitor", "stdio").start();
    machine.expect("(qemu) ");
    let registers = |_| machine.ask("info registers", "(qemu) ");
    // It does not take a thousand questions until a program of a few instructions is there.
    assert!((0..1000).map(registers).any(|said| said.contains("mcause        0000000000000003")));
}

#[test]
fn the_console_is_where_the_chardev_is() {
    let scratch = Scratch::default();
    let Some(program) = WIDTHS[0].calls(&scratch) else { return };
    let words = ["-append", "r", "-chardev", "stdio,id=con,signal=off", "-semihosting-config", "chardev=con"];
    let ours = run(WIDTHS[0].ours(), &program, &words, "xyz");
    assert_eq!(ours.code, Some(42), "{ours:?}");
    assert!(ours.output.starts_with("readc: 78\nreadc: 79\n"), "{ours:?}");
    assert!(ours.output.contains("by write0\n") && !ours.errors.contains("by write0"), "{ours:?}");
    // A mux that a serial port has too; and standard input itself.
    let words = [
        "-append",
        "r",
        "-chardev",
        "stdio,id=con,mux=on",
        "-semihosting-config",
        "chardev=con",
        "-mon",
        "chardev=con",
    ];
    assert_eq!(run(WIDTHS[0].ours(), &program, &words, "xyz").code, Some(42));
    let plain = run(WIDTHS[0].ours(), &program, &["-append", "r", "-semihosting"], "xyz");
    assert!(plain.output.starts_with("readc: 78\nreadc: 79\n"), "{plain:?}");
    assert!(plain.errors.ends_with("!by write0\n"), "{plain:?}");
    let refused = run(WIDTHS[0].ours(), &program, &["-semihosting-config", "chardev=zz"], "");
    assert_eq!(refused.errors, "hartwright-system-riscv64: semihosting chardev 'zz' not found\n");
}

#[test]
fn a_c_library_of_others_reads_and_writes_the_hosts_files() {
    let scratch = Scratch::default();
    for width in WIDTHS {
        let Some(program) = width.hosted(&scratch) else { return };
        let words =
            ["-m", "1G", "-chardev", "stdio,id=con", "-semihosting-config", "chardev=con,arg=prog,arg=you"];
        let ours = run(width.ours(), &program, &words, "a line\n");
        assert_eq!(ours.code, Some(3), "{ours:?}");
        for known in ["Hello, prog of 3 words\n", "1000 lines, 4264256506\n", "typed: a line\n", "3.1416\n"] {
            assert!(ours.output.contains(known), "{known}: {ours:?}");
        }
        // The older one loses keys that come early.
        for (peer, _) in width.peers().into_iter().filter(|(_, older)| !older) {
            assert_eq!(run(peer, &program, &words, "a line\n"), ours);
        }
    }
}

/// Runs the program under gdb, whose files and terminal it uses; what gdb printed from the program's first title on,
/// and the machine's exit code.
#[track_caller]
fn debugged(launch: Launch, program: &Path) -> (String, Option<i32>) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("the host has a free port").port();
    let launch = launch.option("-bios", "none").option("-display", "none").option("-monitor", "none");
    let launch = launch.option("-serial", "none").option("-append", "a b").kernel(program).argument("-S");
    let launch = launch.option("-semihosting-config", "target=gdb");
    let launch = launch.option("-gdb", format!("tcp:127.0.0.1:{port}"));
    let machine = std::thread::spawn(move || launch.run());
    let folder = Scratch::default();
    let script = [
        "set architecture riscv:rv64",
        "set tcp auto-retry on",
        "set tcp connect-timeout 60",
        &format!("target remote 127.0.0.1:{port}"),
        "set remote system-call-allowed 1",
        "continue",
    ];
    // What the program says, gdb says where errors go.
    let mut gdb = Command::new("sh");
    gdb.args(["-c", "exec timeout 50 gdb-multiarch -batch -nx \"$@\" 2>&1", "sh"])
        .current_dir(folder.path(""));
    gdb.args(script.iter().flat_map(|line| ["-ex", line])).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = gdb.spawn().expect("a shell starts");
    child.stdin.take().expect("it is piped").write_all(b"abcd\n").expect("a pipe takes a line");
    let said = child.wait_with_output().expect("gdb ends, or its time does");
    let said = String::from_utf8_lossy(&said.stdout).replace(&program.display().to_string(), "PROGRAM");
    let begins =
        said.find("== open").unwrap_or_else(|| panic!("gdb printed nothing of the program's:\n{said}"));
    (said[begins..].to_owned(), machine.join().expect("the machine ends").code)
}

#[test]
fn a_debuggers_files_are_used_where_one_is_asked_for() {
    if Command::new("gdb-multiarch").arg("--version").output().is_err() {
        eprintln!("skipped: gdb-multiarch is not installed");
        return;
    }
    let scratch = Scratch::default();
    let Some(program) = WIDTHS[0].calls(&scratch) else { return };
    let (ours, code) = debugged(WIDTHS[0].ours(), &program);
    assert_eq!(code, Some(42), "{ours}");
    for known in ["then read: 0\nbytes: \"ters\"\n", "shell: 3\n", "read: 0\nbytes: \"abcd\"\n"] {
        assert!(ours.contains(known), "{known}: {ours}");
    }
    for (peer, _) in WIDTHS[0].peers().into_iter().filter(|(_, older)| !older) {
        // Under load it loses its debugger midway, once in forty times.
        let titles = |text: &str| text.lines().filter(|line| line.starts_with("== ")).count();
        let theirs = std::iter::repeat_with(|| debugged(peer.clone(), &program).0)
            .take(5)
            .find(|theirs| titles(theirs) == titles(&ours))
            .unwrap_or_default();
        // QEMU just ends, whatever gdb had still to say to it.
        let reset = "Remote communication error.  Target disconnected.: Connection reset by peer.";
        let theirs = theirs.replace(reset, "Remote connection closed");
        assert_eq!(differences(&ours, &theirs), Vec::<String>::new());
    }
}
