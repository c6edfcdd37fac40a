//! The flags' rows as text for readers and for shells.

use crate::{FLAGS, Face, Flag, Program, chores::CHORES, flags::Complete};

/// What `--generate` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A man page in roff.
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
}

/// All names that the completions are for.
const PROGRAMS: [&str; 5] = [
    "hartwright",
    "hartwright-system-riscv64",
    "hartwright-system-riscv32",
    "qemu-system-riscv64",
    "qemu-system-riscv32",
];

const PURPOSE: &str = "a RISC-V machine in a program";

/// Command lines to begin with.
const FIRST_STEPS: [(&str, &str); 4] = [
    ("-machine param -nographic", "our own monitor introduces the machine"),
    ("-machine param -m 512M -nographic -kernel vmlinux -initrd initrd.gz", "Linux under OpenSBI"),
    ("-machine param -nographic -bios none -kernel a.elf", "a bare-metal program"),
    ("-machine param,dumpspec=p.toml", "the machine as a text, to be changed and run with -machine ./p.toml"),
];

/// What `-help` says.
pub fn help(program: &Program) -> String {
    let name = &program.name;
    let mut text = format!("{}usage: {name} -machine NAME [options]\n\n", program.version());
    text.push_str("To begin with:\n");
    for (line, what) in FIRST_STEPS {
        text.push_str(&format!("  {name} {line}\n      {what}\n"));
    }
    for group in FLAGS {
        text.push_str(&format!("\n{}:\n", group.title));
        for flag in group.flags {
            text.push_str(&format!("  {}\n", usage(flag)));
            text.push_str(&wrap(&sentences(flag), 6));
            for (line, what) in flag.examples {
                text.push_str(&format!("        {line}\n            {what}\n"));
            }
        }
    }
    text.push_str("\nAn option may begin with one dash or two. In values, a doubled comma is a comma.\n");
    if program.face == Face::Own {
        text.push_str("\nBesides machines:\n");
        for chore in CHORES {
            text.push_str(&format!(
                "  {}\n      {}\n",
                format!("{name} {} {}", chore.name, chore.form).trim_end(),
                capital(chore.brief)
            ));
        }
    }
    text
}

/// What `--generate` prints.
pub fn generate(format: Format) -> String {
    match format {
        Format::Man => man(),
        Format::Bash => bash(),
        Format::Zsh => zsh(),
        Format::Fish => fish(),
    }
}

/// `-machine, -M [type=]NAME...`
fn usage(flag: &Flag) -> String {
    let names: Vec<String> = flag.names.iter().map(|name| format!("-{name}")).collect();
    format!("{} {}", names.join(", "), flag.form).trim_end().to_owned()
}

fn sentences(flag: &Flag) -> String {
    format!("{}. {}", capital(flag.brief), flag.more).trim_end().to_owned()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// Words in lines of at most 90 characters, indented.
fn wrap(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.len() + word.len() >= 90 {
            out.push_str(&format!("{:indent$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out + &format!("{:indent$}{line}\n", "")
}

fn man() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        ".TH HARTWRIGHT 1 \"\" \"hartwright {version}\"\n.SH NAME\nhartwright \\- {PURPOSE}\n\
         .SH SYNOPSIS\n.B hartwright\n\\-machine NAME [options]\n.SH DESCRIPTION\n\
         Through links named hartwright\\-system\\-riscv64 or qemu\\-system\\-riscv64 it is the same program; through \
         those that end in riscv32 its harts have 32 bits.\n\
         An option may begin with one dash or two. In values, a doubled comma is a comma.\n.SH EXAMPLES\n"
    );
    for (line, what) in FIRST_STEPS {
        text.push_str(&format!(".TP\n.B hartwright {}\n{}\n", roff(line), roff(what)));
    }
    text.push_str(".SH OPTIONS\n");
    for group in FLAGS {
        text.push_str(&format!(".SS {}\n", roff(group.title)));
        for flag in group.flags {
            text.push_str(&format!(".TP\n.B {}\n{}\n", roff(&usage(flag)), roff(&sentences(flag))));
            for (line, what) in flag.examples {
                text.push_str(&format!(".RS\n.TP\n.B {}\n{}\n.RE\n", roff(line), roff(what)));
            }
        }
    }
    text.push_str(
        ".SH EXIT STATUS\n0 when the guest powered off well; 1 for a bad command line; else the guest's.\n",
    );
    text
}

/// Text that roff takes literally.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn bash() -> String {
    let all: Vec<String> = rows().map(|(name, _)| format!("-{name}")).collect();
    let mut text = String::from(
        "_hartwright() {\n    local word=${COMP_WORDS[COMP_CWORD]}\n    COMPREPLY=()\n    \
         case ${COMP_WORDS[COMP_CWORD-1]} in\n",
    );
    for flag in FLAGS.iter().flat_map(|group| group.flags).filter(|flag| !flag.form.is_empty()) {
        let names: Vec<String> =
            flag.names.iter().flat_map(|name| [format!("-{name}"), format!("--{name}")]).collect();
        let reply = match flag.complete {
            Complete::Nothing => "return".into(),
            Complete::File => "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")); return".into(),
            Complete::Folder => "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$word\")); return".into(),
            Complete::Words(words) => {
                format!("COMPREPLY=($(compgen -W '{}' -- \"$word\")); return", words.join(" "))
            }
        };
        text.push_str(&format!("    {}) {reply} ;;\n", names.join("|")));
    }
    text.push_str(&format!("    esac\n    COMPREPLY=($(compgen -W '{}' -- \"$word\"))\n}}\n", all.join(" ")));
    text + &format!("complete -F _hartwright {}\n", PROGRAMS.join(" "))
}

fn zsh() -> String {
    let mut text = format!("#compdef {}\n_arguments \\\n", PROGRAMS.join(" "));
    for (name, flag) in rows() {
        let brief =
            flag.brief.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
        let argument = match (flag.form, flag.complete) {
            ("", _) => String::new(),
            (_, Complete::Nothing) => ":value: ".into(),
            (_, Complete::File) => ":file:_files".into(),
            (_, Complete::Folder) => ":folder:_files -/".into(),
            (_, Complete::Words(words)) => format!(":value:({})", words.join(" ").replace(':', "\\:")),
        };
        text.push_str(&format!("    '*-{name}[{brief}]{argument}' \\\n"));
    }
    text + "    '*:file:_files'\n"
}

fn fish() -> String {
    let mut text = String::new();
    for program in PROGRAMS {
        for (name, flag) in rows() {
            let brief = flag.brief.replace('\\', "\\\\").replace('\'', "\\'");
            let argument = match (flag.form, flag.complete) {
                ("", _) => String::new(),
                (_, Complete::Nothing) => " -x".into(),
                (_, Complete::File | Complete::Folder) => " -r".into(),
                (_, Complete::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
            };
            text.push_str(&format!("complete -c {program} -o {name}{argument} -d '{brief}'\n"));
        }
    }
    text
}

/// Every name with its flag.
fn rows() -> impl Iterator<Item = (&'static str, &'static Flag)> {
    FLAGS
        .iter()
        .flat_map(|group| group.flags)
        .flat_map(|flag| flag.names.iter().map(move |name| (*name, flag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_tells_of_every_flag() {
        let program = Program::new(None);
        for text in [help(&program), man().replace("\\-", "-"), bash(), zsh()] {
            for (name, _) in rows() {
                assert!(text.contains(&format!("-{name}")), "{name}");
            }
        }
        for (name, _) in rows() {
            assert!(fish().contains(&format!(" -o {name}")));
        }
    }

    /// A shell reads what we print for it, if it is installed.
    fn check(shell: &str, arguments: &[&str], text: &str) {
        let path = std::env::temp_dir().join(format!("hartwright-complete-{shell}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        if let Ok(output) = std::process::Command::new(shell).args(arguments).arg(&path).output() {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn shells_can_read_their_completions() {
        check("bash", &["-n"], &bash());
        check("zsh", &["-n"], &zsh());
        check("fish", &["-n"], &fish());
    }

    #[test]
    fn lines_of_the_help_fit_a_terminal() {
        for line in help(&Program::new(None)).lines() {
            assert!(line.len() <= 110, "{line}");
        }
    }
}
