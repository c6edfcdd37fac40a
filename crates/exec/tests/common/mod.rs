//! What the tests of this crate share: a bare machine, random operands, and words encoded from the tables.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod asm;
pub(crate) mod battery;
pub(crate) mod classes;
pub(crate) mod peer;
pub(crate) mod plans;
pub(crate) mod recorder;
pub(crate) mod rows;
pub(crate) mod script;

pub(crate) use asm::*;
use hartwright_exec::{Engine, Event, Harts, Icount, Pace, Setup, Shift, Trace};
use hartwright_hart::Config;
use hartwright_isa::cpu::CpuModel;
use hartwright_mem::{AddressSpace, BusError, Mmio};
use hartwright_wire::{Clock, Entropy, Mtime};
use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

/// Where RAM begins, and harts with it.
pub(crate) const RAM: u64 = 0x8000_0000;
/// Where the finisher is: whatever is written there ends a run.
pub(crate) const FINISHER: u64 = 0x10_0000;
/// Longer than anything takes, so that a hart that went astray fails its test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// RAM, a finisher, and harts.
pub(crate) struct Machine {
    pub(crate) space: Arc<AddressSpace>,
    pub(crate) clock: Clock,
    pub(crate) mtime: Arc<Mtime>,
    pub(crate) harts: Harts,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) trace: Trace,
    finished: mpsc::Receiver<u64>,
}

struct Finisher(Mutex<mpsc::Sender<u64>>);

impl Mmio for Finisher {
    fn read(&self, _: u64, _: u8) -> Result<u64, BusError> {
        Ok(0)
    }
    fn write(&self, _: u64, _: u8, value: u64) -> Result<(), BusError> {
        // Who does not wait for it has gone on.
        let _ = self.0.lock().unwrap().send(value);
        Ok(())
    }
}

/// The translator, from the first instruction on.
pub(crate) const TRANSLATOR: Engine = Engine::Jit { code: 8 << 20, after: 0, check: false };

/// The same, with the interpreter behind it.
pub(crate) const CHECKED: Engine = Engine::Jit { code: 8 << 20, after: 0, check: true };

/// The interpreter, or with `HARTWRIGHT_ENGINE=jit` the translator, or with `=check` both.
pub(crate) fn engine() -> Engine {
    match std::env::var("HARTWRIGHT_ENGINE").as_deref() {
        Ok("jit") => TRANSLATOR,
        Ok("check") => CHECKED,
        _ => Engine::Interpreter,
    }
}

impl Machine {
    pub(crate) fn new(harts: u64, ram: u64, model: CpuModel) -> Self {
        let clock = Clock::new();
        Machine::paced(harts, ram, model, Mtime::new(clock, 10_000_000), Pace::Together)
    }

    /// One whose time is counted in instructions of 2^`shift` nanoseconds, which are what `time` counts.
    pub(crate) fn counted(harts: u64, shift: Shift, sleep: bool) -> Self {
        let clock = Clock::by_hand();
        let pace = Pace::Counted(Icount { clock: clock.clone(), shift, sleep });
        Machine::paced(harts, 1 << 20, model("max"), Mtime::new(clock, 1_000_000_000), pace)
    }

    /// One whose harts share the host as `pace` says, by a timer of a clock of its own.
    pub(crate) fn paced(harts: u64, ram: u64, model: CpuModel, mtime: Arc<Mtime>, pace: Pace) -> Self {
        Machine::made(harts, ram, model, mtime, pace, engine())
    }

    /// One hart, run by an engine of choice.
    pub(crate) fn run_by(engine: Engine, ram: u64, model: CpuModel) -> Self {
        let mtime = Mtime::new(Clock::new(), 10_000_000);
        Machine::made(1, ram, model, mtime, Pace::Together, engine)
    }

    /// The same, for a debugger; its time is its instructions, if those are `counted`.
    pub(crate) fn debugged(engine: Engine, counted: bool) -> Self {
        let (ram, model) = (1 << 20, model("max"));
        if !counted {
            return Machine::run_by(engine, ram, model);
        }
        let clock = Clock::by_hand();
        let pace = Pace::Counted(Icount { clock: clock.clone(), shift: Shift::Fixed(0), sleep: true });
        Machine::made(1, ram, model, Mtime::new(clock, 1_000_000_000), pace, engine)
    }

    fn made(harts: u64, ram: u64, model: CpuModel, mtime: Arc<Mtime>, pace: Pace, engine: Engine) -> Self {
        let (finish, finished) = mpsc::channel();
        let mut builder = AddressSpace::build();
        builder.ram("ram", RAM, ram).unwrap();
        builder.rom("rom", 0x1000, 0x1000).unwrap();
        builder.mmio("finisher", FINISHER, 0x1000, Arc::new(Finisher(Mutex::new(finish)))).unwrap();
        let space = builder.finish().unwrap();
        let clock = mtime.clock().clone();
        let config = |id| Config {
            model: model.clone(),
            id,
            reset_pc: RAM,
            space: space.clone(),
            mtime: mtime.clone(),
            entropy: Entropy::default(),
        };
        let (tell, events) = mpsc::channel();
        let tell = Mutex::new(tell);
        // A test that does not listen has no use for events.
        let listener = Arc::new(move |event| tell.lock().unwrap().send(event).unwrap_or_default());
        let trace = Trace::default();
        trace.set_writer(|text| eprint!("{text}"));
        let harts = Harts::new(Setup {
            harts: (0..harts).map(config).collect(),
            listener,
            trace: trace.clone(),
            environment: None,
            semihost: None,
            pace,
            engine,
        });
        Machine { space, clock, mtime, harts: harts.unwrap(), events, trace, finished }
    }

    /// With everything there is.
    pub(crate) fn max() -> Self {
        Machine::new(1, 1 << 20, model("max"))
    }

    /// Puts instructions at an address.
    pub(crate) fn put(&self, addr: u64, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.space.write_bytes(addr, &bytes).unwrap();
    }

    /// Runs all harts until one writes the finisher; gives what it wrote.
    pub(crate) fn run(&self) -> u64 {
        self.clock.start();
        self.harts.resume();
        let value = self.finished.recv_timeout(PATIENCE).expect("the program ends");
        self.harts.pause();
        value
    }

    /// Does one instruction of hart 0.
    pub(crate) fn step(&self) {
        self.harts.step(0);
        self.events.recv_timeout(PATIENCE).expect("the step ends");
    }

    /// Puts instructions at [`RAM`], runs them on hart 0 from reset, and gives register `a0` at the end.
    pub(crate) fn outcome(&self, words: &[u32]) -> u64 {
        self.put(RAM, words);
        self.put(RAM + 4 * words.len() as u64, &finish());
        self.harts.reset();
        self.run();
        self.x(10)
    }

    pub(crate) fn x(&self, r: u8) -> u64 {
        self.harts.with(0, move |hart| hart.x(r)).unwrap() as u64
    }

    pub(crate) fn csr(&self, number: u16) -> u64 {
        self.harts.with(0, move |hart| hart.csr(number)).unwrap().unwrap()
    }

    pub(crate) fn word(&self, addr: u64) -> u64 {
        self.space.load(addr, 8).unwrap()
    }
}

/// Instructions that write 0x5555 to the finisher, and wait.
pub(crate) fn finish() -> [u32; 6] {
    [
        op("lui", 31, 0, 0, FINISHER as i64),
        op("lui", 30, 0, 0, 0x5000),
        op("addi", 30, 30, 0, 0x555),
        op("sw", 0, 31, 30, 0),
        op("wfi", 0, 0, 0, 0),
        op("jal", 0, 0, 0, -4),
    ]
}

pub(crate) fn model(name: &str) -> CpuModel {
    CpuModel::find(name).unwrap().clone()
}

/// Whether the long variants are asked for.
pub(crate) fn full() -> bool {
    std::env::var_os("HARTWRIGHT_FULL").is_some()
}

/// Random numbers (SplitMix64), the same in every run.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Sixteen bytes of them.
    pub(crate) fn long(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    /// Less than `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// An integer, likely one at an edge.
    pub(crate) fn integer(&mut self) -> u64 {
        let bit = 1u64 << self.below(64);
        match self.below(8) {
            0 => {
                self.pick(&[0, 1, 2, u64::MAX, 1 << 63, (1 << 63) - 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])
            }
            1 => bit,
            2 => bit.wrapping_sub(1),
            3 => bit.wrapping_neg(),
            4 => self.next() as i32 as u64,
            5 => self.next() & self.next() & self.next(),
            6 => self.below(64),
            _ => self.next(),
        }
    }

    /// An integer of `xlen` bits, likely one at an edge of that width or of a smaller one.
    pub(crate) fn integer_of(&mut self, xlen: u32) -> u128 {
        let narrow = self.integer();
        match xlen {
            32 => (narrow as u32).into(),
            64 => narrow.into(),
            _ => match self.below(6) {
                0 => narrow.into(),
                1 => narrow as i64 as u128,
                2 => u128::from(narrow) << 64,
                3 => 1 << self.below(128),
                4 => (1u128 << self.below(128)).wrapping_neg(),
                _ => u128::from(narrow) << 64 | u128::from(self.next()),
            },
        }
    }

    /// A register of floating point: of either format, likely at an edge, sometimes ill boxed.
    pub(crate) fn float(&mut self) -> u64 {
        let boxed = |bits: u64| !0 << 32 | bits & 0xffff_ffff;
        let half = |bits: u64| !0 << 16 | bits & 0xffff;
        match self.below(13) {
            10 => half(self.next()),
            11 => {
                half(self.pick(&[
                    0, 0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0x7d00, 1, 0x3ff, 0x400, 0x7bff,
                ]))
            }
            12 => half(self.next() & 0x87ff | 0x3800),
            0 => self.next(),
            1 => boxed(self.next()),
            2 => boxed(self.pick(&[0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000])),
            3 => boxed(self.pick(&[
                0x7fc0_0000,
                0x7fa0_0000,
                0xffc0_0001,
                1,
                0x007f_ffff,
                0x0080_0000,
                0x7f7f_ffff,
            ])),
            4 => self.pick(&[0, 1 << 63, 0x3ff0 << 48, 0xbff0 << 48, 0x7ff0 << 48, 0xfff0 << 48]),
            5 => self.pick(&[0x7ff8 << 48, 0x7ff4 << 48, 1, (1 << 52) - 1, 1 << 52, 0x7fef_ffff_ffff_ffff]),
            6 => boxed((self.integer() as i64 as f32).to_bits().into()),
            7 => (self.integer() as i64 as f64).to_bits(),
            8 => boxed(self.next() & 0x80ff_ffff | 0x3f00_0000),
            _ => self.next() & 0x800f_ffff_ffff_ffff | (0x3f0 + self.below(0x20)) << 52,
        }
    }
}
