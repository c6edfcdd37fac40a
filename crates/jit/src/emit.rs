//! A block of meanings as x86-64 code, in one pass; the most used guest registers live in the same host registers
//! everywhere, so that any code may jump to any other.
//!
//! | host | guest |
//! |---|---|
//! | `rbp` | the hart, at `x16` |
//! | `r14` | instructions left before the hart looks up |
//! | `rax`, `rcx`, `rdx` | a write-back cache of the registers without a home, and values within an instruction |
//! | `xmm0` to `xmm2` | values within an instruction |
//! | the rest but `rsp` | [`HOME`], [`FLOAT_HOME`] |

use crate::{
    doors::Doors,
    faults::Fault,
    memory::Direct,
    x64::{Alu, Asm, Cc, R14, RAX, RBP, RCX, RDX, Rm},
};
use hartwright_hart::{Hart, layout};
use hartwright_ir::{Arg, Bin, Block, Fmt, Op, Un};
use hartwright_mem::{PAGE, Window};

/// No register.
pub(crate) const NONE: u8 = 0xff;
/// Blocks begin at multiples of this, so that speed does not depend on their place.
const ALIGN: usize = 64;

/// Host registers of guest registers: sp, s0, s1, a0 to a6.
pub(crate) const HOME: [u8; 32] = {
    let pairs = [(16, 10), (2, 11), (8, 12), (9, 13), (10, 7), (11, 6), (12, 8), (13, 9), (14, 15), (15, 3)];
    let (mut home, mut i) = ([NONE; 32], 0);
    while i < pairs.len() {
        home[pairs[i].0] = pairs[i].1;
        i += 1;
    }
    home
};
/// Host registers of guest floating-point registers: fa0 to fa7, ft0 to ft3, fs0.
pub(crate) const FLOAT_HOME: [u8; 32] = {
    let (mut home, mut i) = ([NONE; 32], 0);
    while i < 8 {
        home[10 + i] = 3 + i as u8;
        i += 1;
    }
    i = 0;
    while i < 4 {
        home[i] = 11 + i as u8;
        i += 1;
    }
    home[8] = 15;
    home
};

/// Offsets of the region's data, and of what is in them.
pub(crate) struct Data {
    /// The guest's MXCSR while it runs, and after.
    pub(crate) mxcsr: usize,
    /// The host's.
    pub(crate) host_mxcsr: usize,
    /// An address, and which page is to be at hand for it.
    pub(crate) addr: usize,
    pub(crate) what: usize,
    /// The block whose instruction is called, and the host's address of who does it.
    pub(crate) block: usize,
    pub(crate) running: usize,
    /// Host addresses: of RAM, and of its pages' versions.
    pub(crate) ram: usize,
    pub(crate) versions: usize,
    /// Of the [`Window`]: its last address, the host's address of its address 0, and of what would be the version of
    /// the page there.
    pub(crate) window_last: usize,
    pub(crate) window: usize,
    pub(crate) window_versions: usize,
    /// Where a temporary is kept.
    pub(crate) kept: usize,
    /// How many loads may miss what is at hand before one is noticed, and where the last one comes back to.
    pub(crate) misses: usize,
    pub(crate) missed: usize,
    /// Where the next record of an access goes, and the first.
    pub(crate) journal: usize,
    pub(crate) records: usize,
    /// 16 bytes each: signs, boxes, canonical NaNs, by format.
    pub(crate) sign: usize,
    pub(crate) boxes: usize,
    pub(crate) nan: usize,
    /// The tables of jumps, by mode: address of the guest and address of the host.
    pub(crate) jumps: usize,
}

/// Entries of a table of jumps.
pub(crate) const JUMPS: usize = 4096;
/// How many modes there are: see [`Hart::rules`].
pub(crate) const MODES: usize = Hart::<u64>::MODES as usize;
/// An address that no instruction has.
pub(crate) const NOWHERE: u64 = 1;

impl Data {
    /// For data that begin at `base`, a multiple of a page.
    pub(crate) fn at(base: usize) -> Data {
        Data {
            mxcsr: base,
            host_mxcsr: base + 8,
            addr: base + 16,
            what: base + 24,
            journal: base + 32,
            ram: base + 48,
            versions: base + 56,
            window_last: base + 256,
            window: base + 264,
            window_versions: base + 272,
            kept: base + 280,
            misses: base + 288,
            missed: base + 296,
            block: base + 240,
            running: base + 248,
            records: base + PAGE as usize + MODES * JUMPS * 16,
            sign: base + 64,
            boxes: base + 128,
            nan: base + 192,
            jumps: base + PAGE as usize,
        }
    }

    /// Bytes.
    pub(crate) const SIZE: usize = 2 * PAGE as usize + MODES * JUMPS * 16;

    /// Where the table has `pc`.
    pub(crate) fn jump(&self, mode: u8, pc: u64) -> usize {
        self.jumps + 16 * (mode as usize * JUMPS + (pc >> 1) as usize % JUMPS)
    }
}

/// The place of a format among constants.
pub(crate) const fn of(fmt: Fmt) -> usize {
    16 * match fmt {
        Fmt::H => 0,
        Fmt::S => 1,
        Fmt::D => 2,
    }
}

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
    dirty: Dirty,
    pc: u64,
    stretch: usize,
    done: u32,
    why: Why,
    jump: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loc {
    Nowhere,
    Gpr(u8),
    Xmm(u8),
}

/// Writes blocks.
pub(crate) struct Emitter {
    pub(crate) asm: Asm,
    pub(crate) data: Data,
    pub(crate) sites: Vec<Site>,
    /// For code that runs while floating point is off, and while it is on.
    pub(crate) doors: [Doors; 2],
    /// The tables that this block's jumps use.
    pub(crate) mode: u8,
    /// What whoever translates calls this block.
    id: u32,
    /// The guest's addresses that code may use as they are.
    pub(crate) window: Option<Window>,
    /// From where the window has the guest's address 0 to where it has that page's version.
    pub(crate) versions_apart: i32,
    /// Whether operations on 32 bits have their results zero-extended, not sign-extended.
    pub(crate) unsigned: bool,
    /// Whether code keeps a record of each access.
    pub(crate) journals: bool,
    pub(crate) cold: Vec<Cold>,
    pub(crate) loc: Vec<Loc>,
    /// The last operation that uses each value.
    pub(crate) last: Vec<u32>,
    /// Temporaries in use by this operation, and the values kept in them.
    pub(crate) busy: u8,
    held: [u32; 3],
    /// The guest register a temporary holds, and whether its place in memory is out of date.
    cache: [(u8, bool); 3],
    turn: u8,
    /// Where stretches of instructions that are counted together have their count, and the count.
    stretches: Vec<(usize, u32)>,
    /// The present instruction, and the one after it.
    pub(crate) pc: u64,
    pub(crate) next: u64,
    /// Where accesses by each base register have their page at hand.
    pub(crate) places: [u8; 32],
    /// Whether the block's accesses are within the [`Window`](hartwright_mem::Window).
    pub(crate) direct: bool,
    /// By register, the number of the comparison by which it is known to hold an address in the window, or one so near
    /// that the window's margin reaches there.
    pub(crate) within: [Option<u8>; 32],
    /// Of each such comparison, whether a later access does without one for it.
    pub(crate) relied: Vec<bool>,
    /// Instructions that may fault.
    pub(crate) faults: Vec<Fault>,
    /// Floating-point registers that are known to hold a boxed single.
    pub(crate) boxed: u32,
    /// The hart has been told that a floating-point register is written.
    pub(crate) told_float: bool,
    start: u64,
    entry: usize,
}

pub(crate) const fn x_at(x: u8) -> Rm {
    Rm::Mem(RBP, 8 * x as i32 - 128)
}
/// What lies at an offset of the hart.
pub(crate) const fn hart_at(offset: usize) -> Rm {
    Rm::Mem(RBP, offset as i32 - layout::X as i32 - 128)
}
pub(crate) const fn f_at(f: u8) -> Rm {
    hart_at(layout::F + 8 * f as usize)
}

impl Emitter {
    pub(crate) fn new(data: Data) -> Emitter {
        Emitter {
            asm: Asm::default(),
            data,
            sites: vec![],
            doors: [Doors::default(); 2],
            mode: 0,
            id: 0,
            window: None,
            versions_apart: 0,
            unsigned: false,
            journals: false,
            cold: vec![],
            loc: vec![],
            last: vec![],
            busy: 0,
            held: [u32::MAX; 3],
            cache: [(NONE, false); 3],
            turn: 0,
            stretches: vec![],
            pc: 0,
            next: 0,
            places: std::array::from_fn(|x| x as u8),
            direct: false,
            within: [None; 32],
            relied: vec![],
            faults: vec![],
            boxed: 0,
            told_float: false,
            start: 0,
            entry: 0,
        }
    }

    /// Writes `block`, which is called `id`, begins at `start` and runs in `mode`, from offset `at` on; returns where it is entered.
    /// The code is in `asm`.
    pub(crate) fn block(&mut self, block: &Block, id: u32, start: u64, mode: u8, at: usize) -> usize {
        let entry = at.next_multiple_of(ALIGN);
        self.asm.begin(entry);
        (self.mode, self.start, self.entry, self.id) = (mode, start, entry, id);
        self.loc.clear();
        self.loc.resize(block.ops.len(), Loc::Nowhere);
        self.stretches.clear();
        (self.busy, self.boxed, self.told_float) = (0, 0, false);
        (self.held, self.cache) = ([u32::MAX; 3], [(NONE, false); 3]);
        (self.pc, self.next) = (start, start);
        self.places = std::array::from_fn(|x| x as u8);
        self.direct = u64::from(mode) & Hart::<u64>::DIRECT != 0 && self.window.is_some();
        self.within = [None; 32];
        self.relied.clear();
        self.ops(&block.ops);
        self.write_cold();
        entry
    }

    fn ops(&mut self, ops: &[Op]) {
        let mut fresh = true;
        let mut i = 0;
        while i < ops.len() {
            let next = ops.get(i + 1).copied();
            if let Some(next) = next
                && self.last[i] == i as u32 + 1
                && self.two_at_once(i, ops[i], next, home_of(ops, i + 1))
            {
                i += 2;
                continue;
            }
            let to_x = home_of(ops, i);
            let to_f = match next {
                Some(Op::SetF(f, Arg::V(v))) if v as usize == i => FLOAT_HOME[f as usize],
                _ => NONE,
            };
            match ops[i] {
                Op::Insn(pc, len) => {
                    (self.pc, self.next) = (pc, pc.wrapping_add(len.into()));
                    self.count(&mut fresh);
                }
                Op::Bin(f, a, b)
                    if let Some(Op::JumpIf(Arg::V(v), to)) = next
                        && v as usize == i
                        && condition(f).is_some() =>
                {
                    self.before_branch(to);
                    let cc = self.compare(true, f, a, b);
                    self.branch(cc, to);
                    fresh = true;
                    i += 1;
                }
                Op::JumpIf(v, to) => {
                    self.before_branch(to);
                    let r = self.reg(v);
                    self.asm.op(true, 0x85, r, Rm::Reg(r));
                    self.branch(Cc::Ne, to);
                    fresh = true;
                }
                Op::Goto(to) => self.goto(to),
                Op::Jump(to) => self.jump(to),
                // What is done again must be what code did, and no more.
                Op::Call(_) if self.journals => {
                    self.step(1);
                    return;
                }
                Op::Call(number) => self.call(number),
                Op::Step(pc) => {
                    (self.pc, self.next) = (pc, pc);
                    if fresh {
                        self.stretch();
                        fresh = false;
                    }
                    self.step(0);
                }
                op => {
                    if let Op::SetX(x, v) = op {
                        if !steps(ops, x, v) {
                            self.places[x as usize] = self.place_here();
                        }
                        self.within[x as usize] = stays_near(ops, v).and_then(|y| self.within[y as usize]);
                    }
                    if !self.value(i, op, to_x, to_f) {
                        return;
                    }
                }
            }
            self.release(i);
            i += 1;
        }
    }

    /// Writes operation `i` and the one that alone uses its value, where the host has both in one.
    fn two_at_once(&mut self, i: usize, op: Op, next: Op, home: u8) -> bool {
        let value = Arg::V(i as u32);
        let loc = match (op, next) {
            (Op::Bin(Bin::Shl, a, Arg::C(n @ 1..=3)), Op::Bin(Bin::Add, x, y))
                if x != y && !matches!((x, y), (Arg::C(_), _) | (_, Arg::C(_))) =>
            {
                let index = self.reg(a);
                let base = self.reg(if x == value { y } else { x });
                let d = self.dest(home);
                self.asm.lea(true, d, Rm::Scaled(base, index, n as u8, 0));
                Some(Loc::Gpr(d))
            }
            (Op::Bin32(f, a, b), Op::Un(Un::Zext(32), _)) if is_plain(f) => {
                self.unsigned = true;
                let loc = self.bin(i, false, f, a, b, home);
                self.unsigned = false;
                loc
            }
            _ => None,
        };
        if let Some(loc) = loc {
            self.loc[i + 1] = loc;
            self.release(i + 1);
        }
        loc.is_some()
    }

    /// Writes one operation; `false` if the interpreter does its instruction instead.
    fn value(&mut self, i: usize, op: Op, to_x: u8, to_f: u8) -> bool {
        let loc = match op {
            Op::Nop => return true,
            Op::SetX(x, v) => return self.set_x(x, v),
            Op::SetF(f, v) => return self.set_f(f, v),
            Op::Fence => {
                // mfence
                [0x0f, 0xae, 0xf0].into_iter().for_each(|b| self.asm.byte(b));
                return true;
            }
            Op::Store(m, base, offset, v) => return self.store(m.size(), base, offset, v),
            Op::StoreFloat(fmt, base, offset, v) => return self.store_float(fmt, base, offset, v),
            Op::Copy(a) => {
                let t = self.temp();
                self.move_to(t, a);
                Some(Loc::Gpr(t))
            }
            Op::Bin(f, a, b) => self.bin(i, true, f, a, b, to_x),
            Op::Bin32(f, a, b) => self.bin(i, false, f, a, b, to_x),
            Op::Un(f, a) => self.un(true, f, a, to_x),
            Op::Un32(f, a) => self.un(false, f, a, to_x),
            Op::Select(c, a, b) => self.select(c, a, b),
            Op::Load(m, base, offset) => self.load(m, base, offset, to_x),
            Op::Amo(f, m, base, v) => self.amo(f, m.size(), base, v, to_x),
            Op::LoadReserved(m, base) => self.load_reserved(m.size(), base),
            Op::StoreConditional(m, base, v) => self.store_conditional(m.size(), base, v),
            Op::LoadFloat(fmt, base, offset) => self.load_float(fmt, base, offset, to_f),
            Op::Fp(f, fmt, args) => self.fp(f, fmt, args, to_f),
            Op::FpTest(f, fmt, a, b) => self.fp_test(f, fmt, a, b, to_x),
            Op::FpToInt(int, fmt, zero, a) => self.fp_to_int(int, fmt, zero, a, to_x),
            Op::IntToFp(int, fmt, a) => self.int_to_fp(int, fmt, a, to_f),
            Op::FpToFp(from, to, a) => self.fp_to_fp(from, to, a, to_f),
            Op::FloatBits(fmt, a) => self.float_bits(fmt, a, to_x),
            Op::BitsFloat(fmt, a) => self.bits_float(fmt, a, to_f),
            Op::Insn(..) | Op::JumpIf(..) | Op::Goto(_) | Op::Jump(_) | Op::Call(_) | Op::Step(_) => {
                unreachable!("these have no value")
            }
        };
        match loc {
            Some(loc) => self.loc[i] = loc,
            None => {
                debug_assert!(!op.is_simple(), "{op} is to be translated");
                self.step(1);
            }
        }
        loc.is_some()
    }

    /// Keeps the temporaries whose values are used after operation `i`.
    fn release(&mut self, i: usize) {
        self.busy = 0;
        for t in 0..3 {
            if self.loc[i] == Loc::Gpr(t) {
                self.held[t as usize] = i as u32;
            }
            match self.held[t as usize] {
                v if v != u32::MAX && self.last[v as usize] > i as u32 => self.busy |= 1 << t,
                _ => self.held[t as usize] = u32::MAX,
            }
        }
    }

    /// An instruction begins.
    fn count(&mut self, fresh: &mut bool) {
        if std::mem::take(fresh) {
            self.stretch();
        }
        if let Some((_, count)) = self.stretches.last_mut() {
            *count += 1;
        }
    }

    /// Opens a stretch that is run whole, unless somebody leaves, and pays for it. Who comes in looks whether there is
    /// time for it.
    fn stretch(&mut self) {
        let first = self.stretches.is_empty();
        self.asm.op_imm8(true, 0x83, Alu::Sub as u8, Rm::Reg(R14), 0);
        self.stretches.push((self.asm.at() - 1, 0));
        if first {
            let from = self.asm.jcc(Cc::S);
            let leave =
                Leave { pc: self.start, stretch: 0, done: 0, why: Why::Budget, jump: 0, dirty: self.dirty() };
            self.cold.push(Cold::Leave { from, leave });
        }
    }

    /// Leaving at this point: `undone` of the instructions that began were not done.
    pub(crate) fn leaving(&self, pc: u64, why: Why, undone: u32) -> Leave {
        let stretch = self.stretches.len() - 1;
        let done = self.stretches[stretch].1 - undone;
        Leave { pc, stretch, done, why, jump: 0, dirty: self.dirty() }
    }

    /// The present instruction, which began, is the interpreter's if the jump at `from` is taken.
    pub(crate) fn step_from(&mut self, from: usize) {
        let leave = self.leaving(self.pc, Why::Step, 1);
        self.cold.push(Cold::Leave { from, leave });
    }

    /// The present instruction is the interpreter's. `begun` is 1 if it was counted.
    fn step(&mut self, begun: u32) {
        self.flush();
        let from = self.asm.jmp();
        let leave = self.leaving(self.pc, Why::Step, begun);
        self.cold.push(Cold::Leave { from, leave });
    }

    /// The doors of this block.
    pub(crate) fn doors(&self) -> Doors {
        self.doors[usize::from(has_float(self.mode))]
    }

    /// Has the interpreter do the present instruction in place.
    fn call(&mut self, number: u32) {
        self.flush();
        self.cache = [(NONE, false); 3];
        (self.boxed, self.told_float, self.within) = (0, false, [None; 32]);
        self.asm.op_imm32(false, 0xc7, 0, Rm::Here(self.data.block), self.id as i32);
        self.asm.op_imm32(false, 0xc7, 0, Rm::Here(self.data.what), number as i32);
        self.asm.call(self.doors().call);
        let from = self.asm.jcc(Cc::B);
        let leave = self.leaving(self.pc, Why::Called, 1);
        self.cold.push(Cold::Leave { from, leave });
    }

    /// A branch to `to` comes: what goes back is taken most often, and has nothing left to do then.
    fn before_branch(&mut self, to: u64) {
        if to <= self.pc {
            self.flush();
        }
    }

    /// Goes to the code for `to` under a condition.
    fn branch(&mut self, cc: Cc, to: u64) {
        let from = self.asm.jcc(cc);
        let dirty = self.dirty();
        if dirty == [NONE; 3] {
            self.link(from, to);
        } else {
            self.cold.push(Cold::Branch { from, to, dirty, leave: self.leaving(to, Why::Chain, 0) });
        }
    }

    /// Makes the jump at `from` go to the code for `to`, now or when there is some.
    fn link(&mut self, from: usize, to: u64) {
        if to == self.start {
            self.asm.patch(from, self.entry);
        } else if to / PAGE == self.start / PAGE {
            let leave = Leave { jump: from as u32, ..self.leaving(to, Why::Chain, 0) };
            self.cold.push(Cold::Leave { from, leave });
        } else {
            let leave = self.leaving(to, Why::Far, 0);
            self.cold.push(Cold::Far { from, to, leave });
        }
    }

    fn goto(&mut self, to: u64) {
        self.flush();
        if to / PAGE == self.start / PAGE {
            let from = self.asm.jmp();
            self.link(from, to);
        } else {
            let leave = self.leaving(to, Why::Far, 0);
            self.far(to, leave);
        }
    }

    /// Goes to another page, where the table says, or leaves. The page may be another one by then, and so may be
    /// what is in it: whoever changes that empties the table.
    fn far(&mut self, to: u64, leave: Leave) {
        let slot = self.data.jump(self.mode, to);
        self.asm.imm(RAX, to);
        self.asm.alu(true, Alu::Cmp, RAX, Rm::Here(slot));
        let miss = self.asm.jcc(Cc::Ne);
        self.asm.jmp_rm(Rm::Here(slot + 8));
        self.cold.push(Cold::Leave { from: miss, leave });
    }

    /// Goes where the value says, by the table.
    fn jump(&mut self, to: Arg) {
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

    fn write_cold(&mut self) {
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
                    let leave = Leave { dirty: [NONE; 3], ..leave };
                    if to / PAGE == self.start / PAGE {
                        let jump = self.asm.jmp();
                        self.asm.patch(jump, self.asm.at());
                        self.leave(Leave { jump: jump as u32, ..leave });
                    } else {
                        self.far(to, Leave { why: Why::Far, ..leave });
                    }
                }
                Cold::Direct(direct) => self.finish_direct(direct),
                Cold::Far { from, to, leave } => {
                    self.asm.patch(from, here);
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

    pub(crate) fn leave(&mut self, leave: Leave) {
        self.write_dirty(leave.dirty);
        let credit = self.stretches[leave.stretch].1 - leave.done;
        let site = Site { pc: leave.pc, jump: leave.jump, why: leave.why, credit: credit as u8 };
        if self.sites.last() != Some(&site) {
            self.sites.push(site);
        }
        self.asm.imm(RCX, self.sites.len() as u64 - 1);
        self.asm.jmp_to(self.doors().exit);
    }

    // Registers.

    /// What is only in temporaries.
    pub(crate) fn dirty(&self) -> Dirty {
        self.cache.map(|(x, dirty)| if dirty { x } else { NONE })
    }

    /// Writes to memory what was only in temporaries.
    pub(crate) fn write_dirty(&mut self, dirty: Dirty) {
        for (t, x) in (0..).zip(dirty) {
            if x != NONE {
                self.asm.store(x_at(x), t);
            }
        }
    }

    /// Writes to memory what is only in temporaries, so that the state can be seen.
    pub(crate) fn flush(&mut self) {
        for t in 0..3 {
            if let (x, true) = self.cache[t as usize] {
                self.asm.store(x_at(x), t);
                self.cache[t as usize].1 = false;
            }
        }
    }

    /// The temporaries no longer hold guest register `x`.
    fn forget(&mut self, x: u8) {
        for cache in self.cache.iter_mut().filter(|cache| cache.0 == x) {
            *cache = (NONE, false);
        }
    }

    /// Frees the temporaries of `which`, as a set of bits; `false` if one holds a value.
    pub(crate) fn take(&mut self, which: u8) -> bool {
        if self.busy & which != 0 {
            return false;
        }
        for t in (0..3).filter(|t| which >> t & 1 != 0) {
            if let (x, true) = self.cache[t as usize] {
                self.asm.store(x_at(x), t);
            }
            self.cache[t as usize] = (NONE, false);
        }
        self.busy |= which;
        true
    }

    pub(crate) fn temp(&mut self) -> u8 {
        self.turn = (self.turn + 1) % 3;
        let rank = |t: u8| {
            let (x, dirty) = self.cache[t as usize];
            (self.busy >> t & 1, x != NONE, dirty, (t + self.turn) % 3)
        };
        let t = (0..3).min_by_key(|t| rank(*t)).unwrap_or(RAX);
        assert!(self.busy >> t & 1 == 0, "an operation needs three temporaries at most");
        let free = self.take(1 << t);
        debug_assert!(free, "it was not in use");
        t
    }

    /// The temporary that holds guest register `a`, now in use.
    fn cached(&mut self, a: Arg) -> Option<u8> {
        let Arg::X(x) = a else { return None };
        let t = self.cache.iter().position(|cache| cache.0 == x)? as u8;
        self.busy |= 1 << t;
        Some(t)
    }

    pub(crate) fn dest(&mut self, home: u8) -> u8 {
        if home == NONE { self.temp() } else { home }
    }

    pub(crate) fn loc_of(&self, a: Arg) -> Loc {
        match a {
            Arg::V(v) => self.loc[v as usize],
            Arg::X(x) if HOME[x as usize] != NONE => Loc::Gpr(HOME[x as usize]),
            Arg::F(f) if FLOAT_HOME[f as usize] != NONE => Loc::Xmm(FLOAT_HOME[f as usize]),
            _ => Loc::Nowhere,
        }
    }

    /// The operand where it is, if an instruction can use it there.
    pub(crate) fn rm(&mut self, a: Arg) -> Rm {
        if let Some(t) = self.cached(a) {
            return Rm::Reg(t);
        }
        match (self.loc_of(a), a) {
            (Loc::Gpr(r), _) => Rm::Reg(r),
            (Loc::Nowhere, Arg::X(x)) => x_at(x),
            (Loc::Nowhere, Arg::F(f)) => f_at(f),
            _ => Rm::Reg(self.reg(a)),
        }
    }

    pub(crate) fn reg(&mut self, a: Arg) -> u8 {
        if let Loc::Gpr(r) = self.loc_of(a) {
            return r;
        }
        if let Some(t) = self.cached(a) {
            return t;
        }
        let t = self.temp();
        self.move_to(t, a);
        if let Arg::X(x) = a {
            self.cache[t as usize] = (x, false);
        }
        t
    }

    pub(crate) fn move_to(&mut self, d: u8, a: Arg) {
        if let Some(t) = self.cached(a) {
            return self.asm.mov(d, Rm::Reg(t));
        }
        match (self.loc_of(a), a) {
            (Loc::Gpr(r), _) => self.asm.mov(d, Rm::Reg(r)),
            (Loc::Xmm(x), _) => self.gpr_of_xmm(d, x),
            (Loc::Nowhere, Arg::C(c)) => self.asm.imm(d, c),
            (Loc::Nowhere, Arg::X(x)) => self.asm.mov(d, x_at(x)),
            (Loc::Nowhere, Arg::F(f)) => self.asm.mov(d, f_at(f)),
            (Loc::Nowhere, Arg::V(_)) => unreachable!("a value that is used is somewhere"),
        }
    }

    fn set_x(&mut self, x: u8, v: Arg) -> bool {
        match (HOME[x as usize], v) {
            (NONE, Arg::C(c)) if c as i32 as u64 == c => {
                self.forget(x);
                self.asm.op_imm32(true, 0xc7, 0, x_at(x), c as i32);
            }
            (NONE, v) => {
                let r = self.reg(v);
                self.forget(x);
                if r > RDX {
                    self.asm.store(x_at(x), r);
                    return true;
                }
                // A temporary that changes hands was somebody else's.
                if let (old, true) = self.cache[r as usize] {
                    self.asm.store(x_at(old), r);
                }
                self.cache[r as usize] = (x, true);
            }
            (home, v) => self.move_to(home, v),
        }
        true
    }
}

/// Whether floating point is on in this mode: see [`Hart::rules`].
pub(crate) fn has_float(mode: u8) -> bool {
    u64::from(mode) & Hart::<u64>::FLOAT_ON != 0
}

/// Whether the host's operation on 32 bits leaves the upper half of the register zero.
fn is_plain(f: Bin) -> bool {
    matches!(
        f,
        Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor | Bin::Shl | Bin::Shr | Bin::Sar | Bin::Mul
    )
}

/// The home of the register that the value of operation `i` goes to next.
fn home_of(ops: &[Op], i: usize) -> u8 {
    match ops.get(i + 1) {
        Some(Op::SetX(x, Arg::V(v))) if *v as usize == i => HOME[*x as usize],
        _ => NONE,
    }
}

/// The register that `v` differs from by so little that a [`Window`]'s margin is not left in one block.
fn stays_near(ops: &[Op], v: Arg) -> Option<u8> {
    match v {
        Arg::X(y) => Some(y),
        Arg::V(v) if let Op::Bin(Bin::Add, Arg::X(y), Arg::C(c)) = ops[v as usize] => {
            (-0x800..0x800).contains(&(c as i64)).then_some(y)
        }
        _ => None,
    }
}

/// Whether register `x` gets what it has plus a constant: most likely in the same page.
fn steps(ops: &[Op], x: u8, v: Arg) -> bool {
    matches!(v, Arg::V(v) if matches!(ops[v as usize], Op::Bin(Bin::Add, Arg::X(y), Arg::C(_)) if y == x))
}

/// The host's condition for a comparison.
pub(crate) fn condition(f: Bin) -> Option<Cc> {
    Some(match f {
        Bin::Eq => Cc::E,
        Bin::Ne => Cc::Ne,
        Bin::Lt => Cc::L,
        Bin::Ge => Cc::Ge,
        Bin::Ltu => Cc::B,
        Bin::Geu => Cc::Ae,
        _ => return None,
    })
}
