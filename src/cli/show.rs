//! `gotrace show`.

use super::gaps;
use super::output::Output;
use super::selection::Samples;
use super::trace_operand::TraceOperand;
use crate::analyze::{Analysis, By};
use crate::export::json;
use crate::render::text::{ranking, summary};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use std::process::ExitCode;

/// Rows of a table without `--top`.
const TOP: usize = 20;

/// Shows a trace as tables.
///
/// Without `--by`, the summary that `run` prints. In tables, waiting is the least time that no thread of a
/// program ran or was ready to, and no child of it lived. Threads that ran side by side hide it, so - does
/// not say that there was none (docs/json-schema.md, `waiting_ns`).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// What the rows are about
    #[arg(long, value_name = "WHAT", value_parser = by())]
    by: Option<By>,
    /// Rows to show, the largest; 0 for all [default: 20]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Write JSON (docs/json-schema.md); without `--by`, by package; without `--top`, all rows
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    samples: Samples,
}

fn by() -> impl clap::builder::TypedValueParser<Value = By> {
    PossibleValuesParser::new(By::ALL.map(By::name)).try_map(|name| {
        let found = By::ALL.into_iter().find(|by| by.name() == name);
        found.ok_or("not something to rank by")
    })
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let by = self.by.or(self.json.then_some(By::Package));
        self.samples.only_where_they_choose(by)?;
        let trace = self.trace.open()?;
        let analysis = Analysis::of(&trace);
        let filter = self.samples.filter(&analysis)?;
        let mut output = Output::stdout();
        let page = output.page();
        let all_for_zero = |top: usize| (top > 0).then_some(top);
        // What was lost stands in JSON and in the summary, not in tables.
        let mut unreadable_blocks = None;
        match (self.json, by) {
            (true, Some(by)) => {
                let top = self.top.and_then(all_for_zero);
                json::show(&analysis, by, &filter, top, &mut output)
            }
            (false, Some(by)) => {
                let top = all_for_zero(self.top.unwrap_or(TOP));
                let unread = ranking::write(&analysis, by, &filter, top, &page, &mut output);
                unread.map(|blocks| unreadable_blocks = (by != By::Gap).then_some(blocks))
            }
            (_, None) => {
                let summary = analysis.summary(summary::ROWS);
                summary::write(&summary, &page, &mut output)
            }
        }?;
        output.finish()?;
        if let Some(blocks) = unreadable_blocks {
            gaps::note(&analysis, blocks);
        }
        Ok(ExitCode::SUCCESS)
    }
}
