//! The program under its 32-bit names: our firmware, software of others, compiled programs beside QEMU's, a debugger.
#![forbid(unsafe_code)]

use hartwright_tests::{FIRMWARE, Launch, MONITOR, Scratch};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};
use xtask::{cache::Cache, workspace};

const NAME: &str = "hartwright-system-riscv32";

fn machine() -> Launch {
    Launch::program().called(NAME).option("-machine", "param").argument("-nographic")
}

/// Every `qemu-system-riscv32` there is, with its major version.
fn qemus() -> Vec<(PathBuf, u32)> {
    let newer = Cache::of_user().map(|cache| cache.root().join("bin/qemu-system-riscv32-11"));
    let programs = [Some(PathBuf::from("qemu-system-riscv32")), newer.ok()];
    let version = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split("version ").nth(1)?.split('.').next()?.parse().ok()
    };
    programs.into_iter().flatten().filter_map(|program| Some((program.clone(), version(&program)?))).collect()
}

/// Runs a build script of ours; `None` if there is no cross compiler.
#[track_caller]
fn built(script: &str, words: &[&str], variables: &[(&str, &str)]) -> Option<()> {
    if Command::new("riscv64-linux-gnu-gcc").arg("--version").output().is_err() {
        eprintln!("skipped: gcc-riscv64-linux-gnu is not installed");
        return None;
    }
    let mut build = Command::new("sh");
    let ended = build.arg(workspace().join(script)).args(words).envs(variables.iter().copied()).output();
    let ended = ended.expect("sh starts");
    assert!(ended.status.success(), "{script} {words:?}: {}", String::from_utf8_lossy(&ended.stderr));
    Some(())
}

/// What a bare-metal program prints on the first serial port until it ends the machine well.
#[track_caller]
fn printed(launch: Launch, machine: &str, cpu: &str, program: &Path) -> String {
    let launch = launch.option("-machine", machine).option("-cpu", cpu).option("-bios", "none");
    let launch = launch.option("-display", "none").option("-serial", "stdio").option("-monitor", "none");
    let ended = launch.kernel(program).run();
    assert_eq!(ended.code, Some(0), "{cpu}: {ended:?}");
    ended.output
}

#[test]
fn the_firmware_has_a_prompt_and_the_monitor_eight_digits() {
    let mut machine = machine().harts(2).start();
    machine.expect(FIRMWARE);
    let told = machine.ask("info", FIRMWARE);
    assert!(told.contains("rv32imafdc") && told.contains("sv32"), "{told}");
    assert!(machine.ask("regs misa", FIRMWARE).contains("4014112f rv32abcdfimsu"));
    assert!(machine.ask("harts", FIRMWARE).contains("hart 1   sleeps; answered"));
    machine.ask("poke 0x80200000 0x123456789abcdef0 d", FIRMWARE);
    assert!(machine.ask("peek 0x80200000 d", FIRMWARE).contains("0x80200000: 0x123456789abcdef0"));
    machine.enter_monitor();
    machine.ask("stop", MONITOR);
    let registers = machine.ask("info registers", MONITOR);
    assert!(registers.contains(" x0/zero  00000000 x1/ra    8000"), "{registers}");
    assert!(machine.ask("x/2xw 0x80200000", MONITOR).contains("80200000: 0x9abcdef0 0x12345678"));
}

#[test]
fn each_program_knows_its_models() {
    let cpus = |name: &str| Launch::program().called(name).option("-cpu", "help").run().output;
    assert_eq!(cpus(NAME), "Available CPUs:\n  max\n  rv32\n  rv32e\n  rv32i\n");
    assert!(cpus("hartwright-system-riscv64").contains("  rv64\n"));
    let refused = machine().option("-cpu", "rv64").run();
    assert_eq!(
        (refused.code, refused.errors.lines().next()),
        (Some(1), Some("hartwright-system-riscv32: unable to find CPU model 'rv64'"))
    );
    let version = Launch::program().called("qemu-system-riscv32").argument("-version").run().output;
    assert!(version.starts_with("QEMU emulator version "), "{version}");
}

/// Instruction sets and ABIs to compile for, and what a hart needs of them.
const VARIANTS: &[(&str, &str, &str, &str)] = &[
    ("rv32i", "ilp32", "-O0", "rv32"),
    ("rv32im", "ilp32", "-O2", "rv32"),
    ("rv32imac", "ilp32", "-Os", "rv32"),
    ("rv32imafdc_zicsr", "ilp32d", "-O2", "rv32"),
    ("rv32imafdc_zicsr_zba_zbb_zbc_zbs", "ilp32d", "-O3", "rv32"),
    ("rv32e", "ilp32e", "-O1", "rv32e"),
    ("rv32emac", "ilp32e", "-O2", "rv32e,m=on,a=on,c=on"),
];

#[test]
fn compiled_programs_print_what_they_print_in_qemu() {
    let scratch = Scratch::default();
    let mut compared = 0;
    for (march, mabi, flag, cpu) in VARIANTS {
        let program = scratch.path(march);
        let words = [&program.display().to_string(), *march, *mabi, *flag];
        if built("guest/programs/build.sh", &words, &[]).is_none() {
            return;
        }
        let ours = printed(Launch::program().called(NAME), "param", cpu, &program);
        // FIPS 180-4's and FIPS 197's examples.
        for known in ["sha-256 abc ba7816bf8f01cfea", "sha-512 abc ddaf35a193617aba", "aes 69c4e0d86a7b0430"]
        {
            assert!(ours.contains(known), "{march}: {ours}");
        }
        // The older one has no E.
        for (qemu, _) in qemus().into_iter().filter(|(_, version)| *version > 8 || *cpu == "rv32") {
            let theirs = printed(Launch::of(qemu.clone()), "virt", cpu, &program);
            assert_eq!(ours, theirs, "{march} in {}", qemu.display());
            compared += 1;
        }
    }
    eprintln!("{} builds, {compared} comparisons", VARIANTS.len());
}

#[test]
fn coremark_has_the_checksums_it_has_in_qemu() {
    // Where `cargo xtask bench` unpacks it.
    const SOURCES: &str = "pythondata_cpu_ibex/system_verilog/vendor/eembc_coremark/core_main.c";
    let Some(sources) = Cache::of_user().ok().and_then(|cache| cache.file("coremark", SOURCES).ok()) else {
        return eprintln!("skipped: `cargo xtask bench` fetches CoreMark");
    };
    let scratch = Scratch::default();
    let program = scratch.path("coremark.elf");
    let words =
        [sources.parent().expect("it is in a folder").display().to_string(), program.display().to_string()];
    let variables = [("MARCH", "rv32imac_zicsr_zifencei"), ("MABI", "ilp32"), ("ITERATIONS", "10")];
    if built("guest/bench/build.sh", &words.each_ref().map(String::as_str), &variables).is_none() {
        return;
    }
    let sums = |text: String| {
        text.lines().filter(|line| line.contains("crc")).map(str::to_owned).collect::<Vec<_>>()
    };
    let ours = sums(printed(Launch::program().called(NAME), "param", "rv32", &program));
    assert!(ours.len() >= 4, "{ours:?}");
    for (qemu, _) in qemus() {
        assert_eq!(ours, sums(printed(Launch::of(qemu), "virt", "rv32", &program)));
    }
}

#[test]
fn an_elf_of_the_other_width_is_refused() {
    let scratch = Scratch::default();
    let program = scratch.path("narrow");
    let words = [&program.display().to_string(), "rv32i", "ilp32", "-O1"];
    if built("guest/programs/build.sh", &words, &[]).is_none() {
        return;
    }
    let said = Launch::machine().bios("none").kernel(&program).run().errors;
    assert!(said.contains("is an ELF for 32-bit RISC-V; this machine is RISC-V 64"), "{said}");
}

#[test]
fn a_debugger_sees_registers_of_32_bits() {
    let scratch = Scratch::default();
    let program = scratch.path("debugged");
    let words = [&program.display().to_string(), "rv32imafdc_zicsr", "ilp32d", "-O1", "-g"];
    if built("guest/programs/build.sh", &words, &[]).is_none() {
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("the host has a free port").port();
    let launch = machine().bios("none").kernel(&program).argument("-S");
    let _machine = launch.option("-gdb", format!("tcp:127.0.0.1:{port}")).start();
    let connect = format!(
        "python\nimport time\nfor again in range(100):\n  try:\n    gdb.execute('target remote 127.0.0.1:{port}')\n    \
         break\n  except gdb.error:\n    time.sleep(0.1)\nend\n"
    );
    let commands = "x/2i $pc\nbreak root_fraction\ncontinue\nprint $pc\nstepi\nprint $pc\nbacktrace\n\
                    set var $a0 = 0xdeadbeef\nprint/x $a0\nprint/x $misa\nfinish\nkill\n";
    let script = scratch.file("script", connect + commands);
    let mut gdb = Command::new("timeout");
    gdb.args(["120", "gdb-multiarch", "-batch", "-nx", "-x"]).arg(script).arg(&program);
    let ran = gdb.output().expect("timeout starts");
    if ran.status.code() == Some(127) {
        return eprintln!("skipped: gdb-multiarch is not installed");
    }
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    for part in [
        "=> 0x1000:\tauipc\tt0,0x0",
        "Breakpoint 1, root_fraction (prime=2",
        "in digests () at main.c",
        " = 0xdeadbeef",
        " = 0x4014112f",
        "Value returned is $",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    // A step over the first instruction, of two bytes.
    let places: Vec<_> = said.lines().filter_map(|line| line.split("()) 0x").nth(1)).collect();
    let place = |i: usize| u32::from_str_radix(places[i].split(' ').next().unwrap_or_default(), 16).ok();
    assert_eq!(place(1), place(0).map(|at| at + 2), "{said}");
}

#[test]
fn the_64_bit_program_runs_32_bit_harts_and_bases_without_more_need_software() {
    let mut machine = Launch::machine().option("-cpu", "rv32").start();
    machine.expect("rv32imafdc").expect(FIRMWARE);
    let said = Launch::machine().option("-cpu", "rv32i").run();
    let text = "our own firmware needs m, zmmul, zaamo, zalrsc, zca, zicsr, zifencei, which this CPU has not; -bios none -kernel FILE starts a program";
    assert!(said.code == Some(1) && said.errors.contains(text), "{said:?}");
}

/// S-mode with Sv32: identity-mapped by superpages, it says so over SBI and powers off.
const PAYLOAD: &str = "
_start: la t0, table
        srli t2, t0, 22
        slli t2, t2, 2
        la t3, table
        add t2, t2, t3
        la t4, _start
        srli t4, t4, 22
        slli t4, t4, 20
        ori t4, t4, 0xcf
        sw t4, 0(t2)
        srli t0, t0, 12
        li t1, 0x80000000
        or t0, t0, t1
        csrw satp, t0
        sfence.vma
        la s0, text
1:      lbu a0, 0(s0)
        beqz a0, 2f
        li a7, 1
        ecall
        addi s0, s0, 1
        j 1b
2:      li a7, 0x53525354
        li a6, 0
        li a0, 0
        li a1, 0
        ecall
        j .
text:   .asciz \"S-mode under Sv32\\n\"
        .balign 4096
table:  .space 4096
";

#[test]
fn opensbi_for_32_bits_starts_s_mode() {
    let firmware = Cache::of_user()
        .ok()
        .map(|cache| cache.root().join("peers/usr/share/qemu/opensbi-riscv32-generic-fw_dynamic.bin"));
    let Some(firmware) = firmware.filter(|file| file.exists()) else {
        return eprintln!("skipped: `cargo xtask guests peers` fetches OpenSBI for 32 bits");
    };
    let scratch = Scratch::default();
    let source = scratch.file("payload.S", PAYLOAD);
    let payload = scratch.path("payload.elf");
    let mut gcc = Command::new("riscv64-linux-gnu-gcc");
    gcc.args([
        "-march=rv32imac_zicsr",
        "-mabi=ilp32",
        "-nostdlib",
        "-static",
        "-Wl,-N,-Ttext=0x80400000,-e,_start",
    ]);
    let Ok(ended) = gcc.arg("-Wl,--build-id=none").arg("-o").arg(&payload).arg(&source).output() else {
        return eprintln!("skipped: gcc-riscv64-linux-gnu is not installed");
    };
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let ended = machine().memory("256M").bios(firmware).kernel(payload).run();
    assert!(
        ended.output.contains("OpenSBI v") && ended.output.contains("Boot HART Base ISA          : rv32"),
        "{ended:?}"
    );
    assert!(ended.output.contains("S-mode under Sv32"), "{ended:?}");
    assert_eq!(ended.code, Some(0));
}
