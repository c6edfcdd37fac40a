//! Programs' calls to the debugger's host (gdb manual, "File-I/O Remote Protocol Extension").
//!
//! While the debugger waits for the machine to stop, it may be asked to do something with a file of its host. Then it
//! reads and writes the program's memory and sends what came of it, and goes on waiting. `gdbstub` knows nothing of
//! this, and need not: for it the machine runs all the while.

use hartwright_monitor::{Control, read_physical, write_physical};
use hartwright_semihosting::{Reply, Request};
use std::ops::Range;

use crate::packet::LONGEST;

/// What QEMU answers when memory is not there.
const FAULT: &str = "E14";
/// How devices are accessed.
const UNIT: usize = 4;

/// A request that the debugger is at work on.
pub(crate) struct Call {
    pub(crate) request: Request,
    captured: Vec<u8>,
}

/// What a packet of the debugger's is, while it is at work on a request.
pub(crate) enum Step {
    /// It wants something of us first; this is the answer.
    Answer(Vec<u8>),
    /// It is done; the user may have interrupted it, so that the machine shall stop.
    Done { reply: Reply, interrupted: bool },
    /// Something else.
    Other,
}

impl Call {
    pub(crate) fn new(request: Request) -> Self {
        let room = request.capture.as_ref().map_or(0, |place| place.end.wrapping_sub(place.start));
        let captured = vec![0; usize::try_from(room).unwrap_or(0).min(LONGEST)];
        Call { request, captured }
    }

    /// Takes a packet.
    pub(crate) fn step(&mut self, control: &Control, payload: &[u8]) -> Step {
        let Some((kind, rest)) = payload.split_first() else { return Step::Other };
        let answer = match kind {
            b'F' => return self.done(rest),
            b'm' => self.read(control, rest),
            b'M' => self.write(control, rest, unhex),
            b'X' => self.write(control, rest, unescape),
            _ => return Step::Other,
        };
        Step::Answer(answer.unwrap_or_else(|| FAULT.into()))
    }

    /// `F VALUE[,ERRNO[,C]]`
    fn done(&mut self, rest: &[u8]) -> Step {
        let text = String::from_utf8_lossy(rest);
        // An attachment may follow.
        let mut words = text.split(';').next().unwrap_or_default().split(',');
        let value = words.next().and_then(signed).unwrap_or(-1);
        let errno = words.next().and_then(|word| u64::from_str_radix(word, 16).ok()).unwrap_or(0);
        let interrupted = words.next() == Some("C");
        Step::Done {
            reply: Reply { value, errno, captured: std::mem::take(&mut self.captured) },
            interrupted,
        }
    }

    /// `m ADDR,LEN`
    fn read(&self, control: &Control, rest: &[u8]) -> Option<Vec<u8>> {
        let (addr, len) = place(rest)?;
        let len = usize::try_from(len).ok().filter(|len| *len <= LONGEST / 2)?;
        if let Some(range) = self.captures(addr, len) {
            return Some(hex(&self.captured[range]));
        }
        let space = control.space.clone();
        let bytes = control.harts.with(self.request.hart, move |hart| {
            let mut bytes = vec![0; len];
            let done = crate::target::pages(hart, addr, len, false, |at, range| {
                read_physical(&space, at, &mut bytes[range], UNIT)
            });
            bytes.truncate(done);
            bytes
        })?;
        (!bytes.is_empty() || len == 0).then(|| hex(&bytes))
    }

    /// `M ADDR,LEN:BYTES`, or `X` with other digits.
    fn write(
        &mut self,
        control: &Control,
        rest: &[u8],
        bytes: fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let (addr, len) = place(&rest[..colon])?;
        let bytes = bytes(&rest[colon + 1..])?;
        if bytes.len() as u64 != len {
            return None;
        }
        let done = match self.captures(addr, bytes.len()) {
            Some(range) => {
                self.captured[range].copy_from_slice(&bytes);
                bytes.len()
            }
            None => {
                let space = control.space.clone();
                let bytes = bytes.clone();
                control.harts.with(self.request.hart, move |hart| {
                    crate::target::pages(hart, addr, bytes.len(), false, |at, range| {
                        write_physical(&space, at, &bytes[range], UNIT)
                    })
                })?
            }
        };
        (done == bytes.len()).then(|| b"OK".to_vec())
    }

    /// Which captured bytes an access is to, if it is to those.
    fn captures(&self, addr: u64, len: usize) -> Option<Range<usize>> {
        let start = addr.checked_sub(self.request.capture.as_ref()?.start)?;
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(len)?;
        (end <= self.captured.len() && len > 0).then_some(start..end)
    }
}

/// `ADDR,LEN`
fn place(text: &[u8]) -> Option<(u64, u64)> {
    let (addr, len) = std::str::from_utf8(text).ok()?.split_once(',')?;
    Some((u64::from_str_radix(addr, 16).ok()?, u64::from_str_radix(len, 16).ok()?))
}

fn signed(word: &str) -> Option<i64> {
    match word.strip_prefix('-') {
        Some(digits) => i64::from_str_radix(digits, 16).ok().map(i64::wrapping_neg),
        None => i64::from_str_radix(word, 16).ok(),
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// Bytes as they are, but that `}` stands for the next one's bit 5 turned over.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    const ESCAPED: u8 = 0x20;
    let mut bytes = text.iter().copied();
    let mut plain = vec![];
    while let Some(byte) = bytes.next() {
        plain.push(if byte == b'}' { bytes.next()? ^ ESCAPED } else { byte });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_are_read_as_the_protocol_has_them() {
        assert_eq!([signed("-1"), signed("1f"), signed(""), signed("-x")], [Some(-1), Some(31), None, None]);
        assert_eq!(signed("-8000000000000000"), None);
        assert_eq!(place(b"80000000,4"), Some((0x8000_0000, 4)));
        assert_eq!([place(b"80000000"), place(b",4"), place(b"\xff,4")], [None; 3]);
        assert_eq!(unhex(b"0aff"), Some(vec![0x0a, 0xff]));
        assert_eq!([unhex(b"0af"), unhex(b"zz")], [None, None]);
        assert_eq!(unescape(b"a}\x03}]"), Some(b"a#}".to_vec()));
        assert_eq!(unescape(b"}"), None);
        assert_eq!(hex(&[1, 0xab]), b"01ab");
    }
}
