//! gdb-multiarch looks into a machine that boots Linux, with the symbols of the kernel itself.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, Machine, guest};
use std::{net::TcpListener, process::Command};

/// Starts Linux on two harts, stopped before its first instruction, with gdb's server on a free port.
fn stopped() -> (Machine, u16) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("the host has a free port").port();
    let machine = Launch::machine()
        .memory("512M")
        .harts(2)
        .bios(guest("opensbi-1.6", "fw_dynamic.bin"))
        .kernel(guest("linux", "vmlinux"))
        .initrd(guest("busybox", "initrd.gz"))
        .argument("-S")
        .option("-gdb", format!("tcp:127.0.0.1:{port}"))
        .start();
    (machine, port)
}

/// Runs gdb's `commands` against `port`; answers what it printed.
fn gdb(port: u16, commands: &[&str]) -> String {
    let connect = format!(
        "python\nimport time\nfor again in range(100):\n  try:\n    gdb.execute('target remote 127.0.0.1:{port}')\n    \
         break\n  except gdb.error:\n    time.sleep(0.1)\nend\n"
    );
    let script = std::env::temp_dir().join(format!("hartwright-gdb-{port}"));
    std::fs::write(&script, connect + &commands.join("\n")).expect("the host has room for a script");
    // A gdb that waits for ever for a machine that does not answer must not wait here.
    let mut gdb = Command::new("timeout");
    gdb.args(["120", "gdb-multiarch", "-batch", "-nx", "-iex", "set architecture riscv:rv64", "-x"])
        .arg(&script);
    let ran = gdb.arg(guest("linux", "vmlinux.sym")).output().expect("gdb-multiarch is installed");
    let _ = std::fs::remove_file(script);
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

#[track_caller]
fn has(said: &str, text: &str) {
    assert!(said.contains(text), "gdb did not say {text:?}:\n{said}");
}

#[test]
fn a_breakpoint_in_the_kernel_stops_by_its_symbol() {
    let (mut machine, port) = stopped();
    let said = gdb(port, &["info registers pc", "break start_kernel", "continue", "info threads", "detach"]);
    has(&said, "0x1000");
    has(&said, " in start_kernel ()");
    has(&said, "* 1 ");
    has(&said, "  2 ");
    machine.patience(120).expect("Linux version 6.").expect("hartwright guest: init");
}

#[test]
fn a_watchpoint_stops_at_the_write_and_a_step_crosses_a_trap() {
    let (mut machine, port) = stopped();
    let said = gdb(
        port,
        &[
            "hbreak start_kernel",
            "continue",
            "delete",
            "watch *(unsigned long *)&jiffies_64",
            "continue",
            "delete",
            "break do_trap_ecall_u",
            "continue",
            "delete",
            "hbreak handle_exception",
            "continue",
            "stepi",
            "info registers pc",
            "x/2i $pc",
            "print/x $scause",
            "detach",
        ],
    );
    has(&said, "Hardware watchpoint 2: *(unsigned long *)&jiffies_64");
    has(&said, "Old value = ");
    has(&said, "New value = ");
    has(&said, "in do_trap_ecall_u ()");
    has(&said, "in handle_exception ()");
    has(&said, "<handle_exception+4>");
    machine.patience(120).expect("hartwright guest: init").expect("/ # ");
}
