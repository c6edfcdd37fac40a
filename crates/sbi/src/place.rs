//! A hart as the others see it: its state, and what they want of it.
//!
//! Nobody waits with a lock held, and no call waits within itself. Who wants a fence done elsewhere leaves it there. If
//! that hart is running, the caller is held from running (`owed`) until it came by; if it is not, it will do the
//! fence before it runs its next instruction, and that is as good. So two harts that fence each other get past each
//! other, and a hart that sleeps is not woken for a fence.

use hartwright_exec::Inspect;
use hartwright_hart::Port;
use hartwright_isa::csr;
use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// One hart, for all harts.
#[derive(Default)]
pub(crate) struct Place {
    port: OnceLock<Arc<Port>>,
    post: Mutex<Post>,
    /// The hart runs, and nobody has had its post since it last looked.
    quiet: AtomicBool,
    /// Of how many harts the fence that it called for is still awaited.
    owed: AtomicUsize,
}

/// What of a hart is changed by others.
#[derive(Default)]
pub(crate) struct Post {
    /// What it is doing.
    pub(crate) state: State,
    /// Whether it may be running instructions, now.
    running: bool,
    /// A software interrupt is to be pending.
    interrupt: bool,
    /// Instructions are to be fetched anew.
    refetch: bool,
    flush: Flush,
    /// The numbers of those that wait for the above.
    waiting: Vec<usize>,
}

/// What a hart is doing (chapter 9, "Hart State Management").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs.
    Started,
    /// It waits to be started.
    #[default]
    Stopped,
    /// Another has asked it to start, and it has not yet.
    StartPending(Entry),
    /// It waits for an interrupt; then it goes on where it was, or begins anew.
    Suspended(Option<Entry>),
    /// It ended the machine, or reset it, and waits for that to happen.
    Ended,
}

/// Where a hart begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The physical address of its first instruction.
    pub(crate) pc: u64,
    /// What it finds in `a1`.
    pub(crate) opaque: u64,
}

/// Translations to forget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flush {
    /// None.
    #[default]
    Nothing,
    /// Those of these virtual addresses.
    Pages(Vec<u64>),
    /// All.
    All,
}

/// More single pages than this, and all are forgotten: each of them costs as much.
pub(crate) const MOST_PAGES: u64 = 8;

impl Flush {
    fn add(&mut self, more: &Flush) {
        match (&mut *self, more) {
            (_, Flush::Nothing) | (Flush::All, _) => {}
            (Flush::Pages(pages), Flush::Pages(others))
                if pages.len() + others.len() <= MOST_PAGES as usize =>
            {
                pages.extend(others);
            }
            (Flush::Nothing, _) => *self = more.clone(),
            _ => *self = Flush::All,
        }
    }

    fn run(self, hart: &mut dyn Inspect) {
        match self {
            Flush::Nothing => {}
            Flush::Pages(pages) => pages.into_iter().for_each(|addr| hart.flush(Some(addr))),
            Flush::All => hart.flush(None),
        }
    }
}

/// What a fence has a hart do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fence {
    /// Fetch instructions anew.
    pub(crate) refetch: bool,
    /// Forget translations.
    pub(crate) flush: Flush,
}

impl Place {
    pub(crate) fn connect(&self, port: &Arc<Port>) {
        // The harts of a machine are made once.
        let _ = self.port.set(port.clone());
    }

    pub(crate) fn post(&self) -> MutexGuard<'_, Post> {
        let post = self.post.lock().unwrap_or_else(PoisonError::into_inner);
        // While the lock is held, so that no look in between is lost.
        self.quiet.store(false, Ordering::Release);
        post
    }

    fn ring(&self) {
        if let Some(port) = self.port.get() {
            port.ring();
        }
    }

    /// Forgets what others wanted of it.
    pub(crate) fn reset(&self, state: State) {
        *self.post() = Post { state, ..Post::default() };
        self.owed.store(0, Ordering::Release);
    }

    /// Has the hart, which is another one, begin at `entry`; `false` if it is not stopped.
    pub(crate) fn start(&self, entry: Entry) -> bool {
        let mut post = self.post();
        if post.state != State::Stopped {
            return false;
        }
        post.state = State::StartPending(entry);
        drop(post);
        self.ring();
        true
    }

    /// Stops the hart, which is the caller's own.
    pub(crate) fn stop(&self) {
        let mut post = self.post();
        post.state = State::Stopped;
        post.interrupt = false;
    }

    /// Has a software interrupt pending, unless the hart is stopped; one that is about to start finds it there.
    pub(crate) fn interrupt(&self) {
        let mut post = self.post();
        if !matches!(post.state, State::Stopped | State::Ended) {
            post.interrupt = true;
            drop(post);
            self.ring();
        }
    }
}

/// Has hart `target` do a fence that hart `caller`, another one, waits for.
pub(crate) fn fence(places: &[Place], caller: usize, target: usize, fence: &Fence) {
    let place = &places[target];
    let mut post = place.post();
    post.refetch |= fence.refetch;
    post.flush.add(&fence.flush);
    if post.running {
        places[caller].owed.fetch_add(1, Ordering::AcqRel);
        post.waiting.push(caller);
        drop(post);
        place.ring();
    }
}

/// Has the hart do what others left for it. Whether it may run; `begin` puts it where it begins.
pub(crate) fn heed(
    places: &[Place],
    number: usize,
    hart: &mut dyn Inspect,
    begin: impl FnOnce(&mut dyn Inspect, Entry),
) -> bool {
    let place = &places[number];
    // Most looks are for the hart's own sake: it wrote `sstatus`, say.
    if place.quiet.load(Ordering::Acquire) && place.owed.load(Ordering::Acquire) == 0 {
        return true;
    }
    let mut post = place.post();
    mem::take(&mut post.flush).run(hart);
    if mem::take(&mut post.refetch) {
        hart.refetch();
    }
    if mem::take(&mut post.interrupt) {
        raise_software_interrupt(hart);
    }
    match post.state {
        State::StartPending(entry) => {
            begin(hart, entry);
            post.state = State::Started;
        }
        State::Suspended(entry) if wakes(hart) => {
            if let Some(entry) = entry {
                begin(hart, entry);
            }
            post.state = State::Started;
        }
        _ => {}
    }
    post.running = post.state == State::Started && place.owed.load(Ordering::Acquire) == 0;
    let (running, waiting) = (post.running, mem::take(&mut post.waiting));
    place.quiet.store(running, Ordering::Release);
    drop(post);
    release(places, &waiting);
    running
}

/// Notes that the hart runs no instruction until it heeds again.
pub(crate) fn rest(places: &[Place], number: usize) {
    let mut post = places[number].post();
    post.running = false;
    let waiting = mem::take(&mut post.waiting);
    drop(post);
    release(places, &waiting);
}

/// Tells those that waited for one hart.
fn release(places: &[Place], waiting: &[usize]) {
    for &caller in waiting {
        if places[caller].owed.fetch_sub(1, Ordering::AcqRel) == 1 {
            places[caller].ring();
        }
    }
}

/// Sets the hart's own `sip.SSIP`.
pub(crate) fn raise_software_interrupt(hart: &mut dyn Inspect) {
    let pending = hart.csr(csr::SIP).unwrap_or(0);
    hart.set_csr(csr::SIP, pending | hartwright_hart::status::SSIP);
}

/// Whether an interrupt is pending and enabled, whatever else says.
fn wakes(hart: &dyn Inspect) -> bool {
    let read = |number| hart.csr(number).unwrap_or(0);
    read(csr::SIP) & read(csr::SIE) != 0
}
