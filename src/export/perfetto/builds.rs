//! Builds in; slices of actions and their waits, flows between them, and the critical path out.

use super::packets::{self, Packets};
use super::proto::{AnnotationValue, TrackEvent};
use super::tracks::Track;
use crate::analyze::Analysis;
use crate::analyze::build::{ActionIndex, Build, BuildAction, Outcome, SegmentKind};
use crate::export::{labels, lanes};
use crate::trace::Nanos;
use std::io::{self, Write};

/// Category of everything that the build's end waited for.
const CRITICAL: &str = "critical_path";

/// Writes the critical path and all builds.
pub(super) fn write(analysis: &Analysis<'_>, packets: &mut Packets<impl Write>) -> io::Result<()> {
    critical_path(analysis, packets)?;
    for (number, build) in (0..).zip(&analysis.builds.builds) {
        let group = Track::Build(number);
        packets.track(group.top(build.command.to_string(), 10))?;
        let writer = BuildWriter {
            analysis,
            build,
            group,
            number,
            critical: labels::critical_actions(build),
            flows: Flows::of(build),
        };
        writer.actions(packets)?;
        writer.waits(packets)?;
    }
    Ok(())
}

fn critical_path(analysis: &Analysis<'_>, packets: &mut Packets<impl Write>) -> io::Result<()> {
    let segments = &analysis.builds.critical_path.segments;
    if segments.is_empty() {
        return Ok(());
    }
    packets.track(Track::CriticalPath.top("critical path", 1))?;
    for segment in segments {
        let kind = match segment.kind {
            SegmentKind::Running(_) => "action",
            SegmentKind::Waiting(_) => "wait",
            SegmentKind::Load | SegmentKind::GoItself => "go",
            SegmentKind::Outside => "outside",
        };
        let event = TrackEvent {
            name: Some(labels::segment(analysis, segment)),
            categories: vec![CRITICAL.to_owned(), kind.to_owned()],
            ..TrackEvent::default()
        };
        let span = (segment.start, segment.end);
        packets.slice(Track::CriticalPath.uuid(), span, event)?;
    }
    Ok(())
}

struct BuildWriter<'a, 't> {
    analysis: &'a Analysis<'t>,
    build: &'a Build,
    group: Track,
    number: u32,
    /// By position of the action.
    critical: Vec<bool>,
    flows: Flows,
}

impl BuildWriter<'_, '_> {
    /// Slices of all actions that were begun, in lanes without overlap.
    fn actions(&self, packets: &mut Packets<impl Write>) -> io::Result<()> {
        let shown = self.shown();
        let spans: Vec<_> = shown
            .iter()
            .map(|(_, action)| (action.start, action.end))
            .collect();
        for (lane, rows) in (0..).zip(lanes::pack(&spans)) {
            let track = Track::Actions(self.number, lane);
            packets.track(track.below(self.group, "actions", 1))?;
            for &(index, action) in rows.iter().filter_map(|&row| shown.get(row)) {
                let span = (action.start, action.end);
                packets.slice(track.uuid(), span, self.action(index, action))?;
            }
        }
        Ok(())
    }

    /// Slices of the time that actions were ready and waited for a slot.
    fn waits(&self, packets: &mut Packets<impl Write>) -> io::Result<()> {
        let mut waiting = self.shown();
        waiting.retain(|(_, action)| action.waited() > Nanos::ZERO);
        let spans: Vec<_> = waiting
            .iter()
            .map(|(_, action)| (action.ready, action.start))
            .collect();
        for (lane, rows) in (0..).zip(lanes::pack(&spans)) {
            let track = Track::Waits(self.number, lane);
            packets.track(track.below(self.group, "ready, waiting for a slot", 2))?;
            for (_, action) in rows.iter().filter_map(|&row| waiting.get(row)) {
                let event = TrackEvent {
                    name: Some(labels::action(action)),
                    categories: vec!["wait".to_owned()],
                    ..TrackEvent::default()
                };
                packets.slice(track.uuid(), (action.ready, action.start), event)?;
            }
        }
        Ok(())
    }

    fn shown(&self) -> Vec<(ActionIndex, &BuildAction)> {
        let begun = |action: &BuildAction| action.outcome != Outcome::NotReached;
        self.build
            .indexed()
            .filter(|(_, action)| begun(action))
            .collect()
    }

    fn action(&self, index: ActionIndex, action: &BuildAction) -> TrackEvent {
        let trace = self.analysis.trace;
        let mut notes = vec![
            packets::text("package", &*action.package),
            packets::text("action", &*action.mode),
            packets::text("outcome", action.outcome.name()),
            packets::truth("cached", action.outcome == Outcome::Cached),
            packets::number("wait_ns", action.waited().0),
            packets::number("cpu_ns", action.cpu.0),
            packets::number("runqueue_ns", action.runqueue.0),
            packets::number("unlocks", action.unlocks.into()),
        ];
        if let Some(process) = labels::main_process(self.analysis, action) {
            if let Some(role) = self.analysis.roles.get(process.id) {
                notes.push(packets::text("tool", role.tool.name()));
            }
            let argv = process.exec.argv.iter();
            let argv = argv.map(|&id| AnnotationValue::Text(trace.text(id).into_owned()));
            notes.push(packets::list("argv", argv));
            let pids = action.processes.iter().filter_map(|&id| trace.process(id));
            let pids = pids.map(|process| AnnotationValue::Uint(process.pid.0.into()));
            notes.push(packets::list("pids", pids));
        }
        let mut categories = vec!["action".to_owned()];
        if self.critical.get(index.index()).is_some_and(|&yes| yes) {
            categories.push(CRITICAL.to_owned());
        }
        let (incoming, outgoing) = self.flows.of_action(self.build, index);
        let unique = |flow: u32| (u64::from(self.number) << 32) | u64::from(flow);
        TrackEvent {
            name: Some(labels::action(action)),
            categories,
            flow_ids: outgoing.map(unique).collect(),
            terminating_flow_ids: incoming.map(unique).collect(),
            debug_annotations: notes,
            ..TrackEvent::default()
        }
    }
}

/// A flow for each dependency whose two ends are shown: from the action that had to be done
/// before to the one that needed it.
struct Flows {
    /// Flows of each action's dependencies, by position of the action: where they begin.
    first: Vec<u32>,
    /// Flows that leave each action.
    outgoing: Vec<Vec<u32>>,
}

impl Flows {
    fn of(build: &Build) -> Self {
        let mut first = Vec::with_capacity(build.actions.len());
        let mut outgoing = vec![Vec::new(); build.actions.len()];
        // Zero is no flow for readers that take it for "none".
        let mut next: u32 = 1;
        for action in &build.actions {
            first.push(next);
            for &dep in &action.deps {
                if is_drawn(build, action, dep)
                    && let Some(leaving) = outgoing.get_mut(dep.index())
                {
                    leaving.push(next);
                }
                next = next.saturating_add(1);
            }
        }
        Self { first, outgoing }
    }

    /// The flows that end and that begin at an action.
    fn of_action<'a>(
        &'a self,
        build: &'a Build,
        index: ActionIndex,
    ) -> (
        impl Iterator<Item = u32> + 'a,
        impl Iterator<Item = u32> + 'a,
    ) {
        let first = self.first.get(index.index()).copied().unwrap_or_default();
        let action = build.action(index);
        let deps = action.map_or(&[][..], |action| &action.deps);
        let incoming = (first..)
            .zip(deps)
            .filter(move |&(_, &dep)| action.is_some_and(|action| is_drawn(build, action, dep)))
            .map(|(flow, _)| flow);
        let outgoing = self.outgoing.get(index.index()).into_iter().flatten();
        (incoming, outgoing.copied())
    }
}

/// Arrows go forward in time; a reader could not follow one that goes back.
fn is_drawn(build: &Build, action: &BuildAction, dep: ActionIndex) -> bool {
    build.action(dep).is_some_and(|dep| {
        dep.outcome != Outcome::NotReached
            && action.outcome != Outcome::NotReached
            && dep.start <= action.start
    })
}
