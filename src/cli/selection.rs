//! The options that choose samples.

use crate::analyze::{Filter, Source};
use crate::trace::{Nanos, SampleKind};

/// Which samples a view is about.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which samples")]
pub(super) struct Samples {
    /// Only programs that work for the package of this import path
    #[arg(long, value_name = "PATH")]
    package: Option<String>,
    /// Only this tool: compile, link, asm, cgo, vet, gcc, ...
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only from this time on: seconds since the start of the trace
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    from: Option<Nanos>,
    /// Only before this time
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    to: Option<Nanos>,
    /// Time off the CPU instead of time on it (recorded by `run --off-cpu`)
    #[arg(long)]
    off_cpu: bool,
    /// The CPU profiles that the tools made of themselves, instead of samples
    #[arg(long)]
    profiles: bool,
}

impl Samples {
    /// The samples that were asked for.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            source: if self.profiles {
                Source::Profiles
            } else {
                Source::Any
            },
            kind: if self.off_cpu {
                SampleKind::OffCpu
            } else {
                SampleKind::OnCpu
            },
            process: None,
            tool: self.tool.clone(),
            package: self.package.clone(),
            from: self.from,
            to: self.to,
        }
    }
}

fn seconds(text: &str) -> Result<Nanos, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_error| "expected a number of seconds")?;
    if !seconds.is_finite() || seconds < 0.0 {
        return Err("expected a number of seconds that is not negative".to_owned());
    }
    Ok(Nanos((seconds * 1e9) as u64))
}
