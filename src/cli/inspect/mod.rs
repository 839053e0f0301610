//! `gotrace inspect`: what an executable is, what it imports, and whether a Mac would take it.

mod process;

use super::exit::NOT_PERMITTED;
use super::input;
use super::output::{self, Output};
use crate::analyze::Inspection;
use crate::analyze::inspect::Wanted;
use crate::analyze::inspect::placement::Loaded;
use crate::analyze::inspect::symbols::{self, Asked, DebugFile};
use crate::environment::Refusal;
use crate::export::json;
use crate::render::text::inspect as text;
use crate::symbolize::{Contents, debug_file};
use crate::trace::Avma;
use anyhow::Context as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Looks into executables: what they are, what they import, whether a Mac takes them.
///
/// Mach-O and ELF files, libraries and archives, on any system.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Executables, libraries, objects, archives
    #[arg(required_unless_present = "at_runtime", value_name = "FILE")]
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
    /// Show instead where everything is when the first byte of the file was loaded at ADDR, as crash
    /// reports tell it (0x...), or was moved by a slide (+0x...); --lookup then takes actual addresses
    #[arg(
        long,
        value_name = "ADDR",
        value_parser = loaded,
        conflicts_with_all = ["check", "bindings", "commands", "symbols"]
    )]
    slide: Option<Loaded>,
    /// Show instead where the images of a running process are, and whether one slide explains all
    /// segments of each: of all, or of the FILEs; exit code 1 where none does; Linux
    #[arg(
        long,
        value_name = "PID",
        conflicts_with_all = ["check", "bindings", "commands", "symbols", "slide"]
    )]
    at_runtime: Option<u32>,
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
        let (inspected, unread) = match self.at_runtime {
            None => self.of_files(wanted),
            Some(pid) => match self.of_process(pid, wanted)? {
                Ok(inspected) => (inspected, Ok(())),
                Err(refusal) => {
                    output::note(&refusal.to_string());
                    output::hint(&refusal.remedy);
                    return Ok(ExitCode::from(NOT_PERMITTED));
                }
            },
        };
        let unread = match unread {
            Err(error) if inspected.is_empty() => return Err(error),
            unread => unread,
        };
        let mut output = Output::stdout();
        if self.json {
            json::inspect(&inspected, self.bindings, &mut output)?;
        } else {
            self.write(&inspected, &mut output)?;
        }
        output.finish()?;
        unread?;
        let broken = |(_, found): &(String, Inspection)| found.has_errors() || found.is_misplaced();
        let broken = inspected.iter().any(broken);
        // Where addresses are looked up, images without them are left out.
        let unmapped = self.at_runtime.is_some() && self.lookup.is_empty();
        let unmapped = unmapped && inspected.len() < self.files.len();
        let missing = !(0..self.lookup.len()).all(|number| is_found(&inspected, number));
        Ok(ExitCode::from(u8::from(broken || missing || unmapped)))
    }

    /// The files that can be read. The error is of the last one that cannot be; those before it are said.
    fn of_files(&self, wanted: Wanted) -> (Vec<(String, Inspection)>, anyhow::Result<()>) {
        let mut inspected = Vec::new();
        let mut unread = Ok(());
        for path in &self.files {
            match self.read(path, wanted) {
                Ok(found) => inspected.push(found),
                Err(error) => {
                    if let Err(earlier) = std::mem::replace(&mut unread, Err(error)) {
                        output::note(&format!("{earlier:#}"));
                    }
                }
            }
        }
        (inspected, unread)
    }

    fn read(&self, path: &Path, wanted: Wanted) -> anyhow::Result<(String, Inspection)> {
        let named = path.display().to_string();
        let bytes = input::open(path).and_then(Contents::of);
        let bytes = bytes.with_context(|| format!("{named}: cannot read"))?;
        let mut found = Inspection::of(&bytes, wanted).with_context(|| bad(&named))?;
        if let Some(slide) = self.slide {
            found.place(|stated| stated.loaded(slide));
        }
        self.look_up(&mut found, path, &bytes)?;
        Ok((named, found))
    }

    /// The images of a process; what of them could not be read is said.
    fn of_process(
        &self,
        pid: u32,
        wanted: Wanted,
    ) -> anyhow::Result<Result<Vec<(String, Inspection)>, Refusal>> {
        let (images, unread) = match process::images(pid, &self.files, &self.lookup) {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        for why in unread {
            output::note(&why);
        }
        let mut inspected = Vec::new();
        for image in images {
            let named = image.path.display().to_string();
            let mut found = match Inspection::of(&image.contents, wanted) {
                Ok(found) => found,
                Err(error) => {
                    output::note(&format!("{named}: {error}"));
                    continue;
                }
            };
            image.place(&mut found);
            self.look_up(&mut found, &image.path, &image.contents)?;
            inspected.push((named, found));
        }
        Ok(Ok(inspected))
    }

    fn look_up(&self, found: &mut Inspection, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        if !self.symbols && self.lookup.is_empty() {
            return Ok(());
        }
        let debug = debug_file(bytes, path);
        let debug = debug
            .as_ref()
            .map(|(path, data)| (path.display().to_string(), data));
        let debug = debug
            .as_ref()
            .map(|(named, data)| DebugFile { named, data });
        symbols::add(found, bytes, debug, self.symbols, &self.lookup)
            .with_context(|| bad(&path.display().to_string()))
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
            if self.slide.is_some() || self.at_runtime.is_some() {
                text::placement(named, found, &page, output)?;
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

fn bad(named: &str) -> String {
    format!("{named}: no executable that is read")
}

/// An address, where it begins as one does; else a name.
fn asked(word: &str) -> Result<Asked, String> {
    match word.strip_prefix("0x") {
        Some(digits) => hexadecimal(digits).map(Asked::Address),
        None => Ok(Asked::Name(word.to_owned())),
    }
}

/// An address, or with a sign a slide.
fn loaded(word: &str) -> Result<Loaded, String> {
    match (word.strip_prefix("+0x"), word.strip_prefix("0x")) {
        (Some(digits), _) => hexadecimal(digits).map(Loaded::Slide),
        (None, Some(digits)) => hexadecimal(digits).map(|address| Loaded::At(Avma(address))),
        (None, None) => Err("expected an address (0x...) or a slide (+0x...)".to_owned()),
    }
}

fn hexadecimal(digits: &str) -> Result<u64, String> {
    u64::from_str_radix(digits, 16)
        .map_err(|error| format!("expected 0x and a number in hexadecimal: {error}"))
}

/// Whether a table of any slice of any file knows what was asked for.
fn is_found(inspected: &[(String, Inspection)], number: usize) -> bool {
    let slices = inspected.iter().flat_map(|(_, found)| &found.slices);
    let mut lookups = slices.filter_map(|slice| slice.symbols.as_ref()?.lookups.get(number));
    lookups.any(|lookup| !lookup.answers.is_empty())
}
