//! `gotrace import`.

use super::output;
use super::recording::{self, Failure};
use super::status::Work;
use crate::capture::{Environment, session};
use crate::environment::invoker::invoker;
use crate::import::{Foreign, Format, Imported};
use crate::render::units;
use crate::symbolize::{self, Contents};
use crate::trace::file::Writer;
use anyhow::Context as _;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Makes a trace of what another tool recorded: perf.data, folded stacks.
///
/// All of gotrace's views show it then. Of perf.data: programs, mapped files, samples and what was lost, named by the files of this machine
/// that have its build ids. Of folded stacks: the stacks. Actions of a build are in neither.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File to read; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Trace file to write, replaced if it is a trace [default: a new one in the folder of traces]
    #[arg(short, long, value_name = "TRACE")]
    output: Option<PathBuf>,
    /// Say nothing but errors: no status line
    #[arg(short, long)]
    quiet: bool,
    /// What FILE is
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    format: Kind,
}

/// What can be imported.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// perf.data where it begins as such, else folded stacks
    Auto,
    /// What `perf record` writes, to a file or to a pipe
    Perf,
    /// Folded stacks: `main;work 12`, as flamegraph tools read them
    Folded,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = if self.file == Path::new("-") {
            Path::new("/dev/stdin")
        } else {
            &self.file
        };
        let name = self.file.display();
        let work = Work::begin(self.quiet, &format!("importing {name}"));
        let file = super::input::open(path).and_then(Contents::of);
        let bytes = file.with_context(|| format!("{name}: cannot read"))?;
        let format = match self.format {
            Kind::Auto => None,
            Kind::Perf => Some(Format::Perf),
            Kind::Folded => Some(Format::Folded),
        };
        let foreign = Foreign::open(&bytes, format).with_context(|| name.to_string())?;
        let mut writer = self.create(&foreign)?;
        let trace = writer.path().to_owned();
        let imported = match write(&foreign, &mut writer, &work).and_then(|imported| {
            writer.finish()?;
            Ok(imported)
        }) {
            Ok(imported) => imported,
            Err(error) => {
                // A part of a recording is taken for the whole.
                drop(std::fs::remove_file(&trace));
                return Err(error.context(name.to_string()));
            }
        };
        drop(work);
        let samples = match foreign.format() {
            Format::Perf => units::counted(imported.samples, "sample", "samples"),
            Format::Folded => units::counted(imported.samples, "stack", "stacks"),
        };
        if !self.quiet {
            output::note(&format!("imported {samples} into {}", trace.display()));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn create(&self, foreign: &Foreign<'_>) -> anyhow::Result<Writer> {
        let environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        if let Some(path) = &self.output {
            return Ok(recording::at(path, invoker.as_ref(), foreign.anchor())?);
        }
        let of = recording::Of {
            command: &[OsString::from("import")],
            environment: &environment,
            invoker: invoker.as_ref(),
            unix_ns: session::clocks().unix_ns,
        };
        recording::create(None, &of, foreign.anchor()).map_err(|failure| {
            let (Failure::Refused(error) | Failure::NoPlace(error)) = failure;
            error
        })
    }
}

/// Writes the trace, and the names of its frames.
fn write(foreign: &Foreign<'_>, writer: &mut Writer, work: &Work) -> anyhow::Result<Imported> {
    let imported = foreign.write(writer)?;
    if foreign.format() == Format::Perf {
        work.goes_on("naming functions");
        symbolize::name_imported(writer)?;
    }
    Ok(imported)
}
