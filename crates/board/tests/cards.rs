//! Cards on buses, from a file and from the command line: which bus takes them, what is said when none does.
#![forbid(unsafe_code)]

use hartwright_board as _;
use hartwright_device::BlockPort;
use hartwright_machine::{Frame, MachineSpec, Options, Outside, Problem, choose};
use hartwright_objects::{Globals, Registry};
use std::{collections::HashMap, fs};

/// `param` with two slots.
const SLOTS: &str = r#"
base = "param"
name = "slots"

[[device]]
name = "virtio0"
type = "virtio-mmio"
base = 0x1000_1000
size = 0x1000
lines = { irq = "plic:1" }

[[device]]
name = "virtio1"
type = "virtio-mmio"
base = 0x1000_2000
size = 0x1000
lines = { irq = "plic:2" }
"#;

fn read(more: &str) -> MachineSpec {
    let read = MachineSpec::read("slots.toml", &format!("{SLOTS}{more}"));
    read.unwrap_or_else(|problems| panic!("{}", told(&problems)))
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn check(spec: MachineSpec) -> Result<Frame, String> {
    let checked = spec.check(&Registry::linked().unwrap(), &Globals::new());
    checked.map_err(|problems| told(&problems)).and_then(Frame::new)
}

fn plug(spec: &mut MachineSpec, option: &str) -> Result<(), String> {
    let mut words = option.split(',');
    let class = words.next().unwrap();
    spec.plug(&Registry::linked().unwrap(), class, words.map(|word| word.split_once('=').unwrap()))
}

#[test]
fn a_card_goes_on_the_last_slot_unless_it_says_where() {
    let mut spec = read("");
    plug(&mut spec, "virtio-blk-device,drive=a").unwrap();
    plug(&mut spec, "virtio-blk-device,drive=b,id=second").unwrap();
    let there: Vec<_> =
        spec.cards.iter().map(|card| (card.name.as_str(), card.bus.as_ref().unwrap().as_str())).collect();
    assert_eq!(there, [("virtio-blk0", "virtio-mmio-bus.1"), ("second", "virtio-mmio-bus.0")]);
    let mut say = |option: &str| plug(&mut spec, option).unwrap_err();
    assert_eq!(say("virtio-blk-device,drive=c"), "No 'virtio-bus' bus found for device 'virtio-blk-device'");
    assert_eq!(say("virtio-blk-device,drive=c,bus=virtio-mmio-bus.1"), "Bus 'virtio-mmio-bus.1' is full");
    assert_eq!(
        say("virtio-blk-device,drive=c,bus=virtio-mmio-bus.7"),
        "Bus 'virtio-mmio-bus.7' not found\ndid you mean 'virtio-mmio-bus.0'?"
    );
    assert_eq!(
        say("virtio-blk-device,drive=c,bus=virtio9"),
        "Bus 'virtio9' not found\ndid you mean 'virtio0'?"
    );
    assert_eq!(say("virtio-blk-device,drive=c,id=second"), "Duplicate ID 'second' for device");
}

#[test]
fn what_is_wrong_with_a_card_is_said_where_it_is_asked_for() {
    let mut spec = read("");
    let mut say = |option: &str| plug(&mut spec, option).unwrap_err();
    assert_eq!(say("virtio-blk-device"), "drive property not set");
    assert_eq!(say("virtio-blk-device,drive=a,nope=1"), "Property 'virtio-blk-device.nope' not found");
    assert_eq!(
        say("virtio-blk-device,drive=a,num-queue=1"),
        "Property 'virtio-blk-device.num-queue' not found\ndid you mean 'num-queues'?"
    );
    assert_eq!(
        say("virtio-blk-device,drive=a,packed=on"),
        "Property 'virtio-blk-device.packed': packed=on is not yet in hartwright"
    );
    assert_eq!(spec.cards, [], "nothing of that is there");
}

#[test]
fn a_file_says_cards_and_so_does_its_dump() {
    let spec = read(
        "[[card]]\nname = \"disk\"\ntype = \"virtio-blk-device\"\nbus = \"virtio0\"\ndrive = \"hd0\"\nproperties = { serial = \"x\" }\n",
    );
    let dump = spec.to_string();
    assert!(dump.ends_with("\n[[card]]\nname = \"disk\"\ntype = \"virtio-blk-device\"\nbus = \"virtio0\"\ndrive = \"hd0\"\nproperties = { serial = \"x\" }\n"), "{dump}");
    let again = MachineSpec::read("dump", &dump).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    assert_eq!((again.to_string(), &again.cards), (dump, &spec.cards));

    let folder = std::env::temp_dir().join(format!("hartwright-cards-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("base.toml"), again.to_string()).unwrap();
    let file = folder.join("changed.toml");
    fs::write(&file, "base = \"base.toml\"\n[change.disk]\nbus = \"virtio1\"\ndrive = \"hd1\"\n").unwrap();
    let mut changed = choose(&file.display().to_string(), &Options::default()).unwrap().spec;
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(changed.cards[0].bus.as_ref().unwrap().value, "virtio1");
    assert_eq!(changed.drives().collect::<Vec<_>>(), [("hd1", "disk")]);
    changed.card("other", "virtio-blk-device").bus("virtio1").drive("hd1");
    let problems = check(changed).err().unwrap();
    assert!(
        problems.contains("Bus 'virtio1' is full")
            && problems.contains("Drive 'hd1' is already in use by another device"),
        "{problems}"
    );
}

#[test]
fn a_card_is_in_the_tree_below_its_device_and_reaches_its_disk() {
    let mut spec = read("");
    plug(&mut spec, "virtio-blk-device,drive=hd0,bus=virtio0,id=disk").unwrap();
    let frame = check(spec.clone()).unwrap();
    let missing = frame.wire(None, &[], &Outside::default()).err().unwrap();
    assert_eq!(missing, "Property 'virtio-blk-device.drive' can't find value 'hd0'");
    let disks = HashMap::from([("hd0".to_owned(), BlockPort::default())]);
    let machine = check(spec).unwrap().wire(None, &[], &Outside { disks, ..Outside::default() }).unwrap();
    let disk = machine.root.resolve("/machine/virtio0/disk").unwrap();
    assert_eq!(disk.class().name, "virtio-blk-device");
    assert_eq!(disk.get("drive").unwrap().to_string(), "hd0");
    assert_eq!(machine.space.load(0x1000_1008, 4), Ok(2), "the guest finds a block device");
    assert_eq!(machine.space.load(0x1000_2008, 4), Ok(0), "and an empty slot");
}
