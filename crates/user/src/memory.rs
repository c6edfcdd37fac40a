//! A process's memory: its list of mappings, and the host's mappings that stand for them.
//!
//! Guest address `a` is the host's address `base + a`: all that the guest can address is one reservation of the
//! host's, without permissions, in which `mmap` puts the host's own mappings. So shared memory is the host's shared
//! memory, and the host's kernel may be given guest buffers as they are; where nothing is mapped it answers EFAULT by
//! itself. The list of mappings is what decides for loads and stores; the host's permissions follow it, except that
//! nothing is executable there.

use crate::{
    errno::{Answer, Failure, refuse},
    host,
    maps::{EXEC, File, Map, Maps, READ, WRITE, whole_pages},
};
use hartwright_hart::{Cause, Protection};
use hartwright_mem::{Access, AddressSpace, PAGE};
use std::{
    ops::Range,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// What a process may address: the user's half of Sv39.
pub(crate) const SIZE: u64 = 1 << 38;
/// Below this, nothing is mapped that did not ask for the place by name.
pub(crate) const LOWEST: u64 = 0x10000;
/// Mappings whose place is left to us end here or lower, so that a stack fits above.
const HIGHEST: u64 = SIZE - (1 << 30);
/// An address that the host's kernel refuses with EFAULT.
const NOWHERE: u64 = 0xffff_ffff_ffff_f000;

/// A process's memory.
pub(crate) struct Memory {
    space: Arc<AddressSpace>,
    /// The host's address of guest address 0.
    base: u64,
    maps: RwLock<Maps>,
    /// How often something executable was taken away.
    code_taken: AtomicU64,
}

impl Memory {
    /// Memory in which nothing is mapped; an error says why the host has none.
    pub(crate) fn new() -> Result<Self, String> {
        let mut builder = AddressSpace::build();
        builder.ram("process", 0, SIZE).map_err(|e| e.to_string())?;
        let space = builder.finish().map_err(|e| e.to_string())?;
        let base = space.ram().address();
        let memory = Memory { space, base, maps: RwLock::default(), code_taken: AtomicU64::new(0) };
        memory.reserve(0..SIZE).map_err(|_| "the host reserves no addresses for the guest".to_owned())?;
        Ok(memory)
    }

    /// What harts address.
    pub(crate) fn space(&self) -> &Arc<AddressSpace> {
        &self.space
    }

    /// The host's address of a guest's: null stays null, and what no process can address is nowhere.
    pub(crate) fn host(&self, addr: u64) -> u64 {
        match addr {
            0 => 0,
            _ if addr < SIZE => self.base + addr,
            _ => NOWHERE,
        }
    }

    /// How often something executable was taken away: while it stands, what was fetched may be fetched again.
    pub(crate) fn code_taken(&self) -> u64 {
        self.code_taken.load(Ordering::SeqCst)
    }

    /// The list of mappings, which stands while it is held.
    pub(crate) fn maps(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list of mappings, to be changed together with the host's.
    pub(crate) fn change(&self) -> Change<'_> {
        Change { memory: self, maps: self.maps.write().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Copies bytes out, as the kernel does for a call: EFAULT if some may not be read.
    pub(crate) fn read(&self, addr: u64, bytes: &mut [u8]) -> Result<(), Failure> {
        let maps = self.maps();
        let end = addr.checked_add(bytes.len() as u64).ok_or(libc::EFAULT)?;
        let fits = maps.allows(addr..end, READ) && self.space.ram().read(addr, bytes);
        if fits { Ok(()) } else { refuse(libc::EFAULT) }
    }

    /// Copies bytes in, as the kernel does for a call: EFAULT if some may not be written.
    pub(crate) fn write(&self, addr: u64, bytes: &[u8]) -> Result<(), Failure> {
        let maps = self.maps();
        let end = addr.checked_add(bytes.len() as u64).ok_or(libc::EFAULT)?;
        let fits = maps.allows(addr..end, WRITE) && self.space.ram().write(addr, bytes);
        if fits { Ok(()) } else { refuse(libc::EFAULT) }
    }

    /// `N` bytes, which are a structure of the kernel's.
    pub(crate) fn read_array<const N: usize>(&self, addr: u64) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        self.read(addr, &mut bytes).map(|()| bytes)
    }

    /// A 64-bit word.
    pub(crate) fn read_u64(&self, addr: u64) -> Result<u64, Failure> {
        self.read_array(addr).map(u64::from_le_bytes)
    }

    /// A string up to its NUL, at most `most` bytes long.
    pub(crate) fn read_string(&self, addr: u64, most: usize) -> Result<Vec<u8>, Failure> {
        let mut string = vec![];
        while string.len() < most {
            let at = addr.checked_add(string.len() as u64).ok_or(libc::EFAULT)?;
            let mut part = vec![0; ((PAGE - at % PAGE) as usize).min(most - string.len())];
            self.read(at, &mut part)?;
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                string.extend(&part[..end]);
                return Ok(string);
            }
            string.extend(part);
        }
        refuse(libc::ENAMETOOLONG)
    }

    /// A path, which the kernel takes up to 4,096 bytes of, with its NUL.
    pub(crate) fn read_path(&self, addr: u64) -> Result<std::ffi::CString, Failure> {
        let bytes = self.read_string(addr, libc::PATH_MAX as usize)?;
        std::ffi::CString::new(bytes).map_err(|_| Failure::Errno(libc::EINVAL))
    }

    /// Takes what the host has mapped away, and keeps the addresses.
    fn reserve(&self, range: Range<u64>) -> Answer {
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let len = range.end - range.start;
        // SAFETY: it replaces a part of the reservation, which is the guest's alone.
        unsafe {
            host::call(
                libc::SYS_mmap,
                &[self.base + range.start, len, libc::PROT_NONE as u64, flags as u64, u64::MAX, 0],
            )
        }
    }

    /// Whether the host can read the byte at `addr`: it cannot beyond a file's end.
    fn is_there(&self, addr: u64) -> bool {
        let mut byte = 0u8;
        let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let remote = libc::iovec { iov_base: (self.base + addr) as *mut _, iov_len: 1 };
        // SAFETY: it reads a byte of our own memory, if it is there, into `byte`.
        unsafe { libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) == 1 }
    }
}

impl Protection for Memory {
    fn check(&self, addr: u64, access: Access) -> Result<(), Cause> {
        let need = match access {
            Access::Fetch => EXEC,
            Access::Load => READ,
            Access::Store => WRITE,
        };
        let maps = self.maps();
        let Some((start, map)) = maps.at(addr).filter(|(_, map)| map.prot & need != 0) else {
            return Err(Cause::page_fault(access));
        };
        match &map.file {
            Some(file) if addr - start >= file.backed && !self.is_there(addr) => {
                Err(Cause::access_fault(access))
            }
            _ => Ok(()),
        }
    }
}

/// What is to be mapped.
pub(crate) struct Request {
    /// Where, in whole pages.
    pub(crate) range: Range<u64>,
    /// [`READ`], [`WRITE`] and [`EXEC`].
    pub(crate) prot: u8,
    /// Linux's `MAP_` flags but those that choose the place.
    pub(crate) flags: i32,
    /// Descriptor and offset, unless it is anonymous.
    pub(crate) file: Option<(i32, u64)>,
    /// What it is called in `/proc/self/maps`.
    pub(crate) name: Option<Arc<str>>,
}

/// The list of mappings while it is changed. Who takes something away that another thread may have at hand stops the
/// other threads first.
pub(crate) struct Change<'m> {
    memory: &'m Memory,
    maps: RwLockWriteGuard<'m, Maps>,
}

impl Change<'_> {
    /// The list as it is.
    pub(crate) fn maps(&self) -> &Maps {
        &self.maps
    }

    /// A free place for `len` bytes, at `hint` if it can be.
    pub(crate) fn place(&self, hint: u64, len: u64) -> Result<u64, Failure> {
        let hint = hint & !(PAGE - 1);
        let fits = |end: u64| end <= SIZE && self.maps.is_free(hint..end);
        if hint >= LOWEST && hint.checked_add(len).is_some_and(fits) {
            return Ok(hint);
        }
        self.maps.highest_free(len, LOWEST, HIGHEST).ok_or(Failure::Errno(libc::ENOMEM))
    }

    /// Maps what is asked for, instead of what was there.
    pub(crate) fn map(&mut self, request: Request) -> Answer {
        let Request { range, prot, flags, file, name } = request;
        let len = range.end - range.start;
        self.forget_code(range.clone());
        let (fd, offset) = file.unwrap_or((-1, 0));
        let args = [
            self.memory.base + range.start,
            len,
            host_prot(prot),
            (flags | libc::MAP_FIXED) as u64,
            fd as u64,
            offset,
        ];
        // SAFETY: it replaces a part of the reservation, which is the guest's alone.
        unsafe { host::call(libc::SYS_mmap, &args) }?;
        let file = file.map(|(fd, offset)| File { offset, backed: backed(fd, offset) });
        let shared = flags & libc::MAP_SHARED != 0;
        self.maps.insert(range.start, Map { end: range.end, prot, shared, file, name });
        Ok(range.start)
    }

    /// Notes what the host has mapped already.
    pub(crate) fn note(&mut self, start: u64, map: Map) {
        self.forget_code(start..map.end);
        self.maps.insert(start, map);
    }

    /// Unmaps a range of whole pages.
    pub(crate) fn unmap(&mut self, range: Range<u64>) -> Answer {
        self.forget_code(range.clone());
        self.memory.reserve(range.clone())?;
        self.maps.remove(range);
        Ok(0)
    }

    /// Sets permissions of a range of whole pages, all of them mapped.
    pub(crate) fn protect(&mut self, range: Range<u64>, prot: u8) -> Answer {
        if prot & EXEC == 0 {
            self.forget_code(range.clone());
        }
        let args = [self.memory.base + range.start, range.end - range.start, host_prot(prot)];
        // SAFETY: it changes permissions within the reservation; who may have the pages at hand stands still.
        unsafe { host::call(libc::SYS_mprotect, &args) }?;
        self.maps.protect(range, prot);
        Ok(0)
    }

    /// Moves the mapping at `old` to `new`, with the host's own means; the ranges may differ in length.
    ///
    /// What is anonymous and private moves without leaving a hole in the reservation, into which the host could put
    /// something of our own before it is closed. Other mappings cannot grow without their file, and leave one for a
    /// moment.
    pub(crate) fn relocate(&mut self, old: Range<u64>, new: Range<u64>, map: Map) -> Answer {
        self.forget_code(old.clone());
        self.forget_code(new.clone());
        let base = self.memory.base;
        let [from, to] = [old.end - old.start, new.end - new.start];
        let anonymous = map.file.is_none() && !map.shared;
        let (keep, from, moved) =
            if anonymous { (libc::MREMAP_DONTUNMAP, from.min(to), from.min(to)) } else { (0, from, to) };
        let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | keep) as u64;
        // SAFETY: both places are the guest's.
        unsafe { host::call(libc::SYS_mremap, &[base + old.start, from, moved, flags, base + new.start]) }?;
        if moved < to {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let range = new.start + moved..new.end;
            self.map(Request { range, prot: map.prot, flags, file: None, name: map.name.clone() })?;
        }
        self.maps.remove(old.clone());
        self.memory.reserve(old)?;
        self.maps.insert(new.start, map);
        Ok(new.start)
    }

    /// Has blocks made anew that were decoded out of executable parts of `range`.
    fn forget_code(&self, range: Range<u64>) {
        for (part, map) in self.maps.within(range) {
            if map.prot & EXEC != 0 {
                self.memory.space.ram().renew(part.start, part.end - part.start);
                self.memory.code_taken.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// The host's permissions for the guest's: what may be executed is read, by us.
fn host_prot(prot: u8) -> u64 {
    let read = if prot != 0 { libc::PROT_READ } else { 0 };
    let write = if prot & WRITE != 0 { libc::PROT_WRITE } else { 0 };
    (read | write) as u64
}

/// How many bytes from `offset` on the file has, in whole pages.
fn backed(fd: i32, offset: u64) -> u64 {
    // SAFETY: all zeros are a `stat`.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` lives here.
    if unsafe { libc::fstat(fd, &raw mut stat) } != 0 || stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        // Not a file with an end.
        return u64::MAX;
    }
    whole_pages(stat.st_size as u64).unwrap_or(u64::MAX).saturating_sub(offset)
}
