//! Waiting for descriptors: `poll`, `select`, `epoll`, and descriptors that tell events.

use super::{Args, rows};
use crate::{
    errno::{Answer, refuse},
    thread::Thread,
};
use libc::*;

rows! {
     19 eventfd2(Int, Hex)                          Host(SYS_eventfd2);
     20 epoll_create1(Hex)                          Host(SYS_epoll_create1);
     21 epoll_ctl(Int, Int, Int, Addr)              Here(epoll_ctl_);
     22 epoll_pwait(Int, Addr, Int, Int, Ptr, Long) HereOnce(epoll_pwait_);
     26 inotify_init1(Hex)                          Host(SYS_inotify_init1);
     27 inotify_add_watch(Int, Str, Hex)            Host(SYS_inotify_add_watch);
     28 inotify_rm_watch(Int, Int)                  Host(SYS_inotify_rm_watch);
     72 pselect6(Int, Ptr, Ptr, Ptr, Ptr, Addr)     HereOnce(pselect6);
     73 ppoll(Ptr, Int, Ptr, Ptr, Long)             HostOnce(SYS_ppoll);
     85 timerfd_create(Int, Hex)                    Host(SYS_timerfd_create);
     86 timerfd_settime(Int, Hex, Ptr, Ptr)         Host(SYS_timerfd_settime);
     87 timerfd_gettime(Int, Ptr)                   Host(SYS_timerfd_gettime);
    441 epoll_pwait2(Int, Addr, Int, Ptr, Ptr, Long) HereOnce(epoll_pwait2_);
}

/// Bytes of an event: on x86-64 the kernel packs it.
const HOST: usize = 12;
const GUEST: usize = 16;

fn epoll_ctl_(thread: &Thread<'_>, [epoll, op, fd, event, ..]: Args) -> Answer {
    let mut host = [0u8; HOST];
    if op as i32 != EPOLL_CTL_DEL {
        let guest: [u8; GUEST] = thread.process.memory.read_array(event)?;
        host[..4].copy_from_slice(&guest[..4]);
        host[4..].copy_from_slice(&guest[8..]);
    }
    thread.host(SYS_epoll_ctl, [epoll, op, fd, host.as_ptr() as u64, 0, 0])
}

fn epoll_pwait_(thread: &Thread<'_>, [epoll, to, most, timeout, mask, size]: Args) -> Answer {
    wait(thread, SYS_epoll_pwait, [epoll, to, most, timeout, thread.at(mask), size])
}

fn epoll_pwait2_(thread: &Thread<'_>, [epoll, to, most, timeout, mask, size]: Args) -> Answer {
    wait(thread, SYS_epoll_pwait2, [epoll, to, most, thread.at(timeout), thread.at(mask), size])
}

fn wait(thread: &Thread<'_>, there: i64, [epoll, to, most, timeout, mask, size]: Args) -> Answer {
    /// As many at once as anybody asks for; a wait may give fewer.
    const MOST: usize = 4096;
    let Some(count) = usize::try_from(most as i32).ok().filter(|count| *count > 0) else {
        return refuse(EINVAL);
    };
    let count = count.min(MOST);
    let mut host = vec![0u8; HOST * count];
    let found = thread.host(there, [epoll, host.as_mut_ptr() as u64, count as u64, timeout, mask, size])?;
    let mut guest = vec![0u8; GUEST * found as usize];
    for (guest, host) in guest.chunks_mut(GUEST).zip(host.chunks(HOST)) {
        guest[..4].copy_from_slice(&host[..4]);
        guest[8..].copy_from_slice(&host[4..]);
    }
    thread.process.memory.write(to, &guest)?;
    Ok(found)
}

/// `pselect6`, whose last argument leads to the mask's address and size.
fn pselect6(thread: &Thread<'_>, [count, read, write, except, timeout, sixth]: Args) -> Answer {
    let mut mask = [0u64; 2];
    if sixth != 0 {
        let memory = &thread.process.memory;
        mask = [thread.at(memory.read_u64(sixth)?), memory.read_u64(sixth + 8)?];
    }
    let sets = [read, write, except, timeout].map(|addr| thread.at(addr));
    let sixth = if sixth == 0 { 0 } else { mask.as_ptr() as u64 };
    thread.host(SYS_pselect6, [count, sets[0], sets[1], sets[2], sets[3], sixth])
}
