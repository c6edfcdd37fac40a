//! Which rows are proven against whom: a plan a register width.

use super::{
    RAM, Rng, TRANSLATOR,
    battery::{BREAKPOINT, Battery, Case, Outcome, SCRATCH, SCRATCH_SIZE, run_by, run_here},
    full, model,
    peer::{Qemu, qemus},
    recorder::Shape,
    rows::{Maker, Patterns, Row, is, rows_of},
};
use hartwright_isa::{Ext, ExtSet, cpu::CpuModel};
use std::{collections::BTreeMap, fmt::Write, fs, ops::RangeInclusive, path::PathBuf, thread, time::Instant};

/// What is proven at one width.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) model: fn() -> CpuModel,
    /// Those asked. Who comes first answers for all that it knows; to the others half of that is put again, and of
    /// what rounds a tenth.
    pub(crate) peers: &'static [Peer],
}

/// A kind of QEMU.
pub(crate) struct Peer {
    /// Its major versions.
    pub(crate) versions: RangeInclusive<u32>,
    pub(crate) cpu: &'static str,
    pub(crate) knows: &'static [&'static [Ext]],
    /// Whether a difference is its own affair.
    pub(crate) excused: fn(&Case, &Outcome, &Outcome) -> bool,
}

/// What QEMU 7.2 knows of ours.
const OLD: &[Ext] = &[
    Ext::I,
    Ext::M,
    Ext::A,
    Ext::F,
    Ext::D,
    Ext::C,
    Ext::Zcd,
    Ext::Zicsr,
    Ext::Zifencei,
    Ext::Zihintpause,
    Ext::Zba,
    Ext::Zbb,
    Ext::Zbc,
    Ext::Zbs,
    Ext::Svinval,
    Ext::Zfhmin,
    Ext::Zfh,
    Ext::Zkn,
    Ext::Zks,
];
/// What the newer one knows besides.
const NEW: &[Ext] = &[
    Ext::Zicond,
    Ext::Zicbom,
    Ext::Zicbop,
    Ext::Zicboz,
    Ext::Zihintntl,
    Ext::Zimop,
    Ext::Zcb,
    Ext::Zcmop,
    Ext::Zfa,
    Ext::Zabha,
    Ext::Zacas,
    Ext::Zawrs,
];

/// What the draft of 128 bits has, as both QEMUs take it.
const DRAFT: &[Ext] =
    &[Ext::I, Ext::M, Ext::A, Ext::F, Ext::D, Ext::C, Ext::Zicsr, Ext::Zifencei, Ext::Zihintpause];

/// What is tried on the bases with 16 registers.
const SMALL: &[Ext] =
    &[Ext::E, Ext::M, Ext::A, Ext::C, Ext::Zicsr, Ext::Zifencei, Ext::Zba, Ext::Zbb, Ext::Zbs];

fn few_registers(xlen: u32) -> CpuModel {
    let whole = model(if xlen == 32 { "rv32" } else { "rv64" });
    CpuModel { extensions: ExtSet::of(SMALL).complete(xlen), ..whole }
}

/// Every plan.
pub(crate) const PLANS: &[Plan] = &[
    Plan {
        name: "rv32",
        shape: Shape::RV32,
        model: || model("max32"),
        peers: &[
            Peer {
                versions: 7..=7,
                cpu: "rv32,svinval=on,Zfh=on,zkn=on,zks=on",
                knows: &[OLD, &[Ext::Zcf]],
                excused: old_ways,
            },
            Peer {
                versions: 8..=99,
                cpu: "max,zama16b=false",
                knows: &[OLD, NEW, &[Ext::Zcf]],
                excused: new_ways,
            },
        ],
    },
    Plan {
        name: "rv32-pairs",
        shape: Shape::RV32,
        model: || {
            let max = model("max32");
            CpuModel { extensions: max.extensions.without(Ext::Zcf).with(Ext::Zilsd).with(Ext::Zclsd), ..max }
        },
        peers: &[Peer {
            versions: 8..=99,
            cpu: "max,c=off,zcf=off,zilsd=on,zclsd=on",
            knows: &[&[Ext::Zca, Ext::Zilsd, Ext::Zclsd]],
            excused: new_ways,
        }],
    },
    Plan {
        name: "rv32e",
        shape: Shape { registers: 16, flen: 0, ..Shape::RV32 },
        model: || few_registers(32),
        peers: &[
            Peer {
                versions: 7..=7,
                cpu: "rv32,h=off,i=off,e=on,f=off,d=off",
                knows: &[SMALL],
                excused: old_ways,
            },
            Peer {
                versions: 8..=99,
                cpu: "rv32,h=off,i=off,e=on,f=off,d=off,zfa=off",
                knows: &[SMALL],
                excused: new_ways,
            },
        ],
    },
    Plan {
        name: "rv64e",
        shape: Shape { registers: 16, flen: 0, ..Shape::RV64 },
        model: || few_registers(64),
        peers: &[
            Peer {
                versions: 7..=7,
                cpu: "rv64,h=off,i=off,e=on,f=off,d=off",
                knows: &[SMALL],
                excused: old_ways,
            },
            Peer {
                versions: 8..=99,
                cpu: "rv64,h=off,i=off,e=on,f=off,d=off,zfa=off",
                knows: &[SMALL],
                excused: new_ways,
            },
        ],
    },
    Plan {
        name: "rv64",
        shape: Shape::RV64,
        model: || model("max"),
        peers: &[
            Peer {
                versions: 7..=7,
                cpu: "rv64,svinval=on,Zfh=on,zkn=on,zks=on",
                knows: &[OLD],
                excused: old_ways,
            },
            Peer { versions: 8..=99, cpu: "max,zama16b=false", knows: &[OLD, NEW], excused: new_ways },
        ],
    },
    Plan {
        name: "rv128",
        shape: Shape::RV128,
        model: || model("x-rv128"),
        peers: &[
            Peer {
                versions: 7..=7,
                cpu: "x-rv128,zba=off,zbb=off,zbc=off,zbs=off,h=off",
                knows: &[DRAFT],
                excused: |case, ours, theirs| square(case) || old_ways(case, ours, theirs),
            },
            Peer {
                versions: 8..=99,
                cpu: "x-rv128,zba=off,zbb=off,zbc=off,zbs=off,h=off,zifencei=on",
                knows: &[DRAFT],
                excused: |case, ours, theirs| square(case) || new_ways(case, ours, theirs),
            },
        ],
    },
];

/// `mcause` of stores that are misaligned or lead nowhere.
const STORE_FAULTS: [u64; 2] = [6, 7];

/// `mstatus.MPRV`.
const MPRV: u64 = 1 << 17;

/// QEMU does not notice the faults of an `sc` that fails anyway.
pub(crate) fn in_vain(case: &Case, ours: &Outcome, theirs: &Outcome) -> bool {
    is(&case.name, &["sc."]) && STORE_FAULTS.contains(&ours.mcause) && theirs.mcause == BREAKPOINT
}

/// What QEMU 11 has otherwise than the specification: `cbo.zero` faults with the start of its block, not with `rs1`.
pub(crate) fn new_ways(case: &Case, ours: &Outcome, theirs: &Outcome) -> bool {
    let block = is(&case.name, &["cbo.zero"]) && theirs.mtval == ours.mtval & !63;
    in_vain(case, ours, theirs) || block && Outcome { mtval: ours.mtval, ..theirs.clone() } == *ours
}

/// The instruction of a case, which its name has after the mnemonic.
pub(crate) fn word_of(case: &Case) -> Option<u32> {
    let word = case.name.split_whitespace().nth(1)?;
    u32::from_str_radix(word.trim_start_matches("0x"), 16).ok()
}

/// What both have wrong at 128 bits: products whose register is one of the factors'.
fn square(case: &Case) -> bool {
    let product = is(&case.name, &["mul"]) && !is(&case.name, &["mulw"]);
    product && word_of(case).is_some_and(|raw| [raw >> 15 & 31, raw >> 20 & 31].contains(&(raw >> 7 & 31)))
}

/// What QEMU 7.2 has otherwise than the specification, and 11 no more.
pub(crate) fn old_ways(case: &Case, ours: &Outcome, theirs: &Outcome) -> bool {
    const LOAD_FAULTS: [u64; 2] = [4, 5];
    let atomic = is(&case.name, &["amo"]);
    let as_load = atomic && STORE_FAULTS.contains(&ours.mcause) && LOAD_FAULTS.contains(&theirs.mcause);
    let rounded = ours.mcause == theirs.mcause && ours.mtval & !7 == theirs.mtval & !7;
    // Setting no bits of a read-only register is a write all the same, but for `x0` (unprivileged spec, Zicsr).
    let named = word_of(case).is_some_and(|raw| raw >> 15 & 31 != 0);
    let no_bits = named && is(&case.name, &["csrr"]) && ours.mcause == 2 && theirs.mcause == BREAKPOINT;
    let wrong = is(&case.name, &["ctzw"]) || case.name.contains("sepc") || no_bits;
    let returns =
        is(&case.name, &["mret", "sret"]) && Outcome { mstatus: ours.mstatus, ..theirs.clone() } == *ours;
    let keeps_mprv = returns && theirs.mstatus == ours.mstatus | MPRV;
    in_vain(case, ours, theirs)
        || as_load
        || wrong
        || keeps_mprv
        || rounded && Outcome { mtval: ours.mtval, ..theirs.clone() } == *ours
}

/// Cases of a row, a class and a rounding mode.
pub(crate) const TIMES: u64 = 50;
/// No row has more cases.
const MOST_PER_ROW: usize = 4_000;
/// Words that a case leaves and that are compared: registers but x0, `fcsr`, pc, trap, status, memory.
const WORDS_PER_CASE: u64 = 31 + 32 + 1 + 4 + 4;

/// Whether a row is among those that `HARTWRIGHT_ROWS` lists, with commas, if it lists any.
pub(crate) fn is_wanted(mnemonic: &str) -> bool {
    let wanted = std::env::var("HARTWRIGHT_ROWS").ok();
    wanted.is_none_or(|wanted| wanted.split(',').any(|row| row == mnemonic))
}

/// What became of a row.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    extension: &'static str,
    widths: String,
    cases: u64,
    pub(crate) differences: u64,
    /// Cases in which a peer has its own way.
    excused: u64,
    peers: Vec<String>,
}

impl Plan {
    pub(crate) fn find(name: &str) -> &'static Plan {
        PLANS.iter().find(|plan| plan.name == name).expect("the plan is there")
    }

    /// Every row that some peer of this plan is asked about.
    pub(crate) fn reaches(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = vec![];
        for peer in self.peers {
            for row in rows_of(peer.extensions(), self.shape.xlen) {
                if !rows.iter().any(|other| other.mnemonic() == row.mnemonic()) {
                    rows.push(row);
                }
            }
        }
        rows
    }

    /// Asks every peer there is about every row it knows, and panics if one says otherwise.
    pub(crate) fn prove(&self) {
        let begun = Instant::now();
        let mut tally: BTreeMap<&'static str, Tally> = BTreeMap::new();
        let mut asked: Vec<&'static str> = vec![];
        let mut report = vec![];
        for qemu in qemus(self.shape.xlen) {
            let Some(peer) = self.peers.iter().find(|peer| peer.versions.contains(&qemu.version)) else {
                continue;
            };
            let mut rng = Rng(0x1234 + u64::from(qemu.version));
            let mut rows = rows_of(peer.extensions(), self.shape.xlen);
            rows.retain(|row| is_wanted(row.mnemonic()));
            for _ in 0..if full() { 10 } else { 1 } {
                report.extend(self.round(&qemu, peer, &mut rng, &rows, &asked, &mut tally));
            }
            asked.extend(rows.iter().map(|row| row.mnemonic()));
        }
        leave_rows(self.name, self.shape.xlen, WORDS_PER_CASE, &tally);
        let sum = |of: fn(&Tally) -> u64| tally.values().map(of).sum::<u64>();
        eprintln!(
            "{}: {} rows, {} cases, {} comparisons, {} differences, {} excused, in {:.1} s",
            self.name,
            tally.len(),
            sum(|t| t.cases),
            sum(|t| t.cases) * WORDS_PER_CASE,
            sum(|t| t.differences),
            sum(|t| t.excused),
            begun.elapsed().as_secs_f64(),
        );
        report.iter().take(40).for_each(|line| eprintln!("{line}"));
        assert!(report.is_empty(), "{} cases differ", report.len());
    }

    /// Asks one peer once about all rows, less often about those that were `asked` of another; gives a line a
    /// difference.
    fn round(
        &self,
        qemu: &Qemu,
        peer: &Peer,
        rng: &mut Rng,
        rows: &[Row],
        asked: &[&str],
        tally: &mut BTreeMap<&'static str, Tally>,
    ) -> Vec<String> {
        let patterns = Patterns::new(peer.extensions(), self.shape.xlen);
        let (mut rest, mut report) = (rows.iter().peekable(), vec![]);
        while rest.peek().is_some() {
            let (mut battery, mut of) = (Battery::new(rng, self.shape), vec![]);
            while battery.cases.len() + MOST_PER_ROW < battery.room()
                && let Some(row) = rest.next()
            {
                let times = match asked.contains(&row.mnemonic()) {
                    true if row.rounds() => TIMES / 10,
                    true => TIMES / 2,
                    false => TIMES,
                };
                let before = battery.cases.len();
                Maker { rng, patterns: &patterns, shape: self.shape }.all(&mut battery, *row, times);
                let made = battery.cases.len() - before;
                of.extend(std::iter::repeat_n(row.mnemonic(), made));
                let tally = tally.entry(row.mnemonic()).or_default();
                tally.extension = row.extension().name();
                tally.widths = format!("{:?}", row.widths());
                tally.cases += made as u64;
                let name = format!("qemu-{}", qemu.version);
                if !tally.peers.contains(&name) {
                    tally.peers.push(name);
                }
            }
            let (differing, same_memory) = self.compare(&mut battery, qemu, peer);
            for (i, line) in differing {
                let tally = tally.entry(of[i]).or_default();
                match line {
                    Some(line) => {
                        tally.differences += 1;
                        report.push(format!("QEMU {}: {line}", qemu.version));
                    }
                    None => tally.excused += 1,
                }
            }
            if report.is_empty() && !same_memory {
                report.push(format!("QEMU {}: memory differs in the end", qemu.version));
            }
        }
        report
    }

    /// Runs a battery here and there at once; gives the number of each case that differs, with a line unless it is
    /// excused, and whether the memory that cases play in is the same in the end.
    fn compare(
        &self,
        battery: &mut Battery,
        qemu: &Qemu,
        peer: &Peer,
    ) -> (Vec<(usize, Option<String>)>, bool) {
        let image = battery.image();
        let (ours, translated, theirs) = thread::scope(|scope| {
            let ours = scope.spawn(|| run_here(image, (self.model)()));
            // The translator is for 64 bits.
            let translated =
                (self.shape.xlen == 64).then(|| scope.spawn(|| run_by(TRANSLATOR, image, (self.model)())));
            let theirs = qemu.run(image, peer.cpu);
            let ended = |run: thread::ScopedJoinHandle<'_, Vec<u8>>| run.join().expect("it runs here");
            (ended(ours), translated.map(ended), theirs)
        });
        let scratch = |memory: &[u8]| {
            let at = (SCRATCH - RAM) as usize;
            memory[at..at + SCRATCH_SIZE as usize].to_vec()
        };
        let mut differences = battery.differences(&ours, &theirs, peer.excused);
        if let Some(translated) = translated {
            let by_engine = battery.differences(&translated, &ours, |_, _, _| false);
            let named =
                by_engine.into_iter().map(|(i, line)| (i, line.map(|line| format!("translated: {line}"))));
            differences.extend(named);
            if scratch(&translated) != scratch(&ours) {
                return (differences, false);
            }
        }
        (differences, scratch(&ours) == scratch(&theirs))
    }
}

impl Tally {
    pub(crate) fn new(row: Row, cases: u64, peer: &str) -> Self {
        let (extension, widths) = (row.extension().name(), format!("{:?}", row.widths()));
        Tally { extension, widths, cases, peers: vec![peer.into()], ..Tally::default() }
    }
}

/// Leaves rows for `cargo xtask test battery`, which prints them: mnemonic, extension, which widths have it, width,
/// cases, comparisons, differences, of the peer's own ways, peers.
pub(crate) fn leave_rows(name: &str, xlen: u32, words_per_case: u64, tally: &BTreeMap<&'static str, Tally>) {
    let mut text = String::new();
    for (mnemonic, row) in tally {
        let Tally { extension, widths, cases, differences, excused, peers } = row;
        let (comparisons, peers) = (cases * words_per_case, peers.join(","));
        writeln!(
            text,
            "{mnemonic}\t{extension}\t{widths}\t{xlen}\t{cases}\t{comparisons}\t{differences}\t{excused}\t{peers}"
        )
        .expect("a string takes any text");
    }
    leave(name, &text);
}

impl Peer {
    pub(crate) fn extensions(&self) -> ExtSet {
        ExtSet::of(&self.knows.concat())
    }
}

/// Writes a table where `cargo xtask test battery` looks for it.
pub(crate) fn leave(name: &str, text: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("battery");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    fs::write(folder.join(format!("{name}.tsv")), text).expect("the target folder can be written");
}
