//! Calls on vectors of buffers, whose addresses lie in memory.

use super::Args;
use crate::{
    errno::{Answer, Failure, refuse},
    thread::Thread,
};
use libc::*;

/// The vector of `count` buffers at `addr`, with the host's addresses.
pub(super) fn vector(thread: &Thread<'_>, addr: u64, count: u64) -> Result<Vec<[u64; 2]>, Failure> {
    /// The most buffers Linux takes.
    const MOST: u64 = 1024;
    if count > MOST {
        return refuse(EINVAL);
    }
    let mut bytes = vec![0; count as usize * 16];
    thread.process.memory.read(addr, &mut bytes)?;
    let word = |at: &[u8]| u64::from_le_bytes(std::array::from_fn(|i| at[i]));
    Ok(bytes.chunks(16).map(|pair| [thread.at(word(pair)), word(&pair[8..])]).collect())
}

fn vectored(thread: &Thread<'_>, there: i64, args: Args) -> Answer {
    let [fd, addr, count, a, b, c] = args;
    let vector = vector(thread, addr, count)?;
    thread.host(there, [fd, vector.as_ptr() as u64, count, a, b, c])
}

pub(super) fn readv(thread: &Thread<'_>, args: Args) -> Answer {
    vectored(thread, SYS_readv, args)
}
pub(super) fn writev(thread: &Thread<'_>, args: Args) -> Answer {
    vectored(thread, SYS_writev, args)
}
pub(super) fn preadv(thread: &Thread<'_>, args: Args) -> Answer {
    vectored(thread, SYS_preadv, args)
}
pub(super) fn pwritev(thread: &Thread<'_>, args: Args) -> Answer {
    vectored(thread, SYS_pwritev, args)
}
pub(super) fn preadv2(thread: &Thread<'_>, args: Args) -> Answer {
    vectored(thread, SYS_preadv2, args)
}
pub(super) fn pwritev2(thread: &Thread<'_>, args: Args) -> Answer {
    vectored(thread, SYS_pwritev2, args)
}
pub(super) fn vmsplice(thread: &Thread<'_>, args: Args) -> Answer {
    vectored(thread, SYS_vmsplice, args)
}
