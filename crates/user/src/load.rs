//! ELF programs: static, position-independent, and those with an interpreter.

use crate::{
    errno::Failure,
    maps::{EXEC, READ, WRITE, whole_pages},
    memory::{Memory, Request, SIZE},
};
use hartwright_mem::PAGE;
use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64, ProgramHeader64},
    read::elf::{FileHeader, ProgramHeader},
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// Why a program cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// The system's number: the file cannot be read, or is no program.
    Errno(i32),
    /// It is an ELF of another kind: which file.
    Foreign(PathBuf),
    /// Its interpreter cannot be opened: which, and the system's number.
    Interpreter(String, i32),
    /// It is damaged, or does not fit: how.
    Bad(PathBuf, String),
}

/// A program in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// How far from where it was linked it lies.
    pub(crate) base: u64,
    /// Its own first instruction.
    pub(crate) entry: u64,
    /// Where its program headers are.
    pub(crate) headers: u64,
    /// How many there are.
    pub(crate) header_count: u64,
    /// The address after its last byte.
    pub(crate) end: u64,
    /// Whether code may run on its stack, which is what a `PT_GNU_STACK` with `PF_X` asks for.
    pub(crate) stack_runs: bool,
    /// Its interpreter's base and first instruction.
    pub(crate) interpreter: Option<(u64, u64)>,
}

/// Whether `start`, a file's beginning, is that of an ELF for riscv64.
pub(crate) fn is_ours(start: &[u8]) -> bool {
    let Some(ident) = start.get(..20) else { return false };
    let machine = u16::from_le_bytes([ident[18], ident[19]]);
    ident.starts_with(&elf::ELFMAG) && ident[4] == 2 && ident[5] == 1 && machine == elf::EM_RISCV.0
}

/// Where position-independent programs go.
const PIE: u64 = 0x2a_aaaa_a000;
/// The most bytes of program headers; Linux takes a page of them.
const HEADERS: usize = 65536;

/// Loads the program at `path`, and its interpreter, which is looked for under `prefix` first.
pub(crate) fn load(memory: &Memory, path: &Path, prefix: &Path) -> Result<Loaded, Error> {
    let (mut loaded, interpreter) = one(memory, path, Some(PIE))?;
    if let Some(name) = interpreter {
        let under = prefix.join(name.trim_start_matches('/'));
        let found = if under.exists() { under } else { PathBuf::from(&name) };
        let (own, _) = one(memory, &found, None).map_err(|error| match error {
            Error::Errno(errno) => Error::Interpreter(name, errno),
            other => other,
        })?;
        loaded.interpreter = Some((own.base, own.entry));
    }
    Ok(loaded)
}

/// Loads one file: at `place` if it may lie anywhere, or where there is room.
fn one(memory: &Memory, path: &Path, place: Option<u64>) -> Result<(Loaded, Option<String>), Error> {
    let system = |e: std::io::Error| Error::Errno(e.raw_os_error().unwrap_or(libc::EIO));
    let bad = |why: &str| Error::Bad(path.to_owned(), why.to_owned());
    let mut file = File::open(path).map_err(system)?;
    let length = file.metadata().map_err(system)?.len();
    let mut start = vec![];
    file.by_ref().take(HEADERS as u64).read_to_end(&mut start).map_err(|_| Error::Errno(libc::ENOEXEC))?;
    if !start.starts_with(&elf::ELFMAG) || start.len() < 20 {
        return Err(Error::Errno(libc::ENOEXEC));
    }
    if !is_ours(&start) {
        return Err(Error::Foreign(path.to_owned()));
    }
    let header = FileHeader64::<LE>::parse(&*start).map_err(|_| bad("the header ends beyond the file"))?;
    let dynamic = match header.e_type(LE) {
        elf::ET_EXEC => false,
        elf::ET_DYN => true,
        _ => return Err(Error::Foreign(path.to_owned())),
    };
    let headers =
        header.program_headers(LE, &*start).map_err(|_| bad("program headers lie beyond the file"))?;
    let loads =
        || headers.iter().filter(|header| header.p_type(LE) == elf::PT_LOAD && header.p_memsz(LE) > 0);
    let mut span = (u64::MAX, 0u64);
    for load in loads() {
        let (at, len) = (load.p_vaddr(LE), load.p_memsz(LE));
        let end = at.checked_add(len).filter(|end| *end <= SIZE - PAGE);
        let end = end.ok_or_else(|| bad("a segment lies beyond what a process can address"))?;
        if load.p_filesz(LE) > len {
            return Err(bad("a segment has more bytes in the file than in memory"));
        }
        let past = load.p_offset(LE).checked_add(load.p_filesz(LE)).is_none_or(|end| end > length);
        if past {
            return Err(bad("a segment ends beyond the file"));
        }
        if (at ^ load.p_offset(LE)) % PAGE != 0 {
            return Err(bad("a segment does not lie in its page as in the file"));
        }
        span = (span.0.min(at & !(PAGE - 1)), span.1.max(end));
    }
    if span.0 > span.1 {
        return Err(bad("it has nothing to load (no PT_LOAD program header)"));
    }
    let len = whole_pages(span.1 - span.0).ok_or_else(|| bad("it is too large"))?;
    let base = if dynamic {
        let free = memory.change().place(place.unwrap_or(0), len);
        free.map_err(|_| Error::Errno(libc::ENOMEM))?.wrapping_sub(span.0)
    } else {
        0
    };
    for load in loads() {
        segment(memory, &file, path, base, load).map_err(|failure| match failure {
            Failure::Errno(errno) => Error::Errno(errno),
            _ => bad("a segment cannot be mapped"),
        })?;
    }
    let offset = header.e_phoff(LE);
    let holds = |load: &&ProgramHeader64<LE>| {
        offset.checked_sub(load.p_offset(LE)).is_some_and(|within| within < load.p_filesz(LE))
    };
    let at = loads().find(holds).map_or(0, |load| load.p_vaddr(LE).wrapping_add(offset - load.p_offset(LE)));
    let runs = |header: &ProgramHeader64<LE>| {
        header.p_type(LE) == elf::PT_GNU_STACK && header.p_flags(LE).contains(elf::PF_X)
    };
    let loaded = Loaded {
        base,
        entry: base.wrapping_add(header.e_entry(LE)),
        headers: base.wrapping_add(at),
        header_count: headers.len() as u64,
        end: base + span.1,
        stack_runs: headers.iter().any(runs),
        interpreter: None,
    };
    let interpreter = headers.iter().find(|header| header.p_type(LE) == elf::PT_INTERP);
    let name = interpreter.map(|interpreter| {
        let mut name = vec![];
        let read = file
            .seek(SeekFrom::Start(interpreter.p_offset(LE)))
            .and_then(|_| file.take(interpreter.p_filesz(LE).min(4096)).read_to_end(&mut name));
        read.map_err(system)?;
        let name: Vec<u8> = name.into_iter().take_while(|byte| *byte != 0).collect();
        String::from_utf8(name).map_err(|_| bad("its interpreter's name is no text"))
    });
    Ok((loaded, name.transpose()?))
}

/// Maps one segment: the file's part, then zeros.
fn segment(
    memory: &Memory,
    file: &File,
    path: &Path,
    base: u64,
    load: &ProgramHeader64<LE>,
) -> Result<(), Failure> {
    let flags = load.p_flags(LE);
    let bits = [(elf::PF_R, READ), (elf::PF_W, WRITE | READ), (elf::PF_X, EXEC)];
    let prot = bits.into_iter().filter(|(flag, _)| flags.contains(*flag)).fold(0, |prot, bit| prot | bit.1);
    let at = base.wrapping_add(load.p_vaddr(LE));
    let (start, file_end, end) = (at & !(PAGE - 1), at + load.p_filesz(LE), at + load.p_memsz(LE));
    let file_pages = if load.p_filesz(LE) == 0 { start } else { file_end.next_multiple_of(PAGE) };
    let pages = end.next_multiple_of(PAGE);
    let mut change = memory.change();
    if file_pages > start {
        let offset = load.p_offset(LE) & !(PAGE - 1);
        let name = Some(path.to_string_lossy().into());
        let (range, file) = (start..file_pages, Some((file.as_raw_fd(), offset)));
        // Writable until the rest of the last page is zeroed.
        change.map(Request { range, prot: prot | WRITE, flags: libc::MAP_PRIVATE, file, name })?;
    }
    if pages > file_pages {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let range = file_pages..pages;
        change.map(Request { range, prot: prot | WRITE, flags, file: None, name: None })?;
    }
    drop(change);
    if end > file_end && file_end < file_pages {
        memory.write(file_end, &vec![0; (file_pages - file_end) as usize])?;
    }
    if prot & WRITE == 0 && pages > start {
        memory.change().protect(start..pages, prot)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF for riscv64 that a host's own becomes by its machine's number alone.
    fn specimen() -> Vec<u8> {
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        bytes.truncate(1 << 20);
        bytes[18..20].copy_from_slice(&elf::EM_RISCV.0.to_le_bytes());
        bytes
    }

    #[test]
    fn no_damaged_program_panics() {
        let memory = Memory::new().unwrap();
        let path = std::env::temp_dir().join(format!("hartwright-damaged-{}", std::process::id()));
        let whole = specimen();
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for round in 0..1500 {
            let mut bad = whole[..random(8192) + 8192].to_vec();
            for _ in 0..=round % 5 {
                // The headers are where damage matters.
                bad[random(900)] = [0, 1, 0x7f, 0x80, 0xff, round as u8][random(6)];
            }
            std::fs::write(&path, bad).unwrap();
            let _ = load(&memory, &path, Path::new("/nonexistent"));
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_none_of_ours_is_told_apart() {
        let memory = Memory::new().unwrap();
        let loaded = |path: &str| load(&memory, Path::new(path), Path::new("/nonexistent"));
        assert_eq!(loaded("/nonexistent"), Err(Error::Errno(libc::ENOENT)));
        assert_eq!(loaded("/"), Err(Error::Errno(libc::ENOEXEC)));
        assert_eq!(loaded("/dev/null"), Err(Error::Errno(libc::ENOEXEC)));
        assert_eq!(loaded("/proc/self/exe"), Err(Error::Foreign("/proc/self/exe".into())));
    }
}
