//! The room for code is in parts, which are filled one after the other. When all are full, the one that was entered
//! least lately is forgotten and filled anew: what is hot stays.
//!
//! What refers into a part goes with it: entries and ways by its [`Filling`], the tables' jumps by where they lead,
//! jumps in other parts' code because each part knows those that lead to it and what they were before.

use crate::{
    Jit,
    faults::Fault,
    leave::{Site, Why},
    region::Region,
};
use std::ops::Range;

/// How many there are.
pub(crate) const PARTS: usize = 8;
/// Parts begin at multiples of this.
const ALIGN: usize = 64;
/// The number of a site is its part's and, in so many bits, its place there: a site takes ten bytes of code or more,
/// and the region has at most a gigabyte.
const SITE_BITS: u32 = 24;

/// What is in a part until it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filling {
    pub(crate) part: u8,
    /// How often the part was forgotten before.
    pub(crate) generation: u32,
}

/// A jump in one part's code that leads into another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    /// The offset of what was changed for that, and what was there: its own way.
    at: u32,
    was: [u8; 6],
    len: u8,
}

#[derive(Default)]
struct Part {
    /// Where the next code goes.
    next: usize,
    generation: u32,
    /// Those whose code is here.
    blocks: Vec<u32>,
    /// How often code was entered here; half as often with each part that was begun since.
    entered: u64,
    sites: Vec<Site>,
    /// In order.
    faults: Vec<Fault>,
    incoming: Vec<Incoming>,
}

/// All of them.
pub(crate) struct Parts {
    parts: [Part; PARTS],
    /// Where the first begins, and how long each is.
    first: usize,
    size: usize,
    /// The one that is being filled.
    current: usize,
    /// How often all was forgotten at once, and how often a part.
    pub(crate) cleared: u64,
    pub(crate) evicted: u64,
}

impl Incoming {
    /// Of what is at offset `at` before it is changed: six bytes at most.
    pub(crate) fn new(at: usize, bytes: &[u8]) -> Incoming {
        let mut was = [0; 6];
        was[..bytes.len()].copy_from_slice(bytes);
        Incoming { at: at as u32, was, len: bytes.len() as u8 }
    }

    /// The jump goes its own way again.
    pub(crate) fn restore(&self, region: &mut Region) {
        region.write(self.at as usize, &self.was[..usize::from(self.len)]);
    }
}

impl Parts {
    /// The parts of what lies from offset `first` to `end`.
    pub(crate) fn new(first: usize, end: usize) -> Parts {
        let first = first.next_multiple_of(ALIGN);
        let size = end.saturating_sub(first) / PARTS / ALIGN * ALIGN;
        let mut parts = Parts {
            parts: std::array::from_fn(|_| Part::default()),
            first,
            size,
            current: 0,
            cleared: 0,
            evicted: 0,
        };
        (0..PARTS).for_each(|part| parts.parts[part].next = parts.range(part).start);
        parts
    }

    fn range(&self, part: usize) -> Range<usize> {
        let begin = self.first + part * self.size;
        begin..begin + self.size
    }

    fn is_empty(&self, part: usize) -> bool {
        self.parts[part].next == self.range(part).start
    }

    /// The part that offset `at` lies in.
    pub(crate) fn of(&self, at: usize) -> usize {
        (at - self.first) / self.size
    }

    /// Bytes that each has.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Bytes of code, and blocks that they are of.
    pub(crate) fn filled(&self) -> (usize, usize) {
        let bytes = |part: usize| self.parts[part].next - self.range(part).start;
        let blocks = self.parts.iter().map(|part| part.blocks.len()).sum();
        (self.first + (0..PARTS).map(bytes).sum::<usize>(), blocks)
    }

    /// What is being filled.
    pub(crate) fn filling(&self) -> Filling {
        Filling { part: self.current as u8, generation: self.parts[self.current].generation }
    }

    #[inline]
    pub(crate) fn has(&self, filling: Filling) -> bool {
        self.parts[usize::from(filling.part)].generation == filling.generation
    }

    /// Where the next code goes, and where it must end.
    pub(crate) fn room(&self) -> Range<usize> {
        self.parts[self.current].next..self.range(self.current).end
    }

    /// The number of the next block's first site.
    pub(crate) fn next_site(&self) -> u32 {
        (self.current as u32) << SITE_BITS | self.parts[self.current].sites.len() as u32
    }

    /// The site with this number, and what it is in.
    #[inline]
    pub(crate) fn site(&self, number: u64) -> (Site, Filling) {
        let part = (number >> SITE_BITS) as usize;
        let Part { sites, generation, .. } = &self.parts[part];
        let site = sites[number as usize & ((1 << SITE_BITS) - 1)];
        (site, Filling { part: part as u8, generation: *generation })
    }

    /// The jump of a site, known by the number that code left with, goes by the table from now on.
    pub(crate) fn goes_by_table(&mut self, number: u64) {
        let part = (number >> SITE_BITS) as usize;
        self.parts[part].sites[number as usize & ((1 << SITE_BITS) - 1)].why = Why::Far;
    }

    /// The blocks that there is code of, some more than once.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = u32> {
        self.parts.iter().flat_map(|part| part.blocks.iter().copied())
    }

    /// Code was written up to offset `end`: of a block with these sites and faults, which are taken.
    pub(crate) fn add(&mut self, end: usize, block: u32, sites: &mut Vec<Site>, faults: &mut Vec<Fault>) {
        let part = &mut self.parts[self.current];
        part.sites.append(sites);
        part.faults.append(faults);
        part.blocks.push(block);
        part.next = end;
    }

    /// Code that belongs to a block elsewhere was written up to offset `end`.
    pub(crate) fn add_stub(&mut self, end: usize) {
        self.parts[self.current].next = end;
    }

    /// A jump in another part leads to `part` from now on.
    pub(crate) fn leads_to(&mut self, part: usize, incoming: Incoming) {
        self.parts[part].incoming.push(incoming);
    }

    /// Code was entered that lies in `part`. It ran for some microseconds at most, so this says where time is spent.
    #[inline]
    pub(crate) fn was_entered(&mut self, part: u8) {
        self.parts[usize::from(part)].entered += 1;
    }

    /// The instruction at offset `at` that may fault.
    pub(crate) fn fault(&self, at: u32) -> Option<Fault> {
        let part = (at as usize).checked_sub(self.first)? / self.size;
        let faults = &self.parts.get(part)?.faults;
        let found = faults.binary_search_by_key(&at, |fault| fault.at).ok()?;
        faults.get(found).copied()
    }

    /// Goes on to the next part: one that is empty, or of those that are not just filled the one that was entered least.
    fn go_on(&mut self) {
        let others = (1..PARTS).map(|i| (self.current + i) % PARTS);
        let rank = |part: &usize| match &self.parts[*part] {
            _ if self.is_empty(*part) => (0, *part as u64),
            full => (1, full.entered),
        };
        self.current = others.min_by_key(rank).unwrap_or(0);
        self.parts.iter_mut().for_each(|part| part.entered /= 2);
    }

    /// Forgets what is in a part; gives the jumps in other parts that lead there.
    fn forget(&mut self, part: usize) -> Vec<Incoming> {
        let begin = self.range(part).start;
        let Part { next, generation, blocks, entered, sites, faults, incoming } = &mut self.parts[part];
        (*next, *entered) = (begin, 0);
        *generation += 1;
        blocks.clear();
        sites.clear();
        faults.clear();
        let incoming = std::mem::take(incoming);
        // Its own jumps are no more.
        for other in 0..PARTS {
            let mut jumps = std::mem::take(&mut self.parts[other].incoming);
            jumps.retain(|jump| self.of(jump.at as usize) != part);
            self.parts[other].incoming = jumps;
        }
        incoming
    }

    /// Forgets what is in all.
    pub(crate) fn clear(&mut self) {
        (0..PARTS).for_each(|part| drop(self.forget(part)));
        self.current = 0;
        self.cleared += 1;
    }
}

impl Jit<'_> {
    /// Goes on to another part, of which all is forgotten.
    pub(crate) fn make_room(&mut self) {
        self.parts.go_on();
        let part = self.parts.current;
        if !self.parts.is_empty(part) {
            self.evict(part);
        }
    }

    fn evict(&mut self, part: usize) {
        self.parts.evicted += 1;
        for incoming in self.parts.forget(part) {
            incoming.restore(&mut self.region);
        }
        // Or they would become ever more where no page with code ever changes.
        self.across.retain(|(filling, _)| self.parts.has(*filling));
        let range = self.parts.range(part);
        self.forget_jumps_into(self.region.address(range.start)..self.region.address(range.end));
        self.misses.forget(range.start as u32..range.end as u32);
    }
}
