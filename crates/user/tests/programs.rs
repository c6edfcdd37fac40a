//! C programs that ask Linux things and print the answers: ours must say what Linux says, and QEMU is asked too.
//!
//! `programs/NAME.txt` is what Linux answers. QEMU 11 is asked where the cache has it; QEMU 7.2 gets too much wrong (a
//! handler's mask, `MAP_FIXED_NOREPLACE`, threads after a fork). Differences of QEMU 11, on purpose not shared: it has
//! no signal 64 free for the guest (`death by 64`), says 0 to advice about a hole, does not see code change through a
//! second mapping, refuses `process_vm_readv`, cannot execute a riscv64 program without binfmt_misc, and does not hear
//! what the child of a `vfork` says by shared memory.
#![forbid(unsafe_code)]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const COMPILER: &str = "riscv64-linux-gnu-gcc";
const OURS: &str = env!("CARGO_BIN_EXE_hartwright-riscv64");

/// The program made of `programs/NAME.c`; `None`, said aloud, without the cross compiler.
fn compiled(name: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Another test may run the same program at this moment, in a process of its own.
    let made = program.with_extension(std::process::id().to_string());
    let mut command = Command::new(COMPILER);
    command.args(["-O1", "-static", "-pthread", "-o"]).arg(&made).arg(source);
    match command.status() {
        Ok(status) => {
            assert!(status.success(), "{COMPILER} does not compile {name}.c");
            std::fs::rename(made, &program).unwrap();
            Some(program)
        }
        Err(error) => {
            eprintln!("skipped: {COMPILER}: {error}");
            None
        }
    }
}

/// A file of the cache that `cargo xtask` fills, if it is there.
fn cached(file: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("HARTWRIGHT_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("hartwright")))
        .or_else(|| Some(set("HOME")?.join(".cache/hartwright")))?;
    Some(cache.join(file)).filter(|file| file.exists())
}

fn run(emulator: &str, program: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(emulator)
        .arg(program)
        .args(args)
        .env("GREETING", "hello there")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{emulator}: {e}"));
    // A program that reads nothing may be gone.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

/// Runs `NAME`, which must say what `programs/NAME.txt` says and exit with `status`; and so must QEMU, but for lines
/// that begin with one of `own`.
#[track_caller]
fn check(name: &str, args: &[&str], input: &str, status: i32, own: &[&str]) {
    let Some(program) = compiled(name) else { return };
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.txt"));
    let ours = run(OURS, &program, args, input);
    let (said, complained) = (String::from_utf8_lossy(&ours.stdout), String::from_utf8_lossy(&ours.stderr));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&expected, &*said).unwrap();
    }
    let expected = std::fs::read_to_string(&expected).unwrap();
    assert_eq!(said, expected, "{name} on ours; stderr: {complained}");
    assert_eq!(ours.status.code(), Some(status), "{name} on ours");

    let Some(qemu) = cached("bin/qemu-riscv64-11") else {
        eprintln!("skipped: QEMU 11 is not in the cache");
        return;
    };
    let theirs = run(&qemu.to_string_lossy(), &program, args, input);
    let shared = |text: &str| -> Vec<String> {
        let is_own = |line: &&str| own.iter().any(|prefix| line.starts_with(prefix));
        text.lines().filter(|line| !is_own(line)).map(str::to_owned).collect()
    };
    assert_eq!(shared(&expected), shared(&String::from_utf8_lossy(&theirs.stdout)), "{name} on QEMU");
    assert_eq!(ours.status.code(), theirs.status.code(), "{name} on QEMU");
}

#[test]
fn a_program_gets_what_linux_gives() {
    check("hello", &["one", "two words"], "first\nsecond\n", 42, &[]);
}

#[test]
fn signals_come_as_linux_sends_them() {
    check("signals", &[], "", 0, &["death by 64"]);
}

#[test]
fn threads_share_memory_and_wait_for_each_other() {
    check("threads", &[], "", 7, &[]);
}

#[test]
fn mappings_are_the_host_s() {
    check("memory", &[], "", 0, &["advise a hole", "code seen twice", "copied within"]);
}

#[test]
fn processes_talk_to_each_other() {
    check("processes", &[], "", 0, &["again as", "exec of ourselves", "spawn of nothing", "told by a child"]);
}

#[test]
fn threads_map_fork_spawn_and_write_code_while_a_timer_interrupts_them() {
    check("stress", &[], "", 0, &[]);
}

#[test]
fn an_uncaught_signal_is_told_and_died_of() {
    use std::os::unix::process::ExitStatusExt;
    let Some(program) = compiled("signals") else { return };
    // A stack of one page has no room for main's frame, nor for a handler's; for an environment it has little.
    let output = Command::new(OURS).env_clear().args(["-s", "4096"]).arg(program).output().unwrap();
    assert_eq!(output.status.signal(), Some(11));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told, "hartwright-riscv64: uncaught target signal 11 (Segmentation fault) - core dumped\n");
}

#[test]
fn calls_are_told_in_qemu_s_format() {
    let Some(program) = compiled("hello") else { return };
    let output = Command::new(OURS).arg("-strace").arg(program).env_remove("GREETING").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = told.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let first = told.first().is_some_and(|told| told.starts_with("brk(NULL) = 0x00000000000"));
    assert!(first, "{told:?}");
    let refused = |line: &&str| {
        line.starts_with("set_robust_list(0x")
            && line.ends_with(",24) = -1 errno=38 (Function not implemented)")
    };
    assert!(told.iter().any(refused), "{told:?}");
    assert_eq!(told.last(), Some(&"exit_group(42)"));
}

#[test]
fn what_is_no_program_for_us_is_told_in_qemu_s_words() {
    let told = |args: &[&str]| {
        let output = Command::new(OURS).args(args).output().unwrap();
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    };
    let own = "hartwright-riscv64: ";
    let missing = "Error while loading /nonexist: No such file or directory\n";
    assert_eq!(told(&["/nonexist"]), (missing.into(), Some(1)));
    let foreign = format!("{own}/bin/ls: Invalid ELF image for this architecture\n");
    assert_eq!(told(&["/bin/ls"]), (foreign, Some(255)));
    assert_eq!(
        told(&["/etc/passwd"]),
        ("Error while loading /etc/passwd: Exec format error\n".into(), Some(1))
    );
    assert_eq!(told(&["-cpu", "foo", "x"]), (format!("{own}unable to find CPU model 'foo'\n"), Some(1)));
}

#[test]
fn a_shell_that_nobody_here_wrote_runs_its_tools() {
    let Some(busybox) = cached("guests/busybox/busybox") else {
        eprintln!("skipped: busybox is not in the cache (cargo xtask guests)");
        return;
    };
    let script = "echo hartwright | sha256sum; seq 1 100 | awk '{ s += $1 } END { print s }'; \
                  cd $(mktemp -d); seq 1 1000 > numbers; tar cz numbers | tar tzv | wc -l; \
                  sort -rn numbers | head -n 2; gzip -9 numbers; gunzip -c numbers.gz | md5sum; \
                  find . -type f; rm -r $PWD; for i in 1 2 3; do (exit $i) & wait $!; echo $?; done; \
                  trap 'echo term' TERM; kill -TERM $$; kill -KILL $$";
    let output = run(OURS, &busybox, &["sh", "-c", script], "");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // The same tools of the host say what is right.
    let host = Command::new("sh").args(["-c", script]).stderr(Stdio::null()).output().unwrap();
    assert_eq!(said, String::from_utf8_lossy(&host.stdout), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status, host.status);
}
