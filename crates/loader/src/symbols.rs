//! Names for addresses and addresses for names, kept from the ELF files that were loaded.

use std::{collections::HashMap, fmt::Write};

/// One name of an ELF symbol table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its value: an address.
    pub address: u64,
    /// Bytes it covers; where the table gave none, up to the next symbol or the end of the section.
    pub size: u64,
    /// Its name.
    pub name: String,
}

/// All symbols of a machine.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    /// By address.
    sorted: Vec<Symbol>,
    /// Index into `sorted`; the first of a name wins.
    by_name: HashMap<String, usize>,
}

impl Symbols {
    /// A table of `symbols`, in any order.
    pub fn new(mut symbols: Vec<Symbol>) -> Self {
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        let mut by_name = HashMap::new();
        for (index, symbol) in symbols.iter().enumerate() {
            by_name.entry(symbol.name.clone()).or_insert(index);
        }
        Symbols { sorted: symbols, by_name }
    }

    /// Both tables in one; names of `self` win.
    #[must_use]
    pub fn merge(self, other: Symbols) -> Self {
        let known = self.by_name;
        let fresh = other.sorted.into_iter().filter(|symbol| !known.contains_key(&symbol.name));
        Symbols::new(self.sorted.into_iter().chain(fresh).collect())
    }

    /// The address of `name`.
    pub fn address(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).map(|&index| self.sorted[index].address)
    }

    /// The symbol that covers `address`, and how far into it the address lies.
    pub fn find(&self, address: u64) -> Option<(&Symbol, u64)> {
        let after = self.sorted.partition_point(|symbol| symbol.address <= address);
        let nearest = self.sorted.get(after.checked_sub(1)?)?;
        // Of several names at one address the first is shown, so that the same one is shown always.
        let first = self.sorted.partition_point(|symbol| symbol.address < nearest.address);
        let covers = |symbol: &&Symbol| {
            let into = address - symbol.address;
            into < symbol.size || into == 0
        };
        let symbol = self.sorted[first..after].iter().find(covers)?;
        Some((symbol, address - symbol.address))
    }

    /// `name`, or `name+0x1c`; nothing if no symbol covers `address`.
    pub fn name(&self, address: u64) -> Option<String> {
        let (symbol, into) = self.find(address)?;
        let mut name = symbol.name.clone();
        if into > 0 {
            // Writing to a string cannot fail.
            let _ = write!(name, "+{into:#x}");
        }
        Some(name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// All of them, by address.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol> {
        self.sorted.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str, address: u64, size: u64) -> Symbol {
        Symbol { name: name.into(), address, size }
    }

    #[test]
    fn an_address_has_the_name_of_what_covers_it() {
        let symbols =
            Symbols::new(vec![symbol("main", 0x100, 0x20), symbol("_start", 0, 8), symbol("mark", 0x200, 0)]);
        let name = |at| symbols.name(at);
        assert_eq!(name(0x11c).as_deref(), Some("main+0x1c"));
        assert_eq!(name(0x200).as_deref(), Some("mark"));
        assert_eq!((name(8), name(0x120), name(0x201)), (None, None, None));
        assert_eq!(symbols.address("_start"), Some(0));
    }

    #[test]
    fn the_first_table_wins_a_name() {
        let kernel = Symbols::new(vec![symbol("_start", 0x8020_0000, 4)]);
        let firmware = Symbols::new(vec![symbol("_start", 0x8000_0000, 4), symbol("sbi", 0x8000_1000, 4)]);
        let both = kernel.merge(firmware);
        assert_eq!(both.address("_start"), Some(0x8020_0000));
        assert_eq!((both.address("sbi"), both.len()), (Some(0x8000_1000), 2));
    }
}
