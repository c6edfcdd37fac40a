//! A mebibyte pasted into the console arrives whole, whatever carries it.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, Machine, SHELL, guest};
use xtask::{cache::sha256, initramfs::MARKER};

fn linux() -> Launch {
    Launch::machine()
        .memory("256M")
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("busybox", "initrd.gz"))
}

/// A mebibyte in which every byte says where it stands, without control characters: Ctrl-A is the
/// multiplexer's, and a terminal's line discipline has its own.
fn mebibyte() -> Vec<u8> {
    let mut text = Vec::with_capacity(1 << 20);
    for line in 0u32.. {
        text.extend(format!("{line:07} {:08x}|", line.wrapping_mul(0x9e37_79b9)).bytes());
        if text.len() >= 1 << 20 {
            break;
        }
    }
    text.truncate(1 << 20);
    text
}

/// Pastes `text` all at once, as fast as the console takes it.
fn paste(machine: &mut Machine, text: &[u8]) -> std::thread::JoinHandle<std::io::Result<()>> {
    let mut input = machine.take_input().expect("the input has not been taken");
    let text = text.to_vec();
    std::thread::spawn(move || input.write_all(&text))
}

/// Lets Linux hash what it reads.
fn into_linux(mut machine: Machine) {
    machine.patience(120).expect(MARKER).expect(SHELL);
    let text = mebibyte();
    machine.send("stty raw -echo; echo re''ady; head -c 1048576 | sha256sum\r").expect("ready");
    let sent = paste(&mut machine, &text);
    machine.expect(&sha256(&text));
    sent.join().expect("writing does not panic").expect("the console takes all");
}

/// Lets our firmware send back what it reads, with a pause after each byte: a host that writes
/// thousands of times as fast must be held back, and its bytes must wait in order.
fn into_a_slow_reader(mut machine: Machine) {
    machine.patience(20).expect(FIRMWARE);
    let text = mebibyte();
    machine.send("mirror 1048576 3\r").expect("mirror 1048576 3").expect("\n");
    let sent = paste(&mut machine, &text);
    let echoed = machine.patience(100).expect_before("\r");
    machine.expect(FIRMWARE);
    assert_eq!(echoed.len(), text.len());
    assert_eq!(sha256(echoed.as_bytes()), sha256(&text));
    sent.join().expect("writing does not panic").expect("the console takes all");
}

#[test]
fn through_a_pipe_into_linux() {
    into_linux(linux().start());
}

#[test]
#[ignore = "as the pipe, and half a minute longer; --full runs it"]
fn through_a_terminal_into_linux() {
    into_linux(linux().start_on_terminal());
}

#[test]
#[ignore = "as the pipe, and half a minute longer; --full runs it"]
fn through_a_socket_into_linux() {
    into_linux(linux().start_on_socket());
}

#[test]
fn through_a_pipe_into_a_slow_reader() {
    into_a_slow_reader(Launch::machine().start());
}

#[test]
fn through_a_terminal_into_a_slow_reader() {
    into_a_slow_reader(Launch::machine().start_on_terminal());
}

#[test]
fn through_a_socket_into_a_slow_reader() {
    into_a_slow_reader(Launch::machine().start_on_socket());
}
