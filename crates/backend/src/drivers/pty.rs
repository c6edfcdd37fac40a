//! `pty`: a pseudo-terminal, whose other side any terminal program may open, leave, and open again.
//!
//! The host does not say when somebody opens it, and says without end that nobody has it open. So while nobody
//! has, it is looked at now and then, and not watched.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hartwright_event::{Event, Key};
use rustix::{
    event::{PollFd, PollFlags},
    pty::OpenptFlags,
    termios,
};

use super::{
    Desk, Driver, HostEnd, Input, Opening, Ready, Sent,
    streams::{Watched, is_transient, ready},
};
use crate::{backends::Told, channel::Channel, opts::Refusal, reason, spec::Kind, tty};

pub(crate) const DRIVER: Driver = Driver {
    names: &["pty"],
    keys: &["path"],
    read: |opts| Ok(Kind::Pty { path: opts.get("path").map(PathBuf::from) }),
};

/// How often we look whether somebody came.
const LOOK: Duration = Duration::from_millis(100);

/// Our side of a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Master {
    wire: Watched,
    name: String,
    /// A symbolic link to the other side, which goes with us.
    link: Option<PathBuf>,
    /// Somebody has the other side open.
    there: bool,
}

pub(crate) fn open(link: Option<&Path>, opening: &Opening<'_>) -> Result<Master, Refusal> {
    let failed = |error: io::Error| Refusal::new(format!("Failed to create PTY: {}", reason(&error)));
    let (fd, name) = pair().map_err(failed)?;
    let wire = Watched::new(Channel::ours(fd).map_err(failed)?);
    let line = format!("char device redirected to {name} (label {})", opening.label);
    (opening.tell)(Told::Redirected(&line));
    let mut master = Master { wire, name, link: None, there: false };
    if let Some(link) = link {
        std::os::unix::fs::symlink(&master.name, link)
            .map_err(|error| Refusal::new(format!("Failed to create PTY symlink: {}", reason(&error))))?;
        master.link = Some(link.to_owned());
    }
    Ok(master)
}

/// A new pseudo-terminal, raw: our side, and the path of the other.
fn pair() -> io::Result<(OwnedFd, String)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let name = rustix::pty::ptsname(&master, Vec::new())?;
    // Until somebody has had it open once, the host says that somebody has: so we do.
    let other = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    let mut modes = termios::tcgetattr(&other)?;
    tty::make_raw(&mut modes);
    termios::tcsetattr(&other, termios::OptionalActions::Now, &modes)?;
    Ok((master, name.to_string_lossy().into_owned()))
}

impl Master {
    /// Is somebody there, or did somebody leave something to read?
    fn look(&mut self, desk: &mut Desk<'_>) {
        let mut fds = [PollFd::new(&*self.wire.channel.fd, PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let polled = rustix::event::poll(&mut fds, Some(&now));
        let seen = fds[0].revents();
        self.there = polled.is_ok() && (seen.contains(PollFlags::IN) || !seen.contains(PollFlags::HUP));
        if !self.there {
            self.lose(desk);
        }
    }

    fn lose(&mut self, desk: &mut Desk<'_>) {
        self.there = false;
        self.wire.want(false, false, desk.events);
        desk.events.timer(desk.key, Instant::now() + LOOK);
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(link);
        }
    }
}

impl HostEnd for Master {
    fn filename(&self) -> String {
        format!("pty:{}", self.name)
    }

    fn connected(&self) -> bool {
        self.there
    }

    fn start(&mut self, desk: &mut Desk<'_>) {
        if self.wire.enter(desk.events) {
            self.look(desk);
        }
    }

    fn has(&self, key: Key) -> bool {
        self.wire.is(key)
    }

    fn heed(&mut self, event: Event, desk: &mut Desk<'_>) -> Ready {
        // A port's wake-up says nothing of the other side.
        if !matches!(event, Event::Woken { .. }) {
            self.look(desk);
        }
        ready(event)
    }

    fn want(&mut self, read: bool, write: bool, desk: &mut Desk<'_>) {
        self.wire.want(read && self.there, write && self.there, desk.events);
    }

    fn read(&mut self, room: usize, input: &mut Input, desk: &mut Desk<'_>) {
        let mut bytes = vec![0; room];
        match self.wire.channel.read(&mut bytes) {
            Ok(count @ 1..) => {
                bytes.truncate(count);
                input.bytes = bytes;
            }
            Err(error) if is_transient(&error) => {}
            // EIO: nobody has it open any more.
            Ok(0) | Err(_) => self.lose(desk),
        }
    }

    fn write(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> Sent {
        if !self.there {
            return Sent::Nowhere;
        }
        match self.wire.channel.write(bytes) {
            Ok(count) => Sent::Took(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Sent::Took(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::Blocked,
            Err(_) => {
                self.lose(desk);
                Sent::Nowhere
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hartwright_event::Loop;

    #[test]
    fn a_terminal_that_nobody_has_open_wakes_nobody() {
        let mut events = Loop::new().unwrap();
        let key = events.key();
        let mut master = open(None, &Opening { label: "a", program: "p", tell: &|_| {} }).unwrap();
        let mut desk = Desk { events: &mut events, key, label: "a", notify: &|_| {} };
        master.start(&mut desk);
        master.want(true, true, &mut desk);
        assert!(!master.connected());
        let happened = desk.events.turn(Some(Duration::ZERO)).unwrap();
        assert!(happened.iter().all(|event| *event == Event::Timer { key }), "{happened:?}");
    }
}
