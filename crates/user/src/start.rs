//! From a command line to a running process.

use crate::{
    errno::Failure,
    host,
    load::{self, Error},
    maps::{EXEC, READ, WRITE, whole_pages},
    memory::{Memory, Request},
    names::error_text,
    options::{Face, Options},
    process::{Brk, Log, Process},
    signals::Actions,
    stack,
    stop::Threads,
    thread::{self, Registers},
};
use hartwright_exec::{Trace, Tracing};
use hartwright_isa::cpu::{CpuModel, MODELS};
use hartwright_mem::PAGE;
use hartwright_wire::Entropy;
use std::{
    ffi::{CString, OsString},
    fs::OpenOptions,
    os::{
        fd::IntoRawFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};

/// Why nothing ran.
pub(crate) struct Unable {
    /// What is said.
    pub(crate) text: String,
    /// The exit status.
    pub(crate) status: u8,
}

/// The status for a program that is none of ours.
const FOREIGN: u8 = 255;

fn unable(text: String) -> Unable {
    Unable { text, status: 1 }
}

/// Runs the program until its main thread ends the process; returns only if it cannot be run.
pub(crate) fn run(face: &Face, options: Options) -> Unable {
    let process = match prepare(face, options) {
        Ok(prepared) => prepared,
        Err(unable) => return unable,
    };
    let (process, registers) = process;
    let mask = host::set_mask(crate::signals::ALL);
    let status = thread::run(process, registers, mask, 0, || {});
    // The other threads go on; the last one's end is the process's.
    // SAFETY: it ends the thread, whose guest is gone.
    let _ = unsafe { host::call(libc::SYS_exit, &[status as u64]) };
    unable("the host does not end threads".into())
}

fn prepare(face: &Face, options: Options) -> Result<(Arc<Process>, Registers), Unable> {
    let model = model(&face.program, &options.cpu)?;
    let log = log(face, &options)?;
    let trace = trace(&options, log.fd);
    let memory = Arc::new(Memory::new().map_err(|why| unable(format!("{}: {why}", face.who)))?);
    let path = PathBuf::from(&options.program);
    let program = load::load(&memory, &path, &options.prefix).map_err(|error| told(face, &path, error))?;
    let failed = |failure: Failure| {
        let errno = if let Failure::Errno(errno) = failure { errno } else { libc::EIO };
        told(face, &path, Error::Errno(errno))
    };
    let args: Vec<Vec<u8>> = [options.argv0.clone().unwrap_or_else(|| options.program.clone())]
        .into_iter()
        .chain(options.args.iter().cloned())
        .map(OsString::into_vec)
        .collect();
    let contents = stack::Contents {
        size: options.stack,
        args: &args,
        env: &environment(&options),
        path: &options.program,
        program: &program,
        hwcap: hwcap(&model),
        random: random(options.seed),
    };
    let (sp, auxv) = stack::build(&memory, &contents).map_err(failed)?;
    let trampoline = trampoline(&memory).map_err(failed)?;
    let brk = whole_pages(program.end).unwrap_or(program.end);
    let exe = path.canonicalize().unwrap_or(path.clone()).into_os_string().into_vec();
    let mut registers = Registers {
        pc: program.interpreter.map_or(program.entry, |(_, entry)| entry),
        ..Registers::default()
    };
    registers.x[2] = sp;
    let prefix = options.prefix.canonicalize().ok().filter(|prefix| prefix.is_dir());
    let process = Process {
        who: face.who,
        prefix: prefix.and_then(|prefix| CString::new(prefix.into_os_string().into_vec()).ok()),
        memory,
        threads: Threads::default(),
        actions: Actions::inherited(),
        brk: Mutex::new(Brk { start: brk, end: brk }),
        trampoline,
        exe: CString::new(exe).unwrap_or_default(),
        cmdline: args.iter().flat_map(|arg| arg.iter().copied().chain([0])).collect(),
        auxv,
        model,
        born: Instant::now(),
        log,
        trace,
        options,
    };
    Ok((Arc::new(process), registers))
}

/// The guest's processor: what `-cpu` names, without what only an operating system sees.
fn model(program: &str, cpu: &str) -> Result<CpuModel, Unable> {
    let (name, properties) = cpu.split_once(',').unwrap_or((cpu, ""));
    if name == "help" || name == "?" {
        let names: Vec<_> = MODELS.iter().filter(|model| model.xlen == 64).map(|model| model.name).collect();
        return Err(Unable { text: format!("Available CPUs:\n  {}", names.join("\n  ")), status: 0 });
    }
    let known = CpuModel::find(name).filter(|model| model.xlen == 64);
    let known = known.ok_or_else(|| unable(format!("{program}: unable to find CPU model '{name}'")))?;
    let mut switched = vec![];
    for property in properties.split(',').filter(|property| !property.is_empty()) {
        let (name, value) = property.split_once('=').unwrap_or((property, "on"));
        let on = match value {
            "on" | "true" | "yes" | "y" => true,
            "off" | "false" | "no" | "n" => false,
            _ => return Err(unable(format!("{program}: -cpu {cpu}: '{name}' is on or off, not '{value}'"))),
        };
        switched.push((name, on));
    }
    let mut model = known.with(switched).map_err(|why| unable(format!("{program}: -cpu {cpu}: {why}")))?;
    // With no entry there is nothing that PMP forbids.
    model.pmp_entries = 0;
    Ok(model)
}

/// `AT_HWCAP`: the letters of the ISA string that Linux tells of, A being bit 0.
fn hwcap(model: &CpuModel) -> u64 {
    let letters = b"imafdcv".iter().map(|letter| 1 << (letter - b'a'));
    model.misa() as u64 & letters.sum::<u64>()
}

fn told(face: &Face, path: &std::path::Path, error: Error) -> Unable {
    let Face { program, .. } = face;
    let path = path.display();
    match error {
        Error::Errno(errno) => unable(format!("Error while loading {path}: {}", error_text(errno))),
        Error::Foreign(path) => Unable {
            text: format!("{program}: {}: Invalid ELF image for this architecture", path.display()),
            status: FOREIGN,
        },
        Error::Interpreter(name, errno) => Unable {
            text: format!("{program}: Could not open '{name}': {}", error_text(errno)),
            status: FOREIGN,
        },
        Error::Bad(path, why) => {
            Unable { text: format!("{program}: {}: {why}", path.display()), status: FOREIGN }
        }
    }
}

/// The guest's environment: ours, with what the options change; the last change of a name counts.
fn environment(options: &Options) -> Vec<Vec<u8>> {
    let changed = |name: &OsString| options.env.iter().any(|(other, _)| other == name);
    let kept = std::env::vars_os().filter(|(name, _)| !changed(name));
    let last = |at: usize, name: &OsString| !options.env[at + 1..].iter().any(|(other, _)| other == name);
    let set = options.env.iter().enumerate().filter(|(at, (name, _))| last(*at, name));
    let set = set.filter_map(|(_, (name, value))| Some((name.clone(), value.clone()?)));
    kept.chain(set).map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect()
}

fn random(seed: Option<u64>) -> [u8; 16] {
    let mut bytes = [0; 16];
    match seed {
        Some(seed) => Entropy::seeded(seed).fill(&mut bytes),
        None => {
            // SAFETY: the buffer is as long as is said. Without random numbers zeros have to do.
            unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        }
    }
    bytes
}

/// Maps the page that signal handlers return to, where Linux has its vDSO: `li a7, 139; ecall`.
fn trampoline(memory: &Memory) -> Result<u64, Failure> {
    const CODE: [u32; 2] = [0x08b0_0893, 0x0000_0073];
    let start = memory.change().place(0, PAGE)?;
    let (range, flags) = (start..start + PAGE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let name = Some("[vdso]".into());
    memory.change().map(Request { range: range.clone(), prot: READ | WRITE, flags, file: None, name })?;
    let code: Vec<u8> = CODE.iter().flat_map(|word| word.to_le_bytes()).collect();
    memory.write(start, &code)?;
    memory.change().protect(range, READ | EXEC)?;
    Ok(start)
}

fn log(face: &Face, options: &Options) -> Result<Log, Unable> {
    let has = |item: &str| options.log.iter().any(|other| other == item);
    let fd = match &options.log_file {
        None => libc::STDERR_FILENO,
        Some(path) => {
            let opened = OpenOptions::new().write(true).create(true).truncate(true).open(path);
            opened.map_err(|e| unable(format!("{}: -D {path}: {e}", face.program)))?.into_raw_fd()
        }
    };
    Ok(Log::new(has("strace"), has("unimp"), fd))
}

fn trace(options: &Options, fd: i32) -> Trace {
    const ITEMS: [(&str, Tracing); 4] =
        [("in_asm", Tracing::IN_ASM), ("exec", Tracing::EXEC), ("int", Tracing::INT), ("cpu", Tracing::CPU)];
    let trace = Trace::default();
    let asked = ITEMS.iter().filter(|(name, _)| options.log.iter().any(|item| item == name));
    trace.set_mask(asked.fold(0, |mask, (_, item)| mask | item.0));
    trace.set_writer(move |text| host::write(fd, text.as_bytes()));
    trace
}
