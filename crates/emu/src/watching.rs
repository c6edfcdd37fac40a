//! What `-d`, `-dfilter` and `-trace` asked for, set up before there is a machine.

use std::{
    fs::File,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use hartwright_backend::reason;
use hartwright_device::{
    log,
    trace::{self, Pattern},
};
use hartwright_exec::{Trace, Tracing};
use hartwright_mem::{AddressSpace, Kind};

use crate::{Assembled, Config, Failure, Host, LogItem, Outcome, host::report};

/// Where the log goes; clones are the same.
pub(crate) type Writer = Arc<Mutex<Box<dyn Write + Send>>>;

/// Has everybody write what was asked for; gives what the harts do, and where the log goes.
///
/// # Errors
/// The file of `-trace` cannot be made.
pub(crate) fn begin(
    config: &Config,
    host: &mut Host,
    assembled: &Assembled,
) -> Result<(Trace, Writer), Outcome> {
    let log_file: Writer = Arc::new(Mutex::new(std::mem::replace(&mut host.log, Box::new(io::sink()))));
    let trace = Trace::default();
    let (lines, texts) = (log_file.clone(), log_file.clone());
    trace.set_writer(move |text| write(&texts, text));
    let symbols = assembled.plan.symbols.clone();
    trace.set_symbols(move |address| symbols.name(address));
    trace.set_filter(config.log.filter.clone());
    log::say_to(move |line| write(&lines, &format!("{line}\n")));
    let (mut harts, mut devices) = (0, 0);
    for item in &config.log.items {
        match item {
            LogItem::InAsm => harts |= Tracing::IN_ASM.0,
            LogItem::Exec => harts |= Tracing::EXEC.0,
            LogItem::Int => harts |= Tracing::INT.0,
            LogItem::Cpu => harts |= Tracing::CPU.0,
            LogItem::Mmu => harts |= Tracing::MMU.0,
            LogItem::Op => harts |= Tracing::OP.0,
            LogItem::OutAsm => harts |= Tracing::OUT_ASM.0,
            LogItem::GuestErrors => devices |= log::GUEST_ERRORS,
            LogItem::Unimp => devices |= log::UNIMP,
            // These are told at the beginning and at the end.
            LogItem::Page | LogItem::Unmodelled | LogItem::Instret => {}
        }
    }
    trace.set_mask(harts);
    log::enable(devices);
    if config.perf_map {
        let path = format!("/tmp/perf-{}.map", std::process::id());
        let file = File::create(&path)
            .map_err(|why| Outcome::Fail(Failure::of("-perfmap", format!("{path}: {}", reason(&why)))))?;
        let map: Writer = Arc::new(Mutex::new(Box::new(file)));
        trace.set_map(move |line| write(&map, line));
    }
    events(config, assembled, log_file.clone())?;
    Ok((trace, log_file))
}

/// Has the log go to the file at `path`, in which `%d` is this process's number.
///
/// # Errors
/// The path, and why it cannot be written.
pub(crate) fn redirect(log: &Writer, path: &str) -> Result<(), String> {
    let file = File::create(path.replace("%d", &std::process::id().to_string()))
        .map_err(|error| format!("{path}: {}", reason(&error)))?;
    *log.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(file);
    Ok(())
}

fn write(writer: &Writer, text: &str) {
    // A log that cannot be written must not end the machine.
    let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
}

/// `-trace`: events of devices, to a file of their own or among the log.
fn events(config: &Config, assembled: &Assembled, log_file: Writer) -> Result<(), Outcome> {
    let writer: Writer = match &config.log.trace_file {
        None => log_file,
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                let why = format!("{}: {}", path.display(), reason(&error));
                Outcome::Fail(Failure::of("-trace", why))
            })?;
            Arc::new(Mutex::new(Box::new(file) as Box<dyn Write + Send>))
        }
    };
    trace::say_to(move |line| write(&writer, &format!("{line}\n")));
    for (option, pattern) in &config.log.traces {
        if !exists(pattern, assembled) {
            let text = pattern.text();
            report(config, &format!("{option}: warning: trace event '{text}' does not exist"));
        }
    }
    trace::enable(config.log.traces.iter().map(|(_, pattern)| pattern.clone()).collect());
    Ok(())
}

/// Whether something of the machine has an event like that. What is a wish for some of many may match none.
fn exists(pattern: &Pattern, assembled: &Assembled) -> bool {
    let text = pattern.text();
    let checked = &assembled.checked;
    text.contains(['*', '?'])
        || ["irq", "dma"].contains(&text.split('.').next().unwrap_or_default())
        || checked
            .spec
            .devices
            .iter()
            .zip(&checked.devices)
            .any(|(row, device)| trace::knows(pattern, &row.name, &**device))
}

/// `-d page`: what is where.
pub(crate) fn map(space: &AddressSpace) -> String {
    let line = |region: &hartwright_mem::Region| {
        let kind = match region.kind {
            Kind::Ram => "ram",
            Kind::Rom => "rom",
            Kind::Io => "i/o",
            Kind::Flash => "romd",
        };
        let (base, last) = (region.base, region.base + (region.size - 1));
        format!("page: {base:016x}-{last:016x} {kind} {}\n", region.name)
    };
    space.regions().map(line).collect()
}
