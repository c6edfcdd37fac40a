//! Which CSRs are there and what each can hold, against QEMU, written and read back by a guest.
//!
//! QEMU's timer is due from the beginning, so `MTIP` is not compared.

#![forbid(unsafe_code)]

mod common;

use common::{
    Rng, full, model,
    peer::{Qemu, qemus},
    script::{Note, Script},
};
use hartwright_isa::csr::*;

/// Registers that go together.
struct Area {
    name: &'static str,
    /// The first QEMU that has all of it, and how it is asked for.
    since: u32,
    cpu: &'static str,
    /// First and last of each run of registers, and the bits that both write alike.
    registers: &'static [(u16, u16, u64)],
}

/// All bits.
const ALL: u64 = u64::MAX;
/// All but those of modes that are not there and the reserved ones, which are zero here; and no event that happens.
const EVENTS: u64 = !(0xf << 56 | 0xf);
const MODES: u64 = 7 << 60;
/// QEMU knows `match` by its name only, and ends on a type that is none. All values are of the type `mcontrol6`, or
/// the registers' own.
const MCONTROL: u64 = 0x0003_fe7f & !(7 << 16);
/// QEMU has the hypervisor's, and some that are nobody's, too.
const INTERRUPTS: u64 = 0x2aaa;

const AREAS: &[Area] = &[
    Area {
        name: "counters",
        since: 8,
        cpu: "rv64,sscofpmf=on,h=off",
        registers: &[
            (MCOUNTINHIBIT, MCOUNTINHIBIT, ALL),
            (MHPMEVENT3, MHPMEVENT3 + 15, EVENTS),
            (SCOUNTOVF, SCOUNTOVF, ALL),
            (MIE, MIE, INTERRUPTS),
            (MIP, MIP, INTERRUPTS),
            (SIE, SIE, INTERRUPTS),
            (SIP, SIP, INTERRUPTS),
            (MIDELEG, MIDELEG, INTERRUPTS),
            (MCOUNTEREN, MCOUNTEREN, ALL),
            (SCOUNTEREN, SCOUNTEREN, ALL),
        ],
    },
    Area {
        name: "fixed counters",
        since: 8,
        cpu: "rv64,smcntrpmf=on,h=off",
        registers: &[(MCYCLECFG, MINSTRETCFG, MODES)],
    },
    Area {
        name: "triggers",
        since: 8,
        cpu: "rv64,h=off",
        registers: &[
            (TSELECT, TSELECT, ALL),
            (TDATA1, TDATA1, MCONTROL),
            (TDATA2, TDATA3, ALL),
            (MCONTEXT, MCONTEXT, ALL),
        ],
    },
];

fn script(area: &Area, rng: &mut Rng, rounds: u64) -> Script {
    let mut script = Script::new();
    let registers: Vec<(u16, u64)> = area
        .registers
        .iter()
        .flat_map(|(first, last, mask)| (*first..=*last).map(|csr| (csr, *mask)))
        .collect();
    for (csr, _) in &registers {
        script.get("at first", *csr);
    }
    for _ in 0..rounds {
        let (csr, mask) = rng.pick(&registers);
        let kind = if csr == TDATA1 { rng.pick(&[2, 6]) << 60 } else { 0 };
        script.put(area.name, csr, rng.integer() & mask | kind);
        // One may show in another.
        script.get("after that", rng.pick(&registers).0);
    }
    script
}

fn compare(qemu: &Qemu, area: &Area, rng: &mut Rng) {
    let script = script(area, rng, if full() { 4_000 } else { 600 });
    let mtip = |name: &str, a: &Note, b: &Note| {
        name.contains(&format!("{MIP:#x}")) && Note { value: a.value ^ 1 << 7, ..*a } == *b
    };
    let lines = script.differences(model("max"), qemu, area.cpu, mtip);
    lines.iter().take(30).for_each(|line| eprintln!("{line}"));
    assert!(lines.is_empty(), "{}: {} differ from QEMU {}", area.name, lines.len(), qemu.version);
}

#[test]
fn registers_hold_what_they_hold_in_qemu() {
    let mut rng = Rng(91);
    for qemu in qemus(64) {
        for area in AREAS.iter().filter(|area| area.since <= qemu.version) {
            compare(&qemu, area, &mut rng);
        }
    }
}
