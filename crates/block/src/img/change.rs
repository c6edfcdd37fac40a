//! `img convert` and `img resize`.

use super::{Done, create::New, look::header_of, words::Words};
use crate::{
    chain::{Format, Node, open},
    image::{Manner, SECTOR},
};
use hartwright_backend::opts::{Refusal, parse_size};
use hartwright_device::BlockOp;
use std::io;

/// What is read at once.
const CHUNK: u64 = 2 << 20;
/// What is left out if it is all zeroes; of a qcow2 image, a cluster.
const HOLE: usize = 4 << 10;
const HOLE_QCOW2: usize = 64 << 10;

pub(super) fn convert(words: &mut Words) -> Result<Done, Refusal> {
    let to = words.format("O")?.unwrap_or(Format::Raw);
    let (from, name) = match &*words.names {
        [from, name] => (from.clone(), name.clone()),
        [] | [_] => return Err(Refusal::new("Must specify image file name")),
        [_, ..] => return Err(Refusal::new("more than one image to copy: not yet in hartwright")),
    };
    let mut new = New::read(words, to)?;
    let share = words.has("U") || words.has("force-share");
    let node = Node { locking: !share, ..Node::at(&from, words.format("f")?) };
    let source = open(&node, Manner { read_only: true, ..Manner::default() }).map_err(|refusal| Refusal {
        message: format!("Could not open '{from}': {}", refusal.message),
        ..refusal
    })?;
    let source = source.image;
    let bytes = source.bytes();
    if new.backing.take().is_some() {
        return Err(Refusal::new("backing_file: not yet in hartwright for convert"));
    }
    if new.size.is_some_and(|size| size < bytes) {
        return Err(Refusal::new(format!("'{name}' would be smaller than the {bytes} bytes of '{from}'")));
    }
    new.make(&name, to, new.size.unwrap_or(bytes))?;
    let target = open(&Node::at(&name, Some(to)), Manner::default())?;
    let mut target = target.image;
    let hole = if to == Format::Raw { HOLE } else { HOLE_QCOW2 };
    let failed = |what: &'static str, at: u64| {
        move |error: io::Error| {
            Refusal::new(format!("error while {what} at byte {at}: {}", crate::reason(&error)))
        }
    };
    let mut buffer = vec![0; CHUNK as usize];
    for at in (0..bytes).step_by(CHUNK as usize) {
        let chunk = &mut buffer[..(bytes - at).min(CHUNK) as usize];
        source.read_into(chunk, at).map_err(failed("reading", at))?;
        // Runs of blocks that are not all zeroes.
        let full = |block: &[u8]| block.iter().any(|byte| *byte != 0);
        let blocks: Vec<&[u8]> = chunk.chunks(hole).collect();
        let mut offset = at;
        for run in blocks.chunk_by(|a, b| full(a) == full(b)) {
            let len: u64 = run.iter().map(|block| block.len() as u64).sum();
            if full(run[0]) {
                let write = BlockOp::Write { offset, data: run.concat() };
                target.change(&write).map_err(failed("writing", offset))?;
            }
            offset += len;
        }
    }
    target.close().map_err(failed("writing", bytes))?;
    let text = if words.has("p") && !words.has("q") { "    (100.00/100%)\r\n".into() } else { String::new() };
    Ok(Done { text, ..Done::default() })
}

pub(super) fn resize(words: &mut Words) -> Result<Done, Refusal> {
    let (name, size) = match &*words.names {
        [name, size] => (name.clone(), size.clone()),
        _ => return Err(Refusal::new("Not enough arguments")),
    };
    let node = Node::at(&name, words.format("f")?);
    let (sign, number) = match size.strip_prefix(['+', '-']) {
        Some(rest) => (&size[..1], rest),
        None => ("", &*size),
    };
    let number = parse_size("size", number, 'B')?;
    let mut opened = open(&node, Manner { resizes: true, ..Manner::default() }).map_err(|refusal| {
        Refusal { message: format!("Could not open '{name}': {}", refusal.message), ..refusal }
    })?;
    let now = opened.image.bytes();
    let bytes = match sign {
        "+" => now.checked_add(number),
        "-" => now.checked_sub(number).filter(|bytes| *bytes > 0),
        _ => Some(number),
    };
    let bytes =
        bytes.and_then(|bytes| bytes.checked_next_multiple_of(SECTOR)).filter(|bytes| *bytes < 1 << 63);
    let bytes = bytes.ok_or_else(|| Refusal::new("New image size must be positive"))?;
    let mut errors: String = opened.warnings.iter().map(|warning| format!("{warning}\n")).collect();
    if bytes < now && !words.has("shrink") {
        errors += "warning: Shrinking an image will delete all data beyond the shrunken image's end. Before \
                   performing such an operation, make sure there is no important data there.\n";
        errors += "Use the --shrink option to perform a shrink operation.\n";
        return Ok(Done { errors, code: 1, ..Done::default() });
    }
    if header_of(&node)?.is_some_and(|header| header.snapshots > 0) {
        return Err(Refusal::new("an image with internal snapshots: not yet in hartwright"));
    }
    let failed =
        |error: io::Error| Refusal::new(format!("'{name}' cannot be resized: {}", crate::reason(&error)));
    opened.image.resize(bytes).map_err(failed)?;
    opened.image.close().map_err(failed)?;
    let text = if words.has("q") { "" } else { "Image resized.\n" };
    Ok(Done { text: text.into(), errors, code: 0 })
}
