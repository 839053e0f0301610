//! What a list is about: its columns, and its rows by their numbers.

use super::kin::Kin;
use crate::analyze::Name;
use crate::analyze::cost::ActionRef;
use crate::render::text::{Cell, Column, Page};
use crate::trace::ProcessId;
use std::borrow::Cow;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Numbers: the largest come first.
    Number,
    /// A word.
    Word,
    /// A name, which gives way; the first one of a list holds its tree.
    Name,
}

/// A column of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heading {
    pub(super) title: &'static str,
    pub(super) shape: Shape,
    /// When it gives way to others, see [`Column::optional`].
    pub(super) rank: u8,
}

impl Heading {
    pub(super) const fn number(title: &'static str, rank: u8) -> Self {
        let shape = Shape::Number;
        Self { title, shape, rank }
    }

    pub(super) const fn word(title: &'static str, rank: u8) -> Self {
        let shape = Shape::Word;
        Self { title, shape, rank }
    }

    pub(super) const fn name(title: &'static str) -> Self {
        let shape = Shape::Name;
        let rank = 0;
        Self { title, shape, rank }
    }

    /// The column, with a mark where rows are sorted by it.
    pub(super) fn column(&self, mark: &str) -> Column {
        let title = format!("{}{mark}", self.title);
        let column = match self.shape {
            Shape::Number => Column::number(&title).at_least(NUMBER),
            Shape::Word => Column::word(&title),
            Shape::Name => Column::name(&title).stretched(),
        };
        column.optional(self.rank)
    }
}

/// As wide as most numbers with their unit: what is scrolled into view moves no column.
const NUMBER: usize = 8;

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Number(u64),
    Text(Name),
}

/// What a row is about, as far as other views know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) package: Option<Name>,
    pub(super) action: Option<ActionRef>,
    pub(super) process: Option<ProcessId>,
    pub(super) function: Option<Name>,
}

/// The rows of a list, and what is known of them.
pub(super) trait Subject {
    /// What it is called.
    fn title(&self) -> String;
    /// Its columns.
    fn headings(&self) -> Vec<Heading>;
    /// Which row is below which.
    fn kin(&self) -> Kin;
    /// The fields of a row, one for each column.
    fn cells(&self, row: u32, page: &Page) -> Vec<Cell>;
    /// What is looked through for what a user searches.
    fn text(&self, row: u32) -> Cow<'_, str>;
    /// What a row is sorted by in a column.
    fn rank(&self, column: usize, row: u32) -> Rank;
    /// What a row is about.
    fn about(&self, row: u32) -> About;
    /// Why there are no rows.
    fn nothing(&self) -> String;
}

/// Columns of the bar that makes shares visible.
pub(super) const BAR: usize = 12;
