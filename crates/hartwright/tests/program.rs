//! The program itself: what it says and how it ends, beside QEMU's where that is installed.

use std::{
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

const OURS: &str = env!("CARGO_BIN_EXE_hartwright");
const QEMU: &str = "qemu-system-riscv64";

fn run(program: &str, line: &str) -> Option<Output> {
    let words = line.split_whitespace();
    Command::new(program).arg0(QEMU).args(words).stdin(Stdio::null()).output().ok()
}

/// Our words and exit code for a command line are QEMU's.
fn check(line: &str) {
    let ours = run(OURS, line).unwrap();
    if let Some(qemus) = run(QEMU, line) {
        // Debian's QEMU misses packages with its windows, which have nothing to do with the line.
        let said = String::from_utf8_lossy(&qemus.stderr);
        let theirs: String =
            said.split_inclusive('\n').filter(|line| !line.starts_with("qemu: module ")).collect();
        assert_eq!(String::from_utf8_lossy(&ours.stderr), theirs, "{line}");
        assert_eq!(ours.status.code(), qemus.status.code(), "{line}");
    }
    assert_eq!(ours.status.code(), Some(1), "{line}");
}

#[test]
fn we_refuse_in_qemus_words() {
    for line in [
        "-foo",
        "-M",
        "-m abc",
        "-m size=",
        "-m 128,foo=1",
        "-m 1000E",
        "-accel foo",
        "-accel tcg,thread=foo",
        "-accel tcg,foo=1",
        "-accel tcg,tb-size=foo",
        "-chardev foo,id=x",
        "-chardev stdio",
        "-chardev id=x",
        "-chardev null,id=1x",
        "-chardev null,id=x,foo=1",
        "-chardev null,id=a -chardev null,id=a",
        "-chardev socket,id=x,fd=foo",
        "-chardev socket,id=x,host=a",
        "-chardev file,id=a",
        "-chardev stdio,id=a,signal=maybe",
        "-display foo",
        "-net foo",
        "-name foo,bar=1",
        "-msg timestamp=foo",
        "-seed abc",
        "-object foo,id=x",
        "-M virt,acpi",
        "-mon mode=readline",
        "-numa foo=1",
        "-numa foo",
        "-numa node,foo=1",
        "-numa node,cpus=x",
        "-M virt -display none -numa node -numa node -numa dist,src=0,dst=1,val=5",
        "-M virt -display none -numa node -numa dist,src=0,dst=0,val=20",
        "-numa dist,src=0,dst=1,val=300",
        "-M virt -display none -numa dist,src=0,dst=1,val=20",
        "-M virt -display none -numa node -numa node",
        "-M virt -display none -numa node,nodeid=1 -numa node,nodeid=1",
        "-M virt -display none -numa node,nodeid=1 -numa node,nodeid=2",
        "-object memory-backend-ram,id=m",
        "-object memory-backend-ram,id=m,size=64M,foo=1",
        "-object memory-backend-file,id=m,size=64M",
        "-M virt,memory-backend=m -display none",
        "-M virt,memory-backend=m -display none -m 1G -object memory-backend-ram,id=m,size=64M",
        "-M virt,foo=1 -display none",
        "-M virt,aclint=2 -display none",
        "-smp 513 -M virt -display none",
        "-M virt -display none -device virtio-blk-device",
        "-M virt -display none -device virtio-blk-device,drive=x",
        "-M virt -display none -device virtio-rng-device,bus=foo",
        "-M virt -display none -device virtio-rng-device,id=a -device virtio-rng-device,id=a",
        "-M virt -display none -device virtio-rng-device,bus=virtio-mmio-bus.3 -device virtio-rng-device,bus=virtio-mmio-bus.3",
        "-M virt -display none -device virtio-rng-device,rng=zz",
        "-M virt -display none -device virtio-rng-device,period=0",
        "-M virt -display none -device virtconsole",
        "-M virt -display none -device virtio-serial-device,max_ports=0",
        "-M virt -display none -device virtio-serial-device,max_ports=1 -device virtconsole -device virtconsole",
        "-M virt -display none -device virtio-serial-device -device virtconsole,nr=4 -device virtconsole,nr=4",
        "-M virt -display none -device virtio-serial-device -device virtserialport,nr=0",
        "-M virt -display none -device virtio-serial-device -device virtserialport,nr=40",
        "-M virt -display none -device virtio-serial-device -device virtserialport,chardev=zz",
        "-M virt -display none -device virtio-serial-device -device virtserialport,bus=virtio-mmio-bus.1",
    ] {
        check(line);
    }
}

#[test]
fn what_cannot_be_opened_is_one_clear_line() {
    let place = "Could not open '/nonexist/x': No such file or directory";
    for (line, expect) in [
        (
            "-chardev file,id=a,path=/nonexist/x",
            vec![format!("-chardev file,id=a,path=/nonexist/x: {place}")],
        ),
        (
            "-pidfile /nonexist/x",
            vec![format!("cannot create PID file: {}", place.replace("open", "create"))],
        ),
        (
            "-D /nonexist/x -d int",
            vec!["Error opening logfile /nonexist/x: No such file or directory".into()],
        ),
        (
            "-serial stdio -monitor stdio",
            vec![
                "-serial stdio: cannot use stdio by multiple character devices".into(),
                "-serial stdio: could not connect serial device to character backend 'stdio'".into(),
            ],
        ),
    ] {
        let ours = run(OURS, &format!("-display none -M param {line}")).unwrap();
        let expect: String = expect.into_iter().map(|text| format!("{QEMU}: {text}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&ours.stderr), expect, "{line}");
        assert_eq!(ours.status.code(), Some(1));
    }
}

#[test]
fn versions_follow_the_name() {
    let output = run(OURS, "-version").unwrap();
    assert!(output.stdout.starts_with(b"QEMU emulator version 11.1.3 (hartwright "));
    let output = Command::new(OURS).arg("--version").output().unwrap();
    assert!(output.stdout.starts_with(b"hartwright 0."));
}

fn terminal() -> (OwnedFd, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).unwrap();
    (master, slave)
}

fn is_raw(terminal: &OwnedFd) -> bool {
    let modes = rustix::termios::tcgetattr(terminal).unwrap().local_modes;
    !modes.contains(rustix::termios::LocalModes::ICANON)
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hartwright-{name}-{}", std::process::id()))
}

#[test]
fn signals_end_it_well_and_a_stop_lends_the_terminal_out() {
    use rustix::process::{Pid, Signal, kill_process};
    let (_master, slave) = terminal();
    let before = format!("{:?}", rustix::termios::tcgetattr(&slave).unwrap());
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1)] {
        let socket = path(&format!("signal-{number}"));
        // It waits for a client, with the terminal raw.
        let child = Command::new(OURS)
            .args(["-M", "param", "-chardev", "stdio,id=a,signal=off", "-chardev"])
            .arg(format!("socket,id=s,path={},server=on", socket.display()))
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        until("raw", || is_raw(&slave) && socket.exists());
        kill_process(pid, Signal::TSTP).unwrap();
        until("lent out", || !is_raw(&slave));
        kill_process(pid, Signal::CONT).unwrap();
        until("raw again", || is_raw(&slave));
        kill_process(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let me = std::process::id();
        assert!(
            said.contains(&format!("hartwright: terminating on signal {number} from pid {me} (")),
            "{said}"
        );
        assert_eq!(format!("{:?}", rustix::termios::tcgetattr(&slave).unwrap()), before);
        let _ = std::fs::remove_file(socket);
    }
}
