//! The ways between Rust and translated code: in, out, and to the TLB and back.

use crate::{
    emit::{Emitter, FLOAT_HOME, HOME, NONE, f_at, hart_at, x_at},
    memory::PLACE_MASK,
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

impl Emitter {
    /// Writes the doors at the region's beginning; returns where code is entered.
    ///
    /// Entered: `extern "C" fn(code, x16, instructions) -> (site, instructions left)`. `bring`: the address of
    /// `extern "C" fn(hart, address, what) -> u32`, which says whether the page is at hand.
    ///
    /// `call`: that of `extern "C" fn(running, block, number) -> u32`, which says whether code goes on.
    pub(crate) fn doors(&mut self, bring: u64, call: u64) -> usize {
        let (mxcsr, host_mxcsr) = (Rm::Here(self.data.mxcsr), Rm::Here(self.data.host_mxcsr));
        let (addr, what) = (Rm::Here(self.data.addr), Rm::Here(self.data.what));
        let a = &mut self.asm;
        a.begin(0);
        let enter = a.at();
        SAVED.into_iter().for_each(|r| a.push(r));
        // With the return address, that keeps the stack aligned for calls.
        a.alu_imm(true, Alu::Sub, Rm::Reg(RSP), 8);
        a.mov(RBP, Rm::Reg(RSI));
        a.mov(R14, Rm::Reg(RDX));
        a.mov(RAX, Rm::Reg(RDI));
        a.load_mxcsr(mxcsr);
        float_homes().for_each(|(x, m)| a.load_double(x, m));
        homes().for_each(|(r, m)| a.mov(r, m));
        a.jmp_rm(Rm::Reg(RAX));

        self.exit = a.at();
        float_homes().for_each(|(x, m)| a.store_double(m, x));
        homes().for_each(|(r, m)| a.store(m, r));
        a.store_mxcsr(mxcsr);
        a.load_mxcsr(host_mxcsr);
        a.mov(RAX, Rm::Reg(RCX));
        a.mov(RDX, Rm::Reg(R14));
        a.alu_imm(true, Alu::Add, Rm::Reg(RSP), 8);
        SAVED.into_iter().rev().for_each(|r| a.pop(r));
        a.ret();

        // Called with a block and the number of an instruction, which is done in place. Carry: code does not go on.
        self.call = a.at();
        float_homes().for_each(|(x, m)| a.store_double(m, x));
        homes().for_each(|(r, m)| a.store(m, r));
        a.store_mxcsr(mxcsr);
        a.load_mxcsr(host_mxcsr);
        a.alu_imm(true, Alu::Sub, Rm::Reg(RSP), 8);
        a.mov(RDI, Rm::Here(self.data.running));
        a.op(false, 0x8b, RSI, Rm::Here(self.data.block));
        a.op(false, 0x8b, RDX, what);
        a.imm(RAX, call);
        a.call_reg(RAX);
        a.alu_imm(true, Alu::Add, Rm::Reg(RSP), 8);
        a.alu_imm(false, Alu::Cmp, Rm::Reg(RAX), 1);
        a.load_mxcsr(mxcsr);
        float_homes().for_each(|(x, m)| a.load_double(x, m));
        homes().for_each(|(r, m)| a.mov(r, m));
        a.ret();

        // Called with an address and what is wanted at hand; all registers stay. Carry: it cannot be.
        let bring_door = a.at();
        let kept: Vec<u8> = [RAX, RCX, RDX].into_iter().chain(lost_homes()).collect();
        kept.iter().for_each(|r| a.push(*r));
        let pad = 8 * (kept.len() as i32 & 1 ^ 1);
        if pad != 0 {
            a.alu_imm(true, Alu::Sub, Rm::Reg(RSP), pad);
        }
        float_homes().for_each(|(x, m)| a.store_double(m, x));
        a.store_mxcsr(mxcsr);
        a.load_mxcsr(host_mxcsr);
        let Rm::Mem(_, hart) = hart_at(0) else { unreachable!("the hart is in memory") };
        a.lea(true, RDI, Rm::Mem(RBP, hart));
        a.mov(RSI, addr);
        a.op(false, 0x8b, RDX, what);
        a.imm(RAX, bring);
        a.call_reg(RAX);
        a.load_mxcsr(mxcsr);
        float_homes().for_each(|(x, m)| a.load_double(x, m));
        if pad != 0 {
            a.alu_imm(true, Alu::Add, Rm::Reg(RSP), pad);
        }
        a.alu_imm(false, Alu::Cmp, Rm::Reg(RAX), 1);
        kept.iter().rev().for_each(|r| a.pop(*r));
        a.ret();
        self.probe = [false, true].map(|store| self.look_at_tlb(store, bring_door));
        enter
    }

    /// What looks for a page in the TLB's slots and has it at hand, or goes to the door to `bring`.
    fn look_at_tlb(&mut self, store: bool, bring_door: usize) -> usize {
        let near = layout::NEAR[usize::from(store)];
        let near_at = |offset| {
            let Rm::Mem(_, at) = hart_at(near + offset) else { unreachable!("the hart is in memory") };
            Rm::Sum(RBP, RDX, at)
        };
        let data = &self.data;
        let a = &mut self.asm;
        let at = a.at();
        [RAX, RCX, RDX].into_iter().for_each(|r| a.push(r));
        a.mov(RAX, Rm::Here(data.addr));
        a.mov(RCX, Rm::Reg(RAX));
        // To 16 times the page's number.
        a.op_imm8(true, 0xc1, 5, Rm::Reg(RCX), PAGE_SHIFT as u8 - 4);
        a.alu_imm(false, Alu::And, Rm::Reg(RCX), (Hart::<u64>::SLOT_MASK << 4) as i32);
        a.alu(true, Alu::Add, RCX, hart_at(near + layout::SLOTS));
        a.mov(RDX, Rm::Here(data.tag));
        a.alu(true, Alu::Cmp, RDX, Rm::Mem(RCX, 0));
        let miss = a.jcc(Cc::Ne);
        a.mov(RCX, Rm::Mem(RCX, 8));
        a.alu_imm(true, Alu::And, Rm::Reg(RAX), -(PAGE as i32));
        a.op(false, 0x8b, RDX, Rm::Here(data.what));
        a.alu_imm(false, Alu::And, Rm::Reg(RDX), PLACE_MASK);
        a.store(near_at(layout::TAGS), RAX);
        a.alu(true, Alu::Add, RAX, Rm::Reg(RCX));
        a.alu(true, Alu::Add, RCX, Rm::Here(data.ram));
        a.store(near_at(layout::ADDENDS), RCX);
        if store {
            // To four times the number of the page of RAM.
            a.op_imm8(true, 0xc1, 5, Rm::Reg(RAX), PAGE_SHIFT as u8 - 2);
            a.alu(true, Alu::Add, RAX, Rm::Here(data.versions));
            a.store(near_at(layout::VERSIONS), RAX);
        }
        [RDX, RCX, RAX].into_iter().for_each(|r| a.pop(r));
        // clc
        a.byte(0xf8);
        a.ret();
        a.patch(miss, a.at());
        [RDX, RCX, RAX].into_iter().for_each(|r| a.pop(r));
        a.jmp_to(bring_door);
        at
    }
}
