//! The bytes of RAM and ROM, used by all harts at once as the host's own atomics.
//!
//! Each page has a version. A hart that decodes instructions out of a page marks it
//! ([`Ram::mark_code`]) and remembers the version; the first store into a marked page, by whomever, unmarks it
//! and gives it a new version, and so every block decoded from it is stale, in every hart.

use portable_atomic::AtomicU128;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};
#[cfg(target_os = "linux")]
use rustix::thread::{MembarrierCommand, membarrier};
use std::{
    fs::File,
    ops::Range,
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence},
    },
};

/// Bytes in a page.
pub const PAGE: u64 = 1 << PAGE_SHIFT;
/// log2 of [`PAGE`].
pub const PAGE_SHIFT: u32 = 12;

/// The bit of a page's version that says that instructions were decoded out of it.
const CODE: u32 = 1;

/// How much there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    /// Bytes of the part that begins at offset 0.
    pub(crate) main: u64,
    /// Offsets of the rest, if there is one, behind the first part.
    pub(crate) rest: Range<u64>,
    /// The guest's address of the first part, if a [`Window`] is wanted.
    pub(crate) window: Option<u64>,
}

/// The guest's addresses from 0 up to the end of the memory's first part, and a margin before and after, as one range
/// of the host's addresses: nothing else of the host's lies there, and where there is no memory every access faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The host's address of the guest's address 0.
    pub address: u64,
    /// The guest's address of the last byte.
    pub last: u64,
    /// The host's address of what would be the [version](Ram::version) of the page at the guest's address 0, were it
    /// memory: four bytes a page. It is not far from `address`.
    pub versions: u64,
}

impl Window {
    /// Bytes that lie before the guest's address 0, and behind the last one.
    pub const MARGIN: u64 = 16 << 20;
}

/// So many zero bytes of the host's, which gives memory to those that are used.
struct Mapping(*mut u8, usize);

impl Mapping {
    fn new(len: usize) -> rustix::io::Result<Mapping> {
        /// Where the host is asked to put it: low, so that an instruction's displacement of 32 bits has the address in
        /// it. Nothing else is put there unasked, and programs that are loaded at fixed addresses end below.
        const LOW: usize = 256 << 20;
        /// It differs between runs as much as there is room for, by where the host allocates: a huge page's size each.
        const PLACES: usize = 384;
        const APART: usize = 2 << 20;
        let somewhere = std::ptr::from_ref(&*Box::new(0_u64)).addr() >> PAGE_SHIFT;
        let hint = std::ptr::without_provenance_mut(LOW + somewhere % PLACES * APART);
        let (access, kind) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: it is a new mapping; the host takes the address for a wish.
        let first = unsafe { mmap_anonymous(hint, len, access, kind) }?;
        Ok(Mapping(first.cast(), len))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is the mapping of `new`, and who refers into it does not outlive it.
        let _ = unsafe { munmap(self.0.cast(), self.1) };
    }
}

/// All RAM and ROM of a machine, addressed by offsets.
pub struct Ram {
    /// What everything is in, the versions first.
    _map: Mapping,
    /// Where offset 0 is.
    base: *mut u8,
    sizes: Sizes,
    /// One version a page, up to the last one's. The host gives memory to those that are used, so that large RAM costs
    /// nothing by itself.
    pages: *const [AtomicU32],
    /// How often any page got a new version.
    renewals: AtomicU64,
    others: Others,
}

/// How often somebody who is no hart began to write, and was done with it. Harts' own stores never touch it, so it
/// has a line of the host's cache to itself.
#[derive(Default)]
#[repr(align(64))]
struct Others {
    begun: AtomicU64,
    done: AtomicU64,
}

/// Somebody who is no hart writes, or may, as long as this is there.
pub struct Writing<'r>(&'r Others);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::Release);
    }
}

impl Clone for Writing<'_> {
    fn clone(&self) -> Self {
        self.0.writing()
    }
}

impl Others {
    fn writing(&self) -> Writing<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        // What is written is seen by nobody who does not see that it was begun.
        fence(Ordering::Release);
        Writing(self)
    }
}

/// A point in time, to ask what happened [since](Ram::is_quiet_since).
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

// SAFETY: the pointers are to mappings that this owns; all access through them is atomic.
unsafe impl Send for Ram {}
// SAFETY: as above.
unsafe impl Sync for Ram {}

impl Ram {
    /// Zero bytes: so many, multiples of [`PAGE`].
    pub(crate) fn new(sizes: Sizes) -> Result<Self, String> {
        let end = sizes.main.max(sizes.rest.end);
        let host =
            |bytes: u64| usize::try_from(bytes).map_err(|_| format!("{bytes:#x} bytes do not fit this host"));
        let none = |bytes: usize, why: &dyn std::fmt::Display| {
            format!("the host gives no {bytes:#x} bytes of memory: {why}")
        };
        let (before, after) = match sizes.window {
            Some(first) => (Window::MARGIN + first, Window::MARGIN),
            None => (0, 0),
        };
        debug_assert!(sizes.rest.is_empty() || sizes.rest.start >= sizes.main + after, "{sizes:x?}");
        let pages = host(end >> PAGE_SHIFT)?;
        let versions = host(end.div_ceil(PAGE / size_of::<AtomicU32>() as u64).next_multiple_of(PAGE))?;
        // An empty mapping is no mapping to the host; one page that no offset reaches stands for it.
        let whole = host(before + end.max(PAGE) + after)?.saturating_add(versions);
        let map = Mapping::new(whole).map_err(|why| none(whole, &why))?;
        let base = map.0.wrapping_add(versions + host(before)?);
        // What the window has beside memory; without one, these are empty.
        for (from, bytes) in [
            (map.0.wrapping_add(versions), host(before)?),
            (base.wrapping_add(host(sizes.main)?), host(after)?),
        ] {
            if bytes > 0 {
                // SAFETY: these pages lie in our own mapping, to which nobody has a reference yet.
                unsafe { mprotect(from.cast(), bytes, MprotectFlags::empty()) }
                    .map_err(|why| none(bytes, &why))?;
            }
        }
        let first = map.0.cast::<AtomicU32>();
        let pages = std::ptr::slice_from_raw_parts(first.cast_const(), pages);
        Ok(Ram { _map: map, base, sizes, pages, renewals: AtomicU64::new(0), others: Others::default() })
    }

    /// The guest's addresses as the host has them, if they are in one range.
    pub fn window(&self) -> Option<Window> {
        let first = self.sizes.window?;
        let address = (self.base as u64).wrapping_sub(first);
        let below = (first >> PAGE_SHIFT) * size_of::<AtomicU32>() as u64;
        let versions = (self.pages().as_ptr() as u64).wrapping_sub(below);
        Some(Window { address, last: first + (self.sizes.main - 1), versions })
    }

    /// Has the bytes from `at` on be those of `file` from `offset` on. Only while nobody uses any of it.
    ///
    /// A `shared` mapping writes to the file; else the file stays as it is. If somebody makes the file shorter, the
    /// process ends with SIGBUS when a byte that is gone is touched.
    pub(crate) fn map_file(
        &mut self,
        at: u64,
        size: u64,
        file: &File,
        offset: u64,
        shared: bool,
    ) -> Result<(), String> {
        if !self.holds(at, size) || !(at | size).is_multiple_of(PAGE) || size == 0 {
            return Err(format!("{size:#x} bytes at {at:#x} are no pages of memory"));
        }
        let kind = if shared { MapFlags::SHARED } else { MapFlags::PRIVATE | MapFlags::NORESERVE };
        let (flags, protection) = (kind | MapFlags::FIXED, ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: these pages lie in our own mapping, which owns them until it is dropped, and nobody refers into it:
        // it is borrowed mutably, and all access is through it.
        let mapped = unsafe {
            mmap(self.base.add(at as usize).cast(), size as usize, protection, flags, file, offset)
        };
        mapped.map(drop).map_err(|why| format!("the host does not map it: {why}"))
    }

    /// The version of the page at `at`, if that lies in here.
    #[inline(always)]
    fn page(&self, at: u64) -> Option<&AtomicU32> {
        if self.has(at) { self.pages().get((at >> PAGE_SHIFT) as usize) } else { None }
    }

    #[inline(always)]
    fn pages(&self) -> &[AtomicU32] {
        // SAFETY: the mapping holds that many zeros at first, is aligned to a page, and lives as long as `self`.
        unsafe { &*self.pages }
    }

    /// Whether there is a byte at this offset.
    #[inline(always)]
    fn has(&self, at: u64) -> bool {
        at < self.sizes.main || self.sizes.rest.contains(&at)
    }

    /// Whether all these bytes lie in here, in one piece.
    fn holds(&self, at: u64, len: u64) -> bool {
        let Some(end) = at.checked_add(len) else { return false };
        end <= self.sizes.main || at >= self.sizes.rest.start && end <= self.sizes.rest.end
    }

    /// The host's address of the first byte.
    pub fn address(&self) -> u64 {
        self.base as u64
    }

    /// The host's address of the [version](Self::version) of the page at `at`, whose lowest bit says that instructions
    /// were decoded out of it; `None` if it does not lie in here.
    pub fn version_address(&self, at: u64) -> Option<u64> {
        self.pages().get((at >> PAGE_SHIFT) as usize).map(|page| std::ptr::from_ref(page) as u64)
    }

    /// Makes what was decoded out of the page whose version is at the host's address `version` stale, as a store to it
    /// would.
    pub fn renew_by_address(&self, version: u64) {
        let first = self.pages().as_ptr() as u64;
        let page = version.wrapping_sub(first) / size_of::<AtomicU32>() as u64;
        self.renew(page.saturating_mul(PAGE), 1);
    }

    /// Where these bytes are, for those who give them to the host; `None` if not all lie in here.
    pub(crate) fn pointer(&self, at: u64, len: usize) -> Option<*mut u8> {
        // SAFETY: it lies in the mapping.
        self.holds(at, len as u64).then(|| unsafe { self.base.add(at as usize) })
    }

    /// Reads a word, little-endian; `None` if it does not lie in here.
    #[inline(always)]
    pub fn load<T: Word>(&self, at: u64) -> Option<T> {
        if at.is_multiple_of(T::SIZE) {
            if !self.has(at) {
                return None;
            }
            // SAFETY: `at` is aligned and lies in the mapping, whose parts' lengths are multiples of every word's.
            Some(unsafe { T::load(self.base.add(at as usize)) })
        } else {
            self.load_split(at)
        }
    }

    /// Writes a word, little-endian; `false` if it does not lie in here.
    #[inline(always)]
    #[must_use]
    pub fn store<T: Word>(&self, at: u64, value: T) -> bool {
        if at.is_multiple_of(T::SIZE) {
            let Some(page) = self.page(at) else { return false };
            // SAFETY: `at` is aligned, and there is a page for it.
            unsafe { T::store(self.base.add(at as usize), value) };
            if page.load(Ordering::Relaxed) & CODE != 0 {
                self.written(page);
            }
            true
        } else {
            self.store_split(at, value)
        }
    }

    /// Replaces an aligned word by `f` of it, atomically and in order with everything (`aq` and `rl`); gives the
    /// old one. `None` if it is not aligned or does not lie in here.
    pub fn update<T: Word>(&self, at: u64, f: impl Fn(T) -> T) -> Option<T> {
        let mut old = self.load::<T>(at)?;
        while let Err(now) = self.compare_exchange(at, old, f(old))? {
            old = now;
        }
        Some(old)
    }

    /// Puts `new` into an aligned word if it holds `old`, atomically and in order with everything; gives what it
    /// held, as `Ok` if that was `old`. `None` if it is not aligned or does not lie in here.
    pub fn compare_exchange<T: Word>(&self, at: u64, old: T, new: T) -> Option<Result<T, T>> {
        let page = self.page(at).filter(|_| at.is_multiple_of(T::SIZE))?;
        // SAFETY: `at` is aligned, and there is a page for it.
        let result = unsafe { T::compare_exchange(self.base.add(at as usize), old, new) };
        if page.load(Ordering::Relaxed) & CODE != 0 {
            self.written(page);
        }
        Some(result)
    }

    /// As [`compare_exchange`](Self::compare_exchange), of 16 bytes aligned to 16.
    pub fn compare_exchange_pair(&self, at: u64, old: u128, new: u128) -> Option<Result<u128, u128>> {
        let page = self.page(at).filter(|_| at.is_multiple_of(16))?;
        // SAFETY: `at` is aligned, and there is a page for it.
        let word = unsafe { AtomicU128::from_ptr(self.base.add(at as usize).cast()) };
        let result = word.compare_exchange(old.to_le(), new.to_le(), Ordering::SeqCst, Ordering::SeqCst);
        if page.load(Ordering::Relaxed) & CODE != 0 {
            self.written(page);
        }
        Some(result.map(u128::from_le).map_err(u128::from_le))
    }

    /// The version of the page at `at`, which changes when code that was decoded out of it is written over.
    #[inline(always)]
    pub fn version(&self, at: u64) -> u32 {
        self.pages().get((at >> PAGE_SHIFT) as usize).map_or(0, |page| page.load(Ordering::Relaxed))
    }

    /// Says that instructions are about to be decoded out of the page at `at`; gives its version.
    pub fn mark_code(&self, at: u64) -> u32 {
        let version = self
            .pages()
            .get((at >> PAGE_SHIFT) as usize)
            .map_or(0, |page| page.fetch_or(CODE, Ordering::SeqCst));
        fence(Ordering::SeqCst);
        if version & CODE == 0 {
            see_stores();
        }
        version | CODE
    }

    /// Copies bytes out; `false` if some do not lie in here.
    pub fn read(&self, at: u64, bytes: &mut [u8]) -> bool {
        let fits = self.holds(at, bytes.len() as u64);
        if fits {
            for (i, byte) in bytes.iter_mut().enumerate() {
                *byte = self.byte(at + i as u64).load(Ordering::Relaxed);
            }
        }
        fits
    }

    /// Copies bytes in; `false`, and nothing copied, if some would not lie in here.
    pub fn write(&self, at: u64, bytes: &[u8]) -> bool {
        let fits = self.holds(at, bytes.len() as u64);
        if fits {
            let _writing = self.writing();
            for (i, byte) in bytes.iter().enumerate() {
                self.byte(at + i as u64).store(*byte, Ordering::Relaxed);
            }
            if !bytes.is_empty() {
                let last = (at + bytes.len() as u64 - 1) >> PAGE_SHIFT;
                self.pages()[(at >> PAGE_SHIFT) as usize..=last as usize]
                    .iter()
                    .for_each(|page| self.written(page));
            }
        }
        fits
    }

    /// Says that somebody who is no hart is about to write, until what this gives is dropped.
    pub fn writing(&self) -> Writing<'_> {
        self.others.writing()
    }

    /// Now, for [`is_quiet_since`](Self::is_quiet_since).
    pub fn moment(&self) -> Moment {
        Moment(self.others.done.load(Ordering::Acquire))
    }

    /// Whether nobody but harts wrote at `moment` or since: all that was begun by now was done by then. Stores of
    /// other processes, in memory that is shared with them, are not noticed.
    pub fn is_quiet_since(&self, moment: Moment) -> bool {
        fence(Ordering::Acquire);
        self.others.begun.load(Ordering::Relaxed) == moment.0
    }

    /// How often any page got a new version: while it stands, so do all versions.
    #[inline(always)]
    pub fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Makes what was decoded out of `len` bytes at `at` stale, as a store to each of their pages would: somebody
    /// put other memory there.
    pub fn renew(&self, at: u64, len: u64) {
        let first = (at >> PAGE_SHIFT).min(self.pages().len() as u64);
        let end = at.saturating_add(len).div_ceil(PAGE).clamp(first, self.pages().len() as u64);
        for page in &self.pages()[first as usize..end as usize] {
            if page.load(Ordering::Relaxed) & CODE != 0 {
                self.written(page);
            }
        }
    }

    /// Gives a page a new version if its present one has code.
    #[cold]
    fn written(&self, page: &AtomicU32) {
        let renew = |version: u32| (version & CODE != 0).then(|| (version & !CODE).wrapping_add(2));
        // An error says that another hart renewed it already.
        if page.fetch_update(Ordering::SeqCst, Ordering::Relaxed, renew).is_ok() {
            self.renewals.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[cold]
    fn load_split<T: Word>(&self, at: u64) -> Option<T> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes[..T::SIZE as usize]).then(|| T::from_u64(u64::from_le_bytes(bytes)))
    }

    #[cold]
    fn store_split<T: Word>(&self, at: u64, value: T) -> bool {
        self.write(at, &value.to_u64().to_le_bytes()[..T::SIZE as usize])
    }

    /// The byte at `at`, which lies in here.
    fn byte(&self, at: u64) -> &AtomicU8 {
        assert!(self.has(at), "callers check offsets");
        // SAFETY: `at` lies in the mapping, which lives as long as `self`.
        unsafe { AtomicU8::from_ptr(self.base.add(at as usize)) }
    }
}

/// Whether the host shows every store before a page is taken for code: Linux does. Asked before there are threads, it
/// costs nothing.
pub fn sees_stores() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        #[cfg(target_os = "linux")]
        return membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok();
        #[cfg(not(target_os = "linux"))]
        false
    })
}

/// Waits until every thread's earlier stores can be seen. Whoever stores looks afterwards whether the page has code, and
/// the host may do that look first: a store that is seen by nobody yet would be taken for none.
///
/// A host without this leaves a moment in which a hart does not see what another just wrote; there the guest's `fence.i`
/// has to look at the bytes again.
fn see_stores() {
    #[cfg(target_os = "linux")]
    if sees_stores() {
        let _ = membarrier(MembarrierCommand::PrivateExpedited);
    }
}

/// An unsigned integer that memory holds: `u8` to `u64`.
pub trait Word: Copy + PartialEq + sealed::Sealed {
    /// Bytes.
    const SIZE: u64;
    /// The low bits of `v`.
    fn from_u64(v: u64) -> Self;
    /// Zero-extended.
    fn to_u64(self) -> u64;
    #[doc(hidden)]
    /// # Safety
    /// `at` is aligned to `SIZE` and valid; all access to it is atomic.
    unsafe fn load(at: *mut u8) -> Self;
    #[doc(hidden)]
    /// # Safety
    /// `at` is aligned to `SIZE` and valid; all access to it is atomic.
    unsafe fn store(at: *mut u8, v: Self);
    #[doc(hidden)]
    /// # Safety
    /// `at` is aligned to `SIZE` and valid; all access to it is atomic.
    unsafe fn compare_exchange(at: *mut u8, old: Self, new: Self) -> Result<Self, Self>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! words {
    ($($word:ident $atomic:ident),*) => { $(
        impl sealed::Sealed for $word {}
        impl Word for $word {
            const SIZE: u64 = size_of::<$word>() as u64;
            #[inline(always)]
            fn from_u64(v: u64) -> Self { v as $word }
            #[inline(always)]
            fn to_u64(self) -> u64 { self.into() }
            #[inline(always)]
            unsafe fn load(at: *mut u8) -> Self {
                // SAFETY: the caller's promise.
                $word::from_le(unsafe { $atomic::from_ptr(at.cast()) }.load(Ordering::Relaxed))
            }
            #[inline(always)]
            unsafe fn store(at: *mut u8, v: Self) {
                // SAFETY: the caller's promise.
                unsafe { $atomic::from_ptr(at.cast()) }.store(v.to_le(), Ordering::Relaxed)
            }
            #[inline(always)]
            unsafe fn compare_exchange(at: *mut u8, old: Self, new: Self) -> Result<Self, Self> {
                // SAFETY: the caller's promise.
                unsafe { $atomic::from_ptr(at.cast()) }
                    .compare_exchange(old.to_le(), new.to_le(), Ordering::SeqCst, Ordering::SeqCst)
                    .map($word::from_le)
                    .map_err($word::from_le)
            }
        }
    )* };
}
words!(u8 AtomicU8, u16 AtomicU16, u32 AtomicU32, u64 AtomicU64);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(main: u64) -> Ram {
        Ram::new(Sizes { main, ..Sizes::default() }).unwrap()
    }

    #[test]
    fn what_lies_between_two_parts_is_not_there() {
        let main = 2 * PAGE;
        let rest = main + Window::MARGIN..main + Window::MARGIN + PAGE;
        for window in [None, Some(0x8000_0000)] {
            let ram = Ram::new(Sizes { main, rest: rest.clone(), window }).unwrap();
            assert!(ram.store(main - 8, 1u64) && ram.store(rest.start, 2u64) && ram.store(rest.end - 1, 3u8));
            assert_eq!((ram.load::<u64>(main - 8), ram.load::<u64>(rest.start)), (Some(1), Some(2)));
            for at in [main, rest.start - 8, rest.end, u64::MAX - 7] {
                assert_eq!(ram.load::<u64>(at), None, "{at:#x}");
                assert!(!ram.store(at, 0u64) && !ram.write(at, &[0]) && !ram.read(at, &mut [0]), "{at:#x}");
                assert_eq!(ram.compare_exchange(at, 0u64, 1), None, "{at:#x}");
            }
            assert!(!ram.write(main - 1, &[0; 2]) && ram.pointer(main - 1, 2).is_none());
            let version = ram.mark_code(rest.start);
            assert!(ram.store(rest.start, 0u8));
            assert_ne!(ram.version(rest.start), version);
            assert_eq!(ram.window().is_some(), window.is_some());
            if let (Some(Window { address, last, versions }), Some(first)) = (ram.window(), window) {
                assert_eq!((address + first, last), (ram.address(), first + main - 1));
                assert_eq!(Some(versions + first / PAGE * 4), ram.version_address(0));
            }
        }
    }

    #[test]
    fn what_harts_do_is_quiet_and_what_others_write_is_not() {
        let ram = of(PAGE);
        let before = ram.moment();
        assert!(ram.store(0, 7u64) && ram.update(0, |word: u64| word + 1).is_some() && ram.read(0, &mut [0]));
        assert!(ram.is_quiet_since(before) && !ram.write(PAGE, &[0]) && ram.is_quiet_since(before));
        assert!(ram.write(0, &[0]));
        assert!(!ram.is_quiet_since(before) && ram.is_quiet_since(ram.moment()));
    }

    #[test]
    fn sixteen_bytes_change_if_they_are_what_they_were() {
        let ram = of(PAGE);
        assert!(ram.store(0x18, 7u64));
        assert_eq!(ram.compare_exchange_pair(0x10, 0, 1), Some(Err(7 << 64)));
        assert_eq!(ram.compare_exchange_pair(0x10, 7 << 64, 9 << 64 | 8), Some(Ok(7 << 64)));
        assert_eq!((ram.load::<u64>(0x10), ram.load::<u64>(0x18)), (Some(8), Some(9)));
        assert_eq!(ram.compare_exchange_pair(0x18, 0, 0), None);
        assert_eq!(ram.compare_exchange_pair(PAGE, 0, 0), None);
    }

    #[test]
    fn a_store_into_code_makes_what_was_decoded_stale_once() {
        let ram = of(2 * PAGE);
        let version = ram.mark_code(0x10);
        assert_eq!(ram.version(0xfff), version);
        assert!(ram.store(PAGE, 1u64));
        assert_eq!(ram.version(0), version);
        assert!(ram.store(0xff8, 1u64));
        let next = ram.version(0);
        assert_ne!(next, version);
        assert!(ram.store(0xff8, 2u64));
        assert_eq!(ram.version(0), next);
        assert_ne!(ram.mark_code(0), version);
    }

    #[test]
    fn memory_that_is_replaced_makes_what_was_decoded_stale() {
        let ram = of(3 * PAGE);
        let versions = [0, PAGE, 2 * PAGE].map(|at| ram.mark_code(at));
        ram.renew(PAGE, 1);
        ram.renew(5 * PAGE, u64::MAX);
        let fresh = [0, PAGE, 2 * PAGE].map(|at| ram.version(at));
        assert_eq!([0, 1, 2].map(|page| fresh[page] == versions[page]), [true, false, true]);
    }

    #[test]
    fn a_store_across_pages_reaches_both() {
        let ram = of(2 * PAGE);
        let versions = [ram.mark_code(0), ram.mark_code(PAGE)];
        assert!(ram.store(PAGE - 4, 0x1122_3344_5566_7788u64));
        assert_eq!(ram.load::<u64>(PAGE - 4), Some(0x1122_3344_5566_7788));
        assert_eq!(ram.load::<u16>(PAGE), Some(0x3344));
        assert!(ram.version(0) != versions[0] && ram.version(PAGE) != versions[1]);
    }

    #[test]
    fn nothing_lies_beyond_the_end() {
        let ram = of(PAGE);
        assert_eq!(ram.load::<u64>(PAGE), None);
        assert_eq!(ram.load::<u64>(PAGE - 4), None);
        assert!(!ram.store(PAGE - 1, 0u16) && !ram.store(u64::MAX, 0u8) && !ram.store(u64::MAX - 7, 0u64));
        assert!(!ram.write(u64::MAX, &[0; 2]));
        assert_eq!(ram.compare_exchange(2, 0u32, 0), None);
        assert!(of(0).load::<u8>(0).is_none());
    }
}
