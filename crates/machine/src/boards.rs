//! Machines by name, and what the command line changes in any of them.

use crate::{
    MachineSpec, Parameter, Problem,
    files::open,
    read::{Read, read},
};
use hartwright_isa::cpu::Target;
use hartwright_objects::{Category, Class, Given, Globals, Registry, nearest};

/// Every machine linked into the program.
#[linkme::distributed_slice]
pub static BOARDS: [&'static Board];

/// A built-in machine.
pub struct Board {
    /// Its type, called `NAME-machine`; its properties are those of `-machine NAME,...`.
    pub class: &'static Class,
    /// Makes its specification.
    pub spec: fn(&Options) -> MachineSpec,
    /// The firmware it starts with neither `-bios` nor `-kernel`; without one it is the program's own.
    pub firmware: Option<&'static [u8]>,
}

/// Makes a machine known by name: its name, what it is in a sentence, what puts things into an empty [`MachineSpec`]
/// (`fn(&mut MachineSpec, &Options)`), and perhaps the bytes of its firmware.
///
/// ```text
/// board!("demo", "A UART of our own", demo, firmware = include_bytes!("../firmware/firmware.bin"));
/// ```
#[macro_export]
macro_rules! board {
    ($name:literal, $about:literal, $fill:path $(, firmware = $firmware:expr)? $(,)?) => {
        const _: () = {
            static CLASS: $crate::Class = $crate::Board::class($crate::board!(class $name), $about);

            #[$crate::linkme::distributed_slice($crate::CLASSES)]
            #[linkme(crate = $crate::linkme)]
            static REGISTERED: &$crate::Class = &CLASS;

            #[$crate::linkme::distributed_slice($crate::BOARDS)]
            #[linkme(crate = $crate::linkme)]
            static BOARD: &$crate::Board = &$crate::Board {
                class: &CLASS,
                spec: |options| {
                    let mut spec = $crate::MachineSpec::new($name, $about);
                    $fill(&mut spec, options);
                    spec
                },
                firmware: $crate::board!(firmware $($firmware)?),
            };
        };
    };
    (class $name:literal) => { concat!($name, "-machine") };
    (firmware) => { ::core::option::Option::None };
    (firmware $bytes:expr) => { ::core::option::Option::Some($bytes) };
}

impl Board {
    /// The class of a machine without properties; `name` ends in `-machine`. [`board!`](crate::board) calls it.
    #[doc(hidden)]
    pub const fn class(name: &'static str, doc: &'static str) -> Class {
        Class {
            name,
            aliases: &[],
            parent: Some("machine"),
            doc,
            category: Category::Uncategorized,
            bus: None,
            properties: || &[],
            make: None,
        }
    }

    /// What `-machine` calls it.
    pub fn name(&self) -> &'static str {
        self.class.name.strip_suffix("-machine").unwrap_or(self.class.name)
    }

    /// What it is, for `-machine help`.
    pub fn description(&self) -> &'static str {
        self.class.doc
    }
}

/// All machines, by name.
pub fn boards() -> Vec<&'static Board> {
    let mut boards: Vec<&'static Board> = BOARDS.iter().copied().collect();
    boards.sort_by_key(|board| board.name());
    boards
}

/// What the command line says about the machine itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Which CPU models the program knows.
    pub target: Target,
    /// `-m`, in bytes.
    pub ram: Option<u64>,
    /// `-smp`.
    pub harts: Option<u64>,
    /// `-cpu`, its model without properties.
    pub cpu: Option<String>,
    /// `-machine NAME,PROPERTY=VALUE`: of a built-in machine its properties, of a file its parameters.
    pub properties: Vec<(String, Given)>,
}

/// A machine that was asked for.
pub struct Chosen {
    /// What it is.
    pub spec: MachineSpec,
    /// Its type, if it is a built-in one.
    pub class: Option<&'static Class>,
    /// Its firmware, if it brings its own.
    pub firmware: Option<&'static [u8]>,
}

/// The machine that `-machine name` names: a built-in one, or a file if the name ends in `.toml` or has a `/`.
///
/// # Errors
///
/// One sentence, in QEMU's words where it has some; of a file also what the line is and what would be right.
pub fn choose(name: &str, options: &Options) -> Result<Chosen, String> {
    if options.ram == Some(0) {
        return Err("-m 0: a machine needs RAM; -m 128M gives it 128 MiB".into());
    }
    if options.harts == Some(0) {
        return Err("Invalid CPU topology: CPU topology parameters must be greater than zero".into());
    }
    if let Some(model) = options.cpu.as_deref().filter(|model| options.target.find(model).is_none()) {
        return Err(unknown_cpu(model));
    }
    let chosen = if is_file(name) {
        from_file(name, options)?
    } else {
        let board = boards().into_iter().find(|board| board.name() == name).ok_or_else(|| unknown(name))?;
        for (property, value) in &options.properties {
            let known = board.class.property(property).map_err(|why| why.to_string())?;
            known.kind.accept(board.class.name, property, value).map_err(|why| why.to_string())?;
        }
        Chosen { spec: (board.spec)(options), class: Some(board.class), firmware: board.firmware }
    };
    let cpu = &chosen.spec.cpu;
    match options.harts {
        Some(harts) if harts > *cpu.max => Err(format!(
            "Invalid SMP CPUs {harts}. The max CPUs supported by machine '{}' is {}",
            chosen.spec.name, cpu.max
        )),
        Some(harts) if harts < *cpu.min => Err(format!(
            "Invalid SMP CPUs {harts}. The min CPUs supported by machine '{}' is {}",
            chosen.spec.name, cpu.min
        )),
        _ => Ok(chosen),
    }
}

/// That there is no such CPU model, in QEMU's words.
pub(crate) fn unknown_cpu(model: &str) -> String {
    format!("unable to find CPU model '{model}'")
}

fn unknown(name: &str) -> String {
    let boards = boards();
    let near = nearest(name, boards.iter().map(|board| board.name()));
    let near = near.map_or(String::new(), |near| format!("\nDid you mean '{near}'?"));
    format!("unsupported machine type: \"{name}\"\nUse -machine help to list supported machines{near}")
}

/// Whether `-machine name` names a file: it ends in `.toml` or has a `/`.
pub fn is_file(name: &str) -> bool {
    name.ends_with(".toml") || name.contains('/')
}

/// The file `name` and those that it names.
fn read_file(name: &str, options: &Options) -> Result<Read, String> {
    let text = open(name).map_err(|why| format!("could not load machine '{name}': {why}"))?;
    Ok(read(&open, name, &text, options))
}

fn from_file(name: &str, options: &Options) -> Result<Chosen, String> {
    let read = read_file(name, options)?;
    let mut spec = match read.spec {
        Some(spec) if read.problems.is_empty() => spec,
        _ => return Err(lines(&read.problems)),
    };
    if let Some(size) = options.ram {
        spec.set_ram(size);
    }
    if let Some(harts) = options.harts {
        spec.cpu.harts = harts.into();
    }
    if let Some(model) = &options.cpu {
        spec.cpu.model = model.clone().into();
        spec.cpu.properties.clear();
    }
    Ok(Chosen { spec, class: None, firmware: read.firmware })
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What `-machine FILE,NAME=VALUE` may set, in the order declared.
///
/// # Errors
/// The file cannot be read, or what is wrong with it.
pub fn parameters(file: &str) -> Result<Vec<Parameter>, String> {
    let read = read_file(file, &Options::default())?;
    // Those without a default are a problem to who runs the machine, not to who asks what there is.
    if read.parameters.is_empty() && !read.problems.is_empty() {
        return Err(lines(&read.problems));
    }
    Ok(read.parameters)
}

/// Reads and checks a machine file, as running it would; `options` as for [`choose`].
///
/// # Errors
/// All that is wrong with it, by file and line; at least one text.
pub fn inspect(file: &str, options: &Options, registry: &Registry) -> Result<MachineSpec, Vec<String>> {
    let read = read_file(file, options).map_err(|why| vec![why])?;
    let mut problems = read.problems;
    // What is misspelled and can be left out does not hide what makes no sense.
    match read.spec.map(|spec| spec.check(registry, &Globals::new())) {
        Some(Ok(checked)) if problems.is_empty() => return Ok(checked.spec),
        Some(Err(found)) => problems.extend(found),
        _ => {}
    }
    problems.sort_by_key(Problem::at);
    Err(problems.iter().map(ToString::to_string).collect())
}
