//! Where devices say that a guest did something wrong, or something that is not modelled.
//!
//! Every report is counted, by device type, offset and reason; its text is made only while `-d guest_errors` or
//! `-d unimp` asks for it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Mask bit of [`enable`]: what no driver may do (`-d guest_errors`).
pub const GUEST_ERRORS: u32 = 1;
/// Mask bit of [`enable`]: what a real device does and ours does not (`-d unimp`).
pub const UNIMP: u32 = 2;

/// Kinds of reports counted apart; a guest cannot make the table grow for ever.
const MOST: usize = 4096;

static ENABLED: AtomicU32 = AtomicU32::new(0);
static COUNTS: Mutex<BTreeMap<Report, u64>> = Mutex::new(BTreeMap::new());
type Say = Box<dyn Fn(&str) + Send + Sync>;
static SAY: RwLock<Option<Say>> = RwLock::new(None);

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    /// [`GUEST_ERRORS`] or [`UNIMP`].
    pub kind: u32,
    /// The device's type.
    pub device: &'static str,
    /// The register's offset.
    pub offset: u64,
    /// What was wrong.
    pub what: &'static str,
}

/// Chooses which kinds are also said, by mask.
pub fn enable(mask: u32) {
    ENABLED.store(mask, Ordering::Relaxed);
}

/// Lines of text go to `say` from now on; before, they go to standard error.
pub fn say_to(say: impl Fn(&str) + Send + Sync + 'static) {
    *SAY.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(say));
}

/// The guest did what no driver may do to `device` at `offset`; `detail` completes the sentence.
pub fn guest_error(device: &'static str, offset: u64, what: &'static str, detail: fmt::Arguments<'_>) {
    report(Report { kind: GUEST_ERRORS, device, offset, what }, detail);
}

/// The guest asked for something that `device` has in reality, and not here.
pub fn unimp(device: &'static str, offset: u64, what: &'static str, detail: fmt::Arguments<'_>) {
    report(Report { kind: UNIMP, device, offset, what }, detail);
}

/// All reports so far, with how often each was made.
pub fn counts() -> Vec<(Report, u64)> {
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    counts.iter().map(|(report, n)| (report.clone(), *n)).collect()
}

fn report(report: Report, detail: fmt::Arguments<'_>) {
    if ENABLED.load(Ordering::Relaxed) & report.kind != 0 {
        let Report { device, offset, what, .. } = &report;
        let line = format!("{device}: {what} at offset {offset:#x}{detail}");
        match &*SAY.read().unwrap_or_else(PoisonError::into_inner) {
            Some(say) => say(&line),
            None => eprintln!("{line}"),
        }
    }
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    if counts.len() < MOST || counts.contains_key(&report) {
        *counts.entry(report).or_default() += 1;
    }
}
