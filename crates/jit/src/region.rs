//! The memory that translated code is in: never writable where it can be run.
//!
//! One file without a name is mapped twice, once to be written and once to be run; after the second there are plain
//! data, which code addresses by their distance from itself.

use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    io,
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap},
};
use std::{ffi::c_void, ptr};

/// So many bytes are written before the host may let go of what was written to.
const LET_GO: usize = 1 << 20;

/// Code, and data behind it.
pub(crate) struct Region {
    /// Where code is run and data are.
    base: *mut u8,
    /// Where code is written.
    code: *mut u8,
    code_size: usize,
    data_size: usize,
    /// Bytes that were written since the pages they are in were last let go.
    written: usize,
}

impl Region {
    /// So many bytes of code and of data, each a multiple of a page.
    pub(crate) fn new(code_size: usize, data_size: usize) -> io::Result<Region> {
        let file = memfd_create("translated code", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, code_size as u64)?;
        let (write, run) = (ProtFlags::READ | ProtFlags::WRITE, ProtFlags::READ | ProtFlags::EXEC);
        let whole = code_size + data_size;
        // SAFETY: new mappings at addresses of the kernel's choice; the one at a fixed address replaces part of the one
        // before it, which nobody uses yet.
        unsafe {
            let base =
                mmap_anonymous(ptr::null_mut(), whole, write, MapFlags::PRIVATE | MapFlags::NORESERVE)?;
            let code = mmap(base, code_size, run, MapFlags::SHARED | MapFlags::FIXED, &file, 0)
                .and_then(|_| mmap(ptr::null_mut(), code_size, write, MapFlags::SHARED, &file, 0));
            match code {
                Ok(code) => {
                    Ok(Region { base: base.cast(), code: code.cast(), code_size, data_size, written: 0 })
                }
                Err(why) => {
                    let _ = munmap(base, whole);
                    Err(why)
                }
            }
        }
    }

    /// Bytes of code.
    pub(crate) fn code_size(&self) -> usize {
        self.code_size
    }

    /// Where code at this offset is run.
    pub(crate) fn address(&self, at: usize) -> u64 {
        self.base as u64 + at as u64
    }

    /// Where code is written.
    pub(crate) fn writable(&mut self) -> *mut u8 {
        self.code
    }

    /// Writes code.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let fits = at.checked_add(bytes.len()).is_some_and(|end| end <= self.code_size);
        assert!(fits, "whoever translates asks for room first");
        // SAFETY: it lies in the writable mapping, to which there are no references.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.code.add(at), bytes.len()) }
        self.written += bytes.len();
        if self.written > LET_GO {
            self.written = 0;
            // Code stays where it is run; the host need not keep pages for the other place as well. If it does, no harm.
            // SAFETY: the file behind the mapping keeps what was written.
            let _ = unsafe { madvise(self.code.cast::<c_void>(), self.code_size, Advice::LinuxDontNeed) };
        }
    }

    /// So many bytes of code, from this offset on.
    pub(crate) fn read(&self, at: usize, len: usize) -> Vec<u8> {
        let fits = at.checked_add(len).is_some_and(|end| end <= self.code_size);
        assert!(fits, "only what was written is read");
        // Reading where code is written would bring pages there, a dozen at once.
        // SAFETY: it lies in the mapping that code is run in, and nobody writes meanwhile.
        unsafe { std::slice::from_raw_parts(self.base.add(at), len) }.to_vec()
    }

    /// The data at this offset of the region.
    fn data(&self, at: usize, len: usize) -> *mut u8 {
        let fits = at >= self.code_size && at + len <= self.code_size + self.data_size;
        assert!(fits, "data lie behind the code");
        // SAFETY: the sum lies in the mapping.
        unsafe { self.base.add(at) }
    }

    /// Reads a word of the data.
    pub(crate) fn get(&self, at: usize) -> u64 {
        // SAFETY: it lies in the data, which only this thread and the code it runs change.
        unsafe { self.data(at, 8).cast::<u64>().read_unaligned() }
    }

    /// Writes a word of the data.
    pub(crate) fn set(&mut self, at: usize, v: u64) {
        // SAFETY: as above.
        unsafe { self.data(at, 8).cast::<u64>().write_unaligned(v) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: both are mappings of `new`, and nobody refers into them.
        unsafe {
            let _ = munmap(self.base.cast::<c_void>(), self.code_size + self.data_size);
            let _ = munmap(self.code.cast::<c_void>(), self.code_size);
        }
    }
}
