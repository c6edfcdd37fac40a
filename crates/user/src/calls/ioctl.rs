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

pub(super) fn ioctl(thread: &Thread<'_>, [fd, request, arg, ..]: Args) -> Answer {
    let request = request as u32;
    // Requests say in their bits whether and how much they transfer; the old ones of 0x54.. and 0x89.. do not.
    let (transfers, old) = (request >> 30 != 0, matches!(request >> 8, 0x54 | 0x89));
    let address = (transfers || old) && !NUMBERS.contains(&request);
    let arg = if address { thread.at(arg) } else { arg };
    thread.host(SYS_ioctl, [fd, request.into(), arg, 0, 0, 0])
}
