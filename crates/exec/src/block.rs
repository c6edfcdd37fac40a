//! Decoded blocks: straight runs of instructions within a page, kept until what they were decoded from changes.
//!
//! A block is found by program counter and [rules](Hart::rules) in a direct-mapped table; behind it, by program
//! counter and place in memory, so that it survives address-space switches. It is stale when the version of its
//! page changed ([`Ram::mark_code`](hartwright_mem::Ram::mark_code)).

use crate::{
    core::{Core, Stop},
    handlers::Now,
    translate::{Engine, Translated, Translator},
};
use bytemuck::Zeroable;
use hartwright_hart::{Cause, Hart, Trap};
use hartwright_ir::Width;
use hartwright_isa::{Decoded, Decoder, Handlers, Meaning, handler};
use hartwright_jit::Code;
use hartwright_mem::{PAGE, sees_stores};
use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap},
};

/// The most instructions in a block.
pub(crate) const LONGEST: usize = 64;
/// Entries of the direct-mapped table.
const TABLE: usize = 1 << 16;
/// When so many steps were added, those of blocks without code are forgotten, to be made again as needed.
const STEPS: usize = 1 << 20;

/// Does a step, and then the rest that follow it, until one stops; says why, or `None` at the end.
///
/// Each handler calls the next one last of all, which compiles to a jump: the host predicts each jump by itself, and
/// no loop stands between two instructions. Where it compiles to a call, a block's length bounds the stack.
pub(crate) type Handler<'c, W> = fn(&Step<'c, W>, &[Step<'c, W>], Now<'c, W>) -> Option<Stop>;

/// Makes [`Handler`]s of meanings.
struct Threaded;

impl<'c, W: Width> Handlers<Now<'c, W>> for Threaded {
    type Handler = Handler<'c, W>;

    fn handler<M: Meaning<Now<'c, W>>>() -> Handler<'c, W> {
        |step, rest, now| match M::meaning(&step.decoded, now) {
            Ok(()) => {
                let (next, rest) = rest.split_first()?;
                (next.run)(next, rest, now)
            }
            Err(stop) => Some(now.0.leave(stop, &step.decoded, rest.len() as u64)),
        }
    }
}

/// One instruction and what does it.
pub(crate) struct Step<'c, W> {
    pub(crate) run: Handler<'c, W>,
    pub(crate) decoded: Decoded,
}

/// Instructions that follow each other in memory.
pub(crate) struct Block<'c, W> {
    pub(crate) steps: Box<[Step<'c, W>]>,
    /// The address after the last.
    pub(crate) next: u64,
    /// Where its first byte lies, and its last: offsets into RAM, which differ in page only if one instruction
    /// lies across two.
    places: [u64; 2],
    /// The versions of those pages.
    versions: [u32; 2],
    /// The number of the last check of all blocks that it passed.
    fenced: u32,
    /// Whether one of its instructions uses floating point.
    floats: bool,
    pub(crate) translated: Translated,
}

/// A block that may run at `pc` under `rules`, as long as no code page was written since.
#[derive(Clone, Copy, Zeroable)]
struct Slot {
    pc: u64,
    /// The rules, inverted: those of a slot of zeros are no hart's, which count up from 0.
    unlike: u64,
    /// [`Ram::renewals`](hartwright_mem::Ram::renewals) when the block was last found fresh.
    renewals: u64,
    block: u32,
}

impl Slot {
    #[inline]
    fn is(&self, pc: u64, rules: u64) -> bool {
        self.pc == pc && self.unlike == !rules
    }
}

/// The blocks of one hart.
pub(crate) struct Cache<'c, W> {
    decoder: Decoder,
    table: Box<[Slot; TABLE]>,
    blocks: Vec<Block<'c, W>>,
    by_place: HashMap<(u64, u64), u32>,
    /// Numbers that no block has.
    free: Vec<u32>,
    /// How many steps there are, and may be.
    steps: usize,
    most: usize,
    /// How often all blocks were to be checked.
    fences: u32,
    /// Addresses at which no block may go on.
    pub(crate) breakpoints: BTreeSet<u64>,
    /// How often the hart's triggers had changed when the blocks were made.
    triggers: u64,
    /// The most instructions in a block; 1 when the hart is to stop between any two.
    longest: usize,
    translator: Option<Translator<'c>>,
    /// Flags that code raised early, if it is [checked](crate::check).
    pub(crate) early: u8,
    /// Why an instruction that code called was not followed by the next.
    pub(crate) stop: Cell<Option<Stop>>,
}

impl<'c, W: Width> Cache<'c, W> {
    /// For `hart`; `alone` says that no other runs while it does.
    pub(crate) fn new(hart: &'c Hart<W>, engine: Engine, alone: bool) -> Self {
        let model = &hart.config().model;
        Cache {
            decoder: Decoder::new(model.extensions, W::BITS),
            // The host gives memory to what is used.
            table: bytemuck::zeroed_box(),
            blocks: vec![],
            by_place: HashMap::new(),
            free: vec![],
            steps: 0,
            most: STEPS,
            fences: 0,
            breakpoints: BTreeSet::new(),
            triggers: hart.breaks_changed(),
            longest: LONGEST,
            translator: Translator::new(hart, engine, alone),
            early: 0,
            stop: Cell::new(None),
        }
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Forgets every block.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.by_place.clear();
        self.free.clear();
        (self.steps, self.most) = (0, STEPS);
        self.table.fill(Slot::zeroed());
        if let Some(translator) = &mut self.translator {
            translator.clear();
        }
    }

    /// Forgets the blocks that are of no code.
    fn forget_cold(&mut self) {
        let mut kept = vec![false; self.blocks.len()];
        self.translator.iter().flat_map(Translator::blocks).for_each(|id| kept[id as usize] = true);
        self.by_place.retain(|_, id| kept[*id as usize]);
        self.table.fill(Slot::zeroed());
        (self.free, self.steps) = (vec![], 0);
        for (id, block) in (0..).zip(&mut self.blocks) {
            if kept[id as usize] {
                self.steps += block.steps.len();
            } else {
                block.steps = Box::default();
                self.free.push(id);
            }
        }
        self.most = self.steps + STEPS;
    }

    /// Whether blocks may become code.
    pub(crate) fn translates(&self) -> bool {
        self.translator.is_some()
    }

    /// The translator, if there is one, the blocks by their numbers, and why an instruction that code called was not
    /// followed by the next.
    pub(crate) fn parts(
        &mut self,
    ) -> (Option<&mut Translator<'c>>, &mut [Block<'c, W>], &Cell<Option<Stop>>) {
        (self.translator.as_mut(), &mut self.blocks, &self.stop)
    }

    /// Whether code raised flags that the interpreter did not raise after it.
    pub(crate) fn was_early(&mut self, hart: &Hart<W>) -> bool {
        self.early != 0 && std::mem::take(&mut self.early) & !hart.shown().fflags != 0
    }

    /// Block `id`, as text.
    pub(crate) fn told(&self, hart: &Hart<W>, id: u32) -> String {
        self.blocks[id as usize].told(hart, self.translator.as_ref())
    }

    /// What code there is, if blocks become code.
    pub(crate) fn code(&self) -> Option<Code> {
        self.translator.as_ref().map(Translator::code_told)
    }

    /// Whether the hart may have to stop before the instruction at its program counter. No block goes on there, and
    /// one that begins there never becomes code, so none leads past it.
    pub(crate) fn may_stop(&self, hart: &Hart<W>, pc: u64) -> bool {
        self.breakpoints.contains(&pc) || hart.may_break(pc)
    }

    /// Whether the hart may have to stop somewhere: before an instruction, or after one that accesses memory.
    pub(crate) fn stops(&self, hart: &Hart<W>) -> bool {
        !self.breakpoints.is_empty() || hart.breaks() || hart.watches()
    }

    /// Limits blocks to one instruction, or lets them be long.
    pub(crate) fn single(&mut self, single: bool) {
        let longest = if single { 1 } else { LONGEST };
        if self.longest != longest {
            self.longest = longest;
            self.clear();
        }
    }

    /// Has blocks end where the hart's triggers, as they are now, may break.
    pub(crate) fn follow_triggers(&mut self, hart: &Hart<W>) {
        if self.triggers != hart.breaks_changed() {
            self.triggers = hart.breaks_changed();
            self.clear();
        }
    }

    /// Has `hart` see instructions that were stored (`fence.i`). It looks whether any were whenever code is left, as
    /// it was for this; only where a host may hide a store for a moment, every block is checked.
    pub(crate) fn refetch(&mut self, hart: &Hart<W>) {
        if !sees_stores() {
            self.fence();
            hart.forget_fetches();
        }
    }

    /// Checks every block against memory before it runs again.
    pub(crate) fn fence(&mut self) {
        self.fences += 1;
    }

    /// The block at the hart's program counter.
    #[inline]
    pub(crate) fn find(&mut self, core: &'c Core<W>) -> Result<&Block<'c, W>, Trap> {
        let block = self.locate(core)?;
        Ok(&self.blocks[block as usize])
    }

    /// The number of the block at the hart's program counter.
    #[inline]
    pub(crate) fn locate(&mut self, core: &'c Core<W>) -> Result<u32, Trap> {
        let hart = &core.hart;
        let (pc, rules) = (hart.pc(), hart.rules());
        // Read before the block is looked at: a write in between is seen next time.
        let renewals = hart.ram().renewals();
        let slot = &self.table[(pc >> 1) as usize % TABLE];
        let known = slot.is(pc, rules) && slot.renewals == renewals;
        if known { Ok(slot.block) } else { self.find_slowly(core, renewals) }
    }

    #[cold]
    fn find_slowly(&mut self, core: &'c Core<W>, renewals: u64) -> Result<u32, Trap> {
        let hart = &core.hart;
        let (pc, rules) = (hart.pc(), hart.rules());
        let slot = self.table[(pc >> 1) as usize % TABLE];
        let same = slot.is(pc, rules) && self.blocks[slot.block as usize].is_fresh(hart);
        let block = if same { slot.block } else { self.find_by_place(core)? };
        self.table[(pc >> 1) as usize % TABLE] = Slot { pc, unlike: !rules, renewals, block };
        Ok(block)
    }

    fn find_by_place(&mut self, core: &'c Core<W>) -> Result<u32, Trap> {
        let hart = &core.hart;
        let pc = hart.pc();
        let at = hart.fetch_place(pc, 2)?;
        // Where only part of a page may be fetched from, which part may have changed.
        let known = self.by_place.get(&(pc, at)).filter(|_| hart.fetches_whole_page(pc));
        if let Some(&known) = known {
            let block = &self.blocks[known as usize];
            let across = block.places[1] / PAGE != at / PAGE;
            let same_end = !across || hart.fetch_place(pc.wrapping_add(2), 2)? == block.places[1] - 1;
            let fenced = block.fenced == self.fences || block.matches(hart);
            // What runs depends on whether floating point is on, so a block that found it off is made anew.
            if same_end && block.is_fresh(hart) && fenced && !block.refused_float(hart) {
                self.blocks[known as usize].fenced = self.fences;
                return Ok(known);
            }
        }
        if self.steps > self.most {
            self.forget_cold();
        }
        let block = self.decode(core, at, self.longest)?;
        self.steps += block.steps.len();
        let stale = self.by_place.get(&(pc, at)).copied();
        let id = match stale.filter(|stale| !self.blocks[*stale as usize].translated.has_been()) {
            // No code speaks of the block that was here.
            Some(stale) => {
                self.steps -= self.blocks[stale as usize].steps.len();
                stale
            }
            // Another stays in its place until its code is forgotten; nothing finds it any more.
            None => self.free.pop().unwrap_or(self.blocks.len() as u32),
        };
        self.by_place.insert((pc, at), id);
        match self.blocks.get_mut(id as usize) {
            Some(place) => *place = block,
            None => self.blocks.push(block),
        }
        Ok(id)
    }

    /// A block of the one instruction at the program counter, which is not kept.
    pub(crate) fn one(&self, core: &'c Core<W>) -> Result<Block<'c, W>, Trap> {
        let at = core.hart.fetch_place(core.hart.pc(), 2)?;
        self.decode(core, at, 1)
    }

    /// Decodes from offset `at` of RAM, where the hart's program counter leads.
    fn decode(&self, core: &'c Core<W>, at: u64, longest: usize) -> Result<Block<'c, W>, Trap> {
        let (hart, ram) = (&core.hart, core.hart.ram());
        let first_version = ram.mark_code(at);
        let half = |at: u64| u32::from(ram.load::<u16>(at).unwrap_or(0));
        let mut steps = vec![];
        let (mut pc, mut here) = (hart.pc(), at);
        let mut end = (at + 1, first_version);
        let page_end = (at / PAGE + 1) * PAGE;
        let whole = hart.fetches_whole_page(pc);
        let allowed = |pc: u64| if whole { Ok(()) } else { hart.fetch_place(pc, 2).map(drop) };
        while steps.len() < longest && here < page_end {
            if !steps.is_empty() && (self.may_stop(hart, pc) || allowed(pc).is_err()) {
                break;
            }
            // Where it is aligned, an instruction is read at once (profiles, Ziccif).
            let word = if here.is_multiple_of(4) { ram.load::<u32>(here) } else { None };
            let low = word.map_or_else(|| half(here), |word| word & 0xffff);
            let mut raw = low;
            if low & 3 == 3 {
                if here + 2 < page_end {
                    match allowed(pc.wrapping_add(2)) {
                        Err(trap) if steps.is_empty() => return Err(trap),
                        Err(_) => break,
                        Ok(()) => raw = word.unwrap_or_else(|| low | half(here + 2) << 16),
                    }
                } else if steps.is_empty() {
                    let rest = hart.fetch_place(pc.wrapping_add(2), 2)?;
                    end = (rest + 1, ram.mark_code(rest));
                    raw |= half(rest) << 16;
                } else {
                    break;
                }
            }
            let decoded = self.decoder.decode(raw, pc).filter(|d| !d.uses_float() || hart.float_on());
            let Some(decoded) = decoded else {
                steps.push(Self::illegal(raw, pc));
                break;
            };
            steps.push(Step { run: handler::<Now<'c, W>, Threaded>(decoded.id), decoded });
            pc = decoded.next();
            here += u64::from(decoded.len);
            if decoded.ends_block() {
                break;
            }
        }
        let versions = [first_version, end.1];
        let next = steps.last().map_or(pc, |step| step.decoded.next());
        let translated =
            if self.may_stop(hart, hart.pc()) { Translated::NEVER } else { Translated::default() };
        let floats = steps.iter().any(|step| !step.decoded.is_unknown() && step.decoded.uses_float());
        Ok(Block {
            steps: steps.into(),
            next,
            places: [at, end.0],
            versions,
            fenced: self.fences,
            floats,
            translated,
        })
    }

    /// A step that raises an illegal-instruction exception.
    fn illegal(raw: u32, pc: u64) -> Step<'c, W> {
        struct Illegal;
        impl<W: Width> Meaning<Now<'_, W>> for Illegal {
            fn meaning(_: &Decoded, Now(core): Now<'_, W>) -> Result<(), Stop> {
                Err(core.raise(Trap::new(Cause::IllegalInstruction, 0)))
            }
        }
        let len = if raw & 3 == 3 { 4 } else { 2 };
        Step { run: Threaded::handler::<Illegal>(), decoded: Decoded::unknown(raw, pc, len) }
    }
}

impl<W: Width> Block<'_, W> {
    /// Whether the pages it was decoded from are as they were.
    #[inline(always)]
    fn is_fresh(&self, hart: &Hart<W>) -> bool {
        let ram = hart.ram();
        ram.version(self.places[0]) == self.versions[0] && ram.version(self.places[1]) == self.versions[1]
    }

    /// Whether all of it lies in one page.
    pub(crate) fn is_in_one_page(&self) -> bool {
        self.places[0] / PAGE == self.places[1] / PAGE
    }

    /// Whether memory holds its instructions, byte by byte.
    fn matches(&self, hart: &Hart<W>) -> bool {
        let mut at = self.places[0];
        self.steps.iter().all(|step| {
            let d = &step.decoded;
            let low = hart.ram().load::<u16>(at).map(u32::from);
            let rest = if at % PAGE + 2 < PAGE { at + 2 } else { self.places[1] - 1 };
            let high = || hart.ram().load::<u16>(rest).map(u32::from);
            at += u64::from(d.len);
            low == Some(d.raw & 0xffff) && (d.len == 2 || high() == Some(d.raw >> 16))
        })
    }

    /// Whether its last instruction is taken for illegal and might be one that floating point being off made so.
    fn refused_float(&self, hart: &Hart<W>) -> bool {
        let float_on = hart.float_on();
        self.steps.last().is_some_and(|step| step.decoded.is_unknown()) && float_on
            || !float_on && self.floats
    }
}
