//! `serial`: a serial port of the host, as it is: raw, 115200 bit/s, 8 data bits, no parity.

use std::{io, path::Path};

use rustix::termios::{self, ControlModes, OptionalActions};

use super::{Driver, file::cannot, streams::Streams};
use crate::{channel::Channel, opts::Refusal, spec::Kind, tty};

pub(crate) const DRIVER: Driver = Driver {
    names: &["serial"],
    keys: &["path"],
    read: |opts| {
        let path = opts.get("path");
        let path = path.ok_or_else(|| Refusal::new("chardev: serial/tty: no device path given"))?;
        Ok(Kind::Serial { path: path.into() })
    },
};

pub(crate) fn open(path: &Path) -> Result<Streams, Refusal> {
    let channels = || -> io::Result<_> {
        let channel = Channel::both_ways(path)?;
        if termios::isatty(&channel.fd) {
            let mut modes = termios::tcgetattr(&channel.fd)?;
            tty::make_raw(&mut modes);
            modes.control_modes -= ControlModes::CSTOPB | ControlModes::CRTSCTS;
            modes.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
            modes.set_speed(115_200)?;
            termios::tcsetattr(&channel.fd, OptionalActions::Now, &modes)?;
        }
        Ok((channel.again()?, channel))
    };
    let (input, output) = channels().map_err(|error| cannot("open", path, &error))?;
    Ok(Streams::new("serial", Some(input), Some(output)))
}
