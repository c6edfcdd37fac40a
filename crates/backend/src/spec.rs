//! What a character device is to be, read from `-chardev` or from the shorter words of `-serial` and its like.

use std::{os::fd::RawFd, path::PathBuf, time::Duration};

use crate::opts::{Opts, Refusal};

/// A host end for a serial port, a monitor or a debugger: a value, nothing is opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChardevSpec {
    /// The name that others refer to it by (`-serial chardev:ID`).
    pub id: String,
    /// Several frontends share it, and an escape key switches between them.
    pub mux: bool,
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

/// A stream socket, to be listened on or connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Where.
    pub address: Address,
    /// Listen, and serve one client at a time.
    pub server: bool,
    /// Do not start before the first client came (servers only).
    pub wait: bool,
    /// Gather small writes (Nagle); TCP only.
    pub delay: bool,
    /// Try again this long after the connection failed or ended (clients only).
    pub reconnect: Option<Duration>,
}

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A path, or a name outside the file system.
    Unix {
        /// Path or name.
        path: PathBuf,
        /// It is a name in Linux's abstract namespace.
        abstract_: bool,
    },
    /// TCP.
    Inet {
        /// Host name or address; empty means any (servers) or this host (clients).
        host: String,
        /// Port; the last one to try, for servers, is `to`.
        port: u16,
        /// The end of the range of ports to try.
        to: Option<u16>,
        /// Only IPv4 or only IPv6.
        family: Option<Family>,
    },
    /// A descriptor that our parent left open.
    Fd(RawFd),
}

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What the argument of `-serial`, `-monitor`, `-gdb` and their like names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `none`: there is to be no device.
    Nothing,
    /// `chardev:ID`: one defined by `-chardev`.
    Defined(String),
    /// A host end of its own.
    New(ChardevSpec),
}

/// The drivers that we have, as `-chardev help` lists them.
pub const DRIVERS: [&str; 4] = ["file", "null", "socket", "stdio"];

/// The drivers that QEMU has and we do not.
const NOT_YET: [&str; 22] = [
    "braille",
    "console",
    "dbus",
    "hub",
    "memory",
    "msmouse",
    "mux",
    "parallel",
    "parport",
    "pipe",
    "pty",
    "qemu-vdagent",
    "ringbuf",
    "serial",
    "spiceport",
    "spicevmc",
    "testdev",
    "tty",
    "udp",
    "vc",
    "wctablet",
    "websocket",
];

impl ChardevSpec {
    /// A spec with nothing special about it.
    pub fn new(id: &str, kind: Kind) -> Self {
        ChardevSpec { id: id.into(), mux: false, log: None, kind }
    }

    /// Reads the options of one `-chardev`.
    pub fn from_opts(opts: &Opts) -> Result<Self, Refusal> {
        let id = opts.id()?;
        let Some(driver) = opts.get("backend") else {
            let id = id.unwrap_or_default();
            return Err(Refusal::new(format!("chardev: \"{id}\" missing backend")));
        };
        let id = id.ok_or_else(|| Refusal::new("chardev: no id specified"))?;
        let mut known = vec!["backend", "id", "mux", "logfile", "logappend"];
        let kind = match driver {
            "null" => Kind::Null,
            "stdio" => {
                known.push("signal");
                Kind::Stdio { signal: opts.switch("signal")?.unwrap_or(true) }
            }
            "file" => {
                known.extend(["path", "input-path", "append"]);
                let path = opts.get("path").filter(|path| !path.is_empty());
                let path = path.ok_or_else(|| Refusal::new("chardev: file: no filename given"))?;
                Kind::File {
                    output: OutputFile { path: path.into(), append: opts.switch("append")?.unwrap_or(false) },
                    input: opts.get("input-path").map(PathBuf::from),
                }
            }
            "socket" => {
                known.extend(Socket::KEYS);
                Kind::Socket(Socket::from_opts(opts)?)
            }
            _ if NOT_YET.contains(&driver) => {
                return Err(Refusal::new(format!("char driver '{driver}': not yet in hartwright")));
            }
            _ => return Err(Refusal::new(format!("'{driver}' is not a valid char driver name"))),
        };
        opts.only(&known)?;
        let append = opts.switch("logappend")?.unwrap_or(false);
        Ok(ChardevSpec {
            id: id.into(),
            mux: opts.switch("mux")?.unwrap_or(false),
            log: opts.get("logfile").map(|path| OutputFile { path: path.into(), append }),
            kind,
        })
    }
}

impl Place {
    /// Reads the word after `-serial`, `-monitor`, `-parallel` or `-gdb`; a host end made for it is called
    /// `label`. What was understood but should be written otherwise is added to `warnings`.
    pub fn parse(text: &str, label: &str, warnings: &mut Vec<String>) -> Result<Place, Refusal> {
        if text == "none" {
            return Ok(Place::Nothing);
        }
        if let Some(id) = text.strip_prefix("chardev:") {
            return Ok(Place::Defined(id.into()));
        }
        let (mux, rest) = match text.strip_prefix("mon:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let kind = match rest.split_once(':') {
            None if rest == "null" => Kind::Null,
            // With a monitor behind an escape key, Ctrl-C is the guest's.
            None if rest == "stdio" => Kind::Stdio { signal: !mux },
            Some(("file", path)) => {
                let opts = Opts::parse(path, Some("path"))?;
                opts.only(&["path", "append"])?;
                let path = opts.get("path").filter(|path| !path.is_empty());
                let path = path.ok_or_else(|| Refusal::new("chardev: file: no filename given"))?;
                let append = opts.switch("append")?.unwrap_or(false);
                Kind::File { output: OutputFile { path: path.into(), append }, input: None }
            }
            Some(("unix", rest)) => Kind::Socket(socket(rest, "path", warnings)?),
            Some(("tcp", rest)) => Kind::Socket(socket(rest, "address", warnings)?),
            _ => return Err(not_a_place(text, rest)),
        };
        Ok(Place::New(ChardevSpec { mux, ..ChardevSpec::new(label, kind) }))
    }
}

fn not_a_place(text: &str, rest: &str) -> Refusal {
    let driver = rest.split([':', ',']).next().unwrap_or_default();
    let known = NOT_YET.contains(&driver)
        || driver == "telnet"
        || driver == "tn3270"
        || rest.starts_with("/dev/")
        || driver == "COM";
    match known {
        true => Refusal::new(format!("char driver '{rest}': not yet in hartwright")),
        false => Refusal::new(format!("'{text}' is not a valid char driver")),
    }
}

/// Reads what follows `unix:` or `tcp:`.
fn socket(text: &str, first: &str, warnings: &mut Vec<String>) -> Result<Socket, Refusal> {
    let mut opts = Opts::parse(text, Some(first))?;
    warnings.append(&mut opts.warnings);
    if let Some(address) = opts.take("address") {
        let (host, port) = address
            .rsplit_once(':')
            .filter(|(_, port)| !port.is_empty())
            .ok_or_else(|| Refusal::new(format!("'{address}' is not an address: HOST:PORT or :PORT is")))?;
        opts.set("host", host.trim_start_matches('[').trim_end_matches(']'));
        opts.set("port", port);
    }
    opts.only(&Socket::KEYS)?;
    Socket::from_opts(&opts)
}

impl Socket {
    const KEYS: [&'static str; 20] = [
        "path",
        "abstract",
        "tight",
        "host",
        "port",
        "to",
        "ipv4",
        "ipv6",
        "fd",
        "server",
        "wait",
        "delay",
        "nodelay",
        "reconnect",
        "reconnect-ms",
        "telnet",
        "tn3270",
        "websocket",
        "tls-creds",
        "tls-authz",
    ];

    fn from_opts(opts: &Opts) -> Result<Self, Refusal> {
        for key in ["telnet", "tn3270", "websocket"] {
            if opts.switch(key)? == Some(true) {
                return Err(Refusal::new(format!("{key}=on: not yet in hartwright")));
            }
        }
        for key in ["tls-creds", "tls-authz"] {
            if opts.get(key).is_some() {
                return Err(Refusal::new(format!("{key}: not yet in hartwright")));
            }
        }
        let server = opts.switch("server")?.unwrap_or(false);
        let wait = opts.switch("wait")?;
        if wait.is_some() && !server {
            return Err(Refusal::new("'wait' option is incompatible with socket in client connect mode"));
        }
        let reconnect = match opts.whole("reconnect-ms")? {
            Some(ms) => Some(Duration::from_millis(ms)),
            None => opts.whole("reconnect")?.map(Duration::from_secs),
        };
        let reconnect = reconnect.filter(|time| !time.is_zero());
        if reconnect.is_some() && server {
            return Err(Refusal::new("'reconnect' option is incompatible with socket in server listen mode"));
        }
        let nodelay = opts.switch("nodelay")?.map(|nodelay| !nodelay);
        Ok(Socket {
            address: Address::from_opts(opts)?,
            server,
            wait: server && wait.unwrap_or(true),
            delay: opts.switch("delay")?.or(nodelay).unwrap_or(false),
            reconnect,
        })
    }
}

impl Address {
    fn from_opts(opts: &Opts) -> Result<Self, Refusal> {
        let given = ["path", "host", "fd"].into_iter().filter(|key| opts.get(key).is_some()).count();
        if given > 1 {
            return Err(Refusal::new("chardev: socket: only one of path, host and fd may be given"));
        }
        if let Some(path) = opts.get("path") {
            let abstract_ = opts.switch("abstract")?.unwrap_or(false);
            if opts.switch("tight")? == Some(false) {
                return Err(Refusal::new("tight=off: not yet in hartwright"));
            }
            return Ok(Address::Unix { path: path.into(), abstract_ });
        }
        if let Some(host) = opts.get("host") {
            let port = opts.get("port").filter(|port| !port.is_empty());
            let port = port.ok_or_else(|| Refusal::new("chardev: socket: no port given"))?;
            let family = match (opts.switch("ipv4")?, opts.switch("ipv6")?) {
                (Some(true), None | Some(false)) | (None, Some(false)) => Some(Family::V4),
                (None | Some(false), Some(true)) | (Some(false), None) => Some(Family::V6),
                _ => None,
            };
            return Ok(Address::Inet {
                host: host.into(),
                port: parse_port(port)?,
                to: opts.get("to").map(parse_port).transpose()?,
                family,
            });
        }
        if opts.get("port").is_some() {
            return Err(Refusal::new("chardev: socket: no host given"));
        }
        let fd = opts.get("fd").ok_or_else(|| {
            Refusal::new(
                "chardev: socket: no address given: path=FILE, host=HOST,port=PORT or fd=N is needed",
            )
        })?;
        let number: Option<RawFd> = fd.parse().ok().filter(|number| *number >= 0);
        number.map(Address::Fd).ok_or_else(|| Refusal::new(format!("Unable to parse FD number {fd}")))
    }
}

fn parse_port(text: &str) -> Result<u16, Refusal> {
    text.parse().map_err(|_| Refusal::new(format!("'{text}' is not a port: a number from 0 to 65535 is")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chardev(text: &str) -> Result<ChardevSpec, String> {
        Opts::parse(text, Some("backend"))
            .and_then(|opts| ChardevSpec::from_opts(&opts))
            .map_err(|refusal| refusal.message)
    }

    fn place(text: &str) -> Result<Place, String> {
        Place::parse(text, "serial0", &mut Vec::new()).map_err(|refusal| refusal.message)
    }

    fn unix(path: &str) -> Socket {
        Socket {
            address: Address::Unix { path: path.into(), abstract_: false },
            server: false,
            wait: false,
            delay: false,
            reconnect: None,
        }
    }

    #[test]
    fn chardevs_are_read() {
        assert_eq!(chardev("null,id=a"), Ok(ChardevSpec::new("a", Kind::Null)));
        let stdio = ChardevSpec { mux: true, ..ChardevSpec::new("a", Kind::Stdio { signal: false }) };
        assert_eq!(chardev("stdio,id=a,mux=on,signal=off"), Ok(stdio));
        let socket = Socket { server: true, ..unix("/p") };
        assert_eq!(
            chardev("socket,id=s,path=/p,server=on,wait=off"),
            Ok(ChardevSpec::new("s", Kind::Socket(socket)))
        );
        let fd = Socket { address: Address::Fd(5), ..unix("") };
        assert_eq!(chardev("socket,id=mon,fd=5"), Ok(ChardevSpec::new("mon", Kind::Socket(fd))));
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
            ("pty,id=x", "char driver 'pty': not yet in hartwright"),
            ("socket,id=x,path=a,telnet=on", "telnet=on: not yet in hartwright"),
            ("socket,id=x,host=a,port=foo", "'foo' is not a port: a number from 0 to 65535 is"),
            (
                "socket,id=x,path=a,wait=on",
                "'wait' option is incompatible with socket in client connect mode",
            ),
            (
                "socket,id=x,path=a,reconnect=1,server=on",
                "'reconnect' option is incompatible with socket in server listen mode",
            ),
        ] {
            assert_eq!(chardev(text), Err(expect.into()), "{text}");
        }
    }

    #[test]
    fn short_words_name_places() {
        assert_eq!(place("none"), Ok(Place::Nothing));
        assert_eq!(place("chardev:console"), Ok(Place::Defined("console".into())));
        let stdio = |mux, signal| {
            Ok(Place::New(ChardevSpec { mux, ..ChardevSpec::new("serial0", Kind::Stdio { signal }) }))
        };
        assert_eq!(place("stdio"), stdio(false, true));
        assert_eq!(place("mon:stdio"), stdio(true, false));
        let server = Socket { server: true, ..unix("/p") };
        assert_eq!(
            place("unix:/p,server,nowait"),
            Ok(Place::New(ChardevSpec::new("serial0", Kind::Socket(server))))
        );
        let tcp = Address::Inet { host: String::new(), port: 1234, to: None, family: None };
        let tcp = Socket { address: tcp, ..unix("") };
        assert_eq!(place("tcp::1234"), Ok(Place::New(ChardevSpec::new("serial0", Kind::Socket(tcp)))));
    }

    #[test]
    fn other_words_are_refused() {
        assert_eq!(place("foo"), Err("'foo' is not a valid char driver".into()));
        assert_eq!(place("pty"), Err("char driver 'pty': not yet in hartwright".into()));
        assert_eq!(place("/dev/ttyS0"), Err("char driver '/dev/ttyS0': not yet in hartwright".into()));
        assert_eq!(
            place("tcp:localhost"),
            Err("'localhost' is not an address: HOST:PORT or :PORT is".into())
        );
    }
}
