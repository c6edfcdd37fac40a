//! Loads and stores: a look at the page that the base register's last access was in, and what if it is another.

use crate::{
    emit::{Cold, Emitter, Loc, NONE, Why, hart_at, of},
    x64::{Alu, Cc, Map, Pp, RAX, RCX, RDX, Rm},
};
use hartwright_hart::{Access, NEAR_PAGES, layout};
use hartwright_ir::{Amo, Arg, Fmt, Mem};
use hartwright_mem::PAGE;

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

/// An access, found: its operand, a temporary that may be used up, and its place.
struct Found {
    rm: Rm,
    temp: u8,
    slot: u8,
}

impl Emitter {
    /// Finds the host's place of an access, or leaves it to the interpreter.
    fn find(&mut self, store: bool, size: u8, base: Arg, offset: i32) -> Found {
        self.flush();
        let slot = self.place(base);
        let base = self.reg(base);
        let temp = self.temp();
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

    /// Keeps a record of an access that is about to be made: the eight bytes around its place, as they are.
    fn record(&mut self, store: bool, rm: Rm) {
        if !self.journals {
            return;
        }
        let (load, next) = (i32::from(!store), Rm::Here(self.data.journal));
        let a = &mut self.asm;
        a.push(RAX);
        a.push(RCX);
        a.lea(true, RAX, rm);
        a.alu_imm(true, Alu::And, Rm::Reg(RAX), -8);
        a.alu_imm(true, Alu::Or, Rm::Reg(RAX), load);
        a.mov(RCX, next);
        a.store(Rm::Mem(RCX, 0), RAX);
        a.mov(RAX, Rm::Mem(RAX, -load));
        a.store(Rm::Mem(RCX, 8), RAX);
        a.alu_imm(true, Alu::Add, next, 16);
        a.pop(RCX);
        a.pop(RAX);
    }

    pub(crate) fn load(&mut self, m: Mem, base: Arg, offset: i32, home: u8) -> Option<Loc> {
        let Found { rm, temp, .. } = self.find(false, m.size(), base, offset);
        let d = if home == NONE { temp } else { home };
        match m {
            Mem::I8 => self.asm.op0f(true, 0xbe, d, rm),
            Mem::I16 => self.asm.op0f(true, 0xbf, d, rm),
            Mem::I32 => self.asm.op(true, 0x63, d, rm),
            Mem::U8 => self.asm.op0f(false, 0xb6, d, rm),
            Mem::U16 => self.asm.op0f(false, 0xb7, d, rm),
            Mem::U32 => self.asm.op(false, 0x8b, d, rm),
            Mem::I64 | Mem::U64 => self.asm.op(true, 0x8b, d, rm),
            Mem::I128 => return None,
        }
        Some(Loc::Gpr(d))
    }

    pub(crate) fn store(&mut self, size: u8, base: Arg, offset: i32, v: Arg) -> bool {
        match v {
            Arg::C(c) if c as i32 as u64 == c && size >= 4 => {
                let found = self.find(true, size, base, offset);
                self.asm.op_imm32(size == 8, 0xc7, 0, found.rm, c as i32);
                self.stored(found);
            }
            v => {
                let r = self.reg(v);
                let found = self.find(true, size, base, offset);
                self.asm.store_sized(size, found.rm, r);
                self.stored(found);
            }
        }
        true
    }

    /// After a store: if instructions were decoded out of that page, they are stale.
    fn stored(&mut self, Found { temp, slot, .. }: Found) {
        let version = layout::NEAR[1] + layout::VERSIONS + 8 * slot as usize;
        self.asm.mov(temp, hart_at(version));
        self.asm.op8_imm8(0xf6, 0, Rm::Mem(temp, 0), 1);
        let from = self.asm.jcc(Cc::Ne);
        let leave = self.leaving(self.next, Why::Wrote, 0);
        self.cold.push(Cold::Wrote { from, version: temp, leave });
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
        let Found { rm, .. } = self.find(false, (fmt.bits() / 8) as u8, base, offset);
        let d = if home == NONE { 2 } else { home };
        match fmt {
            Fmt::H => return None,
            Fmt::S => {
                self.asm.vex(Map::M0f, Pp::F3, false, 0x10, d, 0, rm);
                self.asm.vex(Map::M0f, Pp::None, false, 0x56, d, d, Rm::Here(self.data.boxes + of(fmt)));
            }
            Fmt::D => self.asm.vex(Map::M0f, Pp::F2, false, 0x10, d, 0, rm),
        }
        Some(Loc::Xmm(d))
    }

    pub(crate) fn store_float(&mut self, fmt: Fmt, base: Arg, offset: i32, v: Arg) -> bool {
        let pp = match fmt {
            Fmt::H => {
                // The builder refuses it.
                return true;
            }
            Fmt::S => Pp::F3,
            Fmt::D => Pp::F2,
        };
        let x = self.xmm(v, 0);
        let found = self.find(true, (fmt.bits() / 8) as u8, base, offset);
        self.asm.vex(Map::M0f, pp, false, 0x11, x, 0, found.rm);
        self.stored(found);
        true
    }
}
