//! Lists of a build: packages, actions, and the critical path.

use super::kin::Kin;
use super::subject::{About, BAR, Heading, Rank, Subject};
use crate::analyze::build::{BuildAction, Outcome, Segment, SegmentKind};
use crate::analyze::cost::{ActionRef, Cost, CostRow};
use crate::analyze::{Analysis, Costs, Name, summary};
use crate::render::text::{Cell, Page, Tone};
use crate::render::units::{self, Scale};
use crate::trace::{Nanos, ProcessId};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// What packages cost, and how much of the critical path each was.
pub(super) struct Packages {
    rows: Vec<(CostRow<Option<Name>>, Nanos)>,
    cpu: Scale,
    wall: Scale,
    waiting: Scale,
    critical: Scale,
}

impl Packages {
    pub(super) fn of(analysis: &Analysis<'_>, costs: &Costs) -> Self {
        let mut critical: FxHashMap<&Name, Nanos> = FxHashMap::default();
        for segment in &analysis.builds.critical_path.segments {
            if let Some((_, action)) = running(analysis, segment) {
                *critical.entry(&action.package).or_default() += segment.length();
            }
        }
        let rows = costs.packages.iter().map(|row| {
            let package = row.key.as_ref();
            let on_path = package.and_then(|package| critical.get(package).copied());
            (row.clone(), on_path.unwrap_or_default())
        });
        let rows: Vec<_> = rows.collect();
        let scale =
            |time: fn(&Cost) -> Nanos| Scale::of_all(rows.iter().map(|(row, _)| time(&row.cost)));
        Self {
            cpu: scale(Cost::cpu),
            wall: scale(|cost| cost.wall),
            waiting: scale(|cost| cost.waiting),
            critical: Scale::of_all(rows.iter().map(|(_, on_path)| *on_path)),
            rows,
        }
    }
}

/// The action that ran in a piece of the critical path.
fn running<'a>(
    analysis: &'a Analysis<'_>,
    segment: &Segment,
) -> Option<(ActionRef, &'a BuildAction)> {
    let SegmentKind::Running(action) = segment.kind else {
        return None;
    };
    let build = segment.build;
    let found = analysis.builds.builds.get(build as usize)?.action(action)?;
    Some((ActionRef { build, action }, found))
}

impl Subject for Packages {
    fn title(&self) -> String {
        "packages".to_owned()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::name("package"),
            Heading::number("CPU", 0),
            Heading::number("share", 2),
            Heading::number("critical", 0),
            Heading::number("wall", 3),
            Heading::number("waiting", 4),
            Heading::number("peak memory", 5),
            Heading::number("processes", 6),
            Heading::word("", 7),
        ]
    }

    fn kin(&self) -> Kin {
        Kin::flat(self.rows.len())
    }

    fn cells(&self, row: u32, page: &Page) -> Vec<Cell> {
        let Some((row, critical)) = self.rows.get(row as usize) else {
            return Vec::new();
        };
        let name = match &row.key {
            Some(package) => Cell::from(&**package),
            None => Cell::toned("(no package)", Tone::Dim),
        };
        let critical = match *critical {
            Nanos::ZERO => Cell::from("-"),
            time => Cell::toned(self.critical.write(time), Tone::Critical),
        };
        vec![
            name,
            self.cpu.write(row.cost.cpu()).into(),
            units::percent(row.share).into(),
            critical,
            self.wall.write(row.cost.wall).into(),
            self.waiting.write(row.cost.waiting).into(),
            units::bytes(row.cost.usage.max_rss_bytes).into(),
            units::count(u64::from(row.cost.processes)).into(),
            page.bar(row.share, BAR).into(),
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        let row = self.rows.get(row as usize);
        let package = row.and_then(|(row, _)| row.key.as_deref());
        package.unwrap_or("(no package)").into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some((found, critical)) = self.rows.get(row as usize) else {
            return Rank::Number(0);
        };
        let cost = &found.cost;
        Rank::Number(match column {
            0 => return Rank::Text(self.text(row).as_ref().into()),
            3 => critical.0,
            4 => cost.wall.0,
            5 => cost.waiting.0,
            6 => cost.usage.max_rss_bytes,
            7 => cost.processes.into(),
            _ => cost.cpu().0,
        })
    }

    fn about(&self, row: u32) -> About {
        let row = self.rows.get(row as usize);
        About {
            package: row.and_then(|(row, _)| row.key.clone()),
            ..About::default()
        }
    }

    fn nothing(&self) -> String {
        "the trace holds no program".to_owned()
    }
}

/// What the builds did.
pub(super) struct Actions<'a> {
    rows: Vec<(ActionRef, &'a BuildAction)>,
    main: Vec<Option<ProcessId>>,
    lengths: Scale,
    starts: Scale,
}

impl<'a> Actions<'a> {
    pub(super) fn of(analysis: &'a Analysis<'_>) -> Self {
        let builds = (0..).zip(&analysis.builds.builds);
        let rows = builds.flat_map(|(build, graph)| {
            let working = graph.indexed().filter(|(_, action)| action.works());
            working.map(move |(action, row)| (ActionRef { build, action }, row))
        });
        let rows: Vec<_> = rows.collect();
        let main = rows.iter().map(|(_, action)| {
            let process = analysis.main_process(action);
            process.map(|process| process.id)
        });
        // One scale for what is compared: a wait of microseconds is none beside a second's work.
        let lengths = rows
            .iter()
            .map(|(_, action)| action.running().max(action.cpu).max(action.waited()));
        Self {
            main: main.collect(),
            lengths: Scale::of_all(lengths),
            starts: Scale::of_all(rows.iter().map(|(_, action)| action.start)),
            rows,
        }
    }

    /// The row of an action.
    pub(super) fn position(&self, at: ActionRef) -> Option<u32> {
        let mut rows = (0..).zip(&self.rows);
        rows.find(|(_, (row, _))| *row == at).map(|(row, _)| row)
    }
}

impl Subject for Actions<'_> {
    fn title(&self) -> String {
        "actions".to_owned()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::word("action", 0),
            Heading::name("package"),
            Heading::number("wall", 0),
            Heading::number("CPU", 2),
            Heading::number("waited", 3),
            Heading::number("start", 4),
            Heading::number("unlocks", 5),
            Heading::number("gates", 6),
            Heading::word("outcome", 7),
        ]
    }

    fn kin(&self) -> Kin {
        Kin::flat(self.rows.len())
    }

    fn cells(&self, row: u32, _: &Page) -> Vec<Cell> {
        let Some((_, action)) = self.rows.get(row as usize) else {
            return Vec::new();
        };
        let end = match action.outcome {
            Outcome::Built => "".into(),
            other => Cell::toned(other.name(), Tone::Warning),
        };
        vec![
            action.kind.name().into(),
            match &*action.package {
                "" => (*action.mode).into(),
                package => package.into(),
            },
            self.lengths.write(action.running()).into(),
            self.lengths.write(action.cpu).into(),
            self.lengths.write(action.waited()).into(),
            self.starts.write(action.start).into(),
            units::count(u64::from(action.unlocks)).into(),
            units::count(u64::from(action.gates)).into(),
            end,
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        let row = self.rows.get(row as usize);
        row.map_or_else(String::new, |(_, action)| action.label())
            .into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some((_, action)) = self.rows.get(row as usize) else {
            return Rank::Number(0);
        };
        Rank::Number(match column {
            0 => return Rank::Text(action.kind.name().into()),
            1 => return Rank::Text(action.package.clone()),
            3 => action.cpu.0,
            4 => action.waited().0,
            5 => action.start.0,
            6 => action.unlocks.into(),
            7 => action.gates.into(),
            8 => return Rank::Text(action.outcome.name().into()),
            _ => action.running().0,
        })
    }

    fn about(&self, row: u32) -> About {
        let main = self.main.get(row as usize).copied();
        let row = self.rows.get(row as usize);
        row.map_or_else(About::default, |(at, action)| About {
            package: (!action.package.is_empty()).then(|| action.package.clone()),
            action: Some(*at),
            process: main.flatten(),
            function: None,
        })
    }

    fn nothing(&self) -> String {
        "no go command built anything".to_owned()
    }
}

/// What the command waited for, piece by piece.
pub(super) struct Path {
    rows: Vec<(Segment, Name, About)>,
    wall: Nanos,
    starts: Scale,
    lengths: Scale,
}

impl Path {
    pub(super) fn of(analysis: &Analysis<'_>) -> Self {
        let path = &analysis.builds.critical_path;
        let rows = path.segments.iter().map(|segment| {
            let found = running(analysis, segment);
            let about = found.map_or_else(About::default, |(at, action)| About {
                package: (!action.package.is_empty()).then(|| action.package.clone()),
                action: Some(at),
                process: analysis.main_process(action).map(|process| process.id),
                function: None,
            });
            (*segment, summary::label(analysis, segment), about)
        });
        Self {
            rows: rows.collect(),
            wall: path.wall(),
            starts: Scale::of_all(path.segments.iter().map(|segment| segment.start)),
            lengths: Scale::of_all(path.segments.iter().map(Segment::length)),
        }
    }
}

impl Subject for Path {
    fn title(&self) -> String {
        "critical path".to_owned()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::number("start", 0),
            Heading::number("length", 0),
            Heading::number("share", 1),
            Heading::name("what"),
            Heading::word("", 2),
        ]
    }

    fn kin(&self) -> Kin {
        Kin::flat(self.rows.len())
    }

    fn cells(&self, row: u32, page: &Page) -> Vec<Cell> {
        let Some((segment, label, _)) = self.rows.get(row as usize) else {
            return Vec::new();
        };
        let length = segment.length();
        let tone = match segment.kind {
            SegmentKind::Running(_) => Tone::Critical,
            _ => Tone::Plain,
        };
        vec![
            self.starts.write(segment.start).into(),
            self.lengths.write(length).into(),
            units::share(length, self.wall).into(),
            Cell::toned(&**label, tone),
            page.bar(length.seconds() / self.wall.seconds(), BAR).into(),
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        let row = self.rows.get(row as usize);
        row.map_or("", |(_, label, _)| label).into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some((segment, label, _)) = self.rows.get(row as usize) else {
            return Rank::Number(0);
        };
        match column {
            0 => Rank::Number(segment.start.0),
            3 => Rank::Text(label.clone()),
            _ => Rank::Number(segment.length().0),
        }
    }

    fn about(&self, row: u32) -> About {
        let row = self.rows.get(row as usize);
        row.map_or_else(About::default, |(.., about)| about.clone())
    }

    fn nothing(&self) -> String {
        "nothing took any time".to_owned()
    }
}
