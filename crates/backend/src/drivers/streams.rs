//! A host end that is one descriptor for input, one for output, or none: always connected, with nothing to manage.

use std::io;

use hartwright_event::{Event, Interest, Key, Loop};

use super::{Desk, HostEnd, Input, Ready, Sent};
use crate::channel::Channel;

/// Input and output apart, each until its end.
#[derive(Debug)]
pub(crate) struct Streams {
    filename: &'static str,
    input: Option<Watched>,
    output: Option<Watched>,
}

impl Streams {
    /// Without `input` nothing ever comes; without `output` what is written is gone.
    pub(crate) fn new(filename: &'static str, input: Option<Channel>, output: Option<Channel>) -> Self {
        Streams { filename, input: input.map(Watched::new), output: output.map(Watched::new) }
    }
}

impl HostEnd for Streams {
    fn filename(&self) -> String {
        self.filename.into()
    }

    fn start(&mut self, desk: &mut Desk<'_>) {
        for stream in [&mut self.input, &mut self.output] {
            if stream.as_mut().is_some_and(|stream| !stream.enter(desk.events)) {
                *stream = None;
            }
        }
    }

    fn has(&self, key: Key) -> bool {
        [&self.input, &self.output].into_iter().flatten().any(|stream| stream.is(key))
    }

    fn heed(&mut self, event: Event, _: &mut Desk<'_>) -> Ready {
        ready(event)
    }

    fn want(&mut self, read: bool, write: bool, desk: &mut Desk<'_>) {
        if let Some(input) = &self.input {
            input.want(read, false, desk.events);
        }
        if let Some(output) = &self.output {
            output.want(false, write, desk.events);
        }
    }

    fn read(&mut self, room: usize, input: &mut Input, desk: &mut Desk<'_>) {
        let Some(stream) = &self.input else { return };
        let mut bytes = vec![0; room];
        match stream.channel.read(&mut bytes) {
            Ok(count @ 1..) => {
                input.bytes = {
                    bytes.truncate(count);
                    bytes
                }
            }
            Err(error) if is_transient(&error) => {}
            // The end; a terminal that hung up says EIO.
            Ok(0) | Err(_) => {
                if let Some(mut gone) = self.input.take() {
                    gone.leave(desk.events);
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Sent {
        let Some(stream) = &self.output else { return Sent::Nowhere };
        match stream.channel.write(bytes) {
            Ok(count) => Sent::Took(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Sent::Took(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Blocked,
            Err(_) => {
                if let Some(mut gone) = self.output.take() {
                    gone.leave(desk.events);
                }
                Sent::Nowhere
            }
        }
    }
}

/// A channel in the event loop.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) channel: Channel,
    key: Option<Key>,
}

impl Watched {
    /// Not in the loop yet.
    pub(crate) fn new(channel: Channel) -> Self {
        Watched { channel, key: None }
    }

    /// Enters the loop, wanting nothing; false when the host cannot watch it.
    pub(crate) fn enter(&mut self, events: &mut Loop) -> bool {
        self.key = events.add(self.channel.fd.clone(), Interest::default()).ok();
        self.key.is_some()
    }

    /// Leaves the loop.
    pub(crate) fn leave(&mut self, events: &mut Loop) {
        if let Some(key) = self.key.take() {
            events.remove(key);
        }
    }

    /// Is it this one's key?
    pub(crate) fn is(&self, key: Key) -> bool {
        self.key == Some(key)
    }

    /// Says what is waited for.
    pub(crate) fn want(&self, read: bool, write: bool, events: &mut Loop) {
        if let Some(key) = self.key {
            // The host refuses only what it already refused when the descriptor was added.
            let _ = events.interest(key, Interest { read, write });
        }
    }
}

/// What an event says of a descriptor.
pub(crate) fn ready(event: Event) -> Ready {
    match event {
        Event::Ready { read, write, .. } => Ready { read, write },
        Event::Timer { .. } | Event::Woken { .. } => Ready::default(),
    }
}

/// Is it worth trying again later?
pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
