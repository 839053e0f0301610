//! `gotrace timeline`.

use super::exit::Usage;
use super::gaps;
use super::output::{self, Output};
use super::status::Work;
use super::trace_operand::TraceOperand;
use crate::analyze::Analysis;
use crate::analyze::timeline::Bars;
use crate::render::{text, timeline};
use crate::trace::Pid;
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
    /// Whose goroutines
    #[arg(long, value_name = "PID")]
    process: Option<u32>,
}

/// What the bars of a timeline are.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// Actions of the build; processes where there are none
    Actions,
    /// All processes
    Processes,
    /// All processes, each divided into its phases
    Phases,
    /// Calls, samples and states of the goroutines of one process (--process PID, -o FILE)
    Goroutines,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let trace = self.trace.open()?;
        let analysis = Analysis::of(&trace);
        let goroutines_of = self.goroutines_of(&analysis)?;
        let mut output = Output::to(self.output.as_deref())?;
        let work = Work::writing(self.trace.quiet, &output);
        let bars = match self.bars {
            What::Actions | What::Goroutines => Bars::Actions,
            What::Processes => Bars::Processes,
            What::Phases => Bars::Phases,
        };
        let unreadable_blocks = match (goroutines_of, &self.output) {
            (Some(pid), _) => timeline::goroutines::draw(&analysis, pid, &mut output),
            (None, Some(_)) => timeline::draw(&analysis, bars, &mut output),
            (None, None) => text::timeline::write(&analysis, bars, &output.page(), &mut output),
        }?;
        output.finish()?;
        drop(work);
        if goroutines_of.is_some()
            && let Some(words) = text::calls::no_single_calls(&trace)
        {
            output::note(words);
        }
        gaps::note(&analysis, unreadable_blocks);
        Ok(ExitCode::SUCCESS)
    }

    /// The process whose goroutines are asked for, if they are.
    fn goroutines_of(&self, analysis: &Analysis<'_>) -> Result<Option<Pid>, Usage> {
        let usage = |words: String| Err(Usage(words));
        let asked = matches!(self.bars, What::Goroutines);
        match (asked, self.process.map(Pid)) {
            (false, None) => Ok(None),
            (false, Some(_)) => usage("--process: only with --bars goroutines".to_owned()),
            (true, None) => usage("--bars goroutines: expected --process PID, whose".to_owned()),
            (true, Some(_)) if self.output.is_none() => {
                usage("--bars goroutines: draws a picture only: -o FILE.svg".to_owned())
            }
            (true, Some(pid)) if !analysis.ran_as(pid) => usage(format!(
                "--process {pid}: no program of this trace has that pid"
            )),
            (true, pid) => Ok(pid),
        }
    }
}
