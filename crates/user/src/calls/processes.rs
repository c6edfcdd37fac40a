//! Processes and threads: making them, waiting for them, ending them.

use super::{Args, rows, vectors::vector};
use crate::{
    errno::{Answer, Failure, refuse},
    exec, spawn,
    thread::Thread,
};
use libc::*;

rows! {
     93 exit(Int)                                   Here(exit_);
     94 exit_group(Int)                             Here(exit_group);
     95 waitid(Int, Int, Ptr, Hex, Ptr)             Host(SYS_waitid);
     96 set_tid_address(Addr)                       Here(set_tid_address);
     97 unshare(Hex)                                Host(SYS_unshare);
     98 futex(Addr, Int, Int, Addr, Addr, Int)      Here(futex);
     99 set_robust_list(Addr, Long)                 Refused(ENOSYS);
    100 get_robust_list(Int, Addr, Addr)            Refused(ENOSYS);
    117 ptrace(Int, Int, Addr, Addr)                Refused(ENOSYS);
    220 clone(Hex, Addr, Addr, Addr, Addr)          Here(clone_);
    221 execve(Str, Addr, Addr)                     Here(execve_);
    260 wait4(Int, Ptr, Hex, Ptr)                   Host(SYS_wait4);
    268 setns(Int, Hex)                             Host(SYS_setns);
    270 process_vm_readv(Int, Addr, Long, Addr, Long, Hex) Here(process_vm_readv_);
    271 process_vm_writev(Int, Addr, Long, Addr, Long, Hex) Here(process_vm_writev_);
    272 kcmp(Int, Int, Int, Addr, Addr)             Host(SYS_kcmp);
    281 execveat(At, Str, Addr, Addr, Hex)          Here(execveat_);
    293 rseq(Addr, Int, Hex, Hex)                   Refused(ENOSYS);
    435 clone3(Addr, Long)                          Refused(ENOSYS);
}

fn exit_(thread: &Thread<'_>, [status, ..]: Args) -> Answer {
    thread.status.set(status as i32);
    Err(Failure::Exit)
}

fn exit_group(thread: &Thread<'_>, [status, ..]: Args) -> Answer {
    if let Some(pipe) = thread.vfork.take() {
        pipe.give_back(thread);
    }
    // SAFETY: it ends the process; there is nothing else that wants to be told first.
    unsafe { _exit(status as i32) }
}

fn set_tid_address(thread: &Thread<'_>, [at, ..]: Args) -> Answer {
    thread.clear_tid.set(at);
    thread.host(SYS_gettid, [0; 6])
}

/// `futex`: what its fourth argument is, a time or a number, and whether there is a fifth, depends on the operation.
fn futex(thread: &Thread<'_>, [at, op, value, time, other, mask]: Args) -> Answer {
    /// Operations without the bits that say whose clock and memory it is.
    const COMMAND: i32 = 0x7f;
    const LOCK_PI2: i32 = 13;
    let times = match op as i32 & COMMAND {
        FUTEX_WAIT | FUTEX_WAIT_BITSET | FUTEX_LOCK_PI | FUTEX_WAIT_REQUEUE_PI | LOCK_PI2 => true,
        FUTEX_FD => return refuse(ENOSYS),
        _ => false,
    };
    let time = if times { thread.at(time) } else { time };
    thread.host(SYS_futex, [thread.at(at), op, value, time, thread.at(other), mask])
}

fn clone_(thread: &Thread<'_>, [flags, stack, parent_tid, tls, child_tid, _]: Args) -> Answer {
    let wanted = spawn::Wanted { flags: flags as i32, stack, parent_tid, tls, child_tid };
    /// What a new thread shares with the one that made it.
    const THREAD: i32 = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    const SHARED: i32 = THREAD | CLONE_SYSVSEM;
    const ORDINARY: i32 =
        CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS | CLONE_DETACHED;
    /// The signal that tells the parent of the end.
    const SIGNAL: i32 = 0xff;
    let flags = wanted.flags;
    if flags & CLONE_VM != 0 && flags & CLONE_VFORK == 0 {
        let known = flags & !(SHARED | ORDINARY) == 0;
        return if flags & THREAD == THREAD && known {
            spawn::thread(thread, &wanted)
        } else {
            refuse(EINVAL)
        };
    }
    if flags & !(ORDINARY | CLONE_VM | CLONE_VFORK | SIGNAL) != 0 || flags & SIGNAL != SIGCHLD {
        return refuse(EINVAL);
    }
    spawn::process(thread, &wanted)
}

fn execve_(thread: &Thread<'_>, [path, args, env, ..]: Args) -> Answer {
    let path = thread.process.memory.read_path(path)?;
    exec::execute(thread, path, args, env)
}

fn execveat_(thread: &Thread<'_>, [at, path, args, env, flags, _]: Args) -> Answer {
    let path = thread.process.memory.read_path(path)?;
    let empty = path.is_empty() && flags as i32 & AT_EMPTY_PATH != 0;
    if flags as i32 & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return refuse(EINVAL);
    }
    if at as i32 == AT_FDCWD && !empty || path.as_bytes().starts_with(b"/") {
        return exec::execute(thread, path, args, env);
    }
    let mut whole = format!("/proc/self/fd/{}", at as i32).into_bytes();
    if !empty {
        whole.push(b'/');
        whole.extend(path.as_bytes());
    }
    let whole = std::ffi::CString::new(whole).map_err(|_| Failure::Errno(EINVAL))?;
    exec::execute(thread, whole, args, env)
}

/// Copies between processes; only our own has the guest's addresses that we know.
fn copied(thread: &Thread<'_>, there: i64, args: Args) -> Answer {
    let [pid, local, local_count, remote, remote_count, flags] = args;
    if pid as i32 != thread.host(SYS_getpid, [0; 6])? as i32 {
        return refuse(EPERM);
    }
    let local = vector(thread, local, local_count)?;
    let remote = vector(thread, remote, remote_count)?;
    let [local, remote] = [&local, &remote].map(|vector| vector.as_ptr() as u64);
    thread.host(there, [pid, local, local_count, remote, remote_count, flags])
}

fn process_vm_readv_(thread: &Thread<'_>, args: Args) -> Answer {
    copied(thread, SYS_process_vm_readv, args)
}
fn process_vm_writev_(thread: &Thread<'_>, args: Args) -> Answer {
    copied(thread, SYS_process_vm_writev, args)
}
