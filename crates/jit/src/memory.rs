//! Loads and stores: a look at the page that the base register's last access was in, and what if it is another.

use crate::{
    data::of,
    emit::{Emitter, Loc},
    faults::Fault,
    leave::{Cold, Leave, Why},
    registers::{NONE, hart_at},
    x64::{Alu, Cc, Map, Pp, RAX, RCX, RDX, Rm},
};
use hartwright_hart::{Access, NEAR_PAGES, layout};
use hartwright_ir::{Amo, Arg, Fmt, Mem};
use hartwright_mem::{PAGE, PAGE_SHIFT, Window};

/// What a look at the TLB is to bring near, in one number: access size, place, and whether it is a store.
pub(crate) fn what(store: bool, size: u8, place: u8) -> u32 {
    u32::from(size) << 16 | u32::from(store) << 15 | 8 * u32::from(place)
}

/// Of [`what`], eight times the place.
pub(crate) const PLACE_MASK: i32 = 0x7ff;

/// The parts of [`what`]: access, size, place.
pub(crate) fn parts(what: u32) -> (Access, u64, usize) {
    let access = if what >> 15 & 1 != 0 { Access::Store } else { Access::Load };
    (access, u64::from(what >> 16), (what as i32 & PLACE_MASK) as usize / 8)
}

/// The bits of an address that the tag of its page has, and those that tell a misaligned access of `size` bytes.
pub(crate) fn tag_mask(size: u64) -> i32 {
    -(PAGE as i32) | (size as i32 - 1)
}

/// A part of what `lr` reserved, by its offset.
fn reserved(part: usize) -> Rm {
    hart_at(layout::RESERVATION + part)
}

/// Bytes of a jump to anywhere in the region.
const JUMP: usize = 5;

/// What an access does once its place is known; registers are the host's.
#[derive(Clone, Copy)]
pub(crate) enum Move {
    /// To a register.
    Load(Mem, u8),
    /// So many bytes of a register.
    Store(u8, u8),
    /// So many bytes of a constant.
    StoreConstant(u8, i32),
    /// To a floating-point register.
    LoadFloat(Fmt, u8),
    /// Of a floating-point register.
    StoreFloat(Fmt, u8),
}

impl Move {
    fn is_store(self) -> bool {
        !matches!(self, Move::Load(..) | Move::LoadFloat(..))
    }

    /// Bytes.
    fn size(self) -> u8 {
        match self {
            Move::Load(m, _) => m.size(),
            Move::Store(size, _) | Move::StoreConstant(size, _) => size,
            Move::LoadFloat(fmt, _) | Move::StoreFloat(fmt, _) => (fmt.bits() / 8) as u8,
        }
    }
}

/// How code reaches the window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reach {
    /// The host's address 0, or the window's, where the segment of `gs` begins then: that costs a load two cycles.
    begin: u64,
    /// From there to the guest's address 0, and to the version of the page there.
    address: i32,
    versions: i32,
}

impl Reach {
    /// By displacements alone, if it lies low enough; `None` if it is too far from its versions.
    pub(crate) fn new(window: Window) -> Option<Reach> {
        let from = |begin: u64| {
            let far = |to: u64| {
                let far = to.wrapping_sub(begin) as i64;
                // The displacements that instructions have are added to it.
                i32::try_from(far).ok().filter(|far| far.unsigned_abs() < i32::MAX as u32 - 0x1000)
            };
            Some(Reach { begin, address: far(window.address)?, versions: far(window.versions)? })
        };
        from(0).or_else(|| from(window.address))
    }

    /// Where `gs` has to begin, if it is used.
    pub(crate) fn segment(self) -> Option<u64> {
        (self.begin != 0).then_some(self.begin)
    }

    /// The guest's address in a register, and a displacement.
    fn address(self, base: u8, offset: i32) -> Rm {
        if self.begin == 0 { Rm::Mem(base, self.address + offset) } else { Rm::Window(base, offset) }
    }

    /// The version of the page whose number is in a register.
    fn version(self, page: u8) -> Rm {
        if self.begin == 0 { Rm::Table(page, self.versions) } else { Rm::WindowTable(page, self.versions) }
    }
}

/// An access within the window: what is done where that does not reach.
pub(crate) struct Direct {
    /// The jump of who is not within, if that is asked, the number of the question, and the register it is about.
    check: Option<(usize, u8, u8)>,
    /// The jump of what is not aligned, if a record is kept, and what reads what was there for that.
    misaligned: Option<usize>,
    recorded: Option<usize>,
    /// Where the access begins, its instruction, and what follows it.
    start: usize,
    at: usize,
    back: usize,
    base: u8,
    offset: i32,
    /// A temporary for looking further, and whether something else is in it.
    temp: u8,
    keep: bool,
    slot: u8,
    does: Move,
    leave: Leave,
    wrote: Leave,
}

/// An access, found: its operand, a temporary that may be used up, and its place.
struct Found {
    rm: Rm,
    temp: u8,
    slot: u8,
}

impl Emitter {
    /// Does an access to a known place.
    fn write_move(&mut self, does: Move, rm: Rm) {
        let a = &mut self.asm;
        match does {
            Move::Load(Mem::I8, d) => a.op0f(true, 0xbe, d, rm),
            Move::Load(Mem::I16, d) => a.op0f(true, 0xbf, d, rm),
            Move::Load(Mem::I32, d) => a.op(true, 0x63, d, rm),
            Move::Load(Mem::U8, d) => a.op0f(false, 0xb6, d, rm),
            Move::Load(Mem::U16, d) => a.op0f(false, 0xb7, d, rm),
            Move::Load(Mem::U32, d) => a.op(false, 0x8b, d, rm),
            Move::Load(Mem::I64 | Mem::U64 | Mem::I128, d) => a.op(true, 0x8b, d, rm),
            Move::Store(size, r) => a.store_sized(size, rm, r),
            Move::StoreConstant(size, c) => a.op_imm32(size == 8, 0xc7, 0, rm, c),
            Move::LoadFloat(fmt, d) => {
                a.vex(Map::M0f, if fmt == Fmt::D { Pp::F2 } else { Pp::F3 }, false, 0x10, d, 0, rm);
            }
            Move::StoreFloat(fmt, x) => {
                a.vex(Map::M0f, if fmt == Fmt::D { Pp::F2 } else { Pp::F3 }, false, 0x11, x, 0, rm);
            }
        }
    }

    /// Makes an access, or leaves it to the interpreter.
    fn access(&mut self, does: Move, base: Arg, offset: i32) {
        if self.direct {
            let b = self.reg(base);
            return self.access_directly(does, base, b, offset);
        }
        let found = self.find(does.is_store(), does.size(), base, offset);
        self.write_move(does, found.rm);
        if does.is_store() {
            self.stored(found);
        }
    }

    /// Makes an access at the address that the guest has, in the window; `b` is the host's register for `base`.
    fn access_directly(&mut self, does: Move, base: Arg, b: u8, offset: i32) {
        let slot = self.place(base);
        let (temp, keep) = match does {
            Move::Load(_, d) if d <= RDX && d != b => (d, false),
            Move::Load(..) | Move::LoadFloat(..) => (if b == RAX { RCX } else { RAX }, true),
            _ => (self.temp(), false),
        };
        let start = self.asm.at();
        let check = (!self.is_within(base)).then(|| {
            let number = self.ask();
            let mut asked = b;
            if let Arg::X(x) = base {
                // What the address was made of serves others too.
                let root = self.bases.root(x);
                let x = if self.home[root as usize] == NONE { x } else { root };
                asked = if self.home[x as usize] == NONE { b } else { self.home[x as usize] };
                self.bases.compared(x, number);
            }
            self.asm.alu(true, Alu::Cmp, asked, Rm::Here(self.data.window_last));
            (self.asm.jcc(Cc::A), number, asked)
        });
        let leave = self.leaving(self.pc, Why::Step, 1);
        let wrote = self.leaving(self.next, Why::Wrote, 0);
        let rm = self.window_at.address(b, offset);
        let misaligned = self.journals.then(|| self.misaligned(does.size(), b, offset));
        let recorded = self.record(does.is_store(), rm);
        let at = self.asm.at();
        self.write_move(does, rm);
        while self.asm.at() < start + JUMP {
            self.asm.nop();
        }
        if does.is_store() {
            self.asm.lea(true, temp, Rm::Mem(b, offset));
            self.asm.op_imm8(true, 0xc1, 5, Rm::Reg(temp), PAGE_SHIFT as u8);
            self.asm.op8_imm8(0xf6, 0, self.window_at.version(temp), 1);
            let from = self.asm.jcc(Cc::Ne);
            self.cold.push(Cold::Wrote { from, version: temp, is_page: true, leave: wrote });
        }
        let back = self.asm.at();
        self.cold.push(Cold::Direct(Direct {
            check,
            misaligned,
            recorded,
            start,
            at,
            back,
            base: b,
            offset,
            temp,
            keep,
            slot,
            does,
            leave,
            wrote,
        }));
    }

    /// The number of a comparison with the window's end.
    pub(crate) fn ask(&mut self) -> u8 {
        self.relied.push(false);
        // A block has fewer than 256 instructions.
        self.relied.len() as u8 - 1
    }

    /// Whether an address is known to be in the window, or at most its margin away.
    fn is_within(&mut self, base: Arg) -> bool {
        match base {
            Arg::X(x) => {
                let by = self.bases.within(x);
                if let Some(number) = by {
                    self.relied[number as usize] = true;
                }
                by.is_some()
            }
            Arg::C(c) => self.window.is_some_and(|window| c <= window.last),
            Arg::V(_) | Arg::F(_) => false,
        }
    }

    /// Looks in the TLB for what lies outside the window, or where that has no memory.
    pub(crate) fn finish_direct(&mut self, direct: Direct) {
        let Direct {
            check,
            misaligned,
            recorded,
            start,
            at,
            back,
            base,
            offset,
            temp,
            keep,
            slot,
            does,
            leave,
            wrote,
        } = direct;
        let unrecorded = recorded.map(|at| (at, self.asm.at()));
        let after = unrecorded.map(|_| {
            self.end_record();
            self.asm.jmp()
        });
        let entry = self.asm.at();
        if self.journals {
            // The access that was recorded did not happen.
            self.asm.alu_imm(true, Alu::Sub, Rm::Here(self.data.journal), 16);
        }
        let instead = self.asm.at();
        for (at, entry) in unrecorded.into_iter().chain([(at, entry)]) {
            let [at, start, entry, instead] = [at, start, entry, instead].map(|offset| offset as u32);
            self.faults.push(Fault { at, start, entry, instead });
        }
        for from in misaligned.into_iter().chain(after) {
            self.asm.patch(from, instead);
        }
        let outside = check.and_then(|(from, number, asked)| {
            self.asm.patch(from, instead);
            // What comes after this access would go on as if its address were in the window.
            self.relied[number as usize].then(|| {
                self.asm.alu(true, Alu::Cmp, asked, Rm::Here(self.data.window_last));
                self.asm.jcc(Cc::A)
            })
        });
        let kept = Rm::Here(self.data.kept);
        if keep {
            self.asm.store(kept, temp);
        }
        self.probe(base, offset, temp, what(does.is_store(), does.size(), slot));
        let refused = self.asm.jcc(Cc::B);
        let rm = Rm::Sum(base, temp, offset);
        self.record(does.is_store(), rm);
        self.write_move(does, rm);
        if does.is_store() {
            self.asm.mov(temp, hart_at(layout::NEAR[1] + layout::VERSIONS + 8 * slot as usize));
            self.asm.op8_imm8(0xf6, 0, Rm::Mem(temp, 0), 1);
            let from = self.asm.jcc(Cc::Ne);
            self.cold.push(Cold::Wrote { from, version: temp, is_page: false, leave: wrote });
        }
        let result_there = matches!(does, Move::Load(_, d) if d == temp);
        if keep && !result_there {
            self.asm.mov(temp, kept);
        }
        self.asm.jmp_to(back);
        self.asm.patch(refused, self.asm.at());
        if keep {
            self.asm.mov(temp, kept);
        }
        if let Some(outside) = outside {
            self.asm.patch(outside, self.asm.at());
        }
        self.leave(leave);
    }

    /// Looks in the TLB for the page of an address: what to add to it comes into `temp`, or the carry is set.
    pub(crate) fn probe(&mut self, base: u8, offset: i32, temp: u8, what: u32) {
        let (access, size, _) = parts(what);
        let store = usize::from(access == Access::Store);
        self.asm.lea(true, temp, Rm::Mem(base, offset));
        self.asm.op_imm32(false, 0xc7, 0, Rm::Here(self.data.what), what as i32);
        self.asm.call(self.doors().probe[temp as usize][store][size.trailing_zeros() as usize]);
    }

    /// Finds the host's place of an access, or leaves it to the interpreter.
    fn find(&mut self, store: bool, size: u8, base: Arg, offset: i32) -> Found {
        let slot = self.place(base);
        let base = self.reg(base);
        let temp = self.temp();
        self.find_by(store, size, base, offset, temp, slot)
    }

    /// The same, by registers.
    fn find_by(&mut self, store: bool, size: u8, base: u8, offset: i32, temp: u8, slot: u8) -> Found {
        let near = layout::NEAR[usize::from(store)] + 8 * slot as usize;
        if offset == 0 {
            self.asm.mov(temp, Rm::Reg(base));
        } else {
            self.asm.lea(true, temp, Rm::Mem(base, offset));
        }
        // A misaligned address keeps a low bit, and so equals no tag; nor does what stands for none.
        self.asm.alu_imm(true, Alu::And, Rm::Reg(temp), tag_mask(size.into()));
        self.asm.alu(true, Alu::Cmp, temp, hart_at(near + layout::TAGS));
        let from = self.asm.jcc(Cc::Ne);
        self.asm.mov(temp, hart_at(near + layout::ADDENDS));
        let back = self.asm.at();
        let leave = self.leaving(self.pc, Why::Step, 1);
        self.cold.push(Cold::Probe { from, back, base, offset, temp, what: what(store, size, slot), leave });
        let rm = Rm::Sum(base, temp, offset);
        self.record(store, rm);
        Found { rm, temp, slot }
    }

    /// Where an access by `base` has its page at hand: that of the register if it is as it was at the block's
    /// beginning, lest each block bring its own; else one by where the register, or the address, was made.
    fn place(&self, base: Arg) -> u8 {
        let place = if let Arg::X(x) = base { self.places[x as usize] } else { self.place_here() };
        if self.mode & 3 == 0 { place } else { place + NEAR_PAGES as u8 }
    }

    /// The place that belongs to the present instruction.
    pub(crate) fn place_here(&self) -> u8 {
        let spread = (self.pc >> 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        32 + (spread % (NEAR_PAGES as u64 - 32)) as u8
    }

    /// Where records are kept: jumps if an access is not aligned, which one record may not be enough for.
    fn misaligned(&mut self, size: u8, base: u8, offset: i32) -> usize {
        self.asm.push(RAX);
        self.asm.lea(true, RAX, Rm::Mem(base, offset));
        self.asm.op8_imm8(0xf6, 0, Rm::Reg(RAX), size - 1);
        self.asm.pop(RAX);
        self.asm.jcc(Cc::Ne)
    }

    /// Keeps a record of an access that is about to be made: the eight bytes around its place, as they are. Says which
    /// instruction reads them, before [`end_record`](Self::end_record).
    fn record(&mut self, store: bool, rm: Rm) -> Option<usize> {
        if !self.journals {
            return None;
        }
        let (load, next) = (i32::from(!store), Rm::Here(self.data.journal));
        let a = &mut self.asm;
        a.push(RAX);
        a.push(RCX);
        if let Rm::Window(base, offset) = rm {
            a.lea(true, RAX, Rm::Mem(base, offset));
            a.alu(true, Alu::Add, RAX, Rm::Here(self.data.window));
        } else {
            a.lea(true, RAX, rm);
        }
        a.alu_imm(true, Alu::And, Rm::Reg(RAX), -8);
        a.alu_imm(true, Alu::Or, Rm::Reg(RAX), load);
        a.mov(RCX, next);
        a.store(Rm::Mem(RCX, 0), RAX);
        let read = a.at();
        a.mov(RAX, Rm::Mem(RAX, -load));
        a.store(Rm::Mem(RCX, 8), RAX);
        a.alu_imm(true, Alu::Add, next, 16);
        self.end_record();
        Some(read)
    }

    /// What a record was made with is as it was.
    fn end_record(&mut self) {
        self.asm.pop(RCX);
        self.asm.pop(RAX);
    }

    pub(crate) fn load(&mut self, m: Mem, base: Arg, offset: i32, home: u8) -> Option<Loc> {
        if m == Mem::I128 {
            return None;
        }
        if self.direct {
            let b = self.reg(base);
            let d = self.dest(home);
            self.access_directly(Move::Load(m, d), base, b, offset);
            return Some(Loc::Gpr(d));
        }
        let found = self.find(false, m.size(), base, offset);
        let d = if home == NONE { found.temp } else { home };
        self.write_move(Move::Load(m, d), found.rm);
        Some(Loc::Gpr(d))
    }

    pub(crate) fn store(&mut self, size: u8, base: Arg, offset: i32, v: Arg) -> bool {
        let does = match v {
            Arg::C(c) if c as i32 as u64 == c && size >= 4 => Move::StoreConstant(size, c as i32),
            v => Move::Store(size, self.reg(v)),
        };
        self.access(does, base, offset);
        true
    }

    /// After a store: if instructions were decoded out of that page, they are stale.
    fn stored(&mut self, Found { temp, slot, .. }: Found) {
        self.asm.mov(temp, hart_at(layout::NEAR[1] + layout::VERSIONS + 8 * slot as usize));
        self.look_at_version(temp);
    }

    /// Leaves after a store if the page whose version's address is in `temp` has code.
    fn look_at_version(&mut self, temp: u8) {
        self.asm.op8_imm8(0xf6, 0, Rm::Mem(temp, 0), 1);
        let from = self.asm.jcc(Cc::Ne);
        let leave = self.leaving(self.next, Why::Wrote, 0);
        self.cold.push(Cold::Wrote { from, version: temp, is_page: false, leave });
    }

    /// Finds the host's place of a word, its address in the temporary. If it is to be written and instructions were
    /// decoded out of its page, all is left to the interpreter.
    fn find_word(&mut self, store: bool, size: u8, base: Arg, kept: u8) -> (Found, u8) {
        let found = self.find(store, size, base, 0);
        self.asm.lea(true, found.temp, found.rm);
        // The address as the guest has it is not needed any more.
        self.busy = 1 << found.temp | if kept <= RDX { 1 << kept } else { 0 };
        let other = self.temp();
        if store {
            let version = layout::NEAR[1] + layout::VERSIONS + 8 * found.slot as usize;
            self.asm.mov(other, hart_at(version));
            self.asm.op8_imm8(0xf6, 0, Rm::Mem(other, 0), 1);
            let from = self.asm.jcc(Cc::Ne);
            self.step_from(from);
        }
        (Found { rm: Rm::Mem(found.temp, 0), ..found }, other)
    }

    /// As [`Op::Amo`](hartwright_ir::Op::Amo), while nobody else changes the word.
    pub(crate) fn amo(&mut self, f: Amo, size: u8, base: Arg, v: Arg, home: u8) -> Option<Loc> {
        let op = match f {
            Amo::Swap => 0x89,
            Amo::Add => 0x01,
            Amo::Or => 0x09,
            Amo::And => 0x21,
            Amo::Xor => 0x31,
            Amo::Min | Amo::Max | Amo::Minu | Amo::Maxu => return None,
        };
        let r = self.reg(v);
        let (found, old) = self.find_word(true, size, base, r);
        self.asm.op(true, if size == 8 { 0x8b } else { 0x63 }, old, found.rm);
        self.asm.op(size == 8, op, r, found.rm);
        let d = if home == NONE { old } else { home };
        self.asm.mov(d, Rm::Reg(old));
        Some(Loc::Gpr(d))
    }

    /// As [`Op::LoadReserved`](hartwright_ir::Op::LoadReserved).
    pub(crate) fn load_reserved(&mut self, size: u8, base: Arg) -> Option<Loc> {
        let (found, value) = self.find_word(false, size, base, NONE);
        self.asm.op(size == 8, 0x8b, value, found.rm);
        self.asm.store(reserved(16), value);
        if size == 4 {
            self.asm.op(true, 0x63, value, Rm::Reg(value));
        }
        self.asm.alu(true, Alu::Sub, found.temp, Rm::Here(self.data.ram));
        self.asm.store(reserved(0), found.temp);
        self.asm.op_imm32(true, 0xc7, 0, reserved(8), size.into());
        Some(Loc::Gpr(value))
    }

    /// As [`Op::StoreConditional`](hartwright_ir::Op::StoreConditional), while nobody else changes the word.
    pub(crate) fn store_conditional(&mut self, size: u8, base: Arg, v: Arg) -> Option<Loc> {
        let r = self.reg(v);
        let (found, failed) = self.find_word(true, size, base, r);
        let a = &mut self.asm;
        a.mov(failed, Rm::Reg(found.temp));
        a.alu(true, Alu::Sub, failed, Rm::Here(self.data.ram));
        a.alu(true, Alu::Xor, failed, reserved(0));
        let elsewhere = a.jcc(Cc::Ne);
        a.mov(failed, reserved(8));
        a.alu_imm(true, Alu::Xor, Rm::Reg(failed), size.into());
        let another = a.jcc(Cc::Ne);
        a.op(size == 8, 0x8b, failed, found.rm);
        a.alu(true, Alu::Xor, failed, reserved(16));
        let changed = a.jcc(Cc::Ne);
        a.store_sized(size, found.rm, r);
        [elsewhere, another, changed].into_iter().for_each(|from| a.patch(from, a.at()));
        a.op_imm32(true, 0xc7, 0, reserved(8), 0);
        a.op(true, 0x85, failed, Rm::Reg(failed));
        a.setcc(Cc::Ne, failed);
        a.op0f_byte(false, 0xb6, failed, Rm::Reg(failed));
        Some(Loc::Gpr(failed))
    }

    pub(crate) fn load_float(&mut self, fmt: Fmt, base: Arg, offset: i32, home: u8) -> Option<Loc> {
        if fmt == Fmt::H {
            return None;
        }
        let d = if home == NONE { 2 } else { home };
        self.access(Move::LoadFloat(fmt, d), base, offset);
        if fmt == Fmt::S {
            self.asm.vex(Map::M0f, Pp::None, false, 0x56, d, d, Rm::Here(self.data.boxes + of(fmt)));
        }
        Some(Loc::Xmm(d))
    }

    pub(crate) fn store_float(&mut self, fmt: Fmt, base: Arg, offset: i32, v: Arg) -> bool {
        debug_assert!(fmt != Fmt::H, "the builder refuses it");
        let x = self.xmm(v, 0);
        self.access(Move::StoreFloat(fmt, x), base, offset);
        true
    }
}
