//! `pipe`: a pair of FIFOs, PATH.in with the machine's input and PATH.out with its output; or PATH alone, for both.
//!
//! Each is opened for reading and writing, so that no writer that leaves ends the input, and output waits in the
//! pipe for a reader to come.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use super::{Driver, file::cannot, streams::Streams};
use crate::{channel::Channel, opts::Refusal, spec::Kind};

pub(crate) const DRIVER: Driver = Driver {
    names: &["pipe"],
    keys: &["path"],
    read: |opts| {
        let path = opts.get("path").ok_or_else(|| Refusal::new("chardev: pipe: no device path given"))?;
        Ok(Kind::Pipe { path: path.into() })
    },
};

pub(crate) fn open(path: &Path) -> Result<Streams, Refusal> {
    let of_pair = |end: &str| {
        let mut name = OsString::from(path);
        name.push(end);
        Channel::both_ways(&PathBuf::from(name))
    };
    let alone = || -> io::Result<_> {
        let channel = Channel::both_ways(path)?;
        Ok((channel.again()?, channel))
    };
    let (input, output) = match (of_pair(".in"), of_pair(".out")) {
        (Ok(input), Ok(output)) => (input, output),
        _ => alone().map_err(|error| cannot("open", path, &error))?,
    };
    Ok(Streams::new("pipe", Some(input), Some(output)))
}
