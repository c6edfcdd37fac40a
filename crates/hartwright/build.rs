//! Has the linker pack the addresses that the loader adjusts at every start, where the C library knows how (glibc 2.36
//! on): half a megabyte less to read.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A library for another system than this one may be older than what is here.
    let native = std::env::var_os("HOST") == std::env::var_os("TARGET");
    if native && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Major and minor version of this system's C library, if that is glibc.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let (major, minor) =
        std::str::from_utf8(&told.stdout).ok()?.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
