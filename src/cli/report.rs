//! `gotrace report`.

use super::exit::Usage;
use super::gaps;
use super::output::{self, Output};
use super::trace_operand::{self, TraceOperand};
use crate::analyze::Analysis;
use crate::render::report;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Writes a trace as a page to walk through: timeline, critical path, costs, environment (HTML, one file).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    trace: TraceOperand,
    /// HTML file to write; `-` is standard output [default: beside the trace, with `.html`]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.trace.path()?;
        let page = self.output.unwrap_or_else(|| path.with_extension("html"));
        let to_stdout = page == Path::new("-");
        if to_stdout && self.open {
            return Err(Usage("--open: only a file can be opened, not -o -".to_owned()).into());
        }
        let trace = trace_operand::open(&path)?;
        let analysis = Analysis::of(&trace);
        let mut output = Output::to(Some(&page))?;
        let unreadable_blocks =
            report::write(&analysis, &mut output).context("cannot write the report")?;
        output.finish()?;
        gaps::note(&analysis, unreadable_blocks);
        if !to_stdout {
            output::note(&format!("wrote {}", page.display()));
        }
        if self.open {
            open(&page)?;
        }
        Ok(ExitCode::SUCCESS)
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
