//! What the monitor does with host ends: shows them, reads and fills ring buffers, sends breaks.

use crate::{Args, Failed, Session};

type Done = Result<(), Failed>;

pub(crate) fn info(session: &mut Session, _: &Args) -> Done {
    for (id, what) in session.control.outside.chardevs() {
        session.say(format_args!("{id}: filename={what}"));
    }
    Ok(())
}

pub(crate) fn ring_read(session: &mut Session, args: &Args) -> Done {
    let id = args.words.concat();
    let size = args.exprs.first().copied().unwrap_or_default();
    let size = u32::try_from(size)
        .map_err(|_| Failed::usage("'ringbuf_read' has failed: integer is for 32-bit values"))?;
    let size = size as usize;
    let bytes = session.control.outside.ring_read(&id, size).map_err(failed)?;
    let mut text = String::new();
    for c in String::from_utf8_lossy(&bytes).chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' | '\t' => text.push(c),
            '\0'..'\x20' | '\x7f' => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    session.say(text);
    Ok(())
}

pub(crate) fn ring_write(session: &mut Session, args: &Args) -> Done {
    let [id, data] = &args.words[..] else { return Err(Failed::usage("ringbuf_write: string expected")) };
    session.control.outside.ring_write(id, data.as_bytes()).map_err(failed)
}

pub(crate) fn send_break(session: &mut Session, args: &Args) -> Done {
    session.control.outside.send_break(&args.words.concat()).map_err(failed)
}

/// What a command of QMP's would have refused.
fn failed(why: impl std::fmt::Display) -> Failed {
    Failed::new(format!("Error: {why}"))
}
