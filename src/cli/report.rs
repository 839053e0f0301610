//! `gotrace report`.

use super::exit::Usage;
use super::gaps;
use super::output::{self, Output};
use super::status::Work;
use super::trace_group::TraceGroup;
use super::trace_operand::{self, TraceOperand};
use crate::analyze::Analysis;
use crate::analyze::compare::{self, Comparison, Run};
use crate::render::{change, report};
use crate::trace::Trace;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Writes a trace as a page to walk through: timeline, critical path, costs (HTML, one file).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// HTML file to write; `-` is standard output [default: beside the trace, with `.html`]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Lay it beside this trace: what became slower or faster? Both may be folders of repeated runs, of which the
    /// first are drawn and all are compared
    #[arg(long, value_name = "BASE")]
    base: Option<PathBuf>,
    /// Bars of the timeline that are kept; of more, short ones near each other become one
    #[arg(long, value_name = "N", default_value_t = report::SPANS)]
    max_spans: usize,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.trace.path()?;
        let quiet = self.trace.quiet;
        let page = self.output.unwrap_or_else(|| path.with_extension("html"));
        let to_stdout = page == Path::new("-");
        if to_stdout && self.open {
            return Err(Usage("--open: only a file can be opened, not -o -".to_owned()).into());
        }
        let work = Work::begin(quiet, "");
        let sides = match &self.base {
            Some(base) => Some((Side::of(&path, &work)?, Side::of(base, &work)?)),
            None => None,
        };
        let opened;
        let trace = match &sides {
            Some((new, _)) => &new.trace,
            None => {
                opened = trace_operand::open(&path, &work)?;
                &opened
            }
        };
        let analysis = Analysis::of(trace);
        let beside = sides.as_ref().map(|(new, base)| {
            let options = compare::Options::default();
            work.goes_on("comparing");
            let comparison = Comparison::of(&base.runs, &new.runs, &options);
            (Analysis::of(&base.trace), comparison)
        });
        drop(work);
        let options = report::Options {
            spans: self.max_spans,
            base: beside.as_ref().map(|(analysis, comparison)| report::Base {
                analysis,
                comparison,
            }),
        };
        if let (Some(base), Some((_, comparison))) = (&self.base, &beside) {
            note_complaints(base, comparison);
        }
        if trace.processes.is_empty() {
            anyhow::bail!(
                "{}: expected a trace of a command, found no program in it: its recorder was killed before one was \
                 written, or the file was cut",
                path.display()
            );
        }
        let mut output = Output::to(Some(&page))?;
        let work = Work::writing(quiet, &output);
        let unreadable_blocks = report::write(&analysis, options, &mut output)?;
        output.finish()?;
        drop(work);
        gaps::note(&analysis, unreadable_blocks);
        if !to_stdout && !quiet {
            output::note(&format!("wrote {}", page.display()));
        }
        if self.open {
            open(&page)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says why two cannot be compared, where they cannot.
fn note_complaints(base: &Path, comparison: &Comparison) {
    for complaint in comparison.complaints().map(change::fact) {
        output::note(&format!(
            "cannot be compared with {}: {complaint}",
            base.display()
        ));
    }
}

/// A side of a comparison: its runs, and the first of their traces, which is drawn.
struct Side {
    runs: Vec<Run>,
    trace: Trace,
}

impl Side {
    fn of(path: &Path, work: &Work) -> anyhow::Result<Self> {
        let group = TraceGroup::at(path)?;
        let first = group.open(work).next();
        Ok(Self {
            trace: first.with_context(|| format!("{}: no trace", path.display()))??,
            runs: group.runs(work)?,
        })
    }
}

/// Has the system show a page in the user's browser.
fn open(page: &Path) -> anyhow::Result<()> {
    let opener = opener(std::env::consts::OS);
    let cannot = || format!("{opener}: cannot open {}", page.display());
    let status = Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .status()
        .with_context(cannot)?;
    anyhow::ensure!(status.success(), "{}: {status}", cannot());
    Ok(())
}

/// The program that opens files with whatever the user has for them.
fn opener(os: &str) -> &'static str {
    match os {
        "macos" => "open",
        _ => "xdg-open",
    }
}
