//! Many small pieces of guest code, each run from a given state, its whole outcome recorded by the guest itself.
//!
//! The recorder is a program in M-mode. For each case it loads every register from an input record and goes to the
//! case's code by `mret`; whatever trap ends the case, its handler writes an output record. So the same image runs
//! here and on any other machine with RAM at 0x80000000 and a finisher, and the records can be compared.

use super::{
    Machine, RAM, Rng, engine,
    recorder::{CONTROL, Layout, Shape, recorder},
};
use hartwright_exec::Engine;
use hartwright_isa::cpu::CpuModel;

/// Memory for loads and stores to play in.
pub(crate) const SCRATCH: u64 = RAM + 0x2000;
pub(crate) const SCRATCH_SIZE: u64 = 0x4000;
const CODE: u64 = RAM + 0x1_0000;
/// Nothing of the recorder's is here or above.
pub(crate) const FREE: u64 = RAM + 0x500_0000;
/// Bytes of RAM that an image wants.
pub(crate) const SIZE: u64 = 0x800_0000;
const INPUTS: u64 = RAM + 0x100_0000;

/// `mstatus.FS` on and `MPP` machine: how a case starts unless it says otherwise.
pub(crate) const MACHINE: u64 = 3 << 13 | 3 << 11;

/// `mcause` of `ebreak`, by which most cases end.
pub(crate) const BREAKPOINT: u64 = 3;

/// One piece of code and what it starts from.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) pc: u64,
    pub(crate) x: [u128; 32],
    pub(crate) f: [u64; 32],
    pub(crate) fcsr: u64,
    pub(crate) mstatus: u64,
    pub(crate) satp: u64,
    /// Where 32 bytes of memory are recorded afterwards.
    pub(crate) watch: u64,
}

/// Runs an image here; gives as much memory afterwards.
pub(crate) fn run_here(image: &[u8], model: CpuModel) -> Vec<u8> {
    run_by(engine(), image, model)
}

/// The same, by one engine.
pub(crate) fn run_by(engine: Engine, image: &[u8], model: CpuModel) -> Vec<u8> {
    let machine = Machine::run_by(engine, SIZE, model);
    machine.space.write_bytes(RAM, image).unwrap();
    machine.run();
    let mut memory = vec![0; image.len()];
    machine.space.read_bytes(RAM, &mut memory).unwrap();
    memory
}

/// What a case left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) pc: u64,
    pub(crate) x: [u128; 32],
    pub(crate) f: [u64; 32],
    pub(crate) fcsr: u64,
    pub(crate) mcause: u64,
    /// Without that of a breakpoint, which may be its address or 0.
    pub(crate) mtval: u64,
    /// Without `FS` and `SD`, which may become dirty early.
    pub(crate) mstatus: u64,
    pub(crate) watched: [u64; 4],
}

/// Cases, and the memory they run in.
pub(crate) struct Battery {
    pub(crate) cases: Vec<Case>,
    shape: Shape,
    memory: Vec<u8>,
    code: u64,
    /// Bytes of it that are anything.
    used: usize,
}

impl Battery {
    /// For harts of a shape, with something random to load.
    pub(crate) fn new(rng: &mut Rng, shape: Shape) -> Self {
        let mut battery =
            Battery { cases: vec![], shape, memory: vec![0; SIZE as usize], code: CODE, used: 0 };
        for addr in (SCRATCH..SCRATCH + SCRATCH_SIZE).step_by(8) {
            battery.set(addr, rng.integer());
        }
        battery
    }

    /// Puts a word into memory.
    pub(crate) fn set(&mut self, addr: u64, value: u64) {
        self.set_bytes(addr, &value.to_le_bytes());
    }

    pub(crate) fn set_bytes(&mut self, addr: u64, bytes: &[u8]) {
        let at = (addr - RAM) as usize;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        self.used = self.used.max(at + bytes.len());
    }

    /// A word of the memory that cases begin with.
    pub(crate) fn word(&self, addr: u64) -> u64 {
        let at = (addr - RAM) as usize;
        u64::from_le_bytes(self.memory[at..at + 8].try_into().expect("eight bytes"))
    }

    /// Where the next code goes.
    pub(crate) fn here(&self) -> u64 {
        self.code
    }

    /// Puts code after the code before; gives its address.
    pub(crate) fn code(&mut self, bytes: &[u8]) -> u64 {
        let at = self.code;
        self.set_bytes(at, bytes);
        self.code += bytes.len().next_multiple_of(4) as u64;
        assert!(self.code <= INPUTS, "the code fits below the records");
        at
    }

    fn outputs(&self) -> u64 {
        INPUTS + Layout::of(self.shape).in_size * self.cases.len() as u64
    }

    /// The memory to start from; what follows is zero.
    pub(crate) fn image(&mut self) -> &[u8] {
        let bytes: Vec<u8> = recorder(self.shape).iter().flat_map(|word| word.to_le_bytes()).collect();
        assert!(bytes.len() as u64 <= CONTROL - RAM, "the recorder fits");
        self.set_bytes(RAM, &bytes);
        for (i, value) in [INPUTS, self.outputs(), self.cases.len() as u64].into_iter().enumerate() {
            self.set(CONTROL + 8 * i as u64, value);
        }
        let (layout, bytes) = (Layout::of(self.shape), self.shape.bytes());
        let end = self.outputs() + layout.out_size * self.cases.len() as u64;
        assert!(end <= FREE, "the records fit");
        self.used = self.used.max((end - RAM) as usize);
        for i in 0..self.cases.len() {
            let (case, at) = (self.cases[i].clone(), INPUTS + layout.in_size * i as u64);
            for r in 1..32 {
                self.set_bytes(at + bytes * r, &case.x[r as usize].to_le_bytes()[..bytes as usize]);
            }
            (0..32).for_each(|r| self.set(at + layout.f + 8 * r, case.f[r as usize]));
            self.set_bytes(at, &case.pc.to_le_bytes()[..bytes.min(8) as usize]);
            self.set(at + layout.fcsr, case.fcsr);
            self.set(at + layout.in_mstatus, case.mstatus);
            self.set(at + layout.in_satp, case.satp);
            self.set(at + layout.in_watch, case.watch);
        }
        &self.memory[..self.used.next_multiple_of(0x1000)]
    }

    /// Runs it here; gives memory afterwards.
    pub(crate) fn run_here(&mut self, model: CpuModel) -> Vec<u8> {
        run_here(self.image(), model)
    }

    /// What case number `i` left in `memory`.
    pub(crate) fn outcome(&self, memory: &[u8], i: usize) -> Outcome {
        let (layout, bytes) = (Layout::of(self.shape), self.shape.bytes());
        let at = self.outputs() - RAM + layout.out_size * i as u64;
        let read = |offset: u64, bytes: u64| {
            let mut word = [0; 16];
            let at = (at + offset) as usize;
            word[..bytes as usize].copy_from_slice(&memory[at..at + bytes as usize]);
            u128::from_le_bytes(word)
        };
        let word = |offset| read(offset, 8) as u64;
        let x = |r| match r {
            0 => 0,
            _ => read(bytes * r as u64, bytes),
        };
        let dirty = 1 << (self.shape.csr_bits() - 1);
        let mcause = word(layout.out_mcause);
        Outcome {
            pc: read(0, bytes.min(8)) as u64,
            x: std::array::from_fn(x),
            f: std::array::from_fn(|r| word(layout.f + 8 * r as u64)),
            fcsr: word(layout.fcsr),
            mcause,
            mtval: if mcause == BREAKPOINT { 0 } else { word(layout.out_mtval) },
            mstatus: word(layout.out_mstatus) & !(dirty | 3 << 13),
            watched: std::array::from_fn(|i| word(layout.out_watched + 8 * i as u64)),
        }
    }

    /// Every case that differs between two runs, with a line about it unless it is excused.
    pub(crate) fn differences(
        &self,
        ours: &[u8],
        theirs: &[u8],
        excused: impl Fn(&Case, &Outcome, &Outcome) -> bool,
    ) -> Vec<(usize, Option<String>)> {
        let outcomes = (0..self.cases.len()).map(|i| (i, self.outcome(ours, i), self.outcome(theirs, i)));
        let differing = outcomes.filter(|(_, a, b)| a != b);
        differing
            .map(|(i, a, b)| {
                let case = &self.cases[i];
                (i, (!excused(case, &a, &b)).then(|| format!("case {i}, {}", difference(case, &a, &b))))
            })
            .collect()
    }

    /// The same, of which only the lines are wanted.
    pub(crate) fn lines(
        &self,
        ours: &[u8],
        theirs: &[u8],
        excused: impl Fn(&Case, &Outcome, &Outcome) -> bool,
    ) -> Vec<String> {
        self.differences(ours, theirs, excused).into_iter().filter_map(|(_, line)| line).collect()
    }

    /// As many cases as its records have room for.
    pub(crate) fn room(&self) -> usize {
        let layout = Layout::of(self.shape);
        ((FREE - INPUTS) / (layout.in_size + layout.out_size)) as usize
    }
}

/// All that two outcomes of a case differ in.
fn difference(case: &Case, a: &Outcome, b: &Outcome) -> String {
    let mut line = format!("{} at {:#x}:", case.name, case.pc);
    let mut note = |what: &str, a: u128, b: u128| {
        if a != b {
            line += &format!(" {what} ours {a:#x} theirs {b:#x};");
        }
    };
    note("pc", a.pc.into(), b.pc.into());
    (0..32).for_each(|r| note(&format!("x{r} (was {:#x})", case.x[r]), a.x[r], b.x[r]));
    (0..32).for_each(|r| note(&format!("f{r} (was {:#x})", case.f[r]), a.f[r].into(), b.f[r].into()));
    note(&format!("fcsr (was {:#x})", case.fcsr), a.fcsr.into(), b.fcsr.into());
    note("mcause", a.mcause.into(), b.mcause.into());
    note("mtval", a.mtval.into(), b.mtval.into());
    note("mstatus", a.mstatus.into(), b.mstatus.into());
    for (w, (a, b)) in a.watched.into_iter().zip(b.watched).enumerate() {
        note(&format!("memory {:#x}", case.watch + 8 * w as u64), a.into(), b.into());
    }
    line
}
