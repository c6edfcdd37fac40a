//! What the tests of this crate share: a machine with RAM and harts whose calls are answered.

#![allow(dead_code, reason = "each test file uses a part")]

#[path = "../../../exec/tests/common/asm.rs"]
mod asm;

pub(crate) use asm::{li, op};
use hartwright_device::{CharPort, Power, Request};
use hartwright_exec::{Engine, Environment, Harts, Inspect, Pace, Setup, Trace};
use hartwright_hart::Config;
use hartwright_isa::cpu::CpuModel;
use hartwright_mem::AddressSpace;
use hartwright_sbi::Sbi;
use hartwright_wire::{Clock, Entropy, Mtime};
use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

/// Where RAM begins, and hart 0 with it.
pub(crate) const RAM: u64 = 0x8000_0000;
pub(crate) const RAM_SIZE: u64 = 1 << 20;
/// What hart 0 finds in `a1`.
pub(crate) const DEVICE_TREE: u64 = 0x800f_0000;
/// Longer than anything takes, so that a hart that went astray fails its test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Extensions by number.
pub(crate) const BASE: u64 = 0x10;
pub(crate) const TIMER: u64 = 0x5449_4d45;
pub(crate) const IPI: u64 = 0x73_5049;
pub(crate) const RFENCE: u64 = 0x5246_4e43;
pub(crate) const HSM: u64 = 0x48_534d;
pub(crate) const SRST: u64 = 0x5352_5354;
pub(crate) const PMU: u64 = 0x50_4d55;
pub(crate) const DBCN: u64 = 0x4442_434e;

pub(crate) struct Machine {
    pub(crate) space: Arc<AddressSpace>,
    pub(crate) clock: Clock,
    pub(crate) console: CharPort,
    pub(crate) harts: Harts,
    pub(crate) requests: mpsc::Receiver<Request>,
    sbi: Arc<Sbi>,
}

impl Machine {
    pub(crate) fn new(harts: u64, model: &CpuModel) -> Self {
        let mut builder = AddressSpace::build();
        builder.ram("ram", RAM, RAM_SIZE).unwrap();
        let space = builder.finish().unwrap();
        let clock = Clock::new();
        let mtime = Mtime::new(clock.clone(), 10_000_000);
        let config = |id| Config {
            model: model.clone(),
            id,
            reset_pc: RAM,
            space: space.clone(),
            mtime: mtime.clone(),
            entropy: Entropy::default(),
        };
        let (ask, requests) = mpsc::channel();
        let power = Power::new(move |request| ask.send(request).unwrap_or_default());
        let console = CharPort::default();
        let sbi = Sbi::new(harts as usize, DEVICE_TREE, console.clone(), power);
        let harts = Harts::new(Setup {
            harts: (0..harts).map(config).collect(),
            listener: Arc::new(|_| {}),
            trace: Trace::default(),
            environment: Some(sbi.clone()),
            semihost: None,
            pace: Pace::Together,
            engine: Engine::default(),
        });
        Machine { space, clock, console, harts: harts.unwrap(), requests, sbi }
    }

    /// Two harts of the usual model.
    pub(crate) fn two() -> Self {
        Machine::new(2, &model("rv64"))
    }

    /// Makes a call on a hart that stands; gives `a0` and `a1`.
    pub(crate) fn call_on(
        &self,
        hart: usize,
        extension: u64,
        function: u64,
        arguments: &[u64],
    ) -> (i64, u64) {
        let (sbi, arguments) = (self.sbi.clone(), arguments.to_vec());
        let called = move |hart: &mut dyn Inspect| {
            for (n, argument) in arguments.iter().enumerate() {
                hart.set_x(10 + n as u8, (*argument).into());
            }
            hart.set_x(16, function.into());
            hart.set_x(17, extension.into());
            sbi.call(hart);
            (hart.x(10) as i64, hart.x(11) as u64)
        };
        self.harts.with(hart, called).unwrap()
    }

    pub(crate) fn call(&self, extension: u64, function: u64, arguments: &[u64]) -> (i64, u64) {
        self.call_on(0, extension, function, arguments)
    }

    pub(crate) fn csr(&self, hart: usize, number: u16) -> u64 {
        self.harts.with(hart, move |hart| hart.csr(number)).unwrap().unwrap()
    }

    pub(crate) fn set_csr(&self, hart: usize, number: u16, value: u64) {
        assert!(self.harts.with(hart, move |hart| hart.set_csr(number, value)).unwrap());
    }

    pub(crate) fn pc(&self, hart: usize) -> u64 {
        self.harts.with(hart, |hart| hart.pc()).unwrap()
    }

    pub(crate) fn put(&self, addr: u64, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.space.write_bytes(addr, &bytes).unwrap();
    }

    pub(crate) fn word(&self, addr: u64) -> u64 {
        self.space.load(addr, 8).unwrap()
    }

    /// Runs until a hart asks for the end, or a reset.
    pub(crate) fn run(&self) -> Request {
        self.clock.start();
        self.harts.resume();
        let request = self.requests.recv_timeout(PATIENCE).expect("the program ends");
        self.harts.pause();
        request
    }
}

pub(crate) fn model(name: &str) -> CpuModel {
    CpuModel::find(name).unwrap().clone()
}

/// A call as instructions.
pub(crate) fn ecall(extension: u64, function: u64, arguments: &[u64]) -> Vec<u32> {
    let mut words: Vec<u32> = vec![];
    for (n, argument) in arguments.iter().enumerate() {
        words.extend(li(10 + n as u32, *argument));
    }
    words.extend(li(16, function));
    words.extend(li(17, extension));
    words.push(op("ecall", 0, 0, 0, 0));
    words
}
