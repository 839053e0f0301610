//! Runs one tool of the go command and tells gotrace of it: `gotrace::capture::toolexec::shim`.
//!
//! `gotrace run` has the go command call it. It is not meant to be called by hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    gotrace::cli::run_tool().unwrap_or(ExitCode::FAILURE)
}
