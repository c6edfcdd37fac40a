//! A mebibyte pasted while the device reads slowly arrives whole, over every kind of host end, and comes back whole.

use std::{
    fs::File,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

const COUNT: usize = 1 << 20;

/// Every byte value, in no order.
fn paste() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..COUNT).map(|_| step()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn program() -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name("examples");
    path.push("slow_reader");
    assert!(path.exists(), "{}: `cargo build --examples` makes it", path.display());
    let mut command = Command::new(path);
    command.arg(COUNT.to_string());
    command
}

/// Pastes into `input` and reads the answer from `output`, line ends as the far side makes them.
fn check(input: impl Write + Send, output: impl Read) {
    check_with(input, output, paste());
}

fn check_with(mut input: impl Write + Send, output: impl Read, bytes: Vec<u8>) {
    let mut output = std::io::BufReader::new(output);
    let mut line = || {
        let mut line = Vec::new();
        let mut piece = vec![0; 1];
        loop {
            match output.read(&mut piece) {
                Ok(1) if piece[0] == b'\n' => break,
                Ok(1) if piece[0] == b'\r' => {}
                Ok(1) => line.push(piece[0]),
                other => panic!("{other:?} after {} bytes", line.len()),
            }
        }
        String::from_utf8(line).unwrap()
    };
    assert_eq!(line(), "ready");
    std::thread::scope(|scope| {
        let pasted = bytes.clone();
        scope.spawn(move || {
            input.write_all(&pasted).unwrap();
            input.flush().unwrap();
            // Dropping it would hang a terminal up, and end a pipe: both may come while the device still reads.
        });
        assert_eq!(line(), hex(&Sha256::digest(&bytes)));
        // A slow reader at this end too.
        std::thread::sleep(Duration::from_millis(300));
        assert!(line() == hex(&bytes), "what came back differs");
    });
}

fn ends_well(mut child: Child) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it does not end");
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hartwright-{name}-{}", std::process::id()))
}

#[test]
fn over_stdio_on_a_terminal_which_is_given_back_as_it_was() {
    let (master, slave) = terminal();
    let before = rustix::termios::tcgetattr(&slave).unwrap();
    let own = |fd: &OwnedFd| fd.try_clone().unwrap();
    // Without a controlling terminal the raw mode must not keep Ctrl-C for signals either.
    let child = program().arg("mon:stdio").stdin(own(&slave)).stdout(own(&slave)).spawn().unwrap();
    let bytes = paste().into_iter().map(|byte| if byte == 1 { 2 } else { byte }).collect();
    check_with(File::from(own(&master)), File::from(own(&master)), bytes);
    ends_well(child);
    let after = rustix::termios::tcgetattr(&slave).unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert!(!rustix::fs::fcntl_getfl(&slave).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
}

fn terminal() -> (OwnedFd, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).unwrap();
    (master, slave)
}

#[test]
fn over_stdio_on_pipes() {
    let mut child = program().arg("stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    check(child.stdin.take().unwrap(), child.stdout.take().unwrap());
    ends_well(child);
}

#[test]
fn over_stdio_from_a_regular_file() {
    let input = path("paste");
    std::fs::write(&input, paste()).unwrap();
    let mut child =
        program().arg("stdio").stdin(File::open(&input).unwrap()).stdout(Stdio::piped()).spawn().unwrap();
    check(std::io::sink(), child.stdout.take().unwrap());
    ends_well(child);
    std::fs::remove_file(input).unwrap();
}

#[test]
fn over_a_unix_socket_that_listens() {
    let place = path("listen");
    let child = program().arg(format!("unix:{},server=on", place.display())).spawn().unwrap();
    let stream = connect(&place);
    check(stream.try_clone().unwrap(), stream);
    ends_well(child);
    assert!(!place.exists(), "the socket's path goes with it");
}

fn connect(place: &std::path::Path) -> UnixStream {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match UnixStream::connect(place) {
            Ok(stream) => return stream,
            Err(error) if Instant::now() > deadline => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn over_tcp_as_a_client() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let child = program().arg(format!("tcp:127.0.0.1:{port}")).spawn().unwrap();
    let (stream, _) = listener.accept().unwrap();
    check(stream.try_clone().unwrap(), stream);
    ends_well(child);
}

#[test]
fn a_pipe_that_nobody_reads_any_more_does_not_stop_the_device() {
    let mut child = program().arg("stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(&paste()).unwrap();
    ends_well(child);
}

#[test]
fn descriptors_given_to_us_stay_blocking() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (_unread, out) = std::io::pipe().unwrap();
    let mut child = program().arg("stdio").stdin(reader.try_clone().unwrap()).stdout(out).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    for fd in [reader.as_fd(), writer.as_fd()] {
        assert!(!rustix::fs::fcntl_getfl(fd).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
