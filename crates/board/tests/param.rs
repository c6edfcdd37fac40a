//! `param` as others see it: its text, its device tree beside QEMU's, its tree of objects.

use hartwright_board as _;
use hartwright_fdt::{Node, Read, Tree};
use hartwright_isa::cpu::CpuModel;
use hartwright_machine::{
    BootOptions, Checked, CpuTree, Frame, MachineSpec, Options, Outside, choose, device_tree, plan,
};
use hartwright_objects::{Globals, Registry};
use hartwright_wire::Sink;
use std::{collections::BTreeSet, process::Command, sync::Arc};

fn param(options: &Options) -> Checked {
    let registry = Registry::linked().unwrap();
    let spec = choose("param", options).ok().unwrap().spec;
    match spec.check(&registry, &Globals::new()) {
        Ok(checked) => checked,
        Err(problems) => panic!("{}", problems[0]),
    }
}

fn tree(checked: &Checked) -> Tree {
    device_tree(checked, &CpuTree::from(model(checked)))
}

fn model(checked: &Checked) -> &'static CpuModel {
    CpuModel::find(&checked.spec.cpu.model).unwrap()
}

#[test]
fn the_dump_of_a_dump_is_the_same_text() {
    let text = param(&Options::default()).spec.to_string();
    assert_eq!(MachineSpec::read("p.toml", &text).unwrap().to_string(), text);
    if std::env::var_os("HARTWRIGHT_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/param.toml"), &text).unwrap();
        return;
    }
    assert_eq!(text, include_str!("param.toml"), "HARTWRIGHT_BLESS=1 writes it anew");
}

#[test]
fn a_moved_and_a_second_uart_are_told_to_the_guest() {
    let registry = Registry::linked().unwrap();
    let text = include_str!("param.toml").replace("base = 0x1000_0000", "base = 0x1001_0000");
    let text = text
        + "\n[[device]]\nname = \"uart1\"\ntype = \"ns16550a\"\nbase = 0x1002_0000\nsize = 0x100\n\
           lines = { irq = \"plic:11\" }\nchardev = \"serial1\"\nproperties = { reg-shift = 2 }\n";
    let checked = MachineSpec::read("p.toml", &text).unwrap().check(&registry, &Globals::new()).ok().unwrap();
    let tree = tree(&checked);
    let aliases = tree.find_node("/aliases").unwrap();
    assert_eq!(aliases.read_str("serial0"), Some("/soc/serial@10010000"));
    assert_eq!(aliases.read_str("serial1"), Some("/soc/serial@10020000"));
    let second = tree.find_node("/soc/serial@10020000").unwrap();
    assert_eq!((second.read_u32("interrupts"), second.read_u32("reg-shift")), (Some(11), Some(2)));
}

#[test]
fn a_uart_without_a_host_end_is_not_the_console() {
    let registry = Registry::linked().unwrap();
    let text =
        "[[device]]\nname = \"mute\"\ntype = \"ns16550a\"\nbase = 0x1000_1000\nsize = 0x100\n\n".to_owned();
    let text = include_str!("param.toml").replacen("[[device]]", &(text + "[[device]]"), 1);
    let checked = MachineSpec::read("p.toml", &text).unwrap().check(&registry, &Globals::new()).ok().unwrap();
    let tree = tree(&checked);
    let aliases = tree.find_node("/aliases").unwrap();
    assert_eq!(aliases.read_str("serial0"), Some("/soc/serial@10000000"));
    assert_eq!(aliases.read_str("serial1"), Some("/soc/serial@10001000"));
}

/// All properties below `node` by path.
fn facts(node: &Node, path: &str, into: &mut BTreeSet<String>) {
    for name in node.property_names() {
        let bytes = node.read_bytes(&name).unwrap();
        let value = match node.read_strs(&name) {
            Some(texts) if texts.iter().all(|t| t.len() > 1 && t.is_ascii()) => format!("{texts:?}"),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        into.insert(format!("{path}/{name} {value}"));
    }
    for child in node.nodes() {
        facts(child, &format!("{path}/{}", child.label()), into);
    }
}

/// The device tree is QEMU's `virt`'s where both have the same: all that only one says is listed here.
#[test]
fn the_device_tree_is_that_of_qemus_virt_but_for_these() {
    let file = std::env::temp_dir().join(format!("hartwright-virt-{}.dtb", std::process::id()));
    let machine = format!("virt,dumpdtb={}", file.display());
    let run =
        Command::new("qemu-system-riscv64").args(["-machine", &machine, "-smp", "2", "-m", "128M"]).output();
    if run.is_err() {
        eprintln!("skipped: qemu-system-riscv64 is not installed (apt-get install qemu-system-misc)");
        return;
    }
    let virt = hartwright_fdt::parse(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(file).unwrap();
    let ours = tree(&param(&Options { harts: Some(2), ..Options::default() }));
    let (mut theirs, mut mine) = (BTreeSet::new(), BTreeSet::new());
    facts(&virt.root, "", &mut theirs);
    facts(&ours.root, "", &mut mine);
    let only_mine: Vec<&String> = mine.difference(&theirs).collect();
    // What a CPU says is its model's, which is not QEMU's; phandles are whatever they are.
    let ignored = |fact: &&String| {
        let words =
            ["phandle", "/riscv,isa", "/mmu-type", "-block-size", "interrupts-extended", "interrupt-parent"];
        words.iter().any(|word| fact.contains(word)) || fact.contains("regmap") || fact.contains("/cpu ")
    };
    let only_mine: Vec<&str> =
        only_mine.into_iter().filter(|fact| !ignored(fact)).map(String::as_str).collect();
    assert_eq!(
        only_mine,
        [
            // QEMU 7.2 gives no aliases; newer ones do.
            "/aliases/serial0 [\"/soc/serial@10000000\"]",
            // It is another machine.
            "/compatible [\"hartwright,param\"]",
            "/model [\"hartwright,param\"]",
            // The rows of QEMU 11.1; 7.2 has one more, of zeros.
            "/pmu/riscv,event-to-mhpmcounters \
             00000001000000010007fff900000002000000020007fffc00010019000100190007fff8\
             0001001b0001001b0007fff800010021000100210007fff8",
            // QEMU's window ends after the contexts it may have; SiFive's PLIC has 64 MiB.
            "/soc/plic@c000000/reg 000000000c0000000000000004000000",
        ]
    );
    // Of the nodes that both have, QEMU says nothing that we do not.
    let nodes = [
        "/cpus",
        "/memory",
        "/poweroff",
        "/reboot",
        "/chosen/stdout",
        "/soc/serial",
        "/soc/test",
        "/soc/plic",
        "/soc/clint",
    ];
    let only_theirs: Vec<&str> = theirs
        .difference(&mine)
        .filter(|fact| !ignored(fact) && nodes.iter().any(|node| fact.starts_with(node)))
        .map(String::as_str)
        .collect();
    assert_eq!(only_theirs, ["/soc/plic@c000000/reg 000000000c0000000000000000600000"]);
}

struct Hart;

impl Sink for Hart {
    fn set(&self, _: u32, _: bool) {}
}

#[test]
fn every_object_has_a_place_and_a_type() {
    let checked = param(&Options { harts: Some(2), ..Options::default() });
    let frame = Frame::new(checked).ok().unwrap();
    let harts: [Arc<dyn Sink>; 2] = [Arc::new(Hart), Arc::new(Hart)];
    let (_, object) = (hartwright_machine::boards()[0].spec)(&Options::default()).unwrap();
    let machine = frame.wire(Some(object), &harts, &Outside::default()).ok().unwrap();
    let mut tree = vec![];
    machine.root.walk(&mut |_, node| tree.push(format!("{node:?}")));
    assert_eq!(
        tree.join("\n"),
        "/ (container)\n/machine (param-machine)\n/machine/rom (memory-region)\n/machine/ram (memory-region)\n\
         /machine/hart0 (riscv-hart)\n/machine/hart1 (riscv-hart)\n/machine/test (riscv.sifive.test)\n\
         /machine/clint (riscv.clint)\n/machine/plic (riscv.sifive.plic)\n/machine/uart0 (serial-mm)"
    );
    // What is at its reset address runs: the finisher takes a reset, the PLIC says how many harts it serves.
    let plic = machine.root.resolve("/machine/plic").unwrap();
    assert_eq!(plic.get("hart-config").unwrap().to_string(), "MS,MS");
}

#[test]
fn without_kernel_and_firmware_the_monitor_is_there() {
    let checked = param(&Options::default());
    let tree = tree(&checked);
    let monitor = hartwright_board::monitor(64).unwrap();
    let options = BootOptions { builtin: Some(monitor), ..BootOptions::default() };
    let plan = plan(&checked.spec, &options, tree, model(&checked)).unwrap();
    assert_eq!((plan.start(0), plan.device_tree_at), (0x1000, 0x87e0_0000));
    let frame = Frame::new(checked).ok().unwrap();
    plan.load(&frame.space).unwrap();
    let mut bytes = vec![0; monitor.len()];
    frame.space.read_bytes(0x8000_0000, &mut bytes).unwrap();
    assert_eq!(bytes, monitor);
}

#[test]
fn the_numbers_of_harts_are_judged_in_qemus_words() {
    let say = |harts| choose("param", &Options { harts: Some(harts), ..Options::default() }).err().unwrap();
    assert_eq!(say(9), "Invalid SMP CPUs 9. The max CPUs supported by machine 'param' is 8");
    assert_eq!(say(0), "Invalid CPU topology: CPU topology parameters must be greater than zero");
    let names: Vec<_> = hartwright_machine::boards().iter().map(|b| (b.name(), b.description())).collect();
    assert_eq!(names, [("param", "simple CPU, memory and UART"), ("virt", "RISC-V VirtIO board")]);
    assert_eq!(
        choose("parm", &Options::default()).err().unwrap(),
        "unsupported machine type: \"parm\"\nUse -machine help to list supported machines\nDid you mean 'param'?"
    );
}
