//! From go commands and their processes to builds: who belongs to which, and the finish.

use super::{
    ActionIndex, Build, BuildAction, Chain, CriticalPath, Load, Origin, Outcome, Parallelism,
    gating, graph, inferred, measure,
};
use crate::{
    analyze::{Name, Roles, Tool, argv},
    trace::{ExitStatus, Nanos, Process, ProcessId, Trace},
};
use rustc_hash::FxHashMap;

/// The go command whose build is made, and the programs that it ran.
pub(super) struct Command<'t> {
    pub(super) trace: &'t Trace,
    pub(super) roles: &'t Roles,
    pub(super) go: Option<ProcessId>,
    /// Programs below it, those below nested go commands left out, by id.
    pub(super) members: Vec<ProcessId>,
    pub(super) start: Nanos,
    pub(super) end: Nanos,
}

/// A graph whose actions may lack times, and the actions that programs belong to.
pub(super) struct Draft {
    pub(super) origin: Origin,
    pub(super) actions: Vec<BuildAction>,
    /// Whether the times of the action at the same position are known.
    pub(super) timed: Vec<bool>,
    /// Programs and their actions.
    pub(super) joined: Vec<(ProcessId, ActionIndex)>,
}

/// The builds of all go commands, in no order.
pub(super) fn builds(trace: &Trace, roles: &Roles) -> Vec<Build> {
    let mut graphs = graph::by_command(trace, roles);
    let mut members: FxHashMap<ProcessId, Vec<ProcessId>> = FxHashMap::default();
    for (id, role) in roles.iter() {
        let above = match role.tool {
            Tool::Go => outer_go(roles, id),
            _ => role.go,
        };
        if let Some(go) = above {
            members.entry(go).or_default().push(id);
        }
    }
    let cpu = cpu_below(trace, roles);
    let open_end = trace.command_end();
    let mut builds = Vec::new();
    for (go, role) in roles.iter() {
        let graph = graphs.remove(&Some(go)).unwrap_or_default();
        let members = members.remove(&go).unwrap_or_default();
        let switched = trace
            .process(go)
            .and_then(|process| process.exit)
            .is_some_and(|exit| exit.status == ExitStatus::Replaced);
        if role.tool != Tool::Go || (switched && graph.is_empty() && members.is_empty()) {
            continue;
        }
        let command = Command::of(trace, roles, go, members, open_end);
        let cpu = cpu.get(&go).copied().unwrap_or_default();
        builds.push(command.build(&graph, cpu));
    }
    for (_, graph) in graphs {
        builds.push(Command::unseen(trace, roles, &graph).build(&graph, Nanos::ZERO));
    }
    builds
}

/// The go command that a go command was started by, directly or not.
fn outer_go(roles: &Roles, go: ProcessId) -> Option<ProcessId> {
    roles.get(roles.get(go)?.parent?)?.go
}

/// CPU time of each go command and of all below it, nested go commands included.
fn cpu_below(trace: &Trace, roles: &Roles) -> FxHashMap<ProcessId, Nanos> {
    let mut sums: FxHashMap<ProcessId, Nanos> = FxHashMap::default();
    for process in &trace.processes {
        let nearest = roles.get(process.id).and_then(|role| role.go);
        // Go commands nest a few deep; the bound only ends a circle in a damaged trace.
        for go in std::iter::successors(nearest, |&go| outer_go(roles, go)).take(100) {
            *sums.entry(go).or_default() += process.cpu();
        }
    }
    sums
}

impl<'t> Command<'t> {
    /// `open_end` stands for the end of a go command that was not seen to end.
    fn of(
        trace: &'t Trace,
        roles: &'t Roles,
        go: ProcessId,
        members: Vec<ProcessId>,
        open_end: Nanos,
    ) -> Self {
        let process = trace.process(go);
        let exit = process.and_then(|process| process.exit).map(|exit| exit.at);
        let before = |process: &&'t Process| {
            let before = trace.process(process.predecessor?)?;
            let role = roles.get(before.id)?;
            (role.tool == Tool::Go).then_some(before)
        };
        let first = std::iter::successors(process, before).take(100).last();
        let start = first.map_or(Nanos::ZERO, |process| process.start);
        Self {
            trace,
            roles,
            go: Some(go),
            members,
            start,
            end: exit.unwrap_or(open_end).max(start),
        }
    }

    /// A go command of which only the graph is known.
    fn unseen(trace: &'t Trace, roles: &'t Roles, graph: &graph::Graph<'_>) -> Self {
        let (start, end) = graph.span().unwrap_or_default();
        Self {
            trace,
            roles,
            go: None,
            members: Vec::new(),
            start,
            end,
        }
    }

    fn build(&self, graph: &graph::Graph<'_>, cpu: Nanos) -> Build {
        let mut draft = if graph.is_empty() {
            inferred::draft(self)
        } else {
            graph.draft(self)
        };
        draft.attach_processes(self);
        let order = gating::order(&mut draft.actions);
        draft.settle_outcomes(self, &order);
        draft.settle_times(self, &order);
        gating::count(&mut draft.actions, &order);
        let longest_chain = Chain::longest(&draft.actions, &order);
        let nested = self.go.is_some_and(|go| outer_go(self.roles, go).is_some());
        let parallelism = Parallelism::of(self, &draft.actions, cpu);
        Build {
            go: self.go,
            command: self.line(),
            origin: draft.origin,
            start: self.start,
            end: self.end,
            nested,
            slots: measure::slots(self)
                .unwrap_or(parallelism.peak)
                .max(parallelism.peak),
            critical_path: CriticalPath::default(),
            longest_chain,
            load: Load::before_actions(self, &draft.actions),
            tests: measure::tests(&draft.actions),
            parallelism,
            actions: draft.actions,
        }
    }

    /// The command line, for people.
    fn line(&self) -> Name {
        let Some(process) = self.go.and_then(|go| self.trace.process(go)) else {
            return Name::from("go (not seen)");
        };
        let words: Vec<_> = argv::args(self.trace, &process.exec)
            .skip(1)
            .map(String::from_utf8_lossy)
            .collect();
        Name::from(format!("go {}", words.join(" ")).trim_end().to_owned())
    }
}

impl Draft {
    /// Gives each action its programs, and what they used.
    fn attach_processes(&mut self, command: &Command<'_>) {
        self.joined.sort_unstable();
        for &(id, index) in &self.joined {
            let (Some(process), Some(action)) = (
                command.trace.process(id),
                self.actions.get_mut(index.index()),
            ) else {
                continue;
            };
            action.processes.push(id);
            action.cpu += process.cpu();
            if let Some(exit) = process.exit {
                action.runqueue += exit.usage.runqueue;
            }
        }
    }

    /// Gives times to actions that have none, dependencies first, and cuts all times to the
    /// life of the go command.
    fn settle_times(&mut self, command: &Command<'_>, order: &[ActionIndex]) {
        let mut reached = self.reached(order);
        let earliest = self.earliest(command);
        for &index in order {
            let Some(action) = self.actions.get(index.index()) else {
                continue;
            };
            let deps_done = action
                .deps
                .iter()
                .filter_map(|dep| self.actions.get(dep.index()))
                .map(|dep| dep.end)
                .max()
                .map_or(earliest, |done| done.max(earliest));
            let lives = action.processes.iter().filter_map(|&id| {
                let process = command.trace.process(id)?;
                Some((process.start, process.end_or(command.end)))
            });
            let life = lives.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            let timed = self.timed.get(index.index()) == Some(&true);
            let reached = std::mem::take(&mut reached[index.index()]);
            let Some(action) = self.actions.get_mut(index.index()) else {
                continue;
            };
            match (timed, life) {
                (true, _) => {}
                (false, Some((start, end))) => {
                    (action.start, action.end) = (start, end);
                    action.ready = match action.deps.is_empty() {
                        true => start,
                        false => deps_done,
                    };
                }
                (false, None) => {
                    (action.ready, action.start, action.end) = (deps_done, deps_done, deps_done);
                    if !reached {
                        action.outcome = Outcome::NotReached;
                    }
                }
            }
            action.end = action.end.clamp(command.start, command.end);
            action.start = action.start.clamp(command.start, action.end);
            action.ready = action.ready.clamp(command.start, action.start);
        }
    }

    /// Before which no action without a time was ready. That of an untimed graph, where what was
    /// cached has no time either, is the first program of any action: before that, the go
    /// command loaded packages, and no slot was waited for.
    fn earliest(&self, command: &Command<'_>) -> Nanos {
        let programs = self.joined.iter();
        let starts = programs.filter_map(|&(id, _)| Some(command.trace.process(id)?.start));
        match self.origin {
            Origin::UntimedGraph => starts.min().unwrap_or(command.start).max(command.start),
            Origin::ActionGraph | Origin::Processes => command.start,
        }
    }

    /// Whether an action must have been done: it has times or programs, or one of its
    /// dependents must have been done.
    fn reached(&self, order: &[ActionIndex]) -> Vec<bool> {
        let mut reached: Vec<bool> = self
            .actions
            .iter()
            .zip(&self.timed)
            .map(|(action, timed)| *timed || !action.processes.is_empty())
            .collect();
        for &index in order.iter().rev() {
            if reached.get(index.index()) == Some(&true) {
                for dep in &self.actions[index.index()].deps {
                    if let Some(dep) = reached.get_mut(dep.index()) {
                        *dep = true;
                    }
                }
            }
        }
        reached
    }
}
