//! Initial RAM disks around one static busybox: a `newc` archive, compressed, the same bytes every time.

use anyhow::{Context, Result, anyhow, ensure};
use flate2::{Compression, GzBuilder};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
};

/// The line that `/init` prints once the file systems are mounted.
pub const MARKER: &str = "hartwright guest: init";

/// The modules that Debian's kernel has between itself and an ext4 file system on a virtio disk: below
/// `/usr/lib/modules/VERSION/kernel`, as `.ko.xz`, each after those that it needs.
pub const MODULES: [&str; 7] = [
    "crypto/crc32c_generic",
    "lib/crc16",
    "fs/mbcache",
    "fs/jbd2/jbd2",
    "fs/ext4/ext4",
    "drivers/virtio/virtio_mmio",
    "drivers/block/virtio_blk",
];

/// Builds one around the program `busybox` that stays: `init` starts a shell.
pub fn build(busybox: &[u8]) -> Result<Vec<u8>> {
    let mut archive = Archive::around(busybox);
    archive.add("init", Kind::Program, INIT.as_bytes());
    archive.add("etc/inittab", Kind::Text, INITTAB.as_bytes());
    archive.compressed()
}

/// Builds one that loads `modules`, which are [`MODULES`] as Debian packs them, and goes on with `/sbin/init` of the
/// ext4 file system on the device that the kernel's `root=` names.
pub fn for_disk(busybox: &[u8], modules: &[Vec<u8>]) -> Result<Vec<u8>> {
    ensure!(modules.len() == MODULES.len(), "{} modules, not {}", modules.len(), MODULES.len());
    let mut archive = Archive::around(busybox);
    for folder in ["modules", "root.disk"] {
        archive.add(folder, Kind::Folder, b"");
    }
    let mut load = String::new();
    for (path, packed) in MODULES.iter().zip(modules) {
        let name = format!("modules/{}.ko", path.rsplit('/').next().unwrap_or(path));
        archive.add(&name, Kind::Text, &unpacked(packed).with_context(|| name.clone())?);
        load += &format!("insmod /{name}\n");
    }
    archive.add("init", Kind::Program, INIT_FOR_DISK.replace("LOAD\n", &load).as_bytes());
    archive.compressed()
}

/// Builds one whose `/init` runs each line that it is given on the console, and says [`ENDED`] and how it ended after
/// it. `entries` are there besides, each after its folder; there is a folder `/bench`.
pub fn for_programs(busybox: &[u8], entries: &[Entry]) -> Result<Vec<u8>> {
    let mut archive = Archive::around(busybox);
    archive.add("bench", Kind::Folder, b"");
    for Entry { path, kind, content } in entries {
        archive.add(path, *kind, content);
    }
    archive.add("init", Kind::Program, INIT_FOR_PROGRAMS.as_bytes());
    archive.compressed()
}

/// Builds one whose `/init` is the program `init`, with `list` as `/list` and each of `programs` by its number in
/// `/programs`. It is not compressed: a guest that runs [checked](crate::programs::checked) would take minutes longer.
pub fn with_init(init: &[u8], list: &str, programs: &[&Path]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["dev", "proc", "programs", "tmp"] {
        archive.add(folder, Kind::Folder, b"");
    }
    archive.add("dev/console", Kind::Device(5, 1), b"");
    archive.add("init", Kind::Program, init);
    archive.add("list", Kind::Text, list.as_bytes());
    for (number, path) in programs.iter().enumerate() {
        let program = fs::read(path).with_context(|| path.display().to_string())?;
        archive.add(&format!("programs/{number}"), Kind::Program, &program);
    }
    Ok(archive.finish())
}

/// What [`for_programs`]'s `/init` says after each line, before the status.
pub const ENDED: &str = "hartwright guest: ended";

/// What `packed` is before `xz`.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
    let mut xz = Command::new("xz")
        .args(["--decompress", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start xz (package xz-utils)")?;
    let mut input = xz.stdin.take().ok_or_else(|| anyhow!("xz has no input"))?;
    let output = thread::scope(|scope| {
        // What is wrong with it, xz says itself.
        scope.spawn(move || input.write_all(packed));
        xz.wait_with_output()
    })?;
    ensure!(output.status.success(), "xz cannot read it");
    Ok(output.stdout)
}

const INIT: &str = r#"#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s
hostname hartwright
export HOME=/root TERM=vt100
echo "hartwright guest: init"
exec init
"#;

// The disk's driver finds it some time after it was loaded, so it is waited for. Who types at a kernel whose disk does
// not come has a shell.
const INIT_FOR_DISK: &str = r#"#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s
LOAD
mode=ro
for word in $(cat /proc/cmdline); do
    case $word in
        root=*) disk=${word#root=} ;;
        rw) mode=rw ;;
    esac
done
tries=0
until [ -b "$disk" ] || [ $tries = 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
if mount -t ext4 -o $mode "$disk" /root.disk; then
    for kept in dev proc sys; do
        mount --move /$kept /root.disk/$kept
    done
    exec switch_root /root.disk /sbin/init
fi
echo "hartwright guest: no root file system on '$disk'"
exec sh
"#;

const INIT_FOR_PROGRAMS: &str = r#"#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s
echo "hartwright guest: init"
while read -r line; do
    eval "$line"
    echo "hartwright guest: ended $?"
done
poweroff -f
"#;

// `cttyhack` finds the terminal behind /dev/console, so that the shell has job control.
const INITTAB: &str = "::respawn:/bin/cttyhack /bin/sh
::ctrlaltdel:/sbin/reboot
";

/// A file, a folder or a link.
#[derive(Clone, Debug)]
pub struct Entry {
    path: String,
    kind: Kind,
    content: Vec<u8>,
}

impl Entry {
    /// One at `path`, without a slash in front.
    pub fn new(path: &str, kind: Kind, content: &[u8]) -> Entry {
        Entry { path: path.to_owned(), kind, content: content.to_owned() }
    }
}

/// What an archive's entry is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A folder, without content.
    Folder,
    /// A file that can be started.
    Program,
    /// A file that is only read.
    Text,
    /// A link to the path that is its content.
    Link,
    /// A character device of this major and minor number.
    Device(u32, u32),
}

/// A `newc` archive in the making (the kernel's `early-userspace/buffer-format`).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Folders, the console, and `busybox` as the shell.
    fn around(busybox: &[u8]) -> Archive {
        let mut archive = Archive::default();
        for folder in
            ["bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin"]
        {
            archive.add(folder, Kind::Folder, b"");
        }
        archive.add("dev/console", Kind::Device(5, 1), b"");
        archive.add("dev/null", Kind::Device(1, 3), b"");
        archive.add("bin/busybox", Kind::Program, busybox);
        archive.add("bin/sh", Kind::Link, b"busybox");
        archive
    }

    fn add(&mut self, name: &str, kind: Kind, content: &[u8]) {
        let (mode, links, device) = match kind {
            Kind::Folder => (0o040_755, 2, (0, 0)),
            Kind::Program => (0o100_755, 1, (0, 0)),
            Kind::Text => (0o100_644, 1, (0, 0)),
            Kind::Link => (0o120_777, 1, (0, 0)),
            Kind::Device(major, minor) => (0o020_600, 1, (major, minor)),
        };
        self.entries += 1;
        self.entry(self.entries, mode, links, device, name, content);
    }

    fn entry(&mut self, inode: u32, mode: u32, links: u32, device: (u32, u32), name: &str, content: &[u8]) {
        let (user, group, time, check) = (0, 0, 0, 0);
        let (size, name_size) = (content.len() as u32, name.len() as u32 + 1);
        self.bytes.extend_from_slice(b"070701");
        for field in [inode, mode, user, group, links, time, size, 0, 0, device.0, device.1, name_size, check]
        {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn compressed(self) -> Result<Vec<u8>> {
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
        gzip.write_all(&self.finish())?;
        Ok(gzip.finish()?)
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry(0, 0, 1, (0, 0), "TRAILER!!!", b"");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_header_a_name_and_content_on_four_byte_marks() {
        let mut archive = Archive::default();
        archive.add("a", Kind::Program, b"hello");
        let bytes = archive.finish();
        assert_eq!(&bytes[..6], b"070701");
        assert_eq!(&bytes[14..22], b"000081ed");
        assert_eq!(&bytes[54..62], b"00000005");
        assert_eq!(&bytes[110..120], b"a\0hello\0\0\0");
        assert_eq!(&bytes[120..126], b"070701");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn the_same_busybox_makes_the_same_bytes() {
        assert_eq!(build(b"busybox").unwrap(), build(b"busybox").unwrap());
    }

    #[test]
    fn the_scripts_print_the_markers() {
        for init in [INIT, INIT_FOR_PROGRAMS] {
            assert!(init.contains(&format!("echo \"{MARKER}\"")));
        }
        assert!(INIT_FOR_PROGRAMS.contains(&format!("echo \"{ENDED} $?\"")));
    }
}
