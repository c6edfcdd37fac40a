//! Telnet on a socket, as a server speaks it (RFC 854, 855, 856, 857, 858), and its form for 3270 terminals (RFC 885).

use super::super::Input;

/// "Interpret as command"; doubled, it is a byte of data.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// Subnegotiation begins.
const SB: u8 = 250;
/// Break.
const BRK: u8 = 243;
/// Subnegotiation ends.
const SE: u8 = 240;
/// End of record.
const EOR: u8 = 239;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
/// Suppress go-ahead.
const SGA: u8 = 3;
const TERMINAL_TYPE: u8 = 24;
const END_OF_RECORD: u8 = 25;

/// One connection's state.
#[derive(Clone, Debug)]
pub(crate) struct Telnet {
    state: State,
    /// For a 3270 terminal: the ends of its records are data.
    records: bool,
    /// The client said that it sends bytes as they are; before, its Enter is CR and NUL.
    binary: bool,
    /// The last byte was CR.
    after_cr: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Data,
    /// After IAC.
    Command,
    /// After IAC and WILL, WONT, DO or DONT.
    Option(u8),
    /// Between IAC SB and IAC SE.
    Sub,
    /// The same, after IAC.
    SubCommand,
}

/// What a server says first.
const GREETING: &[u8] = &[IAC, WILL, ECHO, IAC, WILL, SGA, IAC, WILL, BINARY, IAC, DO, BINARY];
const GREETING_3270: &[u8] = &[
    IAC,
    DO,
    END_OF_RECORD,
    IAC,
    WILL,
    END_OF_RECORD,
    IAC,
    DO,
    BINARY,
    IAC,
    WILL,
    BINARY,
    IAC,
    DO,
    TERMINAL_TYPE,
    IAC,
    SB,
    TERMINAL_TYPE,
    1,
    IAC,
    SE,
];

impl Telnet {
    /// A connection's beginning, and what is to be sent first.
    pub(crate) fn begin(records: bool) -> (Telnet, &'static [u8]) {
        let greeting = if records { GREETING_3270 } else { GREETING };
        (Telnet { state: State::Data, records, binary: false, after_cr: false }, greeting)
    }

    /// Takes what came; adds what is to be answered to `replies`.
    pub(crate) fn decode(&mut self, raw: &[u8], input: &mut Input, replies: &mut Vec<u8>) {
        for byte in raw {
            self.state = self.step(*byte, input, replies);
        }
    }

    fn step(&mut self, byte: u8, input: &mut Input, replies: &mut Vec<u8>) -> State {
        match (self.state, byte) {
            (State::Data, IAC) => State::Command,
            (State::Data, byte) => {
                let padding = byte == 0 && self.after_cr && !self.binary;
                self.after_cr = byte == b'\r';
                if !padding {
                    input.bytes.push(byte);
                }
                State::Data
            }
            (State::Command, IAC) => {
                input.bytes.push(IAC);
                State::Data
            }
            (State::Command, BRK) => {
                input.breaks.push(input.bytes.len());
                State::Data
            }
            (State::Command, SB) => State::Sub,
            (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
            (State::Command, byte) => {
                if byte == EOR && self.records {
                    input.bytes.extend([IAC, EOR]);
                }
                // The others ask a person for something, or mean nothing to a serial line.
                State::Data
            }
            (State::Option(verb), option) => {
                self.answer(verb, option, replies);
                State::Data
            }
            (State::Sub, IAC) => State::SubCommand,
            (State::Sub, _) => State::Sub,
            (State::SubCommand, SE) => State::Data,
            (State::SubCommand, _) => State::Sub,
        }
    }

    /// What we did not offer or ask for is refused; a refusal has no answer, so nobody goes on for ever (RFC 1143).
    fn answer(&mut self, verb: u8, option: u8, replies: &mut Vec<u8>) {
        let ours: &[u8] = match self.records {
            true => &[BINARY, TERMINAL_TYPE, END_OF_RECORD],
            false => &[BINARY, ECHO, SGA],
        };
        match verb {
            WILL if option == BINARY => self.binary = true,
            WONT if option == BINARY => self.binary = false,
            WILL if !ours.contains(&option) => replies.extend([IAC, DONT, option]),
            DO if !ours.contains(&option) => replies.extend([IAC, WONT, option]),
            _ => {}
        }
    }

    /// Adds output as it is sent: a byte that would be a command is doubled. A 3270's output has its commands.
    pub(crate) fn encode(&self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            out.push(*byte);
            if *byte == IAC && !self.records {
                out.push(IAC);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `raw` means, whole and byte by byte: its bytes, its breaks, the answer.
    fn check(records: bool, raw: &[u8], bytes: &[u8], breaks: &[usize], answer: &[u8]) {
        for piece in [raw.len(), 1] {
            let (mut telnet, _) = Telnet::begin(records);
            let (mut input, mut replies) = (Input::default(), Vec::new());
            raw.chunks(piece).for_each(|raw| telnet.decode(raw, &mut input, &mut replies));
            assert_eq!((&*input.bytes, &*input.breaks, &*replies), (bytes, breaks, answer), "{raw:?}");
        }
    }

    #[test]
    fn commands_are_taken_out_of_the_data() {
        check(false, b"A\xff\xffB", b"A\xffB", &[], b"");
        check(false, b"A\xff\xf3B\xff\xf3", b"AB", &[1, 2], b"");
        check(false, b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x00\xff\xfd\x00D", b"D", &[], b"");
        check(false, b"\xff\xfa\x18\x00XTERM\xff\xff\xff\xf0F", b"F", &[], b"");
        check(false, b"\xff\xf1G\xff\xf6H\xff\xefI", b"GHI", &[], b"");
    }

    #[test]
    fn what_was_not_offered_is_refused_once() {
        check(false, b"\xff\xfd\x22E", b"E", &[], b"\xff\xfc\x22");
        check(false, b"\xff\xfb\x18\xff\xfc\x18\xff\xfe\x01", b"", &[], b"\xff\xfe\x18");
        check(true, b"\xff\xfb\x18", b"", &[], b"");
    }

    #[test]
    fn enter_is_one_byte_until_the_client_is_binary() {
        check(false, b"a\r\0b\r\nc\0", b"a\rb\r\nc\0", &[], b"");
        check(false, b"\xff\xfb\x00\r\0", b"\r\0", &[], b"");
    }

    #[test]
    fn the_records_of_a_3270_keep_their_ends() {
        check(true, b"A\xff\xefB\xff\xff", b"A\xff\xefB\xff", &[], b"");
        for (records, expect) in [(false, &b"a\xff\xff"[..]), (true, b"a\xff")] {
            let mut out = Vec::new();
            Telnet::begin(records).0.encode(b"a\xff", &mut out);
            assert_eq!(out, expect);
        }
    }
}
