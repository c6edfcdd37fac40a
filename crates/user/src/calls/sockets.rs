//! Sockets. Messages have addresses within, which are made the host's.

use super::{Args, rows, vectors::vector};
use crate::{
    errno::{Answer, Failure},
    thread::Thread,
};
use libc::*;

rows! {
    198 socket(Int, Hex, Int)                       Host(SYS_socket);
    199 socketpair(Int, Hex, Int, Ptr)              Host(SYS_socketpair);
    200 bind(Int, Ptr, Int)                         Host(SYS_bind);
    201 listen(Int, Int)                            Host(SYS_listen);
    202 accept(Int, Ptr, Ptr)                       Host(SYS_accept);
    203 connect(Int, Ptr, Int)                      Host(SYS_connect);
    204 getsockname(Int, Ptr, Ptr)                  Host(SYS_getsockname);
    205 getpeername(Int, Ptr, Ptr)                  Host(SYS_getpeername);
    206 sendto(Int, Ptr, Long, Hex, Ptr, Int)       Host(SYS_sendto);
    207 recvfrom(Int, Ptr, Long, Hex, Ptr, Ptr)     Host(SYS_recvfrom);
    208 setsockopt(Int, Int, Int, Ptr, Int)         Host(SYS_setsockopt);
    209 getsockopt(Int, Int, Int, Ptr, Ptr)         Host(SYS_getsockopt);
    210 shutdown(Int, Int)                          Host(SYS_shutdown);
    211 sendmsg(Int, Addr, Hex)                     Here(sendmsg_);
    212 recvmsg(Int, Addr, Hex)                     Here(recvmsg_);
    242 accept4(Int, Ptr, Ptr, Hex)                 Host(SYS_accept4);
    243 recvmmsg(Int, Addr, Int, Hex, Ptr)          Here(recvmmsg_);
    269 sendmmsg(Int, Addr, Int, Hex)               Here(sendmmsg_);
}

/// Words of a `msghdr`: name, its length, buffers, their count, control data, its length, flags.
const WORDS: usize = 7;
/// Bytes from one message to the next in a vector of them: a header, and how much was sent.
const NEXT: u64 = 64;

/// A message's header with the host's addresses.
struct Message {
    header: [u64; WORDS],
    _buffers: Vec<[u64; 2]>,
}

impl Message {
    fn read(thread: &Thread<'_>, addr: u64) -> Result<Self, Failure> {
        let bytes: [u8; 8 * WORDS] = thread.process.memory.read_array(addr)?;
        let mut header: [u64; WORDS] =
            std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|j| bytes[8 * i + j])));
        let buffers = vector(thread, header[2], header[3])?;
        header[0] = thread.at(header[0]);
        header[2] = buffers.as_ptr() as u64;
        header[4] = thread.at(header[4]);
        Ok(Message { header, _buffers: buffers })
    }

    /// Writes back what receiving changed: the lengths of name and control data, and the flags.
    fn received(&self, thread: &Thread<'_>, addr: u64) -> Result<(), Failure> {
        let memory = &thread.process.memory;
        memory.write(addr + 8, &(self.header[1] as u32).to_le_bytes())?;
        memory.write(addr + 40, &self.header[5].to_le_bytes())?;
        memory.write(addr + 48, &(self.header[6] as u32).to_le_bytes())
    }
}

fn sendmsg_(thread: &Thread<'_>, [fd, addr, flags, ..]: Args) -> Answer {
    let message = Message::read(thread, addr)?;
    thread.host(SYS_sendmsg, [fd, message.header.as_ptr() as u64, flags, 0, 0, 0])
}

fn recvmsg_(thread: &Thread<'_>, [fd, addr, flags, ..]: Args) -> Answer {
    let mut message = Message::read(thread, addr)?;
    let got = thread.host(SYS_recvmsg, [fd, message.header.as_mut_ptr() as u64, flags, 0, 0, 0])?;
    message.received(thread, addr)?;
    Ok(got)
}

/// Sends or receives messages one by one until one fails, which tells only if it is the first.
fn many(thread: &Thread<'_>, addr: u64, count: u64, one: impl Fn(u64, u64) -> Answer) -> Answer {
    /// The most messages Linux takes.
    const MOST: u64 = 1024;
    for number in 0..(count & 0xffff_ffff).min(MOST) {
        let at = addr.wrapping_add(NEXT * number);
        match one(number, at) {
            Ok(len) => thread.process.memory.write(at + 56, &(len as u32).to_le_bytes())?,
            Err(error) if number == 0 => return Err(error),
            Err(_) => return Ok(number),
        }
    }
    Ok(count.min(MOST))
}

fn sendmmsg_(thread: &Thread<'_>, [fd, addr, count, flags, ..]: Args) -> Answer {
    many(thread, addr, count, |_, at| sendmsg_(thread, [fd, at, flags, 0, 0, 0]))
}

/// `recvmmsg`; its timeout is not looked at, as Linux looks at it only between two messages.
fn recvmmsg_(thread: &Thread<'_>, [fd, addr, count, flags, ..]: Args) -> Answer {
    const ONE: u64 = MSG_WAITFORONE as u64;
    many(thread, addr, count, |number, at| {
        let wait = if number > 0 && flags & ONE != 0 { MSG_DONTWAIT as u64 } else { 0 };
        recvmsg_(thread, [fd, at, flags & !ONE | wait, 0, 0, 0])
    })
}
