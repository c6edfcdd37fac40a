//! Every node of `virt`'s device tree is walked and its device touched, ours over the bus and QEMU 7.2's over its
//! device-test protocol: both must answer alike. Without QEMU ours answers alone.

#![forbid(unsafe_code)]

use hartwright_device::Sink;
use hartwright_emu::{Program, assemble, parse as parse_words, resolve};
use hartwright_fdt::{Node, Read, parse};
use hartwright_machine::{Frame, Outside};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

/// Where devices are reached.
trait Bus {
    fn load(&mut self, at: u64, size: u8) -> u64;
    fn store(&mut self, at: u64, size: u8, value: u64);
}

struct Ours(hartwright_machine::Machine);

impl Bus for Ours {
    fn load(&mut self, at: u64, size: u8) -> u64 {
        self.0.space.load(at, size).unwrap_or_else(|why| panic!("{at:#x}: {why}"))
    }
    fn store(&mut self, at: u64, size: u8, value: u64) {
        self.0.space.store(at, size, value).unwrap_or_else(|why| panic!("{at:#x}: {why}"));
    }
}

struct Theirs {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Theirs {
    fn ask(&mut self, line: &str) -> u64 {
        writeln!(self.to, "{line}").unwrap();
        let mut answer = String::new();
        while !answer.starts_with("OK") {
            answer.clear();
            assert!(self.from.read_line(&mut answer).unwrap() > 0, "QEMU ended at {line}");
        }
        let number = answer.trim().strip_prefix("OK 0x");
        number.map_or(0, |hex| u64::from_str_radix(hex, 16).unwrap())
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        // It is ours, by its handle; that it is gone already is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn letter(size: u8) -> char {
    match size {
        1 => 'b',
        2 => 'w',
        4 => 'l',
        _ => 'q',
    }
}

impl Bus for Theirs {
    fn load(&mut self, at: u64, size: u8) -> u64 {
        self.ask(&format!("read{} {at:#x}", letter(size)))
    }
    fn store(&mut self, at: u64, size: u8, value: u64) {
        self.ask(&format!("write{} {at:#x} {value:#x}", letter(size)));
    }
}

struct Nobody;

impl Sink for Nobody {
    fn set(&self, _: u32, _: bool) {}
}

/// Our machine without harts, and its device tree.
fn ours(line: &str) -> (Ours, Vec<u8>) {
    let program = Program::new(Some("hartwright"));
    let asked = parse_words(&program, line.split_whitespace().map(Into::into)).unwrap();
    let config = resolve(&program, asked).unwrap();
    let assembled = assemble(&config).map_err(|_| "it makes no sense").unwrap();
    let (plan, object) = (assembled.plan, assembled.object);
    let harts = *assembled.checked.spec.cpu.harts;
    let mut frame = Frame::new(assembled.checked).unwrap();
    frame.items = plan.items.clone();
    let pins: Vec<Arc<dyn Sink>> = (0..harts).map(|_| Arc::new(Nobody) as Arc<dyn Sink>).collect();
    let machine = frame.wire(object, &pins, &Outside { epoch: 1 << 60, ..Outside::default() }).unwrap();
    plan.load(&machine.space).unwrap();
    (Ours(machine), plan.device_tree)
}

/// QEMU's machine, standing, and its device tree.
fn theirs(line: &str) -> Option<(Theirs, Vec<u8>)> {
    let program = "qemu-system-riscv64";
    let file = std::env::temp_dir().join(format!("hartwright-{}-walk.dtb", std::process::id()));
    let dump = line.replace("virt", &format!("virt,dumpdtb={}", file.display()));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let quiet = ["-display", "none", "-monitor", "none", "-serial", "null"];
    let dumped = Command::new(program).args(words(&dump)).args(quiet).stderr(Stdio::null()).status();
    let Ok(true) = dumped.map(|status| status.success()) else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let blob = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let mut process = Command::new(program)
        .args(words(line))
        .args(quiet)
        .args(["-S", "-qtest", "stdio", "-qtest-log", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
    Some((Theirs { process, to, from }, blob))
}

/// What each node's device says to one who touches it.
fn walk(bus: &mut dyn Bus, blob: &[u8]) -> BTreeMap<String, String> {
    fn step(bus: &mut dyn Bus, node: &Node, path: &str, found: &mut BTreeMap<String, String>) {
        let kind = node.read_strs("compatible").and_then(|all| all.first().map(|first| (*first).to_owned()));
        let kind = kind.or(node.read_str("device_type").map(str::to_owned));
        let cells = node.read_cells("reg").unwrap_or_default();
        let reg: Vec<u64> =
            cells.chunks_exact(2).map(|pair| u64::from(pair[0]) << 32 | u64::from(pair[1])).collect();
        if let Some(kind) = kind
            && let Some(said) = touch(bus, node, &kind, &reg)
        {
            found.insert(path.to_owned(), said);
        }
        for child in node.nodes() {
            step(bus, child, &format!("{path}/{}", child.label()), found);
        }
    }
    let mut found = BTreeMap::new();
    step(bus, &parse(blob).unwrap().root, "", &mut found);
    found
}

/// What is read after `value` was written.
fn keeps(bus: &mut dyn Bus, at: u64, size: u8, value: u64) -> u64 {
    bus.store(at, size, value);
    bus.load(at, size)
}

/// Nothing for what is no device on the bus.
fn touch(bus: &mut dyn Bus, node: &Node, kind: &str, reg: &[u64]) -> Option<String> {
    let base = reg.first().copied().unwrap_or(0);
    Some(match kind {
        "memory" => {
            let last = base + reg[1] - 8;
            format!(
                "{:x} {:x}",
                keeps(bus, base + 0x10_0000, 8, 0x1122_3344_5566_7788),
                keeps(bus, last, 8, 0x8877)
            )
        }
        "sifive,test1" => format!("{:x}", bus.load(base, 4)),
        "google,goldfish-rtc" => {
            let low = bus.load(base, 4);
            let high = bus.load(base + 4, 4);
            // 2^60 nanoseconds: since 2006.
            format!("later {} {:x}", high << 32 | low >= 1 << 60, keeps(bus, base + 0xc, 4, 0x7fff_ffff))
        }
        "sifive,clint0" => {
            let all: Vec<u64> =
                harts(node, 2).map(|hart| keeps(bus, base + 0x4000 + 8 * hart, 8, hart + 9)).collect();
            format!("{all:x?} {:x} {:x}", keeps(bus, base, 4, 1), keeps(bus, base, 4, 0))
        }
        "riscv,aclint-mswi" | "riscv,aclint-sswi" => {
            let all: Vec<u64> = harts(node, 1).map(|hart| keeps(bus, base + 4 * hart, 4, 1)).collect();
            format!("{all:x?}")
        }
        "riscv,aclint-mtimer" => {
            let compare = reg[2];
            let all: Vec<u64> =
                harts(node, 1).map(|hart| keeps(bus, compare + 8 * hart, 8, hart + 9)).collect();
            bus.load(base, 8);
            format!("{all:x?}")
        }
        "sifive,plic-1.0.0" => {
            let contexts: Vec<u64> = harts(node, 1)
                .map(|context| keeps(bus, base + 0x20_0000 + 0x1000 * context, 4, context))
                .collect();
            format!(
                "{:x} {:x} {contexts:x?}",
                keeps(bus, base + 4 * 95, 4, 7),
                keeps(bus, base + 0x2000, 4, 0xffff_fffe)
            )
        }
        "ns16550a" => format!("{:x} {:x}", bus.load(base + 5, 1), keeps(bus, base + 7, 1, 0x5a)),
        "virtio,mmio" => {
            let registers: Vec<u64> = (0..4).map(|index| bus.load(base + 4 * index, 4)).collect();
            format!("{registers:x?}")
        }
        "qemu,fw-cfg-mmio" => {
            bus.store(base + 8, 2, 0);
            let signature = bus.load(base, 4);
            bus.store(base + 8, 2, u64::from(5u16.swap_bytes()));
            format!("{signature:x} {:x} {:x}", bus.load(base, 2), bus.load(base + 16, 8))
        }
        "cfi-flash" => {
            let chip = |bank: &[u64]| {
                bus.store(bank[0], 4, 0x98_0098);
                let query: Vec<u64> = (0x10..0x35).map(|index| bus.load(bank[0] + 4 * index, 4)).collect();
                bus.store(bank[0], 4, 0xff_00ff);
                format!("{query:x?} {:x}", bus.load(bank[0] + bank[1] - 8, 8))
            };
            reg.chunks(2).map(chip).collect::<Vec<_>>().join("; ")
        }
        "syscon-poweroff" | "syscon-reboot" => {
            format!("{:?} {:?}", node.read_u32("offset"), node.read_u32("value"))
        }
        _ => return None,
    })
}

/// The numbers of the harts, or contexts, that a device interrupts, each with so many lines.
fn harts(node: &Node, lines: u64) -> std::ops::Range<u64> {
    0..node.read_cells("interrupts-extended").unwrap_or_default().len() as u64 / 2 / lines
}

#[test]
fn whoever_walks_the_tree_finds_what_qemu_has() {
    for (line, devices) in [
        ("-machine virt -smp 2 -m 256M", 18),
        ("-machine virt,aclint=on -smp 4 -m 256M -numa node,mem=128M -numa node,mem=128M", 25),
    ] {
        let (mut bus, blob) = ours(line);
        let found = walk(&mut bus, &blob);
        assert_eq!(found.len(), devices, "{line}: {:#?}", found.keys());
        if let Some((mut bus, blob)) = theirs(line) {
            let mut theirs = walk(&mut bus, &blob);
            // QEMU 7.2 looks for these comparators under the numbers of other harts; 8 and later do not.
            const MISPLACED: &str = "/soc/mtimer@2014000";
            if let (Some(theirs), Some(ours)) = (theirs.get_mut(MISPLACED), found.get(MISPLACED)) {
                theirs.clone_from(ours);
            }
            assert_eq!(found, theirs, "{line}");
        }
    }
}
