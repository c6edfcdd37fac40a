//! A doll's machine, with devices that do nothing, for what this crate does: reading, checking, describing, booting.

use crate::{
    BootOptions, Checked, CpuTree, Frame, MachineSpec, Options, Outside, Plan, choose, device_tree, plan,
};
use hartwright_device::{Device, Error, Line, Output, Prop, Sink, Wiring, registers};
use hartwright_fdt::Read;
use hartwright_objects::{Globals, Object, Registry};
use std::sync::{Arc, Mutex};

mod plic {
    use super::*;

    #[derive(Clone, Default)]
    struct State {
        regs: Regs,
    }

    /// An interrupt controller that passes input 1 on to hart 0's MEIP.
    #[derive(Object)]
    #[object(name = "doll-plic", parent = "sys-bus-device", family = dyn Device)]
    pub(super) struct Plic {
        /// How many harts there are.
        #[property(default = 1)]
        num_harts: u32,
        lines: Vec<Line>,
        state: State,
    }

    registers! { Plic size 0x100, widths [4] else fault:
        0x00 nothing: u32 { NOTHING[0] RO };
    }

    impl Device for Plic {
        fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
            self.lines = wiring.lines;
            Ok(())
        }
        fn reset(&mut self) {
            self.state = State::default();
        }
        fn input(&mut self, pin: u32, level: bool) {
            self.lines[0].set(pin == 1 && level);
        }
        fn inputs(&self) -> u32 {
            32
        }
        fn outputs(&self) -> Vec<Output> {
            let pins = |hart| {
                [(11, "meip"), (9, "seip")].map(|(bit, n)| Output::hart(format!("{n}{hart}"), hart, bit))
            };
            (0..self.num_harts).flat_map(pins).collect()
        }
        fn compatible(&self) -> &'static [&'static str] {
            &["doll,plic"]
        }
        fn node(&self) -> &'static str {
            "plic"
        }
        fn describe(&self) -> Vec<(&'static str, Prop)> {
            vec![("interrupt-controller", Prop::Empty), ("riscv,ndev", Prop::Cells(vec![31]))]
        }
    }
}

mod uart {
    use super::*;

    #[derive(Clone, Default)]
    struct State {
        regs: Regs,
    }

    /// A serial port that raises its line when it is reset.
    #[derive(Object)]
    #[object(name = "doll-uart", parent = "sys-bus-device", family = dyn Device)]
    pub(super) struct Uart {
        /// Divides its clock.
        #[property(default = 1)]
        divider: u16,
        /// Its other end.
        #[property]
        chardev: Option<String>,
        line: Line,
        state: State,
    }

    registers! { Uart size 0x10, widths [1] else fault:
        0x00 data: u8 { DATA[7:0] };
    }

    impl Device for Uart {
        fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
            self.line = wiring.line(0);
            Ok(())
        }
        fn reset(&mut self) {
            self.state = State::default();
            self.line.set(true);
        }
        fn outputs(&self) -> Vec<Output> {
            vec![Output::interrupt("irq")]
        }
        fn compatible(&self) -> &'static [&'static str] {
            &["doll,uart"]
        }
        fn node(&self) -> &'static str {
            "serial"
        }
    }
}

fn doll() -> MachineSpec {
    let mut m = MachineSpec::new("doll", "a doll's machine");
    m.cpu.max = 4.into();
    m.rom("boot", 0x1000, 0x1000);
    m.device("plic", "doll-plic", 0x0c00_0000, 0x1000);
    m.device("uart0", "doll-uart", 0x1000_0000, 0x100)
        .line("irq", "plic", 1)
        .chardev("serial0")
        .property("divider", 3);
    m.ram("ram", 0x8000_0000, 16 << 20);
    m
}

fn check(spec: MachineSpec) -> Result<Checked, String> {
    let registry = Registry::linked().unwrap();
    spec.check(&registry, &Globals::new())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// What reading and checking the doll says, when its text has `new` instead of `old`.
fn complaint(old: &str, new: &str) -> String {
    let text = doll().to_string();
    assert!(text.contains(old), "{text}");
    let text = text.replacen(old, new, 1);
    match MachineSpec::read("p.toml", &text) {
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Ok(spec) => check(spec).err().unwrap_or("nothing is wrong".into()),
    }
}

#[test]
fn the_dump_of_a_dump_is_the_same_text() {
    let text = doll().to_string();
    let again = MachineSpec::read("doll.toml", &text).unwrap();
    assert_eq!(again, doll());
    assert_eq!(again.to_string(), text);
    let mut odd = doll();
    odd.description = "a \"quoted\" \\ text\nof two lines\t\u{1}".into();
    odd.devices[1].property("list", hartwright_objects::Given::List(vec![1_u64.into(), "a".into()]));
    odd.devices[1].property("dotted.name", true);
    let text = odd.to_string();
    assert_eq!(MachineSpec::read("odd.toml", &text).unwrap(), odd);
}

#[test]
fn a_dump_reads_like_a_memory_map() {
    let text = doll().to_string();
    let device = "[[device]]\nname = \"uart0\"\ntype = \"doll-uart\"\nbase = 0x1000_0000\nsize = 0x100\n\
                  lines = { irq = \"plic:1\" }\nchardev = \"serial0\"\nproperties = { divider = 3 }\n";
    assert!(text.ends_with(device), "{text}");
    assert!(text.contains("size = 0x100_0000                  # 16 MiB\n"), "{text}");
}

#[test]
fn an_overlap_names_both_lines() {
    assert_eq!(
        complaint("base = 0x1000_0000", "base = 0x0c00_0f80"),
        "p.toml:46:8: device 'uart0' (0xc00_0f80..0xc00_1080) overlaps device 'plic' (0xc00_0000..0xc00_1000) \
         (p.toml:40)\n   46 | base = 0x0c00_0f80\n      |        ^^^^^^^^^^^\n      = 0xc00_1000 is free"
    );
}

#[test]
fn what_makes_no_sense_is_said_where_it_stands() {
    let first_line = |old: &str, new: &str| complaint(old, new).lines().next().unwrap().to_owned();
    let mut wrong = vec![];
    let last_line = |old: &str, new: &str| complaint(old, new).lines().last().unwrap().to_owned();
    for (old, new, says) in [
        (
            "type = \"doll-uart\"",
            "type = \"doll-uat\"",
            "p.toml:45:8: no device type 'doll-uat' is linked in",
        ),
        ("divider = 3", "divder = 3", "p.toml:50:16: Property 'doll-uart.divder' not found"),
        ("divider = 3", "divider = true", "p.toml:50:26: Parameter 'divider' expects uint16"),
        (
            "divider = 3",
            "divider = 65536",
            "p.toml:50:26: Property doll-uart.divider doesn't take value 65536 (minimum: 0, maximum: 65535)",
        ),
        (
            "irq = \"plic:1\"",
            "irq = \"plci:1\"",
            "p.toml:48:17: line 'irq' of 'uart0' ends at 'plci', which is not there",
        ),
        (
            "irq = \"plic:1\"",
            "irq = \"plic:32\"",
            "p.toml:48:17: line 'irq' of 'uart0' ends at input 32 of 'plic'",
        ),
        (
            "irq = \"plic:1\"",
            "irq = \"uart0:0\"",
            "p.toml:48:17: line 'irq' of 'uart0' ends at 'uart0', which has no inputs",
        ),
        (
            "irq = \"plic:1\"",
            "irq = \"hart1:11\"",
            "p.toml:48:17: line 'irq' of 'uart0' ends at hart 1, which is not there",
        ),
        (
            "irq = \"plic:1",
            "irq = \"hart0:5",
            "p.toml:48:17: line 'irq' of 'uart0' ends at bit 5 of mip, which no line drives",
        ),
        (
            "irq = \"plic:1\"",
            "irq = \"hart0:11\"",
            "p.toml:48:17: 'irq' of 'uart0' ends at hart0:11, where 'meip0' of 'plic' does (p.toml:38)",
        ),
        (
            "irq = \"plic:1\"",
            "irq = 7",
            "p.toml:48:17: 'irq' expects where the line ends, as \"NAME:PIN\", such as \"plic:10\"; this is the number 7",
        ),
        ("reset = 0x1000", "rest = 0x1000", "p.toml:17:1: boot has no 'rest'"),
        ("irq =", "ira =", "p.toml:48:11: device 'uart0' (doll-uart) has no line 'ira'"),
        ("model = \"rv64\"", "model = \"rv46\"", "p.toml:11:9: unable to find CPU model 'rv46'"),
        ("harts = 1", "harts = 5", "p.toml:12:9: 5 harts, but this machine takes from 1 to 4"),
        (
            "harts = 1",
            "harts = \"two\"",
            "p.toml:12:9: 'harts' expects a number, such as 0x1000_0000; this is the string \"two\"",
        ),
        ("0x100_0000 ", "0 ", "p.toml:32:8: ram 'ram' has no bytes"),
        (
            "0x100_0000 ",
            "0x100_0800 ",
            "p.toml:32:8: memory 'ram' begins and ends at pages, and 0x100_0800 is none",
        ),
        (
            "kind = \"ram\"",
            "kind = \"rma\"",
            "p.toml:30:8: 'kind' expects \"ram\" or \"rom\"; this is the string \"rma\"",
        ),
        (
            "name = \"uart0\"",
            "name = \"plic\"",
            "p.toml:44:8: a second 'plic'; there is one already (p.toml:38)",
        ),
        ("chardev = ", "chadrev = ", "p.toml:49:1: device has no 'chadrev'"),
        (
            "reset = 0x1000",
            "reset = 0x2000",
            "p.toml:17:9: the reset code needs 88 bytes of memory at a multiple of 8, and 0x2000 is no such place",
        ),
        (
            "firmware = 0x8000_0000",
            "firmware = 0x7000_0000",
            "p.toml:18:12: firmware goes into RAM, and at 0x7000_0000 there is none",
        ),
        (
            "size = 0x1000\n\n[[device]]",
            "size = 0x80\n\n[[device]]",
            "p.toml:41:8: device 'plic' has 0x100 bytes of registers, and 0x80 are too few",
        ),
        ("[boot]", "[boot", "p.toml:16:6: unclosed table, expected `]`"),
        ("name = \"doll\"", "", "p.toml:1:1: the machine lacks 'name'"),
        ("[boot]", "[boots]", "p.toml:16:2: the machine has no 'boots'"),
    ] {
        let said = first_line(old, new);
        if said != says {
            wrong.push(format!("{old} -> {new}\n  said {said}\n  not  {says}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        last_line("type = \"doll-uart\"", "type = \"doll-uat\""),
        "      = did you mean 'doll-uart'? a type of another crate is linked in if the program names its crate: \
         `use CRATE as _;`"
    );
    assert_eq!(last_line("divider = 3", "divder = 3"), "      = did you mean 'divider'?");
    assert_eq!(last_line("irq = \"plic:1\"", "irq = \"plci:1\""), "      = did you mean 'plic'?");
    assert_eq!(last_line("irq = \"plic:1\"", "irq = \"plic:32\""), "      = its inputs are 0 to 31");
    assert_eq!(last_line("chardev = ", "chadrev = "), "      = did you mean 'chardev'?");
}

#[test]
fn no_damaged_text_panics() {
    let text = doll().to_string().into_bytes();
    let mut seed = 7_u64;
    for _ in 0..3_000 {
        let mut bad = text.clone();
        for _ in 0..2 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % bad.len();
            bad[at] = b" \n\"={}[]09xaz.#"[(seed >> 59) as usize % 15];
        }
        let Ok(bad) = String::from_utf8(bad) else { continue };
        if let Ok(spec) = MachineSpec::read("p.toml", &bad) {
            let _ = check(spec);
        }
    }
}

fn made(spec: MachineSpec, options: &BootOptions) -> (Checked, Result<Plan, String>) {
    let checked = check(spec).unwrap();
    let model = hartwright_isa::cpu::CpuModel::find("rv64").unwrap();
    let tree = device_tree(&checked, &CpuTree::from(model));
    let plan = plan(&checked.spec, options, tree, model);
    (checked, plan)
}

fn file(name: &str, bytes: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("hartwright-machine-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn everything_finds_the_place_that_qemu_gives_it() {
    let firmware = file("fw", &[1; 0x3_0000]);
    let kernel = file("kernel", &[2; 0x1234]);
    let initrd = file("initrd", &[3; 0x5678]);
    let options = BootOptions {
        bios: Some(firmware.clone()),
        kernel: Some(kernel.clone()),
        initrd: Some(initrd.clone()),
        append: Some("console=ttyS0".into()),
        seed: Some(1),
        ..BootOptions::default()
    };
    let (checked, plan) = made(doll(), &options);
    let plan = plan.unwrap();
    let starts: Vec<u64> = plan.layout.parts().iter().map(|part| part.image.start()).collect();
    assert_eq!(starts, [0x8000_0000, 0x8020_0000, 0x80a0_0000, 0x80e0_0000]);
    let tree = hartwright_fdt::parse(&plan.device_tree).unwrap();
    let chosen = tree.find_node("/chosen").unwrap();
    assert_eq!(chosen.read_str("bootargs"), Some("console=ttyS0"));
    assert_eq!(chosen.read_cells("linux,initrd-end"), Some(vec![0, 0x80a0_5678]));
    assert_eq!(chosen.read_str("stdout-path"), Some("/soc/serial@10000000"));
    assert_eq!(chosen.read_bytes("rng-seed").unwrap()[..8], 0x910a_2dec_8902_5cc1_u64.to_le_bytes());

    let frame = Frame::new(checked).ok().unwrap();
    plan.load(&frame.space).unwrap();
    assert_eq!(frame.space.load(plan.reset, 4), Ok(0x297));
    assert_eq!(frame.space.load(0x1018, 8), Ok(0x8000_0000));
    assert_eq!(frame.space.load(0x1020, 8), Ok(0x80e0_0000));
    assert_eq!(frame.space.load(0x1028, 8), Ok(0x4942_534f));
    assert_eq!(frame.space.load(0x1038, 8), Ok(0x8020_0000));
    assert_eq!(frame.space.load(0x8020_0000, 2), Ok(0x0202));
    assert_eq!(frame.space.load(0x80e0_0000, 4), Ok(0xedfe_0dd0));
    for path in [firmware, kernel, initrd] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn without_firmware_the_kernel_begins_the_ram() {
    let kernel = file("bare", &[2; 0x1234]);
    let options =
        BootOptions { bios: Some("none".into()), kernel: Some(kernel.clone()), ..BootOptions::default() };
    let plan = made(doll(), &options).1.unwrap();
    assert_eq!((plan.layout.parts()[0].image.start(), plan.start(0)), (0x8000_0000, 0x1000));
    let builtin = BootOptions { builtin: Some(&[0x13, 0, 0, 0]), ..BootOptions::default() };
    let plan = made(doll(), &builtin).1.unwrap();
    assert_eq!(plan.layout.parts()[0].name, "(built in)");
    std::fs::remove_file(kernel).unwrap();
}

#[test]
fn bad_files_are_one_sentence() {
    let say = |options: BootOptions| made(doll(), &options).1.unwrap_err();
    let bios = || Some("none".to_owned());
    let nonexist = || Some("/nonexist".to_owned());
    assert_eq!(
        say(BootOptions { bios: bios(), kernel: nonexist(), ..BootOptions::default() }),
        "could not load kernel '/nonexist': No such file or directory"
    );
    assert_eq!(
        say(BootOptions { bios: nonexist(), ..BootOptions::default() }),
        "Unable to find the RISC-V BIOS \"/nonexist\""
    );
    assert_eq!(
        say(BootOptions { bios: bios(), append: Some("x".into()), ..BootOptions::default() }),
        "-append only allowed with -kernel option"
    );
    assert_eq!(
        say(BootOptions { bios: bios(), dtb: Some("/bin/true".into()), ..BootOptions::default() }),
        "could not load device tree '/bin/true': not a device tree blob: it begins with 0x7f454c46 instead of \
         0xd00dfeed"
    );
    let big = file("big", &[0; 17 << 20]);
    assert_eq!(
        say(BootOptions { bios: bios(), kernel: Some(big.clone()), ..BootOptions::default() }),
        format!("could not load kernel '{big}': the file has more than the 16 MiB that it has to fit in")
    );
    std::fs::remove_file(big).unwrap();
}

#[test]
fn names_and_numbers_of_the_command_line_are_judged() {
    let say = |name: &str, options: Options| choose(name, &options).err().unwrap();
    assert_eq!(
        say("dol", Options::default()),
        "unsupported machine type: \"dol\"\nUse -machine help to list supported machines"
    );
    assert_eq!(
        say("./nonexist.toml", Options::default()),
        "could not load machine './nonexist.toml': No such file or directory"
    );
    assert_eq!(
        say("x", Options { cpu: Some("foo".into()), ..Options::default() }),
        "unable to find CPU model 'foo'"
    );
    assert!(say("x", Options { ram: Some(0), ..Options::default() }).starts_with("-m 0: "));
    let path = file("m.toml", doll().to_string().as_bytes()) + ".toml";
    std::fs::write(&path, doll().to_string()).unwrap();
    assert_eq!(
        say(&path, Options { harts: Some(9), ..Options::default() }),
        "Invalid SMP CPUs 9. The max CPUs supported by machine 'doll' is 4"
    );
    let chosen =
        choose(&path, &Options { ram: Some(32 << 20), harts: Some(2), ..Options::default() }).ok().unwrap();
    assert_eq!((*chosen.spec.main_ram().unwrap().size, *chosen.spec.cpu.harts), (32 << 20, 2));
    std::fs::remove_file(path).unwrap();
}

struct Pins(Mutex<Vec<(u32, bool)>>);

impl Sink for Pins {
    fn set(&self, pin: u32, level: bool) {
        self.0.lock().unwrap().push((pin, level));
    }
}

#[test]
fn a_line_goes_through_the_controller_to_the_hart() {
    let pins = Arc::new(Pins(Mutex::default()));
    let frame = Frame::new(check(doll()).ok().unwrap()).ok().unwrap();
    let hart: Arc<dyn Sink> = pins.clone();
    let machine = frame.wire(None, &[hart], &Outside::default()).ok().unwrap();
    assert_eq!(*pins.0.lock().unwrap(), [(11, true)]);
    let mut tree = vec![];
    machine.root.walk(&mut |depth, node| tree.push(format!("{depth} {node:?}")));
    assert_eq!(
        tree,
        [
            "0 / (container)",
            "1 /machine (machine)",
            "2 /machine/boot (memory-region)",
            "2 /machine/ram (memory-region)",
            "2 /machine/hart0 (riscv-hart)",
            "2 /machine/plic (doll-plic)",
            "2 /machine/uart0 (doll-uart)",
        ]
    );
    let uart = machine.root.resolve("/machine/uart0").unwrap();
    assert_eq!(uart.links(), [("irq".to_owned(), Some("/machine/plic".to_owned()))]);
    assert_eq!(uart.get("divider").unwrap().to_string(), "3");
    // Nothing in the machine holds the machine: with it, the harts' pins go.
    drop((machine, uart));
    assert_eq!(Arc::strong_count(&pins), 1);
}

#[test]
fn a_missing_chardev_is_named() {
    let mut spec = doll();
    spec.devices[1].chardev("nope");
    let frame = Frame::new(check(spec).ok().unwrap()).ok().unwrap();
    assert_eq!(
        frame.wire(None, &[], &Outside::default()).err().unwrap(),
        "device 'uart0': chardev 'nope' not found; it is a serial0, serial1, ... or the id of a -chardev"
    );
}

#[test]
fn a_device_of_the_command_line_is_a_device_like_the_others() {
    let registry = Registry::linked().unwrap();
    let mut spec = doll();
    spec.plug(&registry, "doll-uart", [("addr", "0x10010000"), ("irq", "2"), ("divider", "7")]).unwrap();
    let new = spec.devices.last().unwrap();
    assert_eq!(
        (&*new.name.value, *new.size, new.lines[0].1.to_string()),
        ("serial0", 0x10, "plic:2".to_owned())
    );
    assert!(check(spec.clone()).is_ok());
    let mut say = |class: &str, pairs: &[(&'static str, &'static str)]| {
        spec.plug(&registry, class, pairs.iter().copied()).unwrap_err()
    };
    assert_eq!(say("foo", &[]), "'foo' is not a valid device model name");
    assert_eq!(
        say("doll-uart", &[("divder", "1")]),
        "Property 'doll-uart.divder' not found\ndid you mean 'divider'?"
    );
    assert_eq!(say("doll-uart", &[("addr", "0"), ("id", "uart0")]), "Duplicate ID 'uart0' for device");
    assert_eq!(
        say("doll-uart", &[]),
        "doll-uart: addr property not set: give the address of its registers, such as addr=0x10010000"
    );
}
