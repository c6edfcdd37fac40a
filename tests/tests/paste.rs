//! A mebibyte pasted into the console arrives whole, whatever carries it.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, guest};
use xtask::{cache::sha256, initramfs::MARKER};

const PROMPT: &str = "/ # ";

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

/// Pastes all at once, as fast as the console takes it, and compares what the guest has read.
fn paste(mut machine: Machine) {
    machine.patience(400).expect(MARKER).expect(PROMPT);
    let text = mebibyte();
    machine.send("stty raw -echo; echo re''ady; head -c 1048576 | sha256sum\r").expect("ready");
    let mut input = machine.take_input().expect("the input has not been taken");
    let sent = std::thread::spawn({
        let text = text.clone();
        move || input.write_all(&text).map(|()| input)
    });
    machine.expect(&sha256(&text));
    sent.join().expect("writing does not panic").expect("the console takes all");
}

#[test]
fn through_a_pipe() {
    paste(linux().start());
}

#[test]
fn through_a_terminal() {
    paste(linux().start_on_terminal());
}

#[test]
fn through_a_socket() {
    paste(linux().start_on_socket());
}
