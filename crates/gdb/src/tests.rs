//! The protocol packet by packet, as a debugger sends them.

use crate::{packet::framed, start};
use hartwright_device::{CharPort, Clock, Entropy, Mtime};
use hartwright_exec::{Engine, Harts, Pace, Setup, Trace};
use hartwright_hart::Config;
use hartwright_isa::cpu::CpuModel;
use hartwright_loader::Symbols;
use hartwright_mem::{AddressSpace, PAGE};
use hartwright_monitor::{Control, Outside, Parts, RunState, Stops};
use hartwright_objects::{Abstract, Node};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) const RAM: u64 = 0x8000_0000;

/// Two harts count in t0 and store what they counted at RAM + 0x100; in between is an `ecall` whose handler, at
/// RAM + 0x80, goes on after it.
const PROGRAM: &[u32] = &[
    0x0000_0297, // 00 auipc t0, 0
    0x0802_8313, // 04 addi t1, t0, 0x80
    0x3053_1073, // 08 csrw mtvec, t1
    0x1002_8393, // 0c addi t2, t0, 0x100
    0x0000_0e13, // 10 li t3, 0
    0x001e_0e13, // 14 addi t3, t3, 1
    0x0000_0073, // 18 ecall
    0x01c3_b023, // 1c sd t3, 0(t2)
    0xff5f_f06f, // 20 j 14
];
const HANDLER: &[u32] = &[
    0x3410_2573, // 80 csrr a0, mepc
    0x0045_0513, // 84 addi a0, a0, 4
    0x3415_1073, // 88 csrw mepc, a0
    0x3020_0073, // 8c mret
];

#[derive(Clone, Default)]
pub(crate) struct Around(Arc<AtomicBool>);

impl Outside for Around {
    fn reset(&self) {}
    fn quit(&self) {
        self.0.store(true, Ordering::Release);
    }
    fn power_down(&self) -> Result<(), String> {
        Ok(())
    }
    fn disks(&self) -> String {
        String::new()
    }
    fn chardevs(&self) -> Vec<(String, String)> {
        vec![]
    }
}

/// A machine with a server, and our end of the wire.
struct Bench {
    control: Arc<Control>,
    port: CharPort,
    quit: Around,
}

fn bench() -> Bench {
    bench_with(machine())
}

fn bench_with((control, quit): (Arc<Control>, Around)) -> Bench {
    let port = CharPort::default();
    port.connect(Arc::new(|| ()));
    start(port.clone(), control.clone(), Arc::default()).unwrap();
    Bench { control, port, quit }
}

/// Two harts that run what is above.
fn machine() -> (Arc<Control>, Around) {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    machine_with(&[(RAM, words(PROGRAM)), (RAM + 0x80, words(HANDLER))])
}

/// Two harts with this in their memory, which begin at its start.
pub(crate) fn machine_with(content: &[(u64, Vec<u8>)]) -> (Arc<Control>, Around) {
    machine_of("rv64", content)
}

/// The same of harts of another model.
fn machine_of(model: &str, content: &[(u64, Vec<u8>)]) -> (Arc<Control>, Around) {
    let mut map = AddressSpace::build();
    map.ram("ram", RAM, 16 * PAGE).unwrap();
    let space = map.finish().unwrap();
    content.iter().for_each(|(at, bytes)| space.write_bytes(*at, bytes).unwrap());
    let clock = Clock::new();
    let config = |id| Config {
        model: CpuModel::find(model).unwrap().clone(),
        id,
        reset_pc: RAM,
        space: space.clone(),
        mtime: Mtime::new(clock.clone(), 10_000_000),
        entropy: Entropy::default(),
    };
    let (stops, quit) = (Stops::default(), Around::default());
    let harts = vec![config(0), config(1)];
    let setup = Setup {
        harts,
        listener: stops.listener(),
        trace: Trace::default(),
        environment: None,
        semihost: None,
        pace: Pace::Together,
        engine: Engine::default(),
    };
    let parts = Parts {
        harts: Harts::new(setup).unwrap(),
        space,
        clock,
        root: Node::root(Abstract::container()),
        symbols: Symbols::default(),
        name: None,
        version: "0".into(),
        trace: Trace::default(),
        outside: Box::new(quit.clone()),
    };
    (Control::new(parts, stops).unwrap(), quit)
}

impl Bench {
    /// Sends a packet.
    fn send(&self, payload: &str) {
        self.feed(&framed(payload.as_bytes()));
    }

    fn feed(&self, mut bytes: &[u8]) {
        until(|| {
            bytes = &bytes[self.port.feed(bytes)..];
            bytes.is_empty()
        });
    }

    /// The next packet's payload.
    fn packet(&self) -> String {
        let mut text = Vec::new();
        until(|| {
            let mut byte = [0];
            while self.port.peek_output(&mut byte) > 0 {
                self.port.consume_output(1);
                text.push(byte[0]);
                if text.iter().rev().nth(2) == Some(&b'#') {
                    return true;
                }
            }
            false
        });
        let text = String::from_utf8(text).unwrap();
        let (_, payload) = text.split_once('$').unwrap();
        unpacked(payload.split_once('#').unwrap().0)
    }

    #[track_caller]
    fn check(&self, payload: &str, expect: &str) {
        self.send(payload);
        assert_eq!(self.packet(), expect, "{payload}");
    }

    /// Begins a conversation.
    fn hello(self) -> Self {
        self.send("qSupported:multiprocess+;swbreak+;hwbreak+");
        let features = self.packet();
        for feature in ["PacketSize=", "qXfer:features:read+", "vContSupported+", "multiprocess+"] {
            assert!(features.contains(feature), "{features}");
        }
        self
    }
}

/// A payload without run-length encoding.
fn unpacked(payload: &str) -> String {
    let mut text = String::new();
    let mut chars = payload.chars();
    while let Some(c) = chars.next() {
        if c != '*' {
            text.push(c);
            continue;
        }
        let count = chars.next().unwrap() as usize - 29;
        let last = text.chars().last().unwrap();
        text.extend(std::iter::repeat_n(last, count));
    }
    text
}

pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "it never happened");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn of_128_bits_gdb_sees_64_and_leaves_the_others() {
    let b = bench_with(machine_of("x-rv128", &[])).hello();
    let x10 = || b.control.while_standing(|harts| harts.with(0, |hart| hart.x(10))).unwrap();
    b.control.while_standing(|harts| harts.with(0, |hart| hart.set_x(10, 7 << 64 | 9))).unwrap();
    b.send("g");
    let all = b.packet();
    assert_eq!(all.len(), 33 * 16);
    b.check(&format!("G{all}"), "OK");
    assert_eq!(x10(), 7 << 64 | 9);
    b.check("Pa=feffffffffffffff", "OK");
    assert_eq!(x10(), u128::MAX - 1);
    b.check("pa", "feffffffffffffff");
}

#[test]
fn registers_and_memory_are_read_and_written() {
    let b = bench().hello();
    b.check("p20", "0000008000000000");
    b.check("Pa=efcdab8967452301", "OK");
    b.check("pa", "efcdab8967452301");
    b.send("g");
    assert_eq!(b.packet().len(), 33 * 16);
    b.check("P1041=0100000000000000", "OK");
    b.check("p1041", "0100000000000000");
    b.check(&format!("P{:x}=0800000000000000", 65 + 0x340), "OK");
    b.check(&format!("p{:x}", 65 + 0x340), "0800000000000000");
    b.check(&format!("p{:x}", 65 + 0x7c0), "E14");
    b.check("m80000000,8", "9702000013830208");
    b.check("m0,4", "E14");
    b.check("M80000200,2:beef", "OK");
    b.check("m80000200,2", "beef");
    b.check("M0,2:beef", "E14");
    b.check("m80000000,ffffffffffffffff", "E22");
    b.check("mffffffffffffffff,4", "E14");
}

#[test]
fn harts_are_threads() {
    let b = bench().hello();
    b.check("qfThreadInfo", "mp01.01,p01.02");
    b.check("qsThreadInfo", "l");
    b.send("qThreadExtraInfo,p1.2");
    let hex: String = b"CPU#1 [running]".iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(b.packet(), hex);
    b.check("?", "T05thread:p01.01;");
    b.check("Hgp1.2", "OK");
    b.check(&format!("p{:x}", 65 + 0xf14), "0100000000000000");
}

#[test]
fn a_step_goes_into_the_trap_handler() {
    let b = bench().hello();
    b.check("Z0,80000018,4", "OK");
    b.check("vCont;c:p1.1", "T05thread:p01.01;swbreak:;");
    b.check("p20", "1800008000000000");
    b.check("vCont;s:p1.1", "T05thread:p01.01;");
    b.check("p20", "8000008000000000");
    b.check(&format!("p{:x}", 65 + 0x342), "0b00000000000000");
    b.check("Hgp1.2", "OK");
    b.check("p20", "0000008000000000");
    b.check("z0,80000018,4", "OK");
    b.check("Z1,8000001c,4", "OK");
    b.check("vCont;c:p1.2", "T05thread:p01.02;hwbreak:;");
    b.check("p20", "1c00008000000000");
}

#[test]
fn a_watchpoint_tells_who_wrote() {
    let b = bench().hello();
    b.check("Z2,80000100,8", "OK");
    b.check("vCont;c:p1.1", "T05thread:p01.01;watch:80000100;");
    b.check("p20", "2000008000000000");
    b.check("m80000100,1", "01");
    b.check("vCont;c:p1.1", "T05thread:p01.01;watch:80000100;");
    b.check("m80000100,1", "02");
    b.check("z2,80000100,8", "OK");
    b.check("Z3,80000100,8", "OK");
    b.send("vCont;c");
    std::thread::sleep(Duration::from_millis(20));
    b.feed(&[3]);
    assert_eq!(b.packet(), "T02thread:p01.01;");
    assert_eq!(b.control.state(), RunState::Paused);
}

#[test]
fn the_monitor_is_behind_the_debugger() {
    let b = bench().hello();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    b.send(&format!("qRcmd,{}", hex("info status")));
    assert_eq!(b.packet(), format!("O{}", hex("VM status: paused (prelaunch)\n")));
    assert_eq!(b.packet(), "OK");
    b.check("qqemu.sstepbits", "ENABLE=1,NOIRQ=2,NOTIMER=4");
    b.check("qqemu.PhyMemMode", "0");
    b.check("Qqemu.PhyMemMode:1", "OK");
    b.check("qqemu.PhyMemMode", "1");
    b.send("vCont;c");
    until(|| b.control.state() == RunState::Running);
    b.control.stop();
    assert_eq!(b.packet(), "T02thread:p01.01;");
    b.send("vCont;c");
    until(|| b.control.state() == RunState::Running);
    b.control.ended(3);
    assert_eq!(b.packet(), "W03");
}

#[test]
fn who_detaches_lets_go_and_who_leaves_does_not() {
    let b = bench().hello();
    b.check("Z0,80000018,4", "OK");
    b.check("D;1", "OK");
    until(|| b.control.state() == RunState::Running);
    let b = b.hello();
    assert_eq!(b.control.state(), RunState::Paused);
    b.port.set_connected(false);
    std::thread::sleep(Duration::from_millis(20));
    b.port.set_connected(true);
    let b = b.hello();
    b.check("?", "T05thread:p01.01;");
    b.check("vKill;1", "OK");
    until(|| b.quit.0.load(Ordering::Acquire));
}

#[test]
fn the_description_names_the_csrs() {
    let b = bench().hello();
    b.send("qXfer:features:read:target.xml:0,ffb");
    let target = b.packet();
    assert!(target.starts_with('m') && target.contains("<xi:include href=\"riscv-csr.xml\"/>"), "{target}");
    b.send("qXfer:features:read:riscv-csr.xml:0,3fff");
    let csrs = b.packet();
    assert!(csrs.contains("<reg name=\"mstatus\" bitsize=\"64\" regnum=\"833\" type=\"int\"/>"), "{csrs}");
    b.check("qXfer:features:read:target.xml:fffff,ffb", "l");
}

/// Pseudo-random numbers, always the same.
fn noise(seed: u64) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(seed | 1), |x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        Some(x ^ (x << 17))
    })
    .map(|x| (x >> 24) as usize & 0xffff)
}

#[test]
fn no_bytes_and_no_packets_panic() {
    let b = bench().hello();
    let words = [
        "m",
        "M",
        "X",
        "g",
        "G",
        "p",
        "P",
        "Z",
        "z",
        "0",
        "2",
        "4",
        ",",
        ":",
        ";",
        "ffffffffffffffff",
        "80000000",
        "vCont",
        "c",
        "s",
        "p1.1",
        "-1",
        "H",
        "T",
        "?",
        "qXfer:features:read:",
        "target.xml",
        "qRcmd,",
        "70",
        "=",
        "qThreadExtraInfo,",
        "D",
        "qSupported",
        "multiprocess+",
        "qqemu.",
        "\u{3}",
        "QStartNoAckMode",
        "}",
        "*",
    ];
    let drain = || b.port.consume_output(usize::MAX);
    let mut noise = noise(0x5eed);
    for _ in 0..4000 {
        let count = noise.next().unwrap() % 7 + 1;
        let payload: String = noise.by_ref().take(count).map(|n| words[n % words.len()]).collect();
        b.send(&payload);
        drain();
    }
    let bytes: Vec<u8> = noise.take(50_000).map(|n| n as u8).collect();
    for part in bytes.chunks(1000) {
        b.feed(part);
        drain();
    }
    // It still answers.
    b.feed(b"#00");
    std::thread::sleep(Duration::from_millis(100));
    drain();
    let b = b.hello();
    b.check("qsThreadInfo", "l");
}
