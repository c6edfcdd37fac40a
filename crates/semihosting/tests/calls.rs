//! Calls as the specification has them, made by hand: waiting, the debugger's side, and what no guest may do to us.
//! What each call answers is compared with QEMU in `tests/tests/semihosting.rs`.

#![forbid(unsafe_code)]

use hartwright_device::{CharPort, Power, Request};
use hartwright_exec::{Engine, Harts, Inspect, Pace, Semihost, Setup as Exec, Trace};
use hartwright_hart::Config;
use hartwright_isa::cpu::Target as Cpus;
use hartwright_mem::AddressSpace;
use hartwright_semihosting::{Debugger, OPERATIONS, Reply, Semihosting, Setup, Target};
use hartwright_wire::{Clock, Entropy, Mtime};
use std::sync::{Arc, mpsc};

const RAM: u64 = 0x8000_0000;
const RAM_SIZE: u64 = 1 << 20;
/// Where the parameter block is.
const BLOCK: u64 = RAM + 0x1000;
const TEXT: u64 = RAM + 0x2000;
const BUFFER: u64 = RAM + 0x4000;
const MINUS_ONE: u64 = u64::MAX;
const ENOENT: u64 = 2;
const EIO: u64 = 5;
const EBADF: u64 = 9;
const EFAULT: u64 = 14;
const EMFILE: u64 = 24;
const ENAMETOOLONG: u64 = 36;
const ENOSYS: u64 = 38;

struct Machine {
    harts: Harts,
    host: Arc<Semihosting>,
    console: CharPort,
    debugger: Arc<Debugger>,
    requests: mpsc::Receiver<Request>,
    width: usize,
}

impl Machine {
    fn new(cpu: &str, target: Target) -> Self {
        let mut builder = AddressSpace::build();
        builder.ram("ram", RAM, RAM_SIZE).unwrap();
        let space = builder.finish().unwrap();
        let clock = Clock::new();
        let cpus = if cpu.starts_with("rv32") { Cpus::Riscv32 } else { Cpus::Riscv64 };
        let config = Config {
            model: cpus.find(cpu).unwrap().clone(),
            id: 0,
            reset_pc: RAM,
            space,
            mtime: Mtime::new(clock.clone(), 10_000_000),
            entropy: Entropy::default(),
        };
        let (ask, requests) = mpsc::channel();
        let (console, debugger) = (CharPort::default(), Arc::<Debugger>::default());
        let host = Semihosting::new(Setup {
            harts: 1,
            userspace: false,
            target,
            console: Some(console.clone()),
            command_line: b"program one two".to_vec(),
            heap: BUFFER..RAM + RAM_SIZE,
            clock,
            power: Power::new(move |request| ask.send(request).unwrap_or_default()),
            debugger: debugger.clone(),
        });
        let harts = Harts::new(Exec {
            harts: vec![config],
            listener: Arc::new(|_| {}),
            trace: Trace::default(),
            environment: None,
            semihost: Some(host.clone()),
            pace: Pace::Together,
            engine: Engine::default(),
        });
        let width = if cpu.starts_with("rv32") { 4 } else { 8 };
        Machine { harts: harts.unwrap(), host, console, debugger, requests, width }
    }

    fn with<R: Send + 'static>(&self, look: impl FnOnce(&mut dyn Inspect) -> R + Send + 'static) -> R {
        self.harts.with(0, look).unwrap()
    }

    fn write(&self, addr: u64, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        assert_eq!(
            self.with(move |hart| hart.write(addr, &bytes).cmp(&bytes.len())),
            std::cmp::Ordering::Equal
        );
    }

    fn read(&self, addr: u64, len: usize) -> Vec<u8> {
        self.with(move |hart| {
            let mut bytes = vec![0; len];
            assert_eq!(hart.read(addr, &mut bytes), len);
            bytes
        })
    }

    /// Makes a call with a parameter; `None` if it waits.
    fn raw(&self, operation: u64, parameter: u64) -> Option<u64> {
        let host = self.host.clone();
        self.with(move |hart| {
            hart.set_x(10, operation.into());
            hart.set_x(11, parameter.into());
            let pc = hart.pc();
            let done = host.call(0, hart);
            assert_eq!(hart.pc(), if done { pc + 4 } else { pc }, "{operation:#x}");
            // To be made again from the same place.
            hart.set_pc(RAM);
            // As a program sees it: sign-extended.
            let value = hart.x(10) as u64;
            done.then_some(if hart.xlen() == 32 { value as i32 as u64 } else { value })
        })
    }

    fn call(&self, operation: u64, fields: &[u64]) -> Option<u64> {
        let bytes = fields.iter().flat_map(|field| field.to_le_bytes()[..self.width].to_vec());
        self.write(BLOCK, &bytes.collect::<Vec<_>>());
        self.raw(operation, BLOCK)
    }

    fn text(&self, text: &str) -> (u64, u64) {
        self.write(TEXT, text.as_bytes());
        self.write(TEXT + text.len() as u64, &[0]);
        (TEXT, text.len() as u64)
    }

    fn open(&self, name: &str, mode: u64) -> Option<u64> {
        let (at, len) = self.text(name);
        self.call(OPEN, &[at, mode, len])
    }

    fn errno(&self) -> u64 {
        self.raw(ERRNO, 0).unwrap()
    }

    #[track_caller]
    fn fails(&self, value: Option<u64>, errno: u64) {
        assert_eq!((value, self.errno()), (Some(MINUS_ONE), errno));
    }
}

fn number(name: &str) -> u64 {
    OPERATIONS.iter().find(|row| row.name == name).unwrap().number
}

const OPEN: u64 = 0x01;
const CLOSE: u64 = 0x02;
const WRITE0: u64 = 0x04;
const WRITE: u64 = 0x05;
const READ: u64 = 0x06;
const READC: u64 = 0x07;
const ISTTY: u64 = 0x09;
const SEEK: u64 = 0x0a;
const FLEN: u64 = 0x0c;
const REMOVE: u64 = 0x0e;
const RENAME: u64 = 0x0f;
const SYSTEM: u64 = 0x12;
const ERRNO: u64 = 0x13;
const CMDLINE: u64 = 0x15;
const HEAPINFO: u64 = 0x16;
const EXIT: u64 = 0x18;
const EXIT_EXTENDED: u64 = 0x20;

#[test]
fn the_table_names_nothing_twice_and_is_in_order() {
    assert!(OPERATIONS.is_sorted_by(|a, b| a.number < b.number));
    let mut names: Vec<_> = OPERATIONS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), OPERATIONS.len());
    assert_eq!((number("SYS_OPEN"), number("SYS_TICKFREQ")), (OPEN, 0x31));
}

#[test]
fn what_is_no_operation_is_an_error() {
    let machine = Machine::new("rv64", Target::Native);
    for operation in [0, 0x0b, 0x14, 0x17, 0x99, 1 << 63, MINUS_ONE] {
        machine.fails(machine.raw(operation, BLOCK), ENOSYS);
    }
    // Of 64 bits, 32 are looked at where there are no more.
    let narrow = Machine::new("rv32", Target::Native);
    assert_eq!(narrow.raw(0x31, 0), Some(1_000_000_000));
}

#[test]
fn fields_are_as_wide_as_registers() {
    for cpu in ["rv64", "rv32"] {
        let machine = Machine::new(cpu, Target::Native);
        assert_eq!(machine.call(CMDLINE, &[BUFFER, 100]), Some(0));
        let length = machine.read(BLOCK + machine.width as u64, machine.width);
        assert_eq!((length[0], &*machine.read(BUFFER, 16)), (15, &b"program one two\0"[..]));
        assert_eq!(machine.call(HEAPINFO, &[BUFFER]), Some(0));
        let fields = machine.read(BUFFER, 4 * machine.width);
        let field = |n: usize| {
            let mut bytes = [0; 8];
            bytes[..machine.width].copy_from_slice(&fields[n * machine.width..][..machine.width]);
            u64::from_le_bytes(bytes)
        };
        assert_eq!([0, 1, 2, 3].map(field), [BUFFER, RAM + RAM_SIZE, RAM + RAM_SIZE, BUFFER]);
    }
}

#[test]
fn lengths_and_addresses_that_cannot_be_are_errors() {
    let machine = Machine::new("rv64", Target::Native);
    let end = RAM + RAM_SIZE;
    let null = machine.open("/dev/null", 6).unwrap();
    for (buffer, length) in
        [(BUFFER, 1 << 63), (BUFFER, MINUS_ONE), (end - 4, 5), (0, 1), (MINUS_ONE, 1), (end, 1 << 31)]
    {
        for operation in [WRITE, READ] {
            assert_eq!(machine.call(operation, &[null, buffer, length]), Some(length), "{length:#x}");
            assert_eq!(machine.errno(), EFAULT);
        }
    }
    // Of no length it does not matter where.
    assert_eq!(machine.call(WRITE, &[null, 0, 0]), Some(0));
    assert_eq!(machine.call(WRITE, &[null, BUFFER, 0x1_0000]), Some(0));
    // A string to the end of memory.
    machine.write(end - 0x2000, &[b'a'; 0x2000]);
    machine.fails(machine.call(OPEN, &[end - 0x2000, 0, 3]), EFAULT);
    machine.fails(machine.call(REMOVE, &[end - 4, 3]), 22);
    // One that is too long for any path, of a length that would be right.
    machine.write(BUFFER, &vec![b'a'; 0x4_0000]);
    machine.write(BUFFER + 0x4_0000, &[0]);
    machine.fails(machine.call(OPEN, &[BUFFER, 0, 0x4_0000]), ENAMETOOLONG);
    machine.fails(machine.call(SYSTEM, &[BUFFER, 0x4_0000]), ENAMETOOLONG);
    for operation in OPERATIONS.iter().filter(|row| ![ERRNO, READC, EXIT].contains(&row.number)) {
        let answer = machine.raw(operation.number, end - 3);
        let none = [0x03, 0x04, 0x10, 0x11, 0x31].contains(&operation.number);
        assert!(none || answer == Some(MINUS_ONE), "{}: {answer:?}", operation.name);
    }
}

#[test]
fn handles_are_few_and_used_again() {
    let machine = Machine::new("rv64", Target::Native);
    let first = machine.open(":semihosting-features", 0).unwrap();
    assert_eq!(first, 1);
    let opened = (0..2000).filter(|_| machine.open(":semihosting-features", 0) != Some(MINUS_ONE)).count();
    assert_eq!((opened, machine.errno()), (1023, EMFILE));
    assert_eq!(machine.call(CLOSE, &[500]), Some(0));
    assert_eq!(machine.open(":semihosting-features", 0), Some(500));
    for handle in [0, 1025, MINUS_ONE, 1 << 32] {
        machine.fails(machine.call(CLOSE, &[handle]), EBADF);
        machine.fails(machine.call(FLEN, &[handle]), EBADF);
        machine.fails(machine.call(ISTTY, &[handle]), EBADF);
        machine.fails(machine.call(SEEK, &[handle, 0]), EBADF);
    }
}

#[test]
fn a_call_waits_for_a_key_and_for_room() {
    let machine = Machine::new("rv64", Target::Native);
    assert_eq!(machine.raw(READC, 0), None);
    assert!(!machine.host.ready(0));
    machine.console.feed(b"k");
    assert!(machine.host.ready(0));
    assert_eq!(machine.raw(READC, 0), Some(u64::from(b'k')));

    machine.console.connect(Arc::new(|| {}));
    let said: Vec<u8> = (0..200_000u32).map(|n| b'a' + (n % 23) as u8).collect();
    machine.write(BUFFER, &said);
    machine.write(BUFFER + said.len() as u64, &[0]);
    let (mut heard, mut turns) = (Vec::<u8>::new(), 0);
    while machine.raw(WRITE0, BUFFER).is_none() {
        assert!(!machine.host.ready(0));
        let mut bytes = vec![0; 1 << 20];
        let count = machine.console.peek_output(&mut bytes);
        machine.console.consume_output(count);
        heard.extend(&bytes[..count]);
        assert!(machine.host.ready(0));
        turns += 1;
    }
    let mut bytes = vec![0; 1 << 20];
    let count = machine.console.peek_output(&mut bytes);
    heard.extend(&bytes[..count]);
    assert_eq!((heard == said, turns), (true, 3));
}

#[test]
fn a_reset_forgets_the_call_that_waited() {
    let machine = Machine::new("rv64", Target::Native);
    assert_eq!(machine.raw(READC, 0), None);
    machine.harts.reset();
    assert!(machine.host.ready(0));
    assert_eq!(machine.call(EXIT, &[0x20026, 300]), None);
    assert_eq!(machine.requests.try_recv(), Ok(Request::Exit(44)));
    assert!(!machine.host.ready(0));
    machine.harts.reset();
    assert!(machine.host.ready(0));
    assert_eq!(machine.call(EXIT_EXTENDED, &[0x20023, 5]), None);
    assert_eq!(machine.requests.try_recv(), Ok(Request::Exit(1)));
}

/// What a call asks of the debugger; it answers with `value` and `errno`, and writes `captured`.
#[track_caller]
fn asked(machine: &Machine, operation: u64, fields: &[u64], packet: &str, reply: Reply) -> Option<u64> {
    assert_eq!(machine.call(operation, fields), None, "{packet}");
    assert!(!machine.host.ready(0));
    // Made again before its time, it is not asked again.
    assert_eq!(machine.call(operation, fields), None);
    let request = machine.debugger.take().unwrap();
    assert_eq!((request.hart, &*request.packet), (0, packet));
    assert_eq!(machine.debugger.take(), None);
    assert_eq!(request.capture.is_some(), !reply.captured.is_empty());
    machine.debugger.reply(0, reply);
    assert!(machine.host.ready(0));
    machine.call(operation, fields)
}

#[test]
fn the_debugger_is_asked_in_its_own_words() {
    let machine = Machine::new("rv64", Target::Auto);
    machine.debugger.set_attached(true);
    let ok = |value| Reply { value, ..Reply::default() };
    let bad = |errno| Reply { value: -1, errno, ..Reply::default() };
    let (name, len) = machine.text("name");
    let opened = asked(&machine, OPEN, &[name, 4, len], "Fopen,80002000/5,601,1a4", ok(7));
    assert_eq!(opened, Some(1));
    let opened = asked(&machine, OPEN, &[name, 10, len], "Fopen,80002000/5,20a,1a4", ok(8));
    assert_eq!(opened, Some(2));
    machine.fails(asked(&machine, OPEN, &[name, 0, len], "Fopen,80002000/5,0,1a4", bad(2)), ENOENT);
    machine.fails(asked(&machine, REMOVE, &[name, len], "Funlink,80002000/5", bad(9999)), EIO);
    machine.fails(asked(&machine, REMOVE, &[name, len], "Funlink,80002000/5", bad(91)), ENAMETOOLONG);
    let renamed = asked(&machine, RENAME, &[name, len, name, len], "Frename,80002000/5,80002000/5", ok(0));
    assert_eq!(renamed, Some(0));
    assert_eq!(asked(&machine, WRITE, &[1, BUFFER, 9], "Fwrite,7,80004000,9", ok(6)), Some(3));
    assert_eq!(asked(&machine, READ, &[2, BUFFER, 9], "Fread,8,80004000,9", ok(9)), Some(0));
    assert_eq!(asked(&machine, READ, &[2, BUFFER, 9], "Fread,8,80004000,9", bad(5)), Some(9));
    assert_eq!(machine.errno(), EIO);
    assert_eq!(asked(&machine, SEEK, &[1, 100], "Flseek,7,64,0", ok(100)), Some(0));
    assert_eq!(asked(&machine, ISTTY, &[1], "Fisatty,7", ok(1)), Some(1));
    let mut stat = vec![0; 64];
    stat[28..36].copy_from_slice(&0x1234u64.to_be_bytes());
    let stat = Reply { captured: stat, ..Reply::default() };
    assert_eq!(asked(&machine, FLEN, &[1], "Ffstat,7,80001000", stat), Some(0x1234));
    let (command, len) = machine.text("true");
    assert_eq!(asked(&machine, SYSTEM, &[command, len], "Fsystem,80002000/5", ok(256)), Some(256));
    let key = Reply { value: 1, captured: vec![b'k'], ..Reply::default() };
    assert_eq!(asked(&machine, READC, &[], "Fread,0,80001000,1", key), Some(u64::from(b'k')));
    assert_eq!(asked(&machine, CLOSE, &[1], "Fclose,7", ok(0)), Some(0));

    // Its own files are nobody's when it is gone; the others are our host's again.
    assert_eq!(machine.call(SEEK, &[2, 5]), None);
    machine.debugger.set_attached(false);
    assert!(machine.host.ready(0));
    machine.fails(machine.call(SEEK, &[2, 5]), EIO);
    assert_eq!(machine.open("/dev/null", 0), Some(1));
    // An answer that nobody waits for is no answer to the next question.
    machine.debugger.reply(0, ok(5));
    machine.debugger.set_attached(true);
    assert_eq!(machine.call(SEEK, &[2, 5]), None);
}

#[test]
fn with_target_gdb_nothing_is_done_without_a_debugger() {
    let machine = Machine::new("rv64", Target::Debugger);
    machine.fails(machine.open("/dev/null", 0), EIO);
    assert_eq!(machine.call(CMDLINE, &[BUFFER, 100]), Some(0));
}

/// Calls at random, with numbers, addresses, lengths and strings at random, that are right now and then.
#[test]
fn no_call_whatever_it_says_does_more_than_fail() {
    let folder = std::env::temp_dir().join(format!("hartwright-semihosting-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (cpu, target) in [("rv64", Target::Native), ("rv32", Target::Native), ("rv64", Target::Auto)] {
        let machine = Machine::new(cpu, target);
        machine.debugger.set_attached(true);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        // Names that lead nowhere but into our folder, and to what not even root can remove.
        let names: Vec<String> = (0..4)
            .map(|n| folder.join(format!("file{n}")).display().to_string())
            .chain(["/proc/version".into(), ":semihosting-features".into(), "".into(), "true".into()])
            .collect();
        let places: Vec<u64> = (0..names.len() as u64).map(|n| TEXT + n * 0x100).collect();
        let end = RAM + RAM_SIZE;
        for _ in 0..4000 {
            let operation = OPERATIONS[random(OPERATIONS.len() as u64) as usize].number;
            // What names a file of the host or is a command is one of ours, whatever was written over it; or nowhere.
            let named = [OPEN, REMOVE, RENAME, SYSTEM].contains(&operation);
            if named {
                for (at, name) in places.iter().zip(&names) {
                    machine.write(*at, &[name.as_bytes(), b"\0"].concat());
                }
                machine.write(end - 64, &[b'x'; 64]);
            }
            let mut fields = vec![];
            for _ in 0..4 {
                let name = random(names.len() as u64) as usize;
                fields.push(match random(12) {
                    0..3 => places[name],
                    3..5 => names[name].len() as u64,
                    5..7 => random(12),
                    7 if !named => BUFFER + random(0x8000),
                    8 => end - random(32),
                    9 => MINUS_ONE >> random(64),
                    10 => random(0x3000),
                    _ => random(MINUS_ONE),
                });
            }
            let parameter = [BLOCK, BLOCK, BLOCK, BLOCK + 1, end - random(40), 0][random(6) as usize];
            let bytes: Vec<u8> =
                fields.iter().flat_map(|field| field.to_le_bytes()[..machine.width].to_vec()).collect();
            let fits = parameter >= RAM && parameter + 32 <= end;
            if fits {
                machine.write(parameter, &bytes);
            } else if named {
                continue;
            }
            let answer = machine.raw(operation, parameter);
            if answer.is_some() {
                continue;
            }
            // It waits: for a key, the debugger, or the end.
            match machine.debugger.take() {
                Some(request) => {
                    let captured = request.capture.map_or(0, |place| place.end - place.start);
                    let captured = (0..captured).map(|_| random(256) as u8).collect();
                    let value = [-1, 0, 1, i64::MIN, i64::MAX][random(5) as usize];
                    machine.debugger.reply(0, Reply { value, errno: random(200), captured });
                }
                None => drop(machine.console.feed(b"k")),
            }
            machine.harts.reset();
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
