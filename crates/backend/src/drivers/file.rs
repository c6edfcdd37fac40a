//! `file`: output into a file; input out of another, if there is one.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Driver, streams::Streams};
use crate::{
    channel::{Channel, Way},
    opts::{Opts, Refusal},
    reason,
    spec::{Kind, OutputFile},
};

pub(crate) const DRIVER: Driver = Driver { names: &["file"], keys: &["path", "input-path", "append"], read };

pub(crate) fn read(opts: &Opts) -> Result<Kind, Refusal> {
    let path = opts.get("path").ok_or_else(|| Refusal::new("chardev: file: no filename given"))?;
    Ok(Kind::File {
        output: OutputFile { path: path.into(), append: opts.switch("append")?.unwrap_or(false) },
        input: opts.get("input-path").map(PathBuf::from),
    })
}

pub(crate) fn open(output: &OutputFile, input: Option<&Path>) -> Result<Streams, Refusal> {
    let out = write_to(output, "open")?;
    let input = input.map(|path| Channel::open(path, Way::In, false).map_err(|e| cannot("open", path, &e)));
    Ok(Streams::new("file", input.transpose()?, Some(out)))
}

/// A file to which a copy of output goes.
pub(crate) fn create(file: &OutputFile) -> Result<Channel, Refusal> {
    write_to(file, "create")
}

fn write_to(file: &OutputFile, verb: &str) -> Result<Channel, Refusal> {
    Channel::open(&file.path, Way::Out, file.append).map_err(|error| cannot(verb, &file.path, &error))
}

/// Why a path could not be had.
pub(crate) fn cannot(verb: &str, path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(format!("Could not {verb} '{}': {}", path.display(), reason(error)))
}
