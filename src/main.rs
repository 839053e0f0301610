//! The `gotrace` command: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gotrace::cli::main()
}
