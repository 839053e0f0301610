//! `gotrace experiment`.

use super::exit::Usage;
use super::output::{self, Output};
use super::series::{self, End, Repeating, Series};
use crate::analyze::Analysis;
use crate::analyze::experiment::{Experiment, Figures, Group, Kind};
use crate::capture::repeat::{Configuration, PrivateFolder, give_folders};
use crate::capture::{Change, Environment, Signals, unwatched};
use crate::environment::invoker::{Invoker, invoker};
use crate::environment::settings::KnownSettings;
use crate::environment::toolchain::{self, Toolchain};
use crate::export::json;
use crate::render::text::experiment;
use crate::trace::{ExitStatus, Trace};
use anyhow::{Context as _, anyhow, bail};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

/// What is tried where nothing else is asked for.
const STANDARD: [&str; 4] = [
    "GODEBUG=asyncpreemptoff=1",
    "GOMAXPROCS=1",
    "GOGC=50",
    "GOGC=400",
];

/// In the command, what `--build` built.
const PROGRAM: &str = "{}";

/// Measures what settings do to wall time, CPU time, and the names of stacks.
///
/// The baseline runs twice, as two configurations: what those differ by is noise. The command's standard
/// output goes to standard error, for the tables are on standard output. Settings of Go that the toolchain
/// does not know are refused; variables that are not Go's are taken as they are. See docs/repeat.md.
#[derive(Debug, clap::Args)]
#[command(override_usage = "gotrace experiment [OPTIONS] [--] COMMAND [ARGUMENT]...")]
pub(super) struct Args {
    #[command(flatten)]
    repeating: Repeating,
    /// A setting to try: NAME=VALUE, a flag for go commands, -NAME=VALUE, or linkmode=VALUE;
    /// repeatable [default: GODEBUG=asyncpreemptoff=1, GOMAXPROCS=1, GOGC=50 and GOGC=400]
    #[arg(
        short,
        long = "setting",
        value_name = "SETTING",
        allow_hyphen_values = true
    )]
    settings: Vec<OsString>,
    /// Build this package under each setting before the runs; {} in the command is the program
    #[arg(long, value_name = "PACKAGE")]
    build: Option<OsString>,
    /// Write JSON (docs/json-schema.md)
    #[arg(long)]
    json: bool,
}

/// What was built for the runs.
enum Programs {
    /// Nothing: they need no program.
    None,
    /// A program for each configuration, in a folder that has to live as long as they run.
    In(#[expect(dead_code, reason = "it is kept, and removed in the end")] PrivateFolder),
    /// Not all of it: Ctrl-C.
    Interrupted,
}

/// The toolchain that would run, and what it knows.
struct Lab {
    environment: Environment,
    invoker: Option<Invoker>,
    toolchain: Toolchain,
    known: KnownSettings,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let lab = Lab::find(self.repeating.command.first())?;
        let mut configurations = vec![
            Configuration::new("baseline", Vec::new()),
            Configuration::new("baseline again", Vec::new()),
        ];
        configurations.extend(self.settings(&lab)?);
        give_folders(&mut configurations);
        let stdout = redirect_stdout().context("standard output")?;
        let mut series = Series::prepare(&self.repeating, &configurations)?;
        let built = self.build(&lab, &configurations, &mut series);
        let built = match built {
            Ok(Programs::Interrupted) => {
                series.leave_no_empty_folder();
                return Ok(End::Interrupted.exit_code());
            }
            Err(error) => {
                series.leave_no_empty_folder();
                return Err(error);
            }
            Ok(built) => built,
        };
        let mut groups: Vec<Group> = configurations.iter().enumerate().map(group).collect();
        let end = series.run(&mut |run| {
            let group = &mut groups[run.configuration];
            if run.failed {
                // What a command took that failed is not what it takes.
                group.failed += 1;
                return Ok(());
            }
            let trace = Trace::open(&run.path)?;
            group.runs.push(Figures::of(&Analysis::of(&trace)));
            Ok(())
        })?;
        drop(built);
        nix::unistd::dup2_stdout(stdout).context("standard output")?;
        self.show(&lab, &groups, &series.folder, &end)?;
        Ok(end.exit_code())
    }

    /// A configuration for each setting that there is.
    fn settings(&self, lab: &Lab) -> anyhow::Result<Vec<Configuration>> {
        let standard = STANDARD.map(OsString::from).to_vec();
        let words = match self.settings.as_slice() {
            [] => &standard,
            given => given,
        };
        let configurations = words.iter().map(|words| {
            let change = Change::of(words).map_err(|error| Usage(format!("--setting {error}")))?;
            match self.refusal(lab, &change) {
                Some(why) => Err(Usage(format!("--setting {}: {why}", words.display())).into()),
                None => Ok(Configuration::varied(words, change)),
            }
        });
        configurations.collect()
    }

    /// Why a setting would show nothing.
    fn refusal(&self, lab: &Lab, change: &Change) -> Option<String> {
        let version = lab.toolchain.variable("GOVERSION");
        let mut for_go = matches!(change, Change::GoFlag(_) | Change::LinkerFlag(_));
        if let Change::Variable(name, value) = change {
            for_go = !lab.known.runtime_variables.contains(name)
                && lab.known.go_variables.contains(name);
            if let Some(why) = lab.known.refusal(name, &value.to_string_lossy()) {
                return Some(format!("{why} ({version})"));
            }
        }
        let changed = lab
            .environment
            .changed(std::slice::from_ref(change), Some(&lab.toolchain));
        if changed == lab.environment {
            return Some("it is so already".to_owned());
        }
        let invoker = lab.invoker.as_ref();
        if for_go
            && let Some(why) =
                lab.toolchain
                    .refusal(&["version".as_ref()], changed.pairs(), invoker)
        {
            return Some(why);
        }
        if change.is_overridden_by(&self.repeating.command) {
            return Some("the command has that flag itself, which wins".to_owned());
        }
        let command = self
            .repeating
            .command
            .first()
            .map(OsString::as_os_str)
            .unwrap_or_default();
        if for_go && self.build.is_none() && lab.is_program(command) {
            return Some(format!(
                "it is for go commands, and {} is a program that is built already; --build PACKAGE builds one for each setting",
                command.display()
            ));
        }
        None
    }

    /// Builds the program of each configuration.
    fn build(
        &self,
        lab: &Lab,
        configurations: &[Configuration],
        series: &mut Series<'_>,
    ) -> anyhow::Result<Programs> {
        let Some(package) = &self.build else {
            return Ok(Programs::None);
        };
        if !self.repeating.command.iter().any(|word| word == PROGRAM) {
            let error = format!("--build: the command has no {PROGRAM}, where the program stands");
            return Err(Usage(error).into());
        }
        let folder = series.private_folder()?;
        for (index, configuration) in configurations.iter().enumerate() {
            let program = folder.path().join(&configuration.folder).join("program");
            if !lab.build(package, configuration, &program, &series.signals)? {
                return Ok(Programs::Interrupted);
            }
            for word in &mut series.commands[index] {
                if word == PROGRAM {
                    *word = program.clone().into_os_string();
                }
            }
        }
        Ok(Programs::In(folder))
    }

    fn show(&self, lab: &Lab, groups: &[Group], folder: &Path, end: &End) -> anyhow::Result<()> {
        let made = |group: &Group| group.runs.len() + group.failed > 0;
        if !groups.iter().any(made) {
            return Ok(());
        }
        let experiment = Experiment::of(groups);
        let mut output = Output::stdout();
        let page = output.page();
        if self.json {
            let words = self.repeating.command.iter();
            let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
            let made = json::Made {
                command: words.join(" "),
                go: lab.toolchain.variable("GOVERSION").to_owned(),
                cache: if self.repeating.cold { "cold" } else { "warm" },
                complete: matches!(end, End::Whole),
                folder: folder.display().to_string(),
            };
            json::experiment(&made, &experiment, &mut output)?;
        } else {
            experiment::write(&experiment, &page, &mut output)?;
        }
        output.finish()?;
        if !self.repeating.quiet {
            output::note(&format!("recorded into {}", folder.display()));
        }
        Ok(())
    }
}

impl Lab {
    /// The toolchain of the command, if that is a go command, else that on `PATH`.
    fn find(command: Option<&OsString>) -> anyhow::Result<Self> {
        let mut environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        let go = command.filter(|name| Path::new(name).file_name() == Some(OsStr::new("go")));
        let go = go.map_or(OsStr::new("go"), OsString::as_os_str);
        if let Some(invoker) = &invoker {
            environment.belong_to(invoker, go);
        }
        let path = environment.get("PATH").unwrap_or_default();
        let found = toolchain::find_on_path(go, path).ok_or_else(|| {
            anyhow!(
                "{}: no such go command, and settings are checked against one",
                go.display()
            )
        })?;
        let toolchain = Toolchain::ask(&found, environment.pairs(), invoker.as_ref())?;
        let known = KnownSettings::of(Path::new(toolchain.variable("GOROOT")))?;
        Ok(Self {
            environment,
            invoker,
            toolchain,
            known,
        })
    }

    /// Whether a command is a program that Go built, and not a go command.
    fn is_program(&self, command: &OsStr) -> bool {
        let path = self.environment.get("PATH").unwrap_or_default();
        let found = toolchain::find_on_path(command, path);
        Path::new(command).file_name() != Some(OsStr::new("go"))
            && found.is_some_and(|path| toolchain::is_go_program(&path))
    }

    /// Builds a program with the changes of a configuration; false where that was interrupted.
    fn build(
        &self,
        package: &OsStr,
        configuration: &Configuration,
        program: &Path,
        signals: &Signals,
    ) -> anyhow::Result<bool> {
        let environment = self
            .environment
            .changed(&configuration.changes, Some(&self.toolchain));
        let go = self.toolchain.path.as_os_str();
        let words = [
            go,
            "build".as_ref(),
            "-o".as_ref(),
            program.as_ref(),
            package,
        ];
        let words = words.map(OsStr::to_owned);
        let invoker = self.invoker.as_ref();
        let ended = unwatched::run(&words, &environment, invoker, signals)
            .with_context(|| self.toolchain.path.display().to_string())?;
        match ended {
            None => Ok(false),
            Some(ExitStatus::Code(0)) => Ok(true),
            Some(status) => bail!(
                "{}: go build {} failed with {}",
                configuration.name,
                package.display(),
                series::how(status)
            ),
        }
    }
}

/// The first configuration is the baseline, the second the same once more.
fn group((index, configuration): (usize, &Configuration)) -> Group {
    Group {
        name: configuration.name.clone(),
        kind: match index {
            0 => Kind::Baseline,
            1 => Kind::Again,
            _ => Kind::Setting,
        },
        runs: Vec::new(),
        failed: 0,
    }
}

/// Standard output becomes standard error for all that is run; returns what it was.
fn redirect_stdout() -> io::Result<OwnedFd> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdout(io::stderr())?;
    Ok(stdout)
}
