//! What a machine runs in: host ends of its ports, the log, the process's number on file, and the ways to end.

use std::{
    fs::File,
    io::{self, LineWriter, Write},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hartwright_backend::{Backends, Notice, Role, Settings, Told, reason, tty};
use hartwright_device::CharPort;

use crate::{Config, Failure, HostSignal, PlannedChardev, Program, flags::in_vain, signals};

/// What reaches a running machine from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The user typed the escape key and `x`.
    Quit,
    /// Something on the host did not work, and will be tried again.
    Warning(String),
    /// A signal asks us to end. Its message is to be said; the exit code is 0.
    Signal(HostSignal),
}

/// The surroundings of one machine, open and ready.
pub struct Host {
    /// The host ends; `infos` of it is what `info chardev` shows.
    pub backends: Backends,
    /// What happens outside, in order.
    pub events: Receiver<HostEvent>,
    /// The serial ports' ends, by number; `None` for `-serial none`.
    pub serials: Vec<Option<CharPort>>,
    /// The monitors' ends.
    pub monitors: Vec<CharPort>,
    /// The debugger's end.
    pub gdb: Option<CharPort>,
    /// Where the log goes.
    pub log: Box<dyn Write + Send>,
    pidfile: Option<Pidfile>,
}

/// How long the host may take nothing before waiting output is given up, at the end.
const STALL: Duration = Duration::from_secs(5);

impl Host {
    /// Opens everything; input waits for `backends.release()`. From here on signals come as events; a second one
    /// ends us at once.
    ///
    /// # Errors
    /// Something cannot be opened; what was open is closed again.
    pub fn prepare(config: &Config) -> Result<Host, Failure> {
        if let Some(name) = &config.process_name {
            take_name(name)?;
        }
        let log = open_log(config.log.file.as_deref())?;
        let (sender, events) = mpsc::channel();
        let settings = Settings { escape: config.escape, program: config.program.actor().into() };
        let quit = sender.clone();
        let notify = move |notice| {
            // When nobody listens any more, the end is on its way already.
            let _ = quit.send(match notice {
                Notice::Quit => HostEvent::Quit,
                Notice::Warning(words) => HostEvent::Warning(words),
            });
        };
        let backends = Backends::start(settings, notify)
            .map_err(|error| Failure::new(format!("the event loop cannot start: {}", reason(&error))))?;
        // A key to the monitor may have been pressed before there is one.
        backends.hold();
        for planned in &config.chardevs {
            open(&backends, planned, config)?;
        }
        let attach = |id: &str, role| {
            let port = CharPort::default();
            backends.attach(id, port.clone(), role).map_err(|refusal| {
                let planned = config.chardevs.iter().find(|planned| planned.spec.id == id);
                Failure {
                    option: planned.and_then(|planned| planned.option.clone()),
                    ..Failure::from(refusal)
                }
            })?;
            Ok::<_, Failure>(port)
        };
        let serial = |id: &Option<String>| id.as_deref().map(|id| attach(id, Role::Serial)).transpose();
        let serials = config.serials.iter().map(serial).collect::<Result<_, _>>()?;
        let monitors = config.monitors.iter().map(|monitor| attach(&monitor.chardev, Role::Monitor));
        let monitors = monitors.collect::<Result<_, _>>()?;
        let gdb = config.gdb.as_deref().map(|id| attach(id, Role::Debugger)).transpose()?;
        let pidfile = config.pidfile.as_deref().map(Pidfile::write).transpose()?;
        forward_signals(config, sender);
        Ok(Host { backends, events, serials, monitors, gdb, log, pidfile })
    }

    /// Gives waiting output to the host, closes everything, and gives the terminal back.
    pub fn finish(mut self) {
        self.backends.finish(STALL);
        tty::restore();
        // The machine has run: a log that cannot be completed changes nothing any more.
        let _ = self.log.flush();
        drop(self.pidfile.take());
    }
}

fn open(backends: &Backends, planned: &PlannedChardev, config: &Config) -> Result<(), Failure> {
    let option = planned.option.as_deref().unwrap_or("-nographic");
    let tell = |told: Told<'_>| match told {
        Told::Waiting(words) => report(config, &format!("{option}: {words}")),
        // Nobody may be reading.
        Told::Redirected(line) => drop(writeln!(io::stdout(), "{line}")),
    };
    backends.add(&planned.spec, &tell).map_err(|refusal| match planned.role {
        role @ ("serial" | "parallel") => in_vain(option, role, &planned.text, &refusal),
        _ => Failure::of(option, refusal),
    })
}

/// What `ps` shows of us: the name of the thread that calls this, which is the first one.
fn take_name(name: &str) -> Result<(), Failure> {
    let refused = |why: &str| Failure::new(format!("the process cannot be called '{name}': {why}"));
    let name = std::ffi::CString::new(name).map_err(|_| refused("it has a NUL"))?;
    rustix::thread::set_name(&name).map_err(|error| refused(&reason(&error.into())))
}

fn open_log(path: Option<&Path>) -> Result<Box<dyn Write + Send>, Failure> {
    let Some(path) = path else { return Ok(Box::new(io::stderr())) };
    let file = File::create(path).map_err(|error| {
        Failure::new(format!("Error opening logfile {}: {}", path.display(), reason(&error)))
    })?;
    Ok(Box::new(LineWriter::new(file)))
}

fn forward_signals(config: &Config, sender: Sender<HostEvent>) {
    let program = config.program.clone();
    let asked = std::sync::atomic::AtomicBool::new(false);
    signals::on_terminate(move |signal| {
        let again = asked.swap(true, std::sync::atomic::Ordering::Relaxed);
        if again || sender.send(HostEvent::Signal(signal.clone())).is_err() {
            leave_now(&program, &signal);
        }
    });
}

/// Ends the process on a signal without more ado.
pub(crate) fn leave_now(program: &Program, signal: &HostSignal) {
    tty::restore();
    let _ = writeln!(io::stderr(), "{}: {signal}", program.name);
    std::process::exit(0)
}

/// A message on standard error, in the form that `-msg` chose.
pub(crate) fn report(config: &Config, message: &str) {
    let mut line = String::new();
    if config.messages.timestamp {
        line.push_str(&timestamp(SystemTime::now()));
        line.push(' ');
    }
    if let (true, Some(name)) = (config.messages.guest_name, &config.name) {
        line.push_str(&format!("{name} "));
    }
    // Nobody may be reading.
    let _ = writeln!(io::stderr(), "{line}{}: {message}", config.program.name);
}

/// `2026-11-23T00:26:10.123456Z`
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", days + 1)
}

/// A file with our process's number; it goes when we do.
struct Pidfile(PathBuf);

impl Pidfile {
    fn write(path: &Path) -> Result<Pidfile, Failure> {
        std::fs::write(path, format!("{}\n", std::process::id())).map_err(|error| {
            let why = format!("Could not create '{}': {}", path.display(), reason(&error));
            Failure::new(format!("cannot create PID file: {why}"))
        })?;
        Ok(Pidfile(path.to_owned()))
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_utc() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(at(1_795_393_570), "2026-11-23T00:26:10.000000Z");
    }
}
