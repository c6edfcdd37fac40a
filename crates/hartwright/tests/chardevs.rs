//! What is said of `-chardev`, `-serial` and `-parallel` options: QEMU's words, option by option.
//!
//! Differences on purpose: a port is a number and an address has one, and what is wrong with them is said; an option
//! that means nothing to its driver brings a warning; drivers that we lack say so.
#![forbid(unsafe_code)]

use std::{
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

const OURS: &str = env!("CARGO_BIN_EXE_hartwright");
const QEMU: &str = "qemu-system-riscv64";

/// What a program has against `line`, if it has. `last` makes it end after all host ends are open.
fn against(program: &str, line: &str, machine: &str, last: &str) -> Option<String> {
    let line = format!("-M {machine} -display none -monitor none {line} {last}");
    let mut command = Command::new(program);
    command.arg0(QEMU).args(line.split(' ')).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().ok()?;
    assert_eq!(output.status.code(), Some(1), "{program} {line}");
    let words = String::from_utf8_lossy(&output.stderr);
    let lines = words.lines().filter(|line| !line.contains(": warning: ") && !line.contains(": info: "));
    Some(
        lines
            .filter(|line| !line.contains("not a valid device model name") && !line.contains("PID file"))
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

/// Ours are QEMU's; passes where that is not installed.
fn compare(lines: impl IntoIterator<Item = String>) {
    let mut compared = 0;
    for line in lines {
        let ours = against(OURS, &line, "param", "-pidfile /nonexist/x").unwrap();
        let Some(qemus) = against(QEMU, &line, "none", "-device foo") else { return };
        assert_eq!(ours, qemus, "{line}");
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn every_driver_says_what_is_wrong_with_every_option() {
    let drivers =
        ["null", "stdio", "file", "pipe", "pty", "ringbuf", "memory", "serial", "socket", "udp", "vc", "mux"];
    let options = [
        "mux=maybe",
        "logfile=/nonexist/x",
        "logappend=maybe",
        "bogus=1",
        "size=foo",
        "append=maybe",
        "to=foo",
        "width=foo",
    ];
    compare(drivers.into_iter().flat_map(|driver| {
        // What opens a path or a port of its own is not opened here.
        let nothing = (driver != "socket").then(|| format!("-chardev {driver},id=a"));
        let wrong = options.into_iter().map(move |option| format!("-chardev {driver},id=a,{option}"));
        // Without a path or an address that comes first, for us.
        let wrong = wrong.filter(move |line| {
            !(line.contains("logfile")
                && ["file", "pipe", "serial", "socket", "udp", "mux"].contains(&driver))
        });
        nothing.into_iter().chain([format!("-chardev {driver}")]).chain(wrong)
    }));
}

#[test]
fn addresses_and_paths_are_refused_alike() {
    let lines = [
        "-chardev pipe,id=a,path=/nonexist/x",
        "-chardev file,id=a,path=",
        "-chardev file,id=a,path=/tmp",
        "-chardev serial,id=a,path=/nonexist/x",
        "-chardev ringbuf,id=a,size=3",
        "-chardev ringbuf,id=a,size=0",
        "-chardev udp,id=a,host=h",
        "-chardev udp,id=a,host=127.0.0.1,port=1,ipv4=off,ipv6=off",
        "-chardev udp,id=a,host=127.0.0.1,port=1,localaddr=192.0.2.1,localport=2",
        "-chardev socket,id=a,path=/nonexist/x",
        "-chardev socket,id=a,path=/nonexist/x,server=on,wait=off",
        "-chardev socket,id=a,host=127.0.0.1,port=1",
        "-chardev socket,id=a,host=127.0.0.1,port=1,telnet=on",
        "-chardev socket,id=a,host=127.0.0.1,port=1,websocket=on",
        "-chardev socket,id=a,host=::1,port=1,ipv4=on",
        "-chardev socket,id=a,path=x,host=b",
        "-chardev socket,id=a,fd=99",
        "-chardev socket,id=a,fd=-1",
        "-chardev socket,id=a,fd=1",
        "-chardev socket,id=a,path=x,wait=off",
        "-chardev socket,id=a,path=x,tls-creds=foo",
        "-chardev socket,id=a,path=x,tls-authz=foo",
        "-chardev null,id=a -chardev null,id=a",
        "-chardev mux,id=a,chardev=b",
        "-chardev null,id=b -chardev mux,id=a,chardev=b",
    ];
    compare(lines.map(str::to_owned));
}

#[test]
fn short_words_are_refused_alike() {
    let places = [
        "foo",
        "pipe",
        "ringbuf",
        "ringbuf:1024",
        "memory",
        "unix",
        "file",
        "null:",
        "none:",
        "stdio,foo=1",
        "con:",
        "COM1",
        "/dev/nonexist",
        "pipe:",
        "file:",
        "file:/nonexist/y",
        "unix:/nonexist/x",
        "tcp:127.0.0.1:1",
        "tcp:127.0.0.1:1,foo=1",
        "tcp:127.0.0.1:1,wait=on",
        "telnet:127.0.0.1:1",
        "tn3270:127.0.0.1:1",
        "websocket:127.0.0.1:1",
        "mon:foo",
        "mon:none",
        "mon:chardev:foo",
        "chardev:foo",
    ];
    let serial = places.map(|place| format!("-serial {place}"));
    let parallel = places[..3].iter().map(|place| format!("-parallel {place}"));
    let more =
        ["-serial null -serial none -serial pty -serial mon:null", "-serial vc:80Cx24C -parallel null"];
    compare(serial.into_iter().chain(parallel).chain(more.map(str::to_owned)));
}
