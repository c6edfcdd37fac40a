//! Machines by name, and what the command line changes in any of them.

use crate::{MachineSpec, write::hex};
use hartwright_isa::cpu::Target;
use hartwright_objects::{Category, Class, Given, nearest};
use std::path::Path;

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
    /// `-machine NAME,PROPERTY=VALUE`.
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
    let chosen = if name.ends_with(".toml") || name.contains('/') {
        if let Some((property, _)) = options.properties.first() {
            return Err(format!("Property 'machine.{property}' not found"));
        }
        Chosen { spec: from_file(name, options)?, class: None, firmware: None }
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

fn from_file(name: &str, options: &Options) -> Result<MachineSpec, String> {
    /// The largest machine file; the text of `param` has 2 KiB.
    const LARGEST: u64 = 1 << 20;
    let bytes = hartwright_loader::read(Path::new(name), LARGEST)
        .map_err(|why| format!("could not load machine '{name}': {why}"))?;
    let text = String::from_utf8(bytes).map_err(|why| {
        let at = why.utf8_error().valid_up_to() as u64;
        format!("could not load machine '{name}': it is no UTF-8 text at byte {}", hex(at))
    })?;
    let mut spec = MachineSpec::read(name, &text).map_err(|problem| problem.to_string())?;
    if let Some(size) = options.ram {
        spec.set_ram(size);
    }
    if let Some(harts) = options.harts {
        spec.cpu.harts = harts.into();
    }
    if let Some(model) = &options.cpu {
        spec.cpu.model = model.clone().into();
    }
    Ok(spec)
}
