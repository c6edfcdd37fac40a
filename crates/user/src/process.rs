//! What the threads of a guest process have in common.

use crate::{
    host,
    memory::Memory,
    options::Options,
    signals::Actions,
    stop::{Threads, lock},
};
use hartwright_exec::Trace;
use hartwright_isa::cpu::CpuModel;
use std::{
    collections::BTreeSet,
    ffi::CString,
    sync::{Arc, Mutex},
    time::Instant,
};

/// A guest process.
pub(crate) struct Process {
    /// Who speaks in messages.
    pub(crate) who: &'static str,
    /// What the command line said.
    pub(crate) options: Options,
    /// Where files are looked for first, if there is such a directory.
    pub(crate) prefix: Option<CString>,
    /// Its memory.
    pub(crate) memory: Arc<Memory>,
    /// Its threads.
    pub(crate) threads: Threads,
    /// What it does about signals.
    pub(crate) actions: Actions,
    /// Its heap.
    pub(crate) brk: Mutex<Brk>,
    /// Where handlers of signals return to.
    pub(crate) trampoline: u64,
    /// The absolute path of its program.
    pub(crate) exe: CString,
    /// Its arguments, each with its NUL.
    pub(crate) cmdline: Vec<u8>,
    /// Its auxiliary vector.
    pub(crate) auxv: Vec<u8>,
    /// What its harts are.
    pub(crate) model: CpuModel,
    /// Time 0 of its `time`.
    pub(crate) born: Instant,
    /// What is to be told.
    pub(crate) log: Log,
    /// What harts tell.
    pub(crate) trace: Trace,
}

/// The heap: `brk`.
pub(crate) struct Brk {
    /// Its first address.
    pub(crate) start: u64,
    /// The address after its last byte.
    pub(crate) end: u64,
}

/// What `-strace` and `-d` tell, and where.
#[derive(Default)]
pub(crate) struct Log {
    /// Every call and signal.
    pub(crate) strace: bool,
    /// What is not there.
    pub(crate) unimp: bool,
    /// Where to: a descriptor.
    pub(crate) fd: i32,
    /// Numbers of calls that were refused and told.
    refused: Mutex<BTreeSet<u64>>,
}

impl Log {
    /// A log to descriptor `fd`.
    pub(crate) fn new(strace: bool, unimp: bool, fd: i32) -> Self {
        Log { strace, unimp, fd, refused: Mutex::default() }
    }

    /// Notes a call that is refused because it is not there; it is told the first time.
    pub(crate) fn refused(&self, number: u64, name: Option<&str>) {
        if self.unimp && lock(&self.refused).insert(number) {
            let name = name.map_or_else(String::new, |name| format!(" ({name})"));
            self.write(&format!("Unsupported syscall: {number}{name}\n"));
        }
    }

    /// Writes text.
    pub(crate) fn write(&self, text: &str) {
        host::write(self.fd, text.as_bytes());
    }
}

impl Process {
    /// Says something to whoever started it.
    pub(crate) fn say(&self, text: &str) {
        host::write(libc::STDERR_FILENO, text.as_bytes());
    }
}
