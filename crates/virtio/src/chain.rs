//! A request as the driver laid it out: buffers to read, then buffers to write.

use hartwright_device::Dma;
use hartwright_mem::AddressSpace;
use serde::{Deserialize, Serialize};
use virtio_queue::DescriptorChain;
use vm_memory::{GuestMemory, Permissions};

/// A chain may have so many descriptors, whatever the size of a queue or of an indirect table.
const LONGEST: usize = 1024;

/// What cannot be right in a ring or in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

/// A chain of descriptors that the driver made available; its buffers lie in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The index of its first descriptor, by which it is given back.
    pub head: u16,
    readable: Vec<Buffer>,
    writable: Vec<Buffer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Buffer {
    at: u64,
    len: u32,
}

impl Chain {
    /// Follows `descriptors` to their end.
    pub(crate) fn follow(
        mut descriptors: DescriptorChain<&AddressSpace>,
        space: &AddressSpace,
    ) -> Result<Chain, Broken> {
        let mut chain = Chain { head: descriptors.head_index(), readable: vec![], writable: vec![] };
        let mut ends = false;
        for descriptor in descriptors.by_ref().take(LONGEST) {
            let buffer = Buffer { at: descriptor.addr().0, len: descriptor.len() };
            let access = if descriptor.is_write_only() { Permissions::Write } else { Permissions::Read };
            if !space.check_range(descriptor.addr(), buffer.len as usize, access) {
                return Err(Broken("a descriptor's buffer is not in memory"));
            }
            if descriptor.is_write_only() {
                chain.writable.push(buffer);
            } else if chain.writable.is_empty() {
                chain.readable.push(buffer);
            } else {
                return Err(Broken("a descriptor to read after one to write"));
            }
            ends = !descriptor.has_next();
        }
        // The iterator ends as well where it finds no descriptor, or too many.
        if ends { Ok(chain) } else { Err(Broken("a chain of descriptors that leads nowhere, or has no end")) }
    }

    /// Bytes to read.
    pub fn readable(&self) -> u64 {
        total(&self.readable)
    }

    /// Bytes to write.
    pub fn writable(&self) -> u64 {
        total(&self.writable)
    }

    /// Fills `bytes` with what is to be read, from `from` on; gives how many there were.
    pub fn read(&self, dma: &Dma, from: u64, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        for (at, len) in pieces(&self.readable, from, bytes.len()) {
            if dma.read(at, &mut bytes[done..done + len]).is_err() {
                break;
            }
            done += len;
        }
        done
    }

    /// Puts `bytes` where the device writes, from `from` on; gives how many had room.
    pub fn write(&self, dma: &Dma, from: u64, bytes: &[u8]) -> usize {
        let mut done = 0;
        for (at, len) in pieces(&self.writable, from, bytes.len()) {
            if dma.write(at, &bytes[done..done + len]).is_err() {
                break;
            }
            done += len;
        }
        done
    }
}

fn total(buffers: &[Buffer]) -> u64 {
    buffers.iter().fold(0, |all, buffer| all.saturating_add(buffer.len.into()))
}

/// Address and length of the parts of `buffers` that make up `len` bytes from `from` on.
fn pieces(buffers: &[Buffer], mut from: u64, mut len: usize) -> impl Iterator<Item = (u64, usize)> {
    buffers.iter().filter_map(move |buffer| {
        let here = u64::from(buffer.len);
        if from >= here {
            from -= here;
            return None;
        }
        let piece = len.min((here - from) as usize);
        let at = buffer.at.wrapping_add(from);
        from = 0;
        len -= piece;
        (piece > 0).then_some((at, piece))
    })
}
