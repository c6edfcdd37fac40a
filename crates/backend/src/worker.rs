//! The thread that serves all host ends: one event loop, and commands from outside.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError,
        mpsc::{Receiver, Sender},
    },
    time::{Duration, Instant},
};

use hartwright_device::CharPort;
use hartwright_event::{Event, Key, Loop};

use crate::{
    backends::{Filename, Known, Notice, Settings},
    channel::Channel,
    chardev::Chardev,
    drivers::{Desk, HostEnd},
    front::{Front, Role},
};

/// How long the far sides have to take in that the program ends.
const PARTING: Duration = Duration::from_millis(100);

/// What others ask of the thread.
#[derive(Debug)]
pub(crate) enum Command {
    Add { id: String, mux: bool, end: Box<dyn HostEnd>, log: Option<Channel>, filename: Filename },
    Attach { id: String, port: CharPort, role: Role, done: Sender<bool> },
    Break { id: String },
    Hold(bool),
    Finish { stall: Duration },
}

/// What the thread works with.
pub(crate) struct Worker {
    events: Loop,
    mailbox: Key,
    inbox: Receiver<Command>,
    settings: Settings,
    notify: Box<dyn Fn(Notice) + Send>,
    chardevs: BTreeMap<String, Chardev>,
    known: Known,
    /// Input stays with the host.
    held: bool,
}

impl Worker {
    /// A thread's work, to be [`run`](Self::run). Wake-ups of `mailbox` say that `inbox` has something.
    pub(crate) fn new(
        events: Loop,
        mailbox: Key,
        inbox: Receiver<Command>,
        settings: Settings,
        notify: Box<dyn Fn(Notice) + Send>,
        known: Known,
    ) -> Self {
        Worker { events, mailbox, inbox, settings, notify, chardevs: BTreeMap::new(), known, held: false }
    }

    /// Serves until it is told to finish.
    pub(crate) fn run(mut self) {
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
                    let deadline = Instant::now() + PARTING.min(*stall);
                    return self.chardevs.values_mut().for_each(|chardev| chardev.close(deadline));
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add { id, mux, end, log, filename } => {
                let mut front = Front::new(mux, self.settings.escape, &self.settings.program);
                front.hold(self.held);
                let chardev = Chardev::new(end, front, log, filename, self.events.key());
                self.chardevs.insert(id.clone(), chardev);
                self.with(&id, Chardev::start);
            }
            Command::Attach { id, port, role, done } => {
                let taken = self.chardevs.get_mut(&id).is_some_and(|chardev| {
                    let waker = self.events.waker(chardev.key);
                    chardev.attach(port, role, Arc::new(move || waker.wake()))
                });
                if let Some(shown) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id) {
                    shown.frontend_open |= taken;
                }
                // Whoever asked may have gone.
                let _ = done.send(taken);
                self.pump(&id);
            }
            Command::Break { id } => {
                self.with(&id, |chardev, _| chardev.front.send_break());
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
        let Some((id, _)) = self.chardevs.iter().find(|(_, chardev)| chardev.has(key)) else { return 0 };
        let id = id.clone();
        self.with(&id, |chardev, desk| chardev.heed(event, desk));
        self.pump(&id)
    }

    /// Moves what can be moved at one host end, and asks for what it waits for.
    fn pump(&mut self, id: &str) -> usize {
        self.with(id, Chardev::pump).unwrap_or(0)
    }

    fn flush(&mut self) -> usize {
        let ids: Vec<String> = self.chardevs.keys().cloned().collect();
        ids.iter().map(|id| self.pump(id)).sum()
    }

    fn with<R>(&mut self, id: &str, work: impl FnOnce(&mut Chardev, &mut Desk<'_>) -> R) -> Option<R> {
        let chardev = self.chardevs.get_mut(id)?;
        let mut desk = Desk { events: &mut self.events, key: chardev.key, label: id, notify: &*self.notify };
        Some(work(chardev, &mut desk))
    }
}
