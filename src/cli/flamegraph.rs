//! `gotrace flamegraph`.

use super::exit::{Usage, hinted};
use super::gaps;
use super::output::{self, Output};
use super::selection::{Samples, not_negative};
use super::status::Work;
use super::trace_group::TraceGroup;
use super::trace_operand::TraceOperand;
use crate::analyze::call_tree::Grouping;
use crate::analyze::compare::{Difference, Fact, Facts, differences};
use crate::analyze::stack_difference::{Side, Sides};
use crate::analyze::{Analysis, Filter, Name};
use crate::render::change;
use crate::render::flamegraph::{self, Differential, Options, View};
use crate::render::text::calls as text;
use crate::trace::SampleKind;
use anyhow::bail;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Draws the samples of a trace as a flamegraph (SVG).
///
/// With --base: how two traces, or two groups of runs, differ by call stack.
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
    /// Turn stacks around, and merge them from their innermost function: who calls what costs
    /// most. (Not --reverse, which draws the other side of a difference)
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
    against: Against,
    #[command(flatten)]
    samples: Samples,
}

/// What the trace is compared with.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Difference")]
struct Against {
    /// Draw the difference from this trace, or from this folder of repeats of one run: blue where
    /// TRACE is faster, orange where it is slower. TRACE may be a folder of repeats, too; of each
    /// folder the mean of its runs counts
    #[arg(long, value_name = "BASE")]
    base: Option<PathBuf>,
    /// Draw the frames of BASE and not those of TRACE, each as wide as it was there: shows what
    /// vanished. Colours keep their meaning. (Not --reversed, which turns stacks around)
    #[arg(long, requires = "base")]
    reverse: bool,
    /// Scale the times of BASE so that its total is that of TRACE: shows what shifted where all
    /// became slower or faster
    #[arg(long, requires = "base")]
    normalize: bool,
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

/// Of what could not be written the cause names the file; of what was not recorded it says how to record it.
fn cause(error: flamegraph::Error) -> anyhow::Error {
    match error {
        flamegraph::Error::Write(cause) => cause.into(),
        error @ flamegraph::Error::NoSamples => hinted(
            error,
            "gotrace doctor says what keeps gotrace from taking samples here; gotrace run --profile -- COMMAND has \
             compilers and linkers take their own, without rights",
        ),
        error => error.into(),
    }
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.against.base.clone() {
            Some(base) => self.difference(&base),
            None => self.picture(),
        }
    }

    fn picture(self) -> anyhow::Result<ExitCode> {
        let trace = self.trace.open()?;
        let analysis = Analysis::of(&trace);
        let options = self.options(self.filter(&analysis)?);
        let mut output = Output::to(self.output.as_deref())?;
        let work = Work::writing(self.trace.quiet, &output);
        let drawn = flamegraph::draw(&analysis, &options, &mut output).map_err(cause)?;
        output.finish()?;
        drop(work);
        let notes = [text::cut(drawn.cut), text::merged(drawn.merged)];
        notes.iter().flatten().for_each(|words| output::note(words));
        gaps::note(&analysis, drawn.unreadable_blocks);
        Ok(ExitCode::SUCCESS)
    }

    /// One trace after the other is read and closed: a folder of repeats may be large.
    fn difference(self, base: &Path) -> anyhow::Result<ExitCode> {
        if let Some(option) = self.of_one_run() {
            let words = format!(
                "{option} chooses a process by its number, which means nothing in another run: \
                 use --tool or --package, --group tool or package, with --base"
            );
            return Err(Usage(words).into());
        }
        let view = View {
            drawn: match self.against.reverse {
                true => Side::Base,
                false => Side::New,
            },
            normalize: self.against.normalize,
        };
        let mut picture = Differential::new(self.options(Filter {
            kind: self.kind(),
            ..Filter::default()
        }));
        self.read(&mut picture, base, view.drawn)?;
        if let Some(words) = text::merged(picture.merged()) {
            output::note(&format!("{words}, in all runs together"));
        }
        for side in [Side::Base, Side::New] {
            if let Some(words) = picture.gaps(side) {
                output::note(&format!(
                    "{}: {words} (gotrace show --by gap says what and why)",
                    side.word()
                ));
            }
        }
        let mut output = Output::to(self.output.as_deref())?;
        let work = Work::writing(self.trace.quiet, &output);
        picture.write(view, &mut output).map_err(cause)?;
        output.finish()?;
        drop(work);
        Ok(ExitCode::SUCCESS)
    }

    /// Adds all runs of both sides, those of the `first` one first: its names are shown. Says in
    /// which circumstances, beside the command, they differ.
    fn read(&self, picture: &mut Differential, base: &Path, first: Side) -> anyhow::Result<()> {
        let new = self.trace.path()?;
        let groups = Sides {
            base: TraceGroup::at(base)?,
            new: TraceGroup::at(&new)?,
        };
        let work = Work::begin(self.trace.quiet, "");
        self.measure(picture, &groups, &work);
        // A tool that only one side has is no mistake.
        let (mut refused, mut found) = (None, false);
        let mut named = None;
        let mut facts: Sides<Vec<(Name, Facts)>> = Sides::default();
        for side in [first, first.other()] {
            let path = match side {
                Side::Base => base,
                Side::New => &new,
            };
            for trace in groups.of(side).open(&work) {
                let trace = trace?;
                let analysis = Analysis::of(&trace);
                let filter = self.filter(&analysis);
                if let Ok(filter) = &filter
                    && *named.get_or_insert(filter.named) != filter.named
                {
                    bail!(
                        "{}: functions were named there (--probe) and not in all other traces, \
                         or the other way round: their calls cannot be compared",
                        path.display()
                    );
                }
                found |= filter.is_ok();
                let facts = facts.of_mut(side);
                let run = Name::from((facts.len() + 1).to_string());
                facts.push((run, Facts::of(&analysis)));
                picture.add(side, &analysis, filter.as_ref().ok());
                refused = refused.or(filter.err());
            }
        }
        let (differences, _same) = differences(&facts.base, &facts.new);
        // Commands stand in the title.
        let told = |it: &&Difference| it.binds && it.fact != Fact::Command;
        for difference in differences.iter().filter(told) {
            output::note(&change::fact(difference));
        }
        match refused {
            Some(usage) if !found => Err(usage.into()),
            _ => Ok(()),
        }
    }

    /// Tells a picture of all runs that it will be of, where they may have very many paths of calls.
    fn measure(&self, picture: &mut Differential, groups: &Sides<TraceGroup>, work: &Work) {
        if self.of != Of::Calls {
            return;
        }
        work.goes_on("measuring calls");
        let runs = groups.base.len() + groups.new.len();
        for trace in groups.base.glance().chain(groups.new.glance()) {
            if trace.call_tree_count() == 0 {
                continue;
            }
            let analysis = Analysis::of(&trace);
            if let Ok(filter) = self.filter(&analysis) {
                picture.measure(&analysis, &filter, runs as u64);
            }
        }
    }

    /// What was given that chooses a single process.
    fn of_one_run(&self) -> Option<&'static str> {
        match self.group {
            Group::Process => Some("--group process"),
            _ => self.samples.names_a_process().then_some("--process"),
        }
    }

    fn kind(&self) -> SampleKind {
        match self.of {
            Of::OffCpu => SampleKind::OffCpu,
            _ => self.samples.kind(),
        }
    }

    fn filter(&self, analysis: &Analysis<'_>) -> Result<Filter, Usage> {
        Ok(Filter {
            kind: self.kind(),
            named: self.of == Of::Calls && analysis.has_named_functions(),
            ..self.samples.filter(analysis)?
        })
    }

    fn options(&self, filter: Filter) -> Options {
        Options {
            of_calls: self.of == Of::Calls,
            filter,
            grouping: self.group.into(),
            reversed: self.reversed,
            inverted: self.inverted,
            title: self.title.clone(),
            min_width: self.min_width,
            most_frames: match self.most_frames {
                Some(most) => (most > 0).then_some(most),
                None => Options::default().most_frames,
            },
        }
    }
}
