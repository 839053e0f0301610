//! Exit codes, and the one place where an error is printed.

use std::io;
use std::process::ExitCode;

use crate::capture::toolexec::shim::NotRun;

/// Bad input: a file that is no trace, a trace that is damaged, ...
pub(super) const BAD_INPUT: u8 = 3;

/// Not permitted, or not supported here.
pub(super) const NOT_PERMITTED: u8 = 4;

/// Prints an error, if there is one, and chooses the exit code.
///
/// A closed pipe is no error: whoever read has read enough.
#[expect(clippy::print_stderr, reason = "this is where errors are printed")]
pub(super) fn report(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gotrace: {error:#}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

/// The exit code of the tool that a shim ran, or of one that could not be run, with why.
#[expect(clippy::print_stderr, reason = "this is where errors are printed")]
pub(super) fn of_tool(outcome: Result<u8, NotRun>) -> ExitCode {
    let code = outcome.unwrap_or_else(|missing| {
        let code = missing.code;
        eprintln!("gotrace: {:#}", anyhow::Error::new(missing));
        code
    });
    ExitCode::from(code)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
