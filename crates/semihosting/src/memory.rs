//! The guest's memory as a call reaches it: through the hart's translation, a piece at a time.
//!
//! A length is the guest's word only: nothing here allocates by it.

use crate::call::{Answer, Call};
use hartwright_mem::{PAGE, Place};
use rustix::io::Errno;

/// No call moves more; more is taken for as much.
pub(crate) const MOST: u64 = i32::MAX as u64;
/// Bytes that are moved at a time.
pub(crate) const PIECE: usize = 64 << 10;
/// The longest path or command that is read; the host takes none that is longer.
const LONGEST: usize = 256 << 10;

impl Call<'_> {
    /// The first `N` fields of the parameter block.
    pub(crate) fn block<const N: usize>(&self) -> Answer<[u64; N]> {
        let mut fields = [0; N];
        for (n, field) in (0..).zip(&mut fields) {
            *field = self.field(self.parameter, n)?;
        }
        Ok(fields)
    }

    /// Field `n` of the block at `addr`.
    pub(crate) fn field(&self, addr: u64, n: u64) -> Answer {
        let width = self.width();
        let mut bytes = [0; 8];
        self.read(addr.wrapping_add(n * width), &mut bytes[..width as usize])?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes field `n` of the block at `addr`.
    pub(crate) fn set_field(&mut self, addr: u64, n: u64, value: u64) -> Answer<()> {
        let width = self.width();
        self.write(addr.wrapping_add(n * width), &value.to_le_bytes()[..width as usize])
    }

    pub(crate) fn read(&self, addr: u64, bytes: &mut [u8]) -> Answer<()> {
        if self.hart.read(addr, bytes) == bytes.len() { Ok(()) } else { Err(Errno::FAULT.into()) }
    }

    pub(crate) fn write(&mut self, addr: u64, bytes: &[u8]) -> Answer<()> {
        self.all(addr, bytes.len() as u64, false)?;
        if self.hart.write(addr, bytes) == bytes.len() { Ok(()) } else { Err(Errno::FAULT.into()) }
    }

    /// Whether all of `len` bytes at `addr` are memory: to be read, or else to be written.
    pub(crate) fn all(&self, addr: u64, len: u64, reads: bool) -> Answer<()> {
        let mut done = 0;
        while done < len {
            let here = addr.wrapping_add(done);
            let found = self.hart.translate(here).map(|physical| self.hart.space().place(physical));
            match found {
                Some(Place::Ram(_)) => {}
                Some(Place::Rom(_)) if reads => {}
                _ => return Err(Errno::FAULT.into()),
            }
            done += PAGE - here % PAGE;
        }
        Ok(())
    }

    /// The bytes of the string at `addr`, without its NUL.
    pub(crate) fn string(&self, addr: u64) -> Answer<Vec<u8>> {
        let mut string = vec![];
        let mut page = [0; PAGE as usize];
        while string.len() < LONGEST {
            let here = addr.wrapping_add(string.len() as u64);
            let part = &mut page[..(PAGE - here % PAGE) as usize];
            self.read(here, part)?;
            match part.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    string.extend(&part[..end]);
                    return Ok(string);
                }
                None => string.extend(&*part),
            }
        }
        Err(Errno::NAMETOOLONG.into())
    }

    /// The same, of which a field says the length: there must be a NUL.
    pub(crate) fn counted(&self, addr: u64, len: u64) -> Answer<Vec<u8>> {
        self.ends(addr, len)?;
        self.string(addr)
    }

    /// Whether a string of `len` bytes ends there. As in QEMU, a length of all ones stands for none.
    pub(crate) fn ends(&self, addr: u64, len: u64) -> Answer<()> {
        match len.checked_add(1) {
            None => return Ok(()),
            Some(all) if all > MOST => return Err(Errno::NAMETOOLONG.into()),
            Some(_) => {}
        }
        let mut end = [0];
        self.read(addr.wrapping_add(len), &mut end)?;
        if end == [0] { Ok(()) } else { Err(Errno::INVAL.into()) }
    }
}
