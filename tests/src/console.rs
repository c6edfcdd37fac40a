//! What a machine has said so far, and waiting for it to say more.

use regex::Regex;
use std::{
    io::Read,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Everything read from a console, and how far its reader has got.
#[derive(Clone, Default)]
pub struct Transcript {
    shared: Arc<(Mutex<Said>, Condvar)>,
}

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    /// Where the next expectation starts to look.
    cursor: usize,
    /// How many of the streams have not ended.
    open: usize,
}

impl Transcript {
    /// Copies `stream` into the transcript until it ends, on a thread of its own.
    pub fn follow(&self, mut stream: impl Read + Send + 'static) {
        self.lock().open += 1;
        let transcript = self.clone();
        thread::spawn(move || {
            let mut chunk = [0; 0x1_0000];
            // A terminal whose other side has closed reads as an input/output error.
            while let Ok(count @ 1..) = stream.read(&mut chunk) {
                transcript.lock().bytes.extend_from_slice(&chunk[..count]);
                transcript.shared.1.notify_all();
            }
            transcript.lock().open -= 1;
            transcript.shared.1.notify_all();
        });
    }

    /// Waits for `text`, moves past it, and answers what stood before it.
    pub fn until(&self, text: &str, limit: Duration) -> Result<String, String> {
        let needle = text.as_bytes();
        let mut looked = 0;
        self.wait(limit, |unread| {
            let from = looked.min(unread.len());
            let found = unread[from..].windows(needle.len()).position(|window| window == needle);
            looked = unread.len().saturating_sub(needle.len());
            let start = from + found?;
            Some((start + needle.len(), String::from_utf8_lossy(&unread[..start]).into_owned()))
        })
        .map_err(|why| format!("waited for {text:?}, but {why}"))
    }

    /// Waits for a match of `pattern`, moves past it, and answers its groups, the whole match first.
    pub fn until_match(&self, pattern: &Regex, limit: Duration) -> Result<Vec<String>, String> {
        let pattern_of_bytes =
            regex::bytes::Regex::new(pattern.as_str()).map_err(|error| error.to_string())?;
        self.wait(limit, |unread| {
            let groups = pattern_of_bytes.captures(unread)?;
            let text = |group: Option<regex::bytes::Match<'_>>| {
                group.map_or_else(String::new, |group| String::from_utf8_lossy(group.as_bytes()).into_owned())
            };
            Some((groups.get(0)?.end(), groups.iter().map(text).collect()))
        })
        .map_err(|why| format!("waited for a match of /{pattern}/, but {why}"))
    }

    /// Waits until every stream has ended.
    pub fn until_end(&self, limit: Duration) -> bool {
        let ended = self.shared.1.wait_timeout_while(self.lock(), limit, |said| said.open > 0);
        !ended.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Everything said so far, bytes that are no text replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Everything said so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// The last `count` lines, framed, for a failure's message.
    pub fn tail(&self, count: usize) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        let left_out = lines.len().saturating_sub(count);
        let shown = lines[left_out..].iter().map(|line| format!("  | {}\n", line.trim_end()));
        format!("  ({left_out} lines before)\n{}", shown.collect::<String>())
    }

    /// Waits until `find` finds something in what is unread: how far to move, and the answer.
    fn wait<T>(
        &self,
        limit: Duration,
        mut find: impl FnMut(&[u8]) -> Option<(usize, T)>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + limit;
        let mut said = self.lock();
        loop {
            let cursor = said.cursor;
            if let Some((length, answer)) = find(&said.bytes[cursor..]) {
                said.cursor += length;
                return Ok(answer);
            }
            if said.open == 0 {
                return Err("the console ended".into());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("it did not come within {} s", limit.as_secs()));
            }
            said = self.shared.1.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &'static str) -> Transcript {
        let transcript = Transcript::default();
        transcript.follow(text.as_bytes());
        transcript
    }

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn an_expectation_moves_past_what_it_found() {
        let transcript = said("login: root\r\n# ls\r\n# ");
        assert_eq!(transcript.until("# ", SOON), Ok("login: root\r\n".into()));
        assert_eq!(transcript.until("# ", SOON), Ok("ls\r\n".into()));
        assert_eq!(transcript.until("# ", SOON), Err("waited for \"# \", but the console ended".into()));
    }

    #[test]
    fn a_match_gives_its_groups() {
        let pattern = Regex::new(r"base = (\w+)").unwrap();
        assert_eq!(said("base = 0x80").until_match(&pattern, SOON).unwrap(), ["base = 0x80", "0x80"]);
    }

    #[test]
    fn the_tail_says_how_much_it_leaves_out() {
        let transcript = said("1\n2\n3\n");
        assert!(transcript.until_end(SOON));
        assert_eq!(transcript.tail(2), "  (1 lines before)\n  | 2\n  | 3\n");
    }
}
