//! Linux user mode: runs riscv64 programs on the host's kernel.
//!
//! A guest thread is a host thread, a guest address is a host address less a base, a guest signal is a host signal.
//! `calls` has a row for each system call; `thread` is the loop around guest code; `memory` says what may be
//! accessed. The engine is `exec`'s, the same that runs machines.

#![expect(unsafe_code, reason = "guest memory is mapped and host calls are made on the guest's behalf")]

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("user mode makes its host calls in x86-64 Linux's way");

mod calls;
mod errno;
mod exec;
mod frame;
mod host;
mod load;
mod maps;
mod memory;
mod names;
mod options;
mod proc;
mod process;
mod signals;
mod spawn;
mod stack;
mod start;
mod stop;
mod strace;
mod thread;

use options::{Asked, Face};
use std::{ffi::OsString, process::ExitCode};

/// The program: `args` are all words of the command line. Returns if no guest program ran to its end.
pub fn main_with(args: Vec<OsString>) -> ExitCode {
    end_on_panic();
    let face = Face::new(args.first());
    match options::read(&face, args, |name| std::env::var_os(name)) {
        Ok(Asked::Run(options)) => {
            let failure = start::run(&face, *options);
            host::write(libc::STDERR_FILENO, format!("{}\n", failure.text).as_bytes());
            ExitCode::from(failure.status)
        }
        Ok(Asked::Text(text)) => {
            host::write(libc::STDOUT_FILENO, text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(text) => {
            host::write(libc::STDERR_FILENO, format!("{text}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Has a panic of any thread end the process: a guest's threads wait for each other.
fn end_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        // As Rust has it.
        std::process::exit(101);
    }));
}
