//! A whole machine in a test: harts run, and its first serial port is in the test's hands.

use hartwright_device::{CharPort, Power, Request};
use hartwright_emu::{Built, Disks, Outcome, Program, assemble, parse, resolve};
use hartwright_machine::Outside as Ends;
use hartwright_monitor::Outside;
use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A machine that runs, with its serial port `serial0` for the test to read and write.
pub struct Machine {
    port: CharPort,
    shared: Arc<Shared>,
    outbox: Sender<Message>,
    runner: Option<JoinHandle<()>>,
    /// Everything it said.
    said: Vec<u8>,
    /// How much of it the test has passed.
    passed: usize,
    limit: Duration,
}

enum Message {
    Guest(Request),
    Reset,
    Quit,
}

#[derive(Default)]
struct Shared {
    /// Output waits, or the machine ended with this exit code.
    state: Mutex<(bool, Option<u16>)>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, (bool, Option<u16>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a monitor could ask, if there were one.
struct Around(Mutex<Sender<Message>>);

impl Around {
    fn post(&self, message: Message) {
        // When nobody listens any more, the machine has ended.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(message);
    }
}

impl Outside for Around {
    fn reset(&self) {
        self.post(Message::Reset);
    }
    fn quit(&self) {
        self.post(Message::Quit);
    }
    fn power_down(&self) -> Result<(), String> {
        Err("this machine has no power button".into())
    }
    fn chardevs(&self) -> Vec<(String, String)> {
        vec![]
    }
    fn disks(&self) -> String {
        String::new()
    }
}

impl Machine {
    /// How long the machine may take to say or do what is expected, unless [`limit`](Self::limit) says otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// Starts the machine that the words of a command line describe (`-machine` at least). Of the host's ends it has
    /// only the test's: what the words say of serial ports, monitors and logs is not done.
    ///
    /// # Errors
    /// What the program would say to them.
    pub fn start(words: &[&str]) -> Result<Self, String> {
        let program = Program::new(Some("hartwright"));
        let say = |outcome| match outcome {
            Outcome::Fail(failure) => failure.text(&program),
            Outcome::Print { text, .. } => text,
        };
        let asked = parse(&program, words.iter().map(Into::into)).map_err(say)?;
        let config = resolve(&program, asked).map_err(say)?;
        let assembled = assemble(&config).map_err(say)?;
        let disks = Disks::open(&config).map_err(|failure| say(Outcome::Fail(failure)))?;

        let (outbox, inbox) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let port = CharPort::default();
        let ear = shared.clone();
        port.connect(Arc::new(move || {
            ear.lock().0 = true;
            ear.changed.notify_all();
        }));
        let power = Around(Mutex::new(outbox.clone()));
        let ends = Ends {
            disks: disks.ports(),
            ports: HashMap::from([("serial0".to_owned(), port.clone())]),
            power: Power::new(move |request| power.post(Message::Guest(request))),
            ..Ends::default()
        };
        let around = Box::new(Around(Mutex::new(outbox.clone())));
        let built = Built::new(&config, assembled, &ends, Default::default(), around).map_err(say)?;
        built.control.cont()?;
        let teller = shared.clone();
        let runner = thread::Builder::new().name("machine".into()).spawn(move || {
            live(&built, &inbox, &teller);
            disks.finish(&config);
        });
        let runner = runner.map_err(|why| format!("the host gives no thread: {why}"))?;
        Ok(Machine {
            port,
            shared,
            outbox,
            runner: Some(runner),
            said: vec![],
            passed: 0,
            limit: Self::PATIENCE,
        })
    }

    /// From now on, the machine may take this long for what is expected.
    pub fn limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Waits for the machine to say `text`, and moves past it; answers what it said before.
    ///
    /// # Panics
    /// It did not say so in time, or ended before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + self.limit;
        loop {
            // What it says in its last moment comes before its end.
            let ended = self.shared.lock().1;
            self.listen();
            let unread = &self.said[self.passed..];
            if let Some(at) = unread.windows(text.len().max(1)).position(|window| window == text.as_bytes()) {
                let before = String::from_utf8_lossy(&unread[..at]).into_owned();
                self.passed += at + text.len();
                return before;
            }
            let so_far = || String::from_utf8_lossy(&self.said);
            if let Some(code) = ended {
                panic!("waited for {text:?}, but the machine ended with {code}; it had said:\n{}", so_far());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited {:?} for {text:?}; the machine had said:\n{}",
                self.limit,
                so_far()
            );
            self.wait(left, |state| state.0 || state.1.is_some());
        }
    }

    /// Types `text`: gives it to the machine's serial port, as fast as that takes it.
    ///
    /// # Panics
    /// The machine did not take it in time.
    #[track_caller]
    pub fn type_in(&mut self, text: &str) {
        let deadline = Instant::now() + self.limit;
        let mut rest = text.as_bytes();
        loop {
            rest = &rest[self.port.feed(rest)..];
            if rest.is_empty() {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the machine did not take {:?}", String::from_utf8_lossy(rest));
            self.wait(left, |state| state.0 || state.1.is_some());
            self.listen();
        }
    }

    /// Waits until the guest ends its machine; the exit code it gave.
    ///
    /// # Panics
    /// It did not end in time.
    #[track_caller]
    pub fn exit_code(&mut self) -> u16 {
        self.wait(self.limit, |state| state.1.is_some());
        self.listen();
        let code = self.shared.lock().1;
        let Some(code) = code else {
            let said = String::from_utf8_lossy(&self.said);
            panic!("the machine did not end within {:?}; it had said:\n{said}", self.limit);
        };
        code
    }

    /// Everything it has said so far.
    pub fn said(&mut self) -> String {
        self.listen();
        String::from_utf8_lossy(&self.said).into_owned()
    }

    fn wait(&self, limit: Duration, until: impl Fn(&(bool, Option<u16>)) -> bool) {
        let wait = self.shared.changed.wait_timeout_while(self.shared.lock(), limit, |state| !until(state));
        drop(wait);
    }

    fn listen(&mut self) {
        // Before it is taken: what comes after is news again.
        self.shared.lock().0 = false;
        let mut bytes = [0; 4096];
        // To the end, since the port wakes for the first of several bytes only.
        loop {
            let count = self.port.peek_output(&mut bytes);
            if count == 0 {
                return;
            }
            self.port.consume_output(count);
            self.said.extend_from_slice(&bytes[..count]);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // If nobody hears it, the machine has ended.
        let _ = self.outbox.send(Message::Quit);
        if let Some(runner) = self.runner.take() {
            // A panic over there has been printed.
            let _ = runner.join();
        }
    }
}

/// Does what the guest asks, until its end.
fn live(built: &Built, inbox: &Receiver<Message>, shared: &Shared) {
    let code = loop {
        match inbox.recv() {
            Ok(Message::Guest(Request::Reset) | Message::Reset) => built.reset(),
            Ok(Message::Guest(Request::Shutdown(code))) => break code,
            Ok(Message::Guest(Request::Exit(code))) => break code.into(),
            Ok(Message::Quit) | Err(_) => break 0,
        }
    };
    built.control.stop();
    shared.lock().1 = Some(code);
    shared.changed.notify_all();
}
