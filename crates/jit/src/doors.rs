//! The ways between Rust and translated code: in, out, and to the TLB and back.

use crate::{
    emit::Emitter,
    memory::{PLACE_MASK, tag_mask},
    registers::{FLOAT_HOME, HOME, NONE, f_at, hart_at, x_at},
    x64::{Alu, Asm, Cc, Map, Pp, R14, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, Rm},
};
use hartwright_hart::{Hart, layout};
use hartwright_mem::{PAGE, PAGE_SHIFT};

/// Registers that a function of the host gives back as they were (System V ABI).
const SAVED: [u8; 6] = [RBX, RBP, 12, 13, 14, 15];

/// Those of guest registers' homes that such a function need not give back.
fn lost_homes() -> impl DoubleEndedIterator<Item = u8> {
    let mut homes: Vec<u8> = HOME.into_iter().filter(|r| *r != NONE && !SAVED.contains(r)).collect();
    homes.sort_unstable();
    homes.into_iter()
}

fn homes() -> impl Iterator<Item = (u8, Rm)> {
    (0..32).filter(|x| HOME[*x as usize] != NONE).map(|x| (HOME[x as usize], x_at(x)))
}

fn float_homes() -> impl Iterator<Item = (u8, Rm)> {
    (0..32).filter(|f| FLOAT_HOME[*f as usize] != NONE).map(|f| (FLOAT_HOME[f as usize], f_at(f)))
}

impl Asm {
    fn load_double(&mut self, x: u8, m: Rm) {
        self.vex(Map::M0f, Pp::F2, false, 0x10, x, 0, m);
    }
    fn store_double(&mut self, m: Rm, x: u8) {
        self.vex(Map::M0f, Pp::F2, false, 0x11, x, 0, m);
    }
    fn load_mxcsr(&mut self, m: Rm) {
        self.vex(Map::M0f, Pp::None, false, 0xae, 2, 0, m);
    }
    fn store_mxcsr(&mut self, m: Rm) {
        self.vex(Map::M0f, Pp::None, false, 0xae, 3, 0, m);
    }
}

/// The ways in and out of code that runs while floating point is on, or off: only the former has the guest's
/// floating-point registers and rounding mode in the host's. Offsets of the region.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doors {
    /// `extern "C" fn(code, x16, instructions) -> (site, instructions left)`.
    pub(crate) enter: usize,
    /// Gone to with the number of a site in `rcx`.
    pub(crate) exit: usize,
    /// Called with a block and the number of an instruction, which is done in place. Carry: code does not go on.
    pub(crate) call: usize,
    /// Called with an address in a temporary and with what is wanted at hand; in the temporary comes back what to add to
    /// the address to get the host's, all other registers stay. Carry: it cannot be. By the temporary, whether it is for
    /// a store, and the access's size (as a power of two).
    pub(crate) probe: [[[usize; 4]; 2]; 3],
}

/// Functions of the host that doors lead to: their addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    /// `extern "C" fn(hart, address, what) -> u32`, which says whether the page is at hand.
    pub(crate) bring: u64,
    /// `extern "C" fn(running, block, number) -> u32`, which says whether code goes on.
    pub(crate) call: u64,
}

impl Emitter {
    /// Writes the doors at the region's beginning.
    pub(crate) fn write_doors(&mut self, behind: Behind) {
        self.asm.begin(0);
        self.doors = [false, true].map(|float| {
            let enter = self.enter(float);
            let exit = self.exit(float);
            let call = self.call_door(float, behind.call);
            let bring = self.bring_door(float, behind.bring);
            let probe = [RAX, RCX, RDX].map(|temp| {
                [false, true].map(|store| [1, 2, 4, 8].map(|size| self.look_at_tlb(temp, store, size, bring)))
            });
            Doors { enter, exit, call, probe }
        });
    }

    /// The guest's floating-point registers and its MXCSR to the host.
    fn take_float(&mut self, float: bool) {
        if float {
            self.asm.load_mxcsr(Rm::Here(self.data.mxcsr));
            float_homes().for_each(|(x, m)| self.asm.load_double(x, m));
        }
    }

    /// The reverse, and the MXCSR of Rust code.
    fn give_float(&mut self, float: bool) {
        if float {
            float_homes().for_each(|(x, m)| self.asm.store_double(m, x));
            self.asm.store_mxcsr(Rm::Here(self.data.mxcsr));
            self.asm.load_mxcsr(Rm::Here(self.data.host_mxcsr));
        }
    }

    fn enter(&mut self, float: bool) -> usize {
        let at = self.asm.at();
        SAVED.into_iter().for_each(|r| self.asm.push(r));
        // With the return address, that keeps the stack aligned for calls.
        self.asm.alu_imm(true, Alu::Sub, Rm::Reg(RSP), 8);
        self.asm.mov(RBP, Rm::Reg(RSI));
        self.asm.mov(R14, Rm::Reg(RDX));
        self.asm.mov(RAX, Rm::Reg(RDI));
        self.take_float(float);
        homes().for_each(|(r, m)| self.asm.mov(r, m));
        self.asm.jmp_rm(Rm::Reg(RAX));
        at
    }

    fn exit(&mut self, float: bool) -> usize {
        let at = self.asm.at();
        self.give_float(float);
        homes().for_each(|(r, m)| self.asm.store(m, r));
        self.asm.mov(RAX, Rm::Reg(RCX));
        self.asm.mov(RDX, Rm::Reg(R14));
        self.asm.alu_imm(true, Alu::Add, Rm::Reg(RSP), 8);
        SAVED.into_iter().rev().for_each(|r| self.asm.pop(r));
        self.asm.ret();
        at
    }

    fn call_door(&mut self, float: bool, call: u64) -> usize {
        let at = self.asm.at();
        self.give_float(float);
        homes().for_each(|(r, m)| self.asm.store(m, r));
        self.asm.alu_imm(true, Alu::Sub, Rm::Reg(RSP), 8);
        self.asm.mov(RDI, Rm::Here(self.data.running));
        self.asm.op(false, 0x8b, RSI, Rm::Here(self.data.block));
        self.asm.op(false, 0x8b, RDX, Rm::Here(self.data.what));
        self.asm.imm(RAX, call);
        self.asm.call_reg(RAX);
        self.asm.alu_imm(true, Alu::Add, Rm::Reg(RSP), 8);
        self.asm.alu_imm(false, Alu::Cmp, Rm::Reg(RAX), 1);
        self.take_float(float);
        homes().for_each(|(r, m)| self.asm.mov(r, m));
        self.asm.ret();
        at
    }

    fn bring_door(&mut self, float: bool, bring: u64) -> usize {
        let at = self.asm.at();
        let kept: Vec<u8> = [RAX, RCX, RDX].into_iter().chain(lost_homes()).collect();
        kept.iter().for_each(|r| self.asm.push(*r));
        let pad = 8 * (kept.len() as i32 & 1 ^ 1);
        if pad != 0 {
            self.asm.alu_imm(true, Alu::Sub, Rm::Reg(RSP), pad);
        }
        self.give_float(float);
        let Rm::Mem(_, hart) = hart_at(0) else { unreachable!("the hart is in memory") };
        self.asm.lea(true, RDI, Rm::Mem(RBP, hart));
        self.asm.mov(RSI, Rm::Here(self.data.addr));
        self.asm.op(false, 0x8b, RDX, Rm::Here(self.data.what));
        self.asm.imm(RAX, bring);
        self.asm.call_reg(RAX);
        self.take_float(float);
        if pad != 0 {
            self.asm.alu_imm(true, Alu::Add, Rm::Reg(RSP), pad);
        }
        self.asm.alu_imm(false, Alu::Cmp, Rm::Reg(RAX), 1);
        kept.iter().rev().for_each(|r| self.asm.pop(*r));
        self.asm.ret();
        at
    }

    /// What looks for a page in the TLB's slots and has it at hand, or goes to the door to `bring`.
    fn look_at_tlb(&mut self, temp: u8, store: bool, size: u64, bring_door: usize) -> usize {
        let near = layout::NEAR[usize::from(store)];
        let [slot, place] = match temp {
            RAX => [RCX, RDX],
            RCX => [RAX, RDX],
            _ => [RAX, RCX],
        };
        let near_at = |offset| {
            let Rm::Mem(_, at) = hart_at(near + offset) else { unreachable!("the hart is in memory") };
            Rm::Sum(RBP, place, at)
        };
        let data = &self.data;
        let a = &mut self.asm;
        let load_place = |a: &mut Asm| {
            a.op(false, 0x8b, place, Rm::Here(data.what));
            a.alu_imm(false, Alu::And, Rm::Reg(place), PLACE_MASK);
        };
        let at = a.at();
        a.push(slot);
        a.push(place);
        if !store {
            a.mov(slot, Rm::Mem(RSP, 16));
            a.op_imm8(false, 0x83, Alu::Sub as u8, Rm::Here(data.misses), 1);
            a.store(Rm::Here(data.missed), slot);
        }
        a.mov(slot, Rm::Reg(temp));
        a.mov(place, Rm::Reg(temp));
        // To 16 times the page's number.
        a.op_imm8(true, 0xc1, 5, Rm::Reg(slot), PAGE_SHIFT as u8 - 4);
        a.alu_imm(false, Alu::And, Rm::Reg(slot), (Hart::<u64>::SLOT_MASK << 4) as i32);
        a.alu(true, Alu::Add, slot, hart_at(near + layout::SLOTS));
        a.alu_imm(true, Alu::And, Rm::Reg(place), tag_mask(size));
        a.alu(true, Alu::Or, place, hart_at(near + layout::NUMBER));
        a.alu(true, Alu::Cmp, place, Rm::Mem(slot, 0));
        let miss = a.jcc(Cc::Ne);
        a.mov(slot, Rm::Mem(slot, 8));
        load_place(a);
        a.alu_imm(true, Alu::And, Rm::Reg(temp), -(PAGE as i32));
        a.store(near_at(layout::TAGS), temp);
        if store {
            a.alu(true, Alu::Add, temp, Rm::Reg(slot));
            // To four times the number of the page of RAM.
            a.op_imm8(true, 0xc1, 5, Rm::Reg(temp), PAGE_SHIFT as u8 - 2);
            a.alu(true, Alu::Add, temp, Rm::Here(data.versions));
            a.store(near_at(layout::VERSIONS), temp);
        }
        a.alu(true, Alu::Add, slot, Rm::Here(data.ram));
        a.store(near_at(layout::ADDENDS), slot);
        a.mov(temp, Rm::Reg(slot));
        a.pop(place);
        a.pop(slot);
        // clc
        a.byte(0xf8);
        a.ret();

        a.patch(miss, a.at());
        a.store(Rm::Here(data.addr), temp);
        // The door has the stack aligned as after a call from code.
        a.alu_imm(true, Alu::Sub, Rm::Reg(RSP), 8);
        a.call(bring_door);
        // Flags are kept.
        a.lea(true, RSP, Rm::Mem(RSP, 8));
        let refused = a.jcc(Cc::B);
        load_place(a);
        a.mov(temp, near_at(layout::ADDENDS));
        a.byte(0xf8);
        a.patch(refused, a.at());
        a.pop(place);
        a.pop(slot);
        a.ret();
        at
    }
}
