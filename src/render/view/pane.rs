//! A list with a cursor: sorted, filtered, searched, and opened where rows lie below rows.

use super::kin::Kin;
use super::painted;
use super::subject::{About, Rank, Shape, Subject};
use crate::render::text::{Page, Table};
use crate::render::units;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Modifier, Style};
use rustc_hash::FxHashSet;
use std::cmp::Ordering;

/// A row that can be scrolled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    row: u32,
    depth: usize,
}

/// Levels that names are moved to the right for, at most.
const INDENT: usize = 16;

pub(super) struct Pane<'a> {
    subject: Box<dyn Subject + 'a>,
    kin: Kin,
    /// Whether there are rows below rows.
    is_tree: bool,
    lines: Vec<Line>,
    cursor: usize,
    top: usize,
    open: FxHashSet<u32>,
    sort: usize,
    down: bool,
    filter: String,
    /// Rows that pass the filter, or have such rows below them; of none where nothing is filtered.
    kept: Option<Vec<bool>>,
    /// How many pass.
    passed: usize,
}

impl<'a> Pane<'a> {
    /// A list, sorted by one of its columns as that is commonly sorted.
    pub(super) fn new(subject: Box<dyn Subject + 'a>, sort: usize, down: bool) -> Self {
        let kin = subject.kin();
        let is_tree = kin.below(None).len() < kin.len();
        let mut pane = Self {
            subject,
            passed: kin.len(),
            kin,
            is_tree,
            lines: Vec::new(),
            cursor: 0,
            top: 0,
            open: FxHashSet::default(),
            sort,
            down,
            filter: String::new(),
            kept: None,
        };
        if let [only] = pane.kin.below(None) {
            pane.unfold(*only);
        }
        pane.arrange();
        pane
    }

    /// What it shows, and how much of that.
    pub(super) fn title(&self) -> String {
        let rows = units::counted(self.kin.len() as u64, "row", "rows");
        let mut title = format!("{}: {rows}", self.subject.title());
        if self.kept.is_some() {
            let passed = units::count(self.passed as u64);
            title.push_str(&format!(", {passed} with \"{}\"", self.filter));
        }
        title
    }

    /// The row under the cursor.
    pub(super) fn selected(&self) -> Option<u32> {
        self.lines.get(self.cursor).map(|line| line.row)
    }

    pub(super) fn about(&self) -> About {
        let row = self.selected();
        row.map_or_else(About::default, |row| self.subject.about(row))
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    /// Moves the cursor by so many lines, and keeps it among the `height` that are seen.
    pub(super) fn step(&mut self, by: isize, height: usize) {
        let last = self.lines.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
        self.scroll(height);
    }

    pub(super) fn end(&mut self, height: usize) {
        self.cursor = self.lines.len().saturating_sub(1);
        self.scroll(height);
    }

    /// Moves the cursor to a line that is seen; tells whether there is one.
    pub(super) fn point(&mut self, line: usize) -> bool {
        let at = self.top + line;
        let is_there = at < self.lines.len();
        if is_there {
            self.cursor = at;
        }
        is_there
    }

    /// Keeps the cursor among the `height` lines that are seen.
    pub(super) fn scroll(&mut self, height: usize) {
        let highest = (self.cursor + 1).saturating_sub(height.max(1));
        self.top = self.top.clamp(highest, self.cursor.max(highest));
        self.top = self.top.min(self.cursor);
    }

    /// Moves the cursor to a row, whatever has to be opened for that.
    pub(super) fn show(&mut self, row: u32, height: usize) {
        let mut up = self.kin.parent(row);
        let mut opened = false;
        while let Some(at) = up {
            opened |= self.open.insert(at);
            up = self.kin.parent(at);
        }
        if opened {
            self.arrange();
        }
        if let Some(at) = self.lines.iter().position(|line| line.row == row) {
            self.cursor = at;
            self.scroll(height);
        }
    }

    /// Opens the row under the cursor, and what is below it as long as that is one row; where it is open, goes to
    /// the first row below.
    pub(super) fn right(&mut self, height: usize) {
        let Some(row) = self.selected() else { return };
        if self.kin.below(Some(row)).is_empty() {
            return;
        }
        if self.is_open(row) {
            self.step(1, height);
        } else {
            self.unfold(row);
            self.arrange();
        }
    }

    /// Closes the row under the cursor; where it is closed, goes to the row that it is below of.
    pub(super) fn left(&mut self, height: usize) {
        let Some(row) = self.selected() else { return };
        if self.kept.is_none() && self.open.remove(&row) && !self.kin.below(Some(row)).is_empty() {
            self.arrange();
            self.scroll(height);
        } else if let Some(up) = self.kin.parent(row) {
            self.show(up, height);
        }
    }

    /// Opens the first row below the one under the cursor, the first below that, and so on: where most goes.
    pub(super) fn follow(&mut self, height: usize) {
        let mut last = self.selected();
        while let Some(row) = last {
            self.open.insert(row);
            let first = self.sorted(self.kin.below(Some(row))).first().copied();
            let Some(first) = first else { break };
            last = Some(first);
        }
        self.arrange();
        if let Some(row) = last {
            self.show(row, height);
        }
    }

    fn is_open(&self, row: u32) -> bool {
        self.kept.is_some() || self.open.contains(&row)
    }

    fn unfold(&mut self, mut row: u32) {
        self.open.insert(row);
        while let [only] = self.kin.below(Some(row)) {
            row = *only;
            self.open.insert(row);
        }
    }

    /// Sorts by the next column, or the one before.
    pub(super) fn sort_by_next(&mut self, by: isize, height: usize) {
        let headings = self.subject.headings();
        let count = isize::try_from(headings.len()).unwrap_or(1).max(1);
        let sort = isize::try_from(self.sort).unwrap_or(0) + by;
        self.sort = usize::try_from(sort.rem_euclid(count)).unwrap_or(0);
        let shape = headings.get(self.sort).map(|heading| heading.shape);
        self.down = shape == Some(Shape::Number);
        self.arrange_around(height);
    }

    pub(super) fn reverse(&mut self, height: usize) {
        self.down = !self.down;
        self.arrange_around(height);
    }

    fn arrange_around(&mut self, height: usize) {
        let row = self.selected();
        self.arrange();
        if let Some(row) = row {
            self.show(row, height);
        }
    }

    fn sorted(&self, rows: &[u32]) -> Vec<u32> {
        let mut keyed: Vec<(Rank, u32)> = rows
            .iter()
            .map(|&row| (self.subject.rank(self.sort, row), row))
            .collect();
        let order = |a: &(Rank, u32), b: &(Rank, u32)| -> Ordering {
            let by_rank = match self.down {
                true => b.0.cmp(&a.0),
                false => a.0.cmp(&b.0),
            };
            by_rank.then(a.1.cmp(&b.1))
        };
        keyed.sort_unstable_by(order);
        keyed.into_iter().map(|(_, row)| row).collect()
    }

    /// Lays out the rows that can be scrolled to.
    fn arrange(&mut self) {
        self.lines = self.walk(|row| self.is_open(row));
        self.cursor = self.cursor.min(self.lines.len().saturating_sub(1));
        self.top = self.top.min(self.cursor);
    }

    /// Rows that pass the filter, in order, with those below the ones that are entered.
    fn walk(&self, enters: impl Fn(u32) -> bool) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut steps: Vec<Line> = Vec::new();
        let push = |above: Option<u32>, depth: usize, steps: &mut Vec<Line>| {
            let rows = self.kin.below(above).iter().copied();
            let rows: Vec<u32> = rows.filter(|&row| self.is_kept(row)).collect();
            let rows = self.sorted(&rows);
            steps.extend(rows.into_iter().rev().map(|row| Line { row, depth }));
        };
        push(None, 0, &mut steps);
        while let Some(line) = steps.pop() {
            lines.push(line);
            if self.is_tree && enters(line.row) {
                push(Some(line.row), line.depth + 1, &mut steps);
            }
        }
        lines
    }

    fn is_kept(&self, row: u32) -> bool {
        let kept = self.kept.as_ref();
        kept.is_none_or(|kept| kept.get(row as usize) == Some(&true))
    }

    fn holds(&self, row: u32, words: &str) -> bool {
        contains(&self.subject.text(row), words)
    }

    /// Shows only rows with these words, and those that they are below of; all for none.
    pub(super) fn keep(&mut self, words: &str, height: usize) {
        words.clone_into(&mut self.filter);
        self.passed = self.kin.len();
        self.kept = (!words.is_empty()).then(|| {
            let mut kept = vec![false; self.kin.len()];
            self.passed = 0;
            for row in (0..).take(self.kin.len()) {
                if self.holds(row, words) {
                    self.passed += 1;
                    let mut at = Some(row);
                    while let Some(up) = at {
                        if std::mem::replace(&mut kept[up as usize], true) {
                            break;
                        }
                        at = self.kin.parent(up);
                    }
                }
            }
            kept
        });
        self.arrange_around(height);
    }

    /// Goes to the next row with these words, below the cursor or above it, round the end. `here` takes the row
    /// under the cursor, too. Tells whether there is one.
    pub(super) fn find(&mut self, words: &str, forward: bool, here: bool, height: usize) -> bool {
        if words.is_empty() {
            return true;
        }
        let all = self.walk(|_| true);
        let selected = self.selected();
        let at = all.iter().position(|line| Some(line.row) == selected);
        let (before, after) = all.split_at(at.unwrap_or(0));
        let (own, after) = after.split_at(after.len().min(1));
        let own_first = own.iter().filter(|_| here);
        let own_last = own.iter().filter(|_| !here);
        let is_match = |line: &&Line| self.holds(line.row, words);
        let found = match forward {
            true => own_first
                .chain(after)
                .chain(before)
                .chain(own_last)
                .find(is_match),
            false => before
                .iter()
                .rev()
                .chain(after.iter().rev())
                .chain(own)
                .find(is_match),
        };
        let found = found.map(|line| line.row);
        if let Some(row) = found {
            self.show(row, height);
        }
        found.is_some()
    }

    /// Draws headings, and below them the rows that fit.
    pub(super) fn draw(&self, page: &Page, area: Rect, buffer: &mut Buffer) {
        let height = usize::from(area.height).saturating_sub(1);
        let shown = self.lines.iter().skip(self.top).take(height);
        let least = shown.clone().map(|line| line.depth).min().unwrap_or(0);
        let headings = self.subject.headings();
        let named = headings.iter().position(|one| one.shape == Shape::Name);
        let mark = match (page.unicode, self.down) {
            (true, true) => "▼",
            (true, false) => "▲",
            (false, true) => "v",
            (false, false) => "^",
        };
        let columns = headings.iter().enumerate().map(|(at, heading)| {
            let mark = if at == self.sort { mark } else { "" };
            heading.column(mark)
        });
        let mut table = Table::new(columns.collect());
        for line in shown {
            let mut cells = self.subject.cells(line.row, page);
            if let Some(cell) = named.and_then(|at| cells.get_mut(at)) {
                let indent = " ".repeat((line.depth - least).min(INDENT));
                *cell = cell
                    .clone()
                    .behind(&format!("{indent}{}", self.handle(line.row)));
            }
            table.push(cells);
        }
        let lines = painted::lines(page, |page, out| table.write(page, out));
        for (at, line) in (0..area.height).zip(&lines) {
            let is_selected = usize::from(at) == self.cursor - self.top + 1;
            let style = match is_selected && !self.lines.is_empty() {
                true => Style::new().add_modifier(Modifier::REVERSED),
                false => Style::new(),
            };
            let row = Rect {
                y: area.y + at,
                height: 1,
                ..area
            };
            painted::put(buffer, row, line, style);
        }
        if self.lines.is_empty() && area.height > 1 {
            let words = match self.kept {
                Some(_) => "no row has these words".to_owned(),
                None => self.subject.nothing(),
            };
            let below = Rect {
                y: area.y + 1,
                height: area.height - 1,
                ..area
            };
            painted::wrap(buffer, below, &page.safe(&words));
        }
    }

    /// What stands before a name in a tree: whether there is more below.
    fn handle(&self, row: u32) -> &'static str {
        if !self.is_tree {
            return "";
        }
        match (self.kin.below(Some(row)).is_empty(), self.is_open(row)) {
            (true, _) => "  ",
            (false, true) => "- ",
            (false, false) => "+ ",
        }
    }
}

/// Whether a text has these words in it; without capitals among them, in capitals or not.
pub(super) fn contains(text: &str, words: &str) -> bool {
    if words.chars().any(char::is_uppercase) {
        return text.contains(words);
    }
    if text.is_ascii() {
        let (text, words) = (text.as_bytes(), words.as_bytes());
        let mut windows = text.windows(words.len().max(1));
        return words.is_empty() || windows.any(|part| part.eq_ignore_ascii_case(words));
    }
    text.to_lowercase().contains(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_capitals_unless_they_have_some() {
        for (text, words, expected) in [
            ("cmd/compile/internal/ssa.Compile", "ssa.compile", true),
            ("cmd/compile/internal/ssa.Compile", "ssa.Compile", true),
            ("cmd/compile/internal/ssa.compile", "ssa.Compile", false),
            ("", "a", false),
            ("a", "", true),
            ("ÄÖ", "ö", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(contains(text, words), expected, "{text} {words}");
        }
    }
}
