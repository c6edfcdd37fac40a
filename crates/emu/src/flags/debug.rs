//! Seeing what happens inside: the log and the debugger.

use std::{ops::RangeInclusive, path::Path};

use hartwright_backend::spec::Place;
use hartwright_device::trace::Pattern;

use super::{Complete, FLAG, Flag};
use crate::{Asked, LogItem, Outcome, asked::Argument, catalogue, config::LOG_ITEMS};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["perfmap"],
        brief: "name translated code for perf, in /tmp/perf-PID.map",
        more: "perf report then says by the guest's address, or its symbol, how much of the time each block takes.",
        parse: |asked, _| {
            asked.perf_map = true;
            Ok(())
        },
        ..FLAG
    },
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
            "mmu",
            "page",
            "trace:",
            "unimp",
            "unmodelled",
        ]),
        parse: log,
        accepts: &["in_asm,exec,int,cpu,guest_errors,unimp,unmodelled,mmu,page", "all", "trace:uart0*,int"],
        refuses: &[("op_opt", "-d op_opt: op_opt: not yet in hartwright")],
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
        names: &["dfilter"],
        form: "RANGE[,RANGE]...",
        brief: "limit -d in_asm, exec and cpu to code at these addresses",
        more: "A range is FIRST..LAST, FIRST+SIZE or LAST-SIZE.",
        examples: &[("-d in_asm -dfilter 0x80000000+0x1000,0x80200000..0x802fffff", "the code there")],
        parse: filter,
        accepts: &["0x80000000+0x1000", "0x100..0x1ff,512-16", "0..0xffffffffffffffff"],
        refuses: &[
            ("foo", "-dfilter foo: Bad range specifier"),
            ("0x10", "-dfilter 0x10: Bad range specifier"),
            ("1..2,,3+1", "-dfilter 1..2,,3+1: Bad range specifier"),
            ("x+1", "-dfilter x+1: Invalid number to the left of +"),
            ("1+x", "-dfilter 1+x: Invalid number to the right of +"),
            ("5..1", "-dfilter 5..1: Invalid range"),
            ("0x10-0x20", "-dfilter 0x10-0x20: Invalid range"),
            ("1+0", "-dfilter 1+0: Invalid range"),
        ],
        ..FLAG
    },
    Flag {
        names: &["trace"],
        form: "[[enable=]PATTERN][,events=FILE][,file=FILE]",
        brief: "write what guests do to devices, register by register, with the fields' names",
        more: "A pattern is an event's name with * and ?, or its first parts; with - before it, it takes events out. \
               `-trace help` lists the events. events=FILE has a pattern a line. Where to: file=FILE, the file of -D, \
               or standard error.",
        examples: &[
            ("-trace uart0", "the serial port's registers"),
            ("-trace irq.* -trace -irq.clint", "interrupt lines, but for the timer's and software's"),
            ("-trace *.lcr.write,file=trace.txt", "one register, into a file"),
        ],
        complete: Complete::Words(&["dma.*", "events=", "file=", "help", "irq.*"]),
        parse: trace,
        accepts: &["uart0*", "enable=irq.plic.10,file=t", "-uart0.lsr"],
        refuses: &[
            ("foo=1", "-trace foo=1: Invalid parameter 'foo'"),
            ("events=/none/such", "-trace events=/none/such: /none/such: No such file or directory"),
        ],
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
                let pattern = word.trim_start_matches("trace:");
                match pattern {
                    "help" => return Err(Outcome::print(catalogue::events())),
                    _ => asked.traces.push(arg.said(Pattern::new(pattern))),
                }
            }
            None => return Err(Outcome::Print { text: items(), code: u8::from(word != "help") }),
        }
    }
    asked.log_items.sort_unstable();
    asked.log_items.dedup();
    Ok(())
}

/// The largest file of `-trace events=`, in bytes: all events there are make a few thousand.
const LARGEST: u64 = 1 << 20;

fn trace(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    if matches!(&*arg.text, "help" | "?") {
        return Err(Outcome::print(catalogue::events()));
    }
    let opts = arg.opts("enable", asked)?;
    for (key, value) in opts.pairs() {
        match (key.as_str(), value.as_str()) {
            ("enable", pattern) => asked.traces.push(arg.said(Pattern::new(pattern))),
            ("events", file) => {
                let bytes = hartwright_loader::read(Path::new(file), LARGEST)
                    .map_err(|why| arg.refuse(format!("{file}: {why}")))?;
                let text = String::from_utf8_lossy(&bytes);
                asked.traces.extend(Pattern::lines(&text).map(|pattern| arg.said(pattern)));
            }
            ("file", file) => asked.trace_file = Some(file.into()),
            _ => return Err(arg.refuse(format!("Invalid parameter '{key}'"))),
        }
    }
    Ok(())
}

fn filter(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let ranges = arg.text.split(',').map(range).collect::<Result<Vec<_>, _>>();
    asked.log_filter = ranges.map_err(|why| arg.refuse(why))?;
    Ok(())
}

/// One range of `-dfilter`, in QEMU's grammar and words.
fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let parts = ["..", "-", "+"].iter().find_map(|sign| text.split_once(sign).map(|(l, r)| (*sign, l, r)));
    let (sign, left, right) = parts.ok_or("Bad range specifier")?;
    let left = number(left).ok_or_else(|| format!("Invalid number to the left of {sign}"))?;
    let right = number(right).ok_or_else(|| format!("Invalid number to the right of {sign}"))?;
    let bad = || "Invalid range".to_owned();
    let less = |size: u64| size.checked_sub(1).ok_or_else(bad);
    let (first, last) = match sign {
        ".." => (left, right),
        "+" => (left, left.checked_add(less(right)?).ok_or_else(bad)?),
        _ => (left.checked_sub(less(right)?).ok_or_else(bad)?, left),
    };
    if first > last { Err(bad()) } else { Ok(first..=last) }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn items() -> String {
    let lines = LOG_ITEMS.iter().map(|row| {
        let missing = if row.item.is_none() { " (not yet in hartwright)" } else { "" };
        format!("{:<15} {}{missing}\n", row.name, row.what)
    });
    let mut text = "Log items (comma separated):\n".to_owned();
    text.extend(lines);
    text + "trace:PATTERN   what guests do to devices, as -trace PATTERN; trace:help lists the events\n"
}

const _: () = assert!(LOG_ITEMS.len() > LogItem::COUNT);
