//! `gotrace inspect`: what an executable is, what it imports, and whether a Mac would take it.

use super::output::Output;
use crate::analyze::Inspection;
use crate::analyze::inspect::Wanted;
use crate::analyze::inspect::symbols::{self, Asked, DebugFile};
use crate::binary::Svma;
use crate::export::json;
use crate::render::text::inspect as text;
use crate::symbolize::{Contents, debug_file};
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
    /// List functions and variables instead, with file, line and the tables that name them: Go's own,
    /// symbols, DWARF (of a dSYM and of debug packages, too), exports, function starts
    #[arg(long, conflicts_with_all = ["check", "bindings", "commands"])]
    symbols: bool,
    /// Say instead what is at an address of the file (0x...), or where a name is, by each of these
    /// tables; exit code 1 where none knows
    #[arg(
        long,
        value_name = "ADDR|NAME",
        value_parser = asked,
        conflicts_with_all = ["check", "bindings", "commands", "symbols"]
    )]
    lookup: Vec<Asked>,
    /// Write JSON (docs/json-schema.md): all facts, and with the options above what they ask for as well
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
            Ok((named, self.inspect(path, wanted)?))
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
        let missing = !(0..self.lookup.len()).all(|number| is_found(&inspected, number));
        Ok(ExitCode::from(u8::from(broken || missing)))
    }

    fn inspect(&self, path: &Path, wanted: Wanted) -> anyhow::Result<Inspection> {
        let named = path.display();
        let bytes = Contents::open(path).with_context(|| format!("{named}: cannot read"))?;
        let bad = || format!("{named}: no executable that is read");
        let mut found = Inspection::of(&bytes, wanted).with_context(bad)?;
        if self.symbols || !self.lookup.is_empty() {
            let debug = debug_file(&bytes, path);
            let debug = debug
                .as_ref()
                .map(|(path, data)| (path.display().to_string(), data));
            let debug = debug
                .as_ref()
                .map(|(named, data)| DebugFile { named, data });
            symbols::add(&mut found, &bytes, debug, self.symbols, &self.lookup)
                .with_context(bad)?;
        }
        Ok(found)
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
            if self.symbols {
                text::symbols(named, found, &page, output)?;
                continue;
            }
            if !self.lookup.is_empty() {
                text::lookups(named, found, &page, output)?;
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

/// An address, where it begins as one does; else a name.
fn asked(word: &str) -> Result<Asked, String> {
    let Some(digits) = word.strip_prefix("0x") else {
        return Ok(Asked::Name(word.to_owned()));
    };
    let address = u64::from_str_radix(digits, 16);
    let address =
        address.map_err(|error| format!("expected 0x and an address in hexadecimal: {error}"));
    address.map(|address| Asked::Address(Svma(address)))
}

/// Whether a table of any slice of any file knows what was asked for.
fn is_found(inspected: &[(String, Inspection)], number: usize) -> bool {
    let slices = inspected.iter().flat_map(|(_, found)| &found.slices);
    let mut lookups = slices.filter_map(|slice| slice.symbols.as_ref()?.lookups.get(number));
    lookups.any(|lookup| !lookup.answers.is_empty())
}
