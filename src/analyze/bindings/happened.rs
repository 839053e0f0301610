//! What loaders did, in the order of time, for those who draw it: loads as marks, relocations as
//! spans with the binds that were made in them.

use super::image_name;
use crate::analyze::{Analysis, Name};
use crate::trace::{BindHow, Binding, LinkCause, Linking, Load, Nanos, ProcessId};
use rustc_hash::FxHashMap;

/// An image came into a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The load.
    pub load: Load,
    /// Path of the image.
    pub image: Name,
}

impl Mark {
    /// The name of the image's file.
    #[must_use]
    pub fn file(&self) -> &str {
        self.image.rsplit('/').next().unwrap_or_default()
    }
}

/// A time in which images were relocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The time.
    pub linking: Linking,
    /// Binds that a loader told of in it.
    pub binds: u64,
}

impl Span {
    /// What it is, in one to three words.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.linking.cause {
            LinkCause::Start => "relocation",
            LinkCause::Dlopen => "relocation for dlopen",
        }
    }
}

/// Symbols that a program had bound while it ran, at first calls or by name, near each other in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// Which program.
    pub process: ProcessId,
    /// From the first bind
    pub from: Nanos,
    /// to the last.
    pub to: Nanos,
    /// How many.
    pub binds: u64,
}

/// Binds that follow each other within this are drawn as one.
const NEAR: Nanos = Nanos(1_000_000);

impl Late {
    /// Takes a bind that is near enough.
    fn takes(&mut self, time: Nanos) -> bool {
        let near = time.since(self.to) <= NEAR;
        if near {
            self.to = self.to.max(time);
            self.binds += 1;
        }
        near
    }
}

/// How much a program had of dynamic linking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Images that were loaded.
    pub loads: u64,
    /// Binds that a loader told of.
    pub binds: u64,
    /// Time of relocation, by the clock.
    pub linking: Nanos,
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.loads += other.loads;
        self.binds += other.binds;
        self.linking += other.linking;
    }
}

/// Where the last of each program's late binds stand.
#[derive(Default)]
struct Latest(FxHashMap<ProcessId, usize>);

impl Latest {
    fn add(&mut self, bind: &Binding, all: &mut Vec<Late>) {
        let last = self.0.get(&bind.process).and_then(|&at| all.get_mut(at));
        if !last.is_some_and(|last| last.takes(bind.time)) {
            self.0.insert(bind.process, all.len());
            all.push(Late {
                process: bind.process,
                from: bind.time,
                to: bind.time,
                binds: 1,
            });
        }
    }
}

/// What loaders did in the programs of a trace, gotrace's own left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Loads, by time.
    pub marks: Vec<Mark>,
    /// Relocations, by time.
    pub spans: Vec<Span>,
    /// Binds in none of these, as each program made them.
    pub late: Vec<Late>,
    /// By program.
    pub sums: FxHashMap<ProcessId, Sums>,
    /// Blocks of binds that could not be read.
    pub unreadable_blocks: u64,
}

impl Happened {
    /// When images were loaded, by program.
    #[must_use]
    pub fn load_times(&self) -> FxHashMap<ProcessId, Vec<Nanos>> {
        let mut times: FxHashMap<ProcessId, Vec<Nanos>> = FxHashMap::default();
        for Mark { load, .. } in &self.marks {
            times.entry(load.process).or_default().push(load.time);
        }
        times
    }

    /// Reads all binds once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        let known = |process: ProcessId| analysis.roles.get(process).is_some();
        let mut happened = Self::default();
        for load in trace.loads.iter().filter(|load| known(load.process)) {
            let image = image_name(trace, load.image);
            happened.marks.push(Mark { load: *load, image });
            happened.sums.entry(load.process).or_default().loads += 1;
        }
        happened.marks.sort_by_key(|mark| mark.load.time);
        let linkings = trace.linkings.iter().filter(|one| known(one.process));
        happened.spans = linkings
            .map(|&linking| Span { linking, binds: 0 })
            .collect();
        happened.spans.sort_by_key(|span| span.linking.from);
        let mut of_process: FxHashMap<ProcessId, Vec<usize>> = FxHashMap::default();
        for (number, span) in happened.spans.iter().enumerate() {
            let linking = &span.linking;
            of_process.entry(linking.process).or_default().push(number);
            let sums = happened.sums.entry(linking.process).or_default();
            sums.linking += linking.to.since(linking.from);
        }
        let mut late = Latest::default();
        for block in trace.bindings() {
            let Ok(block) = block else {
                happened.unreadable_blocks += 1;
                continue;
            };
            for bind in block.iter().filter(|bind| known(bind.process)) {
                happened.sums.entry(bind.process).or_default().binds += 1;
                let spans = of_process.get(&bind.process).map_or(&[][..], Vec::as_slice);
                let began = spans.partition_point(|&number| {
                    let span = happened.spans.get(number);
                    span.is_some_and(|span| span.linking.from <= bind.time)
                });
                let last = began.checked_sub(1).and_then(|at| spans.get(at));
                let span = last.and_then(|&number| happened.spans.get_mut(number));
                match span.filter(|span| bind.time <= span.linking.to) {
                    Some(span) => span.binds += 1,
                    None if matches!(bind.how, BindHow::Lazy | BindHow::Dlsym) => {
                        late.add(&bind, &mut happened.late);
                    }
                    None => {}
                }
            }
        }
        happened
    }
}
