//! `gotrace run`.

use super::config::{self, Key};
use super::doctor;
use super::exit::NOT_STARTED;
use super::output;
use super::probing;
use super::recording;
use super::status::{Status, Work};
use anyhow::Context as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::analyze::Analysis;
use crate::capture::session::{self, Options, Recording, Session};
use crate::capture::slice::Slice;
use crate::capture::{Name, Progress, Request, Selection, chain};
use crate::render::text::summary;
use crate::symbolize;
use crate::trace::file::Writer;
use crate::trace::{ExitStatus, Trace};

/// Runs a command and records where its time goes.
///
/// The command has gotrace's own terminal, standard input and output, working directory and
/// environment, with GOFLAGS extended; gotrace ends with its exit code. What gotrace itself has
/// to say goes to standard error.
#[derive(Debug, clap::Args)]
#[command(override_usage = "gotrace run [OPTIONS] [--] COMMAND [ARGUMENT]...")]
pub(super) struct Args {
    /// Trace file to write, replaced if it is a trace [default: a new one in the folder of traces]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How to watch: auto, or a comma list of bpf, mach, toolexec, patch, audit, dyldlog and dtrace [default: auto]
    #[arg(long, value_name = "NAMES")]
    backend: Option<Selection>,
    /// Stack samples a second and core (backends bpf, mach and dtrace), 0 for none [default: 199]
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(..=10_000))]
    rate: Option<u32>,
    /// Record the stacks of waiting threads, too (backend bpf); =no overrides a gotrace.toml
    #[arg(long, value_name = "no", num_args = 0..=1, require_equals = true, default_missing_value = "yes",
        value_parser = config::switch(), hide_possible_values = true)]
    off_cpu: Option<bool>,
    /// Record the CPU profiles that Go's compiler and linker make of themselves; =force even of
    /// tools that Rosetta 2 translates, which may stall or die of that; =no overrides a gotrace.toml
    #[arg(long, value_name = "force|no", num_args = 0..=1, require_equals = true, default_missing_value = "natively",
        value_parser = ["natively", "force", "no"], hide_possible_values = true)]
    profile: Option<String>,
    /// Record what programs load and bind, too: adds the backend audit, on macOS dyldlog; =no
    /// overrides a gotrace.toml
    #[arg(long, value_name = "no", num_args = 0..=1, require_equals = true, default_missing_value = "yes",
        value_parser = config::switch(), hide_possible_values = true)]
    bindings: Option<bool>,
    /// Which slice of the command to run, of a program for several architectures (macOS): native,
    /// amd64 or arm64 [default: that which the system takes]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Slice>,
    /// Wait for descendants that outlive the command
    #[arg(long)]
    wait: bool,
    /// Say nothing but errors: no status line, no summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    config: config::Wanted,
    #[command(flatten)]
    probes: probing::Probing,
    #[command(flatten)]
    recorded: probing::Recorded,
    /// The command, and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, required = true)]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.config(self.command.first())?;
        let options = self.options(&config)?;
        let progress = Arc::new(Progress::default());
        let mut session = match Session::prepare(options, Arc::clone(&progress)) {
            Ok(session) => session,
            Err(error) => return Ok(refused(&error)),
        };
        session.keep(doctor::findings(&session));
        if !self.quiet {
            say_what_is_missing(&session);
        }
        let anchor = session::clocks();
        let of = recording::Of {
            command: session.command(),
            environment: session.environment(),
            invoker: session.invoker(),
            unix_ns: anchor.unix_ns,
        };
        let writer = match recording::create(self.output.as_deref(), &of, anchor) {
            Ok(writer) => writer,
            Err(recording::Failure::Refused(error)) => return Err(error),
            Err(recording::Failure::NoPlace(error)) => {
                output::note(&format!("{error:#}; the command runs without being traced"));
                return Ok(refused(&session::run_unwatched(&mut session)));
            }
        };
        let path = writer.path().to_owned();
        let status = (!self.quiet)
            .then(|| Status::start(progress, String::new()))
            .flatten();
        let quiet = self.quiet;
        let recorded = session.run(writer, anchor, &|words| {
            if !quiet {
                output::note(words);
            }
        });
        drop(status);
        let recording = match recorded {
            Ok(recording) => recording,
            Err(error) => {
                // A trace of nothing is of no use to anyone.
                drop(std::fs::remove_file(&path));
                return Ok(refused(&error));
            }
        };
        let status = recording.status;
        if let Err(error) = conclude(recording, &path, self.quiet) {
            output::note(&format!("{error:#}"));
        }
        Ok(end_as(status))
    }
}

impl Args {
    /// What is to be recorded, and how: by the command line, else by the configuration.
    fn options(&self, config: &config::Config) -> anyhow::Result<Options> {
        let mut choices = config.choices();
        let profile = self.profile.as_deref().map(|how| how != "no");
        let request = Request {
            rate_hz: choices.rate(self.rate),
            off_cpu: choices.switch(Key::OffCpu, self.off_cpu),
            profile: choices.switch(Key::Profile, profile),
            profile_translated: self.profile.as_deref() == Some("force"),
            bindings: choices.switch(Key::Bindings, self.bindings),
        };
        let selection = choices.backend(self.backend.as_ref());
        let mut watch = self.probes.watch(&mut choices)?;
        watch.mode = self.recorded.mode(&watch, &selection, &mut choices)?;
        Ok(Options {
            command: self.command.clone(),
            selection,
            request,
            watch,
            wait: self.wait,
            slice: self.arch,
            own_path: self.recorded.own_path(),
            redaction: choices.redaction(),
            sources: choices.into_sources(),
            ..Options::default()
        })
    }
}

/// Says on one line what is not used for want of rights, and what would grant them.
pub(super) fn say_what_is_missing(session: &Session) {
    for (name, refusal) in session.refused() {
        let mut used = session.backends();
        used.retain(|name| Name::ALL.iter().any(|known| known.word() == *name));
        let used = match used.as_slice() {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        };
        let remedy = match refusal.remedy.as_str() {
            "" => String::new(),
            remedy => format!("; to change that: {remedy}"),
        };
        output::note(&format!(
            "using {used}, without {name} ({}): {refusal}{remedy}",
            name.gives()
        ));
    }
}

/// Names what was sampled, seals the trace, and shows what it says.
pub(super) fn conclude(recording: Recording, path: &Path, quiet: bool) -> anyhow::Result<()> {
    for complaint in &recording.complaints {
        output::note(&format!("{:#}", chain(complaint)));
    }
    if let Some(failure) = &recording.failure {
        output::note(&format!("{}: the trace is not whole", chain(failure)));
    }
    if !recording.descendants.is_empty() && !quiet {
        let descendants = recording.descendants.iter();
        let names = descendants.map(|(pid, name)| format!("{name} (pid {pid})"));
        let names = names.collect::<Vec<_>>().join(", ");
        output::note(&format!(
            "still running, no longer recorded: {names}; --wait waits for them"
        ));
    }
    let Recording {
        writer,
        files,
        origins,
        ..
    } = recording;
    let mut writer = writer.with_context(|| {
        let path = path.display();
        format!("the recorder failed: {path} holds what it had written")
    })?;
    let work = Work::begin(quiet, "naming functions");
    symbolize::name_frames(&mut writer, &files, &origins)
        .context("names are missing in the trace")?;
    symbolize::gather_needs(&mut writer, &files)
        .context("what files ask of the dynamic loader is missing in the trace")?;
    Writer::finish(writer).context("the trace is not sealed, and what it holds can be read")?;
    drop(work);
    if !quiet {
        summarize(path)?;
        output::note(&format!("recorded {}", path.display()));
    }
    Ok(())
}

/// Shows the summary of a trace on standard error: standard output is the command's.
fn summarize(path: &Path) -> anyhow::Result<()> {
    let work = Work::begin(false, "summing up");
    let trace = Trace::open(path)?;
    let summary = Analysis::of(&trace).summary(summary::ROWS);
    drop(work);
    let mut text = Vec::new();
    summary::write(&summary, &output::error_page(), &mut text)?;
    output::text(&text);
    Ok(())
}

/// Prints why the command was not run, for the exit code that goes with it.
pub(super) fn refused(error: &session::Error) -> ExitCode {
    say_refusal(error);
    ExitCode::from(error.exit_code())
}

/// Prints why the command was not run.
pub(super) fn say_refusal(error: &session::Error) {
    output::note(&chain(error));
    if let Some(hint) = error.hint() {
        output::hint(hint);
    }
}

/// The command's own end is gotrace's.
fn end_as(status: ExitStatus) -> ExitCode {
    match status {
        ExitStatus::Code(code) => ExitCode::from(code.to_le_bytes()[0]),
        ExitStatus::Signal(signal) => session::die_of(signal),
        ExitStatus::Replaced | ExitStatus::Unknown => ExitCode::from(NOT_STARTED),
    }
}
