//! The same random accesses to our devices and to QEMU's, over QEMU's device-test protocol.
//!
//! QEMU 7.2 is another opinion, not the law. Where these devices differ on purpose, the accesses stay clear of it:
//!
//! - UART: MCR is 0 after a reset (QEMU: OUT2 set). In a loop, modem lines leave deltas in MSR (data sheet 8.7),
//!   in QEMU they do not. LSR bit 7 exists.
//! - PLIC: a claim ignores the threshold (specification, chapter 9), in QEMU 7.2 it does not. A request is
//!   made again at completion while the line is high (chapter 4), in QEMU only when somebody drives the line again,
//!   and then even during service. Completion of a source that is not enabled is ignored.
//! - CLINT: the comparators are all ones after a reset (QEMU: 0), and both halves of the software interrupts of two
//!   harts can be reached at once.
//! - Goldfish RTC: an alarm is a time of day, so it follows when the time is set; in QEMU it stays where it was.
//! - fw_cfg: none.
//! - CFI flash: programming only clears bits (JESD68; QEMU writes what it is given), commands are taken while reading
//!   the identification, the wrong end of a command sets two bits of the status, locks lock.
//!   It is always ready; QEMU's is not after a reset and after clearing the status.
//!
//! Without `qemu-system-riscv64` the tests say so and pass.

#![forbid(unsafe_code)]

use hartwright_device::{Array, Clock, Device, Dma, Items, Line, Locked, Mmio, Power, Request, Sink, Wiring};
use hartwright_devices::{Clint, FwCfg, GoldfishRtc, Ns16550a, PflashCfi01, Plic, SifiveTest};
use hartwright_mem::AddressSpace;
use hartwright_objects::Object;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

/// Where QEMU 7.2's `virt` has its interrupt controller.
const PLIC: &str = "/machine/unattached/device[2]";

/// QEMU's `virt`, stopped, with its devices at our disposal.
struct Qemu {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// The input of the interrupt controller that is looked at, and its level, once it is intercepted.
    source: u32,
    level: bool,
}

impl Qemu {
    fn start(source: u32) -> Option<Self> {
        let spawned = Command::new("qemu-system-riscv64")
            .args(["-machine", "virt", "-smp", "2", "-rtc", "base=2020-01-01,clock=vm"])
            .args(["-S", "-qtest", "stdio", "-qtest-log", "/dev/null"])
            .args(["-display", "none", "-monitor", "none", "-serial", "null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut process) = spawned else {
            eprintln!("skipped: qemu-system-riscv64 is not installed");
            return None;
        };
        let (to, from) = (process.stdin.take()?, BufReader::new(process.stdout.take()?));
        Some(Qemu { process, to, from, source, level: false })
    }

    fn ask(&mut self, line: &str) -> u64 {
        writeln!(self.to, "{line}").unwrap();
        let mut answer = String::new();
        // Before the answer comes what the access did to intercepted lines.
        while !answer.starts_with("OK") {
            answer.clear();
            assert!(self.from.read_line(&mut answer).unwrap() > 0, "QEMU ended at {line}");
            if let Some(change) = answer.strip_prefix("IRQ ") {
                match change.trim().split_once(' ') {
                    Some((how, source)) if source == self.source.to_string() => self.level = how == "raise",
                    _ => {}
                }
            } else {
                assert!(answer.starts_with("OK"), "{line}: {answer:?}");
            }
        }
        let rest = answer.trim().trim_start_matches("OK").trim();
        rest.strip_prefix("0x").map_or(0, |hex| u64::from_str_radix(hex, 16).unwrap())
    }

    fn read(&mut self, addr: u64, size: u8) -> u64 {
        self.ask(&format!("read{} {addr:#x}", letter(size)))
    }

    fn write(&mut self, addr: u64, size: u8, value: u64) {
        self.ask(&format!("write{} {addr:#x} {value:#x}", letter(size)));
    }
}

impl Drop for Qemu {
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

/// xorshift64: the same accesses in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 20) % n
    }
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

#[derive(Default)]
struct Level(AtomicBool);

impl Sink for Level {
    fn set(&self, _: u32, level: bool) {
        self.0.store(level, Ordering::Relaxed);
    }
}

/// Both sides of a device, and what was done, to be told when they part.
struct Pair<D: Device> {
    qemu: Qemu,
    base: u64,
    ours: Arc<Locked<D>>,
    irq: Arc<Level>,
    done: Vec<String>,
}

impl<D: Device> Pair<D> {
    fn new(base: u64, device: D) -> Option<Self> {
        Self::wired(base, device, 0, Wiring::default())
    }

    fn wired(base: u64, device: D, source: u32, wiring: Wiring) -> Option<Self> {
        let ours = Locked::new(Box::new(device));
        let irq = Arc::new(Level::default());
        let lines = vec![Line::new(irq.clone(), 0)];
        ours.wire(Wiring { lines, ..wiring }).unwrap();
        let mut qemu = Qemu::start(source)?;
        if source != 0 {
            qemu.ask(&format!("irq_intercept_in {PLIC}"));
        }
        Some(Pair { qemu, base, ours, irq, done: vec![] })
    }

    /// The line is as QEMU's.
    fn same_line(&self) {
        if self.qemu.level != self.irq.0.load(Ordering::Relaxed) {
            self.part(&format!("QEMU's interrupt is {}", self.qemu.level));
        }
    }

    fn write(&mut self, offset: u64, size: u8, value: u64) {
        self.done.push(format!("write{} {offset:#x} {value:#x}", letter(size)));
        self.qemu.write(self.base + offset, size, value);
        self.ours.write(offset, size, value).unwrap();
    }

    fn read(&mut self, offset: u64, size: u8, mask: u64) -> u64 {
        let theirs = self.qemu.read(self.base + offset, size);
        let ours = self.ours.read(offset, size).unwrap();
        self.done.push(format!("read{} {offset:#x} = {theirs:#x}", letter(size)));
        if (theirs ^ ours) & mask != 0 {
            self.part(&format!("QEMU reads {theirs:#x}, we {ours:#x}"));
        }
        theirs
    }

    /// Drives source `source` of both interrupt controllers.
    fn drive(&mut self, source: u64, level: bool) {
        self.done.push(format!("source {source} is {level}"));
        let pin = format!("{PLIC} unnamed-gpio-in {source} {}", u8::from(level));
        self.qemu.ask(&format!("set_irq_in {pin}"));
        self.ours.set(source as u32, level);
    }

    fn part(&self, how: &str) -> ! {
        let tail = &self.done[self.done.len().saturating_sub(30)..];
        panic!("after {} accesses, of which the last:\n{}\n{how}", self.done.len(), tail.join("\n"));
    }
}

#[test]
fn the_uart_does_as_qemus() {
    let uart = Ns16550a::default();
    let Some(mut pair) = Pair::wired(0x1000_0000, uart, 10, Wiring::default()) else { return };
    let mut random = Random(0x1655_0a16_550a_1655);
    pair.write(4, 1, 0);
    for _ in 0..30_000 {
        let register = random.of(&[0, 0, 0, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7]);
        if random.below(2) == 0 {
            // Loops leave deltas in our MSR alone.
            pair.read(register, 1, if register == 6 { 0xf0 } else { 0xff });
        } else {
            let value = random.next() & 0xff;
            let value = match register {
                // Without the modem's interrupt, as they have no deltas.
                1 if pair.ours.read(3, 1).unwrap() & 0x80 == 0 => value & 0xf7,
                // FIFOs are reset now and then, not every time.
                2 => value & random.of(&[0xc1, 0xc1, 0xc9, 0xcb, 0xcd, 0xff]) | random.of(&[0, 1, 1]),
                3 => value & random.of(&[0x7f, 0x7f, 0x7f, 0xff]),
                // A loop most of the time: that is how characters arrive.
                4 => value | random.of(&[0, 0x10, 0x10]),
                _ => value,
            };
            pair.write(register, 1, value);
        }
        if random.below(40) == 0 {
            // Enough in a row to pass every trigger level and the FIFO's end.
            (0..random.below(20)).for_each(|_| pair.write(0, 1, random.next() & 0xff));
        }
        pair.same_line();
    }
}

#[test]
fn the_clint_does_as_qemus() {
    let mut clint = Clint::default();
    clint.give("num-harts", &2.into()).unwrap();
    let Some(mut pair) = Pair::new(0x0200_0000, clint) else { return };
    let mut random = Random(0xc11a_7c11_a7c1_1a7c);
    pair.write(0x4000, 8, 1);
    pair.write(0x4008, 8, 1);
    for _ in 0..10_000 {
        let (offset, size) = random.of(&[
            (0, 4),
            (4, 4),
            (0x4000, 4),
            (0x4004, 4),
            (0x4000, 8),
            (0x4008, 8),
            (0x400c, 4),
            (0xbff8, 4),
            (0xbffc, 4),
            (0xbff8, 8),
        ]);
        if random.below(2) == 0 {
            pair.read(offset, size, u64::MAX);
        } else {
            let value = random.next() & (u64::MAX >> (64 - 8 * u32::from(size)));
            pair.write(offset, size, value >> random.below(64));
        }
    }
}

#[test]
fn the_plic_does_as_qemus() {
    let mut plic = Plic::default();
    plic.give("hart-config", &"MS,MS".into()).unwrap();
    let Some(mut pair) = Pair::new(0x0c00_0000, plic) else { return };
    let mut random = Random(0x9117_c911_7c91_17c9);
    // Sources that no device of `virt` drives.
    let sources: Vec<u64> = (40..90).collect();
    let mut high = [false; 128];
    let mut serving: Vec<(u64, u64)> = vec![];
    for source in &sources {
        pair.write(4 * source, 4, random.next() & 0xffff_ffff);
    }
    for _ in 0..30_000 {
        let (source, context) = (random.of(&sources), random.below(4));
        match random.below(8) {
            0 => pair.write(4 * source, 4, random.next() & 0xffff_ffff),
            1 => drop(pair.read(4 * source, 4, u64::MAX)),
            // Only while nobody serves: who serves must have it enabled to complete it.
            2 if serving.is_empty() => {
                let word = 1 + random.below(2);
                let all = sources.iter().filter(|s| *s / 32 == word).fold(0, |m, s| m | 1 << (s % 32));
                pair.write(0x2000 + 0x80 * context + 4 * word, 4, random.next() & all);
            }
            2 => drop(pair.read(0x2000 + 0x80 * context + 4 * random.below(3), 4, u64::MAX)),
            3 => drop(pair.read(0x1000 + 4 * random.below(4), 4, u64::MAX)),
            4 | 5 if !serving.iter().any(|(_, s)| *s == source) => {
                high[source as usize] ^= true;
                pair.drive(source, high[source as usize]);
            }
            6 => {
                let claimed = pair.read(0x20_0004 + 0x1000 * context, 4, u64::MAX);
                if claimed != 0 {
                    serving.push((context, claimed));
                    high[claimed as usize] = false;
                    pair.drive(claimed, false);
                }
            }
            _ => {
                if let Some((context, source)) = serving.pop() {
                    pair.write(0x20_0004 + 0x1000 * context, 4, source);
                }
            }
        }
    }
    for context in 0..4 {
        for _ in 0..20 {
            pair.write(0x20_0000 + 0x1000 * context, 4, random.next() & 0xffff_ffff);
            pair.read(0x20_0000 + 0x1000 * context, 4, u64::MAX);
        }
    }
}

#[test]
fn the_finisher_ends_qemu_with_the_code_it_would_end_us() {
    for (value, code) in [(0x5555u64, 0), (0x0003_3333, 3), (0x00ff_3333, 255)] {
        let Some(mut qemu) = Qemu::start(0) else { return };
        writeln!(qemu.to, "writel 0x100000 {value:#x}").unwrap();
        let status = qemu.process.wait().unwrap();
        let (tell, told) = mpsc::channel();
        let ours = Locked::new(Box::new(SifiveTest::default()));
        let power = Power::new(move |request| tell.send(request).unwrap());
        ours.wire(Wiring { power, ..Wiring::default() }).unwrap();
        ours.write(0, 4, value).unwrap();
        assert_eq!(told.recv(), Ok(Request::Shutdown(code)));
        assert_eq!(status.code(), Some(code.into()), "{value:#x}");
    }
}

#[test]
fn the_clock_of_the_day_does_as_qemus() {
    // Both clocks stand: Debian's QEMU has none that goes by command.
    let clock = Clock::by_hand();
    let epoch = 1_577_836_800_000_000_000;
    let wiring = Wiring { clock, epoch, ..Wiring::default() };
    let Some(mut pair) = Pair::wired(0x10_1000, GoldfishRtc::default(), 11, wiring) else { return };
    let mut random = Random(0x601d_f154_601d_f154);
    for _ in 0..6_000 {
        match 1 + random.below(7) {
            // Near the present, before and after it.
            1 => {
                let low = pair.read(0, 4, u64::MAX);
                let now = pair.read(4, 4, u64::MAX) << 32 | low;
                let alarm = now.wrapping_add(random.next() >> 30).wrapping_sub(1 << 32);
                pair.write(0xc, 4, alarm >> 32);
                pair.write(8, 4, alarm & 0xffff_ffff);
            }
            2 => {
                pair.write(0x14, 4, 1);
                pair.write(random.of(&[0, 4]), 4, random.next() & 0x1fff_ffff);
            }
            3 => pair.write(0x10, 4, random.next() & 0xffff_ffff),
            4 => pair.write(random.of(&[0x14, 0x1c]), 4, random.next() & 0xffff_ffff),
            _ => {
                let register = random.of(&[0, 4, 8, 0xc, 0x10, 0x14, 0x18, 0x1c]);
                pair.read(register, 4, u64::MAX);
            }
        }
        pair.same_line();
    }
}

#[test]
fn fw_cfg_does_as_qemus() {
    // Where no firmware is.
    const RAM: u64 = 0x8600_0000;
    let mut map = AddressSpace::build();
    map.ram("ram", RAM, 0x1_0000).unwrap();
    let space = map.finish().unwrap();
    let mut items = Items::default();
    items.numbered.insert(5, vec![2, 0]);
    let own = [("bios-geometry", vec![]), ("bootorder", vec![]), ("etc/boot-fail-wait", vec![0xff; 4])];
    items.files.extend(own.map(|(name, bytes)| (name.to_owned(), bytes)));
    let wiring = Wiring { memory: Dma::new(&space), items: Arc::new(items), ..Wiring::default() };
    let Some(mut pair) = Pair::wired(0x1010_0000, FwCfg::default(), 0, wiring) else { return };
    let mut random = Random(0xf3c0_ffee_f3c0_ffee);
    for _ in 0..1_500 {
        let key: u16 = random.of(&[0, 1, 2, 4, 5, 0xe, 0x19, 0x20, 0x22, 0x25, 0x8001, 0x4001, 0x3fff]);
        match random.below(8) {
            0 | 1 => pair.write(8, 2, key.swap_bytes().into()),
            2 => {
                let (offset, size) = random.of(&[(0x10, 4), (0x14, 4), (0x10, 8), (0x12, 2)]);
                pair.read(offset, size, u64::MAX);
            }
            3 | 4 => {
                // All commands, together and alone, some of no meaning; into memory, mostly.
                let control = u32::from(key) << 16 | random.below(32) as u32 & !1;
                let address = random.of(&[RAM + 0x100, RAM + 0x103, 0x40]);
                let words = [control, random.below(48) as u32, 0, address as u32];
                for (word, at) in words.iter().zip((RAM..).step_by(4)) {
                    pair.qemu.write(at, 4, word.swap_bytes().into());
                    space.store(at, 4, word.swap_bytes().into()).unwrap();
                }
                pair.done.push(format!("request {words:x?}"));
                pair.write(0x10, 8, RAM.swap_bytes());
                for at in (RAM..RAM + 0x140).step_by(8) {
                    let (theirs, ours) = (pair.qemu.read(at, 8), space.load(at, 8).unwrap());
                    if theirs != ours {
                        pair.part(&format!("at {at:#x} QEMU has {theirs:#x}, we have {ours:#x}"));
                    }
                }
            }
            _ => {
                pair.read(0, random.of(&[1, 2, 4, 8]), u64::MAX);
            }
        }
    }
}

#[test]
fn flash_does_as_qemus() {
    let mut map = AddressSpace::build();
    map.ram("array", 0, 0x200_0000).unwrap();
    let space = map.finish().unwrap();
    let wiring = Wiring { array: Array::new(&space, 0), ..Wiring::default() };
    let Some(mut pair) = Pair::wired(0x2000_0000, PflashCfi01::default(), 0, wiring) else { return };
    let mut random = Random(0xf1a5_4f1a_54f1_a54f);
    for _ in 0..600 {
        let block = 0x4_0000 * random.of(&[0, 1, 64, 127]);
        let word = block + 4 * random.below(0x100);
        // What is there stays, or loses bits.
        let less = |pair: &mut Pair<PflashCfi01>, at: u64, random: &mut Random| {
            pair.ours.with(|flash| flash.read(at, 4)).unwrap() & random.next()
        };
        match random.below(10) {
            0 => {
                pair.write(word, 4, 0x20_0020);
                pair.write(word, 4, 0xd0_00d0);
                pair.read(word, 4, u64::MAX);
            }
            1..4 => {
                let value = less(&mut pair, word, &mut random);
                pair.write(word, 4, random.of(&[0x40_0040, 0x10_0010]));
                pair.write(word, 4, value);
                pair.read(word, 4, u64::MAX);
            }
            4 | 5 => {
                let count = 1 + random.below(8);
                let values: Vec<u64> =
                    (0..count).map(|i| less(&mut pair, word + 4 * i, &mut random)).collect();
                pair.write(word, 4, 0xe8_00e8);
                pair.read(word, 4, u64::MAX);
                pair.write(word, 4, (count - 1) * 0x1_0001);
                for (value, i) in values.into_iter().zip(0..) {
                    pair.write(word + 4 * i, 4, value);
                }
                pair.write(word, 4, 0xd0_00d0);
                pair.read(word, 4, u64::MAX);
            }
            6 => {
                pair.write(block, 4, 0x98_0098);
                for index in 0..0x60 {
                    pair.read(4 * index, 4, u64::MAX);
                }
            }
            7 => {
                pair.write(block, 4, 0x90_0090);
                for index in 0..3 {
                    pair.read(4 * index, 4, u64::MAX);
                }
            }
            8 => {
                pair.write(block, 4, 0x70_0070);
                pair.read(word, 4, !0x80_0080);
                pair.write(block, 4, 0x50_0050);
            }
            _ => {
                pair.write(word, 4, 0x60_0060);
                pair.write(word, 4, 0xd0_00d0);
                pair.read(word, 4, u64::MAX);
            }
        }
        pair.write(block, 4, 0xff_00ff);
        for _ in 0..4 {
            let size = random.of(&[1, 2, 4, 8]);
            let at = block + random.below(0x400 / u64::from(size)) * u64::from(size);
            pair.read(at, size, u64::MAX);
        }
    }
}
