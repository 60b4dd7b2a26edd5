//! Failures of the program and their exit status.

use crate::exit::Exit;
use crate::output;
use becomingone::EngineError;
use becomingone::trials::CancelToken;

/// Why the program ends early.
pub(crate) enum Failure {
    BadInput(String),
    Run(String),
    /// Ctrl-C, and what was done before.
    Stopped(String),
}

impl Failure {
    pub(crate) fn bad_input(error: impl std::fmt::Display) -> Self {
        Self::BadInput(error.to_string())
    }

    /// Trials were cancelled; `of_all` is ` of 20`, or empty where the number is unknown.
    pub(crate) fn stopped(cancel: &CancelToken, of_all: &str) -> Self {
        let finished = cancel.finished();
        Self::Stopped(format!(
            "stopped: {finished}{of_all} runs finished, nothing written"
        ))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        if error.is_bad_input() {
            Self::BadInput(error.to_string())
        } else {
            Self::Run(error.to_string())
        }
    }
}

pub(crate) fn exit_code(done: Result<Exit, Failure>) -> Exit {
    match (done, output::stdout_error()) {
        (Ok(_), Some(error)) => fail(&format!("stdout: {error}"), 1),
        (done, _) => exit_code_of(done),
    }
}

fn exit_code_of(done: Result<Exit, Failure>) -> Exit {
    match done {
        Ok(code) => code,
        Err(Failure::BadInput(text)) => fail(&text, 2),
        Err(Failure::Run(text)) => fail(&text, 1),
        Err(Failure::Stopped(text)) => {
            print_err!("{text}");
            Exit::from(130)
        }
    }
}

fn fail(text: &str, code: u8) -> Exit {
    print_err!("error: {text}");
    Exit::from(code)
}
