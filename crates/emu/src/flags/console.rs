//! Where the machine's serial ports and the monitor are on the host.

use hartwright_backend::{
    opts::Refusal,
    spec::{ChardevSpec, Place, driver_names},
};

use super::{Complete, FLAG, Flag};
use crate::{
    Asked, Failure, Outcome,
    asked::{Argument, MonOption},
    not_yet,
};

const PLACES: Complete = Complete::Words(&[
    "/dev/",
    "chardev:",
    "file:",
    "mon:stdio",
    "none",
    "null",
    "pipe:",
    "pty",
    "stdio",
    "tcp:",
    "telnet:",
    "tn3270:",
    "udp:",
    "unix:",
    "vc",
    "websocket:",
]);

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["nographic"],
        brief: "use the terminal for the first serial port and the monitor",
        more: "Ctrl-A h shows the keys that are not the guest's: Ctrl-A x ends the program, Ctrl-A c goes to the \
               monitor and back. -serial, -monitor or -mon say otherwise. There is no graphical display yet, so \
               this is also what a machine does without any of these options; with `-display none` and none of \
               them the serial port leads nowhere, as in QEMU.",
        parse: |asked, _| {
            asked.nographic = true;
            Ok(())
        },
        ..FLAG
    },
    Flag {
        names: &["serial"],
        form: "PLACE",
        brief: "say where the next serial port is: stdio, mon:stdio, pty, unix:PATH, tcp:HOST:PORT, file:PATH, ...",
        more: "Also null, none, vc, pty:LINK, pipe:PATH, telnet:, tn3270: and websocket:HOST:PORT, \
               udp:HOST:PORT@LOCALHOST:LOCALPORT, /dev/TTY, and chardev:ID for a host end made with -chardev. With \
               mon: a monitor is behind Ctrl-A c. On stdio, Ctrl-C ends the program; with mon:stdio it is the \
               guest's. Sockets connect, or with server=on listen; then wait=off lets the machine start without \
               a client.",
        examples: &[("-serial mon:stdio -serial unix:/tmp/second,server=on,wait=off", "two serial ports")],
        complete: PLACES,
        parse: |asked, arg| {
            checked(asked, arg, "serial")?;
            asked.serials.push(arg.said(arg.text.clone()));
            Ok(())
        },
        accepts: &[
            "stdio",
            "mon:stdio",
            "null",
            "none",
            "chardev:a",
            "file:x",
            "unix:/p,server=on",
            "tcp::4444",
            "telnet::4444,server=on,wait=off",
            "tn3270::4444,server=on",
            "websocket::4444,server=on",
            "udp::4444",
            "udp:a:1@b:2",
            "pipe:/p",
            "pty",
            "pty:/p",
            "vc",
            "vc:80Cx24C",
            "/dev/ttyUSB0",
        ],
        refuses: &[
            (
                "foo",
                "-serial foo: 'foo' is not a valid char driver\n\
                 P: -serial foo: could not connect serial device to character backend 'foo'",
            ),
            (
                "websocket::1",
                "-serial websocket::1: Websocket client is not implemented\n\
                 P: -serial websocket::1: could not connect serial device to character backend 'websocket::1'",
            ),
        ],
    },
    Flag {
        names: &["monitor"],
        form: "PLACE",
        brief: "say where the monitor is; places as for -serial",
        complete: PLACES,
        parse: |asked, arg| {
            checked(asked, arg, "monitor")?;
            asked.monitors.push(arg.said(arg.text.clone()));
            Ok(())
        },
        accepts: &["stdio", "none", "unix:/p,server=on,wait=off"],
        refuses: &[(
            "foo",
            "-monitor foo: 'foo' is not a valid char driver\nP: -monitor foo: parse error: foo",
        )],
        ..FLAG
    },
    Flag {
        names: &["chardev"],
        form: "DRIVER,id=ID[,mux=on][,PROPERTY=VALUE]...",
        brief: "make a host end that -serial, -mon and -monitor can refer to",
        more: "`-chardev help` lists the drivers. stdio: signal=on|off (does Ctrl-C end the program). file: path=, \
               append=, input-path=. pipe: path= of a FIFO, or of two without .in and .out. pty: path= of a link \
               to make. ringbuf: size=, read with ringbuf_read in the monitor. serial: path= of a terminal. udp: \
               host=, port=, localaddr=, localport=. socket: path= or host= and port=, or fd=N for a descriptor \
               that is inherited; server=, wait=, delay=, reconnect-ms=, telnet=, tn3270=, websocket=. mux: \
               chardev= of the host end that several are to share. All: mux=on does the same in place, logfile= \
               and logappend= keep a copy of the output.",
        examples: &[(
            "-chardev stdio,id=c,mux=on,signal=off -serial chardev:c -mon c",
            "what -nographic does, in full",
        )],
        complete: Complete::Words(&[
            "file,", "help", "memory,", "mux,", "null,", "pipe,", "pty,", "ringbuf,", "serial,", "socket,",
            "stdio,", "udp,", "vc,",
        ]),
        parse: |asked, arg| {
            let opts = arg.opts("backend", asked)?;
            if opts.help || matches!(opts.get("backend"), Some("help" | "?")) {
                let mut names: Vec<_> = driver_names().map(|name| format!("  {name}\n")).collect();
                names.sort();
                let names = names.concat();
                return Err(Outcome::print(format!("Available chardev backend types: \n{names}")));
            }
            let mut specs: Vec<_> = asked.chardevs.iter().map(|said| said.value.clone()).collect();
            let mut warnings = Vec::new();
            let added = ChardevSpec::add(&opts, &mut specs, &mut warnings);
            arg.warn(&mut warnings, asked);
            added.map_err(|refusal| arg.refuse(refusal))?;
            for (at, spec) in specs.into_iter().enumerate() {
                match asked.chardevs.get_mut(at) {
                    Some(said) => said.value = spec,
                    None => asked.chardevs.push(arg.said(spec)),
                }
            }
            Ok(())
        },
        accepts: &[
            "null,id=a",
            "stdio,id=a,mux=on,signal=off",
            "socket,id=a,fd=5",
            "file,id=f,path=x",
            "pty,id=a",
            "ringbuf,id=a,size=4k",
            "udp,id=a,port=1",
        ],
        refuses: &[
            ("foo,id=x", "-chardev foo,id=x: 'foo' is not a valid char driver name"),
            ("stdio", "-chardev stdio: chardev: no id specified"),
            ("null,id=x,foo=1", "-chardev null,id=x,foo=1: Invalid parameter 'foo'"),
            (
                "null,id=1x",
                "-chardev null,id=1x: Parameter 'id' expects an identifier\n\
                 Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
            ),
        ],
    },
    Flag {
        names: &["mon"],
        form: "[chardev=]ID[,mode=readline]",
        brief: "put a monitor on a host end made with -chardev",
        parse: mon,
        accepts: &["a", "chardev=a,mode=readline"],
        refuses: &[
            ("a,mode=foo", "-mon a,mode=foo: Parameter 'mode' does not accept value 'foo'"),
            ("mode=readline", "-mon mode=readline: Parameter 'chardev' is missing"),
            ("a,mode=control", "-mon a,mode=control: mode=control (QMP): not yet in hartwright"),
        ],
        ..FLAG
    },
    Flag {
        names: &["echr"],
        form: "NUMBER",
        brief: "take another escape key than Ctrl-A (1), by its number; 0 for none",
        examples: &[("-nographic -echr 0x14", "Ctrl-T is the escape key")],
        parse: |asked, arg| {
            let code = hartwright_backend::opts::parse_whole("echr", &arg.text).ok();
            let code = code.and_then(|code| u8::try_from(code).ok());
            let code =
                code.ok_or_else(|| arg.refuse("Bad argument to echr: a number from 0 to 255 is needed"))?;
            asked.escape = Some(code);
            Ok(())
        },
        accepts: &["0x14", "20", "0"],
        refuses: &[
            ("zz", "-echr zz: Bad argument to echr: a number from 0 to 255 is needed"),
            ("256", "-echr 256: Bad argument to echr: a number from 0 to 255 is needed"),
        ],
        ..FLAG
    },
    Flag {
        names: &["display"],
        form: "none",
        brief: "have no display; there is none yet",
        complete: Complete::Words(&["none"]),
        parse: |asked, arg| {
            let kind = arg.text.split(',').next().unwrap_or_default();
            match kind {
                "none" => asked.no_display = true,
                "help" | "?" => return Err(Outcome::print("Available display backend types:\nnone\n")),
                _ if not_yet::DISPLAYS.contains(&kind) => return Err(arg.not_yet()),
                _ => return Err(arg.refuse(format!("Parameter 'type' does not accept value '{kind}'"))),
            }
            Ok(())
        },
        accepts: &["none"],
        refuses: &[
            ("foo", "-display foo: Parameter 'type' does not accept value 'foo'"),
            ("gtk,gl=on", "-display gtk,gl=on: not yet in hartwright"),
        ],
        ..FLAG
    },
    Flag {
        names: &["vga"],
        form: "none",
        brief: "have no graphics card; there is none yet",
        complete: Complete::Words(&["none"]),
        parse: |_, arg| match &*arg.text {
            "none" => Ok(()),
            kind if not_yet::VGAS.contains(&kind) => Err(arg.not_yet()),
            kind => Err(Outcome::Fail(Failure::new(format!("unknown vga type: {kind}")))),
        },
        accepts: &["none"],
        refuses: &[("foo", "unknown vga type: foo"), ("std", "-vga std: not yet in hartwright")],
        ..FLAG
    },
    Flag {
        names: &["net", "nic"],
        form: "none",
        brief: "have no network; there is none yet",
        complete: Complete::Words(&["none"]),
        parse: |_, arg| match arg.text.split(',').next().unwrap_or_default() {
            "none" => Ok(()),
            kind if not_yet::NETS.contains(&kind) => Err(arg.not_yet()),
            kind => Err(arg.refuse(format!("Parameter 'type' does not accept value '{kind}'"))),
        },
        accepts: &["none"],
        refuses: &[
            ("foo", "-net foo: Parameter 'type' does not accept value 'foo'"),
            ("user", "-net user: not yet in hartwright"),
        ],
        ..FLAG
    },
    Flag {
        names: &["parallel"],
        form: "PLACE",
        brief: "open a host end for a parallel port, which no machine has; places as for -serial",
        complete: PLACES,
        parse: |asked, arg| {
            checked(asked, arg, "parallel")?;
            if !matches!(&*arg.text, "none" | "null") {
                let mut warning =
                    vec!["no machine has a parallel port: nobody is at this host end".to_owned()];
                arg.warn(&mut warning, asked);
            }
            asked.parallels.push(arg.said(arg.text.clone()));
            Ok(())
        },
        accepts: &["none", "null", "stdio"],
        refuses: &[
            (
                "foo",
                "-parallel foo: 'foo' is not a valid char driver\n\
                 P: -parallel foo: could not connect parallel device to character backend 'foo'",
            ),
            (
                "/dev/parport0",
                "-parallel /dev/parport0: char driver '/dev/parport0': not yet in hartwright\n\
                 P: -parallel /dev/parport0: could not connect parallel device to character backend '/dev/parport0'",
            ),
        ],
        ..FLAG
    },
];

/// Can the argument be read as a place at all?
fn checked(asked: &mut Asked, arg: &Argument, role: &str) -> Result<(), Outcome> {
    let mut warnings = Vec::new();
    let place = Place::parse(&arg.text, role, &mut warnings);
    arg.warn(&mut warnings, asked);
    place.map(drop).map_err(|refusal| Outcome::Fail(in_vain(&arg.option, role, &arg.text, &refusal)))
}

/// A host end that could not be had, and what therefore is missing.
pub(crate) fn in_vain(option: &str, role: &str, text: &str, refusal: &Refusal) -> Failure {
    let therefore = match role {
        "monitor" => format!("parse error: {text}"),
        _ => format!("could not connect {role} device to character backend '{text}'"),
    };
    Failure { therefore: Some(therefore), ..Failure::of(option, refusal) }
}

fn mon(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let opts = arg.opts("chardev", asked)?;
    opts.only(&["chardev", "id", "mode", "pretty"]).map_err(|refusal| arg.refuse(refusal))?;
    match opts.get("mode") {
        None | Some("readline") => {}
        Some("control") => return Err(arg.refuse("mode=control (QMP): not yet in hartwright")),
        Some(mode) => return Err(arg.refuse(format!("Parameter 'mode' does not accept value '{mode}'"))),
    }
    if opts.switch("pretty").map_err(|refusal| arg.refuse(refusal))? == Some(true) {
        return Err(arg.refuse("'pretty' is not compatible with mode=readline"));
    }
    let chardev = opts.get("chardev").ok_or_else(|| arg.refuse("Parameter 'chardev' is missing"))?;
    asked.mons.push(arg.said(MonOption { chardev: chardev.into() }));
    Ok(())
}
