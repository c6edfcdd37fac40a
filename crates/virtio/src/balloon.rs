//! The balloon: the host asks for pages, the driver gives some, and tells how the guest's memory is used.
//!
//! Pages that the driver gave stay with this process: only their number is known.

use crate::{
    Chain, Io, VirtioCard,
    card::{COMMON_NOT_YET, not_yet, virtio_card},
};
use hartwright_device::{Alarm, Card, Clock, Error, Line, OWN, Saved, Wiring};
use hartwright_objects::Object;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Features (virtio 1.2, 5.5.3).
const STATS_VQ: u64 = 1 << 1;
const DEFLATE_ON_OOM: u64 = 1 << 2;
const PAGE_POISON: u64 = 1 << 4;

/// The queues.
const STATS: usize = 2;
/// Where the configuration has what the driver gave, and what it fills pages with.
const ACTUAL: usize = 4;
const POISON: usize = 12;
/// Bytes of a statistic: its kind, its value.
const STATISTIC: usize = 10;
const SECOND: u64 = 1_000_000_000;

/// The kinds of statistics (virtio 1.2, 5.5.6.4), as QEMU names them.
const KINDS: [&str; 10] = [
    "stat-swap-in",
    "stat-swap-out",
    "stat-major-faults",
    "stat-minor-faults",
    "stat-free-memory",
    "stat-total-memory",
    "stat-available-memory",
    "stat-disk-caches",
    "stat-htlb-pgalloc",
    "stat-htlb-pgfail",
];

virtio_card! {
    /// A balloon on a virtio bus: it takes memory from the guest, and gives it back.
    #[object(
        name = "virtio-balloon-device",
        parent = "device",
        family = dyn VirtioCard,
        category = Misc,
        bus = "virtio-bus"
    )]
    pub struct Balloon {
        // Configuration.
        /// Whether the guest may take pages back when it runs out of memory.
        #[property(name = "deflate-on-oom", default = false)]
        deflate_on_oom: bool,
        /// Hints about free pages: not yet in hartwright.
        #[property(name = "free-page-hint", default = false)]
        free_page_hint: bool,
        /// Reports of free pages: not yet in hartwright.
        #[property(name = "free-page-reporting", default = false)]
        free_page_reporting: bool,
        /// Whether the driver may tell what it fills free pages with.
        #[property(name = "page-poison", default = true)]
        page_poison: bool,
        /// For old machines: whether the configuration ends before what is said of hints and poison.
        #[property(name = "qemu-4-0-config-size", default = false)]
        short_config: bool,
        /// The thread that takes pages: not yet in hartwright.
        #[property]
        iothread: Option<String>,
        /// How many pages of 4 KiB the driver is asked for.
        #[property(name = "num-pages", default = 0, runtime)]
        num_pages: u32,
        /// How many pages of 4 KiB the driver gave.
        #[property(default = 0)]
        actual: u32,
        /// How often the driver is asked for statistics, in seconds; 0 is never.
        #[property(name = "guest-stats-polling-interval", default = 0, runtime)]
        polling: u32,
        /// The statistics that the driver gave last.
        #[property(name = "guest-stats")]
        guest_stats: Vec<String>,

        // Wiring.
        alarm: Option<(Clock, Line, Alarm)>,

        // State.
        state: State,
        /// What was asked for when the driver was last told.
        told: (u32, u32),
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    num_pages: u32,
    actual: u32,
    poison: u32,
    /// The driver's buffer for statistics, until it is to fill it again.
    stats: Option<Chain>,
    /// Statistics by kind.
    values: BTreeMap<u16, u64>,
    /// When they are asked for next, in virtual nanoseconds.
    next: Option<u64>,
}

impl Balloon {
    /// Asks for statistics at the end of an interval from now on.
    fn poll(&mut self) {
        let now = self.alarm.as_ref().map_or(0, |(clock, ..)| clock.now());
        self.state.next = (self.polling > 0).then(|| now + u64::from(self.polling) * SECOND);
        self.arm();
    }

    fn arm(&self) {
        if let Some((_, line, alarm)) = &self.alarm {
            line.set(false);
            alarm.at(self.state.next);
        }
    }

    /// Takes statistics; the buffer stays here until there is to be more (virtio 1.2, 5.5.6.3).
    fn note(&mut self, io: &mut Io<'_>) {
        while let Some(chain) = io.pop(STATS) {
            if let Some(old) = self.state.stats.take() {
                io.guest_error(0, "a second buffer for statistics");
                io.push(STATS, old.head, 0);
            }
            let mut at = 0;
            let mut row = [0; STATISTIC];
            while chain.read(io.memory(), at, &mut row) == STATISTIC {
                let [a, b, value @ ..] = row;
                let kind = u16::from_le_bytes([a, b]);
                if usize::from(kind) < KINDS.len() {
                    self.state.values.insert(kind, u64::from_le_bytes(value));
                }
                at += STATISTIC as u64;
                if at > 1 << 16 {
                    io.guest_error(0, "statistics without an end");
                    break;
                }
            }
            self.state.stats = Some(chain);
        }
        self.show();
    }

    /// What users see of the state.
    fn show(&mut self) {
        let row = |(kind, value): (&u16, &u64)| {
            format!("{}={value}", KINDS.get(usize::from(*kind)).unwrap_or(&"stat"))
        };
        self.guest_stats = self.state.values.iter().map(row).collect();
        self.actual = self.state.actual;
        self.num_pages = self.state.num_pages;
        self.told = (self.num_pages, self.polling);
    }
}

impl Card for Balloon {
    fn check(&self) -> Result<(), Error> {
        not_yet(self, &COMMON_NOT_YET)?;
        not_yet(self, &["free-page-hint", "free-page-reporting", "iothread"])
    }

    fn wire(&mut self, wiring: Wiring) {
        let ring = wiring.own(OWN);
        self.alarm = Some((wiring.clock.clone(), ring.clone(), wiring.clock.alarm(ring)));
    }
}

impl VirtioCard for Balloon {
    fn id(&self) -> u32 {
        5
    }

    fn features(&self, legacy: bool) -> u64 {
        let rows = [
            (DEFLATE_ON_OOM, self.deflate_on_oom),
            (PAGE_POISON, self.page_poison),
            (crate::features::ANY_LAYOUT, legacy && self.any_layout),
        ];
        rows.iter().filter(|(_, there)| *there).fold(STATS_VQ, |all, (bit, _)| all | bit)
    }

    fn queues(&self) -> usize {
        3
    }

    /// Virtio 1.2, 5.5.4.
    fn config(&self) -> Vec<u8> {
        let words = [self.state.num_pages, self.state.actual, 0, self.state.poison];
        let there = if self.page_poison && !self.short_config { 4 } else { 2 };
        words[..there].iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn configure(&mut self, offset: usize, bytes: &[u8], io: &mut Io<'_>) {
        let word = match offset & !3 {
            ACTUAL => &mut self.state.actual,
            POISON => &mut self.state.poison,
            _ => return io.guest_error(offset as u64, "write to read-only configuration"),
        };
        let mut whole = word.to_le_bytes();
        for (at, byte) in (offset & 3..4).zip(bytes) {
            whole[at] = *byte;
        }
        *word = u32::from_le_bytes(whole);
        self.show();
    }

    fn started(&mut self, _: &mut Io<'_>) {
        self.poll();
    }

    fn notify(&mut self, queue: usize, io: &mut Io<'_>) {
        if queue == STATS {
            return self.note(io);
        }
        // Which pages come and go makes no difference here.
        while let Some(chain) = io.pop(queue) {
            io.push(queue, chain.head, 0);
        }
    }

    fn input(&mut self, _: u32, level: bool, io: &mut Io<'_>) {
        let now = self.alarm.as_ref().map_or(0, |(clock, ..)| clock.now());
        if level && self.state.next.is_some_and(|next| next <= now) {
            if let Some(chain) = self.state.stats.take() {
                io.push(STATS, chain.head, 0);
            }
            self.poll();
        }
    }

    fn given(&mut self, io: &mut Io<'_>) {
        let (pages, polling) = self.told;
        if self.num_pages != pages {
            self.state.num_pages = self.num_pages;
            io.config_changed();
        }
        if self.polling != polling {
            self.poll();
        }
        self.show();
    }

    fn drop_queue(&mut self, queue: usize) {
        if queue == STATS {
            self.state.stats = None;
        }
    }

    /// What the host asks for stays asked for.
    fn reset(&mut self) {
        self.state = State { num_pages: self.num_pages, ..State::default() };
        self.arm();
        self.show();
    }

    fn save(&self) -> Result<String, String> {
        self.state.save()
    }

    fn restore(&mut self, saved: &str) -> Result<(), String> {
        self.state.restore(saved)
    }

    fn restored(&mut self, _: &mut Io<'_>) {
        self.arm();
        self.show();
    }
}
