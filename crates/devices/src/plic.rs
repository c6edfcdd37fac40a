//! The SiFive platform-level interrupt controller: sources with priorities, claimed and completed by hart contexts.

use hartwright_device::{Device, Error, Line, Output, Prop, Saved, Wiring, log, registers};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};

// RISC-V PLIC specification 1.0.0, chapter 3 (memory map); source 0 does not exist.
registers! { Plic size 0x400_0000, widths [4] else fault:
    /// Priority of each source; 0 never interrupts.
    0x00_0000 priority[1024; 4]: u32         { PRIORITY[31:0] }   get priority  set set_priority;
    /// A bit for each source: it asks, and nobody has claimed it.
    0x00_1000 pending[32; 4]: u32            { PENDING[31:0] RO } get pending;
    /// A bit for each source, 32 words for each context: whether it interrupts that.
    0x00_2000 enable[507_904; 4]: u32        { ENABLE[31:0] }     get enable    set set_enable;
    /// The priority that a source must exceed to interrupt the context.
    0x20_0000 threshold[15_872; 0x1000]: u32 { PRIORITY[31:0] }   get threshold set set_threshold;
    /// Reading claims the context's best pending source, or gives 0; writing its number says that it is served.
    0x20_0004 claim[15_872; 0x1000]: u32     { SOURCE[31:0] }     get claim     set complete;
}

/// The specification's limit, source 0 included.
const SOURCES: usize = 1024;
/// 32-bit words of a bit for each source.
const WORDS: usize = SOURCES / 32;
/// The specification's limit.
const CONTEXTS: usize = 15_872;
const SEIP: u32 = 9;
const MEIP: u32 = 11;

/// Routes up to 1023 level interrupts to the harts' contexts by priority (SiFive PLIC 1.0.0).
#[derive(Object)]
#[object(name = "riscv.sifive.plic", alias = "sifive.plic", parent = "sys-bus-device", family = dyn Device)]
pub struct Plic {
    // Configuration.
    /// The contexts of each hart, harts separated by commas: M, S or both (MS,MS is two harts with both).
    #[property(default = "MS".to_owned())]
    hart_config: String,
    /// The hart whose contexts come first.
    #[property(default = 0)]
    hartid_base: u32,
    /// How many sources there are; they are numbered from 1.
    #[property(default = 96)]
    num_sources: u32,
    /// The highest priority; one less than a power of two.
    #[property(default = 7)]
    num_priorities: u32,

    // Wiring.
    contexts: Vec<Line>,
    /// What the sources' lines are at; a reset does not change them.
    levels: Vec<u32>,

    // State.
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    priority: Vec<u32>,
    pending: Vec<u32>,
    /// Claimed and not completed: the gateway holds back.
    serving: Vec<u32>,
    contexts: Vec<Context>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Context {
    enable: Vec<u32>,
    threshold: u32,
}

/// The bit of `source` in a vector of words.
fn get(bits: &[u32], source: usize) -> bool {
    bits.get(source / 32).is_some_and(|word| word >> (source % 32) & 1 == 1)
}

fn put(bits: &mut [u32], source: usize, on: bool) {
    if let Some(word) = bits.get_mut(source / 32) {
        *word = *word & !(1 << (source % 32)) | u32::from(on) << (source % 32);
    }
}

impl Plic {
    /// The hart and the `mip` bit of every context, in order.
    fn config(&self) -> Result<Vec<(u32, u32)>, Error> {
        let refuse = |why: &str| Error::Refused {
            class: self.class().name.into(),
            property: "hart-config".into(),
            why: format!("'{}' {why}", self.hart_config),
        };
        let mut contexts = vec![];
        for (hart, modes) in self.hart_config.split(',').enumerate() {
            for mode in modes.chars() {
                let bit = match mode {
                    'M' => MEIP,
                    'S' => SEIP,
                    _ => return Err(refuse("has a mode other than M and S")),
                };
                contexts.push((self.hartid_base.saturating_add(hart as u32), bit));
            }
        }
        match contexts.len() {
            1..=CONTEXTS => Ok(contexts),
            0 => Err(refuse("has no context")),
            _ => Err(refuse("has more than 15872 contexts")),
        }
    }

    fn exists(&self, source: usize) -> bool {
        (1..=self.num_sources as usize).contains(&source)
    }

    /// The bits of word `word` that belong to a source.
    fn sources(&self, word: usize) -> u32 {
        (0..32).filter(|bit| self.exists(32 * word + bit)).fold(0, |mask, bit| mask | 1 << bit)
    }

    fn nothing(&self, offset: usize, what: &'static str) -> u32 {
        log::guest_error(self.class().name, offset as u64, what, format_args!(""));
        0
    }

    fn priority(&mut self, source: usize) -> u32 {
        self.state.priority.get(source).copied().unwrap_or(0)
    }

    fn set_priority(&mut self, source: usize, value: u32) {
        if !self.exists(source) {
            self.nothing(4 * source, "priority of no source");
        } else if let Some(priority) = self.state.priority.get_mut(source) {
            *priority = value & self.num_priorities;
            self.sync();
        }
    }

    fn pending(&mut self, word: usize) -> u32 {
        self.state.pending.get(word).copied().unwrap_or(0)
    }

    fn enable(&mut self, index: usize) -> u32 {
        match self.state.contexts.get(index / WORDS) {
            Some(context) => context.enable.get(index % WORDS).copied().unwrap_or(0),
            None => self.nothing(0x2000 + 4 * index, "enables of no context"),
        }
    }

    fn set_enable(&mut self, index: usize, value: u32) {
        let value = value & self.sources(index % WORDS);
        match self.state.contexts.get_mut(index / WORDS) {
            Some(context) => {
                context.enable[index % WORDS] = value;
                self.sync();
            }
            None => drop(self.nothing(0x2000 + 4 * index, "enables of no context")),
        }
    }

    fn threshold(&mut self, context: usize) -> u32 {
        match self.state.contexts.get(context) {
            Some(context) => context.threshold,
            None => self.nothing(0x20_0000 + 0x1000 * context, "threshold of no context"),
        }
    }

    fn set_threshold(&mut self, context: usize, value: u32) {
        match self.state.contexts.get_mut(context) {
            Some(context) => {
                context.threshold = value & self.num_priorities;
                self.sync();
            }
            None => drop(self.nothing(0x20_0000 + 0x1000 * context, "threshold of no context")),
        }
    }

    /// The claim: the best pending source, whatever the threshold (specification, chapter 9).
    fn claim(&mut self, context: usize) -> u32 {
        let Some(one) = self.state.contexts.get(context) else {
            return self.nothing(0x20_0004 + 0x1000 * context, "claim by no context");
        };
        let Some((source, _)) = self.best(one) else {
            return 0;
        };
        put(&mut self.state.pending, source, false);
        put(&mut self.state.serving, source, true);
        self.sync();
        source as u32
    }

    /// The completion; of a source that the context has not enabled it is ignored (specification, chapter 10).
    fn complete(&mut self, context: usize, source: u32) {
        let Some(one) = self.state.contexts.get(context) else {
            self.nothing(0x20_0004 + 0x1000 * context, "completion by no context");
            return;
        };
        let source = source as usize;
        if !get(&one.enable, source) {
            self.nothing(0x20_0004 + 0x1000 * context, "completion of a source that is not enabled");
            return;
        }
        if get(&self.state.serving, source) {
            put(&mut self.state.serving, source, false);
            let level = get(&self.levels, source);
            self.gateway(source, level);
            self.sync();
        }
    }

    /// A level gateway: asks when its line is high and nobody serves it, and never takes a request back.
    fn gateway(&mut self, source: usize, level: bool) {
        if level && !get(&self.state.serving, source) {
            put(&mut self.state.pending, source, true);
        }
    }

    /// The enabled pending source of the highest priority, of the lowest number among equals, and its priority.
    fn best(&self, context: &Context) -> Option<(usize, u32)> {
        let words = self.state.pending.iter().zip(&context.enable).map(|(pending, enable)| pending & enable);
        let mut best = None;
        for (word, mut bits) in words.enumerate() {
            while bits != 0 {
                let source = 32 * word + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let priority = self.state.priority.get(source).copied().unwrap_or(0);
                if priority > best.map_or(0, |(_, priority)| priority) {
                    best = Some((source, priority));
                }
            }
        }
        best
    }

    fn sync(&self) {
        for (line, context) in self.contexts.iter().zip(&self.state.contexts) {
            line.set(self.best(context).is_some_and(|(_, priority)| priority > context.threshold));
        }
    }
}

impl Device for Plic {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        let range = |property: &str, value: u32, max: i128| Error::OutOfRange {
            class: self.class().name.into(),
            property: property.into(),
            value: value.into(),
            min: 1,
            max,
        };
        if !(1..SOURCES as u32).contains(&self.num_sources) {
            return Err(range("num-sources", self.num_sources, 1023));
        }
        if self.num_priorities == 0 || self.num_priorities & self.num_priorities.wrapping_add(1) != 0 {
            return Err(Error::Refused {
                class: self.class().name.into(),
                property: "num-priorities".into(),
                why: format!("{} is not one less than a power of two", self.num_priorities),
            });
        }
        self.contexts = (0..self.config()?.len()).map(|i| wiring.line(i)).collect();
        self.levels = vec![0; WORDS];
        Ok(())
    }

    fn reset(&mut self) {
        let context = Context { enable: vec![0; WORDS], threshold: 0 };
        self.state = State {
            priority: vec![0; SOURCES],
            // What is high still asks.
            pending: self.levels.clone(),
            serving: vec![0; WORDS],
            contexts: vec![context; self.contexts.len()],
        };
        self.sync();
    }

    fn input(&mut self, pin: u32, level: bool) {
        let source = pin as usize;
        if self.exists(source) {
            put(&mut self.levels, source, level);
            self.gateway(source, level);
            self.sync();
        }
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }

    fn restored(&mut self) {
        // A state of a machine of other properties has other contexts; it must not be one that cannot be.
        self.state.contexts.resize_with(self.contexts.len(), Context::default);
        for bits in [&mut self.state.pending, &mut self.state.serving] {
            bits.resize(WORDS, 0);
        }
        self.state.contexts.iter_mut().for_each(|context| context.enable.resize(WORDS, 0));
        self.state.priority.resize(SOURCES, 0);
        self.sync();
    }

    fn inputs(&self) -> u32 {
        self.num_sources.saturating_add(1)
    }

    fn outputs(&self) -> Vec<Output> {
        let name = |bit| if bit == MEIP { "meip" } else { "seip" };
        let contexts = self.config().unwrap_or_default();
        contexts
            .into_iter()
            .map(|(hart, bit)| Output::hart(format!("{}{hart}", name(bit)), hart, bit))
            .collect()
    }

    fn size(&self) -> u64 {
        // QEMU's size, unless there are more contexts than fit.
        let contexts = self.config().map_or(0, |contexts| contexts.len()) as u64;
        (0x20_0000 + 0x1000 * contexts).max(0x60_0000)
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["sifive,plic-1.0.0", "riscv,plic0"]
    }

    fn node(&self) -> &'static str {
        "plic"
    }

    fn describe(&self) -> Vec<(&'static str, Prop)> {
        vec![
            ("#address-cells", Prop::Cells(vec![0])),
            ("#interrupt-cells", Prop::Cells(vec![1])),
            ("interrupt-controller", Prop::Empty),
            ("riscv,ndev", Prop::Cells(vec![self.num_sources])),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Ends, given};
    use hartwright_device::{Locked, Mmio, Sink, conforms};
    use std::sync::Arc;

    fn plic(harts: &str) -> (Arc<Locked<Plic>>, Ends) {
        let plic = Locked::new(Box::new(given::<Plic>(&[("hart-config", harts.into())])));
        let (ends, lines) = Ends::new(plic.with(|p| p.outputs().len()) as u32);
        plic.wire(Wiring { lines, ..Wiring::default() }).unwrap();
        (plic, ends)
    }

    fn claim(plic: &Locked<Plic>, context: u64) -> u64 {
        plic.read(0x20_0004 + 0x1000 * context, 4).unwrap()
    }

    fn complete(plic: &Locked<Plic>, context: u64, source: u64) {
        plic.write(0x20_0004 + 0x1000 * context, 4, source).unwrap();
    }

    #[test]
    fn it_conforms() {
        plic("MS,M").0.with(|d| conforms(d)).unwrap();
    }

    #[test]
    fn a_context_is_a_mode_of_a_hart() {
        let outputs = plic("M,MS").0.with(|p| p.outputs());
        let names: Vec<_> = outputs.iter().map(|o| o.name.as_str()).collect();
        assert_eq!(names, ["meip0", "meip1", "seip1"]);
        for config in ["", "MX", ","] {
            let mut plic: Plic = given(&[("hart-config", config.into())]);
            assert!(plic.realize(Wiring::default()).unwrap_err().to_string().contains("hart-config"));
        }
        for (property, value) in
            [("num-sources", 0), ("num-sources", 1024), ("num-priorities", 6), ("num-priorities", 0)]
        {
            assert!(given::<Plic>(&[(property, value.into())]).realize(Wiring::default()).is_err());
        }
    }

    #[test]
    fn the_highest_priority_goes_first_and_then_the_lowest_number() {
        let (plic, ends) = plic("M");
        plic.write(0x2000, 4, 0xffff_ffff).unwrap();
        assert_eq!(plic.read(0x2000, 4), Ok(0xffff_fffe), "source 0 does not exist");
        for (source, priority) in [(3, 2), (5, 7), (4, 2), (6, 0), (7, 9)] {
            plic.write(4 * source, 4, priority).unwrap();
            plic.set(source as u32, true);
        }
        assert_eq!(plic.read(4 * 7, 4), Ok(1), "three bits of priority");
        assert_eq!(plic.read(0x1000, 4), Ok(0b1111_1000));
        assert_eq!(ends.high(), [0]);
        let claims: Vec<_> = (0..5).map(|_| claim(&plic, 0)).collect();
        assert_eq!(claims, [5, 3, 4, 7, 0], "priority 0 never interrupts");
        assert!(ends.high().is_empty());
    }

    #[test]
    fn a_level_asks_again_when_it_is_completed_and_still_high() {
        let (plic, ends) = plic("M");
        plic.write(4 * 10, 4, 1).unwrap();
        plic.write(0x2000, 4, 1 << 10).unwrap();
        plic.set(10, true);
        assert_eq!((ends.high(), claim(&plic, 0)), (vec![0], 10));
        assert!(ends.high().is_empty());
        plic.set(10, false);
        plic.set(10, true);
        assert_eq!(claim(&plic, 0), 0, "while it is served, its gateway holds back");
        complete(&plic, 0, 10);
        assert_eq!((ends.high(), claim(&plic, 0)), (vec![0], 10));
        plic.set(10, false);
        complete(&plic, 0, 10);
        assert_eq!((ends.high(), claim(&plic, 0)), (vec![], 0));
        plic.set(10, true);
        plic.set(10, false);
        assert_eq!(claim(&plic, 0), 10, "a request that was made stays made");
    }

    #[test]
    fn a_completion_by_one_who_has_it_not_enabled_is_ignored() {
        let (plic, ends) = plic("MS");
        plic.write(4 * 10, 4, 1).unwrap();
        plic.write(0x2000, 4, 1 << 10).unwrap();
        plic.set(10, true);
        assert_eq!(claim(&plic, 0), 10);
        for (context, source) in [(1, 10), (0, 11), (0, 0), (0, 0xffff_ffff), (7, 10)] {
            complete(&plic, context, source);
        }
        assert!(ends.high().is_empty());
        complete(&plic, 0, 10);
        assert_eq!(ends.high(), [0]);
    }

    #[test]
    fn a_threshold_masks_the_line_and_not_the_claim() {
        let (plic, ends) = plic("MS");
        plic.write(4 * 33, 4, 3).unwrap();
        plic.write(0x2080 + 4, 4, 1 << 1).unwrap();
        plic.write(0x20_1000, 4, 3).unwrap();
        plic.set(33, true);
        assert!(ends.high().is_empty());
        plic.write(0x20_1000, 4, 2).unwrap();
        assert_eq!(ends.high(), [1]);
        plic.write(0x20_1000, 4, 7).unwrap();
        assert_eq!((ends.high(), claim(&plic, 1)), (vec![], 33));
    }

    #[test]
    fn a_reset_forgets_all_but_the_lines() {
        let (plic, _) = plic("M");
        plic.set(1, true);
        plic.write(4, 4, 1).unwrap();
        plic.reset();
        assert_eq!((plic.read(4, 4), plic.read(0x1000, 4)), (Ok(0), Ok(2)));
    }
}
