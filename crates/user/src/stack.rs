//! A new process's stack: arguments, environment and auxiliary vector, as Linux leaves them.

use crate::{
    errno::{Failure, refuse},
    load::Loaded,
    maps::{EXEC, READ, WRITE},
    memory::{Memory, Request, SIZE},
};
use hartwright_mem::PAGE;
use std::os::unix::ffi::OsStrExt;

/// What goes onto the stack.
pub(crate) struct Contents<'p> {
    /// Bytes the stack may grow to.
    pub(crate) size: u64,
    /// `argv`.
    pub(crate) args: &'p [Vec<u8>],
    /// `envp`.
    pub(crate) env: &'p [Vec<u8>],
    /// The program's path.
    pub(crate) path: &'p std::ffi::OsStr,
    /// The program.
    pub(crate) program: &'p Loaded,
    /// `AT_HWCAP`.
    pub(crate) hwcap: u64,
    /// `AT_RANDOM`'s bytes.
    pub(crate) random: [u8; 16],
}

/// Auxiliary vector's keys that libc does not name for every host.
const AT_MINSIGSTKSZ: u64 = 51;
/// What a signal needs of a stack: a frame.
const SIGNAL_STACK: u64 = 2048;

/// Maps the stack and fills it; gives the stack pointer, and the auxiliary vector's bytes.
///
/// # Errors
/// E2BIG if arguments and environment take more than a quarter of it, as on Linux; ENOMEM if there is no room.
pub(crate) fn build(memory: &Memory, contents: &Contents<'_>) -> Result<(u64, Vec<u8>), Failure> {
    let Contents { size, args, env, path, program, hwcap, random } = contents;
    let top = SIZE - PAGE;
    let size = size.checked_next_multiple_of(PAGE).filter(|size| *size < SIZE / 2).ok_or(libc::ENOMEM)?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let range = top - size..top;
    let name = Some("[stack]".into());
    let prot = READ | WRITE | if program.stack_runs { EXEC } else { 0 };
    memory.change().map(Request { range, prot, flags, file: None, name })?;

    let strings: usize = args.iter().chain(*env).map(|string| string.len() + 1 + 8).sum();
    // Linux's limit for what it copies, and room to begin with.
    if strings as u64 > (size / 4 * 3).max(size.saturating_sub(32 * PAGE)) {
        return refuse(libc::E2BIG);
    }
    let mut sp = top - 8;
    let mut put = |bytes: &[u8], nul: bool| -> Result<u64, Failure> {
        sp -= bytes.len() as u64 + u64::from(nul);
        memory.write(sp, bytes).map(|()| sp)
    };
    let path = put(path.as_bytes(), true)?;
    let random = put(random, false)?;
    let env: Vec<u64> = env.iter().rev().map(|string| put(string, true)).collect::<Result<_, _>>()?;
    let args: Vec<u64> = args.iter().rev().map(|string| put(string, true)).collect::<Result<_, _>>()?;

    // SAFETY: these ask for numbers.
    let [uid, euid, gid, egid] =
        unsafe { [libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()] }.map(u64::from);
    let aux: [(u64, u64); 18] = [
        (libc::AT_PHDR, program.headers),
        (libc::AT_PHENT, 56),
        (libc::AT_PHNUM, program.header_count),
        (libc::AT_PAGESZ, PAGE),
        (libc::AT_BASE, program.interpreter.map_or(0, |(base, _)| base)),
        (libc::AT_FLAGS, 0),
        (libc::AT_ENTRY, program.entry),
        (libc::AT_UID, uid),
        (libc::AT_EUID, euid),
        (libc::AT_GID, gid),
        (libc::AT_EGID, egid),
        (libc::AT_HWCAP, *hwcap),
        (libc::AT_CLKTCK, 100),
        (libc::AT_SECURE, 0),
        (libc::AT_RANDOM, random),
        (libc::AT_EXECFN, path),
        (AT_MINSIGSTKSZ, SIGNAL_STACK),
        (libc::AT_NULL, 0),
    ];
    let aux: Vec<u8> =
        aux.iter().flat_map(|(key, value)| [*key, *value]).flat_map(u64::to_le_bytes).collect();

    let lists = [args.iter().rev(), env.iter().rev()].map(|list| list.copied().chain([0]));
    let mut words: Vec<u8> = (args.len() as u64).to_le_bytes().to_vec();
    words.extend(lists.into_iter().flatten().flat_map(u64::to_le_bytes));
    words.extend(&aux);
    let sp = (sp - words.len() as u64) & !15;
    memory.write(sp, &words)?;
    Ok((sp, aux))
}
