//! Exit codes, and the one place where an error is printed.

use std::io;
use std::process::ExitCode;

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

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
