//! The server's side of a WebSocket (RFC 6455): bytes in binary messages, after a handshake in HTTP.

use std::{collections::VecDeque, io};

use tungstenite::{
    Error, HandshakeError, Message, WebSocket,
    handshake::{
        MidHandshake,
        server::{ErrorResponse, Request, Response, ServerHandshake},
    },
    http::{HeaderValue, StatusCode},
    protocol::WebSocketConfig,
};

use super::super::{Input, Sent};
use crate::channel::Channel;

type Answer = fn(&Request, Response) -> Result<Response, ErrorResponse>;

/// One connection.
pub(crate) struct Web {
    stage: Stage,
    /// What is left of the message that was read last.
    rest: VecDeque<u8>,
    /// There may be another message although the host has nothing more to read.
    more: bool,
    /// Something that was written waits for the host.
    unsent: bool,
}

enum Stage {
    Shaking(MidHandshake<ServerHandshake<Channel, Answer>>),
    Open(WebSocket<Channel>),
    Over,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").field("open", &self.is_open()).field("rest", &self.rest.len()).finish()
    }
}

/// What a client may send at once, and how much is written as one message, in bytes.
const MESSAGE: usize = 1 << 20;
const PIECE: usize = 16 << 10;

impl Web {
    /// A client that has said nothing yet.
    pub(crate) fn begin(channel: Channel) -> Web {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE))
            .max_frame_size(Some(MESSAGE))
            .read_buffer_size(PIECE)
            .write_buffer_size(0);
        let stage = Stage::Shaking(ServerHandshake::start(channel, answer as Answer, Some(config)));
        Web { stage, rest: VecDeque::new(), more: false, unsent: false }
    }

    /// Has the handshake been done?
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Has it ended?
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Is something waiting for the host to take it?
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent
    }

    /// Could more be read without the host?
    pub(crate) fn has_more(&self) -> bool {
        self.more || !self.rest.is_empty()
    }

    /// The host can go on: with the handshake, or with what waits to be written.
    pub(crate) fn go_on(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Shaking(handshake) => match handshake.handshake() {
                Ok(socket) => {
                    self.more = true;
                    Stage::Open(socket)
                }
                Err(HandshakeError::Interrupted(handshake)) => Stage::Shaking(handshake),
                Err(HandshakeError::Failure(_)) => Stage::Over,
            },
            stage => stage,
        };
        self.flush();
    }

    fn flush(&mut self) {
        if let Stage::Open(socket) = &mut self.stage
            && self.unsent
        {
            match socket.flush() {
                Ok(()) => self.unsent = false,
                Err(error) if would_block(&error) => {}
                Err(_) => self.stage = Stage::Over,
            }
        }
    }

    /// Reads at most `room` bytes.
    pub(crate) fn read(&mut self, room: usize, input: &mut Input) {
        while let (Stage::Open(socket), true) = (&mut self.stage, self.rest.is_empty()) {
            match socket.read() {
                Ok(Message::Binary(bytes)) => self.rest.extend(bytes),
                Ok(Message::Text(text)) => self.rest.extend(text.as_bytes()),
                // The library answers pings and the end; a read flushes the answer, or the next one does.
                Ok(_) => continue,
                Err(error) => {
                    self.more = false;
                    if !would_block(&error) {
                        self.stage = Stage::Over;
                    }
                    break;
                }
            }
            self.more = true;
        }
        let count = room.min(self.rest.len());
        input.bytes.extend(self.rest.drain(..count));
    }

    /// Writes a message; there is always one at most that waits for the host.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Sent {
        self.flush();
        let Stage::Open(socket) = &mut self.stage else { return Sent::Nowhere };
        if self.unsent {
            return Sent::Blocked;
        }
        let piece = &bytes[..bytes.len().min(PIECE)];
        match socket.write(Message::binary(piece.to_vec())) {
            Ok(()) => {}
            Err(error) if would_block(&error) => {}
            Err(_) => {
                self.stage = Stage::Over;
                return Sent::Nowhere;
            }
        }
        self.unsent = true;
        self.flush();
        Sent::Took(piece.len())
    }
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted))
}

/// A client that names subprotocols must name `binary`: it is what this is.
#[expect(clippy::result_large_err, reason = "the library's signature")]
fn answer(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    const PROTOCOL: &str = "sec-websocket-protocol";
    let mut named = request
        .headers()
        .get_all(PROTOCOL)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(',').map(str::trim));
    let Some(first) = named.next() else { return Ok(response) };
    if first == "binary" || named.any(|name| name == "binary") {
        response.headers_mut().insert(PROTOCOL, HeaderValue::from_static("binary"));
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}
