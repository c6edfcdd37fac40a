//! `balloon` and `info balloon`: how much memory the guest is asked to do with, and does with.

use crate::{Args, Failed, Session};
use hartwright_mem::Kind;
use hartwright_objects::{Given, Node, Value};

/// Bytes of a balloon's page.
const PAGE: u64 = 4096;
const MEBIBYTE: u64 = 1 << 20;

/// Whatever can be asked for pages, and says how many it has.
fn balloon(session: &Session) -> Result<Node, Failed> {
    let mut found = None;
    session.control.root.walk(&mut |_, node| {
        let has = |property| node.class().property(property).is_ok();
        if has("num-pages") && has("actual") {
            found = Some(node.clone());
        }
    });
    found.ok_or_else(|| Failed::new("Error: No balloon device has been activated"))
}

/// All RAM of the machine, in bytes.
fn ram(session: &Session) -> u64 {
    let regions = session.control.space.regions();
    regions.filter(|region| region.kind == Kind::Ram).map(|region| region.size).sum()
}

/// Asks the guest to do with so many mebibytes.
pub(crate) fn ask(session: &mut Session, args: &Args) -> Result<(), Failed> {
    let balloon = balloon(session)?;
    let target = args.exprs.first().copied().unwrap_or_default().saturating_mul(MEBIBYTE);
    if target == 0 {
        return Err(Failed::new("Error: Parameter 'target' expects a size"));
    }
    let pages = ram(session).saturating_sub(target) / PAGE;
    let set = balloon.set("num-pages", &Given::from(pages));
    set.map_err(|error| Failed::new(format!("Error: {error}")))
}

/// Says what it does with.
pub(crate) fn show(session: &mut Session, _: &Args) -> Result<(), Failed> {
    let given = match balloon(session)?.get("actual") {
        Ok(Value::UInt(pages)) => pages.saturating_mul(PAGE),
        _ => 0,
    };
    let actual = ram(session).saturating_sub(given) / MEBIBYTE;
    session.say(format_args!("balloon: actual={actual}"));
    Ok(())
}
