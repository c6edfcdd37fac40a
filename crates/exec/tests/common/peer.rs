//! QEMU as another opinion, if this host has one: the same memory in, its memory out.

use super::{PATIENCE, battery::SIZE};
use std::{
    fs,
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// One QEMU.
#[derive(Clone)]
pub(crate) struct Qemu {
    pub(crate) program: PathBuf,
    /// Its major version.
    pub(crate) version: u32,
    /// What it needs besides, to be of its width.
    accel: &'static [&'static str],
}

/// Every QEMU for registers of `xlen` bits: the host's, and the newer one that `cargo xtask guests peers` fetches.
/// Says so if there is none.
pub(crate) fn qemus(xlen: u32) -> Vec<Qemu> {
    let cache = std::env::var_os("HARTWRIGHT_CACHE").map(PathBuf::from).or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        Some(std::env::var_os("XDG_CACHE_HOME").map_or(home.join(".cache"), PathBuf::from).join("hartwright"))
    });
    let name = if xlen == 32 { "qemu-system-riscv32" } else { "qemu-system-riscv64" };
    // As many threads as harts do not go with registers of 128 bits.
    let accel: &[&str] = if xlen == 128 { &["-accel", "tcg,thread=single"] } else { &[] };
    let newer = cache.map(|cache| cache.join(format!("bin/{name}-11")));
    let found: Vec<Qemu> = [Some(PathBuf::from(name)), newer]
        .into_iter()
        .flatten()
        .filter_map(|program| Qemu::at(program, accel))
        .collect();
    if found.is_empty() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}

impl Qemu {
    fn at(program: PathBuf, accel: &'static [&'static str]) -> Option<Self> {
        let output = Command::new(&program).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split("version ").nth(1)?.split('.').next()?.parse().ok()?;
        Some(Qemu { program, version, accel })
    }

    /// Runs an image from the start of RAM until it writes the finisher; gives as much memory as it left it.
    pub(crate) fn run(&self, image: &[u8], cpu: &str) -> Vec<u8> {
        static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("hartwright-{}-{number}.ram", std::process::id()));
        fs::write(&file, image).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_len(SIZE).unwrap();
        let mut qemu = Command::new(&self.program)
            .args(["-machine", "virt,memory-backend=ram", "-cpu", cpu, "-m", &format!("{}M", SIZE >> 20)])
            .args([
                "-object",
                &format!("memory-backend-file,id=ram,share=on,size={SIZE},mem-path={}", file.display()),
            ])
            .args(["-bios", "none", "-nographic", "-serial", "none", "-monitor", "none"])
            .args(self.accel)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = qemu.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                qemu.kill().unwrap();
                fs::remove_file(&file).unwrap();
                panic!("{} did not end", self.program.display());
            }
            thread::sleep(Duration::from_millis(10));
        };
        let mut memory = vec![0; image.len()];
        fs::File::open(&file).unwrap().read_exact(&mut memory).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(status.success(), "{}: {status}", self.program.display());
        memory
    }
}
