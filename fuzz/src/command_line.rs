//! Command lines, from their words to a machine that makes sense; nothing is opened, written or run.

use crate::stage::registry;
use hartwright_emu::{Config, Outcome, Program, all_flags, assemble, parse, resolve};
use hartwright_machine::is_file;
use std::{ffi::OsString, os::unix::ffi::OsStringExt};

/// The lines of `data` are the words of a command line, the program's name among them; a text of a single line is
/// given to each option as its argument.
pub(crate) fn run(data: &[u8]) {
    let mut words: Vec<OsString> =
        data.split(|byte| *byte == b'\n').map(|word| OsString::from_vec(word.to_vec())).collect();
    if let [word] = &words[..] {
        let program = Program::new(Some("hartwright"));
        for flag in all_flags().filter(|flag| !flag.form.is_empty()) {
            let name = format!("-{}", flag.names[0]);
            one(&program, ["-machine".into(), "param".into(), name.into(), word.clone()]);
        }
        return;
    }
    let argv0 = words.remove(0);
    let program = Program::new(Some(&argv0.to_string_lossy()));
    let _ = program.version() + &program.monitor_banner();
    one(&program, words);
}

fn one(program: &Program, words: impl IntoIterator<Item = OsString>) {
    let config = parse(program, words).and_then(|asked| resolve(program, asked));
    match config.and_then(|config| assemble(&harmless(config)).map(drop)) {
        Err(Outcome::Fail(failure)) => assert!(!failure.text(program).is_empty(), "a failure says something"),
        Err(Outcome::Print { .. }) | Ok(()) => {}
    }
}

/// The same without what would read or write files.
fn harmless(mut config: Config) -> Config {
    (config.dump_spec, config.dump_dtb) = (None, None);
    if is_file(&config.machine) {
        config.machine = "param".into();
    }
    let boot = &mut config.boot;
    (boot.bios, boot.kernel, boot.initrd, boot.dtb, boot.append) =
        (Some("none".into()), None, None, None, None);
    config.devices.retain(|device| {
        device.driver != "loader" || !device.properties.iter().any(|(name, _)| name == "file")
    });
    config
}

/// Options, with what they take by their tests, and the types and properties of devices.
pub(crate) fn words() -> Vec<String> {
    let mut words = vec!["qemu-system-riscv32\n".to_owned()];
    for flag in all_flags() {
        words.extend(flag.names.iter().map(|name| format!("\n-{name}\n")));
        words.extend(
            flag.accepts
                .iter()
                .chain(flag.refuses.iter().map(|(word, _)| word))
                .map(|word| (*word).to_owned()),
        );
    }
    for class in registry().classes() {
        words.push(class.name.into());
        words.extend((class.properties)().iter().map(|property| format!("{}=", property.name)));
    }
    words.sort();
    words.dedup();
    words
}
