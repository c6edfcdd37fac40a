//! A machine with properties of its own: on the command line, in its help, in a machine file, in the object tree.
#![forbid(unsafe_code)]

use hartwright_emu::{Assembled, Outcome, Program, assemble, parse, resolve};
use hartwright_machine::{Frame, MachineSpec, Options, Outside, board};
use hartwright_objects::{Choice, Size};
use std::{fs, path::PathBuf};

/// What the lamps are.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
enum Light {
    Candle,
    LightBulb,
}

board!("lamps", "lamps in a row", lamps, properties = Lamps {
    /// Set on/off to give every lamp a switch.
    ///
    /// This is not in the help.
    own_switch: bool = false,
    /// How many lamps there are.
    number: u32 = 2,
    /// What the lamps are.
    light: Light = Light::LightBulb,
    /// How much memory each has.
    memory_each: Size = Size(0x1000),
    /// What they are called, beside their number.
    series: Option<String> = None,
});

fn lamps(m: &mut MachineSpec, options: &Options, properties: &Lamps) -> Result<(), String> {
    let Lamps { own_switch, number, light, memory_each, series } = properties;
    if *number > 8 {
        return Err(format!("{number} lamps: there is current for 8"));
    }
    m.harts(options, 1..=1);
    m.rom("rom", 0x1000, 0xf000);
    m.ram("ram", 0x8000_0000, options.ram.unwrap_or(1 << 20));
    for lamp in 0..u64::from(*number) {
        let name = format!("{}{lamp}", series.as_deref().unwrap_or("lamp"));
        m.ram(&name, 0x9000_0000 + 0x10_0000 * lamp, memory_each.0);
    }
    m.description = format!("{light:?}, {own_switch}");
    Ok(())
}

fn run(line: &str) -> Result<Assembled, String> {
    let program = Program::new(Some("P"));
    let words = line.split_whitespace().map(Into::into);
    let config = parse(&program, words).and_then(|asked| resolve(&program, asked));
    config.and_then(|config| assemble(&config)).map_err(|outcome| match outcome {
        Outcome::Fail(failure) => failure.text(&program),
        Outcome::Print { text, .. } => text,
    })
}

fn names(assembled: &Assembled) -> Vec<&str> {
    let memories = assembled.checked.spec.memories.iter();
    memories.map(|memory| memory.name.as_str()).collect()
}

#[test]
fn a_property_changes_the_machine_and_help_lists_it_as_qemu_does() {
    assert_eq!(names(&run("-M lamps").ok().unwrap()), ["rom", "ram", "lamp0", "lamp1"]);
    let line = "-M lamps,number=3,own-switch=on,light=candle -machine series=torch,memory-each=64K";
    let assembled = run(line).ok().unwrap();
    assert_eq!(names(&assembled), ["rom", "ram", "torch0", "torch1", "torch2"]);
    assert_eq!(*assembled.checked.spec.memories[4].size, 0x1_0000);
    assert_eq!(assembled.checked.spec.description, "Candle, true");

    let text = run("-M lamps,help").err().unwrap();
    let expected = [
        "lamps-machine options:",
        "  append=<string>        - ",
        "  light=<candle|light-bulb> - What the lamps are (default: light-bulb)",
        "  memory-each=<size>     - How much memory each has (default: 4096)",
        "  number=<uint32>        - How many lamps there are (default: 2)",
        "  own-switch=<bool>      - Set on/off to give every lamp a switch (default: off)",
        "  series=<str>           - What they are called, beside their number",
    ];
    for line in expected {
        assert!(text.lines().any(|said| said.starts_with(line)), "{line}: {text}");
    }
    assert!(run("-M help").err().unwrap().contains("lamps                lamps in a row\n"));
}

#[test]
fn what_a_machine_does_not_take_is_refused_with_the_near_miss() {
    for (line, expected) in [
        ("-M lamps,nunber=3", "Property 'lamps-machine.nunber' not found\ndid you mean 'number'?"),
        ("-M lamps,own-switch=maybe", "Parameter 'own-switch' expects 'on' or 'off'"),
        (
            "-M lamps,light=sun",
            "Parameter 'light' does not accept value 'sun'\nit accepts candle, light-bulb",
        ),
        (
            "-M lamps,number=-1",
            "Property lamps-machine.number doesn't take value -1 (minimum: 0, maximum: 4294967295)",
        ),
        ("-M lamps,number=9", "9 lamps: there is current for 8"),
        ("-M param,number=9", "Property 'param-machine.number' not found"),
        (
            "-M lamps -global lamps-machine.number=3",
            "-global lamps-machine.number=3: -machine NAME,number=3 sets a machine's property",
        ),
    ] {
        assert_eq!(run(line).err().unwrap(), format!("P: {expected}\n"), "{line}");
    }
}

/// Runs `-M` with a file of this text; the file is called FILE in what is said.
fn file(test: &str, text: &str) -> Result<Assembled, String> {
    let path: PathBuf = std::env::temp_dir().join(format!("hartwright-{test}-{}.toml", std::process::id()));
    fs::write(&path, text).unwrap();
    let done = run(&format!("-M {}", path.display()));
    fs::remove_file(&path).unwrap();
    done.map_err(|why| why.replace(path.to_str().unwrap(), "FILE"))
}

#[test]
fn a_machine_file_sets_the_properties_of_its_base() {
    let with = |rows: &str| file("base", &format!("base = \"lamps\"\n[properties]\n{rows}\n"));
    let assembled = with("number = 1\nseries = \"torch\"\nlight = \"candle\"").ok().unwrap();
    assert_eq!(names(&assembled), ["rom", "ram", "torch0"]);
    for (rows, expected) in [
        ("nunber = 3", "FILE:3:1: Property 'lamps-machine.nunber' not found"),
        ("nunber = 3", "= did you mean 'number'?"),
        ("number = true", "FILE:3:10: Parameter 'number' expects uint32"),
        ("number = true", "= it has own-switch, number, light, memory-each, series"),
        ("number = 9", "FILE:1:8: 9 lamps: there is current for 8"),
    ] {
        let said = with(rows).err().unwrap();
        assert!(said.contains(expected), "{rows}: {said}");
    }
    let said = file("none", "name = \"x\"\n[properties]\nnumber = 3\n").err().unwrap();
    assert!(said.contains("FILE:3:1: only a built-in machine has properties"), "{said}");
}

#[test]
fn the_object_tree_shows_what_was_given() {
    let Assembled { checked, object, .. } = run("-M lamps,number=1").ok().unwrap();
    let machine = Frame::new(checked).ok().unwrap().wire(object, &[], &Outside::default()).ok().unwrap();
    let node = machine.root.child("machine").unwrap();
    let properties = node.properties().into_iter().map(|(row, value)| format!("{}={value}", row.name));
    assert_eq!(
        properties.collect::<Vec<_>>(),
        ["own-switch=off", "number=1", "light=light-bulb", "memory-each=4096", "series="]
    );
}
