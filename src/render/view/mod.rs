//! A trace to walk through on a terminal: packages, the critical path, programs, stacks, calls, phases.
//!
//! A [`View`] is the state: [`View::press`] takes what a user did, [`View::draw`] puts what is to be seen into the
//! cells of a frame. What takes long is not done when a key is pressed but by [`View::work`], so that whoever owns the
//! terminal can say so before. Nothing here knows a terminal.
//!
//! Each list is a `Subject`, whose figures come from `analyze` and are written as `show` writes
//! them, and a `Pane`, which has the cursor, the order, the filter and the tree.

mod build;
mod calls;
mod flame;
mod frame;
mod key;
mod keys;
mod kin;
mod painted;
mod pane;
mod processes;
mod program;
mod screen;
mod sheet;
mod stacks;
mod subject;

pub use key::Key;

use super::gaps;
use super::text::Page;
use crate::analyze::{Analysis, Costs, PhaseIndex};
use screen::{Screen, Want};

/// The fewest columns and lines that anything is drawn in.
pub const LEAST: (u16, u16) = (40, 10);

/// What the owner of the terminal is to do after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Draw, and wait for the next key.
    Stay,
    /// Draw, then call [`View::work`], then draw again.
    Work,
    /// Draw every cell anew.
    Redraw,
    /// Stop, until the user goes on.
    Stop,
    /// End.
    Quit,
}

/// What a user is typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Words to search.
    Search,
    /// Words that rows must have.
    Filter,
}

/// A trace, and where in it the user is.
pub struct View<'a> {
    analysis: &'a Analysis<'a>,
    page: Page,
    costs: Costs,
    /// Phases by process, once they were asked for.
    phases: Option<PhaseIndex>,
    /// Of each view, what was gone to, the last one seen.
    screens: [Vec<Screen<'a>>; Tab::ALL.len()],
    at: Tab,
    size: (u16, u16),
    asked: Option<(Asked, String)>,
    searched: String,
    /// What to tell the user until the next key.
    said: Option<String>,
    wanted: Option<Want>,
    unreadable_blocks: u64,
    /// What was lost or not seen, in a line.
    gaps: Option<String>,
    /// What is shown instead of all else: the keys.
    help: Option<sheet::Sheet<'static>>,
}

/// What there is to see, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Summary,
    Packages,
    Actions,
    Path,
    Processes,
    Stacks,
    Calls,
    Phases,
}

impl Tab {
    const ALL: [Self; 8] = [
        Self::Summary,
        Self::Packages,
        Self::Actions,
        Self::Path,
        Self::Processes,
        Self::Stacks,
        Self::Calls,
        Self::Phases,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Packages => "packages",
            Self::Actions => "actions",
            Self::Path => "path",
            Self::Processes => "processes",
            Self::Stacks => "stacks",
            Self::Calls => "calls",
            Self::Phases => "phases",
        }
    }

    /// The one so many places behind this, round the end.
    fn behind(self, places: usize) -> Self {
        let at = (self as usize + places) % Self::ALL.len();
        Self::ALL.get(at).copied().unwrap_or(self)
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut view = f.debug_struct("View");
        view.field("at", &self.at).field("size", &self.size);
        view.finish_non_exhaustive()
    }
}

impl<'a> View<'a> {
    /// Begins at the packages; where no program was recorded, at the stacks. `page` says whether colours and
    /// characters beyond ASCII may be used. Reads no samples but where it begins at the stacks.
    #[must_use]
    pub fn new(analysis: &'a Analysis<'a>, page: Page) -> Self {
        let costs = analysis.costs();
        let has_cost = costs.packages.iter().any(|row| row.cost.wall.0 > 0);
        let mut view = Self {
            analysis,
            page,
            costs,
            phases: None,
            screens: Default::default(),
            at: if has_cost { Tab::Packages } else { Tab::Stacks },
            size: LEAST,
            asked: None,
            searched: String::new(),
            said: None,
            wanted: None,
            unreadable_blocks: 0,
            gaps: gaps::line(&analysis.gaps(0)),
            help: None,
        };
        view.wanted = Some(Want::Tab(view.at));
        view.work();
        view
    }

    /// Takes the size of the terminal, in columns and lines.
    pub fn resize(&mut self, columns: u16, lines: u16) {
        self.size = (columns, lines);
        self.page.columns = usize::from(columns);
        self.scroll();
    }

    /// Notes how many blocks could not be read, as the worst reading found it.
    fn unread(&mut self, blocks: u64) {
        if blocks > self.unreadable_blocks {
            self.unreadable_blocks = blocks;
            self.gaps = gaps::line(&self.analysis.gaps(blocks));
        }
    }

    fn screen(&self) -> Option<&Screen<'a>> {
        self.screens.get(self.at as usize)?.last()
    }

    fn screen_mut(&mut self) -> Option<&mut Screen<'a>> {
        self.screens.get_mut(self.at as usize)?.last_mut()
    }

    fn push(&mut self, screen: Screen<'a>) {
        if let Some(screens) = self.screens.get_mut(self.at as usize) {
            screens.push(screen);
        }
        self.scroll();
    }
}
