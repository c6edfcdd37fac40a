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
        let mux = if planned.spec.mux.is_some() { "mux " } else { "" };
        let kind = match &planned.spec.kind {
            Kind::Null => "null",
            Kind::Stdio { signal: true } => "stdio",
            Kind::Stdio { signal: false } => "stdio without signals",
            Kind::File { .. } => "file",
            Kind::Socket(socket) if socket.server => "server",
            Kind::Socket(_) => "client",
            _ => "another",
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
        (
            "-chardev stdio,id=b,signal=off -chardev mux,id=c,chardev=b -serial chardev:c -mon c",
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
    for (device, why) in [
        (
            "virtio-blk-pci",
            "'virtio-blk-pci' is a device on PCI, which is not yet in hartwright: use -device virtio-blk-device",
        ),
        (
            "virtio-rng-pci-transitional",
            "'virtio-rng-pci-transitional' is a device on PCI, which is not yet in hartwright: use -device virtio-rng-device",
        ),
        (
            "virtio-blk",
            "'virtio-blk' is a device on PCI, which is not yet in hartwright: use -device virtio-blk-device",
        ),
        ("nvme", "'nvme' is a device on PCI, which is not yet in hartwright: use -device virtio-blk-device"),
        (
            "e1000",
            "'e1000' is a device on PCI, which is not yet in hartwright: -device help lists what there is",
        ),
        (
            "virtio-net-device",
            "'virtio-net-device' is a device that is not yet in hartwright: -device help lists what there is",
        ),
    ] {
        fails(&format!("-device {device}"), &format!("-device {device}: {why}"));
    }
    fails("-M virt,boot.order=c", "-machine virt: boot.order=c: not yet in hartwright");
    fails("-M virt,aux-ram-share=on", "-machine virt: aux-ram-share=on: not yet in hartwright");
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
    fails("-enable-kvm", "-enable-kvm: not yet in hartwright");
}

#[test]
fn a_disk_is_a_drive_and_perhaps_a_device() {
    let planned = |line: &str| {
        let config = with(line);
        let show = |planned: &PlannedDisk| {
            let drive = &planned.drive;
            let path = drive.image.as_ref().map_or("-", |(node, _)| &*node.path);
            format!("{} {} {:?} {path}", planned.option, drive.id, drive.interface)
        };
        let devices =
            config.devices.iter().map(|device| format!("{} {:?}", device.driver, device.properties));
        (config.disks.iter().map(show).collect::<Vec<_>>(), devices.collect::<Vec<_>>())
    };
    let device = |id: &str| format!("virtio-blk-device [(\"drive\", Text(\"{id}\"))]");
    assert_eq!(planned("a.img"), (vec!["a.img virtio0 Virtio a.img".into()], vec![device("virtio0")]));
    assert_eq!(planned("-hdb a,b"), (vec!["-hdb a,b virtio1 Virtio a,b".into()], vec![device("virtio1")]));
    assert_eq!(planned("-pflash f"), (vec!["-pflash f pflash0 Pflash f".into()], vec![]));
    assert_eq!(planned("-drive if=none,id=x"), (vec!["-drive if=none,id=x x None -".into()], vec![]));
    let node = "-blockdev raw,node-name=n,file.driver=file,file.filename=a";
    assert_eq!(planned(node), (vec![format!("{node} n None a")], vec![]));
}

#[test]
fn disks_are_refused_in_qemu_s_words() {
    let drive = |rest: &str, why: &str| {
        let line = format!("-drive file=a,{rest}");
        fails(&line, &format!("{line}: {why}"));
    };
    drive("foo=bar", "Block format 'raw' does not support the option 'foo'");
    drive("if=foo", "unsupported bus type 'foo'");
    drive("format=nope", "Unknown driver 'nope'");
    drive("format=vmdk", "vmdk: not yet in hartwright");
    drive("cache=foo", "invalid cache option");
    drive("werror=foo", "'foo' invalid write error action");
    drive("rerror=enospc", "'enospc' invalid read error action");
    drive("werror=stop", "werror=stop: not yet in hartwright");
    drive("discard=foo", "Invalid discard option");
    drive("detect-zeroes=foo", "invalid parameter value: foo");
    drive("media=foo", "'foo' invalid media");
    drive("aio=foo", "invalid aio option");
    drive("driver=qcow2,format=raw", "Cannot specify both 'driver' and 'format'");
    drive("snapshot=maybe", "Parameter 'snapshot' expects 'on' or 'off'");
    drive("index=0,unit=1", "index cannot be used with bus and unit");
    drive("bps=1", "bps: not yet in hartwright");
    let two = "-drive file=a,index=0";
    fails(&format!("{two} {two}"), &format!("{two}: drive with bus=0, unit=0 (index=0) exists"));
    let two = "-drive file=a,if=none,id=x";
    fails(&format!("{two} {two}"), &format!("{two}: Duplicate ID 'x' for drive"));
    fails("-drive if=virtio", "-drive if=virtio: Must specify either driver or file");
    let node = |rest: &str, why: &str| {
        let line = format!("-blockdev {rest}");
        fails(&line, &format!("{line}: {why}"));
    };
    node("raw,node-name=n,file.driver=file", "Parameter 'file.filename' is missing");
    node("file,filename=r", "'node-name' must be specified for the root node");
    node("nope,node-name=n", "Parameter 'driver' does not accept value 'nope'");
    node("node-name=n", "Parameter 'driver' is missing");
    node("raw,node-name=n", "Parameter 'file' is missing");
    node("raw,node-name=n,file=zz", "Cannot find device='zz' nor node-name='zz'");
    node("file,node-name=f,filename=r,foo=1", "Parameter 'foo' is unexpected");
    node("file,node-name=3f,filename=r", "Invalid node-name: '3f'");
    node("file,node-name=f,filename=r,read-only=1", "Parameter 'read-only' expects 'on' or 'off'");
    node("file,node-name=f,filename=r,locking=foo", "Parameter 'locking' does not accept value 'foo'");
    let file = "-blockdev file,node-name=f,filename=r";
    let raw = "-blockdev raw,node-name=f,file=f";
    fails(&format!("{file} {raw}"), &format!("{raw}: Duplicate nodes with node-name='f'"));
    let drive = "-drive if=none,id=f,file=r";
    fails(
        &format!("{file} {drive}"),
        &format!("{drive}: Device name 'f' conflicts with an existing node name"),
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
    assert!(
        config.stopped
            && config.no_reboot
            && config.no_shutdown
            && config.accel.threads == Some(Threads::Single)
    );
    assert_eq!((config.boot.seed, config.escape), (Some(16), None));
    assert_eq!(config.log.items, [LogItem::Int, LogItem::Cpu]);
    assert_eq!(config.dump_dtb, Some("t".into()));
    assert_eq!(config.machine_properties, [("x".into(), "1".into())]);
    assert_eq!((&*config.globals[0].driver, &*config.globals[0].property), ("a.b", "c"));
    assert_eq!(config.devices[0].properties[1], ("addr".into(), "0x10".into()));
}
