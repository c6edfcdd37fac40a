//! The shorter words for host ends: what `-serial`, `-monitor`, `-parallel` and `-gdb` take.

use crate::{
    drivers::{file, socket::address::Host, vc},
    opts::{Opts, Refusal},
    spec::{ChardevSpec, Kind, Socket, Udp, check},
};

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

/// What QEMU takes and we do not.
const NOT_YET: [&str; 4] = ["msmouse", "wctablet", "testdev", "braille"];

impl Place {
    /// Reads the word; a host end made for it is called `label`. What was understood but should be written otherwise
    /// is added to `warnings`.
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
        let spec = ChardevSpec::new(label, kind(rest, mux, warnings)?);
        Ok(Place::New(if mux { spec.behind_mux() } else { spec }))
    }
}

fn kind(text: &str, mux: bool, warnings: &mut Vec<String>) -> Result<Kind, Refusal> {
    if NOT_YET.contains(&text) || text.starts_with("/dev/parport") || text.starts_with("/dev/ppi") {
        return Err(Refusal::new(format!("char driver '{text}': not yet in hartwright")));
    }
    if text == "con:" {
        return Err(Refusal::new("'console' is not a valid char driver name"));
    }
    if text.starts_with("/dev/") || text.starts_with("COM") {
        return Ok(Kind::Serial { path: text.into() });
    }
    Ok(match (text, text.split_once(':')) {
        ("null", _) => Kind::Null,
        ("vc", _) => Kind::Vc,
        ("pty", _) => Kind::Pty { path: None },
        // With a monitor behind an escape key, Ctrl-C is the guest's.
        ("stdio", _) => Kind::Stdio { signal: !mux },
        (_, Some(("vc", size))) if vc::is_size(size) => Kind::Vc,
        (_, Some(("pty", path))) => Kind::Pty { path: Some(path.into()) },
        (_, Some(("pipe", path))) => Kind::Pipe { path: path.into() },
        (_, Some(("file", path))) => {
            let mut opts = Opts::parse(path, Some("path"))?;
            opts.only(&["path", "append"])?;
            if opts.get("path").is_none() {
                opts.set("path", "");
            }
            file::read(&opts)?
        }
        (_, Some(("udp", rest))) => Kind::Udp(udp(rest)?),
        (_, Some(("unix", rest))) => Kind::Socket(socket(rest, "path", None, warnings)?),
        (_, Some(("tcp", rest))) => Kind::Socket(socket(rest, "address", None, warnings)?),
        (_, Some((protocol @ ("telnet" | "tn3270" | "websocket"), rest))) => {
            Kind::Socket(socket(rest, "address", Some(protocol), warnings)?)
        }
        _ => return Err(Refusal::new(format!("'{text}' is not a valid char driver"))),
    })
}

/// Reads `HOST:PORT[@LOCALHOST:LOCALPORT]`.
fn udp(text: &str) -> Result<Udp, Refusal> {
    let (remote, local) = match text.split_once('@') {
        Some((remote, local)) => (remote, Some(local)),
        None => (text, None),
    };
    let (host, port) = Host::from_text(remote)?;
    let local = local.map(|local| Host::from_text(local).and_then(|(host, port)| Host::new(host, port)));
    let host = if host.is_empty() { "localhost" } else { host };
    Ok(Udp { remote: Host::new(host, port)?, local: local.transpose()?, family: None })
}

/// Reads what follows `unix:`, `tcp:` or a `protocol`'s name.
fn socket(
    text: &str,
    first: &str,
    protocol: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<Socket, Refusal> {
    let mut opts = Opts::parse(text, Some(first))?;
    warnings.append(&mut opts.warnings);
    if let Some(address) = opts.take("address") {
        let (host, port) = Host::from_text(&address)?;
        opts.set("host", host);
        opts.set("port", port);
    }
    opts.only(crate::drivers::socket::KEYS)?;
    check(&opts)?;
    if let Some(protocol) = protocol {
        opts.set(protocol, "on");
    }
    Socket::from_opts(&opts)
}
