//! A frame: what stands where, whatever the size of the terminal.

use super::painted;
use super::screen::Body;
use super::{Asked, LEAST, Tab, View};
use crate::analyze::summary;
use crate::render::text::{Tone, columns, middle};
use crate::render::units;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Modifier, Style};

/// Lines above the body: the command, the views, the title.
const ABOVE: u16 = 3;
/// Lines below it: what was lost, what is typed.
const BELOW: u16 = 1;

/// Where lists, sheets and flame graphs are drawn.
pub(super) fn body((width, height): (u16, u16)) -> Rect {
    Rect {
        x: 0,
        y: ABOVE,
        width,
        height: height.saturating_sub(ABOVE + BELOW),
    }
}

/// The names of the tabs as they are written at a width, and where each begins.
fn tabs(view: &View<'_>) -> Vec<(Tab, usize, String)> {
    let whole = |tab: Tab| format!("{} {}", tab as usize + 1, tab.name());
    let width: usize = Tab::ALL.iter().map(|&tab| whole(tab).len() + 1).sum();
    let fits = width <= usize::from(view.size.0) + 1;
    let mut begin = 0;
    let written = Tab::ALL.into_iter().map(|tab| {
        let text = match fits || tab == view.at {
            true => whole(tab),
            false => format!("{}", tab as usize + 1),
        };
        let place = begin;
        begin += text.len() + 1;
        (tab, place, text)
    });
    written.collect()
}

/// The tab whose name stands at a cell.
pub(super) fn tab_at(view: &View<'_>, x: u16, y: u16) -> Option<Tab> {
    let x = usize::from(x);
    let mut tabs = tabs(view).into_iter();
    let is_at = |(_, begin, name): &(Tab, usize, String)| {
        y == 1 && (*begin..begin + name.len()).contains(&x)
    };
    tabs.find(is_at).map(|(tab, ..)| tab)
}

impl View<'_> {
    /// Puts what is to be seen into a frame of the size that [`View::resize`] was told.
    pub fn draw(&self, buffer: &mut Buffer) {
        let (width, height) = self.size;
        let line = |y| Rect {
            x: 0,
            y,
            width,
            height: 1,
        };
        if width < LEAST.0 || height < LEAST.1 {
            let words = format!(
                "this terminal has {width} columns and {height} lines; view needs {} and {}",
                LEAST.0, LEAST.1
            );
            return painted::wrap(buffer, buffer.area, &words);
        }
        painted::put(buffer, line(0), &self.head(), Style::new());
        for (tab, begin, name) in tabs(self) {
            let style = match tab == self.at {
                true => Style::new().add_modifier(Modifier::REVERSED),
                false => Style::new(),
            };
            let place = Rect {
                x: u16::try_from(begin).unwrap_or(u16::MAX),
                width: u16::try_from(name.len()).unwrap_or(u16::MAX),
                ..line(1)
            };
            painted::put(buffer, place, &name, style);
        }
        let area = body(self.size);
        let mut page = self.page;
        page.columns = usize::from(width);
        if let Some(help) = &self.help {
            let title = page.paint(&help.title, Tone::Strong);
            painted::put(buffer, line(2), &title, Style::new());
            help.draw(&page, area, buffer);
        } else if let Some(screen) = self.screen() {
            let title = self.cut(&screen.title(), usize::from(width));
            let title = page.paint(&title, Tone::Strong);
            painted::put(buffer, line(2), &title, Style::new());
            match &screen.body {
                Body::List(_, pane) => pane.draw(&page, area, buffer),
                Body::Sheet(sheet) => sheet.draw(&page, area, buffer),
                Body::Flame(flame) => flame.draw(&page, area, buffer),
            }
        }
        painted::put(buffer, line(height - 1), &self.foot(), Style::new());
    }

    /// The text made safe, without its middle where it is too wide.
    fn cut(&self, text: &str, width: usize) -> String {
        let ellipsis = if self.page.unicode { '…' } else { '~' };
        middle(&self.page.safe(text), width, ellipsis)
    }

    /// The command, and what it took.
    fn head(&self) -> String {
        let wall = self.analysis.builds.critical_path.wall();
        let cpu = self.costs.total.cpu();
        let took = format!(
            "wall {}, CPU {}",
            units::duration(wall),
            units::duration(cpu)
        );
        let took = self.page.safe(&took);
        let width = usize::from(self.size.0);
        let room = width.saturating_sub(columns(&took) + 2);
        let command = summary::command(self.analysis);
        let command = self.cut(&command, room);
        let gap = " ".repeat(width.saturating_sub(columns(&command) + columns(&took)));
        format!("{}{gap}{took}", self.page.paint(&command, Tone::Strong))
    }

    /// What is typed, or was said; else what was lost or not seen.
    fn foot(&self) -> String {
        let width = usize::from(self.size.0);
        if let Some((asked, words)) = &self.asked {
            let mark = match asked {
                Asked::Search => '/',
                Asked::Filter => '&',
            };
            let words = self.page.safe(words);
            return format!("{mark}{}_", self.cut(&words, width.saturating_sub(2)));
        }
        if self.wanted.is_some() {
            return "reading ...".to_owned();
        }
        if let Some(said) = &self.said {
            return self.cut(said, width);
        }
        const KEYS: &str = "? keys  q quit";
        let gaps = self.gaps.as_deref().unwrap_or_default();
        let gaps = self.cut(gaps, width.saturating_sub(KEYS.len() + 2));
        let gap = width.saturating_sub(columns(&gaps) + KEYS.len());
        let gaps = self.page.paint(&gaps, Tone::Warning);
        format!("{gaps}{}{KEYS}", " ".repeat(gap))
    }
}
