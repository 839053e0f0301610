//! `gotrace calls`.

use super::gaps;
use super::output::{self, Output};
use super::selection::Programs;
use super::trace_operand::TraceOperand;
use crate::analyze::calls::{
    self, GroupBy, Merged, PathChoice, Recorded, Slowest, Statistics, Walked,
};
use crate::analyze::{Analysis, Filter, call_tree};
use crate::export::json;
use crate::render::text::calls as text;
use crate::trace::{StringId, Trace};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use std::io;
use std::process::ExitCode;

/// Rows without `--top`.
const TOP: usize = 20;

/// Shows the calls of watched functions.
///
/// How many there were, and how long they took. Total is the time within calls of a function that are not within another call of it; self
/// is that without the other recorded calls which they made. Calls that were under way at the
/// end are open; those that a panic or `runtime.Goexit` ended are unwound. A function that was given
/// up for what it cost (`run --max-tax`) has only the calls until then. Of calls that were added up as they were
/// recorded (`run --call-mode aggregate`) single ones are not known: a dash stands for the shortest, the longest,
/// and what is between.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// Whose calls stand in a row of their own
    #[arg(long, value_name = "WHAT", value_parser = by(), default_value = "function")]
    by: GroupBy,
    /// Show functions of probe sets, too, where others were named
    #[arg(long)]
    sets: bool,
    /// Show calls below those that made them
    #[arg(long, conflicts_with_all = ["by", "slowest"])]
    tree: bool,
    /// Show the N longest calls, with their arguments and the calls around them
    #[arg(long, value_name = "N", conflicts_with = "by")]
    slowest: Option<usize>,
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

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let trace = self.trace.open()?;
        let analysis = Analysis::of(&trace);
        let filter = Filter {
            named: !self.sets && analysis.has_named_functions(),
            ..self.programs.filter(&analysis)?
        };
        let only_named = filter.named && !self.json;
        let mut output = Output::stdout();
        let (walked, merged) = if self.tree {
            self.write_tree(&analysis, filter, &mut output)?
        } else if let Some(most) = self.slowest {
            let walked = self.write_slowest(&analysis, &filter, most, &mut output)?;
            (walked, Merged::default())
        } else {
            let walked = self.write_functions(&analysis, &filter, &mut output)?;
            (walked, Merged::default())
        };
        output.finish()?;
        if let Some(words) = text::merged(merged) {
            output::note(&format!(
                "{words}: gotrace export --format csv --table call_trees has each"
            ));
        }
        self.say(&trace, only_named, walked);
        gaps::note(&analysis, walked.unreadable_blocks);
        Ok(ExitCode::SUCCESS)
    }

    /// How many rows are wanted.
    fn rows(&self) -> usize {
        match (self.top, self.json) {
            (Some(0), _) | (None, true) => usize::MAX,
            (Some(top), _) => top,
            (None, false) => TOP,
        }
    }

    fn write_tree(
        &self,
        analysis: &Analysis<'_>,
        filter: Filter,
        output: &mut Output,
    ) -> io::Result<(Walked, Merged)> {
        let options = call_tree::Options {
            filter,
            ..call_tree::Options::default()
        };
        let stay = PathChoice::Longest(calls::MOST_PATHS);
        let (tree, walked) = calls::tree(analysis, &options, stay);
        let page = output.page();
        let filter = &options.filter;
        if self.json {
            json::tree_of_calls(analysis, &tree, walked, self.rows(), output)?;
        } else if text::is_empty(&tree) {
            text::nothing(analysis.trace, filter, &page, output)?;
        } else {
            text::tree(&tree, self.rows(), &page, output)?;
        }
        Ok((walked, tree.merged))
    }

    fn write_slowest(
        &self,
        analysis: &Analysis<'_>,
        filter: &Filter,
        most: usize,
        output: &mut Output,
    ) -> io::Result<Walked> {
        let slowest = Slowest::of(analysis, filter, most);
        let page = output.page();
        if self.json {
            json::slowest_calls(analysis, &slowest, output)?;
        } else if slowest.calls.is_empty() && slowest.walked.added_up > 0 {
            text::nothing_single(filter, &page, output)?;
        } else if slowest.calls.is_empty() {
            text::nothing(analysis.trace, filter, &page, output)?;
        } else {
            text::slowest(&slowest, &page, output)?;
        }
        Ok(slowest.walked)
    }

    fn write_functions(
        &self,
        analysis: &Analysis<'_>,
        filter: &Filter,
        output: &mut Output,
    ) -> io::Result<Walked> {
        let statistics = Statistics::of(analysis, filter, self.by);
        let page = output.page();
        if self.json {
            json::calls(analysis, &statistics, self.by, self.rows(), output)?;
        } else if statistics.rows.is_empty() {
            text::nothing(analysis.trace, filter, &page, output)?;
        } else {
            text::statistics(&statistics, self.by, self.rows(), &page, output)?;
        }
        Ok(statistics.walked)
    }

    /// What there is to say beside the figures.
    fn say(&self, trace: &Trace, only_named: bool, walked: Walked) {
        if only_named {
            let probes = trace.probes.iter();
            let sets = probes.filter(|probe| probe.set != StringId::EMPTY).count();
            if let Some(words) = text::sets_left_out(sets) {
                output::note(&words);
            }
        }
        if !self.json {
            let slowest = self.slowest.and_then(|_| text::no_single_calls(trace));
            let recorded = Recorded::of(trace);
            let recorded =
                recorded.map(|how| format!("calls: {}", text::recorded(&how).join(", ")));
            let notes = [recorded, slowest.map(str::to_owned)];
            notes.iter().flatten().for_each(|words| output::note(words));
        }
        if let Some(words) = text::cut(walked.cut) {
            output::note(&words);
        }
        let recorded = trace.call_count() > 0 || trace.call_tree_count() > 0;
        let has_times = !self.json && recorded;
        if let Some(words) = has_times.then(|| text::cost_of_recording(trace)).flatten() {
            output::note(&words);
        }
        if let Some(words) = text::caveat(walked) {
            output::note(&words);
        }
    }
}
