//! Drafts of builds from the go commands' own action graphs, joined with processes.

use super::{
    ActionIndex, ActionKind, BuildAction, Origin, Outcome,
    draft::{Command, Draft},
};
use crate::{
    analyze::{Name, Roles, Tool, argv},
    trace::{Action, Nanos, ProcessId, Trace},
};
use rustc_hash::FxHashMap;

/// The graphs that one go command wrote: most often one.
#[derive(Default)]
pub(super) struct Graph<'t> {
    actions: Vec<&'t Action>,
}

/// Sorts the actions of a trace by the go command that wrote them.
///
/// The folder `$WORK` that graph and processes name tells best; then, what the recorder knew.
/// Graphs of unseen go commands all come under `None`, as one.
pub(super) fn by_command<'t>(
    trace: &'t Trace,
    roles: &Roles,
) -> FxHashMap<Option<ProcessId>, Graph<'t>> {
    let mut go_of_work: FxHashMap<&[u8], ProcessId> = FxHashMap::default();
    for (_, role) in roles.iter() {
        if let (Some(dir), Some(go)) = (&role.objdir, role.go) {
            go_of_work.entry(work(dir.as_bytes())).or_insert(go);
        }
    }
    let mut owners: FxHashMap<u32, Option<ProcessId>> = FxHashMap::default();
    for action in &trace.actions {
        let owner = owners.entry(action.graph).or_insert(None);
        if owner.is_none() {
            *owner = objdir(trace, action).and_then(|dir| go_of_work.get(work(dir)).copied());
        }
    }
    let is_go = |id: &ProcessId| roles.get(*id).is_some_and(|role| role.tool == Tool::Go);
    let mut graphs: FxHashMap<Option<ProcessId>, Graph<'t>> = FxHashMap::default();
    for action in &trace.actions {
        let by_work = owners.get(&action.graph).copied().flatten();
        let owner = by_work.or(action.go).filter(is_go);
        graphs.entry(owner).or_default().actions.push(action);
    }
    graphs
}

/// `$WORK` of the folder of an action.
fn work(objdir: &[u8]) -> &[u8] {
    let slash = objdir.iter().rposition(|&b| b == b'/').unwrap_or(0);
    objdir.get(..slash).unwrap_or_default()
}

/// The folder that an action works in.
fn objdir<'t>(trace: &'t Trace, action: &'t Action) -> Option<&'t [u8]> {
    [action.objdir, action.target]
        .iter()
        .chain(&action.commands)
        .map(|&id| trace.strings.get(id))
        .find_map(argv::objdir)
}

impl ActionKind {
    /// What cmd/go calls a mode, in the versions 1.16 to 1.27 (`Action.Mode` in
    /// `cmd/go/internal/{work,test,run,vet,tool}`).
    fn of_mode(mode: &[u8]) -> Self {
        match mode {
            b"build" | b"test build" | b"gccgo stdlib" => Self::Compile,
            b"build check cache" => Self::CheckCache,
            b"swigDoIntSize" => Self::Cgo,
            b"link" | b"go build -buildmode=shared" => Self::Link,
            b"vet" => Self::Vet,
            b"test run" => Self::TestRun,
            b"go run" | b"run" | b"go tool" => Self::Run,
            b"build-install" | b"link-install" | b"install" | b"install header" => Self::Install,
            b"go build"
            | b"go install"
            | b"go install (tools)"
            | b"go test"
            | b"go vet"
            | b"go install -buildmode=shared"
            | b"shlib packages"
            | b"shlibname"
            | b"built-in package"
            | b"nop"
            | b"test barrier"
            | b"test print"
            | b"test clean"
            | b"test print (nop)"
            | b"use installed"
            | b"collect cgo" => Self::Bookkeeping,
            other if other.starts_with(b"cgo ") => Self::Cgo,
            _ => Self::Other,
        }
    }

    /// Whether an action of this kind may run that tool itself.
    const fn may_run(self, tool: &Tool) -> bool {
        match tool {
            Tool::Link => matches!(self, Self::Link),
            Tool::Vet => matches!(self, Self::Vet),
            Tool::TestBinary => matches!(self, Self::TestRun),
            Tool::Program => matches!(self, Self::Run),
            _ => matches!(self, Self::Compile | Self::Cgo | Self::Other),
        }
    }
}

impl<'t> Graph<'t> {
    pub(super) const fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// First ready and last done.
    pub(super) fn span(&self) -> Option<(Nanos, Nanos)> {
        let first = self
            .actions
            .iter()
            .filter_map(|a| a.ready.or(a.start))
            .min();
        let last = self.actions.iter().filter_map(|a| a.done).max();
        first.zip(last)
    }

    pub(super) fn draft(&self, command: &Command<'t>) -> Draft {
        let mut positions: FxHashMap<(u32, u32), ActionIndex> = FxHashMap::default();
        for (index, action) in (0..).map(ActionIndex).zip(&self.actions) {
            positions
                .entry((action.graph, action.number))
                .or_insert(index);
        }
        let mut names: FxHashMap<&[u8], Name> = FxHashMap::default();
        let mut actions = Vec::with_capacity(self.actions.len());
        let mut timed = Vec::with_capacity(self.actions.len());
        let needs_failed = |action: &Action| {
            action.deps.iter().any(|&number| {
                let at = positions.get(&(action.graph, number));
                let dep = at.and_then(|at| self.actions.get(at.index()));
                dep.is_some_and(|dep| dep.failed)
            })
        };
        for action in &self.actions {
            let mut name = |text: &'t [u8]| {
                names
                    .entry(text)
                    .or_insert_with(|| Name::from(text))
                    .clone()
            };
            let deps = action.deps.iter();
            let mode = command.trace.strings.get(action.mode);
            let kind = ActionKind::of_mode(mode);
            actions.push(BuildAction {
                kind,
                mode: name(mode),
                package: name(command.trace.strings.get(action.package)),
                outcome: outcome(kind, action, needs_failed(action)),
                deps: deps
                    .filter_map(|&number| positions.get(&(action.graph, number)).copied())
                    .collect(),
                ready: action.ready.or(action.start).unwrap_or_default(),
                start: action.start.unwrap_or_default(),
                end: action.done.or(action.start).unwrap_or_default(),
                processes: Vec::new(),
                cpu: Nanos::ZERO,
                runqueue: Nanos::ZERO,
                unlocks: 0,
                gates: 0,
            });
            timed.push(action.start.is_some());
        }
        let origin = if timed.contains(&true) {
            Origin::ActionGraph
        } else {
            Origin::UntimedGraph
        };
        let joined = Join::of(command.trace, &self.actions, &actions).processes(command);
        Draft {
            origin,
            actions,
            timed,
            joined,
        }
    }
}

/// Whether there was work, as far as the graph tells; programs that are found tell more.
/// `need_build` is of no use: Go 1.27 sets it for cached packages as well.
fn outcome(kind: ActionKind, action: &Action, needs_failed: bool) -> Outcome {
    match kind {
        _ if action.failed && needs_failed && action.commands.is_empty() => Outcome::Blocked,
        _ if action.failed => Outcome::Failed,
        ActionKind::Compile
        | ActionKind::Cgo
        | ActionKind::Link
        | ActionKind::Vet
        | ActionKind::TestRun
            if action.commands.is_empty() =>
        {
            Outcome::Cached
        }
        _ => Outcome::Built,
    }
}

/// Finds the action of a process.
struct Join<'a, 't> {
    actions: &'a [BuildAction],
    /// By the file that a command writes (`-o`): it is one command's alone.
    by_output: FxHashMap<&'t [u8], ActionIndex>,
    /// By the folder of the action, which a few share.
    by_objdir: FxHashMap<&'t [u8], Vec<ActionIndex>>,
    runs: Vec<ActionIndex>,
}

impl<'a, 't> Join<'a, 't> {
    fn of(trace: &'t Trace, graph: &[&'t Action], actions: &'a [BuildAction]) -> Self {
        let mut join = Self {
            actions,
            by_output: FxHashMap::default(),
            by_objdir: FxHashMap::default(),
            runs: Vec::new(),
        };
        for (index, (from, action)) in (0..).map(ActionIndex).zip(graph.iter().zip(actions)) {
            if let Some(dir) = objdir(trace, from) {
                join.by_objdir.entry(dir).or_default().push(index);
            }
            let commands = from.commands.iter().map(|&id| trace.strings.get(id));
            for output in commands.filter_map(argv::printed_output) {
                // `-o /dev/null` is what many write.
                if argv::objdir(output).is_some() {
                    join.by_output.entry(output).or_insert(index);
                }
            }
            if action.kind == ActionKind::Run {
                join.runs.push(index);
            }
        }
        join
    }

    fn processes(&self, command: &Command<'_>) -> Vec<(ProcessId, ActionIndex)> {
        let mut joined: FxHashMap<ProcessId, ActionIndex> = FxHashMap::default();
        for &id in &command.members {
            let parent = command.roles.get(id).and_then(|role| role.parent);
            let action = parent
                .filter(|parent| Some(*parent) != command.go)
                .and_then(|parent| joined.get(&parent).copied())
                .or_else(|| self.find(command, id));
            if let Some(action) = action {
                joined.insert(id, action);
            }
        }
        joined.into_iter().collect()
    }

    fn find(&self, command: &Command<'_>, id: ProcessId) -> Option<ActionIndex> {
        let role = command.roles.get(id)?;
        let process = command.trace.process(id)?;
        let output = argv::flag(command.trace, &process.exec, b"-o");
        if let Some(&action) = output.and_then(|output| self.by_output.get(output)) {
            return Some(action);
        }
        if role.tool == Tool::Program {
            return self.runs.first().copied();
        }
        let candidates = self.by_objdir.get(role.objdir.as_deref()?.as_bytes())?;
        let at = process.start;
        let fits = |index: &&ActionIndex| {
            let action = self.actions.get(index.index());
            action.is_some_and(|action| action.kind.may_run(&role.tool))
        };
        // The action under way when the process began; else the one nearest in time.
        let distance = |index: &&ActionIndex| {
            self.actions.get(index.index()).map(|action| {
                let away = action.start.since(at) + at.since(action.end);
                (away, action.running())
            })
        };
        candidates.iter().filter(fits).min_by_key(distance).copied()
    }
}
