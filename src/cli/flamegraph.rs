//! `gotrace flamegraph`.

use super::gaps;
use super::output::Output;
use super::selection::{Samples, not_negative};
use super::trace_operand::TraceOperand;
use crate::analyze::Analysis;
use crate::analyze::call_tree::Grouping;
use crate::render::flamegraph::{self, Options};
use crate::trace::SampleKind;
use std::path::PathBuf;
use std::process::ExitCode;

/// Draws the samples of a trace as a flamegraph (SVG).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// SVG file to write; `-`, the default, is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What is drawn
    #[arg(long, value_enum, default_value_t = Of::Samples)]
    of: Of,
    /// What stands below the stacks
    #[arg(long, value_enum, default_value_t = Group::Tool)]
    group: Group,
    /// Merge stacks from their innermost function: who calls what costs most
    #[arg(long)]
    reversed: bool,
    /// Draw the root at the top
    #[arg(long)]
    inverted: bool,
    /// Title of the picture [default: the command]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Leave out frames that are narrower than this part of the picture
    #[arg(long, value_name = "PERCENT", default_value_t = Options::default().min_width, value_parser = not_negative)]
    min_width: f64,
    /// Draw the middle of deeper stacks as one frame; 0 draws all frames [default: 64]
    #[arg(long, value_name = "N")]
    most_frames: Option<usize>,
    #[command(flatten)]
    samples: Samples,
}

/// What a flamegraph is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// Stacks that were seen on the CPU
    Samples,
    /// Calls of watched functions, by the time from entry to exit
    Calls,
    /// Stacks that waited, as with --off-cpu
    OffCpu,
}

/// What stands below the stacks of a flamegraph.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Group {
    /// The package that the program worked for
    Package,
    /// The tool
    Tool,
    /// The process
    Process,
    /// The phase of the tool, where phases were recorded
    Phase,
    /// Nothing
    None,
}

impl From<Group> for Grouping {
    fn from(group: Group) -> Self {
        match group {
            Group::Package => Self::Package,
            Group::Tool => Self::Tool,
            Group::Process => Self::Process,
            Group::Phase => Self::Phase,
            Group::None => Self::None,
        }
    }
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let trace = self.trace.open()?;
        let analysis = Analysis::of(&trace);
        let defaults = Options::default();
        let mut filter = self.samples.filter(&analysis)?;
        if self.of == Of::OffCpu {
            filter.kind = SampleKind::OffCpu;
        }
        filter.named = self.of == Of::Calls && analysis.has_named_functions();
        let options = Options {
            of_calls: self.of == Of::Calls,
            filter,
            grouping: self.group.into(),
            reversed: self.reversed,
            inverted: self.inverted,
            title: self.title,
            min_width: self.min_width,
            most_frames: match self.most_frames {
                Some(most) => (most > 0).then_some(most),
                None => defaults.most_frames,
            },
        };
        let mut output = Output::to(self.output.as_deref())?;
        let drawn = flamegraph::draw(&analysis, &options, &mut output)?;
        output.finish()?;
        gaps::note(&analysis, drawn.unreadable_blocks);
        Ok(ExitCode::SUCCESS)
    }
}
