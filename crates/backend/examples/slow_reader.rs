//! A device that reads slowly, without a machine around it: `slow_reader BYTES SERIAL`, SERIAL as for `-serial`.
//!
//! It says `ready`, takes BYTES bytes, answers with their SHA-256, and gives them back as hexadecimal digits.

use std::{
    process::ExitCode,
    sync::{Arc, mpsc},
    time::Duration,
};

use hartwright_backend::{Backends, Role, Settings, spec::Place, tty};
use hartwright_device::{CharPort, Sink};
use hartwright_event::Inherited;
use sha2::{Digest, Sha256};

struct Wake(mpsc::SyncSender<()>);

impl Sink for Wake {
    fn set(&self, _pin: u32, _level: bool) {
        let _ = self.0.try_send(());
    }
}

fn main() -> ExitCode {
    Inherited::note();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tty::restore();
            eprintln!("slow_reader: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let [bytes, serial] =
        <[String; 2]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()).map_err(|_| "BYTES SERIAL")?;
    let Place::New(spec) = Place::parse(&serial, "serial0", &mut Vec::new())? else {
        return Err("a place of its own is needed".into());
    };
    let backends = Backends::start(Settings::default(), |_| {})?;
    backends.add(&spec, &|words| eprintln!("{words}"))?;
    let port = CharPort::default();
    backends.attach("serial0", port.clone(), Role::Serial)?;

    let (sender, wakes) = mpsc::sync_channel(1);
    port.attach(Arc::new(Wake(sender)), 0);
    let device = Slow { port, wakes };
    device.write(b"ready\n");
    let bytes = device.read(bytes.parse()?);
    device.write(hex(&Sha256::digest(&bytes)).as_bytes());
    device.write(b"\n");
    device.write(hex(&bytes).as_bytes());
    device.write(b"\n");
    backends.finish(Duration::from_secs(10));
    tty::restore();
    Ok(())
}

struct Slow {
    port: CharPort,
    wakes: mpsc::Receiver<()>,
}

impl Slow {
    fn read(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            match self.port.read() {
                Some(byte) => bytes.push(byte),
                None => drop(self.wakes.recv()),
            }
            if bytes.len() % 700 == 1 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        bytes
    }

    fn write(&self, bytes: &[u8]) {
        for byte in bytes {
            while !self.port.write(*byte) {
                let _ = self.wakes.recv();
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
