//! Debian from a disk: its kernel, whose drivers are modules, and all of it, started directly and by U-Boot in flash.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, Scratch, guest};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};
use xtask::{cache::sha256, disk};

/// Where busybox on the small disk waits for a line.
const PROMPT: &str = "disk# ";

/// The line that the small disk's `init` prints.
const MARKER: &str = "hartwright guest: disk";

/// Where root's shell in Debian waits for a line.
const ROOT: &str = "root@trixie:~# ";

/// How many bytes Debian copies.
const DATA: usize = 64 << 20;

/// In the form that u-boot-menu writes.
const BOOT_FILE: &str = "
default l0
menu title U-Boot menu
prompt 0
timeout 10

label l0
\tmenu label Debian's kernel
\tlinux /boot/vmlinux
\tinitrd /boot/initrd.gz
\tappend root=/dev/vda1 rw console=ttyS0
";

/// A disk with busybox, the kernel and its initial RAM disk, and U-Boot's boot file.
fn small_disk(scratch: &Scratch) -> PathBuf {
    let root = scratch.path("root");
    for folder in ["bin", "boot/extlinux", "dev", "proc", "sbin", "sys"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(guest("busybox", "busybox"), root.join("bin/busybox")).unwrap();
    fs::copy(guest("linux", "vmlinux"), root.join("boot/vmlinux")).unwrap();
    fs::copy(guest("linux", "initrd.disk.gz"), root.join("boot/initrd.gz")).unwrap();
    symlink("busybox", root.join("bin/sh")).unwrap();
    fs::write(root.join("boot/extlinux/extlinux.conf"), BOOT_FILE).unwrap();
    let init = format!(
        "#!/bin/sh\n/bin/busybox --install -s /bin\nexport HOME=/ PS1='{PROMPT}'\necho '{MARKER}'\nexec cttyhack sh\n"
    );
    fs::write(root.join("sbin/init"), init).unwrap();
    for program in ["bin/busybox", "sbin/init"] {
        fs::set_permissions(root.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let image = scratch.path("small.img");
    disk::make(&root, &image, 64).unwrap();
    image
}

/// Flash that begins with a loader and has U-Boot a page later. Before it moves itself, U-Boot wants to be where it was
/// linked to be, and there be written to, so the loader copies it into RAM.
fn flash(scratch: &Scratch) -> PathBuf {
    const PAGE: usize = 0x1000;
    let uboot = fs::read(guest("u-boot", "smode.bin")).unwrap();
    let pages = uboot.len().div_ceil(PAGE) as u32;
    let loader = [
        0x0000_0297,               // auipc t0, 0
        0x0000_1337,               // lui   t1, 1
        0x0062_82b3,               // add   t0, t0, t1   from the page after this one
        0x0040_13b7,               // lui   t2, 0x401
        0x0093_9393,               // slli  t2, t2, 9    to 0x80200000
        0x0003_8f13,               // mv    t5, t2
        0x0000_0e37 | pages << 12, // lui   t3, pages
        0x005e_0e33,               // add   t3, t3, t0
        0x0002_ae83,               // lw    t4, 0(t0)
        0x0042_8293,               // addi  t0, t0, 4
        0x01d3_a023,               // sw    t4, 0(t2)
        0x0043_8393,               // addi  t2, t2, 4
        0xffc2_e8e3,               // bltu  t0, t3, four instructions back
        0x0000_100f,               // fence.i
        0x000f_0067,               // jr    t5
    ];
    let mut bytes: Vec<u8> = loader.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    bytes.resize(PAGE, 0);
    bytes.extend(uboot);
    bytes.resize(32 << 20, 0xff);
    scratch.file("flash.img", bytes)
}

fn virt(memory: &str) -> Launch {
    Launch::program().option("-machine", "virt").argument("-nographic").memory(memory)
}

/// Plugs `image` in; `name` is its drive's.
fn with_disk(launch: Launch, name: &str, image: &Path, format: &str) -> Launch {
    launch
        .option("-drive", format!("if=none,id={name},file={},format={format}", image.display()))
        .option("-device", format!("virtio-blk-device,drive={name}"))
}

/// U-Boot, in flash, to start what is on the disk `image`.
fn u_boot(scratch: &Scratch, memory: &str, image: &Path, format: &str) -> Launch {
    let launch = virt(memory)
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
        .option("-drive", format!("if=pflash,unit=0,format=raw,file={}", flash(scratch).display()));
    with_disk(launch, "hd0", image, format)
}

/// An empty qcow2 image on top of the raw `image`.
fn overlay(scratch: &Scratch, image: &Path) -> PathBuf {
    let over = scratch.path("over.qcow2");
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(image).arg(&over);
    assert!(create.status().expect("qemu-img (package qemu-utils)").success());
    over
}

/// 64 MiB for a disk of its own, with room for as much again; and their sum.
fn data(scratch: &Scratch) -> (PathBuf, String) {
    let mut bytes: Vec<u8> = (0..DATA as u64 / 8)
        .flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).to_le_bytes())
        .collect();
    let sum = sha256(&bytes);
    bytes.resize(2 * DATA, 0);
    (scratch.file("data.img", bytes), sum)
}

/// What `program` says of a disk that nobody has any more must be nothing bad.
#[track_caller]
fn holds(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

#[track_caller]
fn raw_holds(image: &Path) {
    holds("/usr/sbin/e2fsck", &["-fn", &format!("{}?offset={}", image.display(), disk::OFFSET)]);
}

#[track_caller]
fn overlay_holds(scratch: &Scratch, over: &Path) {
    let (over, flat) = (over.to_str().unwrap(), scratch.path("flat.img"));
    holds("qemu-img", &["check", "-q", over]);
    holds("qemu-img", &["convert", "-O", "raw", over, flat.to_str().unwrap()]);
    raw_holds(&flat);
}

/// The sum of a file as the guest makes it, which must be the host's.
#[track_caller]
fn sum_is(machine: &mut Machine, file: &str, expected: &str, prompt: &str) {
    let said = machine.ask(&format!("sha256sum {file}"), prompt);
    assert!(said.contains(expected), "{said}: the sum of {file} is {expected}");
}

#[test]
fn u_boot_in_flash_starts_the_kernel_that_the_disks_boot_file_names() {
    let scratch = Scratch::default();
    let image = small_disk(&scratch);
    let (over, before) = (overlay(&scratch, &image), fs::read(&image).unwrap());
    let mut machine = u_boot(&scratch, "256M", &over, "qcow2").start();
    machine.patience(180).expect("U-Boot 20").expect("Flash: 32 MiB");
    machine.expect("Retrieving file: /boot/extlinux/extlinux.conf").expect("Starting kernel");
    machine.expect("Linux version 6.").expect(MARKER).expect(PROMPT);
    let kernel = sha256(&fs::read(guest("linux", "vmlinux")).unwrap());
    sum_is(&mut machine, "/boot/vmlinux", &kernel, PROMPT);
    machine.ask("dd if=/boot/vmlinux of=/copy bs=1M count=8 conv=fsync", PROMPT);
    machine.ask("echo 3 > /proc/sys/vm/drop_caches", PROMPT);
    assert!(machine.ask("cmp -n 8388608 /boot/vmlinux /copy && echo sam''e", PROMPT).contains("same"));
    machine.ask("mount -o remount,ro /", PROMPT);
    machine.send("poweroff -f\r").expect("Power down");
    assert_eq!(machine.wait_exit(), 0);
    overlay_holds(&scratch, &over);
    assert!(fs::read(image).unwrap() == before, "the disk below has nothing of what was written");
}

/// Somebody logs in to Debian, once all of it has come up.
#[track_caller]
fn log_in(machine: &mut Machine) {
    machine.patience(1800).expect("trixie login: ").send("root\r").expect(ROOT);
    let state = machine.ask("systemctl is-system-running --wait", ROOT);
    if !state.contains("running") {
        let failed = machine.ask("systemctl --failed --no-pager", ROOT);
        machine.fail(&format!("{state}{failed}"));
    }
}

#[track_caller]
fn power_off(mut machine: Machine) {
    machine.send("poweroff\r").expect("Power down");
    assert_eq!(machine.wait_exit(), 0);
}

/// All of Debian from `image`, and 64 MiB from one disk to the other and back.
fn use_debian(scratch: &Scratch, image: &Path, format: &str) {
    let (data, sum) = data(scratch);
    let launch = virt("1G")
        .kernel(guest("trixie", "vmlinux"))
        .initrd(guest("trixie", "initrd.gz"))
        .append("root=/dev/vda1 ro console=ttyS0");
    let launch = with_disk(with_disk(launch, "hd0", image, format), "hd1", &data, "raw");
    let mut machine = launch.start();
    log_in(&mut machine);
    machine.ask("dd if=/dev/vdb of=copy bs=1M count=64 conv=fsync", ROOT);
    machine.ask("echo 3 > /proc/sys/vm/drop_caches", ROOT);
    sum_is(&mut machine, "copy", &sum, ROOT);
    machine.ask("dd if=copy of=/dev/vdb bs=1M seek=64 conv=fsync", ROOT);
    power_off(machine);
    let written = fs::read(data).unwrap();
    assert!(written[..DATA] == written[DATA..], "what came back is what was sent");
}

#[test]
#[ignore = "it takes minutes, and the guest `trixie`"]
fn debian_on_a_raw_disk_comes_up_and_copies_64_mib() {
    let scratch = Scratch::default();
    let image = scratch.path("disk.img");
    fs::copy(guest("trixie", "disk.img"), &image).unwrap();
    use_debian(&scratch, &image, "raw");
    raw_holds(&image);
}

#[test]
#[ignore = "it takes minutes, and the guest `trixie`"]
fn debian_on_an_overlay_comes_up_and_leaves_the_disk_below_as_it_was() {
    let scratch = Scratch::default();
    let image = guest("trixie", "disk.img");
    let changed = || fs::metadata(&image).unwrap().modified().unwrap();
    let (over, before) = (overlay(&scratch, &image), changed());
    use_debian(&scratch, &over, "qcow2");
    overlay_holds(&scratch, &over);
    assert_eq!(changed(), before);
}

#[test]
#[ignore = "it takes minutes, and the guest `trixie`"]
fn u_boot_in_flash_starts_debian_by_the_boot_file_that_debian_wrote() {
    let scratch = Scratch::default();
    let image = scratch.path("disk.img");
    fs::copy(guest("trixie", "disk.img"), &image).unwrap();
    let mut machine = u_boot(&scratch, "1G", &image, "raw").start();
    machine.patience(120).expect("U-Boot 20").expect("Flash: 32 MiB");
    machine.expect("Retrieving file: /boot/extlinux/extlinux.conf").expect("Debian GNU/Linux 13 (trixie)");
    machine.patience(600).expect("Starting kernel").expect("Linux version 6.");
    log_in(&mut machine);
    power_off(machine);
    raw_holds(&image);
}
