//! Dynamic linking: loads, binds, searches and times of relocation in; what each program, image,
//! provider and symbol had of it, what it cost, and what is not as files say out.
//!
//! [`Bindings`] reads all binds once; memory is bounded by programs, images and distinct symbols. Binds
//! that no loader tells of come from [`super::scope`], and are counted apart, as derived. What an image
//! cost is shared out by its relocations ([`super::shares`]), and is an estimate. [`Difference`] lays the
//! binds of two traces side by side; [`Happened`] has what is drawn over time, [`Bound`] what each program had bound
//! when.

mod bound;
mod cost;
mod count;
mod difference;
mod finding;
mod happened;
mod programs;

pub use bound::Bound;
pub use cost::{Cost, ImageRow};
pub use count::{Counts, ProviderRow, SymbolRow};
pub use difference::{Difference, Link};
pub use finding::Finding;
pub use happened::{Happened, Late, Mark, Span, Sums};
pub use programs::{Linked, ProgramRow, SearchRow};

use super::scope::{Promised, promised};
use super::{Analysis, Filter, Name};
use crate::trace::{BindHow, Binding, ImageId, Nanos, Process, ProcessId, Trace};
use count::Counter;

/// What the rows of a table of binds are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Programs.
    Process,
    /// Images: what they cost.
    Image,
    /// Images that have what others want.
    Provider,
    /// Symbols.
    Symbol,
    /// Paths at which libraries were looked for.
    Search,
    /// Binds that are not as files say.
    Finding,
}

impl GroupBy {
    /// Whether its rows are about binds of some kind, and not about all of them or none.
    #[must_use]
    pub const fn counts_binds(self) -> bool {
        !matches!(self, Self::Search | Self::Finding)
    }

    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Process,
        Self::Image,
        Self::Provider,
        Self::Symbol,
        Self::Search,
        Self::Finding,
    ];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Image => "image",
            Self::Provider => "provider",
            Self::Symbol => "symbol",
            Self::Search => "search",
            Self::Finding => "finding",
        }
    }
}

/// All of dynamic linking in the programs that pass a filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bindings {
    /// Programs, those that took longest first.
    pub programs: Vec<ProgramRow>,
    /// Images, the costliest first.
    pub images: Vec<ImageRow>,
    /// Images that have symbols which others want, by binds.
    pub providers: Vec<ProviderRow>,
    /// Symbols and who had them, by binds.
    pub symbols: Vec<SymbolRow>,
    /// Where libraries were looked for, what was missed most first.
    pub searches: Vec<SearchRow>,
    /// What is not as files say.
    pub findings: Vec<Finding>,
    /// Files were read, so that there can be findings and derived binds.
    pub has_files: bool,
    /// All binds.
    pub counts: Counts,
    /// Images that were loaded, each once a program and load.
    pub loads: u64,
    /// What all of it took.
    pub cost: Cost,
    /// Blocks of binds that could not be read.
    pub unreadable_blocks: u64,
}

impl Bindings {
    /// Counts and adds up. Reads all binds twice where files were read, else once. Of a time range the
    /// loads, binds and relocations that begin in it pass. With `lazy` only binds at first calls count, and no
    /// times, for those are no part of a time of relocation.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter, lazy: bool) -> Self {
        let trace = analysis.trace;
        let takes = Takes::of(analysis, filter, lazy);
        let mut counter = Counter::of(trace);
        let mut unreadable_blocks = 0;
        for block in trace.bindings() {
            let Ok(block) = block else {
                unreadable_blocks += 1;
                continue;
            };
            for bind in block.iter().filter(|bind| takes.bind(bind)) {
                counter.seen(&bind);
            }
        }
        let promised = match trace.needs.is_empty() {
            true => Vec::new(),
            false => promised(trace),
        };
        if !lazy && !filter.has_range() {
            for set in &promised {
                let processes: Vec<ProcessId> = taken(set, &takes).collect();
                counter.derived(set, &processes);
            }
        }
        let findings = finding::of(trace, &takes, &promised);
        let counted = counter.finish();
        let (images, by_process, cost) = cost::of(trace, &takes, &counted);
        Self {
            programs: programs::of(analysis, &takes, &counted, &by_process),
            searches: programs::searches(trace, &takes),
            images,
            findings,
            has_files: !trace.needs.is_empty(),
            counts: counted.all,
            loads: trace
                .loads
                .iter()
                .filter(|load| takes.at(load.process, load.time))
                .count() as u64,
            cost,
            providers: counted.providers,
            symbols: counted.symbols,
            unreadable_blocks,
        }
    }

    /// Images whose files could not be read: what they ask for and offer is not known.
    pub fn unread(&self) -> impl Iterator<Item = (&ImageRow, &Name)> {
        let images = self.images.iter();
        images.filter_map(|row| Some((row, row.unread.as_ref()?)))
    }

    /// Programs that a dynamic loader was seen to load.
    pub fn linked(&self) -> impl Iterator<Item = &ProgramRow> {
        self.programs.iter().filter(|row| row.loads > 0)
    }
}

/// Which programs, which times, and which binds are asked for.
struct Takes {
    processes: Vec<bool>,
    from: Nanos,
    to: Nanos,
    lazy: bool,
}

impl Takes {
    fn of(analysis: &Analysis<'_>, filter: &Filter, lazy: bool) -> Self {
        let processes = analysis.trace.processes.iter();
        Self {
            processes: processes
                .map(|process| filter.takes_process(&analysis.roles, process))
                .collect(),
            from: filter.from.unwrap_or(Nanos::ZERO),
            to: filter.to.unwrap_or(Nanos(u64::MAX)),
            lazy,
        }
    }

    fn process(&self, process: ProcessId) -> bool {
        self.processes.get(process.index()) == Some(&true)
    }

    /// Whether a program ran at some time that is asked for.
    fn ran(&self, process: &Process) -> bool {
        process.start < self.to && process.exit.is_none_or(|exit| exit.at >= self.from)
    }

    fn at(&self, process: ProcessId, time: Nanos) -> bool {
        self.process(process) && (self.from..self.to).contains(&time)
    }

    fn bind(&self, bind: &Binding) -> bool {
        self.at(bind.process, bind.time) && (!self.lazy || bind.how == BindHow::Lazy)
    }
}

/// The path of an image, as it is shown.
fn image_name(trace: &Trace, image: ImageId) -> Name {
    let image = trace.images.get(image.index());
    image.map_or_else(Name::default, |image| {
        Name::from(trace.strings.get(image.path))
    })
}

/// Programs of a set of promises that are asked for.
fn taken<'s>(set: &'s Promised<'_>, takes: &'s Takes) -> impl Iterator<Item = ProcessId> + 's {
    let processes = set.processes.iter().copied();
    processes.filter(|&id| takes.process(id))
}
