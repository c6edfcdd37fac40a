//! A machine that runs: its harts' threads, its state, and what others may ask of it.
//!
//! Monitors, debuggers and the program's main loop share a [`Running`]. What the machine itself asks for, or a hart
//! that stops by itself, goes to the main loop as a [`Notice`], because only a thread that is no hart's can stop
//! harts and wait for them.

use crate::{Frame, Machine, Outside, Plan};
use hartwright_device::{Power, Request, Sink};
use hartwright_exec::{Event, Harts, Setup, Trace};
use hartwright_hart::Config;
use hartwright_isa::cpu::CpuModel;
use hartwright_loader::Symbols;
use hartwright_mem::AddressSpace;
use hartwright_objects::{Class, Node};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the main loop is to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The guest asks for power-off or reset.
    Power(Request),
    /// A hart stopped by itself: call [`Running::hart_stopped`].
    Stopped(Event),
    /// A monitor or debugger ends the program, with this exit code.
    Quit(u8),
}

/// What became of the machine, for observers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It runs.
    Resumed,
    /// It stands: because a hart stopped by itself, or because somebody asked.
    Stopped(Option<Event>),
    /// It was reset.
    Reset,
    /// It ended, with the guest's exit code.
    Shutdown(u16),
}

/// Whether a machine runs, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It never ran (`-S`).
    Prelaunch,
    /// It runs.
    Running,
    /// Somebody stopped it.
    Paused,
    /// A debugger's breakpoint stopped it.
    Debug,
    /// The guest switched it off, and it was kept (`-no-shutdown`).
    Shutdown,
}

impl State {
    /// As QMP's `RunState` and `info status` spell it.
    pub fn name(self) -> &'static str {
        match self {
            State::Prelaunch => "prelaunch",
            State::Running => "running",
            State::Paused => "paused",
            State::Debug => "debug",
            State::Shutdown => "shutdown",
        }
    }
}

type Observer = Box<dyn Fn(Change) + Send>;
type Notify = Arc<dyn Fn(Notice) + Send + Sync>;

/// A machine with its harts.
pub struct Running {
    machine: Machine,
    plan: Plan,
    model: CpuModel,
    harts: Harts,
    trace: Trace,
    state: Mutex<State>,
    observers: Mutex<Vec<Observer>>,
    notify: Notify,
}

/// What a machine is started with besides its frame.
pub struct Start {
    /// What lies in memory.
    pub plan: Plan,
    /// What its harts are.
    pub model: CpuModel,
    /// The machine's type, if it is a built-in one.
    pub class: Option<&'static Class>,
    /// Host ends; its power requests become notices.
    pub outside: Outside,
    /// Where `-d` text goes.
    pub trace: Trace,
    /// Hears what the main loop is to act on; must queue it and return.
    pub notify: Notify,
}

impl Running {
    /// The machine, its memory filled, its harts standing at their reset addresses.
    ///
    /// # Errors
    ///
    /// One sentence: the host lacks memory or threads, or a device refuses its wiring.
    pub fn new(frame: Frame, start: Start) -> Result<Arc<Running>, String> {
        let Start { plan, model, class, mut outside, trace, notify } = start;
        let config = |id: u64| Config {
            model: model.clone(),
            id,
            reset_pc: plan.start(id as u32),
            space: frame.space.clone(),
            mtime: frame.mtime.clone(),
        };
        let tell = notify.clone();
        let harts = Harts::new(Setup {
            harts: (0..*frame.spec.cpu.harts).map(config).collect(),
            listener: Arc::new(move |event| tell(Notice::Stopped(event))),
            trace: trace.clone(),
        })?;
        let pins: Vec<Arc<dyn Sink>> =
            (0..harts.len()).map(|hart| harts.port(hart) as Arc<dyn Sink>).collect();
        let tell = notify.clone();
        outside.power = Power::new(move |request| tell(Notice::Power(request)));
        let machine = frame.wire(class, &pins, &outside)?;
        plan.load(&machine.space).map_err(|why| format!("the machine's memory cannot be filled: {why}"))?;
        let (state, observers) = (Mutex::new(State::Prelaunch), Mutex::default());
        Ok(Arc::new(Running { machine, plan, model, harts, trace, state, observers, notify }))
    }

    /// The machine without its harts.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Its harts.
    pub fn harts(&self) -> &Harts {
        &self.harts
    }

    /// What its harts are.
    pub fn model(&self) -> &CpuModel {
        &self.model
    }

    /// Its physical addresses.
    pub fn space(&self) -> &Arc<AddressSpace> {
        &self.machine.space
    }

    /// The root of its object tree.
    pub fn root(&self) -> &Node {
        &self.machine.root
    }

    /// The names of what was loaded.
    pub fn symbols(&self) -> &Symbols {
        &self.plan.symbols
    }

    /// What `-d` and `log` choose.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Whether it runs.
    pub fn state(&self) -> State {
        *self.lock()
    }

    /// Hears of every change from now on; must return soon, and not call back.
    pub fn observe(&self, observer: impl Fn(Change) + Send + 'static) {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(observer));
    }

    /// Lets it run. A machine that was switched off stays so until it is reset.
    pub fn cont(&self) {
        let mut state = self.lock();
        if !matches!(*state, State::Running | State::Shutdown) {
            *state = State::Running;
            self.go();
            drop(state);
            self.tell(Change::Resumed);
        }
    }

    /// Stops it, and returns when it stands.
    pub fn stop(&self) {
        let mut state = self.lock();
        if *state == State::Running {
            self.hold();
            *state = State::Paused;
            drop(state);
            self.tell(Change::Stopped(None));
        }
    }

    /// Has hart number `hart` of a standing machine do one instruction; a [`Notice::Stopped`] follows.
    pub fn step(&self, hart: usize) {
        if self.state() != State::Running {
            self.harts.step(hart);
        }
    }

    /// A hart stopped by itself: the others stop too.
    pub fn hart_stopped(&self, event: Event) {
        let mut state = self.lock();
        if *state == State::Running {
            self.hold();
            *state = State::Debug;
        }
        drop(state);
        self.tell(Change::Stopped(Some(event)));
    }

    /// Starts it again as if its power had been off, except that RAM keeps what nothing is loaded over.
    pub fn reset(&self) {
        let mut state = self.lock();
        let ran = *state == State::Running;
        self.hold();
        self.machine.reset();
        // It fitted when the machine was made, and the map does not change.
        let _ = self.plan.load(&self.machine.space);
        self.harts.reset();
        if ran {
            self.go();
        } else if *state == State::Shutdown {
            *state = State::Paused;
        }
        drop(state);
        self.tell(Change::Reset);
    }

    /// Stops it because the guest switched it off.
    pub fn shut_down(&self, code: u16) {
        let mut state = self.lock();
        self.hold();
        *state = State::Shutdown;
        drop(state);
        self.tell(Change::Shutdown(code));
    }

    /// Asks the main loop to end the program.
    pub fn quit(&self, code: u8) {
        (self.notify)(Notice::Quit(code));
    }

    fn go(&self) {
        self.machine.clock.start();
        self.harts.resume();
    }

    fn hold(&self) {
        self.harts.pause();
        self.machine.clock.stop();
    }

    fn tell(&self, change: Change) {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .for_each(|observer| observer(change));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
