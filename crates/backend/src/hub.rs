//! The host ends at work: one thread that moves bytes between descriptors and ports.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hartwright_device::CharPort;
use hartwright_event::{Event, Interest, Key, Loop, Waker};

use crate::{
    channel::Channel,
    front::{self, Front, Role},
    open::{self, Listener, Opened, describe_spec},
    opts::Refusal,
    spec::{ChardevSpec, Kind, Socket},
};

/// What all host ends share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The mux's key (`-echr`), Ctrl-A as a rule; `None` for no key.
    pub escape: Option<u8>,
    /// Who ends, in the words after the escape key and `x`.
    pub program: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { escape: Some(0x01), program: "hartwright".into() }
    }
}

/// What a host end tells the rest of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The user typed the escape key and `x`: the program is to end, with exit code 0.
    Quit,
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

/// All host ends of a program, and the thread that serves them.
#[derive(Debug)]
pub struct Backends {
    commands: Sender<Command>,
    waker: Waker,
    infos: Infos,
    thread: Option<JoinHandle<()>>,
}

type Infos = Arc<Mutex<BTreeMap<String, ChardevInfo>>>;

#[derive(Debug)]
enum Command {
    Add { spec: Box<ChardevSpec>, opened: Opened },
    Attach { id: String, port: CharPort, role: Role, done: Sender<bool> },
    Connected { id: String, client: Option<Channel> },
    Hold(bool),
    Finish { stall: Duration },
}

impl Backends {
    /// Starts the thread. `notify` is called on it, and must not wait for it.
    pub fn start(settings: Settings, notify: impl Fn(Notice) + Send + 'static) -> io::Result<Backends> {
        let mut events = Loop::new()?;
        let mailbox = events.key();
        let waker = events.waker(mailbox);
        let (commands, inbox) = mpsc::channel();
        let infos = Infos::default();
        let worker = Worker {
            events,
            mailbox,
            inbox,
            commands: commands.clone(),
            settings,
            notify: Box::new(notify),
            chardevs: BTreeMap::new(),
            infos: infos.clone(),
            held: false,
        };
        let thread = std::thread::Builder::new().name("backends".into()).spawn(move || worker.run())?;
        Ok(Backends { commands, waker, infos, thread: Some(thread) })
    }

    /// Opens a host end and serves it from now on. `tell` hears what a server with `wait=on` waits for, meanwhile.
    pub fn add(&self, spec: &ChardevSpec, tell: &dyn Fn(&str)) -> Result<(), Refusal> {
        let info =
            ChardevInfo { id: spec.id.clone(), filename: describe_spec(spec, false), frontend_open: false };
        if self.lock().contains_key(&spec.id) {
            return Err(Refusal::new(format!("Duplicate ID '{}' for chardev", spec.id)));
        }
        let opened = open::open(spec, tell)?;
        self.lock().insert(spec.id.clone(), info);
        self.send(Command::Add { spec: Box::new(spec.clone()), opened });
        Ok(())
    }

    /// Connects a port to the host end `id`.
    pub fn attach(&self, id: &str, port: CharPort, role: Role) -> Result<(), Refusal> {
        if !self.lock().contains_key(id) {
            return Err(Refusal::new(format!("chardev \"{id}\" not found")));
        }
        let (done, answer) = mpsc::channel();
        self.send(Command::Attach { id: id.into(), port, role, done });
        match answer.recv() {
            Ok(true) => Ok(()),
            _ => Err(Refusal::new(format!("chardev \"{id}\" is already in use"))),
        }
    }

    /// Reads nothing from the host until [`release`](Self::release).
    ///
    /// For a start in several steps: what was typed before the last frontend is there waits for it, escape keys too.
    pub fn hold(&self) {
        self.send(Command::Hold(true));
    }

    /// Ends a [`hold`](Self::hold).
    pub fn release(&self) {
        self.send(Command::Hold(false));
    }

    /// What there is, by name.
    pub fn infos(&self) -> Vec<ChardevInfo> {
        self.lock().values().cloned().collect()
    }

    /// Gives all waiting output to the host, then closes everything and ends the thread.
    ///
    /// Gives up when the host takes nothing for `stall`: somebody may have stopped reading for ever.
    pub fn finish(mut self, stall: Duration) {
        self.end(stall);
    }

    fn end(&mut self, stall: Duration) {
        if let Some(thread) = self.thread.take() {
            self.send(Command::Finish { stall });
            // A panic of the thread has been told already.
            let _ = thread.join();
        }
    }

    fn send(&self, command: Command) {
        // The thread ends only with us, or when the host cannot poll any more.
        let _ = self.commands.send(command);
        self.waker.wake();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ChardevInfo>> {
        self.infos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Backends {
    /// Closes everything, waiting for nobody: paths of sockets go.
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

struct Worker {
    events: Loop,
    mailbox: Key,
    inbox: Receiver<Command>,
    commands: Sender<Command>,
    settings: Settings,
    notify: Box<dyn Fn(Notice) + Send>,
    chardevs: BTreeMap<String, Chardev>,
    infos: Infos,
    /// Input stays with the host.
    held: bool,
}

struct Chardev {
    spec: ChardevSpec,
    front: Front,
    /// Its own key: ports wake it, and its reconnection timer reports by it.
    key: Key,
    input: Option<Registered>,
    output: Option<Registered>,
    listener: Option<(Key, Listener)>,
    log: Option<Channel>,
    out: VecDeque<u8>,
    /// The host takes no more output for now.
    blocked: bool,
    connecting: bool,
    /// What its [`ChardevInfo`] says.
    shown_connected: bool,
}

/// A channel and the loop's key for its descriptor. A socket's two channels share one key.
struct Registered {
    key: Key,
    channel: Channel,
}

/// How much output is gathered for one write, in bytes.
const GATHER: usize = 16 << 10;

/// How many rounds of output one host end gets before the others have a turn.
const ROUNDS: usize = 16;

impl Worker {
    fn run(mut self) {
        let mut finishing: Option<(Duration, Instant)> = None;
        loop {
            let limit = finishing.as_ref().map(|_| Duration::from_millis(50));
            // Out of memory or descriptors in the host's poll: nothing can be served any more.
            let Ok(events) = self.events.turn(limit) else { return };
            let mut moved = 0;
            for event in events {
                match event {
                    Event::Woken { key } if key == self.mailbox => {
                        while let Ok(command) = self.inbox.try_recv() {
                            match command {
                                Command::Finish { stall } => finishing = Some((stall, Instant::now())),
                                command => self.obey(command),
                            }
                        }
                    }
                    event => moved += self.handle(event),
                }
            }
            if let Some((stall, since)) = &mut finishing {
                moved += self.flush();
                if moved > 0 {
                    *since = Instant::now();
                }
                let idle = self.chardevs.values_mut().all(Chardev::is_drained);
                if idle || since.elapsed() > *stall {
                    return;
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add { spec, opened } => {
                let id = spec.id.clone();
                let mut chardev = Chardev::new(*spec, opened, &mut self.events, &self.settings);
                chardev.front.hold(self.held);
                self.chardevs.insert(id.clone(), chardev);
                self.pump(&id);
            }
            Command::Attach { id, port, role, done } => {
                let taken = self.chardevs.get_mut(&id).is_some_and(|chardev| {
                    let free = chardev.front.has_place();
                    if free {
                        let waker = self.events.waker(chardev.key);
                        port.connect(Arc::new(move || waker.wake()));
                        chardev.front.attach(port, role);
                    }
                    free
                });
                if let Some(info) = self.infos.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id) {
                    info.frontend_open |= taken;
                }
                // Whoever asked may have gone.
                let _ = done.send(taken);
                self.pump(&id);
            }
            Command::Connected { id, client } => {
                if let Some(chardev) = self.chardevs.get_mut(&id) {
                    chardev.connecting = false;
                    match client {
                        Some(client) => chardev.connect(client, &mut self.events),
                        None => chardev.retry_later(&mut self.events),
                    }
                }
                self.pump(&id);
            }
            Command::Hold(held) => {
                self.held = held;
                self.chardevs.values_mut().for_each(|chardev| chardev.front.hold(held));
                self.flush();
            }
            Command::Finish { .. } => {}
        }
    }

    /// One event of one host end; says how many bytes moved.
    fn handle(&mut self, event: Event) -> usize {
        let (Event::Ready { key, .. } | Event::Timer { key } | Event::Woken { key }) = event;
        let Some((id, chardev)) = self.chardevs.iter_mut().find(|(_, chardev)| chardev.has(key)) else {
            return 0;
        };
        let id = id.clone();
        match event {
            Event::Ready { key, read, write } => {
                if chardev.listener.as_ref().is_some_and(|(listener, _)| *listener == key) {
                    chardev.accept(&mut self.events);
                } else {
                    if write {
                        chardev.blocked = false;
                    }
                    if read && let Some(front::Key::Quit) = chardev.receive(&mut self.events) {
                        chardev.send(&mut self.events);
                        (self.notify)(Notice::Quit);
                    }
                }
            }
            Event::Timer { .. } => chardev.reconnect(&self.commands, self.events.waker(self.mailbox)),
            Event::Woken { .. } => {}
        }
        self.pump(&id)
    }

    /// Moves what can be moved at one host end, and asks for what it waits for.
    fn pump(&mut self, id: &str) -> usize {
        let Some(chardev) = self.chardevs.get_mut(id) else { return 0 };
        chardev.front.deliver();
        let sent = chardev.send(&mut self.events);
        chardev.want(&mut self.events);
        let connected = chardev.is_connected();
        if std::mem::replace(&mut chardev.shown_connected, connected) != connected
            && let Some(info) = self.infos.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id)
        {
            info.filename = describe_spec(&chardev.spec, connected);
        }
        sent
    }

    fn flush(&mut self) -> usize {
        let ids: Vec<String> = self.chardevs.keys().cloned().collect();
        ids.iter().map(|id| self.pump(id)).sum()
    }
}

impl Chardev {
    fn new(spec: ChardevSpec, opened: Opened, events: &mut Loop, settings: &Settings) -> Self {
        let key = events.key();
        let front = Front::new(spec.mux, settings.escape, &settings.program, false);
        let mut chardev = Chardev {
            front,
            key,
            input: None,
            output: None,
            listener: None,
            log: opened.log,
            out: VecDeque::new(),
            blocked: false,
            connecting: false,
            shown_connected: false,
            spec,
        };
        if let Some(listener) = opened.listener {
            chardev.listener = register(&listener.fd, events).map(|key| (key, listener));
        }
        match (&chardev.spec.kind, opened.input, opened.output) {
            (Kind::Socket(_), Some(client), _) => chardev.connect(client, events),
            (Kind::Socket(_), None, _) => {
                if chardev.listener.is_none() {
                    chardev.retry_later(events);
                }
            }
            (_, input, output) => {
                let mut registered =
                    |channel: Channel| register(&channel.fd, events).map(|key| Registered { key, channel });
                chardev.input = input.and_then(&mut registered);
                chardev.output = output.and_then(&mut registered);
                chardev.front.set_connected(true);
            }
        }
        chardev
    }

    fn has(&self, key: Key) -> bool {
        let channels = [&self.input, &self.output].into_iter().flatten();
        self.key == key
            || self.listener.as_ref().is_some_and(|(listener, _)| *listener == key)
            || channels.into_iter().any(|registered| registered.key == key)
    }

    fn socket(&self) -> Option<&Socket> {
        match &self.spec.kind {
            Kind::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    fn is_connected(&self) -> bool {
        self.socket().is_none() || self.input.is_some()
    }

    /// Has the host got everything that the frontends wrote?
    fn is_drained(&mut self) -> bool {
        if self.out.is_empty() {
            self.front.output(&mut self.out, GATHER);
        }
        self.out.is_empty() || self.output.is_none()
    }

    fn connect(&mut self, client: Channel, events: &mut Loop) {
        let Some(key) = register(&client.fd, events) else { return };
        self.input = Some(Registered { key, channel: client.clone() });
        self.output = Some(Registered { key, channel: client });
        self.blocked = false;
        self.front.set_connected(true);
    }

    fn accept(&mut self, events: &mut Loop) {
        if let (Some(socket), Some((_, listener)), None) = (self.socket(), &self.listener, &self.input)
            // A client that left at once is none.
            && let Ok(client) = open::accept(&listener.fd, socket)
        {
            self.connect(client, events);
        }
    }

    /// Nobody reads any more. What was sent to us before is still to be read: its end is the connection's.
    fn end_output(&mut self, events: &mut Loop) {
        self.out.clear();
        let Some(gone) = self.output.take() else { return };
        match &self.input {
            Some(input) if input.key == gone.key => {}
            _ => events.remove(gone.key),
        }
    }

    /// Nothing will be sent to us any more. A socket's client that stopped sending has gone.
    fn end_input(&mut self, events: &mut Loop) {
        if self.socket().is_some() {
            self.disconnect(events);
        } else if let Some(gone) = self.input.take() {
            events.remove(gone.key);
        }
    }

    fn disconnect(&mut self, events: &mut Loop) {
        for gone in [self.input.take(), self.output.take()].into_iter().flatten() {
            events.remove(gone.key);
        }
        self.out.clear();
        self.front.set_connected(false);
        if self.listener.is_none() {
            self.retry_later(events);
        }
    }

    fn retry_later(&self, events: &mut Loop) {
        if let Some(time) = self.socket().and_then(|socket| socket.reconnect) {
            events.timer(self.key, Instant::now() + time);
        }
    }

    /// Tries to connect on a thread of its own, since that may take minutes.
    fn reconnect(&mut self, commands: &Sender<Command>, waker: Waker) {
        let Some(socket) = self.socket().cloned() else { return };
        if std::mem::replace(&mut self.connecting, true) {
            return;
        }
        let (commands, id) = (commands.clone(), self.spec.id.clone());
        std::thread::spawn(move || {
            let client = open::connect(&socket).ok().map(Channel::socket);
            // The loop may have ended meanwhile.
            let _ = commands.send(Command::Connected { id, client });
            waker.wake();
        });
    }

    /// Reads as much as the frontends have room for.
    fn receive(&mut self, events: &mut Loop) -> Option<front::Key> {
        let mut bytes = [0; 4096];
        let room = self.front.room().min(bytes.len());
        let input = self.input.as_ref()?;
        if room == 0 {
            return None;
        }
        match input.channel.read(&mut bytes[..room]) {
            Ok(0) => self.end_input(events),
            Ok(count) => return self.front.feed(&bytes[..count]),
            Err(error) if is_transient(&error) => {}
            // A terminal that hung up says EIO.
            Err(_) => self.end_input(events),
        }
        None
    }

    /// Writes what the host takes; what has nowhere to go is dropped. Says how many bytes went.
    fn send(&mut self, events: &mut Loop) -> usize {
        let mut sent = 0;
        for _ in 0..ROUNDS {
            if self.out.is_empty() {
                self.front.output(&mut self.out, GATHER);
                self.copy_to_log();
            }
            let Some(output) = &self.output else {
                self.out.clear();
                if !self.more_output() {
                    return sent;
                }
                continue;
            };
            if self.out.is_empty() || self.blocked {
                return sent;
            }
            match output.channel.write(self.out.as_slices().0) {
                Ok(count) => {
                    self.out.drain(..count);
                    sent += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_transient(&error) => self.blocked = true,
                Err(_) => self.end_output(events),
            }
        }
        // There may be more: come again after the others.
        events.waker(self.key).wake();
        sent
    }

    fn more_output(&mut self) -> bool {
        self.front.output(&mut self.out, 1);
        self.copy_to_log();
        !self.out.is_empty()
    }

    fn copy_to_log(&mut self) {
        let Some(log) = &self.log else { return };
        for slice in [self.out.as_slices().0, self.out.as_slices().1] {
            let mut rest = slice;
            while !rest.is_empty() {
                match log.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => {
                        // A full disk costs the copy, not the machine.
                        self.log = None;
                        return;
                    }
                }
            }
        }
    }

    /// Tells the loop what is waited for.
    fn want(&mut self, events: &mut Loop) {
        let read = self.front.room() > 0;
        let write = self.blocked;
        let wishes = match (&self.input, &self.output) {
            (Some(i), Some(o)) if i.key == o.key => [Some((i.key, Interest { read, write })), None],
            (i, o) => [
                i.as_ref().map(|i| (i.key, Interest { read, write: false })),
                o.as_ref().map(|o| (o.key, Interest { read: false, write })),
            ],
        };
        let free = self.input.is_none();
        let listener = self.listener.as_ref().map(|(key, _)| (*key, Interest { read: free, write: false }));
        for (key, interest) in wishes.into_iter().chain([listener]).flatten() {
            // The host refuses only what it already refused when the descriptor was added.
            let _ = events.interest(key, interest);
        }
    }
}

fn register(fd: &Arc<std::os::fd::OwnedFd>, events: &mut Loop) -> Option<Key> {
    events.add(fd.clone(), Interest::default()).ok()
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
