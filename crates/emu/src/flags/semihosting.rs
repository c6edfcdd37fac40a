//! Calls of bare programs to the host.

use hartwright_backend::opts::{Opts, Refusal};

use super::{Complete, FLAG, Flag};
use crate::{Asked, Failure, Outcome, SemihostingOption, SemihostingTarget, asked::Argument};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["semihosting"],
        brief: "let programs call the host: its files, console, shell and exit, by the RISC-V semihosting calls",
        more: "The guest reaches all that the user who runs hartwright does.",
        examples: &[(
            "-M param -bios none -kernel test.elf -semihosting",
            "run a bare program to its exit code",
        )],
        parse: |asked, _| {
            let enabled = SemihostingOption { enabled: true, ..SemihostingOption::default() };
            asked.semihosting.get_or_insert(enabled).enabled = true;
            Ok(())
        },
        ..FLAG
    },
    Flag {
        names: &["semihosting-config"],
        form: "[enable=on|off][,target=native|gdb|auto][,chardev=ID][,userspace=on|off][,arg=TEXT]...",
        brief: "the same: whose host, where its console is, whether U-mode may too, the program's command line",
        more: "Without arg=, the command line is the -kernel and -append. With target=auto, calls for files go to the \
               debugger's host while one is attached. Of chardev= are SYS_WRITEC, SYS_WRITE0 and SYS_READC; without it \
               they are on standard error and standard input. The file :tt is always the host's own.",
        examples: &[
            ("-semihosting-config arg=test,arg=--fast", "the program's argv"),
            (
                "-chardev stdio,id=con -semihosting-config chardev=con,target=native",
                "its console on our terminal",
            ),
        ],
        complete: Complete::Words(&[
            "arg=",
            "chardev=",
            "enable=off",
            "enable=on",
            "target=auto",
            "target=gdb",
            "target=native",
            "userspace=on",
        ]),
        parse: config,
        accepts: &[
            "enable=on,target=native,userspace=on",
            "arg=a,,b,arg=c=d",
            "target=gdb",
            "chardev=zz",
            "",
        ],
        refuses: &[
            (
                "foo=1",
                "-semihosting-config foo=1: Invalid parameter 'foo'\n\
                 P: -semihosting-config foo=1: unsupported semihosting-config foo=1",
            ),
            (
                "enable=maybe",
                "-semihosting-config enable=maybe: Parameter 'enable' expects 'on' or 'off'\n\
                 P: -semihosting-config enable=maybe: unsupported semihosting-config enable=maybe",
            ),
            ("target=foo", "-semihosting-config target=foo: unsupported semihosting-config target=foo"),
        ],
    },
];

/// What `help` says.
const HELP: &str = "semihosting-config options:\n  arg=<str>\n  chardev=<str>\n  enable=<bool (on/off)>\n  \
                    target=<str>\n  userspace=<bool (on/off)>\n";

fn config(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let unsupported = format!("unsupported semihosting-config {}", arg.text);
    let refuse = |refusal: Refusal| {
        let therefore = Some(unsupported.clone());
        Outcome::Fail(Failure { therefore, ..Failure::of(&arg.option, refusal) })
    };
    let mut opts = Opts::parse(&arg.text, None).map_err(refuse)?;
    arg.warn(&mut opts.warnings, asked);
    if opts.help {
        return Err(Outcome::print(HELP));
    }
    opts.only(&["arg", "chardev", "enable", "target", "userspace", "id"]).map_err(refuse)?;
    let option = asked.semihosting.get_or_insert_default();
    // Without a word about it, to configure is to enable.
    option.enabled = opts.switch("enable").map_err(refuse)?.unwrap_or(true);
    if let Some(userspace) = opts.switch("userspace").map_err(refuse)? {
        option.userspace = userspace;
    }
    match opts.get("target") {
        None => {}
        Some("native") => option.target = SemihostingTarget::Native,
        Some("gdb") => option.target = SemihostingTarget::Debugger,
        Some("auto") => option.target = SemihostingTarget::Auto,
        Some(_) => return Err(arg.refuse(unsupported)),
    }
    if let Some(chardev) = opts.get("chardev") {
        option.chardev = Some(chardev.to_owned());
    }
    option
        .arguments
        .extend(opts.pairs().iter().filter(|(key, _)| key == "arg").map(|(_, value)| value.clone()));
    Ok(())
}
