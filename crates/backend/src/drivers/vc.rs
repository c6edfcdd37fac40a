//! `vc`: a text console in the display's window. There is no display, so nobody ever sees it.

use super::{Driver, streams::Streams};
use crate::{opts::Opts, opts::Refusal, spec::Kind};

const SIZES: [&str; 4] = ["width", "height", "cols", "rows"];

pub(crate) const DRIVER: Driver = Driver { names: &["vc"], keys: &SIZES, read };

fn read(opts: &Opts) -> Result<Kind, Refusal> {
    for key in SIZES {
        opts.whole(key)?;
    }
    Ok(Kind::Vc)
}

/// Is this a size as `-serial vc:` takes it: `WxH` in pixels, or `WCxHC` in characters?
pub(crate) fn is_size(text: &str) -> bool {
    let number = |text: &str| {
        let digits = text.strip_suffix('C').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split_once('x').is_some_and(|(width, height)| number(width) && number(height))
}

pub(crate) fn open() -> Streams {
    Streams::new("vc", None, None)
}
