//! `udp`: datagrams to and from one address.

use std::{collections::VecDeque, io, net::UdpSocket};

use hartwright_event::{Event, Key};

use super::{
    Desk, Driver, HostEnd, Input, Ready, Sent,
    socket::address::{Family, Host},
    streams::{Watched, ready},
};
use crate::{
    channel::Channel,
    opts::{Opts, Refusal},
    reason,
    spec::Kind,
};

pub(crate) const DRIVER: Driver = Driver {
    names: &["udp"],
    keys: &["host", "port", "localaddr", "localport", "ipv4", "ipv6"],
    read: |opts| read(opts).map(Kind::Udp),
};

/// Where datagrams go and come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// The far side.
    pub remote: Host,
    /// Our side; any address and a port of the host's choice, if that is not said.
    pub local: Option<Host>,
    /// Only IPv4 or only IPv6.
    pub family: Option<Family>,
}

fn read(opts: &Opts) -> Result<Udp, Refusal> {
    let given = |key: &str| opts.get(key).filter(|text| !text.is_empty());
    let port = given("port").ok_or_else(|| Refusal::new("chardev: udp: remote port not specified"))?;
    let remote = Host::new(given("host").unwrap_or("localhost"), port)?;
    let local = match (given("localaddr"), given("localport")) {
        (None, None) => None,
        (name, port) => Some(Host::new(name.unwrap_or_default(), port.unwrap_or("0"))?),
    };
    Ok(Udp { remote, local, family: Family::from_opts(opts)? })
}

/// The largest datagram that IPv4 can carry, and more.
const DATAGRAM: usize = 64 << 10;

/// How much output goes into one datagram: no network has to cut it.
const PIECE: usize = 1400;

/// A socket that knows its far side.
#[derive(Debug)]
pub(crate) struct Datagrams {
    wire: Watched,
    /// What is left of the datagram that was read last.
    rest: VecDeque<u8>,
}

pub(crate) fn open(udp: &Udp) -> Result<Datagrams, Refusal> {
    let failed = |what: &str, error: &io::Error| Refusal::new(format!("Failed to {what}: {}", reason(error)));
    let remotes = udp.remote.addresses(udp.family)?;
    let mut last = Refusal::new(format!("address resolution failed for {}: no address", udp.remote));
    for remote in remotes {
        let any = Host { name: String::new(), port: 0 };
        let family = if remote.is_ipv4() { Family::V4 } else { Family::V6 };
        let locals = udp.local.as_ref().unwrap_or(&any).addresses(Some(family))?;
        let socket = match UdpSocket::bind(&*locals) {
            Ok(socket) => socket,
            Err(error) => {
                last = failed("bind socket", &error);
                continue;
            }
        };
        match socket.connect(remote) {
            Ok(()) => {
                return Ok(Datagrams {
                    wire: Watched::new(Channel::socket(socket.into())),
                    rest: VecDeque::new(),
                });
            }
            Err(error) => last = failed("connect socket", &error),
        }
    }
    Err(last)
}

impl HostEnd for Datagrams {
    fn filename(&self) -> String {
        "udp".into()
    }

    fn start(&mut self, desk: &mut Desk<'_>) {
        // A socket can be watched wherever there is an event loop.
        self.wire.enter(desk.events);
    }

    fn has(&self, key: Key) -> bool {
        self.wire.is(key)
    }

    fn heed(&mut self, event: Event, _: &mut Desk<'_>) -> Ready {
        ready(event)
    }

    fn want(&mut self, read: bool, write: bool, desk: &mut Desk<'_>) {
        self.wire.want(read, write, desk.events);
    }

    fn read(&mut self, room: usize, input: &mut Input, _: &mut Desk<'_>) {
        if self.rest.is_empty() {
            let mut datagram = vec![0; DATAGRAM];
            // An error is the host's word that nobody heard what we sent (ECONNREFUSED), and is over once told.
            let count = self.wire.channel.read(&mut datagram).unwrap_or(0);
            self.rest.extend(&datagram[..count]);
        }
        let count = room.min(self.rest.len());
        input.bytes.extend(self.rest.drain(..count));
    }

    fn has_more(&self) -> bool {
        !self.rest.is_empty()
    }

    fn write(&mut self, bytes: &[u8], _: &mut Desk<'_>) -> Sent {
        let piece = &bytes[..bytes.len().min(PIECE)];
        match self.wire.channel.write(piece) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Blocked,
            // What nobody heard is lost, as datagrams may be.
            Ok(_) | Err(_) => Sent::Took(piece.len()),
        }
    }
}
