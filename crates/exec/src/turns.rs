//! Harts in turn on one host thread, and time counted in their instructions (`-icount`).
//!
//! Where time is counted, all that the harts do follows from what they are given: the clock shows what their
//! instructions add up to, alarms ring between two instructions, and a turn is so many instructions.

use crate::{
    block::LONGEST,
    core::Ended,
    harts::{Reason, Request},
    runner::{Manner, NAP, Runner},
};
use hartwright_hart::Bell;
use hartwright_ir::Width;
use hartwright_wire::Clock;
use std::{
    mem,
    sync::{Arc, mpsc::Receiver},
    thread,
    time::{Duration, Instant},
};

/// How harts share the host.
#[derive(Clone, Default)]
pub enum Pace {
    /// Each has a thread of its own.
    #[default]
    Together,
    /// One thread has them all.
    InTurn,
    /// The same, and time is counted in instructions.
    Counted(Icount),
}

/// Time counted in instructions.
#[derive(Clone)]
pub struct Icount {
    /// Shows the time: one [by hand](Clock::by_hand).
    pub clock: Clock,
    /// How long an instruction takes.
    pub shift: Shift,
    /// While all harts wait for an interrupt, time passes as on the host. Otherwise it leaps to the next alarm.
    pub sleep: bool,
}

/// Nanoseconds an instruction takes, as a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// So many: 2 to this, at most [`Shift::MOST`].
    Fixed(u32),
    /// So many that time keeps up with the host's.
    Auto,
}

impl Shift {
    /// The most.
    pub const MOST: u32 = 10;
}

/// Instructions of a turn.
const TURN: u64 = 1 << 14;

/// Runs harts in turn until they are to go.
pub(crate) fn live<W: Width>(
    mut runners: Vec<Runner<'_, '_, W>>,
    icount: Option<Icount>,
    requests: &Receiver<(usize, Request)>,
) {
    let bell = Arc::new(Bell::default());
    runners.iter().for_each(|runner| runner.core.hart.port().share(bell.clone()));
    if let Some(icount) = &icount {
        let bell = bell.clone();
        icount.clock.on_sooner(move || bell.ring());
    }
    let mut count = Count::new(icount);
    loop {
        if !runners.iter().any(|runner| runner.running) {
            runners.iter_mut().for_each(Runner::rest);
            let Ok(request) = requests.recv() else { return };
            if !answer(&mut runners, request) {
                return;
            }
            count.compare_anew();
        }
        while let Ok(request) = requests.try_recv() {
            if !answer(&mut runners, request) {
                return;
            }
        }
        let turns = runners.iter_mut().filter(|runner| runner.running).map(|runner| turn(runner, &mut count));
        let did = turns.max();
        // Whoever looks at a hart now sees the time as it is.
        count.tell(0);
        match did {
            Some(Turn::None) if runners.iter().any(|runner| runner.running) => {
                count.idle(&bell, || runners.iter().any(|runner| runner.core.hart.port().rung()));
            }
            Some(Turn::Spun) => thread::yield_now(),
            _ => {}
        }
        count.keep_up();
    }
}

/// Does what is asked of one or all; `false` if that is to go.
fn answer<W: Width>(runners: &mut [Runner<'_, '_, W>], (number, request): (usize, Request)) -> bool {
    let first = runners.first().map_or(0, |runner| runner.around.number);
    match request {
        Request::ResumeAll => runners.iter_mut().all(|runner| runner.answer(Request::Resume)),
        request => runners.get_mut(number - first).is_none_or(|runner| runner.answer(request)),
    }
}

/// What a hart did of its turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Nothing: it may not run.
    None,
    /// It found that it waits for another, or for a device, and left it to them.
    Spun,
    /// It ran.
    Ran,
}

/// Runs one hart for as long as it may go on, at most its turn.
///
/// A ring does not end a turn: some come from outside, at any time, and whose turn it is must not follow from that.
fn turn<W: Width>(runner: &mut Runner<'_, '_, W>, count: &mut Count) -> Turn {
    let end = count.done.saturating_add(TURN);
    let mut did = Turn::None;
    while runner.running && count.done < end {
        runner.core.hart.port().heed();
        let Some(manner) = runner.ready() else { break };
        did = Turn::Ran;
        while count.done < end && step(runner, manner, count, end) {}
        if mem::take(&mut runner.spins) {
            return Turn::Spun;
        }
    }
    did
}

/// Runs a block, or an instruction where a block would be too long; whether another may follow before a look at what
/// changed.
#[inline]
fn step<W: Width>(runner: &mut Runner<'_, '_, W>, manner: Manner, count: &mut Count, end: u64) -> bool {
    let (core, trace) = (runner.core, &runner.around.trace);
    if runner.breaks_here(manner) {
        runner.stop(Reason::Breakpoint);
        return false;
    }
    if count.is_due() {
        count.ring();
        // Whoever it was for looks up before its next block.
        if core.hart.port().rung() {
            return false;
        }
    }
    let left = count.until_due().min(end - count.done);
    let before = core.hart.instret();
    let one = count.counts && (manner.careful || left < LONGEST as u64);
    let translated = manner.translated && left >= 2 * LONGEST as u64;
    let tell = |steps| count.tell(core.hart.instret().wrapping_sub(before) + steps);
    let ended = match one {
        _ if translated => core.run_translated(&mut runner.cache, trace, left - LONGEST as u64, tell),
        true => {
            count.tell(1);
            let ended = core.run_one(&mut runner.cache, trace);
            core.note_overflow();
            ended
        }
        false if manner.translated && runner.cache.stops(&core.hart) => {
            core.run_watched(&mut runner.cache, trace, tell)
        }
        false if manner.careful => core.run_carefully(&mut runner.cache, trace),
        false => core.run_counted(&mut runner.cache, trace, |steps| count.tell(steps)),
    };
    // An instruction that traps is none that retires, but it takes its time.
    let trapped = u64::from(ended == Ended::Trapped || ended == Ended::Called);
    count.done += core.hart.instret().wrapping_sub(before) + trapped;
    runner.goes_on(ended, manner)
}

/// What the instructions of all harts add up to.
struct Count {
    icount: Icount,
    /// Time is counted. Otherwise all this is only how long turns are.
    counts: bool,
    /// Instructions so far.
    done: u64,
    /// The time was `at.1` when `at.0` instructions were done, and has gone by `shift` since.
    at: (u64, u64),
    shift: u32,
    /// When the shift was last chosen anew, by the host's time and ours, and how many instructions were done.
    compared: (Instant, u64, u64),
}

impl Count {
    /// The shift that [`Shift::Auto`] begins with.
    const FIRST: u32 = 3;
    /// How often it is chosen anew.
    const OFTEN: Duration = Duration::from_millis(100);

    fn new(icount: Option<Icount>) -> Self {
        let counts = icount.is_some();
        let icount =
            icount.unwrap_or_else(|| Icount { clock: Clock::by_hand(), shift: Shift::Fixed(0), sleep: true });
        let shift = match icount.shift {
            Shift::Fixed(shift) => shift.min(Shift::MOST),
            Shift::Auto => Self::FIRST,
        };
        let now = icount.clock.now();
        Count { icount, counts, done: 0, at: (0, now), shift, compared: (Instant::now(), now, 0) }
    }

    /// The time when `steps` more instructions are done.
    #[inline]
    fn after(&self, steps: u64) -> u64 {
        self.at.1.saturating_add((self.done - self.at.0 + steps) << self.shift)
    }

    /// Has the clock show the time after the next `steps` instructions, the last of which alone may ask for it.
    #[inline]
    fn tell(&self, steps: u64) {
        self.icount.clock.tell(self.after(steps));
    }

    #[inline]
    fn is_due(&self) -> bool {
        self.icount.clock.soonest() <= self.after(0)
    }

    /// Instructions until the next alarm.
    #[inline]
    fn until_due(&self) -> u64 {
        let (soonest, now) = (self.icount.clock.soonest(), self.after(0));
        if soonest == Clock::NEVER { u64::MAX } else { soonest.saturating_sub(now).div_ceil(1 << self.shift) }
    }

    /// Rings what is due.
    #[cold]
    fn ring(&mut self) {
        self.icount.clock.tell(self.after(0));
        self.icount.clock.advance(0);
    }

    /// Chooses the shift, now and then, with which the next while would make up for what time was off in the last.
    fn keep_up(&mut self) {
        let (since, then, done) = self.compared;
        if self.icount.shift != Shift::Auto || since.elapsed() < Self::OFTEN {
            return;
        }
        let (host, ours) = (since.elapsed().as_nanos() as f64, (self.after(0) - then) as f64);
        let each = (2.0 * host - ours).max(1.0) / (self.done - done).max(1) as f64;
        self.at = (self.done, self.after(0));
        self.shift = (each.log2().round().max(0.0) as u32).min(Shift::MOST);
        self.compare_anew();
    }

    /// Forgets how the host's time went so far: the machine stood, or waited.
    fn compare_anew(&mut self) {
        self.compared = (Instant::now(), self.after(0), self.done);
    }

    /// Lets time pass while every hart waits, until the next alarm or until somebody rings.
    fn idle(&mut self, bell: &Bell, news: impl Fn() -> bool) {
        if !self.counts {
            return bell.sleep_unless(news, NAP);
        }
        let clock = &self.icount.clock;
        let (now, soonest) = (self.after(0), clock.soonest());
        let passed = if !self.icount.sleep && soonest != Clock::NEVER {
            soonest.saturating_sub(now)
        } else {
            let most = Duration::from_nanos(soonest.saturating_sub(now)).min(NAP);
            let begun = Instant::now();
            bell.sleep_unless(|| news() || clock.soonest() != soonest, most);
            let slept = begun.elapsed().as_nanos() as u64;
            // Without sleep, time stands while nothing but the world outside can go on, which may set an alarm.
            if self.icount.sleep { slept.min(clock.soonest().saturating_sub(now)) } else { 0 }
        };
        self.at = (self.done, now.saturating_add(passed));
        self.icount.clock.tell(self.after(0));
        self.icount.clock.advance(0);
        self.compare_anew();
    }
}
