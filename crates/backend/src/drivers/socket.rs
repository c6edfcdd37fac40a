//! `socket`: a stream socket, Unix or TCP, that listens or connects; plain, or with telnet or a WebSocket on it.

use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use hartwright_event::{Event, Inherited, Key};
use rustix::net::{SocketFlags, sockopt};

use super::{
    Desk, Driver, HostEnd, Input, Opening, Ready, Sent,
    streams::{Watched, ready},
};
use crate::{
    backends::{Notice, Told},
    channel::Channel,
    opts::{Opts, Refusal},
    reason,
    spec::Kind,
};

pub(crate) mod address;
mod client;
mod telnet;
mod websocket;

use address::{Address, bound, peer, set_tcp};
use client::Client;

pub(crate) const KEYS: &[&str] = &[
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

pub(crate) const DRIVER: Driver =
    Driver { names: &["socket"], keys: KEYS, read: |opts| Socket::from_opts(opts).map(Kind::Socket) };

/// A stream socket, to be listened on or connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Where.
    pub address: Address,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Listen, and serve one client at a time.
    pub server: bool,
    /// Do not start before the first client came (servers only).
    pub wait: bool,
    /// Gather small writes (Nagle); TCP only.
    pub delay: bool,
    /// Try again this long after the connection failed or ended (clients only).
    pub reconnect: Option<Duration>,
}

/// What is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Bytes as they are.
    Plain,
    /// Telnet.
    Telnet,
    /// Telnet for a 3270 terminal.
    Tn3270,
    /// WebSocket; servers only.
    WebSocket,
}

impl Protocol {
    /// What stands before an address whose far side is not there.
    fn scheme(self) -> &'static str {
        match self {
            Protocol::Plain => "tcp",
            Protocol::Telnet => "telnet",
            Protocol::Tn3270 => "tn3270",
            Protocol::WebSocket => "websocket",
        }
    }
}

impl Socket {
    /// Reads the options of a socket.
    pub(crate) fn from_opts(opts: &Opts) -> Result<Self, Refusal> {
        let mut protocol = Protocol::Plain;
        // If two are asked for, the one that says most wins.
        for (key, its) in
            [("telnet", Protocol::Telnet), ("tn3270", Protocol::Tn3270), ("websocket", Protocol::WebSocket)]
        {
            if opts.switch(key)? == Some(true) {
                protocol = its;
            }
        }
        let server = opts.switch("server")?.unwrap_or(false);
        let wait = opts.switch("wait")?;
        if protocol == Protocol::WebSocket && !server {
            return Err(Refusal::new("Websocket client is not implemented"));
        }
        if wait.is_some() && !server {
            return Err(Refusal::new("'wait' option is incompatible with socket in client connect mode"));
        }
        match (opts.get("tls-creds"), opts.get("tls-authz")) {
            // Nothing makes any yet.
            (Some(id), _) => return Err(Refusal::new(format!("No TLS credentials with id '{id}'"))),
            (None, Some(_)) => return Err(Refusal::new("'tls_authz' option requires 'tls_creds' option")),
            (None, None) => {}
        }
        let (key, reconnect) = match (opts.whole("reconnect-ms")?, opts.whole("reconnect")?) {
            (Some(_), Some(_)) => {
                return Err(Refusal::new("'reconnect' and 'reconnect-ms' are mutually exclusive"));
            }
            (Some(ms), None) => ("reconnect-ms", Some(Duration::from_millis(ms))),
            (None, seconds) => ("reconnect", seconds.map(Duration::from_secs)),
        };
        let reconnect = reconnect.filter(|time| !time.is_zero());
        if reconnect.is_some() && server {
            let why = format!("'{key}' option is incompatible with socket in server listen mode");
            return Err(Refusal::new(why));
        }
        let nodelay = opts.switch("nodelay")?.map(|nodelay| !nodelay);
        Ok(Socket {
            address: Address::from_opts(opts)?,
            protocol,
            server,
            wait: server && wait.unwrap_or(true),
            delay: opts.switch("delay")?.or(nodelay).unwrap_or(false),
            // A time beyond all clocks is never.
            reconnect: reconnect.map(|time| time.min(Duration::from_secs(1 << 32))),
        })
    }
}

/// How long the start waits for a connection that will be tried again later, and how long a client may take over
/// its handshake.
const PATIENCE: Duration = Duration::from_secs(1);
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A socket at work.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    listener: Option<Listener>,
    client: Option<Client>,
    /// A thread tries to connect, and sends what became of it.
    connecting: Option<Receiver<Result<OwnedFd, Refusal>>>,
    /// Why the first attempt failed.
    trouble: Option<Refusal>,
    /// The user knows that it does not connect.
    complained: bool,
}

/// A socket that waits for clients; a path that it made goes with it.
#[derive(Debug)]
struct Listener {
    wire: Watched,
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

/// Opens it. A server with `wait` returns when the first client came.
pub(crate) fn open(socket: &Socket, opening: &Opening<'_>) -> Result<Stream, Refusal> {
    let mut stream = Stream {
        socket: socket.clone(),
        listener: None,
        client: None,
        connecting: None,
        trouble: None,
        complained: false,
    };
    if let Address::Fd(number) = socket.address {
        stream.take_over(number)?;
    } else if socket.server {
        let (fd, path) = socket.address.listen()?;
        stream.listener = Some(Listener { wire: Watched::new(Channel::socket(fd)), path });
    } else if socket.reconnect.is_some() {
        // It need not be there, but if it is, no output is lost.
        match connect_apart(&socket.address, || {}).recv_timeout(PATIENCE) {
            Ok(Ok(fd)) => stream.meet(fd),
            Ok(Err(refusal)) => stream.trouble = Some(refusal),
            Err(_) => {}
        }
    } else {
        stream.meet(socket.address.connect()?);
    }
    if let (Some(listener), true) = (&stream.listener, socket.wait) {
        let place = stream.filename();
        (opening.tell)(Told::Waiting(&format!(
            "info: {} waiting for connection on: {place}",
            opening.program
        )));
        let fd = wait_for_client(&listener.wire.channel.fd)
            .map_err(|e| Refusal::new(format!("Failed to accept a connection: {}", reason(&e))))?;
        stream.meet(fd);
    }
    Ok(stream)
}

/// Connects on a thread of its own, since that may take minutes; calls `done` when it is over.
fn connect_apart(
    address: &Address,
    done: impl FnOnce() + Send + 'static,
) -> Receiver<Result<OwnedFd, Refusal>> {
    let (sender, receiver) = mpsc::channel();
    let address = address.clone();
    std::thread::spawn(move || {
        // Nobody may wait any more.
        let _ = sender.send(address.connect());
        done();
    });
    receiver
}

fn wait_for_client(listener: &OwnedFd) -> io::Result<OwnedFd> {
    loop {
        let mut fds = [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None)?;
        match accept(listener) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

fn accept(listener: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?)
}

impl Stream {
    /// A descriptor that our parent left open: it listens, or is connected.
    fn take_over(&mut self, number: i32) -> Result<(), Refusal> {
        let not_a_socket = || Refusal::new(format!("File descriptor '{number}' is not a socket"));
        let fd = Inherited::take(number).ok_or_else(not_a_socket)?;
        if sockopt::socket_type(&fd).ok() != Some(rustix::net::SocketType::STREAM) {
            return Err(not_a_socket());
        }
        if sockopt::socket_acceptconn(&fd) == Ok(true) {
            self.listener = Some(Listener { wire: Watched::new(Channel::socket(fd)), path: None });
        } else if self.socket.server {
            return Err(Refusal::new(format!("File descriptor '{number}' does not listen")));
        } else {
            self.meet(fd);
        }
        Ok(())
    }

    /// The far side is there.
    fn meet(&mut self, fd: OwnedFd) {
        set_tcp(&fd, self.socket.delay);
        let server = if self.socket.server { ",server=on" } else { "" };
        // QEMU tells a connected 3270 from no other TCP connection.
        let scheme = match self.socket.protocol {
            Protocol::Tn3270 => "tcp",
            protocol => protocol.scheme(),
        };
        let here = match &self.socket.address {
            Address::Unix { .. } if !self.socket.server => self.socket.address.told(scheme),
            address => bound(&fd, scheme).unwrap_or_else(|| address.told(scheme)),
        };
        let there = peer(&fd).map_or(String::new(), |peer| format!(" <-> {peer}"));
        let name = format!("{here}{server}{there}");
        self.complained = false;
        self.client = Some(Client::new(Channel::socket(fd), self.socket.protocol, name));
    }

    /// A client came, after the start.
    fn welcome(&mut self, fd: OwnedFd, desk: &mut Desk<'_>) {
        self.meet(fd);
        self.enter(desk);
    }

    fn enter(&mut self, desk: &mut Desk<'_>) {
        let Some(client) = &mut self.client else { return };
        if !client.wire.enter(desk.events) {
            return self.part(desk);
        }
        if !client.is_open() {
            desk.events.timer(desk.key, Instant::now() + HANDSHAKE);
        }
        client.go_on();
        // What it sent before it was accepted may be no handshake.
        self.part_if_over(desk);
    }

    /// The far side has gone.
    fn part(&mut self, desk: &mut Desk<'_>) {
        if let Some(mut client) = self.client.take() {
            client.wire.leave(desk.events);
        }
        if self.listener.is_none() {
            self.retry_later(desk);
        }
    }

    fn part_if_over(&mut self, desk: &mut Desk<'_>) {
        if self.client.as_ref().is_some_and(Client::is_over) {
            self.part(desk);
        }
    }

    fn retry_later(&self, desk: &mut Desk<'_>) {
        if let Some(time) = self.socket.reconnect {
            desk.events.timer(desk.key, Instant::now() + time);
        }
    }

    fn try_now(&mut self, desk: &mut Desk<'_>) {
        let waker = desk.events.waker(desk.key);
        self.connecting = Some(connect_apart(&self.socket.address, move || waker.wake()));
    }

    /// An attempt to connect failed; the user hears of the first one in a row.
    fn complain(&mut self, refusal: &Refusal, desk: &mut Desk<'_>) {
        if !std::mem::replace(&mut self.complained, true) {
            let what = format!("Unable to connect character device {}: {refusal}", desk.label);
            (desk.notify)(Notice::Warning(what));
        }
        self.retry_later(desk);
    }
}

impl HostEnd for Stream {
    fn filename(&self) -> String {
        if let Some(client) = self.client.as_ref().filter(|client| client.is_open()) {
            return client.name.clone();
        }
        let scheme = self.socket.protocol.scheme();
        let here = self.listener.as_ref().and_then(|listener| bound(&listener.wire.channel.fd, scheme));
        let place = here.unwrap_or_else(|| self.socket.address.told(scheme));
        let server = if self.socket.server { ",server=on" } else { "" };
        format!("disconnected:{place}{server}")
    }

    fn connected(&self) -> bool {
        self.client.as_ref().is_some_and(Client::is_open)
    }

    fn start(&mut self, desk: &mut Desk<'_>) {
        if let Some(listener) = &mut self.listener {
            listener.wire.enter(desk.events);
        }
        if let Some(refusal) = self.trouble.take() {
            self.complain(&refusal, desk);
        } else if self.client.is_some() {
            self.enter(desk);
        } else if self.listener.is_none() {
            self.try_now(desk);
        }
    }

    fn has(&self, key: Key) -> bool {
        self.listener.as_ref().is_some_and(|listener| listener.wire.is(key))
            || self.client.as_ref().is_some_and(|client| client.wire.is(key))
    }

    fn heed(&mut self, event: Event, desk: &mut Desk<'_>) -> Ready {
        match event {
            Event::Ready { key, .. } if self.client.as_ref().is_some_and(|client| client.wire.is(key)) => {
                if let Some(client) = &mut self.client {
                    client.go_on();
                }
                self.part_if_over(desk);
                return ready(event);
            }
            Event::Ready { .. } => {
                if let (Some(listener), None) = (&self.listener, &self.client)
                    // A client that left at once is none.
                    && let Ok(fd) = accept(&listener.wire.channel.fd)
                {
                    self.welcome(fd, desk);
                }
            }
            Event::Timer { .. } => match &self.client {
                Some(client) if client.is_open() => {}
                Some(_) => self.part(desk),
                None if self.listener.is_none() && self.connecting.is_none() => self.try_now(desk),
                None => {}
            },
            Event::Woken { .. } => {
                let done = self.connecting.as_ref().and_then(|connecting| connecting.try_recv().ok());
                if let Some(done) = done {
                    self.connecting = None;
                    match done {
                        Ok(fd) => self.welcome(fd, desk),
                        Err(refusal) => self.complain(&refusal, desk),
                    }
                }
            }
        }
        Ready::default()
    }

    fn want(&mut self, read: bool, write: bool, desk: &mut Desk<'_>) {
        if let Some(listener) = &self.listener {
            listener.wire.want(self.client.is_none(), false, desk.events);
        }
        if let Some(client) = &self.client {
            let write = (write || client.has_unsent()) && !client.deaf;
            client.wire.want(read || !client.is_open(), write, desk.events);
        }
    }

    fn read(&mut self, room: usize, input: &mut Input, desk: &mut Desk<'_>) {
        let Some(client) = self.client.as_mut().filter(|client| client.is_open()) else { return };
        client.read(room, input);
        self.part_if_over(desk);
    }

    fn has_more(&self) -> bool {
        self.client.as_ref().is_some_and(Client::has_more)
    }

    fn write(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Sent {
        let sent = match &mut self.client {
            Some(client) if client.is_open() && !client.deaf => client.write(bytes),
            _ => Sent::Nowhere,
        };
        self.part_if_over(desk);
        sent
    }

    fn is_flushed(&self) -> bool {
        !self.client.as_ref().is_some_and(Client::has_unsent)
    }

    fn close(&mut self, deadline: Instant) {
        if let Some(client) = &self.client {
            client.wire.channel.part(deadline);
        }
    }
}
