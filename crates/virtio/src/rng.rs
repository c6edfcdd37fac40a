//! The entropy device: what the driver offers is filled with random bytes, so many a period.

use crate::{
    Io, VirtioCard,
    card::{COMMON_NOT_YET, not_yet, virtio_card},
};
use hartwright_device::{Alarm, Card, Clock, Entropy, Error, Line, OWN, Saved, Wiring};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};

/// A request gets no more than so many bytes, whatever it has room for; it may ask again.
const MOST: u64 = 64 << 10;
/// No limit.
const UNLIMITED: u64 = i64::MAX as u64;
const MILLISECOND: u64 = 1_000_000;

virtio_card! {
    /// A source of random bytes on a virtio bus.
    #[object(
        name = "virtio-rng-device",
        parent = "device",
        family = dyn VirtioCard,
        category = Misc,
        bus = "virtio-bus"
    )]
    pub struct Rng {
        // Configuration.
        /// The -object that has the bytes; without one they are the host's, or follow from -seed.
        #[property]
        rng: Option<String>,
        /// How many bytes a period there are.
        #[property(name = "max-bytes", default = UNLIMITED)]
        max_bytes: u64,
        /// How long a period is, in milliseconds.
        #[property(default = 65536)]
        period: u32,

        // Wiring.
        source: Entropy,
        alarm: Option<(Clock, Line, Alarm)>,

        // State.
        state: State,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Bytes given in this period.
    given: u64,
    /// When it ends, in virtual nanoseconds; none has begun.
    ends: Option<u64>,
}

impl Rng {
    fn pump(&mut self, io: &mut Io<'_>) {
        loop {
            let left = self.max_bytes.saturating_sub(self.state.given);
            if left == 0 {
                return;
            }
            let Some(chain) = io.pop(0) else { return };
            let mut bytes = vec![0; chain.writable().min(left).min(MOST) as usize];
            self.source.fill(&mut bytes);
            let written = chain.write(io.memory(), 0, &bytes);
            io.push(0, chain.head, written as u32);
            if self.max_bytes != UNLIMITED {
                self.state.given += written as u64;
                self.begin();
            }
        }
    }

    /// Begins a period, unless there is one.
    fn begin(&mut self) {
        if let (None, Some((clock, ..))) = (self.state.ends, &self.alarm) {
            self.state.ends = Some(clock.now() + u64::from(self.period) * MILLISECOND);
            self.arm();
        }
    }

    fn arm(&self) {
        if let Some((_, line, alarm)) = &self.alarm {
            line.set(false);
            alarm.at(self.state.ends);
        }
    }
}

impl Card for Rng {
    fn check(&self) -> Result<(), Error> {
        not_yet(self, &COMMON_NOT_YET)?;
        if self.period == 0 {
            return Err(Error::Senseless("'period' parameter expects a positive integer".into()));
        }
        if self.max_bytes > UNLIMITED {
            let why = "'max-bytes' parameter must be non-negative, and less than 2^63";
            return Err(Error::Senseless(why.into()));
        }
        Ok(())
    }

    fn wire(&mut self, wiring: Wiring) {
        let ring = wiring.own(OWN);
        self.alarm = Some((wiring.clock.clone(), ring.clone(), wiring.clock.alarm(ring)));
        self.source = wiring.entropy;
    }
}

impl VirtioCard for Rng {
    fn id(&self) -> u32 {
        4
    }

    fn features(&self, legacy: bool) -> u64 {
        crate::features::ANY_LAYOUT * u64::from(legacy && self.any_layout)
    }

    fn queues(&self) -> usize {
        1
    }

    fn config(&self) -> Vec<u8> {
        vec![]
    }

    fn notify(&mut self, _: usize, io: &mut Io<'_>) {
        self.pump(io);
    }

    fn input(&mut self, _: u32, level: bool, io: &mut Io<'_>) {
        let now = self.alarm.as_ref().map_or(0, |(clock, ..)| clock.now());
        if level && self.state.ends.is_some_and(|ends| ends <= now) {
            self.state = State::default();
            self.pump(io);
        }
    }

    fn reset(&mut self) {
        self.state = State::default();
        self.arm();
    }

    fn save(&self) -> Result<String, String> {
        self.state.save()
    }

    fn restore(&mut self, saved: &str) -> Result<(), String> {
        self.state.restore(saved)
    }

    fn restored(&mut self, io: &mut Io<'_>) {
        self.arm();
        self.pump(io);
    }
}
