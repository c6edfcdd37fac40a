//! What guests do to devices, as text: registers with their fields, interrupt lines, DMA (`-trace`).
//!
//! An *event* has a name of parts with dots: `uart0.lcr.write`, `plic.priority.10.read`, `irq.plic.10`,
//! `dma.disk0.write`. The first part of a register's event is the device's name or its type's (`ns16550a.lcr.write`),
//! so events can be named before there is a machine. A pattern is such a name with `*` and `?`, or its first parts
//! (`uart0`, `uart0.lcr`); of those that match, the last one decides.
//!
//! While nobody asked, an access, and a change of a line, costs one relaxed load of a flag. Which events are wanted may
//! change while the machine runs.

use crate::{Device, Register, Sink, Table};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

static ON: AtomicBool = AtomicBool::new(false);
static PATTERNS: RwLock<Vec<Pattern>> = RwLock::new(Vec::new());
type Say = Box<dyn Fn(&str) + Send + Sync>;
static SAY: RwLock<Option<Say>> = RwLock::new(None);
/// The devices that are wired, by their addresses in the host's memory.
static DEVICES: RwLock<BTreeMap<usize, Known>> = RwLock::new(BTreeMap::new());
/// The lines that are.
static LINES: RwLock<Vec<Weak<Traced>>> = RwLock::new(Vec::new());

/// Which events: a pattern of names, and whether they are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    glob: String,
    wanted: bool,
}

impl Pattern {
    /// A pattern as users write it; with a `-` before it, its events are not wanted.
    pub fn new(text: &str) -> Self {
        let (glob, wanted) = match text.strip_prefix('-') {
            Some(rest) => (rest, false),
            None => (text, true),
        };
        Pattern { glob: glob.into(), wanted }
    }

    /// The patterns of a file: one a line, empty lines and those that begin with `#` left out.
    pub fn lines(text: &str) -> impl Iterator<Item = Pattern> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(Pattern::new)
    }

    /// Whether an event of this name is meant.
    pub fn matches(&self, event: &str) -> bool {
        let first_parts = event.strip_prefix(&self.glob).is_some_and(|rest| rest.starts_with('.'));
        first_parts || matches(self.glob.as_bytes(), event.as_bytes())
    }

    /// The pattern without its sign.
    pub fn text(&self) -> &str {
        &self.glob
    }
}

/// `*` is any text, `?` any byte.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                back = Some((g, t));
                g += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => (g, t) = (g + 1, t + 1),
            // What went wrong here may go right if the last star takes one byte more.
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (g, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}

/// Traces the events of these patterns from now on, and no others.
pub fn enable(patterns: Vec<Pattern>) {
    set(&mut PATTERNS.write().unwrap_or_else(PoisonError::into_inner), patterns);
}

/// Has the events of one more pattern traced, or not, from now on, whatever was said of them before.
pub fn change(pattern: Pattern) {
    let mut now = PATTERNS.write().unwrap_or_else(PoisonError::into_inner);
    let mut patterns = now.clone();
    patterns.retain(|old| pattern.glob != "*" && old.glob != pattern.glob);
    patterns.push(pattern);
    set(&mut now, patterns);
}

fn set(now: &mut Vec<Pattern>, patterns: Vec<Pattern>) {
    let any = patterns.iter().any(|pattern| pattern.wanted);
    *now = if any { patterns } else { vec![] };
    ON.store(any, Ordering::Relaxed);
}

/// Lines of text go to `say` from now on; before, they go to standard error.
pub fn say_to(say: impl Fn(&str) + Send + Sync + 'static) {
    *SAY.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(say));
}

/// Whether anything is traced.
#[inline(always)]
pub fn is_on() -> bool {
    // Without the feature's help nobody could count what the question costs (`cargo xtask bench trace`).
    !cfg!(feature = "untraced") && ON.load(Ordering::Relaxed)
}

/// Whether an event of any of these names is to be traced.
fn wants(names: &[String]) -> bool {
    let patterns = PATTERNS.read().unwrap_or_else(PoisonError::into_inner);
    let last = patterns.iter().rev().find(|pattern| names.iter().any(|name| pattern.matches(name)));
    last.is_some_and(|pattern| pattern.wanted)
}

fn say(line: &str) {
    match &*SAY.read().unwrap_or_else(PoisonError::into_inner) {
        Some(say) => say(line),
        None => eprintln!("{line}"),
    }
}

/// Which way an access goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the device.
    Read,
    /// To the device.
    Write,
}

impl Way {
    /// The last part of an event's name.
    pub fn name(self) -> &'static str {
        match self {
            Way::Read => "read",
            Way::Write => "write",
        }
    }
}

/// A device as traces know it.
struct Known {
    /// What its events begin with: its own name if it has one, its type's, and its type's others.
    names: Vec<String>,
    table: &'static Table,
}

impl Known {
    fn new<D: ?Sized + Device>(device: &D, own: &str) -> Known {
        let class = device.class();
        let own = Some(own).filter(|own| !own.is_empty());
        let names = own.into_iter().chain([class.name]).chain(class.aliases.iter().copied());
        Known { names: names.map(str::to_owned).collect(), table: device.table() }
    }

    /// An access to a register as an event, by each name; `element` of an array is a number, or `N`.
    fn events(&self, register: &Register, element: &str, way: Way) -> Vec<String> {
        let element = if register.count > 1 { format!(".{element}") } else { String::new() };
        let event = |name: &String| format!("{name}.{}{element}.{}", register.name, way.name());
        self.names.iter().map(event).collect()
    }

    /// The accesses that there are.
    fn accesses(&self) -> impl Iterator<Item = (&'static Register, Way)> + use<> {
        let both = |row: &'static Register| [(row, Way::Read, row.readable), (row, Way::Write, row.writable)];
        let rows = self.table.rows.iter().flat_map(both);
        rows.filter_map(|(row, way, reach)| (reach != 0).then_some((row, way)))
    }

    /// Whether an access is to be traced; of an array, to any of its elements.
    fn wanted(&self, register: &Register, way: Way) -> bool {
        (0..register.count).any(|index| wants(&self.events(register, &index.to_string(), way)))
    }

    /// Whether `pattern` can match one of its events, under any of its names.
    fn knows(&self, pattern: &Pattern) -> bool {
        self.accesses().any(|(row, way)| {
            (0..row.count).any(|index| {
                let events = self.events(row, &index.to_string(), way);
                events.iter().any(|event| pattern.matches(event))
            })
        })
    }
}

/// Where a device is in the host's memory.
fn address<D: ?Sized>(device: &D) -> usize {
    std::ptr::from_ref(device).cast::<u8>().addr()
}

/// From now on `device` is called `name`, until it is [forgotten](forget).
pub(crate) fn remember<D: ?Sized + Device>(device: &D, name: &str) {
    let known = Known::new(device, name);
    DEVICES.write().unwrap_or_else(PoisonError::into_inner).insert(address(device), known);
}

/// There is no such device any more.
pub(crate) fn forget<D: ?Sized + Device>(device: &D) {
    DEVICES.write().unwrap_or_else(PoisonError::into_inner).remove(&address(device));
}

/// A register was read or is written: `bits` of it, of which `value` has or gets these.
#[cold]
#[inline(never)]
pub(crate) fn register<D: ?Sized + Device>(
    device: &D,
    row: usize,
    index: usize,
    way: Way,
    value: u64,
    bits: u64,
) {
    let devices = DEVICES.read().unwrap_or_else(PoisonError::into_inner);
    let nameless;
    let known = match devices.get(&address(device)) {
        Some(known) => known,
        None => {
            nameless = Known::new(device, "");
            &nameless
        }
    };
    let Some(register) = known.table.rows.get(row) else { return };
    if wants(&known.events(register, &index.to_string(), way)) {
        let element = if register.count > 1 { format!("[{index}]") } else { String::new() };
        let text = text(register, value, bits);
        say(&format!("{:<5} {}.{}{element} = {text}", way.name(), known.names[0], register.name));
    }
}

/// A register's value as a datasheet would write it: `0x83 { WLS=8bits STB=0 DLAB=1 }`.
///
/// `bits` are those that were accessed; the others are left out.
pub fn text(register: &Register, value: u64, bits: u64) -> String {
    let whole = crate::access::ones(register.width);
    let value = value & bits & whole;
    let mut text = format!("{value:#0digits$x}", digits = 2 + 2 * usize::from(register.width));
    let within = register.fields.iter().filter(|(_, field)| field.mask() & bits != 0);
    let parts: Vec<_> = within
        .map(|(name, field)| {
            let part = field.get(value);
            match field.names().iter().find(|(_, number)| *number == part) {
                Some((named, _)) => format!("{name}={named}"),
                None if part < 10 => format!("{name}={part}"),
                None => format!("{name}={part:#x}"),
            }
        })
        .collect();
    // A register that is one number says nothing twice.
    let plain = register.fields.iter().all(|(_, f)| f.names().is_empty() && f.mask() == whole);
    if !parts.is_empty() && !plain {
        let _ = write!(text, " {{ {} }}", parts.join(" "));
    }
    let known = register.fields.iter().fold(0, |known, (_, field)| known | field.mask());
    if value & !known != 0 {
        let _ = write!(text, " and {:#x} in no field", value & !known);
    }
    if bits & whole != whole && bits != 0 {
        let _ = write!(text, " (bits {}:{})", 63 - bits.leading_zeros(), bits.trailing_zeros());
    }
    text
}

/// DMA of the device called `name`: `bytes` from or to `at`.
#[cold]
pub(crate) fn dma(name: &str, way: Way, at: u64, bytes: &[u8]) {
    if !wants(&[format!("dma.{name}.{}", way.name())]) {
        return;
    }
    let shown: Vec<_> = bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > 16 { " ..." } else { "" };
    say(&format!("dma   {name} {} {at:#x}+{:#x}: {}{more}", way.name(), bytes.len(), shown.join(" ")));
}

/// The end of a line from output `output` of `from` to pin `pin` of `to`: `sink`, with a tracer before it. Its event is
/// `irq.TO.PIN`, and `irq.FROM.OUTPUT` as well.
pub fn line(from: &str, output: &str, to: &str, pin: u32, sink: Arc<dyn Sink>) -> Arc<dyn Sink> {
    let events = [format!("irq.{to}.{pin}"), format!("irq.{from}.{output}")];
    let traced = Arc::new(Traced { text: format!("irq   {from}.{output} -> {to}.{pin}"), events, sink });
    let mut lines = LINES.write().unwrap_or_else(PoisonError::into_inner);
    lines.retain(|line| line.strong_count() > 0);
    lines.push(Arc::downgrade(&traced));
    traced
}

struct Traced {
    text: String,
    events: [String; 2],
    sink: Arc<dyn Sink>,
}

impl Sink for Traced {
    fn set(&self, pin: u32, level: bool) {
        if is_on() && wants(&self.events) {
            say(&format!("{} = {}", self.text, u8::from(level)));
        }
        self.sink.set(pin, level);
    }
}

/// An event that a device's registers have, and what the register is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name; an element of an array is `N`.
    pub name: String,
    /// The register's documentation, or empty.
    pub doc: &'static str,
}

/// The events of `device`'s registers, called `name`.
pub fn events(name: &str, device: &dyn Device) -> Vec<Event> {
    let known = Known::new(device, name);
    let event = |(row, way): (&'static Register, Way)| Event {
        name: known.events(row, "N", way).swap_remove(0),
        doc: row.doc.trim(),
    };
    known.accesses().map(event).collect()
}

/// Whether `pattern` can match an event of `device` called `name`, under any of its names.
pub fn knows(pattern: &Pattern, name: &str, device: &dyn Device) -> bool {
    Known::new(device, name).knows(pattern)
}

/// Whether `pattern` can match an event of what is wired now. What is a wish for some of many may match none.
pub fn exists(pattern: &Pattern) -> bool {
    let devices = DEVICES.read().unwrap_or_else(PoisonError::into_inner);
    pattern.glob.contains(['*', '?'])
        || devices.values().any(|known| known.knows(pattern))
        || others(&devices).iter().any(|event| pattern.matches(event))
}

/// The events of DMA and lines of what is wired now.
fn others(devices: &BTreeMap<usize, Known>) -> BTreeSet<String> {
    let lines = LINES.read().unwrap_or_else(PoisonError::into_inner);
    let dma = devices.values().flat_map(|known| {
        [Way::Read, Way::Write].map(|way| format!("dma.{}.{}", known.names[0], way.name()))
    });
    lines.iter().filter_map(Weak::upgrade).flat_map(|line| line.events.clone()).chain(dma).collect()
}

/// Every event of what is wired now, by name, and whether it is traced; the elements of an array are one, `N`.
pub fn states() -> BTreeMap<String, bool> {
    let devices = DEVICES.read().unwrap_or_else(PoisonError::into_inner);
    let registers = devices.values().flat_map(|known| {
        let state = |(row, way)| (known.events(row, "N", way).swap_remove(0), known.wanted(row, way));
        known.accesses().map(state).collect::<Vec<_>>()
    });
    let others = others(&devices).into_iter().map(|event| (event.clone(), wants(&[event])));
    registers.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Field};

    #[test]
    fn a_pattern_is_a_name_its_first_parts_or_a_glob() {
        let event = "uart0.lcr.write";
        for yes in ["uart0", "uart0.lcr", event, "*", "uart0*", "*.write", "u?rt0.*.w*e", "**", "*lcr*"] {
            assert!(Pattern::new(yes).matches(event), "{yes}");
        }
        for no in ["uart", "uart0.l", "lcr", "*.read", "uart0.lcr.write.", "?", "", "uart0.lcr.write?"] {
            assert!(!Pattern::new(no).matches(event), "{no}");
        }
        let lines: Vec<_> = Pattern::lines("uart0*\n\n # no\n-uart0.lsr*\n").collect();
        assert_eq!(lines, [Pattern::new("uart0*"), Pattern::new("-uart0.lsr*")]);
    }

    #[test]
    fn a_value_reads_like_a_datasheet() {
        static FIELDS: [(&str, Field); 3] = [
            ("WLS", Field::new(1, 0, Access::RW).told("", &[("5bits", 0), ("8bits", 3)])),
            ("STB", Field::new(2, 2, Access::RW)),
            ("DIV", Field::new(15, 8, Access::RW)),
        ];
        let row = Register {
            name: "lcr",
            offset: 0,
            width: 2,
            count: 1,
            stride: 0,
            reset: 0,
            plain: true,
            stored: true,
            fields: &FIELDS,
            readable: 0xff07,
            writable: 0xff07,
            read_clears: 0,
            doc: "",
        };
        assert_eq!(text(&row, 0xab03, u64::MAX), "0xab03 { WLS=8bits STB=0 DIV=0xab }");
        assert_eq!(text(&row, 0x0911, 0xffff), "0x0911 { WLS=1 STB=0 DIV=9 } and 0x10 in no field");
        assert_eq!(text(&row, 0x0703, 0xff), "0x0003 { WLS=8bits STB=0 } (bits 7:0)");
        static ALL: [(&str, Field); 1] = [("ALL", Field::new(15, 0, Access::RW))];
        let plain = Register { fields: &ALL, ..row };
        assert_eq!(text(&plain, 0x1234, 0xffff), "0x1234");
    }
}
