//! Starting the program under test, by its options.

use crate::{Machine, Wiring, peer, seconds};
use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Instant,
};
use xtask::cache::Cache;

/// A command line in the making.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    called: Option<String>,
    arguments: Vec<OsString>,
}

/// How a run that needs nobody's attention ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub output: String,
    /// What it wrote to standard error.
    pub errors: String,
}

impl Launch {
    /// The program with no options at all.
    #[track_caller]
    pub fn program() -> Launch {
        Launch { program: program(), called: None, arguments: Vec::new() }
    }

    /// Another program, to compare with.
    pub fn of(program: PathBuf) -> Launch {
        Launch { program, called: None, arguments: Vec::new() }
    }

    /// Our `param`, or the peer's `virt`, with its console on standard input and output.
    #[track_caller]
    pub fn machine() -> Launch {
        let name = if peer().is_some() { "virt" } else { "param" };
        Launch::program().option("-machine", name).argument("-nographic")
    }

    /// Lets the program find itself under another name, as through a link.
    pub fn called(mut self, name: &str) -> Launch {
        self.called = Some(name.to_owned());
        self
    }

    /// `-m SIZE`, such as `512M`.
    pub fn memory(self, size: &str) -> Launch {
        self.option("-m", size)
    }

    /// `-smp HARTS`.
    pub fn harts(self, harts: u32) -> Launch {
        self.option("-smp", harts.to_string())
    }

    /// `-bios FILE`.
    pub fn bios(self, file: impl AsRef<OsStr>) -> Launch {
        self.option("-bios", file)
    }

    /// `-kernel FILE`.
    pub fn kernel(self, file: impl AsRef<OsStr>) -> Launch {
        self.option("-kernel", file)
    }

    /// `-initrd FILE`.
    pub fn initrd(self, file: impl AsRef<OsStr>) -> Launch {
        self.option("-initrd", file)
    }

    /// `-append LINE`.
    pub fn append(self, line: &str) -> Launch {
        self.option("-append", line)
    }

    /// Any option with its value.
    pub fn option(self, flag: &str, value: impl AsRef<OsStr>) -> Launch {
        self.argument(flag).argument(value)
    }

    /// Any single word.
    pub fn argument(mut self, word: impl AsRef<OsStr>) -> Launch {
        self.arguments.push(word.as_ref().to_owned());
        self
    }

    /// Starts it with its console on pipes.
    #[track_caller]
    pub fn start(self) -> Machine {
        Machine::start(self.command(), Wiring::Pipes)
    }

    /// Starts it with its console on a terminal, as a person sees it.
    #[track_caller]
    pub fn start_on_terminal(self) -> Machine {
        Machine::start(self.command(), Wiring::Terminal)
    }

    /// Starts it with its console on a socket; it waits for us to connect before it runs.
    #[track_caller]
    pub fn start_on_socket(self) -> Machine {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("hartwright-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let chardev = format!("socket,id=console,path={},server=on,wait=on", path.display());
        let launch =
            self.option("-chardev", chardev).option("-serial", "chardev:console").option("-monitor", "none");
        Machine::start(launch.command(), Wiring::Socket(path))
    }

    /// Runs it to its end without input; fails when it takes longer than a minute.
    #[track_caller]
    pub fn run(self) -> Outcome {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let id = child.id().to_string();
        let limit = Instant::now() + seconds(60);
        let ending = thread::spawn(move || child.wait_with_output());
        while !ending.is_finished() {
            if Instant::now() > limit {
                let _ = Command::new("kill").args(["-9", &id]).status();
                panic!("{command:?} did not end within a minute");
            }
            thread::sleep(std::time::Duration::from_millis(5));
        }
        let ended = ending.join().expect("waiting does not panic").unwrap_or_else(|error| panic!("{error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome { code: ended.status.code(), output: text(&ended.stdout), errors: text(&ended.stderr) }
    }

    /// The command line as it stands.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(name) = &self.called {
            command.arg0(name);
        }
        command.args(&self.arguments);
        command
    }
}

/// The program under test.
#[track_caller]
fn program() -> PathBuf {
    match peer().as_deref() {
        Some("qemu") => return "qemu-system-riscv64".into(),
        Some("qemu-11") => {
            return Cache::of_user().map(|cache| cache.root().join("bin/qemu-system-riscv64-11")).unwrap();
        }
        Some(other) => panic!("HARTWRIGHT_PEER={other}: it may be qemu or qemu-11"),
        None => {}
    }
    if let Some(program) = std::env::var_os("HARTWRIGHT_BIN") {
        return program.into();
    }
    // Tests run as target/PROFILE/deps/NAME; the program is target/PROFILE/hartwright.
    let own = std::env::current_exe().expect("a test knows its own path");
    let built = own.ancestors().nth(2).map(|profile| profile.join("hartwright"));
    match built.filter(|program| program.exists()) {
        Some(program) => program,
        None => panic!("hartwright is not built: run `cargo xtask test machines`, or set HARTWRIGHT_BIN"),
    }
}
