//! Every object has a place and a type; every property can be set from three sides, and misused from none.
#![forbid(unsafe_code)]

use hartwright_tests::{Launch, MONITOR, Machine, Scratch};

/// The monitor of a machine that has not begun to run.
fn monitor(launch: Launch) -> Machine {
    let mut machine = launch.argument("-S").start();
    machine.enter_monitor();
    machine
}

/// `param` whose UART, the last device of its description, has `properties`.
fn edited(folder: &Scratch, properties: &str) -> Launch {
    let to = folder.path("p.toml");
    let outcome = Launch::program().option("-machine", format!("param,dumpspec={}", to.display())).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
    let file = folder.file("p.toml", folder.text("p.toml") + &format!("properties = {{ {properties} }}\n"));
    Launch::program().option("-machine", file).argument("-nographic")
}

#[track_caller]
fn refused(launch: Launch, text: &str) {
    let outcome = launch.run();
    assert_eq!((outcome.code, outcome.output.as_str()), (Some(1), ""), "{}", outcome.errors);
    assert!(outcome.errors.contains(text), "{text:?} is not in:\n{}", outcome.errors);
}

#[test]
fn every_object_is_in_the_tree_with_its_type() {
    let mut machine = monitor(Launch::machine().harts(2));
    let tree = machine.ask("info qom-tree", MONITOR);
    for object in [
        "/machine (param-machine)",
        "  /rom (memory-region)",
        "  /ram (memory-region)",
        "  /hart0 (riscv-hart)",
        "  /hart1 (riscv-hart)",
        "  /test (riscv.sifive.test)",
        "  /clint (riscv.clint)",
        "  /plic (riscv.sifive.plic)",
        "  /uart0 (serial-mm)",
    ] {
        assert!(tree.lines().any(|line| line.trim_end() == object), "{object:?} is not in:\n{tree}");
    }
}

#[test]
fn a_property_comes_from_the_description_an_added_device_or_for_all_of_a_type() {
    let folder = Scratch::default();
    let mut machine = monitor(edited(&folder, "clock-frequency = 1_000_000"));
    let tree = machine.ask("info qtree", MONITOR);
    assert!(tree.contains("clock-frequency = 1000000 (0xf4240)"), "{tree}");

    let device = "ns16550a,id=second,addr=0x10010000,irq=11,clock-frequency=2000000";
    let mut machine = monitor(Launch::machine().option("-device", device));
    let tree = machine.ask("info qtree", MONITOR);
    let (_, second) = tree.split_once("id \"second\"").unwrap_or_else(|| panic!("no second UART:\n{tree}"));
    assert!(second.contains("clock-frequency = 2000000 (0x1e8480)"), "{tree}");
    assert!(machine.ask("info qom-tree", MONITOR).contains("/second (serial-mm)"));

    let mut machine = monitor(Launch::machine().option("-global", "ns16550a.clock-frequency=3000000"));
    let tree = machine.ask("info qtree", MONITOR);
    assert!(tree.contains("clock-frequency = 3000000 (0x2dc6c0)"), "{tree}");
}

#[test]
fn a_property_of_the_wrong_type_is_refused_by_name() {
    let folder = Scratch::default();
    let device = "ns16550a,id=second,addr=0x10010000,irq=11";
    for (wrong, why) in [
        ("clock-frequency=fast", "'clock-frequency' expects uint32"),
        ("reg-shift=on", "'reg-shift' expects uint8"),
        ("reg-shift=256", "reg-shift doesn't take value 256 (minimum: 0, maximum: 255)"),
        ("baud=9600", "Property 'serial-mm.baud' not found"),
    ] {
        refused(Launch::machine().option("-device", format!("{device},{wrong}")), why);
        refused(Launch::machine().option("-global", format!("ns16550a.{wrong}")), why);
    }
    for (wrong, why) in [
        ("clock-frequency = \"fast\"", "'clock-frequency' expects uint32"),
        ("reg-shift = true", "'reg-shift' expects uint8"),
        ("reg-shift = 256", "reg-shift doesn't take value 256 (minimum: 0, maximum: 255)"),
        ("baud = 9600", "Property 'serial-mm.baud' not found"),
    ] {
        refused(edited(&folder, wrong), why);
    }
}
