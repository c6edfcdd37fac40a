//! What lies where in a process, and how it may be accessed: the list that Linux shows as `/proc/self/maps`.

use hartwright_mem::PAGE;
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// `PROT_READ`.
pub(crate) const READ: u8 = 1;
/// `PROT_WRITE`.
pub(crate) const WRITE: u8 = 2;
/// `PROT_EXEC`.
pub(crate) const EXEC: u8 = 4;

/// One mapping, without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Map {
    /// The address after its last byte.
    pub(crate) end: u64,
    /// [`READ`], [`WRITE`] and [`EXEC`].
    pub(crate) prot: u8,
    /// Whether writes are seen by others who map the same.
    pub(crate) shared: bool,
    /// What is mapped; `None` for memory of its own.
    pub(crate) file: Option<File>,
    /// What it is called: `[stack]`, or the file's path.
    pub(crate) name: Option<Arc<str>>,
}

/// The part of a file that is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Offset of the mapping's first byte in the file.
    pub(crate) offset: u64,
    /// Bytes from the mapping's first page on that the file had when it was mapped, up to a whole page; what lies
    /// beyond is there only if the file has grown.
    pub(crate) backed: u64,
}

/// All mappings, by address. They do not overlap.
#[derive(Default)]
pub(crate) struct Maps(BTreeMap<u64, Map>);

impl Maps {
    /// The mapping that `addr` lies in, and its first address.
    pub(crate) fn at(&self, addr: u64) -> Option<(u64, &Map)> {
        self.0.range(..=addr).next_back().filter(|(_, map)| addr < map.end).map(|(start, map)| (*start, map))
    }

    /// All of them by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Map)> {
        self.0.iter().map(|(start, map)| (*start, map))
    }

    /// The parts of mappings that lie in `range`, by address.
    pub(crate) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, &Map)> {
        let first = self.at(range.start).map_or(range.start, |(start, _)| start);
        self.0
            .range(first..range.end.max(first))
            .map(move |(start, map)| ((*start).max(range.start)..map.end.min(range.end), map))
    }

    /// Whether every byte of `range` is mapped with all of `prot`.
    pub(crate) fn allows(&self, range: Range<u64>, prot: u8) -> bool {
        let mut at = range.start;
        for (part, map) in self.within(range.clone()) {
            if part.start != at || map.prot & prot != prot {
                return false;
            }
            at = part.end;
        }
        at == range.end
    }

    /// Whether nothing of `range` is mapped.
    pub(crate) fn is_free(&self, range: Range<u64>) -> bool {
        self.within(range).next().is_none()
    }

    /// Maps `range`, instead of what was there.
    pub(crate) fn insert(&mut self, start: u64, map: Map) {
        self.remove(start..map.end);
        self.0.insert(start, map);
    }

    /// Unmaps `range`.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        self.split(range.start);
        self.split(range.end);
        let gone: Vec<u64> = self.0.range(range).map(|(start, _)| *start).collect();
        for start in gone {
            self.0.remove(&start);
        }
    }

    /// Sets the permissions of what is mapped in `range`.
    pub(crate) fn protect(&mut self, range: Range<u64>, prot: u8) {
        self.split(range.start);
        self.split(range.end);
        for (_, map) in self.0.range_mut(range) {
            map.prot = prot;
        }
    }

    /// The highest free place for `len` bytes that ends at or below `top` and begins at or above `bottom`.
    pub(crate) fn highest_free(&self, len: u64, bottom: u64, top: u64) -> Option<u64> {
        let mut top = top;
        for (start, map) in self.0.range(..top).rev() {
            if map.end <= top && top - map.end >= len {
                break;
            }
            top = top.min(*start);
        }
        top.checked_sub(len).filter(|start| *start >= bottom)
    }

    /// Makes `at` a boundary between two mappings if it lies in one.
    fn split(&mut self, at: u64) {
        let Some((start, map)) = self.0.range_mut(..at).next_back().filter(|(_, map)| at < map.end) else {
            return;
        };
        let mut rest = map.clone();
        if let Some(file) = &mut rest.file {
            file.offset += at - start;
            file.backed = file.backed.saturating_sub(at - start);
        }
        map.end = at;
        self.0.insert(at, rest);
    }
}

/// `len` rounded up to whole pages; `None` if that is more than there are.
pub(crate) fn whole_pages(len: u64) -> Option<u64> {
    len.checked_next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(end: u64, prot: u8) -> Map {
        Map { end, prot, shared: false, file: None, name: None }
    }

    #[test]
    fn a_hole_splits_a_mapping() {
        let mut maps = Maps::default();
        let file = Some(File { offset: 0x3000, backed: 0x4000 });
        maps.insert(0x1000, Map { file, ..map(0x9000, READ) });
        maps.remove(0x3000..0x4000);
        assert!(maps.allows(0x1000..0x3000, READ) && maps.allows(0x4000..0x9000, READ));
        assert!(maps.is_free(0x3000..0x4000) && !maps.allows(0x2fff..0x3001, READ));
        assert_eq!(maps.at(0x4000).unwrap().1.file, Some(File { offset: 0x6000, backed: 0x1000 }));
    }

    #[test]
    fn permissions_change_for_a_part() {
        let mut maps = Maps::default();
        maps.insert(0x1000, map(0x9000, READ));
        maps.protect(0x2000..0x3000, READ | WRITE);
        let all: Vec<_> = maps.iter().map(|(start, map)| (start, map.end, map.prot)).collect();
        assert_eq!(all, [(0x1000, 0x2000, READ), (0x2000, 0x3000, 3), (0x3000, 0x9000, READ)]);
        assert!(maps.allows(0x1000..0x9000, READ) && !maps.allows(0x1000..0x9000, WRITE));
    }

    #[test]
    fn the_highest_free_place_lies_under_the_top() {
        let mut maps = Maps::default();
        assert_eq!(maps.highest_free(0x1000, 0x1000, 0x10000), Some(0xf000));
        maps.insert(0xf000, map(0x10000, READ));
        maps.insert(0xc000, map(0xe000, READ));
        assert_eq!(maps.highest_free(0x1000, 0x1000, 0x10000), Some(0xe000));
        assert_eq!(maps.highest_free(0x2000, 0x1000, 0x10000), Some(0xa000));
        assert_eq!(maps.highest_free(0x2000, 0x1000, 0xd000), Some(0xa000));
        assert_eq!(maps.highest_free(0xc000, 0x1000, 0x10000), None);
    }
}
