//! Builds in; slices of actions and their waits, flows between them, and the critical path out.

use super::packets::{self, Packets};
use super::proto::{AnnotationValue, TrackEvent};
use super::tracks::Track;
use crate::analyze::build::{ActionIndex, Build, BuildAction, Outcome, SegmentKind};
use crate::analyze::{Analysis, summary};
use crate::export::graph;
use crate::export::text::Texts;
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
            critical: graph::critical_actions(build),
            flows: Flows::of(number, build),
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
            name: Some(summary::label(analysis, segment).to_string()),
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
        for (lane, actions) in (0..).zip(graph::action_lanes(self.build)) {
            let track = Track::Actions(self.number, lane);
            packets.track(track.below(self.group, "actions", 1))?;
            for (index, action) in actions {
                let span = (action.start, action.end);
                packets.slice(track.uuid(), span, self.action(index, action))?;
            }
        }
        Ok(())
    }

    /// Slices of the time that actions were ready and waited for a slot.
    fn waits(&self, packets: &mut Packets<impl Write>) -> io::Result<()> {
        for (lane, (name, actions)) in (0..).zip(graph::wait_lanes(self.build)) {
            let track = Track::Waits(self.number, lane);
            packets.track(track.below(self.group, name, 2))?;
            for (_, action) in actions {
                let event = TrackEvent {
                    name: Some(action.label()),
                    categories: vec!["wait".to_owned()],
                    ..TrackEvent::default()
                };
                packets.slice(track.uuid(), (action.ready, action.start), event)?;
            }
        }
        Ok(())
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
        if let Some(process) = self.analysis.main_process(action) {
            if let Some(role) = self.analysis.roles.get(process.id) {
                notes.push(packets::text("tool", role.tool.name()));
            }
            let mut texts = Texts::of(&trace.strings);
            notes.push(packets::texts(
                "argv",
                texts.list("argv", &process.exec.argv),
            ));
            notes.extend(packets::bytes(texts));
            let pids = action.processes.iter().filter_map(|&id| trace.process(id));
            let pids = pids.map(|process| AnnotationValue::Uint(process.pid.0.into()));
            notes.push(packets::list("pids", pids));
        }
        let mut categories = vec!["action".to_owned()];
        if self.critical.get(index.index()).is_some_and(|&yes| yes) {
            categories.push(CRITICAL.to_owned());
        }
        TrackEvent {
            name: Some(action.label()),
            categories,
            flow_ids: of_action(&self.flows.leaving, index),
            terminating_flow_ids: of_action(&self.flows.arriving, index),
            debug_annotations: notes,
            ..TrackEvent::default()
        }
    }
}

/// The arrows that begin and that end at each action, by its position.
#[derive(Default)]
struct Flows {
    leaving: Vec<Vec<u64>>,
    arriving: Vec<Vec<u64>>,
}

impl Flows {
    fn of(number: u32, build: &Build) -> Self {
        let mut flows = Self {
            leaving: vec![Vec::new(); build.actions.len()],
            arriving: vec![Vec::new(); build.actions.len()],
        };
        for arrow in graph::arrows(build) {
            let id = (u64::from(number) << 32) | u64::from(arrow.id);
            let leaving = flows.leaving.get_mut(arrow.from.index());
            let arriving = flows.arriving.get_mut(arrow.to.index());
            if let (Some(leaving), Some(arriving)) = (leaving, arriving) {
                leaving.push(id);
                arriving.push(id);
            }
        }
        flows
    }
}

fn of_action(flows: &[Vec<u64>], index: ActionIndex) -> Vec<u64> {
    flows.get(index.index()).cloned().unwrap_or_default()
}
