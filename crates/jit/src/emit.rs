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
    bases::Bases,
    data::Data,
    doors::Doors,
    faults::Fault,
    leave::{Cold, Site, Why},
    loops::Loop,
    memory::Reach,
    registers::{FLOAT_HOME, HOME, NONE},
    x64::{Alu, Asm, Cc, R14, Rm},
};
use hartwright_hart::Hart;
use hartwright_ir::{Arg, Bin, Block, Op, Un};
use hartwright_mem::Window;

/// Blocks begin at multiples of this, so that speed does not depend on their place.
const ALIGN: usize = 64;

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
    /// This block's, and the number of the first.
    pub(crate) sites: Vec<Site>,
    pub(crate) first_site: u32,
    /// For code that runs while floating point is off, and while it is on.
    pub(crate) doors: [Doors; 2],
    /// The tables that this block's jumps use.
    pub(crate) mode: u8,
    /// What whoever translates calls this block.
    id: u32,
    /// The guest's addresses that code may use as they are.
    pub(crate) window: Option<Window>,
    /// How code reaches the window.
    pub(crate) window_at: Reach,
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
    pub(crate) held: [u32; 3],
    /// The host's register of each guest register, here.
    pub(crate) home: [u8; 32],
    /// The guest register a temporary holds, and whether its place in memory is out of date.
    pub(crate) cache: [(u8, bool); 3],
    pub(crate) turn: u8,
    /// What is written to registers [later](Op::Later), and which of it is not yet written again, as a set.
    pub(crate) laters: Vec<(u8, Op)>,
    pub(crate) waiting: u64,
    /// Where stretches of instructions that are counted together have their count, and the count.
    pub(crate) stretches: Vec<(usize, u32)>,
    /// The present instruction, and the one after it.
    pub(crate) pc: u64,
    pub(crate) next: u64,
    /// Where accesses by each base register have their page at hand.
    pub(crate) places: [u8; 32],
    /// Whether the block's accesses are within the [`Window`].
    pub(crate) direct: bool,
    /// What is known of the registers that addresses are made of, here.
    pub(crate) bases: Bases,
    /// Of each comparison of a base with the window's end, whether a later access does without one for it.
    pub(crate) relied: Vec<bool>,
    /// Instructions that may fault.
    pub(crate) faults: Vec<Fault>,
    /// Floating-point registers that are known to hold a boxed single.
    pub(crate) boxed: u32,
    /// The hart has been told that a floating-point register is written.
    pub(crate) told_float: bool,
    pub(crate) start: u64,
    pub(crate) entry: usize,
    /// Where a loop goes back to, and whether what is written is in there.
    pub(crate) inner: usize,
    pub(crate) inside: bool,
    /// The homes in there.
    pub(crate) inner_home: [u8; 32],
}

impl Emitter {
    pub(crate) fn new(data: Data) -> Emitter {
        Emitter {
            asm: Asm::default(),
            data,
            sites: vec![],
            first_site: 0,
            doors: [Doors::default(); 2],
            mode: 0,
            id: 0,
            window: None,
            window_at: Reach::default(),
            unsigned: false,
            journals: false,
            cold: vec![],
            loc: vec![],
            last: vec![],
            busy: 0,
            held: [u32::MAX; 3],
            cache: [(NONE, false); 3],
            turn: 0,
            laters: vec![],
            waiting: 0,
            stretches: vec![],
            pc: 0,
            next: 0,
            places: std::array::from_fn(|x| x as u8),
            direct: false,
            bases: Bases::default(),
            relied: vec![],
            faults: vec![],
            boxed: 0,
            told_float: false,
            start: 0,
            entry: 0,
            inner: 0,
            inside: false,
            inner_home: HOME,
            home: HOME,
        }
    }

    /// Writes `block`, which is called `id`, begins at `start` and runs in `mode`, from offset `at` on; returns where it is entered.
    /// The code is in `asm`.
    pub(crate) fn block(
        &mut self,
        block: &Block,
        plain: bool,
        id: u32,
        start: u64,
        mode: u8,
        at: usize,
    ) -> usize {
        let entry = at.next_multiple_of(ALIGN);
        self.asm.begin(entry);
        (self.mode, self.start, self.entry, self.id) = (mode, start, entry, id);
        self.loc.clear();
        self.loc.resize(block.ops.len(), Loc::Nowhere);
        self.stretches.clear();
        self.laters.clear();
        self.waiting = 0;
        (self.busy, self.boxed, self.told_float) = (0, 0, false);
        (self.held, self.cache) = ([u32::MAX; 3], [(NONE, false); 3]);
        (self.pc, self.next) = (start, start);
        self.places = std::array::from_fn(|x| x as u8);
        self.direct = u64::from(mode) & Hart::<u64>::DIRECT != 0 && self.window.is_some();
        self.bases = Bases::default();
        self.relied.clear();
        (self.home, self.inside) = (HOME, false);
        let inner = if plain { None } else { Loop::find(&block.ops, start, self.direct) };
        if let Some(inner) = &inner {
            self.enter_loop(inner);
        }
        self.ops(&block.ops, inner.map(|inner| inner.end));
        self.write_cold();
        entry
    }

    /// Writes operations; the last of a loop is `back`.
    fn ops(&mut self, ops: &[Op], back: Option<usize>) {
        let mut fresh = true;
        let mut i = 0;
        while i < ops.len() {
            let next = ops.get(i + 1).copied();
            if let Some(Op::Later(x, Arg::V(v))) = next
                && v as usize == i
            {
                self.later(x, ops[i]);
                i += 2;
                continue;
            }
            if let Some(next) = next
                && self.last[i] == i as u32 + 1
                && self.two_at_once(i, ops[i], next, self.home_of(ops, i + 1))
            {
                i += 2;
                continue;
            }
            let to_x = self.home_of(ops, i);
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
                    i += 1;
                    fresh = !self.inside || back == Some(i);
                }
                Op::JumpIf(v, to) => {
                    self.before_branch(to);
                    let r = self.reg(v);
                    self.asm.op(true, 0x85, r, Rm::Reg(r));
                    self.branch(Cc::Ne, to);
                    fresh = !self.inside || back == Some(i);
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
                        self.no_later(x);
                        if !keeps_page(ops, x, v) {
                            self.places[x as usize] = self.place_here();
                        }
                        if self.direct {
                            self.bases.set(ops, x, v);
                        }
                    }
                    if !self.value(i, op, to_x, to_f) {
                        return;
                    }
                }
            }
            self.release(i);
            if back == Some(i) && i + 1 < ops.len() {
                self.leave_loop();
            }
            i += 1;
        }
    }

    /// The home of the register that the value of operation `i` goes to next.
    fn home_of(&self, ops: &[Op], i: usize) -> u8 {
        match ops.get(i + 1) {
            Some(Op::SetX(x, Arg::V(v))) if *v as usize == i => self.home[*x as usize],
            _ => NONE,
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
            (Op::Bin32(f, a, b) | Op::Low32(f, a, b), Op::Un(Un::Zext(32), _)) if f.is_plain() => {
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
            Op::Low32(f, a, b) => {
                self.unsigned = true;
                let loc = self.bin(i, false, f, a, b, to_x);
                self.unsigned = false;
                loc
            }
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
            Op::Insn(..)
            | Op::JumpIf(..)
            | Op::Goto(_)
            | Op::Jump(_)
            | Op::Call(_)
            | Op::Step(_)
            | Op::Later(..) => {
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

    /// Opens a stretch that is run whole, unless somebody leaves, and pays for it: up to a branch, or a whole loop. Who
    /// comes in looks whether there is time for it.
    fn stretch(&mut self) {
        let first = self.stretches.is_empty();
        self.asm.op_imm8(true, 0x83, Alu::Sub as u8, Rm::Reg(R14), 0);
        self.stretches.push((self.asm.at() - 1, 0));
        if first {
            let from = self.asm.jcc(Cc::S);
            self.cold.push(Cold::Leave { from, leave: self.leaving_at_start(Why::Budget) });
        }
    }

    /// The doors of this block.
    pub(crate) fn doors(&self) -> Doors {
        self.doors[usize::from(has_float(self.mode))]
    }

    /// Has the interpreter do the present instruction in place.
    fn call(&mut self, number: u32) {
        self.flush();
        self.cache = [(NONE, false); 3];
        (self.boxed, self.told_float, self.bases) = (0, false, Bases::default());
        self.asm.op_imm32(false, 0xc7, 0, Rm::Here(self.data.block), self.id as i32);
        self.asm.op_imm32(false, 0xc7, 0, Rm::Here(self.data.what), number as i32);
        self.asm.call(self.doors().call);
        let from = self.asm.jcc(Cc::B);
        let leave = self.leaving(self.pc, Why::Called, 1);
        self.cold.push(Cold::Leave { from, leave });
    }
}

/// Whether floating point is on in this mode: see [`Hart::rules`].
pub(crate) fn has_float(mode: u8) -> bool {
    u64::from(mode) & Hart::<u64>::FLOAT_ON != 0
}

/// Whether register `x` gets what it has plus a constant: most likely in the same page.
fn keeps_page(ops: &[Op], x: u8, v: Arg) -> bool {
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
