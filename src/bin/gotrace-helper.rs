//! Loads BPF programs for an ordinary user's gotrace, hands over the descriptors, sets the probes of
//! built-in sets, and ends with that gotrace.
//!
//! `sudo gotrace setup` installs it with `CAP_BPF` and `CAP_PERFMON`. It is not meant to be called
//! by hand: its standard input is a socket of the gotrace that started it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match gotrace::capture::serve_descriptors() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
