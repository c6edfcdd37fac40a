//! Properties by their type, so that a node reads like its source text.

use crate::Node;
use dtoolkit::{Node as _, Property as _, ToPropertyValue, model::DeviceTreeProperty};

/// Adds typed properties and children; every method returns the node, to be chained.
///
/// Names are taken as they are: they come from our own tables, and the reader of the blob judges them again.
pub trait Build: Sized {
    /// A property without a value (`interrupt-controller;`).
    fn flag(self, name: &str) -> Self;
    /// 32-bit cells (`reg = <0x0 0x10000000>;`).
    fn cells(self, name: &str, cells: &[u32]) -> Self;
    /// One 32-bit cell.
    fn u32(self, name: &str, cell: u32) -> Self;
    /// 64-bit numbers, each as two cells, the high one first.
    fn u64s(self, name: &str, numbers: &[u64]) -> Self;
    /// A string.
    fn str(self, name: &str, text: &str) -> Self;
    /// A list of strings (`compatible = "a", "b";`).
    fn strs<S: AsRef<str>>(self, name: &str, texts: &[S]) -> Self;
    /// Raw bytes.
    fn bytes(self, name: &str, bytes: &[u8]) -> Self;
    /// A child node, after those already there.
    fn with(self, child: Node) -> Self;
}

fn put(mut node: Node, name: &str, value: impl ToPropertyValue) -> Node {
    node.add_property(DeviceTreeProperty::new_unchecked(name, value));
    node
}

impl Build for Node {
    fn flag(self, name: &str) -> Self {
        put(self, name, Vec::<u8>::new())
    }

    fn cells(self, name: &str, cells: &[u32]) -> Self {
        put(self, name, cells)
    }

    fn u32(self, name: &str, cell: u32) -> Self {
        put(self, name, cell)
    }

    fn u64s(self, name: &str, numbers: &[u64]) -> Self {
        put(self, name, numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>())
    }

    fn str(self, name: &str, text: &str) -> Self {
        put(self, name, text)
    }

    fn strs<S: AsRef<str>>(self, name: &str, texts: &[S]) -> Self {
        put(self, name, texts.iter().map(AsRef::as_ref).collect::<Vec<&str>>())
    }

    fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        put(self, name, bytes)
    }

    fn with(mut self, child: Node) -> Self {
        self.add_child(child);
        self
    }
}

/// Typed reading of properties; `None` where the property is absent or has another shape.
pub trait Read {
    /// One 32-bit cell.
    fn read_u32(&self, name: &str) -> Option<u32>;
    /// All 32-bit cells.
    fn read_cells(&self, name: &str) -> Option<Vec<u32>>;
    /// The first string.
    fn read_str(&self, name: &str) -> Option<&str>;
    /// All strings.
    fn read_strs(&self, name: &str) -> Option<Vec<&str>>;
    /// The bytes.
    fn read_bytes(&self, name: &str) -> Option<&[u8]>;
    /// The child of that name, unit address included.
    fn node(&self, name: &str) -> Option<&Node>;
    /// All children, in order.
    fn nodes(&self) -> Vec<&Node>;
    /// The name, unit address included.
    fn label(&self) -> &str;
    /// The names of all properties, in order.
    fn property_names(&self) -> Vec<String>;
}

impl Read for Node {
    fn read_u32(&self, name: &str) -> Option<u32> {
        Some(u32::from_be_bytes(self.read_bytes(name)?.try_into().ok()?))
    }

    fn read_cells(&self, name: &str) -> Option<Vec<u32>> {
        let (cells, rest) = self.read_bytes(name)?.as_chunks::<4>();
        rest.is_empty().then(|| cells.iter().map(|cell| u32::from_be_bytes(*cell)).collect())
    }

    fn read_str(&self, name: &str) -> Option<&str> {
        self.read_strs(name)?.first().copied()
    }

    fn read_strs(&self, name: &str) -> Option<Vec<&str>> {
        let text = std::str::from_utf8(self.read_bytes(name)?).ok()?;
        Some(text.strip_suffix('\0')?.split('\0').collect())
    }

    fn read_bytes(&self, name: &str) -> Option<&[u8]> {
        dtoolkit::Node::property(self, name)?.value_as().ok()
    }

    fn node(&self, name: &str) -> Option<&Node> {
        dtoolkit::Node::child(self, name)
    }

    fn nodes(&self) -> Vec<&Node> {
        dtoolkit::Node::children(self).collect()
    }

    fn label(&self) -> &str {
        dtoolkit::Node::name(self)
    }

    fn property_names(&self) -> Vec<String> {
        self.properties().map(|p| p.name().to_owned()).collect()
    }
}
