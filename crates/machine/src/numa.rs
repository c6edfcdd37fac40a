//! NUMA nodes: harts and memory that are near each other. `virt` has a CLINT and a PLIC for each.

use crate::MachineSpec;
use std::ops::Range;

/// The nodes of a machine; none: all is as near as all, and nothing is said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numa {
    /// By number. Their harts are all harts, in order; their memory is the main RAM, in order.
    pub nodes: Vec<NumaNode>,
    /// How far each is from each, row by row, 10 from itself; none: nobody said.
    pub distances: Vec<u8>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumaNode {
    /// Its harts.
    pub harts: Range<u64>,
    /// Its bytes of the main RAM.
    pub bytes: u64,
}

impl Numa {
    /// The number of the node that `hart` is in.
    pub fn node_of(&self, hart: u64) -> Option<u32> {
        self.nodes.iter().position(|node| node.harts.contains(&hart)).map(|node| node as u32)
    }
}

impl MachineSpec {
    /// The harts of each socket: of each NUMA node, or else of all of them one.
    pub fn sockets(&self) -> Vec<Range<u64>> {
        match self.numa.nodes.as_slice() {
            [] => std::iter::once(0..*self.cpu.harts).collect(),
            nodes => nodes.iter().map(|node| node.harts.clone()).collect(),
        }
    }
}
