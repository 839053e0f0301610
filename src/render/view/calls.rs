//! Lists of watched functions and of phases.

use super::kin::Kin;
use super::subject::{About, BAR, Heading, Rank, Subject};
use crate::analyze::Phases;
use crate::analyze::calls::{CallRow, Statistics};
use crate::render::text::calls as words;
use crate::render::text::ranking::NO_PHASES;
use crate::render::text::{Cell, Page, Tone};
use crate::render::units::{self, Scale};
use std::borrow::Cow;

/// How often functions were called, and how long that took.
pub(super) struct Calls {
    pub(super) statistics: Statistics,
    pub(super) title: String,
    pub(super) nothing: String,
}

impl Calls {
    fn at(&self, row: u32) -> Option<&CallRow> {
        self.statistics.rows.get(row as usize)
    }
}

impl Subject for Calls {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::name("function"),
            Heading::number("calls", 0),
            Heading::number("total", 0),
            Heading::number("self", 1),
            Heading::number("min", 5),
            Heading::number("median", 2),
            Heading::number("p99", 3),
            Heading::number("max", 4),
            Heading::word("", 6),
        ]
    }

    fn kin(&self) -> Kin {
        Kin::flat(self.statistics.rows.len())
    }

    fn cells(&self, row: u32, _: &Page) -> Vec<Cell> {
        let Some(row) = self.at(row) else {
            return Vec::new();
        };
        let mut cells = vec![Cell::from(&*row.function), units::count(row.count).into()];
        cells.extend(words::times(row).map(|time| match time {
            Some(time) => Cell::from(units::duration(time)),
            None => Cell::toned("-", Tone::Dim),
        }));
        cells.push(Cell::toned(words::ends(row), Tone::Dim));
        cells
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        self.at(row).map_or("", |row| &row.function).into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some(row) = self.at(row) else {
            return Rank::Number(0);
        };
        match column {
            0 => Rank::Text(row.function.clone()),
            1 | 8 => Rank::Number(row.count),
            _ => {
                let times = words::times(row);
                let time = times.get(column.saturating_sub(2)).copied().flatten();
                Rank::Number(time.map_or(0, |time| time.0))
            }
        }
    }

    fn about(&self, row: u32) -> About {
        About {
            function: self.at(row).map(|row| row.function.clone()),
            ..About::default()
        }
    }

    fn nothing(&self) -> String {
        self.nothing.clone()
    }
}

/// What each phase of the tools came to.
pub(super) struct PhaseRows {
    pub(super) phases: Phases,
    cpu: Scale,
    critical: Scale,
    wall: Scale,
}

impl PhaseRows {
    pub(super) fn of(phases: Phases) -> Self {
        let rows = &phases.rows;
        Self {
            cpu: Scale::of_all(rows.iter().map(|row| row.cpu.time)),
            critical: Scale::of_all(rows.iter().map(|row| row.critical)),
            wall: Scale::of_all(rows.iter().map(|row| row.wall)),
            phases,
        }
    }
}

impl Subject for PhaseRows {
    fn title(&self) -> String {
        "phases".to_owned()
    }

    fn headings(&self) -> Vec<Heading> {
        vec![
            Heading::word("tool", 0),
            Heading::name("phase"),
            Heading::number("CPU", 0),
            Heading::number("share", 0),
            Heading::number("critical path", 1),
            Heading::number("share", 2),
            Heading::number("wall", 3),
            Heading::number("times", 4),
            Heading::word("", 5),
        ]
    }

    fn kin(&self) -> Kin {
        Kin::flat(self.phases.rows.len())
    }

    fn cells(&self, row: u32, page: &Page) -> Vec<Cell> {
        let Some(row) = self.phases.rows.get(row as usize) else {
            return Vec::new();
        };
        let share = row.cpu.share(self.phases.cpu);
        let last = match row.beside {
            true => Cell::toned("beside the others", Tone::Dim),
            false => page.bar(share, BAR).into(),
        };
        vec![
            (*row.track).into(),
            (*row.phase).into(),
            self.cpu.write(row.cpu.time).into(),
            units::percent(share).into(),
            self.critical.write(row.critical).into(),
            units::share(row.critical, self.phases.critical).into(),
            self.wall.write(row.wall).into(),
            units::count(row.count).into(),
            last,
        ]
    }

    fn text(&self, row: u32) -> Cow<'_, str> {
        let row = self.phases.rows.get(row as usize);
        row.map_or_else(String::new, |row| format!("{} {}", row.track, row.phase))
            .into()
    }

    fn rank(&self, column: usize, row: u32) -> Rank {
        let Some(row) = self.phases.rows.get(row as usize) else {
            return Rank::Number(0);
        };
        match column {
            0 => Rank::Text(row.track.clone()),
            1 => Rank::Text(row.phase.clone()),
            4 | 5 => Rank::Number(row.critical.0),
            6 => Rank::Number(row.wall.0),
            7 => Rank::Number(row.count),
            _ => Rank::Number(row.cpu.time.0),
        }
    }

    fn about(&self, _: u32) -> About {
        About::default()
    }

    fn nothing(&self) -> String {
        NO_PHASES.to_owned()
    }
}
