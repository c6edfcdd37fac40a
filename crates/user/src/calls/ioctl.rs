//! `ioctl`: what its third argument is follows from the request.

use super::Args;
use crate::{errno::Answer, thread::Thread};
use libc::SYS_ioctl;

/// The old requests of terminals and sockets that take a number or nothing; the others of these take an address.
const NUMBERS: [u32; 15] = [
    0x5409, // TCSBRK
    0x540a, // TCXONC
    0x540b, // TCFLSH
    0x540c, // TIOCEXCL
    0x540d, // TIOCNXCL
    0x540e, // TIOCSCTTY
    0x5422, // TIOCNOTTY
    0x5425, // TCSBRKP
    0x5427, // TIOCSBRK
    0x5428, // TIOCCBRK
    0x5441, // TIOCGPTPEER
    0x5450, // FIONCLEX
    0x5451, // FIOCLEX
    0x5437, // TIOCVHANGUP
    0x4c00, // LOOP_SET_FD
];

/// Lists interfaces: a length, and the address of room for the list.
const SIOCGIFCONF: u32 = 0x8912;

pub(super) fn ioctl(thread: &Thread<'_>, [fd, request, arg, ..]: Args) -> Answer {
    let request = request as u32;
    if request == SIOCGIFCONF {
        let memory = &thread.process.memory;
        let mut list = [memory.read_u64(arg)?, thread.at(memory.read_u64(arg.wrapping_add(8))?)];
        let done = thread.host(SYS_ioctl, [fd, request.into(), list.as_mut_ptr() as u64, 0, 0, 0])?;
        memory.write(arg, &(list[0] as u32).to_le_bytes())?;
        return Ok(done);
    }
    // Requests say in their bits whether and how much they transfer; the old ones of 0x54.. and 0x89.. do not.
    let (transfers, old) = (request >> 30 != 0, matches!(request >> 8, 0x54 | 0x89));
    let address = (transfers || old) && !NUMBERS.contains(&request);
    let arg = if address { thread.at(arg) } else { arg };
    thread.host(SYS_ioctl, [fd, request.into(), arg, 0, 0, 0])
}
