//! Translates blocks of meanings to code of the host, and runs it: the baseline tier.
//!
//! A [`Jit`] is one hart's, on the hart's own thread. It knows blocks by what they mean, not where they come from:
//! whoever runs harts (`exec`) decides what is translated, when it is stale, and what the interpreter does instead.
//! Hosts other than x86-64, and those without AVX, BMI and FMA, have none.

#![expect(unsafe_code, reason = "running code that was made at run time")]

mod bases;
mod data;
mod doors;
mod emit;
mod faults;
mod float;
mod integer;
mod leave;
mod loops;
mod memory;
mod misses;
mod parts;
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
use parts::{Filling, Incoming, PARTS, Parts};
use region::Region;
use std::ops::Range;

/// The code of a block, to be run by the [`Jit`] that made it until that forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    at: u32,
    size: u32,
    generation: u32,
    part: u8,
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

    fn filling(self) -> Filling {
        Filling { part: self.part, generation: self.generation }
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
    /// Parts of the room, and how often one of them was forgotten, to be filled anew.
    pub parts: usize,
    /// See `parts`.
    pub evicted: u64,
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
    /// The block is wanted [plain](Jit::translate).
    pub plain: bool,
    /// It lies in another page than where the way comes from.
    across: bool,
    /// What the jump lies in.
    filling: Filling,
    /// The number of the place where code was left.
    site: u64,
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
    parts: Parts,
    /// Jumps that lead into other pages, and what they lie in.
    across: Vec<(Filling, Incoming)>,
    /// The next run is of what was just made, and does not say that it is hot.
    made: bool,
    fuser: Fuser,
    misses: Misses,
    /// Modes whose table of jumps has something, as a set.
    used: u16,
    /// Modes that have a table.
    ready: u16,
}

/// The MXCSR of Rust code: all exceptions masked, rounding to nearest.
const MXCSR: u64 = 0x1f80;
/// The least room: for the doors, and for parts that hold a block.
const LEAST: usize = 8 * PAGE as usize;

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
    /// A translator for `hart` with so many bytes for code, at least 32 KiB; `None` if this host has not what it takes.
    pub fn new(hart: &'c Hart<u64>, size: usize) -> Option<Jit<'c>> {
        let code = size.max(LEAST).next_multiple_of(PAGE as usize).min(1 << 30);
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
        let reach = window.and_then(|window| Some((window, Reach::new(window)?)));
        if let Some((window, reach)) = reach {
            region.set(emitter.data.window_last, window.last);
            region.set(emitter.data.window, window.address);
            region.set(emitter.data.window_versions, window.versions);
            (emitter.window, emitter.window_at) = (Some(window), reach);
        }
        emitter.write_doors(Behind { bring: bring as *const () as u64, call: call as *const () as u64 });
        region.write(0, &emitter.asm.code);
        let parts = Parts::new(emitter.asm.at(), code);
        let (fuser, misses) = (Fuser::default(), Misses::default());
        let across = vec![];
        Some(Jit { hart, region, emitter, parts, across, made: false, fuser, misses, used: 0, ready: 0 })
    }

    /// Translates `block`, which begins at `pc` and runs under `rules`; `None` if it is too long to
    /// be code. Instructions that it calls are those of `id`. `plain`: a loop in it is to take addresses as they come.
    /// What was made before and is seldom used may be forgotten.
    pub fn translate(
        &mut self,
        block: &mut Block,
        plain: bool,
        id: u32,
        pc: u64,
        rules: u64,
    ) -> Option<Entry> {
        if self.ready >> mode(rules) & 1 == 0 {
            self.ready |= 1 << mode(rules);
            self.empty_table(mode(rules).into());
        }
        self.fuser.fuse(block);
        block.sweep(&mut self.emitter.last);
        debug_assert_eq!(block.verify(), Ok(()), "{block}");
        let at = self.write_block(block, plain, id, pc, mode(rules))?;
        let end = self.emitter.asm.at();
        self.region.write(at, &self.emitter.asm.code);
        self.parts.add(end, id, &mut self.emitter.sites, &mut self.emitter.faults);
        self.made = true;
        let Filling { part, generation } = self.parts.filling();
        // The region has at most a gigabyte.
        let (at, size) = (at as u32, (end - at) as u32);
        Some(Entry { at, size, generation, part, float: has_float(mode(rules)) })
    }

    /// Writes a block for the part that is being filled, or for the next if it does not fit.
    fn write_block(&mut self, block: &Block, plain: bool, id: u32, pc: u64, mode: u8) -> Option<usize> {
        loop {
            self.emitter.sites.clear();
            self.emitter.faults.clear();
            self.emitter.first_site = self.parts.next_site();
            let room = self.parts.room();
            let at = self.emitter.block(block, plain, id, pc, mode, room.start);
            let end = self.emitter.asm.at();
            if end <= room.end {
                return Some(at);
            }
            // The next begins where blocks do.
            if end - at > self.parts.size() {
                return None;
            }
            self.make_room();
        }
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
        let (used, blocks) = self.parts.filled();
        let Parts { cleared, evicted, .. } = self.parts;
        Code { used, room: self.region.code_size(), blocks, cleared, parts: PARTS, evicted }
    }

    /// The numbers of the blocks that there is code of, some more than once. No other is spoken of by code.
    pub fn blocks(&self) -> impl Iterator<Item = u32> {
        self.parts.blocks()
    }

    /// Where the host has the code.
    pub fn address(&self, entry: Entry) -> u64 {
        self.region.address(entry.at())
    }

    /// Whether it still knows the code.
    pub fn has(&self, entry: Entry) -> bool {
        self.parts.has(entry.filling())
    }

    /// Forgets all code.
    pub fn clear(&mut self) {
        self.across.clear();
        self.parts.clear();
        self.misses.clear();
        self.region.set(self.emitter.data.missed, 0);
        self.forget_jumps();
    }

    /// Forgets where jumps between pages go: translations of addresses, or what is in memory, may have changed.
    pub fn forget_jumps(&mut self) {
        self.forget_across();
        let used = std::mem::take(&mut self.used);
        for mode in (0..MODES).filter(|mode| used >> mode & 1 != 0) {
            self.empty_table(mode);
        }
    }

    /// The same, of jumps by code that runs under `rules`.
    pub fn forget_jumps_of(&mut self, rules: u64) {
        if rules & Hart::<u64>::DIRECT != 0 {
            self.forget_across();
        }
        let mode = mode(rules);
        if self.used >> mode & 1 != 0 {
            self.used &= !(1 << mode);
            self.empty_table(mode.into());
        }
    }

    /// Jumps that lead into other pages by themselves get their own ways back.
    fn forget_across(&mut self) {
        for (filling, own) in std::mem::take(&mut self.across) {
            if self.parts.has(filling) {
                own.restore(&mut self.region);
            }
        }
    }

    /// Forgets which jumps of the tables go to these addresses of the host.
    fn forget_jumps_into(&mut self, range: Range<u64>) {
        for mode in (0..MODES).filter(|mode| self.used >> mode & 1 != 0) {
            let table = self.emitter.data.jumps + 16 * mode * JUMPS;
            for slot in (table..table + 16 * JUMPS).step_by(16) {
                if range.contains(&self.region.get(slot + 8)) {
                    self.region.set(slot, NOWHERE);
                }
            }
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
        if !self.has(entry) {
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
        let segment = self.emitter.window_at.segment();
        let Left { site, instructions: left } =
            faults::with_window(&mut self.region, segment, &self.parts, || {
                // SAFETY: the door is a function of this type, which gives back the host's registers as the ABI asks;
                // the code is of a block made for this hart, and is still there. It changes the
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

        let number = site;
        let (site, filling) = self.parts.site(number);
        let left = left.wrapping_add(site.credit.into());
        hart.retire(u64::from(instructions).wrapping_sub(left));
        if !std::mem::take(&mut self.made) {
            self.parts.was_entered(entry.part);
        }
        match site.why {
            Why::Indirect => hart.set_pc(hart.pc() & !1),
            Why::Called => {}
            _ => hart.set_pc(site.pc),
        }
        let plain = site.why == Why::Outside;
        let across = site.why == Why::Across;
        let link = |jump| Exit::Wants(Link { jump, plain, across, filling, site: number });
        match site.why {
            Why::Chain | Why::Across | Why::Outside => link(Some(site.jump as usize)),
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

    /// Looks whether it is time to notice a load that missed what is at hand. It did so in this run, so it is still there.
    fn notice_miss(&mut self) {
        let data = &self.emitter.data;
        if self.region.get(data.misses) as i32 > 0 {
            return;
        }
        let missed = self.region.get(data.missed);
        self.region.set(data.misses, misses::EVERY.into());
        let at = missed.wrapping_sub(self.region.address(0)) as usize;
        let room = self.parts.room();
        let roomy = room.len() >= misses::STUB;
        if missed == 0
            || self.emitter.journals
            || !roomy
            || !self.misses.notice(at as u32, self.hart.instret())
        {
            return;
        }
        let to = room.start;
        if let Some(jump) = self.emitter.look_at_once(&self.region, at, to) {
            self.region.write(to, &self.emitter.asm.code);
            self.parts.add_stub(self.emitter.asm.at());
            self.redirect(jump, &misses::always(jump, to), self.parts.of(to));
        }
    }

    /// Changes code so that it leads to `part`, until that is forgotten.
    fn redirect(&mut self, at: usize, bytes: &[u8], part: usize) {
        // Code in that part itself is forgotten with it.
        if self.parts.of(at) != part {
            let was = self.region.read(at, bytes.len());
            self.parts.leads_to(part, Incoming::new(at, &was));
        }
        self.region.write(at, bytes);
    }

    /// Has the way that was left last lead to `entry`, the code of the block at `pc` under `rules`: for good, if that
    /// lies whole in the page where the way comes from; if not, until [`forget_jumps`](Self::forget_jumps).
    pub fn link(&mut self, link: Link, pc: u64, rules: u64, entry: Entry, whole: bool) {
        if !self.parts.has(link.filling) || !self.has(entry) {
            return;
        }
        match link.jump {
            Some(jump) if whole && !link.across || rules & Hart::<u64>::DIRECT != 0 => {
                if !whole || link.across {
                    let own = Incoming::new(jump, &self.region.read(jump, 4));
                    self.across.push((link.filling, own));
                }
                let distance = x64::distance(jump, entry.at()).to_le_bytes();
                self.redirect(jump, &distance, entry.part.into());
            }
            _ => {
                let slot = self.emitter.data.jump(mode(rules), pc);
                self.used |= 1 << mode(rules);
                self.region.set(slot, pc);
                self.region.set(slot + 8, self.region.address(entry.at()));
                if let Some(jump) = link.jump {
                    self.go_by_table(jump, link.site, pc, rules);
                }
            }
        }
    }

    /// Has a jump that was made to lead to code lead to the table instead, from now on.
    fn go_by_table(&mut self, jump: usize, site: u64, pc: u64, rules: u64) {
        let room = self.parts.room();
        if room.len() < leave::STUB {
            return;
        }
        let to = room.start;
        let own = x64::target(jump, &self.region.read(jump, 4));
        self.emitter.by_table(to, mode(rules), pc, own);
        self.region.write(to, &self.emitter.asm.code);
        self.parts.add_stub(self.emitter.asm.at());
        self.parts.goes_by_table(site);
        self.redirect(jump, &x64::distance(jump, to).to_le_bytes(), self.parts.of(to));
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
