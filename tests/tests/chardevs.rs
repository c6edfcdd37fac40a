//! Our firmware converses through every kind of host end, while the monitor on standard input looks on.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, MONITOR, Machine, Scratch, Transcript, seconds};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    path::Path,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};
use tungstenite::{Message, WebSocket, protocol::Role};

/// A machine with its serial port on the host end `a`, standing before its first instruction.
fn machine(chardev: &str) -> Machine {
    let launch = Launch::machine().option("-chardev", chardev).option("-serial", "chardev:a");
    let mut machine = launch.option("-monitor", "stdio").argument("-S").start();
    machine.expect(MONITOR);
    machine
}

/// What `info chardev` says of it.
fn told(machine: &mut Machine) -> String {
    let answer = machine.ask("info chardev", MONITOR);
    let line = answer.lines().find_map(|line| line.trim().strip_prefix("a: filename=").map(str::to_owned));
    line.unwrap_or_else(|| machine.fail(&answer))
}

/// The machine runs, greets whoever is at `far`, and answers what is typed there.
fn converses(machine: &mut Machine, from: impl Read + Send + 'static, mut to: impl Write) {
    let transcript = Transcript::default();
    transcript.follow(from);
    machine.ask("cont", MONITOR);
    let hear = |text: &str| transcript.until(text, seconds(60)).unwrap_or_else(|why| panic!("{why}"));
    hear(FIRMWARE);
    to.write_all(b"foo\r").unwrap();
    to.flush().unwrap();
    hear("no command `foo`");
}

/// The address in the words for a server that nobody has come to.
fn waiting(machine: &mut Machine, scheme: &str) -> String {
    let told = told(machine);
    let address = told.strip_prefix(&format!("disconnected:{scheme}:"));
    address.and_then(|rest| rest.strip_suffix(",server=on")).unwrap_or(&told).to_owned()
}

fn both_ways(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn a_pseudo_terminal() {
    let folder = Scratch::default();
    let link = folder.path("tty");
    let mut machine = machine(&format!("pty,id=a,path={}", link.display()));
    let name = told(&mut machine);
    assert_eq!(name.strip_prefix("pty:").map(Path::new), Some(&*std::fs::read_link(&link).unwrap()));
    let far = both_ways(&link);
    // It is looked for ten times a second, and output before that is nobody's.
    thread::sleep(Duration::from_millis(500));
    converses(&mut machine, far.try_clone().unwrap(), far);
}

#[test]
fn a_pair_of_fifos() {
    let folder = Scratch::default();
    let [input, output] = ["p.in", "p.out"].map(|name| folder.path(name));
    for path in [&input, &output] {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }
    let mut machine = machine(&format!("pipe,id=a,path={}", folder.path("p").display()));
    converses(&mut machine, both_ways(&output), both_ways(&input));
}

#[test]
fn a_unix_socket() {
    let folder = Scratch::default();
    let path = folder.path("s");
    let mut machine = machine(&format!("socket,id=a,path={},server=on,wait=off", path.display()));
    assert_eq!(told(&mut machine), format!("disconnected:unix:{},server=on", path.display()));
    let far = UnixStream::connect(&path).unwrap();
    converses(&mut machine, far.try_clone().unwrap(), far);
    assert_eq!(told(&mut machine), format!("unix:{},server=on", path.display()));
}

#[test]
fn telnet_and_plain_tcp() {
    for (scheme, option) in [("tcp", "telnet=off"), ("telnet", "telnet=on")] {
        let text = format!("socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,{option}");
        let mut machine = machine(&text);
        let far = TcpStream::connect(waiting(&mut machine, scheme)).unwrap();
        converses(&mut machine, far.try_clone().unwrap(), far);
        assert!(told(&mut machine).starts_with(&format!("{scheme}:127.0.0.1:")));
    }
}

/// A WebSocket's client, whose reader and writer are apart.
struct Web(WebSocket<TcpStream>);

impl Read for Web {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.read().map_err(io::Error::other)?.into_data();
        // A transcript reads in larger pieces than anything is sent in.
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Web {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.send(Message::binary(from.to_vec())).map_err(io::Error::other)?;
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_websocket() {
    let mut machine = machine("socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,websocket=on");
    let stream = TcpStream::connect(waiting(&mut machine, "websocket")).unwrap();
    let to = Web(WebSocket::from_raw_socket(stream.try_clone().unwrap(), Role::Client, None));
    let (from, _) = tungstenite::client("ws://127.0.0.1/", stream).unwrap();
    converses(&mut machine, Web(from), to);
}

/// A socket, and whom it speaks with once somebody spoke. It is not connected: Linux finds no socket for a datagram that
/// comes while that happens.
#[derive(Clone)]
struct Datagrams(Arc<UdpSocket>, Arc<OnceLock<SocketAddr>>);

impl Read for Datagrams {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (count, machine) = self.0.recv_from(into)?;
        self.1.get_or_init(|| machine);
        Ok(count)
    }
}

impl Write for Datagrams {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let machine = self.1.get().ok_or(io::ErrorKind::NotConnected)?;
        self.0.send_to(from, machine)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn datagrams() {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = far.local_addr().unwrap().port();
    let mut machine = machine(&format!("udp,id=a,host=127.0.0.1,port={port},localaddr=127.0.0.1"));
    assert_eq!(told(&mut machine), "udp");
    let far = Datagrams(Arc::new(far), Arc::default());
    converses(&mut machine, far.clone(), far);
}

#[test]
fn a_terminal_of_the_host() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let mut machine = machine(&format!("serial,id=a,path={name}"));
    let far = File::from(master);
    converses(&mut machine, far.try_clone().unwrap(), far);
}

#[test]
fn a_file_and_a_log() {
    let folder = Scratch::default();
    let [file, input, log] = ["file", "input", "log"].map(|name| folder.path(name));
    std::fs::write(&input, "foo\roff 3\r").unwrap();
    let [file_at, input_at, log_at] = [&file, &input, &log].map(|path| path.display());
    let chardev = format!("file,id=a,path={file_at},input-path={input_at},logfile={log_at}");
    let mut machine = machine(&chardev);
    machine.send("cont\r");
    assert_eq!(machine.wait_exit(), 3);
    let output = std::fs::read_to_string(file).unwrap();
    assert!(output.contains("no command `foo`"), "{output}");
    assert_eq!(output, std::fs::read_to_string(log).unwrap());
}

#[test]
fn a_ring_that_the_monitor_reads_and_a_break_that_it_sends() {
    let mut machine = machine("ringbuf,id=a,size=16k");
    machine.ask("cont", MONITOR);
    let mut heard = String::new();
    for _ in 0..3000 {
        heard.push_str(machine.ask("ringbuf_read a 16000", MONITOR).trim());
        if heard.contains(FIRMWARE.trim()) {
            assert!(machine.ask("chardev-send-break a", MONITOR).trim().is_empty());
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    machine.fail(&heard)
}

#[test]
fn several_serial_ports_and_what_has_no_device() {
    let launch = Launch::machine().option("-serial", "mon:stdio");
    let mut machine = ["pty", "null", "none", "vc"]
        .into_iter()
        .fold(launch, |launch, place| launch.option("-serial", place));
    machine = machine.option("-parallel", "null");
    let mut machine = machine.start();
    machine.expect_match(r"char device redirected to /dev/pts/\d+ \(label serial1\)");
    machine.expect(FIRMWARE).enter_monitor();
    let told = machine.ask("info chardev", MONITOR);
    for line in [
        "serial0: filename=mux",
        "serial0-base: filename=stdio",
        "serial1: filename=pty:/dev/pts/",
        "serial4: filename=vc",
        "parallel0: filename=null",
    ] {
        assert!(told.contains(line), "{line} is not in:\n{told}");
    }
}
