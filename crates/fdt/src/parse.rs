//! Reads a blob that nobody vouches for.

use crate::Tree;
use dtoolkit::fdt::Fdt;
use std::fmt;

/// How deep nodes may nest; the deepest tree in Linux 6.12 nests 9.
const DEEPEST: usize = 64;
/// The largest blob we read; the ones in Linux stay below 200 KiB.
const LARGEST: usize = 16 << 20;

/// Why a blob is not a device tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Fewer bytes than a header has.
    TooShort {
        /// The bytes that are there.
        len: usize,
    },
    /// It does not begin with the magic number.
    Magic(u32),
    /// The header promises more bytes than there are.
    Truncated {
        /// Bytes in the blob.
        len: usize,
        /// Bytes its header names.
        total: usize,
    },
    /// More bytes than any device tree has.
    TooLarge {
        /// Bytes its header names.
        total: usize,
    },
    /// Nodes nest too deep.
    TooDeep,
    /// Anything else, in the library's words.
    Malformed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TooShort { len } => {
                write!(f, "{len} bytes are too few for a device tree, whose header alone has {HEADER}")
            }
            Error::Magic(found) => {
                write!(f, "not a device tree blob: it begins with {found:#010x} instead of {MAGIC:#010x}")
            }
            Error::Truncated { len, total } => {
                write!(f, "the device tree is truncated: its header names {total} bytes, there are {len}")
            }
            Error::TooLarge { total } => {
                write!(f, "the device tree's header names {total} bytes; at most {LARGEST} are accepted")
            }
            Error::TooDeep => write!(f, "the device tree's nodes nest deeper than {DEEPEST}"),
            Error::Malformed(why) => write!(f, "not a valid device tree: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// Devicetree specification, 5.2: ten big-endian words.
const HEADER: usize = 40;
const MAGIC: u32 = 0xd00d_feed;
/// Specification, 5.4.1.
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;

/// The device tree in `blob`, which may be longer than its header says.
///
/// # Errors
///
/// Says what is wrong and where, in bytes from the start of the blob; no input panics.
pub fn parse(blob: &[u8]) -> Result<Tree, Error> {
    let word = |at: usize| Some(u32::from_be_bytes(*blob.get(at..at + 4)?.first_chunk()?));
    let len = blob.len();
    let magic = word(0).ok_or(Error::TooShort { len })?;
    if magic != MAGIC {
        return Err(Error::Magic(magic));
    }
    if len < HEADER {
        return Err(Error::TooShort { len });
    }
    let total = word(4).unwrap_or(0) as usize;
    if total > LARGEST {
        return Err(Error::TooLarge { total });
    }
    let blob = blob.get(..total).ok_or(Error::Truncated { len, total })?;
    let fdt = Fdt::new(blob).map_err(|why| Error::Malformed(why.to_string()))?;
    if depth(blob) > DEEPEST {
        return Err(Error::TooDeep);
    }
    Ok(Tree::from_fdt(&fdt))
}

/// How deep the nodes of a blob nest that `Fdt::new` has accepted.
fn depth(blob: &[u8]) -> usize {
    let word = |at: usize| Some(u32::from_be_bytes(*blob.get(at..at.checked_add(4)?)?.first_chunk()?));
    let (mut now, mut deepest) = (0_usize, 0);
    let mut at = word(8).unwrap_or(0) as usize;
    while let Some(token) = word(at) {
        at += 4;
        match token {
            BEGIN_NODE => {
                now += 1;
                deepest = deepest.max(now);
                let name = blob.get(at..).unwrap_or_default();
                at += name.iter().position(|&b| b == 0).map_or(name.len(), |n| n + 1).next_multiple_of(4);
            }
            END_NODE => now = now.saturating_sub(1),
            PROP => at += 8 + (word(at).unwrap_or(0) as usize).next_multiple_of(4),
            NOP => {}
            _ => break,
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Build, Node, Read};

    fn small() -> Tree {
        let mut tree = Tree::new();
        tree.root = tree
            .root
            .u32("#address-cells", 2)
            .strs("compatible", &["a,b", "c"])
            .with(Node::new_unchecked("memory@80000000").u64s("reg", &[0x8000_0000, 1 << 27]).flag("x"));
        tree
    }

    #[test]
    fn what_is_written_reads_back() {
        let tree = small();
        let mut blob = tree.to_dtb();
        assert_eq!(parse(&blob).unwrap(), tree);
        blob.extend([0; 100]);
        assert_eq!(parse(&blob).unwrap(), tree, "padding after the blob is no fault");
        let memory = tree.find_node("/memory@80000000").unwrap();
        assert_eq!(memory.read_cells("reg").unwrap(), [0, 0x8000_0000, 0, 0x0800_0000]);
        assert_eq!(tree.root.read_strs("compatible").unwrap(), ["a,b", "c"]);
        assert_eq!((memory.read_bytes("x"), memory.read_u32("y")), (Some(&[][..]), None));
    }

    #[test]
    fn a_tree_prints_as_source() {
        assert_eq!(
            small().to_string(),
            "/dts-v1/;\n\n/ {\n    #address-cells = <0x02>;\n    compatible = \"a,b\", \"c\";\n\n    \
             memory@80000000 {\n        reg = <0x00 0x80000000 0x00 0x8000000>;\n        x;\n    };\n};\n"
        );
    }

    #[test]
    fn a_bad_blob_is_one_clear_sentence() {
        let blob = small().to_dtb();
        let text = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert_eq!(text(b"ab"), "2 bytes are too few for a device tree, whose header alone has 40");
        assert_eq!(text(b"hello"), "not a device tree blob: it begins with 0x68656c6c instead of 0xd00dfeed");
        assert_eq!(
            text(&blob[..100]),
            format!("the device tree is truncated: its header names {} bytes, there are 100", blob.len())
        );
    }

    #[test]
    fn nodes_that_nest_too_deep_are_refused() {
        let mut node = Node::new_unchecked("a");
        for _ in 0..DEEPEST {
            node = Node::new_unchecked("a").with(node);
        }
        let mut tree = Tree::new();
        tree.root = tree.root.with(node);
        assert_eq!(parse(&tree.to_dtb()), Err(Error::TooDeep));
    }

    #[test]
    fn no_damaged_blob_panics() {
        let blob = small().to_dtb();
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut bad = blob.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % bad.len();
                bad[at] ^= 1 << (seed >> 60 & 7);
            }
            bad.truncate(bad.len() - (seed >> 20) as usize % 8);
            if let Ok(tree) = parse(&bad) {
                let _ = tree.to_string();
            }
        }
    }
}
