//! A kernel's own symbol table, out of its raw Image, as an ELF that a debugger reads.
//!
//! Debian's package of kernel symbols is a gigabyte; the kernel carries the names itself. Since Linux
//! 6.4 its read-only data holds, in this order and each on an 8-byte mark: the number of symbols, their
//! names (a length, then bytes that each stand for a token), a marker for each 256th name, the 256
//! tokens, the offset of each token, the offset of each symbol from a base, and that base.

use anyhow::{Result, anyhow, ensure};

/// One symbol of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its virtual address.
    pub address: u64,
    /// Its kind as `nm` prints it, such as `T`.
    pub kind: u8,
    /// Its name.
    pub name: String,
}

/// Reads the symbols of the raw kernel `image`, ordered by address.
pub fn read(image: &[u8]) -> Result<Vec<Symbol>> {
    let tokens = Tokens::find(image)?;
    let (count, names) = names_before(image, tokens.table)?;
    let offsets = (tokens.index + 2 * 256).next_multiple_of(8);
    let base = word(image, (offsets + 4 * count).next_multiple_of(8), 8)?;
    let mut symbols = Vec::with_capacity(count);
    let mut at = names;
    for index in 0..count {
        let offset = word(image, offsets + 4 * index, 4)?;
        let (start, end) = name_at(image, at)?;
        let mut text = Vec::new();
        for token in &image[start..end] {
            text.extend_from_slice(tokens.text(image, *token)?);
        }
        ensure!(!text.is_empty(), "symbol {index} has no name");
        let name = String::from_utf8_lossy(&text[1..]).into_owned();
        symbols.push(Symbol { address: base.wrapping_add(offset), kind: text[0], name });
        at = end;
    }
    symbols.sort_by_key(|symbol| symbol.address);
    Ok(symbols)
}

/// Where the 256 tokens and their offsets stand.
struct Tokens {
    table: usize,
    index: usize,
}

impl Tokens {
    fn find(image: &[u8]) -> Result<Tokens> {
        // A byte that the names use stands for itself, so the ten digits stand one after the other.
        let digits = b"\x000\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00";
        let found = image.windows(digits.len()).enumerate().filter(|(_, window)| *window == digits);
        for (before, _) in found {
            let zero = before + 1;
            let ends = image[zero..].iter().enumerate().filter(|(_, byte)| **byte == 0);
            let Some((last, _)) = ends.take(256 - usize::from(b'0')).last() else { continue };
            let index = (zero + last + 1).next_multiple_of(8);
            let offset = word(image, index + 2 * usize::from(b'0'), 2)? as usize;
            if word(image, index, 2)? == 0 && offset <= zero {
                return Ok(Tokens { table: zero - offset, index });
            }
        }
        Err(anyhow!("the image holds no table of tokens (is it a Linux Image with CONFIG_KALLSYMS?)"))
    }

    fn text<'a>(&self, image: &'a [u8], token: u8) -> Result<&'a [u8]> {
        let start = self.table + word(image, self.index + 2 * usize::from(token), 2)? as usize;
        let rest =
            image.get(start..self.index).ok_or_else(|| anyhow!("token {token} lies outside the table"))?;
        Ok(rest.split(|byte| *byte == 0).next().unwrap_or_default())
    }
}

/// The number of symbols and where their names start, looked for backwards from the token `table`.
fn names_before(image: &[u8], table: usize) -> Result<(usize, usize)> {
    // The markers rise from zero, so backwards they fall to it.
    let mut first = table.checked_sub(8).ok_or_else(|| anyhow!("the image has no room for markers"))? + 4;
    if word(image, first, 4)? == 0 {
        first -= 4; // padding
    }
    let mut markers = 1;
    while first >= 4 && word(image, first, 4)? > word(image, first - 4, 4)? {
        first -= 4;
        markers += 1;
    }
    ensure!(markers > 1 && word(image, first, 4)? == 0, "the image holds no markers before its tokens");
    let second = word(image, first + 4, 4)? as usize;
    let counts = 256 * (markers - 1) + 1..=256 * markers;
    for start in (8..first).rev().filter(|start| start % 8 == 0) {
        let count = word(image, start - 8, 8)? as usize;
        if counts.contains(&count) && after(image, start, 256)? == start + second {
            return Ok((count, start));
        }
    }
    Err(anyhow!("the image holds no names before its markers"))
}

/// Where the name `skip` names after the one at `at` starts.
fn after(image: &[u8], mut at: usize, skip: usize) -> Result<usize> {
    for _ in 0..skip {
        at = name_at(image, at)?.1;
    }
    Ok(at)
}

/// Where the tokens of the name at `at` start and end; a length of 128 or more takes two bytes.
fn name_at(image: &[u8], at: usize) -> Result<(usize, usize)> {
    let low = word(image, at, 1)? as usize;
    let (start, length) = match low & 0x80 {
        0 => (at + 1, low),
        _ => (at + 2, low & 0x7f | (word(image, at + 1, 1)? as usize) << 7),
    };
    ensure!(start + length <= image.len(), "a name at {at:#x} reaches beyond the image");
    Ok((start, start + length))
}

/// The little-endian number of `size` bytes at `at`.
fn word(image: &[u8], at: usize, size: usize) -> Result<u64> {
    let bytes = image.get(at..at + size).ok_or_else(|| anyhow!("the image ends before {at:#x}"))?;
    Ok(bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

/// Writes `symbols` as a 64-bit RISC-V ELF that holds nothing else.
///
/// Code and data get a section each, without content: a debugger takes a symbol's kind from there.
pub fn elf(symbols: &[Symbol]) -> Vec<u8> {
    let is_code = |symbol: &&Symbol| matches!(symbol.kind, b't' | b'T');
    let first = symbols.first().map_or(0, |symbol| symbol.address);
    let last = symbols.last().map_or(0, |symbol| symbol.address);
    let code_end = symbols.iter().rev().find(is_code).map_or(first, |symbol| symbol.address) + 4;

    let (mut table, mut strings) = (vec![0; 24], vec![0]);
    for symbol in symbols {
        let kind = if is_code(&symbol) { STT_FUNC } else { STT_OBJECT };
        let section: u16 = if symbol.address < code_end { 1 } else { 2 };
        table.extend((strings.len() as u32).to_le_bytes());
        table.extend([STB_GLOBAL << 4 | kind, 0]);
        table.extend(section.to_le_bytes());
        table.extend(symbol.address.to_le_bytes());
        table.extend(0u64.to_le_bytes());
        strings.extend(symbol.name.as_bytes());
        strings.push(0);
    }
    let names = b"\0.text\0.data\0.symtab\0.strtab\0.shstrtab\0";
    let table_at = 64u64;
    let strings_at = table_at + table.len() as u64;
    let names_at = strings_at + strings.len() as u64;
    let headers_at = (names_at + names.len() as u64).next_multiple_of(8);

    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for (value, size) in [
        (ET_EXEC, 2),
        (EM_RISCV, 2),
        (1, 4),
        (first, 8),
        (0, 8),
        (headers_at, 8),
        (0, 4),
        (64, 2),
        (0, 2),
        (0, 2),
        (64, 2),
        (6, 2),
        (5, 2),
    ] {
        file.extend(&value.to_le_bytes()[..size]);
    }
    file.extend(table);
    file.extend(strings);
    file.extend(names);
    file.resize(headers_at as usize, 0);
    // Name, type, flags, address, offset, size, link, info, alignment, entry size.
    let (table_size, strings_size) = (strings_at - table_at, names_at - strings_at);
    for [name, kind, flags, address, offset, size, link, info, align, entry] in [
        [0; 10],
        [1, SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, first, table_at, code_end - first, 0, 0, 4, 0],
        [
            7,
            SHT_NOBITS,
            SHF_ALLOC | SHF_WRITE,
            code_end,
            table_at,
            (last + 8).saturating_sub(code_end),
            0,
            0,
            4,
            0,
        ],
        [13, SHT_SYMTAB, 0, 0, table_at, table_size, 4, 1, 8, 24],
        [21, SHT_STRTAB, 0, 0, strings_at, strings_size, 0, 0, 1, 0],
        [29, SHT_STRTAB, 0, 0, names_at, names.len() as u64, 0, 0, 1, 0],
    ] {
        for (value, size) in [
            (name, 4),
            (kind, 4),
            (flags, 8),
            (address, 8),
            (offset, 8),
            (size, 8),
            (link, 4),
            (info, 4),
            (align, 8),
            (entry, 8),
        ] {
            file.extend(&u64::to_le_bytes(value)[..size]);
        }
    }
    file
}

const ET_EXEC: u64 = 2;
const EM_RISCV: u64 = 243;
const SHT_SYMTAB: u64 = 2;
const SHT_STRTAB: u64 = 3;
const SHT_NOBITS: u64 = 8;
const SHF_WRITE: u64 = 1;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;
const STB_GLOBAL: u8 = 1;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel of 300 symbols called `s000` and so on, with every token a byte that stands for itself.
    fn image() -> Vec<u8> {
        let mut names = Vec::new();
        let mut markers = Vec::new();
        for index in 0..300 {
            if index % 256 == 0 {
                markers.extend((names.len() as u32).to_le_bytes());
            }
            names.push(5);
            names.extend(format!("Ts{index:03}").as_bytes());
        }
        let mut table = Vec::new();
        let mut index = Vec::new();
        for token in 0..=255u8 {
            index.extend((table.len() as u16).to_le_bytes());
            table.extend([token.max(1), 0]);
        }
        let offsets = (0..300u32).flat_map(|index| (16 * index).to_le_bytes()).collect();
        let base = 0xffff_ffff_8000_0000u64.to_le_bytes().to_vec();
        let mut image = vec![0xff; 64];
        for part in [300u64.to_le_bytes().to_vec(), names, markers, table, index, offsets, base] {
            image.extend(part);
            image.resize(image.len().next_multiple_of(8), 0);
        }
        image
    }

    #[test]
    fn symbols_come_out_of_an_image() {
        let symbols = read(&image()).unwrap();
        assert_eq!(symbols.len(), 300);
        let expected = Symbol { address: 0xffff_ffff_8000_0000 + 16 * 299, kind: b'T', name: "s299".into() };
        assert_eq!(symbols[299], expected);
    }

    #[test]
    fn an_image_cut_anywhere_is_refused_or_read_but_never_panics() {
        let image = image();
        for length in (0..image.len()).step_by(7) {
            let _ = read(&image[..length]);
        }
        assert!(read(b"no kernel").is_err());
    }
}
