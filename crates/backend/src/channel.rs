//! One direction of bytes to or from the host, moved without ever waiting.
//!
//! Descriptors that we were started with are shared with others (a shell, a test harness), and `O_NONBLOCK` is
//! a property of what is shared. So it is never set on them: a terminal or pipe is opened once more for
//! ourselves, a socket is asked not to wait call by call, and what allows neither is polled before each call.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::Arc,
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags},
    fs::{FileType, Mode, OFlags},
    net::{RecvFlags, SendFlags},
};

/// A descriptor and the way to use it without waiting.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) fd: Arc<OwnedFd>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// A socket: each call says that it must not wait.
    Socket,
    /// Opened by ourselves with `O_NONBLOCK`.
    Ours,
    /// Shared: polled before each call, and written in pieces that a ready descriptor takes.
    Shared,
    /// A regular file or a device that never waits.
    File,
}

/// Which way a channel goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// A ready pipe has room for a page at least (pipe(7)).
const PIPE_PIECE: usize = 4096;

impl Channel {
    /// A channel over a descriptor that others may share.
    pub(crate) fn shared(fd: impl AsFd, way: Way) -> io::Result<Channel> {
        let stat = rustix::fs::fstat(&fd)?;
        let manner = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Socket => Manner::Socket,
            FileType::Fifo => Manner::Shared,
            FileType::CharacterDevice if rustix::termios::isatty(&fd) => Manner::Shared,
            _ => Manner::File,
        };
        if manner == Manner::Shared
            && let Some(ours) = reopen(&fd, way, stat.st_rdev)
        {
            return Ok(Channel { fd: Arc::new(ours), manner: Manner::Ours });
        }
        let fd = rustix::io::fcntl_dupfd_cloexec(fd, 3)?;
        Ok(Channel { fd: Arc::new(fd), manner })
    }

    /// A channel over a connected socket.
    pub(crate) fn socket(fd: OwnedFd) -> Channel {
        Channel { fd: Arc::new(fd), manner: Manner::Socket }
    }

    /// A channel over a path that we opened.
    pub(crate) fn open(path: &std::path::Path, way: Way, append: bool) -> io::Result<Channel> {
        let flags = match way {
            Way::In => OFlags::RDONLY,
            Way::Out if append => OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND,
            Way::Out => OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
        };
        let fd =
            rustix::fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::from_raw_mode(0o666))?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
        match kind {
            FileType::Fifo | FileType::CharacterDevice => Channel::ours(fd),
            _ => Ok(Channel { fd: Arc::new(fd), manner: Manner::File }),
        }
    }

    /// A channel over a path that we opened for both directions.
    pub(crate) fn both_ways(path: &std::path::Path) -> io::Result<Channel> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Channel::ours(rustix::fs::open(path, flags, Mode::empty())?)
    }

    /// A channel over a descriptor that nobody else has.
    pub(crate) fn ours(fd: OwnedFd) -> io::Result<Channel> {
        let before = rustix::fs::fcntl_getfl(&fd)?;
        rustix::fs::fcntl_setfl(&fd, before | OFlags::NONBLOCK)?;
        Ok(Channel { fd: Arc::new(fd), manner: Manner::Ours })
    }

    /// The same channel with a descriptor of its own, so that each can be watched for itself.
    pub(crate) fn again(&self) -> io::Result<Channel> {
        let fd = rustix::io::fcntl_dupfd_cloexec(&self.fd, 3)?;
        Ok(Channel { fd: Arc::new(fd), manner: self.manner })
    }

    /// Reads what is there: zero bytes are the end, [`io::ErrorKind::WouldBlock`] is nothing now.
    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        Ok(match self.manner {
            Manner::Socket => rustix::net::recv(&self.fd, into, RecvFlags::DONTWAIT)?.0,
            Manner::Ours | Manner::File => rustix::io::read(&self.fd, into)?,
            Manner::Shared => {
                self.poll(PollFlags::IN)?;
                rustix::io::read(&self.fd, into)?
            }
        })
    }

    /// Writes what there is room for, at least one byte; [`io::ErrorKind::WouldBlock`] when there is none.
    pub(crate) fn write(&self, from: &[u8]) -> io::Result<usize> {
        Ok(match self.manner {
            Manner::Socket => rustix::net::send(&self.fd, from, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?,
            Manner::Ours | Manner::File => rustix::io::write(&self.fd, from)?,
            Manner::Shared => {
                self.poll(PollFlags::OUT)?;
                let piece = if rustix::termios::isatty(&self.fd) { 1 } else { PIPE_PIECE };
                rustix::io::write(&self.fd, &from[..from.len().min(piece)])?
            }
        })
    }

    /// Ends a socket's output, then throws away its input until the far side ends that too, or until `deadline`.
    ///
    /// A socket that is closed with input unread resets the connection (RFC 1122, section 4.2.2.13), and the far side
    /// may then lose output that it has not read yet.
    pub(crate) fn part(&self, deadline: Instant) {
        if rustix::net::shutdown(&self.fd, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        let mut unread = [0; 4096];
        loop {
            match self.read(&mut unread) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    // No time that is left is longer than a host can count.
                    let left = rustix::event::Timespec::try_from(left).unwrap_or_default();
                    let mut fds = [PollFd::new(&*self.fd, PollFlags::IN)];
                    if !matches!(rustix::event::poll(&mut fds, Some(&left)), Ok(1..)) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn poll(&self, flags: PollFlags) -> io::Result<()> {
        let mut fds = [PollFd::new(&*self.fd, flags)];
        match rustix::event::poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 }))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }
}

impl io::Read for Channel {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Channel::read(self, into)
    }
}

impl io::Write for Channel {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Channel::write(self, from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same terminal or pipe with an open file description of our own, if the host allows it.
fn reopen(fd: impl AsFd, way: Way, device: u64) -> Option<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let access = if way == Way::In { OFlags::RDONLY } else { OFlags::WRONLY };
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let ours = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    // Opening the multiplexer /dev/ptmx (5:2) again would make another terminal.
    let multiplexer = rustix::fs::makedev(5, 2);
    let same = rustix::fs::fstat(&ours).is_ok_and(|stat| stat.st_rdev == device) && device != multiplexer;
    same.then_some(ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, io::Write};

    fn would_block<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
        result.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    #[test]
    fn a_shared_pipe_stays_blocking_for_others() {
        let (reader, mut writer) = io::pipe().unwrap();
        let input = Channel::shared(&reader, Way::In).unwrap();
        let output = Channel::shared(&writer, Way::Out).unwrap();
        let mut bytes = [0; 16];
        assert!(would_block(input.read(&mut bytes)));
        writer.write_all(b"abc").unwrap();
        assert_eq!(input.read(&mut bytes).unwrap(), 3);
        while output.write(&[0; 100_000]).is_ok() {}
        assert!(would_block(output.write(b"x")));
        for fd in [reader.as_fd(), writer.as_fd()] {
            assert!(!rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK));
        }
    }

    #[test]
    fn a_pipe_that_cannot_be_opened_again_is_polled() {
        let (reader, writer) = io::pipe().unwrap();
        let shared = |fd: OwnedFd| Channel { fd: Arc::new(fd), manner: Manner::Shared };
        let (input, output) = (shared(reader.into()), shared(writer.into()));
        let mut bytes = [0; 16];
        assert!(would_block(input.read(&mut bytes)));
        while output.write(&[0; 100_000]).is_ok() {}
        assert!(would_block(output.write(b"x")));
        assert_eq!(input.read(&mut bytes).unwrap(), 16);
    }

    #[test]
    fn a_file_is_read_from_where_it_was_left() {
        let path = std::env::temp_dir().join(format!("hartwright-channel-{}", std::process::id()));
        std::fs::write(&path, "abcdef").unwrap();
        let file = File::open(&path).unwrap();
        let mut bytes = [0; 3];
        io::Read::read_exact(&mut &file, &mut bytes).unwrap();
        let input = Channel::shared(&file, Way::In).unwrap();
        assert_eq!(input.read(&mut bytes).unwrap(), 3);
        assert_eq!(&bytes, b"def");
        assert_eq!(input.read(&mut bytes).unwrap(), 0);
        std::fs::remove_file(path).unwrap();
    }
}
