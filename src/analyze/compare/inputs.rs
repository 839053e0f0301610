//! Why a package was built anew: what its action was made of, in one run and in another.
//!
//! The go command names an action by a hash of everything that goes into it, and its result by
//! `action/content` (`cmd/go/internal/work`, `buildActionID`; read in 1.21 to 1.27). A package whose
//! action has the same name in both runs was built from the same inputs. Where the names differ,
//! the parts that can be told apart are compared: the content of each dependency, the flags on its
//! command line, its files, the folder that it lies in. What remains is the package's own source.

use super::facts::{Fact, OF_GO};
use super::run::Run;
use crate::analyze::{Name, argv};
use crate::trace::{Action, StringId, Trace};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// What one package was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Hash of everything that went into it.
    pub action: Name,
    /// Hash of the result; empty where it was not made.
    pub content: Name,
    /// The packages that it needs directly.
    pub needs: Vec<Name>,
    /// Commands were run for it: it did not come from the cache.
    pub built: bool,
    /// Flags of its compiler, without names of files and of what it is made from.
    pub flags: Name,
    /// Its source files, without their folder.
    pub files: Name,
    /// The folder of its source files.
    pub folder: Name,
}

/// Why a package was built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its inputs are the same: only the cache did not have it.
    NotCached,
    /// It is not in base.
    NewPackage,
    /// Another Go version built it.
    Toolchain,
    /// It was built for another target.
    Target,
    /// Its compiler had other flags.
    Flags,
    /// It lies in another folder, which without `-trimpath` is an input.
    Folder,
    /// This package that it needs has another content.
    Dependency(Name),
    /// Its own files, or what cannot be told apart from them.
    OwnInputs,
}

impl Reason {
    /// A few words for tables and JSON.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NotCached => "not in the cache".to_owned(),
            Self::NewPackage => "new package".to_owned(),
            Self::Toolchain => "toolchain".to_owned(),
            Self::Target => "target".to_owned(),
            Self::Flags => "flags".to_owned(),
            Self::Folder => "its folder".to_owned(),
            Self::Dependency(name) => format!("dependency {name}"),
            Self::OwnInputs => "its own inputs".to_owned(),
        }
    }
}

/// A package that new built, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Import path.
    pub package: Name,
    /// Why: all that is known to differ.
    pub reasons: Vec<Reason>,
}

/// The mode in which the go command compiles a package.
const BUILD: &[u8] = b"build";

/// What each package of a trace was made of; of two graphs that have it, the first.
pub(super) fn of(trace: &Trace) -> BTreeMap<Name, Inputs> {
    let mut names: FxHashMap<StringId, Name> = FxHashMap::default();
    let mut name = |id: StringId| {
        let named = names.entry(id);
        named
            .or_insert_with(|| Name::from(trace.strings.get(id)))
            .clone()
    };
    let mut packages: FxHashMap<(u32, u32), StringId> = FxHashMap::default();
    for action in builds(trace) {
        packages.insert((action.graph, action.number), action.package);
    }
    let mut all: BTreeMap<Name, Inputs> = BTreeMap::new();
    for action in builds(trace) {
        if action.action_id == StringId::EMPTY || action.package == StringId::EMPTY {
            continue;
        }
        let needs = action.deps.iter();
        let needs = needs.filter_map(|&number| packages.get(&(action.graph, number)).copied());
        let needs: Vec<Name> = needs.map(&mut name).collect();
        let command = Command::of(trace, action);
        let inputs = Inputs {
            action: Name::from(trace.strings.get(action.action_id)),
            content: content(trace, action),
            needs,
            built: !action.commands.is_empty(),
            flags: command.flags,
            files: command.files,
            folder: command.folder,
        };
        all.entry(name(action.package)).or_insert(inputs);
    }
    all
}

fn builds(trace: &Trace) -> impl Iterator<Item = &Action> {
    let is_build = |action: &&Action| trace.strings.get(action.mode) == BUILD;
    trace.actions.iter().filter(is_build)
}

/// How settings begin that hold the hash of a file which a build left.
const FILE: &str = "output.sha256.";

/// Hashes of what was linked: the last part of a build id is that of the content, without the ids
/// themselves. Without a graph, those of the files that were left.
pub(super) fn outputs(trace: &Trace) -> BTreeMap<Name, Name> {
    let links = trace.actions.iter();
    let links = links.filter(|action| trace.strings.get(action.mode) == b"link");
    let outputs = links.map(|action| {
        let package = Name::from(trace.strings.get(action.package));
        (package, content(trace, action))
    });
    let outputs: BTreeMap<_, _> = outputs.filter(|(_, content)| !content.is_empty()).collect();
    if !outputs.is_empty() {
        return outputs;
    }
    let files = trace.settings.iter().filter_map(|setting| {
        let key = trace.text(setting.key);
        let file = key.strip_prefix(FILE)?;
        Some((
            Name::from(file),
            Name::from(trace.strings.get(setting.value)),
        ))
    });
    files.collect()
}

fn content(trace: &Trace, action: &Action) -> Name {
    let id = trace.strings.get(action.build_id);
    let slash = id.iter().rposition(|&byte| byte == b'/');
    Name::from(slash.and_then(|at| id.get(at + 1..)).unwrap_or_default())
}

/// What a compiler's command line tells of the inputs.
#[derive(Default)]
struct Command {
    flags: Name,
    files: Name,
    folder: Name,
}

/// Flags whose value is made for each build, or is an input that is compared by itself.
const VALUE_OF_THE_BUILD: [&str; 6] = [
    "-o",
    "-importcfg",
    "-buildid",
    "-p",
    "-goversion",
    "-embedcfg",
];

impl Command {
    fn of(trace: &Trace, action: &Action) -> Self {
        let commands = action.commands.iter().map(|&id| trace.text(id));
        // What `-toolexec` names stands before the compiler.
        let is_compiler = |word: &str| argv::base(word.as_bytes()) == b"compile";
        let Some(text) = commands
            .into_iter()
            .find(|command| command.split(' ').any(is_compiler))
        else {
            return Self::default();
        };
        let mut words = text
            .split(' ')
            .skip_while(|word| !is_compiler(word))
            .skip(1);
        let (mut flags, mut files, mut folder) = (Vec::new(), Vec::new(), "");
        let mut trimmed = "";
        while let Some(word) = words.next() {
            if word == "-trimpath" {
                trimmed = words.next().unwrap_or_default();
            } else if VALUE_OF_THE_BUILD.contains(&word) {
                words.next();
            } else if word.ends_with(".go") {
                let (before, file) = word.rsplit_once('/').unwrap_or(("", word));
                // What the build makes lies in its own folder, with a number that changes.
                if argv::objdir(word.as_bytes()).is_none() {
                    folder = before;
                }
                files.push(file);
            } else if argv::objdir(word.as_bytes()).is_none() && !word.starts_with("-c=") {
                // How many threads the compiler may use is no input.
                flags.push(word);
            }
        }
        files.sort_unstable();
        // `go build -trimpath` has the compiler leave the folder out, so it is no input.
        if !folder.is_empty() && trimmed.contains(folder) {
            folder = "";
        }
        Self {
            flags: Name::from(flags.join(" ")),
            files: Name::from(files.join(" ")),
            folder: Name::from(folder),
        }
    }
}

/// Why each package that `new` built was built, by import path. Packages that only the cache
/// lacked are left out where base built them, too.
pub(super) fn rebuilt(base: &Run, new: &Run) -> Vec<Rebuilt> {
    let built = new.inputs.iter().filter(|(_, inputs)| inputs.built);
    let rebuilt = built.map(|(package, inputs)| Rebuilt {
        package: package.clone(),
        reasons: reasons(package, inputs, base, new),
    });
    let told = |rebuilt: &Rebuilt| {
        let before = base.inputs.get(&rebuilt.package);
        rebuilt.reasons != [Reason::NotCached] || before.is_some_and(|before| !before.built)
    };
    // Without a graph on the other side nothing can be told.
    let graphs = !base.inputs.is_empty();
    rebuilt.filter(|row| graphs && told(row)).collect()
}

/// Packages that one of the runs built, and the other had in the cache.
pub(super) fn cached(base: &Run, new: &Run) -> BTreeSet<Name> {
    let both = new.inputs.iter().filter_map(|(package, inputs)| {
        let before = base.inputs.get(package)?;
        (before.built != inputs.built).then(|| package.clone())
    });
    both.collect()
}

fn reasons(package: &Name, inputs: &Inputs, base: &Run, new: &Run) -> Vec<Reason> {
    let Some(before) = base.inputs.get(package) else {
        return vec![Reason::NewPackage];
    };
    if before.action == inputs.action {
        return vec![Reason::NotCached];
    }
    let mut reasons = Vec::new();
    if base.go != new.go {
        reasons.push(Reason::Toolchain);
    }
    let of_target = [Fact::Target]
        .into_iter()
        .chain(OF_GO.map(|name| Fact::Variable(Name::from(name))));
    let differs = |fact: Fact| base.facts.0.get(&fact) != new.facts.0.get(&fact);
    if of_target.into_iter().any(differs) {
        reasons.push(Reason::Target);
    }
    // What came from the cache shows no command.
    let shown = before.built && inputs.built;
    if shown && before.flags != inputs.flags {
        reasons.push(Reason::Flags);
    }
    if shown && before.folder != inputs.folder && !is_standard(base, new, package) {
        reasons.push(Reason::Folder);
    }
    for need in &inputs.needs {
        let contents = (base.inputs.get(need), new.inputs.get(need));
        if let (Some(one), Some(other)) = contents
            && one.content != other.content
            && !other.content.is_empty()
        {
            reasons.push(Reason::Dependency(need.clone()));
        }
    }
    let files = shown && before.files != inputs.files;
    if reasons.is_empty() || files {
        reasons.push(Reason::OwnInputs);
    }
    reasons
}

/// Of the standard library the folder is no input.
fn is_standard(base: &Run, new: &Run, package: &Name) -> bool {
    [base, new].iter().any(|run| {
        let inputs = run.inputs.get(package);
        inputs.is_some_and(|inputs| inputs.flags.split(' ').any(|flag| flag == "-std"))
    })
}
