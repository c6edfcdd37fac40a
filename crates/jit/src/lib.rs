//! Translates blocks of meanings to code of the host, and runs it: the baseline tier.
//!
//! A [`Jit`] is one hart's, on the hart's own thread. It knows blocks by what they mean, not where they come from:
//! whoever runs harts (`exec`) decides what is translated, when it is stale, and what the interpreter does instead.
//! Hosts other than x86-64, and those without AVX, BMI and FMA, have none.

#![expect(unsafe_code, reason = "running code that was made at run time")]

mod data;
mod doors;
mod emit;
mod faults;
mod float;
mod integer;
mod leave;
mod memory;
mod misses;
mod region;
mod registers;
mod x64;

use data::{Data, JUMPS, MODES, NOWHERE, of};
use doors::Behind;
use emit::{Emitter, has_float};
use hartwright_hart::{Hart, layout};
use hartwright_ir::{Block, Fmt, Fuser};
use hartwright_mem::PAGE;
use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter};
use leave::Why;
use memory::Reach;
use misses::Misses;
use region::Region;

/// The code of a block, to be run by the [`Jit`] that made it until that forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    at: u32,
    size: u32,
    generation: u32,
    float: bool,
}

impl Entry {
    /// Bytes of code.
    pub fn size(self) -> usize {
        self.size as usize
    }

    fn at(self) -> usize {
        self.at as usize
    }
}

/// Who does what code has no operations for.
pub trait Instructions {
    /// Does the instruction with this number of the block that was translated under that name. Says whether the next
    /// one follows; if it does not, the hart's program counter and count of instructions are as it left them.
    fn call(&self, block: u32, number: u32) -> bool;
}

/// How much code there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Bytes, and how many there may be.
    pub used: usize,
    /// See `used`.
    pub room: usize,
    /// Blocks that it is of.
    pub blocks: usize,
    /// How often all of it was forgotten.
    pub cleared: u64,
}

/// How code was left. Program counter and instruction count are the hart's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The block at the program counter is wanted; [`Jit::link`] makes the way there shorter the next time.
    Wants(Link),
    /// The interpreter is to do the instruction at the program counter, and all that follows from it.
    Step,
    /// An instruction was [called](Instructions::call), and the next one does not follow.
    Called,
    /// The instructions are done, or the next block has more of them than are left.
    Done,
}

/// The way from one block to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The jump whose distance lies there, or no one's.
    jump: Option<usize>,
    generation: u32,
}

/// An access that code made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Eight naturally aligned bytes of RAM that it lies in: their offset.
    pub at: u64,
    /// What they held before.
    pub before: u64,
    /// Whether it was a store.
    pub store: bool,
}

/// One hart's translated code.
pub struct Jit<'c> {
    hart: &'c Hart<u64>,
    region: Region,
    emitter: Emitter,
    /// Where the first block begins, and the next.
    first: usize,
    next: usize,
    /// How many there are.
    blocks: usize,
    generation: u32,
    fuser: Fuser,
    misses: Misses,
    /// Modes whose table of jumps has something, as a set.
    used: u16,
    /// Modes that have a table.
    ready: u16,
}

/// The MXCSR of Rust code: all exceptions masked, rounding to nearest.
const MXCSR: u64 = 0x1f80;
/// The most bytes of code that a block has.
const LONGEST: usize = 1 << 16;

#[repr(C)]
struct Left {
    site: u64,
    instructions: u64,
}

/// What code calls instructions with.
struct Running<'r> {
    hart: &'r Hart<u64>,
    instructions: &'r dyn Instructions,
    mxcsr: *const u64,
}

/// What translated code calls for an instruction that is not its own.
extern "C" fn call(running: *const Running<'_>, block: u32, number: u32) -> u32 {
    // SAFETY: `Jit::run` put the address there, of what lives as long as it runs code.
    let Running { hart, instructions, mxcsr } = unsafe { &*running };
    // SAFETY: it lies in the region's data; code has just stored it there.
    accrue(hart, unsafe { mxcsr.read() });
    u32::from(instructions.call(block, number))
}

/// Adds the flags that the host raised.
fn accrue(hart: &Hart<u64>, flags: u64) {
    let flag = |host: u32, guest: u32| (flags >> host & 1) << guest;
    // Invalid, divide by zero, overflow, underflow, inexact; bit 1 is the host's denormal operand.
    hart.accrue((flag(0, 4) | flag(2, 3) | flag(3, 2) | flag(4, 1) | flag(5, 0)) as u8);
}

/// What translated code calls when it has a page not at hand.
extern "C" fn bring(hart: *const Hart<u64>, addr: u64, what: u32) -> u32 {
    let (access, size, slot) = memory::parts(what);
    // SAFETY: `Jit::run` gave the code the address of the hart that it holds a reference to.
    u32::from(unsafe { &*hart }.bring_near(access, addr, size, slot))
}

impl<'c> Jit<'c> {
    /// A translator for `hart` with so many bytes for code, at least 1 MiB; `None` if this host has not what it takes.
    pub fn new(hart: &'c Hart<u64>, size: usize) -> Option<Jit<'c>> {
        let code = size.max(1 << 20).next_multiple_of(PAGE as usize).min(1 << 30);
        if !host_can() {
            return None;
        }
        let mut region = Region::new(code, Data::SIZE).ok()?;
        let data = Data::at(code);
        region.set(data.host_mxcsr, MXCSR);
        region.set(data.ram, hart.ram().address());
        // Memory without pages has nothing at hand either.
        region.set(data.versions, hart.ram().version_address(0).unwrap_or(0));
        for (fmt, bits, nan) in [(Fmt::S, 32, 0x7fc0_0000), (Fmt::D, 64, 0x7ff8_0000_0000_0000)] {
            region.set(data.sign + of(fmt), 1 << (bits - 1));
            region.set(data.boxes + of(fmt), fmt.boxed(0));
            region.set(data.nan + of(fmt), fmt.boxed(nan));
        }
        let mut emitter = Emitter::new(data);
        let window = hart.ram().window().filter(|_| faults::are_handled());
        let reach = window.and_then(|window| Some((window, Reach::new(window, x16(hart) as u64)?)));
        if let Some((window, reach)) = reach {
            region.set(emitter.data.window_last, window.last);
            region.set(emitter.data.window, window.address);
            region.set(emitter.data.window_versions, window.versions);
            (emitter.window, emitter.window_at) = (Some(window), reach);
        }
        emitter.write_doors(Behind { bring: bring as *const () as u64, call: call as *const () as u64 });
        region.write(0, &emitter.asm.code);
        let first = emitter.asm.at();
        Some(Jit {
            hart,
            region,
            emitter,
            first,
            next: first,
            blocks: 0,
            generation: 0,
            fuser: Fuser::default(),
            misses: Misses::default(),
            used: 0,
            ready: 0,
        })
    }

    /// Translates `block`, which begins at `pc` and runs under `rules`; `None` if there is no room. Instructions that
    /// it calls are those of `id`.
    pub fn translate(&mut self, block: &mut Block, id: u32, pc: u64, rules: u64) -> Option<Entry> {
        if self.next + LONGEST > self.region.code_size() {
            return None;
        }
        if self.ready >> mode(rules) & 1 == 0 {
            self.ready |= 1 << mode(rules);
            self.empty_table(mode(rules).into());
        }
        self.fuser.fuse(block);
        block.sweep(&mut self.emitter.last);
        debug_assert_eq!(block.verify(), Ok(()), "{block}");
        let at = self.emitter.block(block, id, pc, mode(rules), self.next);
        self.region.write(at, &self.emitter.asm.code);
        self.next = self.emitter.asm.at();
        self.blocks += 1;
        // The region has at most a gigabyte.
        let (at, size) = (at as u32, (self.next - at) as u32);
        Some(Entry { at, size, generation: self.generation, float: has_float(mode(rules)) })
    }

    /// Has all code that is made from now on keep [`records`](Self::records).
    pub fn keep_records(&mut self) {
        self.emitter.journals = true;
    }

    /// The accesses of the last [`run`](Self::run), in order. There is room for those of [`RECORDS`](Self::RECORDS)
    /// instructions.
    pub fn records(&self) -> Vec<Record> {
        let Data { journal, records, .. } = self.emitter.data;
        let count = (self.region.get(journal).wrapping_sub(self.region.address(records)) / 16) as usize;
        let ram = self.hart.ram().address();
        let record = |i: usize| {
            let address = self.region.get(records + 16 * i);
            let at = (address & !1).wrapping_sub(ram);
            Record { at, before: self.region.get(records + 16 * i + 8), store: address & 1 == 0 }
        };
        (0..count.min(Self::RECORDS)).map(record).collect()
    }

    /// So many instructions may be run for [`records`](Self::records), and a few more of the last block.
    pub const RECORDS: usize = 128;

    /// The code of a block, as the host's assembler has it: an instruction a line.
    pub fn told(&self, entry: Entry) -> String {
        if !self.has(entry) {
            return String::new();
        }
        let code = self.region.read(entry.at(), entry.size());
        let at = self.region.address(entry.at());
        let mut text = String::new();
        let mut names = GasFormatter::new();
        for insn in Decoder::with_ip(64, &code, at, DecoderOptions::NONE).iter() {
            text.push_str(&format!("{:#018x}:  ", insn.ip()));
            names.format(&insn, &mut text);
            text.push('\n');
        }
        text
    }

    /// What there is.
    pub fn told_in_numbers(&self) -> Code {
        Code {
            used: self.next,
            room: self.region.code_size(),
            blocks: self.blocks,
            cleared: self.generation.into(),
        }
    }

    /// Where the host has the code.
    pub fn address(&self, entry: Entry) -> u64 {
        self.region.address(entry.at())
    }

    /// Whether it still knows the code.
    pub fn has(&self, entry: Entry) -> bool {
        entry.generation == self.generation
    }

    /// Forgets all code.
    pub fn clear(&mut self) {
        (self.next, self.blocks) = (self.first, 0);
        self.generation += 1;
        self.emitter.sites.clear();
        self.emitter.faults.clear();
        self.misses.clear();
        self.region.set(self.emitter.data.missed, 0);
        self.forget_jumps();
    }

    /// Forgets where jumps between pages go: translations of addresses, or what is in memory, may have changed.
    pub fn forget_jumps(&mut self) {
        let used = std::mem::take(&mut self.used);
        for mode in (0..MODES).filter(|mode| used >> mode & 1 != 0) {
            self.empty_table(mode);
        }
    }

    /// The same, of jumps by code that runs under `rules`.
    pub fn forget_jumps_of(&mut self, rules: u64) {
        let mode = mode(rules);
        if self.used >> mode & 1 != 0 {
            self.used &= !(1 << mode);
            self.empty_table(mode.into());
        }
    }

    fn empty_table(&mut self, mode: usize) {
        for i in 0..JUMPS {
            self.region.set(self.emitter.data.jumps + 16 * (mode * JUMPS + i), NOWHERE);
        }
    }

    /// Runs code from `entry` on, for so many instructions or a few more; `others` does what is not code's own.
    ///
    /// The hart's rounding mode must be one of the first four: the host has no others.
    pub fn run(&mut self, entry: Entry, instructions: u32, others: &dyn Instructions) -> Exit {
        let hart = self.hart;
        if entry.generation != self.generation {
            return Exit::Done;
        }
        // RNE, RTZ, RDN, RUP as the host has them.
        const ROUNDING: [u64; 4] = [0, 3, 1, 2];
        let rounding = ROUNDING[hart.rounding_mode() as usize & 3];
        let data = &self.emitter.data;
        self.region.set(data.mxcsr, MXCSR | rounding << 13);
        self.region.set(data.journal, self.region.address(data.records));
        let running =
            Running { hart, instructions: others, mxcsr: self.region.address(data.mxcsr) as *const u64 };
        self.region.set(data.running, &raw const running as u64);
        let x16 = x16(hart);
        let door = self.region.address(self.emitter.doors[usize::from(entry.float)].enter);
        let code = self.region.address(entry.at());
        let segment = self.emitter.window.and_then(|window| self.emitter.window_at.segment(window));
        let Left { site, instructions: left } =
            faults::with_window(&mut self.region, segment, &self.emitter.faults, || {
                // SAFETY: the door is a function of this type, which gives back the host's registers as the ABI asks;
                // the code is of a block made for this hart, since its generation is the present one. It changes the
                // hart's cells, memory through pages that the hart allows or that are in the window, and the region's
                // data; `running` outlives it.
                unsafe {
                    let enter: extern "C" fn(u64, *const u8, u64) -> Left = std::mem::transmute(door);
                    enter(code, x16, instructions.into())
                }
            });
        // Where floating point is off, that is as it was set.
        accrue(hart, self.region.get(data.mxcsr));
        self.notice_miss();

        let site = self.emitter.sites[site as usize];
        let left = left.wrapping_add(site.credit.into());
        hart.retire(u64::from(instructions).wrapping_sub(left));
        match site.why {
            Why::Indirect => hart.set_pc(hart.pc() & !1),
            Why::Called => {}
            _ => hart.set_pc(site.pc),
        }
        let link = |jump| Exit::Wants(Link { jump, generation: self.generation });
        match site.why {
            Why::Chain => link(Some(site.jump as usize)),
            Why::Far | Why::Indirect => link(None),
            Why::Step => Exit::Step,
            Why::Called => Exit::Called,
            Why::Budget => Exit::Done,
            Why::Wrote => {
                hart.ram().renew_by_address(self.region.get(self.emitter.data.addr));
                Exit::Done
            }
        }
    }

    /// Looks whether it is time to notice a load that missed what is at hand.
    fn notice_miss(&mut self) {
        let data = &self.emitter.data;
        if self.region.get(data.misses) as i32 > 0 {
            return;
        }
        let missed = self.region.get(data.missed);
        self.region.set(data.misses, misses::EVERY.into());
        let at = missed.wrapping_sub(self.region.address(0)) as usize;
        let roomy = self.next + LONGEST <= self.region.code_size();
        if missed == 0
            || self.emitter.journals
            || !roomy
            || !self.misses.notice(at as u32, self.hart.instret())
        {
            return;
        }
        if let Some(jump) = self.emitter.look_at_once(&self.region, at, self.next) {
            self.region.write(self.next, &self.emitter.asm.code);
            self.region.write(jump, &misses::always(jump, self.next));
            self.next = self.emitter.asm.at();
        }
    }

    /// Has the way that was left last lead to `entry`, the code of the block at `pc` under `rules`: for good, if that
    /// lies whole in the page where the way comes from; if not, until [`forget_jumps`](Self::forget_jumps).
    pub fn link(&mut self, link: Link, pc: u64, rules: u64, entry: Entry, whole: bool) {
        if link.generation != self.generation || entry.generation != self.generation {
            return;
        }
        match link.jump {
            Some(jump) if whole => {
                self.region.write(jump, &x64::distance(jump, entry.at()).to_le_bytes());
            }
            _ => {
                let slot = self.emitter.data.jump(mode(rules), pc);
                self.used |= 1 << mode(rules);
                self.region.set(slot, pc);
                self.region.set(slot + 8, self.region.address(entry.at()));
            }
        }
    }
}

/// What `rbp` has while code runs: the place of register `x16`.
fn x16(hart: &Hart<u64>) -> *const u8 {
    std::ptr::from_ref(hart).cast::<u8>().wrapping_add(layout::X + 128)
}

/// Whether this host has the instructions that code is made of.
fn host_can() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx")
        && std::is_x86_feature_detected!("bmi1")
        && std::is_x86_feature_detected!("bmi2")
        && std::is_x86_feature_detected!("lzcnt")
        && std::is_x86_feature_detected!("popcnt")
        && std::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// What of a hart's rules is in the key of a table of jumps: how code runs.
fn mode(rules: u64) -> u8 {
    (rules % Hart::<u64>::MODES) as u8
}
