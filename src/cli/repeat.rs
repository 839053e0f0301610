//! `gotrace repeat`.

use super::exit::Usage;
use super::output;
use super::series::{Repeating, Series};
use crate::capture::repeat::{Chosen, Configuration, Pair, give_folders, target};
use crate::capture::{Change, Environment};
use crate::environment::host;
use crate::environment::invoker::invoker;
use crate::render::text::series::{self, Row};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs a command again and again, and records each run.
///
/// The traces are DIR/RUN.gotrace, and with several configurations DIR/CONFIGURATION/RUN.gotrace, for
/// `gotrace compare`. Configurations take turns: every second round runs in reverse, and every pair of
/// rounds begins with the next one, so that drift of the machine hits all alike. A command that fails ends
/// the series (exit code 1), Ctrl-C too (130); runs that were finished are kept. See docs/repeat.md.
#[derive(Debug, clap::Args)]
#[command(override_usage = "gotrace repeat [OPTIONS] [--] COMMAND [ARGUMENT]...")]
pub(super) struct Args {
    #[command(flatten)]
    repeating: Repeating,
    /// A configuration with a variable, NAME=VALUE, with a flag for go commands, -NAME=VALUE, or
    /// with linkmode=VALUE; repeatable
    #[arg(long, value_name = "SETTING", allow_hyphen_values = true)]
    vary: Vec<OsString>,
    /// A configuration with this toolchain, a GOROOT or the path of a go command; repeatable
    #[arg(long, value_name = "GO")]
    toolchain: Vec<PathBuf>,
    /// A configuration with nothing changed
    #[arg(long)]
    baseline: bool,
    /// Architecture that all toolchains build for, or own: each for its own [default: own; where
    /// some are translated, theirs]
    #[arg(long, value_name = "GOARCH")]
    target: Option<String>,
    /// A configuration that builds what the translated toolchain does, with the native one
    #[arg(long)]
    cross_compile: bool,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut configurations = self.configurations()?;
        if configurations.is_empty() {
            configurations.push(Configuration::new("baseline", Vec::new()));
        }
        give_folders(&mut configurations);
        let mut series = Series::prepare(&self.repeating, &configurations)?;
        let end = series.run(&mut |_| Ok(()))?;
        if !self.repeating.quiet {
            conclude(&series, &configurations)?;
        }
        Ok(end.exit_code())
    }

    fn configurations(&self) -> anyhow::Result<Vec<Configuration>> {
        let mut all = Vec::new();
        if self.baseline {
            all.push(Configuration::new("baseline", Vec::new()));
        }
        all.extend(self.toolchains()?);
        for words in &self.vary {
            let change = Change::of(words).map_err(|error| Usage(format!("--vary {error}")))?;
            all.push(Configuration::varied(words, change));
        }
        Ok(all)
    }

    /// A configuration for each toolchain; where some are translated, with the same target.
    fn toolchains(&self) -> anyhow::Result<Vec<Configuration>> {
        if self.toolchain.is_empty() {
            let needs = [
                (self.target.is_some(), "--target"),
                (self.cross_compile, "--cross-compile"),
            ];
            return match needs.iter().find(|(given, _)| *given) {
                Some((_, flag)) => Err(Usage(format!("{flag}: needs --toolchain")).into()),
                None => Ok(Vec::new()),
            };
        }
        self.refuse_a_path()?;
        let mut environment = Environment::inherited();
        let invoker = invoker(|name| environment.get(name).map(OsStr::to_owned));
        if let Some(invoker) = &invoker {
            environment.belong_to(invoker, OsStr::new("go"));
        }
        let find = |go: &Path| Chosen::find(go, &environment, invoker.as_ref());
        let chosen = self.toolchain.iter().map(|go| find(go));
        let chosen: Vec<Chosen> = chosen.collect::<Result<_, _>>()?;
        let host = host::host().arch;
        let pair = Pair::of(&chosen, host, &environment);
        let arch = self.target_of(pair.as_ref());
        let mut all: Vec<Configuration> = chosen.iter().map(Chosen::configuration).collect();
        if let Some(arch) = &arch {
            for configuration in &mut all {
                fix(configuration, arch);
            }
        }
        if self.cross_compile {
            let translated = chosen.iter().find(|one| one.arch() != host);
            let guest = translated.map(Chosen::arch).ok_or_else(|| {
                Usage("--cross-compile: none of the toolchains is translated here".to_owned())
            })?;
            let native = match chosen.iter().find(|one| one.arch() == host) {
                Some(native) => native.clone(),
                None => find(Path::new("go"))?,
            };
            if native.arch() != host {
                return Err(Usage("--cross-compile: no native go on PATH".to_owned()).into());
            }
            let mut cross = native.configuration();
            cross.name = format!("{}-cross-{guest}", cross.name);
            fix(&mut cross, guest);
            match all.iter().find(|one| one.changes == cross.changes) {
                Some(same) => self.note(&format!("{} is the cross-compiling one", same.name)),
                None => all.push(cross),
            }
        }
        Ok(all)
    }

    /// What all toolchains are to build for, if that is fixed; says so.
    fn target_of(&self, pair: Option<&Pair>) -> Option<String> {
        let arch = match (self.target.as_deref(), pair) {
            (Some("own"), _) | (None, None) => return None,
            (Some(arch), _) => arch,
            (None, Some(pair)) if pair.has_target => {
                self.note("GOARCH is set: that is what every toolchain builds for");
                return None;
            }
            (None, Some(pair)) => &pair.guest,
        };
        self.note(&format!(
            "every toolchain builds for {arch}, with CGO_ENABLED=0 and -trimpath, so that the outputs can be the same; --target own leaves each its own"
        ));
        Some(arch.to_owned())
    }

    /// A command that names its go command by path would run that one under every toolchain.
    fn refuse_a_path(&self) -> anyhow::Result<()> {
        let command = self.repeating.command.first().map(Path::new);
        let by_path = |path: &&Path| {
            path.file_name() == Some(OsStr::new("go")) && path.components().count() > 1
        };
        match command.filter(by_path) {
            Some(path) => {
                let path = path.display();
                let error = format!("--toolchain: the command names {path}: expected go alone");
                Err(Usage(error).into())
            }
            None => Ok(()),
        }
    }

    fn note(&self, words: &str) {
        if !self.repeating.quiet {
            output::note(words);
        }
    }
}

fn fix(configuration: &mut Configuration, arch: &str) {
    configuration.changes.extend(target(arch));
    let setting = ("repeat.target".to_owned(), arch.as_bytes().to_vec());
    configuration.settings.push(setting);
}

/// Shows how long the runs took, and what compares them.
fn conclude(series: &Series<'_>, configurations: &[Configuration]) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (index, configuration) in configurations.iter().enumerate() {
        let of_it = series.runs.iter().filter(|run| run.configuration == index);
        rows.push(Row {
            name: configuration.name.clone(),
            walls: of_it.map(|run| run.wall).collect(),
        });
    }
    if series.runs.is_empty() {
        return Ok(());
    }
    let mut text = Vec::new();
    series::write(&rows, &output::error_page(), &mut text)?;
    output::text(&text);
    let folder = series.folder.display();
    output::note(&match configurations {
        [base, new, ..] => {
            let allow = match base.varies_against(new).join(",").as_str() {
                "" => String::new(),
                facts => format!("--allow={facts} "),
            };
            let [base, new] = [base, new].map(|one| series.folder_of(one).display().to_string());
            format!("recorded into {folder}; gotrace compare {allow}{base} {new}")
        }
        _ => format!("recorded into {folder}"),
    });
    Ok(())
}
