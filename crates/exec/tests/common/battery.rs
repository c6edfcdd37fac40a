//! Many small pieces of guest code, each run from a given state, its whole outcome recorded by the guest itself.
//!
//! The recorder is a program in M-mode. For each case it loads every register from an input record and goes to the
//! case's code by `mret`; whatever trap ends the case, its handler writes an output record. So the same image runs
//! here and on any other machine with RAM at 0x80000000 and a finisher, and the records can be compared.

use super::{Machine, RAM, Rng, finish, op};
use hartwright_isa::{cpu::CpuModel, csr};

const CONTROL: u64 = RAM + 0x1000;
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
    pub(crate) x: [u64; 32],
    pub(crate) f: [u64; 32],
    pub(crate) fcsr: u64,
    pub(crate) mstatus: u64,
    pub(crate) satp: u64,
    /// Where 32 bytes of memory are recorded afterwards.
    pub(crate) watch: u64,
}

/// What a case left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) pc: u64,
    pub(crate) x: [u64; 32],
    pub(crate) f: [u64; 32],
    pub(crate) fcsr: u64,
    pub(crate) mcause: u64,
    /// Without that of a breakpoint, which may be its address or 0.
    pub(crate) mtval: u64,
    /// Without `FS` and `SD`, which may become dirty early.
    pub(crate) mstatus: u64,
    pub(crate) watched: [u64; 4],
}

// Offsets into an input record; x and f are where they are in an output record.
const PC: i64 = 0;
const F: i64 = 256;
const FCSR: i64 = 512;
const IN_MSTATUS: i64 = 520;
const IN_SATP: i64 = 528;
const IN_WATCH: i64 = 536;
const IN_SIZE: u64 = 544;
const OUT_MCAUSE: i64 = 520;
const OUT_MTVAL: i64 = 528;
const OUT_MSTATUS: i64 = 536;
const OUT_WATCHED: i64 = 544;
const OUT_SIZE: u64 = 576;

/// Cases, and the memory they run in.
pub(crate) struct Battery {
    pub(crate) cases: Vec<Case>,
    memory: Vec<u8>,
    code: u64,
}

impl Battery {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut battery = Battery { cases: vec![], memory: vec![0; SIZE as usize], code: CODE };
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
        INPUTS + IN_SIZE * self.cases.len() as u64
    }

    /// The memory to start from.
    pub(crate) fn image(&mut self) -> &[u8] {
        let words = recorder();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert!(bytes.len() < 0x1000);
        self.set_bytes(RAM, &bytes);
        for (i, value) in [INPUTS, self.outputs(), self.cases.len() as u64].into_iter().enumerate() {
            self.set(CONTROL + 8 * i as u64, value);
        }
        assert!(self.outputs() + OUT_SIZE * self.cases.len() as u64 <= FREE, "the records fit");
        for i in 0..self.cases.len() {
            let (case, at) = (self.cases[i].clone(), INPUTS + IN_SIZE * i as u64);
            for r in 0..32 {
                self.set(at + 8 * r, case.x[r as usize]);
                self.set(at + F as u64 + 8 * r, case.f[r as usize]);
            }
            self.set(at + PC as u64, case.pc);
            self.set(at + FCSR as u64, case.fcsr);
            self.set(at + IN_MSTATUS as u64, case.mstatus);
            self.set(at + IN_SATP as u64, case.satp);
            self.set(at + IN_WATCH as u64, case.watch);
        }
        &self.memory
    }

    /// Runs it here; gives all of memory afterwards.
    pub(crate) fn run_here(&mut self, model: CpuModel) -> Vec<u8> {
        let machine = Machine::new(1, SIZE, model);
        machine.space.write_bytes(RAM, self.image()).unwrap();
        machine.run();
        let mut memory = vec![0; SIZE as usize];
        machine.space.read_bytes(RAM, &mut memory).unwrap();
        memory
    }

    /// What case number `i` left in `memory`.
    pub(crate) fn outcome(&self, memory: &[u8], i: usize) -> Outcome {
        let at = (self.outputs() - RAM) as usize + OUT_SIZE as usize * i;
        let word = |offset: i64| {
            let at = at + offset as usize;
            u64::from_le_bytes(memory[at..at + 8].try_into().unwrap())
        };
        Outcome {
            pc: word(PC),
            x: std::array::from_fn(|r| if r == 0 { 0 } else { word(8 * r as i64) }),
            f: std::array::from_fn(|r| word(F + 8 * r as i64)),
            fcsr: word(FCSR),
            mcause: word(OUT_MCAUSE),
            mtval: if word(OUT_MCAUSE) == BREAKPOINT { 0 } else { word(OUT_MTVAL) },
            mstatus: word(OUT_MSTATUS) & !(1 << 63 | 3 << 13),
            watched: std::array::from_fn(|i| word(OUT_WATCHED + 8 * i as i64)),
        }
    }

    /// Every difference between two runs that is not excused, a line each.
    pub(crate) fn differences(
        &self,
        ours: &[u8],
        theirs: &[u8],
        excused: impl Fn(&Case, &Outcome, &Outcome) -> bool,
    ) -> Vec<String> {
        let mut lines = vec![];
        for (i, case) in self.cases.iter().enumerate() {
            let (a, b) = (self.outcome(ours, i), self.outcome(theirs, i));
            if a == b || excused(case, &a, &b) {
                continue;
            }
            let mut line = format!("case {i}, {} at {:#x}:", case.name, case.pc);
            let mut note = |what: &str, a: u64, b: u64| {
                if a != b {
                    line += &format!(" {what} ours {a:#x} theirs {b:#x};");
                }
            };
            note("pc", a.pc, b.pc);
            (0..32).for_each(|r| note(&format!("x{r} (was {:#x})", case.x[r]), a.x[r], b.x[r]));
            (0..32).for_each(|r| note(&format!("f{r} (was {:#x})", case.f[r]), a.f[r], b.f[r]));
            note(&format!("fcsr (was {:#x})", case.fcsr), a.fcsr, b.fcsr);
            note("mcause", a.mcause, b.mcause);
            note("mtval", a.mtval, b.mtval);
            note("mstatus", a.mstatus, b.mstatus);
            (0..4).for_each(|w| {
                note(&format!("memory {:#x}", case.watch + 8 * w as u64), a.watched[w], b.watched[w]);
            });
            lines.push(line);
        }
        lines
    }
}

/// The recorder's program. Its registers are x28 to x31; `mscratch` keeps the address of its control words.
fn recorder() -> Vec<u32> {
    const CONTROL_REG: u32 = 31;
    const INPUT: i64 = 0;
    const OUTPUT: i64 = 8;
    const LEFT: i64 = 16;
    const CURRENT: i64 = 24;
    const SAVED: i64 = 32;
    const UNUSED: i64 = 40;
    let ld = |rd, offset, base| op("ld", rd, base, 0, offset);
    let sd = |rs2, offset, base| op("sd", 0, base, rs2, offset);
    let csrw = |csr: u16, rs1| op("csrrw", 0, rs1, 0, csr.into());
    let csrr = |rd, csr: u16| op("csrrs", rd, 0, 0, csr.into());

    let mut next = vec![
        csrr(31, csr::MSCRATCH),
        ld(30, LEFT, 31),
        0, // To the end if none is left.
        op("addi", 30, 30, 0, -1),
        sd(30, LEFT, 31),
        ld(30, INPUT, 31),
        op("addi", 29, 30, 0, IN_SIZE as i64),
        sd(29, INPUT, 31),
        sd(30, CURRENT, 31),
        ld(29, PC, 30),
        csrw(csr::MEPC, 29),
        ld(29, FCSR, 30),
        csrw(csr::FCSR, 29),
        // No case has a reservation of the one before; whether that survives a trap is everyone's own affair.
        op("addi", 29, 31, 0, UNUSED),
        op("sc.w", 0, 29, 0, 0),
    ];
    next.extend((0..32).map(|r| op("fld", r, 30, 0, F + 8 * i64::from(r))));
    next.extend([ld(29, IN_SATP, 30), csrw(csr::SATP, 29), op("sfence.vma", 0, 0, 0, 0)]);
    next.extend([ld(29, IN_MSTATUS, 30), csrw(csr::MSTATUS, 29)]);
    next.extend((1..30).map(|r| ld(r, 8 * i64::from(r), 30)));
    next.extend([ld(31, 8 * 31, 30), ld(30, 8 * 30, 30), op("mret", 0, 0, 0, 0)]);

    let mut handler = vec![
        op("csrrw", 31, 31, 0, csr::MSCRATCH.into()),
        sd(30, SAVED, CONTROL_REG),
        ld(30, OUTPUT, CONTROL_REG),
    ];
    handler.extend((1..30).map(|r| sd(r, 8 * i64::from(r), 30)));
    handler.extend([ld(29, SAVED, 31), sd(29, 8 * 30, 30)]);
    handler.extend([op("csrrw", 29, 31, 0, csr::MSCRATCH.into()), sd(29, 8 * 31, 30)]);
    for (csr, offset) in
        [(csr::MSTATUS, OUT_MSTATUS), (csr::MEPC, PC), (csr::MCAUSE, OUT_MCAUSE), (csr::MTVAL, OUT_MTVAL)]
    {
        handler.extend([csrr(29, csr), sd(29, offset, 30)]);
    }
    handler.extend([op("lui", 29, 0, 0, 0x6000), op("csrrs", 0, 29, 0, csr::MSTATUS.into())]);
    handler.extend([csrr(29, csr::FCSR), sd(29, FCSR, 30)]);
    handler.extend((0..32).map(|r| op("fsd", 0, 30, r, F + 8 * i64::from(r))));
    handler.extend([ld(29, CURRENT, 31), ld(29, IN_WATCH, 29)]);
    handler.extend((0..4).flat_map(|i| [ld(28, 8 * i, 29), sd(28, OUT_WATCHED + 8 * i, 30)]));
    handler.extend([op("addi", 30, 30, 0, OUT_SIZE as i64), sd(30, OUTPUT, 31)]);

    // Everything begins here: the handler's address, all of memory open to S and U, floating point on.
    let mut words = vec![
        op("auipc", 31, 0, 0, 0x1000),
        csrw(csr::MSCRATCH, 31),
        op("auipc", 30, 0, 0, 0),
        0, // The handler's distance from the word before.
        csrw(csr::MTVEC, 30),
        op("addi", 30, 0, 0, -1),
        csrw(csr::PMPADDR0, 30),
        op("addi", 30, 0, 0, 0x1f),
        csrw(csr::PMPCFG0, 30),
        op("lui", 29, 0, 0, 0x6000),
        op("csrrs", 0, 29, 0, csr::MSTATUS.into()),
    ];
    let next_at = words.len();
    next[2] = op("beq", 0, 30, 0, 4 * (next.len() as i64 - 2));
    words.extend(next);
    words.extend(finish());
    words[3] = op("addi", 30, 30, 0, 4 * (words.len() as i64 - 2));
    words.extend(handler);
    words.push(op("jal", 0, 0, 0, 4 * (next_at as i64 - words.len() as i64)));
    words
}
