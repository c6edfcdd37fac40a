//! A line being typed: what each key does to it, and what the terminal is told.

use crate::session::completions;

/// Lines that are kept for the arrow keys.
const HISTORY: usize = 64;
/// Bytes of a line; more are not taken.
const LONGEST: usize = 4095;

/// A line editor behind a terminal that knows CSI sequences.
#[derive(Debug, Default)]
pub struct Editor {
    line: Vec<char>,
    cursor: usize,
    history: Vec<String>,
    /// The line of the history that is shown; `history.len()` is the new one.
    shown: usize,
    /// The bytes of an unfinished escape sequence or character.
    pending: Vec<u8>,
    after_return: bool,
}

pub(crate) const PROMPT: &str = "(qemu) ";

impl Editor {
    /// Takes a byte. Adds what the terminal is to show to `out`; gives the line if it is complete.
    pub fn key(&mut self, byte: u8, out: &mut String) -> Option<String> {
        let newline_of_pair = std::mem::replace(&mut self.after_return, byte == b'\r') && byte == b'\n';
        if newline_of_pair {
            return None;
        }
        if !self.pending.is_empty() {
            self.sequence(byte, out);
            return None;
        }
        match byte {
            b'\r' | b'\n' => return Some(self.finish(out)),
            0x1b | 0xc0.. => self.pending.push(byte),
            b'\t' => self.complete(out),
            0x01 => self.move_to(0, out),
            0x05 => self.move_to(self.line.len(), out),
            0x02 => self.move_to(self.cursor.saturating_sub(1), out),
            0x06 => self.move_to(self.cursor + 1, out),
            0x10 => self.recall(-1, out),
            0x0e => self.recall(1, out),
            0x04 => self.delete(self.cursor, self.cursor + 1, out),
            0x0b => self.delete(self.cursor, self.line.len(), out),
            0x15 => self.delete(0, self.cursor, out),
            0x17 => self.delete(self.word_start(), self.cursor, out),
            0x08 | 0x7f => self.delete(self.cursor.saturating_sub(1), self.cursor, out),
            b' '..=b'~' => self.insert(byte.into(), out),
            _ => {}
        }
        None
    }

    /// The prompt, and what is typed already.
    pub fn prompt(&self) -> String {
        PROMPT.to_owned() + &self.line.iter().collect::<String>()
    }

    fn finish(&mut self, out: &mut String) -> String {
        out.push('\n');
        let line: String = self.line.drain(..).collect();
        self.cursor = 0;
        if !line.trim().is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
            self.history.drain(..self.history.len().saturating_sub(HISTORY));
        }
        self.shown = self.history.len();
        line
    }

    /// Goes on with an escape sequence, or with a character of several bytes.
    fn sequence(&mut self, byte: u8, out: &mut String) {
        self.pending.push(byte);
        match self.pending[..] {
            [0x1b, b'[' | b'O'] => return,
            [0x1b, b'[' | b'O', .., 0x20..=0x3f] => {
                // Longer ones mean nothing to us, but have an end too.
                self.pending.truncate(15);
                return;
            }
            [0x1b, b'[' | b'O', b'A'] => self.recall(-1, out),
            [0x1b, b'[' | b'O', b'B'] => self.recall(1, out),
            [0x1b, b'[' | b'O', b'C'] => self.move_to(self.cursor + 1, out),
            [0x1b, b'[' | b'O', b'D'] => self.move_to(self.cursor.saturating_sub(1), out),
            [0x1b, b'[' | b'O', b'H'] | [0x1b, b'[', b'1' | b'7', b'~'] => self.move_to(0, out),
            [0x1b, b'[' | b'O', b'F'] | [0x1b, b'[', b'4' | b'8', b'~'] => self.move_to(self.line.len(), out),
            [0x1b, b'[', b'3', b'~'] => self.delete(self.cursor, self.cursor + 1, out),
            [0x1b, ..] => {}
            _ => match std::str::from_utf8(&self.pending) {
                Ok(text) => {
                    let typed: Vec<char> = text.chars().collect();
                    typed.into_iter().for_each(|c| self.insert(c, out));
                }
                Err(e) if e.error_len().is_none() => return,
                Err(_) => {}
            },
        }
        self.pending.clear();
    }

    fn insert(&mut self, c: char, out: &mut String) {
        if self.line.len() >= LONGEST {
            return;
        }
        self.line.insert(self.cursor, c);
        self.cursor += 1;
        out.push(c);
        let rest = self.line.len() - self.cursor;
        if rest > 0 {
            out.extend(&self.line[self.cursor..]);
            left(rest, out);
        }
    }

    fn delete(&mut self, from: usize, to: usize, out: &mut String) {
        let to = to.min(self.line.len());
        if from >= to {
            return;
        }
        self.move_to(from, out);
        self.line.drain(from..to);
        out.extend(&self.line[from..]);
        out.push_str("\x1b[K");
        left(self.line.len() - from, out);
    }

    fn move_to(&mut self, to: usize, out: &mut String) {
        let to = to.min(self.line.len());
        if to < self.cursor {
            left(self.cursor - to, out);
        } else {
            out.extend(&self.line[self.cursor..to]);
        }
        self.cursor = to;
    }

    fn word_start(&self) -> usize {
        let before = &self.line[..self.cursor];
        let blanks = before.iter().rev().take_while(|c| **c == ' ').count();
        let word = before.iter().rev().skip(blanks).take_while(|c| **c != ' ').count();
        self.cursor - blanks - word
    }

    fn recall(&mut self, by: isize, out: &mut String) {
        let Some(shown) = self.shown.checked_add_signed(by).filter(|shown| *shown <= self.history.len())
        else {
            return;
        };
        self.shown = shown;
        self.delete(0, self.line.len(), out);
        let line = self.history.get(shown).cloned().unwrap_or_default();
        line.chars().for_each(|c| self.insert(c, out));
    }

    fn complete(&mut self, out: &mut String) {
        let before: String = self.line[..self.cursor].iter().collect();
        let begun = before.rsplit(' ').next().unwrap_or_default().len();
        let names = completions(&before);
        let Some(first) = names.first() else { return };
        let common = names.iter().fold(first.len(), |len, name| {
            first.bytes().zip(name.bytes()).take(len).take_while(|(a, b)| a == b).count()
        });
        first.get(begun..common).unwrap_or_default().chars().for_each(|c| self.insert(c, out));
        match names[..] {
            [_] => self.insert(' ', out),
            _ if begun == common => {
                *out += "\n";
                *out += &names.join(" ");
                *out += "\n";
                *out += &self.prompt();
                left(self.line.len() - self.cursor, out);
            }
            _ => {}
        }
    }
}

fn left(by: usize, out: &mut String) {
    if by > 0 {
        *out += &format!("\x1b[{by}D");
    }
}
