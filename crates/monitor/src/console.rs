//! A person at a port: the thread that reads keys, runs lines and writes answers.
//!
//! It has a thread of its own, so that whoever reads slowly holds up nobody but himself.

use crate::{Control, Mailbox, Session, edit::Editor};
use hartwright_device::CharPort;
use std::{sync::Arc, thread};

/// Serves whoever is at `port`, for as long as the program runs. `banner` is the first line he sees.
///
/// # Errors
/// The host gives no thread.
pub fn start(port: CharPort, control: Arc<Control>, banner: &str) -> Result<(), String> {
    let banner = banner.to_owned();
    let serve = move || Console::new(port, control, banner).serve();
    let thread = thread::Builder::new().name("monitor".into()).spawn(serve);
    thread.map(drop).map_err(|e| format!("the host gives the monitor no thread: {e}"))
}

struct Console {
    port: CharPort,
    mail: Arc<Mailbox<()>>,
    session: Session,
    editor: Editor,
    banner: String,
    /// Who was there when last looked.
    present: Option<u64>,
}

impl Console {
    fn new(port: CharPort, control: Arc<Control>, banner: String) -> Self {
        let mail = Arc::new(Mailbox::default());
        port.attach(mail.clone(), 0);
        let session = Session::new(control);
        Console { port, mail, session, editor: Editor::default(), banner, present: None }
    }

    fn serve(mut self) {
        loop {
            self.mail.wait();
            // Who waits for room takes the port's call for that, whatever it was: so until there is nothing.
            while self.greet() || self.hear() {}
        }
    }

    /// Says who we are to who comes the first time, and asks again who comes back (behind a mux). Says whether somebody
    /// came or went.
    fn greet(&mut self) -> bool {
        let visitor = self.port.visitor();
        let changed = std::mem::replace(&mut self.present, visitor) != visitor;
        if changed && visitor.is_some() {
            let banner = std::mem::take(&mut self.banner);
            let banner = if banner.is_empty() { banner } else { banner + "\n" };
            let prompt = self.editor.prompt();
            self.write(&(banner + &prompt));
        }
        changed
    }

    /// Takes a key; says whether there was one.
    fn hear(&mut self) -> bool {
        let Some(byte) = self.port.read() else { return false };
        // Whose it is may have come just now.
        self.greet();
        self.key(byte);
        true
    }

    fn key(&mut self, byte: u8) {
        let mut shown = String::new();
        let line = self.editor.key(byte, &mut shown);
        self.write(&shown);
        if let Some(line) = line {
            let mut answer = self.session.run(&line);
            if !self.session.over {
                answer += &self.editor.prompt();
            }
            self.write(&answer);
        }
    }

    /// Writes text whose lines end with a line feed; on the wire they end with CR LF.
    fn write(&self, text: &str) {
        let text = text.replace('\n', "\r\n");
        let mut rest = text.as_bytes();
        loop {
            rest = &rest[self.port.write_some(rest)..];
            if rest.is_empty() {
                return;
            }
            self.mail.wait_for_port();
        }
    }
}
