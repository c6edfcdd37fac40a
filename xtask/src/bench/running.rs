//! An emulator that is spoken with while it runs, and what it has cost so far.

use anyhow::{Context, Result, ensure};
use std::{
    fs,
    io::{Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A child that is ended when it is no longer looked at.
pub(super) struct Running {
    child: Child,
    said: ChildStdout,
    input: ChildStdin,
    heard: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts `command` with its console on pipes.
    pub(super) fn start(mut command: Command) -> Result<Running> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let said = child.stdout.take().context("standard output is a pipe")?;
        let input = child.stdin.take().context("standard input is a pipe")?;
        Ok(Running { child, said, input, heard: String::new() })
    }

    /// Reads until `text` was said; gives what came before it.
    pub(super) fn until(&mut self, text: &str) -> Result<String> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(at) = self.heard.find(text) {
                let rest = self.heard.split_off(at + text.len());
                let mut before = std::mem::replace(&mut self.heard, rest);
                before.truncate(at);
                return Ok(before);
            }
            let n = self.said.read(&mut bytes)?;
            ensure!(n > 0, "it ended before it said {text:?}: {}", self.heard);
            self.heard.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    }

    /// Types a line.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{line}\n").as_bytes())?)
    }

    /// Asks the monitor.
    pub(super) fn ask(&mut self, line: &str) -> Result<String> {
        self.say(line)?;
        self.until(line)?;
        self.until("(qemu) ")
    }

    /// CPU seconds of all threads so far, from the scheduler's own count in nanoseconds.
    pub(super) fn cpu(&self) -> Result<f64> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let first = text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
            nanoseconds += first.unwrap_or(0);
        }
        Ok(nanoseconds as f64 / 1e9)
    }
}
