//! Blocks that go back to their own beginning: within, the registers that the loop uses most have homes of their own,
//! and what its addresses are made of is compared once, on the way in.
//!
//! ```text
//! entry:  homes change hands; bases are compared, and who is outside the window goes to a plain block
//! inner:  the instructions up to the jump back, which leads to `inner`
//!         homes are as everywhere again; the rest of the block
//! ```
//!
//! Whoever leaves from within gives the homes back first.

use crate::{
    bases::{Bases, stays_near},
    emit::Emitter,
    leave::{Cold, Why},
    registers::{HOME, NONE, x_at},
    x64::{Alu, Cc, Rm},
};
use hartwright_ir::{Arg, Op};

/// So many more uses than another a register must have to get its home.
const GAIN: u32 = 2;
/// Where the loop proper begins is a multiple of this.
const ALIGN: usize = 32;

/// The loop that a block begins with.
pub(crate) struct Loop {
    /// The operation that jumps back.
    pub(crate) end: usize,
    /// The host's register of each guest register.
    home: [u8; 32],
    /// Registers by which it makes accesses and which stay where they are, but for small steps: a set.
    bases: u32,
}

impl Loop {
    /// The loop that a block at `start` begins with, if it gains by being one; `direct`: its accesses are in the window.
    pub(crate) fn find(ops: &[Op], start: u64, direct: bool) -> Option<Loop> {
        let back = |op: &Op| matches!(*op, Op::JumpIf(_, to) | Op::Goto(to) if to == start);
        let end = ops.iter().position(back)?;
        let body = &ops[..=end];
        if body.iter().any(|op| matches!(op, Op::Call(_) | Op::Step(_))) {
            return None;
        }
        let (home, bases) = (homes(body), if direct { bases(body) } else { 0 });
        (home != HOME || bases != 0).then_some(Loop { end, home, bases })
    }
}

/// Who lives where, by use.
fn homes(body: &[Op]) -> [u8; 32] {
    let mut uses = [0; 32];
    for op in body {
        for arg in op.args() {
            if let Arg::X(x) = arg {
                uses[x as usize] += 1;
            }
        }
        if let Op::SetX(x, _) = op {
            uses[*x as usize] += 1;
        }
    }
    let mut home = HOME;
    loop {
        let most = (1..32).filter(|x| home[*x] == NONE).max_by_key(|x| uses[*x]);
        let least = (1..32).filter(|x| home[*x] != NONE).min_by_key(|x| uses[*x]);
        match (most, least) {
            (Some(most), Some(least)) if uses[most] >= uses[least] + GAIN => home.swap(most, least),
            _ => return home,
        }
    }
}

/// The registers that are worth to be compared on the way in.
///
/// However long the loop runs, none of its accesses gets past the window's margin: each is made in every turn, and the
/// steps of a turn are less than the margin, so it is made within the margin first, faults, and then looks for itself.
fn bases(body: &[Op]) -> u32 {
    let mut apart = 0u32;
    for op in body {
        if let Op::SetX(x, v) | Op::Later(x, v) = *op
            && stays_near(body, v) != Some(x)
        {
            apart |= 1 << x;
        }
    }
    let (mut known, mut bases) = (Bases::default(), 0);
    for op in body {
        match *op {
            Op::SetX(x, v) => known.set(body, x, v),
            Op::Load(_, Arg::X(x), _)
            | Op::Store(_, Arg::X(x), _, _)
            | Op::LoadFloat(_, Arg::X(x), _)
            | Op::StoreFloat(_, Arg::X(x), _, _) => {
                let root = known.root(x);
                if apart >> root & 1 == 0 {
                    bases |= 1 << root;
                }
            }
            _ => {}
        }
    }
    bases
}

impl Emitter {
    /// The way into a loop, up to where it goes back to.
    pub(crate) fn enter_loop(&mut self, inner: &Loop) {
        (self.home, self.inner_home) = (inner.home, inner.home);
        self.inside = true;
        self.change_homes(HOME, inner.home);
        for x in (0..32).filter(|x| inner.bases >> x & 1 != 0) {
            self.busy = 0;
            let b = self.reg(Arg::X(x));
            self.asm.alu(true, Alu::Cmp, b, Rm::Here(self.data.window_last));
            let from = self.asm.jcc(Cc::A);
            let leave = self.leaving_at_start(Why::Outside);
            self.cold.push(Cold::Branch { from, to: self.start, dirty: [NONE; 3], leave });
            let number = self.ask();
            self.bases.compared(x, number);
        }
        (self.busy, self.cache) = (0, [(NONE, false); 3]);
        self.asm.align(ALIGN);
        self.inner = self.asm.at();
    }

    /// The way out, where the jump back is not taken.
    pub(crate) fn leave_loop(&mut self) {
        self.flush();
        self.cache = [(NONE, false); 3];
        self.give_homes_back();
        self.inside = false;
    }

    /// Has all registers where they are outside of the loop. From here on this is outside.
    pub(crate) fn give_homes_back(&mut self) {
        self.change_homes(self.home, HOME);
        self.home = HOME;
    }

    fn change_homes(&mut self, from: [u8; 32], to: [u8; 32]) {
        let moves = (0..32).filter(|x| from[*x] != to[*x]);
        for x in moves.clone().filter(|x| from[*x] != NONE) {
            self.asm.store(x_at(x as u8), from[x]);
        }
        for x in moves.filter(|x| to[*x] != NONE) {
            self.asm.mov(to[x], x_at(x as u8));
        }
    }
}
