//! Text that is longer than a screen: the summary, a program, the keys.

use super::painted;
use super::subject::About;
use crate::render::text::Page;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use std::cell::RefCell;
use std::rc::Rc;

/// Writes the lines of a sheet for a page.
pub(super) type Write<'a> = Box<dyn Fn(&Page) -> Vec<String> + 'a>;

/// Lines that are written once for each width.
pub(super) struct Sheet<'a> {
    pub(super) title: String,
    pub(super) about: About,
    write: Write<'a>,
    /// What was written, for so many columns.
    written: RefCell<Option<(usize, Rc<[String]>)>>,
    top: usize,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(title: String, about: About, write: Write<'a>) -> Self {
        Self {
            title,
            about,
            write,
            written: RefCell::new(None),
            top: 0,
        }
    }

    fn lines(&self, page: &Page) -> Rc<[String]> {
        let mut written = self.written.borrow_mut();
        match &*written {
            Some((columns, lines)) if *columns == page.columns => Rc::clone(lines),
            _ => {
                let lines: Rc<[String]> = (self.write)(page).into();
                *written = Some((page.columns, Rc::clone(&lines)));
                lines
            }
        }
    }

    /// Scrolls by so many lines, not beyond the last ones.
    pub(super) fn step(&mut self, by: isize, page: &Page, height: usize) {
        let lines = self.lines(page).len();
        let last = lines.saturating_sub(height);
        self.top = self.top.saturating_add_signed(by).min(last);
    }

    /// Scrolls to the next line with these words, or the one before; tells whether there is one.
    pub(super) fn find(&mut self, words: &str, forward: bool, page: &Page, height: usize) -> bool {
        let lines = self.lines(page);
        let holds = |at: &usize| {
            let line = lines.get(*at);
            line.is_some_and(|line| super::pane::contains(line, words))
        };
        let found = match forward {
            true => (self.top + 1..lines.len()).chain(0..=self.top).find(holds),
            false => (0..self.top).rev().find(holds),
        };
        if let Some(at) = found {
            self.top = at.min(lines.len().saturating_sub(height));
        }
        found.is_some()
    }

    pub(super) fn draw(&self, page: &Page, area: Rect, buffer: &mut Buffer) {
        let lines = self.lines(page);
        let top = self
            .top
            .min(lines.len().saturating_sub(usize::from(area.height)));
        for (at, line) in (0..area.height).zip(lines.iter().skip(top)) {
            let row = Rect {
                y: area.y + at,
                height: 1,
                ..area
            };
            painted::put(buffer, row, line, Style::new());
        }
    }
}
