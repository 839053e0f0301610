//! How many samples a second come out of a trace, decompressed and as typed fields, in CPU time.
//!
//! `scripts/bench` starts this with a trace of a real build, and reads a rate from each line:
//! one for each of 20 rounds, none left out.

use gotrace::trace::Trace;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const ROUNDS: usize = 20;

/// A round walks over all samples as often as fills this time.
const ROUND: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`, and without a trace there is nothing to measure.
    let Some(path) = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
    else {
        return ExitCode::SUCCESS;
    };
    match measure(Path::new(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("{path}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let trace = Trace::open(path)?;
    if trace.sample_count() == 0 {
        return Err("no samples".into());
    }
    for _ in 0..ROUNDS {
        let start = cpu_time()?;
        let mut decoded = 0_u32;
        while cpu_time()? - start < ROUND {
            for block in trace.samples() {
                for sample in block?.iter() {
                    black_box(sample);
                    decoded += 1;
                }
            }
        }
        report(&format!(
            "{:.0}",
            f64::from(decoded) / (cpu_time()? - start).as_secs_f64()
        ));
    }
    Ok(())
}

/// CPU time of this process, of which the work of other programs takes nothing.
fn cpu_time() -> nix::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let time = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(
        time.num_microseconds().unsigned_abs(),
    ))
}

#[expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]
fn report(line: &str) {
    println!("{line}");
}
