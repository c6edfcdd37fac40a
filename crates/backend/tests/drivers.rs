//! Each kind of host end, with the real thing at its other side.
#![forbid(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Mutex, mpsc},
    time::{Duration, Instant},
};

use hartwright_backend::{
    Backends, Notice, Role, Settings, Told,
    spec::{ChardevSpec, Place},
};
use hartwright_device::CharPort;
use rustix::fs::{CWD, FileType, Mode, OFlags};

/// A machine's serial port on a host end called `a`.
struct Bench {
    backends: Backends,
    port: CharPort,
    notices: mpsc::Receiver<Notice>,
    told: Vec<String>,
}

fn bench(text: &str) -> Bench {
    bench_of(&ChardevSpec::parse(text).unwrap())
}

fn bench_of(spec: &ChardevSpec) -> Bench {
    let (sender, notices) = mpsc::channel();
    let notify = move |notice| sender.send(notice).unwrap_or_default();
    let backends = Backends::start(Settings::default(), notify).unwrap();
    let told = Mutex::new(Vec::new());
    backends.add(spec, &|words: Told<'_>| told.lock().unwrap().push(words.to_string())).unwrap();
    let port = CharPort::default();
    backends.attach(&spec.id, port.clone(), Role::Serial).unwrap();
    Bench { backends, port, notices, told: told.into_inner().unwrap() }
}

trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

impl Bench {
    fn filename(&self) -> String {
        self.backends.infos()[0].filename.clone()
    }

    fn takes(&self, expect: &[u8]) {
        let mut bytes = Vec::new();
        until("input", || {
            while bytes.len() < expect.len()
                && let Some(byte) = self.port.read()
            {
                bytes.push(byte);
            }
            bytes.len() == expect.len()
        });
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expect));
    }

    fn puts(&self, bytes: &[u8]) {
        for byte in bytes {
            until("room", || self.port.write(*byte));
        }
    }

    /// What the port is written comes out at the far side, and the other way round.
    fn echoes(&self, far: &mut (impl Read + Write)) {
        until("connected", || self.port.connected());
        far.write_all(b"to the machine").unwrap();
        self.takes(b"to the machine");
        self.puts(b"to the host");
        hears(far, b"to the host");
    }
}

#[track_caller]
fn hears(far: &mut impl Read, expect: &[u8]) {
    let mut bytes = vec![0; expect.len()];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expect));
}

#[track_caller]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A path that nobody else has, and nothing is at.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("hartwright-driver-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

fn both_ways(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).custom_flags(OFlags::NOCTTY.bits() as i32).open(path).unwrap()
}

/// The TCP port in `info chardev`'s words.
fn tcp_port(words: &str) -> u16 {
    let digits = words.rsplit(':').next().unwrap().trim_end_matches(",server=on");
    digits.parse().unwrap()
}

fn connect(bench: &Bench) -> TcpStream {
    let far = TcpStream::connect(("127.0.0.1", tcp_port(&bench.filename()))).unwrap();
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    far
}

#[test]
fn a_pair_of_fifos_carries_both_ways_and_survives_its_users() {
    let base = path("pair");
    let [input, output] = [".in", ".out"].map(|end| PathBuf::from(format!("{}{end}", base.display())));
    for path in [&input, &output] {
        let _ = std::fs::remove_file(path);
        fifo(path);
    }
    let bench = bench(&format!("pipe,id=a,path={}", base.display()));
    assert_eq!(bench.filename(), "pipe");
    for turn in [b"one", b"two"] {
        let mut writer = OpenOptions::new().write(true).open(&input).unwrap();
        writer.write_all(turn).unwrap();
        drop(writer);
        bench.takes(turn);
        bench.puts(turn);
        hears(&mut File::open(&output).unwrap(), turn);
    }
    for path in [&input, &output] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn one_fifo_serves_as_well_and_hears_itself() {
    let path = path("single");
    fifo(&path);
    let bench = bench(&format!("pipe,id=a,path={}", path.display()));
    bench.puts(b"x");
    bench.takes(b"x");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_pseudo_terminal_has_one_user_after_the_other() {
    let link = path("pty");
    let bench = bench(&format!("pty,id=a,path={}", link.display()));
    let name = std::fs::read_link(&link).unwrap();
    assert_eq!(bench.told, [format!("char device redirected to {} (label a)", name.display())]);
    assert_eq!(bench.filename(), format!("pty:{}", name.display()));
    until("nobody", || !bench.port.connected());
    bench.puts(b"unheard");
    for _ in 0..2 {
        let mut far = both_ways(&link);
        // Bytes are as they are: nothing is echoed or changed.
        bench.echoes(&mut far);
        far.write_all(b"\r\n\x03\x04\xff").unwrap();
        bench.takes(b"\r\n\x03\x04\xff");
        drop(far);
        until("nobody", || !bench.port.connected());
    }
    // Who writes and leaves at once is heard, too.
    both_ways(&link).write_all(b"in passing").unwrap();
    bench.takes(b"in passing");
    drop(bench);
    assert!(!link.exists() && link.symlink_metadata().is_err());
}

#[test]
fn a_terminal_that_nobody_reads_blocks_nothing_and_its_end_is_seen() {
    let link = path("full");
    let bench = bench(&format!("pty,id=a,path={}", link.display()));
    let far = both_ways(&link);
    until("connected", || bench.port.connected());
    let mut written = 0;
    until("full", || {
        while bench.port.write(b'w') {
            written += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
        !bench.port.write(b'w')
    });
    assert!(written < 1 << 20, "{written} bytes are kept");
    drop(far);
    until("nobody", || !bench.port.connected());
    assert!(bench.port.write(b'w'));
}

#[test]
fn a_serial_port_of_the_host_is_made_raw_and_carries_both_ways() {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let line: OwnedFd = ioctl_tiocgptpeer(&master, flags).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let bench = bench(&format!("serial,id=a,path={name}"));
    assert_eq!(bench.filename(), "serial");
    let modes = rustix::termios::tcgetattr(&line).unwrap();
    assert_eq!((modes.input_speed(), modes.output_speed()), (115_200, 115_200));
    bench.echoes(&mut File::from(master));
}

#[test]
fn a_ring_keeps_the_newest_bytes_for_whoever_asks() {
    let bench = bench("ringbuf,id=a,size=8,mux=on");
    let ends = bench.backends.ends();
    bench.puts(b"0123456789");
    until("kept", || bench.port.pending_output() == 0);
    let mut kept = Vec::new();
    until("kept", || {
        kept.extend(ends.ring_read("a-base", 3).unwrap());
        kept.len() == 8
    });
    assert_eq!(kept, b"23456789");
    ends.ring_write("a-base", b"again").unwrap();
    assert_eq!(ends.ring_read("a-base", 100).unwrap(), b"again");
    assert_eq!(ends.ring_read("a", 1).unwrap_err().message, "a is not a ringbuf device");
    assert_eq!(ends.ring_read("b", 1).unwrap_err().message, "Device 'b' not found");
    let shown: Vec<_> = ends.infos().into_iter().map(|info| (info.id, info.filename)).collect();
    let expect = [("a", "mux"), ("a-base", "ringbuf")];
    assert_eq!(shown, expect.map(|(id, filename)| (id.into(), filename.into())));
    // What is behind a mux is the mux's.
    let behind = bench.backends.attach("a-base", CharPort::default(), Role::Serial);
    assert_eq!(behind.unwrap_err().message, "chardev 'a-base' is already in use");
}

#[test]
fn datagrams_go_both_ways_and_what_nobody_hears_is_lost() {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let place = format!("udp:127.0.0.1:{}@127.0.0.1:0", far.local_addr().unwrap().port());
    let Ok(Place::New(spec)) = Place::parse(&place, "a", &mut Vec::new()) else { panic!("{place}") };
    let bench = bench_of(&spec);
    assert_eq!(bench.filename(), "udp");
    bench.puts(b"x");
    let mut bytes = [0; 2000];
    let (count, machine) = far.recv_from(&mut bytes).unwrap();
    assert_eq!(bytes[..count], *b"x");
    // One datagram that is larger than what the port takes at once, and one without anything.
    let large = vec![b'l'; 20_000];
    far.send_to(&[], machine).unwrap();
    far.send_to(&large, machine).unwrap();
    bench.takes(&large);
    // As many datagrams as a byte each would be fit into the host's buffer, so none is lost.
    for chunk in large.chunks(100) {
        bench.puts(chunk);
        let mut count = 0;
        while count < chunk.len() {
            count += far.recv_from(&mut bytes).unwrap().0;
        }
    }
    let place = far.local_addr().unwrap();
    drop(far);
    bench.puts(b"nobody hears this");
    until("gone", || bench.port.pending_output() == 0);
    let far = UdpSocket::bind(place).unwrap();
    far.send_to(b"again", machine).unwrap();
    bench.takes(b"again");
}

#[test]
fn telnet_says_what_it_will_and_passes_every_byte() {
    let bench = bench("socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,telnet=on");
    assert!(bench.filename().starts_with("disconnected:telnet:127.0.0.1:"), "{}", bench.filename());
    for _ in 0..2 {
        let mut far = connect(&bench);
        hears(&mut far, b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00");
        bench.echoes(&mut far);
        let [here, there] = [far.peer_addr(), far.local_addr()].map(Result::unwrap);
        assert_eq!(bench.filename(), format!("telnet:{here},server=on <-> {there}"));
        far.write_all(b"\xff\xfb\x00a\xff\xff\xff\xf3b\xff\xfd\x1f").unwrap();
        bench.takes(b"a\xff");
        until("a break", || bench.port.take_break());
        bench.takes(b"b");
        bench.puts(b"\xff\n");
        hears(&mut far, b"\xff\xfc\x1f\xff\xff\n");
        drop(far);
        until("gone", || !bench.port.connected());
    }
}

#[test]
fn a_3270_terminal_is_greeted_as_one() {
    let bench = bench("socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,tn3270=on");
    assert!(bench.filename().starts_with("disconnected:tn3270:127.0.0.1:"), "{}", bench.filename());
    let mut far = connect(&bench);
    hears(&mut far, b"\xff\xfd\x19\xff\xfb\x19\xff\xfd\x00\xff\xfb\x00\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0");
    far.write_all(b"record\xff\xef").unwrap();
    bench.takes(b"record\xff\xef");
    assert!(bench.filename().starts_with("tcp:127.0.0.1:"), "{}", bench.filename());
}

#[test]
fn the_last_output_arrives_though_input_is_left_unread() {
    let unix = path("last");
    for text in ["host=127.0.0.1,port=0", &format!("path={}", unix.display())] {
        let bench = bench(&format!("socket,id=a,server=on,wait=off,{text}"));
        let mut far: Box<dyn Duplex> = if text.starts_with("host") {
            Box::new(connect(&bench))
        } else {
            Box::new(UnixStream::connect(&unix).unwrap())
        };
        // More than a machine that does not read takes from its host.
        far.write_all(&[b'i'; 100_000]).unwrap();
        until("connected", || bench.port.connected());
        bench.puts(b"last words");
        bench.backends.finish(Duration::from_secs(20));
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), "last words");
    }
}

#[test]
fn a_client_that_reads_nothing_holds_up_output_only() {
    for protocol in ["telnet", "websocket"] {
        let text = format!("socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,{protocol}=on");
        let bench = bench(&text);
        let mut far = connect(&bench);
        if protocol == "websocket" {
            far.write_all(HELLO.as_bytes()).unwrap();
        }
        until("connected", || bench.port.connected());
        let mut written = 0_u64;
        until("full", || {
            while bench.port.write(b'w') {
                written += 1;
            }
            std::thread::sleep(Duration::from_millis(50));
            !bench.port.write(b'w')
        });
        // The host's own buffers for a connection hold some megabytes.
        assert!(written < 64 << 20, "{protocol}: {written} bytes are kept");
        let frame: &[u8] = if protocol == "telnet" { b"in" } else { b"\x82\x82\0\0\0\0in" };
        far.write_all(frame).unwrap();
        bench.takes(b"in");
        drop(far);
        until("gone", || !bench.port.connected());
        let mut far = connect(&bench);
        if protocol == "websocket" {
            far.write_all(HELLO.as_bytes()).unwrap();
        }
        until("another", || bench.port.connected());
        far.write_all(frame).unwrap();
        bench.takes(b"in");
    }
}

const HELLO: &str = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn a_websocket_carries_messages_after_its_handshake() {
    use tungstenite::{Message, client::IntoClientRequest};
    let bench = bench("socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,websocket=on");
    assert!(bench.filename().starts_with("disconnected:websocket:127.0.0.1:"), "{}", bench.filename());
    for protocol in [Some("binary"), None] {
        let far = connect(&bench);
        assert!(!bench.port.connected());
        let mut request = "ws://127.0.0.1/".into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
        }
        let (mut far, answer) = tungstenite::client(request, far).unwrap();
        let chosen = answer.headers().get("Sec-WebSocket-Protocol").map(|value| value.to_str().unwrap());
        assert_eq!(chosen, protocol);
        until("connected", || bench.port.connected());
        assert!(bench.filename().starts_with("websocket:127.0.0.1:"), "{}", bench.filename());
        // Two messages in one packet, and one that is larger than what the port takes at once.
        far.write(Message::binary(b"one".to_vec())).unwrap();
        far.write(Message::text("two")).unwrap();
        far.flush().unwrap();
        bench.takes(b"onetwo");
        let large = vec![b'l'; 100_000];
        far.send(Message::binary(large.clone())).unwrap();
        bench.takes(&large);
        far.send(Message::Ping(b"p".to_vec().into())).unwrap();
        assert_eq!(far.read().unwrap(), Message::Pong(b"p".to_vec().into()));
        bench.puts(&large);
        let mut heard = Vec::new();
        while heard.len() < large.len() {
            heard.extend(far.read().unwrap().into_data());
        }
        assert!(heard == large);
        far.close(None).unwrap();
        until("gone", || !bench.port.connected());
    }
    // Somebody who speaks otherwise is sent away, and is no client.
    for words in
        [HELLO.replace("Host:", "Sec-WebSocket-Protocol: base64\r\nHost:"), "nonsense\r\n\r\n".into()]
    {
        let mut far = connect(&bench);
        far.write_all(words.as_bytes()).unwrap();
        let mut answer = Vec::new();
        far.read_to_end(&mut answer).unwrap();
        assert!(!bench.port.connected());
    }
}

#[test]
fn who_cannot_connect_says_so_once_and_tries_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    drop(listener);
    let bench = bench(&format!("socket,id=a,host=127.0.0.1,port={},reconnect-ms=10", place.port()));
    assert_eq!(bench.filename(), format!("disconnected:tcp:{place}"));
    let warning = bench.notices.recv_timeout(Duration::from_secs(20)).unwrap();
    let why = format!("Failed to connect to '{place}': Connection refused");
    assert_eq!(warning, Notice::Warning(format!("Unable to connect character device a: {why}")));
    std::thread::sleep(Duration::from_millis(100));
    assert!(bench.notices.try_recv().is_err());
    let listener = TcpListener::bind(place).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    bench.echoes(&mut far);
    assert_eq!(bench.filename(), format!("tcp:{} <-> {place}", far.peer_addr().unwrap()));
}

#[test]
fn a_log_has_what_was_said_to_nobody() {
    for (name, text) in [
        ("null", "null,id=a"),
        ("pty", "pty,id=a"),
        ("ringbuf", "ringbuf,id=a"),
        ("udp", "udp,id=a,host=127.0.0.1,port=9"),
        ("server", "socket,id=a,host=127.0.0.1,port=0,server=on,wait=off"),
        ("telnet", "socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,telnet=on"),
    ] {
        let log = path(&format!("log-{name}"));
        for (append, expect) in [("off", "said\n"), ("on", "said\nsaid\n"), ("off", "said\n")] {
            let bench = bench(&format!("{text},logfile={},logappend={append}", log.display()));
            bench.puts(b"said\n");
            bench.backends.finish(Duration::from_secs(20));
            assert_eq!(std::fs::read_to_string(&log).unwrap(), expect, "{name}");
        }
        std::fs::remove_file(log).unwrap();
    }
}

#[test]
fn a_port_out_of_a_range_is_found() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().min(65_000);
    let text = format!("socket,id=a,host=127.0.0.1,port={port},to={},server=on,wait=off", port + 500);
    let bench = bench(&text);
    assert_ne!(tcp_port(&bench.filename()), port);
    bench.echoes(&mut connect(&bench));
}

#[test]
fn what_cannot_be_opened_is_refused_in_qemus_words() {
    let backends = Backends::start(Settings::default(), |_| {}).unwrap();
    let taken = path("taken");
    std::fs::write(&taken, "x").unwrap();
    let long = "l".repeat(108);
    let link = format!("pty,id=a,path={}", taken.display());
    let socket = format!("socket,id=a,path={},server=on,wait=off", taken.display());
    let bound = format!("Failed to bind socket to {}: Address already in use", taken.display());
    for (text, expect) in [
        ("pipe,id=a,path=/nonexist/x", "Could not open '/nonexist/x': No such file or directory"),
        ("serial,id=a,path=/nonexist/x", "Could not open '/nonexist/x': No such file or directory"),
        ("pty,id=a,path=/nonexist/x", "Failed to create PTY symlink: No such file or directory"),
        (&link, "Failed to create PTY symlink: File exists"),
        (
            "udp,id=a,host=127.0.0.1,port=1,localaddr=192.0.2.1,localport=2",
            "Failed to bind socket: Cannot assign requested address",
        ),
        (
            "socket,id=a,host=::1,port=1,ipv4=on",
            "address resolution failed for ::1:1: Address family for hostname not supported",
        ),
        // What is no socket is somebody's file, and stays.
        (&socket, &bound),
        (&format!("socket,id=a,path={long}"), &format!("UNIX socket path '{long}' is too long")),
    ] {
        let refusal = backends.add(&ChardevSpec::parse(text).unwrap(), &|_| {}).unwrap_err();
        assert_eq!(refusal.message, *expect, "{text}");
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "x");
    std::fs::remove_file(taken).unwrap();
    // The name is still free.
    let spec = ChardevSpec::parse("null,id=a").unwrap();
    assert!(backends.add(&spec, &|_| {}).is_ok());
}
