//! Seeing what happens inside: the log and the debugger.

use hartwright_backend::spec::Place;

use super::{Complete, FLAG, Flag};
use crate::{Asked, LogItem, Outcome, asked::Argument, config::LOG_ITEMS};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["d"],
        form: "ITEM[,ITEM]...",
        brief: "write a log of these items to standard error, or to the file of -D",
        more: "`-d help` lists the items.",
        examples: &[
            ("-d guest_errors,unimp", "what the guest did that no driver may do, or that is not modelled"),
            ("-d unmodelled", "at the end, every access that hit nothing"),
        ],
        complete: Complete::Words(&[
            "cpu",
            "exec",
            "guest_errors",
            "help",
            "in_asm",
            "int",
            "unimp",
            "unmodelled",
        ]),
        parse: log,
        accepts: &["in_asm,exec,int,cpu,guest_errors,unimp,unmodelled", "all"],
        refuses: &[
            ("out_asm", "-d out_asm: out_asm: not yet in hartwright"),
            ("trace:foo", "-d trace:foo: trace:foo: not yet in hartwright"),
        ],
    },
    Flag {
        names: &["D"],
        form: "FILE",
        brief: "write the log of -d to a file; %d in its name is our process's number",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.log_file = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["log-%d"],
        ..FLAG
    },
    Flag {
        names: &["S"],
        brief: "do not start: wait for the monitor's cont or the debugger",
        parse: |asked, _| {
            asked.stopped = true;
            Ok(())
        },
        ..FLAG
    },
    Flag {
        names: &["gdb"],
        form: "PLACE|none",
        brief: "let a debugger connect there: tcp::PORT, unix:PATH, stdio, chardev:ID",
        examples: &[("-S -gdb tcp::1234", "and then, in gdb: target remote :1234")],
        complete: Complete::Words(&["chardev:", "none", "stdio", "tcp::1234", "unix:"]),
        parse: gdb,
        accepts: &["tcp::1234", "unix:/p", "none", "stdio", "chardev:a"],
        refuses: &[("foo", "-gdb foo: 'foo' is not a valid char driver")],
        ..FLAG
    },
    Flag {
        names: &["s"],
        brief: "short for -gdb tcp::1234",
        parse: |asked, arg| {
            asked.gdb = Some(arg.said("tcp::1234".into()));
            Ok(())
        },
        ..FLAG
    },
];

fn gdb(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let mut warnings = Vec::new();
    let place = Place::parse(&arg.text, "gdb", &mut warnings).map_err(|refusal| arg.refuse(refusal))?;
    arg.warn(&mut warnings, asked);
    asked.gdb = (place != Place::Nothing).then(|| arg.said(arg.text.clone()));
    Ok(())
}

fn log(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    for word in arg.text.split(',') {
        if word == "all" {
            asked.log_items.extend(LOG_ITEMS.iter().filter_map(|row| row.item));
            continue;
        }
        match LOG_ITEMS.iter().find(|row| row.name == word) {
            Some(row) => match row.item {
                Some(item) => asked.log_items.push(item),
                None => return Err(arg.refuse(format!("{word}: not yet in hartwright"))),
            },
            None if word.starts_with("trace:") => {
                return Err(arg.refuse(format!("{word}: not yet in hartwright")));
            }
            None => return Err(Outcome::Print { text: items(), code: u8::from(word != "help") }),
        }
    }
    asked.log_items.sort_unstable();
    asked.log_items.dedup();
    Ok(())
}

fn items() -> String {
    let lines = LOG_ITEMS.iter().map(|row| {
        let missing = if row.item.is_none() { " (not yet in hartwright)" } else { "" };
        format!("{:<15} {}{missing}\n", row.name, row.what)
    });
    "Log items (comma separated):\n".to_owned() + &lines.collect::<String>()
}

const _: () = assert!(LOG_ITEMS.len() > LogItem::COUNT);
