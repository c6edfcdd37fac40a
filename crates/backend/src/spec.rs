//! What a character device is to be, read from `-chardev` or from the shorter words of `-serial` and its like.

use std::path::PathBuf;

use crate::{
    drivers::DRIVERS,
    opts::{Opts, Refusal, parse_size, parse_switch, parse_whole},
};
pub use crate::{
    drivers::{
        socket::{
            Protocol, Socket,
            address::{Address, Family, Host},
        },
        udp::Udp,
    },
    place::Place,
};

/// A host end for a serial port, a monitor or a debugger: a value, nothing is opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChardevSpec {
    /// The name that others refer to it by (`-serial chardev:ID`).
    pub id: String,
    /// Several frontends share it, and an escape key switches between them. `id` is this mux's name then, and here
    /// is the name of what is behind it.
    pub mux: Option<String>,
    /// A file that gets a copy of all output.
    pub log: Option<OutputFile>,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of host ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Swallows output, has no input.
    Null,
    /// A text console on a display, of which there is none: as null.
    Vc,
    /// Our standard input and output.
    Stdio {
        /// Ctrl-C kills us instead of going to the guest.
        signal: bool,
    },
    /// Output to a file, input from another if given.
    File {
        /// Where output goes.
        output: OutputFile,
        /// Where input comes from.
        input: Option<PathBuf>,
    },
    /// A pair of FIFOs, or one.
    Pipe {
        /// The FIFOs' path without `.in` and `.out`, or the one's.
        path: PathBuf,
    },
    /// A new pseudo-terminal.
    Pty {
        /// A symbolic link to make to it.
        path: Option<PathBuf>,
    },
    /// Memory that keeps the newest output.
    Ringbuf {
        /// How much, in bytes: a power of two.
        size: usize,
    },
    /// A serial port of the host.
    Serial {
        /// Its path.
        path: PathBuf,
    },
    /// Datagrams.
    Udp(Udp),
    /// A stream socket.
    Socket(Socket),
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its path.
    pub path: PathBuf,
    /// Keep what it has, and write after it.
    pub append: bool,
}

/// What every driver is asked for with.
const KEYS: [&str; 5] = ["backend", "id", "mux", "logfile", "logappend"];

/// What an option's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    Switch,
    Number,
    Size,
}

/// Every option of every driver, ours or QEMU's.
#[rustfmt::skip]
const OPTIONS: [(&str, Shape); 42] = {
    use Shape::{Number, Size, Switch, Text};
    [
        ("backend", Text), ("id", Text), ("mux", Switch), ("logfile", Text), ("logappend", Switch),
        ("path", Text), ("input-path", Text), ("append", Switch), ("signal", Switch), ("size", Size),
        ("host", Text), ("port", Text), ("localaddr", Text), ("localport", Text), ("to", Number),
        ("ipv4", Switch), ("ipv6", Switch), ("fd", Text), ("abstract", Switch), ("tight", Switch),
        ("server", Switch), ("wait", Switch), ("delay", Switch), ("nodelay", Switch),
        ("reconnect", Number), ("reconnect-ms", Number),
        ("telnet", Switch), ("tn3270", Switch), ("websocket", Switch), ("tls-creds", Text), ("tls-authz", Text),
        ("width", Number), ("height", Number), ("cols", Number), ("rows", Number),
        ("chardev", Text), ("name", Text), ("debug", Number), ("clipboard", Switch), ("mouse", Switch),
        ("chardevs.0", Text), ("chardevs.1", Text),
    ]
};

/// Old names, which QEMU 7.2 still took, and what is meant.
const OLD: [(&str, &str); 2] = [("tty", "serial"), ("parport", "parallel")];

/// The drivers that QEMU has and we do not.
const NOT_YET: [&str; 10] = [
    "braille",
    "dbus",
    "hub",
    "msmouse",
    "parallel",
    "qemu-vdagent",
    "spiceport",
    "spicevmc",
    "testdev",
    "wctablet",
];

/// The name of every driver, as `-chardev help` lists them.
pub fn driver_names() -> impl Iterator<Item = &'static str> {
    DRIVERS.iter().flat_map(|driver| driver.names).copied().chain(["mux"])
}

impl ChardevSpec {
    /// A spec with nothing special about it.
    pub fn new(id: &str, kind: Kind) -> Self {
        ChardevSpec { id: id.into(), mux: None, log: None, kind }
    }

    /// The same behind a mux, which has its name.
    pub fn behind_mux(self) -> Self {
        ChardevSpec { mux: Some(format!("{}-base", self.id)), ..self }
    }

    /// Reads the argument of a `-chardev` that stands alone.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut specs = Vec::with_capacity(1);
        ChardevSpec::add(&Opts::parse(text, Some("backend"))?, &mut specs, &mut Vec::new())?;
        // A driver that adds none needs one that is there.
        specs.pop().ok_or_else(|| Refusal::new(format!("'{text}' describes no host end of its own")))
    }

    /// Adds the host end that one `-chardev` asks for to those of the options before it. What was understood but
    /// means nothing is added to `warnings`.
    pub fn add(
        opts: &Opts,
        before: &mut Vec<ChardevSpec>,
        warnings: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        check(opts)?;
        let id = opts.id()?;
        let Some(driver) = opts.get("backend") else {
            let id = id.unwrap_or_default();
            return Err(Refusal::new(format!("chardev: \"{id}\" missing backend")));
        };
        let id = id.ok_or_else(|| Refusal::new("chardev: no id specified"))?;
        let taken = |spec: &ChardevSpec| spec.id == id || spec.mux.as_deref() == Some(id);
        if before.iter().any(taken) {
            return Err(Refusal::new(format!("Duplicate ID '{id}' for chardev")));
        }
        if driver == "mux" {
            return mux_over(opts, id, before);
        }
        before.push(ChardevSpec::from_opts(opts, driver, id, warnings)?);
        Ok(())
    }

    fn from_opts(opts: &Opts, called: &str, id: &str, warnings: &mut Vec<String>) -> Result<Self, Refusal> {
        let name = OLD.into_iter().find(|(old, _)| *old == called).map_or(called, |(old, name)| {
            warnings.push(format!("The alias '{old}' is deprecated, use '{name}' instead"));
            name
        });
        let driver = DRIVERS.iter().find(|driver| driver.names.contains(&name)).ok_or_else(|| {
            Refusal::new(match NOT_YET.contains(&name) {
                true => format!("char driver '{name}': not yet in hartwright"),
                false => format!("'{name}' is not a valid char driver name"),
            })
        })?;
        for (key, _) in opts.pairs() {
            if !KEYS.contains(&&**key) && !driver.keys.contains(&&**key) {
                warnings.push(format!("parameter '{key}' means nothing to a {name}"));
            }
        }
        let append = opts.switch("logappend")?.unwrap_or(false);
        let mux = opts.switch("mux")?.unwrap_or(false);
        let log = opts.get("logfile").map(|path| OutputFile { path: path.into(), append });
        let spec = ChardevSpec { log, ..ChardevSpec::new(id, (driver.read)(opts)?) };
        Ok(if mux { spec.behind_mux() } else { spec })
    }
}

/// Refuses a key that no driver has, and a value of the wrong shape even where it means nothing.
pub(crate) fn check(opts: &Opts) -> Result<(), Refusal> {
    opts.only(&OPTIONS.map(|(key, _)| key))?;
    for (key, shape) in OPTIONS {
        match (shape, opts.get(key)) {
            (_, None) | (Shape::Text, _) => {}
            (Shape::Switch, Some(value)) => drop(parse_switch(key, value)?),
            (Shape::Size, Some(value)) => drop(parse_size(key, value, 'B')?),
            (Shape::Number, Some(value)) => drop(
                parse_whole(key, value)
                    .map_err(|_| Refusal::new(format!("Parameter '{key}' expects a number")))?,
            ),
        }
    }
    Ok(())
}

/// `mux,id=ID,chardev=BASE`: puts a mux before a host end that is there.
fn mux_over(opts: &Opts, id: &str, before: &mut [ChardevSpec]) -> Result<(), Refusal> {
    let base = opts.get("chardev").ok_or_else(|| Refusal::new("chardev: mux: no chardev given"))?;
    let spec = before.iter_mut().find(|spec| spec.id == base && spec.mux.is_none());
    let spec = spec.ok_or_else(|| Refusal::new(format!("mux: base chardev {base} not found")))?;
    spec.mux = Some(std::mem::replace(&mut spec.id, id.into()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chardev(text: &str) -> Result<ChardevSpec, String> {
        ChardevSpec::parse(text).map_err(|refusal| refusal.message)
    }

    fn kind(text: &str) -> Kind {
        chardev(text).unwrap().kind
    }

    fn unix(path: &str) -> Socket {
        Socket {
            address: Address::Unix { path: path.into(), abstract_: false },
            protocol: Protocol::Plain,
            server: false,
            wait: false,
            delay: false,
            reconnect: None,
        }
    }

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.into(), port }
    }

    #[test]
    fn chardevs_are_read() {
        assert_eq!(chardev("null,id=a"), Ok(ChardevSpec::new("a", Kind::Null)));
        let stdio = ChardevSpec::new("a", Kind::Stdio { signal: false }).behind_mux();
        assert_eq!(chardev("stdio,id=a,mux=on,signal=off"), Ok(stdio));
        let socket = Socket { server: true, ..unix("/p") };
        assert_eq!(kind("socket,id=s,path=/p,server=on,wait=off"), Kind::Socket(socket));
        let fd = Socket { address: Address::Fd(5), ..unix("") };
        assert_eq!(kind("socket,id=mon,fd=5"), Kind::Socket(fd));
        let address = Address::Inet { host: host("h", 1), to: Some(9), family: Some(Family::V6) };
        let telnet = Socket { address, protocol: Protocol::Telnet, server: true, wait: true, ..unix("") };
        let text = "socket,id=a,host=h,port=1,to=9,ipv4=off,telnet=on,server=on";
        assert_eq!(kind(text), Kind::Socket(telnet));
        assert_eq!(kind("pty,id=a,path=/l"), Kind::Pty { path: Some("/l".into()) });
        assert_eq!(kind("pipe,id=a,path=/p"), Kind::Pipe { path: "/p".into() });
        assert_eq!(kind("memory,id=a,size=4k"), Kind::Ringbuf { size: 4096 });
        assert_eq!(kind("ringbuf,id=a"), Kind::Ringbuf { size: 65536 });
        let udp = Udp { remote: host("localhost", 7), local: None, family: None };
        assert_eq!(kind("udp,id=a,port=7"), Kind::Udp(udp.clone()));
        let local = Some(host("", 8));
        assert_eq!(kind("udp,id=a,port=7,localport=8"), Kind::Udp(Udp { local, ..udp }));
    }

    #[test]
    fn a_mux_is_put_before_what_is_there() {
        let mut specs = Vec::new();
        let mut add = |text| {
            let opts = Opts::parse(text, Some("backend"))?;
            ChardevSpec::add(&opts, &mut specs, &mut Vec::new())
        };
        add("null,id=b").unwrap();
        add("mux,id=a,chardev=b").unwrap();
        assert_eq!(add("null,id=b").unwrap_err().message, "Duplicate ID 'b' for chardev");
        let again = add("mux,id=c,chardev=a").unwrap_err();
        assert_eq!(again.message, "mux: base chardev a not found");
        assert_eq!(specs, [ChardevSpec { mux: Some("b".into()), ..ChardevSpec::new("a", Kind::Null) }]);
    }

    #[test]
    fn what_means_nothing_is_told() {
        let mut warnings = Vec::new();
        for text in ["null,id=a,path=x,size=3", "tty,id=b,path=x"] {
            let opts = Opts::parse(text, Some("backend")).unwrap();
            ChardevSpec::add(&opts, &mut Vec::new(), &mut warnings).unwrap();
        }
        assert_eq!(
            warnings,
            [
                "parameter 'path' means nothing to a null",
                "parameter 'size' means nothing to a null",
                "The alias 'tty' is deprecated, use 'serial' instead"
            ]
        );
    }

    #[test]
    fn chardev_errors_name_the_fix() {
        for (text, expect) in [
            ("foo,id=x", "'foo' is not a valid char driver name"),
            ("stdio", "chardev: no id specified"),
            ("id=x", "chardev: \"x\" missing backend"),
            ("null,id=1x", "Parameter 'id' expects an identifier"),
            ("null,id=x,foo=1", "Invalid parameter 'foo'"),
            ("socket,id=x,host=a", "chardev: socket: no port given"),
            ("stdio,id=a,signal=maybe", "Parameter 'signal' expects 'on' or 'off'"),
            ("file,id=a", "chardev: file: no filename given"),
            ("socket,id=x,fd=foo", "Unable to parse FD number foo"),
            ("parallel,id=x", "char driver 'parallel': not yet in hartwright"),
            ("socket,id=x,path=a,websocket=on", "Websocket client is not implemented"),
            ("socket,id=x,host=a,port=foo", "'foo' is not a port: a number from 0 to 65535 is"),
            ("socket,id=x,path=a,tls-creds=t", "No TLS credentials with id 't'"),
            ("ringbuf,id=x,size=3", "size of ringbuf chardev must be power of two"),
            (
                "socket,id=x,path=a,wait=on",
                "'wait' option is incompatible with socket in client connect mode",
            ),
            (
                "socket,id=x,path=a,reconnect=1,server=on",
                "'reconnect' option is incompatible with socket in server listen mode",
            ),
            (
                "socket,id=x,path=a,reconnect=1,reconnect-ms=1",
                "'reconnect' and 'reconnect-ms' are mutually exclusive",
            ),
        ] {
            assert_eq!(chardev(text), Err(expect.into()), "{text}");
        }
    }

    fn place(text: &str) -> Result<Place, String> {
        Place::parse(text, "serial0", &mut Vec::new()).map_err(|refusal| refusal.message)
    }

    fn short(text: &str, kind: Kind) {
        assert_eq!(place(text), Ok(Place::New(ChardevSpec::new("serial0", kind))), "{text}");
    }

    #[test]
    fn short_words_name_places() {
        assert_eq!(place("none"), Ok(Place::Nothing));
        assert_eq!(place("chardev:console"), Ok(Place::Defined("console".into())));
        short("stdio", Kind::Stdio { signal: true });
        let mux = ChardevSpec::new("serial0", Kind::Stdio { signal: false }).behind_mux();
        assert_eq!(place("mon:stdio"), Ok(Place::New(mux)));
        short("unix:/p,server,nowait", Kind::Socket(Socket { server: true, ..unix("/p") }));
        let address = Address::Inet { host: host("", 1234), to: None, family: None };
        let tcp = Socket { address, ..unix("") };
        short("tcp::1234", Kind::Socket(tcp.clone()));
        short("tn3270::1234", Kind::Socket(Socket { protocol: Protocol::Tn3270, ..tcp.clone() }));
        let web = Socket { protocol: Protocol::WebSocket, server: true, ..tcp };
        short("websocket::1234,server=on,wait=off", Kind::Socket(web));
        let udp = Udp { remote: host("::1", 5), local: Some(host("", 6)), family: None };
        short("udp:[::1]:5@:6", Kind::Udp(udp));
        short("pipe:/p,q", Kind::Pipe { path: "/p,q".into() });
        short("/dev/ttyS0", Kind::Serial { path: "/dev/ttyS0".into() });
        short("vc:80Cx24C", Kind::Vc);
    }

    #[test]
    fn other_words_are_refused() {
        for text in ["foo", "ringbuf", "pipe", "vc:foo", "null:", "stdio,x=1", "chardev", ""] {
            assert_eq!(place(text), Err(format!("'{text}' is not a valid char driver")));
        }
        assert_eq!(place("mon:chardev:a"), Err("'chardev:a' is not a valid char driver".into()));
        assert_eq!(place("/dev/parport0"), Err("char driver '/dev/parport0': not yet in hartwright".into()));
        for text in ["tcp:localhost", "udp:localhost"] {
            assert_eq!(place(text), Err("'localhost' is not an address: HOST:PORT or :PORT is".into()));
        }
    }

    #[test]
    fn every_drivers_options_are_listed() {
        for key in DRIVERS.iter().flat_map(|driver| driver.keys).chain(&KEYS) {
            assert!(OPTIONS.iter().any(|(listed, _)| listed == key), "{key}");
        }
    }

    /// Options of any text are read or refused, and never more than that.
    #[test]
    fn any_text_is_read_or_refused() {
        let words: Vec<&str> = driver_names()
            .chain(OPTIONS.map(|(key, _)| key))
            .chain([
                ",",
                ",,",
                "=",
                ":",
                "@",
                "[",
                "]",
                "::1",
                "on",
                "off",
                "0",
                "1",
                "-1",
                "65536",
                "4k",
                "1e9",
                "x",
                "vc:",
                "mon:",
                "pty:",
                "udp:",
                "tcp:",
                "unix:",
                "telnet:",
                "é",
                "\0",
                "\u{10ffff}",
                " ",
                "99999999999999999999999",
                "reconnect-ms=18446744073709551615",
            ])
            .collect();
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let mut read = 0;
        for _ in 0..20_000 {
            let driver = DRIVERS[random(DRIVERS.len())].names[0];
            let tail: String = (0..random(12)).map(|_| words[random(words.len())]).collect();
            let texts = [tail.clone(), format!("{driver},id=a,{tail}"), format!("{driver}:{tail}")];
            for text in texts {
                read += usize::from(chardev(&text).is_ok());
                read += usize::from(place(&text).is_ok());
            }
        }
        assert!(read > 1000, "only {read} were read");
    }
}
