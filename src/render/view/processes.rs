//! The programs of a trace, below those that started them.

use super::kin::Kin;
use super::subject::{About, Heading, Rank, Subject};
use crate::analyze::cost::Cost;
use crate::analyze::{Analysis, Costs, Role};
use crate::render::text::ranking;
use crate::render::text::{Cell, Page};
use crate::render::units::{self, Scale};
use crate::trace::{Process, ProcessId};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// Some programs of a trace.
pub(super) struct Processes<'a> {
    analysis: &'a Analysis<'a>,
    title: String,
    rows: Vec<(ProcessId, Cost)>,
    cpu: Scale,
    wall: Scale,
    waiting: Scale,
    starts: Scale,
}

impl<'a> Processes<'a> {
    /// Those that `takes` takes, in the order of the trace.
    pub(super) fn of(
        analysis: &'a Analysis<'a>,
        costs: &Costs,
        title: String,
        takes: impl Fn(ProcessId, &Role) -> bool,
    ) -> Self {
        let cost_of: FxHashMap<ProcessId, Cost> = costs
            .processes
            .iter()
            .map(|row| (row.key, row.cost))
            .collect();
        let rows = analysis.roles.iter();
        let rows = rows.filter(|(id, role)| takes(*id, role));
        let rows: Vec<_> = rows
            .map(|(id, _)| (id, cost_of.get(&id).copied().unwrap_or_default()))
            .collect();
        let starts = rows
            .iter()
            .filter_map(|(id, _)| analysis.trace.process(*id));
        Self {
            title,
            cpu: Scale::of_all(rows.iter().map(|(_, cost)| cost.cpu())),
            wall: Scale::of_all(rows.iter().map(|(_, cost)| cost.wall)),
            waiting: Scale::of_all(rows.iter().map(|(_, cost)| cost.waiting)),
            starts: Scale::of_all(starts.map(|process| process.start)),
            analysis,
            rows,
        }
    }

    fn at(&self, row: u32) -> Option<(&'a Process, &'a Role, &Cost)> {
        let (id, cost) = self.rows.get(row as usize)?;
        let process = self.analysis.trace.process(*id)?;
        Some((process, self.analysis.roles.get(*id)?, cost))
    }
}

/// What a program is called: its tool, and the package that it works for.
fn name(role: &Role) -> String {
    let package = role.package.as_deref();
    let package = package.map_or_else(String::new, |package| format!(" {package}"));
    format!("{}{package}", role.tool.name())
}

impl Subject for Processes<'_> {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::name("process"),
            Heading::number("pid", 1),
            Heading::number("start", 2),
            Heading::number("CPU", 0),
            Heading::number("wall", 0),
            Heading::number("waiting", 4),
            Heading::number("peak memory", 5),
            Heading::word("end", 6),
        ]
    }

    /// Of programs that were not started by one of these, the nearest of those above it counts.
    fn kin(&self) -> Kin {
        let rows: FxHashMap<ProcessId, u32> =
            self.rows.iter().map(|(id, _)| *id).zip(0..).collect();
        let parent = |id: &ProcessId| self.analysis.roles.get(*id)?.parent;
        let parents = self.rows.iter().map(|(id, _)| {
            let above = std::iter::successors(parent(id), parent);
            // The bound ends a circle in a damaged trace.
            let mut above = above.take(MOST_ABOVE);
            above.find_map(|id| rows.get(&id).copied())
        });
        Kin::of(parents.collect())
    }

    fn cells(&self, row: u32, _: &Page) -> Vec<Cell> {
        let Some((process, role, cost)) = self.at(row) else {
            return Vec::new();
        };
        vec![
            name(role).into(),
            process.pid.0.to_string().into(),
            self.starts.write(process.start).into(),
            self.cpu.write(cost.cpu()).into(),
            self.wall.write(cost.wall).into(),
            self.waiting.write(cost.waiting).into(),
            units::bytes(cost.usage.max_rss_bytes).into(),
            ranking::end_of(process.exit.map(|exit| exit.status), self.analysis.trace),
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        let Some((process, role, _)) = self.at(row) else {
            return "".into();
        };
        format!("{} {}", name(role), process.pid.0).into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some((process, role, cost)) = self.at(row) else {
            return Rank::Number(0);
        };
        Rank::Number(match column {
            0 => return Rank::Text(name(role).into()),
            1 => process.pid.0.into(),
            2 => process.start.0,
            4 => cost.wall.0,
            5 => cost.waiting.0,
            6 => cost.usage.max_rss_bytes,
            7 => u64::from(process.exit.is_none()),
            _ => cost.cpu().0,
        })
    }

    fn about(&self, row: u32) -> About {
        let Some((process, role, _)) = self.at(row) else {
            return About::default();
        };
        About {
            package: role.package.clone(),
            action: None,
            process: Some(process.id),
            function: None,
        }
    }

    fn nothing(&self) -> String {
        "the trace holds no such program".to_owned()
    }
}

/// Programs between one and the nearest above it that is shown, at most.
const MOST_ABOVE: usize = 1_000;
