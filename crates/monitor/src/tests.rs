//! The monitor's answers, against what QEMU 7.2 and 11.1 answered to the same lines.

use crate::{
    Control, Mailbox, News, RunState, Session,
    bench::{RAM, machine},
    edit::Editor,
    start,
};
use hartwright_device::CharPort;
use hartwright_exec::{Breakpoints, Reason};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// `auipc t0,0; addi a2,t0,40; j .`
const PROGRAM: &[u32] = &[0x0000_0297, 0x0282_8613, 0x0000_006f];

#[track_caller]
fn check(session: &mut Session, line: &str, expect: &str) {
    assert_eq!(session.run(line), expect, "{line}");
}

fn session() -> Session {
    Session::new(machine(PROGRAM).0)
}

#[test]
fn memory_is_shown_as_in_qemu() {
    let s = &mut session();
    check(s, "x/2gx 0x1000", "0000000000001000: 0x0282861300000297 0x0000000000000000\n");
    check(s, "x/5xb 0x1000", "0000000000001000: 0x97 0x02 0x00 0x00 0x13\n");
    check(s, "xp/4xw 0x1000", "00001000: 0x00000297 0x02828613 0x00000000 0x00000000\n");
    check(s, "x/3dh 0x1000", "0000000000001000:   663     0 34323\n");
    check(s, "x/3c 0x1000", "0000000000001000: '\\x97' '\\x02' '\\x00' '\\x00' '\\x13' '\\x86'\n");
    check(s, "x/2uw 0x1000", "0000000000001000:        663   42108435\n");
    check(s, "x/2ow 0x1000", "0000000000001000:       01227  0240503023\n");
    check(
        s,
        "x/5xw 0x1000",
        concat!(
            "0000000000001000: 0x00000297 0x02828613 0x00000000 0x00000000\n",
            "0000000000001010: 0x00000000\n",
        ),
    );
    check(s, "x 0xffffffff00000000", "ffffffff00000000: Cannot access memory\n");
    check(s, "xp 0x5", "00000005: Cannot access memory\n");
    check(s, "x/99999999 0", "99999999 values are too many: at most 65536 are shown at once\n");
    check(s, "xp/8xb 0x10000000", "10000000: 0x60 0x61 0x62 0x63 0x64 0x65 0x66 0x67\n");
    check(s, "sum 0x1000 4", "24595\n");
    check(s, "sum 0 4", "Invalid addr 0x0000000000000000: there is no memory\n");
}

#[test]
fn instructions_are_shown_as_in_qemu() {
    let s = &mut session();
    let addi = "0x80000004:  02828613          addi                    a2,t0,40\n";
    check(s, "x/1i main", addi);
    check(s, "xp/1i 0x80000004", addi);
    check(s, "x/1i 0x80000020", "0x80000020:  0000              illegal\n");
    check(s, "x/2i 0", "0x00000000:  Address 0x0 is out of bounds.\n");
}

#[test]
fn values_are_printed_as_in_qemu() {
    let s = &mut session();
    check(s, "p $pc", "0x80000000\n");
    check(s, "p/d 1+2*3", "7\n");
    check(s, "p ~1", "-2\n");
    check(s, "p/c 65", "'A'\n");
    check(s, "p/x -1", "0xffffffffffffffff\n");
    check(s, "p/u -1", "18446744073709551615\n");
    check(s, "print/o 8", "010\n");
    check(s, "print 5", "05\n");
    check(s, "p/x 0", "0\n");
    check(s, "p main + 4", "0x80000008\n");
    check(s, "p $mhartid", "0\n");
    check(s, "cpu 1", "");
    check(s, "p $mhartid", "0x1\n");
    check(s, "p $misa", "0x800000000014112f\n");
}

#[test]
fn mistakes_are_told_as_in_qemu() {
    let s = &mut session();
    check(s, "", "");
    check(s, "foo", "unknown command: 'foo'\n");
    check(s, "info foo", "unknown command: 'info foo'\n");
    check(s, "help foo", "unknown command: 'foo'\n");
    check(s, "p", "unexpected end of expression\nTry \"help p\" for more information\n");
    check(
        s,
        "print 1 2",
        concat!(
            "print|p: extraneous characters at the end of line\n",
            "Try \"help print\" for more information\n",
        ),
    );
    check(
        s,
        "info status x",
        concat!(
            "status: extraneous characters at the end of line\n",
            "Try \"help info status\" for more information\n",
        ),
    );
    check(s, "x/zz 5", "invalid char in format: 'z'\nTry \"help x\" for more information\n");
    check(s, "log", "log: string expected\nTry \"help log\" for more information\n");
    check(s, "memsave 0x1000 16 \"x", "unterminated string\nTry \"help memsave\" for more information\n");
    check(s, "cpu 5", "invalid CPU index\n");
    check(s, "balloon 64", "Error: No balloon device has been activated\n");
    check(s, "info balloon", "Error: No balloon device has been activated\n");
    check(s, "system_powerdown", "this machine has no power button\n");
    check(s, "info qom-tree /nope", "Path '/nope' could not be resolved.\n");
    let unwritable = s.run("memsave 0x1000 16 \"/nonexist/file\"");
    assert!(unwritable.starts_with("could not write '/nonexist/file': "), "{unwritable}");
}

#[test]
fn help_reads_the_table() {
    let s = &mut session();
    check(s, "help p", "print|p /fmt expr -- print expression value (use $reg for CPU register access)\n");
    check(s, "? sum", "sum addr size -- compute the checksum of a memory region\n");
    check(s, "help info status", "info status  -- show the current VM status (running|paused)\n");
    let all = s.run("info");
    assert_eq!(all, s.run("help info"));
    assert!(all.contains("\ninfo chardev  -- show the character devices\n"), "{all}");
    assert!(s.run("help").contains("\nsystem_reset  -- reset the system\n"));
    assert!(s.run("log foo").starts_with("Log items (comma separated):\nnone            remove all logs\n"));
}

#[test]
fn info_shows_the_machine() {
    let s = &mut session();
    check(s, "info status", "VM status: paused (prelaunch)\n");
    check(s, "info name", "guest\n");
    check(s, "info version", "0.1.0\n");
    check(s, "info chardev", "compat_monitor0: filename=stdio\n");
    check(
        s,
        "info mtree",
        concat!(
            "address-space: cpu-memory-0\naddress-space: cpu-memory-1\naddress-space: memory\n",
            "  0000000000000000-ffffffffffffffff (prio 0, container): system\n",
            "    0000000000001000-0000000000001fff (prio 0, rom): rom\n",
            "    0000000010000000-0000000010000007 (prio 0, i/o): bytes\n",
            "    0000000080000000-000000008000ffff (prio 0, ram): ram\n\n",
        ),
    );
    check(s, "info qom-tree", "/machine (container)\n  /clint (container)\n  /uart0 (container)\n");
    check(s, "info qom-tree /machine/uart0", "/uart0 (container)\n");
    let threads: Vec<_> = (0..2).map(|hart| s.control.harts.thread_id(hart)).collect();
    let cpus = format!(
        "* CPU #0: thread_id={} model=rv64\n  CPU #1: thread_id={} model=rv64\n",
        threads[0], threads[1]
    );
    check(s, "info cpus", &cpus);
    let registers = s.run("info registers");
    assert!(registers.starts_with("\nCPU#0\n pc            0000000080000000\n mhartid "), "{registers}");
    let row = " x0/zero  0000000000000000 x1/ra    0000000000000000 x2/sp    0000000000000000 x3/gp    ";
    assert!(registers.contains(row), "{registers}");
    assert!(registers.ends_with("x31/t6   0000000000000000\n"), "{registers}");
    let all = s.run("info registers -a");
    assert!(all.starts_with(&registers) && all.contains("\n\nCPU#1\n"), "{all}");
}

#[test]
fn memory_is_saved_byte_by_byte() {
    let s = &mut session();
    let path = std::env::temp_dir().join(format!("hartwright monitor {}", std::process::id()));
    check(s, &format!("memsave 0x1000 8 \"{}\"", path.display()), "");
    assert_eq!(std::fs::read(&path).unwrap(), 0x0282_8613_0000_0297_u64.to_le_bytes());
    check(s, &format!("pmemsave 0x80000000 5000 \"{}\"", path.display()), "");
    assert_eq!(std::fs::read(&path).unwrap().len(), 5000);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn the_machine_runs_and_stops_on_command() {
    let (control, asked) = machine(PROGRAM);
    let s = &mut Session::new(control.clone());
    check(s, "cont", "");
    check(s, "c", "");
    check(s, "info status", "VM status: running\n");
    until(|| s.run("p/x $pc") == "0x80000008\n");
    check(s, "stop", "");
    check(s, "info status", "VM status: paused\n");
    check(s, "system_reset", "");
    check(s, "q", "");
    assert_eq!(*asked.lock().unwrap(), ["reset", "quit"]);
    control.shut_down();
    check(s, "cont", "Resetting the Virtual Machine is required\n");
    check(s, "info status", "VM status: paused (shutdown)\n");
    control.while_standing(hartwright_exec::Harts::reset);
    control.was_reset();
    check(s, "p $pc", "0x80000000\n");
    check(s, "cont", "");
}

#[test]
fn one_hart_at_a_breakpoint_stops_all_and_everybody_hears() {
    let (control, _) = machine(PROGRAM);
    let mail = Arc::new(Mailbox::default());
    let ear = mail.clone();
    control.listen(move |news| ear.post(news));
    control.harts.set_breakpoints(&Breakpoints { code: vec![RAM + 4], data: vec![] });
    let mut kept = VecDeque::new();
    for _ in 0..3 {
        control.go(&[crate::Go::Run]).unwrap();
        assert_eq!(next(&mail, &mut kept), News::Resumed);
        let by = Some((0, Reason::Breakpoint));
        assert_eq!(next(&mail, &mut kept), News::Stopped { state: RunState::Debug, by });
        assert_eq!(control.harts.with(0, |hart| hart.pc()), Some(RAM + 4));
        assert_eq!(control.harts.with(1, |hart| hart.pc()), Some(RAM));
    }
    assert_eq!(Session::new(control).run("info status"), "VM status: paused (debug)\n");
}

/// The next of the news in `mail`, which may bring several at once.
fn next(mail: &Mailbox<News>, kept: &mut VecDeque<News>) -> News {
    loop {
        match kept.pop_front() {
            Some(news) => return news,
            None => kept.extend(mail.wait()),
        }
    }
}

fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "it never happened");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn typed(keys: &str, expect: &str) {
    let (mut editor, mut out) = (Editor::default(), String::new());
    let line = keys.bytes().filter_map(|key| editor.key(key, &mut out)).last();
    assert_eq!(line.as_deref(), Some(expect), "{keys:?}");
}

#[test]
fn keys_edit_the_line() {
    typed("info stq\x7fatus\r", "info status");
    typed("nfo\x01i\x05 cpus\r", "info cpus");
    typed("info xx\x17cpus\r", "info cpus");
    typed("garbage\x15stop\r", "stop");
    typed("stopx\x1b[D\x0b\r", "stop");
    typed("one\rtwo\r\x1b[A\x1b[A\r", "one");
    typed("one\rtwo\r\x1b[A\x1b[A\x1b[B\x1b[B3\r", "3");
    typed("sop\x1b[D\x1b[Dt\x1b[3~\x1b[4~p\r", "stpp");
    typed("system_r\t\r", "system_reset ");
    typed("info qt\t\r", "info qtree ");
    typed("syst\tr\t\r", "system_reset ");
    typed("\u{e9}\x1b[1;5C\x1b[99999999999999999~!\r\n", "\u{e9}!");
}

#[test]
fn a_port_is_served_with_banner_echo_and_answers() {
    let (control, _) = machine(PROGRAM);
    let port = CharPort::default();
    port.connect(Arc::new(|| ()));
    start(port.clone(), control, "hartwright 0.1.0 monitor - type 'help' for more information").unwrap();
    assert_eq!(port.feed(b"info name\r"), 10);
    let expect = "hartwright 0.1.0 monitor - type 'help' for more information\r\n\
                  (qemu) info name\r\nguest\r\n(qemu) ";
    until(|| port.pending_output() >= expect.len());
    let mut said = vec![0; expect.len() + 1];
    let n = port.peek_output(&mut said);
    assert_eq!(std::str::from_utf8(&said[..n]), Ok(expect));
}

#[test]
fn a_reader_who_does_not_read_holds_up_only_the_monitor() {
    let (control, _) = machine(PROGRAM);
    control.cont().unwrap();
    let port = CharPort::default();
    port.connect(Arc::new(|| ()));
    start(port.clone(), control.clone(), "").unwrap();
    let lines = b"x/60000xb 0x80000000\r";
    assert_eq!(port.feed(lines), lines.len());
    until(|| port.room() > 0 && port.pending_output() >= 64 << 10);
    control.stop();
    assert_eq!(control.state(), RunState::Paused);
    let mut all = 0;
    until(|| {
        let n = port.pending_output();
        port.consume_output(n);
        all += n;
        all > 300_000
    });
}

#[test]
fn who_comes_before_it_is_noticed_that_the_last_has_gone_is_greeted_too() {
    let (control, _) = machine(PROGRAM);
    let port = CharPort::default();
    port.connect(Arc::new(|| ()));
    start(port.clone(), control, "").unwrap();
    // With an answer that nobody reads, the monitor looks at nothing else.
    let lines = b"x/60000xb 0x80000000\r";
    assert_eq!(port.feed(lines), lines.len());
    until(|| port.pending_output() >= 64 << 10);
    port.set_connected(false);
    port.set_connected(true);
    let mut end = Vec::new();
    until(|| {
        let mut piece = [0; 4096];
        let n = port.peek_output(&mut piece);
        port.consume_output(n);
        end.extend_from_slice(&piece[..n]);
        end.ends_with(b"\r\n(qemu) (qemu) ")
    });
}

/// Pseudo-random bytes, always the same.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    std::iter::successors(Some(seed | 1), |x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        Some(x ^ (x << 17))
    })
    .map(|x| (x >> 24) as u8)
}

#[test]
fn no_line_and_no_key_panics() {
    let (control, _): (Arc<Control>, _) = machine(PROGRAM);
    let mut session = Session::new(control);
    let words = [
        "x", "xp", "p", "info", "help", "cpu", "sum", "/", "4", "i", "$pc", "(", "0x", "\"", "-", " ", "\\",
        "é",
    ];
    let mut noise = noise(0x5eed);
    for _ in 0..3000 {
        let count = noise.next().unwrap() % 12;
        let picks = noise.by_ref().take(count.into());
        let line: String = picks.map(|n| words[usize::from(n) % words.len()]).collect();
        session.run(&line);
    }
    let (mut editor, mut out) = (Editor::default(), String::new());
    for key in noise.take(200_000) {
        if let Some(line) = editor.key(key, &mut out) {
            // Nothing that writes a file: names are noise too.
            if !line.contains("memsave") && !line.contains("logfile") {
                session.run(&line);
            }
            out.clear();
        }
    }
}

#[test]
fn host_ends_are_read_written_and_given_breaks() {
    let s = &mut session();
    check(s, "ringbuf_read r 100", "a\nb\\u000Dc\\\\d\"e\n");
    check(s, "ringbuf_read r 2", "a\n\n");
    check(s, "ringbuf_read nope 1", "Error: Device 'nope' not found\n");
    let hint = "Try \"help ringbuf_read\" for more information\n";
    let far = "'ringbuf_read' has failed: integer is for 32-bit values\n";
    check(s, "ringbuf_read r -1", &format!("{far}{hint}"));
    check(s, "ringbuf_read r", &format!("unexpected end of expression\n{hint}"));
    check(s, "ringbuf_write r \"a b\"", "Error: r does not take a b\n");
    let hint = "Try \"help ringbuf_write\" for more information\n";
    check(s, "ringbuf_write r", &format!("ringbuf_write: string expected\n{hint}"));
    check(s, "chardev-send-break nope", "Error: Chardev 'nope' not found\n");
}
