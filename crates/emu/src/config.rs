//! From what was asked, word by word, to one consistent [`Config`]: defaults filled in, contradictions refused.

use std::{ops::RangeInclusive, path::PathBuf};

use hartwright_backend::{
    opts::Opts,
    spec::{ChardevSpec, Kind, Place},
};
use hartwright_device::trace::Pattern;
use hartwright_exec::{Engine, Shift};
use hartwright_machine::{BootOptions, is_file};
use hartwright_objects::{Given, nearest};

use crate::{
    Asked, Failure, MemoryBackend, NumaOption, PlannedDisk, Program, Rtc, SemihostingOption, Topology,
    asked::Said, catalogue, disks, flags::in_vain, not_yet,
};

/// Everything that the command line says, ready for the builder of machines.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Who we are.
    pub program: Program,
    /// `-machine`: a built-in machine's name, or a file's path (it has a `/` or ends in `.toml`).
    pub machine: String,
    /// The machine's properties, without those that are fields of their own here.
    pub machine_properties: Vec<(String, Given)>,
    /// `-machine dumpspec=`: write the description there and run nothing.
    pub dump_spec: Option<PathBuf>,
    /// `-machine dumpdtb=`: write the device tree there and run nothing.
    pub dump_dtb: Option<PathBuf>,
    /// `-accel`.
    pub accel: Accel,
    /// `-icount`.
    pub icount: Option<Counted>,
    /// `-cpu`.
    pub cpu: Option<Cpu>,
    /// `-m`, in bytes.
    pub memory: Option<u64>,
    /// `-numa`, each with the option as the user wrote it.
    pub numa: Vec<(String, NumaOption)>,
    /// `-object memory-backend-...`.
    pub backends: Vec<MemoryBackend>,
    /// `-machine memory-backend=`: the one that all RAM is in.
    pub memory_backend: Option<String>,
    /// `-smp`.
    pub smp: Option<Topology>,
    /// `-bios`, `-kernel`, `-seed` and so on, but not what `-device` loads, nor our own firmware.
    pub boot: BootOptions,
    /// `-device`, in order.
    pub devices: Vec<DeviceOption>,
    /// Sources of random bytes (`-object`), in order.
    pub sources: Vec<crate::PlannedSource>,
    /// `-global`, in order.
    pub globals: Vec<GlobalOption>,
    /// `-drive`, `-blockdev` and their short forms.
    pub disks: Vec<PlannedDisk>,
    /// Host ends to open, in order, those that nobody asked for included.
    pub chardevs: Vec<PlannedChardev>,
    /// The host end of each serial port, by `chardevs` id; `None` for `-serial none`.
    pub serials: Vec<Option<String>>,
    /// Monitors, each on a host end.
    pub monitors: Vec<MonitorPlan>,
    /// The debugger's host end.
    pub gdb: Option<String>,
    /// `-d` and `-D`.
    pub log: Log,
    /// `-S`.
    pub stopped: bool,
    /// `-no-reboot`.
    pub no_reboot: bool,
    /// `-perfmap`.
    pub perf_map: bool,
    /// `-no-shutdown`.
    pub no_shutdown: bool,
    /// `-name`.
    pub name: Option<String>,
    /// `-name process=`.
    pub process_name: Option<String>,
    /// `-name debug-threads=on`.
    pub debug_threads: bool,
    /// `-pidfile`.
    pub pidfile: Option<PathBuf>,
    /// `-rtc`.
    pub rtc: Rtc,
    /// `-echr`; `None` when there is to be no escape key.
    pub escape: Option<u8>,
    /// `-msg`.
    pub messages: Messages,
    /// `-semihosting`, where it is enabled.
    pub semihosting: Option<Semihosted>,
}

/// Semihosting, enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Semihosted {
    /// What was asked.
    pub option: SemihostingOption,
    /// What programs are told of their command line.
    pub command_line: String,
}

/// `-accel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accel {
    /// `thread=`; [`Threads::Multi`] if it is not given.
    pub threads: Option<Threads>,
    /// How instructions are run.
    pub engine: Engine,
}

impl Default for Accel {
    fn default() -> Self {
        Accel { threads: None, engine: Engine::JIT }
    }
}

impl Accel {
    /// Whether the interpreter does everything again.
    pub(crate) fn checks(&self) -> bool {
        matches!(self.engine, Engine::Jit { check: true, .. })
    }

    /// An engine by its name on the command line.
    pub(crate) fn engine(name: &str) -> Option<Engine> {
        match name {
            "interp" => Some(Engine::Interpreter),
            "jit" | "tcg" => Some(Engine::JIT),
            _ => None,
        }
    }
}

/// How harts share the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// All share one host thread.
    Single,
    /// Each has its own.
    Multi,
}

/// `-icount`: time is counted in instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How long an instruction takes.
    pub shift: Shift,
    /// Time passes as on the host while all harts wait.
    pub sleep: bool,
}

/// `-cpu`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The model's name.
    pub model: String,
    /// Its properties, in order.
    pub properties: Vec<(String, String)>,
}

/// `-device` or `-object`.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceOption {
    /// The option as the user wrote it, for messages.
    pub option: String,
    /// The type's name.
    pub driver: String,
    /// `id=`.
    pub id: Option<String>,
    /// The other properties, in order.
    pub properties: Vec<(String, Given)>,
}

/// `-global`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalOption {
    /// The option as the user wrote it, for messages.
    pub option: String,
    /// The type's name.
    pub driver: String,
    /// The property's name.
    pub property: String,
    /// Its value's text.
    pub value: String,
}

/// A host end to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChardev {
    /// What it is; `spec.id` names it.
    pub spec: ChardevSpec,
    /// The option that asked for it, as the user wrote it.
    pub option: Option<String>,
    /// What it is for: `chardev`, `serial`, `parallel`, `monitor` or `gdb`.
    pub role: &'static str,
    /// The option's argument.
    pub text: String,
}

/// A monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorPlan {
    /// The host end that it is on, by `chardevs` id.
    pub chardev: String,
}

/// `-d`, `-D`, `-dfilter` and `-trace`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// What to log, sorted.
    pub items: Vec<LogItem>,
    /// Where, if not to standard error; `%d` is replaced already.
    pub file: Option<PathBuf>,
    /// `-dfilter`: the code to log block by block; in no range: all.
    pub filter: Vec<RangeInclusive<u64>>,
    /// `-trace` and `-d trace:`: each pattern of events with the option that gave it.
    pub traces: Vec<(String, Pattern)>,
    /// `-trace file=`: where traces go, if not where the log goes.
    pub trace_file: Option<PathBuf>,
}

/// One item of `-d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "LOG_ITEMS says what each is")]
pub enum LogItem {
    InAsm,
    Exec,
    Int,
    Cpu,
    GuestErrors,
    Unimp,
    Mmu,
    Op,
    OutAsm,
    Page,
    Unmodelled,
    Instret,
}

impl LogItem {
    /// How many there are.
    pub const COUNT: usize = 12;
}

/// A line of `-d help`.
pub(crate) struct LogRow {
    pub(crate) name: &'static str,
    /// `None`: QEMU has it and we do not.
    pub(crate) item: Option<LogItem>,
    pub(crate) what: &'static str,
}

const fn log_row(name: &'static str, item: Option<LogItem>, what: &'static str) -> LogRow {
    LogRow { name, item, what }
}

#[rustfmt::skip]
pub(crate) const LOG_ITEMS: &[LogRow] = &[
    log_row("in_asm",       Some(LogItem::InAsm),       "the guest's code, once, when it is first decoded"),
    log_row("exec",         Some(LogItem::Exec),        "each block of code that is entered (very much)"),
    log_row("int",          Some(LogItem::Int),         "traps: exceptions and interrupts taken"),
    log_row("cpu",          Some(LogItem::Cpu),         "a hart's registers before each block (very much)"),
    log_row("guest_errors", Some(LogItem::GuestErrors), "what the guest did that no driver may do"),
    log_row("unimp",        Some(LogItem::Unimp),       "what the guest asked for that a real machine has and this has not"),
    log_row("mmu",          Some(LogItem::Mmu),         "translations by page tables, and those that failed"),
    log_row("op",           Some(LogItem::Op),          "each block that is translated, as operations"),
    log_row("out_asm",      Some(LogItem::OutAsm),      "each block that is translated, as the host's code"),
    log_row("page",         Some(LogItem::Page),        "the map of the machine's memory when it begins"),
    log_row("unmodelled",   Some(LogItem::Unmodelled),  "at the end, every access that hit nothing, with counts"),
    log_row("instret",      Some(LogItem::Instret),     "at the end, how many instructions each hart has retired"),
    log_row("op_opt",       None, "the intermediate code, optimised"),
    log_row("op_ind",       None, "the intermediate code before indirect operations are lowered"),
    log_row("op_plugin",    None, "the intermediate code with plugins"),
    log_row("fpu",          None, "floating-point registers, with cpu"),
    log_row("pcall",        None, "protected-mode calls (x86)"),
    log_row("cpu_reset",    None, "a CPU's registers before its reset"),
    log_row("nochain",      None, "exec and cpu for every block, not only for the first of a chain"),
    log_row("plugin",       None, "what plugins say"),
    log_row("strace",       None, "system calls of user mode"),
    log_row("tid",          None, "a log file for each thread"),
    log_row("vpu",          None, "vector registers, with cpu"),
    log_row("invalid_mem",  None, "accesses that hit nothing, one by one"),
];

/// `-msg`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// Each message begins with the time.
    pub timestamp: bool,
    /// Each message begins with the guest's name.
    pub guest_name: bool,
}

/// Why there is no machine to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The user asked for text.
    Print {
        /// For standard output.
        text: String,
        /// The exit code: 0, except where QEMU has another.
        code: u8,
    },
    /// Something is wrong: exit code 1.
    Fail(Failure),
}

impl Outcome {
    /// Text, and a good end.
    pub fn print(text: impl Into<String>) -> Self {
        Outcome::Print { text: text.into(), code: 0 }
    }
}

fn fail(message: impl Into<String>) -> Outcome {
    Outcome::Fail(Failure::new(message))
}

/// Makes a configuration of what was asked.
///
/// # Errors
/// [`Outcome::Fail`] for what contradicts itself or names what does not exist.
pub fn resolve(program: &Program, asked: Asked) -> Result<Config, Outcome> {
    let machine = asked.machine.clone().ok_or_else(|| {
        fail("No machine specified, and there is no default\nUse -machine help to list supported machines")
    })?;
    if !is_file(&machine) && catalogue::machine(&machine).is_none() {
        return Err(Outcome::Fail(catalogue::unknown_machine(&machine)));
    }
    let ends = Ends::of(&asked)?;
    let (disks, with_disks) = disks::plan(&asked)?;
    let mut properties = Opts::default();
    for (key, value) in &asked.machine_properties {
        properties.set(key, value);
    }
    let accel = accel(&asked, properties.take("accel"))?;
    if asked.icount.is_some() && accel.threads == Some(Threads::Multi) {
        return Err(fail("-accel thread=multi: No MTTCG when icount is enabled"));
    }
    let mut boot = BootOptions {
        bios: asked.bios,
        kernel: asked.kernel,
        initrd: asked.initrd,
        append: asked.append,
        dtb: asked.dtb,
        folders: asked.folders,
        seed: asked.seed,
        loaders: vec![],
        files: asked.firmware_files,
        no_graphics: asked.nographic,
        flash: false,
        builtin: None,
    };
    for (key, slot) in [
        ("firmware", &mut boot.bios),
        ("kernel", &mut boot.kernel),
        ("initrd", &mut boot.initrd),
        ("append", &mut boot.append),
        ("dtb", &mut boot.dtb),
    ] {
        let given = properties.take(key);
        *slot = slot.take().or(given);
    }
    for (option, given) in [("-append", &boot.append), ("-initrd", &boot.initrd)] {
        if given.is_some() && boot.kernel.is_none() {
            return Err(fail(format!("{option} only allowed with -kernel option")));
        }
    }
    if !is_file(&machine) {
        for (name, here) in not_yet::MACHINE {
            let inside = format!("{name}.");
            let given = |(key, _): &&(String, String)| key == name || key.starts_with(&inside);
            while let Some((key, value)) = properties.pairs().iter().find(given).cloned() {
                if !here.contains(&&*value) {
                    let why = format!("{key}={value}: not yet in hartwright");
                    return Err(Outcome::Fail(Failure::of(&format!("-machine {machine}"), why)));
                }
                properties.take(&key);
            }
        }
    }
    let memory_backend = properties.take("memory-backend");
    for device in &asked.devices {
        if !catalogue::is_device(&device.driver) {
            let why = catalogue::not_a_device(&device.driver, program.face);
            return Err(Outcome::Fail(Failure::of(&device.option, why)));
        }
    }
    let semihosting = asked.semihosting.filter(|option| option.enabled).map(|option| {
        let command_line = option.command_line(&boot);
        Semihosted { option, command_line }
    });
    let chardev = semihosting.as_ref().and_then(|asked| asked.option.chardev.as_deref());
    if let Some(id) = chardev.filter(|id| ends.chardevs.iter().all(|planned| planned.spec.id != *id)) {
        return Err(fail(format!("semihosting chardev '{id}' not found")));
    }
    let log_file = asked.log_file.map(|name| name.replace("%d", &std::process::id().to_string()).into());
    Ok(Config {
        program: program.clone(),
        machine,
        dump_spec: properties.take("dumpspec").map(PathBuf::from),
        dump_dtb: properties.take("dumpdtb").map(PathBuf::from),
        machine_properties: properties.pairs().iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect(),
        accel,
        icount: asked.icount,
        cpu: asked.cpu.as_deref().map(cpu).transpose()?,
        memory: asked.memory,
        numa: asked.numa,
        backends: asked.backends,
        memory_backend,
        smp: asked.smp,
        boot,
        devices: asked.devices.into_iter().chain(with_disks).collect(),
        sources: asked.sources,
        globals: asked.globals,
        disks,
        chardevs: ends.chardevs,
        serials: ends.serials,
        monitors: ends.monitors,
        gdb: ends.gdb,
        log: Log {
            items: asked.log_items,
            file: log_file,
            filter: asked.log_filter,
            traces: asked.traces.into_iter().map(|said| (said.option, said.value)).collect(),
            trace_file: asked.trace_file,
        },
        stopped: asked.stopped,
        no_reboot: asked.no_reboot,
        perf_map: asked.perf_map,
        no_shutdown: asked.no_shutdown,
        name: asked.name,
        process_name: asked.process_name,
        debug_threads: asked.debug_threads,
        pidfile: asked.pidfile,
        rtc: asked.rtc,
        escape: match asked.escape {
            None => Some(0x01),
            Some(0) => None,
            key => key,
        },
        messages: asked.messages,
        semihosting,
    })
}

/// `-accel`, or `-machine accel=A:B`, of which the first that we have counts.
fn accel(asked: &Asked, of_machine: Option<String>) -> Result<Accel, Outcome> {
    let Some(names) = of_machine else { return Ok(asked.accel.unwrap_or_default()) };
    if asked.accel.is_some() {
        return Err(fail("The -accel and \"-machine accel=\" options are incompatible"));
    }
    match names.split(':').find_map(Accel::engine) {
        Some(engine) => Ok(Accel { engine, ..Accel::default() }),
        None => Err(fail(format!("invalid accelerator {names}"))),
    }
}

fn cpu(text: &str) -> Result<Cpu, Outcome> {
    let (model, rest) = text.split_once(',').unwrap_or((text, ""));
    let properties = rest.split(',').filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(fail(format!("Expected key=value format, found {word}."))),
    });
    Ok(Cpu { model: model.to_owned(), properties: properties.collect::<Result<_, _>>()? })
}

/// Host ends and who is on them.
#[derive(Default)]
struct Ends {
    chardevs: Vec<PlannedChardev>,
    serials: Vec<Option<String>>,
    monitors: Vec<MonitorPlan>,
    gdb: Option<String>,
}

impl Ends {
    fn of(asked: &Asked) -> Result<Ends, Outcome> {
        let mut ends = Ends::default();
        for Said { option, value } in &asked.chardevs {
            ends.chardevs.push(PlannedChardev {
                spec: value.clone(),
                option: Some(option.clone()),
                role: "chardev",
                text: String::new(),
            });
        }
        for (at, said) in asked.monitors.iter().enumerate() {
            if let Some(chardev) = ends.place(said, "monitor", &format!("compat_monitor{at}"))? {
                ends.monitors.push(MonitorPlan { chardev });
            }
        }
        for Said { option, value } in &asked.mons {
            if !ends.has(&value.chardev) {
                let why = format!("chardev \"{}\" not found", value.chardev);
                return Err(Outcome::Fail(Failure::of(option, why)));
            }
            ends.monitors.push(MonitorPlan { chardev: value.chardev.clone() });
        }
        ends.defaults(asked);
        for (at, said) in asked.serials.iter().enumerate() {
            let serial = ends.place(said, "serial", &format!("serial{at}"))?;
            if let (true, Some(chardev)) = (said.value.starts_with("mon:"), &serial) {
                ends.monitors.push(MonitorPlan { chardev: chardev.clone() });
            }
            ends.serials.push(serial);
        }
        for (at, said) in asked.parallels.iter().enumerate() {
            // It is opened as it was asked for, and nobody is on it.
            ends.place(said, "parallel", &format!("parallel{at}"))?;
        }
        if let Some(said) = &asked.gdb {
            ends.gdb = ends.place(said, "gdb", "gdb")?;
            let own = ends.chardevs.iter_mut().find(|planned| planned.role == "gdb");
            if let Some(PlannedChardev { spec: ChardevSpec { kind: Kind::Socket(socket), .. }, .. }) = own
                && said.value.starts_with("tcp:")
            {
                (socket.server, socket.wait) = (true, false);
            }
        }
        Ok(ends)
    }

    /// What a machine has without being asked.
    fn defaults(&mut self, asked: &Asked) {
        let serial = !asked.nodefaults && asked.serials.is_empty();
        let monitor = !asked.nodefaults
            && asked.monitors.is_empty()
            && asked.mons.is_empty()
            && !asked.serials.iter().any(|said| said.value.starts_with("mon:"));
        let terminal = asked.nographic || !asked.no_display;
        let both = serial && monitor && terminal;
        // Where QEMU would open a window we have none: a lone serial port or monitor leads nowhere then.
        let stdio = both || asked.nographic;
        if serial {
            let kind = if stdio { Kind::Stdio { signal: !both } } else { Kind::Null };
            self.imply("serial0", both, kind, "serial");
            self.serials.push(Some("serial0".into()));
        }
        if both {
            self.monitors.push(MonitorPlan { chardev: "serial0".into() });
        } else if monitor && stdio {
            self.imply("compat_monitor0", false, Kind::Stdio { signal: true }, "monitor");
            self.monitors.push(MonitorPlan { chardev: "compat_monitor0".into() });
        }
    }

    fn imply(&mut self, id: &str, mux: bool, kind: Kind, role: &'static str) {
        let spec = ChardevSpec::new(id, kind);
        let spec = if mux { spec.behind_mux() } else { spec };
        self.chardevs.push(PlannedChardev { spec, option: None, role, text: String::new() });
    }

    fn has(&self, id: &str) -> bool {
        self.chardevs.iter().any(|planned| planned.spec.id == id)
    }

    /// The host end that an option's argument names, planned if it is one of its own.
    fn place(
        &mut self,
        said: &Said<String>,
        role: &'static str,
        label: &str,
    ) -> Result<Option<String>, Outcome> {
        let Said { option, value: text } = said;
        let vain = |refusal| Outcome::Fail(in_vain(option, role, text, &refusal));
        match Place::parse(text, label, &mut Vec::new()).map_err(vain)? {
            Place::Nothing => Ok(None),
            Place::Defined(id) if self.has(&id) => Ok(Some(id)),
            Place::Defined(id) => {
                let near = nearest(&id, self.chardevs.iter().map(|planned| &*planned.spec.id));
                let near = near.map_or(String::new(), |near| format!("\nDid you mean 'chardev:{near}'?"));
                let why = match role {
                    "serial" | "parallel" => {
                        format!("could not connect {role} device to character backend '{text}'{near}")
                    }
                    _ => format!("chardev \"{id}\" not found{near}"),
                };
                Err(Outcome::Fail(Failure::of(option, why)))
            }
            Place::New(spec) => {
                let id = spec.id.clone();
                let text = text.clone();
                self.chardevs.push(PlannedChardev { spec, option: Some(option.clone()), role, text });
                Ok(Some(id))
            }
        }
    }
}

#[cfg(test)]
mod tests;
