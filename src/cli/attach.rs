//! `gotrace attach`.

use super::config;
use super::exit::Usage;
use super::output;
use super::probing::Probing;
use super::recording;
use super::run;
use crate::capture::attach::Attachment;
use crate::capture::running::Running;
use crate::capture::session::Options;
use crate::capture::{Environment, Request, session};
use crate::environment::invoker::invoker;
use crate::trace::Pid;
use anyhow::{Context as _, anyhow};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Records the functions of a program that runs already.
///
/// Until it ends, --for is over, or Ctrl-C. The program goes on, and no probe is left behind.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The program
    pid: u32,
    /// Trace file to write, replaced if it is a trace [default: a new one in the folder of traces]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long: 10s, 500ms, 2m
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Stack samples a second and core, too
    #[arg(long, value_name = "HZ", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000))]
    rate: u32,
    /// Say nothing but errors: no summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    config: config::Wanted,
    #[command(flatten)]
    probes: Probing,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.config(None)?;
        let mut choices = config.choices();
        let watch = self.probes.watch(&mut choices)?;
        if !watch.is_asked_for() && self.rate == 0 {
            let words = "nothing to record: name functions with --probe IMAGE:FUNCTION or --probe-set, or ask for samples with --rate";
            return Err(Usage(words.to_owned()).into());
        }
        let running = Running::of(Pid(self.pid));
        let running = running.with_context(|| format!("process {}", self.pid))?;
        let request = Request {
            rate_hz: Some(self.rate),
            ..Request::default()
        };
        let options = Options {
            request,
            watch,
            redaction: choices.redaction(),
            sources: choices.into_sources(),
            ..Options::default()
        };
        let attachment = Attachment::prepare(running, options, self.duration);
        let environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        let anchor = session::clocks();
        let of = recording::Of {
            command: attachment.command(),
            environment: &environment,
            invoker: invoker.as_ref(),
            unix_ns: anchor.unix_ns,
        };
        let writer = match recording::create(self.output.as_deref(), &of, anchor) {
            Ok(writer) => writer,
            Err(recording::Failure::Refused(error) | recording::Failure::NoPlace(error)) => {
                return Err(error);
            }
        };
        let path = writer.path().to_owned();
        let quiet = self.quiet;
        let recorded = attachment.record(writer, anchor, &|words| {
            if !quiet {
                output::note(words);
            }
        });
        match recorded {
            Ok(recording) => run::conclude(recording, &path, quiet)?,
            Err(error) => {
                // A trace of nothing is of no use to anyone.
                drop(std::fs::remove_file(&path));
                return Ok(run::refused(&error));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A number above zero with its unit: `500ms`, `10s`, `2m`, `1h`; without one, seconds.
fn duration(text: &str) -> anyhow::Result<Duration> {
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let scale = match unit {
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(anyhow!("expected a time like 10s, 500ms, 2m or 1h")),
    };
    let seconds = number.parse().ok().filter(|number: &f64| *number > 0.0);
    let seconds =
        seconds.ok_or_else(|| anyhow!("expected a time above zero, like 10s, 500ms, 2m or 1h"))?;
    Ok(Duration::try_from_secs_f64(seconds * scale)?)
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("10s").unwrap(), Duration::from_secs(10));
        assert_eq!(duration("1.5").unwrap(), Duration::from_millis(1_500));
        assert_eq!(duration("2m").unwrap(), Duration::from_secs(120));
        for bad in ["", "s", "-1s", "1d", "0s", "1e999"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
