//! Opening what a spec describes, or saying why not.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{self as unix, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hartwright_event::Inherited;
use rustix::net::sockopt;

use crate::{
    channel::{Channel, Way},
    opts::Refusal,
    spec::{Address, ChardevSpec, Family, Kind, OutputFile, Socket},
    tty,
};

/// A host end that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) input: Option<Channel>,
    pub(crate) output: Option<Channel>,
    pub(crate) listener: Option<Listener>,
    pub(crate) log: Option<Channel>,
}

/// A socket that waits for clients; a path that it made goes with it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) fd: Arc<OwnedFd>,
    path: Option<PathBuf>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}

static STDIO_TAKEN: AtomicBool = AtomicBool::new(false);

/// Opens a host end. A server with `wait` returns when the first client came; `tell` hears what it waits for.
pub(crate) fn open(spec: &ChardevSpec, tell: &dyn Fn(&str)) -> Result<Opened, Refusal> {
    let log = match &spec.log {
        Some(log) => Some(open_file(log, "create")?),
        None => None,
    };
    let mut opened = Opened { input: None, output: None, listener: None, log };
    match &spec.kind {
        Kind::Null => {}
        Kind::Stdio { signal } => {
            if STDIO_TAKEN.swap(true, Ordering::AcqRel) {
                return Err(Refusal::new("cannot use stdio by multiple character devices"));
            }
            tty::raw(*signal)
                .map_err(|e| Refusal::new(format!("the terminal cannot be made raw: {}", reason(&e))))?;
            // A standard stream that is closed is one that never has input and swallows output.
            opened.input = Channel::shared(io::stdin(), Way::In).ok();
            opened.output = Channel::shared(io::stdout(), Way::Out).ok();
        }
        Kind::File { output, input } => {
            opened.output = Some(open_file(output, "open")?);
            if let Some(path) = input {
                opened.input =
                    Some(Channel::open(path, Way::In, false).map_err(|error| cannot("open", path, &error))?);
            }
        }
        Kind::Socket(socket) => open_socket(socket, &mut opened, tell)?,
    }
    Ok(opened)
}

fn open_file(file: &OutputFile, verb: &str) -> Result<Channel, Refusal> {
    Channel::open(&file.path, Way::Out, file.append).map_err(|error| cannot(verb, &file.path, &error))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(format!("Could not {verb} '{}': {}", path.display(), reason(error)))
}

fn open_socket(socket: &Socket, opened: &mut Opened, tell: &dyn Fn(&str)) -> Result<(), Refusal> {
    if let Address::Fd(number) = socket.address {
        let not_a_socket = || Refusal::new(format!("File descriptor '{number}' is not a socket"));
        let fd = Inherited::take(number).ok_or_else(not_a_socket)?;
        if sockopt::socket_type(&fd).ok() != Some(rustix::net::SocketType::STREAM) {
            return Err(not_a_socket());
        }
        if sockopt::socket_acceptconn(&fd) == Ok(true) {
            opened.listener = Some(Listener { fd: Arc::new(fd), path: None });
        } else if socket.server {
            return Err(Refusal::new(format!("File descriptor '{number}' does not listen")));
        } else {
            opened.connect(Channel::socket(fd));
        }
    } else if socket.server {
        opened.listener = Some(listen(socket)?);
    } else {
        match connect(socket) {
            Ok(fd) => opened.connect(Channel::socket(fd)),
            Err(_) if socket.reconnect.is_some() => {}
            Err(refusal) => return Err(refusal),
        }
    }
    if let (Some(listener), true) = (&opened.listener, socket.wait) {
        tell(&format!("info: waiting for connection on: {}", describe(socket, false)));
        let client = wait_for_client(&listener.fd, socket)
            .map_err(|e| Refusal::new(format!("Failed to accept a connection: {}", reason(&e))))?;
        opened.connect(client);
    }
    Ok(())
}

impl Opened {
    fn connect(&mut self, channel: Channel) {
        self.input = Some(channel.clone());
        self.output = Some(channel);
    }
}

fn wait_for_client(listener: &OwnedFd, socket: &Socket) -> io::Result<Channel> {
    loop {
        let mut fds = [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None)?;
        match accept(listener, socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Takes a waiting client.
pub(crate) fn accept(listener: &OwnedFd, socket: &Socket) -> io::Result<Channel> {
    let fd = rustix::net::accept_with(listener, rustix::net::SocketFlags::CLOEXEC)?;
    set_delay(&fd, socket);
    Ok(Channel::socket(fd))
}

/// Small writes go out at once, unless the user said otherwise. Unix sockets know no delay and refuse.
fn set_delay(fd: impl AsFd, socket: &Socket) {
    let _ = sockopt::set_tcp_nodelay(fd, !socket.delay);
}

/// Connects as a client; waits for the far side's answer.
pub(crate) fn connect(socket: &Socket) -> Result<OwnedFd, Refusal> {
    let failed = |error: &io::Error| {
        Refusal::new(format!("Failed to connect to '{}': {}", place(&socket.address), reason(error)))
    };
    let fd: OwnedFd = match &socket.address {
        Address::Unix { .. } => {
            UnixStream::connect_addr(&unix_address(&socket.address)?).map_err(|e| failed(&e))?.into()
        }
        _ => {
            let mut last = io::Error::from(io::ErrorKind::NotFound);
            let found = inet_addresses(&socket.address)?
                .into_iter()
                .find_map(|address| TcpStream::connect(address).map_err(|error| last = error).ok());
            found.ok_or_else(|| failed(&last))?.into()
        }
    };
    set_delay(&fd, socket);
    Ok(fd)
}

fn listen(socket: &Socket) -> Result<Listener, Refusal> {
    let failed = |error: &io::Error| {
        Refusal::new(format!("Failed to bind socket to {}: {}", place(&socket.address), reason(error)))
    };
    match &socket.address {
        Address::Unix { path, abstract_ } => {
            let made = (!abstract_).then(|| path.clone());
            if let Some(path) = &made
                && std::fs::symlink_metadata(path)
                    .is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()))
            {
                // What a crashed predecessor left behind; anything that is no socket stays and makes bind fail.
                let _ = std::fs::remove_file(path);
            }
            let listener =
                UnixListener::bind_addr(&unix_address(&socket.address)?).map_err(|e| failed(&e))?;
            listener.set_nonblocking(true).map_err(|e| failed(&e))?;
            Ok(Listener { fd: Arc::new(listener.into()), path: made })
        }
        _ => {
            let mut last = io::Error::from(io::ErrorKind::NotFound);
            let found = inet_addresses(&socket.address)?
                .into_iter()
                .find_map(|address| TcpListener::bind(address).map_err(|error| last = error).ok());
            let listener = found.ok_or_else(|| failed(&last))?;
            listener.set_nonblocking(true).map_err(|e| failed(&e))?;
            Ok(Listener { fd: Arc::new(listener.into()), path: None })
        }
    }
}

fn unix_address(address: &Address) -> Result<unix::SocketAddr, Refusal> {
    let Address::Unix { path, abstract_ } = address else {
        return Err(Refusal::new(format!("'{}' is not a path", place(address))));
    };
    match abstract_ {
        true => unix::SocketAddr::from_abstract_name(path.as_os_str().as_encoded_bytes()),
        false => unix::SocketAddr::from_pathname(path),
    }
    .map_err(|_| Refusal::new(format!("UNIX socket path '{}' is too long", path.display())))
}

/// The addresses to try, in order.
fn inet_addresses(address: &Address) -> Result<Vec<SocketAddr>, Refusal> {
    let Address::Inet { host, port, to, family } = address else { return Ok(Vec::new()) };
    let hosts: &[&str] = match &**host {
        "" => &["0.0.0.0"],
        host => &[host],
    };
    let mut found = Vec::new();
    for port in *port..=to.unwrap_or(*port) {
        for host in hosts {
            let addresses = (*host, port).to_socket_addrs().map_err(|error| {
                Refusal::new(format!("address resolution failed for {}: {}", place(address), reason(&error)))
            })?;
            found.extend(addresses.filter(|address| match family {
                None => true,
                Some(Family::V4) => address.is_ipv4(),
                Some(Family::V6) => address.is_ipv6(),
            }));
        }
    }
    Ok(found)
}

/// An address as users write it.
fn place(address: &Address) -> String {
    match address {
        Address::Unix { path, .. } => path.display().to_string(),
        Address::Inet { host, port, .. } => format!("{host}:{port}"),
        Address::Fd(number) => format!("fd {number}"),
    }
}

/// A socket as `info chardev` shows it.
fn describe(socket: &Socket, connected: bool) -> String {
    let scheme = match socket.address {
        Address::Unix { .. } => "unix:",
        Address::Inet { .. } => "tcp:",
        Address::Fd(_) => "",
    };
    let prefix = if connected { "" } else { "disconnected:" };
    let server = if socket.server { ",server=on" } else { "" };
    format!("{prefix}{scheme}{}{server}", place(&socket.address))
}

/// A host end as `info chardev` shows it.
pub(crate) fn describe_spec(spec: &ChardevSpec, connected: bool) -> String {
    match &spec.kind {
        Kind::Null => "null".into(),
        Kind::Stdio { .. } => "stdio".into(),
        Kind::File { .. } => "file".into(),
        Kind::Socket(socket) => describe(socket, connected),
    }
}

/// An operating system's error in its own words, without a number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
