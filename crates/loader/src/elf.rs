//! ELF executables: what to load, where to begin, what things are called.

use crate::{Class, Error, Format, Image, Segment, Symbol, Symbols};
use object::{
    LittleEndian, Object, ObjectSection, ObjectSymbol, SymbolKind,
    elf::{self, FileHeader32, FileHeader64, PF_X, PT_LOAD},
    read::elf::{ElfFile, FileHeader, ProgramHeader},
};

pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    bytes.starts_with(&elf::ELFMAG)
}

pub(crate) fn parse(bytes: &[u8], class: Class) -> Result<Image, Error> {
    check_machine(bytes, class)?;
    match class {
        Class::Bits32 => parse_as::<FileHeader32<LittleEndian>>(bytes),
        Class::Bits64 => parse_as::<FileHeader64<LittleEndian>>(bytes),
    }
}

fn parse_as<Header: FileHeader<Endian = LittleEndian>>(bytes: &[u8]) -> Result<Image, Error> {
    let len = bytes.len() as u64;
    let truncated = |what: String| Error::Truncated { what, len };
    let header = Header::parse(bytes)
        .map_err(|_| truncated(format!("the header, {} bytes, ends", size_of::<Header>())))?;
    let headers = header.program_headers(LittleEndian, bytes).map_err(|_| {
        truncated(format!("program headers at {:#x} lie", header.e_phoff(LittleEndian).into()))
    })?;

    let mut segments = vec![];
    let linked_entry = header.e_entry(LittleEndian).into();
    let mut entry = linked_entry;
    for (number, header) in headers.iter().enumerate() {
        let (memory, in_file) = (header.p_memsz(LittleEndian).into(), header.p_filesz(LittleEndian).into());
        if header.p_type(LittleEndian) != PT_LOAD || memory == 0 {
            continue;
        }
        if in_file > memory {
            return Err(Error::Elf(format!(
                "segment {number} has {in_file:#x} bytes in the file but only {memory:#x} in memory"
            )));
        }
        let data = header
            .data(LittleEndian, bytes)
            .map_err(|()| truncated(format!("segment {number} lies, at least in part,")))?;
        let (physical, linked) = (header.p_paddr(LittleEndian).into(), header.p_vaddr(LittleEndian).into());
        if physical.checked_add(memory).is_none() {
            return Err(Error::Elf(format!(
                "segment {number} at {physical:#x} wraps around the end of the address space"
            )));
        }
        // An entry is a linked address; harts begin without translation, at the loaded one.
        let code = header.p_flags(LittleEndian).contains(PF_X);
        if code && (linked..linked.saturating_add(memory)).contains(&linked_entry) {
            entry = linked_entry.wrapping_sub(linked).wrapping_add(physical);
        }
        segments.push(Segment { address: physical, bytes: data.to_vec().into(), zeros: memory - in_file });
    }
    segments.sort_by_key(|segment| segment.address);
    if segments.is_empty() {
        return Err(Error::Elf("it has nothing to load (no PT_LOAD program header)".into()));
    }
    Ok(Image { format: Format::Elf, entry, segments, symbols: symbols::<Header>(bytes) })
}

/// That it is for a little-endian RISC-V of `wanted` width, told from the first 20 bytes (gABI, ELF Header).
fn check_machine(bytes: &[u8], wanted: Class) -> Result<(), Error> {
    let ident = bytes.get(..20).ok_or(Error::Truncated {
        what: "the header, 20 bytes and more, ends".into(),
        len: bytes.len() as u64,
    })?;
    let (class, data) = (ident[4], ident[5]);
    let machine = if data == elf::ELFDATA2MSB.0 {
        u16::from_be_bytes([ident[18], ident[19]])
    } else {
        u16::from_le_bytes([ident[18], ident[19]])
    };
    let name = MACHINES
        .iter()
        .find(|row| row.0 == machine)
        .map_or_else(|| format!("machine number {machine}"), |row| row.1.to_owned());
    let is = match (machine, class, data) {
        (RISCV, _, 2) => format!("big-endian {name}"),
        (RISCV, 1, 1) if wanted == Class::Bits32 => return Ok(()),
        (RISCV, 2, 1) if wanted == Class::Bits64 => return Ok(()),
        (RISCV, 1, 1) => format!("32-bit {name}"),
        (RISCV, 2, 1) => format!("64-bit {name}"),
        (RISCV, ..) => return Err(Error::Elf(format!("class {class} and data encoding {data} are unknown"))),
        _ => name,
    };
    Err(Error::Foreign { is, wanted })
}

const RISCV: u16 = elf::EM_RISCV.0;

/// `e_machine` of what people have lying about.
const MACHINES: &[(u16, &str)] = &[
    (2, "SPARC"),
    (3, "x86"),
    (4, "m68k"),
    (8, "MIPS"),
    (20, "PowerPC"),
    (21, "PowerPC 64"),
    (22, "S/390"),
    (40, "Arm"),
    (42, "SuperH"),
    (43, "SPARC 64"),
    (62, "x86-64"),
    (94, "Xtensa"),
    (183, "AArch64"),
    (RISCV, "RISC-V"),
    (247, "BPF"),
    (258, "LoongArch"),
];

/// The names worth showing. A damaged symbol table costs the names, not the load.
fn symbols<Header: FileHeader<Endian = LittleEndian>>(bytes: &[u8]) -> Symbols {
    let Ok(file) = ElfFile::<Header>::parse(bytes) else { return Symbols::default() };
    let mut symbols: Vec<(Symbol, u64)> = file
        .symbols()
        .filter(|symbol| matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown))
        .filter(|symbol| symbol.is_definition() || symbol.section_index().is_some())
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            // `$x` and `$d` are mapping symbols (RISC-V ELF psABI), `.L` ones the compiler's own labels.
            if name.is_empty() || name.starts_with('$') || name.starts_with(".L") {
                return None;
            }
            let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
            let end = section.map_or(symbol.address(), |s| s.address().saturating_add(s.size()));
            Some((Symbol { address: symbol.address(), size: symbol.size(), name: name.into() }, end))
        })
        .collect();
    symbols.sort_by(|a, b| (a.0.address, &a.0.name).cmp(&(b.0.address, &b.0.name)));
    // Assembly seldom gives sizes: such a symbol reaches to the next one, within its section.
    let mut next = u64::MAX;
    let mut here = u64::MAX;
    for (symbol, end) in symbols.iter_mut().rev() {
        if symbol.address != here {
            (next, here) = (here, symbol.address);
        }
        if symbol.size == 0 {
            symbol.size = next.min(*end).saturating_sub(symbol.address);
        }
    }
    Symbols::new(symbols.into_iter().map(|(symbol, _)| symbol).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit ELF of one segment: `code` at `physical`, linked at `linked`, with `zeros` after it.
    fn elf(physical: u64, linked: u64, code: &[u8], zeros: u64) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let half = |file: &mut Vec<u8>, n: u16| file.extend(n.to_le_bytes());
        let word = |file: &mut Vec<u8>, n: u32| file.extend(n.to_le_bytes());
        let long = |file: &mut Vec<u8>, n: u64| file.extend(n.to_le_bytes());
        half(&mut file, 2); // ET_EXEC
        half(&mut file, RISCV);
        word(&mut file, 1);
        for n in [linked + 4, 64, 0] {
            long(&mut file, n); // entry, program headers, section headers
        }
        word(&mut file, 0);
        for n in [64, 56, 1, 0, 0, 0] {
            half(&mut file, n);
        }
        word(&mut file, 1); // PT_LOAD
        word(&mut file, 5); // read, execute
        for n in [120, linked, physical, code.len() as u64, code.len() as u64 + zeros, 4] {
            long(&mut file, n);
        }
        file.extend(code);
        file
    }

    #[test]
    fn segments_go_to_their_physical_addresses_and_the_entry_with_them() {
        let image =
            parse(&elf(0x8000_0000, 0xffff_ffff_8000_0000, &[1, 2, 3, 4, 5, 6, 7, 8], 8), Class::Bits64)
                .unwrap();
        assert_eq!(image.entry, 0x8000_0004);
        assert_eq!(
            image.segments,
            [Segment { address: 0x8000_0000, bytes: vec![1, 2, 3, 4, 5, 6, 7, 8].into(), zeros: 8 }]
        );
    }

    #[test]
    fn an_elf_for_another_machine_is_named() {
        let text = |change: fn(&mut Vec<u8>)| {
            let mut file = elf(0, 0, &[0; 8], 0);
            change(&mut file);
            parse(&file, Class::Bits64).unwrap_err().to_string()
        };
        assert_eq!(text(|f| f[18] = 62), "is an ELF for x86-64; this machine is RISC-V 64");
        assert_eq!(text(|f| f[4] = 1), "is an ELF for 32-bit RISC-V; this machine is RISC-V 64");
        assert_eq!(text(|f| f[19] = 9), "is an ELF for machine number 2547; this machine is RISC-V 64");
        assert_eq!(text(|f| f[5] = 2), "is an ELF for machine number 62208; this machine is RISC-V 64");
    }

    /// A 32-bit ELF of one segment at 0x80000000.
    fn narrow(code: &[u8]) -> Vec<u8> {
        let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend([2, 0]);
        file.extend(RISCV.to_le_bytes());
        file.extend([1, 0x8000_0000, 52, 0, 0].into_iter().flat_map(u32::to_le_bytes));
        file.extend([52u16, 32, 1, 0, 0, 0].into_iter().flat_map(u16::to_le_bytes));
        let len = code.len() as u32;
        file.extend(
            [1, 84, 0x8000_0000, 0x8000_0000, len, len + 4, 5, 4].into_iter().flat_map(u32::to_le_bytes),
        );
        file.extend(code);
        file
    }

    #[test]
    fn an_elf_is_for_harts_of_its_width() {
        let file = narrow(&[1, 2, 3, 4]);
        let image = parse(&file, Class::Bits32).unwrap();
        assert_eq!((image.entry, image.end()), (0x8000_0000, 0x8000_0008));
        assert_eq!(
            parse(&file, Class::Bits64).unwrap_err().to_string(),
            "is an ELF for 32-bit RISC-V; this machine is RISC-V 64"
        );
        assert_eq!(
            parse(&elf(0, 0, &[0; 8], 0), Class::Bits32).unwrap_err().to_string(),
            "is an ELF for 64-bit RISC-V; this machine is RISC-V 32"
        );
    }

    #[test]
    fn a_truncated_elf_says_what_is_missing() {
        let file = elf(0x8000_0000, 0x8000_0000, &[0; 64], 0);
        let text = |len: usize| parse(&file[..len], Class::Bits64).unwrap_err().to_string();
        assert_eq!(
            text(10),
            "the ELF is truncated: the header, 20 bytes and more, ends beyond its end at 10 bytes"
        );
        assert_eq!(
            text(100),
            "the ELF is truncated: program headers at 0x40 lie beyond its end at 100 bytes"
        );
        assert_eq!(
            text(150),
            "the ELF is truncated: segment 0 lies, at least in part, beyond its end at 150 bytes"
        );
    }

    #[test]
    fn no_damaged_elf_panics() {
        let mut files = vec![elf(0x8000_0000, 0x8000_0000, &[0x13; 64], 100)];
        // A whole one, with sections and symbols: ourselves, turned into RISC-V.
        if let Ok(mut own) = std::fs::read("/bin/true") {
            own[18..20].copy_from_slice(&RISCV.to_le_bytes());
            files.push(own);
        }
        let mut seed = 1_u64;
        for file in files {
            for round in 0..4_000 {
                let mut bad = file.clone();
                for _ in 0..4 {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // Headers are where damage matters.
                    let reach = if round % 2 == 0 { bad.len() } else { 256.min(bad.len()) };
                    let at = (seed >> 33) as usize % reach;
                    bad[at] ^= 1 << (seed >> 60 & 7);
                }
                if round % 8 == 1 {
                    bad[4] = 1;
                }
                if round % 4 == 0 {
                    bad.truncate((seed >> 20) as usize % bad.len());
                }
                // One kind of damage makes an ELF of the other class.
                let class = if bad.get(4) == Some(&1) { Class::Bits32 } else { Class::Bits64 };
                let _ = Image::new(bad, 0x8020_0000, class);
            }
        }
    }
}
