//! The ACLINT: software interrupts of machine and supervisor mode, and the machine timer, as devices of their own.

use hartwright_device::{Comparator, Device, Error, Line, Mtime, Output, Saved, Wiring, registers};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// As many harts as one device serves (ACLINT specification, chapters 2 to 4).
const MOST: u32 = 4095;
const SSIP: u32 = 1;
const MSIP: u32 = 3;
const MTIP: u32 = 7;

/// That `harts` are so many as there may be.
fn check(class: &str, harts: u32) -> Result<(), Error> {
    match (1..=MOST).contains(&harts) {
        true => Ok(()),
        false => Err(Error::OutOfRange {
            class: class.into(),
            property: "num-harts".into(),
            value: harts.into(),
            min: 1,
            max: MOST.into(),
        }),
    }
}

/// The software interrupts (MSWI and SSWI).
pub(crate) mod swi {
    use super::*;

    // RISC-V ACLINT specification 1.0, chapters 3 and 4.
    registers! { AclintSwi size 0x4000, widths [4] else fault:
        /// Software interrupt of each hart. Of machine mode it is what the hart's `mip.MSIP` is; of supervisor mode
        /// writing 1 sets `mip.SSIP`, and it reads as 0.
        0x0000 setip[4095; 4]: u32 { PENDING[0] } get pending set set_pending;
    }

    /// Software interrupts of up to 4095 harts (RISC-V ACLINT MSWI or SSWI).
    #[derive(Object)]
    #[object(name = "riscv.aclint.swi", parent = "sys-bus-device", family = dyn Device)]
    pub struct AclintSwi {
        // Configuration.
        /// The first hart it serves.
        #[property(default = 0)]
        hartid_base: u32,
        /// How many harts it serves.
        #[property(default = 1)]
        num_harts: u32,
        /// Whether its interrupts are supervisor mode's.
        #[property(default = false)]
        sswi: bool,

        // Wiring.
        lines: Vec<Line>,

        // State.
        state: State,
    }

    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    struct State {
        pending: Vec<bool>,
    }

    impl AclintSwi {
        fn pending(&mut self, hart: usize) -> u32 {
            self.state.pending.get(hart).is_some_and(|pending| *pending).into()
        }

        fn set_pending(&mut self, hart: usize, value: u32) {
            let (on, edge) = (setip::PENDING.is_set(value), self.sswi);
            let Some(line) = self.lines.get(hart) else { return };
            if !edge && let Some(pending) = self.state.pending.get_mut(hart) {
                *pending = on;
            }
            line.set(on);
            if edge {
                line.set(false);
            }
        }

        fn sync(&self) {
            for (line, pending) in self.lines.iter().zip(&self.state.pending) {
                line.set(*pending);
            }
        }
    }

    impl Device for AclintSwi {
        fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
            check(self.class().name, self.num_harts)?;
            self.lines = (0..self.num_harts as usize).map(|hart| wiring.line(hart)).collect();
            Ok(())
        }

        fn reset(&mut self) {
            self.state = State { pending: vec![false; self.lines.len()] };
            self.sync();
        }

        fn state(&mut self) -> Option<&mut dyn Saved> {
            Some(&mut self.state)
        }

        fn restored(&mut self) {
            self.state.pending.resize(self.lines.len(), false);
            self.sync();
        }

        fn outputs(&self) -> Vec<Output> {
            let (name, bit) = if self.sswi { ("ssip", SSIP) } else { ("msip", MSIP) };
            let harts = (0..self.num_harts.min(MOST)).map(|hart| hart.saturating_add(self.hartid_base));
            harts.map(|hart| Output::hart(format!("{name}{hart}"), hart, bit)).collect()
        }

        fn compatible(&self) -> &'static [&'static str] {
            if self.sswi { &["riscv,aclint-sswi"] } else { &["riscv,aclint-mswi"] }
        }

        fn node(&self) -> &'static str {
            if self.sswi { "sswi" } else { "mswi" }
        }

        fn describe(&self) -> Vec<(&'static str, hartwright_device::Prop)> {
            use hartwright_device::Prop;
            vec![("interrupt-controller", Prop::Empty), ("#interrupt-cells", Prop::Cells(vec![0]))]
        }
    }
}

/// The machine timer (MTIMER).
pub(crate) mod mtimer {
    use super::*;

    // RISC-V ACLINT specification 1.0, chapter 2. The two ranges lie as in a CLINT.
    registers! { AclintMtimer size 0x8000, widths [4, 8] else fault:
        /// Each hart's time to be interrupted at: its `mip.MTIP` is whether `mtime` has reached it.
        0x0000 mtimecmp[4095; 8]: u64 { COMPARE[63:0] } get mtimecmp set set_mtimecmp;
        /// The time, in ticks of the machine's timebase.
        0x7ff8 mtime: u64             { TIME[63:0] }    get mtime    set set_mtime;
    }

    /// The machine timer and comparators of up to 4095 harts (RISC-V ACLINT MTIMER).
    #[derive(Object)]
    #[object(name = "riscv.aclint.mtimer", parent = "sys-bus-device", family = dyn Device)]
    pub struct AclintMtimer {
        // Configuration.
        /// The first hart it serves.
        #[property(default = 0)]
        hartid_base: u32,
        /// How many harts it serves.
        #[property(default = 1)]
        num_harts: u32,

        // Wiring.
        time: Option<Arc<Mtime>>,
        timers: Vec<Arc<Comparator>>,

        // State.
        state: State,
    }

    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    struct State {
        mtimecmp: Vec<u64>,
        /// `mtime` when the state was saved; while the machine runs, time is not ours.
        mtime: u64,
    }

    impl AclintMtimer {
        fn mtimecmp(&mut self, hart: usize) -> u64 {
            self.state.mtimecmp.get(hart).copied().unwrap_or(0)
        }

        fn set_mtimecmp(&mut self, hart: usize, value: u64) {
            if let (Some(compare), Some(timer)) = (self.state.mtimecmp.get_mut(hart), self.timers.get(hart)) {
                *compare = value;
                timer.set(value);
            }
        }

        fn mtime(&mut self) -> u64 {
            self.time.as_ref().map_or(0, |time| time.read())
        }

        fn set_mtime(&mut self, value: u64) {
            if let Some(time) = &self.time {
                time.write(value);
            }
        }

        fn sync(&mut self) {
            for (timer, compare) in self.timers.iter().zip(&self.state.mtimecmp) {
                timer.set(*compare);
            }
        }
    }

    impl Device for AclintMtimer {
        fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
            check(self.class().name, self.num_harts)?;
            let timer = |hart| wiring.mtime.comparator(wiring.line(hart));
            self.timers = (0..self.num_harts as usize).map(timer).collect();
            self.time = Some(wiring.mtime);
            Ok(())
        }

        fn reset(&mut self) {
            // The specification leaves the comparators open; at their greatest they ask for nothing.
            self.state = State { mtimecmp: vec![u64::MAX; self.timers.len()], mtime: 0 };
            self.sync();
            self.set_mtime(0);
        }

        fn state(&mut self) -> Option<&mut dyn Saved> {
            self.state.mtime = self.mtime();
            Some(&mut self.state)
        }

        fn restored(&mut self) {
            self.state.mtimecmp.resize(self.timers.len(), u64::MAX);
            self.set_mtime(self.state.mtime);
            self.sync();
        }

        fn outputs(&self) -> Vec<Output> {
            let harts = (0..self.num_harts.min(MOST)).map(|hart| hart.saturating_add(self.hartid_base));
            harts.map(|hart| Output::hart(format!("mtip{hart}"), hart, MTIP)).collect()
        }

        fn compatible(&self) -> &'static [&'static str] {
            &["riscv,aclint-mtimer"]
        }

        fn node(&self) -> &'static str {
            "mtimer"
        }

        fn windows(&self, _: u64) -> Vec<(u64, u64)> {
            // Up to where a second socket's begins, as QEMU says it.
            vec![(0x7ff8, 0x4008), (0, 0x7ff8)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{mtimer::AclintMtimer, swi::AclintSwi, *};
    use crate::bench::{Ends, given};
    use hartwright_device::{Clock, Locked, Mmio, conforms};

    #[test]
    fn they_conform() {
        let pair: [(&str, hartwright_objects::Given); 2] =
            [("num-harts", 3.into()), ("hartid-base", 1.into())];
        let swi = |sswi: bool| {
            let mut swi = given::<AclintSwi>(&pair);
            Object::give(&mut swi, "sswi", &sswi.into()).unwrap();
            swi
        };
        for sswi in [false, true] {
            let device = Locked::new(Box::new(swi(sswi)));
            device.wire(Wiring::default()).unwrap();
            device.with(|device| conforms(device)).unwrap();
        }
        let device = Locked::new(Box::new(given::<AclintMtimer>(&pair)));
        device.wire(Wiring::default()).unwrap();
        device.with(|device| conforms(device)).unwrap();
    }

    #[test]
    fn machine_mode_has_a_level_and_supervisor_mode_an_edge() {
        for sswi in [false, true] {
            let swi = given::<AclintSwi>(&[("num-harts", 2.into()), ("sswi", sswi.into())]);
            let swi = Locked::new(Box::new(swi));
            let (ends, lines) = Ends::new(2);
            swi.wire(Wiring { lines, ..Wiring::default() }).unwrap();
            swi.write(4, 4, 1).unwrap();
            let expect = if sswi { (Ok(0), vec![]) } else { (Ok(1), vec![1]) };
            assert_eq!((swi.read(4, 4), ends.high()), expect);
            swi.write(8, 4, 1).unwrap();
            assert_eq!(swi.read(8, 4), Ok(0), "there is no third hart");
        }
    }

    #[test]
    fn a_timer_serves_the_harts_from_its_first() {
        let pair: [(&str, hartwright_objects::Given); 2] =
            [("num-harts", 2.into()), ("hartid-base", 2.into())];
        let timer = Locked::new(Box::new(given::<AclintMtimer>(&pair)));
        let names: Vec<_> = timer.with(|t| t.outputs()).into_iter().map(|output| output.name).collect();
        assert_eq!(names, ["mtip2", "mtip3"]);
        let (ends, lines) = Ends::new(2);
        let clock = Clock::by_hand();
        let mtime = Mtime::new(clock.clone(), 10_000_000);
        timer.wire(Wiring { lines, clock: clock.clone(), mtime, ..Wiring::default() }).unwrap();
        timer.write(8, 8, 10).unwrap();
        clock.advance(1_000);
        assert_eq!((timer.read(0x7ff8, 8), timer.read(8, 4), ends.high()), (Ok(10), Ok(10), vec![1]));
        timer.write(0xc, 4, 1).unwrap();
        assert!(ends.high().is_empty());
    }
}
