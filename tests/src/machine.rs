//! A running machine: say something, wait for an answer, see it end.

use crate::{MONITOR, Transcript, seconds};
use regex::Regex;
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::tcgetattr,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What stands behind the program's standard input and output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// Two pipes, as under a script.
    Pipes,
    /// A terminal, as under a person.
    Terminal,
    /// A socket at which the program listens; its standard streams are only heard.
    Socket(PathBuf),
}

/// A running program and its console; it is killed when it goes out of scope.
pub struct Machine {
    child: Child,
    shown: String,
    input: Option<Box<dyn Write + Send>>,
    terminal: Option<File>,
    /// The terminal's settings before the program ran.
    before: Option<String>,
    transcript: Transcript,
    limit: Duration,
}

impl Machine {
    /// Starts `command` with its console wired as `wiring` says.
    #[track_caller]
    pub(crate) fn start(mut command: Command, wiring: Wiring) -> Machine {
        let shown = format!("{command:?}");
        let master = match &wiring {
            Wiring::Pipes | Wiring::Socket(_) => {
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                None
            }
            Wiring::Terminal => Some(wire_terminal(&mut command).expect("the host has a terminal to spare")),
        };
        let before = master.as_ref().and_then(settings);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        // The command holds our copies of the terminal's other side, without which reading would never end.
        drop(command);
        let transcript = Transcript::default();
        let input: Box<dyn Write + Send> = match &master {
            Some(master) => {
                transcript.follow(master.try_clone().expect("a descriptor can be copied"));
                Box::new(master.try_clone().expect("a descriptor can be copied"))
            }
            None => {
                transcript.follow(child.stdout.take().expect("standard output is a pipe"));
                transcript.follow(child.stderr.take().expect("standard error is a pipe"));
                Box::new(child.stdin.take().expect("standard input is a pipe"))
            }
        };
        let input = match &wiring {
            Wiring::Socket(path) => {
                let socket = connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                transcript.follow(socket.try_clone().expect("a descriptor can be copied"));
                Box::new(socket)
            }
            Wiring::Pipes | Wiring::Terminal => input,
        };
        Machine { child, shown, input: Some(input), terminal: master, before, transcript, limit: seconds(60) }
    }

    /// How long each later expectation waits (times `$HARTWRIGHT_PATIENCE`); a minute at first.
    pub fn patience(&mut self, limit: u64) -> &mut Machine {
        self.limit = seconds(limit);
        self
    }

    /// Sends `text` as typed.
    #[track_caller]
    pub fn send(&mut self, text: &str) -> &mut Machine {
        self.send_bytes(text.as_bytes())
    }

    /// Sends `bytes` as they are.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) -> &mut Machine {
        let sent = self.input.as_mut().map(|input| input.write_all(bytes).and_then(|()| input.flush()));
        match sent {
            Some(Ok(())) => self,
            Some(Err(error)) => self.fail(&format!("the console takes no input: {error}")),
            None => self.fail("the console's input was taken away"),
        }
    }

    /// Takes the console's input away from the machine, to feed it from another thread.
    pub fn take_input(&mut self) -> Option<Box<dyn Write + Send>> {
        self.input.take()
    }

    /// Waits for `text`.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Machine {
        self.expect_before(text);
        self
    }

    /// Waits for `text`; answers what came before it.
    #[track_caller]
    pub fn expect_before(&mut self, text: &str) -> String {
        match self.transcript.until(text, self.limit) {
            Ok(before) => before,
            Err(why) => self.fail(&why),
        }
    }

    /// Waits for a match of `pattern`; answers its groups, the whole match first.
    #[track_caller]
    pub fn expect_match(&mut self, pattern: &str) -> Vec<String> {
        let pattern = Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"));
        match self.transcript.until_match(&pattern, self.limit) {
            Ok(groups) => groups,
            Err(why) => self.fail(&why),
        }
    }

    /// Types `line` and Enter; answers what came between its echo and the next `prompt`.
    #[track_caller]
    pub fn ask(&mut self, line: &str, prompt: &str) -> String {
        self.send(line).send("\r").expect(line).expect_before(prompt)
    }

    /// Goes from the console to the emulator's monitor, which has not been visited before.
    #[track_caller]
    pub fn enter_monitor(&mut self) -> &mut Machine {
        self.send("\u{1}c").expect(MONITOR)
    }

    /// Sends the program the signal that asks it to end.
    #[track_caller]
    pub fn terminate(&mut self) -> &mut Machine {
        let process = Pid::from_child(&self.child);
        match kill_process(process, Signal::TERM) {
            Ok(()) => self,
            Err(error) => self.fail(&format!("it cannot be signalled: {error}")),
        }
    }

    /// Waits for the program to end by itself; answers its exit code.
    #[track_caller]
    pub fn wait_exit(&mut self) -> i32 {
        let deadline = Instant::now() + self.limit;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.transcript.until_end(seconds(5));
                    return status.code().unwrap_or_else(|| self.fail(&format!("it died: {status}")));
                }
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(error) => self.fail(&format!("it cannot be waited for: {error}")),
            }
        }
        self.fail(&format!("it did not end within {} s", self.limit.as_secs()))
    }

    /// Everything the console has said.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The program's process number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The names of the program's host threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.map(|name| name.trim_end().to_owned()).collect()
    }

    /// Whether the terminal's settings are those from before the program ran.
    #[track_caller]
    pub fn terminal_is_as_before(&mut self) -> bool {
        match self.terminal.as_ref().and_then(settings) {
            Some(now) => Some(now) == self.before,
            None => self.fail("its console is no terminal"),
        }
    }

    /// Ends the test with `why`, the command line and the end of the transcript.
    #[track_caller]
    pub fn fail(&mut self, why: &str) -> ! {
        let state = match self.child.try_wait() {
            Ok(Some(status)) => format!("it has ended: {status}"),
            _ => "it still runs".into(),
        };
        panic!("{why}\n  {}\n  {state}\n{}", self.shown, self.transcript.tail(40))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects to the socket at `path`, which the program may not have made yet.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let deadline = Instant::now() + seconds(30);
    loop {
        match UnixStream::connect(path) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
            connected => return connected,
        }
    }
}

/// All that can be set of a terminal, as text to be compared.
fn settings(terminal: &File) -> Option<String> {
    tcgetattr(terminal).ok().map(|settings| format!("{settings:?}"))
}

/// Gives `command` a new terminal for all three standard streams; answers its master side.
fn wire_terminal(command: &mut Command) -> rustix::io::Result<File> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let other = File::from(ioctl_tiocgptpeer(&master, flags)?);
    let copy = || other.try_clone().map(Stdio::from).map_err(|_| rustix::io::Errno::MFILE);
    command.stdin(copy()?).stdout(copy()?).stderr(copy()?);
    Ok(master.into())
}
