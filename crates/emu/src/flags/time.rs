//! What the machine's time is made of.

use hartwright_exec::Shift;

use super::{Complete, Flag};
use crate::{Asked, Counted, Outcome, asked::Argument};

pub(super) const FLAGS: &[Flag] = &[Flag {
    names: &["icount"],
    form: "[shift=]N|auto[,sleep=on|off]",
    brief: "count the machine's time in instructions, each of 2^N nanoseconds",
    more: "All harts take turns on one host thread, so that a machine without input from outside does the same in \
           every run. N is 0 to 10; auto, the default, has time keep up with the host's. While every hart waits for an \
           interrupt, time passes as on the host; with sleep=off it leaps to the next alarm instead.",
    examples: &[("-icount shift=0,sleep=off -seed 1", "two runs that are alike, to the instruction")],
    complete: Complete::Words(&["auto", "shift=0,sleep=off"]),
    parse: icount,
    accepts: &["3", "auto", "shift=0,sleep=off", "sleep=off", "shift=3,align=off"],
    refuses: &[
        ("shift=11", "-icount shift=11: icount: Invalid shift value"),
        ("on", "-icount on: icount: Invalid shift value"),
        ("foo=1", "-icount foo=1: Invalid parameter 'foo'"),
        ("1,align=on", "-icount 1,align=on: align=on: not yet in hartwright"),
        ("1,align=on,sleep=off", "-icount 1,align=on,sleep=off: align=on and sleep=off are incompatible"),
        ("1,rr=record", "-icount 1,rr=record: rr: not yet in hartwright"),
    ],
}];

fn icount(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let opts = arg.opts("shift", asked)?;
    let refuse = |why: String| arg.refuse(why);
    opts.only(&["shift", "align", "sleep", "rr", "rrfile", "rrsnapshot"]).map_err(|why| arg.refuse(why))?;
    let shift = match opts.get("shift") {
        None | Some("auto") => Shift::Auto,
        Some(text) => {
            let number = text.parse().ok().filter(|number| *number <= Shift::MOST);
            Shift::Fixed(number.ok_or_else(|| refuse("icount: Invalid shift value".into()))?)
        }
    };
    let sleep = opts.switch("sleep").map_err(|why| arg.refuse(why))?.unwrap_or(true);
    let align = opts.switch("align").map_err(|why| arg.refuse(why))?.unwrap_or(false);
    if let Some(key) = ["rr", "rrfile", "rrsnapshot"].into_iter().find(|key| opts.get(key).is_some()) {
        return Err(refuse(format!("{key}: not yet in hartwright")));
    }
    match (align, sleep) {
        (true, false) => Err(refuse("align=on and sleep=off are incompatible".into())),
        (true, true) => Err(refuse("align=on: not yet in hartwright".into())),
        _ => {
            asked.icount = Some(Counted { shift, sleep });
            Ok(())
        }
    }
}
