//! A timer that interrupts again and again.

use hartwright::serde::{Deserialize, Serialize};
use hartwright::{Object, device::*, registers};

registers! { MyTimer size 0x1000, widths [4] else fault:
    /// How long a period is; 0: the timer stands. A write begins a new one.
    0x0 period: u32 { MICROSECONDS[31:0] }    then start;
    /// Whether a period has ended.
    0x4 status: u32 { DUE[0] W1C }            then sync;
}

/// A timer of our own.
#[derive(Object)]
#[object(name = "my-timer", parent = "sys-bus-device", family = dyn Device, category = Misc)]
pub struct MyTimer {
    // Wiring.
    irq: Line,
    clock: Clock,
    /// Raises our own pin; `own` is its line, to lower it again.
    alarm: Option<(Alarm, Line)>,

    // What a reset clears.
    state: State,
}

// It remembers more than its registers, so it says how that is saved.
#[derive(Default, Serialize, Deserialize)]
#[serde(crate = "hartwright::serde")]
struct State {
    regs: Regs,
    /// When the present period ends, in nanoseconds of the machine's time.
    ends: u64,
}

impl MyTimer {
    fn start(&mut self) {
        self.state.ends = self.clock.now();
        self.next_period();
    }

    fn next_period(&mut self) {
        let nanoseconds = u64::from(self.state.regs.period) * 1000;
        self.state.ends = self.state.ends.saturating_add(nanoseconds);
        self.arm();
    }

    fn arm(&mut self) {
        if let Some((alarm, own)) = &self.alarm {
            own.set(false);
            alarm.at((self.state.regs.period > 0).then_some(self.state.ends));
        }
    }

    fn sync(&mut self) {
        self.irq.set(status::DUE.is_set(self.state.regs.status));
    }
}

impl Device for MyTimer {
    fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
        let own = wiring.own(OWN);
        self.alarm = Some((wiring.clock.alarm(own.clone()), own));
        (self.irq, self.clock) = (wiring.line(0), wiring.clock);
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::default();
        self.start();
        self.sync();
    }

    /// The alarm rings.
    fn input(&mut self, pin: u32, level: bool) {
        if pin == OWN && level && self.state.regs.period > 0 {
            self.state.regs.status = status::DUE.at(1);
            self.next_period();
            self.sync();
        }
    }

    fn state(&mut self) -> Option<&mut dyn Saved> {
        Some(&mut self.state)
    }

    fn restored(&mut self) {
        self.arm();
        self.sync();
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::interrupt("irq")]
    }

    fn compatible(&self) -> &'static [&'static str] {
        &["my,timer"]
    }

    fn node(&self) -> &'static str {
        "timer"
    }
}
