//! `gotrace inspect`: what an executable is, what it imports, and whether a Mac would take it.

use super::output::Output;
use crate::analyze::Inspection;
use crate::analyze::inspect::Wanted;
use crate::export::json;
use crate::render::text::inspect as text;
use anyhow::Context as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Looks into Mach-O and ELF files, libraries and archives; works on any system.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Executables, libraries, objects, archives
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check the rules of macOS instead: stubs, segments, signature; exit code 1 where one is broken
    #[arg(long)]
    check: bool,
    /// Show instead what each import is bound to: library, slot, stub
    #[arg(long, conflicts_with = "check")]
    bindings: bool,
    /// Show the load commands, too
    #[arg(long, conflicts_with_all = ["check", "bindings"])]
    commands: bool,
    /// Write JSON (docs/json-schema.md): all facts, and with --check and --bindings those as well
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let wanted = Wanted {
            bindings: self.bindings,
            findings: self.check,
        };
        let inspected = self.files.iter().map(|path| {
            let named = path.display().to_string();
            Ok((named, inspect(path, wanted)?))
        });
        let inspected: Vec<(String, Inspection)> = inspected.collect::<anyhow::Result<_>>()?;
        let mut output = Output::stdout();
        if self.json {
            json::inspect(&inspected, self.bindings, &mut output)?;
        } else {
            self.write(&inspected, &mut output)?;
        }
        output.finish()?;
        let broken = inspected.iter().any(|(_, found)| found.has_errors());
        Ok(ExitCode::from(u8::from(broken)))
    }

    fn write(&self, files: &[(String, Inspection)], output: &mut Output) -> anyhow::Result<()> {
        let page = output.page();
        for (at, (named, found)) in files.iter().enumerate() {
            if self.check {
                text::findings(named, found, &page, output)?;
                continue;
            }
            if at > 0 {
                writeln!(output)?;
            }
            if self.bindings {
                text::bindings(named, found, &page, output)?;
                continue;
            }
            text::file(named, found, &page, output)?;
            if self.commands {
                text::commands(found, &page, output)?;
            }
        }
        Ok(())
    }
}

fn inspect(path: &Path, wanted: Wanted) -> anyhow::Result<Inspection> {
    let named = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("{named}: cannot read"))?;
    Inspection::of(&bytes, wanted).with_context(|| format!("{named}: no executable that is read"))
}
