//! The host as the harts of one machine call it.

use crate::{
    call::{Call, Turn, Wait},
    debugger::Debugger,
    handle::Files,
    input::Input,
};
use hartwright_device::{CharPort, Power, Sink};
use hartwright_exec::{Inspect, Semihost};
use hartwright_hart::Port;
use hartwright_wire::Clock;
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Whose files and console a call is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Those of our host.
    Native,
    /// Those of the debugger's.
    Debugger,
    /// The debugger's while one is attached, else ours.
    #[default]
    Auto,
}

/// What the calls of a machine are answered from.
#[derive(Clone)]
pub struct Setup {
    /// How many harts there are.
    pub harts: usize,
    /// Whether U-mode may call too.
    pub userspace: bool,
    /// Whose files and console it is about.
    pub target: Target,
    /// Where the console is; `None`: on the host's standard error output and input.
    pub console: Option<CharPort>,
    /// What `SYS_GET_CMDLINE` gives.
    pub command_line: Vec<u8>,
    /// What `SYS_HEAPINFO` gives: addresses where nothing was loaded.
    pub heap: Range<u64>,
    /// The machine's time.
    pub clock: Clock,
    /// Where `SYS_EXIT` goes.
    pub power: Power,
    /// Where the debugger's server is met.
    pub debugger: Arc<Debugger>,
}

/// Answers semihosting calls.
pub struct Semihosting {
    userspace: bool,
    pub(crate) target: Target,
    pub(crate) console: Option<CharPort>,
    pub(crate) command_line: Vec<u8>,
    pub(crate) heap: Range<u64>,
    pub(crate) clock: Clock,
    pub(crate) power: Power,
    pub(crate) debugger: Arc<Debugger>,
    pub(crate) input: Input,
    bells: OnceLock<Arc<dyn Sink>>,
    /// Calls are answered one by one.
    state: Mutex<State>,
}

struct State {
    files: Files,
    errno: u64,
    turns: Vec<Turn>,
}

/// All harts' bells, as one sink.
struct Bells(Vec<Arc<Port>>);

impl Sink for Bells {
    fn set(&self, _: u32, _: bool) {
        self.0.iter().for_each(|port| port.ring());
    }
}

impl Semihosting {
    /// A host for one machine's harts.
    pub fn new(setup: Setup) -> Arc<Self> {
        let Setup { harts, userspace, target, console, command_line, heap, clock, power, debugger } = setup;
        let turns = (0..harts).map(|_| Turn::default()).collect();
        let state = Mutex::new(State { files: Files::default(), errno: 0, turns });
        let (input, bells) = (Input::default(), OnceLock::new());
        Arc::new(Semihosting {
            userspace,
            target,
            console,
            command_line,
            heap,
            clock,
            power,
            debugger,
            input,
            bells,
            state,
        })
    }

    /// What rings when something that harts wait for is there.
    pub(crate) fn bells(&self) -> Arc<dyn Sink> {
        self.bells.get_or_init(|| Arc::new(Bells(vec![]))).clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Semihost for Semihosting {
    fn connect(&self, ports: &[Arc<Port>]) {
        let bells: Arc<dyn Sink> = Arc::new(Bells(ports.to_vec()));
        self.debugger.connect(bells.clone());
        if let Some(console) = &self.console {
            console.attach(bells.clone(), 0);
        }
        // The harts of a machine are made once.
        let _ = self.bells.set(bells);
    }

    fn userspace(&self) -> bool {
        self.userspace
    }

    fn call(&self, number: usize, hart: &mut dyn Inspect) -> bool {
        let mut state = self.lock();
        let State { files, errno, turns } = &mut *state;
        let Some(turn) = turns.get_mut(number) else { return false };
        Call { host: self, hart, number, files, errno, turn, parameter: 0 }.answer()
    }

    fn ready(&self, number: usize) -> bool {
        let wait = self.lock().turns.get(number).and_then(|turn| turn.wait);
        match wait {
            None => true,
            Some(Wait::Console) => self.console.as_ref().is_none_or(|port| port.readable() > 0),
            Some(Wait::Input) => self.input.ready(),
            Some(Wait::Output) => self.console.as_ref().is_none_or(CharPort::writable),
            Some(Wait::Debugger) => self.debugger.ready(number),
            Some(Wait::Ended) => false,
        }
    }

    fn reset(&self, number: usize) {
        self.debugger.forget(number);
        if let Some(turn) = self.lock().turns.get_mut(number) {
            *turn = Turn::default();
        }
    }
}
