//! Physical addresses as a debugger reads and writes them: memory without anybody noticing, devices as a hart would.

use hartwright_mem::AddressSpace;

/// Reads `bytes` at physical address `addr`, from devices in accesses of at most `unit` bytes (1, 2, 4 or 8); how
/// many could be read.
pub fn read_physical(space: &AddressSpace, addr: u64, bytes: &mut [u8], unit: usize) -> usize {
    if space.read_bytes(addr, bytes).is_ok() {
        return bytes.len();
    }
    let mut done = 0;
    while done < bytes.len() {
        let Some(here) = addr.checked_add(done as u64) else { break };
        let rest = &mut bytes[done..];
        let read = sizes(here, rest.len().min(unit))
            .find_map(|size| Some((size, space.load(here, size as u8).ok()?)));
        let Some((size, value)) = read else { break };
        rest[..size].copy_from_slice(&value.to_le_bytes()[..size]);
        done += size;
    }
    done
}

/// Writes `bytes` at physical address `addr`, into ROM too, and to devices in accesses of at most `unit` bytes; how
/// many could be written.
pub fn write_physical(space: &AddressSpace, addr: u64, bytes: &[u8], unit: usize) -> usize {
    if space.write_bytes(addr, bytes).is_ok() {
        return bytes.len();
    }
    let mut done = 0;
    while done < bytes.len() {
        let Some(here) = addr.checked_add(done as u64) else { break };
        let rest = &bytes[done..];
        let written = sizes(here, rest.len().min(unit)).find(|&size| {
            let mut word = [0; 8];
            word[..size].copy_from_slice(&rest[..size]);
            space.store(here, size as u8, u64::from_le_bytes(word)).is_ok()
        });
        let Some(size) = written else { break };
        done += size;
    }
    done
}

/// The sizes of naturally aligned accesses at `addr`, the largest first.
fn sizes(addr: u64, len: usize) -> impl Iterator<Item = usize> {
    [8, 4, 2, 1].into_iter().filter(move |size| *size <= len && addr.is_multiple_of(*size as u64))
}
