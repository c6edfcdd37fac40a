//! The commands, one row each.

use crate::{
    Arg, Args, Command, Failed, INFO, Session,
    memory::{dump, print, save, sum},
    session::find,
};
use hartwright_device::{
    log,
    trace::{self, Pattern},
};
use hartwright_exec::Tracing;

use Arg::{Expr, Flag, OptionalWord, Rest, Word};

/// Every command, by name.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    row(&["balloon"], &[Expr], "target", "request VM to change its memory allocation (in MB)", crate::balloon::ask),
    row(&["chardev-send-break"], &[Word], "id", "send a break on chardev", crate::chardev::send_break),
    row(&["cont", "c"], &[], "", "resume emulation", |s, _| s.control.cont().map_err(Failed::new)),
    row(&["cpu"], &[Expr], "index", "set the default CPU", cpu),
    row(&["help", "?"], &[Rest], "[cmd]", "show the help", help),
    row(&["info"], &[Rest], "[subcommand]", "show various information about the system state", info),
    row(&["log"], &[Word], "item1[,...]", "activate logging of the specified items", set_log),
    row(&["logfile"], &[Word], "filename", "output logs to 'filename'", log_file),
    row(&["memsave"], &[Expr, Expr, Word], "addr size file", "save to disk virtual memory dump starting at 'addr' of size 'size'", |s, a| save(s, a, false)),
    row(&["pmemsave"], &[Expr, Expr, Word], "addr size file", "save to disk physical memory dump starting at 'addr' of size 'size'", |s, a| save(s, a, true)),
    row(&["print", "p"], &[Arg::Format, Expr], "/fmt expr", "print expression value (use $reg for CPU register access)", print),
    row(&["quit", "q"], &[], "", "quit the emulator", |s, _| { s.over = true; s.control.outside.quit(); Ok(()) }),
    row(&["ringbuf_read"], &[Word, Expr], "device size", "Read from a ring buffer character device", crate::chardev::ring_read),
    row(&["ringbuf_write"], &[Word, Word], "device data", "Write to a ring buffer character device", crate::chardev::ring_write),
    row(&["stop", "s"], &[], "", "stop emulation", |s, _| { s.control.stop(); Ok(()) }),
    row(&["sum"], &[Expr, Expr], "addr size", "compute the checksum of a memory region", sum),
    row(&["system_powerdown"], &[], "", "send system power down event", |s, _| s.control.outside.power_down().map_err(Failed::new)),
    row(&["system_reset"], &[], "", "reset the system", |s, _| { s.control.outside.reset(); Ok(()) }),
    row(&["trace-event"], &[Word, Word], "name on|off", "changes status of a specific trace event (name: event name, its first parts, or a pattern; all is every event)", trace_event),
    row(&["x"], &[Arg::Format, Expr], "/fmt addr", "virtual memory dump starting at 'addr'", |s, a| dump(s, a, false)),
    row(&["xp"], &[Arg::Format, Expr], "/fmt addr", "physical memory dump starting at 'addr'", |s, a| dump(s, a, true)),
];

/// Every `info` command, by name.
#[rustfmt::skip]
pub(crate) const INFO_ROWS: &[Command] = &[
    row(&["balloon"], &[], "", "show balloon information", crate::balloon::show),
    row(&["block"], &[], "", "show info of one block device or all block devices", crate::info::block),
    row(&["chardev"], &[], "", "show the character devices", crate::chardev::info),
    row(&["cpus"], &[], "", "show infos for each CPU", crate::info::cpus),
    row(&["jit"], &[], "", "show dynamic compiler info", crate::info::jit),
    row(&["mtree"], &[Flag('f')], "[-f]", "show memory tree (-f: dump flat view for address spaces)", crate::info::mtree),
    row(&["name"], &[], "", "show the current VM name", crate::info::name),
    row(&["qom-tree"], &[OptionalWord], "[path]", "show QOM composition tree", crate::info::qom_tree),
    row(&["qtree"], &[], "", "show device tree", crate::info::qtree),
    row(&["registers"], &[Flag('a'), OptionalWord], "[-a|vcpu]", "show the cpu registers (-a: show register info for all cpus; vcpu: specific vCPU to query; show the current CPU's registers if no argument is specified)", crate::info::registers),
    row(&["status"], &[], "", "show the current VM status (running|paused)", crate::info::status),
    row(&["trace-events"], &[OptionalWord], "[name]", "show available trace-events & their state (name: event name pattern)", crate::info::trace_events),
    row(&["version"], &[], "", "show the version of the emulator", crate::info::version),
];

const fn row(
    names: &'static [&'static str],
    args: &'static [Arg],
    params: &'static str,
    help: &'static str,
    run: fn(&mut Session, &Args) -> Result<(), Failed>,
) -> Command {
    Command { names, args, params, help, run }
}

fn cpu(session: &mut Session, args: &Args) -> Result<(), Failed> {
    let index = args.exprs.first().and_then(|index| usize::try_from(*index).ok());
    let known = index.filter(|index| *index < session.control.harts.len());
    session.cpu = known.ok_or_else(|| Failed::new("invalid CPU index"))?;
    Ok(())
}

fn help(session: &mut Session, args: &Args) -> Result<(), Failed> {
    let asked = args.words.concat();
    let words: Vec<_> = asked.split_whitespace().collect();
    let unknown = || Failed::new(format!("unknown command: '{asked}'"));
    match words[..] {
        [] => COMMANDS.iter().for_each(|command| describe(session, "", command)),
        ["info"] => INFO.iter().for_each(|command| describe(session, "info ", command)),
        ["info", name] => describe(session, "info ", find(INFO, name).ok_or_else(unknown)?),
        ["log"] => log_items(session),
        [name] => describe(session, "", find(COMMANDS, name).ok_or_else(unknown)?),
        _ => return Err(unknown()),
    }
    Ok(())
}

fn describe(session: &mut Session, before: &str, command: &Command) {
    let Command { names, params, help, .. } = command;
    session.say(format_args!("{before}{} {params} -- {help}", names.join("|")));
}

/// `info` alone; with a name, the session finds the row itself.
fn info(session: &mut Session, _: &Args) -> Result<(), Failed> {
    INFO.iter().for_each(|command| describe(session, "info ", command));
    Ok(())
}

/// What can be logged: name, whether the harts or the devices say it, the bit, and what it is.
const LOG_ITEMS: &[(&str, Sayer, u32, &str)] = &[
    (
        "in_asm",
        Sayer::Harts,
        Tracing::IN_ASM.0,
        "show target assembly code for each block when it is first run",
    ),
    ("int", Sayer::Harts, Tracing::INT.0, "show interrupts/exceptions in short format"),
    ("exec", Sayer::Harts, Tracing::EXEC.0, "show trace before each executed block (lots of logs)"),
    ("cpu", Sayer::Harts, Tracing::CPU.0, "show CPU registers before entering a block (lots of logs)"),
    ("op", Sayer::Harts, Tracing::OP.0, "show micro ops for each compiled TB"),
    ("out_asm", Sayer::Harts, Tracing::OUT_ASM.0, "show generated host assembly code for each compiled TB"),
    ("mmu", Sayer::Harts, Tracing::MMU.0, "log MMU-related activities"),
    ("unimp", Sayer::Devices, log::UNIMP, "log unimplemented functionality"),
    ("guest_errors", Sayer::Devices, log::GUEST_ERRORS, "log when the guest OS does something invalid"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sayer {
    Harts,
    Devices,
}

fn set_log(session: &mut Session, args: &Args) -> Result<(), Failed> {
    let (mut harts, mut devices, mut events) = (0, 0, vec![]);
    for word in args.words.concat().split(',').filter(|word| *word != "none") {
        match LOG_ITEMS.iter().find(|(name, ..)| *name == word) {
            Some((_, Sayer::Harts, bit, _)) => harts |= bit,
            Some((_, Sayer::Devices, bit, _)) => devices |= bit,
            None => match word.strip_prefix("trace:") {
                Some("help") => return crate::info::trace_events(session, &Args::default()),
                Some(pattern) => events.push(Pattern::new(pattern)),
                None => {
                    log_items(session);
                    return Ok(());
                }
            },
        }
    }
    session.control.trace.set_mask(harts);
    log::enable(devices);
    for pattern in events {
        if !trace::exists(&pattern) {
            session.say(format_args!("warning: trace event '{}' does not exist", pattern.text()));
        }
        trace::change(pattern);
    }
    Ok(())
}

fn log_items(session: &mut Session) {
    session.say("Log items (comma separated):");
    session.say(format_args!("{:<15} {}", "none", "remove all logs"));
    for (name, _, _, what) in LOG_ITEMS {
        session.say(format_args!("{name:<15} {what}"));
    }
    session.say(format_args!("{:<15} {}", "trace:PATTERN", "enable trace events"));
    session.say("\nUse \"log trace:help\" to get a list of trace events.\n");
}

fn log_file(session: &mut Session, args: &Args) -> Result<(), Failed> {
    let path = args.words.concat();
    session.control.outside.log_to(&path).map_err(|why| Failed::new(format!("Error opening logfile {why}")))
}

fn trace_event(_: &mut Session, args: &Args) -> Result<(), Failed> {
    let [name, state] = &args.words[..] else { return Ok(()) };
    let sign = match state.as_str() {
        "on" => "",
        "off" => "-",
        _ => return Err(Failed::usage("Expected 'on' or 'off'")),
    };
    let name = if name == "all" { "*" } else { name };
    let pattern = Pattern::new(&format!("{sign}{name}"));
    if !trace::exists(&pattern) {
        return Err(Failed::new(format!("unknown event \"{name}\"")));
    }
    trace::change(pattern);
    Ok(())
}
