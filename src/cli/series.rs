//! A series of runs of one command: what `repeat` and `experiment` have in common.

use super::config::{self, Key};
use super::doctor;
use super::exit::NOT_PERMITTED;
use super::output;
use super::probing;
use super::recording;
use super::run::{self, say_what_is_missing};
use super::status::{self, Status};
use super::trace_operand::EXTENSION;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capture::repeat::{Configuration, PrivateFolder, Turn, turns};
use crate::capture::session::{self, Options, Session};
use crate::capture::slice::Slice;
use crate::capture::{Change, Environment, Progress, Request, Selection, Signals};
use crate::environment::invoker::{Invoker, invoker};
use crate::render::{text, units};
use crate::trace::{ExitStatus, Nanos};

/// The exit code of a series that was interrupted: 128 + SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

/// Options of a series.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Repeating {
    /// Runs of each configuration
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) runs: u32,
    /// Give each run an empty build cache of its own, which is removed after it
    #[arg(long)]
    pub(super) cold: bool,
    /// Runs of each configuration before those that are kept
    #[arg(long, value_name = "K", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(..=1_000))]
    warm_up: u32,
    /// Folder for the traces, new or empty [default: a new one in the folder of traces]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// How to watch: auto, or a comma list of bpf, mach, toolexec, patch, audit, dyldlog and dtrace [default: auto]
    #[arg(long, value_name = "NAMES")]
    backend: Option<Selection>,
    /// Stack samples a second and core (backends bpf, mach and dtrace), 0 for none [default: 199]
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(..=10_000))]
    rate: Option<u32>,
    /// Record what programs load and bind, too: adds the backend audit, on macOS dyldlog; =no
    /// overrides a gotrace.toml
    #[arg(long, value_name = "no", num_args = 0..=1, require_equals = true, default_missing_value = "yes",
        value_parser = config::switch(), hide_possible_values = true)]
    bindings: Option<bool>,
    /// Which slice of the command to run, of a program for several architectures (macOS): native,
    /// amd64 or arm64 [default: that which the system takes]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Slice>,
    #[command(flatten)]
    config: config::Wanted,
    /// Go on when the command fails, and keep those runs, too
    #[arg(long)]
    ignore_failure: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// The command, and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, required = true)]
    pub(super) command: Vec<OsString>,
}

impl Repeating {
    /// How each run is to be watched: by the command line, else by the configuration.
    fn watching(&self) -> anyhow::Result<Options> {
        let config = self.config.config(self.command.first())?;
        let mut choices = config.choices();
        Ok(Options {
            selection: choices.backend(self.backend.as_ref()),
            request: Request {
                rate_hz: choices.rate(self.rate),
                bindings: choices.switch(Key::Bindings, self.bindings),
                ..Request::default()
            },
            watch: probing::by_default(&mut choices)?,
            slice: self.arch,
            redaction: choices.redaction(),
            sources: choices.into_sources(),
            ..Options::default()
        })
    }
}

/// A run that is kept.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Which configuration.
    pub(super) configuration: usize,
    /// Its trace.
    pub(super) path: PathBuf,
    /// How long the command took.
    pub(super) wall: Nanos,
    /// The command failed, and the series went on.
    pub(super) failed: bool,
}

/// How a series ended.
#[derive(Debug)]
pub(super) enum End {
    /// All runs were made.
    Whole,
    /// Ctrl-C, or another signal that tells to end.
    Interrupted,
    /// The command failed.
    Failed,
    /// The command could not be run.
    NotRun(u8),
}

impl End {
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Whole => ExitCode::SUCCESS,
            Self::Interrupted => ExitCode::from(INTERRUPTED),
            Self::Failed => ExitCode::FAILURE,
            Self::NotRun(code) => ExitCode::from(*code),
        }
    }
}

/// A series that is ready to be run.
#[derive(Debug)]
pub(super) struct Series<'a> {
    repeating: &'a Repeating,
    configurations: &'a [Configuration],
    /// What each configuration runs.
    pub(super) commands: Vec<Vec<OsString>>,
    environment: Environment,
    invoker: Option<Invoker>,
    /// Held back from gotrace.
    pub(super) signals: Signals,
    /// How each run is watched.
    watching: Options,
    /// Where the traces go.
    pub(super) folder: PathBuf,
    /// Runs that were kept, in the order in which they were made.
    pub(super) runs: Vec<Run>,
    /// Programs that were not linked, for they were up to date, and in how many runs.
    not_linked: BTreeMap<String, usize>,
}

/// What became of one turn.
enum Outcome {
    Kept(Run),
    /// A run that only warmed up.
    Discarded(Nanos),
    Ended(End),
}

impl<'a> Series<'a> {
    /// Makes the folder, and holds signals back from gotrace.
    pub(super) fn prepare(
        repeating: &'a Repeating,
        configurations: &'a [Configuration],
    ) -> anyhow::Result<Self> {
        let watching = repeating.watching()?;
        let mut environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        // Under sudo the traces go to a folder of the user who called it.
        if let (Some(invoker), [command, ..]) = (&invoker, &repeating.command[..]) {
            environment.belong_to(invoker, command);
        }
        let of = recording::Of {
            command: &repeating.command,
            environment: &environment,
            invoker: invoker.as_ref(),
            unix_ns: session::clocks().unix_ns,
        };
        let folder = recording::create_folder(repeating.output.as_deref(), &of)?;
        Ok(Self {
            repeating,
            configurations,
            commands: vec![repeating.command.clone(); configurations.len()],
            watching,
            environment,
            invoker,
            signals: Signals::hold(),
            folder,
            runs: Vec::new(),
            not_linked: BTreeMap::new(),
        })
    }

    /// Makes all runs, until something ends the series. Each that is kept is shown to `each`.
    pub(super) fn run(
        &mut self,
        each: &mut dyn FnMut(&Run) -> anyhow::Result<()>,
    ) -> anyhow::Result<End> {
        let Repeating { runs, warm_up, .. } = *self.repeating;
        let turns = turns(self.configurations.len(), runs, warm_up);
        let begun = Instant::now();
        let mut end = End::Whole;
        for (at, turn) in turns.iter().enumerate() {
            let words = self.words(&turns, at, begun.elapsed());
            match self.turn(*turn, at, &words) {
                Ok(Outcome::Kept(run)) => {
                    self.say(&words, run.wall);
                    each(&run)?;
                    self.runs.push(run);
                }
                Ok(Outcome::Discarded(wall)) => self.say(&words, wall),
                Ok(Outcome::Ended(ended)) => {
                    end = ended;
                    break;
                }
                Err(error) => {
                    self.leave_no_empty_folder();
                    return Err(error);
                }
            }
        }
        self.leave_no_empty_folder();
        self.say_what_was_not_linked();
        Ok(end)
    }

    /// `run 3 of 20, GOGC=50`, and about how long all will take.
    fn words(&self, turns: &[Turn], at: usize, elapsed: Duration) -> String {
        let Some(turn) = turns.get(at) else {
            return String::new();
        };
        let warm_ups = turns.iter().filter(|turn| turn.run.is_none()).count();
        let mut words = match turn.run {
            None => format!("warm-up {} of {warm_ups}", at + 1),
            Some(_) => format!("run {} of {}", at + 1 - warm_ups, turns.len() - warm_ups),
        };
        if self.configurations.len() > 1 {
            words.push_str(", ");
            words.push_str(&self.configurations[turn.configuration].name);
        }
        if at > 0 && status::can_be_shown() {
            let left = elapsed.as_secs_f64() / at as f64 * (turns.len() - at) as f64;
            let left = units::duration(Nanos((left * 1e9) as u64));
            words.push_str(&format!(" (about {left} left)"));
        }
        words
    }

    /// Where no status line is, each run is told of when it is over.
    fn say(&self, words: &str, wall: Nanos) {
        if !self.repeating.quiet && !status::can_be_shown() {
            output::note(&format!("{words}: {}", units::duration(wall)));
        }
    }

    /// A cold run that lacks its link is shorter than one that does not.
    fn say_what_was_not_linked(&self) {
        for (name, runs) in &self.not_linked {
            let runs = units::counted(*runs as u64, "run", "runs");
            output::note(&format!(
                "{name} was not linked in {runs}: its file was up to date, and go links none of those, with an empty cache either"
            ));
            output::hint(&format!(
                "let the command remove it first: sh -c 'rm -f {name} && ...'"
            ));
        }
    }

    /// Makes one run, with a build cache of its own where it is to be cold.
    fn turn(&mut self, turn: Turn, at: usize, words: &str) -> anyhow::Result<Outcome> {
        let cache = self.private_cache()?;
        let outcome = self.turn_with(cache.as_ref(), turn, at, words);
        if let Some(cache) = cache {
            let path = cache.path().to_owned();
            if let Err(error) = cache.remove() {
                let path = path.display();
                output::note(&format!(
                    "{path}: the cache of a run is left there: {error}"
                ));
            }
        }
        outcome
    }

    fn turn_with(
        &mut self,
        cache: Option<&PrivateFolder>,
        turn: Turn,
        at: usize,
        words: &str,
    ) -> anyhow::Result<Outcome> {
        let configuration = &self.configurations[turn.configuration];
        let progress = Arc::new(Progress::default());
        let options = self.options(configuration, turn, at, cache);
        let prepared = Session::prepare_under(options, Arc::clone(&progress), self.signals.clone());
        let mut session = match prepared {
            Ok(session) => session,
            Err(error) => return Ok(Outcome::Ended(not_run(&error))),
        };
        // Ctrl-C between two runs.
        if self.signals.told_to_end() {
            return Ok(Outcome::Ended(End::Interrupted));
        }
        session.keep(doctor::findings(&session));
        let quiet = self.repeating.quiet;
        if at == 0 && !quiet {
            say_what_is_missing(&session);
        }
        let path = self.path(configuration, turn);
        let anchor = session::clocks();
        let writer = recording::create_in_series(&path, self.invoker.as_ref(), anchor)?;
        let status = (!quiet).then(|| Status::start(progress, words.to_owned()));
        let recorded = session.run(writer, anchor, &|words| {
            if at == 0 && !quiet {
                output::note(words);
            }
        });
        drop(status);
        let recording = match recorded {
            Ok(recording) => recording,
            Err(error) => {
                drop(fs::remove_file(&path));
                return Ok(Outcome::Ended(not_run(&error)));
            }
        };
        if recording.interrupted {
            // What was cut short is no run to compare with.
            drop(fs::remove_file(&path));
            return Ok(Outcome::Ended(End::Interrupted));
        }
        if let Some((pid, name)) = recording.descendants.first() {
            let name = text::safe(name);
            let why = "and runs beside the next runs";
            output::note(&format!(
                "{words}: {name} (pid {pid}) outlived the command, {why}"
            ));
        }
        let (wall, ended) = (recording.wall, recording.status);
        for name in &recording.not_linked {
            *self.not_linked.entry(name.clone()).or_default() += 1;
        }
        if let Err(error) = run::conclude(recording, &path, true) {
            // A full disk: what was written is no run to compare with.
            let kept = set_aside(&path)?;
            let kept = kept.display();
            return Err(error.context(format!("{words}: what there is of its trace is {kept}")));
        }
        if ended != ExitStatus::Code(0) && !self.goes_on(&path, words, ended)? {
            return Ok(Outcome::Ended(End::Failed));
        }
        if turn.run.is_none() {
            fs::remove_file(&path).with_context(|| format!("{}: cannot remove", path.display()))?;
            return Ok(Outcome::Discarded(wall));
        }
        Ok(Outcome::Kept(Run {
            configuration: turn.configuration,
            path,
            wall,
            failed: ended != ExitStatus::Code(0),
        }))
    }

    /// Says that the command failed, and whether the series goes on. If not, the trace is kept
    /// under a name that makes it no run of the series.
    fn goes_on(&self, path: &Path, words: &str, ended: ExitStatus) -> anyhow::Result<bool> {
        let how = how(ended);
        if self.repeating.ignore_failure {
            output::note(&format!("{words}: the command ended with {how}"));
            return Ok(true);
        }
        let kept = set_aside(path)?;
        output::note(&format!(
            "{words}: the command ended with {how}, which ends the series; its trace is {}",
            kept.display()
        ));
        output::hint("--ignore-failure goes on, and keeps such runs");
        Ok(false)
    }

    fn options(
        &self,
        configuration: &Configuration,
        turn: Turn,
        at: usize,
        cache: Option<&PrivateFolder>,
    ) -> Options {
        let Repeating {
            runs,
            warm_up,
            cold,
            ..
        } = self.repeating;
        let mut changes = configuration.changes.clone();
        if let Some(cache) = cache {
            changes.push(Change::Variable("GOCACHE".into(), cache.path().into()));
            // It would take the cache's place.
            changes.push(Change::Unset("GOCACHEPROG".into()));
        }
        let mut settings = vec![(
            "repeat.configuration".to_owned(),
            configuration.name.as_bytes().to_vec(),
        )];
        let mut set =
            |key: &str, value: String| settings.push((key.to_owned(), value.into_bytes()));
        if let Some(run) = turn.run {
            set("repeat.run", run.to_string());
            // Warm-up runs are no part of the order.
            let position = at + 1 - self.configurations.len() * *warm_up as usize;
            set("repeat.position", position.to_string());
        }
        set("repeat.runs", runs.to_string());
        set(
            "repeat.configurations",
            self.configurations.len().to_string(),
        );
        set(
            "repeat.cache",
            if *cold { "cold" } else { "warm" }.to_owned(),
        );
        settings.extend(configuration.settings.iter().cloned());
        Options {
            command: self.commands[turn.configuration].clone(),
            changes,
            settings,
            cold: *cold,
            ..self.watching.clone()
        }
    }

    fn private_cache(&self) -> anyhow::Result<Option<PrivateFolder>> {
        if !self.repeating.cold {
            return Ok(None);
        }
        self.private_folder().map(Some)
    }

    /// A folder that is removed in the end.
    pub(super) fn private_folder(&self) -> anyhow::Result<PrivateFolder> {
        let temporary = self.environment.temporary_folder();
        let folder = PrivateFolder::create("series", &temporary, self.invoker.as_ref());
        folder.with_context(|| format!("{}: cannot make a folder", temporary.display()))
    }

    /// `DIR/07.gotrace`, or with several configurations `DIR/CONFIGURATION/07.gotrace`.
    fn path(&self, configuration: &Configuration, turn: Turn) -> PathBuf {
        let digits = self.repeating.runs.to_string().len();
        let name = match turn.run {
            Some(run) => format!("{run:0digits$}.{EXTENSION}"),
            None => "warm-up".to_owned(),
        };
        self.folder_of(configuration).join(name)
    }

    /// Where the traces of a configuration go.
    pub(super) fn folder_of(&self, configuration: &Configuration) -> PathBuf {
        match self.configurations {
            [_] => self.folder.clone(),
            _ => self.folder.join(&configuration.folder),
        }
    }

    /// Removes the folders in which no run was kept.
    pub(super) fn leave_no_empty_folder(&self) {
        for configuration in self.configurations {
            // A folder that holds something is not removed by this.
            drop(fs::remove_dir(self.folder_of(configuration)));
        }
        drop(fs::remove_dir(&self.folder));
    }
}

/// Says why the command could not be run, and chooses the exit code.
fn not_run(error: &session::Error) -> End {
    run::say_refusal(error);
    End::NotRun(match error {
        session::Error::Exec { .. } => error.exit_code(),
        _ => NOT_PERMITTED,
    })
}

/// Gives a trace a name that makes it no run of the series.
fn set_aside(path: &Path) -> anyhow::Result<PathBuf> {
    let kept = path.with_extension("failed");
    fs::rename(path, &kept).with_context(|| format!("{}: cannot rename", path.display()))?;
    Ok(kept)
}

/// `exit status 1`: how a command ended.
pub(super) fn how(ended: ExitStatus) -> String {
    match ended {
        ExitStatus::Code(code) => format!("exit status {code}"),
        ExitStatus::Signal(signal) => format!("signal {signal}"),
        ExitStatus::Replaced | ExitStatus::Unknown => "an unknown status".to_owned(),
    }
}
