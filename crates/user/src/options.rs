//! The command line and its environment twins: one row an option, in QEMU's words.

use std::{
    ffi::{CString, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// What the command line asks for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where interpreters are looked for first.
    pub(crate) prefix: PathBuf,
    /// Bytes the stack may grow to.
    pub(crate) stack: u64,
    /// The CPU: a model and its properties.
    pub(crate) cpu: String,
    /// The guest's environment: names set, or unset.
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    /// `argv[0]`, if not the program.
    pub(crate) argv0: Option<OsString>,
    /// What `uname` calls the kernel's release, if not the host's.
    pub(crate) release: Option<String>,
    /// Items of `-d`.
    pub(crate) log: Vec<String>,
    /// Where they are written, if not to standard error.
    pub(crate) log_file: Option<String>,
    /// Whether each block has one instruction only.
    pub(crate) single: bool,
    /// Makes `AT_RANDOM` the same each time.
    pub(crate) seed: Option<u64>,
    /// What the emulator is called with when the guest runs another program.
    pub(crate) inherited: Vec<CString>,
    /// The program.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

/// What a command line comes to.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A program to run.
    Run(Box<Options>),
    /// A text to print, and then to exit with 0.
    Text(String),
}

/// Bytes of a stack when nobody says.
const STACK: u64 = 8 << 20;
/// Where interpreters are looked for when nobody says.
const PREFIX: &str = "/usr/gnemul/qemu-riscv64";

/// What an option does with its argument.
enum Does {
    Set(fn(&mut Options, OsString) -> Result<(), String>),
    Help,
    Version,
    NotYet,
}

struct Flag {
    name: &'static str,
    env: &'static str,
    /// What its argument is called, if it has one.
    arg: Option<&'static str>,
    help: &'static str,
    does: Does,
}

macro_rules! flags {
    ($($name:literal $env:literal $arg:expr, $help:literal, $does:expr;)*) => {
        const FLAGS: &[Flag] = &[$(Flag { name: $name, env: $env, arg: $arg, help: $help, does: $does }),*];
    };
}

flags! {
    "h" "" None, "print this help", Does::Help;
    "help" "" None, "", Does::Help;
    "g" "QEMU_GDB" Some("port"), "wait gdb connection to 'port'", Does::NotYet;
    "L" "QEMU_LD_PREFIX" Some("path"), "set the elf interpreter prefix to 'path'", Does::Set(prefix);
    "s" "QEMU_STACK_SIZE" Some("size"), "set the stack size to 'size' bytes", Does::Set(stack);
    "cpu" "QEMU_CPU" Some("model"), "select CPU (-cpu help for list)", Does::Set(cpu);
    "E" "QEMU_SET_ENV" Some("var=value"), "sets targets environment variable", Does::Set(set_env);
    "U" "QEMU_UNSET_ENV" Some("var"), "unsets targets environment variable", Does::Set(unset_env);
    "0" "QEMU_ARGV0" Some("argv0"), "forces target process argv[0] to be 'argv0'", Does::Set(argv0);
    "r" "QEMU_UNAME" Some("uname"), "set uname release string to 'uname'", Does::Set(release);
    "B" "QEMU_GUEST_BASE" Some("address"), "set guest_base address to 'address'", Does::NotYet;
    "R" "QEMU_RESERVED_VA" Some("size"), "reserve 'size' bytes for guest addresses", Does::NotYet;
    "t" "QEMU_RTSIG_MAP" Some("map"), "map target rt signals to the host's (each is its own)", Does::Set(signal_map);
    "d" "QEMU_LOG" Some("item[,...]"), "enable logging of specified items", Does::Set(log);
    "dfilter" "QEMU_DFILTER" Some("range"), "filter logging based on address range", Does::NotYet;
    "D" "QEMU_LOG_FILENAME" Some("logfile"), "write logs to 'logfile' (default stderr)", Does::Set(log_file);
    "one-insn-per-tb" "QEMU_ONE_INSN_PER_TB" None, "run one instruction at a time", Does::Set(single);
    "tb-size" "QEMU_TB_SIZE" Some("size"), "size of the cache of decoded code", Does::NotYet;
    "strace" "QEMU_STRACE" None, "log system calls", Does::Set(strace);
    "seed" "QEMU_RAND_SEED" Some("seed"), "seed for pseudo-random numbers", Does::Set(seed);
    "trace" "QEMU_TRACE" Some("events"), "trace events", Does::NotYet;
    "plugin" "QEMU_PLUGIN" Some("file"), "load a plugin", Does::NotYet;
    "version" "QEMU_VERSION" None, "display version information and exit", Does::Version;
    "perfmap" "QEMU_PERFMAP" None, "write a map for perf", Does::NotYet;
    "jitdump" "QEMU_JITDUMP" None, "write a dump for perf", Does::NotYet;
}

/// Items of `-d` that tell something.
pub(crate) const LOG_ITEMS: [&str; 6] = ["strace", "unimp", "in_asm", "exec", "int", "cpu"];
/// Items of `-d` that QEMU has, and that have nothing to tell here.
const SILENT_ITEMS: [&str; 13] = [
    "out_asm",
    "op",
    "op_opt",
    "op_ind",
    "fpu",
    "mmu",
    "pcall",
    "cpu_reset",
    "guest_errors",
    "page",
    "nochain",
    "plugin",
    "tid",
];

/// Whose manners the program has, and how it calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Face {
    /// The base name of `argv[0]`.
    pub(crate) program: String,
    /// What begins general messages: `qemu`, for a `qemu-*` name.
    pub(crate) who: &'static str,
}

impl Face {
    /// From `argv[0]`.
    pub(crate) fn new(argv0: Option<&OsString>) -> Self {
        let path = argv0.map(PathBuf::from);
        let name = path.as_deref().and_then(|path| path.file_name());
        let program =
            name.map_or_else(|| "hartwright-riscv64".into(), |name| name.to_string_lossy().into_owned());
        let who = if program.starts_with("qemu-") { "qemu" } else { "hartwright-riscv64" };
        Face { program, who }
    }

    fn version(&self) -> String {
        let own = concat!("hartwright ", env!("CARGO_PKG_VERSION"));
        if self.who == "qemu" {
            format!("{} version 11.1.3 ({own})\n", self.program)
        } else {
            format!("{own}\n")
        }
    }
}

/// Reads environment and command line: `args` are all words, with our own name first.
///
/// # Errors
/// The message, which begins with who speaks.
pub(crate) fn read(
    face: &Face,
    args: Vec<OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Asked, String> {
    let who = face.who;
    let mut options = Options {
        prefix: PREFIX.into(),
        stack: STACK,
        cpu: "max".into(),
        env: vec![],
        argv0: None,
        release: None,
        log: vec![],
        log_file: None,
        single: false,
        seed: None,
        inherited: vec![c_string(face.program.as_bytes())],
        program: OsString::new(),
        args: vec![],
    };
    for flag in FLAGS.iter().filter(|flag| !flag.env.is_empty()) {
        if let Some(value) = env(flag.env)
            && let Some(text) = apply(face, &mut options, flag, value)?
        {
            return Ok(Asked::Text(text));
        }
    }
    let mut words = args.into_iter().skip(1);
    while let Some(word) = words.next() {
        let Some(name) = option_name(&word) else {
            options.program = word;
            options.args = words.collect();
            return Ok(Asked::Run(Box::new(options)));
        };
        let known = |name: &str| FLAGS.iter().find(|flag| flag.name == name);
        // Some harnesses pass `-L /path` as one word.
        let (flag, within) = match (known(&name), name.split_once(' ')) {
            (Some(flag), _) => (flag, None),
            (None, Some((name, rest))) if known(name).is_some_and(|flag| flag.arg.is_some()) => {
                (known(name).unwrap_or(&FLAGS[0]), Some(OsString::from(rest)))
            }
            _ => return Err(format!("{who}: unknown option '{name}'")),
        };
        let value = match flag.arg {
            None => OsString::new(),
            Some(_) => within
                .or_else(|| words.next())
                .ok_or_else(|| format!("{who}: missing argument for option '{}'", flag.name))?,
        };
        if let Some(text) = apply(face, &mut options, flag, value)? {
            return Ok(Asked::Text(text));
        }
    }
    Err(format!("{who}: no user program specified"))
}

/// The option's name, if the word is one: QEMU takes one dash or two.
fn option_name(word: &OsString) -> Option<String> {
    let text = word.to_string_lossy();
    let name = text.strip_prefix('-')?;
    let name = name.strip_prefix('-').unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

fn apply(face: &Face, options: &mut Options, flag: &Flag, value: OsString) -> Result<Option<String>, String> {
    match flag.does {
        Does::Help => Ok(Some(help(face))),
        Does::Version => Ok(Some(face.version())),
        Does::NotYet => Err(format!("{}: -{}: not yet in hartwright", face.program, flag.name)),
        Does::Set(set) => {
            // What concerns this one program only is not handed on.
            if !matches!(flag.name, "0" | "E" | "U") {
                options.inherited.push(c_string(format!("-{}", flag.name).as_bytes()));
                options.inherited.extend(flag.arg.map(|_| c_string(value.as_bytes())));
            }
            set(options, value).map_err(|why| format!("{}: {why}", face.program))?;
            Ok(None)
        }
    }
}

/// Words of a command line hold no NUL; one that does ends there.
fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

fn help(face: &Face) -> String {
    let mut text = format!(
        "usage: {} [options] program [arguments...]\nLinux CPU emulator (riscv64)\n\n\
         Options and associated environment variables:\n\n{:<21}{:<21}{}\n",
        face.program, "Argument", "Env-variable", "Description"
    );
    for flag in FLAGS.iter().filter(|flag| !matches!(flag.does, Does::NotYet)) {
        let name = format!("-{} {}", flag.name, flag.arg.unwrap_or_default());
        text += format!("{name:<21}{:<21}{}", flag.env, flag.help).trim_end();
        text.push('\n');
    }
    text += &format!("\nDefaults:\nQEMU_LD_PREFIX  = {PREFIX}\nQEMU_STACK_SIZE = {STACK} byte\n");
    text
}

fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("'{}' is no text", value.to_string_lossy()))
}

fn prefix(options: &mut Options, value: OsString) -> Result<(), String> {
    options.prefix = value.into();
    Ok(())
}

fn stack(options: &mut Options, value: OsString) -> Result<(), String> {
    let value = text(value)?;
    let bad = || format!("-s {value}: a stack has a size in bytes, such as 8388608 or 8M");
    let digits = value.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
    let shift = match &value[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err(bad()),
    };
    let size = digits.parse::<u64>().ok().and_then(|size| size.checked_mul(1 << shift));
    options.stack = size.filter(|size| *size > 0).ok_or_else(bad)?;
    Ok(())
}

fn cpu(options: &mut Options, value: OsString) -> Result<(), String> {
    options.cpu = text(value)?;
    Ok(())
}

/// `-E a=1,b=2`: settings, separated by commas.
fn set_env(options: &mut Options, value: OsString) -> Result<(), String> {
    for setting in value.as_bytes().split(|byte| *byte == b',') {
        let at = setting.iter().position(|byte| *byte == b'=');
        let at = at.ok_or_else(|| format!("-E {}: that is no VAR=VALUE", setting.escape_ascii()))?;
        let [name, value] =
            [&setting[..at], &setting[at + 1..]].map(|part| OsString::from_vec(part.to_vec()));
        options.env.push((name, Some(value)));
    }
    Ok(())
}

fn unset_env(options: &mut Options, value: OsString) -> Result<(), String> {
    for name in value.as_bytes().split(|byte| *byte == b',') {
        options.env.push((OsString::from_vec(name.to_vec()), None));
    }
    Ok(())
}

fn argv0(options: &mut Options, value: OsString) -> Result<(), String> {
    options.argv0 = Some(value);
    Ok(())
}

fn release(options: &mut Options, value: OsString) -> Result<(), String> {
    options.release = Some(text(value)?);
    Ok(())
}

fn log(options: &mut Options, value: OsString) -> Result<(), String> {
    for item in text(value)?.split(',') {
        if !LOG_ITEMS.contains(&item) && !SILENT_ITEMS.contains(&item) {
            return Err(format!("-d {item}: there is no such item; there are {}", LOG_ITEMS.join(", ")));
        }
        options.log.push(item.to_owned());
    }
    Ok(())
}

fn log_file(options: &mut Options, value: OsString) -> Result<(), String> {
    options.log_file = Some(text(value)?.replace("%d", &std::process::id().to_string()));
    Ok(())
}

fn strace(options: &mut Options, _: OsString) -> Result<(), String> {
    options.log.push("strace".into());
    Ok(())
}

fn single(options: &mut Options, _: OsString) -> Result<(), String> {
    options.single = true;
    Ok(())
}

/// `-t "32 36 3,64 39 1"`: QEMU wants to be told which signals of the host stand for the guest's. Here each stands for
/// itself, so all can be had, and the map changes nothing.
fn signal_map(_: &mut Options, value: OsString) -> Result<(), String> {
    let value = text(value)?;
    let is_entry = |entry: &str| {
        let numbers: Vec<Option<u8>> = entry.split_whitespace().map(|number| number.parse().ok()).collect();
        matches!(numbers[..], [Some(_), Some(_), Some(_)])
    };
    if value.split(',').all(is_entry) {
        Ok(())
    } else {
        Err(format!("-t {value}: that is no 'tsig hsig n'[,...]"))
    }
}

fn seed(options: &mut Options, value: OsString) -> Result<(), String> {
    let value = text(value)?;
    options.seed = Some(value.parse().map_err(|_| format!("-seed {value}: a seed is a number"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[&str]) -> Result<Asked, String> {
        let args: Vec<OsString> = line.iter().map(OsString::from).collect();
        read(&Face::new(args.first()), args, |_| None)
    }

    fn run(line: &[&str]) -> Options {
        match check(line) {
            Ok(Asked::Run(options)) => *options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_end_at_the_program() {
        let options =
            run(&["qemu-riscv64", "-L /sys root", "--cpu", "rv64,zba=off", "-s", "1M", "prog", "-x"]);
        assert_eq!(options.prefix, PathBuf::from("/sys root"));
        assert_eq!((options.cpu.as_str(), options.stack), ("rv64,zba=off", 1 << 20));
        assert_eq!((options.program, options.args), ("prog".into(), vec!["-x".into()]));
    }

    #[test]
    fn mistakes_are_told_in_qemu_s_words() {
        let error = |line: &[&str]| check(line).map(|_| ()).unwrap_err();
        assert_eq!(error(&["qemu-riscv64"]), "qemu: no user program specified");
        assert_eq!(error(&["qemu-riscv64", "-foo"]), "qemu: unknown option 'foo'");
        assert_eq!(
            error(&["hartwright-riscv64", "-cpu"]),
            "hartwright-riscv64: missing argument for option 'cpu'"
        );
        assert_eq!(error(&["qemu-riscv64", "-g", "1", "x"]), "qemu-riscv64: -g: not yet in hartwright");
    }
}
