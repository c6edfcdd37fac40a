//! The escape key of a mux: what the keys after it do, and times before lines.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The state of the escape key, and of what it switched on.
#[derive(Debug)]
pub(crate) struct Mux {
    escape: Option<u8>,
    escaped: bool,
    stamps: Option<Stamps>,
    /// What the mux itself has to say.
    words: Vec<u8>,
    program: String,
}

#[derive(Debug)]
struct Stamps {
    since: Instant,
    line_start: bool,
}

/// What a byte asks of the frontends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing more.
    Nothing,
    /// It is input.
    Give(u8),
    /// A break is input.
    Break,
    /// The next frontend has the keys.
    Next,
    /// The program ends.
    Quit,
}

/// The keys, as the help lists them. `{}` is the escape key.
const KEYS: [(&str, &str); 7] = [
    ("h   ", "print this help"),
    ("x   ", "exit emulator"),
    ("s   ", "save disk data back to file (if -snapshot)"),
    ("t   ", "toggle console timestamps"),
    ("b   ", "send break (magic sysrq)"),
    ("c   ", "switch between console and monitor"),
    ("{} ", "sends {}"),
];

/// How much it says before somebody has read it, in bytes.
const WORDS: usize = 64 << 10;

impl Mux {
    /// `escape` is the key, `None` for no key; `program` is who says that it terminated.
    pub(crate) fn new(escape: Option<u8>, program: &str) -> Self {
        Mux { escape, escaped: false, stamps: None, words: Vec::new(), program: program.to_owned() }
    }

    /// One byte of input.
    pub(crate) fn key(&mut self, byte: u8) -> Act {
        let is_escape = self.escape == Some(byte);
        if !std::mem::take(&mut self.escaped) {
            self.escaped = is_escape;
            return if is_escape { Act::Nothing } else { Act::Give(byte) };
        }
        match byte {
            // First, because with -echr it may be any letter.
            _ if is_escape => return Act::Give(byte),
            b'h' | b'?' => self.help(),
            b'x' => {
                let words = format!("{}: Terminated\n\r", self.program);
                self.say(&words);
                return Act::Quit;
            }
            b's' => self.say("There are no block devices to save.\n\r"),
            b't' => {
                self.stamps = match self.stamps {
                    None => Some(Stamps { since: Instant::now(), line_start: false }),
                    Some(_) => None,
                }
            }
            b'b' => return Act::Break,
            b'c' => return Act::Next,
            // A key without meaning is swallowed with its escape, as in QEMU.
            _ => {}
        }
        Act::Nothing
    }

    /// Adds to the output what the mux has to say.
    pub(crate) fn speak(&mut self, out: &mut VecDeque<u8>) {
        let words = std::mem::take(&mut self.words);
        self.pass(&words, out);
    }

    /// Adds a frontend's output.
    pub(crate) fn pass(&mut self, bytes: &[u8], out: &mut VecDeque<u8>) {
        match &mut self.stamps {
            None => out.extend(bytes),
            Some(stamps) => stamps.put(bytes, out),
        }
    }

    fn say(&mut self, words: &str) {
        if self.words.len() <= WORDS {
            self.words.extend(words.as_bytes());
        }
    }

    fn help(&mut self) {
        let code = self.escape.unwrap_or_default();
        let (name, mut text) = match code {
            1..=26 => (format!("C-{}", char::from(code - 1 + b'a')), String::from("\n\r")),
            _ => ("Escape-Char".to_owned(), format!("\n\rEscape-Char set to Ascii: {code:#04x}\n\r\n\r")),
        };
        for (key, what) in KEYS {
            text.push_str(&format!("{name} {key} {what}\n\r").replace("{}", &name));
        }
        self.say(&text);
    }
}

impl Stamps {
    fn put(&mut self, bytes: &[u8], out: &mut VecDeque<u8>) {
        for byte in bytes {
            if std::mem::replace(&mut self.line_start, *byte == b'\n') {
                out.extend(stamp(self.since.elapsed()).as_bytes());
            }
            out.push_back(*byte);
        }
    }
}

fn stamp(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("[{hours:02}:{minutes:02}:{:02}.{:03}] ", seconds % 60, elapsed.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(escape: u8) -> String {
        let (mut mux, mut out) = (Mux::new(Some(escape), "p"), VecDeque::new());
        assert_eq!((mux.key(escape), mux.key(b'h')), (Act::Nothing, Act::Nothing));
        mux.speak(&mut out);
        String::from_utf8(out.into()).unwrap()
    }

    #[test]
    fn help_is_in_qemus_words() {
        let expect = "\n\rC-a h    print this help\n\r\
                      C-a x    exit emulator\n\r\
                      C-a s    save disk data back to file (if -snapshot)\n\r\
                      C-a t    toggle console timestamps\n\r\
                      C-a b    send break (magic sysrq)\n\r\
                      C-a c    switch between console and monitor\n\r\
                      C-a C-a  sends C-a\n\r";
        assert_eq!(help(1), expect);
        let expect = expect[2..].replace("C-a", "Escape-Char");
        assert_eq!(help(0xc8), format!("\n\rEscape-Char set to Ascii: 0xc8\n\r\n\r{expect}"));
    }

    #[test]
    fn any_byte_can_be_the_escape_key() {
        for escape in 1..=255 {
            let mut mux = Mux::new(Some(escape), "p");
            assert_eq!((mux.key(escape), mux.key(escape)), (Act::Nothing, Act::Give(escape)));
        }
    }
}
