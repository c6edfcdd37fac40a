//! The far side of a stream socket while it is there, and what is spoken with it.

use std::{collections::VecDeque, io};

use super::{
    super::{
        Input, Sent,
        streams::{Watched, is_transient},
    },
    Protocol,
    telnet::Telnet,
    websocket::Web,
};
use crate::channel::Channel;

/// How much may wait for the host before a telnet client's questions get no answer, in bytes.
const UNSENT: usize = 4 << 10;

/// How much output telnet takes at once, in bytes.
const PIECE: usize = 4 << 10;

/// The far side, while it is there.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) wire: Watched,
    talk: Talk,
    /// What `info chardev` shows.
    pub(super) name: String,
    /// It reads no more. What it sent before is still to be read: the end of that is the connection's.
    pub(super) deaf: bool,
    gone: bool,
}

#[derive(Debug)]
enum Talk {
    Plain,
    Telnet { telnet: Telnet, unsent: VecDeque<u8> },
    Web(Box<Web>),
}

impl Client {
    pub(super) fn new(channel: Channel, protocol: Protocol, name: String) -> Client {
        let talk = match protocol {
            Protocol::Plain => Talk::Plain,
            Protocol::WebSocket => Talk::Web(Box::new(Web::begin(channel.clone()))),
            Protocol::Telnet | Protocol::Tn3270 => {
                let (telnet, greeting) = Telnet::begin(protocol == Protocol::Tn3270);
                Talk::Telnet { telnet, unsent: greeting.iter().copied().collect() }
            }
        };
        Client { wire: Watched::new(channel), talk, name, deaf: false, gone: false }
    }

    /// Are bytes exchanged? A WebSocket has a handshake before.
    pub(super) fn is_open(&self) -> bool {
        !matches!(&self.talk, Talk::Web(web) if !web.is_open())
    }

    /// Has it ended?
    pub(super) fn is_over(&self) -> bool {
        self.gone || matches!(&self.talk, Talk::Web(web) if web.is_over())
    }

    /// Could more be read without the host?
    pub(super) fn has_more(&self) -> bool {
        matches!(&self.talk, Talk::Web(web) if web.has_more())
    }

    /// Does something that was written wait for the host?
    pub(super) fn has_unsent(&self) -> bool {
        match &self.talk {
            Talk::Plain => false,
            Talk::Telnet { unsent, .. } => !unsent.is_empty(),
            Talk::Web(web) => web.has_unsent(),
        }
    }

    /// Goes on with what waits for the host.
    pub(super) fn go_on(&mut self) {
        match &mut self.talk {
            Talk::Plain => {}
            Talk::Web(web) => web.go_on(),
            Talk::Telnet { unsent, .. } => {
                while !unsent.is_empty() && !self.deaf {
                    match self.wire.channel.write(unsent.as_slices().0) {
                        Ok(count) => drop(unsent.drain(..count)),
                        Err(error) if is_transient(&error) => return,
                        Err(_) => {
                            self.deaf = true;
                            unsent.clear();
                        }
                    }
                }
            }
        }
    }

    /// Reads at most `room` bytes.
    pub(super) fn read(&mut self, room: usize, input: &mut Input) {
        if let Talk::Web(web) = &mut self.talk {
            return web.read(room, input);
        }
        let mut bytes = vec![0; room];
        match self.wire.channel.read(&mut bytes) {
            Ok(count @ 1..) => {
                bytes.truncate(count);
                self.take(bytes, input);
            }
            Err(error) if is_transient(&error) => {}
            Ok(0) | Err(_) => self.gone = true,
        }
    }

    fn take(&mut self, bytes: Vec<u8>, input: &mut Input) {
        let Talk::Telnet { telnet, unsent } = &mut self.talk else {
            input.bytes = bytes;
            return;
        };
        let mut replies = Vec::new();
        telnet.decode(&bytes, input, &mut replies);
        if unsent.len() < UNSENT {
            unsent.extend(replies);
        }
        self.go_on();
    }

    /// Writes output.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Sent {
        self.go_on();
        match &mut self.talk {
            Talk::Web(web) => web.write(bytes),
            Talk::Telnet { unsent, .. } if !unsent.is_empty() => Sent::Blocked,
            Talk::Telnet { telnet, unsent } => {
                let piece = &bytes[..bytes.len().min(PIECE)];
                let mut encoded = Vec::new();
                telnet.encode(piece, &mut encoded);
                unsent.extend(encoded);
                self.go_on();
                Sent::Took(piece.len())
            }
            Talk::Plain => match self.wire.channel.write(bytes) {
                Ok(count) => Sent::Took(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Sent::Took(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Blocked,
                Err(_) => {
                    self.deaf = true;
                    Sent::Nowhere
                }
            },
        }
    }
}
