//! What command lines mean.

use super::*;
use crate::parse;

fn config(line: &str) -> Result<Config, String> {
    let program = Program::new(Some("P"));
    let words = line.split_whitespace().map(Into::into);
    parse(&program, words).and_then(|asked| resolve(&program, asked)).map_err(|outcome| match outcome {
        Outcome::Fail(failure) => failure.text(&program),
        Outcome::Print { text, .. } => text,
    })
}

/// A machine from a file: no other is linked into this test.
fn with(line: &str) -> Config {
    config(&format!("-M ./p.toml {line}")).unwrap()
}

fn fails(line: &str, expect: &str) {
    assert_eq!(config(&format!("-M ./p.toml {line}")), Err(format!("P: {expect}\n")), "{line}");
}

/// Serial ports and monitors with what they are on.
fn ends(line: &str) -> String {
    let config = with(line);
    let show = |id: &String| {
        let planned = config.chardevs.iter().find(|planned| planned.spec.id == *id).unwrap();
        let mux = if planned.spec.mux { "mux " } else { "" };
        let kind = match &planned.spec.kind {
            Kind::Null => "null",
            Kind::Stdio { signal: true } => "stdio",
            Kind::Stdio { signal: false } => "stdio without signals",
            Kind::File { .. } => "file",
            Kind::Socket(socket) if socket.server => "server",
            Kind::Socket(_) => "client",
        };
        format!("{id}: {mux}{kind}")
    };
    let serials = config.serials.iter().map(|id| id.as_ref().map_or("none".into(), show));
    let monitors = config.monitors.iter().map(|monitor| show(&monitor.chardev));
    let gdb = config.gdb.iter().map(show);
    let all = |title: &str, names: Vec<String>| format!("{title} [{}]", names.join(", "));
    let mut text = format!("{} {}", all("serial", serials.collect()), all("monitor", monitors.collect()));
    if config.gdb.is_some() {
        text += &all(" gdb", gdb.collect());
    }
    text
}

#[test]
fn a_machine_must_be_named() {
    let hint = "Use -machine help to list supported machines\n";
    let none = format!("P: No machine specified, and there is no default\n{hint}");
    assert_eq!(config(""), Err(none));
    assert_eq!(config("-M spike"), Err(format!("P: unsupported machine type: \"spike\"\n{hint}")));
    assert_eq!(with("").machine, "./p.toml");
}

#[test]
fn the_terminal_is_shared_by_serial_port_and_monitor() {
    let shared = "serial [serial0: mux stdio without signals] monitor [serial0: mux stdio without signals]";
    for line in ["-nographic", "", "-serial mon:stdio", "-nographic -serial mon:stdio"] {
        assert_eq!(ends(line), shared, "{line}");
    }
}

#[test]
fn explicit_ends_switch_implicit_ones_off() {
    for (line, expect) in [
        ("-display none", "serial [serial0: null] monitor []"),
        ("-serial stdio", "serial [serial0: stdio] monitor []"),
        ("-monitor stdio", "serial [serial0: null] monitor [compat_monitor0: stdio]"),
        ("-nographic -monitor none", "serial [serial0: stdio] monitor []"),
        ("-nographic -serial null", "serial [serial0: null] monitor [compat_monitor0: stdio]"),
        ("-nodefaults -nographic", "serial [] monitor []"),
        ("-serial none -serial null", "serial [none, serial1: null] monitor []"),
        (
            "-display none -chardev socket,id=s,path=/p -serial chardev:s -monitor stdio",
            "serial [s: client] monitor [compat_monitor0: stdio]",
        ),
        (
            "-chardev stdio,id=c,mux=on,signal=off -serial chardev:c -mon c",
            "serial [c: mux stdio without signals] monitor [c: mux stdio without signals]",
        ),
        ("-nodefaults -s", "serial [] monitor [] gdb [gdb: server]"),
        ("-nodefaults -gdb unix:/p", "serial [] monitor [] gdb [gdb: client]"),
        ("-nodefaults -s -gdb none", "serial [] monitor []"),
    ] {
        assert_eq!(ends(line), expect, "{line}");
    }
}

#[test]
fn contradictions_are_refused() {
    fails("-append x", "-append only allowed with -kernel option");
    fails("-initrd x", "-initrd only allowed with -kernel option");
    fails("-cpu rv64,foo", "Expected key=value format, found foo.");
    fails("-M accel=foo", "invalid accelerator foo");
    fails("-M accel=tcg -accel tcg", "The -accel and \"-machine accel=\" options are incompatible");
    for line in ["-device foo", "-device foo,help"] {
        let advice = "a type of another crate is linked in if the program names its crate: `use CRATE as _;`";
        fails(line, &format!("{line}: 'foo' is not a valid device model name\n{advice}"));
    }
    fails("-device loader,id=a -device loader,id=a", "-device loader,id=a: Duplicate ID 'a' for device");
    fails("-chardev null,id=a -chardev null,id=a", "-chardev null,id=a: Duplicate ID 'a' for chardev");
    fails("-mon foo", "-mon foo: chardev \"foo\" not found");
    fails(
        "-serial chardev:nope",
        "-serial chardev:nope: could not connect serial device to character backend 'chardev:nope'",
    );
    fails("-device {bad", "-device {bad: JSON parse error, key must be a string at line 1 column 2");
}

#[test]
fn words_that_are_no_options_are_refused() {
    fails("-foo", "-foo: invalid option");
    fails("-", "-: invalid option");
    fails("-kernal x", "-kernal: invalid option\nDid you mean -kernel?");
    fails("-no-reboot=1", "-no-reboot=1: invalid option\nDid you mean -no-reboot?");
    fails("-m", "-m: requires an argument");
    fails("-drive file=x", "-drive: not yet in hartwright");
    fails("-enable-kvm", "-enable-kvm: not yet in hartwright");
    fails(
        "disk.img",
        "disk.img: a disk image without -drive is not yet in hartwright; a kernel goes with -kernel FILE",
    );
}

#[test]
fn everything_arrives_in_the_configuration() {
    let config = with(
        "--m 1.5G --smp 4 -cpu max,v=off -kernel k -initrd i -append a -bios none -L /x -L /y -S -no-reboot \
         -no-shutdown -name n,process=p -pidfile f -seed 0x10 -echr 0 -d int,cpu -D log -M dumpdtb=t,x=1 \
         -accel tcg,thread=single -global a.b.c=d -device loader,file=f,addr=0x10",
    );
    assert_eq!(config.memory, Some(3 << 29));
    assert_eq!(config.smp.unwrap().cpus, 4);
    let cpu = Cpu { model: "max".into(), properties: vec![("v".into(), "off".into())] };
    assert_eq!(config.cpu, Some(cpu));
    assert_eq!(config.boot.kernel.as_deref(), Some("k"));
    assert_eq!(config.boot.folders, [PathBuf::from("/x"), PathBuf::from("/y")]);
    assert!(config.stopped && config.no_reboot && config.no_shutdown && config.accel.single_thread);
    assert_eq!((config.boot.seed, config.escape), (Some(16), None));
    assert_eq!(config.log.items, [LogItem::Int, LogItem::Cpu]);
    assert_eq!(config.dump_dtb, Some("t".into()));
    assert_eq!(config.machine_properties, [("x".into(), "1".into())]);
    assert_eq!((&*config.globals[0].driver, &*config.globals[0].property), ("a.b", "c"));
    assert_eq!(config.devices[0].properties[1], ("addr".into(), "0x10".into()));
}
