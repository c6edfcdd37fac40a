//! The programs of `guest/bench/programs`: what there are, how they are built, and what each must say.

use super::coremark;
use crate::{debian, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// One program.
#[derive(Debug)]
pub struct Workload {
    /// As `guest/bench/programs/build.sh` calls it.
    pub name: &'static str,
    /// What it is averaged with.
    pub set: Set,
}

/// What programs are averaged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Whole programs that compute with integers.
    Integer,
    /// Whole programs that compute with floating point.
    Float,
    /// Nothing but the host's memory.
    Memory,
    /// One operation again and again.
    Operation,
    /// One service of the kernel again and again: only under Linux.
    Kernel,
    /// What a person waits for, of Debian's programs.
    Person,
    /// One program at several places.
    Layout,
    /// Whole machines, in several units.
    Whole,
}

impl Set {
    /// All, as tables have them.
    pub const ALL: [Set; 8] = [
        Set::Integer,
        Set::Float,
        Set::Memory,
        Set::Operation,
        Set::Kernel,
        Set::Person,
        Set::Layout,
        Set::Whole,
    ];

    /// What its mean is called, where a mean makes sense.
    pub fn mean(self) -> Option<&'static str> {
        match self {
            Set::Integer => Some("integer"),
            Set::Float => Some("floating point"),
            Set::Operation => Some("operations"),
            Set::Kernel => Some("kernel"),
            Set::Person => Some("Debian's programs"),
            Set::Memory | Set::Layout | Set::Whole => None,
        }
    }
}

/// Every program there is.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "aes", set: Set::Integer },
    Workload { name: "bigint", set: Set::Integer },
    Workload { name: "coremark-linux", set: Set::Integer },
    Workload { name: "lz", set: Set::Integer },
    Workload { name: "primes", set: Set::Integer },
    Workload { name: "qsort", set: Set::Integer },
    Workload { name: "records", set: Set::Integer },
    Workload { name: "sha512", set: Set::Integer },
    Workload { name: "linpack", set: Set::Float },
    Workload { name: "mandelbrot", set: Set::Float },
    Workload { name: "nbody", set: Set::Float },
    Workload { name: "spectral", set: Set::Float },
    Workload { name: "stream", set: Set::Float },
    Workload { name: "chase", set: Set::Memory },
    Workload { name: "micro-amoadd", set: Set::Operation },
    Workload { name: "micro-call", set: Set::Operation },
    Workload { name: "micro-fadd", set: Set::Operation },
    Workload { name: "micro-fmadd", set: Set::Operation },
    Workload { name: "micro-lrsc", set: Set::Operation },
    Workload { name: "micro-memory", set: Set::Operation },
    Workload { name: "micro-pointer", set: Set::Operation },
    Workload { name: "kernel-ecall", set: Set::Kernel },
    Workload { name: "kernel-fault", set: Set::Kernel },
    Workload { name: "kernel-forks", set: Set::Kernel },
    Workload { name: "kernel-turns", set: Set::Kernel },
];

/// For what a program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// This host: says what is right.
    Native,
    /// A static program for RISC-V Linux.
    Linux,
    /// A bare machine.
    Bare,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Native => "native",
            Way::Linux => "linux",
            Way::Bare => "bare",
        }
    }
}

const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "gcc"),
    ("libc6-dev", "/usr/include/stdio.h"),
    ("gcc-riscv64-linux-gnu", "riscv64-linux-gnu-gcc"),
    ("python3-pip", "pip3"),
    ("libc6-dev-riscv64-cross", "/usr/riscv64-linux-gnu/lib/libc.a"),
];

/// Installs the compilers that are missing.
pub fn install_compilers() -> Result<()> {
    debian::install_missing(PACKAGES)
}

impl Workload {
    /// Whether it is for `way`. CoreMark for bare machines is a program apart, linked at several places.
    pub fn runs(&self, way: Way) -> bool {
        way != Way::Bare || self.set != Set::Kernel && !self.is_fetched()
    }

    /// Whether its sources are not all in the clone.
    pub fn is_fetched(&self) -> bool {
        self.name.starts_with("coremark")
    }

    /// Builds it into `folder`, as small as a test wants it if `tiny`.
    pub fn build(&self, way: Way, tiny: bool, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let program = folder.join(format!("{}.{}{}", self.name, way.name(), if tiny { ".tiny" } else { "" }));
        let mut build = Command::new("sh");
        build.arg(workspace().join("guest/bench/programs/build.sh")).args([self.name, way.name()]);
        build.arg(&program);
        if self.is_fetched() {
            build.args(coremark::parts()?);
        }
        if tiny {
            build.arg("-DTINY");
        }
        if way == Way::Native && fused_by_host() {
            build.arg("-mfma");
        }
        let ended = build.output().context("cannot start sh")?;
        let said = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success(), "{} does not build for {}: {said}", self.name, way.name());
        Ok(program)
    }

    /// What it must say, by what it says on this host.
    pub fn result(&self, tiny: bool, folder: &Path) -> Result<String> {
        let native = self.build(Way::Native, tiny, folder)?;
        let ended = Command::new(&native).output().with_context(|| native.display().to_string())?;
        let said = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        match said.strip_prefix("result ") {
            Some(result) if ended.status.success() && result.bytes().any(|digit| digit != b'0') => Ok(said),
            _ => bail!("{}: it went wrong on this host already: {said}", self.name),
        }
    }
}

/// Whether this host multiplies and adds at once; if not, its C library does it, slowly.
fn fused_by_host() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
