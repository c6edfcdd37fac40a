//! How code goes on to other code, and how it is left: what is written after a block, out of the way.

use crate::{
    data::JUMPS,
    emit::Emitter,
    memory::Direct,
    registers::{NONE, hart_at},
    x64::{Alu, Cc, R14, RAX, RCX, RDX, Rm},
};
use hartwright_hart::layout;
use hartwright_ir::{Arg, Fmt};
use hartwright_mem::PAGE;

/// The most bytes of code that [`Emitter::by_table`] writes.
pub(crate) const STUB: usize = 64;

/// A place where code can be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// Where the guest goes on.
    pub(crate) pc: u64,
    /// The jump that [`Why::Chain`] speaks of.
    pub(crate) jump: u32,
    pub(crate) why: Why,
    /// Instructions that were counted and not done: those of a block at most.
    pub(crate) credit: u8,
}

/// There are hundreds of thousands of them.
const _: () = assert!(size_of::<Site>() == 16);

/// Why code is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// To a known address; the jump whose distance lies at the site's offset can be made to go there.
    Chain,
    /// The same in another page, while addresses are not translated: as long as no page with code changes.
    Across,
    /// To a known address in another page.
    Far,
    /// To the address that the hart's program counter has.
    Indirect,
    /// The interpreter is to do the instruction.
    Step,
    /// An instruction that was called is not followed by the next.
    Called,
    /// The time for a look up has come.
    Budget,
    /// A page with code was written to; the address of its version is at hand.
    Wrote,
    /// A loop's addresses are not in the window: its block is wanted as a plain one.
    Outside,
}

/// What is written after the block, out of the way.
pub(crate) enum Cold {
    Leave {
        from: usize,
        leave: Leave,
    },
    /// A branch that is taken.
    Branch {
        from: usize,
        to: u64,
        dirty: Dirty,
        leave: Leave,
    },
    Far {
        from: usize,
        to: u64,
        leave: Leave,
    },
    /// A page with code was written to: a register has the address of its version, or its number in the window.
    Wrote {
        from: usize,
        version: u8,
        is_page: bool,
        leave: Leave,
    },
    Probe {
        from: usize,
        back: usize,
        base: u8,
        offset: i32,
        temp: u8,
        what: u32,
        leave: Leave,
    },
    Direct(Direct),
    Nan {
        from: usize,
        back: usize,
        xmm: u8,
        fmt: Fmt,
    },
    Equal {
        from: usize,
        back: usize,
        xmm: u8,
        a: u8,
        b: Rm,
        smaller: bool,
    },
    Divide {
        from: usize,
        back: usize,
        w: bool,
        remainder: bool,
    },
}

/// The guest registers that only temporaries hold as they are, by temporary.
pub(crate) type Dirty = [u8; 3];

/// How code is left, once the size of its stretch is known.
#[derive(Clone, Copy)]
pub(crate) struct Leave {
    pub(crate) dirty: Dirty,
    /// What is yet to be written, of the emitter's list.
    pub(crate) waiting: u64,
    pub(crate) pc: u64,
    pub(crate) stretch: usize,
    pub(crate) done: u32,
    pub(crate) why: Why,
    pub(crate) jump: u32,
    /// Registers are where they are inside of a loop.
    pub(crate) inside: bool,
}

impl Emitter {
    /// Leaving at this point: `undone` of the instructions that began were not done.
    pub(crate) fn leaving(&self, pc: u64, why: Why, undone: u32) -> Leave {
        let stretch = self.stretches.len() - 1;
        let done = self.stretches[stretch].1 - undone;
        let (dirty, waiting) = (self.dirty(), self.waiting);
        Leave { pc, stretch, done, why, jump: 0, dirty, waiting, inside: self.inside }
    }

    /// Leaving before anything is done.
    pub(crate) fn leaving_at_start(&self, why: Why) -> Leave {
        let (pc, dirty) = (self.start, [NONE; 3]);
        Leave { pc, stretch: 0, done: 0, why, jump: 0, dirty, waiting: 0, inside: self.inside }
    }

    /// The present instruction, which began, is the interpreter's if the jump at `from` is taken.
    pub(crate) fn step_from(&mut self, from: usize) {
        let leave = self.leaving(self.pc, Why::Step, 1);
        self.cold.push(Cold::Leave { from, leave });
    }

    /// The present instruction is the interpreter's. `begun` is 1 if it was counted.
    pub(crate) fn step(&mut self, begun: u32) {
        self.flush();
        let from = self.asm.jmp();
        let leave = self.leaving(self.pc, Why::Step, begun);
        self.cold.push(Cold::Leave { from, leave });
    }

    /// A branch to `to` comes: what goes back is taken most often, and has nothing left to do then.
    pub(crate) fn before_branch(&mut self, to: u64) {
        if to <= self.pc {
            self.flush();
        }
    }

    /// Goes to the code for `to` under a condition.
    pub(crate) fn branch(&mut self, cc: Cc, to: u64) {
        let from = self.asm.jcc(cc);
        let dirty = self.dirty();
        if dirty == [NONE; 3] && (!self.inside || to == self.start) {
            self.link(from, to);
        } else {
            self.cold.push(Cold::Branch { from, to, dirty, leave: self.leaving(to, Why::Chain, 0) });
        }
    }

    /// Makes the jump at `from` go to the code for `to`, now or when there is some.
    pub(crate) fn link(&mut self, from: usize, to: u64) {
        if to == self.start {
            self.asm.patch(from, if self.inside { self.inner } else { self.entry });
        } else if let Some(why) = self.direct_way(to) {
            let leave = Leave { jump: from as u32, ..self.leaving(to, why, 0) };
            self.cold.push(Cold::Leave { from, leave });
        } else {
            let leave = self.leaving(to, Why::Far, 0);
            self.cold.push(Cold::Far { from, to, leave });
        }
    }

    /// Why code is left for `to`, if a jump may lead there itself.
    fn direct_way(&self, to: u64) -> Option<Why> {
        if to / PAGE == self.start / PAGE { Some(Why::Chain) } else { self.direct.then_some(Why::Across) }
    }

    pub(crate) fn goto(&mut self, to: u64) {
        self.flush();
        if self.direct_way(to).is_some() {
            let from = self.asm.jmp();
            self.link(from, to);
        } else {
            let leave = self.leaving(to, Why::Far, 0);
            self.far(to, leave);
        }
    }

    /// Goes to another page, where the table says, or leaves. The page may be another one by then, and so may be
    /// what is in it: whoever changes that empties the table.
    pub(crate) fn far(&mut self, to: u64, leave: Leave) {
        let slot = self.data.jump(self.mode, to);
        self.asm.imm(RAX, to);
        self.asm.alu(true, Alu::Cmp, RAX, Rm::Here(slot));
        let miss = self.asm.jcc(Cc::Ne);
        self.asm.jmp_rm(Rm::Here(slot + 8));
        self.cold.push(Cold::Leave { from: miss, leave });
    }

    /// Goes where the value says, by the table.
    pub(crate) fn jump(&mut self, to: Arg) {
        self.flush();
        self.move_to(RAX, to);
        self.asm.mov(RCX, Rm::Reg(RAX));
        self.asm.alu_imm(false, Alu::And, Rm::Reg(RCX), 2 * (JUMPS as i32 - 1));
        self.asm.lea(true, RDX, Rm::Here(self.data.jump(self.mode, 0)));
        self.asm.alu(true, Alu::Cmp, RAX, Rm::Scaled(RDX, RCX, 3, 0));
        let miss = self.asm.jcc(Cc::Ne);
        self.asm.jmp_rm(Rm::Scaled(RDX, RCX, 3, 8));
        // An odd address is in no table, and is made even by who is asked then.
        let leave = self.leaving(0, Why::Indirect, 0);
        self.cold.push(Cold::Leave { from: miss, leave });
    }

    /// Writes, from offset `to` on, a way to `pc` by the table of `mode`: what is not there goes on at `own`. The code is
    /// in `asm`.
    pub(crate) fn by_table(&mut self, to: usize, mode: u8, pc: u64, own: usize) {
        let slot = self.data.jump(mode, pc);
        self.asm.begin(to);
        self.asm.imm(RAX, pc);
        self.asm.alu(true, Alu::Cmp, RAX, Rm::Here(slot));
        self.asm.jcc_to(Cc::Ne, own);
        self.asm.jmp_rm(Rm::Here(slot + 8));
    }

    pub(crate) fn write_cold(&mut self) {
        let mut i = 0;
        while i < self.cold.len() {
            let cold =
                std::mem::replace(&mut self.cold[i], Cold::Nan { from: 0, back: 0, xmm: 0, fmt: Fmt::D });
            let here = self.asm.at();
            match cold {
                Cold::Leave { from, leave } => {
                    self.asm.patch(from, here);
                    if leave.why == Why::Indirect {
                        self.asm.store(hart_at(layout::PC), RAX);
                    }
                    self.leave(leave);
                }
                Cold::Branch { from, to, dirty, leave } => {
                    self.asm.patch(from, here);
                    self.write_dirty(dirty);
                    self.out_of(leave);
                    let credit = self.credit(&leave);
                    if credit > 0 {
                        // A loop is paid for as a whole.
                        self.asm.op_imm8(true, 0x83, Alu::Add as u8, Rm::Reg(R14), credit as u8);
                    }
                    let done = leave.done + credit;
                    let leave = Leave { dirty: [NONE; 3], inside: false, done, ..leave };
                    if let Some(why) = self.direct_way(to) {
                        let why = if leave.why == Why::Outside { leave.why } else { why };
                        let jump = self.asm.jmp();
                        self.asm.patch(jump, self.asm.at());
                        self.leave(Leave { jump: jump as u32, why, ..leave });
                    } else {
                        self.far(to, Leave { why: Why::Far, ..leave });
                    }
                }
                Cold::Direct(direct) => self.finish_direct(direct),
                Cold::Far { from, to, leave } => {
                    self.asm.patch(from, here);
                    debug_assert!(!leave.inside, "a loop's other ways out are branches");
                    self.far(to, leave);
                }
                Cold::Wrote { from, version, is_page, leave } => {
                    self.asm.patch(from, here);
                    if is_page {
                        self.asm.op_imm8(true, 0xc1, 4, Rm::Reg(version), 2);
                        self.asm.alu(true, Alu::Add, version, Rm::Here(self.data.window_versions));
                    }
                    self.asm.store(Rm::Here(self.data.addr), version);
                    self.leave(leave);
                }
                Cold::Probe { from, back, base, offset, temp, what, leave } => {
                    self.asm.patch(from, here);
                    self.probe(base, offset, temp, what);
                    self.asm.jcc_to(Cc::Ae, back);
                    self.leave(leave);
                }
                cold => self.finish_cold(cold),
            }
            i += 1;
        }
        self.cold.clear();
        for (at, count) in &self.stretches {
            self.asm.patch_byte(*at, *count as u8);
        }
    }

    /// Instructions that were counted and not done.
    fn credit(&self, leave: &Leave) -> u32 {
        match leave.why {
            // Not even counted.
            Why::Outside => 0,
            _ => self.stretches[leave.stretch].1 - leave.done,
        }
    }

    /// Registers are where they are everywhere.
    fn out_of(&mut self, leave: Leave) {
        if leave.inside {
            self.home = self.inner_home;
            self.give_homes_back();
        }
    }

    pub(crate) fn leave(&mut self, leave: Leave) {
        if leave.inside {
            self.home = self.inner_home;
        }
        self.write_dirty(leave.dirty);
        self.write_waiting(leave.waiting);
        self.out_of(leave);
        let credit = self.credit(&leave);
        let site = Site { pc: leave.pc, jump: leave.jump, why: leave.why, credit: credit as u8 };
        if self.sites.last() != Some(&site) {
            self.sites.push(site);
        }
        self.asm.imm(RCX, u64::from(self.first_site) + self.sites.len() as u64 - 1);
        self.asm.jmp_to(self.doors().exit);
    }
}
