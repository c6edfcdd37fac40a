//! Names, numbers, ends, and help.

use hartwright_backend::opts::parse_whole;

use super::{Complete, FLAG, Flag};
use crate::{Asked, Format, Outcome, Program, asked::Argument, help};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["no-reboot"],
        brief: "end instead of resetting the machine",
        parse: |asked, _| {
            asked.no_reboot = true;
            Ok(())
        },
        ..FLAG
    },
    Flag {
        names: &["no-shutdown"],
        brief: "stop instead of ending when the machine powers off",
        parse: |asked, _| {
            asked.no_shutdown = true;
            Ok(())
        },
        ..FLAG
    },
    Flag {
        names: &["name"],
        form: "[guest=]NAME[,process=NAME][,debug-threads=on|off]",
        brief: "name the guest, for messages and for those who look at processes",
        parse: |asked, arg| {
            let opts = arg.opts("guest", asked)?;
            opts.only(&["guest", "process", "debug-threads"]).map_err(|refusal| arg.refuse(refusal))?;
            asked.name = opts.get("guest").map(Into::into).or(asked.name.take());
            asked.process_name = opts.get("process").map(Into::into).or(asked.process_name.take());
            let threads = opts.switch("debug-threads").map_err(|refusal| arg.refuse(refusal))?;
            asked.debug_threads = threads.unwrap_or(asked.debug_threads);
            Ok(())
        },
        accepts: &["a", "guest=a,process=b,debug-threads=on"],
        refuses: &[("foo,bar=1", "-name foo,bar=1: Invalid parameter 'bar'")],
        ..FLAG
    },
    Flag {
        names: &["pidfile"],
        form: "FILE",
        brief: "write our process's number to a file, which goes when we end",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.pidfile = Some((&arg.text).into());
            Ok(())
        },
        accepts: &["/run/x.pid"],
        ..FLAG
    },
    Flag {
        names: &["seed"],
        form: "NUMBER",
        brief: "make what is random follow from a number, so that two runs are alike",
        parse: |asked, arg| {
            let seed = parse_whole("seed", &arg.text);
            asked.seed = Some(seed.map_err(|_| arg.refuse(format!("Invalid seed number: {}", arg.text)))?);
            Ok(())
        },
        accepts: &["1", "0xffffffffffffffff"],
        refuses: &[("abc", "-seed abc: Invalid seed number: abc")],
        ..FLAG
    },
    Flag {
        names: &["msg"],
        form: "[timestamp=on|off][,guest-name=on|off]",
        brief: "put the time, or the guest's name, before error messages",
        parse: |asked, arg| {
            let opts = arg.opts("timestamp", asked)?;
            opts.only(&["timestamp", "guest-name"]).map_err(|refusal| arg.refuse(refusal))?;
            let switch = |key| opts.switch(key).map_err(|refusal| arg.refuse(refusal));
            asked.messages.timestamp = switch("timestamp")?.unwrap_or(asked.messages.timestamp);
            asked.messages.guest_name = switch("guest-name")?.unwrap_or(asked.messages.guest_name);
            Ok(())
        },
        accepts: &["timestamp=on", "guest-name=on,timestamp=off"],
        refuses: &[
            ("timestamp=foo", "-msg timestamp=foo: Parameter 'timestamp' expects 'on' or 'off'"),
            ("guest-name=on,foo=on", "-msg guest-name=on,foo=on: Invalid parameter 'foo'"),
        ],
        ..FLAG
    },
    Flag {
        names: &["version"],
        brief: "say which version this is",
        parse: |asked, _| Err(Outcome::print(program(asked).version())),
        ..FLAG
    },
    Flag {
        names: &["help", "h"],
        brief: "say this",
        parse: |asked, _| Err(Outcome::print(help(&program(asked)))),
        ..FLAG
    },
    Flag {
        names: &["generate"],
        form: "man|bash|zsh|fish",
        brief: "print the man page, or completions for a shell",
        examples: &[(
            "--generate bash > ~/.local/share/bash-completion/completions/hartwright",
            "and Tab helps",
        )],
        complete: Complete::Words(&["bash", "fish", "man", "zsh"]),
        parse: generate,
        refuses: &[("foo", "-generate foo: man, bash, zsh or fish is needed")],
        ..FLAG
    },
];

fn program(asked: &Asked) -> Program {
    asked.program.clone().unwrap_or_else(|| Program::new(None))
}

fn generate(_: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let format = match &*arg.text {
        "man" => Format::Man,
        "bash" => Format::Bash,
        "zsh" => Format::Zsh,
        "fish" => Format::Fish,
        _ => return Err(arg.refuse("man, bash, zsh or fish is needed")),
    };
    Err(Outcome::print(crate::generate(format)))
}
