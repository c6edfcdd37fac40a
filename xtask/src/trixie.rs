//! A whole Debian on a disk: systemd, a kernel with all its modules, and what U-Boot needs to start it.
//!
//! debootstrap makes it, in two stages: the first takes packages apart here, the second installs them in a chroot, where
//! QEMU's user mode runs programs of the other architecture. That happens in namespaces of its own (users, mounts,
//! processes), so nothing of it is registered, mounted or running outside. It needs root, and Linux 6.7 or newer, which
//! knows binary formats by namespace.

use crate::{
    cache::{Cache, sha256},
    debian::{self, Archive},
    disk,
    guests::find,
    initramfs, peers,
};
use anyhow::{Context, Result, anyhow, ensure};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

/// The name that `cargo xtask guests` knows it by.
pub const NAME: &str = "trixie";

/// What it is, for people.
pub const ABOUT: &str =
    "Debian on an ext4 disk: disk.img, its vmlinux, its initrd.gz (only when named: it takes minutes)";

/// The guest whose shell its initial RAM disk is made of.
pub const SHELL: &str = "busybox";

/// What there is in its folder.
const FILES: [&str; 3] = ["disk.img", "vmlinux", "initrd.gz"];

const PACKAGES: [&str; 9] = [
    "dbus",
    "initramfs-tools",
    "kmod",
    "linux-image-riscv64",
    "login",
    "systemd-sysv",
    "u-boot-menu",
    "udev",
    "util-linux",
];

/// What makes it, each with the file that tells whether it is there.
const TOOLS: [(&str, &str); 2] = [("debootstrap", "/usr/sbin/debootstrap"), disk::TOOL];

/// Makes it, unless the cache has what this recipe makes of the archive's packages as they are today.
pub fn make(cache: &Cache) -> Result<()> {
    let folder = cache.guest(NAME);
    let there = FILES.iter().all(|file| folder.join(file).exists());
    let packages = Archive::open(cache, NAME, "riscv64")
        .and_then(|archive| archive.install_plan(&[&["apt", "?priority(required)"], &PACKAGES[..]].concat()));
    let packages = match packages {
        // Without the archive, what is there is as good as any.
        Err(error) if there => {
            eprintln!("{NAME:12} from the cache, whatever its versions ({error:#})");
            return Ok(());
        }
        packages => packages?,
    };
    let shell = fs::read(cache.file(SHELL, "busybox")?)?;
    let recipe = [include_str!("trixie.rs"), include_str!("initramfs.rs")].concat();
    let key = sha256(&[recipe.as_bytes(), packages.as_bytes(), &shell].concat());
    if there && fs::read_to_string(folder.join("KEY")).is_ok_and(|made| made == key) {
        eprintln!("{NAME:12} from the cache, in {}", folder.display());
        return Ok(());
    }
    ensure!(
        debian::is_root()?,
        "a chroot needs root: run `cargo xtask guests {NAME}` as root, with HARTWRIGHT_CACHE={}",
        cache.root().display()
    );
    debian::install_missing(&TOOLS)?;

    let scratch = cache.scratch(NAME)?;
    let (root, made) = (scratch.join("root"), scratch.join("made"));
    fs::create_dir_all(&made)?;
    first_stage(&root)?;
    let qemu = peers::binary(cache, "qemu-riscv64");
    inside(SECOND_STAGE, &qemu, &root)?;
    furnish(&root, &made, &shell)?;
    inside(FINISH, &qemu, &root)?;
    disk::make(&root, &made.join("disk.img"), 1024)?;
    fs::write(made.join("PACKAGES"), packages)?;
    fs::write(made.join("KEY"), key)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(cache.root().join("guests"))?;
    fs::rename(&made, &folder)?;
    eprintln!("{NAME:12} made, in {}", folder.display());
    Ok(fs::remove_dir_all(&scratch)?)
}

/// Downloads all packages, and unpacks those that install the others.
fn first_stage(root: &Path) -> Result<()> {
    let mut first = Command::new("/usr/sbin/debootstrap");
    first.args(["--foreign", "--arch=riscv64", "--variant=minbase"]);
    first.arg(format!("--keyring={}", debian::KEYRING)).arg(format!("--include={}", PACKAGES.join(",")));
    first.arg(NAME).arg(root).arg(debian::mirror()?);
    debian::succeed(&mut first)
}

/// Runs `script` as root of namespaces of its own, in which `qemu` runs programs for RISC-V; `$root` is the new
/// system's folder.
fn inside(script: &str, qemu: &Path, root: &Path) -> Result<()> {
    let mut child = Command::new("unshare")
        .args(["--user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-euc", &[PROLOGUE, script].concat(), "sh"])
        .args([qemu, root])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start unshare (package util-linux)")?;
    let mut said = BufReader::new(child.stdout.take().ok_or_else(|| anyhow!("unshare has no output"))?);
    said.read_line(&mut String::new())?;
    // Its users are the host's of the same numbers, so that files belong to whom they should.
    for map in ["uid_map", "gid_map"] {
        let path = format!("/proc/{}/{map}", child.id());
        fs::write(&path, "0 0 65536\n").with_context(|| format!("cannot write {path}"))?;
    }
    if let Some(mut input) = child.stdin.take() {
        input.write_all(b"mapped\n")?;
    }
    let status = child.wait()?;
    ensure!(status.success(), "what debootstrap does in its own namespaces failed ({status})");
    Ok(())
}

/// Gives the system in `root` its settings and its initial RAM disk; brings that, and the kernel, into `made` too.
fn furnish(root: &Path, made: &Path, shell: &[u8]) -> Result<()> {
    for (file, text) in SETTINGS {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap_or(root))?;
        fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    let kernel = find(root, "boot/vmlinux-*")?;
    let name = kernel.file_name().unwrap_or_default().to_string_lossy().replace("vmlinux-", "initrd.img-");
    let modules = initramfs::MODULES.map(|path| {
        let path = find(root, &format!("usr/lib/modules/*/kernel/{path}.ko.xz"))?;
        Ok(fs::read(path)?)
    });
    let modules = modules.into_iter().collect::<Result<Vec<_>>>()?;
    let initrd = initramfs::for_disk(shell, &modules)?;
    fs::write(root.join("boot").join(name), &initrd)?;
    fs::write(made.join("initrd.gz"), initrd)?;
    fs::copy(kernel, made.join("vmlinux"))?;
    Ok(())
}

/// Waits for the users' numbers, and lets this namespace run the other architecture's programs: `F` has the kernel open
/// QEMU now, from where the chroot does not see it.
const PROLOGUE: &str = r#"
echo ready
read mapped
exec >&2
qemu=$1 root=$2
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":riscv64:M::$magic:$mask:$qemu:F" > /proc/sys/fs/binfmt_misc/register
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root DEBIAN_FRONTEND=noninteractive
"#;

/// Device nodes cannot be made in a namespace; for what debootstrap takes for LXC it binds the host's. The initial RAM
/// disk is ours, so the kernel package is told to make none. Nothing is lost if the host loses its power half-way, so
/// dpkg need not flush each file.
const SECOND_STAGE: &str = "
mkdir -p $root/etc/dpkg/dpkg.cfg.d
echo force-unsafe-io > $root/etc/dpkg/dpkg.cfg.d/hartwright
container=lxc INITRD=No chroot $root /debootstrap/debootstrap --second-stage
";

const FINISH: &str = "
chroot $root u-boot-update
chroot $root passwd --delete root
cd $root
rm etc/dpkg/dpkg.cfg.d/hartwright
rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* usr/share/doc usr/share/man usr/share/locale
";

/// Files of the new system. A machine on a busy host is slow, and its devices and services take their time.
const SETTINGS: [(&str, &str); 4] = [
    ("etc/hostname", "trixie\n"),
    ("etc/fstab", "/dev/vda1 / ext4 errors=remount-ro 0 0\n"),
    (
        "etc/default/u-boot",
        "U_BOOT_ROOT=\"root=/dev/vda1\"\nU_BOOT_PARAMETERS=\"ro console=ttyS0\"\nU_BOOT_TIMEOUT=\"10\"\n",
    ),
    (
        "etc/systemd/system.conf.d/slow.conf",
        "[Manager]\nDefaultDeviceTimeoutSec=30min\nDefaultTimeoutStartSec=30min\nDefaultTimeoutStopSec=30min\n",
    ),
];
