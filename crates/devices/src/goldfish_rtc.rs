//! The Goldfish real-time clock: the time of day in nanoseconds, and an alarm.

use hartwright_device::{Alarm, Clock, Device, Error, Line, OWN, Output, Saved, Wiring, registers};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};

// Android's "Goldfish virtual hardware", section "Goldfish real-time clock", and its driver in Linux.
registers! { GoldfishRtc size 0x24, widths [4] else fault:
    /// The low half of the time, in nanoseconds since 1970 began. Reading it keeps the high half for `time_high`.
    0x00 time_low: u32        { TIME[31:0] }    get time_low    set set_time_low;
    /// The high half of the time, as it was when `time_low` was read.
    0x04 time_high: u32       { TIME[31:0] }    get time_high   set set_time_high;
    /// The low half of the time to interrupt at. Writing it sets the alarm, so the high half is written first.
    0x08 alarm_low: u32       { ALARM[31:0] }   get alarm_low   set set_alarm_low;
    /// The high half of the time to interrupt at.
    0x0c alarm_high: u32      { ALARM[31:0] }   get alarm_high  set set_alarm_high;
    /// Whether the alarm interrupts.
    0x10 irq_enabled: u32     { ENABLED[0] }    get irq_enabled set set_irq_enabled;
    /// Any write forgets the alarm.
    0x14 clear_alarm: u32     { CLEAR[31:0] WO } set clear_alarm;
    /// Whether an alarm is set.
    0x18 alarm_status: u32    { RUNNING[0] RO } get alarm_status;
    /// Any write takes the interrupt back.
    0x1c clear_interrupt: u32 { CLEAR[31:0] WO } set clear_interrupt;
}

/// The time of day with an alarm (Goldfish RTC).
#[derive(Object)]
#[object(name = "goldfish_rtc", parent = "sys-bus-device", family = dyn Device)]
pub struct GoldfishRtc {
    // Wiring.
    irq: Line,
    clock: Option<Clock>,
    /// Raises our own pin; `own` is its line, to lower it again.
    alarm: Option<(Alarm, Line)>,
    epoch: u64,

    // State.
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// How far the guest has put the time forward, wrapping.
    ahead: u64,
    /// The high half of the time at the last read of the low half.
    high: u32,
    alarm: u64,
    running: bool,
    pending: bool,
    enabled: bool,
}

/// `old` with its low half replaced.
fn low(old: u64, half: u32) -> u64 {
    old & !0xffff_ffff | u64::from(half)
}

/// `old` with its high half replaced.
fn high(old: u64, half: u32) -> u64 {
    old & 0xffff_ffff | u64::from(half) << 32
}

impl GoldfishRtc {
    /// What is added to the clock to have the time of day.
    fn offset(&self) -> u64 {
        self.epoch.wrapping_add(self.state.ahead)
    }

    fn now(&self) -> u64 {
        self.clock.as_ref().map_or(0, Clock::now).wrapping_add(self.offset())
    }

    fn set_now(&mut self, time: impl FnOnce(u64) -> u64) {
        let now = self.now();
        self.state.ahead = self.state.ahead.wrapping_add(time(now).wrapping_sub(now));
        // The alarm is a time of day, and that has changed.
        self.sync();
    }

    fn time_low(&mut self) -> u32 {
        let now = self.now();
        self.state.high = (now >> 32) as u32;
        now as u32
    }

    fn set_time_low(&mut self, half: u32) {
        self.set_now(|now| low(now, half));
    }

    fn time_high(&mut self) -> u32 {
        self.state.high
    }

    fn set_time_high(&mut self, half: u32) {
        self.set_now(|now| high(now, half));
    }

    fn alarm_low(&mut self) -> u32 {
        self.state.alarm as u32
    }

    fn set_alarm_low(&mut self, half: u32) {
        self.state.alarm = low(self.state.alarm, half);
        self.state.running = true;
        self.sync();
    }

    fn alarm_high(&mut self) -> u32 {
        (self.state.alarm >> 32) as u32
    }

    fn set_alarm_high(&mut self, half: u32) {
        self.state.alarm = high(self.state.alarm, half);
    }

    fn irq_enabled(&mut self) -> u32 {
        self.state.enabled.into()
    }

    fn set_irq_enabled(&mut self, value: u32) {
        self.state.enabled = irq_enabled::ENABLED.is_set(value);
        self.sync();
    }

    fn clear_alarm(&mut self, _: u32) {
        self.state.running = false;
        self.sync();
    }

    fn alarm_status(&mut self) -> u32 {
        self.state.running.into()
    }

    fn clear_interrupt(&mut self, _: u32) {
        self.state.pending = false;
        self.sync();
    }

    /// Alarm and line, from the registers and the time.
    fn sync(&mut self) {
        let clock = self.clock.as_ref().map_or(0, Clock::now);
        let now = clock.wrapping_add(self.offset());
        if self.state.running && now >= self.state.alarm {
            self.state.running = false;
            self.state.pending = true;
        }
        if let Some((alarm, own)) = &self.alarm {
            own.set(false);
            // One that is centuries away is beyond the clock.
            let left = self.state.running.then(|| self.state.alarm.saturating_sub(now));
            alarm.at(left.and_then(|left| clock.checked_add(left)));
        }
        self.irq.set(self.state.pending && self.state.enabled);
    }
}

impl Device for GoldfishRtc {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        let own = wiring.own(OWN);
        let clock = wiring.time_of_day();
        self.alarm = Some((clock.alarm(own.clone()), own));
        self.irq = wiring.line(0);
        self.epoch = wiring.epoch;
        self.clock = Some(clock);
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::default();
        self.sync();
    }

    fn input(&mut self, _: u32, _: bool) {
        self.sync();
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }

    fn restored(&mut self) {
        self.sync();
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::interrupt("irq")]
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["google,goldfish-rtc"]
    }

    fn node(&self) -> &'static str {
        "rtc"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Ends;
    use hartwright_device::{Locked, Mmio, conforms};
    use std::sync::Arc;

    const START: u64 = 1_700_000_000_000_000_000;

    fn rtc() -> (Arc<Locked<GoldfishRtc>>, Ends, Clock) {
        let rtc = Locked::new(Box::new(GoldfishRtc::default()));
        let (ends, lines) = Ends::new(1);
        let clock = Clock::by_hand();
        rtc.wire(Wiring { lines, clock: clock.clone(), epoch: START, ..Wiring::default() }).unwrap();
        (rtc, ends, clock)
    }

    fn time(rtc: &Locked<GoldfishRtc>) -> u64 {
        let low = rtc.read(0, 4).unwrap();
        rtc.read(4, 4).unwrap() << 32 | low
    }

    #[test]
    fn it_conforms() {
        conforms(&mut GoldfishRtc::default()).unwrap();
    }

    #[test]
    fn both_halves_of_the_time_are_of_one_moment() {
        let (rtc, _, clock) = rtc();
        assert_eq!(time(&rtc), START);
        let low = rtc.read(0, 4).unwrap();
        clock.advance(1 << 32);
        assert_eq!(rtc.read(4, 4).unwrap() << 32 | low, START);
        assert_eq!(time(&rtc), START + (1 << 32));
    }

    #[test]
    fn a_guest_sets_the_time_and_a_reset_sets_it_back() {
        let (rtc, _, clock) = rtc();
        rtc.write(4, 4, 5).unwrap();
        rtc.write(0, 4, 7).unwrap();
        clock.advance(3);
        assert_eq!(time(&rtc), 5 << 32 | 10);
        rtc.reset();
        assert_eq!(time(&rtc), START + 3);
    }

    #[test]
    fn an_alarm_rings_once_and_interrupts_if_it_may() {
        let (rtc, ends, clock) = rtc();
        let at = START + 1000;
        let set = || {
            rtc.write(0xc, 4, at >> 32).unwrap();
            rtc.write(8, 4, at & 0xffff_ffff).unwrap();
        };
        set();
        assert_eq!(rtc.read(0x18, 4), Ok(1));
        clock.advance(999);
        assert_eq!((rtc.read(0x18, 4), ends.high()), (Ok(1), vec![]));
        clock.advance(1);
        assert_eq!((rtc.read(0x18, 4), ends.high()), (Ok(0), vec![]), "the interrupt is off");
        rtc.write(0x10, 4, 1).unwrap();
        assert_eq!(ends.high(), [0]);
        rtc.write(0x1c, 4, 0).unwrap();
        assert!(ends.high().is_empty());
        set();
        assert_eq!(ends.high(), [0], "what is past rings at once");
        rtc.reset();
        assert!(ends.high().is_empty());
    }

    #[test]
    fn a_cleared_alarm_is_silent() {
        let (rtc, ends, clock) = rtc();
        rtc.write(0x10, 4, 1).unwrap();
        rtc.write(0xc, 4, START >> 32).unwrap();
        rtc.write(8, 4, (START + 10) & 0xffff_ffff).unwrap();
        rtc.write(0x14, 4, 1).unwrap();
        clock.advance(100);
        assert_eq!((rtc.read(0x18, 4), ends.high()), (Ok(0), vec![]));
    }
}
