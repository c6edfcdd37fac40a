//! Mappings: `brk`, `mmap` and its kin, System V's shared memory.

use super::{Args, rows};
use crate::{
    errno::{Answer, Failure, refuse},
    host,
    maps::{EXEC, Map, READ, WRITE, whole_pages},
    memory::{LOWEST, Request, SIZE},
    stop::lock,
    thread::Thread,
};
use hartwright_mem::PAGE;
use libc::*;
use std::{ops::Range, sync::Arc};

rows! {
    196 shmat(Int, Addr, Hex)                       Here(shmat_);
    197 shmdt(Addr)                                 Here(shmdt_);
    214 brk(Addr)                                   Here(brk);
    215 munmap(Addr, Long)                          Here(munmap_);
    216 mremap(Addr, Long, Long, Hex, Addr)         Here(mremap_);
    222 mmap(Addr, Long, Hex, Hex, Int, Long)       Here(mmap_);
    226 mprotect(Addr, Long, Hex)                   Here(mprotect_);
    227 msync(Addr, Long, Hex)                      Here(msync_);
    228 mlock(Addr, Long)                           Here(mlock_);
    229 munlock(Addr, Long)                         Here(munlock_);
    230 mlockall(Hex)                               Here(mlockall_);
    231 munlockall()                                Host(SYS_munlockall);
    232 mincore(Addr, Long, Ptr)                    Here(mincore_);
    233 madvise(Addr, Long, Int)                    Here(madvise_);
    259 riscv_flush_icache(Addr, Addr, Hex)         Here(riscv_flush_icache);
    283 membarrier(Int, Hex, Int)                   Host(SYS_membarrier);
    284 mlock2(Addr, Long, Hex)                     Here(mlock_);
}

/// Whole pages from `addr`, which must begin one, for `len` bytes.
fn pages(addr: u64, len: u64, beyond: i32) -> Result<Range<u64>, Failure> {
    if !addr.is_multiple_of(PAGE) {
        return refuse(EINVAL);
    }
    let end = whole_pages(len).and_then(|len| addr.checked_add(len)).filter(|end| *end <= SIZE);
    end.map(|end| addr..end).ok_or(Failure::Errno(beyond))
}

/// Linux's `PROT_` bits: what may be written may be read (riscv has no other way).
fn protection(prot: u64) -> u8 {
    let prot = prot as u8 & (READ | WRITE | EXEC);
    if prot & WRITE != 0 { prot | READ } else { prot }
}

fn mmap_(thread: &Thread<'_>, [addr, len, prot, flags, fd, offset]: Args) -> Answer {
    const PLACING: i32 = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN;
    let flags = flags as i32;
    let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
    if len == 0 || !offset.is_multiple_of(PAGE) || fixed && !addr.is_multiple_of(PAGE) {
        return refuse(EINVAL);
    }
    let len = whole_pages(len).filter(|len| *len <= SIZE).ok_or(ENOMEM)?;
    let anonymous = flags & MAP_ANONYMOUS != 0;
    let file = (!anonymous).then_some((fd as i32, offset));
    let name = file.and_then(|(fd, _)| name_of(fd));
    let memory = &thread.process.memory;
    let map = |range: Range<u64>, change: &mut crate::memory::Change<'_>| {
        let name = name.clone();
        change.map(Request { range, prot: protection(prot), flags: flags & !PLACING, file, name })
    };
    if !fixed {
        let mut change = memory.change();
        let start = change.place(addr, len)?;
        return map(start..start + len, &mut change);
    }
    let range = pages(addr, len, ENOMEM)?;
    let mut change = memory.change();
    if change.maps().is_free(range.clone()) {
        return map(range, &mut change);
    }
    drop(change);
    if flags & MAP_FIXED_NOREPLACE != 0 {
        return refuse(EEXIST);
    }
    thread.process.threads.stopped(|| map(range, &mut memory.change()))
}

/// The path of what a descriptor has open.
fn name_of(fd: i32) -> Option<Arc<str>> {
    let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
    Some(path.to_string_lossy().into())
}

fn munmap_(thread: &Thread<'_>, [addr, len, ..]: Args) -> Answer {
    let range = pages(addr, len, EINVAL)?;
    if range.is_empty() {
        return refuse(EINVAL);
    }
    thread.process.threads.stopped(|| thread.process.memory.change().unmap(range))
}

fn mprotect_(thread: &Thread<'_>, [addr, len, prot, ..]: Args) -> Answer {
    let range = pages(addr, len, ENOMEM)?;
    let (memory, prot) = (&thread.process.memory, protection(prot));
    let mut change = memory.change();
    if !change.maps().allows(range.clone(), 0) {
        return refuse(ENOMEM);
    }
    let takes = change.maps().within(range.clone()).any(|(_, map)| map.prot & !prot != 0);
    if !takes {
        return change.protect(range, prot);
    }
    drop(change);
    thread.process.threads.stopped(|| memory.change().protect(range, prot))
}

/// `mremap`: shrinks in place, grows in place if there is room, and else moves.
fn mremap_(thread: &Thread<'_>, [addr, old_len, new_len, flags, to, _]: Args) -> Answer {
    let (memory, flags) = (&thread.process.memory, flags as i32);
    let known = MREMAP_MAYMOVE | MREMAP_FIXED;
    let fixed = flags & MREMAP_FIXED != 0;
    if flags & !known != 0 || fixed && flags & MREMAP_MAYMOVE == 0 || new_len == 0 || old_len == 0 {
        return refuse(EINVAL);
    }
    let old = pages(addr, old_len, EFAULT)?;
    let new = pages(addr, new_len, ENOMEM)?;
    let len = new.end - new.start;
    thread.process.threads.stopped(|| {
        let mut change = memory.change();
        let whole = change.maps().at(old.start).filter(|(_, map)| old.end <= map.end);
        let Some((start, found)) = whole else { return refuse(EFAULT) };
        let mut map = found.clone();
        if let Some(file) = &mut map.file {
            file.offset += old.start - start;
            file.backed = file.backed.saturating_sub(old.start - start);
        }
        if fixed {
            let new = pages(to, len, EINVAL)?;
            if new.start < old.end && old.start < new.end {
                return refuse(EINVAL);
            }
            change.unmap(new.clone())?;
            return change.relocate(old, new.clone(), Map { end: new.end, ..map });
        }
        if len <= old.end - old.start {
            if new.end < old.end {
                change.unmap(new.end..old.end)?;
            }
            return Ok(addr);
        }
        if map.file.is_none() && !map.shared && change.maps().is_free(old.end..new.end) {
            let flags = MAP_PRIVATE | MAP_ANONYMOUS;
            let (range, name) = (old.end..new.end, map.name.clone());
            change.map(Request { range, prot: map.prot, flags, file: None, name })?;
            change.note(old.start, Map { end: new.end, ..map });
            return Ok(addr);
        }
        if flags & MREMAP_MAYMOVE == 0 {
            return refuse(ENOMEM);
        }
        let start = change.place(0, len)?;
        change.relocate(old, start..start + len, Map { end: start + len, ..map })
    })
}

fn brk(thread: &Thread<'_>, [to, ..]: Args) -> Answer {
    let process = &thread.process;
    let mut brk = lock(&process.brk);
    let (Some(old), Some(new)) = (whole_pages(brk.end), whole_pages(to)) else { return Ok(brk.end) };
    if to < brk.start || new > SIZE {
        return Ok(brk.end);
    }
    if new > old {
        let mut change = process.memory.change();
        // A page beyond stays free, as a guard.
        if !change.maps().is_free(old..new + PAGE) {
            return Ok(brk.end);
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS;
        let name = Some("[heap]".into());
        let request = Request { range: old..new, prot: READ | WRITE, flags, file: None, name };
        if change.map(request).is_err() {
            return Ok(brk.end);
        }
    } else if new < old {
        process.threads.stopped(|| process.memory.change().unmap(new..old))?;
    }
    brk.end = to;
    Ok(to)
}

/// Has the host do a call on a range that must be mapped.
fn on_mapped(thread: &Thread<'_>, there: i64, addr: u64, len: u64, args: [u64; 2]) -> Answer {
    let range = pages(addr, len, ENOMEM)?;
    if !thread.process.memory.maps().allows(range.clone(), 0) {
        return refuse(ENOMEM);
    }
    if range.is_empty() {
        return Ok(0);
    }
    thread.host(there, [thread.at(addr), range.end - range.start, args[0], args[1], 0, 0])
}

fn msync_(thread: &Thread<'_>, [addr, len, flags, ..]: Args) -> Answer {
    on_mapped(thread, SYS_msync, addr, len, [flags, 0])
}
fn mincore_(thread: &Thread<'_>, [addr, len, to, ..]: Args) -> Answer {
    on_mapped(thread, SYS_mincore, addr, len, [thread.at(to), 0])
}
fn madvise_(thread: &Thread<'_>, [addr, len, advice, ..]: Args) -> Answer {
    on_mapped(thread, SYS_madvise, addr, len, [advice, 0])
}
fn mlock_(thread: &Thread<'_>, [addr, len, ..]: Args) -> Answer {
    let start = addr & !(PAGE - 1);
    on_mapped(thread, SYS_mlock, start, len.saturating_add(addr - start), [0, 0])
}
fn munlock_(thread: &Thread<'_>, [addr, len, ..]: Args) -> Answer {
    let start = addr & !(PAGE - 1);
    on_mapped(thread, SYS_munlock, start, len.saturating_add(addr - start), [0, 0])
}

/// `mlockall`: what is mapped now; the emulator's own memory is no guest's to lock.
fn mlockall_(thread: &Thread<'_>, [flags, ..]: Args) -> Answer {
    if flags as i32 & MCL_CURRENT != 0 {
        let maps: Vec<_> = thread.process.memory.maps().iter().map(|(at, map)| (at, map.end)).collect();
        for (start, end) in maps {
            thread.host(SYS_mlock, [thread.at(start), end - start, 0, 0, 0, 0])?;
        }
    }
    Ok(0)
}

/// `riscv_flush_icache`: all threads, or with the flag only this one, fetch anew.
fn riscv_flush_icache(thread: &Thread<'_>, [_, _, flags, ..]: Args) -> Answer {
    const LOCAL: u64 = 1;
    if flags & !LOCAL != 0 {
        return refuse(EINVAL);
    }
    thread.process.threads.fence();
    Ok(0)
}

/// What shared memory is called in the list of mappings.
const SYSV: &str = "/SYSV";

fn shmat_(thread: &Thread<'_>, [id, addr, flags, ..]: Args) -> Answer {
    let flags = flags as i32;
    // SAFETY: all zeros are a `shmid_ds`.
    let mut segment: shmid_ds = unsafe { std::mem::zeroed() };
    thread.host(SYS_shmctl, [id, IPC_STAT as u64, &raw mut segment as u64, 0, 0, 0])?;
    let len = whole_pages(segment.shm_segsz as u64).ok_or(ENOMEM)?;
    let addr = if flags & SHM_RND != 0 { addr & !(PAGE - 1) } else { addr };
    thread.process.threads.stopped(|| {
        let mut change = thread.process.memory.change();
        let start = if addr == 0 { change.place(0, len)? } else { addr };
        let range = pages(start, len, EINVAL)?;
        if start < LOWEST || flags & SHM_REMAP == 0 && !change.maps().is_free(range.clone()) {
            return refuse(EINVAL);
        }
        let host_flags = (flags | SHM_REMAP) as u64;
        // SAFETY: the place is the guest's, and free or to be replaced.
        unsafe { host::call(SYS_shmat, &[id, thread.at(start), host_flags]) }?;
        let write = if flags & SHM_RDONLY == 0 { WRITE } else { 0 };
        let exec = if flags & SHM_EXEC != 0 { EXEC } else { 0 };
        let name = Some(SYSV.into());
        let map = Map { end: range.end, prot: READ | write | exec, shared: true, file: None, name };
        change.note(start, map);
        Ok(start)
    })
}

fn shmdt_(thread: &Thread<'_>, [addr, ..]: Args) -> Answer {
    thread.process.threads.stopped(|| {
        let mut change = thread.process.memory.change();
        let attached = change.maps().at(addr).filter(|(start, _)| *start == addr);
        let attached = attached.filter(|(_, map)| map.name.as_deref() == Some(SYSV));
        let Some(end) = attached.map(|(_, map)| map.end) else { return refuse(EINVAL) };
        // The host detaches a segment when all of it is mapped over, and so there is no hole meanwhile.
        change.unmap(addr..end)
    })
}
