//! Whether the actions of a draft had work to do, and whether they failed.
//!
//! Graphs tell little of either. cmd/go (1.21 to 1.27) writes down whether an action failed
//! when it makes the graph, which is before anything ran; and of a test run it never writes a
//! command. What programs did, and what became of dependencies, tells the rest.

use super::{
    ActionIndex, ActionKind, BuildAction, Outcome,
    draft::{Command, Draft},
    measure,
};
use crate::{
    analyze::Tool,
    trace::{ExitStatus, ProcessId},
};

impl Outcome {
    const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Blocked)
    }
}

impl Draft {
    /// Settles the outcomes of actions that have their programs, dependencies first.
    pub(super) fn settle_outcomes(&mut self, command: &Command<'_>, order: &[ActionIndex]) {
        for &index in order {
            let Some(action) = self.actions.get(index.index()) else {
                continue;
            };
            let settled = match action.outcome {
                _ if failed(command, action) => Outcome::Failed,
                Outcome::Blocked if !action.processes.is_empty() => Outcome::Failed,
                Outcome::Cached if !action.processes.is_empty() => Outcome::Built,
                outcome if !action.processes.is_empty() => outcome,
                outcome if action.kind == ActionKind::TestRun => self.test_run(action, outcome),
                _ if self.is_blocked(action) => Outcome::Blocked,
                outcome => outcome,
            };
            if let Some(action) = self.actions.get_mut(index.index()) {
                action.outcome = settled;
            }
        }
    }

    /// Whether an action without programs was never begun, because of a dependency.
    ///
    /// What ran commands was begun. cmd/go goes on behind a vet that found something and a test
    /// that failed, and prints the results of tests that could not be built.
    fn is_blocked(&self, action: &BuildAction) -> bool {
        let ran_commands = action.outcome == Outcome::Built
            && matches!(
                action.kind,
                ActionKind::Compile | ActionKind::Cgo | ActionKind::Link | ActionKind::Vet
            );
        let goes_on = action.kind == ActionKind::Bookkeeping && action.mode.starts_with("test ");
        !ran_commands
            && !goes_on
            && action.deps.iter().any(|dep| {
                self.actions.get(dep.index()).is_some_and(|dep| {
                    let stops = !matches!(dep.kind, ActionKind::Vet | ActionKind::TestRun);
                    stops && dep.outcome.is_failure()
                })
            })
    }

    /// What became of a test whose program was not seen, by what it waited for: the backend
    /// `toolexec` never sees one. cmd/go links a test if and only if it is about to run it.
    fn test_run(&self, run: &BuildAction, outcome: Outcome) -> Outcome {
        if outcome == Outcome::Failed {
            return outcome;
        }
        let inputs = || measure::inputs(&self.actions, run);
        let ours = |dep: &&BuildAction| {
            let behind = dep.package.strip_prefix(&*run.package);
            matches!(behind, Some("" | ".test")) && dep.kind != ActionKind::TestRun
        };
        if inputs().filter(ours).any(|dep| dep.outcome.is_failure()) {
            return Outcome::Blocked;
        }
        match measure::link_of(&self.actions, run) {
            Some(link) if link.outcome.is_failure() => Outcome::Blocked,
            Some(link) if link.outcome == Outcome::Built => Outcome::Built,
            _ => Outcome::Cached,
        }
    }
}

/// Whether the last program that the go command ran for an action failed.
///
/// Earlier ones may fail as a matter of course: cmd/go asks a C compiler whether it knows a
/// flag by trying it.
fn failed(command: &Command<'_>, action: &BuildAction) -> bool {
    let direct = |id: &&ProcessId| {
        let role = command.roles.get(**id);
        role.is_some_and(|role| role.parent == command.go && role.tool != Tool::Go)
    };
    let ends = action.processes.iter().filter(direct).filter_map(|&id| {
        let exit = command.trace.process(id)?.exit?;
        Some((exit.at, id, exit.status))
    });
    let last = ends.max_by_key(|&(at, id, _)| (at, id));
    matches!(
        last,
        Some((_, _, ExitStatus::Code(1..) | ExitStatus::Signal(_)))
    )
}
