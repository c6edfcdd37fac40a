//! A debugger that says anything, but for what would write files.

use crate::{
    monitor::is_harmless,
    stage::{machine, reset},
};
use hartwright_device::CharPort;
use hartwright_emu::Built;
use hartwright_gdb::Server;
use hartwright_machine::Outside;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A machine, its server, and our end of the wire.
struct Bench {
    built: Built,
    server: Server,
    port: CharPort,
}

fn bench() -> &'static Mutex<Bench> {
    static BENCH: OnceLock<Mutex<Bench>> = OnceLock::new();
    BENCH.get_or_init(|| {
        let built = machine("-M param -m 256K -smp 2 -nographic", &Outside::default());
        let port = CharPort::default();
        port.connect(Arc::new(|| ()));
        let server = Server::new(port.clone(), built.control.clone(), built.debugger.clone());
        Mutex::new(Bench { built, server, port })
    })
}

impl Bench {
    /// Sends bytes, and takes the answer: at most so many that it has room on the wire.
    fn send(&mut self, bytes: &[u8]) {
        self.port.feed(bytes);
        self.server.turn();
        self.port.consume_output(usize::MAX);
    }
}

/// Each line is a packet's payload, which gets its frame here; one that begins with a zero is bytes as they are.
pub(crate) fn run(data: &[u8]) {
    let mut bench = bench().lock().unwrap_or_else(PoisonError::into_inner);
    bench.port.set_connected(true);
    for line in data.split(|byte| *byte == b'\n') {
        match line {
            [0, raw @ ..] => raw.iter().for_each(|byte| bench.send(&[*byte])),
            line if writes(line) => {}
            line => bench.send(&framed(line)),
        }
    }
    bench.port.set_connected(false);
    bench.server.turn();
    reset(&bench.built);
}

/// Whether a packet is a line for the monitor that writes to the host.
fn writes(payload: &[u8]) -> bool {
    let Some(digits) = payload.strip_prefix(b"qRcmd,") else { return false };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
    let line: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, d| byte << 4 | digit(d))).collect();
    !is_harmless(&String::from_utf8_lossy(&line))
}

/// A payload as it goes over the wire (gdb manual, "Remote Protocol", "Overview").
fn framed(payload: &[u8]) -> Vec<u8> {
    let sum = payload.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [b"$", payload, format!("#{sum:02x}").as_bytes()].concat()
}

/// How packets begin.
pub(crate) fn words() -> Vec<String> {
    let words = [
        "qSupported:multiprocess+",
        "QStartNoAckMode",
        "vCont;c",
        "vCont;s:1",
        "vCont?",
        "qXfer:features:read:target.xml:0,ffb",
        "qfThreadInfo",
        "qsThreadInfo",
        "qRcmd,",
        "qRcmd,696e666f20726567697374657273",
        "Hg1",
        "Hc-1",
        "Z0,80000000,2",
        "z0,80000000,2",
        "Z2,80000000,8",
        "Z3,",
        "Z4,",
        "m80000000,40",
        "M80000000,4:",
        "X80000000,4:",
        "P20=",
        "p20",
        "qqemu.PhyMemMode",
        "Qqemu.PhyMemMode:1",
        "vKill;1",
        "qAttached",
        "vMustReplyEmpty",
        "qC",
        "\n?",
        "\nD",
        "\nk",
        "\ng",
        "\nG",
        "\nc",
        "\ns",
        "\nT1",
    ];
    words.map(str::to_owned).into()
}
