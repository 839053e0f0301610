//! A flame graph in the cells of a terminal: callers above, each box as wide as its part of the time.

use super::kin::Kin;
use super::painted;
use super::pane::contains;
use super::stacks::Stacks;
use crate::analyze::call_tree::NodeKind;
use crate::analyze::profile::Weight;
use crate::render::text::{Page, columns, middle};
use crate::render::units;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use std::cmp::Reverse;
use std::rc::Rc;

/// A flame graph with a box that is selected.
pub(super) struct Flame {
    pub(super) stacks: Rc<Stacks>,
    kin: Kin,
    /// What takes the whole width; everything for none.
    zoom: Option<u32>,
    selected: Option<u32>,
    top: usize,
}

/// In narrower boxes no name could be read.
const NARROWEST_NAMED: usize = 5;

/// A box: whose, how deep, and the columns that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    row: Option<u32>,
    depth: usize,
    from: u16,
    to: u16,
}

impl Flame {
    pub(super) fn of(stacks: Rc<Stacks>, selected: Option<u32>) -> Self {
        Self {
            kin: stacks.kin(),
            stacks,
            zoom: None,
            selected,
            top: 0,
        }
    }

    /// The row of the stacks that is selected; none is all of them.
    pub(super) const fn selected(&self) -> Option<u32> {
        self.selected
    }

    pub(super) fn title(&self) -> String {
        let weight = self.weight(self.selected);
        let own = self
            .selected
            .map_or(Weight::default(), |row| self.stacks.own(row));
        format!(
            "{} {}, own {}: {}",
            units::duration(weight.time),
            units::percent(weight.share(self.stacks.tree.total())),
            units::duration(own.time),
            self.name(self.selected)
        )
    }

    fn name(&self, row: Option<u32>) -> &str {
        row.map_or(&self.stacks.title, |row| self.stacks.name(row))
    }

    fn weight(&self, row: Option<u32>) -> Weight {
        row.map_or_else(|| self.stacks.tree.total(), |row| self.stacks.total(row))
    }

    /// The boxes that are a column wide at least, from the upper left.
    fn places(&self, width: u16) -> Vec<Place> {
        let mut places = Vec::new();
        let whole = self.weight(self.zoom).time.seconds();
        // A position is counted in time, so that boxes begin where their neighbours end.
        let column = |time: f64| -> u16 {
            let at = time / whole.max(f64::MIN_POSITIVE) * f64::from(width);
            at.round().min(f64::from(width)) as u16
        };
        let mut steps = vec![(self.zoom, 0_usize, 0.0)];
        while let Some((row, depth, start)) = steps.pop() {
            let end = start + self.weight(row).time.seconds();
            let place = Place {
                row,
                depth,
                from: column(start),
                to: column(end),
            };
            if place.from >= place.to {
                continue;
            }
            places.push(place);
            let mut at = start;
            let mut below = Vec::new();
            for row in self.by_time(row) {
                below.push((Some(row), depth + 1, at));
                at += self.stacks.total(row).time.seconds();
            }
            steps.extend(below.into_iter().rev());
        }
        places.sort_by_key(|place| (place.depth, place.from));
        places
    }

    /// What is called by a row, the longest first.
    fn by_time(&self, row: Option<u32>) -> Vec<u32> {
        let mut rows = self.kin.below(row).to_vec();
        rows.sort_by_key(|&row| Reverse(self.stacks.total(row).time));
        rows
    }

    pub(super) fn up(&mut self, area: Rect) {
        if self.selected == self.zoom {
            self.zoom_out();
        } else {
            self.selected = self.selected.and_then(|row| self.kin.parent(row));
        }
        self.scroll(area);
    }

    pub(super) fn down(&mut self, area: Rect) {
        let places = self.places(area.width);
        let below = self.by_time(self.selected);
        let mut below = below.into_iter().map(Some);
        if let Some(row) = below.find(|row| places.iter().any(|place| place.row == *row)) {
            self.selected = row;
        }
        self.scroll(area);
    }

    /// To the box beside, in either direction.
    pub(super) fn beside(&mut self, by: isize, area: Rect) {
        let places = self.places(area.width);
        let at = places.iter().position(|place| place.row == self.selected);
        let next = at.and_then(|at| at.checked_add_signed(by));
        if let (Some(at), Some(next)) = (at, next.and_then(|next| places.get(next)))
            && places
                .get(at)
                .is_some_and(|place| place.depth == next.depth)
        {
            self.selected = next.row;
        }
    }

    pub(super) fn zoom_in(&mut self, area: Rect) {
        self.zoom = self.selected;
        self.scroll(area);
    }

    /// Takes in what is around; tells whether there is something.
    pub(super) fn zoom_out(&mut self) -> bool {
        let Some(row) = self.zoom else { return false };
        self.zoom = self.kin.parent(row);
        self.selected = self.zoom;
        self.top = 0;
        true
    }

    /// Selects the box at a cell of the area.
    pub(super) fn point(&mut self, area: Rect, x: u16, line: usize) {
        let places = self.places(area.width);
        let is_there =
            |place: &&Place| place.depth == self.top + line && (place.from..place.to).contains(&x);
        if let Some(place) = places.iter().find(is_there) {
            self.selected = place.row;
        }
    }

    /// Selects the next row with these words, or the one before; tells whether there is one.
    pub(super) fn find(&mut self, words: &str, forward: bool, here: bool, area: Rect) -> bool {
        let count = u32::try_from(self.kin.len()).unwrap_or(u32::MAX);
        let at = self.selected.map_or(0, |row| row + u32::from(!here));
        let mut rows: Vec<u32> = match (forward, self.selected) {
            (true, _) => (at.min(count)..count).chain(0..at.min(count)).collect(),
            (false, row) => {
                let row = row.unwrap_or(count);
                (0..row).rev().chain((row..count).rev()).collect()
            }
        };
        rows.retain(|&row| contains(self.stacks.name(row), words));
        let Some(&row) = rows.first() else {
            return false;
        };
        self.selected = Some(row);
        let mut is_within = self.zoom.is_none();
        let mut up = Some(row);
        while let (Some(at), false) = (up, is_within) {
            is_within = Some(at) == self.zoom;
            up = self.kin.parent(at);
        }
        if !is_within {
            self.zoom = None;
        }
        let is_drawn = |flame: &Self| {
            let places = flame.places(area.width);
            places.iter().any(|place| place.row == Some(row))
        };
        // What is too narrow to be drawn is all that there is then.
        if !is_drawn(self) {
            self.zoom = Some(row);
        }
        self.scroll(area);
        true
    }

    /// Keeps the selected box among the lines of the area.
    pub(super) fn scroll(&mut self, area: Rect) {
        let mut depth = 0;
        let mut at = self.selected;
        while at != self.zoom {
            depth += 1;
            let Some(row) = at else { break };
            at = self.kin.parent(row);
        }
        let highest = (depth + 1_usize).saturating_sub(usize::from(area.height).max(1));
        self.top = self.top.clamp(highest, depth.max(highest)).min(depth);
    }

    pub(super) fn draw(&self, page: &Page, area: Rect, buffer: &mut Buffer) {
        if self.stacks.tree.total().samples == 0 {
            return painted::wrap(buffer, area, &page.safe(&self.stacks.nothing));
        }
        for place in self.places(area.width) {
            let Some(line) = place.depth.checked_sub(self.top) else {
                continue;
            };
            let Ok(line) = u16::try_from(line) else {
                continue;
            };
            if line >= area.height {
                continue;
            }
            let width = usize::from(place.to - place.from);
            let (edge, ellipsis) = match page.unicode {
                true => ("▏", '…'),
                false => ("|", '~'),
            };
            let name = match width > NARROWEST_NAMED {
                true => middle(&page.safe(self.name(place.row)), width - 1, ellipsis),
                false => String::new(),
            };
            let rest = " ".repeat((width - 1).saturating_sub(columns(&name)));
            let cells = Rect {
                x: area.x + place.from,
                y: area.y + line,
                width: place.to - place.from,
                height: 1,
            };
            let mut style = match page.colour {
                true => Style::new().fg(Color::Black).bg(self.colour(place.row)),
                false => Style::new(),
            };
            if place.row == self.selected {
                style = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
            }
            painted::put(buffer, cells, &format!("{edge}{name}{rest}"), style);
        }
    }

    /// A colour for black text: warm for functions, as flame graphs are, the same for the same name.
    fn colour(&self, row: Option<u32>) -> Color {
        const WARM: [u8; 5] = [208, 214, 220, 215, 222];
        let kind = row.map_or(NodeKind::Root, |row| self.stacks.kind(row));
        match kind {
            NodeKind::Root | NodeKind::Group => Color::Indexed(110),
            NodeKind::Unnamed => Color::Indexed(250),
            NodeKind::Function | NodeKind::Inlined => {
                let name = self.name(row).bytes();
                let sum = name.fold(7_usize, |sum, byte| {
                    sum.wrapping_mul(31) ^ usize::from(byte)
                });
                Color::Indexed(WARM[sum % WARM.len()])
            }
        }
    }
}
