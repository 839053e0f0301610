//! `gotrace bindings`.

use super::exit::{self, Usage};
use super::gaps;
use super::output::Output;
use super::selection::Programs;
use super::status::Work;
use super::trace_operand::{self, TraceOperand};
use crate::analyze::bindings::{Difference, GroupBy};
use crate::analyze::{Analysis, Filter};
use crate::export::json;
use crate::render::text::bindings as text;
use crate::trace::Trace;
use anyhow::anyhow;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rows without `--top`.
const TOP: usize = 20;

/// Shows dynamic linking: loads, binds, and what they took.
///
/// Recorded by `gotrace run --bindings`. Eager binds are made when an image is loaded, lazy ones at the
/// first call; derived ones no loader tells of: they are worked out from what files ask for and the order
/// of loads. What an image took is an estimate: the time of relocation of its program, shared out by
/// relocations. docs/dynamic-linking.md has what is recorded on each system, and what cannot be.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// What the rows are about
    #[arg(long, value_name = "WHAT", value_parser = by(), default_value = "process")]
    by: GroupBy,
    /// Only binds at first calls; not with `--by search` and `--by finding`
    #[arg(long)]
    lazy: bool,
    /// Another trace: show which binds one of the two has and the other has not
    #[arg(long, value_name = "OTHER", conflicts_with_all = ["by", "process", "from", "to"])]
    base: Option<PathBuf>,
    /// Rows to show, the largest; 0 for all [default: 20]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Write JSON (docs/json-schema.md); without `--top`, all rows
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    programs: Programs,
}

fn by() -> impl clap::builder::TypedValueParser<Value = GroupBy> {
    PossibleValuesParser::new(GroupBy::ALL.map(GroupBy::name)).try_map(|name| {
        let found = GroupBy::ALL.into_iter().find(|by| by.name() == name);
        found.ok_or("not something to group by")
    })
}

/// Refuses to compare with what was not recorded. A recorder that watches loaders tells at least which
/// programs had none to watch.
fn has_binds(path: &Path, trace: &Trace) -> anyhow::Result<()> {
    if trace.binding_count() > 0 || !trace.loads.is_empty() || !trace.interpreters.is_empty() {
        return Ok(());
    }
    let error = anyhow!(
        "{}: no loads and no binds in this trace, so there is nothing to compare",
        path.display()
    );
    Err(exit::hinted(
        error,
        "gotrace run --bindings -- COMMAND records them",
    ))
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.lazy && !self.by.counts_binds() {
            let by = self.by.name();
            let words = format!("--lazy chooses binds, and --by {by} does not count binds");
            return Err(Usage(words).into());
        }
        let path = self.trace.path()?;
        let work = Work::begin(self.trace.quiet, "");
        let trace = trace_operand::open(&path, &work)?;
        let analysis = Analysis::of(&trace);
        let filter = self.programs.filter(&analysis)?;
        if let Some(base_path) = &self.base {
            let base = trace_operand::open(base_path, &work)?;
            has_binds(base_path, &base)?;
            has_binds(&path, &trace)?;
            drop(work);
            return self.difference(&Analysis::of(&base), &analysis, &filter);
        }
        let bindings = analysis.bindings(&filter, self.lazy);
        drop(work);
        let mut output = Output::stdout();
        let page = output.page();
        if self.json {
            json::bindings(&analysis, &bindings, self.by, self.top(), &mut output)?;
        } else if trace.loads.is_empty() && trace.binding_count() == 0 {
            text::nothing(&bindings, &page, &mut output)?;
        } else {
            text::write(&bindings, self.by, self.top(), &page, &mut output)?;
        }
        output.finish()?;
        gaps::note(&analysis, bindings.unreadable_blocks);
        Ok(ExitCode::SUCCESS)
    }

    fn difference(
        &self,
        base: &Analysis<'_>,
        new: &Analysis<'_>,
        filter: &Filter,
    ) -> anyhow::Result<ExitCode> {
        let found = Difference::of((base, filter), (new, filter), self.lazy);
        let mut output = Output::stdout();
        let page = output.page();
        if self.json {
            json::bindings_difference((base, new), &found, self.top(), &mut output)?;
        } else {
            text::difference(&found, self.top(), &page, &mut output)?;
        }
        output.finish()?;
        for analysis in [base, new] {
            gaps::note(analysis, 0);
        }
        Ok(ExitCode::SUCCESS)
    }

    const fn top(&self) -> usize {
        match (self.top, self.json) {
            (Some(0), _) | (None, true) => usize::MAX,
            (Some(top), _) => top,
            (None, false) => TOP,
        }
    }
}
