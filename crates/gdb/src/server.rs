//! The thread that serves debuggers: bytes from the port and news of the machine, to `gdbstub` and back.

use crate::{
    fileio::{Call, Step},
    packet::{Framer, LONGEST, Packet, framed},
    target::{Machine, Never, thread},
};
use gdbstub::{
    common::Signal,
    conn::Connection,
    stub::{
        DisconnectReason, GdbStub, MultiThreadStopReason as Stop,
        state_machine::GdbStubStateMachine::{self as Stub, CtrlCInterrupt, Disconnected, Idle, Running},
    },
};
use hartwright_device::CharPort;
use hartwright_exec::Reason;
use hartwright_monitor::{Control, Mailbox, News, RunState};
use hartwright_semihosting::Debugger;
use std::{sync::Arc, thread as threads};

/// Serves whoever is at `port` with the remote protocol, for as long as the program runs.
///
/// Who connects stops the machine, as in QEMU; who detaches lets it go; who just goes leaves it as it is.
///
/// # Errors
/// The host gives no thread.
pub fn start(port: CharPort, control: Arc<Control>, files: Arc<Debugger>) -> Result<(), String> {
    let serve = move || {
        let mut server = Server::new(port, control, files);
        loop {
            server.turn();
        }
    };
    let thread = threads::Builder::new().name("gdb".into()).spawn(serve);
    thread.map(drop).map_err(|e| format!("the host gives the debugger's server no thread: {e}"))
}

/// The port as `gdbstub` writes to it.
struct Wire {
    port: CharPort,
    mail: Arc<Mailbox<News>>,
}

impl Connection for Wire {
    type Error = Never;

    fn write(&mut self, byte: u8) -> Result<(), Never> {
        while !self.port.write(byte) {
            self.mail.wait_for_port();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Never> {
        Ok(())
    }
}

/// Who serves the debuggers at a port, one after the other.
pub struct Server {
    port: CharPort,
    mail: Arc<Mailbox<News>>,
    machine: Machine,
    framer: Framer,
    /// The conversation, from the debugger's first word to its last.
    stub: Option<Stub<'static, Machine, Wire>>,
    /// Whether packets are acknowledged.
    acknowledges: bool,
    /// Where programs ask for files of the debugger's host.
    files: Arc<Debugger>,
    /// What the debugger does for one of them just now.
    call: Option<Call>,
}

impl Server {
    /// A server at `port` for the machine that `control` controls, whose programs use `files` of the debugger's host.
    pub fn new(port: CharPort, control: Arc<Control>, files: Arc<Debugger>) -> Self {
        let mail = Arc::new(Mailbox::default());
        let ear = mail.clone();
        control.listen(move |news| ear.post(news));
        port.attach(mail.clone(), 0);
        files.listen(mail.clone());
        let machine = Machine::new(control);
        Server {
            port,
            mail,
            machine,
            framer: Framer::default(),
            stub: None,
            acknowledges: true,
            files,
            call: None,
        }
    }

    /// Waits for news of the machine, or of the port, and serves what there is. Answers for which the port has no
    /// room are waited for.
    pub fn turn(&mut self) {
        let news = self.mail.wait();
        news.into_iter().for_each(|news| self.hear(news));
        while let Some(byte) = self.port.read() {
            match self.framer.push(byte) {
                None => {}
                Some(Packet::Interrupt) => self.feed(&[0x03]),
                Some(Packet::Payload(payload)) => self.packet(&payload),
                Some(Packet::Damaged) => self.write(b"-"),
            }
        }
        if !self.port.connected() && self.stub.take().is_some() {
            self.framer = Framer::default();
            self.gone();
        }
        self.forward();
    }

    /// Has the debugger do what a program asks of its host, one thing at a time, while it waits for the machine.
    fn forward(&mut self) {
        if self.call.is_none()
            && matches!(self.stub, Some(Running(_)))
            && let Some(request) = self.files.take()
        {
            self.write(&framed(request.packet.as_bytes()));
            self.call = Some(Call::new(request));
        }
    }

    /// Takes a packet that belongs to what the debugger does for a program; `false` if it is none such.
    fn step(&mut self, payload: &[u8]) -> bool {
        let Some(call) = &mut self.call else { return false };
        let step = call.step(&self.machine.control, payload);
        let hart = call.request.hart;
        if matches!(step, Step::Other) {
            return false;
        }
        if self.acknowledges {
            self.write(b"+");
        }
        match step {
            Step::Answer(answer) => self.write(&framed(&answer)),
            Step::Done { reply, interrupted } => {
                self.call = None;
                self.files.reply(hart, reply);
                if interrupted {
                    self.machine.control.stop();
                }
            }
            Step::Other => {}
        }
        true
    }

    /// Forgets the debugger.
    fn gone(&mut self) {
        self.call = None;
        self.files.set_attached(false);
        self.machine.forget();
    }

    fn packet(&mut self, payload: &[u8]) {
        // The first word of every debugger.
        if payload.starts_with(b"qSupported") || self.stub.is_none() {
            self.begin();
        }
        if self.step(payload) {
            return;
        }
        if let Some(answer) = self.own(payload) {
            if self.acknowledges {
                self.write(b"+");
            }
            self.write(&framed(answer.as_bytes()));
        } else {
            self.feed(&framed(payload));
        }
        match payload {
            b"QStartNoAckMode" => self.acknowledges = false,
            [b'v', b'K', b'i', b'l', b'l', ..] => self.machine.control.outside.quit(),
            _ => {}
        }
    }

    /// A new conversation: the machine stops for it.
    fn begin(&mut self) {
        self.gone();
        self.machine.control.stop();
        self.files.set_attached(true);
        self.acknowledges = true;
        self.renew();
    }

    fn renew(&mut self) {
        let wire = Wire { port: self.port.clone(), mail: self.mail.clone() };
        // A stub as good as this one has begun every time before.
        let stub = GdbStub::builder(wire).packet_buffer_size(LONGEST).build().ok();
        self.stub = stub.and_then(|stub| stub.run_state_machine(&mut self.machine).ok());
    }

    /// Answers what `gdbstub` does not know, or not as QEMU does.
    fn own(&mut self, payload: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(payload).ok()?;
        Some(match text {
            "qqemu.sstepbits" => "ENABLE=1,NOIRQ=2,NOTIMER=4".into(),
            "qqemu.sstep" => "0x7".into(),
            "qqemu.PhyMemMode" => u8::from(self.machine.physical).to_string(),
            "Qqemu.PhyMemMode:0" | "Qqemu.PhyMemMode:1" => {
                self.machine.physical = text.ends_with('1');
                "OK".into()
            }
            _ if text.starts_with("vKill") => "OK".into(),
            // More than an answer can hold is never asked for in good faith.
            _ => {
                let (_, len) = text.strip_prefix('m')?.split_once(',')?;
                let len = u64::from_str_radix(len, 16).ok();
                len.is_none_or(|len| len > LONGEST as u64 / 2).then(|| "E22".into())?
            }
        })
    }

    /// Hands bytes to the stub. What it cannot bear ends its conversation; a new one begins in its place.
    fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let Some(stub) = self.stub.take() else { return };
            let waits = matches!(stub, Running(_));
            let next = match stub {
                Idle(stub) => stub.incoming_data(&mut self.machine, byte),
                Running(stub) => stub.incoming_data(&mut self.machine, byte),
                other => Ok(other),
            };
            match next {
                Ok(CtrlCInterrupt(stub)) => {
                    // Of a machine that stops now there will be news; one that stands already is told of at once.
                    let stands = self.machine.control.state() != RunState::Running;
                    self.machine.control.stop();
                    let stop = (waits && stands).then(|| signal(0, Signal::SIGINT));
                    self.stub = stub.interrupt_handled(&mut self.machine, stop).ok();
                }
                Ok(Disconnected(stub)) => return self.end(stub.get_reason()),
                Ok(stub) => self.stub = Some(stub),
                Err(_) => {
                    self.write(&framed(b"E22"));
                    return self.renew();
                }
            }
        }
    }

    fn end(&mut self, reason: DisconnectReason) {
        self.gone();
        match reason {
            // Switched off, it cannot go on.
            DisconnectReason::Disconnect => drop(self.machine.control.cont()),
            DisconnectReason::Kill => self.machine.control.outside.quit(),
            DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_) => {}
        }
    }

    /// Tells the debugger what it waits for.
    fn hear(&mut self, news: News) {
        let stop = match news {
            News::Resumed => return,
            News::Ended(code) => Stop::Exited(code),
            News::Stopped { by: Some((hart, reason)), .. } => self.reason(hart, reason),
            News::Stopped { state: RunState::Shutdown, .. } => signal(0, Signal::SIGQUIT),
            News::Stopped { .. } => signal(0, Signal::SIGINT),
        };
        self.stub = match self.stub.take() {
            Some(Running(stub)) => match stub.report_stop(&mut self.machine, stop) {
                Ok(Disconnected(stub)) => return self.end(stub.get_reason()),
                stub => stub.ok(),
            },
            // It stands, as far as the debugger knows.
            stub => stub,
        };
    }

    fn reason(&self, hart: usize, reason: Reason) -> Stop<u64> {
        let points = &self.machine.points;
        match reason {
            Reason::Step | Reason::Differs => signal(hart, Signal::SIGTRAP),
            Reason::Watch(addr) => Stop::Watch { tid: thread(hart), kind: points.kind(addr), addr },
            Reason::Breakpoint => {
                let pc = self.machine.control.harts.with(hart, |hart| hart.pc());
                if pc.is_some_and(|pc| points.hard.contains(&pc) && !points.soft.contains(&pc)) {
                    Stop::HwBreak(thread(hart))
                } else {
                    Stop::SwBreak(thread(hart))
                }
            }
        }
    }

    fn write(&self, bytes: &[u8]) {
        let mut wire = Wire { port: self.port.clone(), mail: self.mail.clone() };
        // It never fails.
        let _ = wire.write_all(bytes);
    }
}

fn signal(hart: usize, signal: Signal) -> Stop<u64> {
    Stop::SignalWithThread { tid: thread(hart), signal }
}
