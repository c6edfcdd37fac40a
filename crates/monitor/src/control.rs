//! Run control: one truth about whether the machine runs, and everybody who wants to know hears of a change.

use hartwright_device::Clock;
use hartwright_exec::{Event, Harts, Reason, Trace};
use hartwright_loader::Symbols;
use hartwright_mem::AddressSpace;
use hartwright_objects::Node;
use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

/// Whether the machine runs; if not, why. Named as in QMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It has not begun (`-S`).
    Prelaunch,
    /// It runs.
    Running,
    /// Somebody stopped it.
    Paused,
    /// It stopped for the debugger.
    Debug,
    /// The guest switched itself off (`-no-shutdown`). It goes on after a reset only.
    Shutdown,
}

impl RunState {
    /// Its name in QMP.
    pub fn name(self) -> &'static str {
        match self {
            RunState::Prelaunch => "prelaunch",
            RunState::Running => "running",
            RunState::Paused => "paused",
            RunState::Debug => "debug",
            RunState::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for RunState {
    /// As `info status` says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunState::Running | RunState::Paused => f.write_str(self.name()),
            _ => write!(f, "paused ({})", self.name()),
        }
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The machine runs.
    Resumed,
    /// The machine stands.
    Stopped {
        /// Why.
        state: RunState,
        /// The hart that stopped by itself and stopped the others, and its reason.
        by: Option<(usize, Reason)>,
    },
    /// The program ends with this exit code.
    Ended(u8),
}

/// What one hart is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// Stand.
    Stay,
    /// Run.
    Run,
    /// Do one instruction. Interrupts wait meanwhile, and time stands unless another hart runs.
    Step,
}

/// What only the program around the machine can do. Nothing here may wait for the machine: requests are queued.
pub trait Outside: Send + Sync {
    /// Resets the machine.
    fn reset(&self);
    /// Ends the program.
    fn quit(&self);
    /// Ends the program, which has failed.
    fn give_up(&self) {
        self.quit();
    }
    /// Presses the power button.
    ///
    /// # Errors
    /// A sentence: the machine has none.
    fn power_down(&self) -> Result<(), String>;
    /// The host ends, each with what it is.
    fn chardevs(&self) -> Vec<(String, String)>;
    /// The disks, as `info block` shows them.
    fn disks(&self) -> String;
    /// Has the log go to the file at `path` from now on, of which nothing is left that was there.
    ///
    /// # Errors
    /// Why it cannot be written, in the host's words.
    fn log_to(&self, path: &str) -> Result<(), String> {
        Err(format!("{path}: nothing is logged here"))
    }
    /// Takes up to `size` bytes out of a ring buffer, the oldest first.
    ///
    /// # Errors
    /// A sentence: `id` is no ring buffer.
    fn ring_read(&self, id: &str, size: usize) -> Result<Vec<u8>, String> {
        let _ = size;
        Err(format!("Device '{id}' not found"))
    }
    /// Puts bytes into a ring buffer.
    ///
    /// # Errors
    /// A sentence: `id` is no ring buffer.
    fn ring_write(&self, id: &str, bytes: &[u8]) -> Result<(), String> {
        let _ = bytes;
        Err(format!("Device '{id}' not found"))
    }
    /// Gives the frontend of a host end a break.
    ///
    /// # Errors
    /// A sentence: there is no `id`.
    fn send_break(&self, id: &str) -> Result<(), String> {
        Err(format!("Chardev '{id}' not found"))
    }
}

/// The ear that harts are made with, before there is a [`Control`] to hear.
pub struct Stops {
    sender: Sender<(u64, Event)>,
    receiver: Receiver<(u64, Event)>,
    round: Arc<AtomicU64>,
}

impl Default for Stops {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel();
        Stops { sender, receiver, round: Arc::default() }
    }
}

impl Stops {
    /// For [`Setup::listener`](hartwright_exec::Setup::listener).
    pub fn listener(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let (sender, round) = (self.sender.clone(), self.round.clone());
        Arc::new(move |event| {
            // When nobody controls the harts any more, nobody wants to know.
            let _ = sender.send((round.load(Ordering::Acquire), event));
        })
    }
}

/// What a [`Control`] controls.
pub struct Parts {
    /// The harts, made paused. To pause or resume them, use the control's own methods: others would not know.
    pub harts: Harts,
    /// The machine's physical addresses.
    pub space: Arc<AddressSpace>,
    /// The machine's time, standing at first.
    pub clock: Clock,
    /// The root of the object tree.
    pub root: Node,
    /// Names for addresses.
    pub symbols: Symbols,
    /// `-name`.
    pub name: Option<String>,
    /// The version that `info version` shows.
    pub version: String,
    /// What the harts trace; `log` sets it.
    pub trace: Trace,
    /// The program around it.
    pub outside: Box<dyn Outside>,
}

type Ear = Box<dyn Fn(News) + Send + Sync>;

/// A machine under control. Its parts are in reach as if they were its own.
pub struct Control {
    parts: Parts,
    state: Mutex<State>,
    /// Which run this is: counts up whenever harts are let go. What a hart told in an earlier one is old.
    round: Arc<AtomicU64>,
    ears: Mutex<Vec<Ear>>,
}

impl Deref for Control {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

struct State {
    run: RunState,
    /// What each hart does while the state is running.
    going: Vec<Go>,
}

impl Control {
    /// Takes control of a machine that has not begun, whose harts were made with the listener of `stops`.
    ///
    /// # Errors
    /// The host gives no thread.
    pub fn new(parts: Parts, stops: Stops) -> Result<Arc<Self>, String> {
        let going = vec![Go::Stay; parts.harts.len()];
        let control = Arc::new(Control {
            parts,
            state: Mutex::new(State { run: RunState::Prelaunch, going }),
            round: stops.round,
            ears: Mutex::default(),
        });
        // Weakly, or neither the harts nor the thread that hears them would ever go.
        let (weak, receiver) = (Arc::downgrade(&control), stops.receiver);
        let hear = move || {
            for (round, event) in receiver {
                let Some(control) = weak.upgrade() else { return };
                control.hart_stopped(round, event);
            }
        };
        let heard = thread::Builder::new().name("control".into()).spawn(hear);
        heard.map_err(|e| format!("the host gives the run control no thread: {e}"))?;
        Ok(control)
    }

    /// From now on `ear` hears all news. It must only note them: it is called in the middle of the change.
    pub fn listen(&self, ear: impl Fn(News) + Send + Sync + 'static) {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(ear));
    }

    /// Whether the machine runs.
    pub fn state(&self) -> RunState {
        self.lock().run
    }

    /// Stops the machine, if it runs.
    pub fn stop(&self) {
        self.halt(RunState::Paused);
    }

    /// Stops the machine for good, or until a reset: the guest switched it off.
    pub fn shut_down(&self) {
        self.halt(RunState::Shutdown);
    }

    /// Lets the whole machine run, if it stands.
    ///
    /// # Errors
    /// It was switched off.
    pub fn cont(&self) -> Result<(), String> {
        self.go(&vec![Go::Run; self.harts.len()])
    }

    /// Lets each hart do what `plan` says, if the machine stands. What is missing in it stays.
    ///
    /// # Errors
    /// The machine was switched off.
    pub fn go(&self, plan: &[Go]) -> Result<(), String> {
        let mut state = self.lock();
        match state.run {
            RunState::Running => return Ok(()),
            RunState::Shutdown => return Err("Resetting the Virtual Machine is required".into()),
            _ => {}
        }
        state.run = RunState::Running;
        state.going =
            plan.iter().copied().chain(std::iter::repeat(Go::Stay)).take(self.harts.len()).collect();
        if plan.contains(&Go::Run) {
            self.clock.start();
        }
        self.tell(News::Resumed);
        self.release(&state);
        Ok(())
    }

    /// Does something while all harts stand, wherever they are; those that ran run on afterwards.
    pub fn while_standing<R>(&self, f: impl FnOnce(&Harts) -> R) -> R {
        let state = self.lock();
        self.harts.pause();
        let result = f(&self.harts);
        if state.run == RunState::Running {
            self.release(&state);
        }
        result
    }

    /// After a reset, a machine that was switched off may run again: it is paused.
    pub fn was_reset(&self) {
        let mut state = self.lock();
        if state.run == RunState::Shutdown {
            state.run = RunState::Paused;
        }
    }

    /// Tells everybody that the program is about to end with exit code `code`.
    pub fn ended(&self, code: u8) {
        self.tell(News::Ended(code));
    }

    fn halt(&self, why: RunState) {
        let mut state = self.lock();
        if state.run == RunState::Running {
            self.stand(&mut state, why, None);
        } else if why == RunState::Shutdown {
            state.run = why;
        }
    }

    /// A hart stopped by itself: so do the others.
    fn hart_stopped(&self, round: u64, Event::Stopped { hart, reason }: Event) {
        if reason == Reason::Differs {
            self.outside.give_up();
        }
        let mut state = self.lock();
        if state.run == RunState::Running && round == self.round.load(Ordering::Acquire) {
            self.stand(&mut state, RunState::Debug, Some((hart, reason)));
        }
    }

    fn stand(&self, state: &mut State, why: RunState, by: Option<(usize, Reason)>) {
        self.harts.pause();
        self.clock.stop();
        state.run = why;
        self.tell(News::Stopped { state: why, by });
    }

    fn release(&self, state: &State) {
        self.round.fetch_add(1, Ordering::AcqRel);
        if state.going.iter().all(|go| *go == Go::Run) {
            return self.harts.resume();
        }
        for (hart, go) in state.going.iter().enumerate() {
            match go {
                Go::Stay => {}
                Go::Run => self.harts.resume_one(hart),
                Go::Step => self.harts.step(hart),
            }
        }
    }

    fn tell(&self, news: News) {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|ear| ear(news));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
