//! Bytes to packets: `$payload#checksum` (gdb manual, "Remote Protocol", "Overview").

/// The longest packet, in bytes, which a debugger is told.
pub(crate) const LONGEST: usize = 0x4000;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Ctrl-C.
    Interrupt,
    /// A packet's payload, its checksum right.
    Payload(Vec<u8>),
    /// A packet that arrived damaged, or is too long.
    Damaged,
}

/// Collects bytes.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// From the `$` on.
    bytes: Vec<u8>,
    /// So many bytes follow: the checksum.
    left: Option<usize>,
    too_long: bool,
}

impl Framer {
    /// Takes a byte; gives the packet that it completes. Acknowledgements are passed over: the way is reliable.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Packet> {
        if self.bytes.is_empty() {
            match byte {
                0x03 => return Some(Packet::Interrupt),
                b'$' => self.bytes.push(byte),
                _ => {}
            }
            return None;
        }
        if byte == b'$' && self.left.is_none() {
            // A payload has no `$`: the one before was cut off.
            *self = Framer { bytes: vec![byte], ..Framer::default() };
            return None;
        }
        if self.bytes.len() < LONGEST {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
        self.left = match self.left {
            None if byte == b'#' => Some(2),
            left => left.map(|left| left - 1),
        };
        if self.left != Some(0) {
            return None;
        }
        let whole = std::mem::take(self);
        Some(whole.packet().unwrap_or(Packet::Damaged))
    }

    fn packet(self) -> Option<Packet> {
        let (payload, sum) = self.bytes[1..].split_at_checked(self.bytes.len().checked_sub(4)?)?;
        let sum = u8::from_str_radix(std::str::from_utf8(sum).ok()?.strip_prefix('#')?, 16).ok()?;
        let right = !self.too_long && sum == checksum(payload) && !payload.is_empty();
        right.then(|| Packet::Payload(payload.to_vec()))
    }
}

/// The payload as it goes over the wire.
pub(crate) fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'$'];
    bytes.extend(payload);
    bytes.extend(format!("#{:02x}", checksum(payload)).bytes());
    bytes
}

fn checksum(payload: &[u8]) -> u8 {
    payload.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, expect: &[Packet]) {
        let mut framer = Framer::default();
        let packets: Vec<_> = bytes.bytes().filter_map(|byte| framer.push(byte)).collect();
        assert_eq!(packets, expect, "{bytes:?}");
    }

    #[test]
    fn bytes_become_packets() {
        let packet = |text: &str| Packet::Payload(text.into());
        check("+$g#67", &[packet("g")]);
        check("++\x03$?#3f$g#67", &[Packet::Interrupt, packet("?"), packet("g")]);
        check("$g#68", &[Packet::Damaged]);
        check("$g#zz", &[Packet::Damaged]);
        check("$#00", &[Packet::Damaged]);
        check("$cut off$g#67", &[packet("g")]);
        check(&format!("${}#00", "a".repeat(LONGEST)), &[Packet::Damaged]);
        assert_eq!(framed(b"OK"), b"$OK#9a");
    }
}
