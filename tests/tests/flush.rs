//! What a guest's flush is worth: Linux writes files to an ext4 disk, the emulator is killed, and what Linux was told to
//! be safe must be there, whole, in an image that is sound.
//!
//! `lossy` is between the image and its file: what was not flushed when the process dies is gone, as after a loss of
//! power.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Scratch, guest};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Rounds write to these files in turn.
const FILES: u64 = 40;

/// The guest's whole user space. With another disk it writes there, block by block; without, files
/// without end, and a round goes on where the last start of the machine was cut off.
const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs devtmpfs /dev
if [ -b /dev/vdb ]; then
    for n in 1 2 3 4 5 6 7 8; do
        $b dd if=/bin/busybox of=/dev/vdb bs=4096 count=1 seek=$((n * 64)) conv=notrunc,fsync 2> /dev/null
        echo "safe $n"
    done
    $b poweroff -f
fi
n=0
while [ -e /done$((n + 1)) ]; do n=$((n + 1)); done
while true; do
    n=$((n + 1))
    $b yes "round $n" | $b head -c $((n * 7919 % 200000 + 1)) | $b dd of=/file$((n % FILES)) bs=64k conv=fsync 2> /dev/null
    echo "safe $n"
    : > /done$n
done
"#;

/// What a round writes.
fn content(round: u64) -> Vec<u8> {
    let length = round * 7919 % 200_000 + 1;
    format!("round {round}\n").bytes().cycle().take(length as usize).collect()
}

/// A program of the host's; some lie where only root looks.
fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Runs a program of the host's; answers its exit code, and what it printed.
#[track_caller]
fn host(program: &str, words: &[&str]) -> (i32, Vec<u8>) {
    let done =
        Command::new(program).args(words).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    (done.status.code().unwrap_or(-1), done.stdout)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path is text")
}

/// A raw image of an ext4 file system with [`INIT`] and its shell; `None` if the host has no tool for that.
#[track_caller]
fn disk(scratch: &Scratch) -> Option<PathBuf> {
    if tool("mke2fs").arg("-V").output().is_err() {
        eprintln!("skipped: e2fsprogs is not installed");
        return None;
    }
    let root = scratch.path("root");
    for folder in ["bin", "sbin", "dev", "proc", "sys"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(guest("busybox", "busybox"), root.join("bin/busybox")).unwrap();
    fs::write(root.join("sbin/init"), INIT.replace("FILES", &FILES.to_string())).unwrap();
    for program in ["bin/busybox", "sbin/init"] {
        fs::set_permissions(root.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = scratch.path("disk");
    fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let words = ["-q", "-F", "-t", "ext4", "-b", "4096", "-d", text(&root), text(&path)];
    assert_eq!(host("mke2fs", &words).0, 0);
    Some(path)
}

/// `path` as an image of `format`.
fn image(scratch: &Scratch, path: &Path, format: &str) -> PathBuf {
    let to = scratch.path(&format!("disk.{format}"));
    let words = ["img", "convert", "-f", "raw", "-O", format, text(path), text(&to)];
    let launch = words.iter().fold(Launch::program(), Launch::argument);
    assert_eq!(launch.run().code, Some(0));
    to
}

/// The machine with a disk, which Linux will call `name` and find its root file system on.
fn machine(drive: &str) -> Launch {
    Launch::program()
        .option("-machine", "virt")
        .memory("256M")
        .argument("-nographic")
        .option("-bios", "builtin")
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("linux", "initrd.disk.gz"))
        .append("console=ttyS0 quiet root=/dev/vda rw")
        .option("-drive", drive)
}

/// The rounds that a guest calls safe, line by line.
fn safe(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).split(b'\n').map_while(Result::ok);
    lines.filter_map(|line| {
        String::from_utf8_lossy(&line).trim().rsplit_once("safe ").and_then(|(_, round)| round.parse().ok())
    })
}

/// Kills the machine `times`, each time some rounds after it has started; afterwards looks at what is there.
#[track_caller]
fn kill(format: &str, times: u64) {
    let scratch = Scratch::default();
    let Some(raw) = disk(&scratch) else { return };
    let path = image(&scratch, &raw, format);
    let mut last = 0;
    for time in 1..=times {
        let drive = format!("driver={format},file.driver=lossy,file.filename={}", text(&path));
        let mut command = machine(&drive).command();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut rounds = safe(&mut child);
        last = rounds.by_ref().nth(2 + time as usize % 5).expect("the machine ended by itself");
        // Anywhere in a round.
        thread::sleep(Duration::from_micros(time * 9_777 % 150_000));
        child.kill().unwrap();
        child.wait().unwrap();
        last = rounds.last().unwrap_or(last);
        look(&scratch, &path, format, last, &format!("{format}, kill {time}, after round {last}"));
    }
    eprintln!("{format}: {times} of {times} kills, {last} rounds");
}

/// The image is sound, so is its file system, and the files of all rounds up to `last` are whole.
#[track_caller]
fn look(scratch: &Scratch, path: &Path, format: &str, last: u64, when: &str) {
    let copy = scratch.path("copy");
    if format == "qcow2" {
        let (code, said) = host("qemu-img", &["check", text(path)]);
        // 3: leaks, and nothing else.
        assert!(code == 0 || code == 3, "{when}: {}", String::from_utf8_lossy(&said));
    }
    let (code, _) = host("qemu-img", &["convert", "-f", format, "-O", "raw", text(path), text(&copy)]);
    assert_eq!(code, 0, "{when}");
    // The journal is done, as the next start would; nothing else may be wrong.
    let (code, said) = host("e2fsck", &["-p", text(&copy)]);
    assert!(code <= 1, "{when}: {}", String::from_utf8_lossy(&said));
    let (code, said) = host("e2fsck", &["-f", "-n", text(&copy)]);
    assert_eq!(code, 0, "{when}: {}", String::from_utf8_lossy(&said));
    // The round after the last was being written to one of them.
    for round in last.saturating_sub(FILES - 2).max(1)..=last {
        let (_, there) = host("debugfs", &["-R", &format!("cat /file{}", round % FILES), text(&copy)]);
        assert!(there == content(round), "{when}: the file of round {round} has {} bytes", there.len());
    }
}

#[test]
fn what_linux_flushed_before_a_kill_is_there() {
    kill("raw", 1);
    kill("qcow2", 2);
}

#[test]
#[ignore = "it takes a quarter of an hour: cargo xtask test --full machines"]
fn what_linux_flushed_before_each_of_many_kills_is_there() {
    kill("raw", 20);
    kill("qcow2", 20);
}

/// As the host sees it. The interrupt follows the entry in the used ring, and its trace is a call that strace shows.
#[test]
fn a_flush_is_in_the_used_ring_after_fdatasync() {
    let scratch = Scratch::default();
    let Some(raw) = disk(&scratch) else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        return eprintln!("skipped: strace is not installed");
    }
    for format in ["raw", "qcow2"] {
        let empty = scratch.path("empty");
        fs::File::create(&empty).unwrap().set_len(8 << 20).unwrap();
        let second = image(&scratch, &empty, format);
        let log = scratch.path("strace");
        let launch = machine(&format!("file={},format=raw,snapshot=on", text(&raw)))
            .option("-drive", format!("file={},format={format}", text(&second)))
            .option("-trace", "irq.plic.7");
        let command = launch.command();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "--seccomp-bpf", "-e", "trace=pwrite64,pwritev,write,fdatasync", "-o"]);
        strace.arg(&log).arg(command.get_program()).args(command.get_args());
        let mut child =
            strace.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let rounds = safe(&mut child).count();
        child.wait().unwrap();
        let log = fs::read_to_string(&log).unwrap();
        if log.contains("Operation not permitted") || rounds == 0 && log.is_empty() {
            return eprintln!("skipped: this sandbox lets nobody be traced");
        }
        assert_eq!(rounds, 8, "{format}");
        let flushes = flushes(&log, text(&second));
        assert!(flushes >= 8, "{format}: {flushes} flushes\n{log}");
        eprintln!("{format}: {flushes} flushes, each replied to after fdatasync");
    }
}

/// How many requests to the disk `file` were flushes; each must be replied to when all is synced. There is one request
/// at a time.
#[track_caller]
fn flushes(log: &str, file: &str) -> usize {
    let (mut syncing, mut dirty, mut synced, mut count) = (None, false, false, 0);
    for line in log.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        if call.starts_with("fdatasync(") && call.contains(file) {
            (synced, dirty) = (true, false);
            syncing = call.ends_with("<unfinished ...>").then_some(thread);
        } else if syncing == Some(thread) && call.contains("fdatasync resumed") {
            syncing = None;
        } else if call.starts_with("pwrite") && call.contains(file) {
            dirty = true;
        } else if call.starts_with("write(") && call.contains("plic.7 = 1") {
            assert!(
                syncing.is_none() && !(synced && dirty),
                "{line} came before fdatasync had returned\n{log}"
            );
            count += usize::from(synced);
            synced = false;
        }
    }
    count
}
