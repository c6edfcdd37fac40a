//! What `info` shows.

use crate::{Args, Command, Failed, Session, commands::INFO_ROWS};
use hartwright_device::trace::{self, Pattern};
use hartwright_exec::Code;
use hartwright_mem::{Kind, Region};
use hartwright_objects::{BASES, Node, Value};

/// Every `info` command, by name.
pub const INFO: &[Command] = INFO_ROWS;

type Done = Result<(), Failed>;

pub(crate) fn status(session: &mut Session, _: &Args) -> Done {
    let state = session.control.state();
    session.say(format_args!("VM status: {state}"));
    Ok(())
}

pub(crate) fn version(session: &mut Session, _: &Args) -> Done {
    let version = session.control.version.clone();
    session.say(version.trim_end());
    Ok(())
}

pub(crate) fn name(session: &mut Session, _: &Args) -> Done {
    if let Some(name) = session.control.name.clone() {
        session.say(name);
    }
    Ok(())
}

pub(crate) fn block(session: &mut Session, _: &Args) -> Done {
    let disks = session.control.outside.disks();
    disks.lines().for_each(|line| session.say(line));
    Ok(())
}

pub(crate) fn cpus(session: &mut Session, _: &Args) -> Done {
    for hart in 0..session.control.harts.len() {
        let thread = session.control.harts.thread_id(hart);
        let model = session.hart(hart, |hart| hart.model().name)?;
        let mark = if hart == session.cpu { '*' } else { ' ' };
        session.say(format_args!("{mark} CPU #{hart}: thread_id={thread} model={model}"));
    }
    Ok(())
}

/// In QEMU's words; what all harts have together.
pub(crate) fn jit(session: &mut Session, _: &Args) -> Done {
    let mut all = Code::default();
    for hart in 0..session.control.harts.len() {
        let Some(code) = session.hart(hart, |hart| hart.code())? else {
            return Err(Failed::new("JIT information is only available with accel=tcg"));
        };
        all.used += code.used;
        all.room += code.room;
        all.blocks += code.blocks;
        all.cleared += code.cleared;
        all.parts += code.parts;
        all.evicted += code.evicted;
    }
    let Code { used, room, blocks, cleared, parts, evicted } = all;
    session.say("Translation buffer state:");
    session.say(format_args!("gen code size       {used}/{room}"));
    session.say(format_args!("TB count            {blocks}"));
    session.say(format_args!("TB avg host size    {} bytes", used / blocks.max(1)));
    session.say("\nStatistics:");
    session.say(format_args!("TB flush count      {cleared}"));
    session.say(format_args!("region evictions    {evicted} (of {parts} regions)"));
    Ok(())
}

pub(crate) fn registers(session: &mut Session, args: &Args) -> Done {
    let count = session.control.harts.len();
    let harts = match args.words.first() {
        _ if !args.flags.is_empty() => 0..count,
        None => session.cpu..session.cpu + 1,
        Some(word) => {
            let hart = word.parse().ok().filter(|hart| *hart < count);
            let hart = hart.ok_or_else(|| Failed::new(format!("CPU#{word} not available")))?;
            hart..hart + 1
        }
    };
    for hart in harts {
        let text = session.hart(hart, |hart| hart.registers())?;
        session.say(format_args!("\nCPU#{hart}\n{}", text.trim_end_matches('\n')));
    }
    Ok(())
}

pub(crate) fn mtree(session: &mut Session, args: &Args) -> Done {
    let flat = !args.flags.is_empty();
    let harts = session.control.harts.len();
    if flat {
        session.say("FlatView #0");
        session.say(" AS \"memory\", root: system");
        (0..harts).for_each(|hart| session.say(format_args!(" AS \"cpu-memory-{hart}\", root: system")));
        session.say(" Root memory region: system");
    } else {
        (0..harts).for_each(|hart| session.say(format_args!("address-space: cpu-memory-{hart}")));
        session.say("address-space: memory");
        session.say("  0000000000000000-ffffffffffffffff (prio 0, container): system");
    }
    let indent = if flat { 2 } else { 4 };
    let space = session.control.space.clone();
    for region in space.regions() {
        let (base, last) = (region.base, region.base + (region.size - 1));
        let kind = match region.kind {
            Kind::Ram => "ram",
            Kind::Rom => "rom",
            Kind::Io => "i/o",
            Kind::Flash => "romd",
        };
        let name = &region.name;
        session.say(format_args!("{:indent$}{base:016x}-{last:016x} (prio 0, {kind}): {name}", ""));
    }
    session.say("");
    Ok(())
}

pub(crate) fn qom_tree(session: &mut Session, args: &Args) -> Done {
    let path = args.words.first().map_or("/machine", String::as_str);
    let missing = |_| Failed::new(format!("Path '{path}' could not be resolved."));
    let top = session.control.root.resolve(path).map_err(missing)?;
    composition(session, &top, 0);
    Ok(())
}

fn composition(session: &mut Session, node: &Node, depth: usize) {
    session.say(format_args!("{:1$}/{2} ({3})", "", depth * 2, node.name(), node.class().name));
    let mut children = node.children();
    children.sort_by_key(Node::name);
    children.iter().for_each(|child| composition(session, child, depth + 1));
}

pub(crate) fn qtree(session: &mut Session, _: &Args) -> Done {
    let mut devices = vec![];
    session.control.root.walk(&mut |_, node| {
        // What is below a device is on its bus.
        if is_device(node) && !node.parent().is_some_and(|above| is_device(&above)) {
            devices.push(node.clone());
        }
    });
    session.say("bus: main-system-bus");
    session.say("  type System");
    devices.iter().for_each(|node| device(session, node, 2));
    Ok(())
}

/// A device `indent` columns in, and what is on its bus.
fn device(session: &mut Session, node: &Node, indent: usize) {
    let (name, inner) = (node.name(), indent + 2);
    session.say(format_args!("{:indent$}dev: {}, id \"{name}\"", "", node.class().name));
    for (line, to) in node.links() {
        let to = to.as_deref().unwrap_or("(outside the tree)");
        session.say(format_args!("{:inner$}line {line} -> {to}", ""));
    }
    for (property, value) in node.properties() {
        session.say(format_args!("{:inner$}{} = {}", "", property.name, shown(&value)));
    }
    let space = session.control.space.clone();
    let of_it = |region: &&Region| matches!(region.kind, Kind::Io | Kind::Flash) && region.name == name;
    for region in space.regions().filter(of_it) {
        session.say(format_args!("{:inner$}mmio {:016x}/{:016x}", "", region.base, region.size));
    }
    let cards: Vec<Node> = node.children().into_iter().filter(is_device).collect();
    if let Some(card) = cards.first() {
        session.say(format_args!("{:inner$}bus: {name}", ""));
        session.say(format_args!("{:inner$}  type {}", "", card.class().bus.unwrap_or_default()));
    }
    cards.iter().for_each(|card| device(session, card, inner + 2));
}

pub(crate) fn trace_events(session: &mut Session, args: &Args) -> Done {
    let name = args.words.first().map_or("*", String::as_str);
    let pattern = Pattern::new(name);
    let mut states = trace::states();
    states.retain(|event, _| pattern.matches(event));
    if states.is_empty() && !trace::exists(&pattern) {
        return Err(Failed::new(format!("unknown event \"{name}\"")));
    }
    for (event, on) in states {
        session.say(format_args!("{event} : state {}", u8::from(on)));
    }
    Ok(())
}

/// Whether it plugs into the machine: a device, and not a CPU.
fn is_device(node: &Node) -> bool {
    const PLUGS: [&str; 2] = ["device", "sys-bus-device"];
    let class = node.class();
    class.parent.is_some_and(|parent| PLUGS.contains(&parent))
        && BASES.iter().all(|base| base.name != class.name)
}

fn shown(value: &Value) -> String {
    match value {
        Value::None => "\"\"".into(),
        Value::Bool(on) => on.to_string(),
        Value::UInt(v) => format!("{v} ({v:#x})"),
        Value::Int(v) => format!("{v} ({v:#x})"),
        Value::Str(text) => format!("{text:?}"),
        Value::StrList(texts) => format!("{texts:?}"),
        Value::UIntList(values) => format!("{values:?}"),
    }
}
