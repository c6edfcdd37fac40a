//! All host ends of a program, as the rest of the program sees them.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

use hartwright_device::CharPort;
use hartwright_event::{Loop, Waker};

use crate::{
    drivers::{Opening, ringbuf::Ring},
    front::Role,
    opts::Refusal,
    spec::ChardevSpec,
    worker::{Command, Worker},
};

/// What all host ends share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The mux's key (`-echr`), Ctrl-A as a rule; `None` for no key.
    pub escape: Option<u8>,
    /// Who speaks: who waits for a client, and who ends after the escape key and `x`.
    pub program: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { escape: Some(0x01), program: "hartwright".into() }
    }
}

/// What a host end tells the rest of the program while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The user typed the escape key and `x`: the program is to end, with exit code 0.
    Quit,
    /// Something did not work, and will be tried again.
    Warning(String),
}

/// What opening a host end has to tell the user, meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// A server waits for its first client: for standard error, behind the option that asked for it.
    Waiting(&'a str),
    /// Where a pseudo-terminal is: a line for standard output, as it stands.
    Redirected(&'a str),
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Told::Waiting(words) | Told::Redirected(words)) = self;
        f.write_str(words)
    }
}

/// One line of `info chardev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChardevInfo {
    /// Its name.
    pub id: String,
    /// What it is and whether it is connected, in QEMU's words.
    pub filename: String,
    /// A frontend is attached.
    pub frontend_open: bool,
}

/// What is known of a host end outside the thread that serves it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) filename: Filename,
    /// It is behind a mux, and this is its own name.
    pub(crate) base: Option<String>,
    pub(crate) frontend_open: bool,
    pub(crate) ring: Option<Ring>,
}

/// What it is and whether it is connected, as its thread last said.
pub(crate) type Filename = Arc<Mutex<String>>;

/// By the name that frontends use.
pub(crate) type Known = Arc<Mutex<BTreeMap<String, Shown>>>;

/// All host ends of a program, and the thread that serves them.
#[derive(Debug)]
pub struct Backends {
    ends: Ends,
    settings: Settings,
    thread: Option<JoinHandle<()>>,
}

/// What others may do with host ends while they are served; clones mean the same ones.
#[derive(Clone, Debug)]
pub struct Ends {
    commands: Sender<Command>,
    waker: Waker,
    known: Known,
}

impl Backends {
    /// Starts the thread. `notify` is called on it, and must not wait for it.
    pub fn start(settings: Settings, notify: impl Fn(Notice) + Send + 'static) -> io::Result<Backends> {
        let mut events = Loop::new()?;
        let mailbox = events.key();
        let waker = events.waker(mailbox);
        let (commands, inbox) = mpsc::channel();
        let known = Known::default();
        let worker = Worker::new(events, mailbox, inbox, settings.clone(), Box::new(notify), known.clone());
        let thread = std::thread::Builder::new().name("backends".into()).spawn(move || worker.run())?;
        Ok(Backends { ends: Ends { commands, waker, known }, settings, thread: Some(thread) })
    }

    /// Opens a host end and serves it from now on. `tell` hears what the user has to know before that is done.
    pub fn add(&self, spec: &ChardevSpec, tell: &dyn Fn(Told<'_>)) -> Result<(), Refusal> {
        let taken = |name: &str| {
            self.ends.lock().iter().any(|(id, shown)| id == name || shown.base.as_deref() == Some(name))
        };
        if let Some(name) = [Some(&spec.id), spec.mux.as_ref()].into_iter().flatten().find(|name| taken(name))
        {
            return Err(Refusal::new(format!("Duplicate ID '{name}' for chardev")));
        }
        let log = spec.log.as_ref().map(crate::drivers::file::create).transpose()?;
        let label = spec.mux.as_ref().unwrap_or(&spec.id);
        let end = spec.kind.open(&Opening { label, program: &self.settings.program, tell })?;
        let filename = Filename::new(Mutex::new(end.filename()));
        let shown = Shown {
            filename: filename.clone(),
            base: spec.mux.clone(),
            frontend_open: false,
            ring: end.ring(),
        };
        self.ends.lock().insert(spec.id.clone(), shown);
        self.ends.send(Command::Add { id: spec.id.clone(), mux: spec.mux.is_some(), end, log, filename });
        Ok(())
    }

    /// Connects a port to the host end `id`.
    pub fn attach(&self, id: &str, port: CharPort, role: Role) -> Result<(), Refusal> {
        {
            let known = self.ends.lock();
            // What is behind a mux has the mux as its only frontend.
            if known.values().any(|shown| shown.base.as_deref() == Some(id)) {
                return Err(in_use(id));
            }
            if !known.contains_key(id) {
                return Err(Refusal::new(format!("chardev \"{id}\" not found")));
            }
        }
        let (done, answer) = mpsc::channel();
        self.ends.send(Command::Attach { id: id.into(), port, role, done });
        match answer.recv() {
            Ok(true) => Ok(()),
            _ => Err(in_use(id)),
        }
    }

    /// Reads nothing from the host until [`release`](Self::release).
    ///
    /// For a start in several steps: what was typed before the last frontend is there waits for it, escape keys too.
    pub fn hold(&self) {
        self.ends.send(Command::Hold(true));
    }

    /// Ends a [`hold`](Self::hold).
    pub fn release(&self) {
        self.ends.send(Command::Hold(false));
    }

    /// What there is, by name.
    pub fn infos(&self) -> Vec<ChardevInfo> {
        self.ends.infos()
    }

    /// What others may do with the host ends.
    pub fn ends(&self) -> Ends {
        self.ends.clone()
    }

    /// Gives all waiting output to the host, then closes everything and ends the thread.
    ///
    /// Gives up when the host takes nothing for `stall`: somebody may have stopped reading for ever.
    pub fn finish(mut self, stall: Duration) {
        self.end(stall);
    }

    fn end(&mut self, stall: Duration) {
        if let Some(thread) = self.thread.take() {
            self.ends.send(Command::Finish { stall });
            // A panic of the thread has been told already.
            let _ = thread.join();
        }
    }
}

impl Drop for Backends {
    /// Closes everything, waiting for nobody: paths of sockets go.
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl Ends {
    /// What there is, by name.
    pub fn infos(&self) -> Vec<ChardevInfo> {
        let mut infos = Vec::new();
        for (id, Shown { filename, base, frontend_open, .. }) in &*self.lock() {
            let filename = filename.lock().unwrap_or_else(PoisonError::into_inner);
            let info = |id: &str, filename: &str, frontend_open| ChardevInfo {
                id: id.into(),
                filename: filename.into(),
                frontend_open,
            };
            match base {
                None => infos.push(info(id, &filename, *frontend_open)),
                // The mux is the frontend of what is behind it.
                Some(base) => infos.extend([info(id, "mux", *frontend_open), info(base, &filename, true)]),
            }
        }
        infos.sort_by(|a, b| a.id.cmp(&b.id));
        infos
    }

    /// Takes up to `size` of the oldest bytes out of the ring buffer `id` (`ringbuf_read`).
    pub fn ring_read(&self, id: &str, size: usize) -> Result<Vec<u8>, Refusal> {
        Ok(self.ring(id)?.take(size))
    }

    /// Puts bytes into the ring buffer `id`, as if the machine had written them (`ringbuf_write`).
    pub fn ring_write(&self, id: &str, bytes: &[u8]) -> Result<(), Refusal> {
        self.ring(id)?.put(bytes.iter().copied());
        Ok(())
    }

    /// Gives the frontend of `id` a break (`chardev-send-break`).
    pub fn send_break(&self, id: &str) -> Result<(), Refusal> {
        let known = self.lock();
        let front = known.iter().find(|(name, shown)| *name == id || shown.base.as_deref() == Some(id));
        let (front, _) = front.ok_or_else(|| Refusal::new(format!("Chardev '{id}' not found")))?;
        self.send(Command::Break { id: front.clone() });
        Ok(())
    }

    fn ring(&self, id: &str) -> Result<Ring, Refusal> {
        let known = self.lock();
        let behind = known.values().find(|shown| shown.base.as_deref() == Some(id));
        let shown = behind
            .or_else(|| known.get(id))
            .ok_or_else(|| Refusal::new(format!("Device '{id}' not found")))?;
        // The name in front of a mux is the mux's.
        let ring = shown.ring.clone().filter(|_| shown.base.is_none() || behind.is_some());
        ring.ok_or_else(|| Refusal::new(format!("{id} is not a ringbuf device")))
    }

    fn send(&self, command: Command) {
        // The thread ends only with us, or when the host cannot poll any more.
        let _ = self.commands.send(command);
        self.waker.wake();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_use(id: &str) -> Refusal {
    Refusal::new(format!("chardev '{id}' is already in use"))
}
