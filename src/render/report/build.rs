//! Tables of a report: the builds, their actions, the critical path, what would help.

use super::columns::{Columns, NONE};
use super::rows::{self, Rows};
use crate::analyze::build::{Build, BuildAction, Segment, SegmentKind};
use crate::analyze::cost::ActionRef;
use crate::analyze::{Analysis, Limits, summary, timeline};
use crate::render::flamegraph::is_standard;
use crate::render::palette::Family;
use std::io;

/// Writes them.
pub(super) fn write(
    analysis: &Analysis<'_>,
    rows: &Rows,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let limits = Limits::without_samples(analysis);
    let limits = limits.as_ref();
    write_builds(analysis, limits, columns)?;
    write_actions(analysis, rows, columns)?;
    write_path(analysis, rows, columns)?;
    let what_if = limits.map_or(&[][..], |limits| &limits.what_if);
    columns
        .table("what_if", what_if)
        .names("package", |row| &*row.package)?
        .times("running", |row| row.running)?
        .times("wall", |row| row.wall)?
        .times("saved", |row| row.saved)?;
    Ok(())
}

fn write_builds(
    analysis: &Analysis<'_>,
    limits: Option<&Limits>,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let builds: Vec<(usize, &Build)> = analysis.builds.builds.iter().enumerate().collect();
    let is_longest = |row: usize| limits.is_some_and(|limits| limits.build == row);
    columns
        .table("builds", &builds)
        .names("command", |(_, build)| &*build.command)?
        .moments("start", |(_, build)| build.start)?
        .moments("end", |(_, build)| build.end)?
        .words("slots", |(_, build)| build.slots)?
        .words("actions", |(_, build)| {
            u32::try_from(build.actions.len()).unwrap_or(u32::MAX)
        })?
        .bytes("longest", |(row, _)| u8::from(is_longest(*row)))?
        .times("slot_wait", |(_, build)| build.parallelism.slot_wait)?
        .times("idle", |(_, build)| build.parallelism.idle)?
        .times("longest_chain", |(_, build)| build.longest_chain.length)?
        .times("load", |(_, build)| build.load.wall)?;
    Ok(())
}

/// An action, where it stands, and its build.
type Row<'b> = (ActionRef, &'b Build, &'b BuildAction);

fn write_actions(
    analysis: &Analysis<'_>,
    rows: &Rows,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let find = |at: &ActionRef| {
        let build = analysis.builds.builds.get(at.build as usize)?;
        Some((*at, build, build.action(at.action)?))
    };
    let actions: Vec<Row<'_>> = rows.actions.iter().filter_map(find).collect();
    columns
        .table("actions", &actions)
        .words("build", |(at, ..)| at.build)?
        .names("kind", |(.., action)| action.kind.name())?
        .names("package", |(.., action)| &*action.package)?
        .names("label", |(.., action)| action.label())?
        .names("outcome", |(.., action)| action.outcome.name())?
        .moments("ready", |(.., action)| action.ready)?
        .moments("start", |(.., action)| action.start)?
        .moments("end", |(.., action)| action.end)?
        .times("cpu", |(.., action)| action.cpu)?
        .times("runqueue", |(.., action)| action.runqueue)?
        .words("unlocks", |(.., action)| action.unlocks)?
        .words("gates", |(.., action)| action.gates)?
        .bytes("colour", |(.., action)| {
            let tool = timeline::main_tool(analysis, action);
            rows::colour(Family::of(tool.name()))
        })?
        .words("process", |(.., action)| {
            let main = analysis.main_process(action);
            main.map_or(NONE, |process| rows.process(process.id))
        })?
        .words("waited_for", |(at, build, _)| {
            let gate = build.gate(at.action);
            gate.map_or(NONE, |action| rows.action(ActionRef { action, ..*at }))
        })?;
    Ok(())
}

fn write_path(analysis: &Analysis<'_>, rows: &Rows, columns: &mut Columns<'_>) -> io::Result<()> {
    let action = |segment: &Segment| {
        let (SegmentKind::Running(action) | SegmentKind::Waiting(action)) = segment.kind else {
            return None;
        };
        let build = segment.build;
        let graph = analysis.builds.builds.get(build as usize)?;
        Some((ActionRef { build, action }, graph.action(action)?))
    };
    columns
        .table("path", &analysis.builds.critical_path.segments)
        .bytes("kind", |segment| match segment.kind {
            SegmentKind::Running(_) => 0,
            SegmentKind::Waiting(_) => 1,
            SegmentKind::Load => 2,
            SegmentKind::GoItself => 3,
            SegmentKind::Outside => 4,
        })?
        .names("label", |segment| {
            summary::label(analysis, segment).to_string()
        })?
        .names("package", |segment| {
            action(segment).map_or("", |(_, action)| &*action.package)
        })?
        .bytes("standard", |segment| {
            u8::from(action(segment).is_some_and(|(_, action)| is_standard(&action.package)))
        })?
        .words("action", |segment| {
            action(segment).map_or(NONE, |(at, _)| rows.action(at))
        })?
        .bytes("colour", |segment| {
            let family = match (segment.kind, action(segment)) {
                (SegmentKind::Running(_), Some((_, action))) => {
                    Family::of(timeline::main_tool(analysis, action).name())
                }
                (SegmentKind::Waiting(_) | SegmentKind::Outside, _) => Family::Other,
                _ => Family::Go,
            };
            rows::colour(family)
        })?
        .moments("start", |segment| segment.start)?
        .moments("end", |segment| segment.end)?;
    Ok(())
}
