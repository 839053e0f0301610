//! `gotrace timeline`.

use super::gaps;
use super::output::Output;
use super::trace_operand::TraceOperand;
use crate::analyze::Analysis;
use crate::analyze::timeline::Bars;
use crate::render::{text, timeline};
use anyhow::Context as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Draws the build of a trace over time (SVG, or text on the terminal).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// SVG file to write; `-` is standard output [default: text on standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the bars are
    #[arg(long, value_enum, default_value_t = What::Actions)]
    bars: What,
}

/// What the bars of a timeline are.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// Actions of the build; processes where there are none
    Actions,
    /// All processes
    Processes,
}

impl From<What> for Bars {
    fn from(what: What) -> Self {
        match what {
            What::Actions => Self::Actions,
            What::Processes => Self::Processes,
        }
    }
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let trace = self.trace.open()?;
        let analysis = Analysis::of(&trace);
        let bars = self.bars.into();
        let mut output = Output::to(self.output.as_deref())?;
        let unreadable_blocks = match self.output {
            Some(_) => timeline::draw(&analysis, bars, &mut output),
            None => text::timeline::write(&analysis, bars, &output.page(), &mut output),
        }
        .context("cannot write the timeline")?;
        output.finish()?;
        gaps::note(&analysis, unreadable_blocks);
        Ok(ExitCode::SUCCESS)
    }
}
