//! From the words of the command line to an exit code.

use std::{
    collections::HashMap,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use hartwright_backend::{Ends as HostEnds, Role, reason, tty};
use hartwright_device::{CharPort, Power, Request, log};
use hartwright_event::Inherited;
use hartwright_machine::Outside as Ends;
use hartwright_mem::Access;
use hartwright_monitor::Outside;

use crate::{
    Built, Config, Disks, Failure, Host, HostEvent, LogItem, Outcome, Program,
    assemble::{assemble, named_chardevs},
    chores::chore,
    disks, entropy,
    host::{self, report},
    parse, resolve,
    semihosting::CONSOLE,
    signals, watching,
};

/// The whole program, but for its arguments. An option of `defaults` is as if it stood first.
pub fn main_with(defaults: &[&str], words: impl IntoIterator<Item = OsString>) -> ExitCode {
    Inherited::note();
    // While there is one thread the host need not wait for others.
    hartwright_mem::sees_stores();
    let mut words = words.into_iter();
    let argv0 = words.next().map(|word| word.to_string_lossy().into_owned());
    let program = Program::new(argv0.as_deref());
    let words: Vec<OsString> = words.collect();
    let texts: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(outcome) = chore(&program, &texts) {
        return end(&program, outcome);
    }
    end_on_panic();
    if let Err(error) = watch_signals(&program) {
        return end(
            &program,
            Outcome::Fail(Failure::new(format!("signals cannot be had: {}", reason(&error)))),
        );
    }
    let words = defaults.iter().map(OsString::from).chain(words);
    let config = parse(&program, words).and_then(|asked| {
        for warning in &asked.warnings {
            say(&format!("{}: {warning}\n", program.name));
        }
        resolve(&program, asked)
    });
    match config {
        Ok(config) => run(config),
        Err(outcome) => end(&program, outcome),
    }
}

/// Runs the machine that `config` describes, to its end.
pub fn run(config: Config) -> ExitCode {
    match prepare(&config) {
        Ok(running) => ExitCode::from(running.live()),
        Err(outcome) => end(&config.program, outcome),
    }
}

/// A machine and all that is around it.
struct Running<'c> {
    config: &'c Config,
    host: Host,
    disks: Disks,
    built: Built,
    inbox: Receiver<Message>,
}

/// What the main loop acts on.
enum Message {
    Host(HostEvent),
    /// The guest asks.
    Guest(Request),
    /// A monitor asks.
    Reset,
    Quit,
}

/// What monitors can do to the program.
struct Around {
    outbox: Mutex<Sender<Message>>,
    ends: HostEnds,
    disks: String,
    log: watching::Writer,
}

impl Around {
    fn post(&self, message: Message) {
        // When nobody listens any more, the end is on its way already.
        let _ = self.outbox.lock().unwrap_or_else(PoisonError::into_inner).send(message);
    }
}

impl Outside for Around {
    fn reset(&self) {
        self.post(Message::Reset);
    }

    fn quit(&self) {
        self.post(Message::Quit);
    }

    fn give_up(&self) {
        self.post(Message::Guest(Request::Exit(1)));
    }

    fn power_down(&self) -> Result<(), String> {
        Err("this machine has no power button".into())
    }

    fn chardevs(&self) -> Vec<(String, String)> {
        self.ends.infos().into_iter().map(|info| (info.id, info.filename)).collect()
    }

    fn ring_read(&self, id: &str, size: usize) -> Result<Vec<u8>, String> {
        self.ends.ring_read(id, size).map_err(|refusal| refusal.message)
    }

    fn ring_write(&self, id: &str, bytes: &[u8]) -> Result<(), String> {
        self.ends.ring_write(id, bytes).map_err(|refusal| refusal.message)
    }

    fn send_break(&self, id: &str) -> Result<(), String> {
        self.ends.send_break(id).map_err(|refusal| refusal.message)
    }

    fn disks(&self) -> String {
        self.disks.clone()
    }

    fn log_to(&self, path: &str) -> Result<(), String> {
        watching::redirect(&self.log, path)
    }
}

fn prepare(config: &Config) -> Result<Running<'_>, Outcome> {
    let fail = |message: String| Outcome::Fail(Failure::new(message));
    let assembled = assemble(config)?;
    let disks = Disks::open(config).map_err(Outcome::Fail)?;
    let mut host = Host::prepare(config).map_err(Outcome::Fail)?;
    let built = (|| {
        assembled.plan.notes.iter().for_each(|note| report(config, note));
        let (trace, log) = watching::begin(config, &mut host, &assembled)?;
        let (outbox, inbox) = mpsc::channel();
        forward_host_events(&mut host, outbox.clone())?;
        let spec = &assembled.checked.spec;
        disks::refuse_homeless(config, spec).map_err(Outcome::Fail)?;
        let ends = ends(config, &host, &disks, spec, outbox.clone())?;

        let disks = disks::info(config, &disks, spec);
        let around = Around { outbox: Mutex::new(outbox), ends: host.backends.ends(), disks, log };
        let built = Built::new(config, assembled, &ends, trace, Box::new(around))?;
        let control = &built.control;
        if config.log.items.contains(&LogItem::Page) {
            control.trace.write(&watching::map(&built.machine.space));
        }
        for port in &host.monitors {
            let banner = config.program.monitor_banner();
            hartwright_monitor::start(port.clone(), control.clone(), &banner).map_err(fail)?;
        }
        if let Some(port) = &host.gdb {
            hartwright_gdb::start(port.clone(), control.clone(), built.debugger.clone()).map_err(fail)?;
        }
        Ok((built, inbox))
    })();
    match built {
        Ok((built, inbox)) => Ok(Running { config, host, disks, built, inbox }),
        Err(outcome) => {
            host.finish();
            Err(outcome)
        }
    }
}

/// Where host ends meet the machine's ports.
fn ends(
    config: &Config,
    host: &Host,
    disks: &Disks,
    spec: &hartwright_machine::MachineSpec,
    outbox: Sender<Message>,
) -> Result<Ends, Outcome> {
    let mut ports: HashMap<String, CharPort> = HashMap::new();
    for (number, port) in host.serials.iter().enumerate() {
        let name = format!("serial{number}");
        if spec.chardevs().all(|end| end != name) {
            report(config, &format!("warning: the machine has no device for serial port {number}"));
        }
        ports.extend(port.clone().map(|port| (name, port)));
    }
    for name in named_chardevs(spec) {
        if config.chardevs.iter().any(|planned| planned.spec.id == name) && !ports.contains_key(name) {
            let port = CharPort::default();
            let attached = host.backends.attach(name, port.clone(), Role::Serial);
            attached.map_err(|refusal| Outcome::Fail(Failure::from(refusal)))?;
            ports.insert(name.to_owned(), port);
        }
    }
    if let Some(id) = config.semihosting.as_ref().and_then(|asked| asked.option.chardev.as_deref()) {
        let port = CharPort::default();
        let attached = host.backends.attach(id, port.clone(), Role::Serial);
        attached.map_err(|refusal| Outcome::Fail(Failure::from(refusal)))?;
        ports.insert(CONSOLE.to_owned(), port);
    }
    let outbox = Mutex::new(outbox);
    let power = Power::new(move |request| {
        // When nobody listens any more, the end is on its way already.
        let _ = outbox.lock().unwrap_or_else(PoisonError::into_inner).send(Message::Guest(request));
    });
    let entropy = entropy::common(config);
    let sources = entropy::sources(config, &entropy).map_err(Outcome::Fail)?;
    let (day, epoch) = config.rtc.begin();
    Ok(Ends { ports, disks: disks.ports(), epoch, day, entropy, sources, power })
}

fn forward_host_events(host: &mut Host, outbox: Sender<Message>) -> Result<(), Outcome> {
    let (_, nothing) = mpsc::channel();
    let events = std::mem::replace(&mut host.events, nothing);
    let forward = move || events.iter().try_for_each(|event| outbox.send(Message::Host(event)));
    let thread = thread::Builder::new().name("host events".into()).spawn(forward);
    thread
        .map(drop)
        .map_err(|e| Outcome::Fail(Failure::new(format!("the host gives no thread: {}", reason(&e)))))
}

impl Running<'_> {
    /// Runs until somebody ends it; gives the exit code.
    fn live(self) -> u8 {
        self.host.backends.release();
        if !self.config.stopped {
            // A machine that has not begun can begin.
            let _ = self.built.control.cont();
        }
        let code = loop {
            let Ok(message) = self.inbox.recv() else { break 0 };
            match message {
                Message::Host(HostEvent::Quit) | Message::Quit => break 0,
                Message::Host(HostEvent::Warning(words)) => report(self.config, &words),
                Message::Host(HostEvent::Signal(signal)) => {
                    report(self.config, &signal.to_string());
                    break 0;
                }
                Message::Reset => self.built.reset(),
                Message::Guest(Request::Reset) if !self.config.no_reboot => self.built.reset(),
                Message::Guest(Request::Exit(code)) => break code,
                Message::Guest(_) if self.config.no_shutdown => self.built.control.shut_down(),
                Message::Guest(Request::Reset) => break 0,
                // The host keeps eight bits of it.
                Message::Guest(Request::Shutdown(code)) => break code as u8,
            }
        };
        self.built.control.stop();
        self.built.control.ended(code);
        if self.config.log.items.contains(&LogItem::Unmodelled) {
            self.tell_unmodelled();
        }
        if self.config.log.items.contains(&LogItem::Instret) {
            self.tell_instret();
        }
        if self.config.accel.checks() {
            self.tell_compared();
        }
        self.disks.finish(self.config);
        self.host.finish();
        code
    }

    /// `-d instret`: how many instructions each hart has retired since its reset.
    fn tell_instret(&self) {
        self.built.control.while_standing(|harts| {
            for number in 0..harts.len() {
                if let Some(count) = harts.with(number, |hart| hart.instret()) {
                    self.built.control.trace.write(&format!("instret: hart {number}: {count}\n"));
                }
            }
        });
    }

    /// `check=on`: how many instructions of each hart were compared, in all, for who wants to know what a silent end
    /// is worth.
    fn tell_compared(&self) {
        self.built.control.while_standing(|harts| {
            for number in 0..harts.len() {
                if let Some(count) = harts.with(number, |hart| hart.compared()) {
                    report(self.config, &format!("hart {number}: {count} instructions compared"));
                }
            }
        });
    }

    /// `-d unmodelled`: every access that hit nothing, with its first place in the guest's code.
    fn tell_unmodelled(&self) {
        for miss in self.built.machine.space.unmodelled().list() {
            let what = match miss.access {
                Access::Fetch => "fetch",
                Access::Load => "load",
                Access::Store => "store",
            };
            let symbol =
                self.built.plan.symbols.name(miss.pc).map_or(String::new(), |name| format!(" <{name}>"));
            self.built.control.trace.write(&format!(
                "unmodelled: {what} of {} bytes at {:#x}, {} times, first from pc {:#x}{symbol}\n",
                miss.size, miss.addr, miss.count, miss.pc
            ));
        }
        for (report, count) in log::counts() {
            self.built.control.trace.write(&format!(
                "unmodelled: {}: {} at offset {:#x}, {count} times\n",
                report.device, report.what, report.offset
            ));
        }
    }
}

/// The last words and the exit code.
pub(crate) fn end(program: &Program, outcome: Outcome) -> ExitCode {
    tty::restore();
    match outcome {
        Outcome::Print { text, code } => {
            // Whoever stopped reading has read enough.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::from(code)
        }
        Outcome::Fail(failure) => {
            say(&failure.text(program));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // There is nowhere else to complain.
    let _ = io::stderr().write_all(text.as_bytes());
}

fn watch_signals(program: &Program) -> io::Result<()> {
    let program = program.clone();
    signals::on_terminate(move |signal| host::leave_now(&program, &signal));
    signals::watch()
}

/// Has a panic of any thread end the process: what the others know of its machine may be half of the truth, and a
/// hart or a clock that is gone would only be waited for. Where a panic is caught, whoever catches it goes on.
fn end_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if hartwright_block::catches_panics() {
            return before(info);
        }
        tty::restore();
        before(info);
        std::process::exit(PANICKED);
    }));
}

/// The exit code after a panic, as Rust has it.
const PANICKED: i32 = 101;

#[cfg(test)]
mod tests {
    use super::*;
    use hartwright_exec::{Breakpoints, Engine, Harts, Pace, Setup, Trace};
    use hartwright_hart::Config as HartConfig;
    use hartwright_isa::cpu::CpuModel;
    use hartwright_mem::{AddressSpace, PAGE};
    use hartwright_wire::{Alarm, Clock, Entropy, Line, Mtime, Sink};
    use std::{
        process::{Child, Command, Stdio},
        sync::Arc,
        time::{Duration, Instant},
    };

    const RAM: u64 = 0x8000_0000;
    /// Set where this test program is the one that is to panic: which thread of it.
    const WHO: &str = "HARTWRIGHT_TEST_PANIC";

    /// A hart whose thread panics: where it stops, in who listens.
    fn hart() -> Harts {
        let mut map = AddressSpace::build();
        map.ram("ram", RAM, PAGE).unwrap();
        let config = HartConfig {
            model: CpuModel::find("rv64").unwrap().clone(),
            id: 0,
            reset_pc: RAM,
            space: map.finish().unwrap(),
            mtime: Mtime::new(Clock::new(), 10_000_000),
            entropy: Entropy::default(),
        };
        let harts = Harts::new(Setup {
            harts: vec![config],
            listener: Arc::new(|event| panic!("heard {event:?}")),
            trace: Trace::default(),
            environment: None,
            semihost: None,
            pace: Pace::Together,
            engine: Engine::default(),
        });
        let harts = harts.unwrap();
        harts.set_breakpoints(&Breakpoints { code: vec![RAM], data: vec![] });
        harts.resume();
        harts
    }

    /// The end of a line.
    struct Panics;

    impl Sink for Panics {
        fn set(&self, pin: u32, _: bool) {
            panic!("pin {pin} was set");
        }
    }

    /// An alarm that rings, on the clock's thread.
    fn clock() -> Alarm {
        let clock = Clock::new();
        clock.start();
        let alarm = clock.alarm(Line::new(Arc::new(Panics), 7));
        alarm.at(Some(1));
        alarm
    }

    /// Waits for a process, which is not to live for ever.
    fn code(mut child: Child) -> (Option<i32>, String) {
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > Duration::from_secs(30) {
                child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    fn a_panic_of_any_thread_ends_the_process() {
        if let Ok(who) = std::env::var(WHO) {
            end_on_panic();
            let _living: (Option<Harts>, _) = match who.as_str() {
                "hart 0" => (Some(hart()), None),
                _ => (None, Some(clock())),
            };
            // As the main thread would wait for messages.
            loop {
                thread::park();
            }
        }
        for (who, word) in [("hart 0", "heard Stopped"), ("clock", "pin 7 was set")] {
            let name = "run::tests::a_panic_of_any_thread_ends_the_process";
            let mut again = Command::new(std::env::current_exe().unwrap());
            let again = again.args(["--exact", name, "--nocapture"]).env(WHO, who);
            let child = again.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let (code, said) = code(child);
            assert_eq!(code, Some(PANICKED), "{who}: {said}");
            assert!(said.contains(&format!("thread '{who}'")) && said.contains(word), "{said}");
        }
    }
}
