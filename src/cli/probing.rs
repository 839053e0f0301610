//! Which functions to watch: the options that `run` and `attach` share.

use super::config::{self, Choices, Key};
use super::exit::Usage;
use super::input;
use crate::capture::own_path::OwnPath;
use crate::capture::probes::{
    self, CallMode, FunctionGlob, Keep, MaxTax, Mode, ProbeSet, Spec, Watch,
};
use crate::capture::{Name, Selection};
use anyhow::Context as _;
use std::path::Path;

/// A file that names a set of functions has no more bytes.
const LONGEST_SET: u64 = 1 << 20;

const HEADING: &str = "Function calls (backends patch, bpf and dtrace)";

/// Options that name functions.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Probing {
    /// Record entries and exits of these functions: IMAGE:FUNCTION-GLOB[:entry|call], repeatable
    #[arg(long = "probe", value_name = "PROBE", help_heading = HEADING)]
    probes: Vec<Spec>,
    /// Record the functions of a set, too: a name that `probes sets` lists, or a file; repeatable
    #[arg(long = "probe-set", value_name = "SET", help_heading = HEADING)]
    sets: Vec<String>,
    /// Record no functions, not even those of the set go-build
    #[arg(long, conflicts_with_all = ["probes", "sets"], help_heading = HEADING)]
    no_probes: bool,
    /// Record entries alone: exits cost many times as much; =no overrides a gotrace.toml
    #[arg(long, value_name = "no", num_args = 0..=1, require_equals = true, default_missing_value = "yes",
        value_parser = config::switch(), hide_possible_values = true, help_heading = HEADING)]
    entries_only: Option<bool>,
    /// Give functions up that cost more than this part of the command's CPU time: 4%, or off; those
    /// named by --probe only when this is given [default: 4%]
    #[arg(long, value_name = "PERCENT", help_heading = HEADING)]
    max_tax: Option<MaxTax>,
    /// Record the first argument of the functions named by --probe, too
    #[arg(long, help_heading = HEADING)]
    args: bool,
}

impl Probing {
    /// What is to be watched: by the command line, else by the configuration. Sets of the command
    /// line take the place of those of the configuration.
    ///
    /// # Errors
    ///
    /// When a set is not known, or its file is wrong.
    pub(super) fn watch(&self, choices: &mut Choices<'_>) -> anyhow::Result<Watch> {
        let named = !self.probes.is_empty() || !self.sets.is_empty();
        let asked = (named || self.no_probes).then_some(named);
        if !choices.switch(Key::Probes, asked) {
            return Ok(Watch::default());
        }
        let by_default = match self.sets.is_empty() {
            true => choices.probe_sets(),
            false => {
                choices.told_on_command_line(Key::ProbeSets);
                Vec::new()
            }
        };
        let cwd = std::env::current_dir().unwrap_or_default();
        let named = self.probes.iter().cloned().map(|spec| Spec {
            image: spec.image.below(&cwd).resolved(),
            ..spec
        });
        let mut sets = Vec::new();
        let more = by_default.iter().chain(&self.sets).map(String::as_str);
        for name in std::iter::once(probes::DEFAULT).chain(more) {
            let set = set(name)?;
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        Ok(Watch {
            named: named.collect(),
            sets,
            by_default,
            entries_only: choices.switch(Key::EntriesOnly, self.entries_only),
            max_tax: choices.max_tax(self.max_tax),
            arguments: self.args,
            ..Watch::default()
        })
    }
}

/// Options that say how calls are recorded.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Recorded {
    /// How to record calls of the functions named by --probe (backend patch): full, each entry and exit; aggregate, a
    /// tree of how many there were and how long they took, by who called whom; longer=TIME, those that take that long
    /// (longer=10us) [default: full]
    #[arg(long, value_name = "MODE", help_heading = HEADING)]
    call_mode: Option<Keep>,
    /// Record only so many levels of calls in each other (backend patch)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = HEADING)]
    call_depth: Option<u32>,
    /// Record only calls of this function, and what it calls, directly or not: a name or glob (backend patch)
    #[arg(long, value_name = "FUNCTION", help_heading = HEADING)]
    call_inside: Option<FunctionGlob>,
    /// Record only from when a process enters this function until it leaves that of --call-to, each time (backend patch)
    #[arg(long, value_name = "FUNCTION", requires = "call_to", help_heading = HEADING)]
    call_from: Option<FunctionGlob>,
    /// See --call-from
    #[arg(long, value_name = "FUNCTION", requires = "call_from", help_heading = HEADING)]
    call_to: Option<FunctionGlob>,
    /// When the command runs from its own file, where its functions tell of their calls (backend patch): auto, where it
    /// may look for its own path and the system allows it; always; never, but from a copy [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = HEADING)]
    own_path: Option<OwnPath>,
}

impl Recorded {
    /// When the command is to run from its own file.
    pub(super) fn own_path(&self) -> OwnPath {
        self.own_path.unwrap_or_default()
    }

    /// How calls of what is watched are to be recorded: as the command line says, and where it says nothing of that, as
    /// the configuration does, if functions are named.
    ///
    /// # Errors
    ///
    /// When nothing is named whose calls could be, or backends are asked for that cannot.
    pub(super) fn mode(
        &self,
        watch: &Watch,
        selection: &Selection,
        choices: &mut Choices<'_>,
    ) -> Result<CallMode, Usage> {
        let given = self.given();
        let (mode, said) = if given.is_empty() {
            if !watch.is_asked_for() {
                return Ok(CallMode::default());
            }
            let Some((mode, source)) = choices.call_mode()? else {
                return Ok(CallMode::default());
            };
            (mode, format!("{source}: "))
        } else {
            for key in given {
                choices.told_on_command_line(key);
            }
            (self.of_command_line(), "--".to_owned())
        };
        let settings = mode.settings();
        let Some((key, value)) = settings.first() else {
            return Ok(mode);
        };
        let option = format!("{said}{} {value}", key.replace('_', "-"));
        if !watch.is_asked_for() {
            return Err(Usage(format!(
                "{option}: no functions are named: --probe IMAGE:FUNCTION names some, --probe '*:*' all"
            )));
        }
        if let Some(why) = contradiction(watch, mode.keep) {
            return Err(Usage(format!("{option}: {why}")));
        }
        match selection {
            Selection::Named(names) if !names.contains(&Name::Patch) => Err(Usage(format!(
                "{option}: the backend patch does that alone, and --backend {selection} does not have it; --call-mode full records each call"
            ))),
            Selection::Named(_) | Selection::Auto => Ok(mode),
        }
    }

    fn of_command_line(&self) -> CallMode {
        CallMode {
            keep: self.call_mode.unwrap_or_default(),
            depth: self.call_depth,
            inside: self.call_inside.clone(),
            between: self.call_from.clone().zip(self.call_to.clone()),
        }
    }

    /// What the command line says of it.
    fn given(&self) -> Vec<Key> {
        let of_calls = [
            self.call_mode.is_some(),
            self.call_depth.is_some(),
            self.call_inside.is_some(),
            self.call_from.is_some(),
            self.call_to.is_some(),
        ];
        let given = Key::OF_CALLS.into_iter().zip(of_calls);
        given.filter_map(|(key, is)| is.then_some(key)).collect()
    }
}

/// Why calls of what is watched cannot be recorded as it is asked for.
fn contradiction(watch: &Watch, keep: Keep) -> Option<String> {
    match keep {
        Keep::Longer(_) if watch.entries_only => Some(
            "without exits no call has a length: leave out --entries-only".to_owned(),
        ),
        Keep::Longer(_) => {
            let entries = watch.named.iter().find(|spec| spec.mode == Mode::Entry);
            entries.map(|spec| {
                format!("{spec}:entry has no exits, and without them no call has a length: leave out :entry")
            })
        }
        Keep::Sums if watch.arguments => Some(
            "calls that are added up keep no arguments: leave out --args, or record each with --call-mode full"
                .to_owned(),
        ),
        Keep::Sums | Keep::Each => None,
    }
}

/// What is watched where the command line asks for nothing.
///
/// # Errors
///
/// When the built-in sets cannot be read.
pub(super) fn by_default(choices: &mut Choices<'_>) -> anyhow::Result<Watch> {
    Probing::default().watch(choices)
}

/// What is asked for word by word: `IMAGE:FUNCTION-GLOB[:entry|call]`, or a set by its name or from a file.
///
/// # Errors
///
/// When a word is neither, or a set's file is wrong.
pub(super) fn asked(words: &[String]) -> anyhow::Result<Watch> {
    let mut watch = Watch::default();
    for word in words {
        match word.parse::<Spec>() {
            Ok(spec) => watch.named.push(spec),
            Err(_) if !word.contains(':') => watch.sets.push(set(word)?),
            Err(bad) => return Err(Usage(format!("{word}: {bad}")).into()),
        }
    }
    Ok(watch)
}

/// A set by its name, or from a file.
fn set(name: &str) -> anyhow::Result<ProbeSet> {
    if name.contains(['/', '.']) {
        let text = input::text(Path::new(name), LONGEST_SET);
        let text = text.with_context(|| format!("{name}: cannot read"))?;
        return Ok(ProbeSet::parse(name, &text)?);
    }
    let known = ProbeSet::embedded()?;
    let names: Vec<String> = known.iter().map(|set| set.name.clone()).collect();
    let found = known.into_iter().find(|set| set.name == name);
    found.ok_or_else(|| {
        let names = names.join(", ");
        Usage(format!(
            "{name}: no set of functions has that name; there are {names}, and files (./NAME.toml)"
        ))
        .into()
    })
}
