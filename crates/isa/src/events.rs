//! What programmable counters can count (Sscofpmf; the codes are those of the SBI specification, chapter PMU).

/// The programmable counters that count, as bits: `mhpmcounter3` to `mhpmcounter18`, as many as QEMU has. Those of
/// higher numbers are zero.
pub const PROGRAMMABLE: u64 = 0x7_fff8;

/// What can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Cycles, which are instructions here.
    Cycles,
    /// Instructions retired.
    Instructions,
    /// Translations for a load that were not at hand.
    LoadMisses,
    /// The same for a store.
    StoreMisses,
    /// The same for a fetch.
    FetchMisses,
}

/// Each event's code in `mhpmevent`, and the fixed counters that count it too, as bits.
pub const EVENTS: &[(u64, u64, Event)] = &[
    (0x0_0001, 1, Event::Cycles),
    (0x0_0002, 4, Event::Instructions),
    (0x1_0019, 0, Event::LoadMisses),
    (0x1_001b, 0, Event::StoreMisses),
    (0x1_0021, 0, Event::FetchMisses),
];

impl Event {
    /// The event that `mhpmevent` chooses, by its lower 20 bits.
    pub fn chosen(mhpmevent: u64) -> Option<Event> {
        EVENTS.iter().find(|row| row.0 == mhpmevent & 0xf_ffff).map(|row| row.2)
    }
}
