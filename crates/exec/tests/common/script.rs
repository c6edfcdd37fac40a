//! A straight program in M-mode that tries one thing after the other and notes how each ended, the same here and in
//! QEMU: for privileged state, where one try is the ground for the next.

use super::{Machine, RAM, battery::SIZE, finish, li, op, peer::Qemu};
use hartwright_isa::{cpu::CpuModel, csr};

/// Where the handler is, and with it what must stay M-mode's: the program, up to [`STUBS`].
pub(crate) const PROGRAM: u64 = RAM;
/// Where the pieces of code are that run in other modes.
pub(crate) const STUBS: u64 = RAM + 0x40_0000;
/// Where notes are kept: M-mode's too.
pub(crate) const NOTES: u64 = RAM + 0x80_0000;
/// Nothing of the script's is here or above.
pub(crate) const FREE: u64 = RAM + 0x100_0000;

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// [`ENDED`] if by its own end.
    pub(crate) mcause: u64,
    pub(crate) mtval: u64,
    pub(crate) mepc: u64,
    /// What it left in register 6.
    pub(crate) value: u64,
}

/// `mcause` of a try that ran to its end in M-mode; by the mode, one or three less.
pub(crate) const ENDED: u64 = 11;
/// What register 6 holds at first.
pub(crate) const UNTOUCHED: u64 = 0x5a;
const NOTE_SIZE: u64 = 32;

/// The program, as far as it is written.
pub(crate) struct Script {
    words: Vec<u32>,
    stubs: Vec<u32>,
    names: Vec<String>,
}

const SP: u32 = 8;
const BACK: u32 = 9;

impl Script {
    pub(crate) fn new() -> Self {
        let csrr = |rd, csr: u16| op("csrrs", rd, 0, 0, csr.into());
        let mut handler = vec![];
        for (i, csr) in [csr::MCAUSE, csr::MTVAL, csr::MEPC].into_iter().enumerate() {
            handler.extend([csrr(5, csr), op("sd", 0, SP, 5, 8 * i as i64)]);
        }
        handler.extend([
            op("sd", 0, SP, 6, 24),
            op("addi", SP, SP, 0, NOTE_SIZE as i64),
            op("jalr", 0, BACK, 0, 0),
        ]);
        let mut words = vec![op("jal", 0, 0, 0, 4 + 4 * handler.len() as i64)];
        words.extend(handler);
        words.extend(li(5, PROGRAM + 4));
        words.push(op("csrrw", 0, 5, 0, csr::MTVEC.into()));
        words.extend(li(SP, NOTES));
        Script { words, stubs: vec![], names: vec![] }
    }

    /// Words that just run.
    pub(crate) fn words(&mut self, words: &[u32]) {
        self.words.extend(words);
    }

    /// Writes a register that is there.
    pub(crate) fn set(&mut self, csr: u16, value: u64) {
        self.words.extend(li(5, value));
        self.words.push(op("csrrw", 0, 5, 0, csr.into()));
    }

    /// Tries one instruction in M-mode, with a value in register 5.
    pub(crate) fn attempt(&mut self, name: String, with: u64, word: u32) {
        self.words.extend(li(5, with));
        self.words.push(op("addi", 6, 0, 0, UNTOUCHED as i64));
        self.words.extend([op("auipc", BACK, 0, 0, 0), op("addi", BACK, BACK, 0, 16), word]);
        self.words.push(op("ecall", 0, 0, 0, 0));
        self.names.push(name);
    }

    /// Writes a register and notes what it holds then.
    pub(crate) fn put(&mut self, name: &str, csr: u16, value: u64) {
        let name = format!("{name}: {csr:#x} := {value:#x}");
        self.attempt(name.clone(), value, op("csrrw", 0, 5, 0, csr.into()));
        self.attempt(name + ", then read", 0, op("csrrs", 6, 0, 0, csr.into()));
    }

    /// Notes what a register holds.
    pub(crate) fn get(&mut self, name: &str, csr: u16) {
        self.attempt(format!("{name}: {csr:#x} read"), 0, op("csrrs", 6, 0, 0, csr.into()));
    }

    /// Puts code where other modes may be; gives its address. It should end in `ecall`.
    pub(crate) fn stub(&mut self, words: &[u32]) -> u64 {
        let at = STUBS + 4 * self.stubs.len() as u64;
        self.stubs.extend(words);
        at
    }

    /// Goes to `pc` by `mret`, with `mstatus` and registers 5 and 7 as given.
    pub(crate) fn go(&mut self, name: String, pc: u64, mstatus: u64, x5: u64, x7: u64) {
        self.set(csr::MEPC, pc);
        self.set(csr::MSTATUS, mstatus);
        self.words.extend(li(5, x5));
        self.words.extend(li(7, x7));
        self.words.push(op("addi", 6, 0, 0, UNTOUCHED as i64));
        self.words.extend([op("auipc", BACK, 0, 0, 0), op("addi", BACK, BACK, 0, 12)]);
        self.words.push(op("mret", 0, 0, 0, 0));
        self.names.push(name);
    }

    /// The memory to start from.
    pub(crate) fn image(&self) -> Vec<u8> {
        let mut words = self.words.clone();
        words.extend(finish());
        assert!(PROGRAM + 4 * words.len() as u64 <= STUBS, "the program fits");
        words.resize((STUBS - RAM) as usize / 4, 0);
        words.extend(&self.stubs);
        words.resize(SIZE as usize / 4, 0);
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// What everyone is called, and how it ended in this memory.
    pub(crate) fn notes(&self, memory: &[u8]) -> Vec<(&str, Note)> {
        let word = |at: usize| u64::from_le_bytes(memory[at..at + 8].try_into().unwrap());
        let note = |i: usize| {
            let at = (NOTES - RAM + NOTE_SIZE * i as u64) as usize;
            Note { mcause: word(at), mtval: word(at + 8), mepc: word(at + 16), value: word(at + 24) }
        };
        self.names.iter().enumerate().map(|(i, name)| (name.as_str(), note(i))).collect()
    }

    /// Runs it here; gives memory afterwards.
    pub(crate) fn run_here(&self, model: CpuModel) -> Vec<u8> {
        let machine = Machine::new(1, SIZE, model);
        machine.space.write_bytes(RAM, &self.image()).unwrap();
        machine.run();
        let mut memory = vec![0; SIZE as usize];
        machine.space.read_bytes(RAM, &mut memory).unwrap();
        memory
    }

    /// Runs it here and there; gives every difference that is not excused, a line each. What a try that ended well
    /// leaves in `mtval`, and where, is nobody's affair.
    pub(crate) fn differences(
        &self,
        model: CpuModel,
        qemu: &Qemu,
        cpu: &str,
        excused: impl Fn(&str, &Note, &Note) -> bool,
    ) -> Vec<String> {
        let (ours, theirs) = (self.run_here(model), qemu.run(&self.image(), cpu));
        let tamed = |mut note: Note| {
            if (8..=ENDED).contains(&note.mcause) {
                note.mtval = 0;
            }
            note
        };
        let pairs = self.notes(&ours).into_iter().zip(self.notes(&theirs));
        pairs
            .map(|((name, a), (_, b))| (name, tamed(a), tamed(b)))
            .filter(|(name, a, b)| a != b && !excused(name, a, b))
            .map(|(name, a, b)| format!("{name}: ours {a:x?} theirs {b:x?}"))
            .collect()
    }
}
