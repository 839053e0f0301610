//! What each key does.

use super::key::Key;
use super::screen::{Body, Listed, Want, Whose};
use super::sheet::Sheet;
use super::subject::About;
use super::{Asked, Step, Tab, View, frame};
use crate::analyze::Filter;
use crate::render::text::{Page, Tone};
use crate::trace::SampleKind;
use std::rc::Rc;

/// Lines that a turn of the wheel moves by.
const WHEEL: isize = 3;

/// Keys and what they do, as the help shows them.
const HELP: [(&str, &str); 24] = [
    ("1 to 8, Tab", "another view"),
    (
        "up, down, j, k",
        "move; PgUp, PgDn, g, G: by a screen, to the ends",
    ),
    ("Enter", "what is behind the line: a package's programs,"),
    ("", "a program's page, callers and callees of a function"),
    ("Esc, Backspace", "back"),
    ("right, left, l, h", "open, close a line of a tree"),
    ("e", "open what most went to, to the end"),
    ("p", "the programs of the line"),
    ("s", "stacks of the line, as a tree"),
    ("t", "functions of the line, one by one"),
    ("f", "the same as a flame graph"),
    (
        "c",
        "calls of watched functions; again: below their callers",
    ),
    ("w", "stacks of waiting threads, and back (run --off-cpu)"),
    ("a", "in actions: the one that it waited for"),
    ("<, >, r", "sort by another column, the other way round"),
    ("/, n, N", "search, the next one, the one before"),
    ("&", "only lines with these words; none of them: all"),
    ("?, q", "these keys, quit"),
    ("", ""),
    ("critical", "how much of the critical path the package was"),
    ("waiting", "at least; - does not say that there was none"),
    ("own, self", "without what the function called"),
    ("gates", "actions that could not begin before its end"),
    (
        "colours",
        "red: on the critical path; yellow: went wrong, was lost",
    ),
];

impl View<'_> {
    /// Takes what the user did.
    pub fn press(&mut self, key: Key) -> Step {
        self.said = None;
        match key {
            Key::Redraw => return Step::Redraw,
            Key::Stop => return Step::Stop,
            _ => {}
        }
        if self.asked.is_some() {
            self.type_in(key);
            return Step::Stay;
        }
        if self.help.is_some() {
            return self.press_in_help(key);
        }
        match key {
            Key::Char('q') => return Step::Quit,
            Key::Char('?') => self.help = Some(help()),
            Key::Char('/') => self.asked = Some((Asked::Search, String::new())),
            Key::Char('n' | 'N') => self.find(key == Key::Char('n'), false),
            Key::Tab => self.go(self.at.behind(1)),
            Key::BackTab => self.go(self.at.behind(Tab::ALL.len() - 1)),
            Key::Char(digit @ '1'..='8') => {
                let number = digit.to_digit(10).unwrap_or(1);
                self.go(Tab::Summary.behind(number as usize - 1));
            }
            Key::Escape | Key::Backspace => self.back(),
            Key::Char(letter @ ('p' | 's' | 't' | 'f' | 'c' | 'w')) => self.lead(letter),
            Key::Click(x, y) => return self.click(x, y),
            _ => self.press_in_body(key),
        }
        self.step()
    }

    fn step(&self) -> Step {
        match self.wanted {
            Some(_) => Step::Work,
            None => Step::Stay,
        }
    }

    /// To a tab, as it was left.
    fn go(&mut self, tab: Tab) {
        self.at = tab;
        if self.screen().is_none() {
            self.wanted = Some(Want::Tab(tab));
        }
    }

    /// To where the user came from.
    fn back(&mut self) {
        let height = self.height();
        let stays = match self.screen_mut().map(|screen| &mut screen.body) {
            Some(Body::List(_, pane)) if !pane.filter().is_empty() => {
                pane.keep("", height);
                true
            }
            Some(Body::Flame(flame)) => flame.zoom_out(),
            _ => false,
        };
        if stays {
            return;
        }
        if let Some(screens) = self.screens.get_mut(self.at as usize)
            && screens.len() > 1
        {
            screens.pop();
        }
        self.scroll();
    }

    /// To stacks, calls or programs of what the user is at.
    fn lead(&mut self, letter: char) {
        let Some(screen) = self.screen() else { return };
        let whose = screen.whose.clone();
        let about = screen.about();
        let stays = match &screen.body {
            Body::List(Listed::Stacks(_) | Listed::Functions | Listed::Calls, _)
            | Body::Flame(_) => true,
            Body::List(Listed::Around(_), _) => {
                return self.say("Esc leads back to the stacks and calls that this is a part of");
            }
            _ => false,
        };
        let is_calls = matches!(screen.body, Body::List(Listed::Calls, _));
        self.wanted = match letter {
            'p' if about.package.is_some() || about.action.is_some() => {
                Some(Want::Processes(about))
            }
            'p' => return self.say("no program is known of this line"),
            'c' if is_calls => Some(Want::CallTree(whose)),
            _ => {
                let whose = match stays {
                    true => Some(whose),
                    false => self.whose(&about),
                };
                let Some(whose) = whose else {
                    return self
                        .say("stacks are of packages, actions and programs, and this is none");
                };
                self.lead_to(letter, whose)
            }
        };
    }

    fn lead_to(&mut self, letter: char, mut whose: Whose) -> Option<Want> {
        match letter {
            's' => Some(Want::Stacks(whose)),
            't' => Some(Want::Functions(whose)),
            'f' => {
                // The same stacks need not be read again.
                if let Some(Body::List(Listed::Stacks(stacks), pane)) =
                    self.screen().map(|screen| &screen.body)
                {
                    let flame = super::flame::Flame::of(Rc::clone(stacks), pane.selected());
                    let body = Body::Flame(flame);
                    self.push(super::screen::Screen { body, whose });
                    return None;
                }
                Some(Want::Flame(whose))
            }
            'c' => Some(Want::Calls(whose)),
            _ => {
                if !self.analysis.has_waiting_samples() {
                    self.say("no stacks of waiting threads were recorded: run --off-cpu does");
                    return None;
                }
                whose.filter.kind = match whose.filter.kind {
                    SampleKind::OnCpu => SampleKind::OffCpu,
                    SampleKind::OffCpu => SampleKind::OnCpu,
                };
                Some(Want::Stacks(whose))
            }
        }
    }

    /// Whose stacks a line leads to: those of its program, of its action, or of its package.
    fn whose(&self, about: &About) -> Option<Whose> {
        let trace = self.analysis.trace;
        let build = |at: usize| self.analysis.builds.builds.get(at);
        if let Some(at) = about.action {
            let action = build(at.build as usize)?.action(at.action)?;
            return Some(Whose {
                words: action.label(),
                filter: Filter {
                    package: Some(action.package.to_string()),
                    from: Some(action.start),
                    to: Some(action.end),
                    ..Filter::default()
                },
            });
        }
        if let Some(process) = about.process.and_then(|id| trace.process(id)) {
            return Some(Whose {
                words: format!("pid {}", process.pid.0),
                filter: Filter {
                    pid: Some(process.pid),
                    ..Filter::default()
                },
            });
        }
        let package = about.package.as_ref()?;
        Some(Whose {
            words: package.to_string(),
            filter: Filter {
                package: Some(package.to_string()),
                ..Filter::default()
            },
        })
    }

    pub(super) fn say(&mut self, words: &str) {
        self.said = Some(words.to_owned());
    }

    /// What lies behind the line.
    fn enter(&mut self) {
        let Some(screen) = self.screen() else { return };
        let whose = screen.whose.clone();
        let about = screen.about();
        let Body::List(listed, _) = &screen.body else {
            return;
        };
        self.wanted = match (listed, about.function.clone()) {
            (Listed::Stacks(stacks) | Listed::Around(stacks), Some(function)) => {
                Some(Want::Around(Rc::clone(stacks), function))
            }
            (Listed::Functions, Some(function)) => Some(Want::AroundFunction(whose, function)),
            (Listed::Calls, Some(function)) => Some(Want::AroundCall(whose, function)),
            (Listed::Processes, _) => about.process.map(Want::Program),
            (Listed::Packages | Listed::Actions | Listed::Path, _)
                if about.package.is_some() || about.action.is_some() =>
            {
                Some(Want::Processes(about))
            }
            _ => None,
        };
        if self.wanted.is_none() {
            self.say("nothing is known that lies behind this line");
        }
    }

    fn press_in_body(&mut self, key: Key) {
        if key == Key::Enter && !matches!(self.screen().map(|s| &s.body), Some(Body::Flame(_))) {
            return self.enter();
        }
        let (height, area) = (self.height(), frame::body(self.size));
        let page = self.page;
        let analysis = self.analysis;
        let Some(screen) = self.screen_mut() else {
            return;
        };
        match &mut screen.body {
            Body::List(listed, pane) => {
                let is_actions = matches!(listed, Listed::Actions);
                match key {
                    Key::Right | Key::Char('l') => pane.right(height),
                    Key::Left | Key::Char('h') => pane.left(height),
                    Key::Char('e') => pane.follow(height),
                    Key::Char('<') => pane.sort_by_next(-1, height),
                    Key::Char('>') => pane.sort_by_next(1, height),
                    Key::Char('r') => pane.reverse(height),
                    Key::Char('&') => self.asked = Some((Asked::Filter, String::new())),
                    Key::Char('a') if is_actions => {
                        let gate = pane.about().action.and_then(|at| {
                            let build = analysis.builds.builds.get(at.build as usize)?;
                            let action = build.gate(at.action)?;
                            Some(crate::analyze::cost::ActionRef { action, ..at })
                        });
                        let actions = super::build::Actions::of(analysis);
                        match gate.and_then(|gate| actions.position(gate)) {
                            Some(row) => pane.show(row, height),
                            None => self.say("it waited for no other action"),
                        }
                    }
                    _ => match moved(key, height) {
                        Some(isize::MAX) => pane.end(height),
                        Some(by) => pane.step(by, height),
                        None => self.unknown(key),
                    },
                }
            }
            Body::Sheet(sheet) => match moved(key, height) {
                Some(by) => sheet.step(by, &page, height),
                None => self.unknown(key),
            },
            Body::Flame(flame) => match key {
                Key::Up | Key::Char('k') => flame.up(area),
                Key::Down | Key::Char('j') => flame.down(area),
                Key::Left | Key::Char('h') => flame.beside(-1, area),
                Key::Right | Key::Char('l') => flame.beside(1, area),
                Key::Enter => flame.zoom_in(area),
                _ => self.unknown(key),
            },
        }
    }

    fn unknown(&mut self, key: Key) {
        if let Key::Char(letter) = key {
            let shown = self.page.safe(&letter.to_string());
            self.say(&format!("{shown} does nothing here: ? shows the keys"));
        }
    }

    fn press_in_help(&mut self, key: Key) -> Step {
        let (page, height) = (self.page, self.height());
        let moved = moved(key, height);
        match (&mut self.help, moved) {
            (Some(help), Some(by)) => help.step(by, &page, height),
            (_, _) if key == Key::Char('q') => return Step::Quit,
            _ => self.help = None,
        }
        Step::Stay
    }

    /// A key while words are typed.
    fn type_in(&mut self, key: Key) {
        let Some((asked, mut words)) = self.asked.take() else {
            return;
        };
        match key {
            Key::Char(letter) => words.push(letter),
            Key::Backspace if words.pop().is_none() => return,
            Key::Escape => return,
            Key::Enter => {
                match asked {
                    Asked::Search if words.is_empty() => {}
                    Asked::Search => self.searched = words,
                    Asked::Filter => return self.keep(&words),
                }
                return self.find(true, true);
            }
            _ => {}
        }
        self.asked = Some((asked, words));
    }

    fn keep(&mut self, words: &str) {
        let height = self.height();
        if let Some(Body::List(_, pane)) = self.screen_mut().map(|screen| &mut screen.body) {
            pane.keep(words, height);
        }
    }

    /// Goes to where the words that were searched last occur.
    fn find(&mut self, forward: bool, here: bool) {
        let words = self.searched.clone();
        if words.is_empty() {
            return self.say("nothing was searched yet: / does");
        }
        let (height, area, page) = (self.height(), frame::body(self.size), self.page);
        let found = match self.screen_mut().map(|screen| &mut screen.body) {
            Some(Body::List(_, pane)) => pane.find(&words, forward, here, height),
            Some(Body::Flame(flame)) => flame.find(&words, forward, here, area),
            Some(Body::Sheet(sheet)) => sheet.find(&words, forward, &page, height),
            None => false,
        };
        if !found {
            self.say(&format!("not found: {words}"));
        }
    }

    fn click(&mut self, x: u16, y: u16) -> Step {
        if let Some(tab) = frame::tab_at(self, x, y) {
            self.go(tab);
            return self.step();
        }
        let area = frame::body(self.size);
        let Some(line) = y.checked_sub(area.y) else {
            return Step::Stay;
        };
        let mut enters = false;
        match self.screen_mut().map(|screen| &mut screen.body) {
            Some(Body::List(_, pane)) => {
                // The first line has the headings. A second click on a row enters it.
                if let Some(line) = line.checked_sub(1) {
                    let before = pane.selected();
                    enters = pane.point(usize::from(line)) && pane.selected() == before;
                }
            }
            Some(Body::Flame(flame)) => flame.point(area, x, usize::from(line)),
            _ => {}
        }
        if enters {
            self.enter();
        }
        self.step()
    }

    /// Lines of a list.
    pub(super) fn height(&self) -> usize {
        usize::from(frame::body(self.size).height).saturating_sub(1)
    }

    /// Keeps what is selected in sight.
    pub(super) fn scroll(&mut self) {
        let (height, area) = (self.height(), frame::body(self.size));
        match self.screen_mut().map(|screen| &mut screen.body) {
            Some(Body::List(_, pane)) => pane.scroll(height),
            Some(Body::Flame(flame)) => flame.scroll(area),
            _ => {}
        }
    }
}

/// By how many lines a key moves; [`isize::MAX`] and [`isize::MIN`] are to the ends.
fn moved(key: Key, height: usize) -> Option<isize> {
    let screen = isize::try_from(height).unwrap_or(1).max(1);
    match key {
        Key::Down | Key::Char('j') => Some(1),
        Key::Up | Key::Char('k') => Some(-1),
        Key::PageDown | Key::Char(' ') => Some(screen),
        Key::PageUp => Some(-screen),
        Key::WheelDown => Some(WHEEL),
        Key::WheelUp => Some(-WHEEL),
        Key::Home | Key::Char('g') => Some(isize::MIN),
        Key::End | Key::Char('G') => Some(isize::MAX),
        _ => None,
    }
}

fn help() -> Sheet<'static> {
    let write = |page: &Page| {
        let lines = HELP.iter().map(|(keys, words)| {
            let keys = page.paint(&format!("{keys:<18}"), Tone::Strong);
            format!("{keys}{words}")
        });
        lines.collect()
    };
    Sheet::new("keys".to_owned(), About::default(), Box::new(write))
}
