//! Drafts of builds without a graph: from command lines, folders and importcfg files.

use super::{
    ActionIndex, ActionKind, BuildAction, Origin, Outcome,
    draft::{Command, Draft},
};
use crate::{
    analyze::{Name, Role, Tool, argv},
    trace::{Nanos, ProcessId, StringId},
};
use rustc_hash::FxHashMap;

/// What makes two programs parts of one action.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'t> {
    /// The folder of an action, and what is done there: several kinds share it.
    Folder(&'t str, ActionKind),
    /// A program that the go command ran for its user.
    Alone(ProcessId, ActionKind),
}

/// One action for the programs of one `$WORK/bNNN` and kind; all that makes one package is one
/// action, as in the go command's own graphs before Go 1.25. Dependencies are the packages of
/// the importcfg that were compiled in this build: cached ones cannot be seen.
pub(super) fn draft(command: &Command<'_>) -> Draft {
    let mut keys: FxHashMap<Key<'_>, ActionIndex> = FxHashMap::default();
    let mut by_process: FxHashMap<ProcessId, ActionIndex> = FxHashMap::default();
    let mut actions: Vec<BuildAction> = Vec::new();
    let mut joined = Vec::new();
    for &id in &command.members {
        let Some(role) = command.roles.get(id) else {
            continue;
        };
        let parent = role.parent.filter(|parent| Some(*parent) != command.go);
        let action = parent
            .and_then(|parent| by_process.get(&parent).copied())
            .or_else(|| {
                let key = key(command, id, role)?;
                let next = ActionIndex(u32::try_from(actions.len()).ok()?);
                Some(*keys.entry(key).or_insert_with(|| {
                    actions.push(blank(key, role));
                    next
                }))
            });
        if let Some(index) = action {
            by_process.insert(id, index);
            joined.push((id, index));
            extend(command, &mut actions, index, id);
        }
    }
    let links = Links::of(command, &actions, &keys, &by_process);
    links.tie(command, &mut actions);
    Draft {
        origin: Origin::Processes,
        timed: vec![false; actions.len()],
        actions,
        joined,
    }
}

fn key<'t>(command: &Command<'t>, id: ProcessId, role: &'t Role) -> Option<Key<'t>> {
    let go = command.trace.process(command.go?)?;
    if argv::go_subcommand(command.trace, &go.exec) == b"generate" {
        return Some(Key::Alone(id, ActionKind::Generate));
    }
    let kind = match role.tool {
        Tool::Program => return Some(Key::Alone(id, ActionKind::Run)),
        Tool::Link => ActionKind::Link,
        Tool::Vet => ActionKind::Vet,
        Tool::TestBinary => ActionKind::TestRun,
        _ => ActionKind::Compile,
    };
    Some(Key::Folder(role.objdir.as_deref()?, kind))
}

fn blank(key: Key<'_>, role: &Role) -> BuildAction {
    let (Key::Folder(_, kind) | Key::Alone(_, kind)) = key;
    BuildAction {
        kind,
        mode: Name::from(kind.name()),
        package: role.package.clone().unwrap_or_default(),
        outcome: Outcome::Built,
        deps: Vec::new(),
        ready: Nanos::ZERO,
        start: Nanos(u64::MAX),
        end: Nanos::ZERO,
        processes: Vec::new(),
        cpu: Nanos::ZERO,
        runqueue: Nanos::ZERO,
        unlocks: 0,
        gates: 0,
    }
}

fn extend(command: &Command<'_>, actions: &mut [BuildAction], index: ActionIndex, id: ProcessId) {
    let Some((action, process)) = actions
        .get_mut(index.index())
        .zip(command.trace.process(id))
    else {
        return;
    };
    action.start = action.start.min(process.start);
    action.end = action.end.max(process.end_or(command.end));
}

/// What dependencies are found by.
struct Links<'a, 't> {
    /// Compile actions of a package, by end: with tests, a package is compiled several times.
    compiles: FxHashMap<Name, Vec<(Nanos, ActionIndex)>>,
    keys: &'a FxHashMap<Key<'t>, ActionIndex>,
    /// Import paths that each action's programs were given.
    imports: FxHashMap<ActionIndex, Vec<StringId>>,
}

impl<'a, 't> Links<'a, 't> {
    fn of(
        command: &Command<'t>,
        actions: &[BuildAction],
        keys: &'a FxHashMap<Key<'t>, ActionIndex>,
        by_process: &FxHashMap<ProcessId, ActionIndex>,
    ) -> Self {
        let mut compiles: FxHashMap<Name, Vec<(Nanos, ActionIndex)>> = FxHashMap::default();
        for (index, action) in (0..).map(ActionIndex).zip(actions) {
            if action.kind == ActionKind::Compile {
                let package = action.package.clone();
                compiles
                    .entry(package)
                    .or_default()
                    .push((action.end, index));
            }
        }
        for ends in compiles.values_mut() {
            ends.sort_unstable();
        }
        let mut imports: FxHashMap<ActionIndex, Vec<StringId>> = FxHashMap::default();
        for import in &command.trace.imports {
            if let Some(&index) = by_process.get(&import.process) {
                imports.entry(index).or_default().extend(&import.packages);
            }
        }
        Self {
            compiles,
            keys,
            imports,
        }
    }

    fn tie(&self, command: &Command<'_>, actions: &mut [BuildAction]) {
        for (&index, packages) in &self.imports {
            let Some(start) = actions.get(index.index()).map(|action| action.start) else {
                continue;
            };
            let found = packages
                .iter()
                .filter_map(|&package| self.compiled_before(&command.trace.text(package), start))
                .filter(|&dep| dep != index);
            let mut deps: Vec<ActionIndex> = found.collect();
            deps.sort_unstable();
            deps.dedup();
            if let Some(action) = actions.get_mut(index.index()) {
                action.deps = deps;
            }
        }
        for (key, &index) in self.keys {
            let Key::Folder(folder, kind) = *key else {
                continue;
            };
            let before = match kind {
                ActionKind::Link | ActionKind::Vet => ActionKind::Compile,
                ActionKind::TestRun => ActionKind::Link,
                _ => continue,
            };
            if let Some(&dep) = self.keys.get(&Key::Folder(folder, before)) {
                add_dep(actions, index, dep);
            }
        }
        self.tie_runs(actions);
    }

    /// What `go run` ran depends on the link that ended last before it began.
    fn tie_runs(&self, actions: &mut [BuildAction]) {
        let last_link = self
            .keys
            .iter()
            .filter(|(key, _)| matches!(key, Key::Folder(_, ActionKind::Link)))
            .filter_map(|(_, &index)| Some((actions.get(index.index())?.end, index)))
            .max();
        for (key, &index) in self.keys {
            if let (Key::Alone(_, ActionKind::Run), Some((_, link))) = (key, last_link) {
                add_dep(actions, index, link);
            }
        }
    }

    /// The compile action of a package that ended last before `start`.
    fn compiled_before(&self, package: &str, start: Nanos) -> Option<ActionIndex> {
        let ends = self.compiles.get(package)?;
        let after = ends.partition_point(|&(end, _)| end <= start);
        Some(ends.get(after.checked_sub(1)?)?.1)
    }
}

/// Adds a dependency, but not on what ended only after the dependent began: the go command
/// would have waited for it.
fn add_dep(actions: &mut [BuildAction], index: ActionIndex, dep: ActionIndex) {
    let end = actions.get(dep.index()).map(|dep| dep.end);
    if let Some(action) = actions.get_mut(index.index())
        && end.is_some_and(|end| end <= action.start)
        && !action.deps.contains(&dep)
    {
        action.deps.push(dep);
    }
}
