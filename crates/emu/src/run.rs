//! From the words of the command line to an exit code.

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use hartwright_backend::{reason, tty};
use hartwright_event::Inherited;

use crate::{Config, Failure, Host, Outcome, Program, host, parse, resolve, signals};

/// The whole program, but for its arguments.
pub fn main_with(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    Inherited::note();
    let mut words = words.into_iter();
    let argv0 = words.next().map(|word| word.to_string_lossy().into_owned());
    let program = Program::new(argv0.as_deref());
    give_terminal_back_on_panic();
    if let Err(error) = watch_signals(&program) {
        return end(
            &program,
            Outcome::Fail(Failure::new(format!("signals cannot be had: {}", reason(&error)))),
        );
    }
    let config = parse(&program, words).and_then(|asked| {
        for warning in &asked.warnings {
            say(&format!("{}: {warning}\n", program.name));
        }
        resolve(&program, asked)
    });
    match config {
        Ok(config) => run(config),
        Err(outcome) => end(&program, outcome),
    }
}

/// Runs the machine that `config` describes, to its end.
pub fn run(config: Config) -> ExitCode {
    let program = config.program.clone();
    match Host::prepare(&config) {
        Ok(host) => {
            host.finish();
            end(&program, Outcome::Fail(Failure::new("no machine can run yet")))
        }
        Err(failure) => end(&program, Outcome::Fail(failure)),
    }
}

/// The last words and the exit code.
pub(crate) fn end(program: &Program, outcome: Outcome) -> ExitCode {
    tty::restore();
    match outcome {
        Outcome::Print { text, code } => {
            // Whoever stopped reading has read enough.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::from(code)
        }
        Outcome::Fail(failure) => {
            say(&failure.text(program));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    // There is nowhere else to complain.
    let _ = io::stderr().write_all(text.as_bytes());
}

fn watch_signals(program: &Program) -> io::Result<()> {
    let program = program.clone();
    signals::on_terminate(move |signal| host::leave_now(&program, &signal));
    signals::watch()
}

fn give_terminal_back_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tty::restore();
        before(info);
    }));
}
