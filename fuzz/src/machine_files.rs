//! Machine files: read, checked, built into devices and a device tree, written, and read again.

use crate::stage::registry;
use hartwright_emu::Program;
use hartwright_machine::{
    BootOptions, Checked, CpuTree, Frame, MachineSpec, Options, Outside, device_tree, inspect_with, plan,
    schema,
};
use hartwright_objects::Globals;

/// What ends a file and begins the next, followed by that one's name.
const NEXT: &str = "\n### ";
/// The name of the first.
const FIRST: &str = "machine.toml";
/// A machine with more RAM and ROM is not built: that would test the host.
const MOST: u64 = 64 << 20;

/// Reads a text, after which others may stand that it names: `### NAME` and a line feed begin one. A first line
/// `#! NAME=VALUE,...` sets parameters, as `-machine` does.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.split(NEXT);
    let first = parts.next().unwrap_or_default();
    let files: Vec<_> = parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).collect();
    let open = |name: &str| match files.iter().find(|(known, _)| *known == name) {
        _ if name == FIRST => Ok(first.to_owned()),
        Some((_, text)) => Ok((*text).to_owned()),
        None => Err("there is no such file".to_owned()),
    };
    let given = first.strip_prefix("#!").and_then(|rest| rest.lines().next()).unwrap_or_default();
    let given = given.split(',').filter_map(|pair| pair.trim().split_once('='));
    let properties = given.map(|(name, value)| (name.to_owned(), value.into())).collect();
    let options = Options { properties, ..Options::default() };
    let Ok(spec) = inspect_with(&open, FIRST, &options, registry()) else { return };

    let written = spec.to_string();
    let read = MachineSpec::read("dump.toml", &written);
    let again = read.unwrap_or_else(|why| panic!("what is written cannot be read: {why:?}\n{written}"));
    assert_eq!(again.to_string(), written, "the dump of a dump is the same");
    let checked = again.check(registry(), &Globals::new());
    build(checked.unwrap_or_else(|why| panic!("what is written makes no sense: {why:?}\n{written}")));
}

/// Builds the machine, but for its harts.
fn build(checked: Checked) {
    let program = Program::new(None);
    let Some(model) = program.target().find(&checked.spec.cpu.model) else { return };
    let Ok(model) = checked.spec.cpu_model(model) else { return };
    let tree = device_tree(&checked, &CpuTree::from(&model));
    let boot = BootOptions { bios: Some("none".into()), seed: Some(1), ..BootOptions::default() };
    let planned = plan(&checked.spec, &boot, tree, &model);
    let memory = checked.spec.memories.iter().fold(0, |sum: u64, memory| sum.saturating_add(*memory.size));
    if memory > MOST {
        return;
    }
    let Ok(frame) = Frame::new(checked) else { return };
    let Ok(machine) = frame.wire(None, &[], &Outside::default()) else { return };
    if let Ok(plan) = planned {
        assert!(plan.load(&machine.space).is_ok(), "what was planned can be loaded");
    }
    machine.reset();
}

/// The keys and types that the editors' schema knows.
pub(crate) fn words() -> Vec<String> {
    let schema = schema(registry());
    let quoted = schema.split('"').skip(1).step_by(2);
    let mut words: Vec<String> = quoted.filter(|word| word.len() < 24).map(str::to_owned).collect();
    words.extend(
        ["[[device]]", "[[memory]]", "[change.", "[parameters]", NEXT, "#! ", "${", "0x8000_0000"]
            .map(Into::into),
    );
    words.sort();
    words.dedup();
    words
}
