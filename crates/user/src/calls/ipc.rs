//! System V's and POSIX's message queues and semaphores; `memory` has shared memory.

use super::{Args, rows};
use crate::{errno::Answer, thread::Thread};
use libc::*;

rows! {
    180 mq_open(Str, Hex, Octal, Ptr)               Host(SYS_mq_open);
    181 mq_unlink(Str)                              Host(SYS_mq_unlink);
    182 mq_timedsend(Int, Ptr, Long, Int, Ptr)      Host(SYS_mq_timedsend);
    183 mq_timedreceive(Int, Ptr, Long, Ptr, Ptr)   Host(SYS_mq_timedreceive);
    184 mq_notify(Int, Ptr)                         Host(SYS_mq_notify);
    185 mq_getsetattr(Int, Ptr, Ptr)                Host(SYS_mq_getsetattr);
    186 msgget(Hex, Hex)                            Host(SYS_msgget);
    187 msgctl(Int, Int, Ptr)                       Host(SYS_msgctl);
    188 msgrcv(Int, Ptr, Long, Long, Hex)           HostOnce(SYS_msgrcv);
    189 msgsnd(Int, Ptr, Long, Hex)                 HostOnce(SYS_msgsnd);
    190 semget(Hex, Int, Hex)                       Host(SYS_semget);
    191 semctl(Int, Int, Int, Addr)                 Here(semctl_);
    192 semtimedop(Int, Ptr, Long, Ptr)             HostOnce(SYS_semtimedop);
    193 semop(Int, Ptr, Long)                       HostOnce(SYS_semop);
    194 shmget(Hex, Long, Hex)                      Host(SYS_shmget);
    195 shmctl(Int, Int, Ptr)                       Host(SYS_shmctl);
}

/// `semctl`, whose last argument is a number, an array, or a structure that x86-64 lays out by itself: there a word
/// follows each of the two times.
fn semctl_(thread: &Thread<'_>, [id, number, command, arg, ..]: Args) -> Answer {
    /// Bytes of the permissions, which come first, and of each structure.
    const PERM: usize = 48;
    const HOST: usize = PERM + 56;
    const GUEST: usize = PERM + 40;
    let memory = &thread.process.memory;
    let mut host = [0u8; HOST];
    let command = command as i32;
    if command == IPC_SET {
        let guest: [u8; GUEST] = memory.read_array(arg)?;
        host[..PERM].copy_from_slice(&guest[..PERM]);
    }
    let passed = match command {
        IPC_SET | IPC_STAT | SEM_STAT => host.as_mut_ptr() as u64,
        SETVAL => arg,
        _ => thread.at(arg),
    };
    let done = thread.host(SYS_semctl, [id, number, command as u64, passed, 0, 0])?;
    if matches!(command, IPC_STAT | SEM_STAT) {
        let mut guest = [0u8; GUEST];
        guest[..PERM + 8].copy_from_slice(&host[..PERM + 8]);
        guest[PERM + 8..PERM + 16].copy_from_slice(&host[PERM + 16..PERM + 24]);
        guest[PERM + 16..PERM + 24].copy_from_slice(&host[PERM + 32..PERM + 40]);
        memory.write(arg, &guest)?;
    }
    Ok(done)
}
