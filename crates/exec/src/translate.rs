//! Blocks as code of the host: which are translated, when that is stale, and what the interpreter does instead.
//!
//! Code is a block's, so what makes the block stale makes the code unreachable: a block is looked up by address,
//! rules and versions of pages before its code is entered. Code that leads into other code needs more. Within a page
//! the way is fixed, as both are stale at once. Between pages it goes by tables, which are emptied whenever a
//! translation of addresses or the contents of a page with code may have changed.

use crate::{
    block::{Block, Cache},
    core::{Core, Ended},
    trace::Trace,
};
use hartwright_hart::{Hart, Trap};
use hartwright_ir::{Builder, End, Width};
use hartwright_isa::{Decoded, Ext, Handlers, Meaning, handler};
use hartwright_jit::{Entry, Exit, Jit, Link};
use std::any::Any;

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
    },
}

/// So many instructions run before a hart looks whether somebody rang.
const QUANTUM: u32 = 20_000;
/// The rounding modes that the host has are the first so many.
const ROUNDING_MODES: u8 = 4;

/// What a block has of its own for being translated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Translated {
    /// How often it ran, until there is code.
    heat: u32,
    /// Its code, and the rules it was made for.
    code: Option<(u64, Entry)>,
    /// The interpreter alone can do its first instruction.
    never: bool,
}

/// What translates, made for the first block that runs often: many harts of a machine never run one.
enum LazyJit<'c> {
    Later(&'c Hart<u64>, usize),
    Here(Box<Jit<'c>>),
    /// This host has none.
    Never,
}

impl<'c> LazyJit<'c> {
    fn get(&mut self) -> Option<&mut Jit<'c>> {
        if let LazyJit::Later(hart, code) = *self {
            *self = Jit::new(hart, code).map_or(LazyJit::Never, |jit| LazyJit::Here(Box::new(jit)));
        }
        if let LazyJit::Here(jit) = self { Some(jit) } else { None }
    }
}

/// A hart's translator, and what its tables of jumps go by.
pub(crate) struct Translator<'c> {
    jit: LazyJit<'c>,
    after: u32,
    epoch: u64,
    renewals: u64,
}

impl Engine {
    /// The translator as it serves best.
    pub const JIT: Engine = Engine::Jit { code: 32 << 20, after: 16 };
}

impl<'c> Translator<'c> {
    /// A translator for `hart`, if its registers have 64 bits.
    pub(crate) fn new<W: Width>(hart: &'c Hart<W>, engine: Engine) -> Option<Self> {
        let Engine::Jit { code, after } = engine else { return None };
        let hart = (hart as &dyn Any).downcast_ref::<Hart<u64>>()?;
        Some(Translator { jit: LazyJit::Later(hart, code), after, epoch: 0, renewals: 0 })
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
        let (epoch, renewals) = (hart.rules() >> 3, hart.ram().renewals());
        if (self.epoch, self.renewals) != (epoch, renewals) {
            (self.epoch, self.renewals) = (epoch, renewals);
            if let LazyJit::Here(jit) = &mut self.jit {
                jit.forget_jumps();
            }
        }
    }

    /// The code of a block for the hart as it is, made now if there is none and the block ran often.
    #[inline]
    fn code<W: Width>(&mut self, hart: &Hart<W>, block: &mut Block<'_, W>) -> Option<Entry> {
        let rules = hart.rules() & 7;
        match block.translated.code {
            Some((made_for, entry))
                if made_for == rules && matches!(&self.jit, LazyJit::Here(jit) if jit.has(entry)) =>
            {
                Some(entry)
            }
            _ if block.translated.never || block.translated.heat < self.after => {
                block.translated.heat = block.translated.heat.saturating_add(1);
                None
            }
            _ => self.translate(hart, block),
        }
    }

    #[cold]
    fn translate<W: Width>(&mut self, hart: &Hart<W>, block: &mut Block<'_, W>) -> Option<Entry> {
        let builder = Builder::new(hart.has(Ext::Zca));
        let mut end = End::Next;
        for step in &block.steps {
            let d = &step.decoded;
            end = if d.is_unknown() {
                builder.step(d.pc)
            } else {
                builder.insn(d.pc, d.len, |builder| handler::<&Builder, Lift>(d.id)(d, builder))
            };
            if end != End::Next {
                break;
            }
        }
        match end {
            End::Next => builder.goto(block.next),
            End::Goes(to) => builder.goto(to),
            End::Left => {}
        }
        let pc = block.steps.first()?.decoded.pc;
        if builder.is_step() {
            block.translated.never = true;
            return None;
        }
        let mut meaning = builder.finish();
        let jit = self.jit.get()?;
        let entry = jit.translate(&mut meaning, pc, hart.rules()).or_else(|| {
            // It is full: what is hot is soon there again.
            jit.clear();
            jit.translate(&mut meaning, pc, hart.rules())
        })?;
        block.translated.code = Some((hart.rules() & 7, entry));
        Some(entry)
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
    /// Runs blocks from the program counter on, as code where there is some, until it is time to look up.
    pub(crate) fn run_translated<'c>(&'c self, cache: &mut Cache<'c, W>, trace: &Trace) -> Ended {
        let mut way: Option<Link> = None;
        loop {
            match self.run_code(cache, &mut way) {
                Ok(Some(Exit::Wants(link))) => way = Some(link),
                Ok(Some(Exit::Step)) => return self.run_first(cache, trace),
                Ok(Some(Exit::Done)) => return Ended::Running,
                Ok(None) => return self.run_block(cache, trace),
                Err(trap) => return self.trap(trap, trace),
            }
            if self.hart.port().rung() {
                return Ended::Running;
            }
        }
    }

    /// Runs the code of the block at the program counter, if there is some; `way` is how code before it left.
    fn run_code<'c>(
        &'c self,
        cache: &mut Cache<'c, W>,
        way: &mut Option<Link>,
    ) -> Result<Option<Exit>, Trap> {
        let hart = &self.hart;
        let id = cache.locate(self)?;
        let (Some(translator), block) = cache.translator_and_block(id) else { return Ok(None) };
        translator.follow(hart);
        if hart.rounding_mode() >= ROUNDING_MODES {
            return Ok(None);
        }
        let Some(entry) = translator.code(hart, block) else { return Ok(None) };
        let LazyJit::Here(jit) = &mut translator.jit else { return Ok(None) };
        if let Some(way) = way.take() {
            jit.link(way, hart.pc(), hart.rules(), entry, block.is_in_one_page());
        }
        Ok(Some(jit.run(entry, QUANTUM)))
    }
}
