//! Loads that often miss what is at hand, such as of tables across pages: they come to look in the TLB at once.
//!
//! Not each miss is noticed, but one in [`EVERY`], and a load that was noticed [`OFTEN`] is changed.

use crate::{
    emit::Emitter,
    region::Region,
    registers::hart_at,
    x64::{Alu, Cc, RAX, RCX, RDX, Rm, distance},
};
use hartwright_hart::{Hart, layout};
use hartwright_mem::PAGE_SHIFT;
use iced_x86::{Decoder, DecoderOptions, Mnemonic, Register};
use std::{collections::HashMap, ops::Range};

/// So many misses are between two that are noticed.
pub(crate) const EVERY: u32 = 256;
/// They concern nobody if there were more than so many instructions meanwhile.
const RARE: u64 = 128 * EVERY as u64;
/// So often a load is noticed before it is changed.
const OFTEN: u8 = 4;
/// The most bytes of code that [`Emitter::look_at_once`] writes.
pub(crate) const STUB: usize = 128;
/// So many loads are remembered.
const MOST: usize = 1024;

/// How often loads were noticed, by where they come back to from the door.
#[derive(Default)]
pub(crate) struct Misses {
    often: HashMap<u32, u8>,
    /// The hart's count of instructions when one was noticed last.
    last: u64,
}

/// A load that looks at what is at hand, as [`Emitter::find`] writes it.
struct Load {
    /// The conditional jump, which ends where `back` is not yet.
    jump: usize,
    /// Where it goes to if the page is not at hand, and comes back to with what to add.
    cold: usize,
    back: usize,
    base: u8,
    temp: u8,
}

impl Misses {
    pub(crate) fn clear(&mut self) {
        self.often.clear();
    }

    /// Forgets loads of code at these offsets.
    pub(crate) fn forget(&mut self, code: Range<u32>) {
        self.often.retain(|at, _| !code.contains(at));
    }

    /// Notices the load whose way from the door is at offset `at` when the hart had done so many instructions; says
    /// whether it is to be changed.
    pub(crate) fn notice(&mut self, at: u32, instructions: u64) -> bool {
        if instructions.wrapping_sub(std::mem::replace(&mut self.last, instructions)) > RARE {
            return false;
        }
        if self.often.len() >= MOST {
            self.often.clear();
        }
        let often = self.often.entry(at).or_default();
        *often = often.saturating_add(1);
        *often == OFTEN
    }
}

impl Load {
    /// The load that comes back from the door to `at`, if it is one that can be changed.
    fn at(region: &Region, at: usize) -> Option<Load> {
        // A jump of six bytes back: `jae`.
        const JAE: [u8; 2] = [0x0f, 0x83];
        const JNE: [u8; 2] = [0x0f, 0x85];
        /// Bytes of `mov temp, [rbp + addend]`.
        const ADDEND: usize = 7;
        let to = |jump: usize, op: [u8; 2]| {
            let bytes = region.read(jump, 6);
            let far = i32::from_le_bytes(bytes[2..].try_into().ok()?);
            (bytes[..2] == op).then(|| (jump as i64 + 6 + i64::from(far)) as usize)
        };
        let back = to(at, JAE)?;
        let jump = back.checked_sub(ADDEND + 6)?;
        let cold = to(jump, JNE)?;
        let code = region.read(cold, 16);
        let lea = Decoder::new(64, &code, DecoderOptions::NONE).decode();
        let (base, temp) = (lea.memory_base(), lea.op0_register());
        let plain = lea.mnemonic() == Mnemonic::Lea && lea.memory_index() == Register::None;
        let number = |register: Register| (register as usize).wrapping_sub(Register::RAX as usize) as u8;
        plain.then(|| Load { jump, cold, back, base: number(base), temp: number(temp) })
    }
}

impl Emitter {
    /// Writes, from offset `to` on, what the load that comes back from the door to `at` does from now on: a look in
    /// the TLB. The code is in `asm`; says where the load's jump is, which is to go there.
    pub(crate) fn look_at_once(&mut self, region: &Region, at: usize, to: usize) -> Option<usize> {
        let Load { jump, cold, back, base, temp } = Load::at(region, at)?;
        let scratch = [RAX, RCX, RDX].into_iter().find(|r| *r != base && *r != temp)?;
        let near = layout::NEAR[0];
        let kept = Rm::Here(self.data.kept);
        self.asm.begin(to);
        let a = &mut self.asm;
        a.store(kept, scratch);
        // The page's address, in which a misaligned one keeps its low bits, to 16 times the page's number.
        a.mov(scratch, Rm::Reg(temp));
        a.op_imm8(true, 0xc1, 5, Rm::Reg(scratch), PAGE_SHIFT as u8 - 4);
        a.alu_imm(false, Alu::And, Rm::Reg(scratch), (Hart::<u64>::SLOT_MASK << 4) as i32);
        a.alu(true, Alu::Add, scratch, hart_at(near + layout::SLOTS));
        a.alu(true, Alu::Or, temp, hart_at(near + layout::NUMBER));
        a.alu(true, Alu::Cmp, temp, Rm::Mem(scratch, 0));
        // Flags are kept.
        a.mov(temp, Rm::Mem(scratch, 8));
        a.mov(scratch, kept);
        a.jcc_to(Cc::Ne, cold);
        a.alu(true, Alu::Add, temp, Rm::Here(self.data.ram));
        a.jmp_to(back);
        Some(jump)
    }
}

/// Of a conditional jump at `jump`, the bytes of one without a condition to `to`.
pub(crate) fn always(jump: usize, to: usize) -> [u8; 6] {
    let mut bytes = [0xe9, 0, 0, 0, 0, 0x90];
    bytes[1..5].copy_from_slice(&distance(jump + 1, to).to_le_bytes());
    bytes
}
