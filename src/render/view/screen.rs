//! What fills the screen, and how it is made.

use super::build::{Actions, Packages, Path};
use super::calls::{Calls, PhaseRows};
use super::flame::Flame;
use super::pane::Pane;
use super::processes::Processes;
use super::sheet::Sheet;
use super::stacks::{Around, Functions, Stacks, Tree};
use super::subject::About;
use super::{Tab, View, painted, program};
use crate::analyze::calls::{GroupBy, Statistics};
use crate::analyze::timeline::Bars;
use crate::analyze::{
    Analysis, CallTree, Filter, Name, PhaseIndex, Phases, call_tree, calls as all_calls,
};
use crate::render::text::calls as words;
use crate::render::text::{Page, Tone, ranking, summary, timeline};
use crate::render::units;
use crate::trace::{ProcessId, SampleKind};
use std::rc::Rc;

/// Whose stacks or calls are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whose {
    /// In words; empty for all.
    pub(super) words: String,
    pub(super) filter: Filter,
}

/// What is to be shown next.
#[derive(Clone, Debug)]
pub(super) enum Want {
    /// What a tab begins with.
    Tab(Tab),
    /// The programs of a package or an action.
    Processes(About),
    /// A program.
    Program(ProcessId),
    Stacks(Whose),
    Functions(Whose),
    Flame(Whose),
    Calls(Whose),
    CallTree(Whose),
    /// A function, among some stacks.
    Around(Rc<Stacks>, Name),
    /// The same of a function that was listed without its stacks.
    AroundFunction(Whose, Name),
    /// The same of calls.
    AroundCall(Whose, Name),
}

/// What a list is of, as far as keys differ.
pub(super) enum Listed {
    Packages,
    Actions,
    Path,
    Processes,
    /// Stacks, with the same as a tree.
    Stacks(Rc<Stacks>),
    Functions,
    Calls,
    /// Calls below their callers, or around one function.
    Around(Rc<Stacks>),
    Phases,
}

pub(super) enum Body<'a> {
    List(Listed, Pane<'a>),
    Sheet(Sheet<'a>),
    Flame(Flame),
}

pub(super) struct Screen<'a> {
    pub(super) body: Body<'a>,
    pub(super) whose: Whose,
}

impl Screen<'_> {
    /// What the user is at.
    pub(super) fn about(&self) -> About {
        match &self.body {
            Body::List(_, pane) => pane.about(),
            Body::Sheet(sheet) => sheet.about.clone(),
            Body::Flame(flame) => {
                let row = flame.selected();
                About {
                    function: row.map(|row| flame.stacks.name(row).into()),
                    ..About::default()
                }
            }
        }
    }

    pub(super) fn title(&self) -> String {
        match &self.body {
            Body::List(_, pane) => pane.title(),
            Body::Sheet(sheet) => sheet.title.clone(),
            Body::Flame(flame) => flame.title(),
        }
    }
}

/// Where lists are sorted by what is commonly wanted: columns of the subjects.
const BY_COST: usize = 1;

impl<'a> View<'a> {
    /// Does what takes long; see [`super::Step::Work`].
    pub fn work(&mut self) {
        let Some(want) = self.wanted.take() else {
            return;
        };
        let (screen, unread) = self.make(want);
        self.unread(unread);
        self.push(screen);
    }

    /// Makes a screen; returns how many blocks could not be read for it, too.
    fn make(&mut self, want: Want) -> (Screen<'a>, u64) {
        let analysis = self.analysis;
        match want {
            Want::Tab(tab) => self.begin(tab),
            Want::Processes(about) => (self.processes_of(&about), 0),
            Want::Program(id) => self.program(id),
            Want::Stacks(whose) => {
                let (stacks, unread) = stacks_of(analysis, &whose);
                (tree(stacks, whose), unread)
            }
            Want::Flame(whose) => {
                let (stacks, unread) = stacks_of(analysis, &whose);
                let body = Body::Flame(Flame::of(stacks, None));
                (Screen { body, whose }, unread)
            }
            Want::Functions(whose) => {
                let profile = analysis.profile(&whose.filter);
                let unread = profile.unreadable_blocks;
                let title = titled("functions", &whose);
                let nothing = no_rows(analysis, profile.total.samples);
                let subject = Functions::of(profile, title, nothing);
                let pane = Pane::new(Box::new(subject), BY_COST, true);
                let body = Body::List(Listed::Functions, pane);
                (Screen { body, whose }, unread)
            }
            Want::Calls(whose) => calls(analysis, whose),
            Want::CallTree(whose) => {
                let (stacks, unread) = tree_of_calls(analysis, &whose);
                let pane = Pane::new(Box::new(Tree(Rc::clone(&stacks))), BY_COST, true);
                let body = Body::List(Listed::Around(stacks), pane);
                (Screen { body, whose }, unread)
            }
            Want::Around(stacks, function) => (around(stacks, function), 0),
            Want::AroundFunction(whose, function) => {
                let (stacks, unread) = stacks_of(analysis, &whose);
                (around(stacks, function), unread)
            }
            Want::AroundCall(whose, function) => {
                let (stacks, unread) = tree_of_calls(analysis, &whose);
                (around(stacks, function), unread)
            }
        }
    }

    fn begin(&mut self, tab: Tab) -> (Screen<'a>, u64) {
        let analysis = self.analysis;
        let list = |listed, pane| Screen {
            body: Body::List(listed, pane),
            whose: Whose::default(),
        };
        match tab {
            Tab::Summary => self.summary(),
            Tab::Packages => {
                let subject = Packages::of(analysis, &self.costs);
                let pane = Pane::new(Box::new(subject), BY_COST, true);
                (list(Listed::Packages, pane), 0)
            }
            Tab::Path => {
                let pane = Pane::new(Box::new(Path::of(analysis)), 0, false);
                (list(Listed::Path, pane), 0)
            }
            Tab::Processes => (self.processes_of(&About::default()), 0),
            Tab::Stacks => {
                let whose = Whose::default();
                let (stacks, unread) = stacks_of(analysis, &whose);
                (tree(stacks, whose), unread)
            }
            Tab::Calls => calls(analysis, Whose::default()),
            Tab::Phases => {
                let phases = Phases::of_index(analysis, self.index());
                let unread = phases.unreadable_blocks;
                let pane = Pane::new(Box::new(PhaseRows::of(phases)), 2, true);
                (list(Listed::Phases, pane), unread)
            }
            Tab::Actions => {
                // By wall time, which is what a build waits for.
                let pane = Pane::new(Box::new(Actions::of(analysis)), 2, true);
                (list(Listed::Actions, pane), 0)
            }
        }
    }

    fn index(&mut self) -> &PhaseIndex {
        let analysis = self.analysis;
        self.phases.get_or_insert_with(|| PhaseIndex::of(analysis))
    }

    /// What `show` prints, all that was lost or not seen, and the timeline.
    fn summary(&mut self) -> (Screen<'a>, u64) {
        let analysis = self.analysis;
        let of = analysis.summary(summary::ROWS);
        let unread = self.unreadable_blocks;
        let write = move |page: &Page| {
            let mut lines = painted::lines(page, |page, out| summary::write(&of, page, out));
            let gaps = analysis.gaps(unread);
            if !gaps.is_empty() {
                lines.push(String::new());
                lines.push(page.paint("lost or not seen", Tone::Strong));
            }
            for gap in gaps {
                let count = gap
                    .count
                    .map_or_else(String::new, |count| units::count(count) + " ");
                let words = format!("{count}{}: {}", gap.what, gap.why);
                lines.extend(painted::broken(&page.safe(&words), page.columns, "  "));
            }
            lines.push(String::new());
            lines.push(page.paint("timeline", Tone::Strong));
            lines.extend(painted::lines(page, |page, out| {
                timeline::write(analysis, Bars::Actions, page, out).map(drop)
            }));
            lines
        };
        let sheet = Sheet::new("summary".to_owned(), About::default(), Box::new(write));
        let body = Body::Sheet(sheet);
        let whose = Whose::default();
        (Screen { body, whose }, 0)
    }

    fn processes_of(&self, about: &About) -> Screen<'a> {
        let analysis = self.analysis;
        let builds = &analysis.builds.builds;
        let action = about.action.and_then(|at| {
            let build = builds.get(at.build as usize)?;
            build.action(at.action)
        });
        let title = match (action, &about.package) {
            (Some(action), _) => format!("processes of {}", action.label()),
            (None, Some(package)) => format!("processes of {package}"),
            (None, None) => "processes".to_owned(),
        };
        let subject = Processes::of(analysis, &self.costs, title, |id, role| {
            match (action, &about.package) {
                (Some(action), _) => action.processes.contains(&id),
                (None, Some(package)) => role.package.as_ref() == Some(package),
                (None, None) => true,
            }
        });
        let by_cpu = 3;
        let pane = Pane::new(Box::new(subject), by_cpu, true);
        Screen {
            body: Body::List(Listed::Processes, pane),
            whose: Whose::default(),
        }
    }

    fn program(&mut self, id: ProcessId) -> (Screen<'a>, u64) {
        let analysis = self.analysis;
        let Some(process) = analysis.trace.process(id) else {
            return self.begin(Tab::Processes);
        };
        let costs = self.costs.processes.iter().find(|row| row.key == id);
        let cost = costs.map(|row| row.cost).unwrap_or_default();
        let (write, unread) = program::page(analysis, self.index(), process, cost);
        let role = analysis.roles.get(id);
        let about = About {
            package: role.and_then(|role| role.package.clone()),
            process: Some(id),
            ..About::default()
        };
        let tool = role.map_or("program", |role| role.tool.name());
        let sheet = Sheet::new(format!("{tool} ({})", process.pid.0), about, write);
        let body = Body::Sheet(sheet);
        let whose = Whose::default();
        (Screen { body, whose }, unread)
    }
}

fn titled(what: &str, whose: &Whose) -> String {
    let kind = match whose.filter.kind {
        SampleKind::OnCpu => "",
        SampleKind::OffCpu => ", waiting",
    };
    match &*whose.words {
        "" => format!("{what}{kind}"),
        words => format!("{what} of {words}{kind}"),
    }
}

/// Why there are no rows of so many samples.
fn no_rows(analysis: &Analysis<'_>, samples: u64) -> String {
    match samples {
        0 => ranking::why_no_samples(analysis.trace).to_owned(),
        samples => ranking::no_names(samples),
    }
}

fn stacks_of(analysis: &Analysis<'_>, whose: &Whose) -> (Rc<Stacks>, u64) {
    let options = call_tree::Options {
        filter: whose.filter.clone(),
        ..call_tree::Options::default()
    };
    let tree = CallTree::of(analysis, &options);
    let unread = tree.unreadable_blocks;
    let counted = if tree.from_profiles {
        "stacks"
    } else {
        "samples"
    };
    let nothing = no_rows(analysis, tree.total().samples);
    let stacks = Stacks::of(tree, titled("stacks", whose), counted, nothing);
    (Rc::new(stacks), unread)
}

fn tree(stacks: Rc<Stacks>, whose: Whose) -> Screen<'static> {
    let pane = Pane::new(Box::new(Tree(Rc::clone(&stacks))), BY_COST, true);
    Screen {
        body: Body::List(Listed::Stacks(stacks), pane),
        whose,
    }
}

fn tree_of_calls(analysis: &Analysis<'_>, whose: &Whose) -> (Rc<Stacks>, u64) {
    let options = call_tree::Options {
        filter: whose.filter.clone(),
        ..call_tree::Options::default()
    };
    let stay = all_calls::PathChoice::Longest(all_calls::MOST_PATHS);
    let (tree, _) = all_calls::tree(analysis, &options, stay);
    let unread = tree.unreadable_blocks;
    let nothing = words::why_none(analysis.trace, &whose.filter).to_owned();
    let merged = match tree.merged.paths {
        0 => "",
        _ => ", the shortest merged",
    };
    let title = format!("{}{merged}", titled("calls", whose));
    let stacks = Stacks::of(tree, title, "calls", nothing);
    (Rc::new(stacks), unread)
}

/// Calls of the functions that the user named; where none was named, of those of sets.
fn calls<'a>(analysis: &Analysis<'_>, mut whose: Whose) -> (Screen<'a>, u64) {
    whose.filter.named = analysis.has_named_functions();
    let statistics = Statistics::of(analysis, &whose.filter, GroupBy::Function);
    let unread = statistics.walked.unreadable_blocks;
    let left_out = match whose.filter.named {
        true => ", without those of probe sets",
        false => "",
    };
    let how = match statistics.walked.added_up {
        0 => "",
        _ => ", added up as they were recorded",
    };
    let subject = Calls {
        statistics,
        title: format!("{}{left_out}{how}", titled("calls", &whose)),
        nothing: words::why_none(analysis.trace, &whose.filter).to_owned(),
    };
    let by_total = 2;
    let pane = Pane::new(Box::new(subject), by_total, true);
    let body = Body::List(Listed::Calls, pane);
    (Screen { body, whose }, unread)
}

fn around<'a>(stacks: Rc<Stacks>, function: Name) -> Screen<'a> {
    let subject = Around::of(Rc::clone(&stacks), function);
    let middle = subject.middle();
    let mut pane = Pane::new(Box::new(subject), 0, false);
    pane.show(middle, usize::MAX);
    Screen {
        body: Body::List(Listed::Around(stacks), pane),
        whose: Whose::default(),
    }
}
