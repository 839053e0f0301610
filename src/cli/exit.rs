//! Exit codes, and the one place where an error is printed.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use super::output::{self, NotWritten};
use crate::capture::toolexec::shim::NotRun;
use crate::environment::goroot::CopyError;
use crate::trace::file;

/// The command line asks for what does not go together, or is not there.
const USAGE: u8 = 2;

/// Bad input: a file that is no trace, a trace that is damaged, ...
pub(super) const BAD_INPUT: u8 = 3;

/// Not permitted, or not supported here, or not to be written.
pub(super) const NOT_PERMITTED: u8 = 4;

/// What keeps the command of `run` from being started, whatever it is: all other codes are the command's. As
/// env(1) has it.
pub(super) const NOT_STARTED: u8 = 125;

/// What is wrong with a command line, where it shows only after it was read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// An error, and what would help.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

/// Gives an error a hint, which is printed below it.
pub(super) fn hinted(error: impl Into<anyhow::Error>, hint: &str) -> anyhow::Error {
    Hinted {
        error: error.into(),
        hint: hint.to_owned(),
    }
    .into()
}

/// Prints an error, if there is one, and chooses the exit code.
///
/// A closed pipe is no error: whoever read has read enough.
pub(super) fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(code(&say(error))),
    }
}

/// The same for `run`, of which an error says that its command was not started.
pub(super) fn report_run(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        say(error);
        ExitCode::from(NOT_STARTED)
    })
}

/// Prints an error and what would help; returns it.
fn say(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Hinted>() {
        Ok(Hinted { error, hint }) => {
            output::note(&format!("{error:#}"));
            output::hint(&hint);
            error
        }
        Err(error) => {
            output::note(&format!("{error:#}"));
            error
        }
    }
}

/// Prints what is wrong with the words of a command line, or the help that they ask for, and chooses the exit
/// code. A command that was to be recorded has not been started then.
pub(super) fn misspelt(error: &clap::Error) -> ExitCode {
    // Where nobody listens there is nobody to tell.
    drop(error.print());
    let runs = std::env::args_os().nth(1).is_some_and(|word| word == "run");
    match (error.use_stderr(), runs) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(NOT_STARTED),
        (true, false) => ExitCode::from(USAGE),
    }
}

/// The exit code of the tool that a shim ran, or of one that could not be run, with why.
pub(super) fn of_tool(outcome: Result<u8, NotRun>) -> ExitCode {
    let code = outcome.unwrap_or_else(|missing| {
        let code = missing.code;
        output::note(&format!("{:#}", anyhow::Error::new(missing)));
        code
    });
    ExitCode::from(code)
}

/// What the system does not let gotrace do, and what cannot be written where it was asked for, whatever
/// is in the way there, have one exit code; all else came with the input.
fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() {
        return USAGE;
    }
    let mut kinds = kinds(error);
    let written = error.chain().any(is_about_an_output);
    if written
        || kinds.any(|kind| {
            matches!(
                kind,
                ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::FileTooLarge
            )
        })
    {
        NOT_PERMITTED
    } else {
        BAD_INPUT
    }
}

/// Whether it is of what was to be written, and not of what was read.
fn is_about_an_output(cause: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        let inner = error.get_ref();
        return inner.is_some_and(<dyn StdError + Send + Sync>::is::<NotWritten>);
    }
    let trace = cause.downcast_ref::<file::Error>();
    let copy = cause.downcast_ref::<CopyError>();
    cause.is::<NotWritten>()
        || trace.is_some_and(file::Error::is_about_what_is_written)
        || copy.is_some_and(CopyError::is_about_the_target)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    kinds(error).any(|kind| kind == ErrorKind::BrokenPipe)
}

/// The kinds of the system's errors among an error and its causes.
fn kinds(error: &anyhow::Error) -> impl Iterator<Item = ErrorKind> + '_ {
    let errors = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    errors.map(io::Error::kind)
}
