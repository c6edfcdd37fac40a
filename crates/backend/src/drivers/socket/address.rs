//! Where a socket is: read from options, resolved, listened on, connected to, and told.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    os::{
        fd::{AsFd, OwnedFd, RawFd},
        linux::net::SocketAddrExt,
        unix::net::{self as unix, UnixListener, UnixStream},
    },
    path::PathBuf,
};

use rustix::net::{SocketAddrAny, sockopt};

use crate::{
    opts::{Opts, Refusal},
    reason,
};

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
        /// Name and port; no name means any address (servers) or this host (clients).
        host: Host,
        /// The last port to try; servers only.
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

/// A host's name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name or address; may be empty.
    pub name: String,
    /// The port; 0 is one of the system's choice.
    pub port: u16,
}

impl Host {
    /// Reads a port.
    pub(crate) fn new(name: &str, port: &str) -> Result<Host, Refusal> {
        let number = port.parse();
        let number = number
            .map_err(|_| Refusal::new(format!("'{port}' is not a port: a number from 0 to 65535 is")))?;
        Ok(Host { name: name.into(), port: number })
    }

    /// Reads `HOST:PORT`; a host with colons stands in brackets.
    pub(crate) fn from_text(text: &str) -> Result<(&str, &str), Refusal> {
        let (name, port) = text
            .rsplit_once(':')
            .filter(|(_, port)| !port.is_empty())
            .ok_or_else(|| Refusal::new(format!("'{text}' is not an address: HOST:PORT or :PORT is")))?;
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        Ok((bare.unwrap_or(name), port))
    }

    /// The addresses that it may mean, in order.
    pub(crate) fn addresses(&self, family: Option<Family>) -> Result<Vec<SocketAddr>, Refusal> {
        let failed = |why: &str| Refusal::new(format!("address resolution failed for {self}: {why}"));
        let name = match (&*self.name, family) {
            ("", Some(Family::V6)) => "::",
            ("", _) => "0.0.0.0",
            (name, _) => name,
        };
        let found = (name, self.port).to_socket_addrs().map_err(|error| failed(&looked_up(&error)))?;
        let found: Vec<_> = found
            .filter(|address| match family {
                None => true,
                Some(Family::V4) => address.is_ipv4(),
                Some(Family::V6) => address.is_ipv6(),
            })
            .collect();
        match found[..] {
            [] => Err(failed("Address family for hostname not supported")),
            _ => Ok(found),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// The resolver's own words.
fn looked_up(error: &io::Error) -> String {
    let text = reason(error);
    text.rsplit_once(": ").map_or(text.clone(), |(_, why)| why.to_owned())
}

impl Family {
    /// Reads `ipv4=` and `ipv6=`.
    pub(crate) fn from_opts(opts: &Opts) -> Result<Option<Family>, Refusal> {
        Ok(match (opts.switch("ipv4")?, opts.switch("ipv6")?) {
            (Some(false), Some(false)) => {
                return Err(Refusal::new("Cannot disable IPv4 and IPv6 at same time"));
            }
            (Some(true), None | Some(false)) | (None, Some(false)) => Some(Family::V4),
            (None | Some(false), Some(true)) | (Some(false), None) => Some(Family::V6),
            _ => None,
        })
    }
}

impl Address {
    /// Reads the options that say where.
    pub(crate) fn from_opts(opts: &Opts) -> Result<Self, Refusal> {
        let given = ["path", "host", "fd"].into_iter().filter(|key| opts.get(key).is_some()).count();
        if given > 1 {
            return Err(Refusal::new("None or one of 'path', 'fd' or 'host' option required."));
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
            let host = Host::new(host, port)?;
            let to = opts.get("to").map(|to| Host::new("", to)).transpose()?.map(|to| to.port);
            if let Some(to) = to.filter(|to| *to < host.port) {
                return Err(Refusal::new(format!("no port is between {} and to={to}", host.port)));
            }
            return Ok(Address::Inet { host, to, family: Family::from_opts(opts)? });
        }
        if opts.get("port").is_some() {
            return Err(Refusal::new("chardev: socket: no host given"));
        }
        let fd = opts.get("fd").ok_or_else(|| {
            Refusal::new(
                "chardev: socket: no address given: path=FILE, host=HOST,port=PORT or fd=N is needed",
            )
        })?;
        let number: Option<RawFd> = fd.parse().ok();
        number.map(Address::Fd).ok_or_else(|| Refusal::new(format!("Unable to parse FD number {fd}")))
    }

    /// A socket that listens here and does not wait, and the path that it made.
    pub(crate) fn listen(&self) -> Result<(OwnedFd, Option<PathBuf>), Refusal> {
        let failed = |error: &io::Error| {
            Refusal::new(format!("Failed to bind socket to {}: {}", self.place(), reason(error)))
        };
        if let Address::Unix { path, abstract_ } = self {
            let made = (!abstract_).then(|| path.clone());
            if let Some(path) = &made
                && std::fs::symlink_metadata(path)
                    .is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()))
            {
                // What a crashed predecessor left behind; anything that is no socket stays and makes bind fail.
                let _ = std::fs::remove_file(path);
            }
            let listener = UnixListener::bind_addr(&self.unix()?).map_err(|e| failed(&e))?;
            listener.set_nonblocking(true).map_err(|e| failed(&e))?;
            return Ok((listener.into(), made));
        }
        let listener = self.try_each(TcpListener::bind, failed)?;
        listener.set_nonblocking(true).map_err(|e| failed(&e))?;
        Ok((listener.into(), None))
    }

    /// Connects to a server here; waits for its answer.
    pub(crate) fn connect(&self) -> Result<OwnedFd, Refusal> {
        let failed = |error: &io::Error| {
            Refusal::new(format!("Failed to connect to '{}': {}", self.place(), reason(error)))
        };
        Ok(match self {
            Address::Unix { .. } => UnixStream::connect_addr(&self.unix()?).map_err(|e| failed(&e))?.into(),
            _ => self.try_each(TcpStream::connect, failed)?.into(),
        })
    }

    /// The first address and port with which `attempt` succeeds.
    fn try_each<T>(
        &self,
        attempt: impl Fn(SocketAddr) -> io::Result<T>,
        failed: impl Fn(&io::Error) -> Refusal,
    ) -> Result<T, Refusal> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        if let Address::Inet { host, to, family } = self {
            for port in host.port..=to.unwrap_or(host.port) {
                for address in (Host { port, ..host.clone() }).addresses(*family)? {
                    match attempt(address) {
                        Ok(got) => return Ok(got),
                        Err(error) => last = error,
                    }
                }
            }
        }
        Err(failed(&last))
    }

    fn unix(&self) -> Result<unix::SocketAddr, Refusal> {
        let Address::Unix { path, abstract_ } = self else {
            return Err(Refusal::new(format!("'{}' is not a path", self.place())));
        };
        match abstract_ {
            true => unix::SocketAddr::from_abstract_name(path.as_os_str().as_encoded_bytes()),
            false => unix::SocketAddr::from_pathname(path),
        }
        .map_err(|_| {
            Refusal::new(format!("UNIX socket path '{}' is too long", path.display()))
                .hint("Path must be less than 108 bytes")
        })
    }

    /// The address as users write it.
    fn place(&self) -> String {
        match self {
            Address::Unix { path, .. } => path.display().to_string(),
            Address::Inet { host, .. } => host.to_string(),
            Address::Fd(number) => format!("{number}"),
        }
    }

    /// The address as `info chardev` shows it, if TCP goes by the name of `scheme`.
    pub(crate) fn told(&self, scheme: &str) -> String {
        match self {
            Address::Unix { abstract_: true, .. } => format!("unix:{},abstract=on,tight=on", self.place()),
            Address::Unix { .. } => format!("unix:{}", self.place()),
            Address::Inet { .. } => format!("{scheme}:{}", self.place()),
            Address::Fd(number) => format!("fd:{number}"),
        }
    }
}

/// Where a socket is bound, as `info chardev` shows it; `None` for a family that we do not know.
pub(crate) fn bound(socket: impl AsFd, scheme: &str) -> Option<String> {
    let address = rustix::net::getsockname(socket).ok()?;
    Some(match local_path(&address) {
        Some(path) => format!("unix:{path}"),
        None => format!("{scheme}:{}", SocketAddr::try_from(address).ok()?),
    })
}

/// Where the far side of a connected TCP socket is.
pub(crate) fn peer(socket: impl AsFd) -> Option<SocketAddr> {
    SocketAddr::try_from(rustix::net::getpeername(socket).ok()??).ok()
}

/// The path of a Unix socket, empty if it has none.
fn local_path(address: &SocketAddrAny) -> Option<String> {
    let unix = rustix::net::SocketAddrUnix::try_from(address.clone()).ok()?;
    let path = unix.path().map(|path| path.to_string_lossy().into_owned());
    let name =
        unix.abstract_name().map(|name| format!("{},abstract=on,tight=on", String::from_utf8_lossy(name)));
    Some(path.or(name).unwrap_or_default())
}

/// Small writes go out at once, unless the user said otherwise, and a peer that fell silent is asked after a minute
/// whether it is still there: for each client that does not answer another waits.
pub(crate) fn set_tcp(socket: impl AsFd, delay: bool) {
    let socket = socket.as_fd();
    // Unix sockets know none of this, and refuse.
    let _ = sockopt::set_tcp_nodelay(socket, !delay);
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, std::time::Duration::from_secs(60));
    let _ = sockopt::set_tcp_keepintvl(socket, std::time::Duration::from_secs(10));
}
