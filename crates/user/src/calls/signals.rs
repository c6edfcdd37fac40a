//! Signals: handlers, masks, sending, waiting.

use super::{Args, rows};
use crate::{
    errno::{Answer, refuse},
    frame::{self, AltStack, SS_AUTODISARM},
    signals::{Action, LAST, bit},
    thread::Thread,
};
use libc::*;

rows! {
     74 signalfd4(Int, Ptr, Long, Hex)              Host(SYS_signalfd4);
    129 kill(Int, Signal)                           Host(SYS_kill);
    130 tkill(Int, Signal)                          Host(SYS_tkill);
    131 tgkill(Int, Int, Signal)                    Host(SYS_tgkill);
    132 sigaltstack(Addr, Addr)                     Here(sigaltstack_);
    133 rt_sigsuspend(Ptr, Long)                    HostOnce(SYS_rt_sigsuspend);
    134 rt_sigaction(Signal, Addr, Addr, Long)      Here(rt_sigaction);
    135 rt_sigprocmask(Int, Addr, Addr, Long)       Here(rt_sigprocmask);
    136 rt_sigpending(Ptr, Long)                    Host(SYS_rt_sigpending);
    137 rt_sigtimedwait(Ptr, Ptr, Ptr, Long)        HostOnce(SYS_rt_sigtimedwait);
    138 rt_sigqueueinfo(Int, Signal, Ptr)           Host(SYS_rt_sigqueueinfo);
    139 rt_sigreturn()                              Here(rt_sigreturn);
    240 rt_tgsigqueueinfo(Int, Int, Signal, Ptr)    Host(SYS_rt_tgsigqueueinfo);
    424 pidfd_send_signal(Int, Signal, Ptr, Hex)    Host(SYS_pidfd_send_signal);
}

/// Bytes of a mask.
const MASK: u64 = 8;

fn rt_sigaction(thread: &Thread<'_>, [signal, new, old, size, ..]: Args) -> Answer {
    let (process, signal) = (&thread.process, signal as i32);
    if size != MASK || !(1..=LAST as i32).contains(&signal) {
        return refuse(EINVAL);
    }
    let before = process.actions.get(signal);
    if new != 0 {
        if [SIGKILL, SIGSTOP].contains(&signal) {
            return refuse(EINVAL);
        }
        let bytes: [u8; 24] = process.memory.read_array(new)?;
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        process.actions.set(signal, Action { handler: word(0), flags: word(8), mask: word(16) });
    }
    if old != 0 {
        let words = [before.handler, before.flags, before.mask];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        process.memory.write(old, &bytes)?;
    }
    Ok(0)
}

fn rt_sigprocmask(thread: &Thread<'_>, [how, new, old, size, ..]: Args) -> Answer {
    let memory = &thread.process.memory;
    if size != MASK {
        return refuse(EINVAL);
    }
    let before = thread.mask.get();
    if new != 0 {
        let set = memory.read_u64(new)?;
        let mask = match how as i32 {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return refuse(EINVAL),
        };
        thread.set_mask(mask & !bit(SIGKILL) & !bit(SIGSTOP));
    }
    if old != 0 {
        memory.write(old, &before.to_le_bytes())?;
    }
    Ok(0)
}

fn rt_sigreturn(thread: &Thread<'_>, _: Args) -> Answer {
    let left = frame::leave(thread);
    if left == refuse(EFAULT) {
        // As Linux does with a stack that is gone.
        thread.fault(SIGSEGV, SEGV_MAPERR, 0);
        return Err(crate::errno::Failure::Gone);
    }
    left
}

/// `si_code` of an address where nothing is mapped.
const SEGV_MAPERR: i32 = 1;

fn sigaltstack_(thread: &Thread<'_>, [new, old, ..]: Args) -> Answer {
    /// The smallest stack that Linux takes on riscv64.
    const LEAST: u64 = 2048;
    let (memory, sp) = (&thread.process.memory, thread.hart().x(2));
    let before = thread.alt.get();
    if new != 0 {
        let wanted = AltStack::from_bytes(&memory.read_array(new)?);
        if before.holds(sp) {
            return refuse(EPERM);
        }
        match wanted.flags & !SS_AUTODISARM {
            SS_DISABLE => thread.alt.set(AltStack::NONE),
            0 | SS_ONSTACK if wanted.size < LEAST => return refuse(ENOMEM),
            0 | SS_ONSTACK => {
                let flags = wanted.flags & SS_AUTODISARM;
                thread.alt.set(AltStack { flags, ..wanted });
            }
            _ => return refuse(EINVAL),
        }
    }
    if old != 0 {
        memory.write(old, &before.bytes(sp))?;
    }
    Ok(0)
}
