//! Several frontends behind one host end, and what happens at its edges.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use hartwright_backend::{Backends, Notice, Role, Settings, spec::ChardevSpec};
use hartwright_device::CharPort;
use hartwright_event::Inherited;

struct Bench {
    backends: Backends,
    notices: mpsc::Receiver<Notice>,
    host: UnixStream,
    serial: CharPort,
    monitor: CharPort,
}

/// A mux over a socket pair with a serial port and a monitor.
fn bench(escape: Option<u8>) -> Bench {
    let (host, ours) = UnixStream::pair().unwrap();
    host.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let fd = Inherited::leave(ours.into());
    let (sender, notices) = mpsc::channel();
    let settings = Settings { escape, ..Settings::default() };
    let backends = Backends::start(settings, move |notice| sender.send(notice).unwrap_or_default()).unwrap();
    backends.add(&spec(&format!("socket,id=s,mux=on,fd={fd}")), &|_| {}).unwrap();
    let (serial, monitor) = (CharPort::default(), CharPort::default());
    backends.attach("s", monitor.clone(), Role::Monitor).unwrap();
    backends.attach("s", serial.clone(), Role::Serial).unwrap();
    Bench { backends, notices, host, serial, monitor }
}

fn spec(text: &str) -> ChardevSpec {
    ChardevSpec::parse(text).unwrap()
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn take(port: &CharPort, count: usize) -> String {
    let mut bytes = Vec::new();
    until("input", || {
        bytes.extend(std::iter::from_fn(|| port.read()));
        bytes.len() >= count
    });
    String::from_utf8(bytes).unwrap()
}

fn put(port: &CharPort, text: &str) {
    for byte in text.bytes() {
        until("room", || port.write(byte));
    }
}

impl Bench {
    fn hears(&mut self, expect: &str) {
        let mut bytes = vec![0; expect.len()];
        self.host.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), expect);
    }
}

#[test]
fn the_keys_go_to_the_serial_port_first_and_change_with_c() {
    let mut bench = bench(Some(1));
    assert!(bench.serial.connected() && !bench.monitor.connected());
    bench.host.write_all(b"a\x01cb\x01cc\x01\x01d").unwrap();
    assert_eq!(take(&bench.serial, 4), "ac\x01d");
    assert_eq!(take(&bench.monitor, 1), "b");
    bench.host.write_all(b"\x01c").unwrap();
    until("the monitor is told", || bench.monitor.connected());
    assert!(bench.serial.connected());
    put(&bench.monitor, "(prompt) ");
    bench.hears("(prompt) ");
    bench.backends.finish(Duration::from_secs(1));
}

#[test]
fn what_a_monitor_says_at_once_is_not_torn_by_a_guest_that_talks() {
    const PROMPTS: usize = 200;
    let mut bench = bench(Some(1));
    bench.host.write_all(b"\x01c").unwrap();
    until("the monitor is told", || bench.monitor.connected());
    let mut heard = String::new();
    let (over, talked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let (serial, over, talked) = (bench.serial.clone(), &over, &talked);
        scope.spawn(move || {
            while over.load(Ordering::Relaxed) == 0 {
                if serial.write_some(b"gg") == 2 {
                    talked.fetch_add(1, Ordering::Relaxed);
                } else {
                    std::thread::yield_now();
                }
            }
        });
        let monitor = bench.monitor.clone();
        scope.spawn(move || {
            for said in 0..PROMPTS {
                until("the guest to talk meanwhile", || talked.load(Ordering::Relaxed) > said);
                until("room", || monitor.pending_output() == 0);
                assert_eq!(monitor.write_some(b"(prompt) "), 9);
            }
        });
        while heard.matches(')').count() < PROMPTS {
            let mut piece = [0; 4096];
            let n = bench.host.read(&mut piece).unwrap();
            heard.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        }
        over.store(1, Ordering::Relaxed);
    });
    assert!(heard.contains("gg"), "the guest talks");
    assert_eq!(heard.matches("(prompt) ").count() + usize::from(heard.ends_with("(prompt)")), PROMPTS);
}

#[test]
fn the_keys_work_while_the_guest_reads_nothing() {
    let mut bench = bench(Some(1));
    bench.host.write_all(&[b'z'; 20_000]).unwrap();
    bench.host.write_all(b"\x01x").unwrap();
    assert_eq!(bench.notices.recv_timeout(Duration::from_secs(5)), Ok(Notice::Quit));
    bench.hears("hartwright: Terminated\n\r");
    assert_eq!(take(&bench.serial, 20_000).len(), 20_000);
}

#[test]
fn a_break_comes_between_the_bytes_where_it_was_typed() {
    let mut bench = bench(Some(1));
    bench.host.write_all(b"a\x01bc").unwrap();
    until("input", || bench.serial.readable() == 2);
    assert_eq!(bench.serial.read(), Some(b'a'));
    assert!(bench.serial.take_break());
    assert_eq!(bench.serial.read(), Some(b'c'));
}

#[test]
fn help_lists_the_keys_and_save_says_what_it_saved() {
    let mut bench = bench(Some(0x14));
    bench.host.write_all(b"\x14h").unwrap();
    bench.hears("\n\rC-t h    print this help\n\rC-t x    exit emulator\n\r");
    bench.host.write_all(b"\x14s\x01").unwrap();
    assert_eq!(take(&bench.serial, 1), "\x01");
}

#[test]
fn times_stand_before_lines() {
    let mut bench = bench(Some(1));
    bench.host.write_all(b"\x01t?").unwrap();
    take(&bench.serial, 1);
    put(&bench.serial, "a\nb\n");
    bench.hears("a\n[00:00:00.");
    let mut digits = [0; 3];
    bench.host.read_exact(&mut digits).unwrap();
    assert!(digits.iter().all(u8::is_ascii_digit));
    bench.hears("] b\n");
}

#[test]
fn without_an_escape_key_every_byte_is_the_guests() {
    let mut bench = bench(None);
    bench.host.write_all(b"\x01x\0").unwrap();
    assert_eq!(take(&bench.serial, 3), "\x01x\0");
}

#[test]
fn a_key_pressed_before_the_last_frontend_is_there_waits_for_it() {
    let (mut host, ours) = UnixStream::pair().unwrap();
    let fd = Inherited::leave(ours.into());
    host.write_all(b"a\x01cinfo").unwrap();
    let backends = Backends::start(Settings::default(), |_| {}).unwrap();
    backends.hold();
    backends.add(&spec(&format!("socket,id=s,mux=on,fd={fd}")), &|_| {}).unwrap();
    let (serial, monitor) = (CharPort::default(), CharPort::default());
    backends.attach("s", serial.clone(), Role::Serial).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    backends.attach("s", monitor.clone(), Role::Monitor).unwrap();
    assert_eq!((serial.readable(), monitor.readable()), (0, 0));
    backends.release();
    assert_eq!((take(&serial, 1), take(&monitor, 4)), ("a".into(), "info".into()));
}

#[test]
fn a_host_end_without_a_mux_has_one_frontend() {
    let backends = Backends::start(Settings::default(), |_| {}).unwrap();
    backends.add(&spec("null,id=a"), &|_| {}).unwrap();
    backends.attach("a", CharPort::default(), Role::Serial).unwrap();
    let second = backends.attach("a", CharPort::default(), Role::Serial);
    assert_eq!(second.unwrap_err().message, "chardev 'a' is already in use");
    let none = backends.attach("b", CharPort::default(), Role::Serial);
    assert_eq!(none.unwrap_err().message, "chardev \"b\" not found");
    assert_eq!(
        backends.add(&spec("null,id=a"), &|_| {}).unwrap_err().message,
        "Duplicate ID 'a' for chardev"
    );
}

#[test]
fn what_cannot_be_opened_says_why() {
    let backends = Backends::start(Settings::default(), |_| {}).unwrap();
    for (text, expect) in [
        ("file,id=a,path=/nonexist/x", "Could not open '/nonexist/x': No such file or directory"),
        ("null,id=a,logfile=/nonexist/x", "Could not create '/nonexist/x': No such file or directory"),
        ("socket,id=a,path=/nonexist/x", "Failed to connect to '/nonexist/x': No such file or directory"),
        ("socket,id=a,fd=99", "File descriptor '99' is not a socket"),
        ("socket,id=a,host=127.0.0.1,port=1", "Failed to connect to '127.0.0.1:1': Connection refused"),
    ] {
        assert_eq!(backends.add(&spec(text), &|_| {}).unwrap_err().message, expect, "{text}");
    }
}

#[test]
fn a_server_serves_one_client_after_the_other() {
    let path = std::env::temp_dir().join(format!("hartwright-serve-{}", std::process::id()));
    let backends = Backends::start(Settings::default(), |_| {}).unwrap();
    let text = format!("socket,id=s,path={},server=on,wait=off", path.display());
    backends.add(&spec(&text), &|_| {}).unwrap();
    let port = CharPort::default();
    backends.attach("s", port.clone(), Role::Serial).unwrap();
    until("told that nobody is there", || !port.connected());
    put(&port, "unheard");
    for turn in ["one", "two"] {
        let mut client = UnixStream::connect(&path).unwrap();
        until("connected", || port.connected());
        assert!(!backends.infos()[0].filename.starts_with("disconnected:"));
        client.write_all(turn.as_bytes()).unwrap();
        assert_eq!(take(&port, 3), turn);
        put(&port, turn);
        let mut answer = [0; 3];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, turn.as_bytes());
        drop(client);
        until("disconnected", || !port.connected());
    }
    backends.finish(Duration::from_secs(1));
    assert!(!path.exists());
}

#[test]
fn what_a_client_sent_before_it_left_is_not_lost() {
    let mut bench = bench(Some(1));
    bench.host.write_all(&[b'z'; 100_000]).unwrap();
    drop(bench.host);
    put(&bench.serial, "nobody reads this");
    assert_eq!(take(&bench.serial, 100_000).len(), 100_000);
    until("disconnected", || !bench.serial.connected());
}

#[test]
fn a_client_connects_again() {
    let path = std::env::temp_dir().join(format!("hartwright-again-{}", std::process::id()));
    let backends = Backends::start(Settings::default(), |_| {}).unwrap();
    let text = format!("socket,id=s,path={},reconnect-ms=20", path.display());
    backends.add(&spec(&text), &|_| {}).unwrap();
    let port = CharPort::default();
    backends.attach("s", port.clone(), Role::Serial).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    // It is without a client for 20 ms, when nobody may look: that it was is seen by the next one.
    for turn in ["first", "second"] {
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(turn.as_bytes()).unwrap();
        assert_eq!(take(&port, turn.len()), turn);
    }
    let (client, _) = listener.accept().unwrap();
    until("connected", || port.connected());
    drop(listener);
    std::fs::remove_file(path).unwrap();
    drop(client);
    until("disconnected", || !port.connected());
}

#[test]
fn output_goes_to_a_file_and_its_copy() {
    let path = |name| std::env::temp_dir().join(format!("hartwright-{name}-{}", std::process::id()));
    let (file, log) = (path("file"), path("log"));
    let backends = Backends::start(Settings::default(), |_| {}).unwrap();
    let text = format!("file,id=f,path={},logfile={}", file.display(), log.display());
    backends.add(&spec(&text), &|_| {}).unwrap();
    let port = CharPort::default();
    backends.attach("f", port.clone(), Role::Serial).unwrap();
    put(&port, &"0123456789".repeat(20_000));
    backends.finish(Duration::from_secs(5));
    for path in [file, log] {
        assert_eq!(std::fs::read(&path).unwrap().len(), 200_000);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn ports_are_woken_when_the_host_takes_output() {
    struct Count(AtomicUsize, Mutex<Vec<u32>>);
    impl hartwright_device::Sink for Count {
        fn set(&self, pin: u32, _level: bool) {
            self.0.fetch_add(1, Ordering::Relaxed);
            self.1.lock().unwrap().push(pin);
        }
    }
    let mut bench = bench(Some(1));
    let wakes = Arc::new(Count(AtomicUsize::new(0), Mutex::default()));
    bench.serial.attach(wakes.clone(), 7);
    let mut written = 0;
    // The host reads nothing: its socket fills, then the port.
    until("full", || {
        while bench.serial.write(b'w') {
            written += 1;
        }
        std::thread::sleep(Duration::from_millis(50));
        let full = !bench.serial.write(b'w');
        written += usize::from(!full);
        full
    });
    let before = wakes.0.load(Ordering::Relaxed);
    let mut bytes = vec![0; written];
    bench.host.read_exact(&mut bytes).unwrap();
    until("woken", || wakes.0.load(Ordering::Relaxed) > before);
    assert!(wakes.1.lock().unwrap().iter().all(|pin| *pin == 7));
    assert!(bench.serial.write(b'w'));
}
