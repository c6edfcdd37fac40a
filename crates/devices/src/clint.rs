//! The SiFive core-local interruptor: a software interrupt and a timer comparator for each hart, and the timer.

use hartwright_device::{Comparator, Device, Error, Line, Mtime, Output, Saved, Wiring, log, registers};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

// SiFive FU540-C000 manual, chapter 9.
registers! { Clint size 0x1_0000, widths [4, 8] else fault:
    /// Software interrupt of each hart: what its `mip.MSIP` is.
    0x0000 msip[4095; 4]: u32     { MSIP[0] }        get msip     set set_msip;
    /// Each hart's time to be interrupted at: its `mip.MTIP` is whether `mtime` has reached it.
    0x4000 mtimecmp[4095; 8]: u64 { COMPARE[63:0] }  get mtimecmp set set_mtimecmp;
    /// The time, in ticks of the machine's timebase.
    0xbff8 mtime: u64             { TIME[63:0] }     get mtime    set set_mtime;
}

/// As many harts as there is room for comparators below `mtime`.
const MOST: u32 = 4095;
const MSIP: u32 = 3;
const MTIP: u32 = 7;

/// Software interrupts and timer of up to 4095 harts (SiFive CLINT).
#[derive(Object)]
#[object(name = "riscv.clint", parent = "sys-bus-device", family = dyn Device)]
pub struct Clint {
    // Configuration.
    /// How many harts it serves, from its first on.
    #[property(default = 1)]
    num_harts: u32,
    /// The first hart it serves.
    #[property(default = 0)]
    hartid_base: u32,

    // Wiring.
    time: Option<Arc<Mtime>>,
    harts: Vec<Hart>,

    // State.
    state: State,
}

struct Hart {
    soft: Line,
    timer: Arc<Comparator>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    harts: Vec<HartState>,
    /// `mtime` when the state was saved; while the machine runs, time is not ours.
    mtime: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HartState {
    msip: bool,
    mtimecmp: u64,
}

impl Default for HartState {
    /// The manual leaves the comparator open; at its greatest it asks for nothing.
    fn default() -> Self {
        HartState { msip: false, mtimecmp: u64::MAX }
    }
}

impl Clint {
    fn hart(&mut self, hart: usize, offset: usize) -> Option<&mut HartState> {
        let harts = self.num_harts;
        let state = self.state.harts.get_mut(hart);
        if state.is_none() {
            let offset = (offset + hart * 4) as u64;
            log::guest_error("riscv.clint", offset, "no such hart", format_args!(": {hart} of {harts}"));
        }
        state
    }

    fn msip(&mut self, hart: usize) -> u32 {
        self.hart(hart, 0).map_or(0, |h| h.msip.into())
    }

    fn set_msip(&mut self, hart: usize, value: u32) {
        if let Some(h) = self.hart(hart, 0) {
            h.msip = msip::MSIP.is_set(value);
            self.sync(hart);
        }
    }

    fn mtimecmp(&mut self, hart: usize) -> u64 {
        self.hart(hart, 0x4000).map_or(0, |h| h.mtimecmp)
    }

    fn set_mtimecmp(&mut self, hart: usize, value: u64) {
        if let Some(h) = self.hart(hart, 0x4000) {
            h.mtimecmp = value;
            self.sync(hart);
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

    /// Drives a hart's lines from its registers.
    fn sync(&self, hart: usize) {
        if let (Some(wires), Some(state)) = (self.harts.get(hart), self.state.harts.get(hart)) {
            wires.soft.set(state.msip);
            wires.timer.set(state.mtimecmp);
        }
    }
}

impl Device for Clint {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        if !(1..=MOST).contains(&self.num_harts) {
            return Err(Error::OutOfRange {
                class: self.class().name.into(),
                property: "num-harts".into(),
                value: self.num_harts.into(),
                min: 1,
                max: MOST.into(),
            });
        }
        let timer = |i| wiring.mtime.comparator(wiring.line(2 * i + 1));
        let hart = |i| Hart { soft: wiring.line(2 * i), timer: timer(i) };
        self.harts = (0..self.num_harts as usize).map(hart).collect();
        self.time = Some(wiring.mtime);
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State { harts: vec![HartState::default(); self.num_harts as usize], mtime: 0 };
        (0..self.harts.len()).for_each(|hart| self.sync(hart));
        self.set_mtime(0);
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        self.state.mtime = self.mtime();
        Some(&mut self.state)
    }

    fn restored(&mut self) {
        self.set_mtime(self.state.mtime);
        (0..self.harts.len()).for_each(|hart| self.sync(hart));
    }

    fn outputs(&self) -> Vec<Output> {
        let lines = |hart| {
            [Output::hart(format!("msip{hart}"), hart, MSIP), Output::hart(format!("mtip{hart}"), hart, MTIP)]
        };
        let harts = (0..self.num_harts.min(MOST)).map(|hart| hart.saturating_add(self.hartid_base));
        harts.flat_map(lines).collect()
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["sifive,clint0", "riscv,clint0"]
    }

    fn node(&self) -> &'static str {
        "clint"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Ends, given};
    use hartwright_device::{Clock, Locked, Mmio, conforms};

    fn clint(harts: u64) -> (Arc<Locked<Clint>>, Ends, Clock) {
        let clint = Locked::new(Box::new(given::<Clint>(&[("num-harts", harts.into())])));
        let (ends, lines) = Ends::new(2 * harts as u32);
        let wiring = Wiring { lines, ..Wiring::default() };
        let clock = wiring.clock.clone();
        clint.wire(wiring).unwrap();
        (clint, ends, clock)
    }

    #[test]
    fn it_conforms() {
        clint(3).0.with(|d| conforms(d)).unwrap();
    }

    #[test]
    fn a_hart_is_interrupted_by_software() {
        let (clint, ends, _) = clint(2);
        clint.write(4, 4, 0xffff_ffff).unwrap();
        assert_eq!((clint.read(4, 4), ends.high()), (Ok(1), vec![2]));
        assert_eq!(clint.read(0, 8), Ok(1 << 32), "both at once");
        clint.write(4, 4, 0).unwrap();
        assert!(ends.high().is_empty());
        clint.write(8, 4, 1).unwrap();
        assert_eq!((clint.read(8, 4), ends.high()), (Ok(0), vec![]), "there is no third hart");
    }

    #[test]
    fn halves_of_time_and_comparator_are_separate() {
        let (clint, ends, _) = clint(1);
        assert_eq!(clint.read(0x4000, 8), Ok(u64::MAX));
        clint.write(0x4004, 4, 0).unwrap();
        clint.write(0x4000, 4, 10).unwrap();
        assert_eq!((clint.read(0x4000, 8), ends.high()), (Ok(10), vec![]));
        clint.write(0xbffc, 4, 1).unwrap();
        assert_eq!((clint.read(0xbff8, 8), clint.read(0xbffc, 4)), (Ok(1 << 32), Ok(1)));
        assert_eq!(ends.high(), [1], "time is past the comparator");
        clint.write(0x4000, 8, 1 << 33).unwrap();
        assert!(ends.high().is_empty());
        assert!(clint.read(0xbff9, 4).is_err() && clint.read(0, 1).is_err());
        clint.reset();
        assert_eq!((clint.read(0xbff8, 8), clint.read(0x4000, 8)), (Ok(0), Ok(u64::MAX)));
    }

    #[test]
    fn the_timer_rings_when_time_comes() {
        let (clint, ends, clock) = clint(2);
        clint.write(0x4008, 8, 1_000).unwrap();
        assert!(ends.high().is_empty());
        clock.start();
        ends.wait(|high| high == [3]);
        clint.write(0x4008, 8, u64::MAX).unwrap();
        assert!(ends.high().is_empty());
    }

    #[test]
    fn too_many_harts_are_refused() {
        let error = given::<Clint>(&[("num-harts", 4096.into())]).realize(Wiring::default()).unwrap_err();
        let text = "Property riscv.clint.num-harts doesn't take value 4096 (minimum: 1, maximum: 4095)";
        assert_eq!(error.to_string(), text);
    }
}
