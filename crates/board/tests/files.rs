//! Machine files that change a base, include others and have parameters; and files that are damaged.
#![forbid(unsafe_code)]

use hartwright_board as _;
use hartwright_machine::{MachineSpec, Options, choose, inspect, parameters};
use hartwright_objects::{Given, Globals, Registry};
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder of files, gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn of(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("hartwright-files-{}-{number}", std::process::id()));
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn spec(&self, name: &str, given: &[(&str, &str)]) -> MachineSpec {
        choose(&self.path(name), &options(given))
            .map_err(|why| panic!("{why}"))
            .map(|chosen| chosen.spec)
            .unwrap()
    }

    fn says(&self, name: &str) -> String {
        let problems = inspect(&self.path(name), &Options::default(), &Registry::linked().unwrap());
        problems.unwrap_err().join("\n").replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where it cannot be removed, the host's cleaning of its temporary folder does.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(given: &[(&str, &str)]) -> Options {
    let properties = given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Options { properties, ..Options::default() }
}

const UART: &str = "[[device]]\nname = \"uartN\"\ntype = \"ns16550a\"\nbase = 0x1001_N000\nsize = 0x100\n\
                    lines = { irq = \"plic:1N\" }\nproperties = { reg-shift = 1, clock-frequency = 1000 }\n";

fn uart(number: &str) -> String {
    UART.replace('N', number)
}

#[test]
fn a_file_with_nothing_but_a_base_is_the_base() {
    let folder = Folder::of(&[("a.toml", "base = \"param\"")]);
    let param = choose("param", &Options::default()).ok().unwrap().spec;
    assert_eq!(folder.spec("a.toml", &[]), param);
    assert_eq!(folder.spec("a.toml", &[]).to_string(), param.to_string());
}

#[test]
fn what_a_change_does_not_say_stays() {
    let last = "base = \"mid.toml\"\n[cpu]\nharts = 2\n[change.uart1]\nchardev = \"serial1\"\n\
                properties = { reg-shift = 2 }\nlines = { irq = false }\n[change.uart0]\nchardev = false\n";
    let mid =
        format!("base = \"param\"\nname = \"mid\"\n[cpu]\nproperties = {{ zba = false }}\n{}", uart("1"));
    let folder = Folder::of(&[("last.toml", last), ("mid.toml", &mid)]);
    let spec = folder.spec("last.toml", &[]);
    let device = |name: &str| spec.devices.iter().find(|device| *device.name == name).unwrap();
    assert_eq!((&**spec.name, &*spec.model, *spec.cpu.harts), ("mid", "hartwright,param", 2));
    assert_eq!(spec.cpu.properties.len(), 1);
    let uart = device("uart1");
    assert_eq!((*uart.base, uart.lines.len()), (0x1001_1000, 0));
    assert_eq!(uart.chardev.as_ref().unwrap().value, "serial1");
    let properties: Vec<_> =
        uart.properties.iter().map(|(name, value)| (name.as_str(), value.value.clone())).collect();
    assert_eq!(properties, [("reg-shift", Given::Int(2)), ("clock-frequency", Given::Int(1000))]);
    assert!(device("uart0").chardev.is_none());
    assert_eq!(device("uart0").lines.len(), 1);
}

#[test]
fn a_dump_is_flat_and_the_dump_of_a_dump_the_same() {
    let text = "base = \"param\"\nremove = [\"test\"]\n[parameters]\nram = { type = \"size\", default = \"64M\" }\n\
                [cpu]\nproperties = { zba = \"off\", svadu = true }\n[change.ram]\nsize = \"${ram}\"\n";
    let folder = Folder::of(&[("a.toml", text)]);
    let dump = folder.spec("a.toml", &[("ram", "0x2000000")]).to_string();
    assert!(dump.contains("properties = { zba = false, svadu = true }\n"), "{dump}");
    assert!(
        dump.contains("# 32 MiB") && !dump.contains("base = \"param\"") && !dump.contains("${"),
        "{dump}"
    );
    assert_eq!(MachineSpec::read("dump.toml", &dump).unwrap().to_string(), dump);
}

#[test]
fn what_two_fragments_include_counts_once() {
    let folder = Folder::of(&[
        (
            "top.toml",
            "base = \"param\"\ninclude = [\"a.toml\", \"in/b.toml\"]\n[change.uart1]\nsize = 0x200\n",
        ),
        ("a.toml", "include = [\"in/common.toml\"]\n[change.uart1]\nbase = 0x1002_0000\n"),
        ("in/b.toml", "include = [\"common.toml\", \"../a.toml\"]\ndescription = \"of b\"\n"),
        ("in/common.toml", &uart("1")),
    ]);
    let spec = folder.spec("top.toml", &[]);
    assert_eq!(spec.devices.len(), 5);
    let uart = spec.devices.last().unwrap();
    assert_eq!((*uart.base, *uart.size, &*spec.description), (0x1002_0000, 0x200, "of b"));
}

#[test]
fn a_mistake_in_an_included_file_is_said_there() {
    let folder = Folder::of(&[
        ("top.toml", "base = \"param\"\ninclude = [\"in/a.toml\"]\n"),
        ("in/a.toml", &(uart("1") + "chardev = \"serial0\"\n")),
    ]);
    assert!(folder.says("top.toml").starts_with("in/a.toml:8:11: chardev 'serial0' has two users"));
}

#[test]
fn files_nested_too_deep_are_an_error() {
    let names: Vec<String> = (0..40).map(|n| format!("{n}.toml")).collect();
    let texts: Vec<String> = (1..41).map(|n| format!("include = [\"{n}.toml\"]\n")).collect();
    let files: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let folder = Folder::of(&files);
    assert!(folder.says("0.toml").starts_with("31.toml:1:12: files within files, more than 32 deep"));
}

#[test]
fn a_parameter_has_its_type_wherever_it_stands() {
    let text = "base = \"param\"\ndescription = \"$${ram} is ${ram}, ${who}\"\n[parameters]\n\
                ram = { type = \"size\", default = \"64M\" }\nirq = { type = \"number\", default = 12 }\n\
                fast = { type = \"bool\", default = true }\nwho = { type = \"text\", default = \"me\" }\n\
                [cpu]\nproperties = { zbb = \"${fast}\" }\n[change.ram]\nsize = \"${ram}\"\n\
                [change.uart0]\nlines = { irq = \"plic:${irq}\" }\n";
    let folder = Folder::of(&[
        ("a.toml", text),
        ("b.toml", "base = \"a.toml\"\n[parameters]\nirq = { default = 14 }\n"),
    ]);
    let facts = |file: &str, given: &[(&str, &str)]| {
        let spec = folder.spec(file, given);
        let line = spec.devices.last().unwrap().lines[0].1.to_string();
        (*spec.main_ram().unwrap().size >> 20, line, spec.cpu.properties[0].1.value, spec.description)
    };
    let about = |text: &str| format!("${{ram}} is {text}");
    assert_eq!(facts("a.toml", &[]), (64, "plic:12".into(), true, about("67108864, me")));
    let given = [("ram", "32M"), ("irq", "0x7"), ("fast", "off"), ("who", "you")];
    assert_eq!(facts("a.toml", &given), (32, "plic:7".into(), false, about("33554432, you")));
    assert_eq!(facts("b.toml", &[]).1, "plic:14");
    let names: Vec<String> =
        parameters(&folder.path("b.toml")).unwrap().into_iter().map(|one| one.name.value).collect();
    assert_eq!(names, ["ram", "irq", "fast", "who"]);
    // A dump says what is not a parameter.
    let dump = folder.spec("a.toml", &[]).to_string();
    assert_eq!(MachineSpec::read("dump.toml", &dump).unwrap().description, about("67108864, me"));
}

/// Damages machine files of all shapes at random, from a seed, and reads and checks what comes of it.
#[test]
fn no_damaged_file_panics() {
    let whole = include_str!("param.toml");
    let board = "base = \"param\"\ninclude = [\"b.toml\"]\nremove = [\"test\"]\n[parameters]\n\
                 ram = { type = \"size\", default = \"64M\", doc = \"RAM\" }\n[cpu]\nproperties = { zba = \"on\" }\n\
                 [change.ram]\nsize = \"${ram}\"\n[change.uart0]\nlines = { irq = \"hart0:11\" }\n";
    let texts = [whole.to_owned(), board.to_owned(), format!("base = \"param\"\n{}", uart("1"))];
    let words = [
        "base",
        "include",
        "remove",
        "[change.uart0]",
        "${ram}",
        "${",
        "\"",
        "]",
        "hart",
        "18446744073709551615",
        "-1",
        "false",
        "\n",
        "é",
    ];
    let registry = Registry::linked().unwrap();
    let mut seed = 11_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let (mut read, mut right) = (0, 0);
    for round in 0..2_000 {
        let mut text = texts[round % texts.len()].clone();
        for _ in 0..=random(3) {
            let mut places = text.char_indices().map(|(at, _)| at);
            let at = places.nth(random(text.chars().count())).unwrap_or(0);
            let end =
                text[at..].char_indices().map(|(more, _)| at + more).nth(random(4)).unwrap_or(text.len());
            text.replace_range(at..end, words[random(words.len())]);
        }
        match MachineSpec::read("p.toml", &text) {
            Ok(spec) => {
                read += 1;
                match spec.check(&registry, &Globals::new()) {
                    Ok(checked) => {
                        right += 1;
                        let dump = checked.spec.to_string();
                        assert_eq!(MachineSpec::read("d.toml", &dump).unwrap().to_string(), dump, "{text}");
                    }
                    Err(problems) => assert!(problems.iter().all(|problem| !problem.to_string().is_empty())),
                }
            }
            Err(problems) => {
                assert!(!problems.is_empty(), "{text}");
                assert!(problems.iter().all(|problem| problem.to_string().starts_with("p.toml:")), "{text}");
            }
        }
    }
    assert!(read > 200 && right > 50, "{read} could be read and {right} were right: too few to tell");
}
