//! What a flush is worth: a process that writes is killed, and what it was told to be safe must be there.
//!
//! The process is this test itself, as [`child`]; a page cache that survives it is kept out by the driver `lossy`.
#![forbid(unsafe_code)]

use hartwright_block::{Disk, Format, Manner, Node, open};
use hartwright_device::{BlockOp, BlockPort};
use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const BLOCK: u64 = 4096;
const BLOCKS: u64 = 1024;
/// How a child is told what to do: path, format, whether `lossy`, whether it flushes, seed.
const TOLD: &str = "HARTWRIGHT_BLOCK_CHILD";

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// The blocks that a round writes.
fn round(seed: u64, number: u64) -> Vec<u64> {
    let mut random = Random(seed * 1_000_003 + number + 1);
    (0..12).map(|_| random.next() % BLOCKS).collect()
}

/// What a block holds after the round that wrote it.
fn content(number: u64, block: u64) -> Vec<u8> {
    let word = (number << 32 | block).to_le_bytes();
    word.iter().copied().cycle().take(BLOCK as usize).collect()
}

/// Writes round after round, flushes after each, and says so; until it is killed, or nobody listens.
#[test]
fn child() {
    let Ok(told) = env::var(TOLD) else { return };
    let told: Vec<&str> = told.split(',').collect();
    let [path, format, lossy, flushes, seed] = told[..] else { panic!("{told:?}") };
    let node = Node { lossy: lossy == "lossy", ..Node::at(path, Format::named(format)) };
    let image = open(&node, Manner::default()).unwrap().image;
    let port = BlockPort::default();
    let _disk = Disk::serve("test", image, &port).unwrap();
    let mut out = std::io::stdout();
    for number in 1.. {
        for block in round(seed.parse().unwrap(), number) {
            let write = BlockOp::Write { offset: block * BLOCK, data: content(number, block) };
            port.now(write).unwrap();
        }
        if flushes == "flush" {
            port.now(BlockOp::Flush).unwrap();
        }
        if writeln!(out, "safe {number}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("hartwright-kill-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A new image.
    fn image(&self, format: &str) -> PathBuf {
        let path = self.0.join(format);
        let words = ["create", "-q", "-f", format, path.to_str().unwrap(), "4M"].map(String::from);
        hartwright_block::img::run(&words).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(mut command: Command, told: &str) -> Child {
    command.args(["child", "--exact", "--nocapture", "--test-threads", "1"]).env(TOLD, told);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// The round that a line calls safe.
fn safe_in(line: &str) -> Option<u64> {
    line.rsplit_once("safe ")?.1.parse().ok()
}

/// Lets a child get to round `rounds`, waits a little, kills it; answers the last round that it called safe.
fn kill_after(told: &str, rounds: u64, wait: Duration) -> u64 {
    let mut child = start(Command::new(env::current_exe().unwrap()), told);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut safe = 0;
    while safe < rounds {
        let line = lines.next().expect("the child ended").unwrap();
        safe = safe_in(&line).unwrap_or(safe);
    }
    thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.map_while(Result::ok).filter_map(|line| safe_in(&line)).last().unwrap_or(safe)
}

/// The round that each block is of; 0 where nothing was written.
fn rounds(path: &Path, format: &str) -> Vec<u64> {
    let node = Node::at(path.to_str().unwrap(), Format::named(format));
    let image = open(&node, Manner { read_only: true, ..Manner::default() }).unwrap().image;
    let look = |block: u64| {
        let bytes = image.read(block * BLOCK, BLOCK).unwrap();
        let number = u64::from_le_bytes(bytes[..8].try_into().unwrap()) >> 32;
        let empty = number == 0 && bytes.iter().all(|byte| *byte == 0);
        assert!(empty || bytes == content(number, block), "block {block} is of more than one round");
        number
    };
    (0..BLOCKS).map(look).collect()
}

#[test]
fn what_was_flushed_before_a_kill_is_there() {
    let folder = Folder::new("flush");
    for format in ["raw", "qcow2"] {
        for seed in 1..=20 {
            let path = folder.image(format);
            let told = format!("{},{format},lossy,flush,{seed}", path.display());
            let wait = Duration::from_micros(seed * 977 % 20_000);
            let safe = kill_after(&told, 3 + seed % 7, wait);
            let mut expect = HashMap::new();
            for number in 1..=safe {
                expect.extend(round(seed, number).into_iter().map(|block| (block, number)));
            }
            for (block, number) in (0..).zip(rounds(&path, format)) {
                let least = expect.get(&block).copied().unwrap_or(0);
                assert!(number >= least, "{format} {seed}: block {block} is of round {number}, not {least}");
            }
            if format == "qcow2"
                && let Ok(done) = Command::new("qemu-img").arg("check").arg(&path).output()
            {
                // 3: leaks, and nothing else.
                assert!(
                    matches!(done.status.code(), Some(0 | 3)),
                    "{}",
                    String::from_utf8_lossy(&done.stderr)
                );
            }
        }
    }
}

/// Here the host's page cache is kept: of what was not flushed, everything written so far is there.
#[test]
fn an_image_that_was_being_written_has_leaks_at_most() {
    let folder = Folder::new("busy");
    for (seed, flushes) in (1..=10).flat_map(|seed| [(seed, "flush"), (seed, "never")]) {
        let path = folder.image("qcow2");
        let told = format!("{},qcow2,plain,{flushes},{seed}", path.display());
        kill_after(&told, 3 + seed, Duration::from_micros(seed * 977 % 20_000));
        let words = ["check", "-q", path.to_str().unwrap()].map(String::from);
        let done = hartwright_block::img::run(&words).unwrap();
        // 3: leaks, and nothing else.
        assert!(matches!(done.code, 0 | 3), "{seed} {flushes}: {}", done.errors);
    }
}

#[test]
fn without_a_flush_all_is_lost() {
    let folder = Folder::new("lost");
    for format in ["raw", "qcow2"] {
        let path = folder.image(format);
        let before = fs::read(&path).unwrap();
        kill_after(&format!("{},{format},lossy,never,1", path.display()), 5, Duration::ZERO);
        assert!(fs::read(&path).unwrap() == before, "{format}");
    }
}

/// As the host sees it: between the last write to the image and the word that it is safe, `fdatasync` has returned.
#[test]
fn a_flush_is_replied_to_after_fdatasync() {
    let folder = Folder::new("strace");
    if Command::new("strace").arg("-V").output().is_err() {
        return;
    }
    for format in ["raw", "qcow2"] {
        let (path, log) = (folder.image(format), folder.0.join("log"));
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=pwrite64,pwritev,write,fdatasync", "-o"]).arg(&log);
        strace.arg(env::current_exe().unwrap());
        let told = format!("{},{format},plain,flush,1", path.display());
        let mut child = start(strace, &told);
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = out.map_while(Result::ok).filter(|line| line.contains("safe "));
        let seen = lines.by_ref().take(5).count();
        // It ends by itself when nobody reads.
        drop(lines);
        child.wait().unwrap();
        // A sandbox may forbid it.
        if seen < 5 {
            return;
        }
        let text = fs::read_to_string(&log).unwrap();
        let (mut dirty, mut safe) = (true, 0);
        for line in text.lines() {
            if line.contains("pwrite") {
                dirty = true;
            } else if line.contains("fdatasync") && line.ends_with("= 0") {
                dirty = false;
            } else if line.contains("\"safe ") {
                assert!(!dirty, "{format}: {line} came before fdatasync had returned");
                safe += 1;
            }
        }
        assert!(safe >= 5, "{text}");
    }
}
