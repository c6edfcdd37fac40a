//! Machines by name, and what the command line changes in any of them.

use crate::{
    MachineSpec, Numa, Parameter, Problem,
    files::{Open, open},
    read::{Read, read},
};
use hartwright_isa::cpu::Target;
use hartwright_objects::{Class, Error, Given, Globals, Object, Registry, nearest};

/// Every machine linked into the program.
#[linkme::distributed_slice]
pub static BOARDS: [&'static Board];

/// A built-in machine as options have it: what it is, and its properties.
pub type Specified = (MachineSpec, Box<dyn Object>);

/// A built-in machine.
pub struct Board {
    /// Its type, called `NAME-machine`; its properties are those of `-machine NAME,...`.
    pub class: fn() -> &'static Class,
    /// Makes its specification, and an object with its properties as they were given.
    ///
    /// # Errors
    /// A property that it has not or a value that this does not take; or what the machine itself refuses.
    pub spec: fn(&Options) -> Result<Specified, String>,
    /// The firmware it starts with neither `-bios` nor `-kernel`; without one it is the program's own.
    pub firmware: Option<&'static [u8]>,
}

/// Makes a machine known by name: its name, what it is in a sentence, what puts things into an empty [`MachineSpec`],
/// and perhaps properties of its own, and the bytes of its firmware.
///
/// ```
/// use hartwright_machine::{MachineSpec, Options, board, choose};
///
/// board!("demo", "A UART of our own", demo, firmware = b"\x73\0\x50\x10");
///
/// fn demo(m: &mut MachineSpec, options: &Options) {
///     m.harts(options, 1..=1);
///     m.ram("ram", 0x8000_0000, options.ram.unwrap_or(1 << 20));
/// }
/// # assert!(choose("demo", &Options::default()).is_ok());
/// ```
///
/// `properties` makes a struct: a field is what `-machine NAME,FIELD=VALUE` sets, with dashes for underscores; its type
/// is any [`PropertyType`](hartwright_objects::PropertyType), its documentation what `-machine NAME,help` prints, and
/// its default what counts where nobody says. The function then takes the struct besides. It may return a
/// `Result<(), String>` if it has something to refuse:
///
/// ```
/// use hartwright_machine::{MachineSpec, Options, board, choose};
///
/// board!("lamps", "Lamps in a row", lamps, properties = Lamps {
///     /// Set on/off to have a switch for each lamp.
///     own_switch: bool = false,
///     /// How many lamps there are.
///     lamps: u32 = 4,
/// });
///
/// fn lamps(m: &mut MachineSpec, options: &Options, properties: &Lamps) -> Result<(), String> {
///     if properties.lamps > 8 {
///         return Err(format!("{} lamps: there is current for 8", properties.lamps));
///     }
///     m.harts(options, 1..=1);
///     for lamp in 0..u64::from(properties.lamps) {
///         let kind = if properties.own_switch { "switched-lamp" } else { "lamp" };
///         m.device(&format!("lamp{lamp}"), kind, 0x1000_0000 + 0x1000 * lamp, 0x1000);
///     }
///     Ok(())
/// }
///
/// let with = |property: &str, value: &str| {
///     let properties = vec![(property.into(), value.into())];
///     choose("lamps", &Options { properties, ..Options::default() })
/// };
/// assert_eq!(with("own-switch", "on")?.spec.devices[3].class.as_str(), "switched-lamp");
/// assert_eq!(with("lamps", "9").err().unwrap(), "9 lamps: there is current for 8");
/// assert_eq!(
///     with("lamp", "9").err().unwrap(),
///     "Property 'lamps-machine.lamp' not found\ndid you mean 'lamps'?"
/// );
/// # Ok::<(), String>(())
/// ```
#[macro_export]
macro_rules! board {
    ($name:literal, $about:literal, $fill:path $(, firmware = $firmware:expr)? $(,)?) => {
        const _: () = {
            $crate::board!(properties $name, $about, NoProperties {});
            $crate::board!(row $name, $about, NoProperties, |spec, options, _| $fill(spec, options) $(, $firmware)?);
        };
    };
    (
        $name:literal, $about:literal, $fill:path, properties = $properties:ident { $($fields:tt)* }
        $(, firmware = $firmware:expr)? $(,)?
    ) => {
        $crate::board!(properties $name, $about, $properties { $($fields)* });
        const _: () = {
            $crate::board!(
                row $name, $about, $properties,
                |spec, options, properties| $fill(spec, options, properties) $(, $firmware)?
            );
        };
    };
    (
        properties $name:literal, $about:literal, $properties:ident
        { $($(#[$doc:meta])* $field:ident: $kind:ty = $default:expr),* $(,)? }
    ) => {
        #[doc = $about]
        #[derive($crate::objects::Object)]
        #[object(name = concat!($name, "-machine"), parent = "machine", crate = $crate::objects)]
        struct $properties {
            $($(#[$doc])* #[property(default = $default)] $field: $kind,)*
        }
    };
    (
        row $name:literal, $about:literal, $properties:ident,
        |$spec:ident, $options:ident, $given:pat_param| $fill:expr $(, $firmware:expr)?
    ) => {
        #[$crate::linkme::distributed_slice($crate::BOARDS)]
        #[linkme(crate = $crate::linkme)]
        static BOARD: &$crate::Board = &$crate::Board {
            class: || $crate::objects::Object::class(&<$properties as ::core::default::Default>::default()),
            spec: |$options| {
                let mut properties = <$properties as ::core::default::Default>::default();
                $options.give(&mut properties)?;
                let mut spec = $crate::MachineSpec::new($name, $about);
                {
                    let ($spec, $given) = (&mut spec, &properties);
                    $crate::Filled::filled($fill)?;
                }
                ::core::result::Result::Ok((spec, ::std::boxed::Box::new(properties)))
            },
            firmware: $crate::board!(firmware $($firmware)?),
        };
    };
    (firmware) => { ::core::option::Option::None };
    (firmware $bytes:expr) => { ::core::option::Option::Some($bytes) };
}

/// What a machine's function returns: nothing, or why it makes no machine of these options, in a sentence.
pub trait Filled {
    /// The same as a result.
    ///
    /// # Errors
    /// The machine refuses its options.
    fn filled(self) -> Result<(), String>;
}

impl Filled for () {
    fn filled(self) -> Result<(), String> {
        Ok(())
    }
}

impl Filled for Result<(), String> {
    fn filled(self) -> Result<(), String> {
        self
    }
}

impl Board {
    /// What `-machine` calls it.
    pub fn name(&self) -> &'static str {
        let name = (self.class)().name;
        name.strip_suffix("-machine").unwrap_or(name)
    }

    /// What it is, for `-machine help`.
    pub fn description(&self) -> &'static str {
        (self.class)().doc
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
    /// `-numa`; its harts and its memory are all that there are.
    pub numa: Numa,
    /// `-machine NAME,PROPERTY=VALUE`: of a built-in machine its properties, of a file its parameters.
    pub properties: Vec<(String, Given)>,
}

impl Options {
    /// Sets the properties of a built-in machine.
    ///
    /// # Errors
    /// It has not such a one, or the value is none for it; with the near miss.
    pub fn give(&self, machine: &mut impl Object) -> Result<(), String> {
        let mut given = self.properties.iter();
        given.try_for_each(|(name, value)| machine.give(name, value)).map_err(|why| advised(&why))
    }
}

/// What is wrong, and in a second line what helps.
fn advised(why: &Error) -> String {
    let hint = why.hint().map_or(String::new(), |hint| format!("\n{hint}"));
    format!("{why}{hint}")
}

/// A machine that was asked for.
pub struct Chosen {
    /// What it is.
    pub spec: MachineSpec,
    /// Its properties as they were given, if it is a built-in one.
    pub object: Option<Box<dyn Object>>,
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
        let (spec, object) = (board.spec)(options)?;
        Chosen { spec, object: Some(object), firmware: board.firmware }
    };
    if !options.numa.nodes.is_empty() && chosen.spec.numa != options.numa {
        return Err("NUMA is not supported by this machine-type".into());
    }
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
fn read_file(open: Open<'_>, name: &str, options: &Options) -> Result<Read, String> {
    let text = open(name).map_err(|why| format!("could not load machine '{name}': {why}"))?;
    Ok(read(open, name, &text, options))
}

fn from_file(name: &str, options: &Options) -> Result<Chosen, String> {
    let read = read_file(&open, name, options)?;
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
    Ok(Chosen { spec, object: None, firmware: read.firmware })
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What `-machine FILE,NAME=VALUE` may set, in the order declared.
///
/// # Errors
/// The file cannot be read, or what is wrong with it.
pub fn parameters(file: &str) -> Result<Vec<Parameter>, String> {
    let read = read_file(&open, file, &Options::default())?;
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
    inspect_with(&open, file, options, registry)
}

/// [`inspect`], with `open` to give the text of a file by its name, or why there is none.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_with(
    open: Open<'_>,
    file: &str,
    options: &Options,
    registry: &Registry,
) -> Result<MachineSpec, Vec<String>> {
    let read = read_file(open, file, options).map_err(|why| vec![why])?;
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
