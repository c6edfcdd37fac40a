//! `-accel jit,check=on`: every run of code is taken back and done again by the interpreter, and both are compared.
//!
//! A run is short, so that it can be taken back: code keeps a record of its accesses. Where somebody else wrote to
//! memory meanwhile (a disk's thread, say), either may have seen it and the other not; then a difference is none, and
//! what the interpreter did holds, whose stores are not taken back.

use crate::{
    block::Cache,
    core::{Core, Ended},
    trace::{Trace, registers},
};
use hartwright_hart::Shown;
use hartwright_ir::Width;
use hartwright_jit::{Exit, Jit, Record};
use hartwright_mem::Moment;
use std::{collections::BTreeMap, fmt::Write};

/// What came of a run of code that was done again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// The same. Code that leaves an instruction to the interpreter may have raised flags of it: those that are still
    /// to be raised.
    Alike { early: u8 },
    /// Something else, but somebody else wrote meanwhile. The hart is where the interpreter left it, which ended so.
    Disturbed(Ended),
}

/// What a run of code did.
struct Done<W> {
    after: Shown<W>,
    /// The words that it stored to, with what they held before and after.
    stores: BTreeMap<u64, (u64, u64)>,
}

impl<W: Width> Core<W> {
    /// Does what code did again, as the interpreter does it. Code began at `before`, and that was at `moment` or
    /// later, made the accesses of `records` and was left by `exit`. An error tells how the two differ, and leaves the
    /// hart where they began.
    pub(crate) fn check<'c>(
        &'c self,
        cache: &mut Cache<'c, W>,
        moment: Moment,
        before: &Shown<W>,
        records: &[Record],
        exit: Exit,
        trace: &Trace,
    ) -> Result<Checked, String> {
        let hart = &self.hart;
        let mut done = self.take_back(before, records);
        let (blocks, ended) = self.repeat(cache, done.after.instret, trace);
        let mut early = 0;
        if exit == Exit::Step {
            let now = hart.shown();
            early = done.after.fflags & !now.fflags;
            done.after.fflags &= !early;
            // It may say so too early for good (privileged spec, 3.1.6.6).
            done.after.float_dirty &= now.float_dirty;
        }
        let mut differences = String::new();
        for (name, code, interpreter) in done.after.differences(&hart.shown()) {
            let _ = writeln!(differences, "  {name}: {code:#x} by code, {interpreter:#x} by the interpreter");
        }
        for (at, (_, code)) in &done.stores {
            let interpreter = hart.ram().load::<u64>(*at).unwrap_or(0);
            if interpreter != *code {
                let _ = writeln!(
                    differences,
                    "  RAM at offset {at:#x}: {code:#x} by code, {interpreter:#x} by the interpreter"
                );
            }
        }
        if let Err(ended) = ended {
            let _ = writeln!(differences, "  the interpreter does not go on: {ended:?}");
        }
        if differences.is_empty() {
            let instructions = hart.instret().wrapping_sub(before.instret);
            self.compared.set(self.compared.get() + instructions);
            return Ok(Checked::Alike { early });
        }
        if !hart.ram().is_quiet_since(moment) {
            return Ok(Checked::Disturbed(ended.err().unwrap_or(Ended::Running)));
        }
        hart.show(before);
        let blocks: String = blocks.iter().map(|block| cache.told(hart, *block)).collect();
        Err(format!("{differences}before it:\n{}{blocks}", registers(hart)))
    }

    /// Does as many instructions as code did, which left the count at `instret`; says which blocks they are of.
    fn repeat<'c>(
        &'c self,
        cache: &mut Cache<'c, W>,
        instret: u64,
        trace: &Trace,
    ) -> (Vec<u32>, Result<(), Ended>) {
        let mut blocks = vec![];
        loop {
            let left = instret.wrapping_sub(self.hart.instret());
            // Code that did nothing asks for nothing; nor does code that did less than nothing.
            if left == 0 || left > 2 * Jit::RECORDS as u64 {
                return (blocks, Ok(()));
            }
            if let Ok(block) = cache.locate(self) {
                blocks.push(block);
            }
            let ended = self.run_some(cache, left as usize, trace);
            if !matches!(ended, Ended::Running | Ended::Spinning | Ended::Refetch) {
                return (blocks, Err(ended));
            }
        }
    }

    /// Puts hart and memory back to where they were before a run.
    fn take_back(&self, before: &Shown<W>, records: &[Record]) -> Done<W> {
        let ram = self.hart.ram();
        let mut done = Done { after: self.hart.shown(), stores: BTreeMap::new() };
        for record in records.iter().filter(|record| record.store) {
            done.stores.entry(record.at).or_insert((record.before, 0));
        }
        for (at, (before, after)) in &mut done.stores {
            *after = ram.load(*at).unwrap_or(0);
            // It is RAM, as the store has shown.
            let _ = ram.store(*at, *before);
        }
        self.hart.show(before);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::Engine;
    use hartwright_hart::{Config, Hart};
    use hartwright_isa::cpu::CpuModel;
    use hartwright_mem::AddressSpace;
    use hartwright_wire::{Clock, Entropy, Mtime};

    const RAM: u64 = 0x8000_0000;
    /// A word of RAM that the code stores to, and one that it loads.
    const STORED: u64 = 0x800;
    const LOADED: u64 = 0x808;

    /// What is told if code, which is `addi x1, x0, 5; ld x2, 0x808(x3); sd x1, 0x800(x3)`, does what `wrong` does.
    fn told(wrong: impl FnOnce(&Hart<u64>)) -> Result<Checked, String> {
        told_of_store(STORED, wrong).0
    }

    /// The same of code that stores to `at`, and has loaded what it should store to; and how many instructions were
    /// compared.
    fn told_of_store(at: u64, wrong: impl FnOnce(&Hart<u64>)) -> (Result<Checked, String>, u64) {
        let mut space = AddressSpace::build();
        space.ram("ram", RAM, 0x1000).unwrap();
        let space = space.finish().unwrap();
        let words = [0x0050_0093_u32, 0x8081_b103, 0x8011_b023];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        space.write_bytes(RAM, &bytes).unwrap();
        let core = Core::new(Hart::<u64>::new(Config {
            model: CpuModel::find("max").unwrap().clone(),
            id: 0,
            reset_pc: RAM,
            space,
            mtime: Mtime::new(Clock::new(), 10_000_000),
            entropy: Entropy::default(),
        }));
        let hart = &core.hart;
        hart.set_x(3, RAM + 0x1000);
        let mut cache = Cache::new(hart, Engine::Interpreter, true);
        let (moment, before) = (hart.ram().moment(), hart.shown());
        hart.set_x(1, 5);
        hart.set_pc(RAM + 12);
        hart.retire(3);
        assert!(hart.ram().store(at, 5_u64));
        wrong(hart);
        let records = [
            Record { at: LOADED, before: 0, store: false },
            Record { at: STORED, before: 0, store: false },
            Record { at, before: 0, store: true },
        ];
        let told = core.check(&mut cache, moment, &before, &records, Exit::Done, &Trace::default());
        (told, core.compared.get())
    }

    #[test]
    fn code_that_does_what_it_should_is_not_told_of() {
        assert_eq!(told_of_store(STORED, |_| ()), (Ok(Checked::Alike { early: 0 }), 3));
    }

    #[test]
    fn each_part_that_differs_is_told() {
        type Wrong = fn(&Hart<u64>);
        let cases: [(&str, Wrong); 6] = [
            ("x1: 0x6 by code, 0x5 by the interpreter", |hart| hart.set_x(1, 6)),
            ("f7: 0x1 by code, 0x0 by the interpreter", |hart| hart.set_f(7, 1)),
            ("pc: 0x80000010 by code, 0x8000000c by the interpreter", |hart| hart.set_pc(RAM + 16)),
            ("fflags: 0x1 by code, 0x0 by the interpreter", |hart| hart.accrue(1)),
            ("pc: 0x8000000c by code, 0x80000008 by the interpreter", |hart| hart.retire(u64::MAX)),
            ("RAM at offset 0x800: 0x9 by code, 0x5 by the interpreter", |hart| {
                assert!(hart.ram().store(STORED, 9_u64));
            }),
        ];
        for (expect, wrong) in cases {
            let text = told(wrong).expect_err(expect);
            assert!(text.contains(expect), "{expect}:\n{text}");
            assert!(text.contains("guest code:\n0x0000000080000000:  li"), "{text}");
        }
    }

    #[test]
    fn a_store_to_a_wrong_place_is_told_although_the_right_one_was_loaded_before() {
        let (told, compared) = told_of_store(STORED + 16, |_| ());
        let text = told.expect_err("the word at the wrong place");
        assert_eq!(compared, 0);
        assert!(text.contains("RAM at offset 0x810: 0x5 by code, 0x0 by the interpreter"), "{text}");
    }

    #[test]
    fn what_others_wrote_meanwhile_is_no_difference_and_the_interpreter_s_holds() {
        let wrong = |hart: &Hart<u64>| {
            hart.set_x(2, 1);
            assert!(hart.ram().write(LOADED, &[7]));
        };
        assert_eq!(told_of_store(STORED, wrong), (Ok(Checked::Disturbed(Ended::Running)), 0));
    }

    #[test]
    fn what_was_written_before_is_no_excuse() {
        let wrong = |hart: &Hart<u64>| {
            hart.set_x(2, 1);
            // By a hart.
            assert!(hart.ram().store(LOADED, 7_u64));
        };
        let text = told(wrong).expect_err("x2");
        assert!(text.contains("x2: 0x1 by code, 0x7 by the interpreter"), "{text}");
    }
}
