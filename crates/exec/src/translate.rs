//! Blocks as code of the host: which are translated, when that is stale, and what the interpreter does instead.
//!
//! Code is a block's, so what makes the block stale makes the code unreachable: a block is looked up by address,
//! rules and versions of pages before its code is entered. Code that leads into other code needs more. Within a page
//! the way is fixed, as both are stale at once. Between pages it goes by tables, which are emptied whenever a
//! translation of addresses or the contents of a page with code may have changed.

use crate::{
    block::{Block, Cache, LONGEST, Step},
    check::Checked,
    core::{Core, Ended, Stop},
    handlers::Now,
    trace::{Trace, Tracing},
};
use hartwright_hart::Hart;
use hartwright_ir::{Block as Operations, Builder, End, Width};
use hartwright_isa::{Decoded, Ext, Handlers, Meaning, csr, handler};
use hartwright_jit::{Code, Entry, Exit, Instructions, Jit, Link};
use std::{any::Any, cell::Cell, fmt::Write};

/// How instructions are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// One after the other.
    #[default]
    Interpreter,
    /// Those that run often as code of the host, where it can be: on x86-64 hosts, for harts of 64 bits.
    Jit {
        /// Bytes of code for each hart.
        code: usize,
        /// So often the interpreter runs a block before it is translated.
        after: u32,
        /// The interpreter does everything again, and the hart stops where they differ.
        check: bool,
    },
}

/// So many instructions run before a hart looks whether somebody rang.
pub(crate) const QUANTUM: u64 = 20_000;
/// So many are checked at once.
const CHECKED: u32 = LONGEST as u32;
/// The rounding modes that the host has are the first so many.
const ROUNDING_MODES: u8 = 4;

/// What a block has of its own for being translated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Translated {
    /// How often it ran, until there is code.
    heat: u32,
    /// Its code, and the low bits of the rules it was made for.
    code: Option<(u8, Entry)>,
    /// There was code, which was forgotten.
    been: bool,
    /// Its loop was entered with addresses that it does not expect.
    plain: bool,
    /// The interpreter alone can do its first instruction, or the hart may stop before that.
    never: bool,
}

impl Translated {
    /// What the interpreter does for good.
    pub(crate) const NEVER: Translated =
        Translated { heat: 0, code: None, been: false, plain: false, never: true };

    /// Whether there is code, or was.
    pub(crate) fn has_been(&self) -> bool {
        self.been || self.code.is_some()
    }
}

/// The bits of rules that say how code runs.
fn mode(rules: u64) -> u8 {
    (rules % Hart::<u64>::MODES) as u8
}

/// What translates, made for the first block that runs often: many harts of a machine never run one.
enum LazyJit<'c> {
    Later(&'c Hart<u64>, usize, bool),
    Here(Box<Jit<'c>>),
    /// This host has none.
    Never,
}

impl<'c> LazyJit<'c> {
    fn get(&mut self) -> Option<&mut Jit<'c>> {
        if let LazyJit::Later(hart, code, check) = *self {
            *self = Jit::new(hart, code).map_or(LazyJit::Never, |jit| LazyJit::Here(Box::new(jit)));
            if let (LazyJit::Here(jit), true) = (&mut *self, check) {
                jit.keep_records();
            }
        }
        if let LazyJit::Here(jit) = self { Some(jit) } else { None }
    }
}

/// A hart's translator, and what its tables of jumps go by.
pub(crate) struct Translator<'c> {
    jit: LazyJit<'c>,
    after: u32,
    pub(crate) check: bool,
    /// No other hart runs while this one does.
    alone: bool,
    /// The epochs of the rules that each mode's table is for.
    epochs: [u64; Hart::<u64>::MODES as usize],
    renewals: u64,
}

impl Engine {
    /// The translator as it serves best.
    pub const JIT: Engine = Engine::Jit { code: 64 << 20, after: 16, check: false };
}

impl<'c> Translator<'c> {
    /// A translator for `hart`, if its registers have 64 bits.
    /// `alone`: no other hart runs while it does.
    pub(crate) fn new<W: Width>(hart: &'c Hart<W>, engine: Engine, alone: bool) -> Option<Self> {
        let Engine::Jit { code, after, check } = engine else { return None };
        let hart = (hart as &dyn Any).downcast_ref::<Hart<u64>>()?;
        Some(Translator {
            jit: LazyJit::Later(hart, code, check),
            after,
            check,
            alone,
            epochs: [0; Hart::<u64>::MODES as usize],
            renewals: 0,
        })
    }

    /// What there is.
    pub(crate) fn code_told(&self) -> Code {
        match &self.jit {
            LazyJit::Here(jit) => jit.told_in_numbers(),
            LazyJit::Later(..) | LazyJit::Never => Code::default(),
        }
    }

    /// The numbers of the blocks that code speaks of, some more than once.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = u32> {
        let jit = if let LazyJit::Here(jit) = &self.jit { Some(jit) } else { None };
        jit.into_iter().flat_map(|jit| jit.blocks())
    }

    /// Forgets all code.
    pub(crate) fn clear(&mut self) {
        if let LazyJit::Here(jit) = &mut self.jit {
            jit.clear();
        }
    }

    /// Empties the tables of jumps if they may be stale.
    #[inline]
    fn follow<W: Width>(&mut self, hart: &Hart<W>) {
        let (rules, renewals) = (hart.rules(), hart.ram().renewals());
        let renewed = std::mem::replace(&mut self.renewals, renewals) != renewals;
        let epoch = rules / Hart::<W>::MODES;
        let moved = std::mem::replace(&mut self.epochs[mode(rules) as usize], epoch) != epoch;
        if let LazyJit::Here(jit) = &mut self.jit {
            match (renewed, moved) {
                (true, _) => jit.forget_jumps(),
                (false, true) => jit.forget_jumps_of(rules),
                (false, false) => {}
            }
        }
    }

    /// The code of a block for the hart as it is, made now if there is none and the block ran often.
    #[inline]
    fn code<W: Width>(
        &mut self,
        hart: &Hart<W>,
        block: &mut Block<'_, W>,
        id: u32,
        trace: &Trace,
    ) -> Option<Entry> {
        let rules = mode(hart.rules());
        match block.translated.code {
            Some((made_for, entry))
                if made_for == rules && matches!(&self.jit, LazyJit::Here(jit) if jit.has(entry)) =>
            {
                Some(entry)
            }
            Some((_, entry)) if matches!(&self.jit, LazyJit::Here(jit) if !jit.has(entry)) => {
                // It was cold, and is not made again for running once.
                block.translated = Translated { been: true, ..Translated::default() };
                self.code(hart, block, id, trace)
            }
            _ if block.translated.never || block.translated.heat < self.after => {
                block.translated.heat = block.translated.heat.saturating_add(1);
                None
            }
            _ => self.translate(hart, block, id, trace),
        }
    }

    #[cold]
    fn translate<W: Width>(
        &mut self,
        hart: &Hart<W>,
        block: &mut Block<'_, W>,
        id: u32,
        trace: &Trace,
    ) -> Option<Entry> {
        let pc = block.steps.first()?.decoded.pc;
        let Some(mut meaning) = block.meaning(hart, self.alone) else {
            block.translated.never = true;
            return None;
        };
        let jit = self.jit.get()?;
        let Some(entry) = jit.translate(&mut meaning, block.translated.plain, id, pc, hart.rules()) else {
            block.translated.never = true;
            return None;
        };
        block.translated.code = Some((mode(hart.rules()), entry));
        trace.map(pc, jit.address(entry), entry.size());
        if trace.has(Tracing::OP) {
            trace.write(&format!("OP:\n{meaning}\n"));
        }
        if trace.has(Tracing::OUT_ASM) {
            trace.write(&format!("OUT: [size={}]\n{}\n", entry.size(), jit.told(entry)));
        }
        Some(entry)
    }
}

impl<W: Width> Block<'_, W> {
    /// What it does, as operations; `None` if that begins with what the interpreter alone can do.
    fn meaning(&self, hart: &Hart<W>, alone: bool) -> Option<Operations> {
        let builder = Builder::new(hart.has(Ext::Zca), alone);
        let mut end = End::Next;
        for (number, step) in (0..).zip(&self.steps) {
            let d = &step.decoded;
            end = if d.is_unknown() || is_apart(d) {
                builder.step(d.pc)
            } else {
                builder.insn(d.pc, d.len, Some(number), |builder| handler::<&Builder, Lift>(d.id)(d, builder))
            };
            if end != End::Next {
                break;
            }
        }
        match end {
            End::Next => builder.goto(self.next),
            End::Goes(to) => builder.goto(to),
            End::Left => {}
        }
        (!builder.is_step()).then(|| builder.finish())
    }

    /// Its instructions, its operations and its code, as text.
    pub(crate) fn told(&self, hart: &Hart<W>, translator: Option<&Translator<'_>>) -> String {
        let mut text = String::from("guest code:\n");
        for Step { decoded, .. } in &self.steps {
            let _ = writeln!(text, "{:#018x}:  {decoded}", decoded.pc);
        }
        let mut last_use = vec![];
        let alone = translator.is_some_and(|translator| translator.alone);
        if let Some(mut meaning) = self.meaning(hart, alone) {
            meaning.sweep(&mut last_use);
            let _ = write!(text, "operations:\n{meaning}");
        }
        if let (Some((_, entry)), Some(Translator { jit: LazyJit::Here(jit), .. })) =
            (self.translated.code, translator)
        {
            let _ = write!(text, "host code:\n{}", jit.told(entry));
        }
        text
    }
}

/// Whether code is left for an instruction that has no operations: it depends on the count of instructions (as all do
/// that change the mode, in which they may count or not) or on the time, or on the flags and the rounding mode, which
/// the host has while code runs.
fn is_apart(d: &Decoded) -> bool {
    use csr::*;
    let is_csr = d.len == 4 && d.raw & 0x7f == 0x73 && d.raw >> 12 & 3 != 0;
    let number = (d.raw >> 20) as u16;
    const MRET: u32 = 0x3020_0073;
    const SRET: u32 = 0x1020_0073;
    matches!(d.raw, MRET | SRET)
        || is_csr
            && matches!(
                number,
                FFLAGS | FRM | FCSR | SEED | STIMECMP | SCOUNTOVF
                | CYCLE..=0xc9f | MCYCLE..=0xb9f
                | MCOUNTINHIBIT..=0x33f
            )
}

/// Does instructions that code calls.
struct Calls<'r, 'c, W> {
    core: &'c Core<W>,
    blocks: &'r [Block<'c, W>],
    /// What the hart and its memory were when code was entered.
    rules: u64,
    renewals: u64,
    /// Why one was not followed by the next.
    stop: &'r Cell<Option<Stop>>,
}

impl<W: Width> Instructions for Calls<'_, '_, W> {
    fn call(&self, block: u32, number: u32) -> bool {
        let hart = &self.core.hart;
        let step = &self.blocks[block as usize].steps[number as usize];
        hart.set_pc(step.decoded.pc);
        hart.retire(1);
        if let Some(stop) = (step.run)(step, &[], Now(self.core)) {
            self.stop.set(Some(stop));
            return false;
        }
        if hart.rules() == self.rules && hart.ram().renewals() == self.renewals && !hart.port().rung() {
            // Code has counted it.
            hart.retire(u64::MAX);
            return true;
        }
        hart.set_pc(step.decoded.next());
        self.stop.set(Some(Stop::Next));
        false
    }
}

/// Makes of a meaning a function that writes it down.
struct Lift;

impl<'b> Handlers<&'b Builder> for Lift {
    type Handler = fn(&Decoded, &'b Builder) -> Result<(), ()>;

    fn handler<M: Meaning<&'b Builder>>() -> Self::Handler {
        M::meaning
    }
}

impl<W: Width> Core<W> {
    /// Runs blocks from the program counter on, as code where there is some, until it is time to look up, or about
    /// `quantum` instructions are done: at most 63 more. Before the interpreter does something, `before` hears how many
    /// instructions that is. Whoever calls has looked for a breakpoint at the program counter; this returns before
    /// another.
    pub(crate) fn run_translated<'c>(
        &'c self,
        cache: &mut Cache<'c, W>,
        trace: &Trace,
        quantum: u64,
        before: impl Fn(u64),
    ) -> Ended {
        if let Some(trap) = self.hart.break_here() {
            before(1);
            return self.trap(trap, trace);
        }
        let begun = self.hart.instret();
        let mut way: Option<Link> = None;
        loop {
            let left = quantum.saturating_sub(self.hart.instret().wrapping_sub(begun));
            match self.run_code(cache, &mut way, left.min(QUANTUM) as u32, trace) {
                Ok(Some(Exit::Wants(link))) => way = Some(link),
                Ok(Some(Exit::Step)) => {
                    before(1);
                    let ended = self.run_some(cache, 1, trace);
                    return if cache.was_early(&self.hart) { Ended::Differs } else { ended };
                }
                Ok(Some(Exit::Done)) => return Ended::Running,
                Ok(Some(Exit::Called)) => {
                    let ended = self.ended_by(cache.stop.take(), trace);
                    return self.refetched(cache, ended);
                }
                Ok(None) if cache.stops(&self.hart) => {
                    return self.run_watched(cache, trace, before);
                }
                Ok(None) => return self.run_counted(cache, trace, before),
                Err(ended) => return ended,
            }
            // Before what is there is even looked for, which may fault.
            if self.hart.port().rung() || cache.may_stop(&self.hart, self.hart.pc()) {
                return Ended::Running;
            }
        }
    }

    /// Runs the code of the block at the program counter, if there is some; `way` is how code before it left.
    fn run_code<'c>(
        &'c self,
        cache: &mut Cache<'c, W>,
        way: &mut Option<Link>,
        instructions: u32,
        trace: &Trace,
    ) -> Result<Option<Exit>, Ended> {
        let hart = &self.hart;
        let id = cache.locate(self).map_err(|trap| self.trap(trap, trace))?;
        let (Some(translator), blocks, stop) = cache.parts() else { return Ok(None) };
        let block = &mut blocks[id as usize];
        translator.follow(hart);
        if way.is_some_and(|way| way.plain) && !block.translated.plain {
            block.translated = Translated { plain: true, code: None, ..block.translated };
        }
        if hart.rounding_mode() >= ROUNDING_MODES {
            return Ok(None);
        }
        let Some(entry) = translator.code(hart, block, id, trace) else { return Ok(None) };
        let LazyJit::Here(jit) = &mut translator.jit else { return Ok(None) };
        let whole = block.is_in_one_page();
        if let Some(way) = way.take() {
            jit.link(way, hart.pc(), hart.rules(), entry, whole);
        }
        let calls = Calls { core: self, blocks, rules: hart.rules(), renewals: hart.ram().renewals(), stop };
        if !translator.check {
            return Ok(Some(jit.run(entry, instructions, &calls)));
        }
        let (moment, begun) = (hart.ram().moment(), hart.shown());
        let exit = jit.run(entry, instructions.min(CHECKED), &calls);
        let records = jit.records();
        match self.check(cache, moment, &begun, &records, exit, trace) {
            Ok(Checked::Alike { early }) => cache.early = early,
            Ok(Checked::Disturbed(ended)) => {
                cache.stop.set(None);
                return Err(ended);
            }
            Err(differences) => {
                let id = hart.config().id;
                trace.write(&format!("hart {id} stops: code is not its instructions\n{differences}"));
                return Err(Ended::Differs);
            }
        }
        Ok(Some(exit))
    }
}
